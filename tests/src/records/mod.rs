// SPDX-License-Identifier: GPL-2.0-only
//! Records: what ip_tables and bpfilter must both write.
//!
//! Owns: scenarios of which there is no model. Each writes down all that can be
//! seen of it, once on a kernel with ip_tables and once on bpfilter, and the two
//! records must be equal: [`arguments`] of what iptables can ask for,
//! [`refusals`] of what it cannot, [`answers`] of what the kernel sends and logs,
//! [`named_tables`] of matches that remember packets.

pub mod answers;
pub mod arguments;
pub mod named_tables;
pub mod refusals;

// SPDX-License-Identifier: GPL-2.0-only
//! What the right answer is.
//!
//! Owns: the reference evaluator: [`table`] takes a loaded table apart and
//! [`evaluate`] says what ip_tables would do with a packet; [`case`] holds the
//! kernel against it, packet by packet. [`judge`] says what the core makes of a
//! REPLACE, to be held against the kernel's answer; [`mutants`] does that for many.
//!
//! Nothing here uses the code that it is a reference for, but for `judge`,
//! which is that code, without a helper around it.

pub mod case;
pub mod evaluate;
#[cfg(target_pointer_width = "64")]
pub mod judge;
#[cfg(target_pointer_width = "64")]
pub mod mutants;
pub mod table;

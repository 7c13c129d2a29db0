// SPDX-License-Identifier: GPL-2.0-only
//! Rule sets for the small [`world`](crate::world).
//!
//! Owns: text for iptables-restore, made from a seed: [`random`] rules of all
//! matches and targets, with [`x_tables`] for those that are the kernel's own;
//! [`big`] rule sets; those that are [`changing`] packets, and those with matches
//! that want a packet dropped and say yes ([`hotdrop`]). [`edited`] makes loaded
//! rules into ones that iptables would not write.
//! Leaves to [`blob`](crate::blob) tables that are bytes from the start.

pub mod big;
pub mod changing;
pub mod edited;
pub mod hotdrop;
pub mod random;
pub mod x_tables;

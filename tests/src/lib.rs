// SPDX-License-Identifier: GPL-2.0-only
//! What the tests stand on.
//!
//! ```text
//! client          raw calls and the real iptables, on both sides
//! blob            tables as bytes: laid out, made up, broken
//! replace_checks  a request for each check of REPLACE
//! world           a small network, and the namespace that is one
//! rules           rule sets for it
//! packet          packets for it
//! oracle          what must become of them
//! records         what two kernels must both write
//! ip6             IPv6: tables, rules, packets, and what must become of them
//! programs        programs of a table, loaded into this machine's kernel
//! cases           how many cases a property is tried on
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

pub mod blob;
pub mod cases;
pub mod client;
pub mod ip6;
pub mod oracle;
pub mod packet;
#[cfg(target_pointer_width = "64")]
pub mod programs;
pub mod records;
#[cfg(target_pointer_width = "64")]
pub mod replace_checks;
pub mod rules;
pub mod world;

// SPDX-License-Identifier: GPL-2.0-only
//! What the tests stand on.
//!
//! The table side: [`sockopt`] makes one raw call with full control over
//! pointers and lengths, [`wire`] lets another process make it, [`side`] runs
//! the same scenario on the kernel's own ip_tables and on bpfilter, [`blob`]
//! lays out tables, [`generate`] and [`mutate`] invent and break them;
//! [`rows`] has a request for each rule that can be broken, and [`any_bytes`]
//! takes whatever it is given.
//! [`arguments`] and [`refusals`] record what is accepted and what is not.
//! [`judge`] says what bpfilter's core makes of a REPLACE.
//!
//! The packet side: [`table`] takes a loaded table apart and [`evaluate`] says
//! what ip_tables would do with a packet; [`world`] is a small network that
//! [`namespace`] builds for real, [`random_rules`] and [`random_packets`] fill
//! it from a seed, [`packet`] lays out what they think of, and [`oracle`] holds
//! what the kernel does against what the evaluator says. [`traffic`] is about
//! many packets at once, [`answers`] about what the kernel sends and logs, of
//! [`changed`] packets too, and
//! [`agents`] runs all of it on either side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

pub mod agents;
pub mod answers;
pub mod any_bytes;
pub mod arguments;
pub mod big_rules;
pub mod blob;
pub mod cases;
pub mod changed;
pub mod evaluate;
pub mod generate;
pub mod judge;
pub mod mutate;
pub mod named_tables;
pub mod namespace;
pub mod odd_rules;
pub mod oracle;
pub mod packet;
pub mod programs;
pub mod random_flows;
pub mod random_packets;
pub mod random_rules;
pub mod refusals;
pub mod rows;
pub mod shell;
pub mod side;
pub mod sockopt;
pub mod table;
pub mod traffic;
pub mod wire;
pub mod world;
pub mod x_tables_rules;

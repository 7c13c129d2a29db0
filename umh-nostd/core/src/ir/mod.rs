// SPDX-License-Identifier: GPL-2.0-only
//! Rules as data: what the extensions write and the programs read.
//!
//! Owns: the forms that a rule takes on its way from the table to a program,
//! and the interface through which the extensions say what they ask of a
//! packet.
//!
//! ```text
//! op         the kinds of op, each declared once
//! record     what a rule looks like in the data map: a record, and its ops
//! test       questions without state, and those that are asked beforehand
//! draft      one rule while it is being written: what an extension calls
//! output     what all rules of a table are written to
//! ranges     which ranges of numbers a rule asks for
//! words      which words of IPv6 addresses stand in records
//! named      the tables of `recent` and `hashlimit`, which rules share by name
//! table_ops  what their ops know of them
//! ```

mod draft;
#[cfg(feature = "links")]
pub mod named;
#[cfg(not(feature = "links"))]
#[path = "no_named.rs"]
pub mod named;
pub(crate) mod op;
mod output;
mod ranges;
mod record;
#[cfg(feature = "links")]
mod table_ops;
mod test;
mod words;

#[cfg(feature = "links")]
pub(crate) use draft::Untracked;
pub(crate) use draft::{BOTH_PORTS, CutOff, Jump, Packets, Payload};
pub use draft::{Draft, Transport};
pub use op::LONGEST_OP;
pub(crate) use op::kind;
pub use output::Uses;
pub(crate) use output::{Output, Sink};
pub(crate) use ranges::{Context, Range};
pub use record::Bucket;
pub use record::{Action, OP, Op, Pattern, RECORD, Record, class};
pub(crate) use record::{BUCKET, action, flag};
#[cfg(feature = "links")]
pub use table_ops::LimitRates;
#[cfg(feature = "links")]
pub(crate) use table_ops::{Addresses, hashlimit, recent};
pub(crate) use test::Ranged;
pub use test::{
    CT_INVALID, CT_NAT, CT_ORIGINAL, CT_PRESENT, CT_UNTRACKED, FIELDS, Field, MAC_PRESENT,
    Predicate, Predicates, Question, SOCKET_FILE, SOCKET_PRESENT, Test,
};
pub(crate) use words::Words;

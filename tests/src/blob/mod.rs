// SPDX-License-Identifier: GPL-2.0-only
//! Tables as bytes.
//!
//! Owns: `layout`, a table of chains and rules and the request that it becomes;
//! [`generate`], which makes up valid tables; [`mutate`], which breaks their
//! requests; and [`any_bytes`], what must hold for a request of any bytes.
//! Leaves to [`oracle`](crate::oracle::case) what the answer to a request must be.

#[cfg(target_pointer_width = "64")]
pub mod any_bytes;
pub mod generate;
mod layout;
pub mod mutate;

pub use layout::{
    BUILTIN, Bits, Blob, Chain, ENTRY, EXTENSION, Extension, Rule, Table, Target, add_counters,
    counters_of, get_entries, get_info, get_revision, info_of, padded,
};

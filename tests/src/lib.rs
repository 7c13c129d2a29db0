// SPDX-License-Identifier: GPL-2.0-only
//! What the tests stand on.
//!
//! The table side: [`sockopt`] makes one raw call with full control over
//! pointers and lengths, [`wire`] lets another process make it, [`side`] runs
//! the same scenario on the kernel's own ip_tables and on bpfilter, [`blob`]
//! lays out tables, and [`generate`] and [`mutate`] invent and break them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

pub mod blob;
pub mod cases;
pub mod generate;

pub mod mutate;
pub mod side;
pub mod sockopt;
pub mod wire;

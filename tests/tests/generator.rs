// SPDX-License-Identifier: GPL-2.0-only
//! The generator of tables is to be trusted: the kernel's own ip_tables
//! accepts every table that it makes, and gives it back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::cell::RefCell;

use bpfilter_tests::blob::{self, Blob};
use bpfilter_tests::cases;
use bpfilter_tests::generate;
use bpfilter_tests::side::Side;
use proptest::prelude::*;

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");

/// Entries without `comefrom`, which only a walk over the table can tell.
fn without_comefrom(blob: &Blob, entries: &[u8]) -> Vec<u8> {
    let mut bytes = entries.to_vec();
    for &at in &blob.offsets {
        bytes[at + 92..at + 96].fill(0);
    }
    bytes
}

#[test]
fn the_kernel_accepts_every_generated_table() {
    let kernel = RefCell::new(Side::kernel(RAWCLIENT));
    let current = RefCell::new(4);
    cases::check("generated tables", 1000, &generate::table(6, 6), |table| {
        let mut kernel = kernel.borrow_mut();
        let mut blob = table.blob();
        blob.header.num_counters = *current.borrow();
        let outcome = kernel.call(&blob.call());
        prop_assert_eq!(outcome.errno, 0);
        *current.borrow_mut() = blob.header.num_entries;

        let info = kernel.call(&blob::get_info("filter"));
        let info = blob::info_of(&info.bytes);
        prop_assert_eq!(info.size, blob.header.size);
        prop_assert_eq!(info.num_entries, blob.header.num_entries);
        prop_assert_eq!(&info.hook_entry[1..4], &blob.header.hook_entry[1..4]);
        let entries = kernel.call(&blob::get_entries("filter", info.size));
        prop_assert_eq!(
            without_comefrom(&blob, &entries.bytes[40..]),
            without_comefrom(&blob, &blob.entries)
        );
        Ok(())
    });
}

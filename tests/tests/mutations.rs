// SPDX-License-Identifier: GPL-2.0-only
//! Any mutation of a valid request comes to what it comes to in the kernel's
//! own ip_tables: the same errno, or the same table, byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::cell::RefCell;

use bpfilter_tests::blob::mutate::{self, Mutant};
use bpfilter_tests::blob::{self, Table};
use bpfilter_tests::client::side::Pair;
use bpfilter_tests::oracle::{judge, mutants};
use bpfilter_tests::{blob::generate, cases};
use proptest::collection::vec;
use proptest::prelude::*;
use umh_core::abi::{FILTER, Family, TableSpec};
use umh_core::target::Host;

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");

#[test]
fn core_judges_as_the_kernel_does() {
    mutants::core_judges_as_the_kernel_does(RAWCLIENT, 3000, 1..=3, Table::blob);
}

/// Both sides, and what bpfilter can enforce on this kernel.
fn both_sides() -> (RefCell<Pair>, Host) {
    let mut pair = Pair::new(RAWCLIENT);
    pair.kernel.keep_conntrack();
    let host = Host {
        features: judge::features_of(&mut pair.bpfilter),
        ..judge::host_of(&mut pair.kernel)
    };
    (RefCell::new(pair), host)
}

#[test]
fn the_helper_judges_as_the_kernel_does() {
    let (pair, host) = both_sides();
    let strategy = (generate::table(4, 4), vec(mutate::mutation(), 0..=2));
    cases::check("whole path", 150, &strategy, |(table, mutations)| {
        let mut pair = pair.borrow_mut();
        judge::empty(&mut pair.kernel);
        judge::empty(&mut pair.bpfilter);
        let mut mutant = Mutant::new(&table.blob());
        for mutation in &mutations {
            mutant.apply(mutation);
        }
        // A QUEUE among the mutations is the core's affair, see above.
        prop_assume!(!mutant.is_refused());

        // Another table is ip_tables' own affair, which has all extensions.
        let asked = match TableSpec::named(Family::Ipv4, &mutant.header().name) == Some(&FILTER) {
            true => mutant.without_unknown(&host),
            false => mutant.clone(),
        };
        let expected = judge::verdict_of(|call| pair.kernel.call(call), &asked);
        let got = judge::verdict_of(|call| pair.bpfilter.call(call), &mutant);
        prop_assert_eq!(got, expected);
        Ok(())
    });
}

#[test]
fn any_table_comes_back_with_its_counters() {
    let (pair, host) = both_sides();
    let strategy = (generate::table(8, 8), vec(any::<(u64, u64)>(), 1..=8));
    cases::check("round trips", 50, &strategy, |(table, counters)| {
        let mut pair = pair.borrow_mut();
        judge::empty(&mut pair.kernel);
        judge::empty(&mut pair.bpfilter);
        // What this helper cannot enforce is the other property's affair.
        let mut table = table;
        judge::keep_known(&host, &mut table);
        let blob = table.blob();
        prop_assert_eq!(pair.call(&blob.call()).errno, 0);

        let counters: Vec<_> = (0..blob.header.num_entries as usize)
            .map(|entry| counters[entry % counters.len()])
            .collect();
        let added = pair.call(&blob::add_counters(FILTER.name, &counters));
        prop_assert_eq!(added.errno, 0);
        let before = pair.same_table();
        // Loaded once more as it was given back: only counters start anew,
        // and the old ones come out.
        let mut again = blob.clone();
        again.header.num_counters = blob.header.num_entries;
        again.entries = before[40..].to_vec();
        let outcome = pair.call(&again.call());
        prop_assert_eq!(outcome.errno, 0);
        let flat: Vec<u8> = counters
            .iter()
            .flat_map(|(packets, bytes)| [packets.to_ne_bytes(), bytes.to_ne_bytes()].concat())
            .collect();
        prop_assert_eq!(&outcome.counters, &flat);
        let mut after = pair.same_table();
        for (entry, at) in blob.offsets.iter().enumerate() {
            after[40 + at + 96..40 + at + 112].copy_from_slice(&flat[16 * entry..16 * entry + 16]);
        }
        prop_assert_eq!(after, before);
        Ok(())
    });
}

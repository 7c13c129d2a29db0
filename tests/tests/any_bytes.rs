// SPDX-License-Identifier: GPL-2.0-only
//! The core comes back from any bytes, and what it takes can be trusted.

use bpfilter_tests::blob::any_bytes::{HELPFUL, from_request, replace};
use bpfilter_tests::blob::mutate::{Mutant, mutation};
use bpfilter_tests::{blob::generate, cases, replace_checks};
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn valid_tables_keep_the_promises() {
    cases::check("valid", 300, &generate::table(5, 5), |table| {
        replace(&from_request(HELPFUL, &table.blob().bytes()));
        Ok(())
    });
}

#[test]
fn broken_tables_do_no_harm() {
    let strategy = (
        generate::table(3, 3),
        vec(mutation(), 1..5),
        any::<[u8; 2]>(),
    );
    cases::check("broken", 1500, &strategy, |(table, mutations, choices)| {
        let mut mutant = Mutant::new(&table.blob());
        for mutation in &mutations {
            mutant.apply(mutation);
        }
        replace(&from_request(choices, &mutant.bytes));
        Ok(())
    });
}

#[test]
fn noise_does_no_harm() {
    let strategy = vec(any::<u8>(), 0..2000);
    cases::check("noise", 500, &strategy, |data| {
        replace(&data);
        Ok(())
    });
}

#[test]
fn every_rule_does_no_harm() {
    for request in replace_checks::requests() {
        replace(&from_request(HELPFUL, &request.blob.bytes()));
    }
}

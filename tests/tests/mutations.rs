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

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use bpfilter_tests::judge::{self, Verdict};
use bpfilter_tests::mutate::{self, Mutant};
use bpfilter_tests::side::Side;
use bpfilter_tests::sockopt::errno_name;
use bpfilter_tests::{cases, generate};
use proptest::collection::vec;
use proptest::prelude::*;

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");

#[test]
fn core_judges_as_the_kernel_does() {
    let kernel = RefCell::new(Side::kernel(RAWCLIENT));
    kernel.borrow_mut().keep_conntrack();
    let host = judge::host_of(&mut kernel.borrow_mut());
    let current = Cell::new(4u32);
    let seen = RefCell::new(BTreeMap::<String, u32>::new());
    let strategy = (generate::table(4, 4), vec(mutate::mutation(), 1..=3));
    cases::check("mutations", 3000, &strategy, |(table, mutations)| {
        let mut blob = table.blob();
        blob.header.num_counters = current.get();
        let mut mutant = Mutant::new(&blob);
        for mutation in &mutations {
            mutant.apply(mutation);
        }

        let masked = mutant.without_unknown(&host);
        let expected = judge::kernel_verdict(&mut kernel.borrow_mut(), &masked);
        let got = judge::judge(&host, &mutant, current.get());
        let name = match &expected {
            Verdict::Loaded(info, _) => {
                current.set(info.num_entries);
                "loaded".to_owned()
            }
            Verdict::Refused(errno) => errno_name(*errno),
        };
        *seen.borrow_mut().entry(name).or_default() += 1;
        if mutant.queues() {
            // Refused for that alone, unless something before it was wrong.
            let enoent = Verdict::Refused(libc::ENOENT);
            let refused = matches!(got, Verdict::Refused(_));
            prop_assert!(got == enoent || (refused && got == expected));
        } else {
            prop_assert_eq!(got, expected);
        }
        Ok(())
    });
    let seen = seen.into_inner();
    println!("what the mutations came to: {seen:?}");
    // Mutations that are all refused for the same reason would show nothing.
    for errno in ["loaded", "EINVAL", "ENOENT", "ELOOP", "EAGAIN", "EFAULT"] {
        assert!(seen.contains_key(errno), "no case came to {errno}");
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Mutants of valid tables: what the core makes of them, beside the kernel.
//!
//! Owns: the property. What a mutation is, and what judges it, is elsewhere
//! ([`mutate`], [`judge`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;

use super::judge::{self, Verdict};
use crate::blob::mutate::{self, Mutant};
use crate::blob::{Blob, Table, generate};
use crate::cases;
use crate::client::side::Side;
use crate::client::sockopt::errno_name;

/// The core comes to the errno or the table of the machine's own ip_tables, for so many
/// tables in the form that `blob_of` gives them, each with some mutations. Most invented
/// tables name an extension that needs what is not there without a kernel half, and
/// are refused for that; of three in four these extensions are left out, so that
/// mutations show what comes behind the lookup of names.
pub fn core_judges_as_the_kernel_does(
    rawclient: &str,
    tables: u32,
    mutations: RangeInclusive<usize>,
    blob_of: impl Fn(&Table) -> Blob,
) {
    let kernel = RefCell::new(Side::kernel(rawclient));
    kernel.borrow_mut().keep_conntrack();
    let host = judge::host_of(&mut kernel.borrow_mut());
    let seen = RefCell::new(BTreeMap::<String, u32>::new());
    let table = (generate::table(4, 4), weighted(0.75)).prop_map(|(mut table, known)| {
        if known {
            judge::keep_known(&host, &mut table);
        }
        table
    });
    let strategy = (table, vec(mutate::mutation(), mutations));
    cases::check("mutations", tables, &strategy, |(table, mutations)| {
        let mut mutant = Mutant::new(&blob_of(&table));
        for mutation in &mutations {
            mutant.apply(mutation);
        }

        let mut kernel = kernel.borrow_mut();
        judge::empty(&mut kernel);
        let masked = mutant.without_unknown(&host);
        let expected = judge::verdict_of(|call| kernel.call(call), &masked);
        let got = judge::judge(&host, &mutant, 4);
        let name = match &expected {
            Verdict::Loaded(..) => "loaded".to_owned(),
            Verdict::Refused(errno) => errno_name(*errno),
        };
        *seen.borrow_mut().entry(name).or_default() += 1;
        if mutant.is_refused() {
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
    // Mutations that are all refused for the same reason would show nothing; a single
    // batch that is repeated may be too small for all of them.
    if std::env::var_os("BPFILTER_SEED").is_some() {
        return;
    }
    for errno in ["loaded", "EINVAL", "ENOENT", "ELOOP", "EAGAIN", "EFAULT"] {
        assert!(seen.contains_key(errno), "no case came to {errno}");
    }
}

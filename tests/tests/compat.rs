// SPDX-License-Identifier: GPL-2.0-only
//! Callers of 32 bits: the same calls on the kernel's own ip_tables and on bpfilter,
//! compared to the byte, made by the system call of i386 with the structures of i386; and
//! what the core makes of their requests.
#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::cell::RefCell;

use bpfilter_tests::blob::{
    Bits, Blob, Chain, Extension, Rule, Table, Target, generate, get_revision, info_of,
};
use bpfilter_tests::cases;
use bpfilter_tests::client::side::Pair;
use bpfilter_tests::client::sockopt::{
    Call, GET_REVISION_MATCH, GET_REVISION_TARGET, Outcome, Place, REPLACE, errno_name,
};
use bpfilter_tests::oracle::{judge, mutants};
use proptest::prelude::*;
use umh_core::abi::{FILTER, GetInfo, VERDICT_ACCEPT, VERDICT_DROP};
use umh_core::target::Host;

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");
const I386: Bits = Bits::I386;

/// Addresses where a program of 32 bits has nothing.
const NOWHERE: [Place; 3] = [
    Place::Address(0),
    Place::Address(1),
    Place::Address(0xffff_f000),
];

fn pair() -> Pair {
    Pair::new(RAWCLIENT)
}

/// Makes a call on both sides, which must agree, and on this errno.
#[track_caller]
fn expect(pair: &mut Pair, errno: i32, call: &Call) -> Outcome {
    assert!(call.bits32, "a call of a 32-bit program");
    let outcome = pair.call(call);
    assert_eq!(
        errno_name(outcome.errno),
        errno_name(errno),
        "both sides, but not as expected"
    );
    outcome
}

/// What both sides say of the table to callers of 32 and of 64 bits, who agree on the
/// number of entries.
#[track_caller]
fn state(pair: &mut Pair) -> GetInfo {
    let [native, info] = Bits::ALL.map(|bits| {
        let outcome = pair.call(&bits.get_info(FILTER.name));
        assert_eq!(outcome.errno, 0);
        let info = info_of(&outcome.bytes);
        let outcome = pair.call(&bits.get_entries(FILTER.name, info.size));
        assert_eq!(outcome.errno, 0);
        info
    });
    assert_eq!(info.num_entries, native.num_entries);
    info
}

/// A rule with a rate of so many tenths of milliseconds, and with what is the kernel's own.
fn limited(cost: u32) -> Rule {
    let words = [10_000, 5, 0x0102_0304, 0x0506_0708, 9, 10, cost, 0, 11, 12];
    let data: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let mut rule = Rule::any(Target::Verdict(VERDICT_ACCEPT));
    rule.matches.push(Extension::new("limit", 0, data));
    rule
}

/// Matches of all sizes modulo 8, jumps forward and back, and a limit.
fn some_rules() -> Table {
    let mut table = Table::default();
    let mut odd = Rule::any(Target::Goto(1));
    for (name, revision, size) in [
        ("mark", 1, 12),
        ("comment", 0, 256),
        ("length", 0, 5),
        ("statistic", 0, 24),
        ("pkttype", 0, 8),
        ("ttl", 0, 2),
    ] {
        odd.matches
            .push(Extension::new(name, revision, vec![0; size]));
    }
    table.builtin[0] = vec![limited(0), Rule::any(Target::Jump(0)), odd];
    table.builtin[2] = vec![Rule::any(Target::Jump(1)), Rule::any(Target::Next)];
    table.policy[1] = VERDICT_DROP;
    for (name, rule) in [
        ("first", Rule::any(Target::Jump(1))),
        ("second", limited(7)),
    ] {
        table.chains.push(Chain {
            name: name.to_owned(),
            rules: vec![rule],
        });
    }
    table
}

/// Loads a table, as a caller of these bits.
#[track_caller]
fn load(pair: &mut Pair, bits: Bits, table: &Table) -> GetInfo {
    let mut blob = table.blob_in(bits);
    blob.header.num_counters = state(pair).num_entries;
    assert_eq!(pair.call(&blob.call()).errno, 0);
    state(pair)
}

#[test]
fn a_fresh_table_is_smaller() {
    let info = state(&mut pair());
    assert_eq!((info.num_entries, info.size), (4, 3 * 148 + 176));
    assert_eq!(info.hook_entry[1..4], [0, 148, 296]);
    // As the kernel says of hooks that the table does not have: all is taken off.
    assert_eq!(info.hook_entry[0], u32::MAX - 12);
}

#[test]
fn what_is_loaded_by_the_one_is_given_to_the_other() {
    for bits in Bits::ALL {
        let mut pair = pair();
        let table = some_rules();
        let info = load(&mut pair, bits, &table);
        assert_eq!(info.size, table.blob_in(I386).header.size);
        let counters: Vec<(u64, u64)> = (0..u64::from(info.num_entries))
            .map(|i| (i * 3 + 1, i << 40 | 7))
            .collect();
        for bits in Bits::ALL {
            let added = pair.call(&bits.add_counters(FILTER.name, &counters));
            assert_eq!(added.errno, 0);
        }
        state(&mut pair);
        // The old counters come out, 16 bytes each for all.
        let mut blob = table.blob_in(bits);
        blob.header.num_counters = info.num_entries;
        let outcome = pair.call(&blob.call());
        assert_eq!(outcome.errno, 0);
        let doubled: Vec<u8> = counters
            .iter()
            .flat_map(|(p, b)| [(p * 2).to_ne_bytes(), (b * 2).to_ne_bytes()].concat())
            .collect();
        assert_eq!(outcome.counters, doubled);
    }
}

/// A limit that was loaded comes back with what the kernel has made of it, is loaded so,
/// and is still the same limit; to a program of 64 bits it shows nothing of that.
#[test]
fn a_table_that_was_given_back_is_loaded_again() {
    let mut pair = pair();
    let info = load(&mut pair, I386, &some_rules());
    let given = expect(&mut pair, 0, &I386.get_entries(FILTER.name, info.size));
    let mut again = some_rules().blob_in(I386);
    again.entries = given.bytes[I386.head()..].to_vec();
    again.header.num_counters = info.num_entries;
    assert_eq!(again.header.size, info.size);
    expect(&mut pair, 0, &again.call());
    assert_eq!(state(&mut pair), info);
    let twice = expect(&mut pair, 0, &I386.get_entries(FILTER.name, info.size));
    assert_eq!(twice.bytes, given.bytes);
    // Of the first rule of INPUT: a cost that was computed, and the caller's own.
    let data = &given.bytes[I386.head() + 112 + 32..][..28];
    let words: Vec<u32> = data
        .chunks(4)
        .map(|w| u32::from_ne_bytes(w.try_into().unwrap()))
        .collect();
    assert_eq!(words[..4], [10_000, 5, 0x0102_0304, 9]);
    assert!(words[4] > 10 && words[5] > 0, "{words:?}");
}

#[test]
fn get_info_errors() {
    let mut pair = pair();
    let good = I386.get_info(FILTER.name);
    for len in [0, 32, 83, 85, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        expect(&mut pair, libc::EINVAL, &good.clone().len(len));
    }
    for place in NOWHERE.into_iter().chain([Place::ReadOnly]) {
        expect(&mut pair, libc::EFAULT, &good.clone().at(place));
        expect(&mut pair, libc::EINVAL, &good.clone().at(place).len(83));
    }
    expect(&mut pair, libc::ENOENT, &I386.get_info("nobody"));
}

#[test]
fn get_entries_errors() {
    let mut pair = pair();
    let good = I386.get_entries(FILTER.name, 620);
    for len in [
        0,
        35,
        36,
        40,
        655,
        657,
        660,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX,
    ] {
        expect(&mut pair, libc::EINVAL, &good.clone().len(len));
    }
    expect(&mut pair, libc::ENOENT, &I386.get_entries("nobody", 620));
    // 632 is what it has for others.
    for size in [0, 1, 619, 621, 624, 632, 1 << 20] {
        expect(
            &mut pair,
            libc::EAGAIN,
            &I386.get_entries(FILTER.name, size),
        );
    }
    for place in NOWHERE.into_iter().chain([Place::ReadOnly]) {
        expect(&mut pair, libc::EFAULT, &good.clone().at(place));
        expect(&mut pair, libc::EINVAL, &good.clone().at(place).len(35));
    }
    expect(&mut pair, 0, &good.clone().at(Place::Guarded));
    for room in [0, 35, 36, 37, 100, 655] {
        let mut call = good.clone().at(Place::Guarded);
        call.bytes.truncate(room);
        let [kernel, bpfilter] =
            [&mut pair.kernel, &mut pair.bpfilter].map(|s| s.call(&call).errno);
        assert_eq!((kernel, bpfilter), (libc::EFAULT, libc::EFAULT), "{room}");
    }
    let mut call = good;
    call.bytes[7..32].fill(0xaa);
    expect(&mut pair, 0, &call);
}

#[test]
fn revisions_are_the_same() {
    let mut pair = pair();
    for (option, name) in [
        (GET_REVISION_MATCH, "limit"),
        (GET_REVISION_MATCH, "conntrack"),
        (GET_REVISION_MATCH, "nobody"),
        (GET_REVISION_TARGET, "ERROR"),
    ] {
        for revision in [0, 1, 3, 9] {
            pair.call(&get_revision(option, name, revision).bits32());
        }
    }
}

#[test]
fn replace_from_bad_memory() {
    let mut pair = pair();
    let info = load(&mut pair, I386, &some_rules());
    let mut blob = some_rules().blob_in(I386);
    blob.header.num_counters = info.num_entries;
    let call = blob.call();
    let bytes = call.bytes.clone();
    let len = bytes.len() as u32;
    for len in [0, 40, 91, 0x8000_0000, u32::MAX] {
        expect(&mut pair, libc::EINVAL, &call.clone().len(len));
    }
    for place in NOWHERE {
        expect(&mut pair, libc::EFAULT, &call.clone().at(place));
        expect(&mut pair, libc::EINVAL, &call.clone().at(place).len(91));
    }
    for room in [0, 1, 91, 92, 93, 96, 97, 400, bytes.len() - 1] {
        let mut call = call.clone().at(Place::Guarded).len(len);
        call.bytes.truncate(room);
        expect(&mut pair, libc::EFAULT, &call);
    }
    expect(&mut pair, libc::EINVAL, &call.clone().len(len - 1));
    expect(&mut pair, 0, &call.clone().at(Place::Guarded));
    expect(&mut pair, 0, &call.at(Place::ReadOnly));
    // Numbers in a readable header come before the memory behind it.
    let header = Call::set(REPLACE, &bytes[..92]).bits32();
    let mut header = header.at(Place::Guarded).len(len);
    header.bytes[84..88].fill(0);
    expect(&mut pair, libc::EINVAL, &header);
    header.bytes[84..88].fill(0xff);
    expect(&mut pair, libc::ENOMEM, &header);
    // No entries, or as many as there cannot be; the second is noticed before the entries.
    for (entries, errno) in [
        (0, libc::EINVAL),
        (info.num_entries - 1, libc::EINVAL),
        (info.num_entries + 1, libc::EINVAL),
        (0x0fff_ffff, libc::ENOMEM),
        (0x1000_0000, libc::EINVAL),
        (u32::MAX, libc::EINVAL),
    ] {
        let mut blob = blob.clone();
        blob.header.num_entries = entries;
        expect(&mut pair, errno, &blob.call());
    }
    for (counters, errno) in [
        (info.num_entries - 1, libc::EAGAIN),
        (info.num_entries + 1, libc::EAGAIN),
    ] {
        let mut blob = blob.clone();
        blob.header.num_counters = counters;
        expect(&mut pair, errno, &blob.call());
    }
    for place in NOWHERE.into_iter().chain([Place::ReadOnly]) {
        let call = Call::set(REPLACE, bytes.clone()).bits32();
        expect(&mut pair, 0, &call.counters(vec![0xc5; 1024], place));
    }
    assert_eq!(state(&mut pair), info);
}

#[test]
fn add_counters_errors() {
    let mut pair = pair();
    let four = [(1, 2), (3, 4), (5, 6), (u64::MAX, u64::MAX)];
    let good = I386.add_counters(FILTER.name, &four);
    for len in [0, 35, 36, 37, 51, 99, 101, 104, 0x7fff_ffff, u32::MAX] {
        expect(&mut pair, libc::EINVAL, &good.clone().len(len));
    }
    for count in [0, 3, 5, 0x1000_0000, 0x1000_0004, u32::MAX] {
        let mut call = good.clone();
        call.bytes[32..36].copy_from_slice(&u32::to_ne_bytes(count));
        expect(&mut pair, libc::EINVAL, &call);
    }
    for wrong in [&four[..0], &four[..3]] {
        let call = I386.add_counters(FILTER.name, wrong);
        expect(&mut pair, libc::EINVAL, &call);
    }
    expect(&mut pair, libc::ENOENT, &I386.add_counters("nobody", &four));
    for place in NOWHERE {
        expect(&mut pair, libc::EFAULT, &good.clone().at(place));
        expect(&mut pair, libc::EINVAL, &good.clone().at(place).len(36));
    }
    for room in [0, 35, 36, 37, 99] {
        let mut call = good.clone().at(Place::Guarded);
        call.bytes.truncate(room);
        expect(&mut pair, libc::EFAULT, &call);
    }
    state(&mut pair);
    expect(&mut pair, 0, &good.clone().at(Place::Guarded));
    expect(&mut pair, 0, &good.at(Place::ReadOnly));
    state(&mut pair);
}

/// A match and a target of each size from none to more than it has.
#[test]
fn sizes_that_are_wrong() {
    let mut pair = pair();
    for name in ["limit", "mark", "ttl", "statistic", "length"] {
        for size in 0..72 {
            let mut rule = Rule::any(Target::Verdict(VERDICT_ACCEPT));
            let revision = u8::from(name == "mark");
            rule.matches
                .push(Extension::new(name, revision, vec![0; 100]));
            let mut table = Table::default();
            table.builtin[0].push(rule);
            let mut blob = table.blob_in(I386);
            resize_match(&mut blob, size);
            blob.header.num_counters = state(&mut pair).num_entries;
            pair.call(&blob.call());
        }
    }
    for size in 0..80u16 {
        let mut blob = some_rules().blob_in(I386);
        let policy = blob.header.underflow[1] as usize;
        blob.entries[policy + 112..][..2].copy_from_slice(&size.to_ne_bytes());
        blob.header.num_counters = state(&mut pair).num_entries;
        pair.call(&blob.call());
    }
    state(&mut pair);
}

/// Makes the match of the first rule so large that its data has `size` bytes; what follows
/// moves.
fn resize_match(blob: &mut Blob, size: usize) {
    let less = 100 - size;
    let read = |bytes: &[u8], at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    for at in [88, 90, 112] {
        let number = read(&blob.entries, at) - less as u16;
        blob.entries[at..at + 2].copy_from_slice(&number.to_ne_bytes());
    }
    blob.entries.drain(112 + 32 + size..112 + 32 + 100);
    blob.header.size -= less as u32;
    let hooks = blob.header.hook_entry.iter_mut();
    for offset in hooks.chain(&mut blob.header.underflow) {
        *offset = offset.saturating_sub(less as u32);
    }
}

#[test]
fn the_core_judges_as_the_kernel_does() {
    mutants::core_judges_as_the_kernel_does(RAWCLIENT, 2000, 0..=2, |table| table.blob_in(I386));
}

#[test]
fn any_table_is_given_back_to_both() {
    let mut pair = pair();
    pair.kernel.keep_conntrack();
    let host = Host {
        features: judge::features_of(&mut pair.bpfilter),
        ..judge::host_of(&mut pair.kernel)
    };
    let pair = RefCell::new(pair);
    let strategy = (generate::table(8, 8), any::<bool>());
    cases::check("round trips", 60, &strategy, |(mut table, native)| {
        let mut pair = pair.borrow_mut();
        judge::empty(&mut pair.kernel);
        judge::empty(&mut pair.bpfilter);
        judge::keep_known(&host, &mut table);
        load(&mut pair, Bits::ALL[usize::from(!native)], &table);
        Ok(())
    });
}

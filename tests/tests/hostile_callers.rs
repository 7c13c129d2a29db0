// SPDX-License-Identifier: GPL-2.0-only
//! Callers that change, unmap or leave their memory during a request: they
//! get an errno or nothing, the old rules stay or the new ones are whole,
//! and the helper goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::blob::{
    Blob, Rule, Table, Target, add_counters, get_entries, get_info, get_revision, info_of,
};
use bpfilter_tests::client::side::Side;
use bpfilter_tests::client::sockopt::{Call, GET_REVISION_MATCH, Outcome};
use bpfilter_tests::client::wire::{Reply, Request};
use umh_core::abi::{FILTER, VERDICT_DROP};

fn bpfilter() -> Side {
    Side::bpfilter(env!("CARGO_BIN_EXE_rawclient"))
}

/// A table of `rules` rules, to replace one of `current` entries.
fn blob(rules: usize, current: u32) -> Blob {
    let mut table = Table::default();
    table.builtin[0] = (0..rules)
        .map(|i| {
            let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
            rule.ip.src = (i as u32).to_be_bytes();
            rule.ip.smsk = [255; 4];
            rule
        })
        .collect();
    let mut blob = table.blob();
    blob.header.num_counters = current;
    blob
}

/// Number of entries and all of them, which must be there to be had.
fn state(side: &mut Side) -> (u32, Vec<u8>) {
    let info = info_of(&succeeds(side, &get_info(FILTER.name)).bytes);
    let entries = succeeds(side, &get_entries(FILTER.name, info.size)).bytes;
    (info.num_entries, entries)
}

fn succeeds(side: &mut Side, call: &Call) -> Outcome {
    let outcome = side.call(call);
    assert_eq!(outcome.ret, 0, "{outcome:?}");
    outcome
}

fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// Every kind of call, for a table of `entries` entries and `size` bytes.
fn calls(entries: u32, size: u32) -> Vec<Call> {
    let counters = vec![(0, 0); entries as usize];
    vec![
        get_info(FILTER.name),
        get_entries(FILTER.name, size),
        get_revision(GET_REVISION_MATCH, "tcp", 0),
        add_counters(FILTER.name, &counters),
        blob(800, entries).call(),
    ]
}

#[test]
fn memory_that_goes_away() {
    let mut side = bpfilter();
    succeeds(&mut side, &blob(1000, 4).call());
    let helper = side.helper();
    // Memory is looked at when a call comes and when it is answered, so most calls do
    // not notice; enough must, whatever this machine is busy with.
    let (mut failed, mut rounds) = (0, 0);
    let times = [0, 10, 20, 50, 100, 200, 300, 500, 1000, 2000, 5000];
    for micros in times.into_iter().cycle() {
        rounds += 1;
        if rounds > times.len() && failed > 5 {
            break;
        }
        assert!(rounds < 100 * times.len(), "only {failed} calls noticed");
        let (entries, old) = state(&mut side);
        let size = old.len() as u32 - 40;
        for call in calls(entries, size) {
            let got = outcome(side.ask(&Request::CallAndUnmap(call.clone(), micros)));
            match (got.ret, got.errno) {
                (0, 0) => {}
                (-1, libc::EFAULT) => failed += 1,
                _ => panic!("{got:?} to {call:?} after {micros} us"),
            }
            let (entries, new) = state(&mut side);
            if got.ret != 0 || !call.set {
                assert!(new == old, "{got:?}, and the rules have changed");
            } else {
                // The last call of the round: the next one starts from here.
                assert!(entries == 804 || new == old);
            }
        }
        let (entries, _) = state(&mut side);
        succeeds(&mut side, &blob(1000, entries).call());
    }
    assert_eq!(side.helper(), helper, "the helper that was there before");
}

#[test]
fn memory_that_changes() {
    let mut side = bpfilter();
    let helper = side.helper();
    for round in 0..10 {
        let (entries, old) = state(&mut side);
        for call in calls(entries, old.len() as u32 - 40) {
            outcome(side.ask(&Request::CallAndScribble(call, 20)));
            // Whatever came of it: rules that are whole and can be had.
            state(&mut side);
        }
        let (entries, _) = state(&mut side);
        let rules = 10 + round;
        succeeds(&mut side, &blob(rules, entries).call());
        assert_eq!(state(&mut side).0 as usize, rules + 4);
    }
    assert_eq!(side.helper(), helper, "the helper that was there before");
}

#[test]
fn callers_that_die() {
    let mut side = bpfilter();
    let helper = side.helper();
    for micros in [0, 100, 300, 700, 1500, 3000] {
        let (entries, old) = state(&mut side);
        for call in calls(entries, old.len() as u32 - 40) {
            side.ask(&Request::CallAndDie(call, micros));
            state(&mut side);
        }
        let (entries, _) = state(&mut side);
        succeeds(&mut side, &blob(100, entries).call());
        assert_eq!(state(&mut side).0, 104);
    }
    assert_eq!(side.helper(), helper, "the helper that was there before");
}

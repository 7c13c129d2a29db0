// SPDX-License-Identifier: GPL-2.0-only
//! Tables with names: bpfilter's are ip_tables'.
//!
//! Sequences of rules, packets and pauses, each on the kernel's ip_tables and
//! on bpfilter at the same time; what is seen of every packet must be equal.
//! `BPFILTER_SEED` and `BPFILTER_CASES` repeat one or ask for more.
//!
//! Needs root, and ip_tables in the running kernel.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail where it stands"
)]

use std::thread;

use bpfilter_tests::packet::agents::{Backend, Cases, succeeds};
use bpfilter_tests::records::named_tables::SLOW;

const AGENT: &str = env!("CARGO_BIN_EXE_packet-agent");

/// Runs a sequence on a side, until it was quick enough to say something.
fn said(backend: Backend, seed: u64) -> String {
    let tries = || succeeds(backend, AGENT, &["named", &seed.to_string()]);
    // An hour of them.
    let mut tries = std::iter::repeat_with(tries).take(100);
    tries
        .find(|said| said.trim_end() != SLOW.trim_end())
        .expect("a try that is not slow")
}

/// Runs a sequence on both sides; returns how many packets it had.
fn same(seed: u64) -> usize {
    let run = move |backend| thread::spawn(move || said(backend, seed));
    let sides = [Backend::IpTables, Backend::Bpfilter].map(run);
    let [expected, got] = sides.map(|side| side.join().expect("a side that ends"));
    let mut round = "";
    for (expected, got) in expected.lines().zip(got.lines()) {
        if expected.starts_with("seed") {
            round = expected;
        }
        assert_eq!(got, expected, "{round}");
    }
    assert_eq!(got.lines().count(), expected.lines().count());
    expected
        .lines()
        .filter(|line| line.contains("counted "))
        .count()
}

#[test]
fn sequences_are_the_same() {
    let cases = Cases::from_environment(9);
    let seeds = cases.first..cases.first + cases.count;
    let sequences: Vec<_> = seeds
        .map(|seed| thread::spawn(move || same(seed)))
        .collect();
    let packets = sequences
        .into_iter()
        .map(|one| one.join().expect("equal sides"));
    let packets: usize = packets.sum();
    assert!(
        packets > 200 * cases.count as usize,
        "{packets} packets counted"
    );
}

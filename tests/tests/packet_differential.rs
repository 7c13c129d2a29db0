// SPDX-License-Identifier: GPL-2.0-only
//! bpfilter does to packets what ip_tables does.
//!
//! The same random rule sets, the same crafted packets at INPUT, FORWARD and
//! OUTPUT, once on the kernel's ip_tables and once on bpfilter: every counter
//! of every rule after every packet, and what became of it, must be equal. A
//! failure names the seed: `BPFILTER_SEED=seed BPFILTER_CASES=1` repeats it,
//! `packet-agent show seed` prints it.
//!
//! Needs root, and ip_tables in the running kernel.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail where it stands"
)]

use std::thread;

use bpfilter_tests::packet::agents::{Backend, Cases, run_cases, succeeds};

const AGENT: &str = env!("CARGO_BIN_EXE_packet-agent");

/// The lines that differ, each with its case.
fn differences(expected: &str, got: &str) -> Vec<String> {
    let mut case = "";
    let mut differences = Vec::new();
    for (expected, got) in expected.lines().zip(got.lines()) {
        if expected.starts_with("case ") {
            case = expected;
        }
        if expected != got {
            differences.push(format!("{case}:\nip_tables: {expected}\nbpfilter:  {got}"));
        }
    }
    let (a, b) = (expected.lines().count(), got.lines().count());
    if a != b {
        differences.push(format!("ip_tables: {a} lines\nbpfilter:  {b} lines"));
    }
    differences
}

#[test]
fn the_same_packets_meet_the_same_rules() {
    let cases = Cases::from_environment(300);
    let judge = thread::spawn(move || run_cases(Backend::IpTables, AGENT, cases));
    let judged = run_cases(Backend::Bpfilter, AGENT, cases);
    let judge = judge.join().expect("a thread that does not panic");
    let differences = differences(&judge.seen, &judged.seen);
    assert!(
        differences.is_empty(),
        "{} differences, the first ones:\n{}\n{}",
        differences.len(),
        differences
            .iter()
            .take(5)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n"),
        judged
            .errors
            .lines()
            .take(100)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    assert!(judged.errors.is_empty(), "{}", judged.errors);
}

/// Rule sets of 10,000 and more: the same on both sides.
fn big(shape: &str, rules: &str) {
    let judge = succeeds(Backend::IpTables, AGENT, &["big", shape, rules]);
    let judged = succeeds(Backend::Bpfilter, AGENT, &["big", shape, rules]);
    let differences = differences(&judge, &judged);
    assert!(differences.is_empty(), "{:?}", differences.first());
}

#[test]
fn ten_thousand_sources() {
    big("sources", "10000");
}

#[test]
fn ten_thousand_mixed_rules() {
    big("mixed", "10000");
}

#[test]
fn ten_thousand_rules_in_a_thousand_chains() {
    big("chains", "10000");
}

#[test]
fn ten_thousand_rules_that_match_everything() {
    big("wildcards", "30000");
}

#[test]
fn fifty_thousand_rules() {
    big("mixed", "50000");
}

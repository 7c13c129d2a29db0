// SPDX-License-Identifier: GPL-2.0-only
//! The bench's smallest form, run: it works, its packets hit the rules that
//! they are made for, and bpfilter counts what ip_tables counts.
//!
//! Needs root.
#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use std::process::Command;

#[test]
fn it_measures_and_compares_counters() {
    let output = Command::new(env!("CARGO_BIN_EXE_bpfilter-bench"))
        .arg("--smallest")
        .output()
        .expect("the bench");
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    // Each of ten rules was hit, and the policies; wildcards by each packet.
    for expected in [
        "A: sources, 10 rules in INPUT: 14 counters equal, 2 of them not zero",
        "A: sources, 10 rules in FORWARD: 14 counters equal, 11 of them not zero",
        "B: ports, 10 rules in FORWARD: 14 counters equal, 11 of them not zero",
        "port ranges, 10 rules in FORWARD: 14 counters equal, 11 of them not zero",
        "service chains, 10 rules in FORWARD: 16 counters equal, 12 of them not zero",
        "wildcards, 10 rules in FORWARD: 14 counters equal, 11 of them not zero",
        "residual only, 10 rules in FORWARD: 14 counters equal",
        "A: sources, 10 rules in OUTPUT: 14 counters equal, 2 of them not zero",
    ] {
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
}

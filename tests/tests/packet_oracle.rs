// SPDX-License-Identifier: GPL-2.0-only
//! The reference evaluator is ip_tables.
//!
//! Hundreds of random rule sets are loaded into the kernel's own ip_tables and
//! meet crafted packets at INPUT, FORWARD and OUTPUT; the evaluator must name
//! every rule that counts and what becomes of every packet. Only then is it fit
//! to judge programs.
//!
//! Needs root, and ip_tables in the running kernel.

#![allow(clippy::panic, reason = "the differences are the message of the test")]

use bpfilter_tests::agents::{Backend, Cases, run_cases};

const AGENT: &str = env!("CARGO_BIN_EXE_packet-agent");

#[test]
fn evaluator_agrees_with_ip_tables() {
    let cases = Cases::from_environment(300);
    let seen =
        run_cases(Backend::IpTables, AGENT, cases).unwrap_or_else(|errors| panic!("{errors}"));
    // The test would be worth nothing if the packets did not arrive.
    let arrived = seen
        .lines()
        .filter(|line| line.contains("counted "))
        .count() as u64;
    assert!(arrived > cases.count * 30, "{arrived} packets counted");
}

// SPDX-License-Identifier: GPL-2.0-only
//! The reference evaluator is ip_tables.
//!
//! Hundreds of random rule sets are loaded into the kernel's own ip_tables and
//! meet crafted packets at INPUT, FORWARD and OUTPUT; the evaluator must name
//! every rule that counts and what becomes of every packet. Only then is it fit
//! to judge programs.
//!
//! Needs root, and ip_tables in the running kernel.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use bpfilter_tests::packet::agents::{Backend, Cases, command, run_cases, succeeds};

const AGENT: &str = env!("CARGO_BIN_EXE_packet-agent");

#[test]
fn evaluator_agrees_with_ip_tables() {
    let cases = Cases::from_environment(300);
    let outcome = run_cases(Backend::IpTables, AGENT, cases);
    assert!(outcome.errors.is_empty(), "{}", outcome.errors);
    // The test would be worth nothing if the packets did not arrive.
    let counted = outcome
        .seen
        .lines()
        .filter(|line| line.contains("counted "));
    let arrived = counted.count() as u64;
    assert!(arrived > cases.count * 30, "{arrived} packets counted");
}

/// What the traffic tests ask of bpfilter, ip_tables gives.
#[test]
fn ip_tables_keeps_its_promises() {
    for arguments in [
        &["swaps", "300"] as &[&str],
        &["senders", "4", "20000"],
        &["bulk", "20"],
        &["big", "mixed", "3000"],
    ] {
        succeeds(Backend::IpTables, AGENT, arguments);
    }
    let mut steady = command(Backend::IpTables, AGENT);
    let steady = steady.arg("steady").stdin(Stdio::piped()).spawn();
    let status = steady.and_then(|mut steady| {
        thread::sleep(Duration::from_millis(500));
        // The end of its input is the end of its traffic.
        drop(steady.stdin.take());
        steady.wait()
    });
    assert!(status.is_ok_and(|status| status.success()), "steady");
}

// SPDX-License-Identifier: GPL-2.0-only
//! Packets at full speed, while rules are swapped and the helper is killed.
//!
//! Needs root.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail where it stands"
)]

use std::io::{BufRead, BufReader};
use std::time::Duration;

use bpfilter_tests::client::side::helper_of;
use bpfilter_tests::packet::agents::{Backend, start, succeeds};

const AGENT: &str = env!("CARGO_BIN_EXE_packet-agent");

/// 1,000 swaps between rule sets that drop at different hooks: nothing passes,
/// and the counters handed out by the swaps add up to the packets sent.
#[test]
fn swaps_lose_no_packet_and_no_counter() {
    println!("{}", succeeds(Backend::Bpfilter, AGENT, &["swaps", "1000"]));
}

/// Four threads send 100,000 packets each through OUTPUT and INPUT.
#[test]
fn counters_are_exact_under_concurrent_senders() {
    let said = succeeds(Backend::Bpfilter, AGENT, &["senders", "4", "100000"]);
    println!("{said}");
}

/// Large packets, whose bytes lie in many pages.
#[test]
fn rules_that_split_a_transfer_add_up_to_it() {
    println!("{}", succeeds(Backend::Bpfilter, AGENT, &["bulk", "200"]));
}

/// The helper is killed again and again while packets flow: not one passes
/// that should not, and none is lost that should pass.
#[test]
fn a_killed_helper_changes_nothing_for_packets() {
    let mut agent = start(Backend::Bpfilter, AGENT, &["steady", "4000"]);
    let stdout = agent.stdout.take().expect("a piped stdout");
    let mut lines = BufReader::new(stdout).lines();
    let ready = lines.next().expect("a line of the agent");
    // Until everything is sent. What is read then must get a whole helper,
    // however long that takes on a busy machine.
    let sent = std::thread::spawn(move || (lines.next(), lines));
    let mut kills = 0;
    while !sent.is_finished() {
        if let Some(helper) = helper_of(agent.id()) {
            // SAFETY: takes no pointer; the process is a descendant of ours.
            unsafe { libc::kill(helper as i32, libc::SIGKILL) };
            kills += 1;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    let (_, said) = sent.join().expect("a reader that does not panic");
    let said: Vec<_> = said.map_while(Result::ok).collect();
    let output = agent.wait_with_output().expect("a child of ours");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{ready:?}{said:?}{error}");
    assert!(kills >= 20, "killed {kills} times only");
}

// SPDX-License-Identifier: GPL-2.0-only
//! Packets at full speed, while rules are swapped and the helper is killed.
//!
//! Needs root.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail where it stands"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bpfilter_tests::client::side::helper_of;
use bpfilter_tests::packet::agents::{Backend, command, succeeds};

const AGENT: &str = env!("CARGO_BIN_EXE_packet-agent");
/// Helpers that are killed under traffic.
const KILLS: usize = 100;
/// What takes longer hangs, on whatever machine.
const HANGS: Duration = Duration::from_secs(600);

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
    let mut agent = command(Backend::Bpfilter, AGENT)
        .arg("steady")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("an agent");
    let mut lines = BufReader::new(agent.stdout.take().expect("a piped stdout"));
    let mut ready = String::new();
    lines.read_line(&mut ready).expect("a line of the agent");
    let start = Instant::now();
    let mut killed = Vec::new();
    while killed.len() < KILLS {
        // A caller starts the next one.
        match helper_of(agent.id()).filter(|helper| killed.last() != Some(helper)) {
            // SAFETY: takes no pointer; the process is a descendant of ours.
            Some(helper) => unsafe {
                libc::kill(helper as i32, libc::SIGKILL);
                killed.push(helper);
            },
            None => assert!(start.elapsed() < HANGS, "{} killed", killed.len()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // The end of its input; what is read then must get a whole helper.
    drop(agent.stdin.take());
    let mut said = String::new();
    lines.read_to_string(&mut said).expect("what it says");
    let status = agent.wait().expect("a child of ours");
    assert!(status.success(), "{ready}{said}{status}");
}

// SPDX-License-Identifier: GPL-2.0-only
//! The helper's memory: little while it works, next to none while it waits,
//! and not one descriptor more than before.
#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use bpfilter_tests::side::Side;

/// The most memory that a helper without a request may take.
const IDLE: u64 = 64 << 10;
/// How many times the size of the table a REPLACE may take.
const PEAK: u64 = 4;
/// Rules of the big table, and bytes of each.
const RULES: u32 = 50_000;
const RULE: u64 = 152;

/// A field of /proc/PID/status that is given in kB, in bytes.
fn status(pid: u32, field: &str) -> u64 {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(path).expect("the helper is there");
    let line = text.lines().find(|line| line.starts_with(field));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    1024 * kb.expect("a field of status")
}

fn descriptors(pid: u32) -> usize {
    let dir = fs::read_dir(format!("/proc/{pid}/fd"));
    dir.expect("the helper is there").count()
}

/// Waits until the helper is idle, and small; a second is more than it needs.
fn rests_at(pid: u32) -> u64 {
    let end = Instant::now() + Duration::from_secs(1);
    loop {
        let now = status(pid, "VmRSS:");
        if now <= IDLE || Instant::now() > end {
            return now;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_big_table_leaves_nothing_behind() {
    let mut side = Side::bpfilter(env!("CARGO_BIN_EXE_rawclient"));
    let mut rules = String::from("*filter\n");
    for rule in 0..RULES {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + rule);
        writeln!(rules, "-A INPUT -s {source} -j DROP").expect("writing to a string");
    }
    rules.push_str("COMMIT\n");

    let listed = side.run(&["iptables-legacy", "-S"], b"");
    assert_eq!(listed.status, 0, "{listed:?}");
    let pid = side.helper().expect("a helper");
    let before = (rests_at(pid), descriptors(pid));

    for _ in 0..2 {
        // Starts the record of the most memory anew.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("root");
        let restored = side.run(&["iptables-legacy-restore"], rules.as_bytes());
        assert_eq!(restored.status, 0, "{restored:?}");
        let peak = status(pid, "VmHWM:");
        let blob = u64::from(RULES) * RULE;
        println!("a table of {blob} bytes: {peak} bytes at most");
        assert!(peak <= PEAK * blob, "{peak} bytes for {blob}");
        assert_eq!(side.helper(), Some(pid), "the helper was restarted");
    }
    let saved = side.run(&["iptables-legacy-save", "-c"], b"");
    assert_eq!(saved.status, 0, "{:?}", saved.stderr);

    let after = (rests_at(pid), descriptors(pid));
    println!("idle: {before:?} before, {after:?} after, bytes and descriptors");
    assert!(after.0 <= IDLE, "{} bytes", after.0);
    assert_eq!(after.1, before.1, "descriptors");
}

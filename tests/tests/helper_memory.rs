// SPDX-License-Identifier: GPL-2.0-only
//! What the helper needs: a REPLACE of 50,000 rules in four times its size,
//! next to nothing afterwards: no descriptor but its own four, and nothing for
//! a namespace that is gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::time::{Duration, Instant};

use bpfilter_tests::blob::{
    Blob, Extension, Rule, Table, Target, add_counters, get_entries, get_info, info_of,
};
use bpfilter_tests::client::side::{Pair, Side, settled_rss, status};
use bpfilter_tests::client::wire::{Reply, Request};
use umh_core::abi::{FILTER, VERDICT_ACCEPT, VERDICT_DROP};

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");

/// `count` rules like those of a large installation.
fn many_rules(count: u32) -> Blob {
    let mut table = Table::default();
    table.builtin[0] = (0..count)
        .map(|i| {
            let mut rule = Rule::any(Target::Verdict(VERDICT_ACCEPT));
            rule.ip.src = i.wrapping_mul(0x9e37_79b1).to_be_bytes();
            rule.ip.smsk = [255; 4];
            rule.ip.proto = 6;
            let port = (i as u16).to_ne_bytes();
            let mut data = vec![0, 0, 0xff, 0xff];
            data.extend_from_slice(&port);
            data.extend_from_slice(&port);
            data.resize(12, 0);
            rule.matches.push(Extension::new("tcp", 0, data));
            rule
        })
        .collect();
    table.policy[0] = VERDICT_DROP;
    table.blob()
}

#[test]
fn fifty_thousand_rules() {
    let mut pair = Pair::new(RAWCLIENT);
    let mut blob = many_rules(50_000);
    let call = blob.call();
    assert_eq!(pair.call(&call).errno, 0);
    let helper = pair.bpfilter.helper().expect("a helper");
    let size = call.bytes.len() as u64 / 1024;
    let peak = status(helper, "VmHWM");
    let idle = settled_rss(helper);
    println!(
        "50,000 rules, {size} KiB: peak {peak} KiB = {:.2} times, idle {idle} KiB",
        peak as f64 / size as f64
    );
    assert!(peak <= 4 * size, "{peak} KiB for {size} KiB");
    assert!(idle <= 64, "{idle} KiB while idle");

    // Read, counted and replaced.
    pair.same_table();
    let counters = vec![(1, 60); blob.header.num_entries as usize];
    assert_eq!(pair.call(&add_counters(FILTER.name, &counters)).errno, 0);
    pair.same_table();
    blob.header.num_counters = blob.header.num_entries;
    assert_eq!(pair.call(&blob.call()).errno, 0);
    pair.same_table();
    assert_eq!(
        pair.bpfilter.helper(),
        Some(helper),
        "one helper did it all"
    );
    let peak = status(helper, "VmHWM");
    let idle = settled_rss(helper);
    println!("after reading and replacing them: peak {peak} KiB, idle {idle} KiB");
    assert!(peak <= 4 * size, "{peak} KiB for {size} KiB");
    assert!(idle <= 64, "{idle} KiB while idle");
}

#[test]
fn two_namespaces_have_two_tables() {
    let mut pair = Pair::new(RAWCLIENT);
    assert_eq!(pair.call(&many_rules(3).call()).errno, 0);
    let first = pair.same_table();
    pair.same(&Request::Unshare);
    assert_eq!(
        info_of(&pair.call(&get_info(FILTER.name)).bytes).num_entries,
        4
    );
    assert_eq!(pair.call(&many_rules(5).call()).errno, 0);
    let second = pair.same_table();
    assert_ne!(first, second);
    for _ in 0..3 {
        pair.same(&Request::Enter(0));
        assert_eq!(pair.same_table(), first);
        pair.same(&Request::Enter(1));
        assert_eq!(pair.same_table(), second);
    }
    let added = pair.call(&add_counters(FILTER.name, &[(1, 2); 9]));
    assert_eq!(added.errno, 0);
    pair.same(&Request::Enter(0));
    assert_eq!(pair.same_table(), first, "the others' counters");
}

/// Between two requests: its two pipes, its log, and the socket that the
/// private options go through. No network socket, no map, no program.
#[test]
fn it_holds_nothing_between_requests() {
    let mut side = Side::bpfilter(RAWCLIENT);
    let mut blob = many_rules(100);
    blob.header.num_counters = 4;
    assert_eq!(side.call(&blob.call()).errno, 0);
    assert_eq!(
        side.call(&get_entries(FILTER.name, blob.header.size)).errno,
        0
    );
    let helper = side.helper().expect("a helper");
    let mut held: Vec<_> = std::fs::read_dir(format!("/proc/{helper}/fd"))
        .expect("a process")
        .map(|entry| {
            let entry = entry.expect("a descriptor");
            let number = entry.file_name().to_string_lossy().into_owned();
            let target = std::fs::read_link(entry.path()).expect("a link");
            let target = target.to_string_lossy().into_owned();
            let kind = target.split(':').next().unwrap_or_default().to_owned();
            (number, kind)
        })
        .filter(|(number, _)| number != "2")
        .collect();
    held.sort();
    let expected = [("0", "pipe"), ("1", "pipe"), ("3", "socket")];
    assert_eq!(held, expected.map(|(n, kind)| (n.into(), kind.into())));
    // A socket that is in a protocol's list would speak to the network.
    let inode = std::fs::read_link(format!("/proc/{helper}/fd/3")).expect("a link");
    let inode = inode
        .to_string_lossy()
        .replace(|c: char| !c.is_ascii_digit(), "");
    for list in ["tcp", "udp", "udplite", "raw", "packet", "icmp"] {
        let sockets = std::fs::read_to_string(format!("/proc/{helper}/net/{list}"));
        let bound = sockets
            .unwrap_or_default()
            .lines()
            .any(|line| line.split_whitespace().any(|word| word == inode));
        assert!(!bound, "its socket is bound: {list}");
    }
}

/// Descriptors that a process has.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("a process")
        .count()
}

#[test]
fn a_thousand_namespaces_leave_nothing() {
    let mut side = Side::bpfilter(RAWCLIENT);
    let mut blob = many_rules(1);
    blob.header.num_counters = 4;
    let calls = vec![
        get_info(FILTER.name),
        blob.call(),
        get_entries(FILTER.name, blob.header.size),
    ];
    let visit = |side: &mut Side, count| {
        let reply = side.ask(&Request::Visit(calls.clone(), count));
        assert_eq!(reply, Reply::Done);
    };
    visit(&mut side, 10);
    let helper = side.helper().expect("a helper");
    let rss = settled_rss(helper);
    let run_fds = descriptors(side.pid());
    let helper_fds = descriptors(helper);

    visit(&mut side, 1000);
    assert_eq!(side.helper(), Some(helper), "one helper for all of them");
    assert_eq!(descriptors(helper), helper_fds, "descriptors of the helper");
    let rss_after = settled_rss(helper);
    // Namespaces die in the background.
    let start = Instant::now();
    while descriptors(side.pid()) > run_fds {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "bpfilter-run holds {} descriptors, {run_fds} before",
            descriptors(side.pid())
        );
        side.call(&get_info(FILTER.name));
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("helper: {rss} KiB before a thousand namespaces, {rss_after} KiB after them");
    assert!(
        rss_after <= rss.max(64),
        "{rss} KiB before, {rss_after} after"
    );
}

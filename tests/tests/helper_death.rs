// SPDX-License-Identifier: GPL-2.0-only
//! The helper is killed between any two calls, and nobody can tell: rules
//! and counters are the kernel half's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bpfilter_tests::blob::{Extension, Rule, Table, Target, add_counters, get_entries, get_info};
use bpfilter_tests::client::side::{Pair, Side, scratch};
use umh_core::abi::{FILTER, VERDICT_DROP};

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");

/// Kills the helper of a side and waits until it is gone.
fn kill_helper(side: &Side) -> u32 {
    let helper = side.helper().expect("a helper");
    // SAFETY: no pointers are passed; the process is a child of a child of
    // this test's.
    assert_eq!(unsafe { libc::kill(helper as i32, libc::SIGKILL) }, 0);
    let start = Instant::now();
    while std::fs::read_to_string(format!("/proc/{helper}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "killed, not gone"
        );
        std::thread::sleep(Duration::from_micros(100));
    }
    helper
}

#[test]
fn between_raw_calls() {
    let mut pair = Pair::new(RAWCLIENT);
    let mut table = Table::default();
    let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
    rule.matches.push(Extension::new("ttl", 0, [2u8, 10]));
    table.builtin[0].push(rule);
    let mut blob = table.blob();
    let mut killed = Vec::new();
    let mut kill = |pair: &Pair| killed.push(kill_helper(&pair.bpfilter));

    pair.call(&get_info(FILTER.name));
    for round in 0..3u64 {
        kill(&pair);
        blob.header.num_counters = if round == 0 { 4 } else { 5 };
        assert_eq!(pair.call(&blob.call()).errno, 0);
        kill(&pair);
        let counters: Vec<(u64, u64)> = (1..=5).map(|i| (i + round, i << 33)).collect();
        assert_eq!(pair.call(&add_counters(FILTER.name, &counters)).errno, 0);
        kill(&pair);
        assert_eq!(pair.call(&get_info(FILTER.name)).errno, 0);
        kill(&pair);
        let size = blob.header.size;
        assert_eq!(pair.call(&get_entries(FILTER.name, size)).errno, 0);
        // A refused request, too.
        kill(&pair);
        let mut wrong = blob.clone();
        wrong.header.num_counters = 77;
        assert_eq!(pair.call(&wrong.call()).errno, libc::EAGAIN);
    }
    killed.sort_unstable();
    killed.dedup();
    assert_eq!(killed.len(), 15, "each time another helper");
}

/// A debugger, a freezer of processes: the kernel's verifier gives up when a
/// signal comes, and the helper must not.
#[test]
fn stopped_in_the_middle_of_a_request() {
    let mut side = Side::bpfilter(RAWCLIENT);
    let mut table = Table::default();
    for hook in 0..3 {
        // Of many questions, so that loading the programs takes long.
        for port in 0..40u16 {
            let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
            rule.ip.proto = 6;
            rule.ip.src = [10, 0, 0, port as u8];
            rule.ip.smsk = [255; 4];
            let mut data = port.to_ne_bytes().to_vec();
            data.extend_from_slice(&(port + 77).to_ne_bytes());
            data.resize(12, 0xff);
            data[10..].fill(0);
            rule.matches.push(Extension::new("tcp", 0, data));
            table.builtin[hook].push(rule);
        }
    }
    let mut blob = table.blob();
    blob.header.num_counters = 4;
    assert_eq!(side.call(&blob.call()).errno, 0);
    blob.header.num_counters = blob.header.num_entries;

    let helper = side.helper().expect("a helper") as i32;
    let done = AtomicBool::new(false);
    let stops = AtomicU32::new(0);
    let enough = || stops.load(Ordering::Relaxed) >= 10;
    let mut errnos = Vec::new();
    std::thread::scope(|scope| {
        let stopper = scope.spawn(|| {
            // Now and then it has time enough to get on.
            for pause in [1, 2, 4, 8, 16, 32, 64, 128].into_iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                for (signal, pause) in [(libc::SIGSTOP, 0), (libc::SIGCONT, pause)] {
                    // SAFETY: no pointers are passed; the process is a child
                    // of a child of this test's.
                    assert_eq!(unsafe { libc::kill(helper, signal) }, 0);
                    std::thread::sleep(Duration::from_millis(pause));
                }
                stops.fetch_add(1, Ordering::Relaxed);
            }
        });
        while errnos.len() < 50 || (!enough() && errnos.len() < 5000) {
            errnos.push(side.call(&blob.call()).errno);
        }
        done.store(true, Ordering::Relaxed);
        stopper.join().expect("the stopper");
    });
    println!("stopped {stops:?} times in {} calls", errnos.len());
    assert!(errnos.iter().all(|&errno| errno == 0), "{errnos:?}");
    assert!(enough(), "{stops:?}");
    assert_eq!(side.helper(), Some(helper as u32));
}

/// Builds the library that kills the helper before each call of a client.
fn preload() -> std::path::PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("preload/kill_helper.c");
    let library = scratch().join("kill_helper.so");
    let status = Command::new("cc")
        .args([
            "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
        ])
        .args([&library, &source])
        .status()
        .expect("a C compiler");
    assert!(status.success());
    library
}

#[test]
fn between_the_calls_of_a_client() {
    let mut pair = Pair::new(RAWCLIENT);
    let library = preload();
    let kills = scratch().join("kills");
    // Of an earlier run, whose process had the same number.
    let _ = std::fs::remove_file(&kills);
    let prefix = format!(
        "export LD_PRELOAD={} HELPER_PARENT={} HELPER_KILLS={};",
        library.display(),
        pair.bpfilter.pid(),
        kills.display()
    );
    let rules = "*filter\n:INPUT DROP [5:6]\n:user - [0:0]\n[1:2] -A INPUT -p tcp -m tcp --dport 22 -j user\n\
                 [3:4] -A user -m limit --limit 5/sec -j ACCEPT\nCOMMIT\n";
    // The first call starts the helper that the client's first call kills.
    pair.call(&get_info(FILTER.name));
    let mut before = 0;
    // The calls that each line makes at least.
    for (calls, line, input) in [
        (4, "restore -c", rules),
        (2, "save -c", ""),
        (3, "iptables -A INPUT -p tcp --dport 80 -j DROP", ""),
        (3, "iptables -N another", ""),
        (
            3,
            "iptables -A another -m conntrack --ctstate NEW -j RETURN",
            "",
        ),
        (3, "iptables -I INPUT 1 -j another", ""),
        (2, "iptables -C INPUT -j another", ""),
        (3, "iptables -R INPUT 1 -s 10.0.0.0/8 -j another", ""),
        (3, "iptables -E another renamed", ""),
        (2, "iptables -L -n -v -x", ""),
        (3, "iptables -P FORWARD DROP", ""),
        (4, "iptables -Z -L -v -n -x", ""),
        (2, "iptables -S", ""),
        (2, "iptables -X user; true", ""),
        (3, "iptables -D INPUT 1", ""),
        (3, "iptables -F", ""),
        (3, "iptables -X", ""),
        (2, "save -c", ""),
    ] {
        let expected = pair.kernel.shell(line, input.as_bytes());
        let got = pair
            .bpfilter
            .shell(&format!("{prefix}\n{line}"), input.as_bytes());
        assert_eq!(got, expected, "{line}");
        let after = std::fs::metadata(&kills).expect("kills").len();
        assert!(after >= before + calls, "{line}: {} kills", after - before);
        before = after;
        pair.same_table();
    }
}

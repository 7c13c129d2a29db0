// SPDX-License-Identifier: GPL-2.0-only
//! Tables of rates, in programs on this machine's kernel.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::thread;
use std::time::{Duration, Instant};

use bpfilter_tests::namespace::{run, unshare};
use bpfilter_tests::oracle::Live;
use bpfilter_tests::packet::{Ipv4, protocol, udp};
use bpfilter_tests::programs::Programs;
use umh_core::abi::{FILTER_VALID_HOOKS, Replace};
use umh_core::table::Hook;

fn load(rule: &str) -> Programs {
    let rules = format!("*filter\n-A INPUT {rule} -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n");
    run(&["iptables-legacy-restore"], &rules).unwrap();
    let live = Live::open().unwrap();
    let info = live.info();
    let header = Replace {
        name: info.name,
        valid_hooks: FILTER_VALID_HOOKS,
        num_entries: info.num_entries,
        size: info.size,
        hook_entry: info.hook_entry,
        underflow: info.underflow,
        num_counters: 4,
        counters: 0,
    };
    match Programs::load(&header, &live.entries().unwrap()) {
        Ok(programs) => programs,
        Err(error) => panic!("{error}"),
    }
}

fn passes(programs: &Programs, source: [u8; 4]) -> bool {
    let destination = [10, 0, 0, 1];
    let packet = Ipv4 {
        ttl: 64,
        protocol: protocol::UDP,
        source,
        destination,
        payload: udp((source, 1), (destination, 2), b"rates"),
        ..Ipv4::default()
    };
    let run = programs.run(Hook::LocalIn, &packet.build(), 1).unwrap();
    run.accepted
}

#[test]
fn a_full_table_is_swept_once_a_collection() {
    unshare().unwrap();
    let programs = load(
        "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 1 --hashlimit-name full \
         --hashlimit-mode srcip --hashlimit-htable-size 4 --hashlimit-htable-max 8 \
         --hashlimit-htable-expire 1000 --hashlimit-htable-gcinterval 200",
    );
    println!("{}", programs.log[0]);
    for round in 0..3u8 {
        for n in 0..8 {
            assert!(passes(&programs, [10, round, 0, n]), "a first packet");
            assert!(!passes(&programs, [10, round, 0, n]), "and a second one");
        }
        assert!(!passes(&programs, [10, round, 1, 0]), "there is no room");
        // All of them grow old, and make room for others.
        thread::sleep(Duration::from_millis(1300));
    }
}

#[test]
fn credit_comes_back_as_time_goes_by() {
    unshare().unwrap();
    let programs = load(
        "-m hashlimit --hashlimit-upto 20/sec --hashlimit-burst 5 --hashlimit-name rate \
         --hashlimit-mode srcip",
    );
    let started = Instant::now();
    let mut passed = 0;
    while started.elapsed() < Duration::from_secs(3) {
        passed += u32::from(passes(&programs, [10, 0, 0, 1]));
        thread::sleep(Duration::from_millis(2));
    }
    let expected = 5.0 + 20.0 * started.elapsed().as_secs_f64();
    // A tick of the clock is 10 ms at most, a packet less at the end.
    assert!(
        (f64::from(passed) - expected).abs() <= 2.0,
        "{passed} {expected}"
    );
}

#[test]
fn no_credit_is_lost_or_given_twice() {
    unshare().unwrap();
    let programs = load(
        "-m hashlimit --hashlimit-upto 1/min --hashlimit-burst 1000 --hashlimit-name many \
         --hashlimit-mode srcip --hashlimit-htable-expire 3600000",
    );
    let passed: u32 = thread::scope(|scope| {
        let count = || {
            (0..2000)
                .filter(|_| passes(&programs, [10, 0, 0, 1]))
                .count() as u32
        };
        let threads = [(); 4].map(|()| scope.spawn(count));
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert_eq!(passed, 1000);
}

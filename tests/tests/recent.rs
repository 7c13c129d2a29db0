// SPDX-License-Identifier: GPL-2.0-only
//! Tables of addresses, in programs on this machine's kernel.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::thread;

use bpfilter_tests::blob::{Blob, Extension, Rule, Table, Target};
use bpfilter_tests::oracle::case::Live;
use bpfilter_tests::packet::{Ipv4, protocol, udp};
use bpfilter_tests::programs::{Programs, kernel};
use bpfilter_tests::world::namespace::{run, unshare};
use umh_core::abi::Hook;
use umh_core::abi::{VERDICT_ACCEPT, VERDICT_DROP};
use umh_core::ir::named::NAMED_MAX;

fn load(rules: &str) -> Programs {
    run(&["iptables-legacy-restore"], rules).unwrap();
    let live = Live::open().unwrap();
    let table = Blob::of_loaded(live.info(), live.entries().unwrap(), 4);
    match Programs::load(&table.header, &table.entries) {
        Ok(programs) => programs,
        Err(error) => panic!("{error}"),
    }
}

/// A packet from an address.
fn packet(source: [u8; 4]) -> Vec<u8> {
    let destination = [10, 0, 0, 1];
    let packet = Ipv4 {
        ttl: 64,
        protocol: protocol::UDP,
        source,
        destination,
        payload: udp((source, 1), (destination, 2), b"recent"),
        ..Ipv4::default()
    };
    packet.build()
}

/// Where the times start, and how often addresses were moved.
const STAMPS: usize = 128 + 100 * 32;
const MOVES: usize = 8;

fn word(table: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(table[at..at + 8].try_into().unwrap())
}

fn is_dropped(programs: &Programs, source: [u8; 4]) -> bool {
    !programs
        .run(Hook::LocalIn, &packet(source), 1)
        .unwrap()
        .accepted
}

#[test]
fn a_time_is_too_old_from_one_tick_to_the_next() {
    unshare().unwrap();
    let programs = load(
        "*filter\n\
         -A INPUT -s 1.1.1.1 -m recent --name now --set -j ACCEPT\n\
         -A INPUT -s 1.2.3.4 -m recent --name old --set -j ACCEPT\n\
         -A INPUT -s 1.2.3.5 -m recent --name old --set -j ACCEPT\n\
         -A INPUT -m recent --name old --rcheck --seconds 1000 --hitcount 2 -j DROP\n\
         COMMIT\n",
    );
    let now = || {
        assert!(!is_dropped(&programs, [1, 1, 1, 1]));
        // The address is the table's first, its times go round.
        let table = programs.named(0).unwrap();
        (0..32)
            .map(|at| word(&table, STAMPS + 8 * at))
            .max()
            .unwrap()
    };
    let (_, host) = kernel();
    let span = 1000 * u64::from(host.hz);
    // The rule is asked for the same address, from another port.
    let mut asked = [packet([1, 2, 3, 4]), packet([1, 2, 3, 5])];
    let _ = programs.run(Hook::LocalIn, &asked[0], 1).unwrap();
    let _ = programs.run(Hook::LocalIn, &asked[1], 1).unwrap();
    let mut before = programs.named(1).unwrap();
    // Two addresses, a time each; now they become one with two times that
    // no rule sets.
    let address = [9, 9, 9, 9];
    asked[0] = packet(address);
    before[128..132].copy_from_slice(&address);
    before[128 + 16..128 + 20].copy_from_slice(&[2, 0, 2, 0]);
    let mut seen = [0; 2];
    for age in -3..=3i64 {
        for _ in 0..1000 {
            let mut table = before.clone();
            let tick = now();
            let stamp = tick.wrapping_sub(span).wrapping_add_signed(age);
            table[STAMPS..STAMPS + 8].copy_from_slice(&stamp.to_ne_bytes());
            table[STAMPS + 8..STAMPS + 16].copy_from_slice(&tick.to_ne_bytes());
            programs.set_named(1, &mut table).unwrap();
            let dropped = is_dropped(&programs, address);
            if now() == tick {
                assert_eq!(dropped, age >= 0, "{age} ticks after the last that counts");
                seen[usize::from(dropped)] += 1;
                break;
            }
        }
    }
    assert_eq!(seen, [3, 4], "each within one tick");
}

#[test]
fn a_table_holds_100_addresses() {
    unshare().unwrap();
    let programs = load(
        "*filter\n\
         -A INPUT -p udp -m length --length 34 -m recent --name full --set -j ACCEPT\n\
         -A INPUT -m recent --name full --rcheck -j DROP\n\
         COMMIT\n",
    );
    let add = |n: u8| {
        assert!(!is_dropped(&programs, [10, 9, 8, n]));
    };
    let has = |n: u8| {
        let mut bytes = packet([10, 9, 8, n]);
        // Another length.
        bytes.push(0);
        bytes[3] += 1;
        !programs.run(Hook::LocalIn, &bytes, 1).unwrap().accepted
    };
    (0..100).for_each(add);
    assert!((0..100).all(has));
    // The first is used again, so it is the second that goes.
    add(0);
    add(100);
    assert_eq!((0..101).filter(|&n| !has(n)).collect::<Vec<_>>(), [1]);
    (150..249).for_each(add);
    assert_eq!((0..150).filter(|&n| has(n)).collect::<Vec<_>>(), [100]);
    assert!((150..249).all(has));
}

#[test]
fn no_packet_is_lost_among_many() {
    const THREADS: u8 = 4;
    const PACKETS: u32 = 100_000;
    unshare().unwrap();
    let programs = load(
        "*filter\n-A OUTPUT -m recent --name many --set\n-A INPUT -m recent --name many --set\nCOMMIT\n",
    );
    thread::scope(|scope| {
        for n in 0..THREADS {
            let hook = [Hook::LocalIn, Hook::LocalOut][usize::from(n % 2)];
            let bytes = packet([10, 9, 8, n / 2]);
            let programs = &programs;
            scope.spawn(move || programs.run(hook, &bytes, PACKETS).unwrap());
        }
    });
    let table = programs.named(0).unwrap();
    assert_eq!(word(&table, MOVES), u64::from(THREADS) * u64::from(PACKETS));
    for log in &programs.log {
        println!("{log}");
    }
}

#[test]
fn revision_0_has_no_mask() {
    let rule = |how: u8, verdict| {
        let mut data = vec![0; 216];
        data[8] = how;
        data[10] = b'x';
        let mut rule = Rule::any(Target::Verdict(verdict));
        rule.matches.push(Extension::new("recent", 0, data));
        rule
    };
    let mut table = Table::default();
    table.builtin[0].push(rule(1, VERDICT_DROP));
    table.builtin[0].push(rule(2, VERDICT_ACCEPT));
    let blob = table.blob();
    let programs = Programs::load(&blob.header, &blob.entries).unwrap();
    for source in [
        [1, 2, 3, 4],
        [1, 2, 3, 5],
        [1, 2, 2, 4],
        [1, 3, 3, 4],
        [2, 2, 3, 4],
    ] {
        assert!(!is_dropped(&programs, source), "{source:?} is new");
        assert!(is_dropped(&programs, source), "{source:?} is known");
    }
}

/// The verifier must not mix up how many times the addresses of two tables
/// have, in whatever order it gets to their rules.
#[test]
fn tables_of_different_sizes_stand_side_by_side() {
    unshare().unwrap();
    for first in ["--set", "--rcheck --hitcount 2"] {
        let programs = load(&format!(
            "*filter\n\
             -A INPUT -m recent --name short {first} -j ACCEPT\n\
             -A INPUT -p tcp --dport 1 -j ACCEPT\n\
             -A INPUT -m u32 --u32 \"0=1&&4=1,2:3&&8>>4=7&&0>>22&0x3C@4=1:5,9\" -j ACCEPT\n\
             -A INPUT -i eth0 -p icmp -m tos ! --tos 0x10 -m dscp --dscp 3 -j ACCEPT\n\
             -A INPUT -m recent --name long --update --seconds 3 --hitcount 14 -j DROP\n\
             COMMIT\n"
        ));
        assert!(!is_dropped(&programs, [1, 2, 3, 5]), "{first}");
    }
}

#[test]
fn as_many_tables_as_can_be() {
    unshare().unwrap();
    let rules = |tables: usize| {
        let mut rules = String::from("*filter\n");
        for n in 0..tables {
            rules += &format!("-A INPUT -m recent --name t{n} --rcheck --seconds 9 --reap\n");
        }
        rules + "COMMIT\n"
    };
    let programs = load(&rules(NAMED_MAX));
    println!("{}", programs.log[0]);
    assert!(!is_dropped(&programs, [1, 2, 3, 4]));
}

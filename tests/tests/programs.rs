// SPDX-License-Identifier: GPL-2.0-only
//! Programs of small tables on this machine's kernel.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use bpfilter_tests::blob::{Chain, Rule, Table, Target};
use bpfilter_tests::programs::{Programs, kernel};
use umh_core::abi::Hook;
use umh_core::abi::{FILTER, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_RETURN};

/// A UDP packet.
fn udp(source: [u8; 4], destination_port: u16) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0];
    bytes.extend(source);
    bytes.extend([10, 0, 0, 2]);
    bytes.extend(1000u16.to_be_bytes());
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend([0, 16, 0, 0]);
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn pristine() {
    let blob = Table::default().blob();
    let programs = Programs::load(&blob.header, &blob.entries).unwrap();
    for hook in FILTER.each_hook() {
        let run = programs.run(hook, &udp([10, 0, 0, 1], 53), 1000).unwrap();
        println!(
            "{hook:?} {run:?} {} {}",
            programs.instructions[0], programs.log[0]
        );
        assert!(run.accepted);
    }
    for counters in &programs.counters()[..3] {
        assert_eq!((counters.pcnt, counters.bcnt), (1000, 36000));
    }
}

/// A packet that comes to a CPU while another one is in the middle of its rules there,
/// as one that NFQUEUE has given back is in a process, leaves that one's record alone.
#[test]
fn a_record_in_use_is_left_alone() {
    let mut table = Table::default();
    for rules in &mut table.builtin {
        let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
        rule.ip.src = [10, 1, 0, 1];
        rule.ip.smsk = [255; 4];
        rules.push(rule);
    }
    let blob = table.blob();
    let packet = udp([10, 0, 0, 1], 53);
    let kernels = || [kernel().0, kernel().0.without_may_goto()];
    for (hook, kernel) in FILTER
        .each_hook()
        .flat_map(|hook| kernels().map(|kernel| (hook, kernel)))
    {
        let mut programs = Programs::load_for(&kernel, &blob.header, &blob.entries).unwrap();
        assert!(programs.run(hook, &packet, 3000).unwrap().accepted);
        programs.occupy_records();
        assert!(
            !programs.run(hook, &packet, 1).unwrap().accepted,
            "{hook:?}"
        );
        assert!(programs.records_are_untouched(), "{hook:?}");
    }
}

#[test]
fn sources() {
    let mut table = Table::default();
    for n in 0..100u8 {
        let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
        rule.ip.src = [10, 1, 0, n];
        rule.ip.smsk = [255; 4];
        table.builtin[0].push(rule);
    }
    table.policy[0] = VERDICT_ACCEPT;
    let blob = table.blob();
    let programs = Programs::load(&blob.header, &blob.entries).unwrap();
    let run = programs
        .run(Hook::LocalIn, &udp([10, 1, 0, 99], 53), 1000)
        .unwrap();
    assert!(!run.accepted);
    println!("{run:?}");
    let run = programs
        .run(Hook::LocalIn, &udp([10, 2, 0, 99], 53), 1000)
        .unwrap();
    assert!(run.accepted);
    println!("{run:?} {:?} {}", programs.took, programs.log[0]);
    assert_eq!(programs.counters()[99].pcnt, 1000);
    assert_eq!(programs.counters()[100].pcnt, 1000);
}

/// Rules with one mask have a hash table even in a short table, if all else matches
/// every packet; if one of them finds its bucket full there is no index.
/// Rules that differ in their source are in hash tables, all of them: where a bucket would
/// be full another hash is taken, and there is no list to search.
#[test]
fn random_sources_need_no_list() {
    for seed in 0..20 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut table = Table::default();
        for _ in 0..1000 {
            let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
            rule.ip.src = rng.u32(..).to_be_bytes();
            rule.ip.smsk = [255; 4];
            table.builtin[0].push(rule);
        }
        table.policy[0] = VERDICT_ACCEPT;
        let blob = table.blob();
        let programs = Programs::load(&blob.header, &blob.entries).unwrap();
        assert_eq!(programs.indexed_by, [true, false], "seed {seed}");
        for (source, passes) in [(table.builtin[0][999].ip.src, false), ([0, 0, 0, 1], true)] {
            let run = programs.run(Hook::LocalIn, &udp(source, 53), 1).unwrap();
            assert_eq!(run.accepted, passes, "seed {seed}");
        }
    }
}

#[test]
fn short_tables() {
    let from = |n, verdict| {
        let mut rule = Rule::any(Target::Verdict(verdict));
        rule.ip.src = [10, 1, 0, n];
        rule.ip.smsk = [255; 4];
        rule
    };
    for copies in [0, 4] {
        let mut table = Table::default();
        table.builtin[0] = vec![Rule::any(Target::Jump(0)), from(200, VERDICT_DROP)];
        table.policy[0] = VERDICT_ACCEPT;
        table.chains.push(Chain {
            name: "sources".into(),
            rules: (0..10).map(|n| from(n, VERDICT_DROP)).collect(),
        });
        let rules = &mut table.chains[0].rules;
        rules[3].target = Target::Verdict(VERDICT_RETURN);
        rules.extend(vec![from(9, VERDICT_ACCEPT); copies]);
        let blob = table.blob();
        for loaded in [
            Programs::load(&blob.header, &blob.entries),
            Programs::load_for_kernel_half(&blob.header, &blob.entries),
        ] {
            let programs = loaded.unwrap();
            assert_eq!(programs.indexed_by, [copies == 0, false]);
            for n in 0..=255 {
                let run = programs.run(Hook::LocalIn, &udp([10, 1, 0, n], 53), 1);
                let dropped = (n < 10 && n != 3) || n == 200;
                assert_eq!(run.unwrap().accepted, !dropped, "{n}");
            }
            // INPUT, the other policies, the head of the chain, its rules.
            let counters = programs.counters();
            let passed: Vec<_> = counters.iter().map(|counters| counters.pcnt).collect();
            assert_eq!(passed[..3], [256, 1, 246]);
            assert_eq!(passed[6..16], [1; 10]);
            assert_eq!(passed[16 + copies], 246);
        }
    }
}

#[test]
fn loops_of_old_kernels() {
    for rules in [0, 10, 200] {
        let mut table = Table::default();
        for n in 0..rules {
            let mut rule = Rule::any(Target::Verdict(VERDICT_DROP));
            rule.ip.src = [10, 1, 0, n];
            // Half of them share a mask.
            rule.ip.smsk = [255, 255, 255, if n % 2 == 0 { 255 } else { n | 0x81 }];
            rule.ip.invflags = if n == 4 { 0x10 } else { 0 };
            table.builtin[0].push(rule);
        }
        let blob = table.blob();
        let kernel = kernel().0.without_may_goto();
        let programs = Programs::load_for(&kernel, &blob.header, &blob.entries).unwrap();
        programs.assert_no_may_goto();
        for last in [1, 2, 7, 8, 150, 199] {
            let run = programs
                .run(Hook::LocalIn, &udp([10, 1, 0, last], 53), 10)
                .unwrap();
            assert_eq!(run.accepted, last >= rules, "{last} of {rules}");
        }
        let run = programs
            .run(Hook::LocalIn, &udp([10, 2, 0, 1], 53), 10_000)
            .unwrap();
        assert!(run.accepted);
        println!("{rules} rules: {run:?}, {}", programs.log[0]);
    }
}

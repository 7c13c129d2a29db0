// SPDX-License-Identifier: GPL-2.0-only
//! The programs are the reference evaluator.
//!
//! Random rule sets, as iptables-restore lays them out, become programs on
//! this machine's kernel; crafted packets go through them with
//! `BPF_PROG_TEST_RUN`, cut off at any length. Verdict and counters of every
//! rule must be what the evaluator says, and the evaluator is held against the
//! real ip_tables by `packet_oracle`.
//!
//! Needs root, and ip_tables in the running kernel to lay the tables out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use bpfilter_tests::agents::Cases;
use bpfilter_tests::evaluate::{Conntrack, Evaluator, Hook, PacketAt, PacketType, Verdict};
use bpfilter_tests::namespace::{run, unshare};
use bpfilter_tests::odd_rules::Edited;
use bpfilter_tests::oracle::{Case, Live};
use bpfilter_tests::programs::{Programs, kernel};
use bpfilter_tests::table::Table;
use fastrand::Rng;
use umh_core::abi::{FILTER_VALID_HOOKS, Replace};
use umh_core::table::Hook as CoreHook;

/// The request that would load the table that is there.
fn header(live: &Live) -> Replace {
    let info = live.info();
    Replace {
        name: info.name,
        valid_hooks: FILTER_VALID_HOOKS,
        num_entries: info.num_entries,
        size: info.size,
        hook_entry: info.hook_entry,
        underflow: info.underflow,
        num_counters: 4,
        counters: 0,
    }
}

/// The packets of a case, some of them damaged, each with the hooks it is
/// put through.
fn packets(case: &Case, rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for shot in &case.shots {
        packets.push(shot.bytes.clone());
        packets.extend(shot.passes().into_iter().map(|pass| pass.bytes));
        let mut cut = shot.bytes.clone();
        cut.truncate(rng.usize(20..=cut.len().max(20)));
        packets.push(cut);
        let mut odd = shot.bytes.clone();
        let at = rng.usize(..odd.len().min(60));
        odd[at] ^= 1 << rng.u32(..8);
        packets.push(odd);
    }
    packets.retain(|packet| packet.len() >= 20);
    packets
}

fn check(case: &Case) -> usize {
    run(&["iptables-legacy-restore"], &case.rules).unwrap();
    let live = Live::open().unwrap();
    let mut rng = Rng::with_seed(case.seed);
    let mut edited = Edited::new(live.info(), live.entries().unwrap());
    if case.ladder {
        edited.ladder().unwrap();
    }
    for _ in 0..case.edits {
        edited.edit(&mut rng, 0).unwrap();
    }
    let entries = live.entries().unwrap();
    let programs = match Programs::load(&header(&live), &entries) {
        Ok(programs) => programs,
        Err(error) => panic!("seed {}: {error}\n{}", case.seed, case.rules),
    };
    let (_, host) = kernel();
    let mut evaluator = Evaluator::new(Table::parse(live.info(), &entries), 0, host.hz);
    let packets = packets(case, &mut rng);
    let mut before = programs.counters();
    for bytes in &packets {
        for hook in CoreHook::ALL {
            let at = PacketAt {
                hook: match hook {
                    CoreHook::LocalIn => Hook::LocalIn,
                    CoreHook::Forward => Hook::Forward,
                    CoreHook::LocalOut => Hook::LocalOut,
                },
                bytes,
                // What the kernel's test run makes of any hook.
                in_dev: "",
                out_dev: "lo",
                mark: 0,
                packet_type: PacketType::Host,
                conntrack: Conntrack::Invalid,
                jiffies: 0,
            };
            let walk = evaluator.walk(&at);
            let run = programs.run(hook, bytes, 1).unwrap();
            let after = programs.counters();
            let mut counted = Vec::new();
            for (index, (old, new)) in before.iter().zip(&after).enumerate() {
                for _ in old.pcnt..new.pcnt {
                    counted.push(index);
                }
                assert_eq!(
                    (new.bcnt - old.bcnt),
                    (new.pcnt - old.pcnt) * bytes.len() as u64
                );
            }
            before = after;
            let mut expected = walk.counted.clone();
            expected.sort_unstable();
            assert!(
                (counted == expected) && run.accepted == (walk.verdict == Verdict::Accept),
                "seed {} {hook:?}: packet {bytes:02x?}\ncounted {counted:?} {run:?}\nexpected {expected:?} {:?}\n{}",
                case.seed,
                walk.verdict,
                case.rules,
            );
        }
    }
    edited.undo().unwrap();
    packets.len()
}

#[test]
fn programs_agree_with_the_evaluator() {
    unshare().unwrap();
    let cases = Cases::from_environment(200);
    let mut packets = 0;
    for seed in cases.first..cases.first + cases.count {
        packets += check(&Case::new(seed));
    }
    println!("{packets} packets");
    assert!(packets as u64 > cases.count * 30);
}

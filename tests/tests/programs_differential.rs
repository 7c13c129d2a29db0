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

use bpfilter_tests::blob::{Blob, Chain, Extension, Rule, Table as BlobTable, Target};
use bpfilter_tests::oracle::case::{CPU, Case, Live};
use bpfilter_tests::oracle::evaluate::{
    Conntrack, Evaluator, GO_ON, Hook, PacketAt, PacketType, SOURCE_BITS, Verdict,
};
use bpfilter_tests::oracle::table::Table;
use bpfilter_tests::packet::Ipv4;
use bpfilter_tests::packet::agents::Cases;
use bpfilter_tests::programs::{Programs, Way, kernel};
use bpfilter_tests::rules::edited::Edited;
use bpfilter_tests::world::namespace::{run, unshare};
use fastrand::Rng;
use umh_core::abi::Hook as CoreHook;
use umh_core::abi::{FILTER, GetInfo, Replace, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_RETURN};

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
    // What a test run takes: a header at least, and no more than a page holds
    // beside the kernel's own (bpf_test_init). Bigger ones are real packets'
    // business.
    packets.retain(|packet| (20..=3072).contains(&packet.len()));
    packets
}

/// Holds the programs of a table against the evaluator.
fn judge(
    way: Way,
    header: &Replace,
    entries: &[u8],
    packets: &[Vec<u8>],
    words: &dyn Fn() -> String,
) -> [bool; 2] {
    let loaded = match way {
        Way::Links => Programs::load(header, entries),
        Way::KernelHalf => Programs::load_for_kernel_half(header, entries),
    };
    let programs = match loaded {
        Ok(programs) => programs,
        Err(error) => panic!("{error}\n{}", words()),
    };
    let (_, host) = kernel();
    let info = GetInfo {
        name: header.name,
        valid_hooks: header.valid_hooks,
        hook_entry: header.hook_entry,
        underflow: header.underflow,
        num_entries: header.num_entries,
        size: header.size,
    };
    let mut evaluator = Evaluator::new(Table::parse(&info, entries), 0, host.hz);
    let mut before = programs.counters();
    for bytes in packets {
        for hook in FILTER.each_hook() {
            let at = PacketAt {
                hook: match hook {
                    CoreHook::LocalIn => Hook::LocalIn,
                    CoreHook::Forward => Hook::Forward,
                    CoreHook::LocalOut => Hook::LocalOut,
                    CoreHook::PreRouting | CoreHook::PostRouting => unreachable!("{hook:?}"),
                },
                bytes,
                // What the kernel's test run makes of any hook.
                in_dev: "",
                out_dev: "lo",
                mark: 0,
                packet_type: PacketType::Host,
                conntrack: Conntrack::Invalid,
                hardware: None,
                groups: [0; 2],
                sender: None,
                cpu: CPU,
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
                "{way:?} {hook:?}: packet {bytes:02x?}\ncounted {counted:?} {run:?}\nexpected {expected:?} {:?}\n{}\n{}{}",
                walk.verdict,
                words(),
                programs.rules,
                programs.text(hook),
            );
        }
    }
    programs.indexed_by
}

fn check(case: &Case) -> usize {
    run(&["iptables-legacy-restore"], &case.rules).unwrap();
    case.pin().unwrap();
    let live = Live::open().unwrap();
    let mut rng = Rng::with_seed(case.seed);
    let mut edited = Edited::new(live.info(), live.entries().unwrap());
    if case.ladder {
        edited.ladder().unwrap();
    }
    for _ in 0..case.edits {
        edited.edit(&mut rng, 0).unwrap();
    }
    let packets = packets(case, &mut rng);
    let table = Blob::of_loaded(live.info(), live.entries().unwrap(), 4);
    judge(Way::Links, &table.header, &table.entries, &packets, &|| {
        format!("seed {}\n{}", case.seed, case.rules)
    });
    edited.undo().unwrap();
    packets.len()
}

/// Few addresses and ports, so that rules and packets meet.
fn crowded_address(rng: &mut Rng) -> [u8; 4] {
    [10, rng.u8(0..2), 0, rng.u8(0..32)]
}

/// A rule of a crowd: one of a few shapes, so that big groups come about.
fn crowded_rule(rng: &mut Rng, chains: usize, shapes: u32) -> Rule {
    let mut rule = Rule::any(match rng.u32(..12) {
        0..4 => Target::Next,
        4..6 => Target::Verdict(VERDICT_DROP),
        6 => Target::Verdict(VERDICT_ACCEPT),
        7 => Target::Verdict(VERDICT_RETURN),
        8 if chains > 0 => Target::Goto(chains - 1),
        9..12 if chains > 0 => Target::Jump(rng.usize(..chains)),
        _ => Target::Next,
    });
    let shape = rng.u32(..shapes);
    let masks = [
        [255; 4],
        [255; 4],
        [255, 255, 255, 240],
        [255, 0, 0, 31],
        [0; 4],
    ];
    if shape & 1 == 0 {
        rule.ip.smsk = masks[rng.usize(..if shapes > 8 { 5 } else { 2 })];
        rule.ip.src = crowded_address(rng);
        // Now and then outside the mask, which never matches.
        if rng.u32(..20) != 0 {
            for (byte, mask) in rule.ip.src.iter_mut().zip(rule.ip.smsk) {
                *byte &= mask;
            }
        }
    }
    if shape & 2 != 0 {
        rule.ip.dmsk = [255; 4];
        rule.ip.dst = crowded_address(rng);
    }
    if shape & 4 != 0 {
        rule.ip.proto = 17;
        let port = rng.u16(50..58);
        let mut data = vec![0, 0, 0xff, 0xff];
        data.extend(port.to_ne_bytes());
        data.extend((port + if rng.u32(..4) == 0 { 1 } else { 0 }).to_ne_bytes());
        data.extend([0, 0]);
        rule.matches.push(Extension::new("udp", 0, data));
    }
    if shape & 8 != 0 {
        rule.ip.proto = 6;
        rule.matches.clear();
        let mut data = vec![0, 0, 0xff, 0xff];
        data.extend(50u16.to_ne_bytes());
        data.extend(rng.u16(50..60).to_ne_bytes());
        data.extend([0, 2, if rng.bool() { 2 } else { 0 }, 0]);
        rule.matches.push(Extension::new("tcp", 0, data));
    }
    if rng.u32(..16) == 0 {
        rule.ip.invflags = [0x08, 0x10, 0x40][rng.usize(..3)];
        if !rule.matches.is_empty() {
            rule.ip.invflags &= !0x40;
        }
    }
    if rng.u32(..30) == 0 {
        let mut data = rng.u32(..2).to_ne_bytes().to_vec();
        data.extend([1, 0, 0, 0, rng.u8(..2), 0, 0, 0]);
        rule.matches.push(Extension::new("mark", 1, data));
    }
    rule
}

/// Both ways in which programs are run.
const WAYS: [Way; 2] = [Way::Links, Way::KernelHalf];

/// Gives some rules a match that programs must call, in front of their other
/// matches or behind them, and a target that lets go of the packet.
fn with_calls(way: Way, table: &mut BlobTable, rng: &mut Rng) {
    if way == Way::Links {
        return;
    }
    let often = [1, 8, 50][rng.usize(..3)];
    let chains = table.chains.iter_mut().map(|chain| &mut chain.rules);
    for rule in table.builtin.iter_mut().chain(chains).flatten() {
        if rng.u32(..often) == 0 {
            let at = rng.usize(..=rule.matches.len());
            let bits = vec![rng.u8(1..), 0, 0, 0, 0, 0, 0, 0];
            rule.matches
                .insert(at, Extension::new(SOURCE_BITS, 0, bits));
        }
        if rule.target == Target::Next && rng.u32(..often) == 0 {
            rule.target = Target::Extension(Extension::new(GO_ON, 0, Vec::new()));
        }
    }
}

/// A table of one big chain or many, and packets for it.
fn crowd(way: Way, seed: u64) -> (BlobTable, Vec<Vec<u8>>) {
    let mut rng = Rng::with_seed(seed);
    let mut table = BlobTable::default();
    let shapes = [1, 4, 8, 16][rng.usize(..4)];
    let chains = [0, 0, 3, 20][rng.usize(..4)];
    for chain in 0..chains {
        // Later chains call earlier ones: no loops.
        let rules = (0..rng.usize(..40))
            .map(|_| crowded_rule(&mut rng, chain, shapes))
            .collect();
        table.chains.push(Chain {
            name: format!("c{chain}"),
            rules,
        });
    }
    for hook in 0..3 {
        let rules = rng.usize(..[60, 60, 600][hook]);
        table.builtin[hook] = (0..rules)
            .map(|_| crowded_rule(&mut rng, chains, shapes))
            .collect();
        if rng.bool() {
            table.policy[hook] = VERDICT_DROP;
        }
    }
    with_calls(way, &mut table, &mut rng);
    let packets = (0..40)
        .map(|_| {
            let (source, destination) = (crowded_address(&mut rng), crowded_address(&mut rng));
            let protocol = [6, 17, 17, 1][rng.usize(..4)];
            let mut payload = vec![0, rng.u8(50..60), 0, rng.u8(50..60)];
            payload.extend([
                0,
                8,
                0,
                0,
                0,
                0,
                0,
                0,
                0x50,
                rng.u8(..4) * 2,
                0,
                0,
                0,
                0,
                0,
                0,
            ]);
            let least = [0, 18, 20][rng.usize(..3)];
            payload.truncate(rng.usize(least..=20));
            Ipv4 {
                ttl: 64,
                protocol,
                source,
                destination,
                fragment: if rng.u32(..10) == 0 { rng.u16(..3) } else { 0 },
                payload,
                ..Ipv4::default()
            }
            .build()
        })
        .collect();
    (table, packets)
}

/// A port where the ranges of a crowd are.
fn crowded_port(rng: &mut Rng) -> u16 {
    match rng.u32(..8) {
        0 => rng.u16(..),
        1 => [0, 1, 255, 256, 65534, 65535][rng.usize(..6)],
        _ => rng.u16(240..1300),
    }
}

/// Two ports, mostly near each other and in order; some come again and again.
fn crowded_range(rng: &mut Rng) -> [u16; 2] {
    if rng.u32(..8) == 0 {
        return [[1024, 65535], [0, 1023], [300, 420]][rng.usize(..3)];
    }
    let first = crowded_port(rng);
    let last = match rng.u32(..8) {
        0 => crowded_port(rng),
        1..4 => first,
        4..7 => first.saturating_add(rng.u16(..40)),
        _ => first.saturating_add(rng.u16(..5000)),
    };
    [first, last]
}

/// A rule that asks for ranges, more different ones than there are predicates.
fn rule_of_ranges(rng: &mut Rng, shapes: u32) -> Rule {
    let mut rule = Rule::any(match rng.u32(..8) {
        0 => Target::Verdict(VERDICT_DROP),
        1 => Target::Verdict(VERDICT_ACCEPT),
        _ => Target::Next,
    });
    let bytes = |ports: &[u16]| -> Vec<u8> { ports.iter().flat_map(|p| p.to_ne_bytes()).collect() };
    let shape = rng.u32(..shapes);
    if shape & 1 == 0 {
        rule.ip.proto = [6, 17][rng.usize(..2)];
        let source = if rng.u32(..3) == 0 {
            crowded_range(rng)
        } else {
            [0, 0xffff]
        };
        let mut data = bytes(&[source, crowded_range(rng)].concat());
        let invert = if rng.u32(..6) == 0 { rng.u8(..4) } else { 0 };
        if rule.ip.proto == 6 {
            let option = if rng.u32(..6) == 0 { 2 } else { 0 };
            data.extend([option, 0, 0, invert]);
            rule.matches.push(Extension::new("tcp", 0, data));
        } else {
            data.extend([invert, 0]);
            rule.matches.push(Extension::new("udp", 0, data));
        }
    }
    if shape & 2 != 0 {
        let [min, max] = [rng.u16(20..120), rng.u16(20..120)];
        let (min, max) = (min.min(max), if rng.bool() { max.max(min) } else { min });
        let mut data = bytes(&[min, max]);
        data.extend([u8::from(rng.u32(..6) == 0), 0]);
        rule.matches.push(Extension::new("length", 0, data));
    }
    if shape & 4 != 0 {
        let data = [rng.u8(..4), rng.u8(50..80)];
        rule.matches.push(Extension::new("ttl", 0, data));
    }
    if shape & 8 != 0 {
        if rule.ip.proto == 0 {
            rule.ip.proto = [6, 17][rng.usize(..2)];
        }
        let mut ports = [0; 15];
        let mut flags = [0; 15];
        let count = rng.usize(1..=15);
        let mut at = 0;
        while at < count {
            if at + 1 < count && rng.bool() {
                let [first, last] = crowded_range(rng);
                ports[at] = first.min(last);
                ports[at + 1] = first.max(last);
                flags[at] = 1;
                at += 2;
            } else {
                ports[at] = crowded_port(rng);
                at += 1;
            }
        }
        let mut data = vec![rng.u8(..3), count as u8];
        data.extend(bytes(&ports));
        data.extend(flags);
        data.push(u8::from(rng.u32(..6) == 0));
        rule.matches.push(Extension::new("multiport", 1, data));
    }
    // What comes first decides until where ranges may leave a rule out.
    if rng.bool() {
        rule.matches.reverse();
    }
    rule
}

/// A table of many ranges, and packets in and around them.
fn crowd_of_ranges(way: Way, seed: u64) -> (BlobTable, Vec<Vec<u8>>) {
    let mut rng = Rng::with_seed(seed);
    let mut table = BlobTable::default();
    let shapes = [1, 4, 8, 16, 16][rng.usize(..5)];
    // Bitmaps of more than 64 words, through which packets get to the end.
    let long = seed % 10 == 3;
    for hook in 0..3 {
        let rules = rng.usize(..[30, 150, 700][hook]);
        let rules = if long && hook == 2 { 9000 } else { rules };
        table.builtin[hook] = (0..rules)
            .map(|_| rule_of_ranges(&mut rng, shapes))
            .collect();
        for rule in table.builtin[hook].iter_mut().filter(|_| long) {
            if rng.u32(..1000) != 0 {
                rule.target = Target::Next;
            }
        }
    }
    if !long {
        with_calls(way, &mut table, &mut rng);
    }
    let packets = (0..60)
        .map(|_| {
            let protocol = [6, 17, 17, 1][rng.usize(..4)];
            let mut payload = crowded_port(&mut rng).to_be_bytes().to_vec();
            payload.extend(crowded_port(&mut rng).to_be_bytes());
            payload.extend([0, 8, 0, 0, 0, 0, 0, 0, 0x60, 2, 0, 0, 0, 0, 0, 0]);
            // An option, or none.
            payload.extend([[2, 4, 5, 0xb4], [1, 1, 1, 0]][rng.usize(..2)]);
            payload.resize(24 + rng.usize(..80), 0);
            if rng.u32(..10) == 0 {
                payload.truncate(rng.usize(..24));
            }
            Ipv4 {
                ttl: rng.u8(50..80),
                protocol,
                source: crowded_address(&mut rng),
                destination: crowded_address(&mut rng),
                fragment: if rng.u32(..10) == 0 { rng.u16(..3) } else { 0 },
                payload,
                ..Ipv4::default()
            }
            .build()
        })
        .collect();
    (table, packets)
}

#[test]
fn crowds_of_ranges_agree_with_the_evaluator() {
    let cases = Cases::from_environment(60);
    let mut with_bitmaps = 0;
    for seed in cases.first..cases.first + cases.count {
        for way in WAYS {
            let (table, packets) = crowd_of_ranges(way, seed);
            let blob = table.blob();
            let [_, bitmaps] = judge(way, &blob.header, &blob.entries, &packets, &|| {
                format!("crowd of ranges {seed}: {table:?}")
            });
            with_bitmaps += u64::from(bitmaps && way == Way::KernelHalf);
        }
    }
    println!("{with_bitmaps} with rule bitmaps");
    assert!(cases.count < 50 || with_bitmaps > cases.count / 2);
}

#[test]
fn crowds_agree_with_the_evaluator() {
    let cases = Cases::from_environment(150);
    let mut seen = [0; 4];
    for seed in cases.first..cases.first + cases.count {
        for way in WAYS {
            let (table, packets) = crowd(way, seed);
            let blob = table.blob();
            let [hashed, bitmaps] = judge(way, &blob.header, &blob.entries, &packets, &|| {
                format!("crowd {seed}: {table:?}")
            });
            seen[usize::from(hashed) + 2 * usize::from(bitmaps)] += 1;
        }
    }
    println!("no index, hash tables, rule bitmaps, both: {seen:?}");
    // The test would be worth nothing for an index that no crowd has.
    assert!(cases.count < 100 || !seen.contains(&0));
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

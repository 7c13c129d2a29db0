// SPDX-License-Identifier: GPL-2.0-only
//! Tables with many kinds of match in them.
//!
//! The verifier follows each op once, whatever stands beside it and however
//! many tables rules know by name: its work is held below a bound for rule sets
//! of tests/rulesets/ that took it a second and more, and for random ones that
//! have all kinds of op and 40 named tables. The bound is a number of
//! instructions, the same on every machine. How long a change takes the helper
//! is seen by the clock that counts its CPU time, the least of several rounds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bpfilter_tests::blob::Blob;
use bpfilter_tests::client::side::Pair;
use bpfilter_tests::oracle::case::Live;
use bpfilter_tests::programs::{Programs, Way};
use bpfilter_tests::rules::random::{Flavour, rule_set};
use bpfilter_tests::world::namespace::{run, unshare};
use fastrand::Rng;

/// Instructions that the verifier may go through for one hook's program.
const STEPS_MAX: u32 = 10_000;
/// Tables that rules of a random set know by name.
const NAMED: usize = 40;
/// CPU time that a change may take the helper: 100 ms, and as much again for a
/// core whose caches and other half are somebody else's meanwhile.
const CHANGE_MAX: Duration = Duration::from_millis(200);

const FILES: [&str; 4] = ["router-vlans", "mixed-80", "mixed-100", "mixed-22-rates"];

/// A rule or two for each kind of op that needs no kernel code of ours.
const EVERY_KIND: &str = "\
-A INPUT -p tcp -m multiport --ports 1,3:5,9 -m multiport --dports 7,11,19:21
-A INPUT -m limit --limit 7/minute --limit-burst 3
-A INPUT -p tcp --tcp-option 8
-A INPUT -p tcp -m tcpmss --mss 500:1400
-A INPUT -p esp -m esp --espspi 5:9
-A INPUT -p ah -m ah --ahspi 7
-A INPUT -p tcp -m ecn --ecn-tcp-ece
-A INPUT -p sctp -m sctp --dport 7
-A INPUT -p dccp -m dccp --dport 7 --dccp-types REQUEST,DATA
-A INPUT -m u32 --u32 \"0=1&&4=1,2:3&&8>>4=7&&0>>22&0x3C@4=1:5,9\"
-A INPUT -m conntrack ! --ctorigdstport 5 --ctexpire 3:9 --ctrepldst 10.1.0.0/16
-A INPUT -m connbytes --connbytes 3:9 --connbytes-dir both --connbytes-mode avgpkt
-A INPUT -m helper --helper ftp
-A INPUT -m statistic --mode random --probability 0.3
-A INPUT -m statistic --mode nth --every 3 --packet 1
-A INPUT -m quota --quota 30000
-A INPUT -m time --timestart 10:00 --timestop 12:00 --weekdays Mo,Tu
-A INPUT -m mac ! --mac-source 02:00:00:00:00:07
-A INPUT -m iprange --src-range 10.0.0.5-10.0.0.9
-A INPUT -m devgroup --src-group 3/7 -m cpu ! --cpu 1 -m realm --realm 5
-A INPUT -m connmark --mark 3/7 -m pkttype --pkt-type broadcast -m ttl --ttl-gt 9
-A OUTPUT -m owner --gid-owner 5 --suppl-groups
-A OUTPUT -m owner --socket-exists
-A INPUT -f
-A FORWARD ! -f -p tcp --syn
";

/// What a table's rule set looks like to the verifier.
fn load(way: Way, rules: &str) -> Programs {
    run(&["iptables-legacy-restore"], rules).unwrap_or_else(|error| panic!("{error}\n{rules}"));
    let live = Live::open().unwrap();
    let table = Blob::of_loaded(live.info(), live.entries().unwrap(), 4);
    let loaded = match way {
        Way::Links => Programs::load(&table.header, &table.entries),
        Way::KernelHalf => Programs::load_for_kernel_half(&table.header, &table.entries),
    };
    match loaded {
        Ok(programs) => programs,
        Err(error) => panic!("{error}\n{rules}"),
    }
}

/// Instructions that the verifier went through, for the worst hook.
#[track_caller]
fn steps(name: &str, programs: &Programs) -> u32 {
    let steps = programs.log.iter().map(|log| {
        let (_, rest) = log.split_once("processed ").unwrap();
        rest.split_once(' ').unwrap().0.parse::<u32>().unwrap()
    });
    let most = steps.max().unwrap();
    println!("{name}: {most} for {:?}", programs.instructions);
    most
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rulesets");
    std::fs::read_to_string(folder.join(name).with_extension("rules")).unwrap()
}

/// A random rule for each of the named tables, half of them hashlimit's. Other
/// seeds' tables have other names: what a rule says must fit its table.
fn named(rng: &mut Rng, seed: u64) -> String {
    let mut rules = String::new();
    for table in 0..NAMED {
        let hook = rng.choice(["INPUT", "FORWARD", "OUTPUT"]).unwrap();
        let _ = write!(rules, "-A {hook} ");
        if table % 2 == 0 {
            let mode = rng
                .choice(["srcip", "dstip,dstport", "srcip,srcport"])
                .unwrap();
            let rate = rng
                .choice([
                    "upto 5/sec",
                    "above 3/min --hashlimit-burst 7",
                    "upto 30kb/s",
                    "above 9/sec --hashlimit-rate-match --hashlimit-rate-interval 3",
                ])
                .unwrap();
            let _ = writeln!(
                rules,
                "-m hashlimit --hashlimit-{rate} --hashlimit-mode {mode} --hashlimit-name t{seed}.{table} \
                 --hashlimit-htable-size 16 --hashlimit-htable-max 64"
            );
        } else {
            let how = rng
                .choice([
                    "--set",
                    "--remove",
                    "--rcheck --seconds 9 --reap",
                    "--update --hitcount 3 --rttl",
                    "--rcheck --seconds 60 --hitcount 100",
                    "--update --seconds 60 --hitcount 1000",
                    "--rcheck --hitcount 5000",
                ])
                .unwrap();
            let _ = writeln!(rules, "-m recent --name t{seed}.{table} {how}");
        }
    }
    rules
}

#[test]
fn the_verifier_follows_each_op_once() {
    unshare().unwrap();
    let ways = [Way::Links, Way::KernelHalf];
    for (name, way) in FILES.iter().flat_map(|name| ways.map(|way| (name, way))) {
        let steps = steps(&format!("{name} {way:?}"), &load(way, &file(name)));
        assert!(steps <= STEPS_MAX, "{name} {way:?}: {steps}");
    }
    let flavour = Flavour {
        conntrack: true,
        details: true,
        limit: true,
        ..Flavour::default()
    };
    for seed in 0..8 {
        let rng = &mut Rng::with_seed(seed);
        let rules = rule_set(rng, flavour);
        let rules = rules.strip_suffix("COMMIT\n").unwrap();
        let named = named(rng, seed);
        let rules = format!("{rules}{EVERY_KIND}{named}COMMIT\n");
        for way in ways {
            let programs = load(way, &rules);
            if way == Way::Links {
                assert_eq!(programs.ops_lacking, 0, "kinds of op in\n{rules}");
            }
            let steps = steps(&format!("seed {seed} {way:?}"), &programs);
            assert!(steps <= STEPS_MAX, "seed {seed} {way:?}: {steps}\n{rules}");
        }
    }
}

/// CPU time of the helper so far, which waiting for others is no part of.
fn helper_time(pair: &Pair) -> Duration {
    let helper = pair.bpfilter.helper().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{helper}/schedstat")).unwrap();
    let (ran, _) = stat.split_once(' ').unwrap();
    Duration::from_nanos(ran.parse().unwrap())
}

#[test]
fn a_change_takes_the_helper_no_longer_than_it_may() {
    let mut pair = Pair::new(env!("CARGO_BIN_EXE_rawclient"));
    for name in FILES {
        let rules = file(name);
        for line in ["restore", "iptables -A INPUT -s 192.0.2.1 -j DROP"] {
            let (mut least, mut shortest) = (Duration::MAX, [Duration::MAX; 2]);
            for _ in 0..20 {
                let before = helper_time(&pair);
                let sides = [&mut pair.kernel, &mut pair.bpfilter];
                for (shortest, side) in shortest.iter_mut().zip(sides) {
                    let started = Instant::now();
                    let ran = side.shell(line, rules.as_bytes());
                    assert_eq!(ran.status, 0, "{name}: {line}: {ran:?}");
                    *shortest = started.elapsed().min(*shortest);
                }
                least = (helper_time(&pair) - before).min(least);
                if least <= CHANGE_MAX {
                    break;
                }
            }
            let [theirs, ours] = shortest;
            println!("{name}: {line}: {least:?}, in all {ours:?}, ip_tables {theirs:?}");
            assert!(least <= CHANGE_MAX, "{name}: {line}: {least:?}");
        }
    }
}

/// As many tables as anybody may want, far more than a program may have maps.
#[test]
fn named_tables_are_many() {
    let mut pair = Pair::new(env!("CARGO_BIN_EXE_rawclient"));
    let mut rules = String::from("*filter\n");
    for n in 0..300 {
        let _ = writeln!(rules, "-A INPUT -m recent --name r{n} --set");
        let _ = writeln!(
            rules,
            "-A INPUT -m hashlimit --hashlimit-upto 5/sec --hashlimit-name h{n} \
             --hashlimit-htable-size 16 --hashlimit-htable-max 64"
        );
    }
    rules += "COMMIT\n";
    let ran = pair.shell("restore", rules.as_bytes());
    assert_eq!(ran.status, 0, "{ran:?}");
    pair.same_table();
    let ran = pair.shell(
        "iptables -I INPUT -m recent --name r7 --rcheck -j DROP",
        b"",
    );
    assert_eq!(ran.status, 0, "{ran:?}");
    pair.same_table();
}

// SPDX-License-Identifier: GPL-2.0-only
//! Matches that keep tables with names, in one sequence of rules and packets.
//!
//! Owns: sequences made from a seed: random rules over a few tables, packets
//! of few or many sources and times to live at all hooks, pauses of seconds,
//! and REPLACEs in between after which surviving tables must know all that
//! they knew. What is seen of each packet is a line; ip_tables' lines and
//! bpfilter's must be equal.
//!
//! Rules count seconds that no two packets of a sequence are apart: since the
//! last pause all are younger than 3 s, those before it between 4.5 s and 7 s old,
//! and all others older; and within a burst no byte rate has given all of its
//! second back. A sequence on a machine so busy that this is not so says nothing,
//! but that it was slow: there is another try then.

use std::fmt::Write;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::oracle::case::{Live, Seen, difference};
use crate::packet::random::{once_in, pick};
use crate::packet::{Ipv4, protocol, udp};
use crate::world::namespace::{Namespace, run};
use crate::world::{LOCAL, REMOTE, Shot, TAP_ADDRESS, Way};

/// Between two bursts of packets.
const PAUSE: Duration = Duration::from_millis(4500);
/// From a burst's first packet to its last: less than the second in which a byte
/// rate gives all back.
const BURST: Duration = Duration::from_millis(900);
/// From the first packet since a pause to the last: less than the lesser number of
/// seconds that rules ask for.
const YOUNG: Duration = Duration::from_millis(2800);
/// From the first packet since the pause before to the last: less than the greater.
const OLD: Duration = Duration::from_millis(6800);
/// What a sequence says in which that took longer.
pub const SLOW: &str = "slow\n";

/// A random rule for recent.
fn recent(rng: &mut Rng, tables: &[&str]) -> String {
    let chain = pick(rng, &["INPUT", "INPUT", "FORWARD", "OUTPUT"]);
    let mut rule = format!("-A {chain} -m recent");
    let name = pick(rng, tables);
    let _ = write!(rule, " --name {name}");
    let not = |rng: &mut Rng| if once_in(rng, 6) { "! " } else { "" };
    rule.push(' ');
    rule += not(rng);
    match rng.u32(..9) {
        0..=3 => rule += "--set",
        4 => rule += "--remove",
        other => {
            rule += if other < 7 { "--rcheck" } else { "--update" };
            let seconds = rng.bool();
            if seconds {
                let _ = write!(rule, " --seconds {}", pick(rng, &[3, 7]));
                if once_in(rng, 2) {
                    rule += " --reap";
                }
            }
            if rng.bool() {
                let _ = write!(rule, " --hitcount {}", pick(rng, &[1, 2, 3, 5, 20, 40]));
            }
            if once_in(rng, 3) {
                rule += " --rttl";
            }
        }
    }
    if once_in(rng, 4) {
        rule += " --rdest";
    }
    if once_in(rng, 4) {
        rule += " --mask ";
        rule += pick(rng, &["255.255.255.0", "255.255.255.254", "0.0.0.255"]);
    }
    if once_in(rng, 3) {
        // Told apart by its protocol; something is asked behind the match.
        rule += " -m length --length 0:60000";
    }
    rule += pick(rng, &["", "", " -j DROP", " -j ACCEPT", " -j RETURN"]);
    rule.push('\n');
    rule
}

/// A random rule for hashlimit: within a sequence credits do not come back, or
/// all of them do.
fn hashlimit(rng: &mut Rng) -> String {
    let chain = pick(rng, &["INPUT", "INPUT", "FORWARD", "OUTPUT"]);
    let over = pick(rng, &["upto", "upto", "above"]);
    let mut rule = format!("-A {chain} -m hashlimit --hashlimit-{over} ");
    let name = match rng.u32(..5) {
        0 | 1 => {
            let _ = write!(
                rule,
                "{}",
                pick(rng, &["1/hour", "2/hour", "2/hour", "1/day"])
            );
            let _ = write!(rule, " --hashlimit-burst {}", pick(rng, &[1, 2, 5, 20]));
            pick(rng, &["one", "two"])
        }
        2 | 3 => {
            rule += "16b/s --hashlimit-burst ";
            rule += pick(rng, &["16b", "160b", "320b"]);
            "bytes"
        }
        _ => {
            rule += pick(rng, &["2/sec", "7/sec"]);
            rule += " --hashlimit-burst 3";
            rule += " --hashlimit-rate-match --hashlimit-rate-interval 3";
            "windows"
        }
    };
    let _ = write!(rule, " --hashlimit-name {name}");
    let mode = pick(
        rng,
        &[
            "",
            "srcip",
            "srcip",
            "dstip",
            "srcip,dstip",
            "srcport",
            "dstport",
            "srcip,dstport",
            "srcip,srcport,dstip,dstport",
        ],
    );
    if !mode.is_empty() {
        let _ = write!(rule, " --hashlimit-mode {mode}");
    }
    if mode.contains("srcip") && once_in(rng, 3) {
        let _ = write!(
            rule,
            " --hashlimit-srcmask {}",
            pick(rng, &[0, 1, 24, 30, 31])
        );
    }
    if mode.contains("dstip") && once_in(rng, 3) {
        let _ = write!(rule, " --hashlimit-dstmask {}", pick(rng, &[0, 8, 24, 31]));
    }
    if once_in(rng, 3) {
        rule += " --hashlimit-htable-size 4 --hashlimit-htable-max 6";
    }
    rule += match rng.bool() {
        true => " --hashlimit-htable-expire 2500 --hashlimit-htable-gcinterval 100",
        false => " --hashlimit-htable-expire 3600000",
    };
    rule += pick(rng, &["", "", " -j DROP", " -j ACCEPT"]);
    rule.push('\n');
    rule
}

/// A rule set for iptables-restore.
fn rules(rng: &mut Rng, rule: &mut dyn FnMut(&mut Rng) -> String) -> String {
    let mut text = String::from("*filter\n");
    for _ in 0..rng.usize(3..9) {
        text += &rule(rng);
    }
    text + "COMMIT\n"
}

/// A packet of one of so many sources.
fn shot(rng: &mut Rng, sources: u8) -> Shot {
    let way = match rng.u32(..5) {
        0..=2 => Way::In {
            tap: 0,
            hardware: TAP_ADDRESS,
            linear: 0,
        },
        _ => Way::Out { mark: 0 },
    };
    let destination = match (&way, rng.bool()) {
        (Way::In { .. }, true) => LOCAL[0],
        (Way::Out { .. }, true) => [127, 0, 0, 1],
        _ => pick(rng, &REMOTE),
    };
    let source = [192, 0, 2, rng.u8(..sources)];
    let ports = [rng.u16(1..4), 9];
    // Protocols with ports, at their places, and one without.
    let protocol = pick(
        rng,
        &[protocol::UDP, protocol::UDP, protocol::UDP, 132, 50, 51, 47],
    );
    let mut payload = udp((source, ports[0]), (destination, ports[1]), b"named");
    // Too short for ports, now and then.
    if protocol != protocol::UDP && once_in(rng, 10) {
        payload.truncate(rng.usize(..8));
    }
    let packet = Ipv4 {
        ttl: pick(rng, &[1, 2, 30, 30, 30, 31, 255]),
        protocol,
        source,
        destination,
        payload,
        ..Ipv4::default()
    };
    Shot {
        way,
        bytes: packet.build(),
        sane: false,
    }
}

/// Runs the sequence of a seed; a line for each packet.
pub fn sequence(seed: u64) -> io::Result<String> {
    let mut rng = Rng::with_seed(seed);
    let mut namespace = Namespace::enter()?;
    let mut lines = String::new();
    // Without any rules bpfilter has no hook, and does not count.
    run(&["iptables-legacy-restore"], "*filter\nCOMMIT\n")?;
    let tables = ["one", "two", "3."];
    let mut rule = |rng: &mut Rng| match seed % 3 {
        0 => recent(rng, &tables),
        1 => hashlimit(rng),
        _ if rng.bool() => recent(rng, &tables),
        _ => hashlimit(rng),
    };
    // The first packets since the last pause, and since the one before.
    let (mut young, mut old) = (None, None);
    for round in 0..8 {
        let rules = rules(&mut rng, &mut rule);
        // Some are refused, on both sides; what was there stays.
        let loaded = run(&["iptables-legacy-restore"], &rules).is_ok();
        let _ = writeln!(lines, "seed {seed} round {round} {loaded}\n{rules}");
        let live = Live::open()?;
        // More addresses than a table holds, now and then.
        let sources = pick(&mut rng, &[3, 10, 10, 250]);
        // Many packets take a while, in which byte rates give something back.
        let number = match seed % 3 {
            0 if sources > 100 => 220,
            _ => 40,
        };
        let mut before = live.counters()?;
        let started = Instant::now();
        for packet in 0..number {
            let shot = shot(&mut rng, sources);
            if !namespace.can_take(&shot) {
                continue;
            }
            let fate = namespace.fire(&shot)?;
            let after = live.counters()?;
            let seen = Seen {
                fate,
                counted: difference(&before, &after),
            };
            before = after;
            let _ = writeln!(lines, "{packet} {seen}");
        }
        let longer =
            |since: Option<Instant>, than| since.is_some_and(|since| since.elapsed() > than);
        let first = *young.get_or_insert(started);
        // recent alone counts no bytes.
        if (!seed.is_multiple_of(3) && longer(Some(started), BURST))
            || longer(Some(first), YOUNG)
            || longer(old, OLD)
        {
            return Ok(SLOW.into());
        }
        let _ = writeln!(
            lines,
            "{}",
            run(&["iptables-legacy-save", "-t", "filter"], "")?
                .lines()
                .filter(|line| line.starts_with("-A"))
                .collect::<Vec<_>>()
                .join("\n")
        );
        // What hashlimit counts is over in a pause, and nowhere near it in a
        // burst.
        if !seed.is_multiple_of(3) || rng.bool() {
            sleep(PAUSE);
            old = young.take();
        }
    }
    Ok(lines)
}

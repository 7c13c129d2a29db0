// SPDX-License-Identifier: GPL-2.0-only
//! Random rule sets of the small world, as text for iptables-restore.
//!
//! Owns: which rules the packet tests load. One seed gives one rule set, and a
//! human can load it, too. Every rule set loads: what iptables itself refuses
//! is not written. The values come from `world`, so that rules hit.

mod header;
mod matches;

use fastrand::Rng;
use std::fmt::Write;

use header::header;
use matches::{any_match, connection, conntrack, odder_match};

use crate::packet::random::{once_in, pick};
use crate::rules::x_tables;
use crate::world::{LOCAL, LOOPBACK, MARKS, PORTS, REMOTE, SOURCES};

/// What kind of rule set is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flavour {
    /// Rules ask for connection tracking. The built-in chains then start with
    /// one rule for each of [`STATES`] behind the first one.
    pub conntrack: bool,
    /// And not only for its state: the evaluator does not know the rest.
    pub details: bool,
    /// Rules use `-m limit` (so slow that no credit comes back in a test).
    pub limit: bool,
    /// Rules answer, log and mark packets, and ask for types of addresses:
    /// what only kernel code can do. The evaluator does not know it.
    pub kernel: bool,
    /// Rules use x_tables' own matches and targets ([`x_tables`]).
    pub x_tables: bool,
}

/// The order of the states that rules of [`Flavour::conntrack`] count first.
pub const STATES: [&str; 5] = ["INVALID", "NEW", "ESTABLISHED", "RELATED", "UNTRACKED"];

/// A rule set in the words of iptables-restore. The first rule of every
/// built-in chain has no condition and no target: it counts what gets there.
pub fn rule_set(rng: &mut Rng, flavour: Flavour) -> String {
    let chains = match rng.u32(..4) {
        0 => 0,
        1 => 1,
        2 => rng.usize(2..6),
        _ => rng.usize(2..20),
    };
    let mut text = String::from("*filter\n");
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        let policy = if once_in(rng, 3) { "DROP" } else { "ACCEPT" };
        line(&mut text, format_args!(":{hook} {policy} [0:0]"));
    }
    for chain in 0..chains {
        line(&mut text, format_args!(":chain{chain} - [0:0]"));
    }
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        line(&mut text, format_args!("-A {hook}"));
        if flavour.conntrack {
            for state in STATES {
                line(
                    &mut text,
                    format_args!("-A {hook} -m conntrack --ctstate {state}"),
                );
            }
        }
        if flavour.x_tables {
            for rule in x_tables::always(hook) {
                line(&mut text, format_args!("-A {hook}{rule}"));
            }
        }
        for _ in 0..rng.usize(..10) {
            let rule = rule(rng, flavour, hook, 0..chains);
            line(&mut text, format_args!("-A {hook}{rule}"));
        }
    }
    for chain in 0..chains {
        for _ in 0..rng.usize(..5) {
            // Only to later chains: no loops.
            let rule = rule(rng, flavour, "", chain + 1..chains);
            line(&mut text, format_args!("-A chain{chain}{rule}"));
        }
    }
    text.push_str("COMMIT\n");
    text
}

/// A chain of chains: each jumps to the next one, `depth` deep, and drops one
/// port each on the way back. More returns than ip_tables' stack has ever room
/// for cannot be written; the stack is as deep as there are chains.
pub fn nested(depth: usize) -> String {
    let mut text =
        String::from("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
    for chain in 0..depth {
        line(&mut text, format_args!(":deep{chain} - [0:0]"));
    }
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        line(&mut text, format_args!("-A {hook}\n-A {hook} -j deep0"));
    }
    for chain in 0..depth {
        if chain + 1 < depth {
            line(
                &mut text,
                format_args!("-A deep{chain} -j deep{}", chain + 1),
            );
        } else {
            line(&mut text, format_args!("-A deep{chain} -p udp -j RETURN"));
        }
        let port = PORTS[chain % PORTS.len()];
        line(
            &mut text,
            format_args!(
                "-A deep{chain} -p tcp -m tcp --dport {port} -m ttl --ttl-gt {chain} -j DROP"
            ),
        );
    }
    text.push_str("COMMIT\n");
    text
}

/// Built-in chains whose rules are the rungs of a ladder: `Edited::ladder`
/// makes each jump over the next one. The number of user chains, which nothing
/// refers to, is the depth of the stack.
pub fn rungs(rng: &mut Rng) -> String {
    let mut text =
        String::from("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
    for chain in 0..rng.usize(..7) {
        line(&mut text, format_args!(":unused{chain} - [0:0]"));
    }
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        line(&mut text, format_args!("-A {hook}"));
        for _ in 0..rng.usize(4..20) {
            let rule = pick(
                rng,
                &["", "", "", " -p tcp", " ! -p udp", " -p udp -j RETURN"],
            );
            line(&mut text, format_args!("-A {hook}{rule}"));
        }
    }
    text.push_str("COMMIT\n");
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string");
}

/// What follows `-A CHAIN`.
fn rule(rng: &mut Rng, flavour: Flavour, hook: &str, chains: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    if flavour.x_tables && rng.bool() {
        return x_tables::rule(rng, hook);
    }
    header(rng, &mut text, hook);
    if flavour.x_tables && once_in(rng, 3) {
        text += &x_tables::any_match(rng, hook);
    }
    for _ in 0..pick(rng, &[0, 0, 0, 1, 1, 2, 3]) {
        match rng.u32(..3) {
            0 => odder_match(rng, &mut text, hook),
            _ => any_match(rng, &mut text),
        }
    }
    if flavour.conntrack && once_in(rng, 2) {
        text += &match flavour.details && rng.bool() {
            true => connection(rng),
            false => conntrack(rng),
        };
    }
    if flavour.limit && once_in(rng, 6) {
        let burst = rng.u32(1..6);
        text += &format!(" -m limit --limit 1/hour --limit-burst {burst}");
    }
    if once_in(rng, 12) {
        text += &format!(" -m comment --comment \"rule {}\"", rng.u16(..));
    }
    if flavour.kernel && once_in(rng, 5) {
        address_type(rng, &mut text, hook);
    }
    if flavour.x_tables && once_in(rng, 3) {
        return text + &x_tables::target(rng, hook);
    }
    match flavour.kernel && rng.bool() {
        true => {
            let tcp = text.contains(" -p tcp") && !text.contains("! -p tcp");
            text + &action(rng, tcp, flavour.conntrack)
        }
        false => text + &target(rng, chains),
    }
}

/// A target that is no verdict, in a rule for TCP or for others.
fn action(rng: &mut Rng, tcp: bool, conntrack: bool) -> String {
    match rng.u32(..12) {
        0 if tcp => " -j REJECT --reject-with tcp-reset".into(),
        0..4 => {
            let with = [
                "icmp-net-unreachable",
                "icmp-host-unreachable",
                "icmp-proto-unreachable",
                "icmp-port-unreachable",
                "icmp-net-prohibited",
                "icmp-host-prohibited",
                "icmp-admin-prohibited",
            ];
            format!(" -j REJECT --reject-with {}", pick(rng, &with))
        }
        _ => remark(rng, conntrack),
    }
}

/// A target behind which the next rule is asked.
pub fn remark(rng: &mut Rng, conntrack: bool) -> String {
    let number = rng.u16(..);
    match rng.u32(..8) {
        0..4 => {
            let mut text = format!(" -j LOG --log-level {}", rng.u32(..8));
            for option in [
                "tcp-sequence",
                "tcp-options",
                "ip-options",
                "uid",
                "macdecode",
            ] {
                if once_in(rng, 3) {
                    text += &format!(" --log-{option}");
                }
            }
            if rng.bool() {
                text += &format!(" --log-prefix \"rule {number}: %d\"");
            }
            text
        }
        4 => format!(" -j NFLOG --nflog-group {} --nflog-prefix x", rng.u32(..3)),
        5 if conntrack => {
            let what = ["--set-mark 0x10/0x30", "--save-mark", "--restore-mark"];
            format!(" -j CONNMARK {}", pick(rng, &what))
        }
        _ => {
            let how = pick(rng, &["set-mark", "or-mark", "and-mark", "xor-mark"]);
            format!(" -j MARK --{how} {:#x}", pick(rng, &MARKS))
        }
    }
}

fn address_type(rng: &mut Rng, text: &mut String, hook: &str) {
    let types = [
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "MULTICAST",
        "UNSPEC",
        "UNREACHABLE,BLACKHOLE",
        "LOCAL,BROADCAST",
        "ANYCAST,PROHIBIT,THROW",
    ];
    *text += " -m addrtype";
    let which = rng.u32(..3);
    if which != 0 {
        *text += &format!("{} --src-type {}", not(rng), pick(rng, &types));
    }
    if which != 1 {
        *text += &format!("{} --dst-type {}", not(rng), pick(rng, &types));
    }
    // Where the interface is known, and not in both directions.
    let limit = match hook {
        "INPUT" => "in",
        "OUTPUT" => "out",
        "FORWARD" => pick(rng, &["in", "out"]),
        _ => return,
    };
    if once_in(rng, 3) {
        *text += &format!(" --limit-iface-{limit}");
    }
}

fn target(rng: &mut Rng, chains: std::ops::Range<usize>) -> String {
    match rng.u32(..12) {
        0..2 => " -j ACCEPT".into(),
        2..4 => " -j DROP".into(),
        4 => " -j RETURN".into(),
        5..10 if !chains.is_empty() => {
            let how = if once_in(rng, 3) { "-g" } else { "-j" };
            format!(" {how} chain{}", rng.usize(chains))
        }
        _ => String::new(),
    }
}

/// `!` now and then.
fn not(rng: &mut Rng) -> &'static str {
    if once_in(rng, 4) { " !" } else { "" }
}

fn dotted(address: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(address).to_string()
}

const MASKS: [&str; 12] = [
    "32",
    "32",
    "31",
    "25",
    "24",
    "16",
    "1",
    "0",
    "255.0.255.0",
    "0.0.0.1",
    "0.0.0.255",
    "255.255.0.254",
];

fn sources(rng: &mut Rng) -> [u8; 4] {
    pick(rng, &SOURCES)
}

fn destinations(rng: &mut Rng) -> [u8; 4] {
    match rng.u32(..3) {
        0 => pick(rng, &LOCAL),
        1 => pick(rng, &REMOTE),
        _ => pick(rng, &LOOPBACK),
    }
}

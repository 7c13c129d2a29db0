// SPDX-License-Identifier: GPL-2.0-only
//! Random rule sets of the small world, as text for iptables-restore.
//!
//! Owns: which rules the packet tests load. One seed gives one rule set, and a
//! human can load it, too. Every rule set loads: what iptables itself refuses
//! is not written. The values come from `world`, so that rules hit.

use fastrand::Rng;
use std::fmt::Write;

use crate::packet::random::{once_in, pick};
use crate::rules::x_tables;
use crate::world::{LOCAL, LOOPBACK, MARKS, PEER_ADDRESS, PORTS, REMOTE, SOURCES, TAP_ADDRESS};

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

/// Addresses, interfaces, protocol, fragments; and the match of the protocol.
fn header(rng: &mut Rng, text: &mut String, hook: &str) {
    if once_in(rng, 3) {
        *text += &format!(
            "{} -s {}/{}",
            not(rng),
            dotted(sources(rng)),
            pick(rng, &MASKS)
        );
    }
    if once_in(rng, 3) {
        *text += &format!(
            "{} -d {}/{}",
            not(rng),
            dotted(destinations(rng)),
            pick(rng, &MASKS)
        );
    }
    if once_in(rng, 4) && hook != "OUTPUT" {
        let name = pick(
            rng,
            &[
                "eth0",
                "wlan0",
                "ppp10",
                "ppp+",
                "e+",
                "eth+",
                "lo",
                "tun0",
                "wlan01",
                "a23456789012345",
            ],
        );
        *text += &format!("{} -i {name}", not(rng));
    }
    if once_in(rng, 4) && hook != "INPUT" {
        let name = pick(
            rng,
            &[
                "tun0", "tun1x", "tun+", "tun1", "tun1+", "lo", "lo+", "eth0",
            ],
        );
        *text += &format!("{} -o {name}", not(rng));
    }
    if once_in(rng, 8) {
        *text += &format!("{} -f", not(rng));
    }
    match rng.u32(..10) {
        0..3 => {}
        3 if once_in(rng, 3) => {
            *text += pick(rng, &[" -p udp", " -p 132", " -p 33", " -p 136"]);
            multiport(rng, text);
        }
        3 if rng.bool() => *text += &of_protocol(rng),
        3 => {
            let protocol = pick(
                rng,
                &["47", "2", "132", "136", "33", "50", "253", "17", "6", "1"],
            );
            *text += &format!("{} -p {protocol}", not(rng));
        }
        4..7 => tcp(rng, text),
        7..9 => {
            *text += " -p udp -m udp";
            ports(rng, text);
        }
        _ => {
            *text += " -p icmp -m icmp";
            let kind = pick(
                rng,
                &[
                    "any", "8", "0", "3", "3/1", "3/13", "11", "5/0", "255/255", "30",
                ],
            );
            *text += &format!("{} --icmp-type {kind}", not(rng));
        }
    }
}

fn range(rng: &mut Rng) -> String {
    let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
    match rng.u32(..4) {
        0 => format!("{a}"),
        1 => format!("{}:", a),
        2 => format!(":{}", b),
        _ => format!("{}:{}", a.min(b), a.max(b)),
    }
}

fn ports(rng: &mut Rng, text: &mut String) {
    if once_in(rng, 3) {
        *text += &format!("{} --sport {}", not(rng), range(rng));
    }
    if once_in(rng, 2) {
        *text += &format!("{} --dport {}", not(rng), range(rng));
    }
}

fn tcp(rng: &mut Rng, text: &mut String) {
    *text += " -p tcp";
    match rng.u32(..6) {
        0 => return multiport(rng, text),
        1 => return,
        _ => {}
    }
    *text += " -m tcp";
    ports(rng, text);
    if once_in(rng, 3) {
        let flags = pick(
            rng,
            &[
                "SYN,RST,ACK,FIN SYN",
                "ALL NONE",
                "ALL FIN,PSH,URG",
                "SYN,ACK SYN,ACK",
                "ACK ACK",
                "NONE NONE",
                "SYN ACK",
                "ALL ALL",
                "RST RST",
            ],
        );
        *text += &format!("{} --tcp-flags {flags}", not(rng));
    }
    if once_in(rng, 2) {
        let option = pick(rng, &[1, 2, 3, 4, 8, 30, 253, 255]);
        *text += &format!("{} --tcp-option {option}", not(rng));
    }
}

fn multiport(rng: &mut Rng, text: &mut String) {
    let which = pick(rng, &["--sports", "--dports", "--ports"]);
    let mut list = Vec::new();
    let mut left = rng.usize(1..=15);
    while left > 0 {
        let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
        // iptables refuses a range of one.
        if left > 1 && a != b && rng.bool() {
            list.push(format!("{}:{}", a.min(b), a.max(b)));
            left -= 2;
        } else {
            list.push(a.to_string());
            left -= 1;
        }
    }
    *text += &format!(" -m multiport{} {which} {}", not(rng), list.join(","));
}

fn any_match(rng: &mut Rng, text: &mut String) {
    match rng.u32(..9) {
        0 | 1 => {
            let mask = pick(rng, &[0xffff_ffff, 0xff, 0x1, 0x8000_0000, 0, 0xf0]);
            let mark = pick(rng, &MARKS) & if once_in(rng, 6) { u32::MAX } else { mask };
            *text += &format!(" -m mark{} --mark {mark:#x}/{mask:#x}", not(rng));
        }
        2 => {
            *text += " -m iprange";
            let (a, b) = (sources(rng), sources(rng));
            if rng.bool() {
                *text += &format!(
                    "{} --src-range {}-{}",
                    not(rng),
                    dotted(a.min(b)),
                    dotted(a.max(b))
                );
                if rng.bool() {
                    return;
                }
            }
            let (a, b) = (destinations(rng), destinations(rng));
            *text += &format!(
                "{} --dst-range {}-{}",
                not(rng),
                dotted(a.min(b)),
                dotted(a.max(b))
            );
        }
        3 => {
            let lengths = [0u16, 20, 28, 40, 41, 48, 60, 100, 128, 540, 1240, 65535];
            let (a, b) = (pick(rng, &lengths), pick(rng, &lengths));
            *text += &format!(" -m length{} --length {}:{}", not(rng), a.min(b), a.max(b));
        }
        4 => {
            let ttl = pick(rng, &[0, 1, 2, 3, 4, 63, 64, 254, 255]);
            *text += &match rng.u32(..4) {
                0 => format!(" -m ttl --ttl-eq {ttl}"),
                1 => format!(" -m ttl ! --ttl-eq {ttl}"),
                2 => format!(" -m ttl --ttl-lt {ttl}"),
                _ => format!(" -m ttl --ttl-gt {ttl}"),
            };
        }
        5 => {
            let tos = pick(
                rng,
                &[
                    "0x10/0x3f",
                    "0x00/0xff",
                    "0x08/0x08",
                    "0xff/0xff",
                    "0x03/0x03",
                    "0x00/0x00",
                ],
            );
            *text += &format!(" -m tos{} --tos {tos}", not(rng));
        }
        6 => {
            let dscp = pick(rng, &[0, 2, 4, 46, 63]);
            *text += &format!(" -m dscp{} --dscp {dscp}", not(rng));
        }
        _ => {
            let kind = pick(rng, &["unicast", "broadcast", "multicast"]);
            *text += &format!(" -m pkttype{} --pkt-type {kind}", not(rng));
        }
    }
}

/// The matches that fewer people know. Which interfaces can be asked for
/// depends on the hook, none in a chain that any hook may reach.
fn odder_match(rng: &mut Rng, text: &mut String, hook: &str) {
    let incoming = matches!(hook, "INPUT" | "FORWARD");
    let outgoing = matches!(hook, "OUTPUT" | "FORWARD");
    *text += &match rng.u32(..8) {
        0 if incoming => {
            let [.., last] = pick(rng, &[PEER_ADDRESS, TAP_ADDRESS]);
            format!(" -m mac{} --mac-source 02:00:00:00:00:{last:02x}", not(rng))
        }
        1 if (incoming || outgoing) && rng.bool() => {
            let group = pick(rng, &["0x1", "0/0x1", "0x1/0x1", "0x10", "0", "0x7fffffff"]);
            let side = if incoming { "src" } else { "dst" };
            format!(" -m devgroup{} --{side}-group {group}", not(rng))
        }
        1 | 2 if hook == "OUTPUT" => owner(rng),
        2 => {
            let every = rng.u32(1..5);
            let packet = rng.u32(..every);
            format!(
                " -m statistic --mode nth{} --every {every} --packet {packet}",
                not(rng)
            )
        }
        3 => {
            let chance = pick(rng, &["0", "1"]);
            format!(
                " -m statistic --mode random{} --probability {chance}",
                not(rng)
            )
        }
        4 => {
            let bytes = pick(rng, &[0, 20, 100, 1000, 5000]);
            format!(" -m quota{} --quota {bytes}", not(rng))
        }
        5 if once_in(rng, 4) => format!(" -m cpu{} --cpu {}", not(rng), rng.u32(..2)),
        5 => format!(" -m ecn{} --ecn-ip-ect {}", not(rng), rng.u32(..4)),
        _ => {
            let question = pick(
                rng,
                &[
                    // A protocol, no fragment.
                    "6&0xFF=1,6,17",
                    "4&0x1FFF=0",
                    // A port behind the IP header, of TCP and first fragments.
                    "6&0xFF=6&&4&0x1FFF=0&&0>>22&0x3C@0>>16=22,80,1024:65535",
                    "0>>22&0x3C@2&0xFFFF=0:1023",
                    // Behind the TCP header.
                    "0>>22&0x3C@12>>26&0x3C@0=0x78787878",
                    "12=0xC0000200:0xC00002FF",
                    "0>>24<<24=0x45000000",
                    "40=0:0xFFFFFFFF",
                    "1000=0x78787878",
                ],
            );
            format!(" -m u32{} --u32 \"{question}\"", not(rng))
        }
    };
}

/// Who sent the packet.
fn owner(rng: &mut Rng) -> String {
    let mut text = String::from(" -m owner");
    let asked = rng.u32(1..8);
    if asked & 1 != 0 {
        let users = pick(rng, &["0", "1000", "1-999", "0-1000", "1001"]);
        text += &format!("{} --uid-owner {users}", not(rng));
    }
    if asked & 2 != 0 {
        let groups = pick(
            rng,
            &["0", "1005", "7", "3001", "5-99", "2000-2999", "4294967294"],
        );
        text += &format!("{} --gid-owner {groups}", not(rng));
        text += pick(rng, &["", " --suppl-groups"]);
    }
    if asked & 4 != 0 {
        text += &format!("{} --socket-exists", not(rng));
    }
    text
}

/// A match that only one protocol has.
fn of_protocol(rng: &mut Rng) -> String {
    let spi = |rng: &mut Rng| {
        let (a, b) = (u32::from(pick(rng, &PORTS)), u32::from(pick(rng, &PORTS)));
        format!("{}:{}", a.min(b) << 16, a.max(b) << 16 | 0xffff)
    };
    match rng.u32(..8) {
        0..3 => {
            let sizes = [0u16, 1, 257, 1459, 1460, 1461, 65535];
            let (a, b) = (pick(rng, &sizes), pick(rng, &sizes));
            format!(
                " -p tcp -m tcpmss{} --mss {}:{}",
                not(rng),
                a.min(b),
                a.max(b)
            )
        }
        3..5 => {
            let (first, second) = (not(rng), not(rng));
            let how = match rng.u32(..4) {
                0 => "--ecn-tcp-ece".to_owned(),
                1 => "--ecn-tcp-cwr".to_owned(),
                2 => format!("--ecn-tcp-ece{second} --ecn-tcp-cwr"),
                _ => format!("--ecn-tcp-ece{second} --ecn-ip-ect 3"),
            };
            format!(" -p tcp -m ecn{first} {how}")
        }
        5 if rng.bool() => {
            let (first, second) = (not(rng), not(rng));
            let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
            // By number: the guest has no /etc/protocols.
            let (number, name) = pick(rng, &[(33, "dccp"), (132, "sctp")]);
            let types = match name == "dccp" && rng.bool() {
                true => format!("{} --dccp-types REQUEST,DATA,RESET", not(rng)),
                false => String::new(),
            };
            format!(" -p {number} -m {name}{first} --sport {a}{second} --dport :{b}{types}")
        }
        5 => format!(" -p ah -m ah{} --ahspi {}", not(rng), spi(rng)),
        _ => format!(" -p esp -m esp{} --espspi {}", not(rng), spi(rng)),
    }
}

fn conntrack(rng: &mut Rng) -> String {
    let mut states: Vec<&str> = STATES.iter().filter(|_| rng.bool()).copied().collect();
    if states.is_empty() {
        states.push("NEW");
    }
    let (name, option) = pick(rng, &[("conntrack", "--ctstate"), ("state", "--state")]);
    format!(" -m {name}{} {option} {}", not(rng), states.join(","))
}

/// What can be asked of a connection besides its state.
fn connection(rng: &mut Rng) -> String {
    if once_in(rng, 4) {
        let mark = pick(
            rng,
            &["0x10", "0x10/0x10", "0/0x1", "0", "0x80000001", "3/1"],
        );
        return format!(" -m connmark{} --mark {mark}", not(rng));
    }
    if once_in(rng, 4) {
        return match once_in(rng, 6) {
            true => format!(" -m helper{} --helper ftp", not(rng)),
            false => x_tables::connbytes(rng),
        };
    }
    let mut text = String::from(" -m conntrack");
    for _ in 0..rng.usize(1..3) {
        let option = match rng.u32(..10) {
            0 => format!("--ctproto {}", pick(rng, &["tcp", "udp", "icmp"])),
            1..4 => {
                let which = pick(rng, &["origsrc", "origdst", "replsrc", "repldst"]);
                let address = match rng.u32(..4) {
                    0 => [10, 1, 0, 1],
                    1 => sources(rng),
                    _ => pick(rng, &REMOTE),
                };
                let bits = pick(rng, &["32", "32", "24", "0", "0.0.0.255"]);
                format!("--ct{which} {}/{bits}", dotted(address))
            }
            4 | 5 => {
                let which = pick(rng, &["origsrc", "origdst", "replsrc", "repldst"]);
                let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
                format!("--ct{which}port {}:{}", a.min(b), a.max(b))
            }
            6 | 7 => {
                let status = pick(
                    rng,
                    &[
                        "NONE",
                        "EXPECTED",
                        "SEEN_REPLY",
                        "ASSURED",
                        "CONFIRMED",
                        "SEEN_REPLY,ASSURED",
                    ],
                );
                format!("--ctstatus {status}")
            }
            // Far from any timeout: time passes between the two sides.
            8 => format!("--ctexpire {}", pick(rng, &["0:3", "200:1000000", "0:0"])),
            _ => {
                text += &format!(" --ctdir {}", pick(rng, &["ORIGINAL", "REPLY"]));
                continue;
            }
        };
        let name = option.split(' ').next().unwrap_or_default();
        if !text.contains(&format!("{name} ")) {
            text += &format!("{} {option}", not(rng));
        }
    }
    if text.matches("--ctdir").count() > 1 {
        text = " -m conntrack --ctdir REPLY".into();
    }
    text
}

// SPDX-License-Identifier: GPL-2.0-only
//! Random rules in all tables of IPv6, for ip6tables-restore.
//!
//! Owns: which rules. All that is asked of extension headers, and each thing that
//! a rule may do to a packet. Nothing in it is left to chance once it is made. The
//! kernel must know the labels [`LABELS`] names.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use fastrand::Rng;
use umh_core::abi::{Hook, TableSpec};

use super::packets::PORTS;
use super::{GROUP, LINK_LOCAL, LOCAL, LOOPBACK, REMOTE, SOURCES, tables};
use crate::packet::random::{once_in, pick};

/// What is asked of headers.
const HEADERS: [&str; 44] = [
    "-m frag --fragid 1",
    "-m frag --fragid 0:100 --fragfirst",
    "-m frag --fragmore",
    "-m frag --fraglast",
    "-m frag --fragres",
    "-m frag ! --fragid 2",
    "-m hbh",
    "-m hbh --hbh-len 8",
    "-m hbh ! --hbh-len 16",
    "-m hbh --hbh-opts 5:2",
    "-m hbh --hbh-opts 1:4",
    "-m dst",
    "-m dst --dst-len 8",
    "-m dst ! --dst-len 8",
    "-m dst --dst-opts 1:4",
    "-m dst --dst-opts 201:16",
    "-m rt",
    "-m rt --rt-type 0",
    "-m rt ! --rt-type 4",
    "-m rt --rt-type 2 --rt-segsleft 1",
    "-m rt --rt-segsleft 0:1",
    "-m rt --rt-len 24",
    "-m rt --rt-type 0 --rt-0-res",
    "-m ipv6header --header dst --soft",
    "-m ipv6header --header frag --soft",
    "-m ipv6header --header dst",
    "-m ipv6header ! --header frag,dst --soft",
    "-m ipv6header --header none --soft",
    "-m ipv6header --header hop,prot",
    "-m ah",
    "-m ah --ahspi 256",
    "-m ah ! --ahspi 1:999",
    "-m ah --ahlen 12",
    "-m ah --ahres",
    "-p esp -m esp --espspi 0:0x7fffffff",
    "-p esp -m esp ! --espspi 0:1000",
    "-p mh -m mh --mh-type 5",
    "-p mh -m mh ! --mh-type 0:1",
    "-p mh",
    "-p 59",
    "! -p tcp",
    "-p 253",
    "-m srh --srh-segs-left-eq 1",
    "-m srh --srh-next-hdr 6",
];

/// What is asked of all else.
const REST: [&str; 36] = [
    "-p tcp --syn",
    "-p tcp --tcp-flags SYN,RST SYN",
    "-p tcp --tcp-option 2",
    "-p tcp ! --tcp-option 8",
    "-p tcp -m tcpmss --mss 1400:65535",
    "-p tcp -m ecn --ecn-tcp-ece",
    "-p icmpv6 -m icmp6 --icmpv6-type 128",
    "-p icmpv6 -m icmp6 ! --icmpv6-type 1/3",
    "-p icmpv6 -m icmp6 --icmpv6-type 129/0",
    "-p icmpv6 -m icmp6 --icmpv6-type 255",
    "-p icmpv6 -m icmp6 ! --icmpv6-type 255/0",
    "-p tcp -m multiport --ports 22,53,1000:1100",
    "-p udp -m multiport ! --dports 53,80",
    "-p sctp -m sctp --dport 80:443",
    "-p udp",
    "-m hl --hl-eq 64",
    "-m hl --hl-lt 63",
    "-m hl --hl-gt 63",
    "-m hl ! --hl-eq 62",
    "-m length --length 0:60",
    "-m length ! --length 61:200",
    "-m tos --tos 0x10/0x1c",
    "-m dscp --dscp 0x30",
    "-m dscp ! --dscp 0",
    "-m mark --mark 1",
    "-m mark ! --mark 0x10/0x10",
    "-m conntrack --ctstate NEW",
    "-m conntrack --ctstate INVALID",
    "-m conntrack ! --ctstate UNTRACKED",
    "-m addrtype --dst-type LOCAL",
    "-m addrtype ! --src-type UNICAST",
    "-m addrtype --dst-type MULTICAST",
    "-m pkttype --pkt-type multicast",
    "-m u32 --u32 6&0xff=44",
    "-m statistic --mode nth --every 2 --packet 0",
    "-m limit --limit 1/day --limit-burst 6",
];

/// What REJECT may answer.
const ANSWERS: [&str; 7] = [
    "icmp6-no-route",
    "icmp6-adm-prohibited",
    "icmp6-addr-unreachable",
    "icmp6-port-unreachable",
    "icmp6-policy-fail",
    "icmp6-reject-route",
    "tcp-reset",
];

const CHANGES: [&str; 12] = [
    "HL --hl-set 77",
    "HL --hl-dec 1",
    "HL --hl-inc 3",
    "MARK --set-xmark 0x1/0xff",
    "MARK --or-mark 0x10",
    "TOS --set-tos 0x10/0x3f",
    "DSCP --set-dscp 0x0a",
    "DSCP --set-dscp-class EF",
    "CONNMARK --save-mark",
    "CONNMARK --restore-mark",
    "MARK --set-xmark 0x7/0xffffffff",
    "HMARK --hmark-tuple src,dst --hmark-mod 4 --hmark-rnd 7 --hmark-offset 1",
];

/// What security modules care for: labels, of packets and of connections.
const LABELS: [&str; 4] = [
    "SECMARK --selctx web",
    "SECMARK --selctx mail",
    "CONNSECMARK --save",
    "CONNSECMARK --restore",
];

fn not(rng: &mut Rng) -> &'static str {
    if once_in(rng, 5) { "! " } else { "" }
}

fn address(rng: &mut Rng) -> String {
    let all = [
        &SOURCES[..],
        &LOCAL[..],
        &REMOTE[..],
        &LINK_LOCAL[..],
        &[LOOPBACK, GROUP],
    ]
    .concat();
    let address = Ipv6Addr::from(pick(rng, &all));
    let prefix = pick(rng, &[8, 32, 48, 63, 64, 65, 120, 128, 128]);
    format!("{address}/{prefix}")
}

/// What a rule of a table and chain asks.
fn asks(rng: &mut Rng, table: &str, hook: &str) -> String {
    let mut text = String::new();
    let mut add = |word: String| write!(text, " {word}").expect("memory");
    if once_in(rng, 4) {
        add(format!("{}-s {}", not(rng), address(rng)));
    }
    if once_in(rng, 4) {
        add(format!("{}-d {}", not(rng), address(rng)));
    }
    if once_in(rng, 8) && matches!(hook, "PREROUTING" | "INPUT" | "FORWARD") {
        add(format!(
            "{}-i {}",
            not(rng),
            pick(rng, &["eth0", "lo", "e+"])
        ));
    }
    if once_in(rng, 8) && matches!(hook, "POSTROUTING" | "OUTPUT" | "FORWARD") {
        add(format!(
            "{}-o {}",
            not(rng),
            pick(rng, &["tun0", "lo", "t+"])
        ));
    }
    match rng.u32(..8) {
        0 if hook == "PREROUTING" && table != "nat" => {
            let how = pick(rng, &["", " --invert", " --loose", " --accept-local"]);
            add(format!("-m rpfilter{how}"));
        }
        0..3 => add(pick(rng, &HEADERS).to_owned()),
        3..6 => add(pick(rng, &REST).to_owned()),
        6 => {
            let side = pick(rng, &["--dport", "--sport"]);
            let protocol = pick(rng, &["tcp", "udp"]);
            add(format!(
                "-p {protocol} {}{side} {}",
                not(rng),
                pick(rng, &PORTS)
            ));
        }
        _ => {}
    }
    text
}

/// Something that a rule of this table and chain may do.
fn does(rng: &mut Rng, table: &str, hook: &str, text: &str) -> String {
    let tcp = text.contains(" -p tcp") && !text.contains("! -p tcp");
    let ports = tcp || text.contains(" -p udp");
    if table == "nat" {
        return translates(rng, hook, ports);
    }
    match (table, rng.u32(..12)) {
        (_, 0) => return " -j ACCEPT".into(),
        (_, 1) if once_in(rng, 2) => return " -j DROP".into(),
        (_, 2..4) if hook != "one" && hook != "two" => {
            return format!(
                " {} {}",
                pick(rng, &["-j", "-g"]),
                pick(rng, &["one", "two"])
            );
        }
        (_, 4) => return " -j RETURN".into(),
        (_, 5) => {
            let options = pick(
                rng,
                &[
                    "",
                    " --log-ip-options",
                    " --log-tcp-options --log-tcp-sequence",
                    " --log-uid",
                    " --log-macdecode",
                ],
            );
            return format!(
                " -j LOG --log-prefix \"{table} \" --log-level {}{options}",
                rng.u32(..8)
            );
        }
        ("raw", 6..9) => return " -j CT --notrack".into(),
        ("security", 6..11) | ("mangle", 11) => return format!(" -j {}", pick(rng, &LABELS)),
        ("mangle", 6..11) => {
            return match rng.u32(..8) {
                0 if tcp && text.contains("--syn") => " -j TCPMSS --set-mss 1000".into(),
                1 if matches!(hook, "INPUT" | "POSTROUTING") => {
                    " -j SNPT --src-pfx 2001:db8:9::/48 --dst-pfx fd00:77:88::/48".into()
                }
                1 if matches!(hook, "PREROUTING" | "OUTPUT") => {
                    " -j DNPT --src-pfx 2001:db8:5::/48 --dst-pfx 2001:db8:6::/48".into()
                }
                _ => format!(" -j {}", pick(rng, &CHANGES)),
            };
        }
        ("filter", 6..9) => {
            let answer = pick(rng, &ANSWERS);
            if answer != "tcp-reset" {
                return format!(" -j REJECT --reject-with {answer}");
            } else if tcp {
                return " -j REJECT --reject-with tcp-reset".into();
            }
        }
        _ => {}
    }
    String::new()
}

fn translates(rng: &mut Rng, hook: &str, ports: bool) -> String {
    let target = match (hook, rng.u32(..6)) {
        (_, 0) => return String::new(),
        ("one" | "two", _) => "ACCEPT",
        ("POSTROUTING", 1 | 2) => "MASQUERADE",
        ("POSTROUTING", 3) => "NETMAP --to fd00:99::/64",
        ("POSTROUTING", 4) if ports => "SNAT --to-source [2001:db8:3::1]:5555",
        ("POSTROUTING", _) => "SNAT --to-source 2001:db8:3::1",
        ("INPUT", _) => "SNAT --to-source 2001:db8:9::9",
        (_, 1) if ports => "REDIRECT --to-ports 4000",
        (_, 1) => "REDIRECT",
        (_, 2) => "NETMAP --to 2001:db8:6::/64",
        (_, 3) if ports => "DNAT --to-destination [2001:db8:5::7]:80",
        _ => "DNAT --to-destination 2001:db8:5::7",
    };
    format!(" -j {target}")
}

/// The rules of a table.
fn table(rng: &mut Rng, text: &mut String, table: &TableSpec) {
    let name = table.name;
    let hooks: Vec<&str> = table.each_hook().map(Hook::chain).collect();
    writeln!(text, "*{name}").expect("memory");
    for hook in &hooks {
        let policy = if name == "filter" && once_in(rng, 10) {
            "DROP"
        } else {
            "ACCEPT"
        };
        writeln!(text, ":{hook} {policy} [0:0]").expect("memory");
    }
    text.push_str(":one - [0:0]\n:two - [0:0]\n");
    for hook in hooks.iter().chain(&["one", "two"]) {
        let count = if name == "nat" {
            rng.usize(..4)
        } else {
            rng.usize(1..9)
        };
        for _ in 0..count {
            let asked = asks(rng, name, hook);
            let done = does(rng, name, hook, &asked);
            writeln!(text, "-A {hook}{asked}{done}").expect("memory");
        }
    }
    text.push_str("COMMIT\n");
}

/// A rule set.
pub(super) fn rules(rng: &mut Rng) -> String {
    let mut text = String::new();
    for spec in tables() {
        table(rng, &mut text, spec);
    }
    text
}

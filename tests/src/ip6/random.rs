// SPDX-License-Identifier: GPL-2.0-only
//! Random rules, as ip6tables-restore takes them, and random packets.
//!
//! Owns: a world of few addresses, ports and protocols, so that rules and packets
//! meet; and chains of headers, whole and broken.

use std::fmt::Write as _;

use fastrand::Rng;

use crate::packet::random::{once_in, pick};

/// Addresses that differ in each of their words, and in the last bits of one.
const ADDRESSES: [[u16; 8]; 10] = [
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2],
    [0x2001, 0xdb8, 0, 1, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0x100, 0, 0, 1, 0, 1],
    [0x2001, 0xdb9, 0, 0, 0, 0, 0, 1],
    [0xfe80, 0, 0, 0, 0x200, 0xff, 0xfe00, 1],
    [0xfe80, 0, 0, 0, 0x200, 0xff, 0xfe00, 2],
    [0xff02, 0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0, 1],
];
const PREFIXES: [u8; 12] = [0, 3, 10, 31, 32, 33, 47, 48, 64, 96, 127, 128];
const PORTS: [u16; 5] = [22, 53, 80, 1024, 65535];
const CHAINS: [&str; 3] = ["one", "two", "three"];

fn address(rng: &mut Rng) -> String {
    let words = pick(rng, &ADDRESSES).map(|word| format!("{word:x}"));
    if once_in(rng, 12) {
        // Bits with holes between them.
        return format!("{}/ffff:0:ff00::ffff:1", words.join(":"));
    }
    format!("{}/{}", words.join(":"), pick(rng, &PREFIXES))
}

fn port(rng: &mut Rng) -> String {
    let [first, last] = [pick(rng, &PORTS), pick(rng, &PORTS)];
    match first < last && rng.bool() {
        true => format!("{first}:{last}"),
        false => first.to_string(),
    }
}

fn not(rng: &mut Rng, times: u32) -> &'static str {
    if once_in(rng, times) { "! " } else { "" }
}

/// One rule, and where it goes on.
fn rule(rng: &mut Rng, below: &[&str]) -> String {
    let mut rule = String::new();
    for (option, times) in [("-s", 2), ("-d", 3)] {
        if once_in(rng, times) {
            write!(rule, "{}{option} {} ", not(rng, 5), address(rng)).expect("memory");
        }
    }
    if once_in(rng, 6) {
        let name = pick(rng, &["lo", "l+", "eth0", "averylongname0"]);
        write!(rule, "{}-o {name} ", not(rng, 3)).expect("memory");
    }
    let invert = not(rng, 8);
    match rng.u32(..10) {
        0 | 1 if invert.is_empty() => {
            rule.push_str("-p tcp ");
            if rng.bool() {
                write!(rule, "{}--dport {} ", not(rng, 5), port(rng)).expect("memory");
            }
            if once_in(rng, 3) {
                write!(rule, "{}--sport {} ", not(rng, 5), port(rng)).expect("memory");
            }
            if once_in(rng, 3) {
                rule.push_str("--syn ");
            }
        }
        2 if invert.is_empty() => {
            write!(rule, "-p udp {}--dport {} ", not(rng, 5), port(rng)).expect("memory");
        }
        3 if invert.is_empty() => {
            let kind = pick(rng, &["128", "129", "1/3", "135", "255", "255/0"]);
            write!(
                rule,
                "-p icmpv6 -m icmp6 {}--icmpv6-type {kind} ",
                not(rng, 5)
            )
            .expect("memory");
        }
        4 if invert.is_empty() => {
            let (protocol, side) = (
                pick(rng, &["tcp", "udp", "sctp"]),
                pick(rng, &["--ports", "--dports", "--sports"]),
            );
            let invert = not(rng, 5);
            write!(
                rule,
                "-p {protocol} -m multiport {invert}{side} {},{} ",
                port(rng),
                port(rng)
            )
            .expect("memory");
        }
        5 | 6 => {
            let protocol = pick(rng, &["6", "17", "58", "59", "132", "255", "0"]);
            // That it is not any protocol is refused.
            let invert = if protocol == "0" { "" } else { invert };
            write!(rule, "{invert}-p {protocol} ").expect("memory");
        }
        _ => {}
    }
    if once_in(rng, 8) {
        let mode = pick(rng, &["--hl-eq", "! --hl-eq", "--hl-lt", "--hl-gt"]);
        write!(rule, "-m hl {mode} {} ", pick(rng, &[1, 64, 255])).expect("memory");
    }
    if once_in(rng, 8) {
        let first = rng.u16(..100);
        write!(
            rule,
            "-m length {}--length {first}:{} ",
            not(rng, 4),
            first + 60
        )
        .expect("memory");
    }
    if once_in(rng, 8) {
        write!(rule, "-m tos {}--tos 0x10/0x1c ", not(rng, 4)).expect("memory");
    }
    match rng.u32(..8) {
        0..3 if !below.is_empty() => {
            let how = pick(rng, &["-j", "-j", "-g"]);
            write!(rule, "{how} {}", pick(rng, below)).expect("memory");
        }
        3 => rule.push_str("-j RETURN"),
        4 => rule.push_str("-j ACCEPT"),
        5 => rule.push_str("-j DROP"),
        // Nothing: the rule counts.
        _ => {}
    }
    rule
}

/// Rules for filter, about so many.
pub fn rules(rng: &mut Rng, count: usize) -> String {
    let mut text = String::from("*filter\n");
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        writeln!(text, ":{hook} {} [0:0]", pick(rng, &["ACCEPT", "DROP"])).expect("memory");
    }
    for chain in CHAINS {
        writeln!(text, ":{chain} - [0:0]").expect("memory");
    }
    for _ in 0..count {
        let (chain, below) = match rng.usize(..6) {
            place @ 0..3 => (CHAINS[place], &CHAINS[place + 1..]),
            _ => ("OUTPUT", &CHAINS[..]),
        };
        writeln!(text, "-A {chain} {}", rule(rng, below)).expect("memory");
    }
    text.push_str("COMMIT\n");
    text
}

/// Accepting and dropping rules of sources and ports alone, all in one chain: an
/// index finds them.
pub fn many(rng: &mut Rng, count: usize) -> String {
    let mut text = String::from("*filter\n");
    for _ in 0..count {
        let words = [
            0x2001,
            0xdb8,
            rng.u16(..8),
            rng.u16(..64),
            0,
            0,
            0,
            rng.u16(..4),
        ];
        let words = words.map(|word| format!("{word:x}")).join(":");
        let prefix = pick(rng, &[32, 44, 48, 52, 56, 60, 64, 64, 128, 128]);
        let side = pick(rng, &["-s", "-d"]);
        let port = match rng.u32(..3) {
            0 => format!("-p tcp --dport {}", pick(rng, &PORTS)),
            1 => format!("-p udp --dport {}", pick(rng, &PORTS)),
            _ => String::new(),
        };
        let target = pick(rng, &["ACCEPT", "DROP"]);
        writeln!(text, "-A OUTPUT {side} {words}/{prefix} {port} -j {target}").expect("memory");
    }
    text.push_str("COMMIT\n");
    text
}

/// Hosts of one network, so many, of which packets come from the first few: that
/// differ where a record has room for it only if it knows that they do.
pub fn hosts(rng: &mut Rng, count: usize) -> String {
    let mut hosts: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut hosts);
    let mut text = String::from("*filter\n");
    for host in hosts {
        let (high, low) = (host >> 16, host & 0xffff);
        let target = pick(rng, &["ACCEPT", "DROP"]);
        writeln!(
            text,
            "-A OUTPUT -s 2001:db8::{high:x}:{low:x}/128 -j {target}"
        )
        .expect("memory");
    }
    text.push_str("COMMIT\n");
    text
}

/// The transport header of a protocol, of at most `len` bytes.
fn transport(rng: &mut Rng, protocol: u8) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    match protocol {
        58 => {
            bytes[0] = pick(rng, &[1, 128, 129, 135]);
            bytes[1] = rng.u8(..4);
        }
        _ => {
            bytes[..2].copy_from_slice(&pick(rng, &PORTS).to_be_bytes());
            bytes[2..4].copy_from_slice(&pick(rng, &PORTS).to_be_bytes());
            bytes[12] = 0x50;
            bytes[13] = pick(rng, &[0x02, 0x10, 0x12, 0x29]);
        }
    }
    if once_in(rng, 6) {
        bytes.truncate(rng.usize(..24));
    }
    bytes
}

/// One packet.
pub fn packet(rng: &mut Rng) -> Vec<u8> {
    let mut address = || {
        let mut words = pick(rng, &ADDRESSES);
        if once_in(rng, 4) {
            words[2] = rng.u16(..8);
            words[3] = rng.u16(..64);
            words[7] = rng.u16(..4);
        }
        words
            .into_iter()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<_>>()
    };
    let addresses = [address(), address()].concat();
    let protocol = pick(rng, &[6, 6, 17, 17, 58, 132, 59, 255]);
    let mut kinds = Vec::new();
    while once_in(rng, 3) && kinds.len() < 4 {
        kinds.push(pick(rng, &[0, 43, 44, 51, 60, 60]));
    }
    let mut payload = Vec::new();
    for (place, &kind) in kinds.iter().enumerate() {
        let next = kinds.get(place + 1).copied().unwrap_or(protocol);
        let mut header = vec![next, 0, 0, 0, 0, 0, 0, 0];
        match kind {
            44 => {
                let offset = pick(rng, &[0, 0, 1, 8, 9, 0xfff8]);
                header[2..4].copy_from_slice(&u16::to_be_bytes(offset));
                header[1] = rng.u8(..);
            }
            51 => {
                header[1] = 2;
                header.extend([0; 8]);
            }
            _ => {
                header[1] = rng.u8(..2);
                header.resize(8 * (1 + usize::from(header[1])), 0);
            }
        }
        if once_in(rng, 10) {
            // Longer than what there is.
            header[1] = rng.u8(..);
        }
        payload.extend(header);
    }
    payload.extend(transport(rng, protocol));
    if once_in(rng, 10) {
        payload.truncate(rng.usize(..=payload.len()));
    }
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes[0] |= rng.u8(..2);
    bytes[1] = pick(rng, &[0, 0x80, 0xc0, 0x47]);
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.push(kinds.first().copied().unwrap_or(protocol));
    bytes.push(pick(rng, &[1, 63, 64, 255]));
    bytes.extend(addresses);
    bytes.extend(payload);
    bytes
}

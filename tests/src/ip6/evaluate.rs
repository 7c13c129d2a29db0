// SPDX-License-Identifier: GPL-2.0-only
//! What ip6t_do_table makes of a packet.
//!
//! Owns: a walk over a table's bytes, written from `ip6_tables.c` and the matches'
//! sources, with nothing of the core in it.

use super::record::{Found, find_header};

/// `struct ip6t_ip6`, and an entry with its counters.
const IP: usize = 136;
const ENTRY: usize = 168;
/// `struct xt_entry_match`.
const EXTENSION: usize = 32;

/// What became of a packet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Walk {
    /// Whether it passed.
    pub accepted: bool,
    /// Where the entries start that counted it, in order.
    pub counted: Vec<usize>,
}

/// Why a rule does not match.
enum Not {
    Matching,
    /// And the packet is dropped.
    Hotdrop,
}

type Answer = Result<(), Not>;

fn holds(yes: bool) -> Answer {
    if yes { Ok(()) } else { Err(Not::Matching) }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

/// Walks `entries` from a hook's first entry on. The packet goes out on the
/// loopback interface.
pub fn walk(entries: &[u8], start: usize, underflow: usize, packet: &[u8]) -> Walk {
    let mut walk = Walk::default();
    let mut stack = Vec::new();
    let mut at = start;
    loop {
        let entry = &entries[at..];
        let next = at + usize::from(u16_at(entry, IP + 6));
        match matches(entry, packet) {
            Ok(()) => {}
            Err(Not::Matching) => {
                at = next;
                continue;
            }
            Err(Not::Hotdrop) => return walk,
        }
        walk.counted.push(at);
        let target = &entry[usize::from(u16_at(entry, IP + 4))..];
        if target[2] != 0 {
            // ERROR
            return walk;
        }
        let verdict = i32::from_ne_bytes(target[EXTENSION..EXTENSION + 4].try_into().expect("4"));
        match verdict {
            // RETURN
            -5 => at = stack.pop().unwrap_or(underflow),
            0.. => {
                // IP6T_F_GOTO
                if verdict as usize != next && entry[131] & 4 == 0 {
                    stack.push(next);
                }
                at = verdict as usize;
            }
            _ => {
                walk.accepted = verdict == -2;
                return walk;
            }
        }
    }
}

fn matches(entry: &[u8], packet: &[u8]) -> Answer {
    let found = ip(entry, packet)?;
    let end = usize::from(u16_at(entry, IP + 4));
    let mut at = ENTRY;
    while at < end {
        let size = usize::from(u16_at(entry, at));
        let name = entry[at + 2..at + 31].split(|&byte| byte == 0).next();
        let data = &entry[at + EXTENSION..at + size];
        matching(name.expect("a name"), data, packet, found)?;
        at += size;
    }
    Ok(())
}

/// ip6_packet_match: where the transport header is, as matches are told.
fn ip(entry: &[u8], packet: &[u8]) -> Result<Found, Not> {
    let inverted = |bit: u8| entry[132] & bit != 0;
    for (address, invert) in [(0, 0x08), (16, 0x10)] {
        let differs = (0..16).any(|at| {
            (packet[8 + address + at] ^ entry[address + at]) & entry[32 + address + at] != 0
        });
        holds(differs == inverted(invert))?;
    }
    let names = [[0u8; 16], *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0"];
    for (place, (name, invert)) in names.iter().zip([0x01, 0x02]).enumerate() {
        let differs = (0..16)
            .any(|at| (name[at] ^ entry[64 + 16 * place + at]) & entry[96 + 16 * place + at] != 0);
        holds(differs == inverted(invert))?;
    }
    let nowhere = Found {
        protocol: 0,
        thoff: 0,
        fragoff: 0,
    };
    // IP6T_F_PROTO
    if entry[131] & 1 == 0 {
        return Ok(nowhere);
    }
    let found = find_header(packet).map_err(|_| Not::Hotdrop)?;
    let protocol = u16_at(entry, 128);
    if protocol == u16::from(found.protocol) {
        holds(!inverted(0x40))?;
    } else {
        holds(protocol == 0 || inverted(0x40))?;
    }
    Ok(found)
}

/// The first bytes of the transport header.
fn header(packet: &[u8], found: Found, len: usize) -> Result<&[u8], Not> {
    holds(found.fragoff == 0)?;
    packet
        .get(found.thoff..found.thoff + len)
        .ok_or(Not::Hotdrop)
}

fn within(range: &[u8], port: u16) -> bool {
    (u16_at(range, 0)..=u16_at(range, 2)).contains(&port)
}

fn matching(name: &[u8], data: &[u8], packet: &[u8], found: Found) -> Answer {
    let be16 = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let ports = |header: &[u8], invert: u8| {
        let source = within(data, be16(header, 0)) != (invert & 1 != 0);
        holds(source && within(&data[4..], be16(header, 2)) != (invert & 2 != 0))
    };
    match name {
        b"tcp" => {
            let header = header(packet, found, 20)?;
            ports(header, data[11])?;
            assert_eq!(data[8], 0, "no options here");
            holds((header[13] & data[9] == data[10]) != (data[11] & 4 != 0))
        }
        b"udp" => ports(header(packet, found, 8)?, data[8]),
        b"icmp6" => {
            let header = header(packet, found, 8)?;
            let same = header[0] == data[0] && (data[1]..=data[2]).contains(&header[1]);
            holds(same != (data[3] & 1 != 0))
        }
        b"multiport" => {
            let header = header(packet, found, 4)?;
            let sides = [be16(header, 0), be16(header, 2)];
            let asked = match data[0] {
                0 => &sides[..1],
                1 => &sides[1..],
                _ => &sides[..],
            };
            let mut any = false;
            let mut place = 0;
            while place < usize::from(data[1]) {
                let first = u16_at(data, 2 + 2 * place);
                let mut last = first;
                if data[32 + place] != 0 {
                    place += 1;
                    last = u16_at(data, 2 + 2 * place);
                }
                any |= asked.iter().any(|port| (first..=last).contains(port));
                place += 1;
            }
            holds(any != (data[47] != 0))
        }
        b"hl" => {
            let limit = packet[7];
            holds(match data[0] {
                0 => limit == data[1],
                1 => limit != data[1],
                2 => limit < data[1],
                _ => limit > data[1],
            })
        }
        b"length" => {
            let inside = (usize::from(u16_at(data, 0))..=usize::from(u16_at(data, 2)))
                .contains(&packet.len());
            holds(inside != (data[4] != 0))
        }
        b"tos" => {
            let class = (be16(packet, 0) >> 4) as u8;
            holds((class & data[0] == data[1]) != (data[2] != 0))
        }
        _ => panic!("{}", String::from_utf8_lossy(name)),
    }
}

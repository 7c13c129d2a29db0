// SPDX-License-Identifier: GPL-2.0-only
//! Random IPv6 packets with chains of extension headers.
//!
//! Owns: the bytes of a packet, whole ones with their checksums, and broken ones:
//! cut off, with lengths that lie, headers that repeat, and fragments. Which of
//! the kernel's hooks it meets follows from how it is sent ([`Way`]).

use fastrand::Rng;

use super::{GROUP, LINK_LOCAL, LOCAL, LOOPBACK, NO_WAY, REMOTE, SOURCES};
use crate::packet::random::{once_in, pick};

pub(super) const HOP: u8 = 0;
const TCP: u8 = 6;
const UDP: u8 = 17;
pub(super) const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
const ESP: u8 = 50;
pub(super) const AUTH: u8 = 51;
const ICMP: u8 = 58;
const NONE: u8 = 59;
pub(super) const DEST: u8 = 60;
const SCTP: u8 = 132;
const MOBILITY: u8 = 135;

/// Identifications of fragments.
pub(super) const FRAGMENT_IDS: [u32; 4] = [1, 2, 77, u32::MAX];

/// Ports that rules ask for, and packets go to.
pub(super) const PORTS: [u16; 7] = [22, 53, 80, 443, 1023, 4000, 65535];

/// How a packet gets into the namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// In an Ethernet frame through a tap.
    In {
        /// Which one.
        tap: usize,
        /// To a group's hardware address.
        group: bool,
        /// Bytes of the frame that lie in one piece; 0: all.
        linear: u16,
    },
    /// Through a raw socket, with this mark.
    Out {
        /// `SO_MARK`.
        mark: u32,
    },
}

/// A packet, and how it is sent.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    /// How.
    pub way: Way,
    /// From the IPv6 header on.
    pub bytes: Vec<u8>,
}

/// The sum of TCP, UDP and ICMPv6, in its place at `at`.
fn fill_checksum(addresses: &[u8], protocol: u8, payload: &mut [u8], at: usize) {
    let Some(place) = payload.get_mut(at..at + 2) else {
        return;
    };
    place.fill(0);
    let pseudo = [
        addresses,
        &(payload.len() as u32).to_be_bytes(),
        &[0, 0, 0, protocol],
    ]
    .concat();
    let mut sum: u32 = 0;
    for bytes in [&pseudo, &*payload] {
        for pair in bytes.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    };
    payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// A transport header and data, with the right checksum as a rule.
fn transport(rng: &mut Rng, protocol: u8, addresses: &[u8]) -> Vec<u8> {
    let data = vec![b'x'; pick(rng, &[0, 0, 1, 8, 100, 1300])];
    // No two connections from the same port: which one NAT takes instead is left to
    // chance.
    let (source, destination) = (rng.u16(1024..), pick(rng, &PORTS));
    let mut bytes = [source.to_be_bytes(), destination.to_be_bytes()].concat();
    let checksum = match protocol {
        TCP => {
            let options: &[u8] = pick::<&[u8]>(
                rng,
                &[
                    &[],
                    &[2, 4, 5, 0xb4],
                    &[2, 4, 5, 0x78, 4, 2, 1, 1],
                    &[1, 2, 4, 5, 0xb4, 1, 1, 1],
                    &[2, 1, 0, 0],
                    &[8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1],
                ],
            );
            let flags = pick(rng, &[0x02, 0x02, 0x02, 0x12, 0x10, 0x04, 0x11, 0x29]);
            bytes.extend(rng.u32(..).to_be_bytes());
            bytes.extend(rng.u32(..).to_be_bytes());
            bytes.extend([(((20 + options.len()) / 4) << 4) as u8, flags, 0x20, 0]);
            bytes.extend([0; 4]);
            bytes.extend(options);
            16
        }
        UDP => {
            bytes.extend((8 + data.len() as u16).to_be_bytes());
            bytes.extend([0; 2]);
            6
        }
        ICMP => {
            let kind = pick(rng, &[128, 128, 128, 129, 1, 2, 3, 4, 200]);
            bytes = vec![
                kind,
                pick(rng, &[0, 0, 0, 1, 3]),
                0,
                0,
                rng.u8(..),
                rng.u8(..),
                0,
                1,
            ];
            2
        }
        MOBILITY => {
            bytes = vec![NONE, 1, pick(rng, &[0, 1, 5, 6, 200]), 0, 0, 0, 0, 0];
            bytes.extend([0; 8]);
            4
        }
        _ => {
            bytes.extend(rng.u32(..).to_be_bytes());
            bytes.extend([0; 12]);
            usize::MAX - 2
        }
    };
    bytes.extend(data);
    if !once_in(rng, 15) {
        fill_checksum(addresses, protocol, &mut bytes, checksum);
    }
    if once_in(rng, 10) {
        bytes.truncate(rng.usize(..=24));
    }
    bytes
}

/// Options of a hop-by-hop or destination options header: padding, router alert,
/// and ones that the host does not know and may pass, drop or answer.
fn options(rng: &mut Rng) -> Vec<u8> {
    match rng.u32(..8) {
        0 => vec![5, 2, 0, 0, 1, 0],
        1 => vec![pick(rng, &[0x1e, 0x5e, 0x9e, 0xde]), 2, 0, 0, 1, 0],
        2 => vec![0; 6],
        3 => [vec![1, 12], vec![0; 12]].concat(),
        4 => vec![1, rng.u8(..), 0, 0, 0, 0],
        5 => vec![0xc2, 4, 0, 1, 0, 0],
        6 => vec![
            201, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0,
        ],
        _ => vec![1, 4, 0, 0, 0, 0],
    }
}

/// An extension header whose next one is `next`.
fn extension(rng: &mut Rng, kind: u8, next: u8) -> Vec<u8> {
    let mut header = vec![next, 0];
    match kind {
        FRAGMENT => {
            // First, middle, last, and the whole in one.
            let field = pick(rng, &[0, 0, 1, 1, 8, 9, 0x100, 0x4c1, 0xfff8, 6]);
            header[1] = pick(rng, &[0, 0, 0xff]);
            header.extend(u16::to_be_bytes(field));
            header.extend(pick(rng, &FRAGMENT_IDS).to_be_bytes());
            return header;
        }
        AUTH => {
            header[1] = pick(rng, &[1, 2, 4]);
            header.extend([0, 0]);
            header.extend(pick(rng, &[1u32, 256, 1000]).to_be_bytes());
            header.resize(4 * (2 + usize::from(header[1])), 0);
        }
        ROUTING => {
            let segments = rng.usize(..3);
            header[1] = 2 * segments as u8;
            let kind = pick(rng, &[0, 2, 3, 4, 4, 43]);
            header.extend([kind, rng.u8(..=segments as u8)]);
            // The last segment's number in a segment routing header.
            header.extend([segments.saturating_sub(1) as u8, 0, 0, 0]);
            for _ in 0..segments {
                header.extend(pick(rng, &REMOTE));
            }
        }
        _ => {
            header.extend(options(rng));
            let len = header.len().next_multiple_of(8);
            header.resize(len, 0);
            header[1] = (len / 8 - 1) as u8;
        }
    }
    if once_in(rng, 15) {
        header[1] = rng.u8(..);
    }
    header
}

/// The kinds of a chain, in any order and number.
fn chain(rng: &mut Rng) -> Vec<u8> {
    let mut kinds = Vec::new();
    match rng.u32(..12) {
        0..4 => {}
        4 => kinds.push(HOP),
        5 => kinds.push(FRAGMENT),
        // More than anybody needs.
        6 => kinds.resize(pick(rng, &[9, 33, 70]), DEST),
        _ => {
            if once_in(rng, 4) {
                kinds.push(HOP);
            }
            for _ in 0..rng.usize(1..4) {
                kinds.push(pick(
                    rng,
                    &[
                        DEST, DEST, DEST, ROUTING, ROUTING, FRAGMENT, AUTH, AUTH, HOP,
                    ],
                ));
            }
        }
    }
    kinds
}

/// A packet of the world.
fn shot(rng: &mut Rng) -> Shot {
    let way = match rng.u32(..10) {
        0..7 => Way::In {
            tap: rng.usize(..2),
            group: false,
            linear: 0,
        },
        _ => Way::Out {
            mark: pick(rng, &[0, 0, 1, 0x10]),
        },
    };
    let coming = matches!(way, Way::In { .. });
    let (source, destination) = match (coming, rng.u32(..16)) {
        (true, 0..6) => (pick(rng, &SOURCES), pick(rng, &LOCAL)),
        (true, 6..13) => (pick(rng, &SOURCES), pick(rng, &REMOTE)),
        (true, 13) => (pick(rng, &LINK_LOCAL), LINK_LOCAL[0]),
        (true, 14) => (pick(rng, &LINK_LOCAL), GROUP),
        (true, _) => (pick(rng, &[LOOPBACK, GROUP, [0; 16]]), LOCAL[0]),
        (false, 0..10) => (pick(rng, &LOCAL), pick(rng, &REMOTE)),
        (false, 10..14) => (pick(rng, &[LOCAL[0], LOOPBACK]), LOOPBACK),
        (false, 14) => (LOCAL[0], NO_WAY),
        (false, _) => (LOCAL[0], LOCAL[1]),
    };
    let addresses = [source, destination].concat();
    let mut protocol = pick(
        rng,
        &[
            TCP, TCP, TCP, UDP, UDP, ICMP, ICMP, ESP, MOBILITY, NONE, SCTP, 253,
        ],
    );
    let kinds = chain(rng);
    let mut payload = Vec::new();
    for (place, &kind) in kinds.iter().enumerate() {
        let next = kinds.get(place + 1).copied().unwrap_or(protocol);
        payload.extend(extension(rng, kind, next));
    }
    payload.extend(transport(rng, protocol, &addresses));
    if once_in(rng, 12) {
        payload.truncate(rng.usize(..=payload.len()));
    }
    let mut length = payload.len() as u16;
    match rng.u32(..24) {
        // Longer than what there is, shorter, and none, as of a jumbogram.
        0 => length += rng.u16(1..40),
        1 => length = rng.u16(..=length),
        2 => length = 0,
        _ => {}
    }
    if let Some(first) = kinds.first() {
        protocol = *first;
    }
    let mut bytes = vec![
        0x60 | pick(rng, &[0, 0, 0, 1, 0xb, 0xf]),
        pick(rng, &[0, 0, 0x80, 0xc0, 0x01, 0x47]),
        pick(rng, &[0, 0x12]),
        pick(rng, &[0, 0x34]),
    ];
    bytes.extend(length.to_be_bytes());
    bytes.push(protocol);
    bytes.push(pick(rng, &[64, 64, 64, 64, 63, 63, 62, 255, 2, 1, 0]));
    bytes.extend(addresses);
    bytes.extend(payload);
    if once_in(rng, 80) {
        bytes[0] = 0x40 | bytes[0] & 0x0f;
    }
    if once_in(rng, 12) && coming {
        // Ethernet pads.
        bytes.extend(vec![0xee; rng.usize(1..20)]);
    }
    let way = match way {
        Way::In { tap, .. } => Way::In {
            tap,
            group: destination == GROUP,
            // From nothing but the Ethernet header on.
            linear: match rng.bool() {
                true => rng.u16(14..120).min(bytes.len() as u16),
                false => 0,
            },
        },
        out => out,
    };
    Shot { way, bytes }
}

/// A packet as two or three fragments, now and then not in order, or with a gap.
fn fragments(rng: &mut Rng, whole: &Shot) -> Vec<Shot> {
    let (header, payload) = whole.bytes.split_at(40);
    let id = pick(rng, &FRAGMENT_IDS);
    let size = (payload.len() / rng.usize(2..4)).next_multiple_of(8).max(8);
    let parts: Vec<&[u8]> = payload.chunks(size).collect();
    let mut shots = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let more = place + 1 < parts.len();
        let field = (place * size) as u16 | u16::from(more);
        let mut bytes = header.to_vec();
        bytes[4..6].copy_from_slice(&(8 + part.len() as u16).to_be_bytes());
        bytes[6] = FRAGMENT;
        bytes.extend([header[6], 0]);
        bytes.extend(field.to_be_bytes());
        bytes.extend(id.to_be_bytes());
        bytes.extend(*part);
        shots.push(Shot {
            way: whole.way,
            bytes,
        });
    }
    if once_in(rng, 3) {
        rng.shuffle(&mut shots);
    }
    if once_in(rng, 6) {
        shots.pop();
    }
    shots
}

/// So many packets, and fragments of others.
pub(super) fn shots(rng: &mut Rng, count: usize) -> Vec<Shot> {
    let mut shots = Vec::new();
    for _ in 0..count {
        let mut one = shot(rng);
        if once_in(rng, 12) {
            if let Way::In { linear, .. } = &mut one.way {
                *linear = 0;
            }
            shots.extend(fragments(rng, &one));
        } else {
            shots.push(one);
        }
    }
    shots
}

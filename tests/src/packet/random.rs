// SPDX-License-Identifier: GPL-2.0-only
//! Random packets of the small world, sane and insane.
//!
//! Owns: which packets the tests send. One seed gives one sequence.

use fastrand::Rng;

use crate::packet::{DONT_FRAGMENT, Ipv4, MORE_FRAGMENTS, Tcp, icmp, protocol, udp};
use crate::world::{
    ALL_HOSTS, LOCAL, LOOPBACK, MARKS, PORTS, REMOTE, SOURCES, Shot, TAP_ADDRESS, TAPS, Way,
};

/// One of these.
pub fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// True once in so many times.
pub fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

/// Where a packet is to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Path {
    Input,
    Forward,
    Output,
    Loopback,
}

/// A packet of the small world.
pub fn shot(rng: &mut Rng) -> Shot {
    let path = match rng.u32(..10) {
        0..4 => Path::Input,
        4..7 => Path::Forward,
        7..9 => Path::Output,
        _ => Path::Loopback,
    };
    let mut ip = packet(rng, path);
    let mut sane = true;
    let fragment_allowed = matches!(path, Path::Forward | Path::Output);
    if once_in(rng, if fragment_allowed { 5 } else { 40 }) {
        ip.fragment = match rng.u32(..6) {
            0 => MORE_FRAGMENTS,
            1 => 1,
            2 => MORE_FRAGMENTS | 1,
            3 => 0x1fff,
            _ => rng.u16(..0x2000),
        };
        sane &= fragment_allowed;
    } else if rng.bool() {
        ip.fragment = DONT_FRAGMENT;
    }
    if once_in(rng, 12) {
        sane = false;
        make_insane(rng, &mut ip);
    }
    let mut bytes = ip.build();
    if once_in(rng, 10) {
        // Ethernet pads, and the IP layer trims again; a raw socket does not.
        bytes.extend(std::iter::repeat_n(0xee, rng.usize(1..20)));
    }
    let way = match path {
        Path::Output | Path::Loopback => Way::Out {
            mark: pick(rng, &MARKS),
        },
        Path::Input | Path::Forward => Way::In {
            tap: rng.usize(..TAPS.len()),
            hardware: if path == Path::Forward || !once_in(rng, 3) {
                TAP_ADDRESS
            } else if rng.bool() {
                [0xff; 6]
            } else {
                [0x01, 0, 0x5e, 0, 0, 1]
            },
            // From nothing but the Ethernet header to all headers.
            linear: if rng.bool() {
                rng.u16(14..100).min(bytes.len() as u16)
            } else {
                0
            },
        },
    };
    Shot { way, bytes, sane }
}

/// A packet on its way, correct so far.
fn packet(rng: &mut Rng, path: Path) -> Ipv4 {
    let source = pick(rng, &SOURCES);
    let destination = match path {
        Path::Input => pick(rng, &LOCAL),
        Path::Forward => pick(rng, &REMOTE),
        Path::Output if once_in(rng, 8) => ALL_HOSTS,
        Path::Output => pick(rng, &REMOTE),
        Path::Loopback => pick(rng, &LOOPBACK),
    };
    let protocol = match rng.u32(..20) {
        0..8 => protocol::TCP,
        8..13 => protocol::UDP,
        13..16 => protocol::ICMP,
        _ => pick(
            rng,
            &[
                2,
                47,
                50,
                51,
                89,
                protocol::DCCP,
                protocol::SCTP,
                protocol::UDPLITE,
                253,
            ],
        ),
    };
    let payload = payload(rng, protocol, source, destination);
    Ipv4 {
        tos: pick(rng, &[0, 0, 0x10, 0x08, 0xb8, 0x03, 0xff]),
        id: rng.u16(1..),
        ttl: match rng.u32(..4) {
            0 => rng.u8(2..6),
            1 => 255,
            _ => 64,
        },
        protocol,
        source,
        destination,
        options: ip_options(rng),
        payload,
        ..Ipv4::default()
    }
}

fn ip_options(rng: &mut Rng) -> Vec<u8> {
    match rng.u32(..16) {
        // No operation, up to all that fits.
        0 => vec![1; rng.usize(1..=40)],
        // Router alert.
        1 => vec![148, 4, 0, 0],
        // Record route, with room for nine.
        2 => [vec![7, 39, 4], vec![0; 36]].concat(),
        _ => Vec::new(),
    }
}

/// The payload of a packet: a header of its protocol, sometimes cut short.
fn payload(rng: &mut Rng, protocol: u8, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let data = vec![b'x'; pick(rng, &[0, 0, 0, 1, 8, 8, 100, 512, 1200, 5000])];
    let ports = (pick(rng, &PORTS), pick(rng, &PORTS));
    let mut bytes = match protocol {
        protocol::TCP => Tcp {
            source: ports.0,
            destination: ports.1,
            sequence: rng.u32(..),
            acknowledgement: rng.u32(..),
            flags: pick_flags(rng),
            options: tcp_options(rng),
            header_words: once_in(rng, 12).then(|| rng.u8(..16)),
            data,
        }
        .build(source, destination),
        protocol::UDP => udp((source, ports.0), (destination, ports.1), &data),
        protocol::ICMP => {
            let kind = pick(rng, &[0, 3, 5, 8, 8, 11, 12, 13, 30, 255]);
            let code = pick(rng, &[0, 0, 1, 3, 13, 255]);
            icmp(kind, code, [0, rng.u8(..), 0, 1], &data)
        }
        _ => {
            let mut bytes = ports.0.to_be_bytes().to_vec();
            bytes.extend(ports.1.to_be_bytes());
            bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(16));
            bytes
        }
    };
    if once_in(rng, 10) {
        // Every length that a match has to look twice at.
        bytes.truncate(rng.usize(..=24));
    }
    bytes
}

/// Mostly what TCP sends, now and then any byte.
fn pick_flags(rng: &mut Rng) -> u8 {
    match rng.u32(..4) {
        0 => rng.u8(..),
        _ => pick(rng, &[0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00, 0x29]),
    }
}

/// Well-formed lists and broken ones.
fn tcp_options(rng: &mut Rng) -> Vec<u8> {
    let mut options = match rng.u32(..6) {
        0 => vec![
            2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
        ],
        1 => vec![2, 4, 5, 0xb4],
        2 => vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
        // Lengths of 0 and 1, lengths past the end, a kind as the last byte.
        3 | 4 => {
            let len = pick(rng, &[4, 8, 12, 40]);
            std::iter::repeat_with(|| pick(rng, &[0, 0, 1, 1, 2, 3, 4, 5, 8, 30, 253]))
                .take(len)
                .collect()
        }
        _ => Vec::new(),
    };
    options.resize(options.len().next_multiple_of(4), 1);
    options
}

/// Breaks one thing that the kernel looks at before or after the filter.
fn make_insane(rng: &mut Rng, ip: &mut Ipv4) {
    match rng.u32(..9) {
        0 => ip.ttl = rng.u8(..2),
        1 => ip.bad_checksum = true,
        2 => ip.total_length = Some(rng.u16(..)),
        3 => ip.header_words = Some(rng.u8(5..16)),
        4 => ip.version = Some(rng.u8(..16)),
        5 => {
            ip.source = pick(
                rng,
                &[
                    [127, 0, 0, 1],
                    [224, 0, 0, 1],
                    [10, 1, 0, 255],
                    [0, 0, 0, 1],
                ],
            )
        }
        6 => ip.destination = [10, 99, 0, 1],
        7 => {
            let len = rng.usize(1..40);
            ip.options = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
        }
        _ => ip.fragment = rng.u16(..),
    }
}

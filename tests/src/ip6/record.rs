// SPDX-License-Identifier: GPL-2.0-only
//! The record of an IPv6 packet, as the kernel half fills it in.
//!
//! Owns: the way along the chain of headers, written from `ipv6_find_hdr()`, and
//! the record that `msgfmt` describes.

use bpfilter_msgfmt::{
    self as msg, HEADER_ABSENT, HEADER_BROKEN, HEADER_MALFORMED, HEADER_PRESENT, Packet, field,
};
use zerocopy::FromZeros;

/// Bytes of an IPv6 header.
pub const HEADER: usize = 40;

const HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTH: u8 = 51;
const NONE: u8 = 59;
const DEST: u8 = 60;

/// Where a chain of headers ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    /// The protocol there.
    pub protocol: u8,
    /// Where its header is; 0 in a later fragment.
    pub thoff: usize,
    /// Bytes before this fragment.
    pub fragoff: u16,
}

/// Why `ipv6_find_hdr()` fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The packet ends inside a header.
    CutOff,
    /// A header says that it is longer than what there is. Linux 6.12.117 finds
    /// that, and so do we; not every kernel does.
    Overlong,
    /// A later fragment that starts with an extension header.
    Fragment,
}

/// `ipv6_find_hdr()` for any protocol.
pub fn find_header(bytes: &[u8]) -> Result<Found, Broken> {
    let extension = |next| matches!(next, HOP | ROUTING | FRAGMENT | AUTH | NONE | DEST);
    let mut next = bytes[6];
    let mut start = HEADER;
    while extension(next) && next != NONE {
        let part = |at: usize, len| {
            bytes
                .get(start + at..start + at + len)
                .ok_or(Broken::CutOff)
        };
        let header = part(0, 2)?;
        let len = match next {
            FRAGMENT => {
                let field = part(2, 2)?;
                let fragoff = u16::from_be_bytes([field[0], field[1]]) & !7;
                if fragoff != 0 {
                    let ends = !extension(header[0]) || header[0] == NONE;
                    return ends
                        .then_some(Found {
                            protocol: header[0],
                            thoff: 0,
                            fragoff,
                        })
                        .ok_or(Broken::Fragment);
                }
                8
            }
            ROUTING => {
                part(0, 4)?;
                (usize::from(header[1]) + 1) * 8
            }
            AUTH => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        if bytes.len() - start < len {
            return Err(Broken::Overlong);
        }
        next = header[0];
        start += len;
    }
    Ok(Found {
        protocol: next,
        thoff: start,
        fragoff: 0,
    })
}

/// How many bytes of its header the match of a protocol asks for.
fn header_len(protocol: u8) -> Option<usize> {
    match protocol {
        6 => Some(20),
        17 | 50 | 58 => Some(8),
        33 | 132 => Some(12),
        136 => Some(4),
        _ => None,
    }
}

/// The record of a packet that goes out on the loopback interface, without a
/// connection, at a position.
pub fn record(bytes: &[u8], position: u32, underflow: u32) -> Packet {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let pair = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let mut packet = Packet {
        position,
        underflow,
        len: bytes.len() as u32,
        ..Packet::new_zeroed()
    };
    packet.output[..2].copy_from_slice(b"lo");
    for (half, bytes) in packet.addresses.iter_mut().zip(bytes[8..HEADER].chunks(8)) {
        *half = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    }
    let mut set = |field: u32, value: u32| packet.field[field as usize] = value;
    for place in 0..4 {
        set(field::SADDR + place, word(8 + 4 * place as usize));
        set(field::DADDR + place, word(24 + 4 * place as usize));
    }
    set(field::LENGTH, bytes.len() as u32);
    set(field::TTL, bytes[7].into());
    set(field::TOS, u32::from(pair(0) >> 4 & 0xff));
    // Neither a connection nor exempted from tracking.
    set(field::CONNECTION, 1);
    let Ok(found) = find_header(bytes) else {
        packet.header = HEADER_BROKEN;
        packet.ports = HEADER_BROKEN;
        return packet;
    };
    set(field::PROTOCOL, found.protocol.into());
    packet.descriptor = found.protocol.into();
    packet.transport = found.thoff as u32;
    if found.fragoff != 0 {
        packet.descriptor |= msg::PACKET_FRAGMENT;
        packet.header = HEADER_ABSENT;
        packet.ports = HEADER_ABSENT;
        return packet;
    }
    let Some(len) = header_len(found.protocol) else {
        return packet;
    };
    let header = &bytes[found.thoff..];
    packet.header = match header.len() < len {
        true => HEADER_MALFORMED,
        false => HEADER_PRESENT,
    };
    if header.len() < 4 {
        packet.ports = HEADER_MALFORMED;
        return packet;
    }
    if header.len() >= len {
        packet.descriptor |= msg::PACKET_TRANSPORT;
    }
    let (source, destination) = (pair(found.thoff), pair(found.thoff + 2));
    packet.descriptor |= u64::from(source) << msg::PACKET_SPORT;
    packet.descriptor |= u64::from(destination) << msg::PACKET_DPORT;
    packet.field[field::SPORT as usize] = source.into();
    packet.field[field::DPORT as usize] = destination.into();
    if found.protocol == 6 && header.len() >= len {
        packet.field[field::TCP_FLAGS as usize] = header[13].into();
    }
    packet
}

// SPDX-License-Identifier: GPL-2.0-only
//! The kernel half's part in running a program: the record of a packet, and the
//! answers to what the program calls.
//!
//! Owns: the record that `kern/net/bpfilter/packet.c` would fill in for a packet
//! of a test run, written from the descriptions in `msgfmt` and from the match
//! functions.

use bpfilter_msgfmt::{
    self as msg, ANSWER_NO, ANSWER_YES, HEADER_ABSENT, HEADER_MALFORMED, HEADER_PRESENT, Packet,
    field,
};
use zerocopy::FromZeros;

use crate::oracle::evaluate::{GO_ON, SOURCE_BITS};

/// A match or target that a rule of a test uses.
#[derive(Clone, Copy, Debug)]
pub enum Called {
    /// [`SOURCE_BITS`], with its bits.
    SourceBits(u8),
    /// [`GO_ON`].
    GoOn,
    /// One of x_tables' own, which nobody can run here.
    Elsewhere,
}

impl Called {
    /// The one that a header of an entry names.
    pub fn of(header: &[u8]) -> Option<Self> {
        let name = header.get(2..)?.split(|&byte| byte == 0).next()?;
        match std::str::from_utf8(name).ok()? {
            SOURCE_BITS => header.get(32).map(|&bits| Self::SourceBits(bits)),
            GO_ON => Some(Self::GoOn),
            _ => Some(Self::Elsewhere),
        }
    }

    /// Runs it for a packet, whose record becomes what the program is called with
    /// next.
    pub fn answer(self, bytes: &[u8], packet: &mut Packet) {
        packet.answer = match self {
            Self::SourceBits(bits) => {
                let answer = match bytes[15] & bits {
                    0 => ANSWER_NO,
                    _ => ANSWER_YES,
                };
                // As if it had changed something, for some packets.
                if bytes.len().is_multiple_of(3) {
                    fill_anew(bytes, packet);
                    answer | msg::ANSWER_ANEW
                } else {
                    answer
                }
            }
            Self::GoOn => {
                fill_anew(bytes, packet);
                msg::ANSWER_NONE
            }
            Self::Elsewhere => panic!("x_tables is not asked in a test run"),
        };
    }
}

/// What is known of the packet; where it is in the rules stays.
fn fill_anew(bytes: &[u8], packet: &mut Packet) {
    let new = record(bytes, packet.position, packet.underflow);
    *packet = Packet {
        depth: packet.depth,
        hotdrop: packet.hotdrop,
        ..new
    };
}

/// How many bytes of its header the matches of a protocol ask for.
fn header_len(protocol: u8) -> Option<usize> {
    match protocol {
        6 => Some(20),
        1 | 17 | 50 => Some(8),
        33 | 51 | 132 => Some(12),
        136 => Some(4),
        _ => None,
    }
}

/// The record of a packet that goes out on the loopback interface, without a
/// connection, at a position.
pub fn record(bytes: &[u8], position: u32, underflow: u32) -> Packet {
    let at = |place: usize| u32::from(bytes.get(place).copied().unwrap_or(0));
    let pair = |place: usize| at(place) << 8 | at(place + 1);
    let address = |place: usize| pair(place) << 16 | pair(place + 2);
    let mut packet = Packet {
        addresses: [
            u64::from(address(12).to_be()) | u64::from(address(16).to_be()) << 32,
            0,
            0,
            0,
        ],
        position,
        underflow,
        len: bytes.len() as u32,
        transport: (at(0) & 0xf) * 4,
        ..Packet::new_zeroed()
    };
    packet.output[..2].copy_from_slice(b"lo");
    let protocol = bytes[9];
    let transport = packet.transport as usize;
    let fragment = pair(6) & 0x1fff;
    packet.descriptor = protocol.into();
    let present = bytes.len().saturating_sub(transport);
    let ports = match header_len(protocol) {
        _ if fragment != 0 => {
            packet.descriptor |= msg::PACKET_FRAGMENT;
            packet.ports = HEADER_ABSENT;
            packet.header = match (protocol, fragment) {
                (6, 1) => HEADER_MALFORMED,
                _ => HEADER_ABSENT,
            };
            None
        }
        None => None,
        Some(len) => {
            if present < len {
                packet.header = HEADER_MALFORMED;
            } else {
                packet.descriptor |= msg::PACKET_TRANSPORT;
            }
            if present < 4 {
                packet.ports = HEADER_MALFORMED;
                None
            } else {
                packet.ports = HEADER_PRESENT;
                Some([pair(transport), pair(transport + 2)])
            }
        }
    };
    let [source, destination] = ports.unwrap_or_default();
    packet.descriptor |= u64::from(source) << msg::PACKET_SPORT;
    packet.descriptor |= u64::from(destination) << msg::PACKET_DPORT;
    for (field, value) in [
        (field::SADDR, address(12)),
        (field::DADDR, address(16)),
        (field::PROTOCOL, protocol.into()),
        (field::SPORT, source),
        (field::DPORT, destination),
        (field::TCP_FLAGS, at(transport + 13)),
        (field::LENGTH, pair(2)),
        (field::TTL, at(8)),
        (field::TOS, at(1)),
        // Neither a connection nor exempted from tracking.
        (field::CONNECTION, 1),
    ] {
        packet.field[field as usize] = value;
    }
    packet
}

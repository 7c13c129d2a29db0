// SPDX-License-Identifier: GPL-2.0-only
//! Questions about a packet, and those that are answered once for all rules.
//!
//! Owns: [`Test`], the form that all matches without state come down to, and
//! [`Predicates`]: questions that do not fit into the other bits of the class
//! word, and have a bit of it each. A program answers them once for each packet,
//! before it compares any rule.

use heapless::Vec;

use super::record::{Pattern, class};
use crate::abi::Family;

/// A number that is known of a packet. The record of the packet has them in an
/// array, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// Source address in host order. An IPv6 address is four fields.
    Source = 0,
    /// Its second word.
    Source1 = 1,
    /// Its third word.
    Source2 = 2,
    /// Its fourth word.
    Source3 = 3,
    /// Destination address in host order, likewise.
    Destination = 4,
    /// Its second word.
    Destination1 = 5,
    /// Its third word.
    Destination2 = 6,
    /// Its fourth word.
    Destination3 = 7,
    /// Protocol.
    Protocol = 8,
    /// Source port, or ICMP type and code.
    SourcePort = 9,
    /// Destination port.
    DestinationPort = 10,
    /// TCP flags.
    TcpFlags = 11,
    /// The packet's mark.
    Mark = 12,
    /// Total length.
    Length = 13,
    /// Time to live.
    Ttl = 14,
    /// Type of service.
    Tos = 15,
    /// `PACKET_*`.
    PacketType = 16,
    /// What connection tracking says: `CT_*`.
    Connection = 17,
    /// The first four bytes of the Ethernet source, as they lie in memory.
    MacFirst = 18,
    /// The last two, and [`MAC_PRESENT`]; 0 without an Ethernet header.
    MacLast = 19,
    /// The CPU.
    Cpu = 20,
    /// Group of the incoming interface.
    InGroup = 21,
    /// Group of the outgoing interface.
    OutGroup = 22,
    /// Realm of the route.
    Realm = 23,
    /// User who opened the socket.
    User = 24,
    /// Their group.
    Group = 25,
    /// What sent the packet: `SOCKET_*`.
    Socket = 26,
    /// No number of the packet: what an op before this one has found.
    Found = 27,
    /// Time to live before this machine has made it less, in 8 bits.
    TtlBefore = 28,
    /// The connection's mark.
    ConnMark = 29,
}

// What the kernel half fills in has its numbers.
const _: () = {
    use bpfilter_msgfmt::field;
    const SAME: [(Field, u32); 21] = [
        (Field::Source, field::SADDR),
        (Field::Destination, field::DADDR),
        (Field::Source3, field::SADDR + 3),
        (Field::Destination3, field::DADDR + 3),
        (Field::Protocol, field::PROTOCOL),
        (Field::SourcePort, field::SPORT),
        (Field::DestinationPort, field::DPORT),
        (Field::TcpFlags, field::TCP_FLAGS),
        (Field::Mark, field::MARK),
        (Field::Length, field::LENGTH),
        (Field::Ttl, field::TTL),
        (Field::Tos, field::TOS),
        (Field::PacketType, field::PKTTYPE),
        (Field::Connection, field::CONNECTION),
        (Field::MacFirst, field::MAC_FIRST),
        (Field::MacLast, field::MAC_LAST),
        (Field::Cpu, field::CPU),
        (Field::InGroup, field::IN_GROUP),
        (Field::OutGroup, field::OUT_GROUP),
        (Field::Realm, field::REALM),
        (Field::ConnMark, field::CONNMARK),
    ];
    let mut rest: &[(Field, u32)] = &SAME;
    while let [(ours, theirs), after @ ..] = rest {
        assert!(*ours as u32 == *theirs);
        rest = after;
    }
    assert!(FIELDS == bpfilter_msgfmt::FIELDS);
    assert!(class::FRAGMENT == bpfilter_msgfmt::PACKET_FRAGMENT);
    assert!(class::TRANSPORT == bpfilter_msgfmt::PACKET_TRANSPORT);
    assert!(class::SOURCE_PORT == bpfilter_msgfmt::PACKET_SPORT);
    assert!(class::DESTINATION_PORT == bpfilter_msgfmt::PACKET_DPORT);
    assert!(CT_ORIGINAL == bpfilter_msgfmt::CT_ORIGINAL);
    assert!(CT_PRESENT == bpfilter_msgfmt::CT_PRESENT);
    assert!(MAC_PRESENT == bpfilter_msgfmt::MAC_PRESENT);
};

/// A field of which the index knows ranges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ranged {
    /// [`Field::SourcePort`].
    SourcePort,
    /// [`Field::DestinationPort`].
    DestinationPort,
    /// [`Field::Length`].
    Length,
    /// [`Field::Ttl`].
    Ttl,
}

impl Ranged {
    /// The field of that number; `None` for all that have no ranges.
    pub(crate) const fn of(field: u16) -> Option<Self> {
        const SOURCE_PORT: u16 = Field::SourcePort as u16;
        const DESTINATION_PORT: u16 = Field::DestinationPort as u16;
        const LENGTH: u16 = Field::Length as u16;
        const TTL: u16 = Field::Ttl as u16;
        match field {
            SOURCE_PORT => Some(Self::SourcePort),
            DESTINATION_PORT => Some(Self::DestinationPort),
            LENGTH => Some(Self::Length),
            TTL => Some(Self::Ttl),
            _ => None,
        }
    }
}

/// Fields that there is room for.
pub const FIELDS: usize = 30;

/// In [`Field::MacLast`]: there is an Ethernet header.
pub const MAC_PRESENT: u32 = 1 << 16;
/// In [`Field::Socket`]: a socket of this namespace.
pub const SOCKET_PRESENT: u32 = 1 << 0;
/// In [`Field::Socket`]: and it belongs to an open file.
pub const SOCKET_FILE: u32 = 1 << 1;

/// In [`Field::Connection`]: the packet is of the original direction. Below
/// are the bits of `XT_CONNTRACK_STATE_*`.
pub const CT_ORIGINAL: u32 = 1 << 16;
/// In [`Field::Connection`]: there is a connection.
pub const CT_PRESENT: u32 = 1 << 17;
/// `XT_CONNTRACK_STATE_INVALID`.
pub const CT_INVALID: u32 = 1 << 0;
/// `XT_CONNTRACK_STATE_SNAT` and `_DNAT`.
pub const CT_NAT: u32 = 1 << 6 | 1 << 7;
/// `XT_CONNTRACK_STATE_UNTRACKED`.
pub const CT_UNTRACKED: u32 = 1 << 8;

/// `((field & mask) - low) <= span` in 32 bits, inverted or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Test {
    /// What is looked at.
    pub field: Field,
    /// The bits that count.
    pub mask: u32,
    /// Least value.
    pub low: u32,
    /// Most that it may be above the least.
    pub span: u32,
    /// Whether it must not hold.
    pub invert: bool,
}

impl Test {
    /// The field lies between two values; never, if they are out of order.
    pub const fn between(field: Field, low: u32, high: u32) -> Self {
        if low > high {
            return Self::any_of(field, 0);
        }
        Self {
            field,
            mask: u32::MAX,
            low,
            span: high - low,
            invert: false,
        }
    }

    /// The masked field is a value.
    pub const fn equal(field: Field, mask: u32, value: u32) -> Self {
        Self {
            field,
            mask,
            low: value,
            span: 0,
            invert: false,
        }
    }

    /// One of the bits is set.
    pub const fn any_of(field: Field, bits: u32) -> Self {
        Self {
            field,
            mask: bits,
            low: 1,
            span: u32::MAX - 1,
            invert: false,
        }
    }

    /// For one that asks whether bits of a word of an address are a value: the number
    /// of the field, counted from the first word of the source on. A predicate for it
    /// needs no field: it compares the word as it stands in the header.
    pub(crate) const fn of_address(&self) -> Option<u8> {
        if self.field as u32 <= Field::Destination3 as u32 && self.span == 0 {
            Some(self.field as u8)
        } else {
            None
        }
    }

    /// Inverted if asked for.
    pub const fn invert_if(self, invert: bool) -> Self {
        Self {
            invert: self.invert != invert,
            ..self
        }
    }
}

/// A question that is answered before any rule is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// A test, not inverted.
    Test(Test),
    /// The name of the incoming (false) or outgoing (true) interface.
    Interface(bool, Pattern),
}

/// A question, and which part of the rules asks it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Predicate {
    /// The question.
    pub question: Question,
    /// Rules ask it before their matches, so its answer counts for malformed
    /// packets, too.
    pub ip_part: bool,
}

/// The predicates of a table, each with a bit of the class word.
#[derive(Debug, Default)]
pub struct Predicates {
    list: Vec<Predicate, { class::PREDICATES }>,
    /// Ranges that one rule has asked for so far, by a hash of five bits: they
    /// get a predicate only if a second rule asks the same.
    once: [u32; 32],
}

impl Predicates {
    /// The bit of a predicate; a new one gets the next bit that is free. In a
    /// table with rule bitmaps a range that no other rule asks for gets none:
    /// bitmaps tell rules apart by it, too.
    pub(super) fn bit(&mut self, predicate: Predicate, bitmaps: bool) -> Option<u64> {
        let index = match self.list.iter().position(|known| *known == predicate) {
            Some(index) => index,
            None => {
                if bitmaps
                    && let Question::Test(test) = predicate.question
                    && Ranged::of(test.field as u16).is_some()
                {
                    let range = test.low << 16 ^ test.span ^ 1;
                    let once = self
                        .once
                        .get_mut((range.wrapping_mul(0x9e37_79b9) >> 27) as usize)?;
                    if core::mem::replace(once, range) != range {
                        return None;
                    }
                }
                self.list.push(predicate).ok()?;
                self.list.len() - 1
            }
        };
        Some(1 << (class::PREDICATE as usize + index))
    }

    /// All of them, each with its bit's number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i32, &Predicate)> {
        (class::PREDICATE as i32..).zip(&self.list)
    }

    /// The bits that count for a malformed packet.
    pub(crate) fn malformed_keeps(&self, family: Family) -> u64 {
        let always = match family {
            Family::Ipv4 => class::MALFORMED_KEEPS,
            // Where the chain of headers is broken no protocol is known.
            Family::Ipv6 => class::MALFORMED_KEEPS & !class::PROTOCOL,
        };
        self.iter()
            .filter(|(_, predicate)| predicate.ip_part)
            .fold(always, |bits, (bit, _)| bits | 1 << bit)
    }
}

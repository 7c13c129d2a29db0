// SPDX-License-Identifier: GPL-2.0-only
//! Questions of matches that keep no state.
//!
//! Owns: what an extension may ask of the transport header, the packet's bytes
//! and its connection, each as one op or more.

use zerocopy::IntoBytes;

use super::{Draft, inverted};
use crate::ir::kind;
use crate::ir::record::{Op, class};
use crate::ir::test::{Field, Test};

/// Makes a port one that no packet has.
const NO_PORT: u32 = 0x10000;

/// From where on bytes of the packet are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Payload {
    /// The IP header.
    Network = 0,
    /// The transport header.
    Transport = 1,
    /// As far behind the last word's place as what is found says.
    Found = 2,
}

/// A bit for the source port, and one for the destination's, as in `xt_tcp`,
/// `xt_udp`, `xt_dccp` and `xt_sctp`.
pub(crate) const BOTH_PORTS: u32 = 1 << 0 | 1 << 1;

/// What becomes of a packet that ends before the bytes that a match reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CutOff {
    /// The rule fails.
    Fails,
    /// The packet is dropped.
    Drops,
}

/// How much of the transport header a match asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// All that TCP, UDP or ICMP have.
    Whole = 0,
    /// The ports.
    Ports = 1,
}

impl Draft<'_, '_> {
    /// The rule holds only for a packet with a transport header; one whose
    /// header is cut off is dropped here.
    pub(crate) fn transport(&mut self, which: Transport) {
        if self.done {
            return;
        }
        self.out.uses.transport = true;
        if self.pure && !self.is_malformed() {
            self.class(class::TRANSPORT, class::TRANSPORT);
            return;
        }
        let what = which as u16;
        self.op(Op {
            kind: kind::GUARD,
            what,
            ..Op::default()
        });
        // No malformed packet passes it.
        self.done = self.is_malformed() && which == Transport::Whole;
    }

    /// The rule holds only if a port lies in a range.
    pub(crate) fn port(&mut self, field: Field, range: [u16; 2], invert: bool) {
        let [first, last] = range;
        if range != [0, u16::MAX] || invert {
            self.require(Test::between(field, first.into(), last.into()).invert_if(invert));
        }
    }

    /// The rule holds only for a packet with a transport header, and only if
    /// those ports that are asked for lie in ranges. Bits as in [`BOTH_PORTS`]
    /// ask, and invert.
    pub(crate) fn header_with_ports(
        &mut self,
        asked: u32,
        inverted: u32,
        source: [u16; 2],
        destination: [u16; 2],
    ) {
        self.transport(Transport::Whole);
        for (bit, field, range) in [
            (1, Field::SourcePort, source),
            (2, Field::DestinationPort, destination),
        ] {
            if asked & bit != 0 {
                self.port(field, range, inverted & bit != 0);
            }
        }
    }

    /// The rule holds only if one of the ports is in one of the ranges.
    pub(crate) fn ports(
        &mut self,
        source: bool,
        destination: bool,
        ranges: &[[u16; 2]; 15],
        invert: bool,
    ) {
        if self.done {
            return;
        }
        for (used, field) in [
            (source, Field::SourcePort),
            (destination, Field::DestinationPort),
        ] {
            if used {
                self.out.uses.fields |= 1 << field as u32;
                if source != destination && !invert && self.pure && !self.is_malformed() {
                    // What comes first and last of the list.
                    let real = ranges.iter().filter(|[first, last]| first <= last);
                    let span = real.fold([u16::MAX, 0], |[low, high], [first, last]| {
                        [low.min(*first), high.max(*last)]
                    });
                    let [low, high] = span.map(u32::from);
                    if low <= high {
                        self.port_bits(&Test::between(field, low, high));
                    }
                }
            }
        }
        let op = Op {
            kind: kind::PORTS,
            flags: inverted(invert),
            mask: if source { 0 } else { NO_PORT },
            low: if destination { 0 } else { NO_PORT },
            ..Op::default()
        };
        self.op_with(op, ranges.as_bytes());
    }

    /// The rule holds only if the op of that kind says so of `data`, of a packet
    /// that it leaves as it is.
    pub(crate) fn question(&mut self, kind: u8, data: &[u8], invert: bool) {
        let op = Op {
            kind,
            flags: inverted(invert),
            ..Op::default()
        };
        self.op_with(op, data);
    }

    /// The match of x_tables that has this number.
    pub(crate) fn x_tables(&mut self) {
        self.op(Op {
            kind: kind::XT_MATCH,
            low: self.number,
            ..Op::default()
        });
        self.pure = false;
    }

    /// The rule holds only if the TCP option is there, and if the number in
    /// it, of two bytes, passes the test; a test of no bits asks for no
    /// number. A packet whose options are cut off is dropped.
    pub(crate) fn tcp_option(&mut self, option: u8, test: &Test) {
        self.test_op(kind::TCP_OPTION, option.into(), test);
        self.pure = false;
    }

    /// Four bytes of the packet become [`Field::Found`], see
    /// [`kind::PAYLOAD`].
    pub(crate) fn payload_word(&mut self, from: Payload, offset: u32, cut_off: CutOff) {
        let drops = cut_off == CutOff::Drops;
        self.op(Op {
            kind: kind::PAYLOAD,
            what: from as u16,
            mask: offset,
            low: drops.into(),
            ..Op::default()
        });
        self.pure &= !drops;
    }

    /// What is found is masked, and shifted left, and right.
    pub(crate) fn shift(&mut self, mask: u32, left: u32, right: u32) {
        self.op(Op {
            kind: kind::SHIFT,
            mask,
            low: left,
            span: right,
            ..Op::default()
        });
    }

    /// What is found becomes the bit of that number.
    pub(crate) fn bit(&mut self) {
        self.question(kind::BIT, &[], false);
    }

    /// The rule holds with a chance, given in 2^31.
    pub(crate) fn random(&mut self, chance: u32, invert: bool) {
        let test = match chance.checked_sub(1) {
            Some(span) => Test {
                span,
                ..Test::equal(Field::Found, i32::MAX as u32, 0)
            },
            None => Test::any_of(Field::Found, 0),
        };
        self.test_op(kind::RANDOM, 0, &test.invert_if(invert));
    }

    /// A detail, or one of several questions, that is a field of its own.
    pub(crate) fn detail_field(&mut self, test: Test) {
        self.test_op(kind::TEST, test.field as u16, &test);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! What ip6_packet_match asks: the part of an IPv6 rule before its matches.
//!
//! Owns: how a test of 128 bits becomes tests of 32 bits each, of which one of
//! each address has room in the record; and when the chain of headers matters.

use super::{Draft, Part};
use crate::abi::{
    IP6T_F_PROTO, IPT_INV_DSTIP, IPT_INV_PROTO, IPT_INV_SRCIP, IPT_INV_VIA_IN, IPT_INV_VIA_OUT,
    Ip6tIp6,
};
use crate::bytes::read;
use crate::ir::kind;
use crate::ir::record::{Op, class};
use crate::ir::test::{Field, Test};

/// The fields of an address, from its first word on.
const SOURCE: [Field; 4] = [
    Field::Source,
    Field::Source1,
    Field::Source2,
    Field::Source3,
];
const DESTINATION: [Field; 4] = [
    Field::Destination,
    Field::Destination1,
    Field::Destination2,
    Field::Destination3,
];

/// The word of each address that a record has: that of the networks of a site.
/// [`crate::program`] reads it where the record of a packet has it.
pub(crate) const RECORD_WORD: usize = 1;

/// The words of an address, which stand in it in network order.
fn words(address: &[u8; 16]) -> [u32; 4] {
    [0, 4, 8, 12].map(|at| read(address, at).map_or(0, u32::from_be_bytes))
}

impl Draft<'_, '_> {
    /// ip6_packet_match
    pub(super) fn ip6(&mut self, ip: &Ip6tIp6) {
        let inverted = |flag| ip.invflags & flag != 0;
        let source = self.address6(SOURCE, &ip.src, &ip.smsk, inverted(IPT_INV_SRCIP));
        let destination = self.address6(DESTINATION, &ip.dst, &ip.dmsk, inverted(IPT_INV_DSTIP));
        let half = |low: u32, high: u32| u64::from(low.to_be()) | u64::from(high.to_be()) << 32;
        self.record.addr_mask = half(source.mask, destination.mask);
        self.record.addr = half(source.low, destination.low);
        self.interface(
            false,
            &ip.iniface,
            &ip.iniface_mask,
            inverted(IPT_INV_VIA_IN),
        );
        self.interface(
            true,
            &ip.outiface,
            &ip.outiface_mask,
            inverted(IPT_INV_VIA_OUT),
        );
        if ip.flags & IP6T_F_PROTO == 0 {
            return;
        }
        self.out.uses.transport = true;
        if self.is_malformed() {
            self.op(Op {
                kind: kind::CHAIN,
                ..Op::default()
            });
        }
        // What is asked from here on a packet whose chain is broken has not got.
        self.part = Part::Matches;
        let equal = Test::equal(Field::Protocol, u32::MAX, ip.proto.into());
        match u8::try_from(ip.proto) {
            // No chain ends with the number of hop-by-hop options, so that no
            // packet has it: any protocol, inverted or not.
            Ok(0) => {}
            Ok(proto) if !inverted(IPT_INV_PROTO) && !self.is_malformed() => {
                self.class(class::PROTOCOL, proto.into());
            }
            _ => self.require(equal.invert_if(inverted(IPT_INV_PROTO))),
        }
    }

    /// Asks for an address, but for the word that is returned, for the record.
    fn address6(
        &mut self,
        fields: [Field; 4],
        address: &[u8; 16],
        mask: &[u8; 16],
        invert: bool,
    ) -> Test {
        let (address, mask) = (words(address), words(mask));
        let mut tests = fields.map(|field| Test::equal(field, 0, 0));
        for (test, (address, mask)) in tests.iter_mut().zip(address.into_iter().zip(mask)) {
            // Bits outside of the mask are not compared.
            *test = Test::equal(test.field, mask, address & mask);
        }
        let asked = || tests.into_iter().filter(|test| test.mask != 0);
        let nothing = Test::equal(Field::Source, 0, 0);
        match (invert, asked().count()) {
            (true, 0) => self.class(class::NEVER, class::NEVER),
            (true, 1) => asked().for_each(|test| self.word(test.invert_if(true))),
            (true, _) => self.not_all(|draft| {
                asked().for_each(|test| draft.detail_field(test));
            }),
            (false, _) => {
                let [first, in_record, third, fourth] = tests;
                for test in [first, third, fourth] {
                    if test.mask != 0 {
                        self.word(test);
                    }
                }
                return in_record;
            }
        }
        nothing
    }

    /// The rule holds only if a word of an address passes the test. In a long table
    /// there are too many such tests for predicates.
    fn word(&mut self, test: Test) {
        if self.out.bitmaps {
            self.detail_field(test);
        } else {
            self.require(test);
        }
    }
}

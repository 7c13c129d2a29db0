// SPDX-License-Identifier: GPL-2.0-only
//! What ip6_packet_match asks: the part of an IPv6 rule before its matches.
//!
//! Owns: how a test of 128 bits becomes tests of 32 bits each, of which the record
//! has room for those that [`words`] names; and when the chain of headers matters.

use super::{Draft, Part};
use crate::abi::{
    IP6T_F_PROTO, IPT_INV_DSTIP, IPT_INV_PROTO, IPT_INV_SRCIP, IPT_INV_VIA_IN, IPT_INV_VIA_OUT,
    Ip6tIp6,
};
use crate::ir::kind;
use crate::ir::record::{Op, class};
use crate::ir::test::{Field, Test};
use crate::ir::words;

impl Draft<'_, '_> {
    /// ip6_packet_match
    pub(super) fn ip6(&mut self, ip: &Ip6tIp6) {
        let inverted = |flag| ip.invflags & flag != 0;
        self.address6(false, &ip.src, &ip.smsk, inverted(IPT_INV_SRCIP));
        self.address6(true, &ip.dst, &ip.dmsk, inverted(IPT_INV_DSTIP));
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

    /// Asks for an address: in the record for the words that it has.
    fn address6(&mut self, destination: bool, address: &[u8; 16], mask: &[u8; 16], invert: bool) {
        let asked = words::fields(destination)
            .into_iter()
            .zip(words::address(address, mask))
            .filter(|(_, word)| word.mask != 0)
            .map(|(field, word)| Test::equal(field, word.mask, word.value));
        match (invert, asked.clone().count()) {
            (true, 0) => self.class(class::NEVER, class::NEVER),
            (true, 1) => asked.for_each(|test| self.word(test.invert_if(true))),
            (true, _) => self.not_all(|draft| {
                asked.for_each(|test| draft.detail_field(test));
            }),
            (false, _) => {
                for test in asked {
                    match self.out.words.half(test.field) {
                        // As it stands in the header.
                        Some(half) => {
                            let place = |word: u32| u64::from(word.to_be()) << (32 * half);
                            self.record.addr_mask |= place(test.mask);
                            self.record.addr |= place(test.low);
                        }
                        None => self.word(test),
                    }
                }
            }
        }
    }

    /// The rule holds only if a word of an address passes the test. A long table has
    /// too many such tests for predicates, but of words that are alike in its rules.
    fn word(&mut self, test: Test) {
        if self.out.bitmaps && !self.out.words.are_alike(test.field) {
            self.detail_field(test);
        } else {
            self.require(test);
        }
    }
}

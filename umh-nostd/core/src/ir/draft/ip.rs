// SPDX-License-Identifier: GPL-2.0-only
//! What ip_packet_match asks: the part of a rule before its matches.
//!
//! Owns: which bits of the record stand for addresses, protocol and fragments,
//! and what is asked by a predicate or an op because it fits no bit.

use zerocopy::IntoBytes;

use super::{Draft, inverted};
use crate::abi::{
    IPT_F_FRAG, IPT_INV_DSTIP, IPT_INV_FRAG, IPT_INV_PROTO, IPT_INV_SRCIP, IPT_INV_VIA_IN,
    IPT_INV_VIA_OUT, IptIp,
};
use crate::bytes::read;
use crate::ir::kind;
use crate::ir::record::{Op, Pattern, class};
use crate::ir::test::{Field, Question, Test};

impl Draft<'_, '_> {
    /// ip_packet_match
    pub(super) fn ip(&mut self, ip: &IptIp) {
        let half = |low: [u8; 4], high: [u8; 4]| {
            u64::from(u32::from_ne_bytes(low)) | u64::from(u32::from_ne_bytes(high)) << 32
        };
        let inverted = |flag| ip.invflags & flag != 0;
        let source = if inverted(IPT_INV_SRCIP) {
            self.address_not(Field::Source, ip.src, ip.smsk)
        } else {
            (ip.smsk, ip.src)
        };
        let destination = if inverted(IPT_INV_DSTIP) {
            self.address_not(Field::Destination, ip.dst, ip.dmsk)
        } else {
            (ip.dmsk, ip.dst)
        };
        self.record.addr_mask = half(source.0, destination.0);
        self.record.addr = half(source.1, destination.1);

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

        match u8::try_from(ip.proto) {
            // Any protocol, inverted or not.
            Ok(0) => {}
            _ if inverted(IPT_INV_PROTO) => self.require(
                Test::equal(Field::Protocol, u32::MAX, u32::from(ip.proto)).invert_if(true),
            ),
            Ok(proto) => self.class(class::PROTOCOL, u64::from(proto)),
            // No packet has such a protocol.
            Err(_) => self.class(class::NEVER, class::NEVER),
        }
        if ip.flags & IPT_F_FRAG != 0 {
            let want = if inverted(IPT_INV_FRAG) {
                0
            } else {
                class::FRAGMENT
            };
            self.class(class::FRAGMENT, want);
        } else if inverted(IPT_INV_FRAG) {
            // An inversion of nothing: ip_tables fails such a rule.
            self.class(class::NEVER, class::NEVER);
        }
    }

    /// Returns a mask and an address that any packet has.
    fn address_not(&mut self, field: Field, address: [u8; 4], mask: [u8; 4]) -> ([u8; 4], [u8; 4]) {
        let mask = u32::from_be_bytes(mask);
        self.require(Test::equal(field, mask, u32::from_be_bytes(address)).invert_if(true));
        Default::default()
    }

    pub(super) fn interface(&mut self, out: bool, name: &[u8; 16], mask: &[u8; 16], invert: bool) {
        if *mask == [0; 16] {
            if invert {
                self.class(class::NEVER, class::NEVER);
            }
            return;
        }
        let pattern = Pattern {
            name: read(name, 0).unwrap_or_default(),
            mask: read(mask, 0).unwrap_or_default(),
        };
        if let Some(used) = self.out.uses.interfaces.get_mut(usize::from(out)) {
            *used = true;
        }
        if !self.ask_beforehand(Question::Interface(out, pattern), invert) {
            let op = Op {
                kind: kind::INTERFACE,
                flags: inverted(invert),
                what: u16::from(out),
                ..Op::default()
            };
            self.op_with(op, pattern.as_bytes());
        }
    }
}

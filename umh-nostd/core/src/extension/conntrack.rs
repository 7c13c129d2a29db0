// SPDX-License-Identifier: GPL-2.0-only
//! conntrack: what connection tracking knows of a packet (xt_conntrack.c).

use super::{Extension, Family, Features};
use crate::abi::layout;
use crate::bytes::read;
use crate::errno::{Errno, Result};
use crate::program::ConnectionPart;
use crate::ruleset::{CT_NAT, CT_ORIGINAL, CT_UNTRACKED, Draft, Field, Test};

layout! {
    /// What `struct xt_conntrack_mtinfo1`, `2` and `3` start with.
    Conntrack: 150 {
        /// Original direction: source address.
        original_source: [u8; 16],
        /// Its mask.
        original_source_mask: [u8; 16],
        /// Original direction: destination address.
        original_destination: [u8; 16],
        /// Its mask.
        original_destination_mask: [u8; 16],
        /// Reply direction: source address.
        reply_source: [u8; 16],
        /// Its mask.
        reply_source_mask: [u8; 16],
        /// Reply direction: destination address.
        reply_destination: [u8; 16],
        /// Its mask.
        reply_destination_mask: [u8; 16],
        /// Least seconds that the connection has to live: a u32, in bytes
        /// because nothing here is a multiple of four long.
        expires_min: [u8; 4],
        /// Most seconds, likewise.
        expires_max: [u8; 4],
        /// Protocol.
        protocol: u16,
        /// Original direction: source port. In network order in revisions 1
        /// and 2, the first of a range in host order in revision 3; the other
        /// ports likewise.
        original_source_port: u16,
        /// Original direction: destination port.
        original_destination_port: u16,
        /// Reply direction: source port.
        reply_source_port: u16,
        /// Reply direction: destination port.
        reply_destination_port: u16,
        /// What is asked: `XT_CONNTRACK_*`.
        flags: u16,
        /// What of it is inverted.
        invert: u16,
    }

    /// Then revision 1 has this.
    Masks1: 2 {
        /// `XT_CONNTRACK_STATE_*` as far as they fit.
        state: u8,
        /// `IPS_*` as far as they fit.
        status: u8,
    }

    /// Then revisions 2 and 3 have this.
    Masks2: 4 {
        /// `XT_CONNTRACK_STATE_*`.
        state: u16,
        /// `IPS_*`.
        status: u16,
    }

    /// And then revision 3 has this.
    HighPorts: 8 {
        /// Original direction: last source port.
        original_source_port: u16,
        /// Original direction: last destination port.
        original_destination_port: u16,
        /// Reply direction: last source port.
        reply_source_port: u16,
        /// Reply direction: last destination port.
        reply_destination_port: u16,
    }
}

const STATE: u16 = 1 << 0;
const PROTOCOL: u16 = 1 << 1;
const ORIGINAL_SOURCE: u16 = 1 << 2;
const ORIGINAL_DESTINATION: u16 = 1 << 3;
const REPLY_SOURCE: u16 = 1 << 4;
const REPLY_DESTINATION: u16 = 1 << 5;
const STATUS: u16 = 1 << 6;
const EXPIRES: u16 = 1 << 7;
const ORIGINAL_SOURCE_PORT: u16 = 1 << 8;
const ORIGINAL_DESTINATION_PORT: u16 = 1 << 9;
const REPLY_SOURCE_PORT: u16 = 1 << 10;
const REPLY_DESTINATION_PORT: u16 = 1 << 11;
const DIRECTION: u16 = 1 << 12;
/// What is asked of the connection itself.
const DETAILS: u16 = DIRECTION | (DIRECTION - 1) & !STATE;
/// INVALID, ESTABLISHED, RELATED and NEW, and two that do not exist.
const CT_STATES: u32 = 0x3f;

pub(super) const EXTENSIONS: [Extension; 3] =
    [revision::<152>(1), revision::<156>(2), revision::<164>(3)];

const fn revision<const SIZE: usize>(revision: u8) -> Extension {
    Extension {
        revision,
        family: Family::Any,
        needs: Features::CONNTRACK,
        lower,
        ..Extension::matching::<[u8; SIZE]>("conntrack")
    }
}

/// conntrack_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let common: Conntrack = read(data, 0).ok_or(Errno::EINVAL)?;
    let after = size_of::<Conntrack>();
    // Only revision 1 is this short.
    let masks = match data.len() {
        ..=152 => {
            let masks: Masks1 = read(data, after).ok_or(Errno::EINVAL)?;
            Masks2 {
                state: masks.state.into(),
                status: masks.status.into(),
            }
        }
        _ => read(data, after).ok_or(Errno::EINVAL)?,
    };
    let high: Option<HighPorts> = read(data, after + size_of::<Masks2>());

    let asked = |flag| common.flags & flag != 0;
    let inverted = |flag| common.invert & flag != 0;
    if asked(STATE) {
        let bits = u32::from(masks.state) & (CT_STATES | CT_NAT | CT_UNTRACKED);
        if bits & CT_NAT != 0 {
            draft.uses_nat();
        }
        draft.require(Test::any_of(Field::Connection, bits).invert_if(inverted(STATE)));
    }
    if common.flags & DETAILS == 0 && asked(STATE) {
        return Ok(());
    }
    let kernel = *draft.kernel();
    draft.connection(asked(STATE), |draft| {
        if asked(DIRECTION) {
            let test = Test::any_of(Field::Connection, CT_ORIGINAL);
            draft.detail_field(test.invert_if(inverted(DIRECTION)));
        }
        let addresses = [
            (
                ORIGINAL_SOURCE,
                common.original_source,
                common.original_source_mask,
            ),
            (
                ORIGINAL_DESTINATION,
                common.original_destination,
                common.original_destination_mask,
            ),
            (REPLY_SOURCE, common.reply_source, common.reply_source_mask),
            (
                REPLY_DESTINATION,
                common.reply_destination,
                common.reply_destination_mask,
            ),
        ];
        for ((flag, address, mask), part) in addresses.into_iter().zip(ConnectionPart::ADDRESSES) {
            if asked(flag) {
                // As they lie in memory, on both sides.
                let [address, mask] =
                    [address, mask].map(|bytes| read::<u32>(&bytes, 0).unwrap_or(0));
                let test = Test::equal(Field::Connection, mask, address & mask);
                draft.detail(
                    part.kind(),
                    part.offset(&kernel),
                    test.invert_if(inverted(flag)),
                );
            }
        }
        if asked(PROTOCOL) {
            let part = ConnectionPart::Protocol;
            // The kernel compares a byte with 16 bits.
            let test = match u8::try_from(common.protocol) {
                Ok(protocol) => Test::equal(Field::Connection, 0xff, protocol.into()),
                Err(_) => Test::any_of(Field::Connection, 0),
            };
            draft.detail(
                part.kind(),
                part.offset(&kernel),
                test.invert_if(inverted(PROTOCOL)),
            );
        }
        let ports = [
            (
                ORIGINAL_SOURCE_PORT,
                common.original_source_port,
                high.map(|high| high.original_source_port),
            ),
            (
                ORIGINAL_DESTINATION_PORT,
                common.original_destination_port,
                high.map(|high| high.original_destination_port),
            ),
            (
                REPLY_SOURCE_PORT,
                common.reply_source_port,
                high.map(|high| high.reply_source_port),
            ),
            (
                REPLY_DESTINATION_PORT,
                common.reply_destination_port,
                high.map(|high| high.reply_destination_port),
            ),
        ];
        for ((flag, low, high), part) in ports.into_iter().zip(ConnectionPart::PORTS) {
            if asked(flag) {
                let test = match high {
                    Some(high) => Test::between(Field::Connection, low.into(), high.into()),
                    None => Test::equal(Field::Connection, u32::MAX, u16::from_be(low).into()),
                };
                draft.detail(
                    part.kind(),
                    part.offset(&kernel),
                    test.invert_if(inverted(flag)),
                );
            }
        }
        if asked(STATUS) {
            let part = ConnectionPart::Status;
            let test = Test::any_of(Field::Connection, masks.status.into());
            draft.detail(
                part.kind(),
                part.offset(&kernel),
                test.invert_if(inverted(STATUS)),
            );
        }
        if asked(EXPIRES) {
            let part = ConnectionPart::Expires;
            let [min, max] = [common.expires_min, common.expires_max].map(u32::from_ne_bytes);
            let test = Test::between(Field::Connection, min, max);
            draft.detail(
                part.kind(),
                part.offset(&kernel),
                test.invert_if(inverted(EXPIRES)),
            );
        }
    });
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! conntrack: what connection tracking knows of a packet (xt_conntrack.c).

use super::Extension;
use crate::abi::layout;
use crate::bytes::{read, refer};
use crate::errno::{Errno, Result};
use crate::ir::{CT_NAT, CT_ORIGINAL, CT_UNTRACKED, Draft, Field, Test, Untracked, kind};
use crate::target::kernel::{
    CT_STATUS, CT_TIMEOUT, CT_TUPLES, TUPLE_DPORT, TUPLE_DST, TUPLE_PROTO, TUPLE_SPORT, TUPLE_SRC,
    TUPLE_STRIDE,
};
use crate::target::{Features, Kernel};

layout! {
    /// What `struct xt_conntrack_mtinfo1`, `2` and `3` start with.
    Conntrack: 150 {
        /// Source and destination address of the original direction, then of
        /// the reply direction, each with its mask.
        addresses: [[[u8; 16]; 2]; 4],
        /// Least seconds that the connection has to live: a u32, in bytes
        /// because nothing here is a multiple of four long.
        expires_min: [u8; 4],
        /// Most seconds, likewise.
        expires_max: [u8; 4],
        /// Protocol.
        protocol: u16,
        /// Source and destination port of the original direction, then of the
        /// reply direction. In network order in revisions 1 and 2, the first
        /// of a range in host order in revision 3.
        ports: [u16; 4],
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
        /// The last of each range.
        ports: [u16; 4],
    }
}

const STATE: u16 = 1 << 0;
const PROTOCOL: u16 = 1 << 1;
/// And the next three bits: the addresses.
const ADDRESSES: u16 = 1 << 2;
const STATUS: u16 = 1 << 6;
const EXPIRES: u16 = 1 << 7;
/// And the next three bits: the ports.
const PORTS: u16 = 1 << 8;
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
        family: None,
        needs: Features::CONNTRACK,
        lower,
        ..Extension::matching::<[u8; SIZE]>("conntrack")
    }
}

/// conntrack_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let common = refer::<Conntrack>(data)?;
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
    // A packet without a connection has a state, and no details.
    let untracked = if asked(STATE) {
        Untracked::Holds
    } else {
        Untracked::Fails
    };
    draft.connection(untracked, |draft| {
        let mut ask = |flag, part, test| detail(draft, common, flag, part, test);
        ask(
            DIRECTION,
            None,
            Test::any_of(Field::Connection, CT_ORIGINAL),
        );
        for (index, part) in ConnectionPart::ADDRESSES.into_iter().enumerate() {
            // As they lie in memory, on both sides.
            let [address, mask] = common.addresses.get(index).map_or([0; 2], |both| {
                both.map(|bytes| read::<u32>(&bytes, 0).unwrap_or(0))
            });
            let test = Test::equal(Field::Connection, mask, address & mask);
            ask(ADDRESSES << index, Some(part), test);
        }
        // The kernel compares a byte with 16 bits.
        let test = match u8::try_from(common.protocol) {
            Ok(protocol) => Test::equal(Field::Connection, 0xff, protocol.into()),
            Err(_) => Test::any_of(Field::Connection, 0),
        };
        ask(PROTOCOL, Some(ConnectionPart::Protocol), test);
        for (index, part) in ConnectionPart::PORTS.into_iter().enumerate() {
            let low = common.ports.get(index).copied().unwrap_or_default();
            let test = match high.and_then(|high| high.ports.get(index).copied()) {
                Some(high) => Test::between(Field::Connection, low.into(), high.into()),
                None => Test::equal(Field::Connection, u32::MAX, u16::from_be(low).into()),
            };
            ask(PORTS << index, Some(part), test);
        }
        let test = Test::any_of(Field::Connection, masks.status.into());
        ask(STATUS, Some(ConnectionPart::Status), test);
        let [min, max] = [common.expires_min, common.expires_max].map(u32::from_ne_bytes);
        let test = Test::between(Field::Connection, min, max);
        ask(EXPIRES, Some(ConnectionPart::Expires), test);
    });
    Ok(())
}

/// If the data asks for `flag`, the test must hold for that part of the
/// connection, or for the field itself.
#[inline(never)]
fn detail(
    draft: &mut Draft<'_, '_>,
    data: &Conntrack,
    flag: u16,
    part: Option<ConnectionPart>,
    test: Test,
) {
    if data.flags & flag == 0 {
        return;
    }
    let test = test.invert_if(data.invert & flag != 0);
    match part {
        Some(part) => {
            let kernel = draft.machine().packets.btf();
            let offset = kernel.map_or(0, |kernel| part.offset(kernel));
            draft.detail(part.kind(), offset, test);
        }
        None => draft.detail_field(test),
    }
}

/// What can be asked of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConnectionPart {
    OriginalSource,
    OriginalDestination,
    ReplySource,
    ReplyDestination,
    Protocol,
    OriginalSourcePort,
    OriginalDestinationPort,
    ReplySourcePort,
    ReplyDestinationPort,
    Status,
    Expires,
}

impl ConnectionPart {
    /// Both addresses of both directions.
    pub(crate) const ADDRESSES: [Self; 4] = [
        Self::OriginalSource,
        Self::OriginalDestination,
        Self::ReplySource,
        Self::ReplyDestination,
    ];
    /// Both ports of both directions.
    pub(crate) const PORTS: [Self; 4] = [
        Self::OriginalSourcePort,
        Self::OriginalDestinationPort,
        Self::ReplySourcePort,
        Self::ReplyDestinationPort,
    ];

    /// The kind of op that asks for it.
    pub(crate) fn kind(self) -> u8 {
        match self {
            Self::Expires => kind::CT_EXPIRES,
            _ if Self::PORTS.contains(&self) => kind::CT_PORT,
            _ => kind::CT_WORD,
        }
    }

    /// Where it is in a connection.
    pub(crate) fn offset(self, kernel: &Kernel) -> i32 {
        let (reply, part) = match self {
            Self::Status => return kernel.fact(CT_STATUS),
            Self::Expires => return kernel.fact(CT_TIMEOUT),
            Self::OriginalSource => (false, TUPLE_SRC),
            Self::OriginalDestination => (false, TUPLE_DST),
            Self::ReplySource => (true, TUPLE_SRC),
            Self::ReplyDestination => (true, TUPLE_DST),
            Self::Protocol => (false, TUPLE_PROTO),
            Self::OriginalSourcePort => (false, TUPLE_SPORT),
            Self::OriginalDestinationPort => (false, TUPLE_DPORT),
            Self::ReplySourcePort => (true, TUPLE_SPORT),
            Self::ReplyDestinationPort => (true, TUPLE_DPORT),
        };
        let stride = if reply { kernel.fact(TUPLE_STRIDE) } else { 0 };
        kernel.fact(CT_TUPLES) + stride + kernel.fact(part)
    }
}

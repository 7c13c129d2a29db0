// SPDX-License-Identifier: GPL-2.0-only
//! What a rule of conntrack asks of the connection itself, read from the
//! kernel's structures.

use super::{Conntrack, HighPorts, Masks2, STATE, masks};
use crate::bytes::{read, refer};
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test, Untracked, kind};
use crate::target::Kernel;
use crate::target::kernel::{
    CT_STATUS, CT_TIMEOUT, CT_TUPLES, TUPLE_DPORT, TUPLE_DST, TUPLE_PROTO, TUPLE_SPORT, TUPLE_SRC,
    TUPLE_STRIDE,
};

const PROTOCOL: u16 = 1 << 1;
/// And the next three bits: the addresses.
const ADDRESSES: u16 = 1 << 2;
const STATUS: u16 = 1 << 6;
const EXPIRES: u16 = 1 << 7;
/// And the next three bits: the ports.
const PORTS: u16 = 1 << 8;

/// The rest of conntrack_mt. ENOENT where no structure is known: the rule
/// should have been left to x_tables.
pub(super) fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let kernel = draft.machine().packets.btf().ok_or(Errno::ENOENT)?;
    let common = refer::<Conntrack>(data)?;
    let masks = masks(data)?;
    let after = size_of::<Conntrack>() + size_of::<Masks2>();
    let high: Option<HighPorts> = read(data, after);
    let untracked = match common.flags & STATE {
        0 => Untracked::Fails,
        _ => Untracked::Holds,
    };
    draft.connection(untracked, |draft| {
        let mut ask = |flag, part, test| detail(draft, kernel, common, flag, part, test);
        for (index, part) in ConnectionPart::ADDRESSES.into_iter().enumerate() {
            // As they lie in memory, on both sides.
            let [address, mask] = common.addresses.get(index).map_or([0; 2], |both| {
                both.map(|bytes| read::<u32>(&bytes, 0).unwrap_or(0))
            });
            let test = Test::equal(Field::Connection, mask, address & mask);
            ask(ADDRESSES << index, part, test);
        }
        // The kernel compares a byte with 16 bits.
        let test = match u8::try_from(common.protocol) {
            Ok(protocol) => Test::equal(Field::Connection, 0xff, protocol.into()),
            Err(_) => Test::any_of(Field::Connection, 0),
        };
        ask(PROTOCOL, ConnectionPart::Protocol, test);
        for (index, part) in ConnectionPart::PORTS.into_iter().enumerate() {
            let low = common.ports.get(index).copied().unwrap_or_default();
            let test = match high.and_then(|high| high.ports.get(index).copied()) {
                Some(high) => Test::between(Field::Connection, low.into(), high.into()),
                None => Test::equal(Field::Connection, u32::MAX, u16::from_be(low).into()),
            };
            ask(PORTS << index, part, test);
        }
        let test = Test::any_of(Field::Connection, masks.status.into());
        ask(STATUS, ConnectionPart::Status, test);
        let [min, max] = [common.expires_min, common.expires_max].map(u32::from_ne_bytes);
        let test = Test::between(Field::Connection, min, max);
        ask(EXPIRES, ConnectionPart::Expires, test);
    });
    Ok(())
}

/// If the data asks for `flag`, the test must hold for that part of the
/// connection.
fn detail(
    draft: &mut Draft<'_, '_>,
    kernel: &Kernel,
    data: &Conntrack,
    flag: u16,
    part: ConnectionPart,
    test: Test,
) {
    if data.flags & flag != 0 {
        let test = test.invert_if(data.invert & flag != 0);
        draft.detail(part.kind(), part.offset(kernel), test);
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

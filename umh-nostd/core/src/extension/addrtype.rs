// SPDX-License-Identifier: GPL-2.0-only
//! addrtype: what the routing table makes of an address (xt_addrtype.c).

use zerocopy::IntoBytes;

use super::{Extension, Rule, function};
use crate::abi::{Hook, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, kind};
use crate::target::Features;

layout! {
    /// `struct xt_addrtype_info`.
    AddrType0: 12 {
        /// Mask of `1 << RTN_*` for the source.
        source: u16,
        /// Mask of `1 << RTN_*` for the destination.
        destination: u16,
        /// Nonzero inverts the source.
        invert_source: u32,
        /// Nonzero inverts the destination.
        invert_destination: u32,
    }

    /// `struct xt_addrtype_info_v1`.
    AddrType1: 8 {
        /// Mask of `1 << RTN_*` for the source.
        source: u16,
        /// Mask of `1 << RTN_*` for the destination.
        destination: u16,
        /// `INV_SOURCE` and the others.
        flags: u32,
    }
}

/// Inverts the source.
pub const INV_SOURCE: u32 = 0x01;
/// Inverts the destination.
pub const INV_DESTINATION: u32 = 0x02;
/// Asks for the incoming interface's addresses.
pub const LIMIT_IN: u32 = 0x04;
/// Asks for the outgoing interface's addresses.
pub const LIMIT_OUT: u32 = 0x08;

pub(super) const EXTENSIONS: [Extension; 2] = [
    Extension {
        needs: Features::ROUTES,
        lower: lower_0,
        ..Extension::matching::<AddrType0>("addrtype")
    },
    Extension {
        revision: 1,
        needs: Features::ROUTES,
        check: check_1,
        lower: function::<{ kind::ADDRTYPE }>,
        ..Extension::matching::<AddrType1>("addrtype")
    },
];

/// addrtype_mt_checkentry_v1: the interface asked for must be known where
/// the rule is reached.
fn check_1(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let addrtype = refer::<AddrType1>(data)?;
    let limit_in = addrtype.flags & LIMIT_IN != 0;
    let limit_out = addrtype.flags & LIMIT_OUT != 0;
    let reached = |hooks: [Hook; 2]| hooks.iter().any(|hook| rule.hooks & hook.mask() != 0);
    if (limit_in && (limit_out || reached([Hook::LocalOut, Hook::PostRouting])))
        || (limit_out && reached([Hook::PreRouting, Hook::LocalIn]))
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// addrtype_mt_v0: revision 1 without an interface. The answer is xored with
/// the inversion, of which only the lowest bit makes a difference.
fn lower_0(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let old = refer::<AddrType0>(data)?;
    let flag = |inversion, flag| if inversion & 1 != 0 { flag } else { 0 };
    let new = AddrType1 {
        source: old.source,
        destination: old.destination,
        flags: flag(old.invert_source, INV_SOURCE) | flag(old.invert_destination, INV_DESTINATION),
    };
    draft.function(kind::ADDRTYPE, new.as_bytes());
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! pkttype: unicast, broadcast, multicast (xt_pkttype.c).

use super::{Extension, Families};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct xt_pkttype_info`.
    PktType: 8 {
        /// `PACKET_*`.
        kind: u32,
        /// Nonzero inverts.
        invert: u32,
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    lower,
    ..Extension::matching::<PktType>("pkttype")
}];

/// pkttype_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let pkttype = refer::<PktType>(data)?;
    let test = Test::equal(Field::PacketType, u32::MAX, pkttype.kind);
    draft.require_unless(test, pkttype.invert);
    Ok(())
}

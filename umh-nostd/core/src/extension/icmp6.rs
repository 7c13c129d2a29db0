// SPDX-License-Identifier: GPL-2.0-only
//! icmp6: type and code of ICMPv6 (xt_tcpudp.c).

use super::icmp::{Icmp, check, lower_range};
use super::{Extension, Families};
use crate::abi::Family;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::Draft;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv6),
    protocol: 58,
    check,
    lower,
    ..Extension::matching::<Icmp>("icmp6")
}];

/// icmp6_match, to which 255 is a type as any other.
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let icmp = refer::<Icmp>(data)?;
    lower_range(draft, icmp, icmp.range());
    Ok(())
}

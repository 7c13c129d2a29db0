// SPDX-License-Identifier: GPL-2.0-only
//! icmp: type and code (xt_tcpudp.c).

use super::{Extension, Families, Rule};
use crate::abi::{Family, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Transport};

layout! {
    /// `struct ipt_icmp`, and `struct ip6t_icmp`.
    Icmp: 4 {
        /// Type; 0xff of `ipt_icmp` is any.
        kind: u8,
        /// First and last code.
        code: [u8; 2],
        /// `INV`.
        invert: u8,
    }
}

/// Any type; the codes are not looked at.
const ANY: u8 = 0xff;
/// Inverts type and code.
pub const INV: u8 = 0x01;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv4),
    protocol: 1,
    check,
    lower,
    ..Extension::matching::<Icmp>("icmp")
}];

/// icmp_checkentry and icmp6_checkentry
pub(super) fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let icmp = refer::<Icmp>(data)?;
    if icmp.invert & !INV != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// icmp_match
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let icmp = refer::<Icmp>(data)?;
    let range = match icmp.kind {
        ANY => [0, u16::MAX],
        _ => icmp.range(),
    };
    lower_range(draft, icmp, range);
    Ok(())
}

/// The type stands where TCP has the upper half of its source port, the code in the
/// lower half.
pub(super) fn lower_range(draft: &mut Draft<'_, '_>, icmp: &Icmp, range: [u16; 2]) {
    draft.transport(Transport::Whole);
    draft.port(Field::SourcePort, range, icmp.invert & INV != 0);
}

impl Icmp {
    /// First and last of the types with their codes.
    pub(super) fn range(&self) -> [u16; 2] {
        self.code.map(|code| u16::from_be_bytes([self.kind, code]))
    }
}

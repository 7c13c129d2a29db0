// SPDX-License-Identifier: GPL-2.0-only
//! multiport: a list of ports and ranges of ports (xt_multiport.c).

use super::{Extension, Rule};
use crate::abi::{IPT_INV_PROTO, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Transport};

layout! {
    /// `struct xt_multiport_v1`.
    Multiport: 48 {
        /// `SOURCE`, `DESTINATION` or `EITHER`.
        side: u8,
        /// How many of `ports` count.
        count: u8,
        /// The ports.
        ports: [u16; 15],
        /// Nonzero where a port starts a range that the next one ends.
        range: [u8; 15],
        /// Nonzero inverts.
        invert: u8,
    }
}

/// The source port is in the list.
pub const SOURCE: u8 = 0;
/// The destination port is.
pub const DESTINATION: u8 = 1;
/// One of them is.
pub const EITHER: u8 = 2;

/// TCP, UDP, UDP-Lite, SCTP, DCCP: where ports are where TCP has them.
const PROTOCOLS: [u16; 5] = [6, 17, 136, 132, 33];

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    transport: true,
    revision: 1,
    check,
    lower,
    ..Extension::matching::<Multiport>("multiport")
}];

fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let multiport = refer::<Multiport>(data)?;
    if !PROTOCOLS.contains(&rule.ip.proto())
        || rule.ip.invflags() & IPT_INV_PROTO != 0
        || multiport.side > EITHER
        || usize::from(multiport.count) > multiport.ports.len()
        || !ranges_are_whole(multiport)
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// multiport_valid_ranges: each range has an end, which is not below its start.
fn ranges_are_whole(multiport: &Multiport) -> bool {
    let mut ports = multiport
        .ports
        .iter()
        .zip(&multiport.range)
        .take(usize::from(multiport.count));
    while let Some((first, starts)) = ports.next() {
        if *starts == 0 {
            continue;
        }
        match ports.next() {
            Some((last, 0)) if first <= last => {}
            _ => return false,
        }
    }
    true
}

/// multiport_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let multiport = refer::<Multiport>(data)?;
    // First and last port. No port lies in the ranges that are left over.
    let mut ranges = [[u16::MAX, 0]; 15];
    let mut ports = multiport
        .ports
        .iter()
        .zip(&multiport.range)
        .take(usize::from(multiport.count));
    let mut count = 0;
    for range in &mut ranges {
        let Some((&first, &starts)) = ports.next() else {
            break;
        };
        let last = match starts {
            0 => first,
            _ => ports.next().map_or(first, |(&last, _)| last),
        };
        *range = [first, last];
        count += 1;
    }
    draft.transport(Transport::Ports);
    // The kernel xors the result, 0 or 1, with this number: from 2 on the
    // match holds whatever the result.
    if multiport.invert > 1 {
        return Ok(());
    }
    let invert = multiport.invert != 0;
    let field = match multiport.side {
        SOURCE => Some(Field::SourcePort),
        DESTINATION => Some(Field::DestinationPort),
        _ => None,
    };
    match (field, ranges) {
        (Some(field), [range, ..]) if count == 1 => draft.port(field, range, invert),
        _ => draft.ports(
            multiport.side != DESTINATION,
            multiport.side != SOURCE,
            &ranges,
            invert,
        ),
    }
    Ok(())
}

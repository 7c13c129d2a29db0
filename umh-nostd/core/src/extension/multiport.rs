// SPDX-License-Identifier: GPL-2.0-only
//! multiport: a list of ports and ranges of ports (xt_multiport.c).

use super::{Extension, Rule};
use crate::abi::{IPT_INV_PROTO, layout};
use crate::bytes::read;
use crate::errno::{Errno, Result};

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

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    check,
    ..Extension::matching::<Multiport>("multiport")
}];

fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let multiport: Multiport = read(data, 0).ok_or(Errno::EINVAL)?;
    if !PROTOCOLS.contains(&rule.ip.proto)
        || rule.ip.invflags & IPT_INV_PROTO != 0
        || multiport.side > EITHER
        || usize::from(multiport.count) > multiport.ports.len()
        || !ranges_are_whole(&multiport)
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

// SPDX-License-Identifier: GPL-2.0-only
//! udp: ports (xt_tcpudp.c).

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{BOTH_PORTS, Draft};

layout! {
    /// `struct xt_udp`.
    Udp: 10 {
        /// First and last source port.
        source: [u16; 2],
        /// First and last destination port.
        destination: [u16; 2],
        /// What is inverted: a bit for each port.
        invert: u8,
        /// Padding.
        pad: u8,
    }
}

const INV_MASK: u8 = 0x03;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    protocol: 17,
    check,
    lower,
    ..Extension::matching::<Udp>("udp")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let udp = refer::<Udp>(data)?;
    if udp.invert & !INV_MASK != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// udp_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let udp = refer::<Udp>(data)?;
    draft.header_with_ports(BOTH_PORTS, udp.invert.into(), udp.source, udp.destination);
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! icmp: type and code (xt_tcpudp.c).

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::read;
use crate::errno::{Errno, Result};

layout! {
    /// `struct ipt_icmp`.
    Icmp: 4 {
        /// Type, 0xff for any.
        kind: u8,
        /// First and last code.
        code: [u8; 2],
        /// `INV`.
        invert: u8,
    }
}

/// Inverts type and code.
pub const INV: u8 = 0x01;

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    protocol: 1,
    check,
    ..Extension::matching::<Icmp>("icmp")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let icmp: Icmp = read(data, 0).ok_or(Errno::EINVAL)?;
    if icmp.invert & !INV != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

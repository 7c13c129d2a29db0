// SPDX-License-Identifier: GPL-2.0-only
//! owner: who sent a packet of this machine (xt_owner.c).

use super::{Extension, Features, Rule};
use crate::abi::layout;
use crate::bytes::read;
use crate::errno::{Errno, Result};
use crate::table::Hook;

layout! {
    /// `struct xt_owner_match_info`.
    Owner: 20 {
        /// First user id.
        uid_min: u32,
        /// Last user id.
        uid_max: u32,
        /// First group id.
        gid_min: u32,
        /// Last group id.
        gid_max: u32,
        /// What is asked: `UID` and the others.
        flags: u8,
        /// What of it is inverted.
        invert: u8,
        /// Padding.
        pad: [u8; 2],
    }
}

/// Asks for the user.
pub const UID: u8 = 0x01;
/// Asks for the group.
pub const GID: u8 = 0x02;
/// Asks for a socket.
pub const SOCKET: u8 = 0x04;
/// Supplementary groups count too.
pub const SUPPLEMENTARY: u8 = 0x08;
const MASK: u8 = 0x0f;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    // POSTROUTING too, which no rule of this table is reached from.
    hooks: (Hook::LocalOut.mask() | 1 << 4) as u8,
    needs: Features::SOCKETS,
    check,
    ..Extension::matching::<Owner>("owner")
}];

/// owner_check for a caller in the initial user namespace: each id but the
/// last one means somebody.
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let owner: Owner = read(data, 0).ok_or(Errno::EINVAL)?;
    let bad_range = |asked: u8, min: u32, max: u32| {
        owner.flags & asked != 0 && (min == u32::MAX || max == u32::MAX || max < min)
    };
    if owner.flags & !MASK != 0
        || bad_range(UID, owner.uid_min, owner.uid_max)
        || bad_range(GID, owner.gid_min, owner.gid_max)
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

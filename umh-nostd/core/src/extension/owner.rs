// SPDX-License-Identifier: GPL-2.0-only
//! owner: who sent a packet of this machine (xt_owner.c).

use super::{Extension, Rule};
use crate::abi::{Hook, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Jump, SOCKET_FILE, SOCKET_PRESENT, Test};
use crate::target::Features;

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
    hooks: (Hook::LocalOut.mask() | Hook::PostRouting.mask()) as u8,
    needs: Features::SOCKETS,
    check,
    lower,
    ..Extension::matching::<Owner>("owner")
}];

/// owner_check for a caller in the initial user namespace: each id but the
/// last one means somebody. Others are refused by the kernel half: see
/// `GEN_IDS`.
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let owner = refer::<Owner>(data)?;
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

/// owner_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let owner = refer::<Owner>(data)?;
    let asked = |flag| owner.flags & flag != 0;
    let inverted = |flag| owner.invert & flag != 0;
    let other = owner.flags ^ owner.invert;
    // Without a socket, or without an open file, nothing else is asked: the rule
    // holds if everything that it asks for is inverted, or it asks for nothing.
    let mut ends = [Jump::NONE; 2];
    let [no_socket, no_file] = &mut ends;
    if other == 0 {
        *no_socket = draft.or_else();
    }
    draft.detail_field(Test::any_of(Field::Socket, SOCKET_PRESENT));
    if other == 0 {
        draft.or_fail();
    }
    if asked(SOCKET) && inverted(SOCKET) {
        draft.fail();
    }
    if other & (UID | GID) == 0 {
        *no_file = draft.or_else();
    }
    draft.detail_field(Test::any_of(Field::Socket, SOCKET_FILE));
    draft.or_fail();
    if asked(UID) {
        let user = Test::between(Field::User, owner.uid_min, owner.uid_max);
        draft.detail_field(user.invert_if(inverted(UID)));
    }
    if asked(GID) {
        let group = Test::between(Field::Group, owner.gid_min, owner.gid_max);
        if !asked(SUPPLEMENTARY) {
            draft.detail_field(group.invert_if(inverted(GID)));
        } else if inverted(GID) {
            draft.detail_field(group.invert_if(true));
            draft.groups(&group.invert_if(true));
        } else {
            // One of them: not all of them fail.
            draft.not_all(|draft| {
                draft.detail_field(group.invert_if(true));
                draft.groups(&group.invert_if(true));
            });
        }
    }
    draft.here(ends);
    Ok(())
}

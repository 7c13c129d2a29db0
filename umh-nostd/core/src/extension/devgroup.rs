// SPDX-License-Identifier: GPL-2.0-only
//! devgroup: the groups of the interfaces (xt_devgroup.c).

use super::{Extension, Families, Rule};
use crate::abi::{Hook, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test};
use crate::target::Features;

layout! {
    /// `struct xt_devgroup_info`.
    DevGroup: 20 {
        /// What is asked, and what of it is inverted.
        flags: u32,
        /// Group of the incoming interface.
        source: u32,
        /// The bits of it that count.
        source_mask: u32,
        /// Group of the outgoing interface.
        destination: u32,
        /// The bits of it that count.
        destination_mask: u32,
    }
}

/// Asks for the incoming interface.
pub const SOURCE: u32 = 0x1;
/// Inverts that.
pub const INV_SOURCE: u32 = 0x2;
/// Asks for the outgoing interface.
pub const DESTINATION: u32 = 0x4;
/// Inverts that.
pub const INV_DESTINATION: u32 = 0x8;
const MASK: u32 = 0xf;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    needs: Features::DEVICE_GROUPS,
    check,
    lower,
    ..Extension::matching::<DevGroup>("devgroup")
}];

fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let group = refer::<DevGroup>(data)?;
    let asked_at = |flag: u32, hooks: [Hook; 2]| {
        group.flags & flag != 0 && hooks.iter().any(|hook| rule.hooks & hook.mask() != 0)
    };
    if group.flags & !MASK != 0
        || asked_at(SOURCE, [Hook::LocalOut, Hook::PostRouting])
        || asked_at(DESTINATION, [Hook::PreRouting, Hook::LocalIn])
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// devgroup_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let group = refer::<DevGroup>(data)?;
    let asked = |flag| group.flags & flag != 0;
    if asked(SOURCE) {
        let mask = group.source_mask;
        let test = Test::equal(Field::InGroup, mask, group.source & mask);
        draft.require(test.invert_if(asked(INV_SOURCE)));
    }
    if asked(DESTINATION) {
        let mask = group.destination_mask;
        let test = Test::equal(Field::OutGroup, mask, group.destination & mask);
        draft.require(test.invert_if(asked(INV_DESTINATION)));
    }
    Ok(())
}

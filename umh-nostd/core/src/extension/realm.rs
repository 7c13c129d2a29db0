// SPDX-License-Identifier: GPL-2.0-only
//! realm: the realm of the packet's route (xt_realm.c).

use super::{Extension, Families};
use crate::abi::{Family, Hook, layout};
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, Test};
use crate::target::Features;

layout! {
    /// `struct xt_realm_info`.
    Realm: 12 {
        /// What the masked realm must be.
        id: u32,
        /// The bits that count.
        mask: u32,
        /// Nonzero inverts.
        invert: u8,
        /// Padding.
        pad: [u8; 3],
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv4),
    hooks: (Hook::LocalIn.mask()
        | Hook::Forward.mask()
        | Hook::LocalOut.mask()
        | Hook::PostRouting.mask()) as u8,
    needs: Features::REALMS,
    lower,
    ..Extension::matching::<Realm>("realm")
}];

/// realm_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let realm = refer::<Realm>(data)?;
    let test = Test::equal(Field::Realm, realm.mask, realm.id);
    draft.require_unless(test, realm.invert.into());
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! state: the short form of conntrack (xt_state.c).

use super::{Extension, Families};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{CT_UNTRACKED, Draft, Field, Test};
use crate::target::Features;

layout! {
    /// `struct xt_state_info`.
    State: 4 {
        /// `XT_STATE_*`.
        mask: u32,
    }
}

/// `XT_STATE_UNTRACKED`.
const UNTRACKED: u32 = 1 << 6;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    needs: Features::CONNTRACK,
    lower,
    ..Extension::matching::<State>("state")
}];

/// state_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let state = refer::<State>(data)?;
    // What conntrack calls SNAT is untracked here.
    let mut bits = state.mask & 0x3f;
    if state.mask & UNTRACKED != 0 {
        bits |= CT_UNTRACKED;
    }
    draft.require(Test::any_of(Field::Connection, bits));
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! state: the short form of conntrack (xt_state.c).

use super::{Extension, Family, Features};
use crate::abi::layout;

layout! {
    /// `struct xt_state_info`.
    State: 4 {
        /// `XT_STATE_*`.
        mask: u32,
    }
}

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    family: Family::Any,
    needs: Features::CONNTRACK,
    ..Extension::matching::<State>("state")
}];

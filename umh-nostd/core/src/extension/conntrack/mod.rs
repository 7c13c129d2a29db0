// SPDX-License-Identifier: GPL-2.0-only
//! conntrack: what connection tracking knows of a packet (xt_conntrack.c).
//!
//! Owns: its data, and questions about the packet's state and direction. What a
//! rule asks of the connection beside that, its details, is left to x_tables'
//! own conntrack; the programs of links ask it themselves (`details`).

#[cfg(feature = "links")]
mod details;

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::{read, refer};
use crate::errno::{Errno, Result};
use crate::ir::{CT_NAT, CT_ORIGINAL, CT_PRESENT, CT_UNTRACKED, Draft, Field, Test};
use crate::target::Features;

layout! {
    /// What `struct xt_conntrack_mtinfo1`, `2` and `3` start with.
    Conntrack: 150 {
        /// Source and destination address of the original direction, then of
        /// the reply direction, each with its mask.
        addresses: [[[u8; 16]; 2]; 4],
        /// Least seconds that the connection has to live: a u32, in bytes
        /// because nothing here is a multiple of four long.
        expires_min: [u8; 4],
        /// Most seconds, likewise.
        expires_max: [u8; 4],
        /// Protocol.
        protocol: u16,
        /// Source and destination port of the original direction, then of the
        /// reply direction. In network order in revisions 1 and 2, the first
        /// of a range in host order in revision 3.
        ports: [u16; 4],
        /// What is asked: `XT_CONNTRACK_*`.
        flags: u16,
        /// What of it is inverted.
        invert: u16,
    }

    /// Then revision 1 has this.
    Masks1: 2 {
        /// `XT_CONNTRACK_STATE_*` as far as they fit.
        state: u8,
        /// `IPS_*` as far as they fit.
        status: u8,
    }

    /// Then revisions 2 and 3 have this.
    Masks2: 4 {
        /// `XT_CONNTRACK_STATE_*`.
        state: u16,
        /// `IPS_*`.
        status: u16,
    }

    /// And then revision 3 has this.
    HighPorts: 8 {
        /// The last of each range.
        ports: [u16; 4],
    }
}

const STATE: u16 = 1 << 0;
const DIRECTION: u16 = 1 << 12;
/// What is asked of the connection beside its direction.
const DETAILS: u16 = (DIRECTION - 1) & !STATE;
/// INVALID, ESTABLISHED, RELATED and NEW, and two that do not exist.
const CT_STATES: u32 = 0x3f;
/// There is a connection, and the packet is of its original direction.
const ORIGINAL: Test = Test::any_of(Field::Connection, CT_ORIGINAL);
/// There is one, and it is not.
const REPLY: Test = Test::equal(Field::Connection, CT_PRESENT | CT_ORIGINAL, CT_PRESENT);

pub(super) const EXTENSIONS: [Extension; 3] =
    [revision::<152>(1), revision::<156>(2), revision::<164>(3)];

const fn revision<const SIZE: usize>(revision: u8) -> Extension {
    Extension {
        revision,
        families: Families::All,
        needs: Features::CONNTRACK,
        check,
        lower,
        leaves: asks_details,
        ..Extension::matching::<[u8; SIZE]>("conntrack")
    }
}

/// Whether more is asked than state and direction.
fn asks_details(data: &[u8]) -> bool {
    refer::<Conntrack>(data).is_ok_and(|common| common.flags & DETAILS != 0)
}

/// It takes any data. Details that x_tables, to which they are left, does not
/// know either are unknown.
fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    if asks_details(data) && rule.host.features.contains(Features::X_TABLES) {
        return Err(Errno::ENOENT);
    }
    Ok(())
}

/// The masks of states and of statuses, whose width depends on the revision.
fn masks(data: &[u8]) -> Result<Masks2> {
    let after = size_of::<Conntrack>();
    // Only revision 1 is this short.
    let masks = match data.len() {
        ..=152 => read(data, after).map(|masks: Masks1| Masks2 {
            state: masks.state.into(),
            status: masks.status.into(),
        }),
        _ => read(data, after),
    };
    masks.ok_or(Errno::EINVAL)
}

/// conntrack_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let common = refer::<Conntrack>(data)?;
    let asked = |flag| common.flags & flag != 0;
    let inverted = |flag| common.invert & flag != 0;
    if asked(STATE) {
        let bits = u32::from(masks(data)?.state) & (CT_STATES | CT_NAT | CT_UNTRACKED);
        draft.require(Test::any_of(Field::Connection, bits).invert_if(inverted(STATE)));
    }
    // A packet without a connection has a state, but no direction and no
    // details. If a rule asks for its state, the rest counts as held.
    if asked(DIRECTION) {
        draft.require(match (inverted(DIRECTION), asked(STATE)) {
            (false, false) => ORIGINAL,
            (false, true) => REPLY.invert_if(true),
            (true, false) => REPLY,
            (true, true) => ORIGINAL.invert_if(true),
        });
    } else if !asked(STATE) {
        draft.require(Test::any_of(Field::Connection, CT_PRESENT));
    }
    if asks_details(data) {
        return lower_details(draft, data);
    }
    Ok(())
}

#[cfg(feature = "links")]
use details::lower as lower_details;

/// Such a rule has been left to x_tables, or refused: where there are no links
/// there is a kernel half that calls x_tables.
#[cfg(not(feature = "links"))]
fn lower_details(_: &mut Draft<'_, '_>, _: &[u8]) -> Result<()> {
    Err(Errno::ENOENT)
}

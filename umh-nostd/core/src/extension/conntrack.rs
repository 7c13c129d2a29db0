// SPDX-License-Identifier: GPL-2.0-only
//! conntrack: what connection tracking knows of a packet (xt_conntrack.c).

use super::{Extension, Family, Features};
use crate::abi::layout;

layout! {
    /// What `struct xt_conntrack_mtinfo1`, `2` and `3` start with.
    Conntrack: 150 {
        /// Original direction: source address.
        original_source: [u8; 16],
        /// Its mask.
        original_source_mask: [u8; 16],
        /// Original direction: destination address.
        original_destination: [u8; 16],
        /// Its mask.
        original_destination_mask: [u8; 16],
        /// Reply direction: source address.
        reply_source: [u8; 16],
        /// Its mask.
        reply_source_mask: [u8; 16],
        /// Reply direction: destination address.
        reply_destination: [u8; 16],
        /// Its mask.
        reply_destination_mask: [u8; 16],
        /// Least seconds that the connection has to live: a u32, in bytes
        /// because nothing here is a multiple of four long.
        expires_min: [u8; 4],
        /// Most seconds, likewise.
        expires_max: [u8; 4],
        /// Protocol.
        protocol: u16,
        /// Original direction: source port. In network order in revisions 1
        /// and 2, the first of a range in host order in revision 3; the other
        /// ports likewise.
        original_source_port: u16,
        /// Original direction: destination port.
        original_destination_port: u16,
        /// Reply direction: source port.
        reply_source_port: u16,
        /// Reply direction: destination port.
        reply_destination_port: u16,
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
        /// Original direction: last source port.
        original_source_port: u16,
        /// Original direction: last destination port.
        original_destination_port: u16,
        /// Reply direction: last source port.
        reply_source_port: u16,
        /// Reply direction: last destination port.
        reply_destination_port: u16,
    }
}

pub(super) static EXTENSIONS: [Extension; 3] =
    [revision::<152>(1), revision::<156>(2), revision::<164>(3)];

const fn revision<const SIZE: usize>(revision: u8) -> Extension {
    Extension {
        revision,
        family: Family::Any,
        needs: Features::CONNTRACK,
        ..Extension::matching::<[u8; SIZE]>("conntrack")
    }
}

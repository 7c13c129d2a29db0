// SPDX-License-Identifier: GPL-2.0-only
//! dccp: ports and packet types of DCCP (xt_dccp.c).
//!
//! Options are left to x_tables, and refused where that is not there.

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{CutOff, Draft, Field, Payload, Test};

layout! {
    /// `struct xt_dccp_info`.
    Dccp: 16 {
        /// First and last destination port.
        destination: [u16; 2],
        /// First and last source port.
        source: [u16; 2],
        /// What is asked: `XT_DCCP_*`.
        flags: u16,
        /// What of it is inverted.
        invert: u16,
        /// `1 << type`.
        types: u16,
        /// An option.
        option: u8,
        /// Padding.
        pad: u8,
    }
}

const TYPE: u16 = 0x04;
const OPTION: u16 = 0x08;
const ALL: u16 = 0x0f;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    protocol: 33,
    check,
    lower,
    leaves: |data| refer::<Dccp>(data).is_ok_and(|dccp| dccp.flags & OPTION != 0),
    ..Extension::matching::<Dccp>("dccp")
}];

/// dccp_mt_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let dccp = refer::<Dccp>(data)?;
    if dccp.flags & !ALL != 0 || dccp.invert & !dccp.flags != 0 {
        return Err(Errno::EINVAL);
    }
    match dccp.flags & OPTION {
        0 => Ok(()),
        _ => Err(Errno::ENOENT),
    }
}

/// dccp_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let dccp = refer::<Dccp>(data)?;
    let (flags, invert) = (dccp.flags.into(), dccp.invert.into());
    draft.header_with_ports(flags, invert, dccp.source, dccp.destination);
    if dccp.flags & TYPE != 0 {
        // Four bits of byte 8, above the lowest one.
        draft.payload_word(Payload::Transport, 8, CutOff::Fails);
        draft.shift(0x1e00_0000, 0, 25);
        draft.bit();
        let test = Test::any_of(Field::Found, dccp.types.into());
        draft.detail_field(test.invert_if(dccp.invert & TYPE != 0));
    }
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! dscp: the upper six bits of the type of service (xt_dscp.c).

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct xt_dscp_info`.
    Dscp: 2 {
        /// The value.
        dscp: u8,
        /// Nonzero inverts.
        invert: u8,
    }
}

/// `XT_DSCP_MAX`.
const MAX: u8 = 0x3f;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    check,
    lower,
    ..Extension::matching::<Dscp>("dscp")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let dscp = refer::<Dscp>(data)?;
    if dscp.dscp > MAX {
        return Err(Errno::EDOM);
    }
    Ok(())
}

/// dscp_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let dscp = refer::<Dscp>(data)?;
    let test = Test::equal(Field::Tos, 0xfc, u32::from(dscp.dscp) << 2);
    draft.require(test.invert_if(dscp.invert != 0));
    Ok(())
}

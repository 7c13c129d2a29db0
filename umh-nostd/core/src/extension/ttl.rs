// SPDX-License-Identifier: GPL-2.0-only
//! ttl: the time to live (xt_hl.c).
//!
//! Whether an unknown mode is refused is for x_tables' own to say, where there is
//! one: Linux 6.12.117 and 7.3 refuse it, 6.18 takes it.

use super::{Extension, Families, Rule};
use crate::abi::{Family, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct ipt_ttl_info`, and `struct ip6t_hl_info`.
    Ttl: 2 {
        /// `EQUAL` and the others.
        mode: u8,
        /// What to compare with.
        ttl: u8,
    }
}

/// The packet's is this one.
pub const EQUAL: u8 = 0;
/// It is another one.
pub const NOT_EQUAL: u8 = 1;
/// It is less.
pub const LESS: u8 = 2;
/// It is greater.
pub const GREATER: u8 = 3;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv4),
    check,
    lower,
    leaves: mode_is_unknown,
    ..Extension::matching::<Ttl>("ttl")
}];

pub(super) fn mode_is_unknown(data: &[u8]) -> bool {
    refer::<Ttl>(data).is_ok_and(|ttl| ttl.mode > GREATER)
}

pub(super) fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    if mode_is_unknown(data) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// ttl_mt and hl_mt6
pub(super) fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let ttl = refer::<Ttl>(data)?;
    let value = u32::from(ttl.ttl);
    let equal = Test::equal(Field::Ttl, u32::MAX, value);
    draft.require(match ttl.mode {
        EQUAL => equal,
        NOT_EQUAL => equal.invert_if(true),
        LESS => Test::between(Field::Ttl, value, 0xff).invert_if(true),
        _ => Test::between(Field::Ttl, 0, value).invert_if(true),
    });
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! limit: a token bucket shared by all packets (xt_limit.c).
//!
//! Owns: the kernel's arithmetic of credits, which depends on its tick.

use core::mem::offset_of;

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::Draft;
use crate::target::limit_per_tick;

layout! {
    /// `struct xt_rateinfo`.
    Limit: 40 {
        /// Time between two packets, in units of 1/`SCALE` s.
        average: u32,
        /// Packets that may come at once.
        burst: u32,
        /// Private.
        previous: u64,
        /// Private.
        credit: u32,
        /// Most credits there can be; computed unless the caller gave a `cost`.
        credit_cap: u32,
        /// Credits that a packet costs; computed unless the caller gave it.
        cost: u32,
        /// Padding.
        pad: u32,
        /// Private.
        master: u64,
    }
}

/// `XT_LIMIT_SCALE`.
const SCALE: u32 = 10_000;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    user_size: offset_of!(Limit, previous) as u16,
    check,
    lower,
    ..Extension::matching::<Limit>("limit")
}];

/// A token bucket as the kernel sets it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct TokenBucket {
    /// Credits at the start.
    credit: u32,
    /// Most credits there can be.
    cap: u32,
    /// Credits that a packet costs.
    cost: u32,
}

impl TokenBucket {
    /// The token bucket for `data` on a kernel of `hz` ticks a second; ERANGE where
    /// the kernel's 32 bits overflow.
    fn new(data: &[u8], hz: u32) -> Result<Self> {
        let limit = refer::<Limit>(data)?;
        let per_tick = limit_per_tick(hz);
        let per_second = hz.wrapping_mul(per_tick);
        let full = credits(limit.average.wrapping_mul(limit.burst), per_second);
        let cost = credits(limit.average, per_second);
        if limit.burst == 0 || full < cost {
            return Err(Errno::ERANGE);
        }
        let (cap, cost) = match limit.cost {
            0 => (full, cost),
            given => (limit.credit_cap, given),
        };
        Ok(Self {
            credit: full,
            cap,
            cost,
        })
    }
}

fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    TokenBucket::new(data, rule.host.hz).map(|_| ())
}

/// user2credits
fn credits(user: u32, per_second: u32) -> u32 {
    let most = u32::MAX.checked_div(per_second).unwrap_or(u32::MAX);
    if user > most {
        (user / SCALE).wrapping_mul(per_second)
    } else {
        user.wrapping_mul(per_second) / SCALE
    }
}

/// limit_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let bucket = TokenBucket::new(data, draft.machine().host.hz)?;
    draft.limit(bucket.credit, bucket.cap, bucket.cost)
}

// SPDX-License-Identifier: GPL-2.0-only
//! limit: a token bucket shared by all packets (xt_limit.c).
//!
//! Owns: the kernel's arithmetic of credits, which depends on its tick, and the only
//! data that has another layout where pointers have 32 bits: in kernels, and in programs.

use core::mem::offset_of;

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::Draft;
use crate::target::limit_per_tick;

layout! {
    /// `struct xt_rateinfo` where pointers have 64 bits.
    Limit64: 40 {
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

    /// The same where they have 32 bits; `struct compat_xt_rateinfo`, which a kernel of 64
    /// bits fills with its own.
    Limit32: 28 {
        /// See [`Limit64`].
        average: u32,
        /// See [`Limit64`].
        burst: u32,
        /// Private. Of a kernel of 64 bits the lower half.
        previous: u32,
        /// See [`Limit64`].
        credit: u32,
        /// See [`Limit64`].
        credit_cap: u32,
        /// See [`Limit64`].
        cost: u32,
        /// Private. Of a kernel of 64 bits the upper half of `previous`.
        master: u32,
    }
}

/// That of the kernel under this helper.
#[cfg(target_pointer_width = "64")]
type Limit = Limit64;
#[cfg(target_pointer_width = "32")]
type Limit = Limit32;

/// `XT_LIMIT_SCALE`.
const SCALE: u32 = 10_000;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    user_size: offset_of!(Limit, previous) as u16,
    check,
    lower,
    #[cfg(target_pointer_width = "64")]
    compat: Some(caller32::LAYOUT),
    ..Extension::matching::<Limit>("limit")
}];

/// Programs of 32 bits on a kernel of 64.
#[cfg(target_pointer_width = "64")]
mod caller32 {
    use super::{Limit32, Limit64, TokenBucket};
    use crate::bytes::{read, write};
    use crate::extension::Compat;
    use crate::target::Host;

    pub(super) const LAYOUT: Compat = Compat {
        size: size_of::<Limit32>() as u16,
        from_caller,
        to_caller,
    };

    /// limit_mt_compat_from_user
    fn from_caller(from: &[u8], into: &mut [u8]) -> Option<()> {
        let from: Limit32 = read(from, 0)?;
        let limit = Limit64 {
            average: from.average,
            burst: from.burst,
            previous: u64::from(from.previous) | u64::from(from.master) << 32,
            credit: from.credit,
            credit_cap: from.credit_cap,
            cost: from.cost,
            pad: 0,
            master: 0,
        };
        write(into, 0, &limit)
    }

    /// limit_mt_compat_to_user, of a rule that limit_mt_check has seen.
    fn to_caller(host: &Host, from: &[u8], into: &mut [u8]) -> Option<()> {
        let from: Limit64 = read(from, 0)?;
        let bucket = TokenBucket::new(&from, host.hz).ok()?;
        let limit = Limit32 {
            average: from.average,
            burst: from.burst,
            previous: from.previous as u32,
            credit: from.credit,
            credit_cap: bucket.cap,
            cost: bucket.cost,
            master: (from.previous >> 32) as u32,
        };
        write(into, 0, &limit)
    }
}

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
    /// The token bucket of `limit` on a kernel of `hz` ticks a second; ERANGE where
    /// the kernel's 32 bits overflow.
    fn new(limit: &Limit, hz: u32) -> Result<Self> {
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
    TokenBucket::new(refer(data)?, rule.host.hz).map(|_| ())
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
    let bucket = TokenBucket::new(refer(data)?, draft.machine().host.hz)?;
    draft.limit(bucket.credit, bucket.cap, bucket.cost)
}

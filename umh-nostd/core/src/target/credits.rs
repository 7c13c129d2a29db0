// SPDX-License-Identifier: GPL-2.0-only
//! What a tick brings to a token bucket.
//!
//! Owns: the part of the kernel's arithmetic of `limit` and `hashlimit` that
//! depends on the kernel's ticks alone.

/// Seconds of a day.
pub(crate) const DAY: u64 = 60 * 60 * 24;

/// CREDITS_PER_JIFFY of xt_limit.c: a day's credits fit into 32 bits.
pub(crate) fn limit_per_tick(hz: u32) -> u32 {
    credits_per_tick(u32::MAX.into(), DAY, hz) as u32
}

/// CREDITS_PER_JIFFY: the greatest power of two of which so many seconds bring
/// no more than `most`.
pub(crate) fn credits_per_tick(most: u64, seconds: u64, hz: u32) -> u64 {
    let most = most.checked_div(seconds * u64::from(hz));
    1 << most.and_then(u64::checked_ilog2).unwrap_or(0)
}

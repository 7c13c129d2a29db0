// SPDX-License-Identifier: GPL-2.0-only
//! hashlimit: a token bucket for each address or port, in tables with names
//! (xt_hashlimit.c).
//!
//! Owns: the check, what a table is made with, and the kernel's arithmetic of
//! rates, which is not the same in all revisions.

use core::mem::offset_of;

use super::limit::credits_per_tick;
use super::{Extension, Features, Rule, check_proc_name};
use crate::abi::layout;
use crate::bytes::{c_string, read, write};
use crate::errno::{Errno, Result};
use crate::ruleset::{Draft, LimitRates, hashlimit as mode};
use crate::table::named::{Limits, Named, NamedTables};

layout! {
    /// `struct hashlimit_cfg1`.
    Config1: 32 {
        /// `XT_HASHLIMIT_*`.
        mode: u32,
        /// Time between packets, or what stands for a rate.
        avg: u32,
        /// How many more may come at once.
        burst: u32,
        /// Buckets of the hash table.
        size: u32,
        /// Most entries.
        max: u32,
        /// Milliseconds between two collections.
        gc_interval: u32,
        /// Milliseconds that an entry lives.
        expire: u32,
        /// Bits of source and destination that count.
        masks: [u8; 2],
        /// Padding.
        pad: u16,
    }

    /// `struct xt_hashlimit_mtinfo1`.
    Info1: 56 {
        /// The table's name.
        name: [u8; 16],
        /// The rest.
        config: Config1,
        /// Private.
        table: u64,
    }

    /// `struct xt_hashlimit_mtinfo2`.
    Info2: 304 {
        /// The table's name.
        name: [u8; 255],
        /// Padding.
        pad: u8,
        /// The rest.
        config: [u8; 40],
        /// Private.
        table: u64,
    }

    /// `struct xt_hashlimit_mtinfo3`.
    Info3: 312 {
        /// The table's name.
        name: [u8; 255],
        /// Padding.
        pad: u8,
        /// The rest.
        config: [u8; 48],
        /// Private.
        table: u64,
    }

    /// What `struct hashlimit_cfg2` and `hashlimit_cfg3` have in common.
    Config2: 40 {
        /// Time between packets, or what stands for a rate.
        avg: u64,
        /// How many more may come at once.
        burst: u64,
        /// `XT_HASHLIMIT_*`.
        mode: u32,
        /// Buckets of the hash table.
        size: u32,
        /// Most entries.
        max: u32,
        /// Milliseconds between two collections.
        gc_interval: u32,
        /// Milliseconds that an entry lives.
        expire: u32,
        /// In the later one the interval; both masks come next there.
        last: [u8; 4],
    }
}

/// `HASHLIMIT_MAX_SIZE`.
const SIZE_MAX: u32 = 1 << 20;

const fn revision<T>(revision: u8, user_size: usize) -> Extension {
    Extension {
        revision,
        user_size: user_size as u16,
        needs: Features::TABLES,
        check,
        lower,
        ..Extension::matching::<T>("hashlimit")
    }
}

pub(super) static EXTENSIONS: [Extension; 3] = [
    revision::<Info1>(1, offset_of!(Info1, table)),
    revision::<Info2>(2, offset_of!(Info2, table)),
    revision::<Info3>(3, offset_of!(Info3, table)),
];

/// What a rule says, of any revision.
struct Config<'a> {
    revision: u8,
    /// The field of the name.
    name: &'a [u8],
    limits: Limits,
}

/// cfg_copy
fn config(data: &[u8]) -> Result<Config<'_>> {
    let room = match data.len() {
        Info1::LEN => 16,
        _ => 255,
    };
    let name = data.get(..room).ok_or(Errno::EINVAL)?;
    if data.len() == Info1::LEN {
        let from: Config1 = read(data, offset_of!(Info1, config)).ok_or(Errno::EINVAL)?;
        return Ok(Config {
            revision: 1,
            name,
            limits: Limits {
                avg: from.avg.into(),
                burst: from.burst.into(),
                mode: from.mode,
                size: from.size,
                max: from.max,
                gc_interval: from.gc_interval,
                expire: from.expire,
                interval: 0,
                masks: from.masks,
                pad: [0; 6],
            },
        });
    }
    let at = offset_of!(Info2, config);
    let from: Config2 = read(data, at).ok_or(Errno::EINVAL)?;
    let [first, second, ..] = from.last;
    let (revision, interval, masks) = match data.len() {
        Info2::LEN => (2, 0, [first, second]),
        _ => (
            3,
            u32::from_ne_bytes(from.last),
            read(data, at + size_of::<Config2>()).ok_or(Errno::EINVAL)?,
        ),
    };
    Ok(Config {
        revision,
        name,
        limits: Limits {
            avg: from.avg,
            burst: from.burst,
            mode: from.mode,
            size: from.size,
            max: from.max,
            gc_interval: from.gc_interval,
            expire: from.expire,
            interval,
            masks,
            pad: [0; 6],
        },
    })
}

impl Info1 {
    const LEN: usize = size_of::<Self>();
}

impl Info2 {
    const LEN: usize = size_of::<Self>();
}

/// hashlimit_mt_check_common, but for what depends on the table.
fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let Config {
        revision,
        name,
        limits,
    } = config(data)?;
    check_proc_name(name)?;
    let [source, destination] = limits.masks;
    if limits.gc_interval == 0
        || limits.expire == 0
        || source > 32
        || destination > 32
        || limits.mode & !mode::ALL != 0
    {
        return Err(Errno::EINVAL);
    }
    if limits.mode & mode::RATE != 0 {
        if revision < 3 {
            return Err(Errno::EINVAL);
        }
        if limits.avg == 0 || limits.avg > u32::MAX.into() {
            return Err(Errno::ERANGE);
        }
        if limits.interval == 0 {
            return Err(Errno::EINVAL);
        }
    } else if limits.mode & mode::BYTES != 0 {
        if user2credits_byte(limits.avg, rule.host.hz) == 0 {
            return Err(Errno::EINVAL);
        }
    } else {
        let credits = |user| user2credits(user, revision, rule.host.hz);
        let full = credits(limits.avg.wrapping_mul(limits.burst));
        if limits.burst == 0 || full < credits(limits.avg) {
            return Err(Errno::ERANGE);
        }
    }
    Ok(())
}

/// A rule whose data is at an offset of all entries names a table.
pub(super) fn claim(
    named: &mut NamedTables<'_>,
    entries: &mut [u8],
    at: usize,
    len: usize,
) -> Result<()> {
    let data = entries.get_mut(at..at + len).ok_or(Errno::EINVAL)?;
    let Config {
        revision,
        mut limits,
        ..
    } = config(data)?;
    limits.size = limits.size.min(SIZE_MAX);
    limits.max = limits.max.min(SIZE_MAX);
    if revision == 3 {
        // Its rule is what the kernel corrects, the others' is a copy.
        let at = offset_of!(Info3, config) + offset_of!(Config2, size);
        write(data, at, &[limits.size, limits.max]).ok_or(Errno::EINVAL)?;
    }
    let wanted = Named {
        name_at: at as u32,
        limits,
        ..Named::default()
    };
    named.claim(entries, wanted)
}

/// hashlimit_mt_common
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let rule = config(data)?;
    let name = c_string(rule.name).unwrap_or_default();
    let (number, table) = draft.named(name, true).ok_or(Errno::ENOENT)?;
    let (limits, hz) = (table.limits, draft.hz());
    let has = |bits| limits.mode & bits != 0;
    let byte_credits = byte_credits_per_tick(hz);
    let byte_cap = u64::from(byte_credits) * u64::from(hz);
    let [first, last] = [mode::SOURCE_PORT, mode::DESTINATION_PORT].map(|bit| u32::from(has(bit)));
    let ports = (first * 0xffff) | (last * 0xffff_0000);
    let [source, destination] = limits.masks;
    let mut how = 0;
    if rule.limits.mode & mode::BYTES != 0 {
        how |= mode::RULE_COUNTS_BYTES;
    }
    let mut rates = LimitRates {
        collect: ticks(limits.gc_interval, hz).try_into().unwrap_or(0),
        ports,
        expire: ticks(limits.expire, hz),
        previous: 0,
        credit: 0,
        cap: 0,
        cost: 0,
        per_tick: 0,
        limit: byte_cap,
    };
    // rateinfo_init
    if has(mode::RATE) {
        how |= mode::WINDOWS;
        // The kernel multiplies in 32 bits.
        rates.per_tick = limits.interval.wrapping_mul(hz).into();
        if has(mode::BYTES) {
            let most = u32::MAX.checked_div(limits.avg as u32).unwrap_or(u32::MAX);
            rates.cost = u64::from(most).wrapping_sub(1) << 4;
            rates.limit = match limits.burst {
                0 => rates.cost,
                burst => burst.wrapping_mul(rates.cost),
            };
        } else {
            rates.cost = SCALE.checked_div(limits.avg).unwrap_or(0);
            rates.limit = limits.burst.wrapping_add(rates.cost);
        }
    } else if has(mode::BYTES) {
        how |= mode::TABLE_COUNTS_BYTES;
        rates.credit = byte_cap;
        rates.cost = user2credits_byte(limits.avg, hz).into();
        rates.cap = limits.burst;
        rates.per_tick = byte_credits.into();
    } else {
        let credits = |user| user2credits(user, rule.revision, hz);
        rates.credit = credits(limits.avg.wrapping_mul(limits.burst));
        rates.cost = credits(limits.avg);
        rates.cap = rates.credit;
    }
    if !has(mode::RATE | mode::BYTES) {
        rates.per_tick = match rule.revision {
            1 => credits_per_tick(hz).into(),
            _ => credits_per_tick_2(hz),
        };
    }
    // maskl
    let mask = |used, len: u8| match used {
        true => u32::MAX
            .checked_shl(32 - u32::from(len))
            .unwrap_or(0)
            .to_be(),
        false => 0,
    };
    let source = mask(has(mode::SOURCE), source);
    let destination = mask(has(mode::DESTINATION), destination);
    let invert = rule.limits.mode & mode::INVERT != 0;
    draft.hashlimit(how, number, [source, destination], invert, &rates)
}

/// `XT_HASHLIMIT_SCALE_v2`.
const SCALE: u64 = 1_000_000;
/// `XT_HASHLIMIT_SCALE`.
const SCALE_1: u64 = 10_000;

/// CREDITS_PER_JIFFY of revisions 2 and 3.
fn credits_per_tick_2(hz: u32) -> u64 {
    let day = u64::from(hz) * 60 * 60 * 24;
    let most = u64::MAX.checked_div(day).unwrap_or(0);
    most.checked_ilog2().map_or(0, |log| 1 << log)
}

/// CREDITS_PER_JIFFY_BYTES
fn byte_credits_per_tick(hz: u32) -> u32 {
    let most = u32::MAX.checked_div(hz).unwrap_or(0);
    most.checked_ilog2().map_or(0, |log| 1 << log)
}

/// user2credits
fn user2credits(user: u64, revision: u8, hz: u32) -> u64 {
    let (scale, per_tick) = match revision {
        1 => (SCALE_1, u64::from(credits_per_tick(hz))),
        _ => (SCALE, credits_per_tick_2(hz)),
    };
    let per_second = per_tick.wrapping_mul(hz.into());
    match scale.checked_div(per_second) {
        Some(ticks @ 1..) => user.checked_div(ticks).unwrap_or(0),
        _ => user.wrapping_mul(per_second / scale),
    }
}

/// user2credits_byte, which takes 32 bits.
fn user2credits_byte(user: u64, hz: u32) -> u32 {
    let full = byte_credits_per_tick(hz).wrapping_mul(hz);
    (u64::from(user as u32).wrapping_mul(full.into()) >> 32) as u32
}

/// msecs_to_jiffies
fn ticks(milliseconds: u32, hz: u32) -> u64 {
    const MAX_JIFFY_OFFSET: u64 = (i64::MAX as u64 >> 1) - 1;
    if milliseconds > i32::MAX as u32 {
        return MAX_JIFFY_OFFSET;
    }
    (u64::from(milliseconds) * u64::from(hz)).div_ceil(1000)
}

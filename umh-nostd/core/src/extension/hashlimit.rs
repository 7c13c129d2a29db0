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

/// Where the name ends and the rest starts, in later revisions.
const NAME_LEN: usize = offset_of!(Info3, pad);
const CONFIG: usize = offset_of!(Info3, config);
const _: () = assert!(
    offset_of!(Info2, config) == CONFIG && size_of::<Info2>() == CONFIG + size_of::<Limits>()
);

/// cfg_copy: what a rule says, and the field of its name.
#[inline(never)]
fn config(data: &[u8]) -> Option<(Limits, &[u8])> {
    if data.len() == size_of::<Info1>() {
        let from: Config1 = read(data, offset_of!(Info1, config))?;
        let limits = Limits {
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
        };
        return Some((limits, data.get(..offset_of!(Info1, config))?));
    }
    let mut limits: Limits = read(data, CONFIG)?;
    if data.len() == size_of::<Info2>() {
        // The masks stand in place of the interval.
        let [source, destination, ..] = limits.interval.to_ne_bytes();
        limits.interval = 0;
        limits.masks = [source, destination];
    }
    limits.pad = [0; 6];
    Some((limits, data.get(..NAME_LEN)?))
}

/// Whether it counts in the units of revision 1.
fn is_first(data: &[u8]) -> bool {
    data.len() == size_of::<Info1>()
}

/// hashlimit_mt_check_common, but for what depends on the table.
fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let (limits, name) = config(data).ok_or(Errno::EINVAL)?;
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
        // Of the third revision alone.
        if data.len() != size_of::<Info3>() {
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
        let [_, cost, full] = packet_credits(&limits, is_first(data), rule.host.hz);
        if limits.burst == 0 || full < cost {
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
    let (mut limits, _) = config(data).ok_or(Errno::EINVAL)?;
    limits.size = limits.size.min(SIZE_MAX);
    limits.max = limits.max.min(SIZE_MAX);
    if len == size_of::<Info3>() {
        // Its rule is what the kernel corrects, the others' is a copy.
        let at = CONFIG + offset_of!(Limits, size);
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
    let (rule, _) = config(data).ok_or(Errno::EINVAL)?;
    let name = c_string(data).unwrap_or_default();
    let (number, table) = draft.named(name, true).ok_or(Errno::ENOENT)?;
    let (limits, hz) = (table.limits, draft.hz());
    let has = |bits| limits.mode & bits != 0;
    let [ports, masks @ ..] = masks(&limits);
    let mut rates = LimitRates {
        collect: ticks(limits.gc_interval, hz).try_into().unwrap_or(0),
        ports,
        expire: ticks(limits.expire, hz),
        limit: byte_cap(hz),
        ..LimitRates::default()
    };
    let mut how = 0;
    if rule.mode & mode::BYTES != 0 {
        how = mode::RULE_COUNTS_BYTES;
    }
    // rateinfo_init
    if has(mode::RATE) {
        how |= mode::WINDOWS;
        // The kernel multiplies in 32 bits.
        rates.per_tick = limits.interval.wrapping_mul(hz).into();
        if has(mode::BYTES) {
            let most = u32::MAX.checked_div(limits.avg as u32).unwrap_or(u32::MAX);
            rates.cost = u64::from(most).wrapping_sub(1) << 4;
            rates.limit = limits.burst.max(1).wrapping_mul(rates.cost);
        } else {
            rates.cost = SCALE.checked_div(limits.avg).unwrap_or(0);
            rates.limit = limits.burst.wrapping_add(rates.cost);
        }
    } else if has(mode::BYTES) {
        how |= mode::TABLE_COUNTS_BYTES;
        rates.credit = rates.limit;
        rates.cost = user2credits_byte(limits.avg, hz);
        rates.cap = limits.burst;
        rates.per_tick = byte_credits_per_tick(hz).into();
    } else {
        [rates.per_tick, rates.cost, rates.credit] = packet_credits(&limits, is_first(data), hz);
        rates.cap = rates.credit;
    }
    let invert = rule.mode & mode::INVERT != 0;
    draft.hashlimit(how, number, masks, invert, &rates)
}

/// The bits that count of both ports, and of each address.
fn masks(limits: &Limits) -> [u32; 3] {
    let mut masks = [0; 3];
    let [ports, source, destination] = &mut masks;
    for (bit, mask) in [
        (mode::SOURCE_PORT, 0xffff),
        (mode::DESTINATION_PORT, 0xffff_0000),
    ] {
        if limits.mode & bit != 0 {
            *ports |= mask;
        }
    }
    // maskl
    let [of_source, of_destination] = limits.masks;
    for (bit, mask, len) in [
        (mode::SOURCE, source, of_source),
        (mode::DESTINATION, destination, of_destination),
    ] {
        if limits.mode & bit != 0 {
            let host_bits = 32 - u32::from(len);
            *mask = u32::MAX.checked_shl(host_bits).unwrap_or(0).to_be();
        }
    }
    masks
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

/// All credits that there can be where bytes are counted.
fn byte_cap(hz: u32) -> u64 {
    byte_credits_per_tick(hz).wrapping_mul(hz).into()
}

/// What a tick brings, what a packet costs, and all that there can be: in
/// units of the first revision or of the others.
#[inline(never)]
fn packet_credits(limits: &Limits, first: bool, hz: u32) -> [u64; 3] {
    let (scale, per_tick) = match first {
        true => (SCALE_1, u64::from(credits_per_tick(hz))),
        false => (SCALE, credits_per_tick_2(hz)),
    };
    let per_second = per_tick.wrapping_mul(hz.into());
    // user2credits
    let credits = |user: u64| match scale.checked_div(per_second) {
        Some(ticks @ 1..) => user.checked_div(ticks).unwrap_or(0),
        _ => user.wrapping_mul(per_second / scale),
    };
    let users = [limits.avg, limits.avg.wrapping_mul(limits.burst)];
    let [cost, full] = users.map(credits);
    [per_tick, cost, full]
}

/// user2credits_byte, which takes 32 bits.
fn user2credits_byte(user: u64, hz: u32) -> u64 {
    u64::from(user as u32).wrapping_mul(byte_cap(hz)) >> 32
}

/// msecs_to_jiffies
fn ticks(milliseconds: u32, hz: u32) -> u64 {
    const MAX_JIFFY_OFFSET: u64 = (i64::MAX as u64 >> 1) - 1;
    if milliseconds > i32::MAX as u32 {
        return MAX_JIFFY_OFFSET;
    }
    (u64::from(milliseconds) * u64::from(hz)).div_ceil(1000)
}

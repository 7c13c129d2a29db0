// SPDX-License-Identifier: GPL-2.0-only
//! hashlimit: a token bucket for each address or port, in tables with names
//! (xt_hashlimit.c).
//!
//! Owns: the check, what a table is made with, and the kernel's arithmetic of
//! rates, which is not the same in all revisions.

use core::mem::offset_of;

use super::{Extension, Rule, check_proc_name};
use crate::abi::layout;
use crate::bytes::{read, write};
use crate::errno::{Errno, Result};
use crate::ir::named::{Limits, Named};
use crate::ir::{Draft, LimitRates, hashlimit as mode};
use crate::target::{DAY, Features, credits_per_tick};

layout! {
    /// `struct hashlimit_cfg1`.
    Config1: 32 {
        /// `XT_HASHLIMIT_*`.
        mode: u32,
        /// Time between packets, or what stands for a rate.
        avg: u32,
        /// How many more may come at once.
        burst: u32,
        /// Buckets of the hash table, and most entries.
        sizes: [u32; 2],
        /// Milliseconds between two collections, and that an entry lives.
        times: [u32; 2],
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
        names: Some(table),
        ..Extension::matching::<T>("hashlimit")
    }
}

pub(super) const EXTENSIONS: [Extension; 3] = [
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

/// cfg_copy: what a rule says.
fn config(data: &[u8]) -> Result<Limits> {
    if is_first(data) {
        let from: Config1 = read(data, offset_of!(Info1, config)).ok_or(Errno::EINVAL)?;
        return Ok(Limits {
            avg: from.avg.into(),
            burst: from.burst.into(),
            mode: from.mode,
            sizes: from.sizes,
            times: from.times,
            masks: from.masks,
            ..Limits::default()
        });
    }
    let mut limits: Limits = read(data, CONFIG).ok_or(Errno::EINVAL)?;
    if data.len() == size_of::<Info2>() {
        // The masks stand in place of the interval.
        let [source, destination, ..] = limits.interval.to_ne_bytes();
        limits.masks = [source, destination];
    }
    Ok(limits)
}

/// Whether it counts in the units of revision 1.
fn is_first(data: &[u8]) -> bool {
    data.len() == size_of::<Info1>()
}

/// hashlimit_mt_check_common, but for what depends on the table.
fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let limits = config(data)?;
    let name = match is_first(data) {
        true => offset_of!(Info1, config),
        false => NAME_LEN,
    };
    check_proc_name(data.get(..name).unwrap_or_default())?;
    if limits.times.contains(&0)
        || limits.masks.iter().any(|&len| len > 32)
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

/// The table that a rule names, whose data is at an offset of all entries.
fn table(extension: &Extension, entries: &mut [u8], at: usize) -> Result<Named> {
    let len = usize::from(extension.size);
    let data = entries.get_mut(at..at + len).ok_or(Errno::EINVAL)?;
    let mut limits = config(data)?;
    limits.sizes = limits.sizes.map(|size| size.min(SIZE_MAX));
    if len == size_of::<Info3>() {
        // Its rule is what the kernel corrects, the others' is a copy.
        let at = CONFIG + offset_of!(Limits, sizes);
        write(data, at, &limits.sizes).ok_or(Errno::EINVAL)?;
    }
    Ok(Named {
        name_at: at as u32,
        limits,
        ..Named::default()
    })
}

/// hashlimit_mt_common
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let rule = config(data)?.mode;
    let (limits, hz) = (&draft.named()?.limits, draft.machine().host.hz);
    let [collect, expire] = limits.times.map(|milliseconds| ticks(milliseconds, hz));
    let mut rates = LimitRates {
        collect: collect.try_into().unwrap_or(0),
        // Both ports, as they stand in the header.
        ports: 0xffff * (limits.mode >> 3 & 1 | limits.mode << 15 & 1 << 16),
        expire,
        limit: byte_cap(hz),
        ..LimitRates::default()
    };
    // rateinfo_init
    let bytes = limits.mode & mode::BYTES != 0;
    if limits.mode & mode::RATE != 0 {
        // The kernel multiplies in 32 bits.
        rates.per_tick = limits.interval.wrapping_mul(hz).into();
        if bytes {
            let most = u32::MAX.checked_div(limits.avg as u32).unwrap_or(u32::MAX);
            rates.cost = u64::from(most).wrapping_sub(1) << 4;
            rates.limit = limits.burst.max(1).wrapping_mul(rates.cost);
        } else {
            rates.cost = SCALE.checked_div(limits.avg).unwrap_or(0);
            rates.limit = limits.burst.wrapping_add(rates.cost);
        }
    } else if bytes {
        rates.credit = rates.limit;
        rates.cost = user2credits_byte(limits.avg, hz);
        rates.cap = limits.burst;
        rates.per_tick = byte_credits_per_tick(hz);
    } else {
        [rates.per_tick, rates.cost, rates.credit] = packet_credits(limits, is_first(data), hz);
        rates.cap = rates.credit;
    }
    let how = limits.mode & (mode::RATE | mode::BYTES) | (rule & mode::BYTES) >> 1;
    let [source, destination] = limits.masks;
    let masks = [(mode::SOURCE, source), (mode::DESTINATION, destination)];
    // maskl
    let masks = masks.map(|(bit, len)| match limits.mode & bit {
        0 => 0,
        _ => ((u64::MAX << 32).wrapping_shr(len.into()) as u32).to_be(),
    });
    draft.hashlimit(how as u8, masks, rule & mode::INVERT != 0, &rates);
    Ok(())
}

const _: () = assert!(mode::SOURCE_PORT == 1 << 3 && mode::DESTINATION_PORT == 1 << 1);

/// `XT_HASHLIMIT_SCALE_v2`.
const SCALE: u64 = 1_000_000;
/// `XT_HASHLIMIT_SCALE`.
const SCALE_1: u64 = 10_000;

/// CREDITS_PER_JIFFY_BYTES
fn byte_credits_per_tick(hz: u32) -> u64 {
    credits_per_tick(u32::MAX.into(), 1, hz)
}

/// All credits that there can be where bytes are counted.
fn byte_cap(hz: u32) -> u64 {
    byte_credits_per_tick(hz).wrapping_mul(hz.into())
}

/// What a tick brings, what a packet costs, and all that there can be: in
/// units of the first revision or of the others.
fn packet_credits(limits: &Limits, first: bool, hz: u32) -> [u64; 3] {
    let (scale, most) = match first {
        true => (SCALE_1, u32::MAX.into()),
        false => (SCALE, u64::MAX),
    };
    let per_tick = credits_per_tick(most, DAY, hz);
    // user2credits. A second brings more than half of what a day may bring at
    // most, divided by the seconds of a day: more than one of the scale.
    let credits = per_tick.wrapping_mul(hz.into()) / scale;
    let cost = limits.avg.wrapping_mul(credits);
    let full = limits.avg.wrapping_mul(limits.burst).wrapping_mul(credits);
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

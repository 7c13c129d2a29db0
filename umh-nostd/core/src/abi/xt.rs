// SPDX-License-Identifier: GPL-2.0-only
//! Data of matches that programs read as the caller has written it.
//!
//! Owns: the layouts that both an extension, which checks the data, and the
//! code generator, whose programs read it, must know. All others are in the
//! file of their extension.

use super::layout;

layout! {
    /// `struct xt_connbytes_info`.
    ConnBytes: 24 {
        /// Least and most; if the least is greater, the numbers between them are
        /// those that do not match.
        count: [u64; 2],
        /// `XT_CONNBYTES_*`: packets, bytes, bytes of an average packet.
        what: u8,
        /// `XT_CONNBYTES_DIR_*`: original, reply, both.
        direction: u8,
        /// Padding.
        pad: [u8; 6],
    }

    /// `struct xt_helper_info`.
    Helper: 36 {
        /// Nonzero inverts.
        invert: u32,
        /// What the helper's name starts; empty for any.
        name: [u8; 29],
        /// The kernel makes it a NUL.
        nul: u8,
        /// Padding.
        pad: [u8; 2],
    }

    /// `struct xt_time_info`. Times are in seconds.
    Time: 24 {
        /// First and last second since 1970.
        date: [u32; 2],
        /// First and last second of a day.
        daytime: [u32; 2],
        /// `1 << day`.
        monthdays: u32,
        /// `1 << day`, Monday is 1.
        weekdays: u8,
        /// `XT_TIME_*`.
        flags: u8,
        /// Padding.
        pad: u16,
    }
}

/// `XT_TIME_LOCAL_TZ`: in the kernel's time zone.
pub(crate) const TIME_LOCAL: u8 = 1 << 0;
/// `XT_TIME_CONTIGUOUS`: a time past midnight belongs to the day before.
pub(crate) const TIME_CONTIGUOUS: u8 = 1 << 1;

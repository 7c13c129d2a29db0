// SPDX-License-Identifier: GPL-2.0-only
//! How a CPU lays out the structures of the interface.
//!
//! Owns: what follows from the size of a pointer and the alignment of `u64`, the only
//! two things in which the interface differs from CPU to CPU: how long the structures
//! are that stand before entries and counters, where the parts of an entry stand, and
//! where a structure may start. A kernel of 64 bits is asked by programs of 32 bits, too.

use bpfilter_msgfmt as msg;

use super::{Counters, EXTENSION_NAME_LEN, Family, IP6T_F_MASK, IPT_F_MASK, Ip6tIp6, IptIp};
use super::{ExtensionHeader, TABLE_NAME_LEN};
use crate::bytes::read;

/// The layout of a caller's structures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Layout {
    /// Bytes of a pointer and of an `unsigned long`.
    pub pointer: usize,
    /// What a `u64` is aligned to.
    pub align: usize,
}

/// Where the parts of an entry stand that no address is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntryLayout {
    /// Bytes before the matches.
    pub size: usize,
    /// Offset of the offset of the target.
    pub target_offset: usize,
    /// Offset of the offset of the next entry.
    pub next_offset: usize,
    /// Offset of the mask of hooks that reach the entry.
    pub comefrom: usize,
    /// Offset of the counters.
    pub counters: usize,
    /// Bytes of what is asked of the IP header and the interfaces, the first part.
    pub ip: usize,
    /// The flags that the first part may have.
    pub flags: u8,
}

/// `struct xt_entry_match` or `xt_entry_target`, which have one layout.
const EXTENSION: usize = size_of::<ExtensionHeader>();
/// Offset of the first member behind the name, a `u32`, of GET_ENTRIES and ADD_COUNTERS.
const NUMBER: usize = TABLE_NAME_LEN;

impl Layout {
    /// 64 bits: x86-64, arm64.
    pub const BITS_64: Self = Self {
        pointer: 8,
        align: 8,
    };
    /// 32 bits with the alignment of i386.
    pub const BITS_32_ALIGN_4: Self = Self {
        pointer: 4,
        align: 4,
    };
    /// 32 bits with the alignment of all others, such as ARM.
    pub const BITS_32_ALIGN_8: Self = Self {
        pointer: 4,
        align: 8,
    };
    /// That of the kernel under this helper, in which a table is checked and kept: the
    /// CPU's own.
    pub const NATIVE: Self = Self {
        pointer: size_of::<usize>(),
        align: align_of::<u64>(),
    };

    /// The layout of that `LAYOUT_*` of the mailbox.
    pub fn numbered(number: u32) -> Option<Self> {
        match number {
            msg::LAYOUT_NATIVE => Some(Self::NATIVE),
            msg::LAYOUT_32_ALIGN_4 => Some(Self::BITS_32_ALIGN_4),
            msg::LAYOUT_32_ALIGN_8 => Some(Self::BITS_32_ALIGN_8),
            _ => None,
        }
    }

    /// Bytes of `struct ipt_replace`, which is aligned as the entries behind it.
    pub const fn replace(self) -> usize {
        round_up(COUNTERS_POINTER + self.pointer, self.align)
    }

    /// Bytes of `struct ipt_get_entries`, likewise.
    pub const fn get_entries(self) -> usize {
        round_up(NUMBER + 4, self.align)
    }

    /// Bytes of `struct xt_counters_info`, which is aligned as the counters behind it.
    pub const fn counters_info(self) -> usize {
        round_up(NUMBER + 4, self.align)
    }

    /// `struct ipt_entry` or `ip6t_entry`: after the first part `nfcache`, two offsets
    /// and `comefrom`, and then the counters, which are u64.
    pub const fn entry(self, family: Family) -> EntryLayout {
        let (ip, flags) = match family {
            Family::Ipv4 => (size_of::<IptIp>(), IPT_F_MASK),
            Family::Ipv6 => (size_of::<Ip6tIp6>(), IP6T_F_MASK),
        };
        let counters = round_up(ip + 12, self.align);
        EntryLayout {
            size: counters + size_of::<Counters>(),
            target_offset: ip + 4,
            next_offset: ip + 6,
            comefrom: ip + 8,
            counters,
            ip,
            flags,
        }
    }

    /// For how many entries there is room at most in so many bytes.
    pub const fn entries_in(self, family: Family, size: usize) -> usize {
        match size.checked_div(self.min_entry(family)) {
            Some(entries) => entries,
            None => 0,
        }
    }

    /// The smallest entry there can be.
    pub const fn min_entry(self, family: Family) -> usize {
        self.entry(family).size + EXTENSION
    }

    /// Bytes of `struct xt_standard_target`. In the kernel its header has a pointer.
    pub const fn standard_target(self) -> usize {
        round_up(EXTENSION + size_of::<i32>(), self.pointer)
    }

    /// What `struct xt_entry_match` is aligned to in the kernel, for its pointer.
    pub const fn match_align(self) -> usize {
        self.pointer
    }

    /// `XT_ALIGN`, `COMPAT_XT_ALIGN`: bytes that the data of a match or target takes up.
    pub const fn padded(self, size: usize) -> usize {
        round_up(size, self.align)
    }

    /// The address that is a pointer at `at` of `bytes`.
    pub fn pointer_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        match self.pointer {
            4 => read::<u32>(bytes, at).map(u64::from),
            _ => read(bytes, at),
        }
    }
}

/// The next multiple of a power of two. (`next_multiple_of` panics for zero.)
const fn round_up(size: usize, align: usize) -> usize {
    let mask = align.wrapping_sub(1);
    size.wrapping_add(mask) & !mask
}

/// Offset of `ipt_replace.counters`, as long as pointers have no more than 8 bytes.
pub(crate) const COUNTERS_POINTER: usize = 88;

const _: () = assert!(EXTENSION == size_of::<u16>() + EXTENSION_NAME_LEN + 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_kernel_has_them() {
        // sizeof() of the structures of x_tables.h, ip_tables.h and ip6_tables.h, and of
        // those called compat_*, on x86-64 and on arm64.
        for (layout, replace, head, v4, v6, standard) in [
            (Layout::BITS_64, 96, 40, 112, 168, 40),
            (Layout::BITS_32_ALIGN_4, 92, 36, 112, 164, 36),
            (Layout::BITS_32_ALIGN_8, 96, 40, 112, 168, 36),
        ] {
            assert_eq!(layout.replace(), replace, "{layout:?}");
            assert_eq!(layout.get_entries(), head, "{layout:?}");
            assert_eq!(layout.counters_info(), head, "{layout:?}");
            assert_eq!(layout.entry(Family::Ipv4).size, v4, "{layout:?}");
            assert_eq!(layout.entry(Family::Ipv6).size, v6, "{layout:?}");
            assert_eq!(layout.standard_target(), standard, "{layout:?}");
        }
    }

    #[test]
    fn pointers() {
        let bytes: [u8; 12] = core::array::from_fn(|i| i as u8 + 1);
        let half = u32::from_ne_bytes([5, 6, 7, 8]);
        let whole = u64::from_ne_bytes([5, 6, 7, 8, 9, 10, 11, 12]);
        let at = |layout: Layout| layout.pointer_at(&bytes, 4);
        assert_eq!(at(Layout::BITS_32_ALIGN_8), Some(half.into()));
        assert_eq!(at(Layout::BITS_64), Some(whole));
        assert_eq!(Layout::BITS_64.pointer_at(&bytes, 8), None);
    }
}

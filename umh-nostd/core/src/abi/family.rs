// SPDX-License-Identifier: GPL-2.0-only
//! The address families that have tables.
//!
//! Owns: in what the families' interfaces differ, as far as no rule is read:
//! where the parts of an entry stand. They have all other structures in common.

use core::mem::offset_of;

use super::{Counters, Entry};

/// An address family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `NFPROTO_IPV4`: `struct ipt_entry`, options at level SOL_IP.
    Ipv4,
    /// `NFPROTO_IPV6`: `struct ip6t_entry`, options at level SOL_IPV6.
    Ipv6,
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
}

/// Bytes of a `struct ip6t_ip6`.
const IP6T_IP6: usize = 136;

impl Family {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// `NFPROTO_*`.
    pub const fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }

    /// Where things stand in its entries.
    pub const fn entry(self) -> EntryLayout {
        match self {
            Self::Ipv4 => EntryLayout {
                size: size_of::<Entry>(),
                target_offset: offset_of!(Entry, target_offset),
                next_offset: offset_of!(Entry, next_offset),
                comefrom: offset_of!(Entry, comefrom),
            },
            // struct ip6t_entry: after `ipv6` and `nfcache` the same members,
            // and the counters at a multiple of 8.
            Self::Ipv6 => EntryLayout {
                size: (IP6T_IP6 + 12).next_multiple_of(8) + size_of::<Counters>(),
                target_offset: IP6T_IP6 + 4,
                next_offset: IP6T_IP6 + 6,
                comefrom: IP6T_IP6 + 8,
            },
        }
    }
}

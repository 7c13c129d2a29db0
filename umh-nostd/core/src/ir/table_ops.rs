// SPDX-License-Identifier: GPL-2.0-only
//! What the ops of `recent` and `hashlimit` know of their tables.
//!
//! Owns: their payloads, and what is in a table's map.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is done with an address: `XT_RECENT_*`, and more of our own.
pub(crate) mod recent {
    pub(crate) const CHECK: u8 = 1 << 0;
    pub(crate) const SET: u8 = 1 << 1;
    pub(crate) const UPDATE: u8 = 1 << 2;
    pub(crate) const REMOVE: u8 = 1 << 3;
    pub(crate) const TTL: u8 = 1 << 4;
    pub(crate) const REAP: u8 = 1 << 5;
    /// All that a caller may ask for.
    pub(crate) const ALL: u8 = 0x3f;
    /// The destination's address, not the source's.
    pub(crate) const DESTINATION: u8 = 1 << 6;
    /// Only times that are not too old count.
    pub(crate) const SECONDS: u8 = 1 << 7;
    /// Addresses in a table, `ip_list_tot`.
    pub(crate) const ADDRESSES: usize = 100;
    /// How many times an address has room for, in the tables of each array.
    pub(crate) const TIMES: [u32; 4] = [32, 256, 2048, 32768];

    /// A table: what stands before the addresses, and each of them.
    pub(crate) mod at {
        use super::ADDRESSES;

        /// Length of what stands before the addresses. The lock is first.
        pub(crate) const HEAD: usize = 128;
        /// Bytes of an address without its times.
        pub(crate) const ADDRESS: usize = 32;
        /// Where the times start.
        pub(crate) const STAMPS: usize = HEAD + ADDRESSES * ADDRESS;
    }
}

/// `XT_HASHLIMIT_*`, and how an op's rule and table go together.
pub(crate) mod hashlimit {
    pub(crate) const DESTINATION: u32 = 1 << 0;
    pub(crate) const DESTINATION_PORT: u32 = 1 << 1;
    pub(crate) const SOURCE: u32 = 1 << 2;
    pub(crate) const SOURCE_PORT: u32 = 1 << 3;
    pub(crate) const INVERT: u32 = 1 << 4;
    pub(crate) const BYTES: u32 = 1 << 5;
    pub(crate) const RATE: u32 = 1 << 6;
    /// All that a caller may ask for.
    pub(crate) const ALL: u32 = 0x7f;

    /// Of an op, where `BYTES` and `RATE` are the table's: the rule takes
    /// bytes.
    pub(crate) const RULE_BYTES: u32 = BYTES >> 1;

    /// Bytes of an entry: the start of [`super::LimitRates`].
    pub(crate) const ENTRY: usize = 48;
    /// Bytes of its key: both addresses, both ports, and as many zeros.
    pub(crate) const KEY: usize = 16;
}

/// What recent's op knows of its table.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Addresses {
    /// Its number.
    pub(crate) number: u32,
    /// How many times of an address it remembers, a power of two.
    pub(crate) times: u32,
}

/// What hashlimit's op knows of a rate. The first part is an entry as it is
/// made: instead of the first two numbers an entry has its lock.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct LimitRates {
    /// Ticks from one collection of old entries to the next, 0 for never.
    pub collect: u32,
    /// The bits of both ports that count.
    pub ports: u32,
    /// Ticks that an entry lives. In an entry: when it ends.
    pub expire: u64,
    /// In an entry: the tick of the last packet, 0 before the first one.
    pub previous: u64,
    /// Credits. In windows: whether the last one had too many.
    pub credit: u64,
    /// Most credits there can be, or how often they come back at once when
    /// bytes are counted. In windows: packets or bytes in this one.
    pub cap: u64,
    /// Credits that a packet or 16 bytes cost. In windows: the rate.
    pub cost: u64,
    /// Credits that a tick brings. In windows: how many ticks one has.
    pub per_tick: u64,
    /// Most credits there can be when bytes are counted. In windows: how many
    /// packets or bytes may come in one.
    pub limit: u64,
    /// Up to which collection the rule has seen to it that old entries are
    /// gone.
    pub collected: u64,
}

// SPDX-License-Identifier: GPL-2.0-only
//! Rules as the search program reads them.
//!
//! Owns: the layout of a rule's [`Record`] and of its [`Op`]s, and of the class
//! word of a packet.
//!
//! A program reduces a packet to its *descriptor*, two 64-bit numbers: the
//! addresses as they stand in the header, and a *class word*. A record is a
//! ternary match over both: where a mask bit is set, the packet's bit must be the
//! wanted one. That decides most rules, interfaces and inversions included, in
//! two comparisons. What does not fit into the class word is asked by ops.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A rule: what it asks, and what happens then.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Record {
    /// Which bits of the addresses count: source in the low half, both as
    /// they stand in the header.
    pub addr_mask: u64,
    /// What they must be. A bit that does not count but is set here is one
    /// that no packet has, as with an unmasked source in ip_tables.
    pub addr: u64,
    /// Which bits of the class word count.
    pub class_mask: u64,
    /// What they must be.
    pub class: u64,
    /// Where the ops for most packets start, 0 for none.
    pub ops: u32,
    /// Where the ops for a malformed packet start, see [`class::MALFORMED_KEEPS`].
    pub malformed_ops: u32,
    /// What happens to a packet that matches: an [`Action`].
    pub action: u32,
    /// The first of the indexed rules that does not stand before this one.
    pub indexed: u32,
}

/// Bytes of a record.
pub const RECORD: usize = size_of::<Record>();

/// The bits of a packet's class word.
pub mod class {
    /// Protocol.
    pub const PROTOCOL: u64 = 0xff;
    /// A fragment, but not the first one.
    pub const FRAGMENT: u64 = 1 << 8;
    /// Never set: what asks for it never matches.
    pub const NEVER: u64 = 1 << 9;
    /// The transport header is there, and the ports are valid.
    pub const TRANSPORT: u64 = 1 << 10;
    /// The first bit that stands for a predicate. It is set where the
    /// predicate does *not* hold.
    pub const PREDICATE: u32 = 11;
    /// How many predicates there can be.
    pub const PREDICATES: usize = 21;
    /// Source port in host order; ICMP type and code.
    pub const SOURCE_PORT: u32 = 32;
    /// Destination port in host order.
    pub const DESTINATION_PORT: u32 = 48;
    /// A malformed packet is one that some match must drop at once: its transport
    /// header is cut off, or it is a TCP fragment that starts at byte 8. The
    /// rule that drops it is the first that asks for the header, so nothing
    /// that stands behind that question in a rule may keep the packet from
    /// being asked. For such a packet only these bits and the predicates of
    /// rules' IP parts count; all else is asked by ops, in order.
    pub const MALFORMED_KEEPS: u64 = PROTOCOL | FRAGMENT | NEVER;
}

/// What happens to a packet that a rule matches: the kind in the low three
/// bits, above them the index of an entry or the place of an op.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// The packet passes.
    Accept,
    /// The packet is gone.
    Drop,
    /// Back to the caller, or to the policy.
    Return,
    /// On at an entry.
    Step(u32),
    /// On at an entry, and back behind this one later.
    Call(u32),
    /// What the target says whose op is there: gone, or on at the next entry.
    Target(u32),
}

impl Action {
    /// As a record holds it.
    pub const fn encode(self) -> u32 {
        match self {
            Self::Accept => action::ACCEPT as u32,
            Self::Drop => action::DROP as u32,
            Self::Return => action::RETURN as u32,
            Self::Step(to) => action::STEP as u32 | to << action::SHIFT,
            Self::Call(to) => action::CALL as u32 | to << action::SHIFT,
            Self::Target(at) => action::TARGET as u32 | at << action::SHIFT,
        }
    }
}

/// Encoding of an [`Action`].
pub(crate) mod action {
    pub(crate) const DROP: i32 = 0;
    pub(crate) const ACCEPT: i32 = 1;
    pub(crate) const RETURN: i32 = 2;
    pub(crate) const STEP: i32 = 3;
    pub(crate) const CALL: i32 = 4;
    pub(crate) const TARGET: i32 = 5;
    pub(crate) const MASK: i32 = 7;
    pub(crate) const SHIFT: i32 = 3;
}

/// One question to a packet that the ternary match could not answer, or an
/// action of a match that keeps state. Ops of a rule stand in the order of
/// its matches, one after the other. A target that is no verdict is an op,
/// too, which only the record's action leads to.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Op {
    /// What is asked or done, one of the kinds below.
    pub kind: u8,
    /// Whether it is the rule's last, inverted, and how long it is.
    pub flags: u8,
    /// Depends on the kind.
    pub what: u16,
    /// Bits that count; a limit's place in the state map.
    pub mask: u32,
    /// Least value; a limit's cost.
    pub low: u32,
    /// Most that a value may be above the least; a limit's cap.
    pub span: u32,
}

/// Bytes of an op without a payload.
pub const OP: usize = size_of::<Op>();
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

/// Flags of an op.
pub(crate) mod flag {
    /// The rule has no more.
    pub(crate) const LAST: u8 = 1;
    /// Inverts.
    pub(crate) const INVERT: u8 = 2;
    /// What it asks for may change while the packet meets the rules, so the
    /// index, which looks at the packet once, must not go by it.
    pub(crate) const CHANGING: u8 = 4;
    /// The size of the op in bytes, a multiple of 16.
    pub(crate) const SIZE: u8 = 0xf0;
}

/// A pattern of interface names.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Pattern {
    /// The name, in two halves as they lie in memory.
    pub name: [u64; 2],
    /// The bits that count.
    pub mask: [u64; 2],
}

/// What a match keeps in the state map: a limit all of it, others a number
/// in `previous`.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Bucket {
    /// The tick of the last packet; 0 before the first one.
    pub previous: u64,
    /// Credits.
    pub credit: u32,
    /// Padding.
    pub pad: u32,
}

/// Bytes of a bucket.
pub(crate) const BUCKET: usize = size_of::<Bucket>();

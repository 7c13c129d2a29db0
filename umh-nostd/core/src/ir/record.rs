// SPDX-License-Identifier: GPL-2.0-only
//! Rules as the search program reads them.
//!
//! Owns: the layout of a rule's [`Record`] and of its [`Op`]s, and of the class
//! word of a packet.
//!
//! A program reduces a packet to its *descriptor*, two 64-bit numbers: the
//! addresses as they stand in the header, of IPv6 two of their words, and a *class
//! word*. A record is a ternary match over both: where a mask bit is set, the packet's
//! bit must be the wanted one. That decides most rules, interfaces and inversions included, in
//! two comparisons. What does not fit into the class word is asked by ops.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A rule: what it asks, and what happens then.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Record {
    /// Which bits of the addresses count: source in the low half, both as
    /// they stand in the header. Of IPv6 it is the two words that `words` has
    /// chosen; ops or predicates ask for the others.
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
    /// The first of the listed rules that does not stand before this one: its place
    /// in the list, or its number, see `plan::index`.
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
    /// rules' IP parts count; all else is asked by ops, in order. An IPv6 packet
    /// whose chain of headers cannot be followed is malformed for rules that follow
    /// it, and has no protocol: of IPv6 that bit does not count either.
    pub const MALFORMED_KEEPS: u64 = PROTOCOL | FRAGMENT | NEVER;
}

/// What happens to a packet that a rule matches: the kind in the low three
/// bits, above them the index of an entry or the number of a target.
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
    /// What the target of that number says: gone, or on at the next entry.
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
/// its matches, one after the other.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Op {
    /// What is asked or done, as `ir/op.rs` declares it.
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
/// Flags of an op.
pub(crate) mod flag {
    /// The rule has no more.
    pub(crate) const LAST: u8 = 1;
    /// Inverts.
    pub(crate) const INVERT: u8 = 2;
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

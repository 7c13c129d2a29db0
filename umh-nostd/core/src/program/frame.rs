// SPDX-License-Identifier: GPL-2.0-only
//! What a program keeps where.
//!
//! Registers that keep their meaning from the end of the prologue on: R6 the
//! record of the packet, R7 the position or the rule at hand, R8 the packet
//! descriptor, R9 both addresses as they stand in the header.
//!
//! The record is a [`Frame`] in the map [`Map::Packets`](super::Map), and behind
//! it the return positions. Nobody else writes to it as long as the program runs,
//! or until what it has called answers. In memory of a map every number may be
//! any other for the verifier, so what was done there does not multiply the ways
//! that it must follow; and what a bound depends on is compared each time that
//! it is read.
//!
//! On the stack is what must not be in a map: pointers. In a loop the verifier is
//! satisfied only when each of them has the type that it had when it got there
//! before, whether it is used again or not.

use core::mem::offset_of;

use bpfilter_msgfmt::Packet;

use crate::plan::BITMAP_KEYS_MAX;

/// A packet, as it is handed to the program, and what the program keeps.
#[repr(C)]
struct Frame {
    packet: Packet,
    /// The bits of the packet descriptor that count.
    keeps: u64,
    /// Where the op at hand is.
    op: u64,
    /// Where the op after it is, 0 for none.
    next_op: u64,
    /// Whether it inverts.
    invert: u64,
    /// Where the ops go on after one that fails, 0 if the rule fails.
    otherwise: u64,
    /// A number that must survive a call.
    #[cfg(feature = "links")]
    saved: u64,
    /// The place in the list.
    index_at: u64,
    /// The best rule that the index has found.
    best: u64,
    /// Which of the 64 words around the place in the list stand behind it and may
    /// have something, 0 for none or not known.
    aggregate: u64,
    /// The place that the last bytes of the packet were counted from.
    payload_at: u64,
    /// Place in the TCP options.
    option_at: u64,
    /// Where they end.
    options_end: u64,
    /// Credits gained that could not be stored yet.
    gained: u64,
    /// A few bytes copied from the packet.
    bytes: [u8; 16],
    /// Address of the packet's data, as long as the prologue runs.
    #[cfg(feature = "links")]
    data: u64,
    /// Address of the connection or 0.
    #[cfg(feature = "links")]
    connection: u64,
    /// Whether a run of the program has this record.
    #[cfg(feature = "links")]
    taken: u64,
}

/// Where in the record a part of the packet is.
macro_rules! packet {
    ($part:ident) => {
        (offset_of!(Frame, packet) + offset_of!(Packet, $part)) as i16
    };
}
/// Where a part of what the program keeps is.
macro_rules! place {
    ($part:ident) => {
        offset_of!(Frame, $part) as i16
    };
}

pub(super) const ADDRESSES: i16 = packet!(addresses);
pub(super) const DESCRIPTOR: i16 = packet!(descriptor);
pub(super) const POSITION: i16 = packet!(position);
pub(super) const UNDERFLOW: i16 = packet!(underflow);
pub(super) const ANSWER: i16 = packet!(answer);
pub(super) const CALL: i16 = packet!(call);
pub(super) const DEPTH: i16 = packet!(depth);
pub(super) const HOTDROP: i16 = packet!(hotdrop);
pub(super) const LEN: i16 = packet!(len);
pub(super) const CPU: i16 = packet!(cpu);
pub(super) const TRANSPORT: i16 = packet!(transport);
/// Two numbers: for the whole transport header, and for the ports.
pub(super) const HEADERS: i16 = packet!(header);
/// Two names: of the incoming device, and of the outgoing one.
pub(super) const NAMES: i16 = packet!(input);
pub(super) const FIELDS: i16 = packet!(field);
/// Two numbers: UTC, and local time.
pub(super) const TIMES: i16 = packet!(time);

const _: () = assert!(offset_of!(Packet, ports) == offset_of!(Packet, header) + 4);
const _: () = assert!(offset_of!(Packet, output) == offset_of!(Packet, input) + 16);

pub(super) const KEEPS: i16 = place!(keeps);
pub(super) const OP: i16 = place!(op);
pub(super) const NEXT_OP: i16 = place!(next_op);
pub(super) const INVERT: i16 = place!(invert);
pub(super) const OTHERWISE: i16 = place!(otherwise);
#[cfg(feature = "links")]
pub(super) const SAVED: i16 = place!(saved);
pub(super) const INDEX_AT: i16 = place!(index_at);
pub(super) const BEST: i16 = place!(best);
pub(super) const AGGREGATE: i16 = place!(aggregate);
pub(super) const PAYLOAD_AT: i16 = place!(payload_at);
pub(super) const OPTION_AT: i16 = place!(option_at);
pub(super) const OPTIONS_END: i16 = place!(options_end);
pub(super) const GAINED: i16 = place!(gained);
pub(super) const BYTES: i16 = place!(bytes);
#[cfg(feature = "links")]
pub(super) const DATA: i16 = place!(data);
#[cfg(feature = "links")]
pub(super) const CONNECTION: i16 = place!(connection);
#[cfg(feature = "links")]
pub(super) const TAKEN: i16 = place!(taken);
/// Return positions.
pub(super) const RETURNS: i16 = size_of::<Frame>() as i16;

/// What the size of a record is a multiple of: a cache line.
pub(super) const ALIGN: usize = 64;

/// Bytes of a record with so many return positions.
pub(super) const fn size(returns: usize) -> usize {
    (size_of::<Frame>() + 4 * returns).next_multiple_of(ALIGN)
}

/// What is on the stack, from its end on.
#[repr(C)]
struct Stack {
    /// An iterator, in kernels without `may_goto`.
    #[cfg(feature = "links")]
    iterator: u64,
    /// A dynptr of the packet.
    #[cfg(feature = "links")]
    dynptr: [u64; 2],
    /// The hook that the packet is at (struct nf_hook_state).
    #[cfg(feature = "links")]
    state: u64,
    /// The table of recent or hashlimit at hand: its number, then where it is.
    #[cfg(feature = "links")]
    table: u64,
    /// recent: how many times an address has room for, which the verifier knows.
    /// hashlimit: when entries were last collected.
    #[cfg(feature = "links")]
    room: u64,
    /// Addresses of the bitmaps of this packet.
    bitmaps: [u64; BITMAP_KEYS_MAX],
    /// The packet (struct sk_buff).
    skb: u64,
}

/// Bytes of a stack frame, less what the verifier may take for `may_goto`, and
/// what a function behind the program takes.
const STACK: usize = 512 - 16 - 32;
const _: () = assert!(size_of::<Stack>() <= STACK);

macro_rules! stack {
    ($part:ident) => {
        offset_of!(Stack, $part) as i16 - size_of::<Stack>() as i16
    };
}

#[cfg(feature = "links")]
pub(super) const ITERATOR: i16 = stack!(iterator);
#[cfg(feature = "links")]
pub(super) const DYNPTR: i16 = stack!(dynptr);
#[cfg(feature = "links")]
pub(super) const STATE: i16 = stack!(state);
#[cfg(feature = "links")]
pub(super) const TABLE: i16 = stack!(table);
#[cfg(feature = "links")]
pub(super) const ROOM: i16 = stack!(room);
pub(super) const BITMAPS: i16 = stack!(bitmaps);
pub(super) const SKB: i16 = stack!(skb);

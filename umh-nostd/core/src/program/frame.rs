// SPDX-License-Identifier: GPL-2.0-only
//! What a program keeps where.
//!
//! Registers that keep their meaning from the end of the prologue on:
//! R6 the packet (struct sk_buff), R7 the position or the rule at hand,
//! R8 the class word, R9 both addresses as they stand in the header.
//!
//! In a loop the verifier is satisfied only when everything has the type and
//! at most the range that it had when it got there before, whether it is used
//! again or not. So each place that the loop writes to is written to with the
//! same type in the prologue, with a number that the verifier does not know;
//! and no two places may be known to be equal, which they are if a value is
//! copied from one to the other.
//!
//! Ops leave much in the frame, and each of them something else: followed by
//! all others with each of that, they would take the verifier a product of
//! steps instead of a sum. So where an op has answered the program calls a
//! function that gets a part of the frame as its argument and does nothing
//! ([`super::FORGET`]). The verifier looks at such a function by itself,
//! because it is a global one, and must take it that it has written anything
//! there. Outside of that part is what may not be forgotten, pointers and what
//! the kernel keeps in the frame, and what the search and a rule that matches
//! write to: a place that was written to and one that was forgotten have not
//! the same type, so whoever else writes to that part on the way from one
//! round to the next must forget it again.
//!
//! [`Frame`] is what the program's part of the stack frame looks like; the
//! constants are where its parts are, counted from the end of the stack frame,
//! which is what [`Reg::Fp`](super::asm::Reg::Fp) is.

use core::mem::offset_of;

use crate::ir::FIELDS as NUM_FIELDS;
use crate::plan::ROW_KEYS_MAX;

/// Bytes of a stack frame.
const STACK: usize = 512;
/// What the verifier may take of it for `may_goto`.
const MAY_GOTO: usize = 16;
/// What a function behind the program takes: frames of calls add up.
const FUNCTION: usize = 32;
const _: () = assert!(size_of::<Frame>() + MAY_GOTO + FUNCTION <= STACK);
/// How many return positions there is room for.
pub(super) const RETURNS_MAX: i32 = 24;

/// The program's part of the stack frame.
#[repr(C)]
struct Frame {
    /// Return positions.
    returns: [u32; RETURNS_MAX as usize],
    /// Addresses of the rows of this packet.
    rows: [u64; ROW_KEYS_MAX],
    /// Where the group at hand is, or the place in the list.
    index_at: u64,
    /// The best rule that the index has found.
    best: u64,
    /// Where this run keeps return positions that have no room here: the
    /// offset of its place in the state map and 1, or 0 if it has none.
    place: u64,
    /// The hook that the packet is at (struct nf_hook_state).
    state: u64,
    /// An iterator.
    iterator: u64,
    /// A dynptr.
    dynptr: [u64; 2],

    // What is forgotten starts here.
    /// The place that the last bytes of the packet were counted from.
    payload_at: u64,
    /// Where the ops go on after one that fails, 0 if the rule fails.
    otherwise: u64,
    /// A few bytes copied from the packet.
    header: [u8; 16],
    /// Names of the interfaces, incoming and outgoing.
    names: [[u8; 16]; 2],
    /// The `Field`s.
    fields: [u32; NUM_FIELDS],
    /// Where the TCP options end.
    options_end: u64,
    /// Place in the TCP options.
    option_at: u64,
    /// Credits gained that could not be stored yet.
    gained: u64,
    /// Whether the op at hand inverts.
    invert: u64,
    /// Where the op after it is, 0 for none. For the prologue: anything.
    next_op: u64,
    /// A number that must survive a call.
    saved: u64,
    /// Where the op at hand is.
    op: u64,
    /// Address of the connection or 0.
    connection: u64,
    /// The bits of the class word that count.
    keeps: u64,
    /// Where the transport header starts.
    transport_at: u64,
    /// What a guard does with the packet: 0 lets it pass, 1 lets the rule fail,
    /// 2 drops it. For the whole header, and for the ports.
    guards: [u32; 2],

    // And ends here.
    /// For the prologue: address of the packet's data. From its end on: which of
    /// the 64 words around the place in the list stand behind it and may have
    /// something, 0 for none or not known.
    data: u64,
    /// Return positions on the stack now.
    depth: u64,
}

/// Where a part of the frame is, counted from its end.
macro_rules! place {
    ($part:ident) => {
        offset_of!(Frame, $part) as i16 - size_of::<Frame>() as i16
    };
}

pub(super) const DEPTH: i16 = place!(depth);
pub(super) const KEEPS: i16 = place!(keeps);
pub(super) const GUARDS: i16 = place!(guards);
pub(super) const TRANSPORT_AT: i16 = place!(transport_at);
pub(super) const DATA: i16 = place!(data);
pub(super) const SUMMARY: i16 = place!(data);
pub(super) const CONNECTION: i16 = place!(connection);
pub(super) const OP: i16 = place!(op);
pub(super) const SAVED: i16 = place!(saved);
pub(super) const NEXT_OP: i16 = place!(next_op);
pub(super) const SCRATCH: i16 = place!(next_op);
pub(super) const INVERT: i16 = place!(invert);
pub(super) const GAINED: i16 = place!(gained);
pub(super) const OPTION_AT: i16 = place!(option_at);
pub(super) const OPTIONS_END: i16 = place!(options_end);
pub(super) const FIELDS: i16 = place!(fields);
pub(super) const NAMES: i16 = place!(names);
pub(super) const HEADER: i16 = place!(header);
pub(super) const DYNPTR: i16 = place!(dynptr);
pub(super) const OTHERWISE: i16 = place!(otherwise);
pub(super) const PAYLOAD_AT: i16 = place!(payload_at);
pub(super) const ITERATOR: i16 = place!(iterator);
pub(super) const STATE: i16 = place!(state);
pub(super) const PLACE: i16 = place!(place);
pub(super) const BEST: i16 = place!(best);
pub(super) const INDEX_AT: i16 = place!(index_at);
pub(super) const ROWS: i16 = place!(rows);
pub(super) const RETURNS: i16 = place!(returns);

/// The part that is forgotten starts here,
pub(super) const FORGOTTEN: i16 = PAYLOAD_AT;
/// and ends here.
pub(super) const FORGOTTEN_END: i16 = DATA;

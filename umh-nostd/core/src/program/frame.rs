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
//! The numbers below are offsets from the end of the stack frame, which has
//! 512 bytes, 16 of which the verifier may take for `may_goto`, and 32 for the
//! function that collects what hashlimit does not need any more.

/// Return positions on the stack now, 8 bytes.
pub(super) const DEPTH: i16 = -8;
/// The bits of the class word that count, 8 bytes.
pub(super) const KEEPS: i16 = -16;
/// What a guard does with the packet: 0 lets it pass, 1 lets the rule fail,
/// 2 drops it. Two numbers of 4 bytes: for the whole header, for the ports.
pub(super) const GUARDS: i16 = -24;
/// Where the transport header starts, 8 bytes.
pub(super) const TRANSPORT_AT: i16 = -32;
/// Address of the packet's data, 8 bytes, for the prologue alone.
pub(super) const DATA: i16 = -40;
/// In the same place, from the prologue's end on: which of the 64 words around
/// the place in the list stand behind it and may have something, 0 for none or
/// not known.
pub(super) const SUMMARY: i16 = DATA;
/// Address of the connection or 0, 8 bytes.
pub(super) const CONNECTION: i16 = -48;
/// Where the op at hand is, 8 bytes.
pub(super) const OP: i16 = -56;
/// A number that must survive a call, 8 bytes.
pub(super) const SAVED: i16 = -64;
/// Where the op after it is, 0 for none, 8 bytes.
pub(super) const NEXT_OP: i16 = -72;
/// For the prologue alone, in the same place.
pub(super) const SCRATCH: i16 = NEXT_OP;
/// Whether the op at hand inverts, 8 bytes.
pub(super) const INVERT: i16 = -80;
/// Credits gained that could not be stored yet, 8 bytes.
pub(super) const GAINED: i16 = -88;
/// Place in the TCP options, 8 bytes.
pub(super) const OPTION_AT: i16 = -96;
/// Where the TCP options end, 8 bytes.
pub(super) const OPTIONS_END: i16 = -104;
/// The `Field`s, 24 times 4 bytes.
pub(super) const FIELDS: i16 = -200;
/// Names of the interfaces, incoming and outgoing, 16 bytes each.
pub(super) const NAMES: i16 = -232;
/// A few bytes copied from the packet, 16 bytes.
pub(super) const HEADER: i16 = -248;
/// A dynptr, 16 bytes.
pub(super) const DYNPTR: i16 = -264;
/// Where the ops go on after one that fails, 0 if the rule fails, 8 bytes.
pub(super) const OTHERWISE: i16 = -272;
/// The place that the last bytes of the packet were counted from, 8 bytes.
pub(super) const PAYLOAD_AT: i16 = -280;
/// An iterator, 8 bytes.
pub(super) const ITERATOR: i16 = -288;
/// Where this run keeps return positions that have no room here: the offset
/// of its place in the state map and 1, or 0 if it has none, 8 bytes.
pub(super) const PLACE: i16 = -304;
/// The best rule that the index has found, 8 bytes.
pub(super) const BEST: i16 = -312;
/// Where the group at hand is, or the place in the list, 8 bytes.
pub(super) const INDEX_AT: i16 = -320;
/// Addresses of the rows of this packet, 8 bytes each.
pub(super) const ROWS: i16 = -368;
/// The hook that the packet is at (struct nf_hook_state), 8 bytes.
pub(super) const STATE: i16 = -296;
/// Return positions, 4 bytes each.
pub(super) const RETURNS: i16 = -464;
/// How many of them.
pub(super) const RETURNS_MAX: i32 = 24;

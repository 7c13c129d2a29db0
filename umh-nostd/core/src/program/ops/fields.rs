// SPDX-License-Identifier: GPL-2.0-only
//! Ops that ask for what the prologue has read.
//!
//! Owns: tests of fields, the guard in front of the transport header, lists of
//! ports, names of interfaces.

use bpfilter_msgfmt::HEADER_BROKEN;

use super::{LOW, MASK, PAYLOAD, WHAT};
use crate::ir::{FIELDS, Field, kind};
use crate::program::prelude::*;

pub(super) const TEST: &[Item] = &[
    load(B2, R3, R2, WHAT),
    jump_if_imm(R3, Cond::Ge, FIELDS as i32, label::DROP),
    lsh_imm(R3, 2),
    mov(R4, R6),
    add(R4, R3),
    load(B4, R1, R4, frame::FIELDS),
    jump(label::COMPARE),
];

/// The start of tcp_mt, udp_mt, icmp_match and multiport_mt.
pub(super) const GUARD: &[Item] = &[
    load(B2, R3, R2, WHAT),
    and_imm(R3, 1),
    lsh_imm(R3, 2),
    mov(R4, R6),
    add(R4, R3),
    load(B4, R1, R4, frame::HEADERS),
    jump_if_imm(R1, Cond::Eq, 0, label::HOLDS),
    jump_if_imm(R1, Cond::Eq, 1, label::NOT),
    jump(label::DROP),
];

/// The end of ip6_packet_match.
pub(super) const CHAIN: &[Item] = &[
    load(B4, R1, R6, frame::HEADERS),
    jump_if_imm(R1, Cond::Eq, HEADER_BROKEN as i32, label::DROP),
    jump(label::HOLDS),
];

/// ifname_compare_aligned
pub(super) const INTERFACE: &[Item] = &[
    load(B2, R3, R2, WHAT),
    and_imm(R3, 1),
    lsh_imm(R3, 4),
    mov(R4, R6),
    add(R4, R3),
    load(B8, R1, R4, frame::NAMES),
    load(B8, R3, R2, PAYLOAD),
    xor(R1, R3),
    load(B8, R3, R2, PAYLOAD + 16),
    and(R1, R3),
    load(B8, R0, R4, frame::NAMES + 8),
    load(B8, R3, R2, PAYLOAD + 8),
    xor(R0, R3),
    load(B8, R3, R2, PAYLOAD + 24),
    and(R0, R3),
    jump_if_imm(R0, Cond::Ne, 0, label::NO),
    jump_if_imm(R1, Cond::Eq, 0, label::YES),
    jump(label::NO),
];

impl Builder<'_> {
    /// ports_match_v1, without a branch for each port: inside a loop the
    /// verifier would follow every combination. A port that does not count is
    /// made greater than any.
    pub(super) fn ports(&mut self) {
        self.emit(block![
            bind(Label::op(kind::PORTS)),
            load(B4, R0, R6, field(Field::SourcePort)),
            load(B4, R3, R2, MASK),
            or(R0, R3),
            load(B4, R1, R6, field(Field::DestinationPort)),
            load(B4, R3, R2, LOW),
            or(R1, R3),
            mov_imm(R5, -1),
        ]);
        for range in 0..15 {
            const RANGE: Param = Param::arg(0);
            let at = &[i32::from(PAYLOAD + 4 * range)];
            let text = block![
                // Negative if the source port lies below,
                load(B2, R3, R2, 0).at(RANGE),
                sub(R3, R0),
                neg(R3),
                // or above.
                load(B2, R4, R2, 2).at(RANGE),
                sub(R4, R0),
                or(R3, R4),
                // Not negative from the first range on that it lies in.
                and(R5, R3),
                // The destination port.
                load(B2, R3, R2, 0).at(RANGE),
                sub(R3, R1),
                neg(R3),
                load(B2, R4, R2, 2).at(RANGE),
                sub(R4, R1),
                or(R3, R4),
                and(R5, R3),
            ];
            self.emit_with(text, at);
        }
        self.emit(block![
            rsh_imm(R5, 63),
            jump_if_imm(R5, Cond::Eq, 0, label::YES),
            jump(label::NO),
        ]);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Ops that read bytes of the packet.
//!
//! Owns: the copy of bytes, TCP options, and what u32 computes with words.

use super::{FOUND, LOW, MASK, SPAN, WHAT};
use crate::program::prelude::*;
use crate::target::kernel::SKB_LEN;

/// Helper function `bpf_dynptr_read`.
pub(in crate::program) const DYNPTR_READ: i32 = 201;

const A: Label = Label::local(0);
const B: Label = Label::local(1);

/// R2 bytes at R4 of the packet come to HEADER. R0 is not 0 where they are
/// cut off.
pub(in crate::program) const READ: Block = block![
    mov(R1, Fp),
    add_imm(R1, frame::HEADER as i32),
    mov(R3, Fp),
    add_imm(R3, frame::DYNPTR as i32),
    mov_imm(R5, 0),
    call(DYNPTR_READ),
];

/// The end of tcp_mt, tcp_find_option and tcpmss_mt.
pub(super) const TCP_OPTION: &[Item] = &[
    load(B8, R4, Fp, frame::TRANSPORT_AT),
    add_imm(R4, 12),
    mov_imm(R2, 4),
    insert(shared::READ),
    jump_if_imm(R0, Cond::Ne, 0, label::DROP),
    // The upper half of byte 12, in units of 4 bytes. A header shorter than
    // itself, or options that are cut off, drop the packet.
    load(B1, R1, Fp, frame::HEADER),
    rsh_imm(R1, 4),
    lsh_imm(R1, 2),
    jump_if_imm(R1, Cond::Lt, 20, label::DROP),
    load(B8, R4, Fp, frame::TRANSPORT_AT),
    add(R1, R4),
    load(B4, R2, R6, 0).at(SKB_LEN),
    jump_if(R1, Cond::Gt, R2, label::DROP),
    store(B8, Fp, frame::OPTIONS_END, R1),
    add_imm(R4, 20),
    store(B8, Fp, frame::OPTION_AT, R4),
    bind(label::NEXT_OPTION),
    insert(shared::AGAIN),
    load(B8, R4, Fp, frame::OPTION_AT),
    load(B8, R2, Fp, frame::OPTIONS_END),
    jump_if(R4, Cond::Ge, R2, label::NO),
    // As many bytes as there are, up to 4.
    sub(R2, R4),
    jump_if_imm(R2, Cond::Le, 4, A),
    mov_imm(R2, 4),
    bind(A),
    insert(shared::READ),
    insert(shared::THIS_OP),
    jump_if_imm(R0, Cond::Ne, 0, label::DROP),
    load(B1, R4, Fp, frame::HEADER),
    load(B8, R0, Fp, frame::OPTION_AT),
    load(B8, R5, Fp, frame::OPTIONS_END),
    sub(R5, R0),
    load(B2, R3, R2, WHAT),
    jump_if(R4, Cond::Ne, R3, B),
    load(B4, R3, R2, MASK),
    jump_if_imm(R3, Cond::Eq, 0, label::YES),
    jump_if_imm(R5, Cond::Lt, 4, B),
    load(B1, R3, Fp, frame::HEADER + 1),
    jump_if_imm(R3, Cond::Ne, 4, B),
    load(B2, R1, Fp, frame::HEADER + 2),
    swap(R1, 16),
    jump(label::COMPARE),
    bind(B),
    // The length of an option that has one, or 1.
    add_imm(R0, 1),
    jump_if_imm(R4, Cond::Lt, 2, A),
    jump_if_imm(R5, Cond::Eq, 1, A),
    load(B1, R4, Fp, frame::HEADER + 1),
    jump_if_imm(R4, Cond::Eq, 0, A),
    sub_imm(R0, 1),
    add(R0, R4),
    bind(A),
    // No copy of it, see `frame`.
    and_imm(R0, i32::MAX),
    store(B8, Fp, frame::OPTION_AT, R0),
    jump(label::NEXT_OPTION),
];

/// skb_header_pointer and skb_copy_bits, for a word.
pub(super) const PAYLOAD_WORD: &[Item] = &[
    load(B4, R4, R2, MASK),
    load(B2, R3, R2, WHAT),
    mov_imm(R1, 0),
    jump_if_imm(R3, Cond::Eq, 0, A),
    load(B8, R1, Fp, frame::TRANSPORT_AT),
    jump_if_imm(R3, Cond::Eq, 1, A),
    load(B8, R1, Fp, frame::PAYLOAD_AT),
    load(B4, R3, Fp, FOUND),
    add(R1, R3),
    bind(A),
    store(B8, Fp, frame::PAYLOAD_AT, R1),
    add(R4, R1),
    mov_imm(R2, 4),
    // Nothing is there, and the helper function may take 32 bits of it only.
    mov_imm(R0, -1),
    jump_if_imm(R4, Cond::Gt, i32::MAX, B),
    insert(shared::READ),
    bind(B),
    insert(shared::THIS_OP),
    jump_if_imm(R0, Cond::Eq, 0, A),
    load(B4, R3, R2, LOW),
    jump_if_imm(R3, Cond::Eq, 0, label::NOT),
    jump(label::DROP),
    bind(A),
    load(B4, R1, Fp, frame::HEADER),
    swap(R1, 32),
    store(B4, Fp, FOUND, R1),
    jump(label::HOLDS),
];

pub(super) const SHIFT: &[Item] = &[
    load(B4, R1, Fp, FOUND),
    load(B4, R3, R2, MASK),
    and(R1, R3),
    load(B4, R3, R2, LOW),
    and_imm(R3, 31),
    lsh(R1, R3),
    mov32(R1, R1),
    load(B4, R3, R2, SPAN),
    and_imm(R3, 31),
    rsh(R1, R3),
    store(B4, Fp, FOUND, R1),
    jump(label::HOLDS),
];

pub(super) const BIT: &[Item] = &[
    load(B4, R1, Fp, FOUND),
    mov_imm(R3, 1),
    lsh(R3, R1),
    store(B4, Fp, FOUND, R3),
    jump(label::HOLDS),
];

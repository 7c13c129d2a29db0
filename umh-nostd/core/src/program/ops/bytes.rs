// SPDX-License-Identifier: GPL-2.0-only
//! Ops that read bytes of the packet.
//!
//! Owns: the copy of bytes, TCP options, and what u32 computes with words.

use super::{FOUND, LOW, MASK, SPAN, WHAT};
use crate::program::prelude::*;

/// Helper function `bpf_dynptr_read`.
#[cfg(feature = "links")]
pub(in crate::program) const DYNPTR_READ: i32 = 201;
/// Helper function `bpf_skb_load_bytes`.
const LOAD_BYTES: i32 = 26;

const A: Label = Label::local(0);
const B: Label = Label::local(1);

/// R2 bytes at R4 of the packet, up to 4, come to BYTES. R0 is not 0 where they
/// are cut off.
pub(in crate::program) const READ: Block = block![
    unless(
        need::LINKS,
        &[
            load(B8, R1, Fp, frame::SKB),
            mov(R3, R6),
            add_imm(R3, frame::BYTES as i32),
            mov(R0, R2),
            mov(R2, R4),
            mov(R4, R0),
            call(LOAD_BYTES),
        ]
    ),
    when(need::LINKS, BY_DYNPTR),
];

#[cfg(not(feature = "links"))]
const BY_DYNPTR: &[Item] = &[];
#[cfg(feature = "links")]
const BY_DYNPTR: &[Item] = &[
    mov(R1, R6),
    add_imm(R1, frame::BYTES as i32),
    mov(R3, Fp),
    add_imm(R3, frame::DYNPTR as i32),
    mov_imm(R5, 0),
    call(DYNPTR_READ),
];

/// The end of tcp_mt, tcp_find_option and tcpmss_mt.
pub(super) const TCP_OPTION: &[Item] = &[
    load(B4, R4, R6, frame::TRANSPORT),
    add_imm(R4, 12),
    mov_imm(R2, 4),
    insert(shared::READ),
    jump_if_imm(R0, Cond::Ne, 0, label::DROP),
    // The upper half of byte 12, in units of 4 bytes. A header shorter than
    // itself, or options that are cut off, drop the packet.
    load(B1, R1, R6, frame::BYTES),
    rsh_imm(R1, 4),
    lsh_imm(R1, 2),
    jump_if_imm(R1, Cond::Lt, 20, label::DROP),
    load(B4, R4, R6, frame::TRANSPORT),
    add(R1, R4),
    load(B4, R2, R6, frame::LEN),
    jump_if(R1, Cond::Gt, R2, label::DROP),
    store(B8, R6, frame::OPTIONS_END, R1),
    add_imm(R4, 20),
    store(B8, R6, frame::OPTION_AT, R4),
    bind(label::NEXT_OPTION),
    insert(shared::AGAIN),
    load(B8, R4, R6, frame::OPTION_AT),
    load(B8, R2, R6, frame::OPTIONS_END),
    jump_if(R4, Cond::Ge, R2, label::NO),
    // As many bytes as there are, up to 4.
    sub(R2, R4),
    jump_if_imm(R2, Cond::Eq, 0, label::NO),
    jump_if_imm(R2, Cond::Le, 4, A),
    mov_imm(R2, 4),
    bind(A),
    insert(shared::READ),
    insert(shared::THIS_OP),
    jump_if_imm(R0, Cond::Ne, 0, label::DROP),
    load(B1, R4, R6, frame::BYTES),
    load(B8, R0, R6, frame::OPTION_AT),
    load(B8, R5, R6, frame::OPTIONS_END),
    sub(R5, R0),
    load(B2, R3, R2, WHAT),
    jump_if(R4, Cond::Ne, R3, B),
    load(B4, R3, R2, MASK),
    jump_if_imm(R3, Cond::Eq, 0, label::YES),
    jump_if_imm(R5, Cond::Lt, 4, B),
    load(B1, R3, R6, frame::BYTES + 1),
    jump_if_imm(R3, Cond::Ne, 4, B),
    load(B2, R1, R6, frame::BYTES + 2),
    swap(R1, 16),
    jump(label::COMPARE),
    bind(B),
    // The length of an option that has one, or 1.
    add_imm(R0, 1),
    jump_if_imm(R4, Cond::Lt, 2, A),
    jump_if_imm(R5, Cond::Eq, 1, A),
    load(B1, R4, R6, frame::BYTES + 1),
    jump_if_imm(R4, Cond::Eq, 0, A),
    sub_imm(R0, 1),
    add(R0, R4),
    bind(A),
    store(B8, R6, frame::OPTION_AT, R0),
    jump(label::NEXT_OPTION),
];

/// skb_header_pointer and skb_copy_bits, for a word.
pub(super) const PAYLOAD_WORD: &[Item] = &[
    load(B4, R4, R2, MASK),
    load(B2, R3, R2, WHAT),
    mov_imm(R1, 0),
    jump_if_imm(R3, Cond::Eq, 0, A),
    load(B4, R1, R6, frame::TRANSPORT),
    jump_if_imm(R3, Cond::Eq, 1, A),
    load(B8, R1, R6, frame::PAYLOAD_AT),
    load(B4, R3, R6, FOUND),
    add(R1, R3),
    bind(A),
    store(B8, R6, frame::PAYLOAD_AT, R1),
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
    load(B4, R1, R6, frame::BYTES),
    swap(R1, 32),
    store(B4, R6, FOUND, R1),
    jump(label::HOLDS),
];

pub(super) const SHIFT: &[Item] = &[
    load(B4, R1, R6, FOUND),
    load(B4, R3, R2, MASK),
    and(R1, R3),
    load(B4, R3, R2, LOW),
    and_imm(R3, 31),
    lsh(R1, R3),
    mov32(R1, R1),
    load(B4, R3, R2, SPAN),
    and_imm(R3, 31),
    rsh(R1, R3),
    store(B4, R6, FOUND, R1),
    jump(label::HOLDS),
];

pub(super) const BIT: &[Item] = &[
    load(B4, R1, R6, FOUND),
    mov_imm(R3, 1),
    lsh(R3, R1),
    store(B4, R6, FOUND, R3),
    jump(label::HOLDS),
];

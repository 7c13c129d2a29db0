// SPDX-License-Identifier: GPL-2.0-only
//! Ops that keep a number from packet to packet, or make one up.
//!
//! Owns: token buckets, every nth packet, quotas, chance. What an op keeps is
//! changed by atomic operations; who comes second starts again.

use core::mem::offset_of;

use super::{JIFFIES, LOW, MASK, SPAN};
use crate::ir::{BUCKET, Bucket};
use crate::program::prelude::*;

/// Helper function `bpf_get_prandom_u32`.
const PRANDOM: i32 = 7;

const PREVIOUS: i16 = offset_of!(Bucket, previous) as i16;
const CREDIT: i16 = offset_of!(Bucket, credit) as i16;

const A: Label = Label::local(0);
const B: Label = Label::local(1);
const C: Label = Label::local(2);

/// R5 = what the op at R2 keeps.
pub(in crate::program) const STATE_AT_R5: Block = block![
    load(B4, R3, R2, MASK),
    // The verifier must see that it is aligned.
    and_imm(R3, -(BUCKET as i32)),
    jump_if_imm(R3, Cond::Gt, 0, label::DROP).imm(param::LAST_BUCKET),
    map_value(R5, Map::State, param::ZERO),
    add(R5, R3),
];

/// R4 is kept in place of R0, and the answer is whether R1 is not 0; or
/// somebody else was faster, and it starts again.
pub(in crate::program) const KEEP_R4: Block = block![
    mov(R3, R0),
    atomic(Atomic::CompareExchange, B8, R5, PREVIOUS, R4),
    jump_if(R0, Cond::Ne, R3, C),
    jump_if_imm(R1, Cond::Ne, 0, label::YES),
    jump(label::NO),
    bind(C),
    insert(shared::ONCE_MORE),
];

/// The op at hand is the next one, too.
pub(in crate::program) const ONCE_MORE: Block = block![
    load(B8, R1, R6, frame::OP),
    store(B8, R6, frame::NEXT_OP, R1),
    jump(label::HOLDS),
];

/// limit_mt, its loop around cmpxchg included: a round that lost comes
/// back with what it has gained so far.
pub(super) const LIMIT: &[Item] = &[
    call(JIFFIES),
    insert(shared::THIS_OP),
    insert(shared::STATE_AT_R5),
    // R1 = cost
    load(B4, R1, R2, LOW),
    // Nothing to update? A round that has gained something has to be done with it.
    load(B8, R3, R6, frame::GAINED),
    jump_if_imm(R3, Cond::Ne, 0, A),
    load(B4, R3, R5, CREDIT),
    jump_if(R3, Cond::Ge, R1, A),
    load(B8, R3, R5, PREVIOUS),
    jump_if(R3, Cond::Eq, R0, label::NOT),
    bind(A),
    // R0 = credits gained since the last packet
    mov(R3, R0),
    atomic(Atomic::Exchange, B8, R5, PREVIOUS, R3),
    // The first packet finds the bucket full.
    jump_if_imm(R3, Cond::Ne, 0, A),
    mov(R3, R0),
    bind(A),
    sub(R0, R3),
    mul32_imm(R0, 0).imm(param::PER_TICK),
    load(B8, R3, R6, frame::GAINED),
    add32(R0, R3),
    store(B8, R6, frame::GAINED, R0),
    // R4 = new credit
    mov(R4, R0),
    load(B4, R0, R5, CREDIT),
    add32(R4, R0),
    load(B4, R3, R2, SPAN),
    jump_if(R4, Cond::Le, R3, A),
    mov32(R4, R3),
    bind(A),
    jump_if(R4, Cond::Lt, R1, B),
    // Enough.
    sub32(R4, R1),
    mov32(R3, R0),
    atomic(Atomic::CompareExchange, B4, R5, CREDIT, R4),
    jump_if(R0, Cond::Ne, R3, C),
    store_imm(B8, R6, frame::GAINED, 0),
    jump(label::HOLDS),
    bind(B),
    mov32(R3, R0),
    atomic(Atomic::CompareExchange, B4, R5, CREDIT, R4),
    jump_if(R0, Cond::Ne, R3, C),
    store_imm(B8, R6, frame::GAINED, 0),
    jump(label::NOT),
    bind(C),
    insert(shared::ONCE_MORE),
];

/// statistic_mt: R0 becomes R4, R1 is the answer.
pub(super) const NTH: &[Item] = &[
    insert(shared::STATE_AT_R5),
    load(B8, R0, R5, PREVIOUS),
    mov_imm(R4, 0),
    mov_imm(R1, 0),
    load(B4, R3, R2, LOW),
    jump_if(R0, Cond::Eq, R3, B),
    mov_imm(R4, 1),
    add32(R4, R0),
    jump_if_imm(R4, Cond::Ne, 0, A),
    bind(B),
    mov_imm(R1, 1),
    bind(A),
    insert(shared::KEEP_R4),
];

/// quota_mt, likewise.
pub(super) const QUOTA: &[Item] = &[
    insert(shared::STATE_AT_R5),
    load(B8, R0, R5, PREVIOUS),
    mov_imm(R4, 0),
    mov_imm(R1, 0),
    load(B4, R3, R6, frame::LEN),
    jump_if(R0, Cond::Lt, R3, A),
    mov(R4, R0),
    sub(R4, R3),
    mov_imm(R1, 1),
    bind(A),
    insert(shared::KEEP_R4),
];

/// statistic_mt
pub(super) const RANDOM: &[Item] = &[call(PRANDOM), mov(R1, R0), insert(shared::COMPARE_PART)];

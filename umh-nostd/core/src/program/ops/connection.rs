// SPDX-License-Identifier: GPL-2.0-only
//! Ops that ask the connection.
//!
//! Owns: conntrack_mt's parts of a connection, nf_ct_ext_find, and the matches
//! that use it: connbytes_mt and helper_mt.

use core::mem::offset_of;

use super::{JIFFIES, PAYLOAD, WHAT};
use crate::abi::xt::{ConnBytes, Helper};
use crate::program::prelude::*;
use crate::target::kernel::{
    CAST, COUNTERS, CT_EXTRAS, CT_MASTER, EXTRA_COUNTERS, HELPER_NAME, PAIR, WORD,
};

const FROM: i16 = PAYLOAD + offset_of!(ConnBytes, count) as i16;
const TO: i16 = FROM + 8;
const COUNTED: i16 = PAYLOAD + offset_of!(ConnBytes, what) as i16;
const DIRECTION: i16 = PAYLOAD + offset_of!(ConnBytes, direction) as i16;
const NAME: i16 = PAYLOAD + offset_of!(Helper, name) as i16;

const A: Label = Label::local(0);

/// R1 = 32 bits of the connection; R0 is where they are.
pub(in crate::program) const CONNECTION_PART: Block = block![
    load(B8, R1, R6, frame::CONNECTION),
    load(B2, R3, R2, WHAT),
    add(R1, R3),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
];

pub(super) const CT_WORD: &[Item] = &[
    insert(shared::CONNECTION_PART),
    insert(shared::COMPARE_PART),
];

pub(super) const CT_PORT: &[Item] = &[
    insert(shared::CONNECTION_PART),
    swap(R1, 16),
    insert(shared::COMPARE_PART),
];

/// nf_ct_expires
pub(super) const CT_EXPIRES: &[Item] = &[
    insert(shared::CONNECTION_PART),
    store(B8, R6, frame::SAVED, R1),
    call(JIFFIES),
    load(B8, R1, R6, frame::SAVED),
    sub32(R1, R0),
    mov32(R2, R1),
    rsh32_imm(R2, 31),
    jump_if_imm(R2, Cond::Eq, 0, A),
    mov_imm(R1, 0),
    bind(A),
    div32_imm(R1, 0).imm(param::HZ),
    insert(shared::COMPARE_PART),
];

/// R1 = where a pointer is becomes the pointer. Goes to NO if that is NULL.
pub(in crate::program) const FOLLOWED: Block = block![
    mov_imm(R2, 0).imm(PAIR),
    call_kfunc(CAST),
    load(B8, R1, R0, 0),
    jump_if_imm(R1, Cond::Eq, 0, label::NO),
];

/// R1 = a connection becomes the address of what else it carries, which is
/// SAVED, too.
pub(in crate::program) const EXTRAS: Block = block![
    add_imm(R1, 0).imm(CT_EXTRAS),
    insert(shared::FOLLOWED),
    store(B8, R6, frame::SAVED, R1),
];

/// R1 = where the place of one of these is becomes its address.
pub(in crate::program) const EXTRA: Block = block![
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B1, R1, R0, 0),
    jump_if_imm(R1, Cond::Eq, 0, label::NO),
    load(B8, R2, R6, frame::SAVED),
    add(R1, R2),
];

pub(super) const CONNBYTES: &[Item] = &[
    load(B8, R1, R6, frame::CONNECTION),
    insert(shared::EXTRAS),
    add_imm(R1, 0).imm(EXTRA_COUNTERS),
    insert(shared::EXTRA),
    mov_imm(R2, 0).imm(COUNTERS),
    call_kfunc(CAST),
    insert(shared::THIS_OP),
    // R4 = packets, R5 = bytes
    mov_imm(R4, 0),
    mov_imm(R5, 0),
    load(B1, R3, R2, DIRECTION),
    jump_if_imm(R3, Cond::Eq, 1, A),
    load(B8, R4, R0, 0),
    load(B8, R5, R0, 8),
    bind(A),
    jump_if_imm(R3, Cond::Eq, 0, A),
    load(B8, R1, R0, 16),
    add(R4, R1),
    load(B8, R1, R0, 24),
    add(R5, R1),
    bind(A),
    // R1 = what is asked for; without a packet their average is 0, as is what
    // a division by zero gives.
    load(B1, R3, R2, COUNTED),
    mov(R1, R4),
    jump_if_imm(R3, Cond::Eq, 0, A),
    mov(R1, R5),
    jump_if_imm(R3, Cond::Eq, 1, A),
    div(R1, R4),
    bind(A),
    load(B8, R3, R2, FROM),
    load(B8, R4, R2, TO),
    jump_if(R4, Cond::Ge, R3, A),
    jump_if(R1, Cond::Lt, R4, label::YES),
    jump_if(R1, Cond::Gt, R3, label::YES),
    jump(label::NO),
    bind(A),
    jump_if(R1, Cond::Gt, R4, label::NO),
    jump_if(R1, Cond::Ge, R3, label::YES),
    jump(label::NO),
];

/// The helper's name must start the rule's. It has 16 bytes, and zeros from
/// its end on.
pub(super) const HELPER: &[Item] = &[
    load(B8, R1, R6, frame::CONNECTION),
    jump_if_imm(R1, Cond::Eq, 0, label::NO),
    add_imm(R1, 0).imm(CT_MASTER),
    insert(shared::FOLLOWED),
    insert(shared::EXTRAS),
    insert(shared::EXTRA),
    insert(shared::FOLLOWED),
    add_imm(R1, 0).imm(HELPER_NAME),
    mov_imm(R2, 0).imm(PAIR),
    call_kfunc(CAST),
    insert(shared::THIS_OP),
    load(B1, R1, R2, NAME),
    jump_if_imm(R1, Cond::Eq, 0, label::YES),
    // Only what is before the lowest byte that is 0 counts.
    mov_wide(R5, ONES),
    upper(ONES),
    load(B8, R3, R0, 0),
    load(B8, R4, R2, NAME),
    insert(shared::STARTS),
    load(B8, R3, R0, 8),
    load(B8, R4, R2, NAME + 8),
    insert(shared::STARTS),
    jump(label::YES),
];

const ONES: u64 = 0x0101_0101_0101_0101;

/// Goes to NO if the bytes of R4 are not those of R3, up to the first that is
/// 0 there. R5 is [`ONES`]; R1 and R3 do not survive.
pub(in crate::program) const STARTS: Block = block![
    xor(R4, R3),
    // R1 = the highest bit of the lowest byte that is 0, and perhaps of some
    // above it
    mov(R1, R3),
    sub(R1, R5),
    xor_imm(R3, -1),
    and(R1, R3),
    mov(R3, R5),
    lsh_imm(R3, 7),
    and(R1, R3),
    // R1 = all bits below that byte
    mov(R3, R1),
    neg(R3),
    and(R1, R3),
    rsh_imm(R1, 7),
    sub_imm(R1, 1),
    and(R4, R1),
    jump_if_imm(R4, Cond::Ne, 0, label::NO),
];

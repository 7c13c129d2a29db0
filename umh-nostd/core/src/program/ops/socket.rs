// SPDX-License-Identifier: GPL-2.0-only
//! Ops that ask who has sent the packet.
//!
//! Owns: the part of owner_mt that is no field.

use super::{LOW, SPAN};
use crate::program::btf::{END, SOCKET_BOTH};
use crate::program::prelude::*;
use crate::target::kernel::{CAST, CRED_GROUPS, GROUPS_COUNT, GROUPS_FIRST, PAIR, WORD};

/// The part of owner_mt that looks at other groups.
pub(super) const GROUPS: &[Item] = &[
    store_imm(B8, R6, frame::OPTION_AT, 0),
    bind(label::NEXT_OWNER),
    insert(shared::AGAIN),
    insert(shared::OWNER),
    bind(END),
    jump_if_imm(R5, Cond::Ne, SOCKET_BOTH, label::NO),
    // Cast, or it would be a pointer that nothing can be added to.
    mov(R1, R4),
    add_imm(R1, 0).imm(CRED_GROUPS),
    mov_imm(R2, 0).imm(PAIR),
    call_kfunc(CAST),
    load(B8, R1, R0, 0),
    store(B8, R6, frame::SAVED, R1),
    add_imm(R1, 0).imm(GROUPS_COUNT),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R2, R0, 0),
    load(B8, R3, R6, frame::OPTION_AT),
    jump_if(R3, Cond::Ge, R2, label::NO),
    load(B8, R1, R6, frame::SAVED),
    lsh_imm(R3, 2),
    add(R1, R3),
    add_imm(R1, 0).imm(GROUPS_FIRST),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R4, R0, 0),
    insert(shared::THIS_OP),
    load(B4, R3, R2, LOW),
    sub32(R4, R3),
    load(B4, R3, R2, SPAN),
    jump_if(R4, Cond::Le, R3, label::YES),
    load(B8, R1, R6, frame::OPTION_AT),
    add_imm(R1, 1),
    store(B8, R6, frame::OPTION_AT, R1),
    jump(label::NEXT_OWNER),
];

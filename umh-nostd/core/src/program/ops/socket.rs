// SPDX-License-Identifier: GPL-2.0-only
//! Ops that ask who has sent the packet.
//!
//! Owns: the part of owner_mt that is no field.

use super::{LOW, SPAN};
use crate::program::packet::{END, SOCKET_BOTH};
use crate::program::prelude::*;
use crate::target::kernel::{CAST, CRED_GROUPS, GROUPS_COUNT, GROUPS_FIRST, PAIR, WORD};

/// The part of owner_mt that looks at other groups.
pub(super) const GROUPS: &[Item] = &[
    map_value(R1, Map::Data, param::ZERO),
    load(B8, R1, R1, 0),
    store(B8, Fp, frame::OPTION_AT, R1),
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
    store(B8, Fp, frame::SAVED, R1),
    add_imm(R1, 0).imm(GROUPS_COUNT),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R2, R0, 0),
    load(B8, R3, Fp, frame::OPTION_AT),
    jump_if(R3, Cond::Ge, R2, label::NO),
    load(B8, R1, Fp, frame::SAVED),
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
    load(B8, R1, Fp, frame::OPTION_AT),
    add_imm(R1, 1),
    // No copy of it, see `frame`.
    and_imm(R1, i32::MAX),
    store(B8, Fp, frame::OPTION_AT, R1),
    jump(label::NEXT_OWNER),
];

// SPDX-License-Identifier: GPL-2.0-only
//! The connection that a packet belongs to, as conntrack_mt sees it.

use super::END;
use crate::ir::{CT_INVALID, CT_ORIGINAL, CT_PRESENT, CT_UNTRACKED, Field};
use crate::program::prelude::*;
use crate::target::kernel::*;

const HAVE: Label = Label::local(0);
const FIRST: Label = Label::local(1);

impl Builder<'_> {
    /// nf_ct_get, and the bits of conntrack_mt.
    pub(super) fn connection(&mut self) {
        self.emit(block![when(
            need::field(Field::Connection),
            &[
                load(B8, R1, R9, 0).at(SKB_NFCT),
                mov(R2, R1),
                and_imm(R2, 7),
                and_imm(R1, !7),
                store(B8, R6, frame::CONNECTION, R1),
                jump_if_imm(R1, Cond::Ne, 0, HAVE),
                mov_imm(R3, CT_UNTRACKED as i32),
                // IP_CT_UNTRACKED
                jump_if_imm(R2, Cond::Eq, 7, END),
                mov_imm(R3, CT_INVALID as i32),
                jump(END),
                bind(HAVE),
                mov_imm(R3, CT_PRESENT as i32),
                // IP_CT_IS_REPLY
                jump_if_imm(R2, Cond::Ge, 3, FIRST),
                or_imm(R3, CT_ORIGINAL as i32),
                bind(FIRST),
                modulo_imm(R2, 3),
                mov_imm(R4, 2),
                lsh(R4, R2),
                or(R3, R4),
                store(B4, R6, field(Field::Connection), R3),
                add_imm(R1, 0).imm(CT_STATUS),
                mov_imm(R2, 0).imm(WORD),
                call_kfunc(CAST),
                load(B4, R1, R0, 0),
                // IPS_SRC_NAT and IPS_DST_NAT
                and_imm(R1, 0x30),
                lsh_imm(R1, 2),
                load(B4, R3, R6, field(Field::Connection)),
                or(R3, R1),
                bind(END),
                store(B4, R6, field(Field::Connection), R3),
            ]
        )]);
        self.emit(block![when(
            need::field(Field::ConnMark),
            &[
                mov_imm(R0, 0),
                load(B8, R1, R6, frame::CONNECTION),
                jump_if_imm(R1, Cond::Eq, 0, END),
                add_imm(R1, 0).imm(CT_MARK),
                mov_imm(R2, 0).imm(WORD),
                call_kfunc(CAST),
                load(B4, R0, R0, 0),
                bind(END),
                store(B4, R6, field(Field::ConnMark), R0),
            ]
        )]);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! What stands in the text of programs most often.
//!
//! Owns: the list of instructions, or of how they start, for each of which
//! one byte stands in a block: an operation that the machine has not got.
//! Nothing but the length of the text depends on what is in the list.

use super::asm::{
    Cond, Item, Label, Map, Reg, Size, add, add_imm, and_imm, bind, call, call_kfunc, insert,
    jump_if_imm, load, lsh_imm, map_value, mov, mov_imm, rsh_imm, store, store_imm,
};
use super::block::{Block, cut};
use super::kernel::{CAST, DYNPTR, WORD};
use super::ops::WHAT;
use super::{frame, label, param, shared};

use Reg::{Fp, R0, R1, R2, R3, R4, R5};
use Size::{B1, B2, B4, B8};

/// How many bytes of which items.
const STARTS: [(usize, Item); 64] = [
    (7, and_imm(R0, i32::MAX)),
    (5, call_kfunc(CAST)),
    (5, mov_imm(R2, 0).imm(WORD)),
    (5, load(B2, R3, R2, WHAT)),
    (5, add_imm(R3, frame::DYNPTR as i32)),
    (3, load(B8, R1, R5, 0)),
    (3, lsh_imm(R1, 2)),
    (3, mov_imm(R0, 0)),
    (3, mov_imm(R1, 0)),
    (3, map_value(R2, Map::Data, param::OPS)),
    (2, store(B8, Fp, 0, R1)),
    (2, load(B8, R1, Fp, 0)),
    (2, load(B8, R2, Fp, 0)),
    (2, load(B8, R3, R2, 0)),
    (2, load(B4, R3, R2, 0)),
    (2, store_imm(B8, Fp, 0, 0)),
    (2, store(B4, Fp, 0, R1)),
    (2, and_imm(R1, 0)),
    (2, and_imm(R3, 0)),
    (2, add_imm(R1, 0)),
    (2, rsh_imm(R1, 0)),
    (2, mov_imm(R2, 0)),
    (2, mov_imm(R3, 0)),
    (2, call(0)),
    (2, jump_if_imm(R0, Cond::Eq, 0, label::DROP)),
    (2, jump_if_imm(R1, Cond::Eq, 0, label::DROP)),
    (2, jump_if_imm(R2, Cond::Eq, 0, label::DROP)),
    (2, jump_if_imm(R3, Cond::Eq, 0, label::DROP)),
    (2, jump_if_imm(R1, Cond::Ne, 0, label::DROP)),
    (2, bind(Label(Label::LOCAL))),
    (2, bind(Label(Label::LOCAL + 6))),
    (2, insert(shared::THIS_OP)),
    // The other class.
    (7, and_imm(R1, i32::MAX)),
    (5, call_kfunc(DYNPTR)),
    (5, load(B2, R0, R2, WHAT)),
    (3, mov_imm(R2, 0)),
    (3, mov_imm(R4, 0)),
    (3, mov_imm(R5, 0)),
    (3, load(B4, R1, R0, 0)),
    (3, jump_if_imm(R1, Cond::Ge, 0, label::DROP)),
    (3, map_value(R1, Map::Data, param::OPS)),
    (3, map_value(R4, Map::Data, param::OPS)),
    (3, map_value(R5, Map::Data, param::OPS)),
    (2, add(R2, R1)),
    // In this class these are operations of the machine.
    (1, store_imm(B4, R0, 0, 0)),
    (1, store_imm(B2, R0, 0, 0)),
    (1, store_imm(B1, R0, 0, 0)),
    (1, store_imm(B8, R0, 0, 0)),
    (2, store(B8, Fp, 0, R2)),
    (2, store(B8, R5, 0, R1)),
    (2, store_imm(B8, R5, 0, 0)),
    (2, load(B8, R3, R5, 0)),
    (2, load(B8, R2, R5, 0)),
    (2, load(B8, R1, R5, 0)),
    (2, load(B8, R4, Fp, 0)),
    (2, load(B4, R1, Fp, 0)),
    (2, mov_imm(R4, 0)),
    (2, mov_imm(R1, 0)),
    (2, jump_if_imm(R3, Cond::Ne, 0, label::DROP)),
    (2, jump_if_imm(R0, Cond::Ne, 0, label::DROP)),
    (2, bind(Label(Label::LOCAL + 1))),
    (2, bind(Label(Label::LOCAL + 2))),
    (2, mov(R1, R0)),
    (2, rsh_imm(R3, 0)),
];

/// All of them.
pub(super) const LIST: Block = {
    const LEN: usize = cut::<0>(&STARTS).1;
    const TEXT: [u8; LEN] = cut(&STARTS).0;
    Block(&TEXT)
};

/// The place in the list that an operation stands for: those that do are two
/// classes of 32, of which the machine has four operations.
pub(super) fn place(code: u8) -> Option<u8> {
    (code & 3 == 2).then_some(code >> 3 | (!code & 4) << 3)
}

/// The operation that stands for the start of `text`, and how much that is.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
pub(super) const fn find(text: &[u8]) -> Option<(u8, usize)> {
    let list = LIST.0;
    let (mut place, mut at) = (0, 0);
    let mut found = None;
    let mut longest = 0;
    while at < list.len() {
        let len = list[at] as usize;
        let mut same = 0;
        while same < len && same < text.len() && list[at + 1 + same] == text[same] {
            same += 1;
        }
        if same == len && len > longest {
            found = Some((place << 3 | 6 ^ (place >> 3 & 4), len));
            longest = len;
        }
        at += 1 + len;
        place += 1;
    }
    found
}

// SPDX-License-Identifier: GPL-2.0-only
//! The ops that finish what a record leaves open.
//!
//! Owns: the interpreter of a rule's ops: how an op and the code of its kind
//! are found, and where that code goes on. The kinds are declared in
//! [`crate::ir::op`]; only those that some rule has are emitted. Their code is
//! in the files of this folder and in `recent`, `hashlimit` and `time` beside
//! it; each is the port of a part of a match function, named where it stands.
//!
//! At ASK, R1 is the offset of an op. The code of its kind finds the op at R2,
//! and goes on at HOLDS or NOT, at YES or NO if the op may be inverted, or at
//! COMPARE with a number in R1; R7 to R9 stay as they are.

mod bytes;
#[cfg(feature = "links")]
mod connection;
mod counting;
mod fields;
#[cfg(feature = "links")]
mod socket;

use core::mem::offset_of;

use bpfilter_msgfmt as msg;

use super::Builder;
use super::prelude::*;
use super::time::TIME;
use crate::ir::op::{Ends, OPS, for_each_op};
use crate::ir::{Field, OP, Op, flag, kind};

#[cfg(feature = "links")]
pub(super) use bytes::DYNPTR_READ;
pub(super) use bytes::READ;
use bytes::{BIT, PAYLOAD_WORD, SHIFT, TCP_OPTION};
#[cfg(feature = "links")]
use connection::{CONNBYTES, CT_EXPIRES, CT_PORT, CT_WORD, HELPER};
#[cfg(feature = "links")]
pub(super) use connection::{CONNECTION_PART, EXTRA, EXTRAS, FOLLOWED, STARTS};
pub(super) use counting::{KEEP_R4, ONCE_MORE, STATE_AT_R5};
use counting::{LIMIT, NTH, QUOTA, RANDOM};
use fields::{CHAIN, GUARD, INTERFACE, TEST};
#[cfg(feature = "links")]
use socket::GROUPS;

/// Helper function `bpf_jiffies64`.
pub(super) const JIFFIES: i32 = 118;

/// What an op has found.
const FOUND: i16 = field(Field::Found);

pub(super) const WHAT: i16 = offset_of!(Op, what) as i16;
pub(super) const MASK: i16 = offset_of!(Op, mask) as i16;
pub(super) const LOW: i16 = offset_of!(Op, low) as i16;
pub(super) const SPAN: i16 = offset_of!(Op, span) as i16;
/// What follows an op.
pub(super) const PAYLOAD: i16 = OP as i16;

const A: Label = Label::local(0);
/// No other code has it.
const KNOWN: Label = Label::local(15);

/// Where the code of a kind comes from.
enum Code {
    /// The same in every program.
    Block(Block),
    /// A method that emits it, its label included.
    Built(fn(&mut Builder<'_>)),
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $(#[cfg($($cfg:tt)*)])?
       $name:ident = $number:literal: $ends:ident, reads $reads:ident,
       payload $payload:ty, state $state:ty, $how:ident($what:ident);)*) => {
        /// The code of each kind, in the order of [`OPS`].
        static CODES: [Code; OPS.len()] = [$($(#[cfg($($cfg)*)])? code_of!($how $what)),*];
    };
}
macro_rules! code_of {
    (code $items:ident) => {
        Code::Block(block_of!($items))
    };
    (built $method:ident) => {
        Code::Built(|builder| builder.$method())
    };
}
for_each_op!(codes);

/// R2 = the op at hand.
pub(in crate::program) const THIS_OP: Block = block![
    load(B8, R1, R6, frame::OP),
    // It is; but where a table is locked the program must not end.
    jump_if_imm(R1, Cond::Le, 0, KNOWN).imm(param::LAST_OP),
    mov_imm(R1, 0),
    bind(KNOWN),
    map_value(R2, Map::Data, param::OPS),
    add(R2, R1),
];

/// R1 is compared as the op says, which a call has made R2 forget.
pub(super) const COMPARE_PART: Block = block![
    load(B8, R3, R6, frame::OP),
    jump_if_imm(R3, Cond::Gt, 0, label::DROP).imm(param::LAST_OP),
    map_value(R2, Map::Data, param::OPS),
    add(R2, R3),
    jump(label::COMPARE),
];

pub(super) const OTHERWISE: &[Item] = &[
    load(B4, R3, R2, LOW),
    jump_if_imm(R3, Cond::Eq, 0, A),
    add(R3, R1),
    bind(A),
    store(B8, R6, frame::OTHERWISE, R3),
    jump(label::HOLDS),
];

/// The kernel half runs a match, and the program goes on with its answer.
const XT_MATCH: &[Item] = &[
    load(B4, R1, R2, LOW),
    store(B4, R6, frame::CALL, R1),
    store(B4, R6, frame::POSITION, R7),
    mov_imm(R0, msg::CALL as i32),
    exit(),
];

/// There is rule R7, also if that has come back with an answer. The verifier would
/// follow all ops again for a number that may be any.
const THERE_IS_R7: Item = jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES);

impl Builder<'_> {
    pub(super) fn ops(&mut self) {
        let kinds = self.ruleset.uses().kinds;
        if kinds == 0 {
            return;
        }
        self.ask();
        for (op, code) in OPS.iter().zip(&CODES).filter(|(op, _)| op.is_in(kinds)) {
            match code {
                Code::Block(code) => {
                    self.bind(Label::op(op.kind));
                    self.emit(*code);
                }
                Code::Built(method) => method(self),
            }
        }
        self.answers();
    }

    fn bind(&mut self, label: Label) {
        self.emit_with(block![bind(Label::arg(0))], &[label.number()]);
    }

    /// Where the code of ops goes on.
    fn answers(&mut self) {
        self.emit(block![
            when(
                need::COMPARE,
                &[
                    bind(label::COMPARE),
                    load(B4, R3, R2, MASK),
                    and32(R1, R3),
                    load(B4, R3, R2, LOW),
                    sub32(R1, R3),
                    load(B4, R3, R2, SPAN),
                    jump_if(R1, Cond::Le, R3, label::YES),
                ]
            ),
            when(
                need::ANSWER,
                &[
                    bind(label::NO),
                    mov_imm(R0, 0),
                    jump(A),
                    bind(label::YES),
                    mov_imm(R0, flag::INVERT as i32),
                    bind(A),
                    load(B8, R1, R6, frame::INVERT),
                    xor(R0, R1),
                    jump_if_imm(R0, Cond::Ne, 0, label::HOLDS),
                ]
            ),
        ]);
        let kinds = self.ruleset.uses().kinds;
        if OPS
            .iter()
            .any(|op| op.is_in(kinds) && op.ends != Ends::Always)
        {
            self.fails();
        }
        // The verifier follows what comes next once, whichever op was asked.
        self.emit(block![bind(label::HOLDS), insert(shared::NOTHING_KNOWN)]);
        #[cfg(feature = "links")]
        self.forget_tables();
        self.emit(block![
            THERE_IS_R7,
            load(B8, R1, R6, frame::NEXT_OP),
            jump_if_imm(R1, Cond::Ne, 0, label::ASK_NEXT),
            // All of them hold.
            insert(shared::RECORD_OF_R7),
            jump(label::MATCHED),
        ]);
    }

    /// The rule fails. Without an op that can fail nothing would come here, and the
    /// verifier refuses code that nothing reaches.
    fn fails(&mut self) {
        self.emit(block![bind(label::NOT), insert(shared::NOTHING_KNOWN)]);
        #[cfg(feature = "links")]
        self.forget_tables();
        self.emit(block![
            when(
                need::op(kind::OTHERWISE),
                &[
                    THERE_IS_R7,
                    load(B8, R1, R6, frame::OTHERWISE),
                    jump_if_imm(R1, Cond::Ne, 0, label::ASK_NEXT),
                ]
            ),
            when(need::CALLS, &[insert(shared::RULE_DONE)]),
            mov_imm(R1, 0),
            add_imm(R7, 1),
            jump(label::SEARCH_ON),
        ]);
    }

    /// Finds the op, and the code of its kind.
    fn ask(&mut self) {
        self.emit(block![
            bind(label::ASK),
            insert(shared::ONLY_R1_KNOWN),
            bind(label::ASK_NEXT),
            store(B8, R6, frame::OP, R1),
            mov_imm(R1, 0),
            insert(shared::ROUND_OF_SEARCH),
            load(B8, R1, R6, frame::OP),
            jump_if_imm(R1, Cond::Gt, 0, label::DROP).imm(param::LAST_OP),
            map_value(R2, Map::Data, param::OPS),
            add(R2, R1),
            // What comes after it, if it is not the last.
            load(B1, R4, R2, offset_of!(Op, flags) as i16),
            mov(R5, R4),
            and_imm(R5, flag::SIZE as i32),
            add(R5, R1),
            mov(R3, R4),
            and_imm(R3, flag::LAST as i32),
            sub_imm(R3, 1),
            and(R5, R3),
            store(B8, R6, frame::NEXT_OP, R5),
            and_imm(R4, flag::INVERT as i32),
            store(B8, R6, frame::INVERT, R4),
            load(B1, R3, R2, offset_of!(Op, kind) as i16),
        ]);
        let kinds = self.ruleset.uses().kinds;
        for kind in (0..64u8).filter(|kind| kinds >> kind & 1 != 0) {
            self.emit_with(
                block![jump_if_imm(R3, Cond::Eq, 0, Label::arg(1)).imm(Param::arg(0))],
                &[kind.into(), Label::op(kind).number()],
            );
        }
        self.emit(block![jump(label::DROP)]);
    }
}

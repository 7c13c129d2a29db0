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
mod connection;
mod counting;
mod fields;
mod socket;

use core::mem::offset_of;

use super::packet::{CHANGED, field};
use super::prelude::*;
use super::{Builder, time::TIME};
use crate::ir::op::{Ends, OPS, OpKind, for_each_op};
use crate::ir::{Field, OP, Op, flag, kind};
use crate::target::kernel::{self, SKB_MARK};

use bytes::{BIT, PAYLOAD_WORD, SHIFT, TCP_OPTION};
pub(super) use bytes::{DYNPTR_READ, READ};
pub(super) use connection::{COMPARE_PART, CONNECTION_PART, EXTRA, EXTRAS, FOLLOWED, STARTS};
use connection::{CONNBYTES, CONNECTION, CT_EXPIRES, CT_PORT, CT_WORD, HELPER};
pub(super) use counting::{KEEP_R4, ONCE_MORE, STATE_AT_R5};
use counting::{LIMIT, NTH, QUOTA, RANDOM};
use fields::{GUARD, INTERFACE, TEST};
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

/// Where the code of a kind comes from.
enum Code {
    /// The same in every program.
    Block(Block),
    /// A method that emits it, its label included.
    Built(fn(&mut Builder<'_>)),
    /// A function of the kernel half.
    Calls(Param),
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal: $ends:ident, reads $reads:ident,
       payload $payload:ty, state $state:ty, $how:ident($what:ident);)*) => {
        /// The code of each kind, in the order of [`OPS`].
        static CODES: [Code; OPS.len()] = [$(code_of!($how $what)),*];
    };
}
macro_rules! code_of {
    (code $items:ident) => {
        Code::Block(block_of!($items))
    };
    (built $method:ident) => {
        Code::Built(|builder| builder.$method())
    };
    (calls $function:ident) => {
        Code::Calls(kernel::$function)
    };
}
for_each_op!(codes);

/// R2 = the op at hand.
pub(in crate::program) const THIS_OP: Block = block![
    load(B8, R1, Fp, frame::OP),
    map_value(R2, Map::Data, param::OPS),
    add(R2, R1),
];

pub(super) const OTHERWISE: &[Item] = &[
    load(B4, R3, R2, LOW),
    jump_if_imm(R3, Cond::Eq, 0, A),
    add(R3, R1),
    bind(A),
    store(B8, Fp, frame::OTHERWISE, R3),
    jump(label::HOLDS),
];

impl Builder<'_> {
    pub(super) fn ops(&mut self) {
        let kinds = self.ruleset.uses().kinds;
        let used = |op: &&OpKind| op.is_in(kinds);
        let asked = OPS.iter().filter(used).any(|op| !op.is_target());
        if asked {
            self.ask();
        }
        if OPS.iter().filter(used).any(OpKind::is_target) {
            self.target();
        }
        for (op, code) in OPS.iter().zip(&CODES).filter(|(op, _)| op.is_in(kinds)) {
            match code {
                Code::Block(code) => {
                    self.bind(Label::op(op.kind));
                    self.emit(*code);
                }
                Code::Built(method) => method(self),
                Code::Calls(function) => self.call(op, *function),
            }
        }
        // The verifier refuses what no way leads to.
        if asked {
            self.answers();
        }
    }

    fn bind(&mut self, label: Label) {
        self.emit_with(block![bind(Label::arg(0))], &[label.number()]);
    }

    /// Where the code of ops goes on.
    fn answers(&mut self) {
        self.emit(block![
            bind(label::NOT),
            mov_imm(R1, 0),
            jump(label::ANSWERED),
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
                    load(B8, R1, Fp, frame::INVERT),
                    xor(R0, R1),
                    jump_if_imm(R0, Cond::Eq, 0, label::NOT),
                ]
            ),
            bind(label::HOLDS),
            mov_imm(R1, 1),
            // All ops alike, see `frame`.
            bind(label::ANSWERED),
            store(B8, Fp, frame::SAVED, R1),
            insert(shared::FORGET),
            load(B8, R1, Fp, frame::SAVED),
            jump_if_imm(R1, Cond::Ne, 0, A),
            when(
                need::op(kind::OTHERWISE),
                &[
                    load(B8, R1, Fp, frame::OTHERWISE),
                    jump_if_imm(R1, Cond::Ne, 0, label::ASK),
                ]
            ),
            jump(label::FAILED),
            bind(A),
            load(B8, R1, Fp, frame::NEXT_OP),
            jump_if_imm(R1, Cond::Ne, 0, label::ASK),
            // All of them hold: MATCHED is next.
        ]);
    }

    /// Finds the op, and the block for its kind.
    fn ask(&mut self) {
        self.emit(block![
            bind(label::ASK),
            store(B8, Fp, frame::OP, R1),
            insert(shared::AGAIN),
            load(B8, R1, Fp, frame::OP),
            jump_if_imm(R1, Cond::Gt, 0, label::DROP).imm(param::LAST_OP),
            store(B8, Fp, frame::OP, R1),
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
            store(B8, Fp, frame::NEXT_OP, R5),
            and_imm(R4, flag::INVERT as i32),
            store(B8, Fp, frame::INVERT, R4),
            load(B1, R3, R2, offset_of!(Op, kind) as i16),
        ]);
        self.dispatch(|op| !op.is_target());
    }

    /// Finds the function of a target. A way of its own, or the verifier would
    /// follow all other kinds once more from here.
    fn target(&mut self) {
        self.emit(block![
            bind(label::TARGET),
            jump_if_imm(R3, Cond::Gt, 0, label::DROP).imm(param::LAST_OP),
            map_value(R2, Map::Data, param::OPS),
            add(R2, R3),
            load(B1, R3, R2, offset_of!(Op, kind) as i16),
        ]);
        self.dispatch(OpKind::is_target);
    }

    /// On at the code of the kind in R3, which is one of those.
    fn dispatch(&mut self, those: impl Fn(&OpKind) -> bool) {
        let kinds = self.ruleset.uses().kinds;
        let those = OPS.iter().filter(|op| op.is_in(kinds) && those(op));
        let those = those.fold(0u64, |those, op| those | 1 << op.kind);
        for kind in (0..64u8).filter(|kind| those >> kind & 1 != 0) {
            self.emit_with(
                block![jump_if_imm(R3, Cond::Eq, 0, Label::arg(1)).imm(Param::arg(0))],
                &[kind.into(), Label::op(kind).number()],
            );
        }
        self.emit(block![jump(label::DROP)]);
    }

    /// A function of the kernel half. What it returns may be wider than what
    /// it means: NF_DROP or XT_CONTINUE, false or true; or 2, and the packet is
    /// gone, perhaps already. A match may say 3: yes, and the packet is dropped
    /// when the rule is done, as ipt_do_table does with hotdrop.
    fn call(&mut self, op: &OpKind, function: Param) {
        let ways = match op.ends {
            Ends::Changes => [label::DROP, label::CHANGED],
            // On at the next entry, as if it had not matched.
            Ends::Continues => [label::DROP, label::FAILED],
            _ => [label::NOT, label::HOLDS],
        };
        let text = block![
            bind(Label::arg(0)),
            mov(R3, R2),
            add_imm(R3, OP as i32),
            mov(R1, R6),
            load(B8, R2, Fp, frame::STATE),
            call_kfunc(Param::arg(1)),
            and_imm(R0, 3),
            jump_if_imm(R0, Cond::Eq, 2, label::DROP),
            when(
                need::field(Field::Mark),
                &[
                    load(B4, R1, R6, 0).at(SKB_MARK),
                    store(B4, Fp, field(Field::Mark), R1),
                ]
            ),
            jump_if_imm(R0, Cond::Eq, 0, Label::arg(2)),
        ];
        let [no, yes] = ways.map(Label::number);
        let kernel = self.ruleset.machine().packets.btf();
        let function = kernel.map_or(0, |kernel| kernel.fact(function));
        self.emit_with(text, &[Label::op(op.kind).number(), function, no]);
        if op.kind == kind::XT_MATCH {
            self.emit(block![
                jump_if_imm(R0, Cond::Ne, 3, label::HOLDS),
                insert(shared::DROP_LATER)
            ]);
        }
        if op.ends == Ends::Continues {
            self.forget();
        }
        self.emit_with(block![jump(Label::arg(0))], &[yes]);
        if op.ends == Ends::Changes {
            self.emit(block_of!(CHANGED));
        }
    }
}

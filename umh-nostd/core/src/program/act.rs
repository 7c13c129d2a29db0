// SPDX-License-Identifier: GPL-2.0-only
//! What happens when a rule matches.
//!
//! Owns: counters, verdicts, jumps and returns.
//!
//! A row of counters belongs to a CPU. At LOCAL_IN and FORWARD a program
//! runs with bottom halves off, so nobody else adds to its row in between;
//! at LOCAL_OUT it may run in a process that is preempted by another one or
//! by a bottom half on the same CPU, so there the additions are atomic.

use super::asm::{
    Atomic, Cond, Item, Label, Map, Reg, Size, add, add_imm, and_imm, atomic, bind, call,
    call_kfunc, exit, insert, jump, jump_if_imm, load, lsh_imm, map_value, mov, mov_imm, mul_imm,
    rsh_imm, store, sub_imm, unless, when,
};
use super::block::Block;
use super::kernel::{ITER_DESTROY, SKB_LEN};
use super::{Builder, frame, label, need, param, shared};
use crate::ir::{action, kind};

use Reg::{Fp, R0, R1, R2, R3, R4, R5, R6, R7};
use Size::{B4, B8};

/// Helper function `bpf_get_smp_processor_id`.
pub(super) const CPU: i32 = 8;

/// Depths are less.
const DEPTH_MASK: i32 = 0xff_ffff;
/// Beside the depth: the packet is dropped when the rule at hand is done.
const HOTDROP: i32 = 1 << 30;

const ON: Label = Label::local(0);
const CALL: Label = Label::local(1);
const STEP: Label = Label::local(2);
const NESTED: Label = Label::local(3);

const OWNED: Label = Label::local(4);
const TAKEN: Label = Label::local(5);
const FREE: Label = Label::local(6);

/// R4 = the place in which this run keeps return positions, 8 bytes before
/// the one at depth DEPTH.
pub(super) const PLACE: Block = block![
    load(B8, R2, Fp, frame::PLACE),
    sub_imm(R2, 1),
    and_imm(R2, -8),
    jump_if_imm(R2, Cond::Gt, 0, label::DROP).imm(param::LAST_PLACE),
    load(B8, R1, Fp, frame::DEPTH),
    and_imm(R1, DEPTH_MASK),
    sub_imm(R1, frame::RETURNS_MAX),
    jump_if_imm(R1, Cond::Ge, 0, label::DROP).imm(param::PLACE_RETURNS),
    lsh_imm(R1, 2),
    map_value(R4, Map::State, param::DEEP),
    add(R4, R2),
    add(R4, R1),
    mov_imm(R1, 0),
];

/// The packet is to be dropped when the rule at hand is done.
pub(super) const DROP_LATER: Block = block![
    load(B8, R1, Fp, frame::DEPTH),
    and_imm(R1, DEPTH_MASK),
    add_imm(R1, HOTDROP),
    store(B8, Fp, frame::DEPTH, R1),
];

/// The rule at hand is done, and no verdict was said.
pub(super) const RULE_DONE: Block = block![
    load(B8, R1, Fp, frame::DEPTH),
    jump_if_imm(R1, Cond::Gt, DEPTH_MASK, label::DROP),
];

/// A packet counts for rule R7. R3 = what happens to it.
pub(super) const COUNTED: Block = block![
    jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES),
    // R2 = the rule's counters
    call(CPU),
    jump_if_imm(R0, Cond::Ge, 0, label::DROP).imm(param::CPUS),
    mul_imm(R0, 0).imm(param::ROW),
    mov(R1, R7),
    lsh_imm(R1, 4),
    add(R0, R1),
    map_value(R2, Map::Counters, param::ZERO),
    add(R2, R0),
    load(B4, R1, R6, 0).at(SKB_LEN),
    when(
        need::LOCAL_OUT,
        &[
            mov_imm(R3, 1),
            atomic(Atomic::Add, B8, R2, 0, R3),
            atomic(Atomic::Add, B8, R2, 8, R1),
        ]
    ),
    unless(
        need::LOCAL_OUT,
        &[
            load(B8, R3, R2, 0),
            add_imm(R3, 1),
            store(B8, R2, 0, R3),
            load(B8, R3, R2, 8),
            add(R3, R1),
            store(B8, R2, 8, R3),
        ]
    ),
    insert(shared::RECORD_OF_R7),
];

/// Return positions for which the frame has no room, in a place of the
/// state map that belongs to this run of the program until it leaves:
/// another run, be it of a bottom half in the middle of this one or of
/// another process that got the CPU, finds the place taken and takes
/// another one. Where all are taken the packet is dropped.
const DEEP: &[Item] = &[
    bind(label::PUSH_DEEP),
    store(B8, Fp, frame::SAVED, R3),
    load(B8, R2, Fp, frame::PLACE),
    jump_if_imm(R2, Cond::Ne, 0, OWNED),
    map_value(R2, Map::Data, param::ZERO),
    load(B8, R2, R2, 0),
    bind(label::NEXT_PLACE),
    // No copy of it, see `frame`.
    and_imm(R2, i32::MAX),
    store(B8, Fp, frame::OPTION_AT, R2),
    insert(shared::AGAIN),
    load(B8, R2, Fp, frame::OPTION_AT),
    jump_if_imm(R2, Cond::Ge, 0, label::DROP).imm(param::PLACES),
    mul_imm(R2, 0).imm(param::PLACE_LEN),
    map_value(R4, Map::State, param::DEEP),
    add(R4, R2),
    mov_imm(R5, 1),
    atomic(Atomic::Exchange, B8, R4, 0, R5),
    jump_if_imm(R5, Cond::Eq, 0, TAKEN),
    load(B8, R2, Fp, frame::OPTION_AT),
    and_imm(R2, i32::MAX),
    add_imm(R2, 1),
    jump(label::NEXT_PLACE),
    bind(TAKEN),
    add_imm(R2, 1),
    store(B8, Fp, frame::PLACE, R2),
    bind(OWNED),
    insert(shared::PLACE),
    store(B4, R4, 8, R7),
    when(need::OPS, &[insert(shared::FORGET)]),
    load(B8, R3, Fp, frame::SAVED),
    and_imm(R3, i32::MAX),
    jump(label::PUSHED),
    bind(label::POP_DEEP),
    insert(shared::PLACE),
    load(B4, R7, R4, 8),
    jump(label::SEARCH),
];

impl Builder<'_> {
    /// All of the program where every packet gets to the policy at once.
    pub(super) fn policy(&mut self) {
        self.emit(block![
            load(B8, R6, R1, 8),
            mov_imm(R7, 0).imm(param::POLICY),
            insert(shared::COUNTED),
            // ACCEPT or DROP: one bit.
            mov(R0, R3),
            and_imm(R0, action::ACCEPT),
            exit(),
            bind(label::DROP),
            mov_imm(R0, action::DROP),
            exit(),
        ]);
    }

    pub(super) fn act(&mut self) {
        self.emit(block![
            bind(label::MATCHED),
            insert(shared::COUNTED),
            mov(R0, R3),
            and_imm(R0, action::MASK),
            rsh_imm(R3, action::SHIFT),
            jump_if_imm(R0, Cond::Gt, action::ACCEPT, ON),
            // The end, with the verdict in R0.
            bind(label::EXIT),
            when(
                need::DEEP,
                &[
                    load(B8, R2, Fp, frame::PLACE),
                    jump_if_imm(R2, Cond::Eq, 0, FREE),
                    sub_imm(R2, 1),
                    and_imm(R2, -8),
                    jump_if_imm(R2, Cond::Gt, 0, FREE).imm(param::LAST_PLACE),
                    map_value(R4, Map::State, param::DEEP),
                    add(R4, R2),
                    mov_imm(R5, 0),
                    atomic(Atomic::Exchange, B8, R4, 0, R5),
                    bind(FREE)
                ]
            ),
            when(
                need::ITERATOR,
                &[
                    store(B8, Fp, frame::OP, R0),
                    mov(R1, Fp),
                    add_imm(R1, frame::ITERATOR as i32),
                    call_kfunc(ITER_DESTROY),
                    load(B8, R0, Fp, frame::OP)
                ]
            ),
            exit(),
            bind(label::DROP),
            mov_imm(R0, 0),
            jump(label::EXIT),
            bind(ON),
            when(
                need::TARGETS,
                &[jump_if_imm(R0, Cond::Eq, action::TARGET, label::TARGET)]
            ),
            when(need::op(kind::XT_MATCH), &[insert(shared::RULE_DONE)]),
            jump_if_imm(R0, Cond::Eq, action::STEP, STEP),
            // Masked, it is not known to be what is in the frame.
            load(B8, R1, Fp, frame::DEPTH),
            and_imm(R1, DEPTH_MASK),
            jump_if_imm(R0, Cond::Eq, action::CALL, CALL),
            // RETURN
            jump_if_imm(R1, Cond::Ne, 0, NESTED),
            map_value(R1, Map::Data, param::ZERO),
            load(B8, R7, R1, 0),
            add_imm(R7, 0).imm(param::POLICY),
            jump(label::SEARCH),
            bind(NESTED),
            sub_imm(R1, 1),
            store(B8, Fp, frame::DEPTH, R1),
            when(
                need::DEEP,
                &[jump_if_imm(
                    R1,
                    Cond::Ge,
                    frame::RETURNS_MAX,
                    label::POP_DEEP
                )]
            ),
            unless(
                need::DEEP,
                &[jump_if_imm(R1, Cond::Ge, frame::RETURNS_MAX, label::DROP)]
            ),
            lsh_imm(R1, 2),
            mov(R2, Fp),
            add(R2, R1),
            load(B4, R7, R2, frame::RETURNS),
            jump(label::SEARCH),
            bind(CALL),
            // ip_tables' stack has as many places.
            jump_if_imm(R1, Cond::Ge, 0, label::DROP).imm(param::NESTING),
            load(B8, R1, Fp, frame::DEPTH),
            and_imm(R1, DEPTH_MASK),
            add_imm(R7, 1),
            when(
                need::DEEP,
                &[jump_if_imm(
                    R1,
                    Cond::Ge,
                    frame::RETURNS_MAX,
                    label::PUSH_DEEP
                )]
            ),
            unless(
                need::DEEP,
                &[jump_if_imm(R1, Cond::Ge, frame::RETURNS_MAX, label::DROP)]
            ),
            lsh_imm(R1, 2),
            mov(R2, Fp),
            add(R2, R1),
            store(B4, R2, frame::RETURNS, R7),
            bind(label::PUSHED),
            load(B8, R1, Fp, frame::DEPTH),
            and_imm(R1, DEPTH_MASK),
            add_imm(R1, 1),
            store(B8, Fp, frame::DEPTH, R1),
            bind(STEP),
            mov(R7, R3),
            jump(label::SEARCH),
            when(need::DEEP, DEEP),
        ]);
    }
}

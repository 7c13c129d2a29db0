// SPDX-License-Identifier: GPL-2.0-only
//! What happens when a rule matches.
//!
//! Owns: counters, verdicts, jumps and returns, calls of the kernel half, which is also
//! told of each rule that a traced packet matches, before that counts.
//!
//! A row of counters belongs to a CPU. The kernel half runs programs with bottom
//! halves off, and with PREEMPT_RT under its lock for the CPU, so nobody else adds to
//! a row in between. A netfilter link may run them in a process that is interrupted
//! by a bottom half or another process on the same CPU: there the additions are
//! atomic.

use bpfilter_msgfmt as msg;

use super::prelude::*;
use crate::ir::action;

const ON: Label = Label::local(0);
const CALL: Label = Label::local(1);
const STEP: Label = Label::local(2);
const NESTED: Label = Label::local(3);

/// The rule at hand is done, and no verdict was said.
pub(super) const RULE_DONE: Block = block![
    load(B4, R1, R6, frame::HOTDROP),
    jump_if_imm(R1, Cond::Ne, 0, label::DROP),
];

/// A packet counts for rule R7 on CPU R0, each less than there are.
pub(super) const COUNTED: Block = block![
    // R2 = the rule's counters
    mul_imm(R0, 0).imm(param::ROW),
    mov(R1, R7),
    lsh_imm(R1, 4),
    add(R0, R1),
    map_value(R2, Map::Counters, param::ZERO),
    add(R2, R0),
    load(B4, R1, R6, frame::LEN),
    when(
        need::LINKS,
        &[
            mov_imm(R4, 1),
            atomic(Atomic::Add, B8, R2, 0, R4),
            atomic(Atomic::Add, B8, R2, 8, R1),
        ]
    ),
    unless(
        need::LINKS,
        &[
            load(B8, R4, R2, 0),
            add_imm(R4, 1),
            store(B8, R2, 0, R4),
            load(B8, R4, R2, 8),
            add(R4, R1),
            store(B8, R2, 8, R4),
        ]
    ),
];

/// The kernel half runs the target whose number is R3. If that lets go of the
/// packet, the program is called with it as with a new one, at the next entry.
const TARGET: &[Item] = &[
    bind(label::TARGET),
    store(B4, R6, frame::CALL, R3),
    add_imm(R7, 1),
    store(B4, R6, frame::POSITION, R7),
    mov_imm(R0, msg::CALL as i32),
    exit(),
];

/// The kernel half tells of rule R7. All that is needed to go on is in the record, but
/// for R3.
const TELL: &[Item] = &[
    store(B4, R6, frame::CALL, R3),
    store(B4, R6, frame::POSITION, R7),
    mov_imm(R0, msg::TRACE as i32),
    exit(),
];

/// The packet comes back with a rule that it has matched.
const TOLD: &[Item] = &[
    and32_imm(R7, !msg::POSITION_TOLD as i32),
    jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES),
    load(B4, R3, R6, frame::CALL),
    load(B4, R0, R6, frame::CPU),
    and32_imm(R0, !msg::CPU_TRACED as i32),
    jump_if_imm(R0, Cond::Ge, 0, label::DROP).imm(param::CPUS),
    jump(label::COUNTS),
];

impl Builder<'_> {
    pub(super) fn act(&mut self) {
        self.emit(block![
            bind(label::MATCHED),
            // The CPU of a traced packet is above all that there are.
            load(B4, R0, R6, frame::CPU),
            jump_if_imm(R0, Cond::Ge, 0, label::TRACE).imm(param::CPUS),
            bind(label::COUNTS),
            insert(shared::COUNTED),
            mov(R0, R3),
            and_imm(R0, action::MASK),
            jump_if_imm(R0, Cond::Gt, action::ACCEPT, ON),
        ]);
        self.end();
        self.emit(block![
            bind(ON),
            rsh_imm(R3, action::SHIFT),
            when(
                need::TARGETS,
                &[jump_if_imm(R0, Cond::Eq, action::TARGET, label::TARGET)]
            ),
            when(need::CALLS, &[insert(shared::RULE_DONE)]),
            jump_if_imm(R0, Cond::Eq, action::STEP, STEP),
            load(B4, R1, R6, frame::DEPTH),
            jump_if_imm(R0, Cond::Eq, action::CALL, CALL),
            // RETURN
            jump_if_imm(R1, Cond::Ne, 0, NESTED),
            load(B4, R7, R6, frame::UNDERFLOW),
            jump(label::SEARCH_AGAIN),
            bind(NESTED),
            sub_imm(R1, 1),
            jump_if_imm(R1, Cond::Ge, 0, label::DROP).imm(param::NESTING),
            store(B4, R6, frame::DEPTH, R1),
            lsh_imm(R1, 2),
            mov(R2, R6),
            add(R2, R1),
            load(B4, R7, R2, frame::RETURNS),
            jump(label::SEARCH_AGAIN),
            bind(CALL),
            // ip_tables' stack has as many places.
            jump_if_imm(R1, Cond::Ge, 0, label::DROP).imm(param::NESTING),
            mov(R4, R1),
            add_imm(R4, 1),
            store(B4, R6, frame::DEPTH, R4),
            lsh_imm(R1, 2),
            mov(R2, R6),
            add(R2, R1),
            add_imm(R7, 1),
            store(B4, R2, frame::RETURNS, R7),
            bind(STEP),
            mov(R7, R3),
        ]);
        self.search_again();
        self.emit(block![
            when(need::TARGETS, TARGET),
            bind(label::TRACE),
            when(need::LINKS, &[jump(label::DROP)]),
            unless(need::LINKS, TELL),
            bind(label::NO_RULE),
            when(need::LINKS, &[jump(label::DROP)]),
            unless(need::LINKS, TOLD),
        ]);
    }

    /// The end, with the verdict in R0; and where packets are dropped.
    pub(super) fn end(&mut self) {
        self.emit(block![bind(label::EXIT)]);
        #[cfg(feature = "links")]
        self.leave();
        self.emit(block![
            exit(),
            bind(label::DROP),
            mov_imm(R0, msg::DROP as i32),
            jump(label::EXIT),
        ]);
    }
}

const _: () = assert!(action::DROP as u32 == msg::DROP && action::ACCEPT as u32 == msg::ACCEPT);

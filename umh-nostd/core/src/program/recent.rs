// SPDX-License-Identifier: GPL-2.0-only
//! recent_mt of xt_recent.c.
//!
//! Owns: what is in the map of a table of addresses, and every access to it.
//!
//! ```text
//! HEAD     a lock, and numbers of the table and of the one who has the lock
//! slots    ADDRESSES of them: who, when last moved, how many times
//! stamps   for each slot its times, in ticks
//! ```
//!
//! There is room for one of few numbers of times ([`TIMES`]), of which a table
//! uses as many as its rules say: the verifier follows the text once for each of
//! these numbers, not for each table.
//!
//! Everything happens under the lock, which is taken with interrupts off: a
//! program that runs in a process cannot be interrupted by one that spins on
//! what it holds. The kernel looks addresses up in a hash table and keeps
//! them in a list, least recently used first; here a number that grows with
//! each use says the order, 0 for a slot that is free, and all slots that
//! were ever used are looked at.
//!
//! Under the lock the verifier allows no call, and compares all of the frame
//! in each loop, so what a loop remembers is kept in the head of the table.

use core::mem::offset_of;

use super::ops::{JIFFIES, LOW, MASK, SPAN, WHAT};
use super::prelude::*;
use crate::ir::recent::{
    ADDRESSES, DESTINATION, REAP, REMOVE, SECONDS, SET, TIMES, TTL, UPDATE, at,
};
use crate::ir::{Addresses, Field, OP, kind};

/// Helper functions.
pub(super) const MAP_LOOKUP: i32 = 1;
pub(super) const SPIN_LOCK: i32 = 93;
const SPIN_UNLOCK: i32 = 94;

/// How many times addresses have been moved to the end of the order.
const MOVES: i16 = 8;
/// The last slot that was ever used.
const LAST_SLOT: i16 = 16;
/// What the slot that is looked for says, and then from when on times count.
const WANTED: i16 = 24;
/// Taken off every order: 1 makes free slots the last, not the first.
const BIAS: i16 = 32;
/// The first slot in the order, and its order.
const FIRST: i16 = 40;
const FIRST_ORDER: i16 = 48;
/// The slot or the time that is looked at next.
const NEXT: i16 = 56;
/// The slot that was found and [`at::ADDRESS`], 0 for none.
const FOUND: i16 = 64;
/// Times that are still wanted, and then whether the address is moved.
const MISSING: i16 = 72;
/// Whether times that are too old do not count.
const OLD_FAIL: i16 = 80;
/// The number of the first time of the slot, and of all of the slot.
const FIRST_STAMP: i16 = 88;
const SLOT_STAMPS: i16 = 96;
/// 0 no, 1 yes, 2 dropped, 4 bytes. Entries of hashlimit have it there too.
pub(super) const ANSWER: i16 = 4;

/// Of a slot: the address, and a bit above it for one that is not free.
const WHO: i16 = at::HEAD as i16;
/// Its place in the order.
const ORDER: i16 = WHO + 8;
/// Where the next time goes.
const INDEX: i16 = WHO + 16;
/// How many there are.
const STAMPS_USED: i16 = WHO + 18;
/// Time to live of the last packet.
const SLOT_TTL: i16 = WHO + 20;

const STAMPS: i16 = at::STAMPS as i16;
const SLOT: i32 = at::ADDRESS as i32;
const SLOT_SHIFT: i32 = SLOT.ilog2() as i32;
const HIGHEST_SLOT: i32 = (ADDRESSES as i32 - 1) * SLOT;

/// Of an op: its table's number, and how many times of an address that
/// remembers.
const NUMBER: i16 = OP as i16 + offset_of!(Addresses, number) as i16;
const REMEMBERED: i16 = OP as i16 + offset_of!(Addresses, times) as i16;

/// The table's number, and then the table, on the stack.
pub(super) const TABLE: i16 = frame::TABLE;
/// How many times an address has room for, on the stack.
const ROOM: i16 = frame::ROOM;
/// The tick, in the record.
pub(super) const NOW: i16 = frame::SAVED;

const A: Label = Label::local(0);
const B: Label = Label::local(1);
const C: Label = Label::local(2);
const HAVE: Label = Label::local(3);
const MOVE: Label = Label::local(4);
const FORGET: Label = Label::local(5);
const COUNTED: Label = Label::local(6);

/// One more round of a loop under the lock. The verifier goes on at GIVE_UP
/// first.
pub(super) const ROUND: Block = block![
    mov_imm(R0, 0),
    mov_imm(R1, 0),
    mov_imm(R2, 0),
    mov_imm(R3, 0),
    mov_imm(R4, 0),
    mov_imm(R5, 0),
    jump_when_tired(label::GIVE_UP),
    load(B8, R5, Fp, TABLE),
];

/// R0 = what the map at R1 has for the number at TABLE.
pub(super) const LOOKED_UP: Block = block![
    mov(R2, Fp),
    add_imm(R2, TABLE as i32),
    call(MAP_LOOKUP),
    jump_if_imm(R0, Cond::Eq, 0, label::DROP),
];

/// R4 = the slot R3 of the table at R5.
pub(super) const SLOT_AT: Block = block![
    jump_if_imm(R3, Cond::Gt, HIGHEST_SLOT, label::GIVE_UP),
    mov(R4, R5),
    add(R4, R3),
];

impl Builder<'_> {
    /// recent, unless hashlimit comes with it.
    pub(super) fn addresses_alone(&mut self) {
        if self.ruleset.uses().kinds & 1 << kind::HASHLIMIT == 0 {
            self.tables();
        }
    }

    /// recent, and hashlimit, which it shares its end with.
    pub(super) fn tables(&mut self) {
        let kinds = self.ruleset.uses().kinds;
        if kinds & 1 << kind::HASHLIMIT != 0 {
            self.rates_key();
            self.rates();
        }
        if kinds & 1 << kind::RECENT != 0 {
            self.addresses();
            self.recent();
        }
        self.emit(block![
            bind(label::UNLOCK),
            load(B8, R5, Fp, TABLE),
            load(B4, R1, R5, ANSWER),
            store(B8, R6, NOW, R1),
            mov(R1, R5),
            call(SPIN_UNLOCK),
            load(B8, R0, R6, NOW),
            jump_if_imm(R0, Cond::Eq, 0, label::NO),
            jump_if_imm(R0, Cond::Eq, 1, label::YES),
            jump(label::DROP),
        ]);
    }

    /// Finds the table of an op.
    fn addresses(&mut self) {
        self.emit(block![
            bind(Label::op(kind::RECENT)),
            call(JIFFIES),
            store(B8, R6, NOW, R0),
            insert(shared::THIS_OP),
            load(B4, R1, R2, NUMBER),
            store(B8, Fp, TABLE, R1),
            load(B2, R3, R2, WHAT),
            rsh_imm(R3, 8),
        ]);
        let tables = self.ruleset.table().named();
        for (array, times) in (1..).zip(TIMES) {
            if tables.iter().any(|table| table.array() == array as usize) {
                self.emit_with(
                    block![
                        jump_if_imm(R3, Cond::Ne, 0, A).imm(Param::arg(0)),
                        mov_imm(R4, 0).imm(Param::arg(1)),
                        map(R1).imm(Param::arg(2)),
                        jump(label::ADDRESSES),
                        bind(A),
                    ],
                    &[array, times as i32, Map::Named as i32 + array],
                );
            }
        }
        self.emit(block![jump(label::DROP)]);
    }

    fn recent(&mut self) {
        self.emit(block![
            bind(label::ADDRESSES),
            store(B8, Fp, ROOM, R4),
            insert(shared::LOOKED_UP),
            // Its map has one element.
            mov(R1, R0),
            mov_imm(R2, 0),
            store(B8, Fp, TABLE, R2),
            insert(shared::LOOKED_UP),
            store(B8, Fp, TABLE, R0),
            mov(R1, R0),
            call(SPIN_LOCK),
            load(B8, R5, Fp, TABLE),
            insert(shared::THIS_OP),
            // recent_entry_lookup, recent_entry_init.
            load(B2, R3, R2, WHAT),
            mov(R1, R9),
            mov(R4, R3),
            and_imm(R4, DESTINATION as i32),
            jump_if_imm(R4, Cond::Eq, 0, A),
            rsh_imm(R1, 32),
            bind(A),
            load(B4, R4, R2, MASK),
            and32(R1, R4),
            mov_imm(R4, 1),
            lsh_imm(R4, 32),
            or(R1, R4),
            store(B8, R5, WANTED, R1),
            // A new address takes a free slot, or the first in use.
            rsh_imm(R3, SET.ilog2() as i32),
            and_imm(R3, 1),
            mov_imm(R4, 1),
            sub(R4, R3),
            store(B8, R5, BIAS, R4),
            store_imm(B8, R5, FIRST_ORDER, -1),
            store_imm(B8, R5, NEXT, 0),
            store_imm(B8, R5, FOUND, 0),
            bind(label::NEXT_SLOT),
            insert(shared::ROUND),
            load(B8, R3, R5, NEXT),
            jump_if_imm(R3, Cond::Gt, HIGHEST_SLOT, label::SLOTS_DONE),
            load(B8, R4, R5, LAST_SLOT),
            jump_if(R3, Cond::Gt, R4, label::SLOTS_DONE),
            insert(shared::SLOT),
            load(B8, R1, R4, ORDER),
            load(B8, R2, R5, BIAS),
            sub(R1, R2),
            load(B8, R2, R5, FIRST_ORDER),
            jump_if(R1, Cond::Ge, R2, A),
            store(B8, R5, FIRST_ORDER, R1),
            store(B8, R5, FIRST, R3),
            bind(A),
            load(B8, R1, R4, WHO),
            add_imm(R3, SLOT),
            store(B8, R5, NEXT, R3),
            load(B8, R2, R5, WANTED),
            jump_if(R1, Cond::Ne, R2, label::NEXT_SLOT),
            store(B8, R5, FOUND, R3),
            // For this the first of all must be known.
            insert(shared::THIS_OP),
            load(B2, R0, R2, WHAT),
            and_imm(R0, REAP as i32),
            jump_if_imm(R0, Cond::Ne, 0, label::NEXT_SLOT),
            bind(label::SLOTS_DONE),
            insert(shared::THIS_OP),
            load(B2, R0, R2, WHAT),
            load(B8, R3, R5, FOUND),
            jump_if_imm(R3, Cond::Ne, 0, HAVE),
            store_imm(B4, R5, ANSWER, 0),
            and_imm(R0, SET as i32),
            jump_if_imm(R0, Cond::Eq, 0, label::UNLOCK),
            store_imm(B4, R5, ANSWER, 1),
            load(B8, R3, R5, FIRST),
            jump_if_imm(R3, Cond::Gt, HIGHEST_SLOT, label::GIVE_UP),
            // One more slot than were ever used is looked at.
            load(B8, R1, R5, LAST_SLOT),
            jump_if(R1, Cond::Ne, R3, A),
            add_imm(R1, SLOT),
            store(B8, R5, LAST_SLOT, R1),
            bind(A),
            insert(shared::SLOT),
            load(B8, R1, R5, WANTED),
            store(B8, R4, WHO, R1),
            // No times yet.
            store_imm(B4, R4, INDEX, 0),
            jump(MOVE),
            bind(HAVE),
            sub_imm(R3, SLOT),
            insert(shared::SLOT),
            store_imm(B4, R5, ANSWER, 1),
            mov(R1, R0),
            and_imm(R1, SET as i32),
            jump_if_imm(R1, Cond::Ne, 0, MOVE),
            mov(R1, R0),
            and_imm(R1, REMOVE as i32),
            jump_if_imm(R1, Cond::Ne, 0, FORGET),
            // With another time to live it is not the same.
            mov(R1, R0),
            and_imm(R1, TTL as i32),
            jump_if_imm(R1, Cond::Eq, 0, B),
            load(B4, R1, R6, field(Field::TtlBefore)),
            jump_if_imm(R1, Cond::Eq, 0, B),
            load(B4, R2, R4, SLOT_TTL),
            jump_if_imm(R2, Cond::Eq, 0, B),
            jump_if(R1, Cond::Eq, R2, B),
            store_imm(B4, R5, ANSWER, 0),
            jump(label::UNLOCK),
            bind(B),
            // Are there times enough that are not too old?
            rsh_imm(R0, SECONDS.ilog2() as i32),
            and_imm(R0, 1),
            store(B8, R5, OLD_FAIL, R0),
            insert(shared::THIS_OP),
            load(B4, R1, R2, LOW),
            store(B8, R5, MISSING, R1),
            load(B4, R1, R2, SPAN),
            load(B8, R2, R6, NOW),
            sub(R2, R1),
            store(B8, R5, WANTED, R2),
            load(B2, R1, R4, STAMPS_USED),
            store(B8, R5, SLOT_STAMPS, R1),
            rsh_imm(R3, SLOT_SHIFT),
            load(B8, R1, Fp, ROOM),
            mul(R3, R1),
            store(B8, R5, FIRST_STAMP, R3),
            store_imm(B8, R5, NEXT, 0),
            bind(label::NEXT_STAMP),
            insert(shared::ROUND),
            load(B8, R3, R5, NEXT),
            load(B8, R1, R5, SLOT_STAMPS),
            mov_imm(R2, 0),
            jump_if(R3, Cond::Ge, R1, COUNTED),
            load(B8, R4, R5, FIRST_STAMP),
            add(R4, R3),
            add_imm(R3, 1),
            store(B8, R5, NEXT, R3),
            load(B8, R2, Fp, ROOM),
            mul_imm(R2, ADDRESSES as i32),
            jump_if(R4, Cond::Ge, R2, label::GIVE_UP),
            lsh_imm(R4, 3),
            add(R4, R5),
            load(B8, R1, R4, STAMPS),
            // time_after: 1 if it is too old.
            load(B8, R2, R5, WANTED),
            sub(R1, R2),
            rsh_imm(R1, 63),
            load(B8, R2, R5, OLD_FAIL),
            and(R1, R2),
            load(B8, R2, R5, MISSING),
            sub_imm(R2, 1),
            add(R2, R1),
            store(B8, R5, MISSING, R2),
            jump_if_imm(R2, Cond::Ne, 0, label::NEXT_STAMP),
            mov_imm(R2, 1),
            bind(COUNTED),
            store(B4, R5, ANSWER, R2),
            // recent_entry_reap
            // Is the address moved to the end? Only if the rule
            // holds, inverted or not.
            load(B8, R3, R6, frame::INVERT),
            rsh_imm(R3, 1),
            xor(R3, R2),
            insert(shared::THIS_OP),
            load(B2, R0, R2, WHAT),
            mov(R1, R0),
            rsh_imm(R1, UPDATE.ilog2() as i32),
            and(R3, R1),
            and_imm(R3, 1),
            store(B8, R5, MISSING, R3),
            and_imm(R0, REAP as i32),
            jump_if_imm(R0, Cond::Eq, 0, C),
            load(B8, R1, R5, FIRST),
            load(B8, R4, R5, FOUND),
            sub_imm(R4, SLOT),
            jump_if(R1, Cond::Ne, R4, A),
            jump_if_imm(R3, Cond::Ne, 0, C),
            bind(A),
            jump_if_imm(R1, Cond::Gt, HIGHEST_SLOT, label::GIVE_UP),
            mov(R4, R5),
            add(R4, R1),
            // Its last time.
            rsh_imm(R1, SLOT_SHIFT),
            load(B8, R2, Fp, ROOM),
            mul(R1, R2),
            load(B2, R3, R4, INDEX),
            add(R1, R3),
            sub_imm(R1, 1),
            mul_imm(R2, ADDRESSES as i32),
            jump_if(R1, Cond::Ge, R2, label::GIVE_UP),
            lsh_imm(R1, 3),
            add(R1, R5),
            load(B8, R1, R1, STAMPS),
            load(B8, R2, R5, WANTED),
            sub(R1, R2),
            rsh_imm(R1, 63),
            jump_if_imm(R1, Cond::Eq, 0, C),
            store_imm(B8, R4, WHO, 0),
            store_imm(B8, R4, ORDER, 0),
            bind(C),
            load(B8, R1, R5, MISSING),
            jump_if_imm(R1, Cond::Eq, 0, label::UNLOCK),
            load(B8, R3, R5, FOUND),
            sub_imm(R3, SLOT),
            insert(shared::SLOT),
            // recent_entry_update, recent_entry_remove
            bind(MOVE),
            insert(shared::THIS_OP),
            load(B4, R0, R2, REMEMBERED),
            sub_imm(R0, 1),
            load(B2, R1, R4, INDEX),
            and(R1, R0),
            rsh_imm(R3, SLOT_SHIFT),
            load(B8, R2, Fp, ROOM),
            mul(R3, R2),
            add(R3, R1),
            mul_imm(R2, ADDRESSES as i32),
            jump_if(R3, Cond::Ge, R2, label::GIVE_UP),
            lsh_imm(R3, 3),
            add(R3, R5),
            load(B8, R0, R6, NOW),
            store(B8, R3, STAMPS, R0),
            add_imm(R1, 1),
            store(B2, R4, INDEX, R1),
            load(B2, R0, R4, STAMPS_USED),
            jump_if(R1, Cond::Le, R0, A),
            store(B2, R4, STAMPS_USED, R1),
            bind(A),
            load(B8, R1, R5, MOVES),
            add_imm(R1, 1),
            store(B8, R5, MOVES, R1),
            store(B8, R4, ORDER, R1),
            load(B4, R1, R6, field(Field::TtlBefore)),
            store(B4, R4, SLOT_TTL, R1),
            jump(label::UNLOCK),
            bind(FORGET),
            store_imm(B8, R4, WHO, 0),
            store_imm(B8, R4, ORDER, 0),
            jump(label::UNLOCK),
            // The verifier must be told here already that it matters how many
            // times there are to an address, which an addition to a pointer
            // does: or it takes the number for unknown when an op of another
            // table comes by next.
            bind(label::GIVE_UP),
            load(B8, R5, Fp, TABLE),
            load(B8, R1, Fp, ROOM),
            mov(R0, R5),
            add(R0, R1),
            store_imm(B4, R5, ANSWER, 2),
        ]);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! hashlimit_mt_common of xt_hashlimit.c.
//!
//! Owns: every access to a table of rates, which is a hash table of the
//! kernel's: what counts of addresses and ports -> a [`LimitRates`] of its
//! own, from which the op's makes it.
//!
//! The kernel has a worker collect entries that nobody has used for long.
//! Here time has the same steps: an entry that the last collection would have
//! taken counts as gone when it is next looked at, and when a table is full
//! it is swept once for each collection.

use core::mem::offset_of;

use super::ops::{JIFFIES, LOW, MASK, WHAT};
use super::prelude::*;
use super::recent::{ANSWER, MAP_LOOKUP, NOW, SPIN_LOCK, TABLE};
use crate::ir::hashlimit::{BYTES, KEY, RATE, RULE_BYTES};
use crate::ir::{LimitRates, OP, kind};

/// The function behind the program that collects what is not needed any more.
const COLLECT: u8 = 0;

/// Helper functions.
const MAP_UPDATE: i32 = 2;
const MAP_DELETE: i32 = 3;
const FOR_EACH: i32 = 164;

const BPF_NOEXIST: i32 = 1;
const E2BIG: i32 = 7;
const EEXIST: i32 = 17;

/// Of an op.
const INTERVAL: i16 = OP as i16 + offset_of!(LimitRates, collect) as i16;
const PORTS: i16 = OP as i16 + offset_of!(LimitRates, ports) as i16;
const PER_TICK: i16 = OP as i16 + offset_of!(LimitRates, per_tick) as i16;
const LIMIT: i16 = OP as i16 + offset_of!(LimitRates, limit) as i16;
const COLLECTED: i16 = OP as i16 + offset_of!(LimitRates, collected) as i16;
/// Of an op that many bytes further on, and of an entry.
const EXPIRE: i16 = offset_of!(LimitRates, expire) as i16;
const PREVIOUS: i16 = offset_of!(LimitRates, previous) as i16;
const CREDIT: i16 = offset_of!(LimitRates, credit) as i16;
const CAP: i16 = offset_of!(LimitRates, cap) as i16;
const COST: i16 = offset_of!(LimitRates, cost) as i16;

/// The key, in the record.
const KEY_AT: i16 = frame::BYTES;
const _: () = assert!(KEY == 16);
/// When entries were last collected, on the stack.
const COLLECTION: i16 = frame::ROOM;

const A: Label = Label::local(0);
const B: Label = Label::local(1);
const HAVE_PORTS: Label = Label::local(2);
const KEYED: Label = Label::local(3);
const ENTRY: Label = Label::local(4);
const MADE: Label = Label::local(5);
// Once those are bound:
const FRESH: Label = Label::local(2);
const OLD: Label = Label::local(3);
const WINDOW: Label = Label::local(4);
const RATED: Label = Label::local(5);
const CLAMP: Label = Label::local(6);
const STORE: Label = Label::local(7);
// And once those are:
const CREDITS: Label = Label::local(2);
const PAY: Label = Label::local(3);
const UNDER: Label = Label::local(6);
const OVER: Label = Label::local(7);

impl Builder<'_> {
    /// hashlimit_init_dst
    pub(super) fn rates_key(&mut self) {
        self.emit(block![
            bind(Label::op(kind::HASHLIMIT)),
            // R1 = the ports, as they stand in the header
            insert(shared::THIS_OP),
            mov_imm(R1, 0),
            load(B4, R3, R2, PORTS),
            jump_if_imm(R3, Cond::Eq, 0, KEYED),
            // proto_ports_offset
            mov(R3, R8),
            and_imm(R3, 0xff),
            mov_imm(R4, 0),
            jump_if_imm(R3, Cond::Eq, 6, HAVE_PORTS),
            jump_if_imm(R3, Cond::Eq, 17, HAVE_PORTS),
            jump_if_imm(R3, Cond::Eq, 33, HAVE_PORTS),
            jump_if_imm(R3, Cond::Eq, 50, HAVE_PORTS),
            jump_if_imm(R3, Cond::Eq, 132, HAVE_PORTS),
            jump_if_imm(R3, Cond::Eq, 136, HAVE_PORTS),
            mov_imm(R4, 4),
            jump_if_imm(R3, Cond::Ne, 51, KEYED),
            bind(HAVE_PORTS),
            load(B4, R1, R6, frame::TRANSPORT),
            add(R4, R1),
            mov_imm(R2, 4),
            insert(shared::READ),
            jump_if_imm(R0, Cond::Ne, 0, label::DROP),
            insert(shared::THIS_OP),
            load(B4, R1, R6, KEY_AT),
            load(B4, R3, R2, PORTS),
            and(R1, R3),
            bind(KEYED),
            store(B8, R6, KEY_AT + 8, R1),
            load(B8, R1, R2, LOW),
            and(R1, R9),
            store(B8, R6, KEY_AT, R1),
            load(B4, R1, R2, MASK),
            store(B8, Fp, TABLE, R1),
            call(JIFFIES),
            store(B8, R6, NOW, R0),
        ]);
    }

    /// hashlimit_mt_common
    pub(super) fn rates(&mut self) {
        let text = block![
            map(R1).imm(Param::arg(0)),
            insert(shared::LOOKED_UP),
            store(B8, Fp, TABLE, R0),
            mov(R1, R0),
            mov(R2, R6),
            add_imm(R2, KEY_AT as i32),
            call(MAP_LOOKUP),
            jump_if_imm(R0, Cond::Ne, 0, ENTRY),
            // dsthash_alloc_init. When it is made, perhaps by somebody else,
            // the op is asked once more.
            insert(shared::THIS_OP),
            mov(R3, R2),
            add_imm(R3, OP as i32),
            load(B8, R1, Fp, TABLE),
            mov(R2, R6),
            add_imm(R2, KEY_AT as i32),
            mov_imm(R4, BPF_NOEXIST),
            call(MAP_UPDATE),
            jump_if_imm(R0, Cond::Eq, 0, MADE),
            jump_if_imm(R0, Cond::Eq, -EEXIST, MADE),
            jump_if_imm(R0, Cond::Ne, -E2BIG, label::DROP),
            // Has the last collection been made up for?
            insert(shared::THIS_OP),
            load(B4, R3, R2, INTERVAL),
            jump_if_imm(R3, Cond::Eq, 0, label::DROP),
            load(B8, R4, R6, NOW),
            mov(R1, R4),
            modulo(R1, R3),
            sub(R4, R1),
            load(B8, R3, R2, COLLECTED),
            jump_if(R3, Cond::Eq, R4, label::DROP),
            store(B8, R2, COLLECTED, R4),
            store(B8, Fp, COLLECTION, R4),
            load(B8, R1, Fp, TABLE),
            function(R2, COLLECT),
            mov(R3, Fp),
            add_imm(R3, COLLECTION as i32),
            mov_imm(R4, 0),
            call(FOR_EACH),
            bind(MADE),
            insert(shared::ONCE_MORE),
            bind(ENTRY),
            store(B8, Fp, TABLE, R0),
            mov(R1, R0),
            call(SPIN_LOCK),
            load(B8, R5, Fp, TABLE),
            insert(shared::THIS_OP),
            load(B8, R0, R6, NOW),
            load(B8, R3, R5, PREVIOUS),
            jump_if_imm(R3, Cond::Eq, 0, FRESH),
            // Has it been collected meanwhile?
            load(B4, R1, R2, INTERVAL),
            jump_if_imm(R1, Cond::Eq, 0, OLD),
            mov(R4, R0),
            modulo(R4, R1),
            mov(R1, R0),
            sub(R1, R4),
            load(B8, R4, R5, EXPIRE),
            sub(R1, R4),
            rsh_imm(R1, 63),
            jump_if_imm(R1, Cond::Ne, 0, OLD),
            load(B8, R1, R2, CREDIT + OP as i16),
            store(B8, R5, CREDIT, R1),
            load(B8, R1, R2, CAP + OP as i16),
            store(B8, R5, CAP, R1),
            load(B8, R1, R2, COST + OP as i16),
            store(B8, R5, COST, R1),
            bind(FRESH),
            store(B8, R5, PREVIOUS, R0),
            jump(RATED),
            // rateinfo_recalc
            bind(OLD),
            mov(R4, R0),
            sub(R4, R3),
            jump_if_imm(R4, Cond::Eq, 0, RATED),
            load(B2, R3, R2, WHAT),
            and_imm(R3, RATE as i32),
            jump_if_imm(R3, Cond::Ne, 0, WINDOW),
            store(B8, R5, PREVIOUS, R0),
            load(B8, R1, R2, PER_TICK),
            mul(R4, R1),
            load(B8, R1, R5, CREDIT),
            add(R4, R1),
            load(B2, R3, R2, WHAT),
            and_imm(R3, BYTES as i32),
            jump_if_imm(R3, Cond::Eq, 0, B),
            load(B8, R3, R2, LIMIT),
            // Has it gone round?
            jump_if(R1, Cond::Ge, R4, A),
            jump(CLAMP),
            bind(B),
            load(B8, R3, R5, CAP),
            bind(CLAMP),
            jump_if(R4, Cond::Le, R3, STORE),
            bind(A),
            mov(R4, R3),
            bind(STORE),
            store(B8, R5, CREDIT, R4),
            jump(RATED),
            bind(WINDOW),
            load(B8, R3, R2, PER_TICK),
            jump_if(R4, Cond::Lt, R3, RATED),
            store(B8, R5, PREVIOUS, R0),
            load(B8, R1, R5, CAP),
            mul(R1, R3),
            load(B8, R3, R5, COST),
            mul(R4, R3),
            mov_imm(R3, 0),
            jump_if(R1, Cond::Le, R4, A),
            mov_imm(R3, 1),
            bind(A),
            store(B8, R5, CREDIT, R3),
            store_imm(B8, R5, CAP, 0),
            bind(RATED),
            load(B8, R3, R2, EXPIRE + OP as i16),
            add(R3, R0),
            store(B8, R5, EXPIRE, R3),
            // R3 = how, R4 = length
            load(B2, R3, R2, WHAT),
            load(B4, R4, R6, frame::LEN),
            mov(R1, R3),
            and_imm(R1, RATE as i32),
            jump_if_imm(R1, Cond::Eq, 0, CREDITS),
            and_imm(R3, RULE_BYTES as i32),
            jump_if_imm(R3, Cond::Ne, 0, A),
            mov_imm(R4, 1),
            bind(A),
            load(B8, R1, R5, CAP),
            add(R1, R4),
            store(B8, R5, CAP, R1),
            load(B8, R3, R5, CREDIT),
            jump_if_imm(R3, Cond::Ne, 0, OVER),
            load(B8, R3, R2, LIMIT),
            jump_if(R1, Cond::Le, R3, UNDER),
            jump(OVER),
            bind(CREDITS),
            load(B8, R1, R5, COST),
            load(B8, R0, R5, CREDIT),
            and_imm(R3, RULE_BYTES as i32),
            jump_if_imm(R3, Cond::Eq, 0, PAY),
            // hashlimit_byte_cost
            rsh_imm(R4, 4),
            add_imm(R4, 1),
            mul(R1, R4),
            load(B8, R3, R2, LIMIT),
            jump_if(R1, Cond::Le, R3, A),
            mov(R1, R3),
            bind(A),
            jump_if(R0, Cond::Ge, R1, PAY),
            load(B8, R4, R5, CAP),
            jump_if_imm(R4, Cond::Eq, 0, PAY),
            sub_imm(R4, 1),
            store(B8, R5, CAP, R4),
            mov(R0, R3),
            store(B8, R5, CREDIT, R0),
            bind(PAY),
            jump_if(R0, Cond::Lt, R1, OVER),
            sub(R0, R1),
            store(B8, R5, CREDIT, R0),
            bind(UNDER),
            store_imm(B4, R5, ANSWER, 1),
            jump(label::UNLOCK),
            bind(OVER),
            store_imm(B4, R5, ANSWER, 0),
            jump(label::UNLOCK),
        ];
        self.emit_with(text, &[Map::Named as i32]);
    }

    /// htable_selective_cleanup: a function of its own behind the program,
    /// which the kernel calls for each entry. R3 is the entry, R4 where the
    /// tick of the collection is.
    pub(super) fn collect(&mut self) {
        self.asm.start_function(COLLECT);
        self.emit(block![
            load(B8, R0, R3, PREVIOUS),
            // Somebody is making it.
            jump_if_imm(R0, Cond::Eq, 0, A),
            load(B8, R0, R3, EXPIRE),
            load(B8, R4, R4, 0),
            sub(R4, R0),
            rsh_imm(R4, 63),
            jump_if_imm(R4, Cond::Ne, 0, A),
            call(MAP_DELETE),
            bind(A),
            mov_imm(R0, 0),
            exit(),
        ]);
    }
}

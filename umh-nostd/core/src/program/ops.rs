// SPDX-License-Identifier: GPL-2.0-only
//! The ops that finish what a record leaves open.
//!
//! Owns: the interpreter of a rule's ops, a block for each kind of op, put
//! down only if some rule has one. Each is the port of a part of a match
//! function, named where it stands.
//!
//! At ASK, R1 is the offset of an op. A block finds the op at R2, and leaves
//! to HOLDS or NOT, or to YES or NO if the op may be inverted; R7 to R9
//! stay as they are.

use core::mem::offset_of;

use super::asm::{
    Atomic, Cond, Item, Label, Map, Param, Reg, Size, add, add_imm, and, and_imm, atomic, bind,
    call, call_kfunc, div32_imm, insert, jump, jump_if, jump_if_imm, load, lsh, lsh_imm, map_value,
    mov, mov_imm, mov32, mul32_imm, neg, or, rsh, rsh_imm, rsh32_imm, store, store_imm, sub,
    sub_imm, sub32, swap, when, xor,
};
use super::asm::{add32, and32};
use super::block::Block;
use super::connection::{CONNBYTES, HELPER};
use super::kernel::{
    self, CAST, CRED_GROUPS, GROUPS_COUNT, GROUPS_FIRST, PAIR, SKB_LEN, SKB_MARK, WORD,
};
use super::packet::CHANGED;
use super::time::{CALENDAR, TIME};
use super::{Builder, frame, label, need, param, shared};
use crate::ir::{BUCKET, Bucket, FIELDS, Field, OP, Op, flag, kind};

use Reg::{Fp, R0, R1, R2, R3, R4, R5, R6};
use Size::{B1, B2, B4, B8};

/// Helper function `bpf_get_prandom_u32`.
const PRANDOM: i32 = 7;
/// Helper function `bpf_jiffies64`.
pub(super) const JIFFIES: i32 = 118;
/// Helper function `bpf_dynptr_read`.
pub(super) const DYNPTR_READ: i32 = 201;

/// What an op has found.
const FOUND: i16 = super::packet::field(Field::Found);

pub(super) const WHAT: i16 = offset_of!(Op, what) as i16;
pub(super) const MASK: i16 = offset_of!(Op, mask) as i16;
pub(super) const LOW: i16 = offset_of!(Op, low) as i16;
pub(super) const SPAN: i16 = offset_of!(Op, span) as i16;
const PREVIOUS: i16 = offset_of!(Bucket, previous) as i16;
const CREDIT: i16 = offset_of!(Bucket, credit) as i16;

const A: Label = Label::local(0);
const B: Label = Label::local(1);
const C: Label = Label::local(2);
/// Kinds that end at COMPARE.
pub(super) const COMPARE: u32 = 1 << kind::TEST
    | 1 << kind::CT_WORD
    | 1 << kind::CT_PORT
    | 1 << kind::CT_EXPIRES
    | 1 << kind::TCP_OPTION
    | 1 << kind::RANDOM;
/// Kinds that end at YES or NO.
pub(super) const ANSWER: u32 = COMPARE
    | 1 << kind::PORTS
    | 1 << kind::INTERFACE
    | 1 << kind::NTH
    | 1 << kind::QUOTA
    | 1 << kind::RECENT
    | 1 << kind::CONNBYTES
    | 1 << kind::HELPER
    | 1 << kind::GROUPS
    | 1 << kind::HASHLIMIT;
/// Kinds that read the packet themselves.
pub(super) const PAYLOADS: u32 = 1 << kind::TCP_OPTION | 1 << kind::PAYLOAD | 1 << kind::HASHLIMIT;

/// The function of the kernel half that ops of a kind call.
const fn function(kind: u8) -> Param {
    match kind {
        kind::REJECT => kernel::REJECT,
        kind::LOG => kernel::LOG,
        kind::NFLOG => kernel::NFLOG,
        kind::MARK => kernel::MARK,
        kind::CONNMARK => kernel::CONNMARK,
        kind::ADDRTYPE => kernel::ADDRTYPE,
        kind::XT_MATCH => kernel::XT_MATCH,
        _ => kernel::XT_TARGET,
    }
}

/// R5 = what the op at R2 keeps.
pub(super) const STATE_AT_R5: Block = block![
    load(B4, R3, R2, MASK),
    // The verifier must see that it is aligned.
    and_imm(R3, -(BUCKET as i32)),
    jump_if_imm(R3, Cond::Gt, 0, label::DROP).imm(param::LAST_BUCKET),
    map_value(R5, Map::State, param::ZERO),
    add(R5, R3),
];

/// R2 bytes at R4 of the packet come to HEADER. R0 is not 0 where they are
/// cut off.
pub(super) const READ: Block = block![
    mov(R1, Fp),
    add_imm(R1, frame::HEADER as i32),
    mov(R3, Fp),
    add_imm(R3, frame::DYNPTR as i32),
    mov_imm(R5, 0),
    call(DYNPTR_READ),
];

const TEST: &[Item] = &[
    bind(Label::op(kind::TEST)),
    load(B2, R3, R2, WHAT),
    jump_if_imm(R3, Cond::Ge, FIELDS as i32, label::DROP),
    lsh_imm(R3, 2),
    mov(R4, Fp),
    add(R4, R3),
    load(B4, R1, R4, frame::FIELDS),
    jump(label::COMPARE),
];

/// The start of tcp_mt, udp_mt, icmp_match and multiport_mt.
const GUARD: &[Item] = &[
    bind(Label::op(kind::GUARD)),
    load(B2, R3, R2, WHAT),
    and_imm(R3, 1),
    lsh_imm(R3, 2),
    mov(R4, Fp),
    add(R4, R3),
    load(B4, R1, R4, frame::GUARDS),
    jump_if_imm(R1, Cond::Eq, 0, label::HOLDS),
    jump_if_imm(R1, Cond::Eq, 1, label::NOT),
    jump(label::DROP),
];

/// limit_mt, its loop around cmpxchg included: a round that lost comes
/// back with what it has gained so far.
const LIMIT: &[Item] = &[
    bind(Label::op(kind::LIMIT)),
    call(JIFFIES),
    insert(shared::THIS_OP),
    insert(shared::STATE_AT_R5),
    // R1 = cost
    load(B4, R1, R2, LOW),
    // Nothing to update?
    load(B4, R3, R5, CREDIT),
    jump_if(R3, Cond::Ge, R1, A),
    load(B8, R3, R5, PREVIOUS),
    jump_if(R3, Cond::Eq, R0, label::NOT),
    bind(A),
    // R0 = credits gained since the last packet
    mov(R3, R0),
    atomic(Atomic::Exchange, B8, R5, PREVIOUS, R3),
    // The first packet finds the bucket full.
    jump_if_imm(R3, Cond::Ne, 0, A),
    mov(R3, R0),
    bind(A),
    sub(R0, R3),
    mul32_imm(R0, 0).imm(param::PER_TICK),
    load(B8, R3, Fp, frame::GAINED),
    add32(R0, R3),
    store(B8, Fp, frame::GAINED, R0),
    // R4 = new credit
    mov(R4, R0),
    load(B4, R0, R5, CREDIT),
    add32(R4, R0),
    load(B4, R3, R2, SPAN),
    jump_if(R4, Cond::Le, R3, A),
    mov32(R4, R3),
    bind(A),
    jump_if(R4, Cond::Lt, R1, B),
    // Enough.
    sub32(R4, R1),
    mov32(R3, R0),
    atomic(Atomic::CompareExchange, B4, R5, CREDIT, R4),
    jump_if(R0, Cond::Ne, R3, C),
    store_imm(B8, Fp, frame::GAINED, 0),
    jump(label::HOLDS),
    bind(B),
    mov32(R3, R0),
    atomic(Atomic::CompareExchange, B4, R5, CREDIT, R4),
    jump_if(R0, Cond::Ne, R3, C),
    store_imm(B8, Fp, frame::GAINED, 0),
    jump(label::NOT),
    bind(C),
    load(B8, R1, Fp, frame::OP),
    jump(label::ASK),
];

/// The end of tcp_mt, tcp_find_option and tcpmss_mt.
const TCP_OPTION: &[Item] = &[
    bind(Label::op(kind::TCP_OPTION)),
    load(B8, R4, Fp, frame::TRANSPORT_AT),
    add_imm(R4, 12),
    mov_imm(R2, 4),
    insert(shared::READ),
    jump_if_imm(R0, Cond::Ne, 0, label::DROP),
    // The upper half of byte 12, in units of 4 bytes. A header shorter than
    // itself, or options that are cut off, drop the packet.
    load(B1, R1, Fp, frame::HEADER),
    rsh_imm(R1, 4),
    lsh_imm(R1, 2),
    jump_if_imm(R1, Cond::Lt, 20, label::DROP),
    load(B8, R4, Fp, frame::TRANSPORT_AT),
    add(R1, R4),
    load(B4, R2, R6, 0).at(SKB_LEN),
    jump_if(R1, Cond::Gt, R2, label::DROP),
    store(B8, Fp, frame::OPTIONS_END, R1),
    add_imm(R4, 20),
    store(B8, Fp, frame::OPTION_AT, R4),
    bind(label::NEXT_OPTION),
    insert(shared::AGAIN),
    load(B8, R4, Fp, frame::OPTION_AT),
    load(B8, R2, Fp, frame::OPTIONS_END),
    jump_if(R4, Cond::Ge, R2, label::NO),
    // As many bytes as there are, up to 4.
    sub(R2, R4),
    jump_if_imm(R2, Cond::Le, 4, A),
    mov_imm(R2, 4),
    bind(A),
    insert(shared::READ),
    insert(shared::THIS_OP),
    jump_if_imm(R0, Cond::Ne, 0, label::DROP),
    load(B1, R4, Fp, frame::HEADER),
    load(B8, R0, Fp, frame::OPTION_AT),
    load(B8, R5, Fp, frame::OPTIONS_END),
    sub(R5, R0),
    load(B2, R3, R2, WHAT),
    jump_if(R4, Cond::Ne, R3, B),
    load(B4, R3, R2, MASK),
    jump_if_imm(R3, Cond::Eq, 0, label::YES),
    jump_if_imm(R5, Cond::Lt, 4, B),
    load(B1, R3, Fp, frame::HEADER + 1),
    jump_if_imm(R3, Cond::Ne, 4, B),
    load(B2, R1, Fp, frame::HEADER + 2),
    swap(R1, 16),
    jump(label::COMPARE),
    bind(B),
    // The length of an option that has one, or 1.
    add_imm(R0, 1),
    jump_if_imm(R4, Cond::Lt, 2, A),
    jump_if_imm(R5, Cond::Eq, 1, A),
    load(B1, R4, Fp, frame::HEADER + 1),
    jump_if_imm(R4, Cond::Eq, 0, A),
    sub_imm(R0, 1),
    add(R0, R4),
    bind(A),
    // No copy of it, see `frame`.
    and_imm(R0, i32::MAX),
    store(B8, Fp, frame::OPTION_AT, R0),
    jump(label::NEXT_OPTION),
];

/// The part of owner_mt that looks at other groups.
const GROUPS: &[Item] = &[
    bind(Label::op(kind::GROUPS)),
    map_value(R1, Map::Data, param::ZERO),
    load(B8, R1, R1, 0),
    store(B8, Fp, frame::OPTION_AT, R1),
    bind(label::NEXT_OWNER),
    insert(shared::AGAIN),
    insert(shared::OWNER),
    bind(super::packet::END),
    jump_if_imm(R5, Cond::Ne, super::packet::SOCKET_BOTH, label::NO),
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

/// skb_header_pointer and skb_copy_bits, for a word.
const PAYLOAD_WORD: &[Item] = &[
    bind(Label::op(kind::PAYLOAD)),
    load(B4, R4, R2, MASK),
    load(B2, R3, R2, WHAT),
    mov_imm(R1, 0),
    jump_if_imm(R3, Cond::Eq, 0, A),
    load(B8, R1, Fp, frame::TRANSPORT_AT),
    jump_if_imm(R3, Cond::Eq, 1, A),
    load(B8, R1, Fp, frame::PAYLOAD_AT),
    load(B4, R3, Fp, FOUND),
    add(R1, R3),
    bind(A),
    store(B8, Fp, frame::PAYLOAD_AT, R1),
    add(R4, R1),
    mov_imm(R2, 4),
    // Nothing is there, and the helper function may take 32 bits of it only.
    mov_imm(R0, -1),
    jump_if_imm(R4, Cond::Gt, i32::MAX, B),
    insert(shared::READ),
    bind(B),
    insert(shared::THIS_OP),
    jump_if_imm(R0, Cond::Eq, 0, A),
    load(B4, R3, R2, LOW),
    jump_if_imm(R3, Cond::Eq, 0, label::NOT),
    jump(label::DROP),
    bind(A),
    load(B4, R1, Fp, frame::HEADER),
    swap(R1, 32),
    store(B4, Fp, FOUND, R1),
    jump(label::HOLDS),
];

const SHIFT: &[Item] = &[
    bind(Label::op(kind::SHIFT)),
    load(B4, R1, Fp, FOUND),
    load(B4, R3, R2, MASK),
    and(R1, R3),
    load(B4, R3, R2, LOW),
    and_imm(R3, 31),
    lsh(R1, R3),
    mov32(R1, R1),
    load(B4, R3, R2, SPAN),
    and_imm(R3, 31),
    rsh(R1, R3),
    store(B4, Fp, FOUND, R1),
    jump(label::HOLDS),
];

const BIT: &[Item] = &[
    bind(Label::op(kind::BIT)),
    load(B4, R1, Fp, FOUND),
    mov_imm(R3, 1),
    lsh(R3, R1),
    store(B4, Fp, FOUND, R3),
    jump(label::HOLDS),
];

const OTHERWISE: &[Item] = &[
    bind(Label::op(kind::OTHERWISE)),
    load(B4, R3, R2, LOW),
    jump_if_imm(R3, Cond::Eq, 0, A),
    add(R3, R1),
    bind(A),
    store(B8, Fp, frame::OTHERWISE, R3),
    jump(label::HOLDS),
];

/// statistic_mt
const RANDOM: &[Item] = &[
    bind(Label::op(kind::RANDOM)),
    call(PRANDOM),
    mov(R1, R0),
    insert(shared::COMPARE_PART),
];

/// statistic_mt: R0 becomes R4, R1 is the answer.
const NTH: &[Item] = &[
    bind(Label::op(kind::NTH)),
    insert(shared::STATE_AT_R5),
    load(B8, R0, R5, PREVIOUS),
    mov_imm(R4, 0),
    mov_imm(R1, 0),
    load(B4, R3, R2, LOW),
    jump_if(R0, Cond::Eq, R3, B),
    mov_imm(R4, 1),
    add32(R4, R0),
    jump_if_imm(R4, Cond::Ne, 0, A),
    bind(B),
    mov_imm(R1, 1),
    bind(A),
    insert(shared::KEEP_R4),
];

/// quota_mt, likewise.
const QUOTA: &[Item] = &[
    bind(Label::op(kind::QUOTA)),
    insert(shared::STATE_AT_R5),
    load(B8, R0, R5, PREVIOUS),
    mov_imm(R4, 0),
    mov_imm(R1, 0),
    load(B4, R3, R6, 0).at(SKB_LEN),
    jump_if(R0, Cond::Lt, R3, A),
    mov(R4, R0),
    sub(R4, R3),
    mov_imm(R1, 1),
    bind(A),
    insert(shared::KEEP_R4),
];

/// R4 is kept in place of R0, and the answer is whether R1 is not 0; or
/// somebody else was faster, and it starts again.
pub(super) const KEEP_R4: Block = block![
    mov(R3, R0),
    atomic(Atomic::CompareExchange, B8, R5, PREVIOUS, R4),
    jump_if(R0, Cond::Ne, R3, C),
    jump_if_imm(R1, Cond::Ne, 0, label::YES),
    jump(label::NO),
    bind(C),
    load(B8, R1, Fp, frame::OP),
    jump(label::ASK),
];

pub(super) const PAYLOAD: i16 = OP as i16;

/// ifname_compare_aligned
const INTERFACE: &[Item] = &[
    bind(Label::op(kind::INTERFACE)),
    load(B2, R3, R2, WHAT),
    and_imm(R3, 1),
    lsh_imm(R3, 4),
    mov(R4, Fp),
    add(R4, R3),
    load(B8, R1, R4, frame::NAMES),
    load(B8, R3, R2, PAYLOAD),
    xor(R1, R3),
    load(B8, R3, R2, PAYLOAD + 16),
    and(R1, R3),
    load(B8, R0, R4, frame::NAMES + 8),
    load(B8, R3, R2, PAYLOAD + 8),
    xor(R0, R3),
    load(B8, R3, R2, PAYLOAD + 24),
    and(R0, R3),
    jump_if_imm(R0, Cond::Ne, 0, label::NO),
    jump_if_imm(R1, Cond::Eq, 0, label::YES),
    jump(label::NO),
];

/// conntrack_mt, where there is no connection.
const CONNECTION: &[Item] = &[
    bind(Label::op(kind::CONNECTION)),
    load(B8, R1, Fp, frame::CONNECTION),
    jump_if_imm(R1, Cond::Ne, 0, label::HOLDS),
    jump(label::NOT),
];

/// R2 = the op at hand.
pub(super) const THIS_OP: Block = block![
    load(B8, R1, Fp, frame::OP),
    map_value(R2, Map::Data, param::OPS),
    add(R2, R1),
];

/// R1 = 32 bits of the connection; R0 is where they are.
pub(super) const CONNECTION_PART: Block = block![
    load(B8, R1, Fp, frame::CONNECTION),
    load(B2, R3, R2, WHAT),
    add(R1, R3),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
];

/// R1 is compared as the op says, which a call has made R2 forget.
pub(super) const COMPARE_PART: Block = block![
    load(B8, R3, Fp, frame::OP),
    map_value(R2, Map::Data, param::OPS),
    add(R2, R3),
    jump(label::COMPARE),
];

/// nf_ct_expires
const CT_EXPIRES: &[Item] = &[
    bind(Label::op(kind::CT_EXPIRES)),
    insert(shared::CONNECTION_PART),
    store(B8, Fp, frame::SAVED, R1),
    call(JIFFIES),
    load(B8, R1, Fp, frame::SAVED),
    sub32(R1, R0),
    mov32(R2, R1),
    rsh32_imm(R2, 31),
    jump_if_imm(R2, Cond::Eq, 0, A),
    mov_imm(R1, 0),
    bind(A),
    div32_imm(R1, 0).imm(param::HZ),
    insert(shared::COMPARE_PART),
];

impl Builder<'_> {
    pub(super) fn ops(&mut self) {
        let kinds = self.ruleset.uses().kinds;
        let (asked, targets) = (kinds & !kind::TARGETS, kinds & kind::TARGETS);
        if asked != 0 {
            self.ask(asked);
        }
        if targets != 0 {
            self.target(targets);
        }
        self.emit(block![
            when(need::op(kind::TEST), TEST),
            when(need::op(kind::GUARD), GUARD),
            when(need::op(kind::XT_TARGET), CHANGED),
        ]);
        if kinds & 1 << kind::PORTS != 0 {
            self.ports();
        }
        for kind in kind::REJECT..=kind::XT_TARGET {
            if kinds & 1 << kind != 0 {
                self.function(kind);
            }
        }
        // The verifier refuses what no way leads to.
        if asked == 0 {
            return;
        }
        if kinds & (1 << kind::RECENT | 1 << kind::HASHLIMIT) != 0 {
            self.tables();
        }
        self.emit(block![
            when(need::op(kind::LIMIT), LIMIT),
            when(need::op(kind::TCP_OPTION), TCP_OPTION),
            when(need::op(kind::INTERFACE), INTERFACE),
            when(need::op(kind::CONNECTION), CONNECTION),
            when(
                need::op(kind::CT_WORD),
                &[
                    bind(Label::op(kind::CT_WORD)),
                    insert(shared::CONNECTION_PART),
                    insert(shared::COMPARE_PART),
                ]
            ),
            when(
                need::op(kind::CT_PORT),
                &[
                    bind(Label::op(kind::CT_PORT)),
                    insert(shared::CONNECTION_PART),
                    swap(R1, 16),
                    insert(shared::COMPARE_PART),
                ]
            ),
            when(need::op(kind::CT_EXPIRES), CT_EXPIRES),
            when(need::op(kind::OTHERWISE), OTHERWISE),
            when(need::op(kind::RANDOM), RANDOM),
            when(need::op(kind::NTH), NTH),
            when(need::op(kind::QUOTA), QUOTA),
            when(need::op(kind::PAYLOAD), PAYLOAD_WORD),
            when(need::op(kind::SHIFT), SHIFT),
            when(need::op(kind::GROUPS), GROUPS),
            when(need::op(kind::BIT), BIT),
            when(need::op(kind::TIME), TIME),
            when(need::op(kind::TIME), CALENDAR),
            when(need::op(kind::CONNBYTES), CONNBYTES),
            when(need::op(kind::HELPER), HELPER),
            bind(label::NOT),
            when(
                need::op(kind::OTHERWISE),
                &[
                    load(B8, R1, Fp, frame::OTHERWISE),
                    // No copy of it, see `frame`.
                    and_imm(R1, i32::MAX),
                    jump_if_imm(R1, Cond::Ne, 0, label::ASK),
                ]
            ),
            jump(label::FAILED),
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
            load(B8, R1, Fp, frame::NEXT_OP),
            // No copy of it, see `frame`.
            and_imm(R1, i32::MAX),
            jump_if_imm(R1, Cond::Ne, 0, label::ASK),
            // All of them hold: MATCHED is next.
        ]);
    }

    /// Finds the op, and the block for its kind.
    fn ask(&mut self, kinds: u32) {
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
        self.dispatch(kinds);
    }

    /// Finds the function of a target. A way of its own, or the verifier would
    /// follow all other kinds once more from here.
    fn target(&mut self, kinds: u32) {
        self.emit(block![
            bind(label::TARGET),
            jump_if_imm(R3, Cond::Gt, 0, label::DROP).imm(param::LAST_OP),
            map_value(R2, Map::Data, param::OPS),
            add(R2, R3),
            load(B1, R3, R2, offset_of!(Op, kind) as i16),
        ]);
        self.dispatch(kinds);
    }

    /// On at the block for the kind in R3.
    fn dispatch(&mut self, kinds: u32) {
        for kind in 0..32u8 {
            if kinds & 1 << kind != 0 {
                self.emit_with(
                    block![jump_if_imm(R3, Cond::Eq, 0, Label::arg(1)).imm(Param::arg(0))],
                    &[kind.into(), Label::op(kind).number()],
                );
            }
        }
        self.emit(block![jump(label::DROP)]);
    }

    /// ports_match_v1, without a branch for each port: inside a loop the
    /// verifier would follow every combination. A port that does not count is
    /// made greater than any.
    fn ports(&mut self) {
        self.emit(block![
            bind(Label::op(kind::PORTS)),
            load(B4, R0, Fp, super::packet::field(Field::SourcePort)),
            load(B4, R3, R2, MASK),
            or(R0, R3),
            load(B4, R1, Fp, super::packet::field(Field::DestinationPort)),
            load(B4, R3, R2, LOW),
            or(R1, R3),
            mov_imm(R5, -1),
        ]);
        for range in 0..15 {
            const RANGE: Param = Param::arg(0);
            let at = &[i32::from(OP as i16 + 4 * range)];
            let text = block![
                // Negative if the source port lies below,
                load(B2, R3, R2, 0).at(RANGE),
                sub(R3, R0),
                neg(R3),
                // or above.
                load(B2, R4, R2, 2).at(RANGE),
                sub(R4, R0),
                or(R3, R4),
                // Not negative from the first range on that it lies in.
                and(R5, R3),
                // The destination port.
                load(B2, R3, R2, 0).at(RANGE),
                sub(R3, R1),
                neg(R3),
                load(B2, R4, R2, 2).at(RANGE),
                sub(R4, R1),
                or(R3, R4),
                and(R5, R3),
            ];
            self.emit_with(text, at);
        }
        self.emit(block![
            rsh_imm(R5, 63),
            jump_if_imm(R5, Cond::Eq, 0, label::YES),
            jump(label::NO),
        ]);
    }

    /// A function of the kernel half. What it returns may be wider than what
    /// it means: NF_DROP or XT_CONTINUE, false or true; or 2, and the packet is
    /// gone, perhaps already. A match may say 3: yes, and the packet is dropped
    /// when the rule is done, as ipt_do_table does with hotdrop.
    fn function(&mut self, kind: u8) {
        let ways = match kind {
            kind::XT_TARGET => [label::DROP, label::CHANGED],
            // On at the next entry, as if it had not matched.
            _ if kind::TARGETS & 1 << kind != 0 => [label::DROP, label::FAILED],
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
                    store(B4, Fp, super::packet::field(Field::Mark), R1),
                ]
            ),
            jump_if_imm(R0, Cond::Eq, 0, Label::arg(2)),
        ];
        let [no, yes] = ways.map(Label::number);
        let function = self.ruleset.machine().kernel.fact(function(kind));
        self.emit_with(text, &[Label::op(kind).number(), function, no]);
        if kind == kind::XT_MATCH {
            self.emit(block![
                jump_if_imm(R0, Cond::Ne, 3, label::HOLDS),
                insert(shared::DROP_LATER)
            ]);
        }
        self.emit_with(block![jump(Label::arg(0))], &[yes]);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The first rule from a position on whose record matches.
//!
//! Owns: the way from SEARCH (R7 is a position) to CANDIDATE (R7 is the
//! first rule from there on whose ternary match holds), and what a candidate
//! has to go through before it counts as matched.

use core::mem::offset_of;

use bpfilter_msgfmt::HEADER_MALFORMED;

use super::prelude::*;
use crate::ir::{RECORD, Record};
use crate::plan::{
    BITMAP_KEYS_MAX, BUCKET_RULES, Bitmaps, DE_BRUIJN, FACTORS, HASH_BUCKET, SENTINELS, Tuple,
};

const READY: Label = Label::local(1);
/// One of those looked at together is not it.
const fn other(number: usize) -> Label {
    Label::local(2 + number as u8)
}

/// R2 = the record of rule R7, which is at most the number of rules.
pub(super) const RECORD_OF_R7: Block = block![
    mov(R1, R7),
    mul_imm(R1, RECORD as i32),
    map_value(R2, Map::Data, param::RECORDS),
    add(R2, R1),
    // One word of it is always wanted next.
    load(B4, R3, R2, offset_of!(Record, action) as i16),
];

/// Which of those looked at together: its place, and where the next one
/// follows.
const WHERE: Param = Param::arg(0);
const NEXT: Label = Label::arg(1);

const HIT: Label = other(SENTINELS);
const MOVE: Label = other(SENTINELS + 1);
const FIND: Label = other(SENTINELS + 2);
const TAKE: Label = other(SENTINELS + 3);
const SAME_WORD: Label = other(SENTINELS + 4);
/// A rule of the bucket matches.
const FOUND: Label = other(SENTINELS);
/// Nothing more in the bucket.
const TUPLE_DONE: Label = other(SENTINELS + 1);

/// R1 = the number of the lowest bit of R0, which is not zero.
pub(super) const BIT_OF_R0: Block = block![
    mov(R1, R0),
    neg(R1),
    and(R1, R0),
    mov_wide(R2, DE_BRUIJN),
    upper(DE_BRUIJN),
    mul(R1, R2),
    rsh_imm(R1, 58),
    map_value(R2, Map::Data, param::BIT_NUMBERS),
    add(R2, R1),
    load(B1, R1, R2, 0),
];

impl Builder<'_> {
    pub(super) fn search(&mut self) {
        self.emit(block![bind(label::SEARCH)]);
        if self.ruleset.index().is_used() {
            self.indexed();
        } else {
            self.linear(label::CANDIDATE);
        }
        self.candidate();
    }

    /// Asks the index, for a packet that is not malformed. What it finds goes on at
    /// CANDIDATE, which is next.
    fn indexed(&mut self) {
        let index = self.ruleset.index();
        self.emit(block![
            jump_if_imm(R7, Cond::Gt, 0, label::NO_RULE).imm(param::RULES)
        ]);
        if index.only_catch_alls() {
            self.catch_all();
            self.tuples();
            self.emit(block![load(B8, R7, R6, frame::BEST)]);
            return;
        }
        self.emit(block![store_imm(B8, R6, frame::BEST, 0).imm(param::RULES)]);
        self.tuples();
        match index.bitmaps() {
            Some(bitmaps) => self.list_by_bitmaps(bitmaps),
            None => self.list(),
        }
    }

    /// What is left of the search, away from the way of most packets.
    pub(super) fn search_again(&mut self) {
        self.emit(block![
            bind(label::SEARCH_AGAIN),
            insert(shared::NOTHING_KNOWN),
            bind(label::SEARCH_ON),
            insert(shared::ROUND_OF_SEARCH),
        ]);
        if !self.ruleset.index().is_used() {
            self.emit(block![jump(label::SEARCH)]);
            self.malformed();
            return;
        }
        self.emit(block![
            when(
                need::TRANSPORT,
                &[
                    load(B4, R1, R6, frame::HEADERS),
                    jump_if_imm(R1, Cond::Ge, HEADER_MALFORMED as i32, label::MALFORMED),
                ]
            ),
            jump(label::SEARCH),
        ]);
        self.malformed();
        if self.ruleset.uses().transport {
            self.linear(label::MALFORMED_CANDIDATE);
            self.malformed_candidate();
        }
    }

    /// A packet that is malformed: the index is not asked.
    fn malformed(&mut self) {
        self.emit(block![when(
            need::TRANSPORT,
            &[
                bind(label::MALFORMED),
                map_value(R1, Map::Data, param::MALFORMED_KEEPS),
                load(B8, R1, R1, 0),
                store(B8, R6, frame::KEEPS, R1),
                insert(shared::NOTHING_KNOWN),
                jump(label::LINEAR),
            ]
        )]);
    }

    /// BEST = the first rule from R7 on that is in a bucket and matches, if that comes
    /// before BEST.
    fn tuples(&mut self) {
        let ruleset = self.ruleset;
        for tuple in ruleset.index().tuples() {
            self.tuple(tuple);
        }
    }

    /// The same for one tuple.
    fn tuple(&mut self, tuple: &Tuple) {
        const LOW: Param = Param::arg(0);
        const HIGH: Param = Param::arg(1);
        let halves = |mask: u64| [mask as i32, (mask >> 32) as i32];
        let ruleset = self.ruleset;
        let buckets = ruleset.index_at() + tuple.first as usize * HASH_BUCKET;
        let [factor_low, factor_high] = halves(tuple.factor);
        // The hash, see `plan::index`.
        self.emit_with(
            block![
                mov_wide(R1, 0).imm(LOW),
                upper(0).imm(HIGH),
                and(R1, R8),
                mov_wide(R2, FACTORS[1]),
                upper(FACTORS[1]),
                mul(R1, R2),
            ],
            &halves(tuple.class_mask),
        );
        if tuple.addr_mask != 0 {
            self.emit_with(
                block![
                    mov_wide(R3, 0).imm(LOW),
                    upper(0).imm(HIGH),
                    and(R3, R9),
                    mov_wide(R2, FACTORS[0]),
                    upper(FACTORS[0]),
                    mul(R3, R2),
                    add(R1, R3),
                ],
                &halves(tuple.addr_mask),
            );
        }
        self.emit_with(
            block![
                mov(R2, R1),
                rsh_imm(R2, 32),
                xor(R1, R2),
                mov_wide(R2, 0).imm(Param::arg(2)),
                upper(0).imm(Param::arg(3)),
                mul(R1, R2),
                // The verifier knows how large it is at most, and so that there is
                // a bucket of that number.
                rsh_imm(R1, 0).imm(Param::arg(0)),
                lsh_imm(R1, HASH_BUCKET.trailing_zeros() as i32),
                map_value(R5, Map::Data, Param::arg(1)),
                add(R5, R1),
            ],
            &[tuple.shift as i32, buckets as i32, factor_low, factor_high],
        );
        for slot in 0..BUCKET_RULES as u8 {
            let next = other(slot.into());
            let text = block![
                load(B4, R1, R5, 0).at(WHERE),
                jump_if_imm(R1, Cond::Eq, 0, TUPLE_DONE),
                sub_imm(R1, 1),
                jump_if(R1, Cond::Lt, R7, NEXT),
                jump_if_imm(R1, Cond::Ge, 0, label::DROP).imm(param::RULES),
                mov(R0, R1),
                mul_imm(R1, RECORD as i32),
                map_value(R2, Map::Data, param::RECORDS),
                add(R2, R1),
            ];
            self.emit_with(text, &[4 * i32::from(slot), next.number()]);
            self.compare(next, FOUND);
        }
        self.emit(block![
            jump(TUPLE_DONE),
            // R0 = the first rule of the bucket that matches
            bind(FOUND),
            load(B8, R1, R6, frame::BEST),
            jump_if(R0, Cond::Ge, R1, TUPLE_DONE),
            store(B8, R6, frame::BEST, R0),
            bind(TUPLE_DONE),
        ]);
    }

    /// BEST = the first rule of the list from R7 on, where all that is listed matches
    /// every packet.
    fn catch_all(&mut self) {
        self.emit(block![
            mov(R1, R7),
            mul_imm(R1, RECORD as i32),
            map_value(R2, Map::Data, param::RECORDS),
            add(R2, R1),
            load(B4, R1, R2, offset_of!(Record, indexed) as i16),
            store(B8, R6, frame::BEST, R1),
        ]);
    }

    /// INDEX_AT = the place in the list of the first rule from R7 on; a round
    /// of the loop starts.
    fn enter_list(&mut self) {
        self.emit(block![
            insert(shared::RECORD_OF_R7),
            load(B4, R1, R2, offset_of!(Record, indexed) as i16),
            store(B8, R6, frame::INDEX_AT, R1),
            // For the verifier any number, which is what a round leaves there.
            load(B8, R0, R6, frame::BEST),
            load(B8, R3, R6, frame::BEST),
            load(B8, R4, R6, frame::BEST),
            bind(label::NEXT_LISTED),
            // A round leaves a pointer there, of one kind or another.
            mov_imm(R2, 0),
            mov_imm(R5, 0),
            insert(shared::ROUND_OF_SEARCH)
        ]);
    }

    /// The first rule of the list from R7 on that matches, or the best of the
    /// buckets if that one is first.
    fn list(&mut self) {
        self.enter_list();
        self.emit(block![
            load(B8, R1, R6, frame::INDEX_AT),
            jump_if_imm(R1, Cond::Gt, 0, label::DROP).imm(param::RULES),
            lsh_imm(R1, 2),
            map_value(R5, Map::Data, param::LIST),
            add(R5, R1),
        ]);
        for place in 0..SENTINELS as u8 {
            let next = other(place.into());
            let text = block![
                load(B4, R1, R5, 0).at(WHERE),
                mov(R0, R1),
                jump_if_imm(R1, Cond::Gt, 0, label::DROP).imm(param::RULES),
                mul_imm(R1, RECORD as i32),
                map_value(R2, Map::Data, param::RECORDS),
                add(R2, R1),
            ];
            self.emit_with(text, &[4 * i32::from(place)]);
            self.compare(next, label::LISTED);
        }
        self.emit(block![
            // Past the best of the buckets there is nothing to find.
            load(B8, R1, R6, frame::BEST),
            jump_if(R0, Cond::Ge, R1, label::LISTED),
            load(B8, R1, R6, frame::INDEX_AT),
            add_imm(R1, SENTINELS as i32),
            store(B8, R6, frame::INDEX_AT, R1),
            jump(label::NEXT_LISTED),
        ]);
        self.listed();
    }

    /// R7 = the first of the best of the buckets and R0.
    fn listed(&mut self) {
        self.emit(block![
            bind(label::LISTED),
            load(B8, R7, R6, frame::BEST),
            jump_if(R7, Cond::Lt, R0, label::CANDIDATE),
            mov(R7, R0),
        ]);
    }

    /// The same with bitmaps. INDEX_AT is the place in the list to go on from:
    /// the rest of its word is looked at, and if there is nothing the place
    /// moves on to the next word that may have something. Which of 64 words
    /// do is found once: a round does not wait for the one before.
    fn list_by_bitmaps(&mut self, bitmaps: &Bitmaps) {
        self.emit(block![store_imm(B8, R6, frame::AGGREGATE, 0)]);
        self.enter_list();
        self.emit(block![
            // R5 = offset of the word
            load(B8, R5, R6, frame::INDEX_AT),
            rsh_imm(R5, 6),
            jump_if_imm(R5, Cond::Ge, 0, label::DROP).imm(param::NUM_WORDS),
            lsh_imm(R5, 3),
        ]);
        self.common(bitmaps, 8 * bitmaps.aggregate);
        self.emit(block![
            load(B8, R1, R6, frame::INDEX_AT),
            and_imm(R1, 63),
            rsh(R0, R1),
            lsh(R0, R1),
            jump_if_imm(R0, Cond::Ne, 0, HIT),
            rsh_imm(R5, 3),
            // R5 = the first of the 64 words, if more of them are known
            load(B8, R0, R6, frame::AGGREGATE),
            jump_if_imm(R0, Cond::Eq, 0, FIND),
            and_imm(R5, -64),
            jump(TAKE),
            bind(FIND),
            // INDEX_AT = the next word, R5 = offset of its aggregate
            add_imm(R5, 1),
            store(B8, R6, frame::INDEX_AT, R5),
            rsh_imm(R5, 6),
            jump_if_imm(R5, Cond::Ge, 0, label::DROP).imm(param::NUM_AGGREGATE),
            lsh_imm(R5, 3),
        ]);
        self.common(bitmaps, 0);
        self.emit(block![
            load(B8, R1, R6, frame::INDEX_AT),
            and_imm(R1, 63),
            rsh(R0, R1),
            lsh(R0, R1),
            lsh_imm(R5, 3),
            // Nothing in these 64 words?
            mov_imm(R1, 64),
            jump_if_imm(R0, Cond::Eq, 0, MOVE),
            bind(TAKE),
            insert(shared::BIT_OF_R0),
            mov(R2, R0),
            sub_imm(R2, 1),
            and(R2, R0),
            store(B8, R6, frame::AGGREGATE, R2),
            bind(MOVE),
            add(R5, R1),
            lsh_imm(R5, 6),
            store(B8, R6, frame::INDEX_AT, R5),
            jump(label::NEXT_LISTED),
            bind(HIT),
            insert(shared::BIT_OF_R0),
            // R5 = the place in the list
            lsh_imm(R5, 3),
            add(R5, R1),
            mov(R1, R5),
            add_imm(R1, 1),
            store(B8, R6, frame::INDEX_AT, R1),
            // The next word may be one of the next 64, of which nothing is known.
            and_imm(R1, 63),
            jump_if_imm(R1, Cond::Ne, 0, SAME_WORD),
            store_imm(B8, R6, frame::AGGREGATE, 0),
            bind(SAME_WORD),
            jump_if_imm(R5, Cond::Gt, 0, label::DROP).imm(param::RULES),
            lsh_imm(R5, 2),
            map_value(R1, Map::Data, param::LIST),
            add(R1, R5),
            load(B4, R1, R1, 0),
            mov(R0, R1),
            // Past the best of the buckets there is nothing to find.
            load(B8, R2, R6, frame::BEST),
            jump_if(R0, Cond::Ge, R2, label::LISTED),
            jump_if_imm(R1, Cond::Gt, 0, label::DROP).imm(param::RULES),
            mul_imm(R1, RECORD as i32),
            map_value(R2, Map::Data, param::RECORDS),
            add(R2, R1),
        ]);
        self.compare(other(0), label::LISTED);
        self.emit(block![jump(label::NEXT_LISTED)]);
        self.listed();
    }

    /// R0 = what the words at offset R5 behind `first` of all bitmaps of the
    /// packet have in common.
    fn common(&mut self, bitmaps: &Bitmaps, first: usize) {
        self.emit(block![mov_imm(R0, -1)]);
        for slot in (0..BITMAP_KEYS_MAX as i32).take(bitmaps.keys.len()) {
            let text = block![
                load(B8, R2, Fp, frame::BITMAPS).at(WHERE),
                add(R2, R5),
                load(B8, R3, R2, 0).at(Param::arg(1)),
                and(R0, R3),
            ];
            self.emit_with(text, &[8 * slot, first as i32]);
        }
    }

    /// Goes to `same` if the packet, which is not malformed, matches the record at
    /// R2, and binds `other`.
    fn compare(&mut self, other: Label, same: Label) {
        const OTHER: Label = Label::arg(0);
        let text = block![
            load(B8, R3, R2, offset_of!(Record, addr_mask) as i16),
            and(R3, R9),
            load(B8, R4, R2, offset_of!(Record, addr) as i16),
            jump_if(R3, Cond::Ne, R4, OTHER),
            load(B8, R3, R2, offset_of!(Record, class) as i16),
            xor(R3, R8),
            load(B8, R4, R2, offset_of!(Record, class_mask) as i16),
            and(R3, R4),
            jump_if_imm(R3, Cond::Ne, 0, OTHER),
            jump(Label::arg(1)),
            bind(OTHER),
        ];
        self.emit_with(text, &[other.number(), same.number()]);
    }

    /// One record after the other, a few at each round: fastest for short
    /// tables. The first of the sentinels always matches. What is found goes on at
    /// `found`.
    fn linear(&mut self, found: Label) {
        self.emit(block![
            bind(label::LINEAR),
            jump_if_imm(R7, Cond::Gt, 0, label::NO_RULE).imm(param::RULES),
            insert(shared::RECORD_OF_R7)
        ]);
        for index in 0..SENTINELS as u8 {
            let at = i32::from(index) * RECORD as i32;
            let other = other(index.into()).number();
            let text = block![
                load(B8, R3, R2, offset_of!(Record, addr_mask) as i16).at(WHERE),
                and(R3, R9),
                load(B8, R4, R2, offset_of!(Record, addr) as i16).at(WHERE),
                jump_if(R3, Cond::Ne, R4, NEXT),
                load(B8, R3, R2, offset_of!(Record, class) as i16).at(WHERE),
                xor(R3, R8),
                load(B8, R4, R2, offset_of!(Record, class_mask) as i16).at(WHERE),
                and(R3, R4),
            ];
            self.emit_with(text, &[at, other]);
            self.emit(block![when(
                need::TRANSPORT,
                &[load(B8, R4, R6, frame::KEEPS), and(R3, R4)]
            )]);
            // The verifier takes the first of these ways first, and sees then
            // that the others, with a position that is known better, are safe.
            let text = block![
                jump_if_imm(R3, Cond::Ne, 0, NEXT),
                add_imm(R7, 0).imm(WHERE),
                jump(Label::arg(2)),
                bind(NEXT),
            ];
            self.emit_with(text, &[index.into(), other, found.number()]);
        }
        self.emit(block![
            add_imm(R7, SENTINELS as i32),
            // Whichever way led here.
            mov_imm(R1, 0),
            mov_imm(R3, 0),
            mov_imm(R4, 0),
            insert(shared::ROUND_OF_SEARCH),
            jump(label::LINEAR)
        ]);
    }

    /// A rule without ops matches at once: MATCHED is next.
    fn candidate(&mut self) {
        self.emit(block![
            bind(label::CANDIDATE),
            // A sentinel: control fell off the table.
            jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES),
            insert(shared::RECORD_OF_R7),
            // With an index malformed packets have a way of their own.
            when(
                need::INDEX,
                &[when(
                    need::PLAIN_OPS,
                    &[
                        load(B4, R1, R2, offset_of!(Record, ops) as i16),
                        jump_if_imm(R1, Cond::Ne, 0, label::ASK),
                    ]
                )]
            ),
            unless(
                need::INDEX,
                &[when(
                    need::OPS,
                    &[
                        load(B4, R1, R2, offset_of!(Record, ops) as i16),
                        when(
                            need::TRANSPORT,
                            &[
                                load(B8, R4, R6, frame::KEEPS),
                                jump_if_imm(R4, Cond::Eq, -1, READY),
                                load(B4, R1, R2, offset_of!(Record, malformed_ops) as i16),
                                bind(READY)
                            ]
                        ),
                        jump_if_imm(R1, Cond::Ne, 0, label::ASK),
                    ]
                )]
            ),
        ]);
    }

    /// The same for malformed packets, where only they are searched for like this.
    fn malformed_candidate(&mut self) {
        self.emit(block![
            bind(label::MALFORMED_CANDIDATE),
            jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES),
            insert(shared::RECORD_OF_R7),
            when(
                need::OPS,
                &[
                    load(B4, R1, R2, offset_of!(Record, malformed_ops) as i16),
                    jump_if_imm(R1, Cond::Ne, 0, label::ASK),
                ]
            ),
            jump(label::MATCHED),
        ]);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The prologue: from the record of a packet to what rules are compared with.
//!
//! Owns: how the record is found, the registers, the predicates' part of the
//! packet descriptor, where the packet's bitmaps are, and where a program goes on
//! when what it has called has answered. What the record says of the packet is
//! filled in by the kernel half, or in a program for a netfilter link by
//! [`super::btf`].

use bpfilter_msgfmt::{ANSWER_ANEW, ANSWER_NO, HEADER_MALFORMED, LEVELS};

use super::prelude::*;
use crate::ir::kind;
use crate::plan::{Bitmaps, Source, key_place};

/// Where in `struct __sk_buff` the control block is that programs see.
const CONTROL_BLOCK: i16 = 48;

const NEW: Label = Label::local(0);
const ANEW: Label = Label::local(1);
const ANSWERED: Label = Label::local(2);

/// R6 = the record that the kernel half has filled in.
pub(super) const FIND: Block = block![
    load(B4, R2, R1, CONTROL_BLOCK),
    and_imm(R2, -(frame::ALIGN as i32)),
    jump_if_imm(R2, Cond::Gt, 0, label::DROP).imm(param::LAST_PACKET),
    map_value(R6, Map::Packets, param::ZERO),
    add(R6, R2),
];

/// How many packets a processor can be at.
pub(super) const LEVELS_MAX: usize = LEVELS as usize;

impl Builder<'_> {
    /// From R1, the argument of the program, to SEARCH.
    pub(super) fn prologue(&mut self) {
        self.emit(block![unless(
            need::LINKS,
            &[
                when(need::PAYLOAD, &[store(B8, Fp, frame::SKB, R1)]),
                insert(shared::FIND),
            ]
        )]);
        #[cfg(feature = "links")]
        self.fill();
        self.emit(block![
            load(B4, R7, R6, frame::POSITION),
            unless(need::IPV6, &[load(B8, R9, R6, frame::ADDRESSES)]),
        ]);
        let words = self.ruleset.words().in_record;
        let place = |word| i32::from(frame::ADDRESSES) + 4 * i32::from(word);
        self.emit_with(
            block![when(
                need::IPV6,
                &[
                    load(B4, R9, R6, 0).at(Param::arg(0)),
                    load(B4, R1, R6, 0).at(Param::arg(1)),
                    lsh_imm(R1, 32),
                    or(R9, R1),
                ]
            )],
            &words.map(place),
        );
        self.emit(block![
            load(B8, R8, R6, frame::DESCRIPTOR),
            when(
                need::CALLS,
                &[
                    load(B4, R1, R6, frame::ANSWER),
                    jump_if_imm(R1, Cond::Eq, 0, NEW),
                    jump_if_imm(R1, Cond::Lt, ANSWER_ANEW as i32, ANSWERED),
                    // What a match has changed, rules behind it see.
                    jump(ANEW),
                    bind(NEW),
                ]
            ),
            when(
                need::op(kind::OTHERWISE),
                &[store_imm(B8, R6, frame::OTHERWISE, 0)]
            ),
            when(
                need::op(kind::LIMIT),
                &[store_imm(B8, R6, frame::GAINED, 0)]
            ),
            when(need::CALLS, &[bind(ANEW)]),
        ]);
        self.predicates();
        self.emit(block![when(
            need::CALLS,
            &[store(B8, R6, frame::DESCRIPTOR, R8), bind(ANSWERED)]
        )]);
        if let Some(bitmaps) = self.ruleset.index().bitmaps() {
            self.bitmaps(bitmaps);
        }
        // What most calls answer first.
        self.emit(block![when(
            need::CALLS,
            &[
                load(B4, R1, R6, frame::ANSWER),
                jump_if_imm(R1, Cond::Eq, ANSWER_NO as i32, label::NOT),
                jump_if_imm(R1, Cond::Eq, (ANSWER_NO | ANSWER_ANEW) as i32, label::NOT),
                jump_if_imm(R1, Cond::Ne, 0, label::HOLDS),
            ]
        )]);
        self.emit(block![when(
            need::TRANSPORT,
            &[
                load(B4, R1, R6, frame::HEADERS),
                jump_if_imm(R1, Cond::Ge, HEADER_MALFORMED as i32, label::MALFORMED),
                unless(need::INDEX, &[store_imm(B8, R6, frame::KEEPS, -1)]),
            ]
        )]);
    }

    /// Where the packet's bitmaps are, from the first one on.
    fn bitmaps(&mut self, bitmaps: &Bitmaps) {
        const SHIFT: Param = Param::arg(0);
        const FIRST: Param = Param::arg(1);
        const BITMAP_LEN: Param = Param::arg(2);
        const SLOT: Param = Param::arg(3);
        const BITMAPS: Param = Param::arg(4);
        let entries = self.ruleset.num_entries() as usize;
        let bitmaps_at = self.ruleset.index_at() + self.ruleset.index().bitmaps_at(entries);
        for ((number, &key), slot) in (0..).zip(&bitmaps.keys).zip(0..) {
            let (source, shift) = key_place(key);
            match source {
                Source::Addresses => self.emit(block![mov(R1, R9)]),
                Source::Class => self.emit(block![mov(R1, R8)]),
                Source::Field(of) => self.emit_with(
                    block![load(B4, R1, R6, 0).at(SHIFT)],
                    &[i32::from(field(of))],
                ),
            }
            self.emit_with(
                block![
                    rsh_imm(R1, 0).imm(SHIFT),
                    and_imm(R1, 0xff),
                    add_imm(R1, 0).imm(FIRST),
                    mul_imm(R1, 0).imm(BITMAP_LEN),
                    map_value(R2, Map::Data, BITMAPS),
                    add(R2, R1),
                    store(B8, Fp, frame::BITMAPS, R2).at(SLOT),
                ],
                &[
                    i32::from(shift),
                    number * 256,
                    bitmaps.bitmap_len() as i32,
                    8 * slot,
                    bitmaps_at as i32,
                ],
            );
        }
    }
}

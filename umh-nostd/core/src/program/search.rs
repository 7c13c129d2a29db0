// SPDX-License-Identifier: GPL-2.0-only
//! The first rule from a position on whose record matches.
//!
//! Owns: the way from SEARCH (R7 is a position) to CANDIDATE (R7 is the
//! first rule from there on whose ternary match holds), and what a candidate
//! has to go through before it counts as matched.

use core::mem::offset_of;

use super::asm::{
    Cond, Item, Label, Map, Reg, Size, add, add_imm, and, bind, jump, jump_if, jump_if_imm, load,
    map_value, mov, mul_imm, xor,
};
use super::{Builder, frame, label, param};
use crate::ruleset::{RECORD, Record, SENTINELS};

use Reg::{Fp, R1, R2, R3, R4, R7, R8, R9};
use Size::{B4, B8};

const ODD: Label = Label(Label::LOCAL);
const READY: Label = Label(Label::LOCAL + 1);
/// The first of those looked at together is not it; the others follow.
const OTHER: u8 = Label::LOCAL + 2;

/// R2 = the record of rule R7, which is at most the number of rules.
pub(super) const RECORD_OF_R7: [Item; 5] = [
    mov(R1, R7),
    mul_imm(R1, RECORD as i32),
    map_value(R2, Map::Data, param::RECORDS),
    add(R2, R1),
    // One word of it is always wanted next.
    load(B4, R3, R2, offset_of!(Record, action) as i16),
];

impl Builder<'_> {
    pub(super) fn search(&mut self) {
        self.put(const { &[bind(label::SEARCH)] });
        self.linear();
        self.candidate();
    }

    /// One record after the other, a few at each round: fastest for short
    /// tables. The first of the sentinels always matches.
    fn linear(&mut self) {
        self.again();
        self.put(const { &[jump_if_imm(R7, Cond::Gt, 0, label::DROP).imm(param::RULES)] });
        self.put(const { &RECORD_OF_R7 });
        for index in 0..SENTINELS as u8 {
            let at = i16::from(index) * RECORD as i16;
            let other = Label(OTHER + index);
            self.put(&[
                load(B8, R3, R2, at + offset_of!(Record, addr_mask) as i16),
                and(R3, R9),
                load(B8, R4, R2, at + offset_of!(Record, addr) as i16),
                jump_if(R3, Cond::Ne, R4, other),
                load(B8, R3, R2, at + offset_of!(Record, class) as i16),
                xor(R3, R8),
                load(B8, R4, R2, at + offset_of!(Record, class_mask) as i16),
                and(R3, R4),
            ]);
            if self.ruleset.uses().transport {
                self.put(const { &[load(B8, R4, Fp, frame::KEEPS), and(R3, R4)] });
            }
            // The verifier takes the first of these ways first, and sees then
            // that the others, with a position that is known better, are safe.
            self.put(&[
                jump_if_imm(R3, Cond::Ne, 0, other),
                add_imm(R7, i32::from(index)),
                jump(label::CANDIDATE),
                bind(other),
            ]);
        }
        self.put(const { &[add_imm(R7, SENTINELS as i32), jump(label::SEARCH)] });
    }

    /// A rule without ops matches at once.
    fn candidate(&mut self) {
        self.put(
            const {
                &[
                    bind(label::CANDIDATE),
                    // A sentinel: control fell off the table.
                    jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES),
                ]
            },
        );
        if self.ruleset.uses().kinds == 0 {
            return;
        }
        self.put(const { &RECORD_OF_R7 });
        self.put(const { &[load(B4, R1, R2, offset_of!(Record, ops) as i16)] });
        if self.ruleset.uses().transport {
            self.put(
                const {
                    &[
                        load(B8, R3, Fp, frame::KEEPS),
                        jump_if_imm(R3, Cond::Eq, -1, READY),
                        bind(ODD),
                        load(B4, R1, R2, offset_of!(Record, odd_ops) as i16),
                        bind(READY),
                    ]
                },
            );
        }
        self.put(
            const {
                &[
                    jump_if_imm(R1, Cond::Ne, 0, label::ASK),
                    jump(label::MATCHED),
                ]
            },
        );
        self.put(const { &[bind(label::FAILED), add_imm(R7, 1), jump(label::SEARCH)] });
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The predicates: questions that are asked once for all rules.

use super::prelude::*;
use crate::abi::Family;
use crate::ir::{Question, Test};

/// A place in the frame.
const PLACE: Param = Param::arg(0);

impl Builder<'_> {
    /// The predicates: each sets its bit where it does not hold.
    pub(super) fn predicates(&mut self) {
        let ruleset = self.ruleset;
        for (bit, predicate) in ruleset.predicates().iter() {
            match predicate.question {
                Question::Test(test) => {
                    let (place, mask, low) = self.compared(test);
                    self.emit_with(
                        block![
                            load(B4, R1, R6, 0).at(PLACE),
                            and32_imm(R1, 0).imm(Param::arg(1)),
                            sub32_imm(R1, 0).imm(Param::arg(2)),
                            // Negative if it is more than the span.
                            mov32_imm(R2, 0).imm(Param::arg(3)),
                            sub(R2, R1),
                            rsh_imm(R2, 63),
                            lsh_imm(R2, 0).imm(Param::arg(4)),
                            or(R8, R2),
                        ],
                        &[place, mask as i32, low as i32, test.span as i32, bit],
                    );
                }
                Question::Interface(out, pattern) => {
                    let at = frame::NAMES + if out { 16 } else { 0 };
                    let [first, second] = pattern.name;
                    let [first_mask, second_mask] = pattern.mask;
                    let halves = |number: u64| [number as i32, (number >> 32) as i32];
                    let args = |at: i16, name, mask| {
                        let ([a, b], [c, d]) = (halves(name), halves(mask));
                        [at.into(), a, b, c, d]
                    };
                    self.emit_with(
                        block![
                            load(B8, R1, R6, 0).at(PLACE),
                            mov_wide(R2, 0).imm(Param::arg(1)),
                            upper(0).imm(Param::arg(2)),
                            xor(R1, R2),
                            mov_wide(R2, 0).imm(Param::arg(3)),
                            upper(0).imm(Param::arg(4)),
                            and(R1, R2),
                        ],
                        &args(at, first, first_mask),
                    );
                    if second_mask != 0 {
                        self.emit_with(
                            block![
                                load(B8, R3, R6, 0).at(PLACE),
                                mov_wide(R2, 0).imm(Param::arg(1)),
                                upper(0).imm(Param::arg(2)),
                                xor(R3, R2),
                                mov_wide(R2, 0).imm(Param::arg(3)),
                                upper(0).imm(Param::arg(4)),
                                and(R3, R2),
                                or(R1, R3),
                            ],
                            &args(at + 8, second, second_mask),
                        );
                    }
                    self.emit_with(
                        block![
                            // Negative unless it is zero.
                            mov(R2, R1),
                            neg(R2),
                            or(R1, R2),
                            rsh_imm(R1, 63),
                            lsh_imm(R1, 0).imm(Param::arg(0)),
                            or(R8, R1),
                        ],
                        &[bit],
                    );
                }
            }
        }
    }

    /// Where in the record the number is that a test asks about, its bits that count,
    /// and the least value: as they stand in the header for a word of an address.
    fn compared(&self, test: Test) -> (i32, u32, u32) {
        let Some(word) = test.of_address() else {
            return (field(test.field).into(), test.mask, test.low);
        };
        // One word of IPv4 is where IPv6 has four.
        let word = match self.ruleset.table().spec().family {
            Family::Ipv4 => word / 4,
            Family::Ipv6 => word,
        };
        let place = i32::from(frame::ADDRESSES) + 4 * i32::from(word);
        (place, test.mask.to_be(), test.low.to_be())
    }
}

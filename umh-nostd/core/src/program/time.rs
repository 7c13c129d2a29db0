// SPDX-License-Identifier: GPL-2.0-only
//! The wall clock, for the match time.
//!
//! Owns: time_mt of xt_time.c. The kernel half says what time it is. A program
//! for a netfilter link can ask for atomic time alone, see [`super::btf`]; the
//! kernel's time zone it cannot read.

use core::mem::offset_of;

use super::ops::PAYLOAD;
use super::prelude::*;
use crate::abi::xt::{TIME_CONTIGUOUS as CONTIGUOUS, TIME_LOCAL as LOCAL, Time};
use crate::ir::kind;

const DAY: i32 = 24 * 60 * 60;

const DATE: i16 = PAYLOAD + offset_of!(Time, date) as i16;
const DAYTIME: i16 = PAYLOAD + offset_of!(Time, daytime) as i16;
const MONTHDAYS: i16 = PAYLOAD + offset_of!(Time, monthdays) as i16;
const WEEKDAYS: i16 = PAYLOAD + offset_of!(Time, weekdays) as i16;
const FLAGS: i16 = PAYLOAD + offset_of!(Time, flags) as i16;

const NOW: Label = Label::local(3);
const OVER_MIDNIGHT: Label = Label::local(0);
const CONTIGUOUS_OR_NOT: Label = Label::local(1);
const ON_THAT_DAY: Label = Label::local(2);

pub(super) const TIME: &[Item] = &[
    unless(
        need::LINKS,
        &[
            load(B8, R0, R6, frame::TIMES),
            load(B1, R3, R2, FLAGS),
            and_imm(R3, LOCAL as i32),
            jump_if_imm(R3, Cond::Eq, 0, NOW),
            load(B8, R0, R6, frame::TIMES + 8),
            bind(NOW),
        ],
    ),
    when(need::LINKS, SECONDS),
    // A part of its own, for tests.
    when(need::op(kind::TIME), CALENDAR),
];

#[cfg(not(feature = "links"))]
const SECONDS: &[Item] = &[];
#[cfg(feature = "links")]
const SECONDS: &[Item] = super::btf::SECONDS;

/// At which the op at R2 is asked whether the rule holds at R0.
const CALENDAR: &[Item] = &[
    load(B4, R3, R2, DATE),
    jump_if(R0, Cond::Lt, R3, label::NOT),
    load(B4, R3, R2, DATE + 4),
    jump_if(R0, Cond::Gt, R3, label::NOT),
    // R1 = second of the day
    mov(R1, R0),
    modulo_imm(R1, DAY),
    load(B4, R3, R2, DAYTIME),
    load(B4, R4, R2, DAYTIME + 4),
    jump_if(R3, Cond::Ge, R4, OVER_MIDNIGHT),
    jump_if(R1, Cond::Lt, R3, label::NOT),
    jump_if(R1, Cond::Gt, R4, label::NOT),
    jump(ON_THAT_DAY),
    bind(OVER_MIDNIGHT),
    jump_if(R1, Cond::Le, R4, CONTIGUOUS_OR_NOT),
    jump_if(R1, Cond::Lt, R3, label::NOT),
    jump(ON_THAT_DAY),
    bind(CONTIGUOUS_OR_NOT),
    load(B1, R3, R2, FLAGS),
    and_imm(R3, CONTIGUOUS as i32),
    jump_if_imm(R3, Cond::Eq, 0, ON_THAT_DAY),
    sub_imm(R0, DAY),
    bind(ON_THAT_DAY),
    // R0 = days since 1970-01-01, a Thursday
    div_imm(R0, DAY),
    mov(R1, R0),
    add_imm(R1, 3),
    modulo_imm(R1, 7),
    add_imm(R1, 1),
    load(B1, R3, R2, WEEKDAYS),
    rsh(R3, R1),
    and_imm(R3, 1),
    jump_if_imm(R3, Cond::Eq, 0, label::NOT),
    // R0 = days since the last 1st of March after a 29th of February (until
    // 2100, which has none).
    add_imm(R0, 671),
    modulo_imm(R0, 1461),
    mov(R3, R0),
    div_imm(R3, 1460),
    mov(R4, R0),
    sub(R4, R3),
    div_imm(R4, 365),
    mul_imm(R4, 365),
    sub(R0, R4),
    // Five months have 153 days, from March on.
    mul_imm(R0, 5),
    add_imm(R0, 2),
    modulo_imm(R0, 153),
    div_imm(R0, 5),
    add_imm(R0, 1),
    load(B4, R5, R2, MONTHDAYS),
    rsh(R5, R0),
    and_imm(R5, 1),
    jump_if_imm(R5, Cond::Eq, 0, label::NOT),
    jump(label::HOLDS),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

    extern crate std;

    use std::vec::Vec;

    use zerocopy::IntoBytes;

    use super::super::assembler::Assembler;
    use super::*;

    /// The calendar as a program of its own: the moment and the rule are in its
    /// memory.
    fn program() -> Vec<u8> {
        let mut insns = [Insn::default(); 128];
        let needs = 1 << need::op(kind::TIME).0;
        let mut asm = Assembler::new(&mut insns, &[], needs, &[]);
        let block = block![
            mov(R2, R1),
            load(B8, R0, R2, 0),
            when(need::op(kind::TIME), CALENDAR),
            bind(label::HOLDS),
            mov_imm(R0, 1),
            exit(),
            bind(label::NOT),
            mov_imm(R0, 0),
            exit(),
        ];
        asm.emit(block, &[]);
        let len = asm.finish().unwrap();
        insns.get(..len).unwrap().as_bytes().to_vec()
    }

    /// Day of the month and of the week, Monday is 1: a year and a month after
    /// the other.
    fn date(mut day: u64) -> (u64, u64) {
        let weekday = (day + 3) % 7 + 1;
        for year in 1970u64.. {
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year == 2000);
            let february = if leap { 29 } else { 28 };
            for month in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                if day < month {
                    return (day + 1, weekday);
                }
                day -= month;
            }
        }
        unreachable!("there are enough years")
    }

    /// time_mt
    fn holds(rule: &Time, mut moment: u64) -> bool {
        let [first, last] = rule.date.map(u64::from);
        let [start, stop] = rule.daytime.map(u64::from);
        let second = moment % 86400;
        let in_date = (first..=last).contains(&moment);
        let in_time = match start < stop {
            true => (start..=stop).contains(&second),
            false => second >= start || second <= stop,
        };
        if rule.flags & CONTIGUOUS != 0 && second <= stop {
            moment -= 86400;
        }
        let (day, weekday) = date(moment / 86400);
        in_date && in_time && rule.monthdays >> day & 1 != 0 && rule.weekdays >> weekday & 1 != 0
    }

    #[test]
    fn every_day_is_the_calendars() {
        let program = program();
        let vm = rbpf::EbpfVmRaw::new(Some(&program)).unwrap();
        let ask = |rule: &Time, moment: u64| {
            let mut memory = [&moment.to_ne_bytes()[..], &[0; 8], rule.as_bytes()].concat();
            vm.execute_program(&mut memory).unwrap() != 0
        };
        let any = Time {
            date: [0, u32::MAX],
            daytime: [0, 86399],
            monthdays: !1,
            weekdays: !1,
            flags: 0,
            pad: 0,
        };
        // Until the end of 2099: each day's first and last second.
        let mut asked = 0;
        for day in 1..47_482 {
            let (monthday, weekday) = date(day);
            let moment = day * 86400;
            for (rule, expected) in [
                (any, true),
                (
                    Time {
                        monthdays: 1 << monthday,
                        weekdays: 1 << weekday,
                        ..any
                    },
                    true,
                ),
                (
                    Time {
                        monthdays: !(1 << monthday),
                        ..any
                    },
                    false,
                ),
                (
                    Time {
                        weekdays: !(1 << weekday),
                        ..any
                    },
                    false,
                ),
            ] {
                for moment in [moment, moment + 86399] {
                    assert_eq!(holds(&rule, moment), expected, "{rule:?} at {moment}");
                    assert_eq!(ask(&rule, moment), expected, "{rule:?} at {moment}");
                    asked += 1;
                }
            }
        }
        assert!(asked > 300_000);
    }

    #[test]
    fn every_window_is_the_kernels() {
        let program = program();
        let vm = rbpf::EbpfVmRaw::new(Some(&program)).unwrap();
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut held = 0;
        for _ in 0..100_000 {
            let moment = 86400 + random(1 << 31);
            let near = |offset: u64| (moment as u32).wrapping_add(offset as u32).wrapping_sub(2);
            let second = (moment % 86400) as u32;
            let edge = [
                0,
                86399,
                second,
                second.saturating_sub(1),
                (second + 1) % 86400,
            ];
            let mut edge = || *edge.get(random(5) as usize).unwrap();
            let daytime = [edge(), edge()];
            let rule = Time {
                date: [near(random(4)).min(near(2)), near(random(5))],
                daytime,
                monthdays: (random(1 << 32) | random(1 << 32)) as u32,
                weekdays: (random(256) | random(256)) as u8,
                flags: if daytime[0] >= daytime[1] {
                    CONTIGUOUS * random(2) as u8
                } else {
                    0
                },
                pad: 0,
            };
            let mut memory = [&moment.to_ne_bytes()[..], &[0; 8], rule.as_bytes()].concat();
            let answer = vm.execute_program(&mut memory).unwrap() != 0;
            assert_eq!(answer, holds(&rule, moment), "{rule:?} at {moment}");
            held += u32::from(answer);
        }
        assert!(held > 1000, "{held} only");
    }
}

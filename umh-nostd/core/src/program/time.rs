// SPDX-License-Identifier: GPL-2.0-only
//! The wall clock, for the match time.
//!
//! Owns: time_mt of xt_time.c. Programs can ask for atomic time alone. How far
//! that is ahead of the wall clock changes with leap seconds, or when somebody
//! tells the kernel at last how many there were; the kernel's timers know, and
//! each process has one. (The kernel's own match reads a wall clock that goes
//! on with the tick, and is up to a tick behind.)

use core::mem::offset_of;

use super::asm::{
    Cond, Item, Label, Reg, Size, add, add_imm, and_imm, bind, call, div_imm, insert, jump,
    jump_if, jump_if_imm, load, modulo_imm, mov, mul_imm, rsh, store, sub, sub_imm,
};
use super::kernel::{CLOCK_AHEAD, CLOCK_STRIDE, CLOCKS, TASK_CLOCK};
use super::ops::{PAYLOAD, of};
use super::{frame, label, shared};
use crate::extension::time::{CONTIGUOUS, Time};
use crate::ruleset::kind;

use Reg::{Fp, R0, R1, R2, R3, R4, R5};
use Size::{B1, B4, B8};

/// Helper function `bpf_get_current_task_btf`.
const TASK: i32 = 158;
/// Helper function `bpf_ktime_get_tai_ns`.
const ATOMIC_TIME: i32 = 208;

const NANOSECONDS: i32 = 1_000_000_000;
const DAY: i32 = 24 * 60 * 60;

const DATE: i16 = PAYLOAD + offset_of!(Time, date) as i16;
const DAYTIME: i16 = PAYLOAD + offset_of!(Time, daytime) as i16;
const MONTHDAYS: i16 = PAYLOAD + offset_of!(Time, monthdays) as i16;
const WEEKDAYS: i16 = PAYLOAD + offset_of!(Time, weekdays) as i16;
const FLAGS: i16 = PAYLOAD + offset_of!(Time, flags) as i16;

const OVER_MIDNIGHT: Label = Label(Label::LOCAL);
const CONTIGUOUS_OR_NOT: Label = Label(Label::LOCAL + 1);
const ON_THAT_DAY: Label = Label(Label::LOCAL + 2);

pub(super) const TIME: &[Item] = &[
    bind(of(kind::TIME)),
    call(TASK),
    load(B8, R1, R0, 0).at(TASK_CLOCK),
    load(B8, R1, R1, 0).at(CLOCKS),
    // HRTIMER_BASE_REALTIME
    add_imm(R1, 0).imm(CLOCK_STRIDE),
    load(B8, R2, R1, 0).at(CLOCK_AHEAD),
    // HRTIMER_BASE_TAI
    add_imm(R1, 0).imm(CLOCK_STRIDE),
    add_imm(R1, 0).imm(CLOCK_STRIDE),
    load(B8, R1, R1, 0).at(CLOCK_AHEAD),
    sub(R2, R1),
    store(B8, Fp, frame::SAVED, R2),
    call(ATOMIC_TIME),
    load(B8, R1, Fp, frame::SAVED),
    add(R0, R1),
    // R0 = seconds since 1970
    div_imm(R0, NANOSECONDS),
    insert(shared::THIS_OP),
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

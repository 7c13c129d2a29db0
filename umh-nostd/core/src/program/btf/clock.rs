// SPDX-License-Identifier: GPL-2.0-only
//! The wall clock.
//!
//! Programs can ask for atomic time alone. How far that is ahead of the wall
//! clock changes with leap seconds, or when somebody tells the kernel at last how
//! many there were; the kernel's timers know, and each process has one. (The
//! kernel's own match reads a wall clock that goes on with the tick, and is up to
//! a tick behind.)

use crate::program::prelude::*;
use crate::target::kernel::{CAST, CLOCK_AHEAD, CLOCK_STRIDE, CLOCKS, TASK_CLOCK, TASK_STRUCT};

/// Helper function `bpf_get_current_task_btf`.
const TASK: i32 = 158;
/// Helper function `bpf_ktime_get_tai_ns`.
const ATOMIC_TIME: i32 = 208;

const NANOSECONDS: i32 = 1_000_000_000;

/// R0 = seconds since 1970. R2 = the op at hand.
pub(in crate::program) const SECONDS: &[Item] = &[
    call(TASK),
    mov(R1, R0),
    mov_imm(R2, 0).imm(TASK_STRUCT),
    call_kfunc(CAST),
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
    store(B8, R6, frame::SAVED, R2),
    call(ATOMIC_TIME),
    load(B8, R1, R6, frame::SAVED),
    add(R0, R1),
    // R0 = seconds since 1970
    div_imm(R0, NANOSECONDS),
    insert(shared::THIS_OP),
];

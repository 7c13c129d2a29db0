// SPDX-License-Identifier: GPL-2.0-only
//! 32-bit ARM from ARMv7 on, by the calls of the EABI. Pages have 4 KiB.

use core::arch::{asm, naked_asm};

use super::{Call, Cpu, IN_A_ROW};

/// This CPU.
pub(crate) struct Arm;

impl Cpu for Arm {
    unsafe fn syscall(number: u32, args: [usize; 6]) -> isize {
        let [a, b, c, d, e, f] = args;
        let result;
        // SAFETY: the system call convention; all registers but r0 are kept.
        // The caller answers for what the call does to memory. The number goes
        // into r7, which the compiler may need as its frame pointer and does
        // not hand out; it has its own value again behind the call.
        unsafe {
            asm!(
                "mov {kept}, r7",
                "mov r7, {number}",
                "svc #0",
                "mov r7, {kept}",
                kept = out(reg) _,
                number = in(reg) number,
                inlateout("r0") a => result,
                in("r1") b,
                in("r2") c,
                in("r3") d,
                in("r4") e,
                in("r5") f,
                options(nostack),
            );
        }
        result
    }

    unsafe fn in_a_row(calls: &[Call; IN_A_ROW]) -> isize {
        // SAFETY: promised by the caller.
        unsafe { in_a_row(calls) }
    }
}

/// See [`Cpu::in_a_row`].
#[unsafe(naked)]
#[unsafe(link_section = ".text.wait")]
unsafe extern "C" fn in_a_row(calls: &[Call; IN_A_ROW]) -> isize {
    naked_asm!(
        // A system call leaves all but r0 as they are.
        "push {{r7, lr}}",
        "mov r12, r0",
        "mov lr, #{count}",
        "2:",
        "ldm r12!, {{r0, r1, r2, r7}}",
        "svc #0",
        "subs lr, lr, #1",
        "bne 2b",
        "pop {{r7, pc}}",
        count = const IN_A_ROW,
    )
}

/// The kernel enters with a stack aligned to 8.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        core::arch::naked_asm!(
            "mov r11, #0",
            "mov r7, #0",
            "mov lr, #0",
            "mov r0, sp",
            "bl {main}",
            "udf #0",
            main = sym $main,
        )
    };
}

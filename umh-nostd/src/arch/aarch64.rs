// SPDX-License-Identifier: GPL-2.0-only
//! 64-bit ARM, whose kernels have pages of 4, 16 or 64 KiB.

use core::arch::{asm, naked_asm};

use super::{Call, Cpu, IN_A_ROW};

/// This CPU.
pub(crate) struct Aarch64;

impl Cpu for Aarch64 {
    unsafe fn syscall(number: u32, args: [usize; 6]) -> isize {
        let [a, b, c, d, e, f] = args;
        let result;
        // SAFETY: the system call convention; all registers but x0 are kept.
        // The caller answers for what the call does to memory.
        unsafe {
            asm!(
                "svc #0",
                in("x8") number as usize,
                inlateout("x0") a => result,
                in("x1") b,
                in("x2") c,
                in("x3") d,
                in("x4") e,
                in("x5") f,
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
        // A system call leaves all but x0 as they are.
        "mov x9, x0",
        "mov w10, #{count}",
        "2:",
        "ldp x0, x1, [x9], #16",
        "ldp x2, x8, [x9], #16",
        "svc #0",
        "subs w10, w10, #1",
        "b.ne 2b",
        "ret",
        count = const IN_A_ROW,
    )
}

/// The kernel enters with a stack aligned to 16.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        core::arch::naked_asm!(
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, sp",
            "bl {main}",
            "brk #1",
            main = sym $main,
        )
    };
}

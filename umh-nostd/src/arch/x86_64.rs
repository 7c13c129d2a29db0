// SPDX-License-Identifier: GPL-2.0-only
//! x86-64. Pages have 4 KiB.

use core::arch::{asm, naked_asm};

use super::{Call, Cpu, IN_A_ROW};

/// This CPU.
pub(crate) struct X86_64;

impl Cpu for X86_64 {
    unsafe fn syscall(number: u32, args: [usize; 6]) -> isize {
        let [a, b, c, d, e, f] = args;
        let result;
        // SAFETY: the system call convention; rcx and r11 are overwritten by
        // the instruction, all other registers are kept. The caller answers
        // for what the call does to memory.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number as usize => result,
                in("rdi") a,
                in("rsi") b,
                in("rdx") c,
                in("r10") d,
                in("r8") e,
                in("r9") f,
                lateout("rcx") _,
                lateout("r11") _,
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
        // A system call leaves all but rax, rcx and r11 as they are.
        "mov r8, rdi",
        "mov r9d, {count}",
        "2:",
        "mov rdi, [r8]",
        "mov rsi, [r8 + 8]",
        "mov rdx, [r8 + 16]",
        "mov rax, [r8 + 24]",
        "syscall",
        "add r8, 32",
        "dec r9d",
        "jnz 2b",
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
            "xor ebp, ebp",
            "mov rdi, rsp",
            "call {main}",
            "ud2",
            main = sym $main,
        )
    };
}

// SPDX-License-Identifier: GPL-2.0-only
//! x86_64: system calls, the entry point, and mem*.

use core::arch::{asm, naked_asm};

/// One system call.
///
/// # Safety
///
/// That of the call itself: each argument that is a pointer must point at
/// memory which the kernel may read or write as this call does.
pub(crate) unsafe fn syscall6(number: u32, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result;
    // SAFETY: the x86_64 system call convention; rcx and r11 are overwritten
    // by the instruction, all other registers are kept. The caller answers
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

/// Reads from fd 0, after the pages of the program's text and of the unused
/// stack were given back. Returns like the system call.
///
/// It lies on the first page (`linker.ld`) and touches no other, so that
/// while it waits this page is all of the text that is in memory. When it
/// returns, the rest comes back from the file by page faults.
///
/// # Safety
///
/// `text..text + text_len` must be pages that are mapped from a file, not
/// writable, and not this function's own; `into` must be writable for `len`
/// bytes.
#[unsafe(naked)]
#[unsafe(link_section = ".text.read_small")]
pub(crate) unsafe extern "C" fn read_small(
    text: usize,
    text_len: usize,
    into: *mut u8,
    len: usize,
) -> isize {
    naked_asm!(
        // A system call leaves all but rax, rcx and r11 as they are.
        "mov r8, rdx",
        "mov r9, rcx",
        // madvise(text, text_len, MADV_DONTNEED)
        "mov edx, 4",
        "mov eax, 28",
        "syscall",
        // The same for the stack, from 260 KiB below its end to a page below;
        // where it was never that deep there is nothing to give back.
        "lea rdi, [rsp - 0x41000]",
        "and rdi, -0x1000",
        "mov esi, 0x40000",
        "mov eax, 28",
        "syscall",
        // read(0, into, len)
        "xor edi, edi",
        "mov rsi, r8",
        "mov rdx, r9",
        "xor eax, eax",
        "syscall",
        "ret",
    )
}

/// The symbols that a libc would bring: `_start`, which calls `$main`, an
/// `extern "C" fn() -> !`, and what the compiler calls to move memory.
///
/// The memory functions are in assembly because a loop written in Rust would
/// be recognised and turned into a call to the very function it implements.
/// `rep` string moves are the smallest way and on all recent CPUs close to
/// the fastest.
#[macro_export]
macro_rules! runtime {
    ($main:path) => {
        core::arch::global_asm!(
            // The kernel enters with a 16-aligned stack and no return address.
            ".section .text._start, \"ax\", @progbits",
            ".globl _start",
            "_start:",
            "xor ebp, ebp",
            "call {main}",
            "ud2",
            // void *memcpy(void *to, const void *from, size_t n)
            ".section .text.memcpy, \"ax\", @progbits",
            ".globl memcpy",
            "memcpy:",
            "mov rax, rdi",
            "mov rcx, rdx",
            "rep movsb",
            "ret",
            // void *memmove(void *to, const void *from, size_t n)
            // Backwards only where a forward copy would overwrite its source.
            ".section .text.memmove, \"ax\", @progbits",
            ".globl memmove",
            "memmove:",
            "mov rax, rdi",
            "mov rcx, rdx",
            "sub rdi, rsi",
            "cmp rdi, rdx",
            "mov rdi, rax",
            "jb 2f",
            "rep movsb",
            "ret",
            "2:",
            "lea rdi, [rdi + rdx - 1]",
            "lea rsi, [rsi + rdx - 1]",
            "std",
            "rep movsb",
            "cld",
            "ret",
            // void *memset(void *to, int byte, size_t n)
            ".section .text.memset, \"ax\", @progbits",
            ".globl memset",
            "memset:",
            "mov r8, rdi",
            "mov eax, esi",
            "mov rcx, rdx",
            "rep stosb",
            "mov rax, r8",
            "ret",
            // int memcmp(const void *a, const void *b, size_t n), and bcmp
            ".section .text.memcmp, \"ax\", @progbits",
            ".globl memcmp",
            ".globl bcmp",
            "memcmp:",
            "bcmp:",
            "xor eax, eax",
            "2:",
            "sub rdx, 1",
            "jb 3f",
            "movzx eax, byte ptr [rdi]",
            "movzx ecx, byte ptr [rsi]",
            "inc rdi",
            "inc rsi",
            "sub eax, ecx",
            "je 2b",
            "3:",
            "ret",
            ".text",
            main = sym $main,
        );
    };
}

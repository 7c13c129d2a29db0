// SPDX-License-Identifier: GPL-2.0-only
//! What depends on the CPU.
//!
//! Owns: the trait [`Cpu`], with one file for each CPU that implements it, and
//! what a program needs that has no libc: [`runtime!`](crate::runtime), which the binary
//! invokes once. Leaves to `linux` what the calls mean, and to
//! `linker.ld`, which is the same for all CPUs, where the program lies.
//!
//! How another CPU is added is written in `docs/adding.md`.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "arm")]
mod arm;
#[doc(hidden)]
pub mod memory;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::Aarch64 as Native;
#[cfg(target_arch = "arm")]
pub(crate) use arm::Arm as Native;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::X86_64 as Native;

#[cfg(not(any(target_arch = "aarch64", target_arch = "arm", target_arch = "x86_64")))]
compile_error!("the helper has no runtime for this CPU yet: add src/arch/<name>.rs");

/// What the helper needs of a CPU. Beside it a CPU's file has the macro
/// `entry!`, the instructions of `_start`.
pub(crate) trait Cpu {
    /// One system call, which returns a negative errno if it fails.
    ///
    /// # Safety
    ///
    /// That of the call itself: each argument that is a pointer must point at
    /// memory which the kernel may read or write as this call does.
    unsafe fn syscall(number: u32, args: [usize; 6]) -> isize;

    /// Some system calls one after the other, by code on the page that
    /// `linker.ld` keeps for it: no other page of the text is touched between
    /// the first call and the return. Returns what the last one does.
    ///
    /// # Safety
    ///
    /// That of all the calls. None may take away `calls` or what is at and above the
    /// caller's part of the stack.
    unsafe fn in_a_row(calls: &[Call; IN_A_ROW]) -> isize;
}

/// How many calls [`Cpu::in_a_row`] makes.
pub(crate) const IN_A_ROW: usize = 3;

/// A system call of three arguments, as [`Cpu::in_a_row`] loads it into
/// registers.
#[repr(C)]
pub(crate) struct Call {
    pub(crate) args: [usize; 3],
    pub(crate) number: usize,
}

/// The symbols that a libc would bring: `_start`, which calls `$main`, an
/// `unsafe extern "C" fn(*const usize) -> !`, with the stack pointer that the
/// kernel has left, and what the compiler calls to move memory.
///
/// (A macro, because a test or fuzz target that links this library has these
/// symbols from its libc.)
#[macro_export]
macro_rules! runtime {
    ($main:path) => {
        /// Where the kernel enters the program: there is no return address and
        /// no caller.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            $crate::entry!($main)
        }

        $crate::memory_functions! {
            memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
            memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
            memset(to: *mut u8, byte: i32, len: usize) -> *mut u8;
            memcmp(a: *const u8, b: *const u8, len: usize) -> i32;
            bcmp(a: *const u8, b: *const u8, len: usize) -> i32;
        }
    };
}

/// Functions of [`memory`] under the names that the compiler calls.
#[doc(hidden)]
#[macro_export]
macro_rules! memory_functions {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            /// C's.
            ///
            /// # Safety
            ///
            /// That of C's.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $type),*) -> $result {
                // SAFETY: promised by the caller.
                unsafe { $crate::arch::memory::$name($($arg),*) }
            }
        )*
    };
}

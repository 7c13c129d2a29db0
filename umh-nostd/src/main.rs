// SPDX-License-Identifier: GPL-2.0-only
//! `bpfilter_umh`: the helper inside the kernel image.
//!
//! Owns: what makes the library of this package a program without any libc:
//! the entry point, and what happens on a panic, which is that the program
//! does not link. A finished helper (`make umh`) has no path to a panic: the
//! handler calls a function that exists nowhere, so the linker finds any path
//! that the optimiser could not prove away. To see where such a path starts,
//! build with `--features panic-location` and look for its log line's callers.
#![no_std]
#![no_main]

umh_nostd::runtime!(main);

/// # Safety
///
/// To be called once, by `_start`, with the stack pointer that the kernel has left.
unsafe extern "C" fn main(stack: *const usize) -> ! {
    // The linker script's names for the text that may be dropped while the
    // helper waits.
    unsafe extern "C" {
        static __wait_end: u8;
        static __text_end: u8;
    }
    let text = (&raw const __wait_end).addr()..(&raw const __text_end).addr();
    // SAFETY: promised by `_start`.
    unsafe { umh_nostd::linux::main(stack, text) }
}

#[panic_handler]
#[cfg(not(feature = "panic-location"))]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn there_is_a_path_to_a_panic_in_the_helper() -> !;
    }
    there_is_a_path_to_a_panic_in_the_helper()
}

#[panic_handler]
#[cfg(feature = "panic-location")]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    umh_nostd::linux::panicked(info.location())
}

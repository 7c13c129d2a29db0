// SPDX-License-Identifier: GPL-2.0-only
//! Memory that is given back while no request comes.
//!
//! Owns: which pages these are, on kernels with pages of any size, and the read
//! that waits without them. Leaves to `arch` the code that makes the
//! calls, and to `linker.ld` where that lies.

use core::ops::Range;

use linux_raw_sys::auxvec::{AT_NULL, AT_PAGESZ};
use linux_raw_sys::general::{__NR_madvise, __NR_read, MADV_DONTNEED};
use umh_core::errno::Result;

use super::raw::result;
use crate::arch::{Call, Cpu, Native};

/// How much of the stack is given back, which is more than is ever used.
const STACK: usize = 256 << 10;

/// Pages that need not be there while the helper waits.
pub(super) struct Spare {
    /// The size of a page, less one.
    within: usize,
    text: Range<usize>,
}

impl Spare {
    /// # Safety
    ///
    /// `stack` must be the stack pointer with which the kernel has started this
    /// program. `text` must be text and constants of this program, behind
    /// what [`Cpu::in_a_row`] runs; and what lies on the last page of it must be
    /// text and constants, too, or nothing.
    pub(super) unsafe fn new(stack: *const usize, text: Range<usize>) -> Self {
        // SAFETY: promised by the caller.
        let within = unsafe { page_size(stack) }.wrapping_sub(1);
        let start = text.start.wrapping_add(within) & !within;
        Self {
            within,
            text: start..text.end.max(start),
        }
    }

    /// Reads from fd 0 while these pages are not there. They come back by page
    /// faults as they are touched, text from the file and the stack as zeros.
    /// The kernel refuses to take what is not mapped, and then nothing is lost.
    // In a frame of its own, so that all of the stack below it is free.
    #[inline(never)]
    pub(super) fn read(&self, into: &mut [u8]) -> Result<usize> {
        let give_back = |start, len| Call {
            args: [start, len, MADV_DONTNEED as usize],
            number: __NR_madvise as usize,
        };
        let mut calls = [
            give_back(self.text.start, self.text.len()),
            give_back(0, STACK),
            Call {
                args: [0, into.as_mut_ptr().expose_provenance(), into.len()],
                number: __NR_read as usize,
            },
        ];
        let [
            _,
            Call {
                args: [stack, ..], ..
            },
            _,
        ] = &mut calls;
        // From the page below the one of this frame downwards.
        let frame = (&raw const *stack).addr() & !self.within;
        *stack = frame
            .wrapping_sub(self.within)
            .wrapping_sub(1)
            .wrapping_sub(STACK);
        // SAFETY: the text comes back as it was, and `new` has left out the page
        // that makes the calls. The pages of the stack end a page below one with
        // a part of this function's frame, and this frame and the few words that
        // `in_a_row` keeps are smaller than a page. The kernel writes at
        // most `into.len()` bytes to `into`.
        result(unsafe { Native::in_a_row(&calls) })
    }
}

/// The size of a page, as the kernel says on the stack: behind the number of
/// arguments there are their addresses and a zero, those of the environment and
/// a zero, and pairs of a key and a value.
///
/// # Safety
///
/// That of [`Spare::new`], for `stack`.
unsafe fn page_size(stack: *const usize) -> usize {
    // SAFETY: nothing is read behind the pair that is the last one, nor behind
    // a zero that ends a list before the next one starts.
    unsafe {
        let mut at = stack.add(*stack).add(2);
        while *at != 0 {
            at = at.add(1);
        }
        at = at.add(1);
        while *at != AT_NULL as usize {
            if *at == AT_PAGESZ as usize {
                return *at.add(1);
            }
            at = at.add(2);
        }
    }
    // Every kernel says it. A page of this size has a size of 64 KiB at most.
    LARGEST_PAGE
}

/// The largest page that a kernel has.
const LARGEST_PAGE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_page_is_behind_arguments_and_environment() {
        let page = AT_PAGESZ as usize;
        let started = [2, 11, 12, 0, 21, 22, 23, 0, 25, 1, page, 0x4000, 0, 0];
        let nothing = [0, 0, 0, page, 0x1000, 0, 0];
        let unsaid = [0, 0, 0, 25, page, 0, 0];
        // SAFETY: all of them are made as the kernel makes them.
        let sizes =
            unsafe { [&started[..], &nothing, &unsaid].map(|stack| page_size(stack.as_ptr())) };
        assert_eq!(sizes, [0x4000, 0x1000, LARGEST_PAGE]);
    }
}

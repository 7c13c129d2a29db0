// SPDX-License-Identifier: GPL-2.0-only
//! What the compiler calls to move, set and compare memory, for every CPU.
//!
//! Owns: C's functions of these names, to which `runtime!` gives their symbols.
//! They go by words, which no address is too odd for: the CPUs of this folder
//! load and store words anywhere. In portable code, because copies are as fast
//! so as by the string instructions of x86-64 (measured from 8 bytes to a
//! megabyte; setting takes up to twice as long, which is rare), and a new CPU
//! needs none.
//!
//! The compiler knows such loops and makes them into a call of the very
//! function that they are in. [`plain`] in each keeps it from that. A value that
//! is larger than a word would be moved by such a call, too.

use core::arch::asm;
use core::ptr;

/// Bytes of a word.
const WORD: usize = size_of::<usize>();
/// Bytes of what is moved at once while there is as much.
const BLOCK: usize = 4 * WORD;

/// No instruction, and of a loop with it the compiler cannot say what it does.
#[inline(always)]
fn plain() {
    // SAFETY: it does nothing.
    unsafe { asm!("", options(nomem, nostack, preserves_flags)) }
}

/// The word at an address.
///
/// # Safety
///
/// It can be read.
#[inline(always)]
unsafe fn word(at: *const u8) -> usize {
    // SAFETY: promised by the caller.
    unsafe { ptr::read_unaligned(at.cast()) }
}

/// Writes a word.
///
/// # Safety
///
/// It can be written.
#[inline(always)]
unsafe fn put(at: *mut u8, word: usize) {
    // SAFETY: promised by the caller.
    unsafe { ptr::write_unaligned(at.cast(), word) }
}

/// Copies a block, all of which is read before any of it is written.
///
/// # Safety
///
/// A block can be read at `from` and written at `to`.
#[inline(always)]
unsafe fn block(to: *mut u8, from: *const u8) {
    // SAFETY: promised by the caller.
    unsafe {
        let a = word(from);
        let b = word(from.add(WORD));
        let c = word(from.add(2 * WORD));
        let d = word(from.add(3 * WORD));
        put(to, a);
        put(to.add(WORD), b);
        put(to.add(2 * WORD), c);
        put(to.add(3 * WORD), d);
    }
}

/// Copies, and `to` may lie below `from` and reach into it.
///
/// # Safety
///
/// `len` bytes at `from` can be read and at `to` written. `to` does not lie in
/// them, above `from`.
pub unsafe fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let mut at = 0;
    // SAFETY: `at` stays within `len`. What lies below has been read when it is
    // written to.
    unsafe {
        while len - at >= BLOCK {
            block(to.add(at), from.add(at));
            at += BLOCK;
            plain();
        }
        while len - at >= WORD {
            put(to.add(at), word(from.add(at)));
            at += WORD;
            plain();
        }
        while at < len {
            *to.add(at) = *from.add(at);
            at += 1;
            plain();
        }
    }
    to
}

/// Copies as if all were read before anything is written.
///
/// # Safety
///
/// `len` bytes at `from` can be read and at `to` written.
pub unsafe fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= len {
        // SAFETY: as above, and `to` is not above `from` in what is read.
        return unsafe { memcpy(to, from, len) };
    }
    let mut end = len;
    // SAFETY: `end` stays within `len`. What lies above has been read when it is
    // written to.
    unsafe {
        while end >= BLOCK {
            end -= BLOCK;
            block(to.add(end), from.add(end));
            plain();
        }
        while end >= WORD {
            end -= WORD;
            put(to.add(end), word(from.add(end)));
            plain();
        }
        while end > 0 {
            end -= 1;
            *to.add(end) = *from.add(end);
            plain();
        }
    }
    to
}

/// Sets bytes to the lowest eight bits of `byte`.
///
/// # Safety
///
/// `len` bytes at `to` can be written.
pub unsafe fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let [byte, ..] = byte.to_le_bytes();
    let word = usize::from_ne_bytes([byte; WORD]);
    let mut at = 0;
    // SAFETY: `at` stays within `len`.
    unsafe {
        while len - at >= BLOCK {
            put(to.add(at), word);
            put(to.add(at + WORD), word);
            put(to.add(at + 2 * WORD), word);
            put(to.add(at + 3 * WORD), word);
            at += BLOCK;
            plain();
        }
        while len - at >= WORD {
            put(to.add(at), word);
            at += WORD;
            plain();
        }
        while at < len {
            *to.add(at) = byte;
            at += 1;
            plain();
        }
    }
    to
}

/// The difference of the first bytes that differ, 0 if none do.
///
/// # Safety
///
/// `len` bytes at `a` and `b` can be read.
pub unsafe fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let mut at = 0;
    // SAFETY: `at` stays within `len`.
    unsafe {
        while at < len {
            let difference = i32::from(*a.add(at)) - i32::from(*b.add(at));
            if difference != 0 {
                return difference;
            }
            at += 1;
            plain();
        }
    }
    0
}

/// Whether two pieces of memory differ: not 0 if so.
///
/// # Safety
///
/// `len` bytes at `a` and `b` can be read.
pub unsafe fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: promised by the caller.
    unsafe { memcmp(a, b, len) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

    use super::*;

    /// Lengths around some words and blocks.
    fn lengths() -> impl Iterator<Item = usize> {
        0..9 * WORD + 2
    }

    fn numbered() -> [u8; 120] {
        core::array::from_fn(|at| at as u8 + 1)
    }

    #[test]
    fn moves_are_those_of_slices() {
        for len in lengths() {
            for (from, to) in (0..40).flat_map(|from| (0..40).map(move |to| (from, to))) {
                let (mut ours, mut theirs) = (numbered(), numbered());
                theirs.copy_within(from..from + len, to);
                let start = ours.as_mut_ptr();
                // SAFETY: both lie in the array, which has 120 bytes.
                let returned = unsafe { memmove(start.add(to), start.add(from), len) };
                assert_eq!(returned, start.wrapping_add(to));
                assert_eq!(ours, theirs, "{len} bytes from {from} to {to}");
            }
        }
    }

    #[test]
    fn copies_write_their_length_and_no_more() {
        let from = numbered();
        for (len, at) in lengths().flat_map(|len| (0..WORD).map(move |at| (len, at))) {
            let (mut ours, mut theirs) = ([0; 120], [0; 120]);
            theirs[at..at + len].copy_from_slice(&from[at + 1..at + 1 + len]);
            // SAFETY: both lie in arrays of 120 bytes, and are different ones.
            unsafe { memcpy(ours.as_mut_ptr().add(at), from.as_ptr().add(at + 1), len) };
            assert_eq!(ours, theirs, "{len} bytes at {at}");
        }
    }

    #[test]
    fn sets_write_the_low_byte_and_no_more() {
        for (len, at) in lengths().flat_map(|len| (0..WORD).map(move |at| (len, at))) {
            let (mut ours, mut theirs) = (numbered(), numbered());
            theirs[at..at + len].fill(0xa5);
            // SAFETY: it lies in the array.
            unsafe { memset(ours.as_mut_ptr().add(at), 0x5a5_u16 as i32 | !0xfff, len) };
            assert_eq!(ours, theirs, "{len} bytes at {at}");
        }
    }

    #[test]
    fn compares_are_by_the_first_difference_and_unsigned() {
        for len in lengths() {
            let a = numbered();
            // SAFETY: all lie in arrays of 120 bytes.
            assert_eq!(unsafe { memcmp(a.as_ptr(), a.as_ptr(), len) }, 0);
            for at in 0..len {
                let mut b = a;
                b[at] = 0x80;
                b[len] = 0;
                // SAFETY: as above.
                let (less, more) = unsafe {
                    let (a, b) = (a.as_ptr(), b.as_ptr());
                    (memcmp(a, b, len), bcmp(b, a, len))
                };
                assert!(less < 0 && more > 0, "{len} bytes that differ at {at}");
            }
        }
    }
}

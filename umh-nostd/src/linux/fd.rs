// SPDX-License-Identifier: GPL-2.0-only
//! Descriptors that the helper owns.
//!
//! Owns: closing each once. rustix's own type is not used, because it asserts
//! that no system call returns descriptor -1, which the compiler cannot prove
//! and would make into a path to a panic.

use rustix::fd::BorrowedFd;

/// A descriptor that is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Fd(i32);

impl Fd {
    /// # Safety
    ///
    /// `number` must be an open descriptor that nothing else owns.
    pub(super) const unsafe fn own(number: i32) -> Self {
        Self(number)
    }

    /// The descriptor, as structures of the kernel have it.
    pub(super) fn raw(&self) -> i32 {
        self.0
    }

    /// The descriptor, as an argument of a raw call.
    pub(super) fn number(&self) -> usize {
        self.0 as usize
    }

    /// The descriptor, for a call of rustix.
    pub(super) fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: it is open as long as `self` lives. Open descriptors are
        // not negative, so the mask takes nothing away; it shows the compiler
        // that this is not -1.
        unsafe { BorrowedFd::borrow_raw(self.0 & i32::MAX) }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: `self` is the only owner and ends here.
        unsafe { rustix::io::close(self.0) };
    }
}

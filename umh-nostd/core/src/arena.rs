// SPDX-License-Identifier: GPL-2.0-only
//! Working memory without an allocator.
//!
//! Owns: handing out typed, zero-initialised slices from one byte slice.
//! The helper lends an anonymous mapping sized by the request; tests lend a
//! vector. Nothing is freed singly: the lender takes the whole back.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::errno::{Errno, Result};

/// A bump allocator over borrowed bytes, which must be zero at the start.
#[derive(Debug)]
pub struct Arena<'a> {
    rest: &'a mut [u8],
}

impl<'a> Arena<'a> {
    /// An arena over `bytes`. The slices that it hands out hold what the
    /// bytes hold: zeros, where the lender maps fresh memory.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A slice of `count` elements, or ENOMEM.
    pub fn slice<T>(&mut self, count: usize) -> Result<&'a mut [T]>
    where
        T: FromBytes + IntoBytes + Immutable + KnownLayout,
    {
        let align = align_of::<T>();
        let skip = self.rest.as_ptr().align_offset(align);
        let bytes = count.checked_mul(size_of::<T>()).ok_or(Errno::ENOMEM)?;
        let total = skip.checked_add(bytes).ok_or(Errno::ENOMEM)?;
        let rest = core::mem::take(&mut self.rest);
        if total > rest.len() {
            self.rest = rest;
            return Err(Errno::ENOMEM);
        }
        let (head, tail) = rest.split_at_mut_checked(total).ok_or(Errno::ENOMEM)?;
        self.rest = tail;
        let head = head.get_mut(skip..).ok_or(Errno::ENOMEM)?;
        <[T]>::mut_from_bytes_with_elems(head, count).map_err(|_| Errno::ENOMEM)
    }
}

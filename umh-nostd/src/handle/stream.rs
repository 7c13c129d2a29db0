// SPDX-License-Identifier: GPL-2.0-only
//! Much for the caller, with little memory and few system calls.

use umh_core::errno::{Errno, Result};

use super::Caller;
use crate::system::{System, UserAddr};

/// Bytes that are gathered before they are written.
const CHUNK: usize = 128 << 10;

/// Gathers pieces, each at most half a [`CHUNK`], and writes them to the
/// caller one behind the other.
pub(super) struct Stream<'a, S: System> {
    caller: &'a Caller<'a, S>,
    to: UserAddr,
    chunk: S::Memory,
    used: usize,
}

impl<'a, S: System> Stream<'a, S> {
    pub(super) fn new(caller: &'a Caller<'a, S>, to: UserAddr) -> Result<Self> {
        Ok(Self {
            caller,
            to,
            chunk: caller.system.memory(CHUNK)?,
            used: 0,
        })
    }

    /// Adds a copy of `piece`, and lends it to be changed.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<&mut [u8]> {
        if self.used.saturating_add(piece.len()) > CHUNK {
            self.flush()?;
        }
        let free = self.chunk.get_mut(self.used..).ok_or(Errno::EIO)?;
        let (copy, _) = free.split_at_mut_checked(piece.len()).ok_or(Errno::EIO)?;
        copy.copy_from_slice(piece);
        self.used += piece.len();
        Ok(copy)
    }

    /// Writes what is left. A stream that is dropped without loses it.
    pub(super) fn flush(&mut self) -> Result<()> {
        let bytes = self.chunk.get(..self.used).ok_or(Errno::EIO)?;
        self.caller.system.answer(self.to, bytes)?;
        self.to = self.to.at(self.used)?;
        self.used = 0;
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! A system made of vectors, for tests and fuzzing of the request handler.
//!
//! Owns: a caller whose memory is one vector at [`BASE`], and which changes
//! it between any two looks of the helper if it is asked to.

use std::cell::{Cell, RefCell};
use std::vec::Vec;

use umh_core::errno::{Errno, Result};

use crate::system::{System, Tid, UserAddr};

/// Where the caller's memory starts.
pub const BASE: u64 = 0x7f00_0000_0000;
/// The one caller that is alive.
pub const CALLER: Tid = Tid(4711);

/// See the module.
#[derive(Debug, Default)]
pub struct Fake {
    /// The caller's memory.
    pub memory: RefCell<Vec<u8>>,
    /// Bytes that are added to the memory after each look, over and over:
    /// what a hostile caller does. Empty for an honest one.
    pub noise: Vec<u8>,
    looks: Cell<usize>,
}

impl Fake {
    /// A system whose caller has these bytes at [`BASE`].
    pub fn new(memory: &[u8]) -> Self {
        Self {
            memory: RefCell::new(memory.to_vec()),
            ..Self::default()
        }
    }

    fn range(&self, caller: Tid, addr: UserAddr, len: usize) -> Result<core::ops::Range<usize>> {
        let start = addr.0.checked_sub(BASE).ok_or(Errno::EFAULT)?;
        let start = usize::try_from(start).map_err(|_| Errno::EFAULT)?;
        let end = start.checked_add(len).ok_or(Errno::EFAULT)?;
        if caller != CALLER || end > self.memory.borrow().len() {
            return Err(Errno::EFAULT);
        }
        Ok(start..end)
    }

    fn tick(&self) {
        let look = self.looks.get();
        self.looks.set(look + 1);
        if let Some(add) = self.noise.get(look % self.noise.len().max(1)) {
            for byte in self
                .memory
                .borrow_mut()
                .iter_mut()
                .skip(look % 8)
                .step_by(8)
            {
                *byte = byte.wrapping_add(*add);
            }
        }
    }
}

impl System for Fake {
    fn read(&self, caller: Tid, addr: UserAddr, into: &mut [u8]) -> Result<()> {
        let range = self.range(caller, addr, into.len())?;
        into.copy_from_slice(self.memory.borrow().get(range).ok_or(Errno::EFAULT)?);
        self.tick();
        Ok(())
    }

    fn write(&self, caller: Tid, addr: UserAddr, from: &[u8]) -> Result<()> {
        let range = self.range(caller, addr, from.len())?;
        let mut memory = self.memory.borrow_mut();
        memory
            .get_mut(range)
            .ok_or(Errno::EFAULT)?
            .copy_from_slice(from);
        drop(memory);
        self.tick();
        Ok(())
    }
}

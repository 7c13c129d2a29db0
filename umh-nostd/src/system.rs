// SPDX-License-Identifier: GPL-2.0-only
//! What the helper asks of the kernel.
//!
//! Owns: the line between the request handler and the outside. Every method
//! is one effect; each can fail, and the caller's memory can change between
//! any two of them.

use umh_core::errno::{Errno, Result};

/// Where in the caller's memory something lies: an allegation, and a number
/// of this process's only by accident. Only the kernel may follow it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UserAddr(pub u64);

impl UserAddr {
    /// The address `bytes` further on, EFAULT past the end of all memory.
    pub fn at(self, bytes: usize) -> Result<Self> {
        let sum = u64::try_from(bytes)
            .ok()
            .and_then(|n| self.0.checked_add(n));
        sum.map(Self).ok_or(Errno::EFAULT)
    }
}

/// The thread whose request is in progress, in the initial pid namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tid(pub u32);

/// The outside, as seen from one request.
pub trait System {
    /// Fills `into` from the caller's memory, whole or EFAULT.
    fn read(&self, caller: Tid, addr: UserAddr, into: &mut [u8]) -> Result<()>;

    /// Writes all of `from` to the caller's memory or gives EFAULT; what was
    /// written before the fault stays.
    fn write(&self, caller: Tid, addr: UserAddr, from: &[u8]) -> Result<()>;
}

// SPDX-License-Identifier: GPL-2.0-only
//! The caller's memory.
//!
//! Owns: whole copies made of partial ones. The kernel copies up to the first
//! page that is not there and says how far it came.

use umh_core::errno::{Errno, Result};

use super::raw;
use crate::system::{Tid, UserAddr};

/// See [`crate::system::System::read`].
pub(super) fn read(caller: Tid, addr: UserAddr, into: &mut [u8]) -> Result<()> {
    let mut done = 0;
    while let Some(rest @ [_, ..]) = into.get_mut(done..) {
        done = progress(done, raw::process_vm_readv(caller, addr.at(done)?, rest))?;
    }
    Ok(())
}

/// See [`crate::system::System::write`].
pub(super) fn write(caller: Tid, addr: UserAddr, from: &[u8]) -> Result<()> {
    let mut done = 0;
    while let Some(rest @ [_, ..]) = from.get(done..) {
        done = progress(done, raw::process_vm_writev(caller, addr.at(done)?, rest))?;
    }
    Ok(())
}

/// How far one more copy has come. EFAULT for all that can go wrong: the
/// memory is not there, the caller is not there any more, or the helper may
/// not look at it.
fn progress(done: usize, copied: Result<usize>) -> Result<usize> {
    match copied {
        Ok(1..) => copied.map(|n| done.saturating_add(n)),
        Err(Errno::EINTR) => Ok(done),
        _ => Err(Errno::EFAULT),
    }
}

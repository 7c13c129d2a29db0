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

#[cfg(test)]
mod tests {
    use super::*;

    /// This process is its own caller.
    fn me() -> Tid {
        Tid(std::process::id())
    }

    fn addr(bytes: &[u8]) -> UserAddr {
        UserAddr(bytes.as_ptr().expose_provenance() as u64)
    }

    #[test]
    fn copies_both_ways() {
        let there = vec![7; 3 << 20];
        let mut here = vec![0; there.len()];
        assert_eq!(read(me(), addr(&there), &mut here), Ok(()));
        assert_eq!(here, there);
        here.fill(9);
        assert_eq!(write(me(), addr(&there), &here), Ok(()));
        assert_eq!(std::hint::black_box(&there), &here);
        assert_eq!(read(me(), UserAddr(0), &mut []), Ok(()));
    }

    #[test]
    fn a_bad_address_or_caller_is_efault() {
        let mut here = [0; 16];
        let from = [1; 16];
        for bad in [0, 8, u64::MAX, u64::MAX - 8, 1 << 63] {
            assert_eq!(read(me(), UserAddr(bad), &mut here), Err(Errno::EFAULT));
            assert_eq!(write(me(), UserAddr(bad), &from), Err(Errno::EFAULT));
        }
        for nobody in [0, u32::MAX, 1 << 22] {
            assert_eq!(
                read(Tid(nobody), addr(&from), &mut here),
                Err(Errno::EFAULT)
            );
        }
    }
}

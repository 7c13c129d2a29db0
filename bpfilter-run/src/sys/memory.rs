// SPDX-License-Identifier: GPL-2.0-only
//! Another thread's memory, with the page protections that its own kernel
//! would honour (a read-only page cannot be written).

use std::io;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::seccomp::Tid;

/// Reads a `T` at `addr`; EFAULT unless all of it is readable.
pub(crate) fn read<T>(tid: Tid, addr: u64) -> io::Result<T>
where
    T: FromBytes + IntoBytes + Immutable + KnownLayout,
{
    let mut value = T::new_zeroed();
    let bytes = value.as_mut_bytes();
    let local = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let remote = remote(addr, bytes.len())?;
    // SAFETY: `local` is one exclusive buffer that outlives the call; the
    // remote address is only ever used by the kernel, which checks it.
    let got = unsafe { libc::process_vm_readv(tid.raw(), &local, 1, &remote, 1, 0) };
    whole(got, size_of::<T>())?;
    Ok(value)
}

/// Fills `bytes` from `addr` on, as far as memory is there; how far.
pub(crate) fn read_some(tid: Tid, addr: u64, bytes: &mut [u8]) -> usize {
    let mut done = 0;
    while let Some(rest @ [_, ..]) = bytes.get_mut(done..) {
        let local = libc::iovec {
            iov_base: rest.as_mut_ptr().cast(),
            iov_len: rest.len(),
        };
        let Ok(remote) = remote(addr.saturating_add(done as u64), rest.len()) else {
            break;
        };
        // SAFETY: `local` is one exclusive buffer that outlives the call; the
        // remote address is only ever used by the kernel, which checks it.
        let got = unsafe { libc::process_vm_readv(tid.raw(), &local, 1, &remote, 1, 0) };
        match usize::try_from(got) {
            Ok(got @ 1..) => done += got,
            _ => break,
        }
    }
    done
}

/// Writes `bytes` at `addr`; EFAULT unless all of it is writable.
pub(crate) fn write_all(tid: Tid, addr: u64, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest @ [_, ..]) = bytes.get(done..) {
        let local = libc::iovec {
            iov_base: rest.as_ptr().cast_mut().cast(),
            iov_len: rest.len(),
        };
        let remote = remote(addr.saturating_add(done as u64), rest.len())?;
        // SAFETY: `local` is one live buffer that the call only reads; the remote
        // address is only ever used by the kernel, which checks it.
        let got = unsafe { libc::process_vm_writev(tid.raw(), &local, 1, &remote, 1, 0) };
        match usize::try_from(got) {
            Ok(got @ 1..) => done += got,
            _ => return Err(io::Error::from_raw_os_error(libc::EFAULT)),
        }
    }
    Ok(())
}

/// Writes `value` at `addr`; EFAULT unless all of it is writable.
pub(crate) fn write<T>(tid: Tid, addr: u64, value: &T) -> io::Result<()>
where
    T: IntoBytes + Immutable,
{
    let bytes = value.as_bytes();
    let local = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let remote = remote(addr, bytes.len())?;
    // SAFETY: `local` is one live buffer that the call only reads; the remote
    // address is only ever used by the kernel, which checks it.
    let got = unsafe { libc::process_vm_writev(tid.raw(), &local, 1, &remote, 1, 0) };
    whole(got, size_of::<T>())
}

fn remote(addr: u64, len: usize) -> io::Result<libc::iovec> {
    let addr = usize::try_from(addr).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    Ok(libc::iovec {
        iov_base: std::ptr::without_provenance_mut(addr),
        iov_len: len,
    })
}

fn whole(got: isize, want: usize) -> io::Result<()> {
    let got = super::check(got as i64)?;
    if got as usize == want {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EFAULT))
    }
}

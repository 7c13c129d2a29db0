// SPDX-License-Identifier: GPL-2.0-only
//! The system calls that rustix does not have, and those that open descriptors.
//!
//! Owns: every call that this program makes by number, each as a safe
//! function whose types rule out what would make it unsound.

use core::ffi::CStr;
use core::ptr;

use linux_raw_sys::general::{
    __NR_exit_group, __NR_fsmount, __NR_fsopen, __NR_openat, __NR_process_vm_readv,
    __NR_process_vm_writev, __NR_rt_sigaction, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, O_CLOEXEC,
    O_WRONLY, SIGPIPE,
};
use umh_core::errno::{Errno, Result};

use super::fd::Fd;
use crate::arch::syscall6;
use crate::system::{Tid, UserAddr};

/// A result as the kernel returns it: a count, or a negative errno.
fn result(ret: isize) -> Result<usize> {
    match Errno::from_raw(ret) {
        Some(errno) => Err(errno),
        None => Ok(ret.unsigned_abs()),
    }
}

/// A result that is a new descriptor.
///
/// # Safety
///
/// `ret` must come from a call that opens a descriptor.
unsafe fn opened(ret: isize) -> Result<Fd> {
    let number = i32::try_from(result(ret)?).map_err(|_| Errno::EIO)?;
    // SAFETY: the kernel has just opened it for us alone.
    Ok(unsafe { Fd::own(number) })
}

/// A new context for the file system called `name`.
pub(super) fn fsopen(name: &CStr) -> Result<Fd> {
    let args = [address(name), FSOPEN_CLOEXEC as usize, 0, 0, 0, 0];
    // SAFETY: `name` ends with a NUL and is read only.
    unsafe { opened(syscall6(__NR_fsopen, args)) }
}

/// A mount of `context` that is attached nowhere.
pub(super) fn fsmount(context: &Fd) -> Result<Fd> {
    let args = [context.number(), FSMOUNT_CLOEXEC as usize, 0, 0, 0, 0];
    // SAFETY: no memory is passed.
    unsafe { opened(syscall6(__NR_fsmount, args)) }
}

/// Opens `path` below `directory` for writing.
pub(super) fn openat_wronly(directory: &Fd, path: &CStr) -> Result<Fd> {
    let flags = O_WRONLY | O_CLOEXEC;
    let args = [directory.number(), address(path), flags as usize, 0, 0, 0];
    // SAFETY: `path` ends with a NUL and is read only.
    unsafe { opened(syscall6(__NR_openat, args)) }
}

fn address(text: &CStr) -> usize {
    text.as_ptr().expose_provenance()
}

/// Ends the helper.
pub(super) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: no memory is passed; the call does not return.
        unsafe { syscall6(__NR_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// A reply into a closed pipe shall be an error, not the end by a signal.
pub(super) fn ignore_sigpipe() {
    const SIG_IGN: usize = 1;
    // The kernel's `struct sigaction`: handler, flags, restorer, mask.
    let action = [SIG_IGN, 0, 0, 0];
    // SAFETY: `action` is as long as the kernel's structure with a mask of 8
    // bytes; it is read only, and names no function.
    unsafe {
        syscall6(
            __NR_rt_sigaction,
            [SIGPIPE as usize, action.as_ptr().addr(), 0, 8, 0, 0],
        );
    }
}

/// The `struct iovec` of one piece of memory, here or in the caller.
type Iovec = [usize; 2];

/// Copies from the caller's memory; the number of bytes that were copied.
pub(super) fn process_vm_readv(from: Tid, addr: UserAddr, into: &mut [u8]) -> Result<usize> {
    let local: Iovec = [into.as_mut_ptr().expose_provenance(), into.len()];
    let remote: Iovec = [addr.0 as usize, into.len()];
    // SAFETY: the call writes at most `into.len()` bytes to `into`, which is
    // borrowed mutably; `remote` is an address in another process, which the
    // kernel checks.
    unsafe { process_vm(__NR_process_vm_readv, from, &local, &remote) }
}

/// Copies to the caller's memory; the number of bytes that were copied.
pub(super) fn process_vm_writev(to: Tid, addr: UserAddr, from: &[u8]) -> Result<usize> {
    let local: Iovec = [from.as_ptr().expose_provenance(), from.len()];
    let remote: Iovec = [addr.0 as usize, from.len()];
    // SAFETY: the call only reads `from`; the kernel checks `remote`. The
    // helper's own thread is never the caller: it waits for requests.
    unsafe { process_vm(__NR_process_vm_writev, to, &local, &remote) }
}

/// # Safety
///
/// `local` must be memory that the call may read or write, as it does.
unsafe fn process_vm(number: u32, tid: Tid, local: &Iovec, remote: &Iovec) -> Result<usize> {
    let args = [
        tid.0 as usize,
        ptr::from_ref(local).expose_provenance(),
        1,
        ptr::from_ref(remote).expose_provenance(),
        1,
        0,
    ];
    // SAFETY: both vectors live until the call returns and are read only;
    // the caller of this function answers for what `local` names.
    result(unsafe { syscall6(number, args) })
}

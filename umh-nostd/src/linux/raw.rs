// SPDX-License-Identifier: GPL-2.0-only
//! The system calls that rustix does not have, and those that open descriptors.
//!
//! Owns: every call that this program makes by number (but for the wait, `spare`), each as a safe
//! function whose types rule out what would make it unsound.

use core::ffi::CStr;
use core::ptr;

use bpf_abi::Command;
use bpfilter_msgfmt::{Answer, Extension, SO_ANSWER, SO_EXTENSION};
#[cfg(feature = "links")]
use linux_raw_sys::general::__NR_sysinfo;
use linux_raw_sys::general::{
    __NR_bpf, __NR_exit_group, __NR_fsmount, __NR_fsopen, __NR_getsockopt, __NR_memfd_create,
    __NR_mknodat, __NR_openat, __NR_rt_sigaction, __NR_setsockopt, __NR_socket, FSMOUNT_CLOEXEC,
    FSOPEN_CLOEXEC, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_NOEXEC_SEAL, O_CLOEXEC, O_WRONLY, S_IFCHR,
    SIGPIPE,
};
use linux_raw_sys::net::{AF_INET, SOCK_DGRAM};
use umh_core::abi::TableSpec;
use umh_core::errno::{Errno, Result};
use zerocopy::{FromBytes, IntoBytes};

use super::fd::Fd;
use crate::arch::{Cpu, Native};
use crate::system::UserAddr;

/// The level of all socket options here.
const SOL_IP: usize = 0;

/// A result as the kernel returns it: a count, or a negative errno.
pub(super) fn result(ret: isize) -> Result<usize> {
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
    unsafe { opened(Native::syscall(__NR_fsopen, args)) }
}

/// A mount of `context` that is attached nowhere.
pub(super) fn fsmount(context: &Fd) -> Result<Fd> {
    let args = [context.number(), FSMOUNT_CLOEXEC as usize, 0, 0, 0, 0];
    // SAFETY: no memory is passed.
    unsafe { opened(Native::syscall(__NR_fsmount, args)) }
}

/// Makes a character device node called `path` in `directory`.
pub(super) fn mknodat_char(directory: &Fd, path: &CStr, device: usize) -> Result<()> {
    let mode = S_IFCHR | 0o200;
    let args = [
        directory.number(),
        address(path),
        mode as usize,
        device,
        0,
        0,
    ];
    // SAFETY: `path` ends with a NUL and is read only.
    result(unsafe { Native::syscall(__NR_mknodat, args) }).map(drop)
}

/// Opens `path` below `directory` for writing.
pub(super) fn openat_wronly(directory: &Fd, path: &CStr) -> Result<Fd> {
    let flags = O_WRONLY | O_CLOEXEC;
    let args = [directory.number(), address(path), flags as usize, 0, 0, 0];
    // SAFETY: `path` ends with a NUL and is read only.
    unsafe { opened(Native::syscall(__NR_openat, args)) }
}

/// A file in memory that can be sealed, and never run.
pub(super) fn memfd_create(name: &CStr) -> Result<Fd> {
    let flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL;
    let args = [address(name), flags as usize, 0, 0, 0, 0];
    // SAFETY: `name` ends with a NUL and is read only.
    unsafe { opened(Native::syscall(__NR_memfd_create, args)) }
}

/// A socket that is good for socket options and nothing else is done with.
pub(super) fn datagram_socket() -> Result<Fd> {
    // SOCK_CLOEXEC is O_CLOEXEC, on every CPU.
    let kind = SOCK_DGRAM | O_CLOEXEC;
    let args = [AF_INET as usize, kind as usize, 0, 0, 0, 0];
    // SAFETY: no memory is passed.
    unsafe { opened(Native::syscall(__NR_socket, args)) }
}

/// `getsockopt(SOL_IP, option)`, which reads `value` and fills all of it.
pub(super) fn get_option<T: FromBytes + IntoBytes>(
    socket: &Fd,
    option: u32,
    value: &mut T,
) -> Result<()> {
    let mut len = size_of::<T>() as u32;
    let args = [
        socket.number(),
        SOL_IP,
        option as usize,
        ptr::from_mut(value).expose_provenance(),
        (&raw mut len).expose_provenance(),
        0,
    ];
    // SAFETY: `len` says how many bytes may be written to `value`, of which
    // all values are valid; both are live and borrowed by nothing else.
    result(unsafe { Native::syscall(__NR_getsockopt, args) })?;
    if len as usize == size_of::<T>() {
        Ok(())
    } else {
        Err(Errno::EIO)
    }
}

/// `setsockopt(SOL_IP, BPFILTER_SO_EXTENSION)`: the number of the match or
/// target at `at` of `entry`, a rule of `table`, whose data the kernel half changes. It ends within
/// its entry, as `entry` has passed the checks of all sizes.
pub(super) fn extension(
    socket: &Fd,
    table: &TableSpec,
    entry: &mut [u8],
    at: usize,
) -> Result<u32> {
    let value = Extension {
        family: table.family.number(),
        table: table.kind as u32,
        entry: entry.as_mut_ptr().expose_provenance() as u64,
        offset: at as u64,
    };
    let index = set_option(socket, SO_EXTENSION, value.as_bytes())?;
    u32::try_from(index).map_err(|_| Errno::EIO)
}

/// `setsockopt(SOL_IP, BPFILTER_SO_ANSWER)`: bytes for the caller.
pub(super) fn answer(socket: &Fd, to: UserAddr, bytes: &[u8]) -> Result<()> {
    let value = Answer {
        to: to.0,
        from: bytes.as_ptr().expose_provenance() as u64,
        len: bytes.len() as u64,
    };
    set_option(socket, SO_ANSWER, value.as_bytes()).map(drop)
}

/// `setsockopt(SOL_IP, option)`.
pub(super) fn set_option(socket: &Fd, option: u32, value: &[u8]) -> Result<usize> {
    let args = [
        socket.number(),
        SOL_IP,
        option as usize,
        value.as_ptr().expose_provenance(),
        value.len(),
        0,
    ];
    // SAFETY: `value` is read only, within its length. What it names is for its
    // caller to answer for.
    result(unsafe { Native::syscall(__NR_setsockopt, args) })
}

#[cfg(feature = "links")]
/// A bpf(2) command.
///
/// # Safety
///
/// Addresses in `attr` must name memory that the command may read or write as
/// it does.
pub(super) unsafe fn bpf<T: FromBytes + IntoBytes>(
    command: Command,
    attr: &mut T,
) -> Result<usize> {
    // SAFETY: promised by the caller of this function.
    result(unsafe { bpf_call(command, attr) })
}

/// A bpf(2) command that opens a descriptor.
///
/// # Safety
///
/// That of [`bpf`], and that the command does open one.
pub(super) unsafe fn bpf_open<T: FromBytes + IntoBytes>(
    command: Command,
    attr: &mut T,
) -> Result<Fd> {
    // SAFETY: promised by the caller of this function.
    unsafe { opened(bpf_call(command, attr)) }
}

/// # Safety
///
/// That of [`bpf`].
unsafe fn bpf_call<T: FromBytes + IntoBytes>(command: Command, attr: &mut T) -> isize {
    let address = ptr::from_mut(attr).expose_provenance();
    let args = [command as usize, address, size_of::<T>(), 0, 0, 0];
    // SAFETY: `attr` is live, as long as it is said to be, and of a type that
    // takes any bytes which the command may write; the rest is promised by
    // the caller of this function.
    unsafe { Native::syscall(__NR_bpf, args) }
}

fn address(text: &CStr) -> usize {
    text.as_ptr().expose_provenance()
}

/// Bytes of memory that this machine has; 0 if they are not to be had.
#[cfg(feature = "links")]
pub(super) fn total_memory() -> u64 {
    // The kernel's `struct sysinfo`: this is the fifth number, in bytes on a
    // 64-bit machine.
    let mut info = [0u64; 14];
    let args = [info.as_mut_ptr().expose_provenance(), 0, 0, 0, 0, 0];
    // SAFETY: `info` is as long as the kernel's structure, which is all that
    // the call writes.
    unsafe { Native::syscall(__NR_sysinfo, args) };
    let [_, _, _, _, total, ..] = info;
    total
}

/// Ends the helper.
pub(super) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: no memory is passed; the call does not return.
        unsafe { Native::syscall(__NR_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// A reply into a closed pipe shall be an error, not the end by a signal.
pub(super) fn ignore_sigpipe() {
    const SIG_IGN: usize = 1;
    // The kernel's `struct sigaction`: handler, flags, restorer, and a mask of
    // one word or two.
    let action = [SIG_IGN, 0, 0, 0, 0];
    // SAFETY: `action` is at least as long as the kernel's structure with a mask
    // of 8 bytes; it is read only, and names no function.
    unsafe {
        Native::syscall(
            __NR_rt_sigaction,
            [SIGPIPE as usize, action.as_ptr().addr(), 0, 8, 0, 0],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The system calls that no safe crate offers.
//!
//! Owns: every `unsafe` block of this program, one small safe function around
//! each, and the layouts that these calls exchange. Leaves to others: when to
//! call them and what the answers mean.

pub(crate) mod bpf;
pub(crate) mod memory;
pub(crate) mod namespace;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod spawn;
pub(crate) mod table;

use std::io;

/// The result of a libc call that gives -1 for an error.
fn check(ret: i64) -> io::Result<i64> {
    if ret < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ret)
    }
}

/// Do this thread and this process share one table of descriptors?
pub(crate) fn same_descriptors(
    tid: seccomp::Tid,
    process: rustix::process::Pid,
) -> io::Result<bool> {
    const KCMP_FILES: libc::c_int = 2;
    let (one, two) = (tid.raw(), process.as_raw_nonzero().get());
    // SAFETY: takes numbers only.
    let ret = unsafe { libc::syscall(libc::SYS_kcmp, one, two, KCMP_FILES, 0, 0) };
    Ok(check(ret)? == 0)
}

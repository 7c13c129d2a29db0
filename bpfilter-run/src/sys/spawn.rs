// SPDX-License-Identifier: GPL-2.0-only
//! What a child does between fork and exec.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal};

use super::signal::Signals;

/// Gives the child the limit on open files and the signal mask that we found.
pub(crate) fn restore(command: &mut Command, files: Rlimit, signals: Signals) {
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            signals.release()?;
            Ok(rustix::process::setrlimit(Resource::Nofile, files)?)
        });
    }
}

/// Gives the child the signal mask that we found, takes it out of our session,
/// so that the terminal's signals and job control pass it by, gives it nothing
/// but its standard descriptors, and ends it with the thread that starts it.
pub(crate) fn detach(command: &mut Command, signals: Signals) {
    // SAFETY: the closure makes four system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            signals.release()?;
            rustix::process::setsid()?;
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            let (first, last) = (3u32, u32::MAX);
            super::check(libc::syscall(
                libc::SYS_close_range,
                first,
                last,
                libc::CLOSE_RANGE_CLOEXEC,
            ))?;
            Ok(())
        });
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The kernel that the helper runs on.
//!
//! Owns: the only system calls of this program, and its life: log, serve,
//! exit. Calls that rustix has are made through it, the others in [`raw`].

mod caller;
mod fd;
mod log;
mod raw;

use rustix::fd::BorrowedFd;
use rustix::io;
use umh_core::errno::{Errno, Result};

use crate::serve::{End, Mailbox, serve};
use crate::system::{System, Tid, UserAddr};
use log::Log;

/// The kernel of this machine.
struct Linux;

impl System for Linux {
    fn read(&self, caller: Tid, addr: UserAddr, into: &mut [u8]) -> Result<()> {
        caller::read(caller, addr, into)
    }

    fn write(&self, caller: Tid, addr: UserAddr, from: &[u8]) -> Result<()> {
        caller::write(caller, addr, from)
    }
}

/// fd 0 for requests, fd 1 for replies.
struct Pipes;

impl Mailbox for Pipes {
    fn read(&self, into: &mut [u8]) -> Result<usize> {
        // SAFETY: `main` promises that nothing closes fd 0.
        io::read(unsafe { BorrowedFd::borrow_raw(0) }, into).map_err(errno)
    }

    fn write(&self, from: &[u8]) -> Result<usize> {
        // SAFETY: `main` promises that nothing closes fd 1.
        io::write(unsafe { BorrowedFd::borrow_raw(1) }, from).map_err(errno)
    }
}

/// Lives the helper's whole life. Nothing in it closes fd 0 or 1.
pub fn main() -> ! {
    raw::ignore_sigpipe();
    let log = Log::open();
    log.notice("Started bpfilter");
    match serve(&Pipes, &Linux) {
        End::Closed => raw::exit(0),
        End::Invalid(len) => log.error(|line| line.text("invalid request of length ").number(len)),
        End::Broken(errno) => log.error(|line| {
            line.text("mailbox failed, errno ")
                .number(errno.number() as usize)
        }),
    }
    raw::exit(1)
}

/// Logs where a panic started, and ends the helper.
#[cfg(feature = "panic-location")]
pub fn panicked(location: Option<&core::panic::Location<'_>>) -> ! {
    Log::open().error(|line| match location {
        Some(at) => line
            .text("panic at ")
            .text(at.file())
            .text(":")
            .number(at.line() as usize),
        None => line.text("panic"),
    });
    raw::exit(101)
}

/// An errno of rustix as one of ours.
fn errno(errno: io::Errno) -> Errno {
    Errno::from_raw(-(errno.raw_os_error() as isize)).unwrap_or(Errno::EIO)
}

// SPDX-License-Identifier: GPL-2.0-only
//! The helper's log.
//!
//! Owns: where lines go, which is decided once at the start. To fd 2 if that
//! is open (`bpfilter-run`). Otherwise to the kernel's own log, by a device
//! node on a ramfs mount that no path leads to: it works before any root file
//! system is there, every kernel has ramfs, and nobody else sees the mount.
//! Where even that is refused, nowhere.

use core::ffi::CStr;

use rustix::fd::BorrowedFd;
use rustix::io::{fcntl_getfd, write};
use rustix::mount::fsconfig_create;
use umh_core::errno::{Errno, Result};
use umh_core::text::Text;

use super::fd::Fd;
use super::{errno, raw};

const RAMFS: &CStr = c"ramfs";
const KMSG: &CStr = c"kmsg";
/// Major 1 (memory devices), minor 11.
const KMSG_DEVICE: usize = 1 << 8 | 11;

/// Where lines go.
pub(super) enum Log {
    Stderr(BorrowedFd<'static>),
    Kmsg(Fd),
    Nowhere,
}

impl Log {
    /// To be called before anything else opens a descriptor, which could
    /// become fd 2.
    pub(super) fn open() -> Self {
        // SAFETY: the descriptor is only kept if it is open; nothing in the
        // helper closes it.
        let stderr = unsafe { BorrowedFd::borrow_raw(2) };
        if fcntl_getfd(stderr).is_ok() {
            return Self::Stderr(stderr);
        }
        open_kmsg().map_or(Self::Nowhere, Self::Kmsg)
    }

    /// A line that tells of the ordinary.
    pub(super) fn notice(&self, text: &str) {
        let mut line = Line::new("<5>");
        self.print(line.text(text));
    }

    /// A line that tells of a fault; it is given the helper's name.
    pub(super) fn error(&self, line: impl FnOnce(&mut Line) -> &mut Line) {
        self.print(line(&mut Line::error("")));
    }

    /// A line that cannot be written is lost: there is no one to tell.
    pub(super) fn print(&self, line: &mut Line) {
        let bytes = line.text("\n").0.as_bytes();
        let _ = match self {
            // The level in front is for the kernel alone.
            Self::Stderr(fd) => write(fd, bytes.get(3..).unwrap_or_default()),
            Self::Kmsg(fd) => write(fd.borrow(), bytes),
            Self::Nowhere => Ok(0),
        };
    }
}

fn open_kmsg() -> Result<Fd> {
    let context = raw::fsopen(RAMFS)?;
    fsconfig_create(context.borrow()).map_err(errno)?;
    let mount = raw::fsmount(&context)?;
    raw::mknodat_char(&mount, KMSG, KMSG_DEVICE)?;
    raw::openat_wronly(&mount, KMSG)
}

/// One line in the making.
pub(super) struct Line(Text);

impl Line {
    fn new(start: &str) -> Self {
        let mut line = Self(Text::default());
        line.text(start);
        line
    }

    /// A line that tells of a fault and starts with `text`.
    pub(super) fn error(text: &str) -> Self {
        let mut line = Self::new("<3>bpfilter: ");
        line.text(text);
        line
    }

    /// The line with `text` at its end.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.text(text);
        self
    }

    /// The line with `bytes` at its end.
    #[cfg(feature = "links")]
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.bytes(bytes);
        self
    }

    /// The line with the number of `errno` at its end.
    pub(super) fn errno(&mut self, errno: Errno) -> &mut Self {
        self.text(", errno ").number(errno.number() as usize)
    }

    /// The line with `number`, in decimal, at its end.
    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        self.0.number(number);
        self
    }
}

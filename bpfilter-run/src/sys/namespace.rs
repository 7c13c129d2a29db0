// SPDX-License-Identifier: GPL-2.0-only
//! Namespaces and how they hang together.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// `_IO(0xb7, 1)`: the user namespace that owns a namespace.
const NS_GET_USERNS: libc::c_ulong = 0xb701;
/// `_IO(0xb7, 2)`: the parent of a user namespace.
const NS_GET_PARENT: libc::c_ulong = 0xb702;
/// `_IO(0xb7, 4)`: the uid that made a user namespace.
const NS_GET_OWNER_UID: libc::c_ulong = 0xb704;
/// The network namespace of a socket.
const SIOCGSKNS: libc::c_ulong = 0x894c;

/// What tells namespaces apart while somebody holds them open.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct NamespaceId {
    dev: u64,
    ino: u64,
}

impl NamespaceId {
    /// Of the namespace that `path` (somewhere in procfs) leads to.
    pub(crate) fn of_path(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self {
            dev: meta.dev(),
            ino: meta.ino(),
        })
    }

    /// Its number, as procfs shows it.
    pub(crate) fn inode(self) -> u64 {
        self.ino
    }
}

/// An open namespace; it lives at least as long as this.
#[derive(Debug)]
pub(crate) struct Namespace(File);

impl Namespace {
    /// The network namespace of `socket`.
    pub(crate) fn of_socket(socket: BorrowedFd<'_>) -> io::Result<Self> {
        related(socket, SIOCGSKNS)
    }

    /// The user namespace that owns this one.
    pub(crate) fn owner(&self) -> io::Result<Self> {
        related(self.0.as_fd(), NS_GET_USERNS)
    }

    /// The parent of this user namespace; EPERM for the initial one.
    pub(crate) fn parent(&self) -> io::Result<Self> {
        related(self.0.as_fd(), NS_GET_PARENT)
    }

    /// The uid that made this user namespace.
    pub(crate) fn owner_uid(&self) -> io::Result<u32> {
        let mut uid: libc::uid_t = 0;
        // SAFETY: the request writes one uid_t to the pointer, which is live.
        let ret = unsafe { libc::ioctl(self.0.as_raw_fd(), NS_GET_OWNER_UID, &mut uid) };
        super::check(ret.into())?;
        Ok(uid)
    }

    /// Runs `f` in this network namespace.
    pub(crate) fn inside<T: Send>(
        &self,
        f: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        // A thread of its own, because its namespace ends with it.
        let moved = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.0.as_fd(), kind)?;
            f()
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, moved)?;
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread has panicked")))
        })
    }

    /// Its identity.
    pub(crate) fn id(&self) -> io::Result<NamespaceId> {
        let meta = self.0.metadata()?;
        Ok(NamespaceId {
            dev: meta.dev(),
            ino: meta.ino(),
        })
    }
}

fn related(fd: BorrowedFd<'_>, request: libc::c_ulong) -> io::Result<Namespace> {
    // SAFETY: these requests take no argument and give a new descriptor.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), request) };
    let new = super::check(ret.into())?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    let owned = unsafe { OwnedFd::from_raw_fd(new as i32) };
    Ok(Namespace(File::from(owned)))
}

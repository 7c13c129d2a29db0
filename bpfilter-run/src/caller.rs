// SPDX-License-Identifier: GPL-2.0-only
//! Who calls, on which socket, and whether they may.
//!
//! Owns: the caller's descriptor, the rule which sockets reach the options of
//! ip_tables, and `ns_capable(net->user_ns, CAP_NET_ADMIN)` seen from outside.
//! Everything here goes by thread id or by what was opened through one, so it
//! is only true if the notification is still alive afterwards.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::procfs::Status;
use crate::sys::namespace::{Namespace, NamespaceId};
use crate::sys::seccomp::Tid;

/// `PIDFD_THREAD`, since Linux 6.9.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);
/// `CAP_NET_ADMIN`.
const CAP_NET_ADMIN: u32 = 12;

/// A duplicate of the descriptor `fd` of thread `tid`.
pub(crate) fn descriptor(tid: Tid, fd: i32) -> io::Result<OwnedFd> {
    let task = match pidfd_open(tid.pid(), PIDFD_THREAD) {
        // Before 6.9 only the leader of a process can be named. Its
        // descriptors are its threads' too, unless one of them has split off.
        Err(rustix::io::Errno::INVAL) => {
            let leader = Status::of(tid.raw())?.number("Tgid", 0)?;
            let leader = i32::try_from(leader).ok().and_then(Pid::from_raw);
            let leader = leader.ok_or(io::ErrorKind::NotFound)?;
            // Of a leader itself there is nothing to compare, and no kcmp(2) is needed.
            if leader != tid.pid() && !crate::sys::same_descriptors(tid, leader)? {
                return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
            }
            pidfd_open(leader, PidfdFlags::empty())?
        }
        other => other?,
    };
    Ok(pidfd_getfd(&task, fd, PidfdGetfdFlags::empty())?)
}

/// Does level SOL_IP of this socket lead to ip_tables' options? So it does
/// where the protocol's setsockopt ends in the kernel's `ip_setsockopt`: all of
/// AF_INET but MPTCP, and AF_INET6 but for raw sockets and MPTCP.
pub(crate) fn reaches_ip_options(fd: impl AsFd) -> bool {
    let fd = fd.as_fd();
    let Ok(domain) = sockopt::socket_domain(fd) else {
        return false;
    };
    let mptcp = matches!(
        sockopt::socket_protocol(fd),
        Ok(Some(protocol)) if protocol == rustix::net::ipproto::MPTCP
    );
    match domain {
        AddressFamily::INET => !mptcp,
        AddressFamily::INET6 => !mptcp && !matches!(sockopt::socket_type(fd), Ok(SocketType::RAW)),
        _ => false,
    }
}

/// The errno for rules of thread `tid` that name users and groups as numbers of
/// the initial user namespace, if it must not load any in `net`: ip_tables
/// refuses them where the thread's user namespace does not own `net`, and
/// nobody here translates them from another one.
pub(crate) fn ids_refused(tid: Tid, net: &Namespace) -> io::Result<Option<i32>> {
    let home = NamespaceId::of_path(Path::new(&format!("/proc/{}/ns/user", tid.raw())))?;
    let owner = net.owner()?;
    if owner.id()? != home {
        return Ok(Some(libc::EINVAL));
    }
    match owner.parent() {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => Ok(None),
        Ok(_) => Ok(Some(libc::ENOENT)),
        Err(e) => Err(e),
    }
}

/// The kernel's `ns_capable(net->user_ns, CAP_NET_ADMIN)` for thread `tid`.
pub(crate) fn may_configure(tid: Tid, net: &Namespace) -> io::Result<bool> {
    let home = NamespaceId::of_path(Path::new(&format!("/proc/{}/ns/user", tid.raw())))?;
    let status = Status::of(tid.raw())?;
    let mut target = net.owner()?;
    loop {
        if target.id()? == home {
            return status.bit("CapEff", CAP_NET_ADMIN);
        }
        let parent = match target.parent() {
            Ok(parent) => parent,
            // The initial user namespace has no parent: the caller's is not
            // among the target's ancestors.
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => return Ok(false),
            Err(e) => return Err(e),
        };
        // Who made a namespace has all capabilities in it, from outside.
        // (Uid: real, effective, saved, file system.)
        if parent.id()? == home && target.owner_uid()? == status.number("Uid", 1)? {
            return Ok(true);
        }
        target = parent;
    }
}

/// Whether this kernel has an ip_tables of its own.
pub(crate) fn ip_tables_is_there() -> bool {
    std::path::Path::new("/proc/net/ip_tables_names").exists()
}

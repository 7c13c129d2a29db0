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
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

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
            let leader = status(tid)?.leader;
            let leader = rustix::process::Pid::from_raw(leader).ok_or(io::ErrorKind::NotFound)?;
            if !crate::sys::same_descriptors(tid, leader)? {
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

/// The kernel's `ns_capable(net->user_ns, CAP_NET_ADMIN)` for thread `tid`.
pub(crate) fn may_configure(tid: Tid, net: &Namespace) -> io::Result<bool> {
    let home = NamespaceId::of_path(Path::new(&format!("/proc/{}/ns/user", tid.raw())))?;
    let credentials = status(tid)?;
    let mut target = net.owner()?;
    loop {
        if target.id()? == home {
            return Ok(credentials.effective & (1 << CAP_NET_ADMIN) != 0);
        }
        let parent = match target.parent() {
            Ok(parent) => parent,
            // The initial user namespace has no parent: the caller's is not
            // among the target's ancestors.
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => return Ok(false),
            Err(e) => return Err(e),
        };
        // Who made a namespace has all capabilities in it, from outside.
        if parent.id()? == home && target.owner_uid()? == credentials.euid {
            return Ok(true);
        }
        target = parent;
    }
}

/// What `/proc/TID/status` says of a thread.
struct Status {
    leader: i32,
    euid: u32,
    effective: u64,
}

fn status(tid: Tid) -> io::Result<Status> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", tid.raw()))?;
    parse_status(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_status(text: &str) -> Option<Status> {
    let field = |name: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(value.trim())
    };
    Some(Status {
        leader: field("Tgid")?.parse().ok()?,
        // Real, effective, saved, file system.
        euid: field("Uid")?.split_whitespace().nth(1)?.parse().ok()?,
        effective: u64::from_str_radix(field("CapEff")?, 16).ok()?,
    })
}

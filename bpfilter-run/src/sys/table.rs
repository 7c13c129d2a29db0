// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's own table `filter`, which `/proc/net/ip_tables_names` is about.

use std::io;
use std::os::fd::AsRawFd;

use bpfilter_msgfmt as msg;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::namespace::Namespace;

/// Bytes of a `struct ipt_getinfo`.
const INFO: usize = 84;

/// Asks the kernel's ip_tables for its `filter` in `net`, so that it has one there
/// from now on, and lists it.
pub(crate) fn ask(net: &Namespace) -> io::Result<()> {
    let socket = net.inside(|| {
        let flags = SocketFlags::CLOEXEC;
        Ok(socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            flags,
            None,
        )?)
    })?;
    let mut info = [0u8; INFO];
    for (to, from) in info.iter_mut().zip(b"filter") {
        *to = *from;
    }
    let mut len = INFO as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `info`, which has so many, and
    // one number to `len`.
    let ret = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            msg::IPT_SO_GET_INFO as libc::c_int,
            info.as_mut_ptr().cast(),
            &mut len,
        )
    };
    super::check(ret.into()).map(drop)
}

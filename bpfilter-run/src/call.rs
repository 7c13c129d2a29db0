// SPDX-License-Identifier: GPL-2.0-only
//! A trapped system call, read as the get/setsockopt that it is.
//!
//! Owns: the way from registers (or socketcall's argument block) to one
//! [`Call`].

use std::io;

use bpfilter_msgfmt as msg;

use crate::filter::{Door, Entry, Options, SYS_GETSOCKOPT, SYS_SETSOCKOPT};
use crate::sys::memory;
use crate::sys::seccomp::{Notification, Tid};

/// get/setsockopt with its arguments, none of them checked yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Call {
    /// setsockopt, not getsockopt.
    pub(crate) is_set: bool,
    /// At level SOL_IPV6, not SOL_IP.
    pub(crate) is_ipv6: bool,
    /// Descriptor in the caller's table.
    pub(crate) fd: i32,
    /// The option.
    pub(crate) option: u32,
    /// The caller's `optval`.
    pub(crate) addr: u64,
    /// setsockopt: `optlen`; getsockopt: the caller's address of it.
    pub(crate) length: u64,
    /// How the caller's structures are laid out: `LAYOUT_*`.
    pub(crate) layout: u32,
}

impl Call {
    /// What the notification asks, or `None` if it is none of `options`
    /// after all (only socketcall's arguments are unknown to the filter).
    pub(crate) fn decode(
        notification: &Notification,
        tid: Tid,
        doors: &[Door],
        options: &Options,
    ) -> io::Result<Option<Self>> {
        let Some(door) = doors
            .iter()
            .find(|d| d.arch == notification.arch && d.nr == notification.nr)
        else {
            return Ok(None);
        };
        let [first, second, ..] = notification.args;
        let (is_set, [fd, level, option, addr, length]) = match door.entry {
            Entry::Set | Entry::Get => {
                let [fd, level, option, addr, length, _] = notification.args;
                (door.entry == Entry::Set, [fd, level, option, addr, length])
            }
            Entry::Multiplexed => {
                let block: [u32; 5] = memory::read(tid, second)?;
                match first as u32 {
                    SYS_SETSOCKOPT => (true, block.map(u64::from)),
                    SYS_GETSOCKOPT => (false, block.map(u64::from)),
                    _ => return Ok(None),
                }
            }
        };
        let option = option as u32;
        let range = match (level as i32, is_set) {
            (libc::SOL_IP, true) => &options.set,
            (libc::SOL_IP, false) => &options.get,
            (libc::SOL_IPV6, false) => &options.get_ipv6,
            _ => return Ok(None),
        };
        if !range.contains(&option) {
            return Ok(None);
        }
        Ok(Some(Self {
            is_set,
            is_ipv6: level as i32 == libc::SOL_IPV6,
            fd: fd as i32,
            option,
            addr,
            length,
            layout: door.layout,
        }))
    }

    /// Does it ask whether there is an extension?
    pub(crate) fn asks_revision(&self) -> bool {
        !self.is_set
            && matches!(
                self.option,
                msg::IPT_SO_GET_REVISION_MATCH | msg::IPT_SO_GET_REVISION_TARGET
            )
    }
}

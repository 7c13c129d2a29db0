// SPDX-License-Identifier: GPL-2.0-only
//! What a caller gives and what it gets, by copy.
//!
//! Owns: the copy of a caller's `optval` that is made before the helper hears of
//! the call, and what the helper puts down for the caller. So the helper never
//! waits for a caller's memory, nor sees it change.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use bpfilter_msgfmt as msg;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::call::Call;
use crate::sys::memory;
use crate::sys::seccomp::Tid;

/// The most bytes of a table that ip_tables takes: no more are ever looked at.
const LEN_MAX: u64 = 512 << 20;
/// How much is copied at a time.
const CHUNK: u64 = 1 << 20;

/// How many bytes stand before the entries or counters of each command, or are
/// all that it gives.
fn head_len(call: &Call) -> u64 {
    match (call.is_set, call.option) {
        (true, msg::IPT_SO_SET_REPLACE) => msg::HEAD_MAX as u64,
        (true, _) | (false, msg::IPT_SO_GET_ENTRIES) => 40,
        (false, msg::IPT_SO_GET_INFO) => 32,
        (false, _) => 30,
    }
}

/// What a caller's `optval` has held when the call came.
pub(crate) struct Optval {
    /// With no file in it.
    raw: msg::Optval,
    file: Option<File>,
}

impl Optval {
    /// Copies that of `call`, which is by thread `tid`.
    pub(crate) fn copy(call: &Call, tid: Tid, len: u32) -> Self {
        let mut raw = msg::Optval {
            len: 0,
            error: -libc::EFAULT,
            file: -1,
            family: libc::NFPROTO_IPV4 as u32,
            layout: call.layout,
            head: [0; msg::HEAD_MAX],
        };
        let wanted = head_len(call).min(len.into());
        let head = raw.head.get_mut(..wanted as usize).unwrap_or_default();
        raw.len = memory::read_some(tid, call.addr, head) as u64;
        let mut file = None;
        if call.is_set && raw.len == wanted && u64::from(len) > wanted {
            let rest = u64::from(len).min(LEN_MAX) - wanted;
            let head = raw.head.get(..wanted as usize).unwrap_or_default();
            match copy_rest(head, tid, call.addr.saturating_add(wanted), rest) {
                Ok((copied, there)) => {
                    raw.len += there;
                    file = Some(copied);
                }
                Err(_) => raw.error = -libc::ENOMEM,
            }
        }
        Self { raw, file }
    }

    /// Its first bytes, which begin with the name of the table.
    pub(crate) fn head(&self) -> [u8; msg::HEAD_MAX] {
        self.raw.head
    }

    /// It as the helper gets it, with a descriptor that `give` makes.
    pub(crate) fn give(
        &self,
        give: impl Fn(BorrowedFd<'_>) -> io::Result<i32>,
    ) -> io::Result<msg::Optval> {
        let file = match &self.file {
            Some(file) => give(file.as_fd())?,
            None => -1,
        };
        Ok(msg::Optval { file, ..self.raw })
    }
}

/// A file that starts with `head` and goes on with up to `len` bytes at `addr`,
/// and how many of these were there.
fn copy_rest(head: &[u8], tid: Tid, addr: u64, len: u64) -> io::Result<(File, u64)> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"bpfilter-optval", flags)?);
    file.write_all(head)?;
    let mut chunk = vec![0; len.min(CHUNK) as usize];
    let mut done = 0;
    while done < len {
        let now = (len - done).min(CHUNK) as usize;
        let bytes = chunk.get_mut(..now).unwrap_or_default();
        let there = memory::read_some(tid, addr.saturating_add(done), bytes);
        file.write_all(bytes.get(..there).unwrap_or_default())?;
        done += there as u64;
        if there < now {
            break;
        }
    }
    Ok((file, done))
}

/// What the helper has put down for a caller.
#[derive(Default)]
pub(crate) struct Answer {
    to: u64,
    bytes: Vec<u8>,
}

impl Answer {
    /// Adds what thread `tid` of the helper has.
    pub(crate) fn add(&mut self, tid: Tid, answer: &msg::Answer) -> io::Result<()> {
        let einval = || io::Error::from_raw_os_error(libc::EINVAL);
        if self.bytes.is_empty() {
            self.to = answer.to;
        }
        // Behind what was there before.
        if self.to.checked_add(self.bytes.len() as u64) != Some(answer.to) || answer.len > LEN_MAX {
            return Err(einval());
        }
        let before = self.bytes.len();
        let len = usize::try_from(answer.len).map_err(|_| einval())?;
        self.bytes.resize(before + len, 0);
        let into = self.bytes.get_mut(before..).unwrap_or_default();
        match memory::read_some(tid, answer.from, into) {
            there if there == len => Ok(()),
            _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        }
    }

    /// Gives it to the caller, thread `tid`.
    pub(crate) fn give(&self, tid: Tid) -> io::Result<()> {
        memory::write_all(tid, self.to, &self.bytes)
    }
}

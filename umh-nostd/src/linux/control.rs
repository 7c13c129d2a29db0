// SPDX-License-Identifier: GPL-2.0-only
//! The private options of the kernel half.
//!
//! Owns: the socket through which generations go to the kernel half and come
//! back, and the step between a generation and its descriptors.

use bpfilter_msgfmt as msg;
use umh_core::abi::ExtensionKind;
use umh_core::errno::{Errno, Result};
use zerocopy::IntoBytes;

use super::fd::Fd;
use super::memory::Draft;
use super::{caller, raw};
use crate::system::{Generation, UserAddr};

/// What stands for a descriptor that is not there.
const NONE: i32 = -1;

/// The control socket.
pub(super) struct Control(Fd);

impl Control {
    pub(super) fn open() -> Result<Self> {
        raw::datagram_socket().map(Self)
    }

    /// See [`crate::system::System::recover`].
    pub(super) fn recover(&self) -> Result<Option<Generation<Fd>>> {
        let raw: msg::Generation = match raw::get_option(&self.0, msg::SO_RECOVER) {
            Ok(raw) => raw,
            // The second is for a kernel half that keeps no generations, so
            // that there is none to lose.
            Err(Errno::ENOENT | Errno::ENOPROTOOPT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        // All of them are owned before anything can go wrong.
        let (counters, table) = (own(raw.counters), own(raw.table));
        let [local_in, forward, local_out] = raw.prog;
        let programs = match (own(local_in), own(forward), own(local_out)) {
            (Some(local_in), Some(forward), Some(local_out)) => {
                Some([local_in, forward, local_out])
            }
            (None, None, None) => None,
            _ => return Err(Errno::EIO),
        };
        Ok(Some(Generation {
            programs,
            counters: counters.ok_or(Errno::EIO)?,
            table: table.ok_or(Errno::EIO)?,
            flags: raw.flags,
        }))
    }

    /// See [`crate::system::System::commit`].
    pub(super) fn commit(&self, generation: &Generation<Fd>) -> Result<()> {
        let prog = match &generation.programs {
            Some(programs) => programs.each_ref().map(Fd::raw),
            None => [NONE; msg::HOOKS],
        };
        let raw = msg::Generation {
            prog,
            counters: generation.counters.raw(),
            table: generation.table.raw(),
            flags: generation.flags,
        };
        raw::set_option(&self.0, msg::SO_COMMIT, raw.as_bytes()).map(drop)
    }

    /// See [`crate::system::System::extension`].
    pub(super) fn extension(&self, entry: &mut [u8], at: usize) -> Result<u32> {
        raw::extension(&self.0, entry, at)
    }

    /// See [`crate::system::System::optval`].
    pub(super) fn optval(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        caller::read(&self.0, offset, into)
    }

    /// See [`crate::system::System::draft_of_optval`].
    pub(super) fn draft_of_optval(&self, used: usize, len: usize) -> Result<Draft> {
        caller::draft(&self.0, used, len)
    }

    /// See [`crate::system::System::answer`].
    pub(super) fn answer(&self, to: UserAddr, bytes: &[u8]) -> Result<()> {
        raw::answer(&self.0, to, bytes)
    }

    /// See [`crate::system::System::publish`].
    pub(super) fn publish(&self, kind: ExtensionKind, names: &[u8]) -> Result<()> {
        let option = match kind {
            ExtensionKind::Match => msg::SO_MATCHES,
            ExtensionKind::Target => msg::SO_TARGETS,
        };
        raw::set_option(&self.0, option, names).map(drop)
    }
}

/// The descriptor that RECOVER has opened under this number, if any.
fn own(number: i32) -> Option<Fd> {
    // SAFETY: the kernel half opens a descriptor for each number but -1, and
    // `recover` takes each once.
    (number >= 0).then(|| unsafe { Fd::own(number) })
}

// SPDX-License-Identifier: GPL-2.0-only
//! The private options of the kernel half.
//!
//! Owns: the socket through which generations go to the kernel half and come
//! back, and the step between a generation and its descriptors.

use bpfilter_msgfmt as msg;
use umh_core::abi::{EXTENSION_NAME_LEN, ExtensionKind, Family, Layout, TableSpec};
use umh_core::errno::{Errno, Result};
use umh_core::table::Refusal;
use zerocopy::IntoBytes;

use super::fd::Fd;
use super::memory::Draft;
use super::{caller, raw};
use crate::system::{Generation, InForce, Run, UserAddr};

/// What stands for a descriptor that is not there.
const NONE: i32 = -1;

/// The control socket.
pub(super) struct Control(Fd);

impl Control {
    pub(super) fn open() -> Result<Self> {
        raw::datagram_socket().map(Self)
    }

    /// What programs can count on.
    #[cfg(not(feature = "links"))]
    pub(super) fn machine(&self) -> Result<msg::Machine> {
        let mut machine = msg::Machine {
            reads: 0,
            cpus: 0,
            reserved: 0,
        };
        raw::get_option(&self.0, msg::SO_MACHINE, &mut machine)?;
        Ok(machine)
    }

    /// See [`crate::system::System::recover`].
    pub(super) fn recover(&self, table: &TableSpec) -> Result<Option<InForce<Fd>>> {
        let mut raw = absent(table);
        match raw::get_option(&self.0, msg::SO_RECOVER, &mut raw) {
            Ok(()) => {}
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::EOPNOTSUPP) => return Err(Errno::ENOPROTOOPT),
            Err(errno) => return Err(errno),
        }
        // All of them are owned before anything can go wrong.
        let (counters, image) = (own(raw.counters), own(raw.image));
        drop((own(raw.packets), raw.prog.map(own)));
        Ok(Some(InForce {
            counters: counters.ok_or(Errno::EIO)?,
            image: image.ok_or(Errno::EIO)?,
        }))
    }

    /// See [`crate::system::System::commit`].
    pub(super) fn commit(&self, generation: &Generation<Fd>) -> Result<()> {
        let mut raw = msg::Generation {
            counters: generation.counters.raw(),
            image: generation.image.raw(),
            flags: generation.flags,
            summary: generation.summary,
            ..absent(generation.table)
        };
        if let Some(rules) = &generation.rules {
            raw.packets = rules.packets.as_ref().map_or(NONE, Fd::raw);
            raw.packet_size = rules.packet_size;
            raw.counters_row = rules.counters_row;
            let parts = raw.prog.iter_mut().zip(&mut raw.policy);
            let parts = parts.zip(&mut raw.reads);
            let positions = raw.hook_entry.iter_mut().zip(&mut raw.underflow);
            for ((((prog, policy), reads), (entry, underflow)), hook) in
                parts.zip(positions).zip(&rules.hooks)
            {
                let Some(hook) = hook else { continue };
                match hook.run {
                    Run::Program(index) => {
                        *prog = rules.programs.get(index).ok_or(Errno::EIO)?.raw();
                    }
                    Run::Policy(accepts) => *policy = accepts.into(),
                }
                (*reads, *entry, *underflow) = (hook.reads, hook.entry, hook.underflow);
            }
        }
        raw::set_option(&self.0, msg::SO_COMMIT, raw.as_bytes()).map(drop)
    }

    /// See [`crate::system::System::extension`].
    pub(super) fn extension(&self, table: &TableSpec, entry: &mut [u8], at: usize) -> Result<u32> {
        raw::extension(&self.0, table, entry, at)
    }

    /// See [`crate::system::System::refused`].
    pub(super) fn refused(&self, table: &TableSpec, refusal: &Refusal) {
        let line = refusal.line(table.family);
        let mut raw = msg::Refusal {
            family: table.family.number(),
            table: table.kind as u32,
            kind: refusal.cause().kind(),
            len: line.as_bytes().len() as u32,
            text: [0; msg::REFUSAL_MAX],
        };
        for (to, from) in raw.text.iter_mut().zip(line.as_bytes()) {
            *to = *from;
        }
        // A kernel half that has no use for it is as good.
        let _ = raw::set_option(&self.0, msg::SO_REFUSED, raw.as_bytes());
    }

    /// See [`crate::system::System::data_size`].
    pub(super) fn data_size(
        &self,
        family: Family,
        kind: ExtensionKind,
        name: &[u8; EXTENSION_NAME_LEN],
        revision: u8,
    ) -> Result<u16> {
        let raw = msg::ExtensionName {
            family: family.number(),
            is_target: (kind == ExtensionKind::Target).into(),
            name: *name,
            revision,
            reserved: [0; 2],
        };
        let size = raw::set_option(&self.0, msg::SO_DATA_SIZE, raw.as_bytes())?;
        u16::try_from(size).map_err(|_| Errno::EIO)
    }

    /// See [`crate::system::System::caller`].
    pub(super) fn caller(&self) -> Result<(Family, Layout)> {
        caller::caller(&self.0)
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
    pub(super) fn publish(&self, family: Family, kind: ExtensionKind, names: &[u8]) -> Result<()> {
        let option = match (family, kind) {
            (Family::Ipv4, ExtensionKind::Match) => msg::SO_MATCHES,
            (Family::Ipv4, ExtensionKind::Target) => msg::SO_TARGETS,
            (Family::Ipv6, ExtensionKind::Match) => msg::SO_MATCHES6,
            (Family::Ipv6, ExtensionKind::Target) => msg::SO_TARGETS6,
        };
        raw::set_option(&self.0, option, names).map(drop)
    }
}

/// No generation of a table.
fn absent(table: &TableSpec) -> msg::Generation {
    msg::Generation {
        family: table.family.number(),
        table: table.kind as u32,
        prog: [NONE; msg::HOOKS],
        policy: [NONE; msg::HOOKS],
        reads: [0; msg::HOOKS],
        hook_entry: [0; msg::HOOKS],
        underflow: [0; msg::HOOKS],
        counters: NONE,
        image: NONE,
        packets: NONE,
        counters_row: 0,
        packet_size: 0,
        flags: 0,
        summary: msg::Summary::default(),
    }
}

/// The descriptor that RECOVER has opened under this number, if any.
fn own(number: i32) -> Option<Fd> {
    // SAFETY: the kernel half opens a descriptor for each number but -1, and
    // `recover` takes each once.
    (number >= 0).then(|| unsafe { Fd::own(number) })
}

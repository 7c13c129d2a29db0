// SPDX-License-Identifier: GPL-2.0-only
//! The kernel that the helper runs on.
//!
//! Owns: the only system calls of this program, and its life: log, serve,
//! exit. Calls that rustix has are made through it, the others in [`raw`].

mod bpf;
mod caller;
mod control;
mod fd;
#[cfg(not(feature = "links"))]
mod kernel_half;
#[cfg(feature = "links")]
mod links;
mod log;
mod memory;
mod raw;
mod spare;

use core::cell::Cell;
use core::ops::Range;

use bpf_abi::attr::FuncInfo;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::io;
use rustix::time::{ClockId, Timespec, clock_getres};
use umh_core::abi::{EXTENSION_NAME_LEN, ExtensionKind, Family, Layout, TableSpec};
use umh_core::errno::{Errno, Result};
#[cfg(feature = "links")]
use umh_core::extension::registry;
#[cfg(feature = "links")]
use umh_core::ir::named::Shape;
use umh_core::program::Insn;
use umh_core::table::Refusal;
use umh_core::target::{Host, Machine};

use crate::serve::{End, Mailbox, serve};
use crate::system::{Generation, InForce, Maps, System, UserAddr};
use control::Control;
use fd::Fd;
#[cfg(not(feature = "links"))]
use kernel_half as way;
#[cfg(feature = "links")]
use links as way;
#[cfg(feature = "links")]
use log::Line;
use log::Log;
use memory::{CounterMap, Draft, Image, Memory};
use spare::Spare;

/// Why rules cannot run here, in words for the log.
enum Missing {
    /// A part of the kernel, by the name that its configuration or BTF has.
    Part(&'static str),
    /// Something that only a number tells of.
    Failed(&'static str, Errno),
}

/// The kernel of this machine.
struct Linux {
    control: Control,
    log: Log,
    /// Found out when it is first asked for, and never different; `Some(None)`
    /// where rules cannot run.
    machine: Cell<Option<Option<Machine>>>,
}

impl Linux {
    /// Finds out what the rules run on. Says in the log if they cannot.
    fn find_out(&self) -> Option<Machine> {
        let missing = match way::resolve(&self.control) {
            Ok((packets, features, cpus)) => {
                let host = Host { features, hz: hz() };
                #[cfg(feature = "links")]
                self.tell_lacking(&host);
                return Some(Machine {
                    packets,
                    host,
                    cpus,
                });
            }
            Err(missing) => missing,
        };
        self.log.error(|line| {
            line.text("ip_tables stays in charge, this kernel ");
            match missing {
                Missing::Part(part) => line.text("lacks ").text(part),
                Missing::Failed(what, errno) => line.text("fails ").text(what).errno(errno),
            }
        });
        None
    }

    /// Logs what rules are refused for here, if there is anything.
    #[cfg(feature = "links")]
    fn tell_lacking(&self, host: &Host) {
        let mut found = false;
        let mut line = Line::error("this kernel lacks what these need:");
        registry::lacking(host, &mut |name| {
            found = true;
            line.text(" ").bytes(name);
        });
        if found {
            self.log.print(&mut line);
        }
    }
}

/// `CONFIG_HZ`: the coarse clock moves with the ticks.
fn hz() -> u32 {
    let tick = clock_getres(ClockId::MonotonicCoarse).tv_nsec;
    let tick = u32::try_from(tick).unwrap_or_default().max(1);
    (NANOSECONDS + tick / 2) / tick
}

const NANOSECONDS: u32 = 1_000_000_000;

impl System for Linux {
    type Handle = Fd;
    type Memory = Memory;
    type Draft = Draft;
    type Image = Image;
    type Contents = Memory;
    type Counters = CounterMap;

    fn machine(&self) -> Result<Machine> {
        let machine = match self.machine.get() {
            Some(known) => known,
            None => {
                let found = self.find_out();
                self.machine.set(Some(found));
                found
            }
        };
        machine.ok_or(Errno::ENOPROTOOPT)
    }

    fn caller(&self) -> Result<(Family, Layout)> {
        self.control.caller()
    }

    fn optval(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        self.control.optval(offset, into)
    }

    fn answer(&self, to: UserAddr, bytes: &[u8]) -> Result<()> {
        self.control.answer(to, bytes)
    }

    fn memory(&self, len: usize) -> Result<Memory> {
        Memory::new(len)
    }

    fn recover(&self, table: &TableSpec) -> Result<Option<InForce<Fd>>> {
        self.control.recover(table)
    }

    fn commit(&self, generation: &Generation<Fd>) -> Result<()> {
        self.control.commit(generation)
    }

    fn refused(&self, table: &TableSpec, refusal: &Refusal) {
        self.control.refused(table, refusal);
    }

    fn extension(&self, table: &TableSpec, entry: &mut [u8], at: usize) -> Result<u32> {
        self.control.extension(table, entry, at)
    }

    fn data_size(
        &self,
        family: Family,
        kind: ExtensionKind,
        name: &[u8; EXTENSION_NAME_LEN],
        revision: u8,
    ) -> Result<u16> {
        self.control.data_size(family, kind, name, revision)
    }

    fn publish(&self, family: Family, kind: ExtensionKind, names: &[u8]) -> Result<()> {
        self.control.publish(family, kind, names)
    }

    fn draft(&self, len: usize) -> Result<Draft> {
        Draft::new(len)
    }

    fn draft_of_optval(&self, used: usize, len: usize) -> Result<Draft> {
        self.control.draft_of_optval(used, len)
    }

    fn seal(&self, draft: Draft) -> Result<Fd> {
        draft.seal()
    }

    fn image(&self, image: &Fd) -> Result<Image> {
        Image::new(image)
    }

    fn new_counters(&self, len: usize) -> Result<Fd> {
        bpf::new_map(len)
    }

    fn counters(&self, map: &Fd, len: usize) -> Result<CounterMap> {
        CounterMap::new(map, len)
    }

    fn new_map(&self, len: usize) -> Result<(Fd, Memory)> {
        let map = bpf::new_map(len)?;
        let contents = memory::contents(&map, len)?;
        Ok((map, contents))
    }

    fn new_packets(&self, len: usize) -> Result<Fd> {
        bpf::new_packets(len)
    }

    #[cfg(feature = "links")]
    fn new_named(&self, shape: Shape) -> Result<(Fd, u32)> {
        links::new_named(shape)
    }

    #[cfg(feature = "links")]
    fn new_array(&self, one: &Fd, len: u32) -> Result<(Fd, u32)> {
        links::new_array(one, len)
    }

    #[cfg(feature = "links")]
    fn fill_array(&self, array: &Fd, places: &[u32], maps: &[Fd]) -> Result<()> {
        links::fill_array(array, places, maps)
    }

    #[cfg(feature = "links")]
    fn total_memory(&self) -> u64 {
        raw::total_memory()
    }

    #[cfg(feature = "links")]
    fn named(&self, id: u32) -> Result<Fd> {
        links::map_by_id(id)
    }

    fn load(&self, insns: &mut [Insn], functions: &[FuncInfo], maps: &Maps<'_, Fd>) -> Result<Fd> {
        let loaded = way::load(insns, functions, maps);
        if let Err(errno) = loaded {
            // The caller can do nothing about it, and does not know what it
            // was that failed.
            self.log
                .error(|line| line.text("a program was refused").errno(errno));
        }
        loaded
    }
}

/// fd 0 for requests, fd 1 for replies.
struct Pipes {
    /// The memory that is given back when no request comes.
    spare: Spare,
}

/// How long the helper waits for a request before it makes itself small: long
/// for a client between two of its calls, short for anybody who looks.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

impl Mailbox for Pipes {
    fn read(&self, into: &mut [u8]) -> Result<usize> {
        // SAFETY: `main` promises that nothing closes fd 0.
        let requests = unsafe { BorrowedFd::borrow_raw(0) };
        let mut ready = [PollFd::from_borrowed_fd(requests, PollFlags::IN)];
        match poll(&mut ready, Some(&PATIENCE)) {
            Ok(0) => self.spare.read(into),
            _ => io::read(requests, into).map_err(errno),
        }
    }

    fn write(&self, from: &[u8]) -> Result<usize> {
        // SAFETY: `main` promises that nothing closes fd 1.
        io::write(unsafe { BorrowedFd::borrow_raw(1) }, from).map_err(errno)
    }
}

/// Lives the helper's whole life. Nothing in it closes fd 0 or 1.
///
/// # Safety
///
/// `stack` must be the stack pointer with which the kernel has started this
/// program, `text` its text and constants, without what lies before `__wait_end`
/// in `linker.ld`.
pub unsafe fn main(stack: *const usize, text: Range<usize>) -> ! {
    // SAFETY: promised by the caller; writable data is on other pages
    // (`linker.ld`).
    let spare = unsafe { Spare::new(stack, text) };
    raw::ignore_sigpipe();
    let log = Log::open();
    log.notice("Started bpfilter");
    let control = match Control::open() {
        Ok(control) => control,
        Err(errno) => {
            log.error(|line| line.text("no control socket").errno(errno));
            raw::exit(1)
        }
    };
    let linux = Linux {
        control,
        log,
        machine: Cell::new(None),
    };
    let log = &linux.log;
    match serve(&Pipes { spare }, &linux) {
        End::Closed => raw::exit(0),
        End::Invalid(len) => log.error(|line| line.text("invalid request of length ").number(len)),
        End::Broken(errno) => log.error(|line| line.text("mailbox failed").errno(errno)),
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

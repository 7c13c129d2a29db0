// SPDX-License-Identifier: GPL-2.0-only
//! The packet hooks of one network namespace.
//!
//! Owns: three netfilter links, each with a permanent root program that
//! tail-calls the active program of its hook. The slots of the array that they
//! call into are six: two sets of three, so that a set is complete before it
//! becomes active. One word says which set is active, for all three hooks.
//!
//! Promises: no packet sees programs of two sets on one hook; the change is one
//! store for all hooks. An active set without a program drops.
//!
//! Leaves to others: when to change, and to wait for packets that are still in
//! the programs of before (`sys::bpf::Grace`).

use std::io;
use std::os::fd::OwnedFd;

use bpfilter_msgfmt::HOOKS;

use crate::sys::bpf::{self, Instruction, ProgramArray, Word};
use crate::sys::namespace::Namespace;

/// `NF_INET_LOCAL_IN`, `_FORWARD` and `_LOCAL_OUT`, in the order of a
/// generation's programs.
const NETFILTER_HOOKS: [u32; HOOKS] = [1, 2, 3];
/// `NF_IP_PRI_FILTER`, and the places right behind it: a link cannot share its
/// priority with a hook that is there already, ip_tables' own for one.
const PRIORITIES: std::ops::Range<i32> = 0..10;

/// One of the two sets of slots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Set {
    /// Slots 0 to 2.
    A,
    /// Slots 3 to 5.
    B,
}

impl Set {
    fn first_slot(self) -> u32 {
        match self {
            Self::A => 0,
            Self::B => HOOKS as u32,
        }
    }

    fn slots(self) -> std::ops::Range<u32> {
        self.first_slot()..self.first_slot() + HOOKS as u32
    }
}

/// What the word says where no set is active: accept. Otherwise it is the
/// first slot plus [`FIRST`].
const NONE: u32 = 0;
const FIRST: u32 = 1;

/// The hooks.
#[derive(Debug)]
pub(crate) struct Hooks {
    programs: ProgramArray,
    word: Word,
    active: Option<Set>,
    /// They hold the root programs, and are removed when closed.
    _links: Vec<OwnedFd>,
}

impl Hooks {
    /// Attaches the hooks in `net`. They accept until a set is active.
    pub(crate) fn attach(net: &Namespace) -> io::Result<Self> {
        let programs = ProgramArray::new(2 * HOOKS as u32)?;
        let word = Word::new()?;
        let mut roots = Vec::new();
        for hook in 0..HOOKS {
            roots.push(bpf::load(&root(word.raw(), programs.raw(), hook))?);
        }
        let attach = || {
            let mut links = Vec::new();
            for (root, hook) in roots.iter().zip(NETFILTER_HOOKS) {
                links.push(attach_near(root, hook)?);
            }
            Ok(links)
        };
        let links = net.inside(attach)?;
        Ok(Self {
            programs,
            word,
            active: None,
            _links: links,
        })
    }

    /// The active set.
    pub(crate) fn active(&self) -> Option<Set> {
        self.active
    }

    /// Puts programs into the set that is not active.
    pub(crate) fn prepare(&self, programs: &[OwnedFd; HOOKS]) -> io::Result<Set> {
        let set = match self.active {
            Some(Set::A) => Set::B,
            Some(Set::B) | None => Set::A,
        };
        for (slot, program) in set.slots().zip(programs) {
            self.programs.set(slot, program)?;
        }
        Ok(set)
    }

    /// Makes a set the active one.
    pub(crate) fn activate(&mut self, set: Option<Set>) {
        self.word
            .store(set.map_or(NONE, |set| FIRST + set.first_slot()));
        self.active = set;
    }

    /// Lets go of the programs of a set that no packet can see any more.
    pub(crate) fn clear(&self, set: Set) -> io::Result<()> {
        set.slots()
            .try_for_each(|slot| match self.programs.clear(slot) {
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                other => other,
            })
    }
}

fn attach_near(root: &OwnedFd, hook: u32) -> io::Result<OwnedFd> {
    let mut result = Err(io::ErrorKind::ResourceBusy.into());
    for priority in PRIORITIES {
        result = bpf::attach(root, hook, priority);
        match &result {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {}
            _ => break,
        }
    }
    result
}

/// The root program of a hook.
fn root(word: i32, programs: i32, hook: usize) -> [Instruction; 14] {
    const R0: u8 = 0;
    const CONTEXT: u8 = 1;
    const R2: u8 = 2;
    const INDEX: u8 = 3;
    const SAVED: u8 = 6;
    /// Register 1 is also where the word's address goes.
    const ADDRESS: u8 = 1;
    const PSEUDO_MAP_FD: u8 = 1;
    const PSEUDO_MAP_VALUE: u8 = 2;
    const TAIL_CALL: i32 = 12;
    const DROP: i32 = 0;
    const ACCEPT: i32 = 1;

    let insn = |code, dst: u8, src: u8, offset, constant| Instruction {
        code,
        registers: if cfg!(target_endian = "little") {
            src << 4 | dst
        } else {
            dst << 4 | src
        },
        offset,
        constant,
    };
    let index = hook as i32 - FIRST as i32;
    [
        insn(0xbf, SAVED, CONTEXT, 0, 0),               // saved = context
        insn(0x18, ADDRESS, PSEUDO_MAP_VALUE, 0, word), // address = &word
        insn(0x00, 0, 0, 0, 0),                         //   (second half)
        insn(0x61, INDEX, ADDRESS, 0, 0),               // index = *address
        insn(0x15, INDEX, 0, 7, NONE as i32),           // if index == NONE goto accept
        insn(0x07, INDEX, 0, 0, index),                 // index += hook - FIRST
        insn(0x18, R2, PSEUDO_MAP_FD, 0, programs),     // r2 = programs
        insn(0x00, 0, 0, 0, 0),                         //   (second half)
        insn(0xbf, CONTEXT, SAVED, 0, 0),               // context = saved
        insn(0x85, 0, 0, 0, TAIL_CALL),                 // tail_call(context, programs, index)
        insn(0xb7, R0, 0, 0, DROP),                     // it came back: fail closed
        insn(0x95, 0, 0, 0, 0),                         // exit
        insn(0xb7, R0, 0, 0, ACCEPT),                   // accept:
        insn(0x95, 0, 0, 0, 0),                         // exit
    ]
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]

    use std::io;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::process::Command;

    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::*;

    /// Sends from and to a socket of the calling thread's namespace.
    fn send() -> io::Result<usize> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(b"packet", socket.local_addr()?)
    }

    /// Needs root: this is about what packets meet.
    #[test]
    fn an_active_set_without_programs_drops() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let outer = Namespace::of_socket(socket.as_fd()).unwrap();
        outer
            .inside(|| {
                // SAFETY: descriptors stay shared; only the network namespace
                // of this thread changes, which is nobody else's.
                unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
                let up = Command::new("ip")
                    .args(["link", "set", "lo", "up"])
                    .status()?;
                assert!(up.success());
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                let mut hooks = Hooks::attach(&Namespace::of_socket(socket.as_fd())?)?;
                send()?;
                hooks.activate(Some(Set::A));
                assert_eq!(send().unwrap_err().raw_os_error(), Some(libc::EPERM));
                hooks.activate(Some(Set::B));
                assert_eq!(send().unwrap_err().raw_os_error(), Some(libc::EPERM));
                hooks.activate(None);
                send()?;
                Ok(())
            })
            .unwrap();
    }
}

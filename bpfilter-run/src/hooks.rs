// SPDX-License-Identifier: GPL-2.0-only
//! The packet hooks of one network namespace.
//!
//! Owns: three netfilter links, each with a permanent root program that
//! tail-calls the active program of its hook (`roots`). The slots of the array
//! that they call into hold two sets of programs, so that a set is complete
//! before it becomes active. One word says which set is active, for all three
//! hooks.
//!
//! Promises: no packet sees programs of two sets on one hook; the change is one
//! store for all hooks; when it returns no packet is in the programs of before.
//! An active set without a program drops.
//!
//! Leaves to others: when to change.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::roots::{self, HOOKS, Maps, NONE, SET, SETS, SLOTS, STATE, WORDS};
use crate::sys::bpf::{self, Grace, ProgramArray, Words};
use crate::sys::namespace::Namespace;
use crate::watch::Watch;

/// `NF_INET_LOCAL_IN`, `_FORWARD` and `_LOCAL_OUT`, in the order of a
/// generation's programs.
pub(crate) const NETFILTER_HOOKS: [u32; HOOKS] = [1, 2, 3];
/// `NF_IP_PRI_FILTER`, and the places right behind it: a link cannot share its
/// priority with a hook that is there already, ip_tables' own for one.
const PRIORITIES: std::ops::Range<i32> = 0..10;

/// For how long after a request its namespace's packets are counted in and
/// out: who works on rules makes several requests.
const WORK: Duration = Duration::from_secs(1);

/// One of the two sets of programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Set {
    /// The first.
    A = 0,
    /// The second.
    B = 1,
}

impl Set {
    fn slots(self) -> std::ops::Range<u32> {
        let first = roots::first_slot(self as u32, false);
        first..first + SET
    }
}

/// The hooks.
#[derive(Debug)]
pub(crate) struct Hooks {
    programs: ProgramArray,
    words: Words,
    active: Option<Set>,
    /// There are counted roots: this kernel can have them.
    countable: bool,
    watch: Watch,
    /// When somebody last worked on the rules.
    worked: Instant,
    /// They hold the root programs, and are removed when closed.
    _links: Vec<OwnedFd>,
}

impl Hooks {
    /// Attaches the hooks in `net`. They accept until a set is active.
    pub(crate) fn attach(net: &Namespace) -> io::Result<Self> {
        let programs = ProgramArray::new(SLOTS)?;
        let words = Words::new::<WORDS>()?;
        let maps = Maps {
            words: words.raw(),
            programs: programs.raw(),
        };
        let mut roots = Vec::new();
        for hook in 0..SET {
            roots.push(bpf::load(&maps.root(hook))?);
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
            countable: add_counted(maps, &programs).is_ok(),
            programs,
            words,
            active: None,
            watch: Watch::Off,
            worked: Instant::now(),
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

    /// Somebody works on the rules: they may soon be replaced.
    pub(crate) fn work(&mut self, grace: &Arc<Grace>) {
        self.worked = Instant::now();
        if !self.countable || self.active.is_none() || self.watch.counts() {
            return;
        }
        self.store(true);
        match Watch::start(grace) {
            Ok(watch) => self.watch = watch,
            Err(_) => self.store(false),
        }
    }

    /// Time passes: packets are not counted in and out for nothing.
    pub(crate) fn rest(&mut self) {
        if self.watch.counts() && self.worked.elapsed() > WORK {
            self.store(false);
            self.watch = Watch::Off;
        }
    }

    /// Makes a set the active one. When this returns no packet is in the
    /// programs of the one before; after an error there may be.
    pub(crate) fn activate(&mut self, set: Option<Set>, grace: &Grace) -> io::Result<()> {
        let before = std::mem::replace(&mut self.active, set);
        self.store(self.watch.counts());
        match before {
            Some(before) if set != Some(before) => {
                let inside = self.words.word(roots::inside(before as u32));
                self.watch.drain(inside, grace)
            }
            _ => Ok(()),
        }
    }

    /// Tells the roots what is active.
    fn store(&self, counted: bool) {
        let state = self
            .active
            .map_or(NONE, |set| roots::state(set as u32, counted));
        self.words.word(STATE).store(state, Ordering::SeqCst);
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

/// Puts the counted roots into their slots. The array keeps them.
fn add_counted(maps: Maps, programs: &ProgramArray) -> io::Result<()> {
    for set in 0..SETS {
        for hook in 0..SET {
            let (text, function) = maps.counted(set, hook);
            let counted = bpf::load_with_function(&text, function)?;
            programs.set(roots::first_slot(set, true) + hook, &counted)?;
        }
    }
    Ok(())
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
    use umh_core::abi::FILTER;

    use super::*;

    /// Sends from and to a socket of the calling thread's namespace.
    fn send() -> io::Result<usize> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(b"packet", socket.local_addr()?)
    }

    #[test]
    fn the_hooks_are_those_of_the_table() {
        let hooks = NETFILTER_HOOKS.map(|hook| (hook, PRIORITIES.start));
        let of_table = FILTER.hooks.iter();
        let of_table: Vec<_> = of_table.map(|(hook, at)| (*hook as u32, *at)).collect();
        assert_eq!(of_table, hooks);
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
                let grace = Arc::new(Grace::new()?);
                hooks.activate(Some(Set::A), &grace)?;
                assert_eq!(send().unwrap_err().raw_os_error(), Some(libc::EPERM));
                hooks.activate(Some(Set::B), &grace)?;
                assert_eq!(send().unwrap_err().raw_os_error(), Some(libc::EPERM));
                hooks.activate(None, &grace)?;
                send()?;
                Ok(())
            })
            .unwrap();
    }
}

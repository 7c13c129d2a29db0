// SPDX-License-Identifier: GPL-2.0-only
//! The request in progress, and what the helper may do in it.
//!
//! Owns: the private socket options. They act on the network namespace of the
//! request in progress, which the helper never names. Promises: what a request
//! has committed stays only if it is answered with success.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use bpfilter_msgfmt as msg;
use zerocopy::FromZeros;

use crate::call::Call;
use crate::caller;
use crate::hooks::NETFILTER_HOOKS;
use crate::network::{Generation, Network, Replaced};
use crate::optval::{Answer, Optval};
use crate::sys::bpf::Grace;
use crate::sys::memory;
use crate::sys::seccomp::{self, Notification, Tid};
use crate::trap::Trap;

/// The table that is served: its family and number.
const TABLE: (u32, u32) = (libc::NFPROTO_IPV4 as u32, msg::TABLE_FILTER);

/// Who answers the helper's private options.
pub(crate) trait PrivateOptions {
    /// One call of the helper's. An error means that the helper cannot be
    /// trusted to know what it holds, and is ended.
    fn serve(&mut self, trap: &Trap, notification: &Notification) -> io::Result<seccomp::Answer>;
}

/// No request is in progress, or one of nobody's: the options do not exist.
pub(crate) struct Idle;

impl PrivateOptions for Idle {
    fn serve(&mut self, _: &Trap, _: &Notification) -> io::Result<seccomp::Answer> {
        Ok(seccomp::Answer::Fail(libc::ENOPROTOOPT))
    }
}

/// A caller's request.
pub(crate) struct Transaction<'a> {
    network: Network,
    /// The errno for rules that name users and groups, if there must be none.
    ids: Option<i32>,
    optval: Optval,
    answer: Answer,
    grace: &'a Arc<Grace>,
    replaced: Option<Replaced>,
    /// Why it will fail, in the helper's words.
    refused: Option<String>,
}

impl<'a> Transaction<'a> {
    /// Begins a request about `network`, whose caller has given `optval`. With
    /// `ids` rules that name users and groups are refused.
    pub(crate) fn new(
        mut network: Network,
        ids: Option<i32>,
        optval: Optval,
        grace: &'a Arc<Grace>,
    ) -> Self {
        network.work(grace);
        Self {
            network,
            ids,
            optval,
            answer: Answer::default(),
            grace,
            replaced: None,
            refused: None,
        }
    }

    /// Ends it: what it committed stays or goes. What the caller gets is with it.
    pub(crate) fn end(mut self, success: bool) -> (Network, Answer) {
        if let (Some(line), false) = (&self.refused, success) {
            crate::log(&format!("filter: {line}"));
        }
        match self.replaced {
            None => {}
            Some(replaced) if success => self.network.settle(replaced),
            Some(replaced) => self.network.revert(replaced, self.grace),
        }
        (self.network, self.answer)
    }

    fn commit(&mut self, call: &Call, tid: Tid) -> io::Result<()> {
        if call.length as u32 as usize != size_of::<msg::Generation>() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let fds: msg::Generation = memory::read(tid, call.addr)?;
        // One request makes one change.
        if self.replaced.is_some() {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        if (fds.family, fds.table) != TABLE || fds.flags & !msg::GEN_ALL != 0 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        if let (Some(errno), true) = (self.ids, fds.flags & msg::GEN_IDS != 0) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let get = |fd| caller::descriptor(tid, fd);
        let programs = match table_hooks(fds.prog) {
            Some([-1, -1, -1]) => None,
            // That they are programs of the right kind is checked by the
            // kernel when they get their slots.
            Some([one, two, three]) if one.min(two).min(three) >= 0 => {
                Some([get(one)?, get(two)?, get(three)?])
            }
            _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        let generation = Generation {
            programs,
            counters: get(fds.counters)?,
            image: get(fds.image)?,
            flags: fds.flags,
        };
        self.replaced = Some(self.network.swap(generation, self.grace)?);
        Ok(())
    }

    /// The outer error ends the helper: it has descriptors it does not know.
    fn recover(
        &self,
        call: &Call,
        tid: Tid,
        give: impl Fn(&dyn AsFd) -> io::Result<i32>,
    ) -> io::Result<io::Result<()>> {
        if let Err(e) = expect_length::<msg::Generation>(call, tid) {
            return Ok(Err(e));
        }
        let asked: msg::Generation = match memory::read(tid, call.addr) {
            Ok(asked) => asked,
            Err(e) => return Ok(Err(e)),
        };
        if (asked.family, asked.table) != TABLE {
            return Ok(Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)));
        }
        let Some(active) = self.network.active() else {
            return Ok(Err(io::Error::from_raw_os_error(libc::ENOENT)));
        };
        let mut prog = [-1; msg::HOOKS];
        let programs = active.programs.iter().flatten();
        for (hook, program) in NETFILTER_HOOKS.into_iter().zip(programs) {
            if let Some(fd) = prog.get_mut(hook as usize) {
                *fd = give(program)?;
            }
        }
        let fds = msg::Generation {
            prog,
            counters: give(&active.counters)?,
            image: give(&active.image)?,
            // Programs read packets themselves, and know where they start.
            packets: -1,
            flags: active.flags,
            family: asked.family,
            table: asked.table,
            ..msg::Generation::new_zeroed()
        };
        memory::write(tid, call.addr, &fds).map(Ok)
    }

    /// The outer error ends the helper, as with `recover`.
    fn give_optval(
        &self,
        call: &Call,
        tid: Tid,
        give: impl Fn(&dyn AsFd) -> io::Result<i32>,
    ) -> io::Result<io::Result<()>> {
        if let Err(e) = expect_length::<msg::Optval>(call, tid) {
            return Ok(Err(e));
        }
        let optval = self.optval.give(|file| give(&file))?;
        memory::write(tid, call.addr, &optval).map(Ok)
    }

    /// What iptables, which has only an errno, cannot say.
    fn note_refusal(&mut self, call: &Call, tid: Tid) -> io::Result<()> {
        if call.length as u32 as usize != size_of::<msg::Refusal>() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let refusal: msg::Refusal = memory::read(tid, call.addr)?;
        let text = refusal.text.get(..refusal.len as usize);
        let printable = |text: &&[u8]| text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let text = text.filter(printable).ok_or(libc::EINVAL);
        let text = text.map_err(io::Error::from_raw_os_error)?;
        self.refused = Some(String::from_utf8_lossy(text).into_owned());
        Ok(())
    }

    fn add_answer(&mut self, call: &Call, tid: Tid) -> io::Result<()> {
        if call.length as u32 as usize != size_of::<msg::Answer>() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        self.answer.add(tid, &memory::read(tid, call.addr)?)
    }
}

/// Whether the `optlen` of a getsockopt by thread `tid` is that of a `T`.
fn expect_length<T>(call: &Call, tid: Tid) -> io::Result<()> {
    match memory::read::<u32>(tid, call.length)? as usize == size_of::<T>() {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

/// The programs of the table's own hooks; `None` if others have one.
fn table_hooks(mut prog: [i32; msg::HOOKS]) -> Option<[i32; NETFILTER_HOOKS.len()]> {
    let own = NETFILTER_HOOKS.map(|hook| {
        let program = prog.get_mut(hook as usize);
        program.map_or(-1, |program| std::mem::replace(program, -1))
    });
    prog.iter().all(|&program| program == -1).then_some(own)
}

impl PrivateOptions for Transaction<'_> {
    fn serve(&mut self, trap: &Trap, notification: &Notification) -> io::Result<seccomp::Answer> {
        let Some(tid) = notification.tid else {
            return Ok(seccomp::Answer::Fail(libc::ENOPROTOOPT));
        };
        let call = match Call::decode(notification, tid, trap.doors, &trap.options) {
            Ok(Some(call)) => call,
            Ok(None) | Err(_) => return Ok(seccomp::Answer::Continue),
        };
        match caller::descriptor(tid, call.fd) {
            Ok(socket) if caller::reaches_ip_options(&socket) => {}
            _ => return Ok(seccomp::Answer::Continue),
        }
        let done = match (call.is_set, call.option) {
            (true, msg::SO_COMMIT) => self.commit(&call, tid),
            (true, msg::SO_ANSWER) => self.add_answer(&call, tid),
            (true, msg::SO_REFUSED) => self.note_refusal(&call, tid),
            (false, msg::SO_OPTVAL) => {
                let give = |fd: &dyn AsFd| trap.listener.give(notification.cookie, fd.as_fd());
                self.give_optval(&call, tid, give)?
            }
            (false, msg::SO_RECOVER) => {
                let give = |fd: &dyn AsFd| trap.listener.give(notification.cookie, fd.as_fd());
                self.recover(&call, tid, give)?
            }
            _ => Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT)),
        };
        Ok(match done {
            Ok(()) => seccomp::Answer::Done,
            Err(e) => seccomp::Answer::Fail(e.raw_os_error().unwrap_or(libc::EIO)),
        })
    }
}

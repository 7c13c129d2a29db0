// SPDX-License-Identifier: GPL-2.0-only
//! The kernel half's part: from a trapped call to its answer.
//!
//! Owns: the order of the checks, which is the kernel's, and the loop that
//! waits for COMMAND's calls, the helper's, and for the end of either.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bpfilter_msgfmt as msg;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::call::Call;
use crate::caller;
use crate::mailbox::Mailbox;
use crate::network::Networks;
use crate::optval::Optval;
use crate::sys::bpf::Grace;
use crate::sys::memory;
use crate::sys::namespace::Namespace;
use crate::sys::seccomp::{Answer, Notification, Tid};
use crate::transaction::{Idle, Transaction};
use crate::trap::Trap;

/// How often to look for network namespaces that are nobody's any more.
const LOOK_FOR_DEAD: Duration = Duration::from_secs(1);

/// Answers COMMAND's calls.
pub(crate) struct Supervisor {
    /// The trap that COMMAND's calls fall into.
    pub(crate) command: Trap,
    /// The helper.
    pub(crate) mailbox: Mailbox,
    /// What the network namespaces hold.
    pub(crate) networks: Networks,
    /// For swaps.
    pub(crate) grace: Arc<Grace>,
}

/// Why a caller gets no answer from the helper.
enum Refusal {
    /// With this errno.
    Errno(i32),
    /// It is not ours: the kernel's own ip_tables, or its own error.
    FallThrough,
    /// The caller has gone.
    Gone,
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        Self::Errno(e.raw_os_error().unwrap_or(libc::EFAULT))
    }
}

impl Supervisor {
    /// Serves until `end` becomes readable.
    pub(crate) fn run(&mut self, end: BorrowedFd<'_>) -> io::Result<()> {
        let mut next_look = Instant::now() + LOOK_FOR_DEAD;
        loop {
            let timeout = if self.networks.is_empty() {
                None
            } else {
                let left = next_look.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.networks.bury();
                    self.networks.rest();
                    next_look = Instant::now() + LOOK_FOR_DEAD;
                }
                Some(Timespec::try_from(left).map_err(io::Error::other)?)
            };
            let mut fds = vec![
                PollFd::from_borrowed_fd(end, PollFlags::IN),
                PollFd::from_borrowed_fd(self.command.listener.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.mailbox.trap().listener.as_fd(), PollFlags::IN),
            ];
            let helper_end = self.mailbox.end_of_helper();
            fds.extend(helper_end.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match poll(&mut fds, timeout.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let mut ready = fds.iter().map(|fd| fd.revents().contains(PollFlags::IN));
            let mut next = || ready.next() == Some(true);
            let (ended, called, private, helper_ended) = (next(), next(), next(), next());
            drop(fds);
            if ended {
                return Ok(());
            }
            if private {
                self.mailbox.trap().serve_one(&mut Idle)?;
            }
            if helper_ended {
                self.mailbox.reap();
            }
            if called && let Some(notification) = self.command.listener.receive()? {
                let answer = match self.serve(&notification) {
                    Ok(()) => Answer::Done,
                    Err(Refusal::Errno(errno)) => Answer::Fail(errno),
                    // Nothing is guarded by this check: whatever the caller
                    // does to its arguments meanwhile, the kernel reads and
                    // checks them all again.
                    Err(Refusal::FallThrough) => Answer::Continue,
                    Err(Refusal::Gone) => continue,
                };
                self.command.listener.answer(notification.cookie, answer)?;
            }
        }
    }

    fn serve(&mut self, notification: &Notification) -> Result<(), Refusal> {
        let alive = |command: &Trap| {
            if command.listener.alive(notification.cookie) {
                Ok(())
            } else {
                Err(Refusal::Gone)
            }
        };
        // A caller outside our pid namespace: neither we nor the helper can
        // name it.
        let tid = notification.tid.ok_or(Refusal::Errno(libc::EOPNOTSUPP))?;
        let Trap { doors, options, .. } = &self.command;
        let call = Call::decode(notification, tid, doors, options)?.ok_or(Refusal::FallThrough)?;

        let socket = caller::descriptor(tid, call.fd);
        alive(&self.command)?;
        let socket = match socket {
            Err(e) if e.raw_os_error() == Some(libc::EBADF) => return Err(Refusal::FallThrough),
            other => other?,
        };
        if !caller::reaches_ip_options(&socket) {
            return Err(Refusal::FallThrough);
        }
        let len = self.length(&call, tid)?;
        let net = Namespace::of_socket(socket.as_fd())?;
        let may = caller::may_configure(tid, &net);
        let ids = caller::ids_refused(tid, &net);
        alive(&self.command)?;
        if !may? {
            return Err(Refusal::Errno(libc::EPERM));
        }
        if call.layout_differs() {
            return Err(Refusal::Errno(libc::EOPNOTSUPP));
        }

        let request = msg::Request {
            addr: call.addr,
            len,
            is_set: call.is_set.into(),
            cmd: call.option,
            pid: tid.raw().unsigned_abs(),
        };
        let optval = Optval::copy(&call, tid, len);
        alive(&self.command)?;
        let network = self.networks.take(net)?;
        let mut transaction = Transaction::new(network, ids?, optval, &self.grace);
        let status = self.mailbox.request(&request, &mut transaction);
        let (network, answer) = transaction.end(status == Ok(0));
        self.networks.put(network);
        match status.map_err(|failure| Refusal::Errno(failure.errno()))? {
            0 => {}
            status if status == -libc::ENOPROTOOPT => return Err(Refusal::FallThrough),
            // No table is named: one that stays with ip_tables may need it.
            status if status == -libc::ENOENT && call.asks_revision() && ip_tables_is_there() => {
                return Err(Refusal::FallThrough);
            }
            status => return Err(Refusal::Errno(status.saturating_neg())),
        }
        alive(&self.command)?;
        let given = answer.give(tid);
        // Old counters that a REPLACE cannot give back fail nothing.
        if !call.is_set {
            given?;
            // As the kernel does, although the value is what it was.
            memory::write(tid, call.length, &len)?;
        }
        Ok(())
    }

    /// `optlen`, which is signed to the kernel's callers.
    fn length(&self, call: &Call, tid: Tid) -> Result<u32, Refusal> {
        let len: i32 = if call.is_set {
            call.length as i32
        } else {
            memory::read(tid, call.length)?
        };
        u32::try_from(len).map_err(|_| Refusal::Errno(libc::EINVAL))
    }
}

/// Whether this kernel has an ip_tables of its own.
fn ip_tables_is_there() -> bool {
    std::path::Path::new("/proc/net/ip_tables_names").exists()
}

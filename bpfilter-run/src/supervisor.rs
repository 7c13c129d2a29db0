// SPDX-License-Identifier: GPL-2.0-only
//! The kernel half's part: the threads that serve COMMAND's calls, and one request
//! after the other.
//!
//! Owns: the threads that take calls, of which there is always one more than are
//! busy; the lock under which they ask the helper; and the loop that waits for the
//! end of COMMAND and of the helper. Leaves to `client` all that touches a caller:
//! nothing here waits for one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bpfilter_msgfmt as msg;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::client;
use crate::mailbox::Mailbox;
use crate::network::Networks;
use crate::notes::Notes;
use crate::optval::{Answer, Optval};
use crate::sys::bpf::Grace;
use crate::sys::namespace::Namespace;
use crate::transaction::{Idle, Transaction};
use crate::trap::Trap;

/// How often to look for network namespaces that are nobody's any more, for calls
/// of the helper outside of a request, and for a helper that was started meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// What a thread that serves calls has for its stack.
const STACK: usize = 256 << 10;

/// Answers COMMAND's calls.
pub(crate) struct Supervisor(Arc<Desk>);

/// What the threads share.
pub(crate) struct Desk {
    /// The trap that COMMAND's calls fall into.
    pub(crate) command: Trap,
    /// What is said of its calls.
    pub(crate) notes: Notes,
    /// For swaps.
    grace: Arc<Grace>,
    /// Held for the whole of a request: there is one at a time.
    state: Mutex<State>,
    /// How many threads wait for a call.
    idle: AtomicUsize,
    /// Readable when calls cannot be taken any more.
    failed: OwnedFd,
}

struct State {
    mailbox: Mailbox,
    networks: Networks,
    failure: Option<io::Error>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // There is nothing in it that a panic could leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request about `net`, whose caller has given `optval`. With `ids` rules
    /// that name users and groups are refused. Gives the status, 0 or a negative
    /// errno, and what the caller gets if it is 0.
    pub(crate) fn request(
        &self,
        request: &msg::Request,
        net: Namespace,
        ids: Option<i32>,
        optval: Optval,
    ) -> io::Result<(i32, Answer)> {
        let mut state = self.state();
        let State {
            mailbox, networks, ..
        } = &mut *state;
        let network = networks.take(net)?;
        let mut transaction = Transaction::new(network, ids, optval, &self.grace);
        let status = mailbox.request(request, &mut transaction);
        let (network, answer) = transaction.end(status == Ok(0));
        networks.put(network);
        let status = status.unwrap_or_else(|failure| -failure.errno());
        Ok((status, answer))
    }

    /// Takes calls and serves them, one after the other.
    fn attend(self: Arc<Self>) {
        loop {
            self.idle.fetch_add(1, Ordering::Relaxed);
            let received = self.command.listener.receive();
            let last = self.idle.fetch_sub(1, Ordering::Relaxed) == 1;
            let served = received.and_then(|notification| {
                let Some(notification) = notification else {
                    return Ok(());
                };
                if last {
                    // Without another one those who come wait for this one.
                    let _ = Self::hire(&self);
                }
                client::serve(&self, &notification)
            });
            if let Err(e) = served {
                self.state().failure = Some(e);
                let _ = rustix::io::write(&self.failed, &1u64.to_ne_bytes());
                return;
            }
        }
    }

    /// One more thread that takes calls.
    fn hire(this: &Arc<Self>) -> io::Result<()> {
        let this = Arc::clone(this);
        let builder = thread::Builder::new().stack_size(STACK);
        builder.spawn(move || this.attend()).map(drop)
    }

    fn end_of_helper(&self) -> io::Result<Option<OwnedFd>> {
        let state = self.state();
        let helper = state.mailbox.end_of_helper();
        helper.map(|fd| fd.try_clone_to_owned()).transpose()
    }

    /// What time brings, outside of a request.
    fn look(&self) -> io::Result<()> {
        let mut state = self.state();
        state.networks.bury();
        state.networks.rest();
        // A call that the last request has not served any more.
        while is_readable(&state.mailbox.trap().listener)? {
            state.mailbox.trap().serve_one(&mut Idle)?;
        }
        Ok(())
    }
}

fn is_readable(fd: impl AsFd) -> io::Result<bool> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    match poll(&mut fds, Some(&now)) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(e) => Err(e.into()),
        // An error, or the other end gone, is nothing to read.
        Ok(_) => Ok(fds.iter().any(|fd| fd.revents().contains(PollFlags::IN))),
    }
}

impl Supervisor {
    /// With a helper that has answered already. If `listed`, the kernel's ip_tables
    /// lists the table of namespaces that have rules.
    pub(crate) fn new(
        command: Trap,
        mailbox: Mailbox,
        grace: Grace,
        listed: bool,
    ) -> io::Result<Self> {
        Ok(Self(Arc::new(Desk {
            command,
            notes: Notes::default(),
            grace: Arc::new(grace),
            state: Mutex::new(State {
                mailbox,
                networks: Networks::new(listed),
                failure: None,
            }),
            idle: AtomicUsize::new(0),
            failed: eventfd(0, EventfdFlags::CLOEXEC)?,
        })))
    }

    /// Starts COMMAND.
    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        self.0.command.spawn(command)
    }

    /// Serves until `end` becomes readable.
    pub(crate) fn run(&self, end: BorrowedFd<'_>) -> io::Result<()> {
        let Self(desk) = self;
        Desk::hire(desk)?;
        let mut next_look = Instant::now() + LOOK;
        loop {
            let left = next_look.saturating_duration_since(Instant::now());
            if left.is_zero() {
                desk.look()?;
                next_look = Instant::now() + LOOK;
            }
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let helper = desk.end_of_helper()?;
            let mut fds = vec![
                PollFd::from_borrowed_fd(end, PollFlags::IN),
                PollFd::new(&desk.failed, PollFlags::IN),
            ];
            fds.extend(helper.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
            match poll(&mut fds, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let mut ready = fds.iter().map(|fd| fd.revents().contains(PollFlags::IN));
            let mut next = || ready.next() == Some(true);
            let (ended, failed, helper_ended) = (next(), next(), next());
            if ended {
                return Ok(());
            }
            if failed && let Some(failure) = desk.state().failure.take() {
                return Err(failure);
            }
            if helper_ended {
                desk.state().mailbox.reap();
            }
        }
    }

    /// COMMAND has ended: says what is left to say, and lets the helper end in peace.
    pub(crate) fn close(&self) {
        self.0.notes.end();
        self.0.state().mailbox.close();
    }
}

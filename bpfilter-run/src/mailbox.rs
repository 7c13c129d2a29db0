// SPDX-License-Identifier: GPL-2.0-only
//! The helper process and the two pipes to it.
//!
//! Owns: starting, asking, timing and ending the helper. One request at a time.
//! A helper that breaks the protocol in any way is ended; the next request
//! starts another. Leaves to `transaction` what the helper's private options do.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bpfilter_msgfmt as msg;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zerocopy::{FromZeros, IntoBytes};

use crate::filter::{NATIVE_DOORS, Options};
use crate::procfs::Status;
use crate::sys::signal::Signals;
use crate::transaction::{Idle, PrivateOptions};
use crate::trap::Trap;

/// How long any request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Beyond are the kernel's own, which no caller may see.
const ERRNO_MAX: i32 = 511;
/// How long a helper whose pipes were closed may take to exit.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a request got no status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// It could not be started, died, or does not speak the protocol.
    Broken,
    /// It did not answer in time.
    Late,
}

impl Failure {
    /// What the caller gets.
    pub(crate) fn errno(self) -> i32 {
        match self {
            Self::Broken => libc::EFAULT,
            Self::Late => libc::ETIMEDOUT,
        }
    }
}

/// The mailbox.
pub(crate) struct Mailbox {
    path: PathBuf,
    signals: Signals,
    trap: Trap,
    helper: Option<Helper>,
}

struct Helper {
    child: Child,
    /// Its own until it has been waited for.
    pid: Pid,
    pidfd: OwnedFd,
    requests: ChildStdin,
    replies: ChildStdout,
}

impl Mailbox {
    /// A mailbox with no helper yet.
    pub(crate) fn new(path: PathBuf, signals: Signals) -> io::Result<Self> {
        let private = msg::SO_BASE..msg::SO_MAX;
        let trap = Trap::new(
            NATIVE_DOORS,
            Options {
                set: private.clone(),
                get: private,
                get_ipv6: 0..0,
            },
        )?;
        Ok(Self {
            path,
            signals,
            trap,
            helper: None,
        })
    }

    /// The trap that the helper's private options fall into.
    pub(crate) fn trap(&self) -> &Trap {
        &self.trap
    }

    /// Becomes readable when the helper ends.
    pub(crate) fn end_of_helper(&self) -> Option<BorrowedFd<'_>> {
        self.helper.as_ref().map(|helper| helper.pidfd.as_fd())
    }

    /// Makes sure that a helper is there and answers.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        self.reap();
        if self.helper.as_ref().is_some_and(Helper::is_dying) {
            self.stop("somebody has killed it");
        }
        if self.helper.as_ref().is_some_and(Helper::spoke_unasked) {
            self.stop("it spoke without being asked");
        }
        if self.helper.is_some() {
            return Ok(());
        }
        let helper = Helper::spawn(&self.path, self.signals, &self.trap).map_err(|e| {
            crate::log(&format!(
                "cannot start the helper {}: {e}",
                self.path.display()
            ));
            Failure::Broken
        })?;
        let pid = helper.child.id();
        self.helper = Some(helper);
        let ping = msg::Request {
            addr: 0,
            len: 0,
            is_set: 0,
            cmd: msg::CMD_PING,
            pid: 0,
        };
        match self.exchange(&ping, &mut Idle) {
            Ok(0) => {
                crate::log(&format!("Loaded bpfilter_umh pid {pid}"));
                Ok(())
            }
            Ok(status) => {
                self.stop(&format!(
                    "it answered its first request with {status}, not 0"
                ));
                Err(Failure::Broken)
            }
            Err(failure) => Err(failure),
        }
    }

    /// One request and its status: 0 or a negative errno.
    pub(crate) fn request(
        &mut self,
        request: &msg::Request,
        private: &mut dyn PrivateOptions,
    ) -> Result<i32, Failure> {
        self.start()?;
        self.exchange(request, private)
    }

    /// Forgets a helper that has ended by itself.
    pub(crate) fn reap(&mut self) {
        let ended = self
            .helper
            .as_mut()
            .and_then(|helper| helper.child.try_wait().transpose());
        if let Some(status) = ended {
            self.helper = None;
            match status {
                Ok(status) => crate::log(&format!("the helper has ended ({status})")),
                Err(e) => crate::log(&format!("the helper cannot be waited for: {e}")),
            }
        }
    }

    /// Lets the helper end in peace.
    pub(crate) fn close(&mut self) {
        let Some(Helper {
            mut child,
            pidfd,
            requests,
            replies,
            ..
        }) = self.helper.take()
        else {
            return;
        };
        drop((requests, replies));
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        let deadline = Instant::now() + FAREWELL;
        if !matches!(poll_until(&mut fds, deadline), Ok(true)) {
            kill(&mut child);
        }
        // Its status says nothing any more; this is for the process table.
        let _ = child.wait();
    }

    fn exchange(
        &mut self,
        request: &msg::Request,
        private: &mut dyn PrivateOptions,
    ) -> Result<i32, Failure> {
        let Some(helper) = self.helper.as_mut() else {
            return Err(Failure::Broken);
        };
        match helper.exchange(request, Instant::now() + PATIENCE, &self.trap, private) {
            Ok(status) if (-ERRNO_MAX..=0).contains(&status) => Ok(status),
            Ok(status) => {
                self.stop(&format!("it answered {status}, which is no status"));
                Err(Failure::Broken)
            }
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                self.stop("it did not answer in time");
                Err(Failure::Late)
            }
            Err(e) => {
                self.stop(&e.to_string());
                Err(Failure::Broken)
            }
        }
    }

    fn stop(&mut self, why: &str) {
        let Some(mut helper) = self.helper.take() else {
            return;
        };
        crate::log(&format!(
            "stopping the helper, pid {}: {why}",
            helper.child.id()
        ));
        kill(&mut helper.child);
        // Its status says nothing any more; this is for the process table.
        let _ = helper.child.wait();
    }
}

impl Helper {
    fn spawn(path: &Path, signals: Signals, trap: &Trap) -> io::Result<Self> {
        let mut command = Command::new(path);
        command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        crate::sys::spawn::detach(&mut command, signals);
        let mut child = trap.spawn(command)?;
        let watched = watch(&child);
        match (watched, child.stdin.take(), child.stdout.take()) {
            (Ok((pid, pidfd)), Some(requests), Some(replies)) => Ok(Self {
                child,
                pid,
                pidfd,
                requests,
                replies,
            }),
            (watched, ..) => {
                kill(&mut child);
                let _ = child.wait();
                Err(watched.map_or_else(|e| e, |_| io::ErrorKind::BrokenPipe.into()))
            }
        }
    }

    fn exchange(
        &mut self,
        request: &msg::Request,
        deadline: Instant,
        trap: &Trap,
        private: &mut dyn PrivateOptions,
    ) -> io::Result<i32> {
        // The pipe is empty and holds far more than one request.
        self.requests.write_all(request.as_bytes())?;
        loop {
            let mut fds = [
                PollFd::new(&self.replies, PollFlags::IN),
                PollFd::new(&trap.listener, PollFlags::IN),
            ];
            if !poll_until(&mut fds, deadline)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let [replies, listener] = fds.map(|fd| fd.revents());
            if listener.contains(PollFlags::IN) {
                // What is done for its calls takes time that is not its own; but calls
                // without end are no answer.
                if Instant::now() > deadline + PATIENCE {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                trap.serve_one(private)?;
            } else if !replies.is_empty() {
                break;
            }
        }
        let mut reply = msg::Reply::new_zeroed();
        let got = self.replies.read(reply.as_mut_bytes())?;
        if got == size_of::<msg::Reply>() {
            Ok(reply.status)
        } else {
            Err(io::Error::other(format!(
                "{got} bytes came instead of a reply"
            )))
        }
    }

    /// A reply that nobody asked for would be taken for the next caller's.
    fn spoke_unasked(&self) -> bool {
        let mut fds = [PollFd::new(&self.replies, PollFlags::IN)];
        !matches!(poll_until(&mut fds, Instant::now()), Ok(false))
    }

    /// Is its end certain, although it may still be there?
    fn is_dying(&self) -> bool {
        Status::of(self.pid.as_raw_nonzero().get())
            .and_then(|status| status.bit("SigPnd", libc::SIGKILL as u32 - 1))
            .unwrap_or(true)
    }
}

/// The child's id, and what becomes readable when it ends.
fn watch(child: &Child) -> io::Result<(Pid, OwnedFd)> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::NotFound)?;
    Ok((pid, pidfd_open(pid, PidfdFlags::empty())?))
}

fn kill(child: &mut Child) {
    // It fails only for a child that has been waited for.
    let _ = child.kill();
}

/// Is one of `fds` ready before the deadline?
fn poll_until(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(fds, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other? != 0),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! A thread that lives under a filter and starts processes there.
//!
//! A filter belongs to a thread and to what that thread starts. The thread that
//! answers notifications must not be under it, so each filter gets a thread of
//! its own: COMMAND's, and the helper's. Two listeners also mean that while the
//! helper is at work its own calls are answered and COMMAND's wait their turn.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;

use crate::filter::{Door, Options, program};
use crate::sys::seccomp::{self, Listener};
use crate::transaction::PrivateOptions;

/// Starts processes under one filter.
pub(crate) struct Trap {
    /// Where the filter's notifications arrive.
    pub(crate) listener: Listener,
    /// Which calls it traps, and how they are made.
    pub(crate) doors: &'static [Door],
    /// Which options it traps.
    pub(crate) options: Options,
    requests: mpsc::Sender<Spawn>,
}

/// What to start, and to whom it goes.
type Spawn = (Command, mpsc::Sender<io::Result<Child>>);

impl Trap {
    /// Puts up the filter.
    pub(crate) fn new(doors: &'static [Door], options: Options) -> io::Result<Self> {
        let filter = program(doors, &options);
        let (send_listener, listener) = mpsc::channel();
        let (requests, receive_request) = mpsc::channel::<Spawn>();
        thread::Builder::new().spawn(move || {
            let installed = seccomp::install(&filter);
            let failed = installed.is_err();
            if send_listener.send(installed).is_err() || failed {
                return;
            }
            for (mut command, started) in receive_request {
                // Whoever has asked waits for it.
                let _ = started.send(command.spawn());
            }
        })?;
        let listener = listener.recv().map_err(|_| io::ErrorKind::BrokenPipe)??;
        Ok(Self {
            listener,
            doors,
            options,
            requests,
        })
    }

    /// Lets `private` answer one call.
    pub(crate) fn serve_one(&self, private: &mut dyn PrivateOptions) -> io::Result<()> {
        let Some(notification) = self.listener.receive()? else {
            return Ok(());
        };
        let answer = private.serve(self, &notification)?;
        self.listener.answer(notification.cookie, answer)
    }

    /// Starts `command` under the filter.
    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (started, child) = mpsc::channel();
        self.requests
            .send((command, started))
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        child.recv().map_err(|_| io::ErrorKind::BrokenPipe)?
    }
}

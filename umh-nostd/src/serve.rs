// SPDX-License-Identifier: GPL-2.0-only
//! The request loop.
//!
//! Owns: taking one whole request at a time and giving one reply for each,
//! and when the helper ends: with success when a pipe was closed between two
//! requests, with failure (and a log line) on anything that is no request.

use core::ops::ControlFlow;

use bpfilter_msgfmt::{Reply, Request};
use umh_core::errno::{Errno, Result};
use zerocopy::{FromZeros, IntoBytes};

use crate::handle;
use crate::system::System;

/// The two ends of the mailbox.
pub trait Mailbox {
    /// Reads some bytes of a request; 0 where the kernel half is gone.
    fn read(&self, into: &mut [u8]) -> Result<usize>;
    /// Writes some bytes of a reply; EPIPE where the kernel half is gone.
    fn write(&self, from: &[u8]) -> Result<usize>;
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The kernel half closed the mailbox between two requests.
    Closed,
    /// It closed it inside one: so many bytes were there.
    Invalid(usize),
    /// A pipe failed.
    Broken(Errno),
}

/// Serves requests until the mailbox ends.
pub fn serve(mailbox: &impl Mailbox, system: &impl System) -> End {
    loop {
        let mut request = Request::new_zeroed();
        if let ControlFlow::Break(end) = receive(mailbox, request.as_mut_bytes()) {
            return end;
        }
        let reply = handle::answer(system, &request);
        if let ControlFlow::Break(end) = send(mailbox, &reply) {
            return end;
        }
    }
}

/// Fills `rest` with one request.
fn receive(mailbox: &impl Mailbox, mut rest: &mut [u8]) -> ControlFlow<End> {
    let mut got = 0;
    while !rest.is_empty() {
        match mailbox.read(rest) {
            Ok(0) if got == 0 => return ControlFlow::Break(End::Closed),
            Ok(0) => return ControlFlow::Break(End::Invalid(got)),
            Ok(n) => {
                got += n;
                rest = rest.get_mut(n..).unwrap_or_default();
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return ControlFlow::Break(End::Broken(errno)),
        }
    }
    ControlFlow::Continue(())
}

fn send(mailbox: &impl Mailbox, reply: &Reply) -> ControlFlow<End> {
    let mut rest = reply.as_bytes();
    while !rest.is_empty() {
        match mailbox.write(rest) {
            Ok(n) => rest = rest.get(n..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EPIPE) => return ControlFlow::Break(End::Closed),
            Err(errno) => return ControlFlow::Break(End::Broken(errno)),
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::vec::Vec;

    use super::*;
    use crate::fake::Fake;

    /// A mailbox that gives one of its results at each read.
    struct Script {
        reads: RefCell<Vec<Result<Vec<u8>>>>,
        replies: RefCell<Vec<u8>>,
        write: Result<usize>,
    }

    impl Script {
        fn new(mut reads: Vec<Result<Vec<u8>>>) -> Self {
            reads.reverse();
            Self {
                reads: RefCell::new(reads),
                replies: RefCell::default(),
                write: Ok(1),
            }
        }

        /// How the loop ends over this mailbox, and what it replied.
        fn run(self) -> (End, Vec<u8>) {
            (serve(&self, &Fake::default()), self.replies.into_inner())
        }
    }

    impl Mailbox for Script {
        fn read(&self, into: &mut [u8]) -> Result<usize> {
            let bytes = self.reads.borrow_mut().pop().unwrap_or(Ok(Vec::new()))?;
            for (to, from) in into.iter_mut().zip(&bytes) {
                *to = *from;
            }
            Ok(bytes.len())
        }

        fn write(&self, from: &[u8]) -> Result<usize> {
            let n = self.write?;
            self.replies.borrow_mut().extend(from.iter().take(n));
            Ok(n)
        }
    }

    const PING: [u8; 24] = [0; 24];

    #[test]
    fn closed_between_requests() {
        assert_eq!(Script::new(vec![]).run(), (End::Closed, vec![]));
        let whole = vec![Ok(PING.to_vec()), Ok(PING.to_vec())];
        assert_eq!(Script::new(whole).run(), (End::Closed, vec![0; 8]));
    }

    #[test]
    fn short_and_interrupted_reads_are_continued() {
        let pieces = vec![
            Err(Errno::EINTR),
            Ok(vec![0; 7]),
            Err(Errno::EINTR),
            Ok(vec![0; 17]),
        ];
        assert_eq!(Script::new(pieces).run(), (End::Closed, vec![0; 4]));
    }

    #[test]
    fn closed_inside_a_request() {
        let reads = vec![Ok(PING.to_vec()), Ok(vec![0; 23])];
        assert_eq!(Script::new(reads).run(), (End::Invalid(23), vec![0; 4]));
    }

    #[test]
    fn failing_pipes() {
        let reads = vec![Err(Errno::EIO)];
        assert_eq!(Script::new(reads).run().0, End::Broken(Errno::EIO));
        let mut gone = Script::new(vec![Ok(PING.to_vec())]);
        gone.write = Err(Errno::EPIPE);
        assert_eq!(gone.run().0, End::Closed);
    }
}

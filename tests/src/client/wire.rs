// SPDX-License-Identifier: GPL-2.0-only
//! Scenarios as messages: what a test asks of a `rawclient serve`.
//!
//! Owns: the requests and replies between a test and the process that makes
//! the calls on one side, their framing (a u32 length, then postcard), and
//! the loop that serves them. A test process itself never changes its
//! namespace; the serving process has one of its own from its first moment.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::client::sockopt::{Call, Outcome, Prepared};

/// What a serving process can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Make one call.
    Call(Call),
    /// Make the same call so often, and say whether all gave the same.
    Repeat(Call, u32),
    /// Make the same call so often, each with its memory laid out anew; all
    /// must succeed.
    Time(Call, u32),
    /// Make the call; another thread unmaps its memory so many microseconds
    /// after the start. The memory afterwards is not looked at.
    CallAndUnmap(Call, u64),
    /// A child makes the call over and over and is killed so many
    /// microseconds after its start.
    CallAndDie(Call, u64),
    /// Make the call so often while another thread writes over its memory,
    /// a byte at a time; returns the last outcome.
    CallAndScribble(Call, u32),
    /// Make these calls in so many new namespaces, one after the other, each
    /// gone when the next one comes; all must succeed.
    Visit(Vec<Call>, u32),
    /// Run a command in the namespace of the serving process.
    Run(Run),
    /// Move to a new network namespace; the old one stays under its number.
    Unshare,
    /// Go back to a namespace by number, 0 being the first.
    Enter(usize),
}

/// A command to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// What it reads from its standard input.
    #[serde(with = "serde_bytes")]
    pub stdin: Vec<u8>,
}

/// What comes back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Of one call.
    Outcome(Outcome),
    /// Of repeated calls: the first outcome, how many differed from it, and
    /// the nanoseconds all of them took.
    Repeated(Outcome, u32, u64),
    /// The nanoseconds that each of some calls took.
    Times(Vec<u64>),
    /// Of a command.
    Ran(Ran),
    /// Done.
    Done,
}

/// What a command left.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Exit status, -1 if a signal ended it.
    pub status: i32,
    /// Standard output.
    #[serde(with = "serde_bytes")]
    pub stdout: Vec<u8>,
    /// Standard error.
    #[serde(with = "serde_bytes")]
    pub stderr: Vec<u8>,
}

impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "status {}\n--- stdout\n{}--- stderr\n{}",
            self.status,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        )
    }
}

/// Writes one message.
pub fn send<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
    to.write_all(&(bytes.len() as u32).to_ne_bytes())?;
    to.write_all(&bytes)?;
    to.flush()
}

/// Reads one message; `None` at the end of the stream.
pub fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<Option<T>> {
    let mut len = [0u8; 4];
    match from.read_exact(&mut len) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = vec![0u8; u32::from_ne_bytes(len) as usize];
    from.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes)
        .map(Some)
        .map_err(io::Error::other)
}

/// Serves requests from standard input until it ends, starting in a new
/// network namespace.
pub fn serve() -> io::Result<()> {
    let mut namespaces = Vec::new();
    unshare(&mut namespaces)?;
    send(io::stdout().lock(), &Reply::Done)?;
    while let Some(request) = receive::<Request>(io::stdin().lock())? {
        let reply = answer(request, &mut namespaces)?;
        send(io::stdout().lock(), &reply)?;
    }
    Ok(())
}

fn answer(request: Request, namespaces: &mut Vec<std::fs::File>) -> io::Result<Reply> {
    Ok(match request {
        Request::Call(call) => Reply::Outcome(Prepared::new(&call)?.outcome()),
        Request::Repeat(call, count) => repeat(&call, count)?,
        Request::Time(call, count) => time(&call, count)?,
        Request::CallAndUnmap(call, micros) => {
            let mut prepared = Prepared::new(&call)?;
            let mut taken = prepared.take_for_unmap();
            let unmapper = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(micros));
                taken.unmap();
            });
            let (ret, errno, len) = prepared.make();
            unmapper.join().map_err(|_| io::Error::other("unmapper"))?;
            Reply::Outcome(Outcome {
                ret,
                errno,
                len,
                bytes: Vec::new(),
                counters: Vec::new(),
            })
        }
        Request::CallAndDie(call, micros) => {
            let mut child = Command::new(std::env::current_exe()?)
                .arg("hammer")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
            send(&mut stdin, &call)?;
            // The child says that it starts.
            let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
            receive::<Reply>(stdout)?;
            std::thread::sleep(Duration::from_micros(micros));
            child.kill()?;
            child.wait()?;
            Reply::Done
        }
        Request::CallAndScribble(call, count) => scribble(&call, count)?,
        Request::Visit(calls, count) => {
            visit(&calls, count)?;
            enter(namespaces.last().ok_or(io::ErrorKind::NotFound)?)?;
            Reply::Done
        }
        Request::Run(run) => Reply::Ran(execute(&run)?),
        Request::Unshare => {
            unshare(namespaces)?;
            Reply::Done
        }
        Request::Enter(number) => {
            enter(namespaces.get(number).ok_or(io::ErrorKind::NotFound)?)?;
            Reply::Done
        }
    })
}

/// Reads one call from standard input and makes it for ever.
pub fn hammer() -> io::Result<()> {
    let call: Call = receive(io::stdin().lock())?.ok_or(io::ErrorKind::UnexpectedEof)?;
    send(io::stdout().lock(), &Reply::Done)?;
    let prepared = Prepared::new(&call)?;
    loop {
        prepared.make();
    }
}

fn enter(namespace: &std::fs::File) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn visit(calls: &[Call], count: u32) -> io::Result<()> {
    for number in 0..count {
        new_namespace()?;
        for call in calls {
            let outcome = Prepared::new(call)?.outcome();
            if outcome.ret != 0 {
                return Err(io::Error::other(format!(
                    "namespace {number}: {outcome:?} to {call:?}"
                )));
            }
        }
    }
    Ok(())
}

fn scribble(call: &Call, count: u32) -> io::Result<Reply> {
    let prepared = Prepared::new(call)?;
    let stop = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Not random: every byte gets its turn, and comes back.
            let mut at = 0;
            while !stop.load(Ordering::Relaxed) {
                prepared.optval.scribble(at);
                at = at.wrapping_add(7919);
            }
        });
        let mut outcome = prepared.outcome();
        for _ in 1..count {
            outcome = prepared.outcome();
        }
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    Ok(Reply::Outcome(outcome))
}

fn new_namespace() -> io::Result<()> {
    // SAFETY: no pointers are passed; the process has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        let error = io::Error::last_os_error();
        return Err(io::Error::new(
            error.kind(),
            format!("a network namespace of its own: {error} (the tests must run as root)"),
        ));
    }
    Ok(())
}

fn unshare(namespaces: &mut Vec<std::fs::File>) -> io::Result<()> {
    new_namespace()?;
    // Not /proc/self: the main thread is the one that moved.
    namespaces.push(std::fs::File::open("/proc/thread-self/ns/net")?);
    Ok(())
}

fn repeat(call: &Call, count: u32) -> io::Result<Reply> {
    let first = Prepared::new(call)?.outcome();
    let mut different = 0;
    let start = std::time::Instant::now();
    for _ in 1..count {
        if Prepared::new(call)?.outcome() != first {
            different += 1;
        }
    }
    let nanos = start.elapsed().as_nanos() as u64;
    Ok(Reply::Repeated(first, different, nanos))
}

fn time(call: &Call, count: u32) -> io::Result<Reply> {
    let one = || {
        let prepared = Prepared::new(call)?;
        let start = std::time::Instant::now();
        let (ret, errno, _) = prepared.make();
        let nanos = start.elapsed().as_nanos() as u64;
        match ret {
            0 => Ok(nanos),
            _ => Err(io::Error::from_raw_os_error(errno)),
        }
    };
    (0..count)
        .map(|_| one())
        .collect::<io::Result<_>>()
        .map(Reply::Times)
}

fn execute(run: &Run) -> io::Result<Ran> {
    let (program, arguments) = run.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let input = run.stdin.clone();
    let writer = std::thread::spawn(move || match stdin.write_all(&input) {
        // The command need not read all of it.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    });
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| io::Error::other("writer"))??;
    Ok(Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: output.stderr,
    })
}

// SPDX-License-Identifier: GPL-2.0-only
//! bpfilter-run: any command on the kernel of this machine, its iptables served
//! by the helper.
//!
//! Plays the kernel half's part in user space, as docs/design.md says. Owns: the
//! command line, signals and exit statuses. The way of a call through the
//! modules: `filter` traps it, a thread of `supervisor` receives it, `client` reads
//! and answers it (`call` says what it asks, `caller` whether it may, `optval`
//! copies), `mailbox` asks the helper, `transaction` serves the helper's own
//! calls meanwhile, and `network` keeps what comes of it. `notes` says which calls
//! went past.

mod call;
mod caller;
mod cli;
mod client;
mod conntrack;
mod filter;
mod hooks;
mod liveness;
mod mailbox;
mod network;
mod notes;
mod optval;
mod procfs;
mod roots;
mod supervisor;
mod sys;
mod transaction;
mod trap;
mod watch;

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode};
use std::thread;

use bpfilter_msgfmt as msg;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal};

use crate::cli::{Arguments, Invocation};
use crate::filter::{ALL_DOORS, Options};
use crate::mailbox::Mailbox;
use crate::supervisor::Supervisor;
use crate::sys::bpf::Grace;
use crate::sys::signal::Signals;
use crate::trap::Trap;

/// We failed, COMMAND did not: as env, timeout and nohup have it.
const EXIT_OWN_FAILURE: u8 = 125;
/// COMMAND is there but cannot be run.
const EXIT_NOT_EXECUTABLE: u8 = 126;
/// COMMAND is not there.
const EXIT_NOT_FOUND: u8 = 127;

/// The signals that end or concern COMMAND, not us.
const FORWARDED: &[i32] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
];

fn main() -> ExitCode {
    match cli::parse() {
        Ok(Invocation::Help) => match io::stdout().write_all(cli::HELP.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(EXIT_OWN_FAILURE),
        },
        Ok(Invocation::Run(arguments)) => run(arguments).unwrap_or_else(|failure| {
            log(&failure.message);
            ExitCode::from(failure.status)
        }),
        Err(message) => {
            log(&message);
            ExitCode::from(EXIT_OWN_FAILURE)
        }
    }
}

/// A line of our own on stderr. Where nobody reads it any more, COMMAND is served
/// all the same.
fn log(line: &str) {
    let _ = writeln!(io::stderr(), "bpfilter-run: {line}");
}

/// Why COMMAND could not be run, and what to exit with.
struct Fatal {
    status: u8,
    message: String,
}

impl Fatal {
    fn new(message: impl Into<String>) -> Self {
        Self {
            status: EXIT_OWN_FAILURE,
            message: message.into(),
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Fatal> {
    check_proc()?;
    let signals = Signals::hold(FORWARDED)
        .map_err(|e| Fatal::new(format!("cannot hold signals back: {e}")))?;
    let files = raise_file_limit();

    let mut mailbox = Mailbox::new(arguments.helper.clone(), signals).map_err(explain_filter)?;
    let public = Options {
        set: msg::IPT_SO_SET_REPLACE..msg::IPT_SET_MAX,
        get: msg::IPT_SO_GET_INFO..msg::IPT_GET_MAX,
        get_ipv6: notes::IPV6_BEGINS,
    };
    let command = Trap::new(ALL_DOORS, public).map_err(explain_filter)?;
    let grace = Grace::new().map_err(|e| {
        Fatal::new(format!(
            "cannot create BPF maps ({e}): run it as root, not in a container"
        ))
    })?;
    mailbox.start().map_err(|_| {
        let path = arguments.helper.display();
        Fatal::new(format!(
            "no helper, giving up: is {path} the one of `make tools`, target/links/bpfilter_umh? (--umh PATH)"
        ))
    })?;
    let supervisor = Supervisor::new(command, mailbox, grace, arguments.listed)
        .map_err(|e| Fatal::new(format!("cannot serve COMMAND: {e}")))?;

    let mut command = Command::new(&arguments.command);
    command.args(&arguments.args);
    sys::spawn::restore(&mut command, files, signals);
    let mut child = supervisor.spawn(command).map_err(|e| Fatal {
        status: match e.kind() {
            io::ErrorKind::NotFound => EXIT_NOT_FOUND,
            _ => EXIT_NOT_EXECUTABLE,
        },
        message: format!("cannot run {}: {e}", arguments.command.display()),
    })?;

    let served = follow(&child, signals).and_then(|end| {
        let ran = supervisor.run(std::os::fd::AsFd::as_fd(&end));
        ran.map_err(|e| Fatal::new(format!("cannot serve COMMAND any more: {e}")))
    });
    supervisor.close();
    served?;
    let status = child
        .wait()
        .map_err(|e| Fatal::new(format!("cannot wait for COMMAND: {e}")))?;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(EXIT_OWN_FAILURE),
    ))
}

/// Forwards signals to `child` from now on; gives what becomes readable when
/// it ends.
fn follow(child: &Child, signals: Signals) -> Result<std::os::fd::OwnedFd, Fatal> {
    let fail = |e: io::Error| Fatal::new(format!("cannot follow COMMAND: {e}"));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::NotFound.into()).map_err(fail)?;
    let end = pidfd_open(pid, PidfdFlags::empty()).map_err(|e| fail(e.into()))?;
    let target = end.try_clone().map_err(fail)?;
    let forward = move || {
        while let Ok(signal) = signals.next() {
            // The terminal signals the whole foreground job: COMMAND has got
            // this one already.
            if signal.from_kernel {
                continue;
            }
            if let Some(signal) = Signal::from_named_raw(signal.number) {
                // Fails only if COMMAND has ended, which others notice.
                let _ = pidfd_send_signal(&target, signal);
            }
        }
    };
    thread::Builder::new().spawn(forward).map_err(fail)?;
    Ok(end)
}

/// procfs must show the pid namespace that we are in: callers are looked up
/// there by the thread ids that the kernel gives us.
fn check_proc() -> Result<(), Fatal> {
    let shown = std::fs::read_link("/proc/self").ok();
    let own = std::process::id().to_string();
    if shown.as_deref().and_then(|path| path.to_str()) == Some(own.as_str()) {
        Ok(())
    } else {
        Err(Fatal::new(
            "/proc does not show this pid namespace: mount -t proc proc /proc",
        ))
    }
}

/// Every namespace with rules costs a dozen descriptors. Gives the limit that
/// COMMAND is to have: the old one.
fn raise_file_limit() -> Rlimit {
    let old = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: old.maximum,
        maximum: old.maximum,
    };
    // The old limit will do for most.
    let _ = rustix::process::setrlimit(Resource::Nofile, raised);
    old
}

fn explain_filter(e: io::Error) -> Fatal {
    Fatal::new(match e.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            format!("cannot install a seccomp filter ({e}): run it as root")
        }
        Some(libc::EBUSY) => format!(
            "cannot listen to a seccomp filter ({e}): another program, perhaps a bpfilter-run \
             around this one, listens already"
        ),
        _ => format!("cannot install a seccomp filter: {e} (needs Linux 6.4 with SECCOMP_FILTER)"),
    })
}

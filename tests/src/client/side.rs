// SPDX-License-Identifier: GPL-2.0-only
//! The two sides of a differential test.
//!
//! Owns: starting a `rawclient serve` on the kernel's own ip_tables or under
//! `bpfilter-run`, each in a network namespace of its own, asking it, and
//! comparing what two sides say. Nothing is normalised here: a scenario that
//! must look at less than everything does so itself and says why.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::client::sockopt::{Call, Outcome};
use crate::client::wire::{self, Ran, Reply, Request, Run};

/// Where `make umh` and `make tools` put their results.
fn built(variable: &str, name: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../target")
                .join(name)
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is not there: `make umh tools` (for another CPU `make umh ARCH=`) builds it, or set {variable}",
        path.display()
    );
    path
}

/// The helper of bpfilter-run.
pub fn umh_path() -> PathBuf {
    built("BPFILTER_UMH", "links/bpfilter_umh")
}

/// The helper that goes into a kernel image.
pub fn image_umh_path() -> PathBuf {
    built("BPFILTER_IMAGE_UMH", "bpfilter_umh")
}

/// Other CPUs whose helpers are tested, as the kernel calls them, and what of QEMU
/// runs each: those that `BPFILTER_OTHER_CPUS` names, or arm64.
pub fn other_cpus() -> Vec<[&'static str; 2]> {
    const KNOWN: [[&str; 2]; 2] = [["arm64", "qemu-aarch64-static"], ["arm", "qemu-arm-static"]];
    let names = std::env::var("BPFILTER_OTHER_CPUS").unwrap_or_else(|_| "arm64".into());
    let named = |name: &str| {
        let known = KNOWN.into_iter().find(|[arch, _]| *arch == name);
        known.unwrap_or_else(|| panic!("BPFILTER_OTHER_CPUS: what is {name}?"))
    };
    names.split_whitespace().map(named).collect()
}

/// The helper that goes into a kernel image of another CPU.
pub fn other_umh_path(arch: &str) -> PathBuf {
    built(
        &format!("BPFILTER_UMH_{arch}"),
        &format!("{arch}/bpfilter_umh"),
    )
}

/// The kernel half in user space.
pub fn run_path() -> PathBuf {
    built("BPFILTER_RUN", "bpfilter-run")
}

/// A directory for what this test process leaves.
pub fn scratch() -> PathBuf {
    let path = std::env::temp_dir().join(format!("bpfilter-tests-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a scratch directory");
    path
}

/// One process that makes calls, and what answers them.
pub struct Side {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Side {
    /// The ip_tables of the kernel that runs the tests.
    pub fn kernel(rawclient: &str) -> Self {
        let mut command = Command::new(rawclient);
        command.arg("serve");
        Self::start("ip_tables", command)
    }

    /// bpfilter, its kernel half played by `bpfilter-run`.
    pub fn bpfilter(rawclient: &str) -> Self {
        let mut command = Command::new(run_path());
        command
            .arg("--umh")
            .arg(umh_path())
            .args(["--", rawclient, "serve"]);
        Self::start("bpfilter", command)
    }

    fn start(name: &'static str, mut command: Command) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let scratch = scratch();
        // Sides must not wait for each other's clients.
        let lock = scratch.join(format!("xtables.lock.{number}"));
        let mut child = command
            .env("XTABLES_LOCKFILE", lock)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("a piped stdout");
        let mut side = Self {
            name,
            child,
            stdin,
            stdout,
        };
        // The first message says that the namespace is there.
        side.reply("start");
        side
    }

    fn reply(&mut self, what: &str) -> Reply {
        match wire::receive(&mut self.stdout) {
            Ok(Some(reply)) => reply,
            other => panic!(
                "{}: the client process ended ({other:?}) at: {what}; its error is above \
                 (these tests need root)",
                self.name
            ),
        }
    }

    /// The process id of the command that was started: on the bpfilter side
    /// that of `bpfilter-run`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Puts one request.
    pub fn ask(&mut self, request: &Request) -> Reply {
        let stdin = self.stdin.as_mut().expect("open until drop");
        wire::send(stdin, request).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        self.reply(&brief(request))
    }

    /// Makes one call.
    pub fn call(&mut self, call: &Call) -> Outcome {
        match self.ask(&Request::Call(call.clone())) {
            Reply::Outcome(outcome) => outcome,
            other => panic!("{}: {other:?} to a call", self.name),
        }
    }

    /// Runs one command.
    pub fn run(&mut self, argv: &[&str], stdin: &[u8]) -> Ran {
        match self.ask(&Request::Run(run(argv, stdin))) {
            Reply::Ran(ran) => ran,
            other => panic!("{}: {other:?} to a command", self.name),
        }
    }

    /// Keeps connection tracking on in the namespace, through a table that
    /// no test looks at. Without it every load or unload of a rule that uses
    /// conntrack waits for it to be switched on or off, some 15 ms.
    pub fn keep_conntrack(&mut self) {
        let command = "iptables-legacy -w -t mangle -A PREROUTING -m conntrack --ctstate NEW";
        let argv: Vec<&str> = command.split(' ').collect();
        let ran = self.run(&argv, b"");
        assert_eq!(ran.status, 0, "{ran:?}");
    }

    /// The process that makes the calls.
    pub fn client(&self) -> u32 {
        children(self.pid())
            .into_iter()
            .find(|pid| !is_helper(*pid))
            .unwrap_or_else(|| self.pid())
    }

    /// The helper that serves this side now.
    pub fn helper(&self) -> Option<u32> {
        helper_of(self.pid())
    }
}

/// The `bpfilter_umh` among the children of a `bpfilter-run`.
pub fn helper_of(bpfilter_run: u32) -> Option<u32> {
    children(bpfilter_run)
        .into_iter()
        .find(|pid| is_helper(*pid))
}

fn is_helper(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|comm| comm.starts_with("bpfilter_umh"))
}

/// A figure in KiB of /proc/PID/status.
pub fn status(pid: u32, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{field}:")))
        .unwrap_or_else(|| panic!("{field} of {pid}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Resident memory in KiB, once it does not change any more.
pub fn settled_rss(pid: u32) -> u64 {
    let start = Instant::now();
    let mut last = u64::MAX;
    loop {
        // Long enough for the helper to see that no request comes.
        std::thread::sleep(Duration::from_millis(500));
        let rss = status(pid, "VmRSS");
        if rss >= last || start.elapsed() > Duration::from_secs(10) {
            return rss;
        }
        last = rss;
    }
}

/// The children of all threads of a process.
fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

impl Drop for Side {
    fn drop(&mut self) {
        // The end of its input ends the client, and with it bpfilter-run.
        drop(self.stdin.take());
        let _: io::Result<_> = self.child.wait();
    }
}

/// A [`Run`] of these arguments.
pub fn run(argv: &[&str], stdin: &[u8]) -> Run {
    Run {
        argv: argv.iter().map(|&argument| argument.to_owned()).collect(),
        stdin: stdin.to_vec(),
    }
}

/// A request in one line for a message.
fn brief(request: &Request) -> String {
    match request {
        Request::Run(run) => run.argv.join(" "),
        other => {
            let mut text = format!("{other:?}");
            if let Some((at, _)) = text.char_indices().nth(400) {
                text.truncate(at);
                text.push_str("...");
            }
            text
        }
    }
}

/// Both sides, asked the same.
pub struct Pair {
    /// The judge.
    pub kernel: Side,
    /// The judged.
    pub bpfilter: Side,
}

impl Pair {
    /// Starts both sides.
    pub fn new(rawclient: &str) -> Self {
        Self {
            kernel: Side::kernel(rawclient),
            bpfilter: Side::bpfilter(rawclient),
        }
    }

    /// Asks both, fails if the replies differ, and returns the reply.
    #[track_caller]
    pub fn same(&mut self, request: &Request) -> Reply {
        let expected = self.kernel.ask(request);
        let got = self.bpfilter.ask(request);
        if expected != got {
            panic!(
                "{}\n{}\n=== ip_tables:\n{expected:?}\n=== bpfilter:\n{got:?}",
                brief(request),
                difference(&expected, &got),
            );
        }
        expected
    }

    /// Makes the same call on both sides.
    #[track_caller]
    pub fn call(&mut self, call: &Call) -> Outcome {
        match self.same(&Request::Call(call.clone())) {
            Reply::Outcome(outcome) => outcome,
            other => panic!("{other:?} to a call"),
        }
    }

    /// Runs the same command on both sides.
    #[track_caller]
    pub fn run(&mut self, argv: &[&str], stdin: &[u8]) -> Ran {
        match self.same(&Request::Run(run(argv, stdin))) {
            Reply::Ran(ran) => ran,
            other => panic!("{other:?} to a command"),
        }
    }
}

/// Where two replies begin to differ.
fn difference(a: &Reply, b: &Reply) -> String {
    let first = |what: &str, a: &[u8], b: &[u8]| {
        a.iter()
            .zip(b)
            .position(|(a, b)| a != b)
            .or((a.len() != b.len()).then_some(a.len().min(b.len())))
            .map(|at| format!("{what} differ from byte {at} on; "))
            .unwrap_or_default()
    };
    match (a, b) {
        (Reply::Outcome(a), Reply::Outcome(b)) => {
            first("bytes", &a.bytes, &b.bytes) + &first("counters", &a.counters, &b.counters)
        }
        (Reply::Ran(a), Reply::Ran(b)) => {
            first("outputs", &a.stdout, &b.stdout) + &first("errors", &a.stderr, &b.stderr)
        }
        _ => String::new(),
    }
}

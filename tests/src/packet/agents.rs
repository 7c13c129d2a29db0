// SPDX-License-Identifier: GPL-2.0-only
//! Running `packet-agent` on either side.
//!
//! Owns: starting agents, on the kernel's ip_tables or under `bpfilter-run`,
//! several at a time (they wait for the kernel most of their time), and
//! collecting what they print. Leaves the comparison to the tests.

use std::fmt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use crate::client::side::{run_path, scratch, umh_path};

/// What answers iptables and filters packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// The kernel's own ip_tables.
    IpTables,
    /// bpfilter, its kernel half played by `bpfilter-run`.
    Bpfilter,
}

/// The cases of a test: so many, from this seed on.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    /// Seed of the first.
    pub first: u64,
    /// Number.
    pub count: u64,
}

impl Cases {
    /// `count` cases from seed 0 on, or what `BPFILTER_SEED` and
    /// `BPFILTER_CASES` say: a failed test names the seed to repeat, and a long
    /// run asks for more.
    pub fn from_environment(count: u64) -> Self {
        let number = |name: &str, default| match std::env::var(name) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|e| panic!("{name}={text}: {e}")),
            Err(_) => default,
        };
        Self {
            first: number("BPFILTER_SEED", 0),
            count: number("BPFILTER_CASES", count),
        }
    }

    /// The same cases in so many parts.
    fn split(self, parts: u64) -> Vec<Self> {
        (0..parts)
            .map(|part| Self {
                first: self.first + self.count * part / parts,
                count: self.count * (part + 1) / parts - self.count * part / parts,
            })
            .filter(|cases| cases.count > 0)
            .collect()
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IpTables => "ip_tables",
            Self::Bpfilter => "bpfilter",
        })
    }
}

/// A command that runs `agent` on a side.
pub fn command(backend: Backend, agent: &str) -> Command {
    match backend {
        Backend::IpTables => Command::new(agent),
        Backend::Bpfilter => {
            let mut command = Command::new(run_path());
            // Between packets and our rules is nothing else.
            command.arg("--umh").arg(umh_path());
            command.args(["--unlisted", "--", agent]);
            command
        }
    }
}

/// Starts an agent with these arguments.
pub fn start(backend: Backend, agent: &str, arguments: &[&str]) -> Child {
    // Agents must not wait for each other's clients.
    let lock = scratch().join(format!("xtables.{backend}.{}", arguments.join(".")));
    command(backend, agent)
        .args(arguments)
        .env("XTABLES_LOCKFILE", lock)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{agent}: {e}"))
}

/// Runs an agent to its end.
pub fn run(backend: Backend, agent: &str, arguments: &[&str]) -> Output {
    start(backend, agent, arguments)
        .wait_with_output()
        .unwrap_or_else(|e| panic!("{agent}: {e}"))
}

/// Runs an agent that must succeed. Returns what it prints.
pub fn succeeds(backend: Backend, agent: &str, arguments: &[&str]) -> String {
    let output = run(backend, agent, arguments);
    if !output.status.success() {
        panic!(
            "{backend}: {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What came of cases on one side.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each case, and one for each packet.
    pub seen: String,
    /// Where the evaluator differs, or an agent failed.
    pub errors: String,
}

/// Agents at a time on one side.
const PARTS: u64 = 4;

/// Runs the cases on one side.
pub fn run_cases(backend: Backend, agent: &str, cases: Cases) -> Outcome {
    let parts: Vec<_> = cases
        .split(PARTS)
        .into_iter()
        .map(|part| {
            let agent = agent.to_owned();
            let (first, count) = (part.first.to_string(), part.count.to_string());
            thread::spawn(move || run(backend, &agent, &["cases", &first, &count]))
        })
        .collect();
    let mut outcome = Outcome::default();
    for part in parts {
        let output = part.join().expect("a thread that does not panic");
        outcome.seen += &String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            outcome.errors += &format!(
                "{backend}, {}:\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    outcome
}

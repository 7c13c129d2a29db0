// SPDX-License-Identifier: GPL-2.0-only
//! What is accepted, what is refused, and how.
//!
//! Owns: a record of what becomes of each line of `arguments.list`: the exit
//! status and the message of `iptables -A`, the text that `iptables-save`
//! prints afterwards and the bytes that GET_ENTRIES gives back. There is no
//! model of it: ip_tables and bpfilter, on the same kernel, must write the same
//! record. What no line can ask for is `refusals`' affair, which breaks the
//! rules that are in the table here.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

use umh_core::abi::{Entry, ExtensionHeader};
use zerocopy::FromBytes;

use crate::blob::{ENTRY, EXTENSION};
use crate::oracle::case::Live;
use crate::oracle::table::c_string;
use crate::records::refusals::{self, Breaker};
use crate::world::namespace::{run, unshare};

const LIST: &str = include_str!("arguments.list");

/// A match or target of an entry, by where it lies there.
#[derive(Clone, Copy, Debug)]
pub struct Part<'e> {
    /// Where its header starts.
    pub at: usize,
    /// Its name.
    pub name: &'e [u8],
    /// Its revision.
    pub revision: u8,
    /// Its data.
    pub data: &'e [u8],
}

/// The matches and the target of an entry, the latter last.
pub fn parts(entry: &[u8]) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut at = ENTRY;
    while at < entry.len() {
        let (header, rest) = ExtensionHeader::ref_from_prefix(&entry[at..]).expect("room");
        let size = usize::from(header.size);
        let end = header.name.iter().position(|byte| *byte == 0);
        parts.push(Part {
            at,
            name: &header.name[..end.expect("a name that ends")],
            revision: header.revision,
            data: &rest[..size - EXTENSION],
        });
        at += size;
    }
    parts
}

/// The entries of a table, each with its bytes.
pub fn split(mut entries: &[u8]) -> Vec<&[u8]> {
    let mut split = Vec::new();
    while let Ok((entry, _)) = Entry::ref_from_prefix(entries) {
        let (one, rest) = entries.split_at(usize::from(entry.next_offset));
        split.push(one);
        entries = rest;
    }
    split
}

/// The words of a line, in which double quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// Where commands run.
struct Side {
    /// What keeps iptables' changes apart.
    lock: String,
}

impl Side {
    fn run(&self, command: &str, more: &str) -> io::Result<Output> {
        let mut words = words(command);
        words.extend(self::words(more));
        Command::new(&words[0])
            .args(&words[1..])
            .env("XTABLES_LOCKFILE", &self.lock)
            .stdin(Stdio::null())
            .output()
    }

    /// What a command prints that must succeed.
    fn succeeds(&self, command: &str) -> io::Result<String> {
        let output = self.run(command, "")?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(io::Error::other(format!("{command}: {}", said(&output)))),
        }
    }
}

/// How a command ended and all that it said, in one line.
fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).replace('\n', " | ");
    match output.status.code() {
        Some(0) if text.is_empty() => "accepted".to_owned(),
        Some(status) => format!("{status}: {text}"),
        None => format!("killed: {text}"),
    }
}

/// The bytes of what an entry asks and does.
pub fn describe(entry: &[u8]) -> String {
    let mut text = String::new();
    for part in parts(entry) {
        let name = c_string(part.name);
        text += &format!(" {name}.{}=", part.revision);
        text.extend(part.data.iter().map(|byte| format!("{byte:02x}")));
    }
    text
}

/// How many groups are worked on at a time, each thread in its own namespace.
const THREADS: usize = 2;

/// Writes the record; of broken rules one of `thin`.
pub fn record(thin: u64) -> io::Result<()> {
    let groups: Vec<&str> = LIST.split("\n[").skip(1).collect();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let groups: Vec<&str> = groups
                .iter()
                .copied()
                .skip(thread)
                .step_by(THREADS)
                .collect();
            thread::spawn(move || record_groups(&groups, thread, thin))
        })
        .collect();
    unshare()?;
    let mut out = io::stdout().lock();
    refusals::revisions(&mut out)?;
    refusals::older(&mut out)?;
    for thread in threads {
        out.write_all(&thread.join().expect("a thread that does not panic")?)?;
    }
    Ok(())
}

fn record_groups(groups: &[&str], thread: usize, thin: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    unshare()?;
    run(&["ip", "link", "set", "lo", "up"], "")?;
    let side = Side {
        lock: format!("/run/xtables.lock.{thread}"),
    };
    let mut breaker = Breaker::new(thin);
    for group in groups {
        let (name, lines) = group.split_once("]\n").unwrap_or_default();
        writeln!(out, "[{name}]")?;
        for line in lines.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("% ") {
                Some(command) => drop(side.succeeds(command)?),
                None => {
                    let output = side.run("iptables-legacy -A", line)?;
                    writeln!(out, "{line}: {}", said(&output))?;
                }
            }
        }
        let saved = side.succeeds("iptables-legacy-save -t filter")?;
        for line in saved.lines().filter(|line| !line.starts_with('#')) {
            writeln!(out, "{line}")?;
        }
        let entries = Live::open()?.entries()?;
        let entries = split(&entries);
        for entry in &entries {
            writeln!(out, "{}", describe(entry))?;
        }
        side.succeeds("iptables-legacy -F")?;
        side.succeeds("iptables-legacy -X")?;
        breaker.break_all(&mut out, &entries)?;
        side.succeeds("iptables-legacy -F")?;
    }
    Ok(out)
}

// SPDX-License-Identifier: GPL-2.0-only
//! boot-rules: files of iptables-save and ip6tables-save become boot rules, which a kernel with
//! bpfilter has in force before its first packet.
//!
//! Boot rules are what iptables-restore would send: it is run, with [`restore`] in
//! the kernel's place. Each table is checked as the helper will check it, by the
//! helper's own request handler, over a [`system`] that keeps nothing. Where a
//! table is refused [`blame`] finds the line. [`blob`] has the format.
//!
//! Neither privileges nor a kernel with ip_tables or bpfilter are needed.

mod blame;
mod blob;
mod cli;
mod restore;
mod system;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::{Arguments, Invocation, Source};
use crate::restore::{Outcome, Restore, Sent};

/// The rules are refused, or a file cannot be read or written.
const EXIT_REFUSED: u8 = 1;
/// The command line is not understood.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let done = match cli::parse() {
        Ok(Invocation::Help) => io::stdout()
            .write_all(cli::HELP.as_bytes())
            .map_err(|e| format!("standard output: {e}")),
        Ok(Invocation::Make(arguments)) => make(&arguments),
        Err(message) => {
            log(&message);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log(&message);
            ExitCode::from(EXIT_REFUSED)
        }
    }
}

/// A line on stderr. If nobody reads it, the exit status says the same.
fn log(line: &str) {
    let _ = writeln!(io::stderr(), "boot-rules: {line}");
}

fn make(arguments: &Arguments) -> Result<(), String> {
    let mut sent = Vec::new();
    for source in &arguments.sources {
        sent.extend(tables_of(source)?);
    }
    let output = &arguments.output;
    fs::write(output, blob::of(&sent)).map_err(|e| format!("{}: {e}", output.display()))
}

/// What the kernel is to be sent for a file.
fn tables_of(source: &Source) -> Result<Vec<Sent>, String> {
    let path = &source.rules;
    let name = path.display();
    let rules = fs::read(path).map_err(|e| format!("{name}: {e}"))?;
    let restore = Restore::new(source.family, &source.restore)?;
    let sent = match restore.run(&rules)? {
        Outcome::Sent(sent) => sent,
        // It has named the line.
        Outcome::Failed(said) if said.contains("line") => {
            return Err(format!("{name}: {}", said.trim_end()));
        }
        Outcome::Failed(said) => {
            return Err(blame::refused(path, &rules, &restore, said.trim_end()));
        }
        Outcome::Refused(errno) => {
            let why = io::Error::from_raw_os_error(errno).to_string();
            return Err(blame::refused(path, &rules, &restore, &why));
        }
    };
    if sent.is_empty() {
        return Err(format!("{name}: there is no table in it"));
    }
    tell_needs(path, &sent);
    Ok(sent)
}

/// Nobody knows here whether the kernel that boots will have them.
fn tell_needs(path: &Path, sent: &[Sent]) {
    let needs: BTreeSet<_> = sent.iter().flat_map(|table| &table.needs).collect();
    if needs.is_empty() {
        return;
    }
    let needs: Vec<_> = needs.into_iter().map(String::as_str).collect();
    log(&format!(
        "{}: the kernel must have these, built in if bpfilter is: {}",
        path.display(),
        needs.join(", ")
    ));
}

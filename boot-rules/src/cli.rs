// SPDX-License-Identifier: GPL-2.0-only
//! The command line.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
boot-rules -4 FILE -o BLOB [--iptables-restore PROGRAM]

Makes BLOB of FILE, rules as iptables-save writes them. A kernel in which
CONFIG_BPFILTER_BOOT_RULES names BLOB has them in force before its first packet.

  -4 FILE   rules of IPv4: the tables that are in it, whole
  -o BLOB   where to write to
  --iptables-restore PROGRAM
            the legacy iptables-restore, dynamically linked; default:
            iptables-legacy-restore
  --help    this text

Each table is checked as the kernel will check it. What a rule asks of x_tables is
named and taken: only the kernel that boots knows whether it has it. Names of hosts
and users mean what they mean on this machine. Needs no privilege.

Exit status: 0; 1 if the rules are refused, with the line of FILE at fault, or a
file cannot be read or written; 2 for a command line that is not understood.
";

/// What was asked for.
pub(crate) enum Invocation {
    /// `--help`.
    Help,
    /// Boot rules.
    Make(Arguments),
}

/// What boot rules are made of.
pub(crate) struct Arguments {
    /// The file of iptables-save.
    pub(crate) rules: PathBuf,
    /// Where to write to.
    pub(crate) output: PathBuf,
    /// iptables-restore.
    pub(crate) restore: OsString,
}

/// Reads our own command line.
pub(crate) fn parse() -> Result<Invocation, String> {
    let usage = |e: &dyn Display| format!("{e}; boot-rules --help says how");
    let mut parser = lexopt::Parser::from_env();
    let (mut rules, mut output, mut restore) = (None, None, None);
    while let Some(argument) = parser.next().map_err(|e| usage(&e))? {
        let into = match argument {
            Short('4') => &mut rules,
            Short('o') => &mut output,
            Long("iptables-restore") => &mut restore,
            Short('h') | Long("help") => return Ok(Invocation::Help),
            other => return Err(usage(&other.unexpected())),
        };
        *into = Some(parser.value().map_err(|e| usage(&e))?);
    }
    let missing = |what: &str| usage(&format!("no {what}"));
    Ok(Invocation::Make(Arguments {
        rules: rules.ok_or_else(|| missing("-4 FILE"))?.into(),
        output: output.ok_or_else(|| missing("-o BLOB"))?.into(),
        restore: restore.unwrap_or_else(|| "iptables-legacy-restore".into()),
    }))
}

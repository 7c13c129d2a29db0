// SPDX-License-Identifier: GPL-2.0-only
//! The command line.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

use lexopt::prelude::*;
use umh_core::abi::Family;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
boot-rules [-4 FILE] [-6 FILE] -o BLOB [--iptables-restore PROGRAM]
           [--ip6tables-restore PROGRAM]

Makes BLOB of rules as iptables-save and ip6tables-save write them, of either or
both. A kernel in which CONFIG_BPFILTER_BOOT_RULES names BLOB has them in force
before its first packet.

  -4 FILE   rules of IPv4: the tables that are in it, whole
  -6 FILE   likewise of IPv6
  -o BLOB   where to write to
  --iptables-restore PROGRAM
            the legacy iptables-restore, dynamically linked; default:
            iptables-legacy-restore
  --ip6tables-restore PROGRAM
            likewise for IPv6; default: ip6tables-legacy-restore
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
    /// Of each family at most one.
    pub(crate) sources: Vec<Source>,
    /// Where to write to.
    pub(crate) output: PathBuf,
}

/// The rules of a family.
pub(crate) struct Source {
    pub(crate) family: Family,
    /// The file of iptables-save or ip6tables-save.
    pub(crate) rules: PathBuf,
    /// iptables-restore or ip6tables-restore.
    pub(crate) restore: OsString,
}

/// Reads our own command line.
pub(crate) fn parse() -> Result<Invocation, String> {
    let usage = |e: &dyn Display| format!("{e}; boot-rules --help says how");
    let mut parser = lexopt::Parser::from_env();
    let (mut rules4, mut rules6, mut output) = (None, None, None);
    let (mut restore4, mut restore6) = (None, None);
    while let Some(argument) = parser.next().map_err(|e| usage(&e))? {
        let into = match argument {
            Short('4') => &mut rules4,
            Short('6') => &mut rules6,
            Short('o') => &mut output,
            Long("iptables-restore") => &mut restore4,
            Long("ip6tables-restore") => &mut restore6,
            Short('h') | Long("help") => return Ok(Invocation::Help),
            other => return Err(usage(&other.unexpected())),
        };
        *into = Some(parser.value().map_err(|e| usage(&e))?);
    }
    let source = |family, rules: Option<OsString>, restore: Option<OsString>, default: &str| {
        rules.map(|rules| Source {
            family,
            rules: rules.into(),
            restore: restore.unwrap_or_else(|| default.into()),
        })
    };
    let ipv4 = source(Family::Ipv4, rules4, restore4, "iptables-legacy-restore");
    let ipv6 = source(Family::Ipv6, rules6, restore6, "ip6tables-legacy-restore");
    let sources: Vec<_> = ipv4.into_iter().chain(ipv6).collect();
    if sources.is_empty() {
        return Err(usage(&"neither -4 FILE nor -6 FILE"));
    }
    Ok(Invocation::Make(Arguments {
        sources,
        output: output.ok_or_else(|| usage(&"no -o BLOB"))?.into(),
    }))
}

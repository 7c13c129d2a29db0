// SPDX-License-Identifier: GPL-2.0-only
//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
bpfilter-run [--umh PATH] [--unlisted] -- COMMAND [ARGS...]

Runs COMMAND, children included, on the kernel of this machine with bpfilter's
helper serving its iptables-legacy: get/setsockopt at level SOL_IP, the filter
table of IPv4. Other tables stay with the kernel's own ip_tables, and IPv6 with
ip6_tables.

  --umh PATH   the helper (default: links/bpfilter_umh beside this program)
  --unlisted   keep packets out of the kernel's own table filter, which ip_tables
               has to have to list it: iptables-save needs its -t filter then
  --help       this text

Needs root, and Linux 6.4 with seccomp user notification and netfilter BPF links.
The exit status is COMMAND's (128+n if signal n ended it); 125 if bpfilter-run
itself failed, 126 if COMMAND cannot be executed, 127 if it is not there.

When COMMAND ends, bpfilter-run ends, and with it every rule that was set through
it: its packet hooks go, in all network namespaces. What COMMAND leaves running in
the background gets ENOSYS for the options of iptables from then on. Processes
that were not started by COMMAND or its children (say, by a daemon on its behalf)
are not served, and io_uring's setsockopt cannot be seen. Where the kernel has no
ip_tables iptables-save needs its -t filter, as nobody lists tables there.
";

/// What was asked for.
pub(crate) enum Invocation {
    /// `--help`.
    Help,
    /// A command.
    Run(Arguments),
}

/// A command and who serves it.
pub(crate) struct Arguments {
    /// The helper's executable.
    pub(crate) helper: PathBuf,
    /// The kernel's ip_tables is to list the table.
    pub(crate) listed: bool,
    /// COMMAND.
    pub(crate) command: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

/// Reads our own command line.
pub(crate) fn parse() -> Result<Invocation, String> {
    let usage = |e: &dyn std::fmt::Display| format!("{e}; bpfilter-run --help says how");
    let mut parser = lexopt::Parser::from_env();
    let mut helper = None;
    let mut listed = true;
    while let Some(argument) = parser.next().map_err(|e| usage(&e))? {
        match argument {
            Long("umh") => helper = Some(parser.value().map_err(|e| usage(&e))?.into()),
            Long("unlisted") => listed = false,
            Short('h') | Long("help") => return Ok(Invocation::Help),
            Value(command) => {
                let args = parser.raw_args().map_err(|e| usage(&e))?.collect();
                let helper = match helper {
                    // The helper runs elsewhere, and is not looked for in PATH.
                    Some(path) => std::path::absolute::<PathBuf>(path).map_err(|e| usage(&e))?,
                    None => beside_ourselves()?,
                };
                return Ok(Invocation::Run(Arguments {
                    helper,
                    listed,
                    command,
                    args,
                }));
            }
            other => return Err(usage(&other.unexpected())),
        }
    }
    Err(usage(&"no COMMAND"))
}

fn beside_ourselves() -> Result<PathBuf, String> {
    let own =
        std::env::current_exe().map_err(|e| format!("cannot find myself ({e}): use --umh"))?;
    Ok(own.with_file_name("links/bpfilter_umh"))
}

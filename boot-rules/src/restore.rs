// SPDX-License-Identifier: GPL-2.0-only
//! iptables-restore or ip6tables-restore, with us in the kernel's place.
//!
//! Owns: the process, what is preloaded into it, and the answers to its socket
//! options: those that the helper would give for tables that nobody has changed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;

use bpfilter_msgfmt::{IPT_SO_SET_ADD_COUNTERS, IPT_SO_SET_REPLACE, Request};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use umh_core::abi::{Family, Layout, Replace, TableSpec};
use umh_core::command::Command as Asked;
use umh_core::errno::Errno;
use umh_nostd::handle;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::system::Recorder;

/// preload.c.
const PRELOAD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));
/// The most bytes of a table that ip_tables takes.
const OPTVAL_MAX: u32 = 512 << 20;

/// A table that iptables-restore has sent, and that is taken.
pub(crate) struct Sent {
    pub(crate) spec: &'static TableSpec,
    /// `struct ipt_replace` or `ip6t_replace`, and its entries.
    pub(crate) replace: Vec<u8>,
    /// Names of what it asks of x_tables.
    pub(crate) needs: Vec<String>,
}

/// What became of a file.
pub(crate) enum Outcome {
    /// All of it was sent: each table once, as it was sent last.
    Sent(Vec<Sent>),
    /// A table was refused with this errno.
    Refused(i32),
    /// iptables-restore has ended without success, and said this.
    Failed(String),
}

/// The program of a family, and what is preloaded into it.
pub(crate) struct Restore {
    family: Family,
    program: OsString,
    preload: File,
}

/// What [`serve`] has heard.
struct Heard {
    family: Family,
    anything: bool,
    sent: Vec<Sent>,
    refused: Option<i32>,
}

impl Restore {
    pub(crate) fn new(family: Family, program: &OsStr) -> Result<Self, String> {
        let fail = |e: io::Error| format!("cannot keep what is preloaded: {e}");
        // Children inherit it.
        let preload = memfd_create(c"boot-rules", MemfdFlags::empty());
        let mut preload = File::from(preload.map_err(|e| fail(e.into()))?);
        preload.write_all(PRELOAD).map_err(fail)?;
        Ok(Self {
            family,
            program: program.to_owned(),
            preload,
        })
    }

    /// What iptables-restore sends for these rules.
    pub(crate) fn run(&self, rules: &[u8]) -> Result<Outcome, String> {
        let program = self.program.display();
        let (ended, stderr, heard) = self.talk(rules).map_err(|e| format!("{program}: {e}"))?;
        match heard {
            Heard {
                refused: Some(errno),
                ..
            } => Ok(Outcome::Refused(errno)),
            _ if !ended => Ok(Outcome::Failed(stderr)),
            Heard {
                anything: false, ..
            } => Err(format!(
                "{program} asks the kernel nothing: either there is no table, or it is not the legacy \
                 one, dynamically linked"
            )),
            Heard { sent, .. } => Ok(Outcome::Sent(sent)),
        }
    }

    fn talk(&self, rules: &[u8]) -> io::Result<(bool, String, Heard)> {
        let (mut ours, theirs) = UnixStream::pair()?;
        fcntl_setfd(&theirs, FdFlags::empty())?;
        let preload = format!("/proc/self/fd/{}", self.preload.as_raw_fd());
        let mut child = Command::new(&self.program)
            .env("LD_PRELOAD", &preload)
            .env("BPFILTER_BOOT_RULES", theirs.as_raw_fd().to_string())
            // A lock of its own: it changes nothing here.
            .env("XTABLES_LOCKFILE", &preload)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        drop(theirs);
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let (heard, said) = thread::scope(|scope| {
            scope.spawn(move || {
                // One that has ended before it has read all says why.
                stdin.map(|mut stdin| stdin.write_all(rules))
            });
            let said = scope.spawn(move || {
                let mut said = Vec::new();
                stderr.map(|mut stderr| stderr.read_to_end(&mut said));
                said
            });
            let heard = serve(self.family, &mut ours);
            // It must not wait for an answer that does not come.
            drop(ours);
            (heard, said.join().unwrap_or_default())
        });
        let status = child.wait()?;
        let mut said = String::from_utf8_lossy(&said).into_owned();
        if said.is_empty() {
            said = format!("{} has ended: {status}", self.program.display());
        }
        Ok((status.success(), said, heard?))
    }
}

/// The level of the options of a family's programs: SOL_IP or SOL_IPV6.
const fn level_of(family: Family) -> u32 {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 41,
    }
}

/// Answers until the other side is gone.
fn serve(family: Family, peer: &mut UnixStream) -> io::Result<Heard> {
    let mut heard = Heard {
        family,
        anything: false,
        sent: Vec::new(),
        refused: None,
    };
    loop {
        let mut question = [0u32; 4];
        match peer.read_exact(question.as_mut_bytes()) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(heard),
            done => done?,
        }
        let [is_set, level, cmd, len] = question;
        if len > OPTVAL_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut optval = vec![0; len as usize];
        peer.read_exact(&mut optval)?;
        let request = Request {
            len,
            is_set,
            cmd,
            ..Request::new_zeroed()
        };
        heard.anything = true;
        let (status, bytes) = if level == level_of(family) {
            heard.answer(&request, optval)
        } else {
            (Errno::ENOPROTOOPT.status(), Vec::new())
        };
        let answer = [status.unsigned_abs(), bytes.len() as u32];
        peer.write_all(answer.as_bytes())?;
        peer.write_all(&bytes)?;
    }
}

impl Heard {
    /// Status and bytes for optval.
    fn answer(&mut self, request: &Request, mut optval: Vec<u8>) -> (i32, Vec<u8>) {
        match (request.is_set, request.cmd) {
            // Those that iptables-restore has read from the file, or zero: none.
            (1, IPT_SO_SET_ADD_COUNTERS) => return (0, Vec::new()),
            (1, IPT_SO_SET_REPLACE) => forget_address(&mut optval),
            _ => {}
        }
        let recorder = Recorder::new(self.family, optval);
        let status = handle::answer(&recorder, request).status;
        match Asked::parse(self.family, Layout::NATIVE, request) {
            // What the helper does not know x_tables may.
            Ok(Asked::GetRevision(_)) if status == Errno::ENOENT.status() => (0, Vec::new()),
            _ if request.is_set == 0 => (status, recorder.answered.into_inner()),
            _ => {
                if status == 0 {
                    self.keep(recorder);
                } else {
                    self.refused.get_or_insert(-status);
                }
                (status, Vec::new())
            }
        }
    }

    fn keep(&mut self, recorder: Recorder) {
        let Some(spec) = recorder
            .optval
            .first_chunk()
            .and_then(|name| TableSpec::named(self.family, name))
        else {
            return;
        };
        self.sent.retain(|table| table.spec != spec);
        self.sent.push(Sent {
            spec,
            replace: recorder.optval,
            needs: recorder.needs.into_inner(),
        });
    }
}

/// Where iptables-restore wants the old counters: nowhere, when its process is
/// gone.
fn forget_address(optval: &mut [u8]) {
    if let Ok((header, _)) = Replace::mut_from_prefix(optval) {
        header.counters = 0;
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The checks of REPLACE, a request for each.
//!
//! Owns: requests that fail exactly one check, with the errno that ip_tables
//! gives them; requests that fail two, where it matters which one is noticed;
//! and requests that look wrong and are accepted. A file for each pass of the
//! checks, in the kernel's order; `umh_core::table` has the same passes.
//!
//! Both the core and the running kernel's ip_tables are asked all of them. What
//! x_tables' own extensions say of their data the core does not know; such a
//! request it refuses with ENOENT.

mod accepted;
mod base;
pub mod data;
mod entries;
mod header;
mod names;
mod order;
mod reach;
mod requests;

pub use base::base;

use umh_core::target::{Features, Host};

use crate::blob::Blob;
use crate::blob::mutate::Mutant;
use crate::client::sockopt::{Call, Outcome, errno_name};
use crate::oracle::judge::{self, Verdict};
use requests::Requests;

/// A request and what it comes to.
#[derive(Clone, Debug)]
pub struct Request {
    /// The check that it fails, or what is unusual about it.
    pub what: &'static str,
    /// What ip_tables says; 0 if it takes it.
    pub errno: i32,
    /// Some kernels have no such check, and take the request.
    pub optional: bool,
    /// Header and entries. A `num_counters` of [`CURRENT`] stands for the
    /// number of entries that the table has.
    pub blob: Blob,
    /// How much longer the length is than header and entries.
    pub more: i32,
}

impl Request {
    /// The call, to replace a table that has `current` entries.
    pub fn mutant(&self, current: u32) -> Mutant {
        let mut blob = self.blob.clone();
        if blob.header.num_counters == CURRENT {
            blob.header.num_counters = current;
        }
        let mutant = Mutant::new(&blob);
        let len = mutant.len.wrapping_add_signed(self.more);
        Mutant { len, ..mutant }
    }
}

/// The requests with which something is wrong, and what.
fn failures(mut check: impl FnMut(&Request) -> Result<(), String>) -> Vec<String> {
    let failure = |request: &Request| {
        let said = check(request).err()?;
        let expected = errno_name(request.errno);
        Some(format!("{}: {said}, not {expected}", request.what))
    };
    requests().iter().filter_map(failure).collect()
}

/// What is wrong with a verdict on a request.
fn expect(request: &Request, verdict: &Verdict) -> Result<(), String> {
    match verdict {
        Verdict::Loaded(..) if request.errno == 0 => Ok(()),
        Verdict::Loaded(..) => Err("accepted".to_owned()),
        Verdict::Refused(errno) if *errno == request.errno => Ok(()),
        Verdict::Refused(errno) => Err(errno_name(*errno)),
    }
}

/// Asks the core all requests and returns what is wrong.
pub fn ask_core() -> Vec<String> {
    failures(|request| {
        let mutant = request.mutant(CURRENT);
        let verdict = judge::judge(&HOST, &mutant, CURRENT);
        match verdict {
            verdict if verdict == UNKNOWN && mutant.has_unknown(&HOST) => Ok(()),
            verdict => expect(request, &verdict),
        }
    })
}

/// What people are told of each request that the core refuses: what is wrong with
/// it, and the line.
pub fn told() -> Vec<(&'static str, String)> {
    let told = |request: Request| {
        let line = judge::told(&HOST, &request.mutant(CURRENT), CURRENT);
        Some((request.what, line?))
    };
    requests().into_iter().filter_map(told).collect()
}

/// Asks the kernel's own ip_tables all requests, `call` being a call to a fresh
/// `filter` table, and returns what is wrong. What is loaded must be given
/// back as the core gives it back, if that knows all of it.
pub fn ask_kernel(mut call: impl FnMut(&Call) -> Outcome) -> Vec<String> {
    let mut current = CURRENT;
    failures(|request| {
        let mutant = request.mutant(current);
        let core = judge::judge(&HOST, &mutant, current);
        let verdict = judge::verdict_of(&mut call, &mutant);
        if let Verdict::Loaded(info, _) = &verdict {
            current = info.num_entries;
            if request.optional {
                return Ok(());
            }
        }
        expect(request, &verdict)?;
        match verdict == core || core == UNKNOWN && mutant.has_unknown(&HOST) {
            true => Ok(()),
            false => Err("given back otherwise".to_owned()),
        }
    })
}

/// What the core says of an extension that it does not know.
const UNKNOWN: Verdict = Verdict::Refused(libc::ENOENT);

/// All that links can have; no request depends on the tick.
const HOST: Host = Host {
    features: Features::LINKS,
    hz: 250,
};

/// Stands for the number of entries of the present table.
pub const CURRENT: u32 = 4;

/// All requests, in the order in which a kernel is asked them.
pub fn requests() -> Vec<Request> {
    let mut requests = Requests(Vec::new());
    header::first(&mut requests);
    entries::add(&mut requests);
    reach::add(&mut requests);
    names::add(&mut requests);
    data::add(&mut requests);
    header::last(&mut requests);
    order::add(&mut requests);
    accepted::add(&mut requests);
    requests.0
}

// SPDX-License-Identifier: GPL-2.0-only
//! The programs alone, by test runs (`BPF_PROG_TEST_RUN`).
//!
//! Owns: for a table that is loaded, its programs' size, what the verifier
//! says of them, how long they take to load, what their maps hold, and the
//! nanoseconds of a packet: hot, one packet over and over; and cold, 70,000
//! sources once each, where every run follows some system calls. The figure of
//! an empty program is taken off: what is left is the program's own.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bpfilter_tests::blob::Blob;
use bpfilter_tests::programs::{self, Programs, cpus, place};
use umh_core::abi::Hook;

use crate::measure::Median;
use crate::shapes::{Packet, Shape};

/// What is known of one table's programs.
#[derive(Clone, Debug)]
pub(crate) struct Alone {
    /// Instructions of the hook's program.
    pub(crate) instructions: usize,
    /// How many the verifier looked at.
    pub(crate) verified: u64,
    /// To load all three.
    pub(crate) load: Duration,
    /// To plan and write the maps.
    pub(crate) plan: Duration,
    /// Bytes of the map of rules and index, and of that of counters.
    pub(crate) maps: [usize; 2],
    /// Of the entries of the blob.
    pub(crate) blob: usize,
    /// Nanoseconds for a packet that no rule wants.
    pub(crate) hot: f64,
    /// For one packet of the middle rule.
    pub(crate) hit: Option<f64>,
    /// For packets from 70,000 sources, where all else is cold as well.
    pub(crate) cold: f64,
}

/// Best of some runs: what disturbs a run only makes it longer.
fn hot(program: &OwnedFd, hook: Hook, packet: &[u8]) -> io::Result<f64> {
    let once = programs::test_run(program, hook, packet, 10)?.ns;
    let repeat = (4_000_000 / once.max(1)).clamp(10, 100_000);
    let mut best = u32::MAX;
    for _ in 0..9 {
        best = best.min(programs::test_run(program, hook, packet, repeat)?.ns);
    }
    Ok(best.into())
}

/// The median over packets that come once each.
fn cold(program: &OwnedFd, hook: Hook, packets: &[Vec<u8>]) -> io::Result<f64> {
    let start = Instant::now();
    let mut all = Vec::new();
    for packet in packets {
        all.push(programs::test_run(program, hook, packet, 1)?.ns.into());
        if start.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    Ok(Median::of(all).value)
}

/// Runs programs of tables, and an empty one.
pub(crate) struct Bench {
    empty: OwnedFd,
    sources: Vec<Vec<u8>>,
}

impl Bench {
    /// With so many sources.
    pub(crate) fn new(sources: usize) -> io::Result<Self> {
        let packets = Shape::random(sources);
        Ok(Self {
            empty: programs::load_empty()?,
            sources: packets.iter().map(Packet::build).collect(),
        })
    }

    /// Loads a table's programs and runs that of a hook. `hit` is a packet
    /// that a rule wants.
    pub(crate) fn run(&self, table: &Blob, hook: Hook, hit: Option<Packet>) -> io::Result<Alone> {
        let programs = Programs::load(&table.header, &table.entries)?;
        let program = programs.program(hook);
        let plain = Packet::plain().build();
        let over_empty = |packet: &[u8]| -> io::Result<f64> {
            Ok(hot(program, hook, packet)? - hot(&self.empty, hook, packet)?)
        };
        let verified = programs.log[place(hook)]
            .split_once("processed ")
            .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
            .unwrap_or(0);
        let entries = table.header.num_entries as usize;
        Ok(Alone {
            instructions: programs.instructions[place(hook)],
            verified,
            load: programs.took[1],
            plan: programs.took[0],
            maps: [programs.data_len, 16 * entries * (cpus() as usize + 1)],
            blob: table.entries.len(),
            hot: over_empty(&plain)?,
            hit: hit.map(|hit| over_empty(&hit.build())).transpose()?,
            cold: cold(program, hook, &self.sources)? - cold(&self.empty, hook, &self.sources)?,
        })
    }
}

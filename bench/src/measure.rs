// SPDX-License-Identifier: GPL-2.0-only
//! Rounds: every configuration gets its turn, over and over.
//!
//! Owns: the order of turns, the length of a turn, and what is made of the
//! times: the median of a turn's batches, and over the rounds the median of
//! what two configurations differ by in the same round. The machine is taken
//! to be busy with other things: a mean would say how busy.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::stage::{Config, Stage};
use crate::traffic::{BATCH, Traffic};

/// Which packets are sent.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// One flow, which no rule is about.
    Flow,
    /// 70,000 sources.
    Random,
    /// One packet for each rule, in random order.
    Rules,
    /// The first rule's.
    First,
    /// The middle one's.
    Middle,
    /// The last one's.
    Last,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flow => "one flow",
            Self::Random => "random sources",
            Self::Rules => "all rules",
            Self::First => "first rule",
            Self::Middle => "middle rule",
            Self::Last => "last rule",
        })
    }
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Turns of each configuration.
    pub(crate) rounds: usize,
    /// Turns of one that takes more than [`SLOW`] for a packet: its differences
    /// are large.
    pub(crate) slow_rounds: usize,
    /// How long a turn goes on at least.
    pub(crate) turn: Duration,
}

/// Nanoseconds.
const SLOW: f64 = 5_000.0;
/// Nanoseconds in which this thread is seldom interrupted on a busy machine.
/// Where a batch takes longer, a part of one is sent.
const LONG: f64 = 500_000.0;
/// Batches of one configuration in a row.
const IN_A_ROW: usize = 8;

/// One configuration under one traffic.
pub(crate) struct Turn {
    pub(crate) place: usize,
    pub(crate) config: Config,
    pub(crate) kind: Kind,
    pub(crate) traffic: Traffic,
    /// The empty program's configuration that it is held against.
    pub(crate) limit: usize,
    pub(crate) limit_traffic: Traffic,
}

/// Middle, and how far half of the values are from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Median {
    pub(crate) value: f64,
    pub(crate) spread: f64,
}

impl Median {
    /// Of these; they need not be in order.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let last = values.len().saturating_sub(1) as f64;
            values.get((last * part).round() as usize).copied()
        };
        let [low, value, high] = [0.25, 0.5, 0.75].map(|part| at(part).unwrap_or(f64::NAN));
        Self {
            value,
            spread: (high - low) / 2.0,
        }
    }
}

/// What a turn found.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Nanoseconds from end to end.
    total: f64,
    /// More than the empty program's.
    cost: f64,
    /// Times the empty program's.
    slowdown: f64,
}

/// What all turns found, by configuration and traffic.
#[derive(Default)]
pub(crate) struct Times(BTreeMap<(Config, Kind), Vec<Found>>);

impl Times {
    /// Gives every turn its time, so many times.
    pub(crate) fn measure(
        stage: &Stage,
        turns: &mut [Turn],
        effort: Effort,
        progress: impl Fn(usize),
    ) -> io::Result<Self> {
        let mut times = Self::default();
        let mut rng = Rng::with_seed(3);
        let mut order: Vec<usize> = (0..turns.len()).collect();
        for round in 0..effort.rounds {
            progress(round);
            rng.shuffle(&mut order);
            for &turn in &order {
                let turn = &mut turns[turn];
                let found = times.0.entry((turn.config, turn.kind)).or_default();
                let slow = found.first().is_some_and(|found| found.total > SLOW);
                if slow && round >= effort.slow_rounds {
                    continue;
                }
                let one = one_turn(stage, turn, effort).map_err(|error| {
                    io::Error::other(format!("{}, {}: {error}", turn.config, turn.kind))
                })?;
                found.push(one);
            }
        }
        Ok(times)
    }

    fn median(&self, config: Config, kind: Kind, figure: impl Fn(&Found) -> f64) -> Option<Median> {
        let found = self.0.get(&(config, kind))?;
        Some(Median::of(found.iter().map(figure)))
    }

    /// All that was measured.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Config, Kind)> {
        self.0.keys().copied()
    }

    /// The nanoseconds that a packet takes from end to end.
    pub(crate) fn total(&self, config: Config, kind: Kind) -> Option<Median> {
        self.median(config, kind, |found| found.total)
    }

    /// m: the nanoseconds that a packet takes more than with an empty program.
    pub(crate) fn cost(&self, config: Config, kind: Kind) -> Option<Median> {
        self.median(config, kind, |found| found.cost)
    }

    /// The time from end to end, as a multiple of that with an empty program.
    pub(crate) fn slowdown(&self, config: Config, kind: Kind) -> Option<Median> {
        self.median(config, kind, |found| found.slowdown)
    }
}

/// Batches of the configuration and of the empty program by turns, so that
/// both have the machine in the same mood.
fn one_turn(stage: &Stage, turn: &mut Turn, effort: Effort) -> io::Result<Found> {
    let sockets = &stage.stations[turn.place].sockets;
    let limit = &stage.stations[turn.limit].sockets;
    // The first one finds the caches as the last configuration left them.
    let first = turn.traffic.send(sockets, BATCH)?;
    let slow = first > SLOW;
    let in_a_row = if slow { 1 } else { IN_A_ROW };
    let mut count = BATCH;
    while slow && count > 1 && first * count as f64 > LONG {
        count /= 2;
    }
    let mut pairs = Vec::new();
    let start = Instant::now();
    while pairs.len() < 3 || start.elapsed() < effort.turn {
        let pair = [
            (&mut turn.traffic, sockets, count),
            (&mut turn.limit_traffic, limit, BATCH),
        ]
        .map(|(traffic, sockets, count)| {
            let batches = (0..in_a_row).map(|_| traffic.send(sockets, count));
            let batches = batches.collect::<io::Result<Vec<f64>>>();
            batches.map(|all| Median::of(all).value)
        });
        let [own, limit] = pair;
        pairs.push((own?, limit?));
    }
    let median = |figure: fn(&(f64, f64)) -> f64| Median::of(pairs.iter().map(figure)).value;
    Ok(Found {
        total: median(|(own, _)| *own),
        cost: median(|(own, limit)| own - limit),
        slowdown: median(|(own, limit)| own / limit),
    })
}

/// Keeps this thread on one CPU.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    // SAFETY: all zeros is an empty set; the kernel reads it and no more.
    let ret = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    match ret {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

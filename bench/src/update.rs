// SPDX-License-Identifier: GPL-2.0-only
//! Changing rules, timed.
//!
//! Owns: the time of REPLACE as its caller sees it and the CPU time that the
//! helper takes of it; of `iptables-restore` and of one `iptables -A`, each on
//! both sides by turns; and of loading sets of all sizes with each peer's own
//! client. What the clients do is part of it, as it is for their users.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use crate::measure::Median;
use crate::plan::MANY;
use crate::shapes::Shape;
use crate::stage::{Config, Peer, Stage};

/// Milliseconds of some change.
#[derive(Default)]
pub(crate) struct Updates {
    /// REPLACE of a set, as its caller sees it.
    pub(crate) replace: BTreeMap<(Shape, usize, Peer), Median>,
    /// The helper's share, in CPU time.
    pub(crate) helper: BTreeMap<(Shape, usize), Median>,
    /// `iptables-legacy-restore`, or what the peer has instead.
    pub(crate) load: BTreeMap<(Shape, usize, Peer), Median>,
    /// `iptables-legacy -A`.
    pub(crate) append: BTreeMap<(Shape, usize, Peer), Median>,
    /// bpfilter's time by ip_tables' time right before it: of loading, and of
    /// `-A`.
    pub(crate) load_ratio: BTreeMap<Shape, Median>,
    pub(crate) append_ratio: BTreeMap<Shape, Median>,
}

/// Times of each peer, in the same order.
type Took = BTreeMap<Peer, Vec<Duration>>;

/// bpfilter's times by ip_tables', pair by pair.
fn ratio(took: &Took) -> Option<Median> {
    let pairs = took
        .get(&Peer::Bpfilter)?
        .iter()
        .zip(took.get(&Peer::IpTables)?);
    Some(Median::of(
        pairs.map(|(own, other)| own.div_duration_f64(*other)),
    ))
}

fn milliseconds(times: &[Duration]) -> Median {
    Median::of(times.iter().map(|time| time.as_secs_f64() * 1e3))
}

/// CPU time that a process has had.
fn cpu_time(pid: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("schedstat"))
}

/// Which configurations' changes are timed: those of a set on the stage.
fn places(stage: &Stage, shape: Shape, count: usize, peers: &[Peer]) -> Vec<(Peer, usize)> {
    let place = |peer: Peer| {
        let wanted =
            |config: &Config| (config.peer, config.shape, config.count) == (peer, shape, count);
        let place = stage
            .stations
            .iter()
            .position(|station| wanted(&station.config));
        place.map(|place| (peer, place))
    };
    peers.iter().copied().filter_map(place).collect()
}

impl Updates {
    /// Replaces a set by itself so often.
    pub(crate) fn replace(
        &mut self,
        stage: &mut Stage,
        shape: Shape,
        count: usize,
        times: usize,
    ) -> io::Result<()> {
        let mut tables = Vec::new();
        for (peer, place) in places(stage, shape, count, &[Peer::IpTables, Peer::Bpfilter]) {
            tables.push((peer, place, stage.table(place)?));
        }
        let mut took = Took::new();
        let mut helper = Vec::new();
        for _ in 0..times {
            for (peer, place, table) in &tables {
                let (peer, place) = (*peer, *place);
                let pid = match peer {
                    Peer::Bpfilter => stage.helper(),
                    _ => None,
                };
                let before = pid.map(cpu_time).transpose()?;
                let one = stage.replace(place, table, 1)?;
                if let (Some(pid), Some(before)) = (pid, before) {
                    helper.push(cpu_time(pid)? - before);
                }
                let one = one.into_iter().map(Duration::from_nanos);
                took.entry(peer).or_default().extend(one);
            }
        }
        for (peer, took) in took {
            self.replace
                .insert((shape, count, peer), milliseconds(&took));
        }
        self.helper.insert((shape, count), milliseconds(&helper));
        Ok(())
    }

    /// Loads a set over itself so often with each peer's client.
    pub(crate) fn load(
        &mut self,
        stage: &mut Stage,
        shape: Shape,
        count: usize,
        peers: &[Peer],
        times: usize,
    ) -> io::Result<()> {
        let places = places(stage, shape, count, peers);
        let mut took = Took::new();
        for _ in 0..times {
            for &(peer, place) in &places {
                let one = stage.load(place)?;
                took.entry(peer).or_default().push(one);
            }
        }
        if count == MANY
            && let Some(ratio) = ratio(&took)
        {
            self.load_ratio.insert(shape, ratio);
        }
        for (peer, took) in took {
            self.load.insert((shape, count, peer), milliseconds(&took));
        }
        Ok(())
    }

    /// Appends so many rules, one at a time.
    pub(crate) fn append(
        &mut self,
        stage: &mut Stage,
        shape: Shape,
        count: usize,
        times: usize,
    ) -> io::Result<()> {
        let places = places(stage, shape, count, &[Peer::IpTables, Peer::Bpfilter]);
        let mut took = Took::new();
        for number in 0..times {
            for &(peer, place) in &places {
                let chain = crate::rules::chain_name(stage.stations[place].config.hook);
                let source = format!("203.0.113.{number}");
                let argv = [
                    "iptables-legacy",
                    "-A",
                    chain,
                    "-s",
                    &source,
                    "-j",
                    "ACCEPT",
                ];
                let one = stage.run(place, &argv)?;
                took.entry(peer).or_default().push(one);
            }
        }
        if let Some(ratio) = ratio(&took) {
            self.append_ratio.insert(shape, ratio);
        }
        for (peer, took) in took {
            self.append
                .insert((shape, count, peer), milliseconds(&took));
        }
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The targets.
//!
//! Owns: each target with its limit, and whether what was measured meets it.
//! A target that was not measured is not met. m is what a packet takes more
//! than with an empty program.

use umh_core::abi::Hook;

use crate::helper;
use crate::measure::{Kind, Median};
use crate::plan::{MANY, Results};
use crate::shapes::Shape;
use crate::stage::{Config, Peer};

/// One target and what came of it.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) measured: String,
    /// `None`: not measured.
    pub(crate) met: Option<bool>,
}

impl Row {
    /// The word for it.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not measured",
        }
    }
}

const AB: [(Shape, &str); 2] = [(Shape::Sources, "A"), (Shape::Ports, "B")];

impl Results {
    fn m(&self, peer: Peer, shape: Shape, count: usize, hook: Hook, kind: Kind) -> Option<f64> {
        let config = Config {
            peer,
            shape,
            count,
            hook,
        };
        self.times.cost(config, kind).map(|m| m.value)
    }

    /// m of one flow at INPUT.
    fn m_flow(&self, peer: Peer, shape: Shape, count: usize) -> Option<f64> {
        self.m(peer, shape, count, Hook::LocalIn, Kind::Flow)
    }

    /// Every target.
    pub(crate) fn reach(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.packets(&mut rows);
        self.growth(&mut rows);
        self.changes(&mut rows);
        rows
    }

    fn packets(&self, rows: &mut Vec<Row>) {
        for count in [0, 10] {
            for (shape, name) in AB {
                let own = self.m_flow(Peer::Bpfilter, shape, count);
                let other = self.m_flow(Peer::IpTables, shape, count);
                rows.push(row(
                    format!("N = {count}, {name}: m"),
                    "<= ip_tables' + 5 ns".into(),
                    own.zip(other).map(|(own, other)| {
                        (format!("{own:.0}, {other:.0} ns"), own <= other + 5.0)
                    }),
                ));
            }
        }
        for (kind, target) in [(Kind::Flow, 1.15), (Kind::Random, 1.20)] {
            for (shape, name) in AB {
                let config = Config {
                    peer: Peer::Bpfilter,
                    shape,
                    count: MANY,
                    hook: Hook::LocalIn,
                };
                let slowdown = self.times.slowdown(config, kind);
                rows.push(row(
                    format!("N = 10,000, {name}, {kind}, end to end"),
                    format!("<= {target:.2}x the empty program"),
                    slowdown.map(|times| (format!("{:.2}x", times.value), times.value <= target)),
                ));
            }
        }
        for (shape, name) in AB {
            for kind in [Kind::Flow, Kind::Random] {
                let m = |peer| self.m(peer, shape, MANY, Hook::LocalIn, kind);
                rows.push(row(
                    format!("N = 10,000, {name}, {kind}: m"),
                    "<= an nft set's".into(),
                    m(Peer::Bpfilter)
                        .zip(m(Peer::NftSet))
                        .map(|(own, set)| (format!("{own:.0}, {set:.0} ns"), own <= set)),
                ));
            }
        }
        for shape in [Shape::Prefixes, Shape::Ranges, Shape::Acl, Shape::Chains] {
            for kind in [Kind::Flow, Kind::Random, Kind::Rules] {
                let own = self.m(Peer::Bpfilter, shape, MANY, Hook::Forward, kind);
                let set = self.m(Peer::NftSet, Shape::Sources, MANY, Hook::Forward, kind);
                rows.push(row(
                    format!("N = 10,000, {}, {kind}: m", shape.name()),
                    "<= 2x an nft set's with A".into(),
                    own.zip(set)
                        .map(|(own, set)| (format!("{own:.0}, {set:.0} ns"), own <= 2.0 * set)),
                ));
            }
        }
        for ((shape, name), target) in AB.into_iter().zip([65.0, 110.0]) {
            let m = |peer| self.m_flow(peer, shape, MANY);
            rows.push(row(
                format!("N = 10,000, {name}: ip_tables' m"),
                format!(">= {target:.0}x ours"),
                m(Peer::IpTables)
                    .zip(m(Peer::Bpfilter))
                    .map(|(other, own)| {
                        let times = other / own;
                        (format!("{times:.0}x"), times >= target)
                    }),
            ));
        }
    }

    fn growth(&self, rows: &mut Vec<Row>) {
        let hot = |shape, count| self.alone.get(&(shape, count)).map(|alone| alone.hot);
        for (shape, name) in AB {
            let (few, many) = (hot(shape, 100), hot(shape, MANY));
            rows.push(row(
                format!("{name}: slope from 100 to 10,000, test runs"),
                "<= 0.02 ns per rule".into(),
                few.zip(many).map(|(few, many)| {
                    let slope = (many - few) / (MANY - 100) as f64;
                    (format!("{slope:.4} ns"), slope <= 0.02)
                }),
            ));
            rows.push(row(
                format!("{name}: m(10k) / m(100), test runs"),
                "<= 3".into(),
                few.zip(many).map(|(few, many)| {
                    let times = many / few;
                    (
                        format!("{many:.0} / {few:.0} ns = {times:.1}"),
                        times <= 3.0,
                    )
                }),
            ));
            rows.push(row(
                format!("{name}: m(50k) / m(10k), test runs"),
                "<= 2".into(),
                many.zip(hot(shape, 50_000)).map(|(many, more)| {
                    let times = more / many;
                    (
                        format!("{more:.0} / {many:.0} ns = {times:.1}"),
                        times <= 2.0,
                    )
                }),
            ));
        }
    }

    fn changes(&self, rows: &mut Vec<Row>) {
        for shape in Shape::ALL {
            let adversarial = matches!(shape, Shape::Overlaps | Shape::Wildcards | Shape::Residual);
            let target = if adversarial { 100.0 } else { 25.0 };
            let helper = self.updates.helper.get(&(shape, MANY));
            rows.push(row(
                format!("REPLACE of 10,000, {}: the helper's CPU time", shape.name()),
                format!("<= {target} ms"),
                helper.map(|time| (format!("{:.1} ms", time.value), time.value <= target)),
            ));
        }
        let times = |what: Option<&Median>, target| {
            what.map(|times| (format!("{:.2}x", times.value), times.value <= target))
        };
        for (shape, name) in AB {
            rows.push(row(
                format!("iptables-legacy-restore of 10,000, {name}"),
                "<= 1.25x ip_tables'".into(),
                times(self.updates.load_ratio.get(&shape), 1.25),
            ));
        }
        rows.push(row(
            "one iptables -A at 10,000 rules, A".into(),
            "<= 1.5x ip_tables'".into(),
            times(self.updates.append_ratio.get(&Shape::Sources), 1.5),
        ));
        rows.push(row(
            "GET_INFO through the mailbox, in the VM (bench/round-trips)".into(),
            "<= 1.0x the C helper's of Linux 6.1".into(),
            None,
        ));
        let helper = self.helper;
        let limit = helper::max_size();
        rows.push(row(
            "the helper's file".into(),
            format!("<= {} KiB", limit >> 10),
            helper.map(|helper| (format!("{} bytes", helper.file), helper.file <= limit)),
        ));
        rows.push(row(
            "the helper's memory while idle".into(),
            "<= 64 KiB".into(),
            helper.map(|helper| (format!("{} KiB", helper.idle_kib), helper.idle_kib <= 64)),
        ));
        rows.push(row(
            "its peak in a REPLACE of 10,000, A".into(),
            "<= 4x the blob".into(),
            helper.map(|helper| {
                let times = (helper.peak_kib << 10) as f64 / helper.blob as f64;
                (
                    format!("{} KiB = {times:.2}x", helper.peak_kib),
                    times <= 4.0,
                )
            }),
        ));
    }
}

fn row(what: String, target: String, found: Option<(String, bool)>) -> Row {
    let met = found.as_ref().map(|(_, met)| *met);
    let measured = found.map_or_else(|| "-".into(), |(measured, _)| measured);
    Row {
        what,
        target,
        measured,
        met,
    }
}

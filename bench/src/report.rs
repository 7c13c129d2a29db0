// SPDX-License-Identifier: GPL-2.0-only
//! The tables, in Markdown.
//!
//! Owns: what is written of the results. Leaves to others what they mean.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use umh_core::abi::Hook;

use crate::measure::{Kind, Median};
use crate::plan::{Form, MANY, Results};
use crate::rules::chain_name;
use crate::shapes::Shape;
use crate::stage::{Config, Peer};

/// The peers in the order of the columns.
pub(crate) const PEERS: [Peer; 7] = [
    Peer::Nothing,
    Peer::Empty,
    Peer::IpTables,
    Peer::IptablesNft,
    Peer::NftLinear,
    Peer::NftSet,
    Peer::Bpfilter,
];

/// A table in the making.
struct Grid {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    fn new<T: ToString>(head: &[T]) -> Self {
        Self {
            head: head.iter().map(T::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Aligned, so that it can be read as it is, too.
    fn write(&self, text: &mut String) {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|at| all().map(|row| row[at].chars().count()).max().unwrap_or(0))
            .collect();
        let mut line = |cells: &[String]| {
            for (cell, width) in cells.iter().zip(&widths) {
                let pad = width - cell.chars().count();
                text.push_str(&format!("| {cell}{} ", " ".repeat(pad)));
            }
            text.push_str("|\n");
        };
        line(&self.head);
        line(
            &widths
                .iter()
                .map(|width| "-".repeat(*width))
                .collect::<Vec<_>>(),
        );
        for row in &self.rows {
            line(row);
        }
        text.push('\n');
    }
}

/// Thousands apart.
fn number(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

fn with_spread(median: Option<Median>) -> String {
    median.map_or_else(String::new, |median| {
        format!("{} ±{}", number(median.value), number(median.spread))
    })
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The machine, and when.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cpus = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0);
    let virtual_machine = match info.contains(" hypervisor") {
        true => "a virtual machine with ",
        false => "",
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    format!(
        "{}, Linux {}, {virtual_machine}{cpus} CPUs ({}), {:.0} GiB, load {load}; {}; {}",
        output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        output("uname", &["-r"]),
        model.trim(),
        memory as f64 / f64::from(1 << 20),
        output("iptables-legacy", &["--version"]),
        output("nft", &["--version"]),
    )
}

impl Results {
    /// The targets.
    pub(crate) fn targets(&self) -> String {
        let mut text = String::new();
        let mut grid = Grid::new(&["what", "target", "measured", ""]);
        for row in self.reach() {
            let verdict = row.verdict().to_owned();
            grid.rows
                .push(vec![row.what, row.target, row.measured, verdict]);
        }
        grid.write(&mut text);
        text
    }

    fn peers(&self, wanted: impl Fn(&Config, Kind) -> bool) -> Vec<Peer> {
        let there: BTreeSet<Peer> = self
            .times
            .all()
            .filter(|(config, kind)| wanted(config, *kind))
            .map(|(config, _)| config.peer)
            .collect();
        PEERS
            .into_iter()
            .filter(|peer| there.contains(peer))
            .collect()
    }

    /// From end to end against N, for one hook and traffic.
    fn against_n(&self, text: &mut String, shape: Shape, hook: Hook, kind: Kind) {
        let here = |config: &Config, of: Kind| {
            of == kind
                && config.hook == hook
                && (config.shape == shape || matches!(config.peer, Peer::Nothing | Peer::Empty))
        };
        let peers = self.peers(here);
        let sizes: BTreeSet<usize> = self
            .times
            .all()
            .filter(|(config, of)| here(config, *of) && config.shape == shape)
            .map(|(config, _)| config.count)
            .collect();
        if sizes.is_empty() {
            return;
        }
        let chain = chain_name(hook);
        text.push_str(&format!("{}, {kind}, {chain}:\n\n", shape.name()));
        let mut head = vec![String::from("N")];
        head.extend(peers.iter().map(|peer| peer.name().to_owned()));
        head.push("bpfilter's m".into());
        let mut grid = Grid::new(&head);
        for count in sizes {
            let config = |peer| Config {
                peer,
                shape,
                count,
                hook,
            };
            let mut row = vec![number(count as f64)];
            for &peer in &peers {
                let mut config = config(peer);
                if matches!(peer, Peer::Nothing | Peer::Empty) {
                    (config.shape, config.count) = (Shape::Sources, 0);
                }
                row.push(with_spread(self.times.total(config, kind)));
            }
            row.push(with_spread(self.times.cost(config(Peer::Bpfilter), kind)));
            grid.rows.push(row);
        }
        grid.write(text);
    }

    /// m of all shapes at one size and hook.
    fn shapes(&self, text: &mut String, hook: Hook, count: usize) {
        let peers: Vec<Peer> = self
            .peers(|config, _| config.hook == hook && config.count == count)
            .into_iter()
            .filter(|peer| !matches!(peer, Peer::Nothing | Peer::Empty))
            .collect();
        if peers.is_empty() {
            return;
        }
        let (chain, size) = (chain_name(hook), number(count as f64));
        text.push_str(&format!("m, {size} rules in {chain}:\n\n"));
        let mut head = vec![String::from("rules"), "packets".into()];
        head.extend(peers.iter().map(|peer| peer.name().to_owned()));
        let mut grid = Grid::new(&head);
        let rows: BTreeSet<(Shape, Kind)> = self
            .times
            .all()
            .filter(|(config, _)| config.hook == hook && config.count == count)
            .map(|(config, kind)| (config.shape, kind))
            .collect();
        for (shape, kind) in rows {
            let mut row = vec![shape.name().to_owned(), kind.to_string()];
            row.extend(peers.iter().map(|&peer| {
                let config = Config {
                    peer,
                    shape,
                    count,
                    hook,
                };
                with_spread(self.times.cost(config, kind))
            }));
            grid.rows.push(row);
        }
        grid.write(text);
    }

    fn programs(&self, text: &mut String) {
        let mut grid = Grid::new(&[
            "rules",
            "N",
            "instructions",
            "verified",
            "load, ms",
            "plan, ms",
            "data, B/rule",
            "counters, B/rule",
            "blob, B/rule",
            "hot ns",
            "hit ns",
            "cold ns",
        ]);
        for ((shape, count), alone) in &self.alone {
            let each = |bytes: usize| match count {
                0 => String::new(),
                count => number(bytes as f64 / *count as f64),
            };
            grid.rows.push(vec![
                shape.name().into(),
                number(*count as f64),
                alone.instructions.to_string(),
                number(alone.verified as f64),
                format!("{:.1}", alone.load.as_secs_f64() * 1e3),
                format!("{:.1}", alone.plan.as_secs_f64() * 1e3),
                each(alone.maps[0]),
                each(alone.maps[1]),
                each(alone.blob),
                number(alone.hot),
                alone.hit.map_or_else(String::new, number),
                number(alone.cold),
            ]);
        }
        grid.write(text);
    }

    fn updates(&self, text: &mut String) {
        let milliseconds = |median: Option<&Median>| {
            median.map_or_else(String::new, |m| format!("{:.1} ±{:.1}", m.value, m.spread))
        };
        let mut grid = Grid::new(&[
            "REPLACE",
            "N",
            "ip_tables",
            "bpfilter",
            "the helper's CPU time",
        ]);
        for ((shape, count), helper) in &self.updates.helper {
            let time = |peer| self.updates.replace.get(&(*shape, *count, peer));
            grid.rows.push(vec![
                shape.name().into(),
                number(*count as f64),
                milliseconds(time(Peer::IpTables)),
                milliseconds(time(Peer::Bpfilter)),
                milliseconds(Some(helper)),
            ]);
        }
        grid.write(text);
        let mut head = vec![String::from("change"), "N".into()];
        head.extend(PEERS.iter().skip(2).map(|peer| peer.name().to_owned()));
        let mut grid = Grid::new(&head);
        for (what, of) in [
            ("loading", &self.updates.load),
            ("-A", &self.updates.append),
        ] {
            let rows: BTreeSet<_> = of
                .keys()
                .map(|(shape, count, _)| (*shape, *count))
                .collect();
            for (shape, count) in rows {
                let mut row = vec![format!("{what}, {}", shape.name()), number(count as f64)];
                row.extend(
                    PEERS
                        .iter()
                        .skip(2)
                        .map(|peer| milliseconds(of.get(&(shape, count, *peer)))),
                );
                grid.rows.push(row);
            }
        }
        grid.write(text);
    }

    /// All tables.
    pub(crate) fn tables(&self, form: Form) -> String {
        let mut text = String::from("### Nanoseconds for a packet, from end to end\n\n");
        for shape in [Shape::Sources, Shape::Ports] {
            for kind in [Kind::Flow, Kind::Random] {
                self.against_n(&mut text, shape, Hook::LocalIn, kind);
            }
        }
        text.push_str("### What the filter costs\n\n");
        let counts: &[usize] = match form {
            Form::Smallest => &[10],
            Form::Short => &[MANY],
            Form::Long => &[100, 1000, MANY],
        };
        for count in counts {
            self.shapes(&mut text, Hook::Forward, *count);
        }
        self.shapes(&mut text, Hook::LocalOut, counts[counts.len() - 1]);
        text.push_str("### The programs alone\n\n");
        self.programs(&mut text);
        text.push_str("### Milliseconds for a change of rules\n\n");
        self.updates(&mut text);
        text
    }
}

/// The page of a long run.
pub(crate) fn page(results: &Results, form: Form, machine: &str) -> String {
    let mut gate = String::new();
    for line in &results.gate {
        gate.push_str(&format!("- {line}\n"));
    }
    format!(
        "\
# Measured

{machine}. {} rounds in {:.0} s.

The machine did other things meanwhile. So nothing here is a mean, and only what was measured in the same run can be
compared: ratios and differences, not the figures themselves. How it is measured, and what is counted against what:
[below](#how-it-is-measured). `make bench` prints the targets and the most important tables on your machine in three
minutes; `make bench LONG=1` writes this page.

## Targets

m is what a packet takes more than with an empty BPF program. Where a target is missed, the profile that says why is in
[performance.md](../performance.md#where-the-time-of-a-packet-goes).

{}
## Plots

![A: nanoseconds for a packet against rules](packet-a.svg)

![B: nanoseconds for a packet against rules](packet-b.svg)

![A: milliseconds to load rules](load-a.svg)

## Tables

Medians, ± half the distance of the quartiles.

{}
## How it is measured

- All configurations live at once, each in a network namespace of its own; bpfilter under `bpfilter-run`, whose hooks cost
  a tail call more than those of `kern/`. Every peer is attached to the hooks that iptables' `filter` has: INPUT, FORWARD and OUTPUT.
  The nft peers do not count (iptables-nft does).
- One thread on one CPU sends batches of 64 packets with one system call and takes them with another: UDP over the loopback
  interface (OUTPUT, then INPUT), from random sources by a raw socket; through FORWARD over a veth pair, into a tun that forgets them.
- A turn goes by pairs: eight batches of a configuration, eight with an empty program at the same hooks, over and over. m and the slowdown are
  medians of the pairs' differences and ratios, then of the rounds; turns come in another order in each round.
- *One flow* is a packet that no rule is about; *random sources* are 70,000; *all rules* are packets for each rule in random order.
- Test runs (`BPF_PROG_TEST_RUN`) are without the kernel around the program. *Hot* is the best of nine times 4 ms of one packet over
  and over, *hit* the same for a packet of the middle rule, *cold* the median over 70,000 sources, once each; all less the empty program's.
- REPLACE is timed around the system call; the helper's CPU time is what its scheduler says. Loading and `-A` are whole runs of the client.

## The gate

Before anything is measured, bpfilter and ip_tables get the same packets, and every counter must be the same:

{gate}",
        results.rounds,
        results.took.as_secs_f64(),
        results.targets(),
        results.tables(form),
    )
}

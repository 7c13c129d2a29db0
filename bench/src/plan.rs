// SPDX-License-Identifier: GPL-2.0-only
//! What is measured, and in which order.
//!
//! Owns: the three forms of the bench, which configurations each puts on the
//! stage and which packets they get, and the run itself.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use umh_core::abi::Hook;

use crate::gate;
use crate::helper::{self, Helper};
use crate::measure::{Effort, Kind, Times, Turn};
use crate::rules::Rules;
use crate::shapes::{Packet, Shape};
use crate::stage::{Config, Peer, Stage};
use crate::testrun::{Alone, Bench};
use crate::traffic::{Messages, Traffic};
use crate::update::Updates;

/// Random sources.
const SOURCES: usize = 70_000;
/// The size that most targets are about.
pub(crate) const MANY: usize = 10_000;
/// All sizes.
pub(crate) const SIZES: [usize; 7] = [0, 10, 100, 1000, 5000, MANY, 50_000];

/// How much of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// Ten rules of each shape, one round, some seconds: does the bench work,
    /// and are the counters right?
    Smallest,
    /// What the targets are about, in less than three minutes.
    Short,
    /// Everything.
    Long,
}

/// All that was found.
pub(crate) struct Results {
    pub(crate) times: Times,
    pub(crate) alone: BTreeMap<(Shape, usize), Alone>,
    pub(crate) updates: Updates,
    pub(crate) helper: Option<Helper>,
    pub(crate) gate: Vec<String>,
    pub(crate) rounds: usize,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Form {
    fn effort(self) -> Effort {
        let (rounds, slow_rounds, turn) = match self {
            Self::Smallest => (1, 1, 1),
            Self::Short => (15, 7, 5),
            Self::Long => (15, 7, 5),
        };
        Effort {
            rounds,
            slow_rounds,
            turn: Duration::from_millis(turn),
        }
    }

    /// The configurations, beside those without rules.
    fn configs(self) -> Vec<Config> {
        let mut configs = Vec::new();
        let mut add = |shape, hook, counts: &[usize], peers: &[Peer]| {
            for &count in counts {
                configs.extend(peers.iter().map(|&peer| Config {
                    peer,
                    shape,
                    count,
                    hook,
                }));
            }
        };
        let both = [Peer::IpTables, Peer::Bpfilter];
        let few = [Peer::IpTables, Peer::NftSet, Peer::Bpfilter];
        let all = [
            Peer::IpTables,
            Peer::IptablesNft,
            Peer::NftLinear,
            Peer::NftSet,
            Peer::Bpfilter,
        ];
        let ab = [Shape::Sources, Shape::Ports];
        match self {
            Self::Smallest => {
                for shape in ab {
                    add(shape, Hook::LocalIn, &[10], &all);
                }
                for shape in Shape::ALL {
                    add(shape, Hook::Forward, &[10], &few);
                }
                add(Shape::Sources, Hook::LocalOut, &[10], &few);
            }
            Self::Short => {
                for shape in ab {
                    add(shape, Hook::LocalIn, &[0, 10, 1000, 50_000], &both);
                    add(shape, Hook::LocalIn, &[100, MANY], &few);
                }
                for shape in Shape::ALL {
                    add(shape, Hook::Forward, &[MANY], &few);
                }
                add(Shape::Sources, Hook::LocalOut, &[MANY], &few);
            }
            Self::Long => {
                for shape in ab {
                    add(shape, Hook::LocalIn, &SIZES, &all);
                    add(shape, Hook::LocalOut, &[MANY], &all);
                }
                for shape in Shape::ALL {
                    add(shape, Hook::Forward, &[100, 1000, MANY], &all);
                }
            }
        }
        configs
    }

    /// The packets that a configuration gets.
    fn kinds(self, config: &Config) -> Vec<Kind> {
        let ab = matches!(config.shape, Shape::Sources | Shape::Ports);
        let many = config.count == MANY;
        match config.hook {
            // `filter` has no rules there.
            Hook::PreRouting | Hook::PostRouting => Vec::new(),
            Hook::LocalOut => vec![Kind::Flow],
            Hook::LocalIn if self == Self::Short && !many => vec![Kind::Flow],
            Hook::LocalIn => vec![Kind::Flow, Kind::Random],
            Hook::Forward if self == Self::Long && ab && many => vec![
                Kind::Flow,
                Kind::Random,
                Kind::Rules,
                Kind::First,
                Kind::Middle,
                Kind::Last,
            ],
            Hook::Forward => vec![Kind::Flow, Kind::Random, Kind::Rules],
        }
    }
}

/// Packets, made once for all stations that get the same.
struct Packets {
    raw: Rc<Messages>,
    frames: Rc<Messages>,
    flow: Rc<Messages>,
    rules: HashMap<(Shape, usize), Rc<Messages>>,
}

impl Packets {
    fn new() -> Self {
        let random = Shape::random(SOURCES);
        Self {
            raw: Messages::raw(&random),
            frames: Messages::frames(&random),
            flow: Messages::frames(&[Packet::plain()]),
            rules: HashMap::new(),
        }
    }

    /// Makes what a rule set needs.
    fn prepare(&mut self, config: &Config, rules: &Rules) {
        let key = (config.shape, rules.len());
        if config.hook == Hook::Forward && config.shape.has_hits() && rules.len() > 0 {
            self.rules.entry(key).or_insert_with(|| {
                let mut packets: Vec<Packet> = (0..rules.len()).map(|n| rules.hit(n)).collect();
                Rng::with_seed(5).shuffle(&mut packets);
                Messages::frames(&packets)
            });
        }
    }

    /// The traffic of a kind for a configuration; `None` if it has none.
    fn traffic(&self, config: &Config, rules: &Rules, kind: Kind) -> Option<Traffic> {
        if config.hook != Hook::Forward {
            return match kind {
                Kind::Flow => Some(Traffic::flow()),
                Kind::Random => Some(Traffic::of(Rc::clone(&self.raw))),
                _ => None,
            };
        }
        let some = config.shape.has_hits() && rules.len() > 0;
        let one = |number: usize| some.then(|| Messages::frames(&[rules.hit(number)]));
        let messages = match kind {
            Kind::Flow => Rc::clone(&self.flow),
            Kind::Random => Rc::clone(&self.frames),
            Kind::Rules => Rc::clone(self.rules.get(&(config.shape, rules.len()))?),
            Kind::First => one(0)?,
            Kind::Middle => one(rules.len() / 2)?,
            Kind::Last => one(rules.len().saturating_sub(1))?,
        };
        Some(Traffic::of(messages))
    }

    /// All traffic of a station.
    fn all(&self, form: Form, stage: &Stage, place: usize) -> Vec<(Kind, Traffic)> {
        let station = &stage.stations[place];
        let kinds = form.kinds(&station.config).into_iter();
        kinds
            .filter_map(|kind| {
                let traffic = self.traffic(&station.config, &station.rules, kind)?;
                Some((kind, traffic))
            })
            .collect()
    }
}

/// A configuration without rules.
fn bare(peer: Peer, hook: Hook) -> Config {
    Config {
        peer,
        shape: Shape::Sources,
        count: 0,
        hook,
    }
}

/// Where the empty program is that a configuration's packets are held against:
/// INPUT and OUTPUT are met by the same ones.
fn limit(stage: &Stage, config: &Config) -> io::Result<usize> {
    let hook = match config.hook {
        Hook::Forward => Hook::Forward,
        _ => Hook::LocalIn,
    };
    let wanted = bare(Peer::Empty, hook);
    let place = stage
        .stations
        .iter()
        .position(|station| station.config == wanted);
    place.ok_or_else(|| io::Error::other("no empty program"))
}

/// What packets are made of makes no difference to an empty program, but for
/// how many different ones there are.
fn limit_kind(kind: Kind) -> Kind {
    match kind {
        Kind::Flow | Kind::First | Kind::Middle | Kind::Last => Kind::Flow,
        Kind::Random | Kind::Rules => Kind::Random,
    }
}

fn turns(form: Form, stage: &Stage, packets: &Packets) -> io::Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for (place, station) in stage.stations.iter().enumerate() {
        let limit = limit(stage, &station.config)?;
        let empty = &stage.stations[limit];
        for (kind, traffic) in packets.all(form, stage, place) {
            let limit_traffic = packets
                .traffic(&empty.config, &empty.rules, limit_kind(kind))
                .ok_or_else(|| io::Error::other("no traffic for the empty program"))?;
            turns.push(Turn {
                place,
                config: station.config,
                kind,
                traffic,
                limit,
                limit_traffic,
            });
        }
    }
    Ok(turns)
}

/// Runs the bench.
pub(crate) fn run(form: Form) -> io::Result<Results> {
    let start = Instant::now();
    let say = |what: &str| eprintln!("{:6.1} s  {what}", start.elapsed().as_secs_f64());
    let mut stage = Stage::new()?;
    say("making packets");
    let mut packets = Packets::new();

    let bare = [Hook::LocalIn, Hook::Forward]
        .into_iter()
        .flat_map(|hook| [Peer::Nothing, Peer::Empty].map(|peer| bare(peer, hook)));
    let configs: Vec<Config> = bare.chain(form.configs()).collect();
    say(&format!("setting up {} configurations", configs.len()));
    let mut made: BTreeMap<(Shape, usize, Hook), Rc<Rules>> = BTreeMap::new();
    for config in &configs {
        let key = (config.shape, config.count, config.hook);
        let rules = made
            .entry(key)
            .or_insert_with(|| Rc::new(config.shape.rules(config.hook, config.count)));
        packets.prepare(config, rules);
        stage.add(*config, rules)?;
    }

    say("the gate: the same packets through ip_tables and bpfilter");
    let gate = gate::check(&mut stage, |stage, place| packets.all(form, stage, place))?;
    say(&format!("equal: {} sets, every counter", gate.len()));

    if form != Form::Smallest {
        // For a while after a request bpfilter-run may mark the packets of a
        // namespace, to know when none is left in programs of before.
        std::thread::sleep(Duration::from_secs(3));
    }
    let mut turns = turns(form, &stage, &packets)?;
    let effort = form.effort();
    let times = Times::measure(&stage, &mut turns, effort, |round| {
        say(&format!(
            "round {} of {}, {} measurements each",
            round + 1,
            effort.rounds,
            configs.len()
        ));
    })?;

    say("the programs alone");
    let alone = alone(form, &mut stage)?;
    let updates = updates(form, &mut stage, &say)?;
    say("the helper");
    let helper = match (form, stage.find(Shape::Sources, MANY)) {
        (Form::Short | Form::Long, Some(place)) => Some(helper::look(&stage.table(place)?)?),
        _ => None,
    };
    say("done");
    Ok(Results {
        times,
        alone,
        updates,
        helper,
        gate,
        rounds: effort.rounds,
        took: start.elapsed(),
    })
}

/// Test runs of each set that bpfilter has on the stage, once for each size.
fn alone(form: Form, stage: &mut Stage) -> io::Result<BTreeMap<(Shape, usize), Alone>> {
    let sources = match form {
        Form::Smallest => 100,
        _ => SOURCES,
    };
    let bench = Bench::new(sources)?;
    let mut alone = BTreeMap::new();
    for place in 0..stage.stations.len() {
        let config = stage.stations[place].config;
        let key = (config.shape, config.count);
        if config.peer != Peer::Bpfilter || alone.contains_key(&key) {
            continue;
        }
        let rules = Rc::clone(&stage.stations[place].rules);
        let hit = (config.shape.has_hits() && rules.len() > 0).then(|| rules.hit(rules.len() / 2));
        let mut table = stage.table(place)?;
        table.header.num_counters = 4;
        alone.insert(key, bench.run(&table, config.hook, hit)?);
    }
    Ok(alone)
}

fn updates(form: Form, stage: &mut Stage, say: &impl Fn(&str)) -> io::Result<Updates> {
    let mut updates = Updates::default();
    let both = [Peer::IpTables, Peer::Bpfilter];
    let all = [
        Peer::IpTables,
        Peer::IptablesNft,
        Peer::NftLinear,
        Peer::NftSet,
        Peer::Bpfilter,
    ];
    let (count, times) = match form {
        Form::Smallest => (10, 1),
        Form::Short => (MANY, 9),
        Form::Long => (MANY, 11),
    };
    for shape in Shape::ALL {
        say(&format!("REPLACE of {count} rules, {}", shape.name()));
        updates.replace(stage, shape, count, times)?;
    }
    for shape in [Shape::Sources, Shape::Ports] {
        say(&format!("restore of {count} rules, {}", shape.name()));
        updates.load(stage, shape, count, &both, times)?;
    }
    if form == Form::Long {
        for shape in [Shape::Sources, Shape::Ports] {
            for size in SIZES {
                say(&format!("loading {size} rules, {}", shape.name()));
                updates.load(stage, shape, size, &all, 3)?;
            }
        }
    }
    say(&format!("iptables -A at {count} rules"));
    updates.append(stage, Shape::Sources, count, times)?;
    Ok(updates)
}

// SPDX-License-Identifier: GPL-2.0-only
//! One rule set and its packets, for real and on paper.
//!
//! Owns: a case (rule set and packets from one seed), running it in a
//! [`Namespace`] against whatever answers iptables there, and holding what
//! happens against the evaluator. What happens is reported packet by packet:
//! two runs of a case, one on ip_tables and one on bpfilter, must be equal.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use fastrand::Rng;
use umh_core::abi::{Counters, FILTER, GetEntries, GetInfo};

use crate::blob::{counters_of, get_entries, get_info, info_of};
use crate::client::sockopt::{Prepared, errno_name};
use crate::oracle::evaluate::{Conntrack, Evaluator, Hook, PacketAt, Verdict};
use crate::oracle::table::Table;
use crate::packet;
use crate::rules::big::{self, Shape};
use crate::rules::edited::Edited;
use crate::rules::random::{Flavour, nested, rule_set, rungs};
use crate::world::namespace::{Fate, Namespace, forget_connections, pin, run};
use crate::world::{OTHER_MARK, Pass, SENDERS, Shot, Way, group};

/// The CPU of packets that meet rules that ask for it.
pub const CPU: u32 = 0;

/// Marks connections by what they start with, in another table.
const CONNECTION_MARKS: &str = "\
*mangle
-A PREROUTING -p tcp -j CONNMARK --set-mark 0x10
-A PREROUTING -p udp -j CONNMARK --set-mark 0x80000001
-A OUTPUT -p tcp -j CONNMARK --set-mark 0x11
COMMIT
";

/// A rule set and packets for it.
pub struct Case {
    /// What they are made from.
    pub seed: u64,
    /// For iptables-restore.
    pub rules: String,
    /// What kind of rules.
    pub flavour: Flavour,
    /// The rules are made a ladder.
    pub ladder: bool,
    /// How many edits make the rules odd.
    pub edits: usize,
    /// The packets, in order.
    pub shots: Vec<Shot>,
}

impl Case {
    /// The case of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kind = seed % 50;
        let flavour = Flavour {
            conntrack: seed % 4 == 3 && kind < 48,
            details: seed % 8 == 7 && kind < 48,
            limit: seed % 5 == 2,
            kernel: false,
            x_tables: false,
        };
        let rules = match kind {
            48 => rungs(&mut rng),
            49 => nested(rng.usize(1..=64)),
            _ => rule_set(&mut rng, flavour),
        };
        let number = rng.usize(30..80);
        let mut case = Self {
            seed,
            flavour,
            rules,
            ladder: kind == 48,
            edits: match kind {
                48 => 0,
                _ if seed % 3 == 1 => rng.usize(1..12),
                _ => 0,
            },
            shots: (0..number)
                .map(|_| packet::random::shot(&mut rng))
                .collect(),
        };
        if flavour.conntrack {
            let mut flows = Vec::new();
            for shot in std::mem::take(&mut case.shots) {
                flows.push(shot);
                if rng.u32(..4) == 0 {
                    flows.extend(packet::flows::flow(&mut rng));
                }
            }
            case.shots = flows;
        }
        if flavour.limit {
            // What the evaluator cannot follow takes credit all the same.
            case.drop_reassembled();
        }
        case
    }

    /// Leaves out the packets that are put together from fragments on the way.
    pub(crate) fn drop_reassembled(&mut self) {
        let mut shots = std::mem::take(&mut self.shots);
        shots.retain(|shot| !self.is_reassembled(shot));
        self.shots = shots;
    }

    /// Stays on one CPU if the rules ask for it.
    pub fn pin(&self) -> io::Result<()> {
        pin(self.rules.contains("-m cpu").then_some(CPU as usize))
    }

    /// A case of so many rules of one shape.
    pub fn big(seed: u64, shape: Shape, rules: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            seed,
            rules: big::rule_set(&mut rng, shape, rules),
            flavour: Flavour::default(),
            ladder: false,
            edits: 0,
            shots: (0..60).map(|_| packet::random::shot(&mut rng)).collect(),
        }
    }

    /// Connection tracking and INPUT reassemble fragments first: what the
    /// hooks see then is not what was sent.
    fn is_reassembled(&self, shot: &Shot) -> bool {
        let comes_in = || shot.passes().iter().any(|pass| pass.hook == Hook::LocalIn);
        shot.is_fragment() && (self.flavour.conntrack || comes_in())
    }
}

/// The filter table of this namespace, as it stands.
pub struct Live {
    info: GetInfo,
    call: Prepared,
}

impl Live {
    /// Looks at the table that is loaded now.
    pub fn open() -> io::Result<Self> {
        let outcome = Prepared::new(&get_info(FILTER.name))?.outcome();
        if outcome.ret != 0 {
            return Err(io::Error::from_raw_os_error(outcome.errno));
        }
        let info = info_of(&outcome.bytes);
        let call = Prepared::new(&get_entries(FILTER.name, info.size))?;
        Ok(Self { info, call })
    }

    /// What GET_INFO said.
    pub fn info(&self) -> &GetInfo {
        &self.info
    }

    /// The entries, now.
    pub fn entries(&self) -> io::Result<Vec<u8>> {
        match self.call.make() {
            (0, ..) => Ok(self.call.optval.bytes().split_off(size_of::<GetEntries>())),
            (_, errno, _) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// The counters of all rules, now.
    pub fn counters(&self) -> io::Result<Vec<Counters>> {
        self.entries().map(|entries| counters_of(&entries))
    }
}

/// What was seen of one packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Where it came out.
    pub fate: Fate,
    /// Which rules counted, and what.
    pub counted: Vec<(usize, Counters)>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fate.errno {
            Some(errno) => write!(f, "{} ", errno_name(errno))?,
            None => write!(f, "- ")?,
        }
        write!(f, "delivered {}", self.fate.delivered)?;
        for (name, bytes) in &self.fate.left {
            write!(f, " {name} {}", bytes.len())?;
        }
        write!(f, " counted")?;
        for (rule, Counters { pcnt, bcnt }) in &self.counted {
            write!(f, " {rule}:{pcnt}/{bcnt}")?;
        }
        Ok(())
    }
}

/// What came of a case: a line per packet, and where the evaluator differs.
#[derive(Debug, Default)]
pub struct Report {
    /// What was seen of each packet.
    pub lines: Vec<String>,
    /// Differences, with all that is needed to look into them.
    pub differences: Vec<String>,
}

/// Loads the rules of a case, sends its packets, and watches.
pub fn run_case(namespace: &mut Namespace, case: &Case) -> io::Result<Report> {
    run(&["iptables-legacy-restore"], &case.rules)?;
    case.pin()?;
    // The kernels of the VM have no table for it.
    let marks_connections = case.flavour.details && namespace.has_marks();
    if marks_connections {
        // What `connmark` is about.
        run(&["iptables-legacy-restore"], CONNECTION_MARKS)?;
    }
    if case.flavour.conntrack {
        forget_connections()?;
    }
    let live = Live::open()?;
    let mut report = Report::default();
    let mut edited = Edited::new(live.info(), live.entries()?);
    let mut rng = Rng::with_seed(case.seed);
    if case.ladder {
        report.lines.push(edited.ladder()?);
    }
    for _ in 0..case.edits {
        let spare = if case.flavour.conntrack { 6 } else { 1 };
        report.lines.push(edited.edit(&mut rng, spare)?);
    }
    let table = Table::parse(live.info(), &live.entries()?);
    let mut evaluator = Evaluator::new(table, 0, 1000);
    evaluator.wants_whole(wants_whole()?);
    let mut before = live.counters()?;
    for (number, shot) in case.shots.iter().enumerate() {
        if !namespace.can_take(shot) {
            continue;
        }
        let fate = namespace.fire(shot)?;
        let after = live.counters()?;
        let seen = Seen {
            fate,
            counted: difference(&before, &after),
        };
        before = after;
        report.lines.push(format!("{number} {seen}"));
        if let Err(why) = compare(case, &mut evaluator, shot, &namespace.passes(shot), &seen) {
            report.differences.push(format!(
                "seed {} packet {number}: {why}\nseen: {seen}\n{shot}",
                case.seed,
            ));
        }
    }
    if let Some(difference) = report.differences.last_mut() {
        let edits = &report.lines[..case.edits + usize::from(case.ladder)];
        if case.rules.len() < 100_000 {
            difference.extend(["\n", &case.rules, &edits.join("\n")]);
        }
    }
    if case.edits > 0 || case.ladder {
        edited.undo()?;
    }
    if marks_connections {
        // Or it keeps connection tracking on.
        run(&["iptables-legacy-restore"], "*mangle\nCOMMIT\n")?;
    }
    Ok(report)
}

/// Which matches do not look into later fragments: those of x_tables, from Linux 7.2 on,
/// that the kernel half calls, where they are modules, as on stock kernels. Without the
/// kernel half, or without them, programs have 6.12's meaning.
fn wants_whole() -> io::Result<Vec<&'static str>> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let version = [(); 2].map(|()| numbers.next().and_then(Result::ok).unwrap_or(0));
    if version < [7, 2] || !Path::new("/proc/net/bpfilter").exists() {
        return Ok(Vec::new());
    }
    let is_loaded = |name: &&str| Path::new(&format!("/sys/module/xt_{name}")).exists();
    Ok(["tcpmss", "ecn"].into_iter().filter(is_loaded).collect())
}

/// The rules that counted in between.
pub fn difference(before: &[Counters], after: &[Counters]) -> Vec<(usize, Counters)> {
    before
        .iter()
        .zip(after)
        .enumerate()
        .filter(|(_, (before, after))| before != after)
        .map(|(rule, (before, after))| {
            let difference = Counters {
                pcnt: after.pcnt.wrapping_sub(before.pcnt),
                bcnt: after.bcnt.wrapping_sub(before.bcnt),
            };
            (rule, difference)
        })
        .collect()
}

/// Holds what was seen of a packet against the evaluator.
fn compare(
    case: &Case,
    evaluator: &mut Evaluator,
    shot: &Shot,
    passes: &[Pass],
    seen: &Seen,
) -> Result<(), String> {
    if case.is_reassembled(shot) || case.flavour.details {
        return Ok(());
    }
    let mut counted: BTreeMap<usize, Counters> = BTreeMap::new();
    let mut dropped = None;
    for pass in passes {
        let first = evaluator.table().hook_entry[pass.hook as usize].expect("a filter hook");
        let arrived = seen.counted.iter().any(|(rule, _)| *rule == first);
        if dropped.is_some() {
            // The counters below tell if it arrived all the same.
            break;
        }
        if !arrived {
            match shot.sane {
                true => return Err(format!("did not arrive at {:?}", pass.hook)),
                false => break,
            }
        }
        let conntrack = match case.flavour.conntrack {
            true => state(first, seen)?,
            false => Conntrack::Invalid,
        };
        let walk = evaluator.walk(&PacketAt {
            hook: pass.hook,
            bytes: &pass.bytes,
            in_dev: pass.in_dev,
            out_dev: pass.out_dev,
            mark: pass.mark,
            packet_type: pass.packet_type,
            conntrack,
            hardware: pass.hardware,
            groups: [pass.in_dev, pass.out_dev].map(group),
            sender: match shot.way {
                Way::Out { mark } => Some(SENDERS[usize::from(mark == OTHER_MARK)]),
                Way::In { .. } => None,
            },
            cpu: CPU,
            jiffies: 0,
        });
        for rule in walk.counted {
            let counters = counted.entry(rule).or_insert(Counters { pcnt: 0, bcnt: 0 });
            counters.pcnt += 1;
            counters.bcnt += pass.bytes.len() as u64;
        }
        if walk.verdict != Verdict::Accept {
            dropped = Some(pass.hook);
        }
    }
    let counted: Vec<(usize, Counters)> = counted.into_iter().collect();
    if counted != seen.counted {
        return Err(format!("the evaluator counts {counted:?}"));
    }
    let expected = expected_fate(shot, dropped);
    let seen = (
        seen.fate.errno,
        seen.fate.delivered,
        seen.fate.left.iter().map(|(name, _)| *name).collect(),
    );
    if shot.sane && expected != seen {
        return Err(format!("the evaluator expects {expected:?}"));
    }
    Ok(())
}

/// The state that the rules behind the first one have counted.
fn state(first: usize, seen: &Seen) -> Result<Conntrack, String> {
    let states = [
        Conntrack::Invalid,
        Conntrack::New,
        Conntrack::Established,
        Conntrack::Related,
        Conntrack::Untracked,
    ];
    let counted: Vec<Conntrack> = states
        .into_iter()
        .enumerate()
        .filter(|(i, _)| seen.counted.iter().any(|(rule, _)| *rule == first + 1 + i))
        .map(|(_, state)| state)
        .collect();
    match counted.as_slice() {
        [state] => Ok(*state),
        other => Err(format!("in states {other:?} at once")),
    }
}

/// Errno, deliveries and interfaces of a sane packet that passes all hooks, or
/// is dropped at one.
fn expected_fate(shot: &Shot, dropped: Option<Hook>) -> (Option<i32>, u64, Vec<&'static str>) {
    let passes = shot.passes();
    let last = &passes[passes.len() - 1];
    let errno = (dropped == Some(Hook::LocalOut)).then_some(libc::EPERM);
    let delivered = dropped.is_none() && last.hook == Hook::LocalIn;
    let first = &passes[0];
    let leaves = first.hook != Hook::LocalIn && first.out_dev != "lo";
    let left = leaves && !matches!(dropped, Some(Hook::Forward | Hook::LocalOut));
    debug_assert!(matches!(shot.way, Way::Out { .. }) || passes.len() == 1);
    (
        errno,
        u64::from(delivered),
        if left {
            vec![first.out_dev]
        } else {
            Vec::new()
        },
    )
}

// SPDX-License-Identifier: GPL-2.0-only
//! Valid tables, invented.
//!
//! Owns: proptest strategies for rules, for the data of every extension that
//! bpfilter registers, and for whole tables with user chains, jumps and gotos
//! that ip_tables accepts. Addresses, ports and interfaces come from small
//! pools, so that invented packets often meet what invented rules ask for.

mod data;
mod matches;
mod targets;

pub use matches::MATCHES;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use umh_core::abi::{
    IFNAMSIZ, IPT_F_FRAG, IPT_INV_PROTO, IptIp, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_RETURN,
};
use zerocopy::FromZeros;

use data::{Candidate, address};
use matches::candidate;
use targets::action;

use crate::blob::{Chain, Extension, Rule, Table, Target};

/// Addresses that rules and packets use.
pub const ADDRESSES: [[u8; 4]; 8] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 1, 2, 3],
    [127, 0, 0, 1],
    [192, 168, 1, 1],
    [192, 168, 1, 200],
    [203, 0, 113, 7],
    [255, 255, 255, 255],
];

/// Masks, two of them not contiguous.
pub const MASKS: [[u8; 4]; 8] = [
    [0, 0, 0, 0],
    [255, 0, 0, 0],
    [255, 255, 0, 0],
    [255, 255, 255, 0],
    [255, 255, 255, 252],
    [255, 255, 255, 255],
    [255, 0, 255, 0],
    [0, 0, 0, 255],
];

/// Interfaces as a rule names them; `+` is a wildcard.
pub const INTERFACES: [&str; 6] = ["lo", "eth0", "eth1", "eth+", "wlan0", "+"];

/// Ports that rules and packets use.
pub const PORTS: [u16; 8] = [0, 22, 53, 80, 443, 1024, 8080, 65535];

const ICMP: u16 = 1;
const TCP: u16 = 6;
const UDP: u16 = 17;

/// The protocols that rules name, 0 being any.
pub const PROTOCOLS: [u16; 7] = [0, TCP, UDP, ICMP, 50, 132, 255];

/// The hooks that reach a chain, as a mask of `1 << index into BUILTIN`.
type Hooks = u8;
const INPUT: Hooks = 1;
const FORWARD: Hooks = 2;
const OUTPUT: Hooks = 4;

/// An interface name and its mask, as iptables makes them.
pub fn interface(name: &str) -> ([u8; IFNAMSIZ], [u8; IFNAMSIZ]) {
    let mut bytes = [0; IFNAMSIZ];
    let mut mask = [0; IFNAMSIZ];
    let (stem, count) = match name.strip_suffix('+') {
        Some(stem) => (stem, stem.len()),
        // The NUL counts: eth0 is not eth01.
        None => (name, name.len() + 1),
    };
    bytes[..stem.len()].copy_from_slice(stem.as_bytes());
    mask[..count].fill(0xff);
    (bytes, mask)
}

/// What a rule asks of the IP header. Which interfaces make sense on which
/// hook is not looked at: the kernel does not either.
pub fn ip() -> impl Strategy<Value = IptIp> {
    let side = || {
        prop_oneof![
            3 => Just(([0; 4], [0; 4])),
            2 => (address(), select(&MASKS[..])).prop_map(|(address, mask)| {
                let masked = std::array::from_fn(|i| address[i] & mask[i]);
                (masked, mask)
            }),
            // The kernel takes what iptables would have masked.
            1 => (address(), select(&MASKS[..])),
        ]
    };
    let port = || prop_oneof![3 => Just(None), 1 => select(&INTERFACES[..]).prop_map(Some)];
    let flags = prop_oneof![8 => Just(0), 1 => Just(IPT_F_FRAG)];
    let invert = prop_oneof![3 => Just(0u8), 1 => 0u8..0x80];
    (
        side(),
        side(),
        port(),
        port(),
        select(&PROTOCOLS[..]),
        flags,
        invert,
    )
        .prop_map(
            |(source, destination, input, output, proto, flags, invert)| {
                let mut ip = IptIp::new_zeroed();
                (ip.src, ip.smsk) = source;
                (ip.dst, ip.dmsk) = destination;
                if let Some(name) = input {
                    (ip.iniface, ip.iniface_mask) = interface(name);
                }
                if let Some(name) = output {
                    (ip.outiface, ip.outiface_mask) = interface(name);
                }
                ip.proto = proto;
                ip.flags = flags;
                ip.invflags = invert;
                ip
            },
        )
}

/// A rule before it is known where it stands.
#[derive(Clone, Debug)]
struct Draft {
    ip: IptIp,
    matches: Vec<Candidate>,
    target: Aim,
}

#[derive(Clone, Debug)]
enum Aim {
    Verdict(i32),
    /// Picks one of the chains that may be jumped to from here.
    Chain {
        pick: u16,
        goto: bool,
    },
    Next,
    Action(Extension, Option<u16>),
}

fn draft() -> impl Strategy<Value = Draft> {
    let aim = prop_oneof![
        3 => Just(Aim::Verdict(VERDICT_ACCEPT)),
        3 => Just(Aim::Verdict(VERDICT_DROP)),
        2 => Just(Aim::Verdict(VERDICT_RETURN)),
        4 => (any::<u16>(), any::<bool>()).prop_map(|(pick, goto)| Aim::Chain { pick, goto }),
        2 => Just(Aim::Next),
        4 => action().prop_map(|(target, proto)| Aim::Action(target, proto)),
    ];
    // Often nothing at all, because unconditional rules are special.
    let ip = prop_oneof![4 => ip(), 1 => Just(IptIp::new_zeroed())];
    (ip, vec(candidate(), 0..3), aim).prop_map(|(ip, matches, target)| Draft {
        ip,
        matches,
        target,
    })
}

/// Makes a draft valid in a chain that `hooks` reach, and from which the
/// chains of `callable` may be called.
fn settle(draft: &Draft, hooks: Hooks, callable: &[usize]) -> Rule {
    let mut ip = draft.ip;
    let mut fixed: Option<u16> = None;
    let mut matches = Vec::new();
    for candidate in &draft.matches {
        if hooks & !candidate.hooks != 0 {
            continue;
        }
        if let Some(proto) = candidate.proto {
            if fixed.is_some_and(|fixed| fixed != proto) {
                continue;
            }
            fixed = Some(proto);
        }
        matches.push(candidate.extension.clone());
    }
    if let Some(proto) = fixed {
        ip.proto = proto;
        ip.invflags &= !IPT_INV_PROTO;
    }
    let target = match &draft.target {
        Aim::Verdict(verdict) => Target::Verdict(*verdict),
        Aim::Next => Target::Next,
        Aim::Action(extension, None) => Target::Extension(extension.clone()),
        Aim::Action(extension, Some(proto)) => {
            let wanted = ip.proto == *proto && ip.invflags & IPT_INV_PROTO == 0;
            match wanted {
                true => Target::Extension(extension.clone()),
                false => Target::Next,
            }
        }
        Aim::Chain { pick, goto } => {
            match callable.get(usize::from(*pick) % callable.len().max(1)) {
                None => Target::Next,
                Some(&chain) if *goto => Target::Goto(chain),
                Some(&chain) => Target::Jump(chain),
            }
        }
    };
    Rule {
        ip,
        matches,
        target,
    }
}

/// A valid table of up to `chains` user chains, each chain of up to `rules`
/// rules. A chain calls only chains after it, so there are no loops.
pub fn table(chains: usize, rules: usize) -> impl Strategy<Value = Table> {
    let drafts = move || vec(draft(), 0..=rules);
    // Which hooks may reach a chain: it is called only from chains that
    // fewer or the same hooks reach.
    let domain = select(&[INPUT, OUTPUT, INPUT | FORWARD, INPUT | FORWARD | OUTPUT][..]);
    let name = "[A-Za-z][A-Za-z0-9_-]{0,27}";
    (
        [drafts(), drafts(), drafts()],
        [
            select(&[VERDICT_ACCEPT, VERDICT_DROP][..]),
            select(&[VERDICT_ACCEPT, VERDICT_DROP][..]),
            select(&[VERDICT_ACCEPT, VERDICT_DROP][..]),
        ],
        vec((name, domain, drafts()), 0..=chains),
    )
        .prop_map(|(builtin, policy, chains)| {
            let callable = |from: usize, hooks: Hooks| -> Vec<usize> {
                (from..chains.len())
                    .filter(|&chain| hooks & !chains[chain].1 == 0)
                    .collect()
            };
            let settle_all = |drafts: &[Draft], hooks, callable: Vec<usize>| {
                drafts
                    .iter()
                    .map(|draft| settle(draft, hooks, &callable))
                    .collect::<Vec<_>>()
            };
            let hooks = [INPUT, FORWARD, OUTPUT];
            Table {
                builtin: std::array::from_fn(|i| {
                    settle_all(&builtin[i], hooks[i], callable(0, hooks[i]))
                }),
                policy,
                chains: chains
                    .iter()
                    .enumerate()
                    .map(|(number, (name, hooks, drafts))| Chain {
                        // Names of chains differ, as iptables has it.
                        name: format!("{:.24}{number}", name),
                        rules: settle_all(drafts, *hooks, callable(number + 1, *hooks)),
                    })
                    .collect(),
            }
        })
}

/// The same `count` small tables each time: seeds for fuzzers.
pub fn examples(count: usize) -> Vec<Table> {
    let mut runner = TestRunner::deterministic();
    let strategy = table(2, 2);
    (0..count)
        .map(|_| {
            let tree = strategy.new_tree(&mut runner);
            tree.expect("nothing is rejected").current()
        })
        .collect()
}

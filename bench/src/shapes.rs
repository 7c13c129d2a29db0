// SPDX-License-Identifier: GPL-2.0-only
//! The shapes of rule sets, and packets for them.
//!
//! Owns: which rules a set of a shape and size has, and which packet hits which
//! of them. All is made from numbers, so every run and every peer sees the
//! same. Sources of rules and packets lie in 8.0.0.0 to 71.255.255.255,
//! destinations in 198.51.100.0/24, so that nothing but the filter minds them.

use bpfilter_tests::packet::{self, Ipv4, Tcp, protocol};
use fastrand::Rng;
use umh_core::abi::Hook;

use crate::rules::{ByHand, Extra, Prefix, Protocol, Rule, Rules, Target};

/// A shape.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Shape {
    /// A: one source after the other.
    Sources,
    /// B: one UDP port after the other, so that a match is called for each.
    Ports,
    /// Prefixes of sources that overlap.
    Prefixes,
    /// Ranges of ports that overlap.
    Ranges,
    /// Prefixes of both addresses, protocols and ports, as of a router.
    Acl,
    /// Chains for services, as Docker, Kubernetes and ufw make them.
    Chains,
    /// Adversarial: one of the two addresses matches in every rule, both in
    /// none, under a thousand different masks.
    Overlaps,
    /// Adversarial: every rule matches and none decides.
    Wildcards,
    /// Adversarial: nothing in a rule that an index could use.
    Residual,
}

/// The sources of the bench.
const SOURCES: std::ops::Range<u32> = 0x0800_0000..0x4800_0000;
/// 198.51.100.0.
const DESTINATIONS: u32 = 0xc633_6400;
/// The flow that `Overlaps` is made against.
const FLOW: (u32, u32) = (0x1e14_0a05, DESTINATIONS + 77);
/// A port that no rule names.
pub(crate) const FREE_PORT: u16 = 61_000;

/// One packet of UDP or TCP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

impl Packet {
    /// A packet of one flow that no rule is about, but those of `Wildcards`.
    pub(crate) fn plain() -> Self {
        Self {
            source: FLOW.0,
            destination: FLOW.1,
            protocol: Protocol::Udp,
            port: FREE_PORT,
        }
    }

    /// Its bytes, from the IP header on.
    pub(crate) fn build(&self) -> Vec<u8> {
        let source = self.source.to_be_bytes();
        let destination = self.destination.to_be_bytes();
        let (number, payload) = match self.protocol {
            Protocol::Udp => (
                protocol::UDP,
                packet::udp((source, 40_000), (destination, self.port), &[0; 8]),
            ),
            Protocol::Tcp => (
                protocol::TCP,
                Tcp {
                    source: 40_000,
                    destination: self.port,
                    flags: 0x10,
                    ..Tcp::default()
                }
                .build(source, destination),
            ),
        };
        Ipv4 {
            ttl: 64,
            protocol: number,
            source,
            destination,
            payload,
            ..Ipv4::default()
        }
        .build()
    }
}

/// A source of the bench by number; different ones are different.
fn source(number: u32) -> u32 {
    let size = SOURCES.end - SOURCES.start;
    SOURCES.start + number.wrapping_mul(0x9e37_79b1) % size
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

impl Shape {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Sources,
        Self::Ports,
        Self::Prefixes,
        Self::Ranges,
        Self::Acl,
        Self::Chains,
        Self::Overlaps,
        Self::Wildcards,
        Self::Residual,
    ];

    /// A name for tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sources => "A: sources",
            Self::Ports => "B: ports",
            Self::Prefixes => "prefixes",
            Self::Ranges => "port ranges",
            Self::Acl => "router's ACL",
            Self::Chains => "service chains",
            Self::Overlaps => "overlaps",
            Self::Wildcards => "wildcards",
            Self::Residual => "residual only",
        }
    }

    /// `count` rules for a hook.
    pub(crate) fn rules(self, hook: Hook, count: usize) -> Rules {
        let mut rng = Rng::with_seed(7);
        let one = |number: usize| self.rule(&mut rng, number as u32);
        let mut set = Rules {
            hook,
            rules: Vec::new(),
            chains: Vec::new(),
            by_hand: Some(ByHand::default()),
        };
        if self == Self::Chains {
            services(&mut set, count);
            return set;
        }
        set.rules = (0..count).map(one).collect();
        if count > 0 {
            set.by_hand = self.by_hand(&set.rules);
        }
        set
    }

    fn rule(self, rng: &mut Rng, number: u32) -> Rule {
        let mut rule = Rule {
            target: Target::Accept,
            ..Rule::default()
        };
        match self {
            Self::Sources => rule.source = Some(Prefix::host(source(number))),
            Self::Ports => {
                let port = 1 + (number % 60_000) as u16;
                rule.protocol = Some(Protocol::Udp);
                rule.ports = Some((port, port));
            }
            Self::Prefixes => rule.source = Some(prefix(rng)),
            Self::Ranges => {
                let low = rng.u16(1..58_000);
                let width = pick(rng, &[0, 1, 7, 30, 100, 1000]);
                rule.protocol = Some(Protocol::Udp);
                rule.ports = Some((low, low + rng.u16(..=width)));
            }
            Self::Acl => {
                rule.source = (rng.u8(..10) > 0).then(|| prefix(rng));
                let destination = DESTINATIONS + u32::from(rng.u8(..));
                let bits = pick(rng, &[32, 32, 32, 30, 28, 26]);
                rule.destination = Some(Prefix::of(destination, bits));
                rule.protocol = Some(pick(rng, &[Protocol::Udp, Protocol::Tcp]));
                let low = pick(rng, &[22, 25, 53, 80, 123, 443, 8080, 3306, 5432, 1024]);
                rule.ports = match rng.u8(..4) {
                    0 => None,
                    1 => Some((low, low + rng.u16(1..2000))),
                    _ => Some((low, low)),
                };
            }
            Self::Overlaps => {
                // A prefix of the flow's, and one that differs in its last bit.
                let (near, far) = (1 + rng.u8(..32), 1 + rng.u8(..32));
                let other = |address: u32| Prefix::of(address ^ (1 << (32 - far)), far);
                (rule.source, rule.destination) = match number % 2 {
                    0 => (Some(Prefix::of(FLOW.0, near)), Some(other(FLOW.1))),
                    _ => (Some(other(FLOW.0)), Some(Prefix::of(FLOW.1, near))),
                };
            }
            Self::Wildcards => rule.target = Target::Next,
            Self::Residual => match number % 3 {
                0 => rule.extra = Some(Extra::Length(1000 + (number / 3) as u16)),
                1 => rule.extra = Some(Extra::Ttl(70 + (number / 3 % 180) as u8)),
                _ => {
                    let first = 1 + (number % 50_000) as u16;
                    let ports = (0..15).map(|step| first + step * 600);
                    rule.protocol = Some(Protocol::Udp);
                    rule.extra = Some(Extra::Ports(ports.collect()));
                }
            },
            Self::Chains => {}
        }
        rule
    }

    /// How a person would say these rules with nft's sets.
    fn by_hand(self, rules: &[Rule]) -> Option<ByHand> {
        let (kind, elements, lookup): (&str, Vec<String>, &str) = match self {
            Self::Sources | Self::Prefixes => (
                "type ipv4_addr",
                rules
                    .iter()
                    .filter_map(|rule| rule.source)
                    .map(|source| source.to_string())
                    .collect(),
                "ip saddr @wanted accept",
            ),
            Self::Ports | Self::Ranges => (
                "type inet_service",
                rules
                    .iter()
                    .filter_map(|rule| rule.ports)
                    .map(|(low, high)| match low == high {
                        true => low.to_string(),
                        false => format!("{low}-{high}"),
                    })
                    .collect(),
                "udp dport @wanted accept",
            ),
            _ => return None,
        };
        let flags = match self {
            Self::Prefixes | Self::Ranges => "flags interval; auto-merge;",
            _ => "",
        };
        Some(ByHand {
            sets: format!(
                "set wanted {{ {kind}; {flags} elements = {{ {} }} }}\n",
                elements.join(", ")
            ),
            rules: format!("{lookup}\n"),
        })
    }

    /// A packet from anywhere, as many different ones as asked.
    pub(crate) fn random(count: usize) -> Vec<Packet> {
        let mut rng = Rng::with_seed(11);
        (0..count)
            .map(|_| Packet {
                source: rng.u32(SOURCES),
                destination: DESTINATIONS + u32::from(rng.u8(..)),
                protocol: Protocol::Udp,
                port: FREE_PORT,
            })
            .collect()
    }

    /// Whether packets can be made that hit a rule of choice.
    pub(crate) fn has_hits(self) -> bool {
        !matches!(self, Self::Overlaps | Self::Wildcards | Self::Residual)
    }
}

/// A source prefix: mostly long ones, so that most of the list has a say.
fn prefix(rng: &mut Rng) -> Prefix {
    let bits = match rng.u16(..1000) {
        0 => 12,
        1..50 => 16,
        50..200 => 28,
        200..600 => 24,
        _ => 32,
    };
    Prefix::of(rng.u32(SOURCES), bits)
}

/// One service in ten rules: the dispatch, and a chain with nine of its own.
fn services(set: &mut Rules, count: usize) {
    let services = count / 10;
    let mut map = Vec::new();
    for number in 0..services {
        let address = DESTINATIONS + (number % 256) as u32;
        let port = 1000 + (number / 256) as u16;
        set.rules.push(Rule {
            destination: Some(Prefix::host(address)),
            protocol: Some(Protocol::Udp),
            ports: Some((port, port)),
            target: Target::Jump(number),
            ..Rule::default()
        });
        map.push(format!(
            "{} . {port} : jump svc-{number}",
            Prefix::host(address)
        ));
        let rules = (0..9).map(|rule| Rule {
            source: Some(Prefix::of(source((number * 9 + rule) as u32), 24)),
            target: Target::Accept,
            ..Rule::default()
        });
        set.chains.push((format!("svc-{number}"), rules.collect()));
    }
    if services > 0 {
        set.by_hand = Some(ByHand {
            sets: format!(
                "map services {{ type ipv4_addr . inet_service : verdict; elements = {{ {} }} }}\n",
                map.join(", ")
            ),
            rules: String::from("ip daddr . udp dport vmap @services\n"),
        });
    }
}

impl Rules {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let chains = self.chains.iter().map(|(_, rules)| rules.len());
        self.rules.len() + chains.sum::<usize>()
    }

    /// A packet that a rule wants, though an earlier one may want it too. Rules
    /// are counted from 0 in the order of the text.
    pub(crate) fn hit(&self, number: usize) -> Packet {
        let mut packet = Packet::plain();
        let rule = match number.checked_sub(self.rules.len()) {
            None => &self.rules[number],
            Some(inner) => {
                // The chains of services: nine rules each, in their order.
                let (chain, inner) = (inner / 9, inner % 9);
                let dispatch = &self.rules[chain];
                apply(dispatch, &mut packet);
                &self.chains[chain].1[inner]
            }
        };
        apply(rule, &mut packet);
        packet
    }
}

fn apply(rule: &Rule, packet: &mut Packet) {
    if let Some(source) = rule.source {
        packet.source = source.address;
    }
    if let Some(destination) = rule.destination {
        packet.destination = destination.address;
    }
    if let Some(protocol) = rule.protocol {
        packet.protocol = protocol;
    }
    if let Some((low, _)) = rule.ports {
        packet.port = low;
    }
}

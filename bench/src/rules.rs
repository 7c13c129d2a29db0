// SPDX-License-Identifier: GPL-2.0-only
//! Rule sets, as each peer is told them.
//!
//! Owns: a rule as data, and its text for iptables-restore, for `nft` rule by
//! rule, and, where a person could write that, for `nft` with sets and verdict
//! maps. All of them mean the same; only iptables counts each rule. Leaves to
//! others which rules (`shapes`).

use std::fmt::{self, Display, Write};
use std::net::Ipv4Addr;

use umh_core::abi::{FILTER, Hook};

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Prefix {
    pub(crate) address: u32,
    pub(crate) bits: u8,
}

impl Prefix {
    /// The prefix of this length that an address lies in.
    pub(crate) fn of(address: u32, bits: u8) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        Self {
            address: address & mask,
            bits,
        }
    }

    /// Just this address.
    pub(crate) fn host(address: u32) -> Self {
        Self::of(address, 32)
    }
}

impl Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Ipv4Addr::from(self.address))?;
        match self.bits {
            32 => Ok(()),
            bits => write!(f, "/{bits}"),
        }
    }
}

/// Protocols that rules and packets of the bench have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Questions that are not about addresses and ports alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Extra {
    /// `-m length`.
    Length(u16),
    /// `-m ttl`.
    Ttl(u8),
    /// `-m multiport --dports`.
    Ports(Vec<u16>),
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Target {
    /// Nothing but count.
    #[default]
    Next,
    /// Lets the packet pass. Almost all rules of the bench do, so that a packet
    /// costs the rest of the kernel the same whatever it hits.
    Accept,
    /// Goes to the user chain of this number.
    Jump(usize),
}

/// One rule.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rule {
    pub(crate) source: Option<Prefix>,
    pub(crate) destination: Option<Prefix>,
    pub(crate) protocol: Option<Protocol>,
    /// Destination ports, the last one included.
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) extra: Option<Extra>,
    pub(crate) target: Target,
}

/// The names that nft and iptables have for the built-in chains.
pub(crate) fn chain_name(hook: Hook) -> &'static str {
    match hook {
        Hook::PreRouting => "PREROUTING",
        Hook::LocalIn => "INPUT",
        Hook::Forward => "FORWARD",
        Hook::LocalOut => "OUTPUT",
        Hook::PostRouting => "POSTROUTING",
    }
}

/// A port, or two with something between.
struct Range((u16, u16), char);

impl Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((low, high), between) = self;
        match low == high {
            true => write!(f, "{low}"),
            false => write!(f, "{low}{between}{high}"),
        }
    }
}

impl Rule {
    /// What `iptables -A CHAIN` is given.
    fn iptables(&self, line: &mut String, chains: &[(String, Vec<Rule>)]) -> fmt::Result {
        if let Some(source) = self.source {
            write!(line, " -s {source}")?;
        }
        if let Some(destination) = self.destination {
            write!(line, " -d {destination}")?;
        }
        if let Some(protocol) = self.protocol {
            write!(line, " -p {protocol}")?;
            if let Some(ports) = self.ports {
                write!(line, " -m {protocol} --dport {}", Range(ports, ':'))?;
            }
        }
        match &self.extra {
            None => {}
            Some(Extra::Length(length)) => write!(line, " -m length --length {length}")?,
            Some(Extra::Ttl(ttl)) => write!(line, " -m ttl --ttl-eq {ttl}")?,
            Some(Extra::Ports(ports)) => {
                write!(line, " -m multiport --dports {}", list(ports))?;
            }
        }
        match self.target {
            Target::Next => Ok(()),
            Target::Accept => write!(line, " -j ACCEPT"),
            Target::Jump(chain) => write!(line, " -j {}", chains[chain].0),
        }
    }

    /// What `nft add rule` is given.
    fn nft(&self, line: &mut String, chains: &[(String, Vec<Rule>)]) -> fmt::Result {
        if let Some(source) = self.source {
            write!(line, " ip saddr {source}")?;
        }
        if let Some(destination) = self.destination {
            write!(line, " ip daddr {destination}")?;
        }
        match (self.protocol, self.ports) {
            (Some(protocol), Some(ports)) => {
                write!(line, " {protocol} dport {}", Range(ports, '-'))?;
            }
            (Some(protocol), None) if self.extra.is_none() => {
                write!(line, " ip protocol {protocol}")?;
            }
            _ => {}
        }
        match &self.extra {
            None => {}
            Some(Extra::Length(length)) => write!(line, " ip length {length}")?,
            Some(Extra::Ttl(ttl)) => write!(line, " ip ttl {ttl}")?,
            Some(Extra::Ports(ports)) => {
                let protocol = self.protocol.unwrap_or(Protocol::Udp);
                write!(line, " {protocol} dport {{ {} }}", list(ports))?;
            }
        }
        match self.target {
            // A rule that does nothing is not a rule.
            Target::Next => write!(line, " counter"),
            Target::Accept => write!(line, " accept"),
            Target::Jump(chain) => write!(line, " jump {}", chains[chain].0),
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    items.join(",")
}

/// A filter table with rules for one hook, and the chains that they go to.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) hook: Hook,
    pub(crate) rules: Vec<Rule>,
    pub(crate) chains: Vec<(String, Vec<Rule>)>,
    /// The hook's chain as a person would write it for nft, with the sets that
    /// it needs before it.
    pub(crate) by_hand: Option<ByHand>,
}

/// Sets or maps, and the rules that use them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByHand {
    pub(crate) sets: String,
    pub(crate) rules: String,
}

impl Rules {
    /// For `iptables-restore`.
    pub(crate) fn iptables(&self) -> String {
        let mut text = String::from("*filter\n");
        for hook in FILTER.each_hook() {
            text += &format!(":{} ACCEPT [0:0]\n", chain_name(hook));
        }
        for (name, _) in &self.chains {
            text += &format!(":{name} - [0:0]\n");
        }
        let hook = chain_name(self.hook);
        let first = std::iter::once((hook, &self.rules));
        let others = self
            .chains
            .iter()
            .map(|(name, rules)| (name.as_str(), rules));
        for (chain, rules) in first.chain(others) {
            for rule in rules {
                text += "-A ";
                text += chain;
                // Writing to a string does not fail.
                let _ = rule.iptables(&mut text, &self.chains);
                text.push('\n');
            }
        }
        text + "COMMIT\n"
    }

    /// For `nft -f`, rule by rule.
    pub(crate) fn nft_linear(&self) -> String {
        let lines = |rules: &[Rule]| {
            let mut text = String::new();
            for rule in rules {
                let _ = rule.nft(&mut text, &self.chains);
                text.push('\n');
            }
            text
        };
        let mut chains = String::new();
        // nft wants to know a chain before it is jumped to.
        for (name, rules) in &self.chains {
            chains += &format!("chain {name} {{\n{}}}\n", lines(rules));
        }
        self.nft(&chains, &lines(&self.rules))
    }

    /// For `nft -f`, with sets and maps; `None` where that cannot be done.
    pub(crate) fn nft_set(&self) -> Option<String> {
        let by_hand = self.by_hand.as_ref()?;
        let mut before = String::new();
        for (name, rules) in &self.chains {
            before += &format!("chain {name} {{\n");
            for rule in rules {
                let _ = rule.nft(&mut before, &self.chains);
                before.push('\n');
            }
            before += "}\n";
        }
        before += &by_hand.sets;
        Some(self.nft(&before, &by_hand.rules))
    }

    /// The same three hooks that iptables' filter table has.
    fn nft(&self, before: &str, rules: &str) -> String {
        let mut text = format!("flush ruleset\ntable ip filter {{\n{before}");
        for hook in FILTER.each_hook() {
            let name = chain_name(hook).to_lowercase();
            let rules = if hook == self.hook { rules } else { "" };
            text += &format!(
                "chain {name} {{\ntype filter hook {name} priority 0; policy accept;\n{rules}}}\n"
            );
        }
        text + "}\n"
    }
}

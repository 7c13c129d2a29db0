// SPDX-License-Identifier: GPL-2.0-only
//! The reference evaluator: what ip_tables would do with a packet.
//!
//! Owns: the walk through a table, verdicts and counters. Written from
//! `ipt_do_table` and iptables-extensions(8), deliberately slow and plain, and
//! held against the real ip_tables by `tests/packet_oracle.rs`; what is compiled
//! is then held against this. `matches` has the meaning of each match.
//!
//! Leaves to others: how a packet gets to a hook (`world`), and what the kernel
//! does with it elsewhere.

mod counting;
pub mod limit;
mod matches;

use std::collections::HashMap;

use crate::oracle::table::{MatchData, RuleIndex, Table, Target};
use counting::{Nth, Quota};
use limit::Limit;

/// A match for tests: some of these bits of the last byte of the source address
/// are set. Programs must call it, as there is no code for it.
pub const SOURCE_BITS: &str = "source_bits";
/// A target for tests: lets go of the packet.
pub const GO_ON: &str = "GO_ON";

/// A hook of the filter table, numbered as `NF_INET_*`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hook {
    /// INPUT.
    LocalIn = 1,
    /// FORWARD.
    Forward = 2,
    /// OUTPUT.
    LocalOut = 3,
}

/// `skb->pkt_type`, `PACKET_*`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketType {
    /// To us.
    Host = 0,
    /// To all.
    Broadcast = 1,
    /// To a group.
    Multicast = 2,
    /// To somebody else.
    OtherHost = 3,
    /// A copy of what we have sent to all or to a group.
    Loopback = 5,
}

/// What connection tracking says of a packet; `XT_CONNTRACK_STATE_*` bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conntrack {
    /// It has no connection, and was not exempted from tracking.
    Invalid = 1,
    /// Of a connection that has seen both directions.
    Established = 1 << 1,
    /// Of a connection that another one announced.
    Related = 1 << 2,
    /// First of a connection.
    New = 1 << 3,
    /// Exempted from tracking.
    Untracked = 1 << 8,
}

/// A packet at a hook.
#[derive(Clone, Debug)]
pub struct PacketAt<'a> {
    /// Where it is.
    pub hook: Hook,
    /// The bytes from the IP header on; their number is `skb->len`.
    pub bytes: &'a [u8],
    /// The interface it came in on, or nothing.
    pub in_dev: &'a str,
    /// The interface it goes out on, or nothing.
    pub out_dev: &'a str,
    /// `skb->mark`.
    pub mark: u32,
    /// `skb->pkt_type`.
    pub packet_type: PacketType,
    /// What connection tracking says.
    pub conntrack: Conntrack,
    /// The source in its Ethernet header, if it has one.
    pub hardware: Option<[u8; 6]>,
    /// Groups of the interface that it came in on and goes out on.
    pub groups: [u32; 2],
    /// Who sent it, if it comes from a socket of this machine.
    pub sender: Option<Sender>,
    /// The CPU that has it.
    pub cpu: u32,
    /// The time, in jiffies.
    pub jiffies: u64,
}

/// Who opened a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// User.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Other groups.
    pub groups: &'static [u32],
}

/// The end of a packet's walk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It passes.
    Accept,
    /// It does not.
    Drop,
    /// Another number, `NF_*`.
    Other(u32),
}

/// A verdict and the rules that counted the packet, in order. A rule counts 1
/// and the packet's length each time it is named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Walk {
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// The rules that matched, jumps and policies among them.
    pub counted: Vec<RuleIndex>,
}

/// More rules than any table of the tests makes a packet count.
const MOST_COUNTED: usize = 1 << 20;

/// A match asks for the packet to be dropped at once, uncounted.
struct HotDrop;

/// A table, with what its matches remember between packets.
pub struct Evaluator {
    table: Table,
    whole: Vec<&'static str>,
    kept: HashMap<(RuleIndex, usize), Kept>,
}

/// What a match remembers.
enum Kept {
    Limit(Limit),
    Nth(Nth),
    Quota(Quota),
}

impl Kept {
    fn new(data: &MatchData, jiffies: u64, hz: u32) -> Option<Self> {
        match data.name.as_str() {
            "limit" => Some(Self::Limit(Limit::new(&data.data, jiffies, hz))),
            "statistic" => Nth::new(&data.data).map(Self::Nth),
            "quota" => Some(Self::Quota(Quota::new(&data.data))),
            _ => None,
        }
    }

    fn ask(&mut self, packet: &PacketAt<'_>) -> bool {
        match self {
            Self::Limit(limit) => limit.allows(packet.jiffies),
            Self::Nth(nth) => nth.ask(),
            Self::Quota(quota) => quota.ask(packet.bytes.len() as u64),
        }
    }
}

impl Evaluator {
    /// An evaluator of `table`, loaded at the time `jiffies`, on a kernel that
    /// counts `hz` jiffies a second.
    pub fn new(table: Table, jiffies: u64, hz: u32) -> Self {
        let mut kept = HashMap::new();
        for (index, rule) in table.rules.iter().enumerate() {
            for (place, data) in rule.matches.iter().enumerate() {
                if let Some(new) = Kept::new(data, jiffies, hz) {
                    kept.insert((index, place), new);
                }
            }
        }
        Self {
            table,
            whole: Vec::new(),
            kept,
        }
    }

    /// From Linux 7.2 on x_tables' `tcpmss`, and `ecn` where it asks for bits of TCP, do not
    /// look into later fragments. This is what the matches of these names do from now on.
    pub fn wants_whole(&mut self, names: Vec<&'static str>) {
        self.whole = names;
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Walks `packet` through the rules of its hook.
    pub fn walk(&mut self, packet: &PacketAt<'_>) -> Walk {
        let hook = packet.hook as usize;
        let entry = self.table.hook_entry[hook].expect("a hook of the filter table");
        let underflow = self.table.underflow[hook].expect("a hook of the filter table");
        let mut counted = Vec::new();
        let mut stack = Vec::new();
        let mut at = entry;
        let verdict = loop {
            match self.rule_matches(at, packet) {
                Err(HotDrop) => break Verdict::Drop,
                Ok(false) => {
                    at += 1;
                    continue;
                }
                Ok(true) => counted.push(at),
            }
            assert!(counted.len() < MOST_COUNTED, "the walk does not end");
            at = match &self.table.rules[at].target {
                Target::Accept => break Verdict::Accept,
                Target::Drop => break Verdict::Drop,
                Target::Verdict(number) => break Verdict::Other(*number),
                // The ERROR target logs and drops.
                Target::Error(_) => break Verdict::Drop,
                Target::Return => match stack.pop() {
                    Some(caller) => caller + 1,
                    None => underflow,
                },
                Target::Jump { to, goto } => {
                    if *to != at + 1 && !goto {
                        if stack.len() >= self.table.stack_size {
                            break Verdict::Drop;
                        }
                        stack.push(at);
                    }
                    *to
                }
                Target::Other { name, .. } if name == GO_ON => at + 1,
                Target::Other { name, .. } => panic!("no evaluation of target {name}"),
            };
        };
        Walk { verdict, counted }
    }

    /// Whether the packet meets all that a rule asks.
    fn rule_matches(&mut self, index: RuleIndex, packet: &PacketAt<'_>) -> Result<bool, HotDrop> {
        let rule = &self.table.rules[index];
        if !matches::ip(&rule.ip, packet) {
            return Ok(false);
        }
        for (place, data) in rule.matches.iter().enumerate() {
            let matched = match self.kept.get_mut(&(index, place)) {
                Some(kept) => kept.ask(packet),
                None if self.whole.contains(&data.name.as_str())
                    && matches::misses_header(data, packet) =>
                {
                    false
                }
                None => matches::extension(data, packet)?,
            };
            if !matched {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

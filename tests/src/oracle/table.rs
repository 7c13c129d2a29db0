// SPDX-License-Identifier: GPL-2.0-only
//! A loaded table, as the reference evaluator sees it.
//!
//! Owns: taking the bytes of GET_ENTRIES (or of a REPLACE that the kernel has
//! accepted) apart into rules. Promises: nothing is interpreted beyond the
//! frame; a match keeps its name, revision and raw data. Written from
//! `ip_tables.h` and `x_tables.h`, not from the helper's parser: the two are
//! compared by the tests. Bytes that no kernel would accept are a panic.

use std::collections::HashMap;

use umh_core::abi::{
    ALIGN, Entry, ExtensionHeader, GetInfo, IPT_F_GOTO, IptIp, NUM_HOOKS, VERDICT_ACCEPT,
    VERDICT_DROP, VERDICT_RETURN,
};
use zerocopy::FromBytes;

/// A number of a rule: its place in the table, from 0.
pub type RuleIndex = usize;

/// `-m name`, not yet interpreted.
#[derive(Clone, Debug)]
pub struct MatchData {
    /// Name.
    pub name: String,
    /// Revision.
    pub revision: u8,
    /// What follows the header.
    pub data: Vec<u8>,
}

/// What a rule does with a packet that matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Let it pass.
    Accept,
    /// Drop it.
    Drop,
    /// Another final verdict of the standard target, `NF_*`.
    Verdict(u32),
    /// Back to the caller of the chain.
    Return,
    /// Go on at another rule.
    Jump {
        /// Where.
        to: RuleIndex,
        /// Forget where from (`-g`).
        goto: bool,
    },
    /// The head of a user chain, or the end of the table.
    Error(String),
    /// A target that is not built in.
    Other {
        /// Name.
        name: String,
        /// What follows the header.
        data: Vec<u8>,
    },
}

/// One entry of the table.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Bytes from the start of the table.
    pub offset: usize,
    /// What is asked of header and interfaces.
    pub ip: IptIp,
    /// What else is asked, in order.
    pub matches: Vec<MatchData>,
    /// What is done.
    pub target: Target,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// All entries, in the order in which they lie.
    pub rules: Vec<Rule>,
    /// The first rule of each hook, by `NF_INET_*`.
    pub hook_entry: [Option<RuleIndex>; NUM_HOOKS],
    /// The policy of each hook, by `NF_INET_*`.
    pub underflow: [Option<RuleIndex>; NUM_HOOKS],
    /// How many returns the kernel's stack has room for.
    pub stack_size: usize,
}

/// A C string in a fixed field.
pub fn c_string(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

impl Table {
    /// Takes apart the entries that `info` describes.
    pub fn parse(info: &GetInfo, entries: &[u8]) -> Self {
        let mut starts = HashMap::new();
        let mut offset = 0;
        while offset < entries.len() {
            starts.insert(offset, starts.len());
            offset += usize::from(entry_at(entries, offset).next_offset);
        }
        assert_eq!(starts.len(), info.num_entries as usize, "number of entries");

        let mut rules = Vec::with_capacity(starts.len());
        let mut offset = 0;
        while offset < entries.len() {
            let end = offset + usize::from(entry_at(entries, offset).next_offset);
            rules.push(parse_rule(&entries[..end], offset, &starts));
            offset = end;
        }
        let by_hook = |offsets: [u32; NUM_HOOKS]| {
            let mut hook = 0;
            offsets.map(|offset| {
                let valid = info.valid_hooks & (1 << hook) != 0;
                hook += 1;
                valid.then(|| starts[&(offset as usize)])
            })
        };
        let stack_size = rules
            .iter()
            .filter(|rule| matches!(rule.target, Target::Error(_)))
            .count();
        Self {
            hook_entry: by_hook(info.hook_entry),
            underflow: by_hook(info.underflow),
            rules,
            stack_size,
        }
    }
}

/// The entry at `offset`.
fn entry_at(entries: &[u8], offset: usize) -> Entry {
    Entry::read_from_prefix(&entries[offset..])
        .expect("room for an entry")
        .0
}

/// The rule at `offset`, whose last byte is the last of `entries`.
fn parse_rule(entries: &[u8], offset: usize, starts: &HashMap<usize, RuleIndex>) -> Rule {
    let entry = entry_at(entries, offset);
    let target_at = offset + usize::from(entry.target_offset);
    let mut matches = Vec::new();
    let mut at = offset + size_of::<Entry>();
    while at < target_at {
        let (header, data) = extension_at(&entries[..target_at], at);
        matches.push(MatchData {
            name: c_string(&header.name),
            revision: header.revision,
            data: data.to_vec(),
        });
        at += usize::from(header.size);
    }
    let (header, data) = extension_at(entries, target_at);
    let target = match c_string(&header.name).as_str() {
        "" => standard(data, entry.ip.flags & IPT_F_GOTO != 0, starts),
        "ERROR" => Target::Error(c_string(data)),
        name => Target::Other {
            name: name.to_owned(),
            data: data.to_vec(),
        },
    };
    Rule {
        offset,
        ip: entry.ip,
        matches,
        target,
    }
}

/// The header and the data of the match or target at `at`.
fn extension_at(bytes: &[u8], at: usize) -> (ExtensionHeader, &[u8]) {
    assert_eq!(at % ALIGN, 0, "alignment of an extension");
    let (header, _) =
        ExtensionHeader::read_from_prefix(&bytes[at..]).expect("room for an extension");
    let data = &bytes[at + size_of::<ExtensionHeader>()..at + usize::from(header.size)];
    (header, data)
}

/// The meaning of a standard target.
fn standard(data: &[u8], goto: bool, starts: &HashMap<usize, RuleIndex>) -> Target {
    let verdict = i32::from_ne_bytes(data[..4].try_into().expect("four bytes"));
    match verdict {
        VERDICT_ACCEPT => Target::Accept,
        VERDICT_DROP => Target::Drop,
        VERDICT_RETURN => Target::Return,
        ..0 => Target::Verdict(verdict.unsigned_abs() - 1),
        to => Target::Jump {
            to: starts[&(to as usize)],
            goto,
        },
    }
}

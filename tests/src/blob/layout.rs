// SPDX-License-Identifier: GPL-2.0-only
//! Tables as bytes.
//!
//! Owns: a table as a person thinks of it (chains, rules, jumps by name) and
//! its layout as the `ipt_replace` that libiptc would send. What is laid out
//! is well-formed; whether the rules make sense is the caller's affair.

use std::fmt;

use umh_core::abi::{
    ALIGN, Counters, EXTENSION_NAME_LEN, Entry, ExtensionHeader, FILTER, GetEntries, GetInfo,
    IPT_F_GOTO, IptIp, NUM_HOOKS, Replace, TABLE_NAME_LEN, VERDICT_ACCEPT, VERDICT_RETURN,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::client::sockopt::{ADD_COUNTERS, Call, GET_ENTRIES, GET_INFO, Place, REPLACE};

/// Bytes of an entry before its matches and target.
pub const ENTRY: usize = size_of::<Entry>();
/// Bytes of a match or target before its data.
pub const EXTENSION: usize = size_of::<ExtensionHeader>();

/// The built-in chains of the filter table, in order.
pub const BUILTIN: [&str; 3] = ["INPUT", "FORWARD", "OUTPUT"];

/// Whose layout the bytes of a request have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bits {
    /// That of this machine, of 64 bits.
    Native,
    /// That of i386: pointers of 4 bytes, and u64 aligned to 4.
    I386,
}

impl Bits {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Native, Self::I386];

    fn align(self) -> usize {
        match self {
            Self::Native => ALIGN,
            Self::I386 => 4,
        }
    }

    /// Bytes of `struct ipt_replace`.
    pub fn replace(self) -> usize {
        match self {
            Self::Native => size_of::<Replace>(),
            Self::I386 => 92,
        }
    }

    /// Bytes of `struct ipt_get_entries` and of `struct xt_counters_info`.
    pub fn head(self) -> usize {
        match self {
            Self::Native => size_of::<GetEntries>(),
            Self::I386 => 36,
        }
    }

    /// Bytes of a standard target.
    fn standard_target(self) -> usize {
        EXTENSION + 4usize.next_multiple_of(self.align())
    }

    /// The call, made by a program of these bits.
    pub fn call(self, call: Call) -> Call {
        Call {
            bits32: self == Self::I386,
            ..call
        }
    }

    /// GET_INFO of a table.
    pub fn get_info(self, table: &str) -> Call {
        self.call(get_info(table))
    }

    /// GET_ENTRIES of a table of `size` bytes.
    pub fn get_entries(self, table: &str, size: u32) -> Call {
        let mut bytes = padded::<TABLE_NAME_LEN>(table).to_vec();
        bytes.extend_from_slice(&size.to_ne_bytes());
        bytes.resize(self.head() + size as usize, 0);
        self.call(Call::get(GET_ENTRIES, bytes))
    }

    /// ADD_COUNTERS with these pairs of packets and bytes.
    pub fn add_counters(self, table: &str, counters: &[(u64, u64)]) -> Call {
        let mut call = add_counters(table, counters);
        call.bytes.drain(self.head()..size_of::<GetEntries>());
        call.len = call.bytes.len() as u32;
        self.call(call)
    }
}

/// A match or target with its data.
#[derive(Clone, Eq, PartialEq)]
pub struct Extension {
    /// Name, at most 28 bytes.
    pub name: String,
    /// Revision.
    pub revision: u8,
    /// Data; zeros are added up to the alignment.
    pub data: Vec<u8>,
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}=", self.name, self.revision)?;
        self.data
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Rule {
    // Only what differs from a rule that asks nothing: cases have many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.ip.as_bytes();
        let used = ip
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        write!(f, "ip ")?;
        ip[..used]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, " {:?} {:?}", self.matches, self.target)
    }
}

impl Extension {
    /// An extension by name, revision and data.
    pub fn new(name: &str, revision: u8, data: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            revision,
            data: data.into(),
        }
    }

    fn put(&self, bits: Bits, out: &mut Vec<u8>) {
        let size = self.size(bits);
        let header = ExtensionHeader {
            size: size as u16,
            name: padded(&self.name),
            revision: self.revision,
        };
        let end = out.len() + size;
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(&self.data_in(bits));
        out.resize(end, 0);
    }

    fn size(&self, bits: Bits) -> usize {
        EXTENSION + self.data_in(bits).len().next_multiple_of(bits.align())
    }

    /// The data as a caller of these bits has it. Most structures are the same for all;
    /// that of limit has an `unsigned long`, padding and a pointer.
    fn data_in(&self, bits: Bits) -> Vec<u8> {
        let mut data = self.data.clone();
        if bits == Bits::I386 && self.name == "limit" && data.len() == 40 {
            data.drain(28..);
            data.drain(12..16);
            data.resize(28, 0);
        }
        data
    }
}

/// What a rule does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// A standard verdict as it stands in the blob.
    Verdict(i32),
    /// A jump to the user chain of this number.
    Jump(usize),
    /// The same without a way back.
    Goto(usize),
    /// To the next rule: what iptables makes of a rule without `-j`.
    Next,
    /// A target extension.
    Extension(Extension),
}

/// One rule.
#[derive(Clone, Eq, PartialEq)]
pub struct Rule {
    /// What it asks of the IP header and the interfaces.
    pub ip: IptIp,
    /// What else it asks.
    pub matches: Vec<Extension>,
    /// What it does then.
    pub target: Target,
}

impl Rule {
    /// A rule that asks nothing.
    pub fn any(target: Target) -> Self {
        Self {
            ip: IptIp::new_zeroed(),
            matches: Vec::new(),
            target,
        }
    }

    fn size(&self, bits: Bits) -> usize {
        let matches = self.matches.iter().map(|found| found.size(bits));
        ENTRY
            + matches.sum::<usize>()
            + match &self.target {
                Target::Extension(extension) => extension.size(bits),
                _ => bits.standard_target(),
            }
    }
}

/// A chain of the user's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// Name, at most 28 bytes for iptables, 29 for the kernel.
    pub name: String,
    /// Its rules; the RETURN at the end is added.
    pub rules: Vec<Rule>,
}

/// A filter table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// Rules of INPUT, FORWARD and OUTPUT.
    pub builtin: [Vec<Rule>; 3],
    /// Policies of the same.
    pub policy: [i32; 3],
    /// Chains of the user's.
    pub chains: Vec<Chain>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            builtin: [const { Vec::new() }; 3],
            policy: [VERDICT_ACCEPT; 3],
            chains: Vec::new(),
        }
    }
}

impl Table {
    /// Leaves out the matches that do not satisfy `wanted`, and the targets
    /// that do not satisfy `wanted_target`.
    pub fn keep(
        &mut self,
        wanted: impl Fn(&Extension) -> bool,
        wanted_target: impl Fn(&Extension) -> bool,
    ) {
        let chains = self.chains.iter_mut().map(|chain| &mut chain.rules);
        for rule in self.builtin.iter_mut().chain(chains).flatten() {
            rule.matches.retain(&wanted);
            if let Target::Extension(target) = &rule.target
                && !wanted_target(target)
            {
                rule.target = Target::Next;
            }
        }
    }

    /// Lays the table out as libiptc does: the built-in chains, each ended by
    /// its policy; the user's, each between its head and a RETURN; the end.
    pub fn blob(&self) -> Blob {
        self.blob_in(Bits::Native)
    }

    /// The same as a caller of these bits would send it.
    pub fn blob_in(&self, bits: Bits) -> Blob {
        let sum = |rules: &[Rule]| rules.iter().map(|rule| rule.size(bits)).sum::<usize>();
        // Offsets first, because jumps go forward as well.
        let mut at = 0;
        for rules in &self.builtin {
            at += sum(rules) + ENTRY + bits.standard_target();
        }
        let mut starts = Vec::new();
        for chain in &self.chains {
            at += ENTRY + 64;
            starts.push(at);
            at += sum(&chain.rules) + ENTRY + bits.standard_target();
        }

        let mut blob = Blob::empty(bits);
        for (hook, (rules, policy)) in self.builtin.iter().zip(self.policy).enumerate() {
            blob.header.hook_entry[hook + 1] = blob.entries.len() as u32;
            for rule in rules {
                blob.push(rule, &starts);
            }
            blob.header.underflow[hook + 1] = blob.entries.len() as u32;
            blob.push(&Rule::any(Target::Verdict(policy)), &starts);
        }
        for chain in &self.chains {
            blob.push(&head(&chain.name), &starts);
            for rule in &chain.rules {
                blob.push(rule, &starts);
            }
            blob.push(&Rule::any(Target::Verdict(VERDICT_RETURN)), &starts);
        }
        blob.push(&head("ERROR"), &starts);
        blob
    }
}

/// The entry that starts a user chain, or ends a table.
fn head(name: &str) -> Rule {
    let mut data = vec![0u8; 30];
    for (to, from) in data.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    Rule::any(Target::Extension(Extension::new("ERROR", 0, data)))
}

/// A C string in a field of `N` bytes; what does not fit is cut.
pub fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    field
}

/// The request that loads a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blob {
    /// Its header; `num_counters` is that of a pristine table, 4.
    pub header: Replace,
    /// Its entries.
    pub entries: Vec<u8>,
    /// The start of each entry.
    pub offsets: Vec<usize>,
    /// Whose layout it has.
    pub bits: Bits,
}

impl Blob {
    /// A header without entries.
    fn empty(bits: Bits) -> Self {
        Self {
            bits,
            header: Replace {
                name: FILTER.padded_name(),
                valid_hooks: FILTER.valid_hooks(),
                num_entries: 0,
                size: 0,
                hook_entry: [0; NUM_HOOKS],
                underflow: [0; NUM_HOOKS],
                num_counters: 4,
                counters: 0,
            },
            entries: Vec::new(),
            offsets: Vec::new(),
        }
    }

    fn push(&mut self, rule: &Rule, chains: &[usize]) {
        let start = self.entries.len();
        let size = rule.size(self.bits);
        let mut ip = rule.ip;
        let verdict = match &rule.target {
            Target::Verdict(verdict) => *verdict,
            Target::Jump(chain) => chains[*chain] as i32,
            Target::Goto(chain) => {
                ip.flags |= IPT_F_GOTO;
                chains[*chain] as i32
            }
            Target::Next => (start + size) as i32,
            Target::Extension(_) => 0,
        };
        let target = match &rule.target {
            Target::Extension(extension) => extension.clone(),
            _ => Extension::new("", 0, verdict.to_ne_bytes()),
        };
        let entry = Entry {
            ip,
            nfcache: 0,
            target_offset: (size - target.size(self.bits)) as u16,
            next_offset: size as u16,
            comefrom: 0,
            counters: Counters { pcnt: 0, bcnt: 0 },
        };
        self.entries.extend_from_slice(entry.as_bytes());
        for extension in &rule.matches {
            extension.put(self.bits, &mut self.entries);
        }
        target.put(self.bits, &mut self.entries);
        assert_eq!(self.entries.len(), start + size, "as large as planned");
        self.offsets.push(start);
        self.header.num_entries += 1;
        self.header.size += size as u32;
    }

    /// The request that loads a table that was read elsewhere, in the place of
    /// one with `current` entries.
    pub fn of_loaded(info: &GetInfo, entries: Vec<u8>, current: u32) -> Self {
        let mut offsets = Vec::new();
        let mut at = 0;
        while let Ok((entry, _)) = Entry::read_from_prefix(&entries[at..]) {
            offsets.push(at);
            at += usize::from(entry.next_offset);
        }
        Self {
            header: Replace {
                name: info.name,
                valid_hooks: info.valid_hooks,
                num_entries: info.num_entries,
                size: info.size,
                hook_entry: info.hook_entry,
                underflow: info.underflow,
                num_counters: current,
                counters: 0,
            },
            entries,
            offsets,
            bits: Bits::Native,
        }
    }

    /// The bytes of the whole request.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.as_bytes().to_vec();
        bytes.truncate(self.bits.replace());
        bytes.extend_from_slice(&self.entries);
        bytes
    }

    /// The call, with room for the old counters behind its pointer. What the
    /// kernel does not write there stays 0xc5.
    pub fn call(&self) -> Call {
        // A hostile count does not get the memory that it asks for.
        let room = self.header.num_counters.min(100_000) as usize * 16;
        let call = Call::set(REPLACE, self.bytes()).counters(vec![0xc5; room], Place::Mapped);
        self.bits.call(call)
    }

    /// The entry that starts at `at`.
    pub fn entry(&self, at: usize) -> Option<Entry> {
        Entry::read_from_prefix(self.entries.get(at..)?)
            .ok()
            .map(|(entry, _)| entry)
    }
}

/// GET_INFO of a table.
pub fn get_info(table: &str) -> Call {
    let mut bytes = [0u8; size_of::<GetInfo>()];
    bytes[..TABLE_NAME_LEN].copy_from_slice(&padded::<TABLE_NAME_LEN>(table));
    Call::get(GET_INFO, bytes)
}

/// What GET_INFO wrote.
pub fn info_of(bytes: &[u8]) -> GetInfo {
    GetInfo::read_from_bytes(bytes).expect("84 bytes")
}

/// GET_ENTRIES of a table of `size` bytes.
pub fn get_entries(table: &str, size: u32) -> Call {
    let header = GetEntries {
        name: padded(table),
        size,
        pad: 0,
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(bytes.len() + size as usize, 0);
    Call::get(GET_ENTRIES, bytes)
}

/// The counters of all entries of a table, given as GET_ENTRIES gives them.
pub fn counters_of(entries: &[u8]) -> Vec<Counters> {
    let mut counters = Vec::new();
    let mut rest = entries;
    while let Ok((entry, _)) = Entry::read_from_prefix(rest) {
        counters.push(entry.counters);
        rest = &rest[usize::from(entry.next_offset)..];
    }
    counters
}

/// GET_REVISION_MATCH or _TARGET.
pub fn get_revision(option: i32, name: &str, revision: u8) -> Call {
    let mut bytes = padded::<EXTENSION_NAME_LEN>(name).to_vec();
    bytes.push(revision);
    Call::get(option, bytes)
}

/// ADD_COUNTERS with these pairs of packets and bytes.
pub fn add_counters(table: &str, counters: &[(u64, u64)]) -> Call {
    let mut bytes = padded::<TABLE_NAME_LEN>(table).to_vec();
    bytes.extend_from_slice(&(counters.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    for (pcnt, bcnt) in counters {
        bytes.extend_from_slice(&pcnt.to_ne_bytes());
        bytes.extend_from_slice(&bcnt.to_ne_bytes());
    }
    Call::set(ADD_COUNTERS, bytes)
}

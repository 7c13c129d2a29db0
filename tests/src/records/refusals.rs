// SPDX-License-Identifier: GPL-2.0-only
//! Rules that iptables would not send.
//!
//! Owns: requests whose matches and targets have a size, a revision, a hook, a
//! protocol or data that iptables itself would not let pass, made from rules
//! that it has sent; GET_REVISION of all names; and a record of what becomes of
//! them. As with `arguments`, two kernel sides must write the same.
//!
//! Most requests name a number of counters that the table has not got. That is
//! looked at behind all rules, so EAGAIN says that they were accepted, and no
//! table is built for each.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::mem::offset_of;

use fastrand::Rng;
use umh_core::abi::{Entry, ExtensionHeader, IPT_INV_PROTO, IptIp};

use crate::blob::{Blob, EXTENSION, Extension, Rule, Table, Target, get_revision};
use crate::client::sockopt::{GET_REVISION_MATCH, GET_REVISION_TARGET, Prepared, errno_name};
use crate::oracle::case::Live;
use crate::packet::random::pick;
use crate::records::arguments::{Part, describe, parts, split};

/// All that Linux 6.12 has for IPv4, without what is only for other tables and
/// in no kernel of the tests; and two that nobody has.
const MATCHES: [&str; 59] = [
    "addrtype",
    "ah",
    "bpf",
    "cgroup",
    "cluster",
    "comment",
    "connbytes",
    "connlabel",
    "connlimit",
    "connmark",
    "conntrack",
    "cpu",
    "dccp",
    "devgroup",
    "dscp",
    "ecn",
    "esp",
    "hashlimit",
    "helper",
    "icmp",
    "ipcomp",
    "iprange",
    "ipvs",
    "l2tp",
    "length",
    "limit",
    "mac",
    "mark",
    "multiport",
    "nfacct",
    "osf",
    "owner",
    "physdev",
    "pkttype",
    "policy",
    "quota",
    "rateest",
    "realm",
    "recent",
    "rpfilter",
    "sctp",
    "set",
    "socket",
    "state",
    "statistic",
    "string",
    "tcp",
    "tcpmss",
    "time",
    "tos",
    "ttl",
    "u32",
    "udp",
    "udplite",
    "icmp6",
    "eui64",
    "nosuch",
    "",
    "a1234567890123456789012345678",
];
const TARGETS: [&str; 43] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNMARK",
    "CONNSECMARK",
    "CT",
    "DNAT",
    "DSCP",
    "ECN",
    "ERROR",
    "HMARK",
    "IDLETIMER",
    "LED",
    "LOG",
    "MARK",
    "MASQUERADE",
    "NETMAP",
    "NFLOG",
    "NFQUEUE",
    "NOTRACK",
    "RATEEST",
    "REDIRECT",
    "REJECT",
    "SECMARK",
    "SET",
    "SNAT",
    "SYNPROXY",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TPROXY",
    "TRACE",
    "TTL",
    "CLUSTERIP",
    "HL",
    "NPT",
    "ACCEPT",
    "QUEUE",
    "nosuch",
    "tcp",
    "",
    "A1234567890123456789012345678",
];

/// What is refused by decision, see docs/differences.md.
fn is_refused(part: Part<'_>, data: &[u8]) -> bool {
    match (part.name, part.revision) {
        (b"recent", _) => (0x8001..=0xffff).contains(&get32(data, 4)),
        (b"bpf", 1) => matches!(get16(data, 0), 1 | 2),
        _ => false,
    }
}

/// No table has so many.
const WRONG_COUNT: u32 = 1000;

/// Asks for all names in all revisions.
pub fn revisions(out: &mut impl Write) -> io::Result<()> {
    let kinds = [
        ("match", GET_REVISION_MATCH),
        ("target", GET_REVISION_TARGET),
    ];
    for (kind, option) in kinds {
        for name in MATCHES.iter().chain(&TARGETS) {
            write!(out, "revisions of {kind} '{name}':")?;
            for revision in 0..=6 {
                write!(out, " {}", revision_of(option, name, revision)?)?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn revision_of(option: i32, name: &str, revision: u8) -> io::Result<String> {
    let outcome = Prepared::new(&get_revision(option, name, revision))?.outcome();
    Ok(errno_name(outcome.errno))
}

/// Revisions that iptables 1.8.9 does not send, and the size of their data.
const OLDER: [(&str, u8, usize); 24] = [
    ("addrtype", 0, 16),
    ("bpf", 0, 528),
    ("cgroup", 0, 8),
    ("cgroup", 1, 4112),
    ("conntrack", 1, 152),
    ("conntrack", 2, 160),
    ("hashlimit", 1, 56),
    ("hashlimit", 2, 304),
    ("nfacct", 0, 40),
    ("recent", 0, 216),
    ("set", 0, 32),
    ("set", 1, 8),
    ("set", 2, 8),
    ("set", 3, 48),
    ("socket", 0, 0),
    ("socket", 1, 8),
    ("socket", 2, 8),
    ("CONNMARK", 1, 16),
    ("IDLETIMER", 0, 40),
    ("NFQUEUE", 0, 8),
    ("NFQUEUE", 1, 8),
    ("NFQUEUE", 2, 8),
    ("SET", 0, 64),
    ("SET", 1, 8),
];

/// Asks for these, with data of the same bytes throughout.
pub fn older(out: &mut impl Write) -> io::Result<()> {
    for (name, revision, size) in OLDER {
        write!(out, "{name}.{revision}:")?;
        for fill in [0, 1, 2, 0x80, 0xff] {
            for size in [size, size + 8] {
                let mut rule = Rule::any(Target::Next);
                let extension = Extension::new(name, revision, vec![fill; size]);
                match TARGETS.contains(&name) {
                    true => rule.target = Target::Extension(extension),
                    false => rule.matches.push(extension),
                }
                let mut table = Table::default();
                table.builtin[0].push(rule);
                write!(out, " {}", ask(table.blob())?)?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What becomes of a table up to the count of its counters.
fn ask(mut blob: Blob) -> io::Result<String> {
    blob.header.num_counters = WRONG_COUNT;
    let outcome = Prepared::new(&blob.call())?.outcome();
    Ok(errno_name(outcome.errno))
}

/// A table with one rule, given as the bytes of its entry, in one of the
/// built-in chains.
fn with_rule(entry: &[u8], chain: usize) -> Blob {
    let mut blob = Table::default().blob();
    let at = blob.offsets[chain];
    let len = entry.len() as u32;
    let mut entry = entry.to_vec();
    // Where it goes on, if that is what it does: behind itself.
    let target = get16(&entry, offset_of!(Entry, target_offset));
    let verdict = usize::from(target) + EXTENSION;
    if entry[usize::from(target) + offset_of!(ExtensionHeader, name)] == 0
        && let Some(field) = entry.get_mut(verdict..verdict + 4)
        && field[3] & 0x80 == 0
    {
        field.copy_from_slice(&(at as u32 + len).to_ne_bytes());
    }
    blob.entries.splice(at..at, entry);
    blob.header.num_entries += 1;
    blob.header.size += len;
    for hook in 0..3 {
        if hook > chain {
            blob.header.hook_entry[hook + 1] += len;
        }
        if hook >= chain {
            blob.header.underflow[hook + 1] += len;
        }
    }
    blob
}

fn get16(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn get32(bytes: &[u8], at: usize) -> u32 {
    u32::from(get16(bytes, at)) | u32::from(get16(bytes, at + 2)) << 16
}

fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_ne_bytes());
}

/// The entry with data of another size for one of its parts.
fn resized(entry: &[u8], part: Part<'_>, size: usize) -> Vec<u8> {
    let mut entry = entry.to_vec();
    let start = part.at + EXTENSION;
    let old = part.data.len();
    match size.checked_sub(old) {
        Some(more) => drop(entry.splice(start + old..start + old, vec![0; more])),
        None => drop(entry.drain(start + size..start + old)),
    }
    put16(&mut entry, part.at, (EXTENSION + size) as u16);
    let target = offset_of!(Entry, target_offset);
    if part.at != usize::from(get16(&entry, target)) {
        let moved = get16(&entry, target) + size as u16 - old as u16;
        put16(&mut entry, target, moved);
    }
    let len = entry.len() as u16;
    put16(&mut entry, offset_of!(Entry, next_offset), len);
    entry
}

/// Breaks rules. Knows which it has broken already.
pub struct Breaker {
    /// The kinds of rules.
    broken: BTreeSet<Vec<(Vec<u8>, u8)>>,
    /// How many entries the table has that is loaded.
    loaded: u32,
    /// Of how many broken bytes one is asked for.
    thin: u64,
    /// Which.
    rng: Rng,
}

impl Breaker {
    /// One that asks for every `thin`th of the bytes that it breaks.
    pub fn new(thin: u64) -> Self {
        Self {
            broken: BTreeSet::new(),
            loaded: 4,
            thin,
            rng: Rng::with_seed(0),
        }
    }

    fn leaves_out(&mut self) -> bool {
        self.rng.u64(..self.thin) != 0
    }

    /// Breaks the rules of a table, with an empty one in its place.
    pub fn break_all(&mut self, out: &mut impl Write, entries: &[&[u8]]) -> io::Result<()> {
        self.loaded = 4;
        for entry in entries {
            let kind: Vec<_> = parts(entry)
                .iter()
                .map(|part| (part.name.to_vec(), part.revision))
                .collect();
            if kind
                .iter()
                .all(|(name, _)| name.is_empty() || name == b"ERROR")
            {
                continue;
            }
            if self.broken.insert(kind) {
                self.break_one(out, entry)?;
            }
        }
        Ok(())
    }

    fn break_one(&mut self, out: &mut impl Write, entry: &[u8]) -> io::Result<()> {
        let mut entry = entry.to_vec();
        entry[offset_of!(Entry, comefrom)..][..20].fill(0);
        writeln!(out, "broken:{}", describe(&entry))?;
        // The chain that takes it.
        let mut chain = 0;
        write!(out, "chains")?;
        for number in 0..3 {
            let errno = ask(with_rule(&entry, number))?;
            if errno == "EAGAIN" {
                chain = number;
            }
            write!(out, " {errno}")?;
        }
        write!(out, "\nprotocols")?;
        let protocol = get16(&entry, offset_of!(IptIp, proto));
        for other in [protocol, 0, 6, 17] {
            for invflags in [0, IPT_INV_PROTO] {
                let mut entry = entry.clone();
                put16(&mut entry, offset_of!(IptIp, proto), other);
                entry[offset_of!(IptIp, invflags)] = invflags;
                write!(out, " {}", ask(with_rule(&entry, chain))?)?;
            }
        }
        writeln!(out)?;
        for part in parts(&entry) {
            if !part.name.is_empty() {
                self.break_part(out, &entry, part, chain)?;
            }
        }
        Ok(())
    }

    fn break_part(
        &mut self,
        out: &mut impl Write,
        entry: &[u8],
        part: Part<'_>,
        chain: usize,
    ) -> io::Result<()> {
        let len = part.data.len();
        write!(out, "sizes")?;
        for size in [0, len.saturating_sub(8), len + 8] {
            write!(
                out,
                " {}",
                ask(with_rule(&resized(entry, part, size), chain))?
            )?;
        }
        write!(out, "\nrevisions")?;
        for revision in (0..6).chain([255]) {
            let mut entry = entry.to_vec();
            entry[part.at + offset_of!(ExtensionHeader, revision)] = revision;
            write!(out, " {}", ask(with_rule(&entry, chain))?)?;
        }
        writeln!(out)?;
        // The rule with other data.
        let changed = |bytes: &[(usize, u8)]| {
            let mut data = part.data.to_vec();
            for &(at, new) in bytes {
                data[at] = new;
            }
            let mut entry = entry.to_vec();
            entry[part.at + EXTENSION..][..len].copy_from_slice(&data);
            (!is_refused(part, &data)).then(|| with_rule(&entry, chain))
        };
        for byte in worth_breaking(part.data) {
            let old = part.data[byte];
            write!(out, "byte {byte}")?;
            for new in [0, 0xff, old ^ 1, old ^ 0x80, old.wrapping_add(2)] {
                if new != old
                    && !self.leaves_out()
                    && let Some(blob) = changed(&[(byte, new)])
                {
                    write!(out, " {new:02x} {}", ask(blob)?)?;
                }
            }
            // Some of them for good.
            if byte % 4 == 1
                && !self.leaves_out()
                && let Some(blob) = changed(&[(byte, !old)])
            {
                write!(out, " loaded{}", self.load(blob)?)?;
            }
            writeln!(out)?;
        }
        write!(out, "several")?;
        for _ in 0..if len == 0 { 0 } else { 24 } {
            let rng = &mut self.rng;
            let bytes: Vec<(usize, u8)> = (0..rng.u32(2..4))
                .map(|_| (rng.usize(..len), pick(rng, &[0, 1, 0x80, 0xff])))
                .collect();
            if !self.leaves_out()
                && let Some(blob) = changed(&bytes)
            {
                write!(out, " {}", ask(blob)?)?;
            }
        }
        writeln!(out)
    }

    /// Loads a table; what is given back of its rule.
    fn load(&mut self, mut blob: Blob) -> io::Result<String> {
        blob.header.num_counters = self.loaded;
        let outcome = Prepared::new(&blob.call())?.outcome();
        if outcome.ret != 0 {
            return Ok(format!(" {}", errno_name(outcome.errno)));
        }
        self.loaded = blob.header.num_entries;
        let entries = Live::open()?.entries()?;
        // The rest are policies.
        let rule = split(&entries)
            .into_iter()
            .find(|entry| parts(entry).iter().any(|part| !part.name.is_empty()));
        Ok(rule.map(describe).unwrap_or_default())
    }
}

/// The bytes of data that may mean something: names are long.
fn worth_breaking(data: &[u8]) -> impl Iterator<Item = usize> {
    let len = data.len();
    (0..len).filter(move |&at| {
        let near = &data[at.saturating_sub(8)..(at + 9).min(len)];
        len <= 64 || at < 24 || at + 24 >= len || near.iter().any(|byte| *byte != 0)
    })
}

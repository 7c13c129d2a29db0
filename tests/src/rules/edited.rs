// SPDX-License-Identifier: GPL-2.0-only
//! Rules that iptables would not write, but the kernel takes.
//!
//! Owns: random edits of a loaded table in place, each offered to the kernel
//! in a REPLACE of its own and kept if it is taken: inversions of nothing,
//! addresses outside their mask, interface masks with holes, jumps to anywhere,
//! numbers in matches that no option gives. Whether an edit is taken is part
//! of what two sides must agree on.

use std::io;

use fastrand::Rng;
use umh_core::abi::{
    Entry, ExtensionHeader, GetInfo, IPT_F_FRAG, IPT_F_GOTO, VERDICT_ACCEPT, VERDICT_DROP,
    VERDICT_RETURN,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::blob::{Blob, padded};
use crate::client::sockopt::{Prepared, errno_name};
use crate::oracle::table::c_string;
use crate::packet::random::{once_in, pick};

/// Matches whose data is left alone: the evaluator knows their ordinary form
/// only, or time or chance is in them.
const LEFT_ALONE: [&str; 3] = ["conntrack", "limit", "statistic"];

/// Where matches have their inversion.
const INVERSIONS: [(&str, usize); 14] = [
    ("tcp", 11),
    ("udp", 8),
    ("icmp", 3),
    ("multiport", 47),
    ("mark", 8),
    ("iprange", 64),
    ("length", 4),
    ("tos", 2),
    ("dscp", 1),
    ("pkttype", 4),
    ("mac", 8),
    ("tcpmss", 4),
    ("ecn", 1),
    ("u32", 1981),
];

/// The table of this namespace, edited.
pub struct Edited {
    info: GetInfo,
    original: Vec<u8>,
    entries: Vec<u8>,
    starts: Vec<usize>,
}

impl Edited {
    /// Starts from what is loaded.
    pub fn new(info: &GetInfo, entries: Vec<u8>) -> Self {
        let mut starts = Vec::new();
        let mut at = 0;
        while at < entries.len() {
            starts.push(at);
            at += usize::from(entry(&entries, at).next_offset);
        }
        Self {
            info: *info,
            original: entries.clone(),
            entries,
            starts,
        }
    }

    /// Tries one edit. Says what was done and how the kernel took it.
    ///
    /// The first `spare` rules of a built-in chain stay as they are, and no
    /// jump goes there: the oracle reads its own things out of them.
    pub fn edit(&mut self, rng: &mut Rng, spare: usize) -> io::Result<String> {
        let spared = |start: usize| {
            let heads = [1, 2, 3].map(|hook| self.info.hook_entry[hook] as usize);
            let is_policy = self.info.underflow.contains(&(start as u32));
            let index = |start| self.starts.iter().position(|s| *s == start);
            let is_probe = heads.iter().any(|head| {
                let (head, this) = (index(*head), index(start));
                (head..head.map(|head| head + spare)).contains(&this)
            });
            is_policy || is_probe
        };
        let free: Vec<usize> = self
            .starts
            .iter()
            .copied()
            .filter(|start| !spared(*start))
            .collect();
        let old = self.entries.clone();
        let (at, what) = loop {
            let place = rng.usize(..free.len());
            let other = match rng.bool() {
                true => rng.usize(..free.len()),
                // A little further on in the same chain: such jumps pile up on
                // the stack, which is as deep as there are chains.
                false => (place + rng.usize(1..5)).min(free.len() - 1),
            };
            let (at, other) = (free[place], free[other]);
            if let Some(what) = self.change(rng, at, other) {
                break (at, what);
            }
        };
        let errno = self.load()?;
        if errno != 0 {
            self.entries = old;
        }
        let rule = self.starts.iter().position(|start| *start == at);
        Ok(format!(
            "edit of rule {}: {what}: {}",
            rule.unwrap_or_default(),
            errno_name(errno)
        ))
    }

    /// Makes every rule without a target jump over the next one, where that
    /// stays in the chain: each such jump leaves its place on the stack.
    pub fn ladder(&mut self) -> io::Result<String> {
        for place in 0..self.starts.len() {
            let [at, next, over] = [0, 1, 2].map(|i| self.starts.get(place + i).copied());
            let (Some(at), Some(next), Some(over)) = (at, next, over) else {
                break;
            };
            let target = at + usize::from(entry(&self.entries, at).target_offset);
            let data = target + size_of::<ExtensionHeader>();
            let goes_on = self.entries[data..data + 4] == (next as i32).to_ne_bytes();
            let stays = [at, next]
                .iter()
                .all(|start| !self.info.underflow.contains(&(*start as u32)));
            if goes_on && stays && self.name_at(target).is_empty() {
                self.entries[data..data + 4].copy_from_slice(&(over as i32).to_ne_bytes());
            }
        }
        Ok(format!("ladder: {}", errno_name(self.load()?)))
    }

    /// Puts back what was loaded: iptables itself cannot read odd tables.
    pub fn undo(&mut self) -> io::Result<()> {
        self.entries.clone_from(&self.original);
        match self.load()? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Changes the rule at `at`, somehow; `other` is the start of another one.
    /// Nothing if the rule does not have what was to be changed.
    fn change(&mut self, rng: &mut Rng, at: usize, other: usize) -> Option<String> {
        let mut entry = entry(&self.entries, at);
        let target = at + usize::from(entry.target_offset);
        let ip = &mut entry.ip;
        let what = match rng.u32(..10) {
            0 => {
                ip.invflags = rng.u8(..) & if once_in(rng, 2) { 0x7f } else { 0x3b };
                format!("inversions {:#x}", ip.invflags)
            }
            1 => {
                ip.flags ^= pick(rng, &[IPT_F_FRAG, IPT_F_GOTO]);
                format!("flags {:#x}", ip.flags)
            }
            2 => {
                ip.src = [192, 0, 2, rng.u8(..4)];
                ip.smsk = [255, pick(rng, &[0, 255]), 255, pick(rng, &[0, 254, 3])];
                format!("source {:?} of mask {:?}", ip.src, ip.smsk)
            }
            3 => {
                ip.proto = pick(rng, &[0, 6, 17, 1, 256 + 6, 255, 0xffff]);
                format!("protocol {}", ip.proto)
            }
            4 => {
                let name = pick(rng, &["eth0", "tun0", "lo", "", "wlan0"]);
                let mut mask = [0; 16];
                mask.fill_with(|| pick(rng, &[0, 0xff, 0xff, 0x0f]));
                if rng.bool() {
                    (ip.iniface, ip.iniface_mask) = (padded(name), mask);
                } else {
                    (ip.outiface, ip.outiface_mask) = (padded(name), mask);
                }
                format!("interface {name} of mask {mask:02x?}")
            }
            5..8 => return self.change_target(rng, target, other),
            _ => return self.change_match(rng, at, target),
        };
        self.entries[at..at + size_of::<Entry>()].copy_from_slice(entry.as_bytes());
        Some(what)
    }

    fn change_target(&mut self, rng: &mut Rng, target: usize, other: usize) -> Option<String> {
        if !self.name_at(target).is_empty() {
            return None;
        }
        let verdict = match rng.u32(..5) {
            0 => pick(rng, &[VERDICT_ACCEPT, VERDICT_DROP, VERDICT_RETURN]),
            _ => other as i32,
        };
        let data = target + size_of::<ExtensionHeader>();
        self.entries[data..data + 4].copy_from_slice(&verdict.to_ne_bytes());
        Some(format!("verdict {verdict}"))
    }

    fn change_match(&mut self, rng: &mut Rng, at: usize, target: usize) -> Option<String> {
        let mut matches = Vec::new();
        let mut next = at + size_of::<Entry>();
        while next < target {
            let end = next + usize::from(self.header_at(next).size);
            if !LEFT_ALONE.contains(&self.name_at(next).as_str()) {
                matches.push(next + size_of::<ExtensionHeader>()..end);
            }
            next = end;
        }
        if matches.is_empty() {
            return None;
        }
        let data = matches.swap_remove(rng.usize(..matches.len()));
        let header = data.start - size_of::<ExtensionHeader>();
        let name = self.name_at(header);
        let inversion = INVERSIONS.iter().find(|(known, _)| *known == name);
        let byte = match inversion {
            Some((_, offset)) if rng.bool() => data.start + offset,
            _ => rng.usize(data.clone()),
        };
        self.entries[byte] = pick(rng, &[0, 1, 2, 0xff, 0x80, 3]);
        Some(format!(
            "byte {} of a {name} is {:#x}",
            byte - data.start,
            self.entries[byte]
        ))
    }

    fn header_at(&self, at: usize) -> ExtensionHeader {
        ExtensionHeader::read_from_prefix(&self.entries[at..])
            .expect("room for an extension")
            .0
    }

    fn name_at(&self, at: usize) -> String {
        c_string(&self.header_at(at).name)
    }

    /// Offers the table to the kernel. The errno of that, or 0.
    fn load(&self) -> io::Result<i32> {
        let blob = Blob::of_loaded(&self.info, self.entries.clone(), self.info.num_entries);
        Ok(Prepared::new(&blob.call())?.make().1)
    }
}

fn entry(entries: &[u8], at: usize) -> Entry {
    Entry::read_from_prefix(&entries[at..])
        .expect("room for an entry")
        .0
}

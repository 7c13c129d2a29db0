// SPDX-License-Identifier: GPL-2.0-only
//! What bpfilter's core says of a REPLACE request, without a helper.
//!
//! Owns: a stand-in for the request handler around [`Table::check`], so that
//! a hundred thousand broken requests are judged in minutes; and the one
//! place where the kernel's ip_tables is expected to say something else:
//! extensions that it has and bpfilter has not ([`Mutant::without_unknown`]).

use umh_core::abi::ExtensionKind;
use umh_core::abi::{
    Counters, EXTENSION_NAME_LEN, ExtensionHeader, FILTER, GetInfo, Layout, TableSpec,
    VERDICT_QUEUE,
};
use umh_core::arena::Arena;
use umh_core::errno::Errno;
use umh_core::extension::registry;
use umh_core::ir::named::{NAMED_MAX, Named, NamedTables};
use umh_core::table::compat::{FromCaller, Sizes, ToCaller};
use umh_core::table::image::{self, Image};
use umh_core::table::{self, Asked, Refusal, Table};
use umh_core::target::{Features, Host};
use zerocopy::{FromBytes, IntoBytes};

use crate::blob::mutate::Mutant;
use crate::blob::{self, Bits, ENTRY, EXTENSION, Extension, Rule, Target};
use crate::client::side::Side;
use crate::client::sockopt::{Call, Outcome, Place, REPLACE};

/// A kernel of `hz` ticks a second, with everything that it could offer to
/// links.
fn host(hz: u32) -> Host {
    Host {
        features: Features::LINKS,
        hz,
    }
}

/// The kernel that `side` asks. Its tick cannot be read anywhere, but the
/// check of `limit` depends on it: which rates overflow tells them apart.
pub fn host_of(side: &mut Side) -> Host {
    let mut candidates = vec![100, 250, 300, 1000];
    for shift in 18..32 {
        for burst in [1u32, 3, 5] {
            let mut data = (1u32 << shift).to_ne_bytes().to_vec();
            data.extend_from_slice(&burst.to_ne_bytes());
            data.resize(40, 0);
            let mut rule = Rule::any(Target::Next);
            rule.matches.push(Extension::new("limit", 0, data));
            let mut table = crate::blob::Table::default();
            table.builtin[0].push(rule);
            let mut blob = table.blob();
            // Too many, so that nothing is ever loaded.
            blob.header.num_counters = 1000;
            let errno = side.call(&blob.call()).errno;
            let mutant = Mutant::new(&blob);
            candidates.retain(|&hz| judge(&host(hz), &mutant, 4) == Verdict::Refused(errno));
        }
    }
    // 250 and 1000 ticks come to the same credits, and the same refusals.
    let hz = candidates.first().expect("a tick that explains the kernel");
    host(*hz)
}

/// What the helper behind `side` can enforce there: one extension for each
/// ability, tried.
pub fn features_of(side: &mut Side) -> Features {
    let (input, output) = (0, 2);
    // --set, a table named "t".
    let mut recent = [0; 211];
    recent[8] = 2;
    recent[10] = b't';
    let probes = [
        (
            Features::CONNTRACK,
            output,
            Extension::new("conntrack", 1, [0; 152]),
        ),
        (
            Features::LINK_LAYER,
            input,
            Extension::new("mac", 0, [0; 12]),
        ),
        (
            Features::SOCKETS,
            output,
            Extension::new("owner", 1, [0; 20]),
        ),
        (
            Features::CONNECTION_MARKS,
            output,
            Extension::new("connmark", 1, [0; 12]),
        ),
        (
            Features::DEVICE_GROUPS,
            output,
            Extension::new("devgroup", 0, [0; 20]),
        ),
        (
            Features::REALMS,
            output,
            Extension::new("realm", 0, [0; 12]),
        ),
        (Features::CLOCK, output, Extension::new("time", 0, [0; 24])),
        (
            Features::CONNECTION_EXTRAS,
            output,
            Extension::new("helper", 0, [0; 36]),
        ),
        (
            Features::ACCOUNTING,
            output,
            Extension::new("connbytes", 0, [0; 24]),
        ),
        (
            Features::TABLES,
            output,
            Extension::new("recent", 0, recent),
        ),
    ];
    let mut features = Features::NONE;
    for (feature, chain, extension) in probes {
        empty(side);
        let mut rule = Rule::any(Target::Next);
        rule.matches.push(extension);
        let mut table = blob::Table::default();
        table.builtin[chain].push(rule);
        match side.call(&table.blob().call()).errno {
            0 => features = features.with(feature),
            libc::ENOENT => {}
            errno => panic!("{table:?}: errno {errno}"),
        }
    }
    empty(side);
    features
}

/// Extensions that are x_tables' own, of those that tests ask about.
const X_TABLES: [&str; 6] = ["addrtype", "CONNMARK", "LOG", "MARK", "NFLOG", "REJECT"];

/// The extensions that come and go with what a kernel can do, and which of
/// them are missing without a kernel half.
pub fn lacking(features: Features) -> Vec<&'static str> {
    let gated = [
        (Features::CONNTRACK, "conntrack"),
        (Features::CONNTRACK, "state"),
        (Features::LINK_LAYER, "mac"),
        (Features::SOCKETS, "owner"),
        (
            Features::CONNECTION_MARKS.with(Features::CONNTRACK),
            "connmark",
        ),
        (
            Features::CONNTRACK
                .with(Features::CONNECTION_EXTRAS)
                .with(Features::ACCOUNTING),
            "connbytes",
        ),
        (
            Features::CONNTRACK.with(Features::CONNECTION_EXTRAS),
            "helper",
        ),
        (Features::CLOCK, "time"),
        (Features::DEVICE_GROUPS, "devgroup"),
        (Features::REALMS, "realm"),
        (Features::TABLES, "recent"),
    ];
    gated
        .into_iter()
        .filter(|(feature, _)| !features.contains(*feature))
        .map(|(_, name)| name)
        .chain(X_TABLES)
        .collect()
}

/// What a request comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The new table: GET_INFO, and GET_ENTRIES without counters.
    Loaded(Box<GetInfo>, Vec<u8>),
    /// An errno.
    Refused(i32),
}

/// Judges a request that would replace a table of `current` entries, as the
/// request handler does: header, copy, everything else.
pub fn judge(host: &Host, mutant: &Mutant, current: u32) -> Verdict {
    match try_judge(host, mutant, current) {
        Ok(loaded) => loaded,
        Err(refusal) => Verdict::Refused(refusal.errno().number()),
    }
}

/// What people are told of a request that is refused; `None` for one that is not.
pub fn told(host: &Host, mutant: &Mutant, current: u32) -> Option<String> {
    let refusal = try_judge(host, mutant, current).err()?;
    Some(String::from_utf8_lossy(refusal.line(FILTER.family).as_bytes()).into_owned())
}

fn try_judge(host: &Host, mutant: &Mutant, current: u32) -> Result<Verdict, Refusal> {
    let layout = match mutant.bits {
        Bits::Native => Layout::BITS_64,
        Bits::I386 => Layout::BITS_32_ALIGN_4,
    };
    // The system call itself takes lengths for signed.
    if mutant.len > i32::MAX as u32 || (mutant.len as usize) < layout.replace() {
        return Err(Errno::EINVAL.into());
    }
    let header = mutant.header();
    let size = table::check_header(layout, &header, mutant.len)?;
    let entries = mutant.entries().get(..size).ok_or(Errno::EFAULT)?;
    let none = &mut |_, _: &_, _| Err(Errno::ENOPROTOOPT);
    let mut sizes = Sizes::new(host, FILTER.family, none);
    // An offset for each entry, and whatever else a check may keep.
    let mut memory = vec![0u8; 2 * entries.len() + 4096];
    let (header, mut blob) = match mutant.bits {
        Bits::Native => (header, entries.to_vec()),
        Bits::I386 => {
            let mut arena = Arena::new(&mut memory);
            let from = &mut sizes;
            let table =
                FromCaller::check(FILTER.family, layout, &header, entries, &mut arena, from)?;
            let mut blob = vec![0; table.size()];
            (table.write(&header, &mut blob, from)?, blob)
        }
    };
    memory.fill(0);
    let mut arena = Arena::new(&mut memory);
    let mut named = [Named::default(); NAMED_MAX];
    let table = Table::check(
        &Asked {
            family: FILTER.family,
            header: &header,
            current_entries: current,
        },
        host,
        &mut blob,
        &mut arena,
        NamedTables::new(&[], &[], &mut named),
        &mut |_, _| Err(Errno::ENOPROTOOPT),
    )?;
    let info = table.info();
    let (entries, _) = table.into_entries();
    let (info, entries) = given_back(host, &FILTER, &info, entries, layout);
    Ok(Verdict::Loaded(Box::new(info), entries))
}

/// What GET_INFO and GET_ENTRIES say of a table at rest to a caller of a layout.
pub fn given_back(
    host: &Host,
    spec: &TableSpec,
    info: &GetInfo,
    entries: &[u8],
    layout: Layout,
) -> (GetInfo, Vec<u8>) {
    let header = image::Header {
        num_entries: info.num_entries,
        size: info.size,
        hook_entry: info.hook_entry,
        underflow: info.underflow,
        ..image::Header::of(spec)
    };
    let bytes = [header.as_bytes(), entries].concat();
    let image = Image::parse(&bytes).expect("an image");
    let none = &mut |_, _: &_, _| Err(Errno::ENOPROTOOPT);
    let mut sizes = Sizes::new(host, spec.family, none);
    let mut work = vec![0; ToCaller::work_len(info.num_entries as usize)];
    let table = ToCaller::new(&image, layout, &mut Arena::new(&mut work), &mut sizes)
        .expect("extensions that are known");
    let mut given = Vec::new();
    let mut scratch = vec![0; usize::from(u16::MAX)];
    for entry in image.entries() {
        let zero = Counters { pcnt: 0, bcnt: 0 };
        let len = table.write(entry, &zero, &mut scratch, &mut sizes);
        given.extend_from_slice(&scratch[..len.expect("an entry")]);
    }
    // As in the kernel nothing is written behind them.
    given.resize(table.info().size as usize, 0);
    (*table.info(), given)
}

/// What a side makes of a request, `call` being a call to it. The memory ends
/// where the request's bytes end.
pub fn verdict_of(mut call: impl FnMut(&Call) -> Outcome, mutant: &Mutant) -> Verdict {
    let bits = mutant.bits;
    let outcome = call(&bits.call(Call {
        len: mutant.len,
        place: Place::Guarded,
        ..Call::set(REPLACE, mutant.bytes.as_slice())
    }));
    if outcome.ret != 0 {
        return Verdict::Refused(outcome.errno);
    }
    let info = blob::info_of(&call(&bits.get_info(FILTER.name)).bytes);
    let entries = call(&bits.get_entries(FILTER.name, info.size));
    Verdict::Loaded(Box::new(info), entries.bytes[bits.head()..].to_vec())
}

/// Empties a side's table: 4 entries are left. Cases that start from there do
/// not depend on the ones before, and can be shrunk.
pub fn empty(side: &mut Side) {
    let info = blob::info_of(&side.call(&blob::get_info(FILTER.name)).bytes);
    if info.num_entries == 4 {
        return;
    }
    let mut blob = blob::Table::default().blob();
    blob.header.num_counters = info.num_entries;
    let outcome = side.call(&blob.call());
    assert_eq!(outcome.errno, 0, "an empty table");
}

/// Leaves out of a table what bpfilter has not got.
pub fn keep_known(host: &Host, table: &mut blob::Table) {
    let has = |kind, extension: &Extension| {
        let name = blob::padded(&extension.name);
        revision(host, kind, &name, extension.revision) == 0
    };
    table.keep(
        |extension| has(ExtensionKind::Match, extension),
        |extension| has(ExtensionKind::Target, extension),
    );
}

/// Whether bpfilter has a match or target: 0, ENOENT or EPROTONOSUPPORT.
pub fn revision(
    host: &Host,
    kind: ExtensionKind,
    name: &[u8; EXTENSION_NAME_LEN],
    revision: u8,
) -> i32 {
    registry::check_revision(host, FILTER.family, kind, name, revision)
        .map_or_else(Errno::number, |()| 0)
}

impl Mutant {
    /// The extensions of a request whose entries hang together; nothing for
    /// one whose entries do not, because such a request is refused before
    /// any name is looked up. In that of a 32-bit program names are looked up entry by
    /// entry: those of the entries before the first broken one.
    fn extensions(&self) -> Vec<(ExtensionKind, usize)> {
        let mut found = Vec::new();
        let mut at = self.head();
        while at < self.bytes.len() {
            match self.extensions_of(at) {
                Some((extensions, next)) => {
                    found.extend(extensions);
                    at = next;
                }
                None if self.bits == Bits::I386 => break,
                None => return Vec::new(),
            }
        }
        found
    }

    /// The extensions of the entry at `at`, and where the next one is.
    fn extensions_of(&self, at: usize) -> Option<(Vec<(ExtensionKind, usize)>, usize)> {
        let mut found = Vec::new();
        let entry = self.bytes.get(at..)?;
        let target = usize::from(u16::read_from_bytes(entry.get(88..90)?).ok()?);
        let next = usize::from(u16::read_from_bytes(entry.get(90..92)?).ok()?);
        if target < ENTRY || target + EXTENSION > next || next > entry.len() {
            return None;
        }
        let mut place = ENTRY;
        while place < target {
            let size = usize::from(u16::read_from_bytes(entry.get(place..place + 2)?).ok()?);
            if size < EXTENSION || size > target - place {
                return None;
            }
            found.push((ExtensionKind::Match, at + place));
            place += size;
        }
        found.push((ExtensionKind::Target, at + target));
        Some((found, at + next))
    }

    /// Whether it names an extension that bpfilter has not got.
    pub fn has_unknown(&self, host: &Host) -> bool {
        let extensions = self.extensions();
        extensions.iter().any(|&(kind, at)| {
            ExtensionHeader::read_from_prefix(&self.bytes[at..])
                .is_ok_and(|(header, _)| revision(host, kind, &header.name, header.revision) != 0)
        })
    }

    /// The same request for a kernel that has no more extensions than
    /// bpfilter: each name that bpfilter does not know becomes one that
    /// nobody knows, each revision that it does not know one that nobody
    /// has. What such a request comes to is what bpfilter must answer to the
    /// original one, to the errno and in the same order of checks.
    #[must_use]
    pub fn without_unknown(&self, host: &Host) -> Self {
        let mut masked = self.clone();
        for (kind, at) in self.extensions() {
            let Ok((header, _)) = ExtensionHeader::read_from_prefix(&self.bytes[at..]) else {
                continue;
            };
            if !header.name.contains(&0) {
                continue;
            }
            match revision(host, kind, &header.name, header.revision) {
                // A match of 12 bytes that is not 12 bytes long: EINVAL, and
                // at the same place as the check that the kernel may lack.
                0 if kind == ExtensionKind::Match && self.refused_by_newer(at, &header) => {
                    masked.bytes[at + 2..at + 7].copy_from_slice(b"mark\0");
                    masked.bytes[at + EXTENSION - 1] = 1;
                }
                0 => {}
                libc::ENOENT => {
                    let nobody = b"not-in-bpfilter";
                    masked.bytes[at + 2..at + 2 + nobody.len()].copy_from_slice(nobody);
                    masked.bytes[at + 2 + nobody.len()] = 0;
                }
                _ => masked.bytes[at + EXTENSION - 1] = 255,
            }
        }
        masked
    }

    /// Whether a match has data that Linux 6.12.117 refuses with EINVAL, as
    /// bpfilter does, and earlier kernels, 6.18.44 among them, take: the
    /// checks came with a stable update.
    fn refused_by_newer(&self, at: usize, header: &ExtensionHeader) -> bool {
        let data = &self.bytes[at + EXTENSION..at + usize::from(header.size)];
        // The mode of ttl is one of four.
        let size = match self.bits {
            Bits::Native => 8,
            Bits::I386 => 4,
        };
        header.name.starts_with(b"ttl\0") && data.len() == size && data[0] > 3
    }

    /// Whether a rule is one that ip_tables takes and bpfilter refuses with
    /// ENOENT: the verdict QUEUE, as a BPF program cannot queue packets, and
    /// recent's hit counts that the kernel cannot count.
    pub fn is_refused(&self) -> bool {
        let extensions = self.extensions();
        let counts = |at: usize| {
            let name = self.bytes.get(at + 2..at + 9);
            let times = self.bytes.get(at + EXTENSION + 4..at + EXTENSION + 8);
            let times = times.and_then(|times| times.try_into().ok());
            name == Some(b"recent\0")
                && times.is_some_and(|times| (32769..65536).contains(&u32::from_ne_bytes(times)))
        };
        extensions.iter().any(|&(kind, at)| {
            kind == ExtensionKind::Match && counts(at)
                || kind == ExtensionKind::Target
                    && self.bytes.get(at + 2) == Some(&0)
                    && self
                        .bytes
                        .get(at + EXTENSION..at + EXTENSION + 4)
                        .is_some_and(|verdict| verdict == VERDICT_QUEUE.to_ne_bytes())
        })
    }
}

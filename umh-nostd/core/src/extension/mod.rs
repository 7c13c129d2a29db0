// SPDX-License-Identifier: GPL-2.0-only
//! Matches and targets.
//!
//! Owns: the registry, one entry per name and revision, and the checks that
//! are the same for all of them. Each extension is one file beside this one,
//! with its data's layout, its registration and its own check; to add one is
//! to add its file and its line in [`REGISTRY`].
//!
//! Promises: what is registered is exactly what is enforced. An extension
//! that needs a [`Features`] which this kernel has not got is unknown
//! everywhere: to GET_REVISION, to REPLACE, and in /proc. What is unknown may
//! be the kernel's own ([`foreign`]).

pub mod addrtype;
pub mod comment;
pub mod connbytes;
pub mod connmark;
pub mod conntrack;
pub mod cpu;
pub mod dccp;
pub mod devgroup;
pub mod dscp;
pub mod ecn;
pub mod error;
pub mod esp;
pub mod foreign;
pub mod hashlimit;
pub mod helper;
pub mod icmp;
pub mod iprange;
pub mod length;
pub mod limit;
pub mod log;
pub mod mac;
pub mod mark;
pub mod multiport;
pub mod nflog;
pub mod owner;
pub mod pkttype;
pub mod quota;
pub mod realm;
pub mod recent;
pub mod reject;
pub mod sctp;
pub mod standard;
pub mod state;
pub mod statistic;
pub mod tcp;
pub mod tcpmss;
pub mod time;
pub mod tos;
pub mod ttl;
// Not to be taken for the type.
#[path = "u32.rs"]
pub mod u32_match;
pub mod udp;

use crate::abi::{ALIGN, EXTENSION_NAME_LEN, IPT_INV_PROTO, IptIp};
use crate::bytes::c_string;
use crate::errno::{Errno, Result};
use crate::ir::Draft;
use crate::ir::named::NamedTables;
use crate::target::{Features, Host};

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Everything that this helper can enforce, file by file.
const FILES: &[&[Extension]] = &[
    &standard::EXTENSIONS,
    &error::EXTENSIONS,
    &hashlimit::EXTENSIONS,
    &addrtype::EXTENSIONS,
    &comment::EXTENSIONS,
    &connbytes::EXTENSIONS,
    &connmark::EXTENSIONS,
    &conntrack::EXTENSIONS,
    &cpu::EXTENSIONS,
    &dccp::EXTENSIONS,
    &devgroup::EXTENSIONS,
    &dscp::EXTENSIONS,
    &ecn::EXTENSIONS,
    &esp::EXTENSIONS,
    &helper::EXTENSIONS,
    &icmp::EXTENSIONS,
    &iprange::EXTENSIONS,
    &length::EXTENSIONS,
    &limit::EXTENSIONS,
    &log::EXTENSIONS,
    &mac::EXTENSIONS,
    &mark::EXTENSIONS,
    &multiport::EXTENSIONS,
    &nflog::EXTENSIONS,
    &owner::EXTENSIONS,
    &pkttype::EXTENSIONS,
    &reject::EXTENSIONS,
    &recent::EXTENSIONS,
    &quota::EXTENSIONS,
    &realm::EXTENSIONS,
    &sctp::EXTENSIONS,
    &state::EXTENSIONS,
    &statistic::EXTENSIONS,
    &tcp::EXTENSIONS,
    &tcpmss::EXTENSIONS,
    &time::EXTENSIONS,
    &tos::EXTENSIONS,
    &ttl::EXTENSIONS,
    &u32_match::EXTENSIONS,
    &udp::EXTENSIONS,
    // The last.
    &foreign::EXTENSIONS,
];

#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
const REGISTERED: usize = {
    let (mut file, mut sum) = (0, 0);
    while file < FILES.len() {
        sum += FILES[file].len();
        file += 1;
    }
    sum
};

/// The same, one after the other.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
static REGISTRY: [Extension; REGISTERED] = {
    let mut registry = [Extension::target::<i32>(""); REGISTERED];
    let (mut file, mut number) = (0, 0);
    while file < FILES.len() {
        let mut index = 0;
        while index < FILES[file].len() {
            registry[number] = FILES[file][index];
            number += 1;
            index += 1;
        }
        file += 1;
    }
    registry
};

/// The two name spaces of extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Asks something of a packet.
    Match,
    /// Does something to it.
    Target,
    /// The kernel's own, not to be found by name here.
    Foreign,
}

/// For whom the kernel registers an extension. It decides what a caller
/// hears who asks REPLACE for a revision that does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `NFPROTO_IPV4`: ENOENT.
    Ipv4,
    /// `NFPROTO_UNSPEC`: EPROTOTYPE.
    Any,
}

/// The rule that an extension stands in.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The kernel that the rule is for.
    pub host: &'a Host,
    /// The table's name.
    pub table: &'a [u8],
    /// What the rule asks of the IP header.
    pub ip: &'a IptIp,
    /// Mask of the hooks that reach it: `1 << NF_INET_*`.
    pub hooks: u32,
}

/// An extension's own check: what its `checkentry` does in the kernel.
type Check = fn(&Rule<'_>, &[u8]) -> Result<()>;

/// What an extension asks of packets: the port of its `match` function.
type Lower = fn(&mut Draft<'_, '_>, &[u8]) -> Result<()>;

/// Bytes that an extension's name has room in here, with a NUL.
pub(crate) const NAME_LEN: usize = 10;

/// The registration of one revision of a match or target: 40 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// Match or target.
    pub kind: Kind,
    name: [u8; NAME_LEN],
    /// Its revision.
    pub revision: u8,
    /// For whom the kernel has it.
    pub family: Family,
    /// Bytes of its data, without the padding to a multiple of [`ALIGN`].
    pub size: u16,
    /// Bytes of its data that are given back; the rest reads as zero.
    pub user_size: u16,
    /// x_tables' own is preferred where there is one: it does more.
    pub theirs: bool,
    /// The only hooks that may reach it, 0 for all.
    pub hooks: u8,
    /// The only protocol whose rules may use it, 0 for all.
    pub protocol: u8,
    /// What it needs of the kernel.
    pub needs: Features,
    check: Check,
    pub(crate) lower: Lower,
}

const _: () = assert!(size_of::<Extension>() == 40);

impl Extension {
    /// A match of revision 0 with `T` as its data, for all rules.
    #[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
    const fn matching<T>(name: &str) -> Self {
        let (from, mut to) = (name.as_bytes(), [0; NAME_LEN]);
        let mut index = 0;
        while index < from.len() {
            to[index] = from[index];
            index += 1;
        }
        assert!(index < NAME_LEN && size_of::<T>() <= u16::MAX as usize);
        Self {
            kind: Kind::Match,
            name: to,
            revision: 0,
            family: Family::Ipv4,
            size: size_of::<T>() as u16,
            user_size: size_of::<T>() as u16,
            theirs: false,
            hooks: 0,
            protocol: 0,
            needs: Features::NONE,
            check: anything,
            lower: refused,
        }
    }

    /// A target of revision 0 with `T` as its data, for all rules.
    const fn target<T>(name: &str) -> Self {
        Self {
            kind: Kind::Target,
            ..Self::matching::<T>(name)
        }
    }

    /// Its name, without a NUL.
    pub fn name(&self) -> &[u8] {
        c_string(&self.name).unwrap_or_default()
    }

    /// xt_check_match and xt_check_target: whether it may stand in `rule`
    /// with `data`.
    pub fn check(&self, rule: &Rule<'_>, data: &[u8]) -> Result<()> {
        let other_hook = self.hooks != 0 && rule.hooks & !u32::from(self.hooks) != 0;
        let other_protocol = self.protocol != 0
            && (u16::from(self.protocol) != rule.ip.proto || rule.ip.invflags & IPT_INV_PROTO != 0);
        if data.len() != usize::from(self.size).next_multiple_of(ALIGN)
            || other_hook
            || other_protocol
        {
            return Err(Errno::EINVAL);
        }
        (self.check)(rule, data)
    }
}

impl Extension {
    fn is_hashlimit(&self) -> bool {
        self.name.first() == Some(&b'h')
    }

    /// A rule that has it, its data at an offset of all entries, names a
    /// table: the number of that.
    pub(crate) fn claim(
        &self,
        named: &mut NamedTables<'_>,
        entries: &mut [u8],
        at: usize,
    ) -> Result<u32> {
        match self.is_hashlimit() {
            true => hashlimit::claim(named, entries, at, self.size.into()),
            false => recent::claim(named, entries, at, self.revision),
        }
    }
}

/// xt_check_proc_name
fn check_proc_name(name: &[u8]) -> Result<()> {
    match c_string(name) {
        None => Err(Errno::ENAMETOOLONG),
        Some(b"" | b"." | b"..") => Err(Errno::EINVAL),
        Some(name) if !name.iter().all(|&byte| byte != b'/') => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

/// Takes any data.
fn anything(_: &Rule<'_>, _: &[u8]) -> Result<()> {
    Ok(())
}

/// What a function of the kernel half does, given the rule's data as it is.
fn function<const KIND: u8>(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    draft.function(KIND, data);
    Ok(())
}

/// A question that an op of a kind answers, given the rule's data as it is.
fn question<const KIND: u8>(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    draft.question(KIND, data, false);
    Ok(())
}

/// No packet is ever asked: a verdict, or what no kernel has the features for.
fn refused(_: &mut Draft<'_, '_>, _: &[u8]) -> Result<()> {
    Err(Errno::ENOENT)
}

/// Every extension that `host` can enforce, with its place.
fn enforced(host: &Host, kind: Kind) -> impl Iterator<Item = (Place, &'static Extension)> + use<> {
    let features = host.features;
    (0..)
        .map(Place)
        .zip(&REGISTRY)
        .filter(move |(_, found)| found.kind == kind && features.contains(found.needs))
}

/// Names what `host` cannot enforce.
pub fn lacking(host: &Host, tell: &mut dyn FnMut(&'static [u8])) {
    let mut last = &[][..];
    for extension in &REGISTRY {
        // The revisions of one stand together.
        let needs = match extension.theirs {
            true if host.features.contains(Features::FOREIGN) => Features::NONE,
            _ => extension.needs,
        };
        if !host.features.contains(needs) && extension.name() != last {
            last = extension.name();
            tell(last);
        }
    }
}

/// Where in the registry an extension is, so that a rule that has been checked
/// need not be searched for by name again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Place(u8);

impl Place {
    /// The kernel's own.
    const FOREIGN: Self = Self(REGISTERED as u8 - 1);

    /// The extension that is there.
    pub(crate) fn extension(self) -> Option<&'static Extension> {
        REGISTRY.get(usize::from(self.0))
    }
}

const _: () = assert!(REGISTERED <= u8::MAX as usize);

/// What came of a search by name.
enum Found {
    /// The revision that was asked for.
    Exactly(Place, &'static Extension),
    /// Another revision, for whom the kernel has it.
    Other(Family),
    /// None of that name.
    Nothing,
}

fn search(host: &Host, kind: Kind, name: &[u8], revision: u8) -> Found {
    let mut found = Found::Nothing;
    for (place, extension) in enforced(host, kind) {
        if extension.name() != name {
            continue;
        }
        if extension.revision == revision {
            return Found::Exactly(place, extension);
        }
        found = Found::Other(extension.family);
    }
    found
}

/// xt_find_match and xt_find_target: the extension that a rule names.
pub(crate) fn find(
    host: &Host,
    kind: Kind,
    name: &[u8; EXTENSION_NAME_LEN],
    revision: u8,
) -> Result<(Place, &'static Extension)> {
    let name = c_string(name).ok_or(Errno::EINVAL)?;
    match search(host, kind, name, revision) {
        Found::Exactly(place, extension) => Ok((place, extension)),
        // The kernel looks among IPv4's own first, and forgets what it saw.
        Found::Other(Family::Any) => Err(Errno::EPROTOTYPE),
        Found::Other(Family::Ipv4) | Found::Nothing => Err(Errno::ENOENT),
    }
}

/// GET_REVISION_MATCH and GET_REVISION_TARGET: whether there is this
/// revision. The last byte of `name` is taken for a NUL, as the kernel does.
pub fn check_revision(
    host: &Host,
    kind: Kind,
    name: &[u8; EXTENSION_NAME_LEN],
    revision: u8,
) -> Result<()> {
    let name = name.split_last().map_or(&[][..], |(_, name)| name);
    let name = c_string(name).unwrap_or(name);
    match search(host, kind, name, revision) {
        Found::Exactly(..) => Ok(()),
        Found::Other(_) => Err(Errno::EPROTONOSUPPORT),
        Found::Nothing => Err(Errno::ENOENT),
    }
}

/// What /proc/net/ip_tables_matches or _targets prints: a line for each
/// revision of each extension that has a name. Whole lines, as many as fit.
pub fn write_names<'b>(host: &Host, kind: Kind, text: &'b mut [u8]) -> &'b [u8] {
    let mut used = 0;
    for (_, extension) in enforced(host, kind) {
        let name = extension.name();
        if name.is_empty() {
            continue;
        }
        let line = text.get_mut(used..).and_then(|rest| {
            let (room, newline) = rest
                .get_mut(..=name.len())?
                .split_at_mut_checked(name.len())?;
            room.copy_from_slice(name);
            newline.fill(b'\n');
            Some(())
        });
        if line.is_none() {
            break;
        }
        used += name.len() + 1;
    }
    text.get(..used).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Host = Host {
        features: Features::ALL,
        hz: 250,
    };
    const NONE: Host = Host {
        features: Features::NONE,
        ..ALL
    };

    fn name(text: &str) -> [u8; EXTENSION_NAME_LEN] {
        let mut name = [0; EXTENSION_NAME_LEN];
        for (to, from) in name.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        name
    }

    #[test]
    fn registrations_differ() {
        for kind in [Kind::Match, Kind::Target] {
            for (_, extension) in enforced(&ALL, kind) {
                let same = enforced(&ALL, kind)
                    .filter(|(_, other)| other.name == extension.name)
                    .filter(|(_, other)| other.revision == extension.revision);
                assert_eq!(same.count(), 1, "{extension:?}");
                let family = enforced(&ALL, kind)
                    .filter(|(_, other)| other.name == extension.name)
                    .filter(|(_, other)| other.family != extension.family);
                assert_eq!(family.count(), 0, "{extension:?}");
                assert!(extension.user_size <= extension.size, "{extension:?}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_unknown() {
        let state = name("state");
        assert_eq!(check_revision(&ALL, Kind::Match, &state, 0), Ok(()));
        assert_eq!(
            check_revision(&NONE, Kind::Match, &state, 0),
            Err(Errno::ENOENT)
        );
        let conntrack = name("conntrack");
        let found = |host, revision| find(host, Kind::Match, &conntrack, revision).map(|_| ());
        assert_eq!(found(&ALL, 3), Ok(()));
        assert_eq!(found(&ALL, 4), Err(Errno::EPROTOTYPE));
        assert_eq!(found(&NONE, 3), Err(Errno::ENOENT));
        assert_eq!(found(&NONE, 4), Err(Errno::ENOENT));
    }

    #[test]
    fn names_are_lines() {
        let mut text = [0; 4096];
        assert_eq!(write_names(&NONE, Kind::Target, &mut text), b"ERROR\n");
        let matches = write_names(&ALL, Kind::Match, &mut text);
        let lines = matches.split(|&byte| byte == b'\n');
        let conntrack = lines.filter(|line| line == b"conntrack").count();
        assert_eq!(conntrack, 3, "a line for each revision");
        assert_eq!(matches.last(), Some(&b'\n'));
        assert!(!matches.windows(2).any(|pair| pair == b"\n\n"));
    }

    #[test]
    fn what_is_missing_has_names() {
        let names = |host| {
            let mut names = [&[][..]; 64];
            let mut places = names.iter_mut();
            lacking(host, &mut |name| {
                if let Some(place) = places.next() {
                    *place = name;
                }
            });
            names
        };
        assert_eq!(names(&ALL), [&[][..]; 64]);
        let none = names(&NONE);
        assert_eq!(none.iter().filter(|name| **name == b"CONNMARK").count(), 1);
        assert!(none.contains(&&b"REJECT"[..]) && !none.contains(&&b"tcp"[..]));
    }

    #[test]
    fn names_that_do_not_fit_are_left_out() {
        let mut text = [0; 8];
        assert_eq!(write_names(&NONE, Kind::Target, &mut text[..5]), b"");
        assert_eq!(write_names(&NONE, Kind::Target, &mut text[..6]), b"ERROR\n");
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The extensions that this helper can enforce.
//!
//! Owns: the list of them, one registration for each name and revision, the
//! search by name with the errnos of x_tables, and what /proc says of them.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{
    Extension, Families, comment, connmark, conntrack, cpu, dccp, devgroup, dscp, ecn, error, esp,
    hl, icmp, icmp6, iprange, length, limit, mac, mark, multiport, pkttype, quota, realm, sctp,
    standard, state, statistic, tcp, tcpmss, time, tos, ttl, u32_match, udp, x_tables,
};
#[cfg(feature = "links")]
use super::{connbytes, hashlimit, helper, owner, recent};
use crate::abi::{EXTENSION_NAME_LEN, ExtensionKind, Family};
use crate::bytes::c_string;
use crate::errno::{Errno, Result};
use crate::target::Host;

/// Everything that this helper can enforce, file by file.
const FILES: &[&[Extension]] = &[
    &standard::EXTENSIONS,
    &error::EXTENSIONS,
    #[cfg(feature = "links")]
    &hashlimit::EXTENSIONS,
    &comment::EXTENSIONS,
    #[cfg(feature = "links")]
    &connbytes::EXTENSIONS,
    &connmark::EXTENSIONS,
    &conntrack::EXTENSIONS,
    &cpu::EXTENSIONS,
    &dccp::EXTENSIONS,
    &devgroup::EXTENSIONS,
    &dscp::EXTENSIONS,
    &ecn::EXTENSIONS,
    &esp::EXTENSIONS,
    #[cfg(feature = "links")]
    &helper::EXTENSIONS,
    &hl::EXTENSIONS,
    &icmp::EXTENSIONS,
    &icmp6::EXTENSIONS,
    &iprange::EXTENSIONS,
    &length::EXTENSIONS,
    &limit::EXTENSIONS,
    &mac::EXTENSIONS,
    &mark::EXTENSIONS,
    &multiport::EXTENSIONS,
    #[cfg(feature = "links")]
    &owner::EXTENSIONS,
    &pkttype::EXTENSIONS,
    #[cfg(feature = "links")]
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

/// All registrations, one after the other.
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

/// Every extension that `host` can enforce for a family, with its index.
fn enforced(
    host: &Host,
    family: Family,
    kind: ExtensionKind,
) -> impl Iterator<Item = (RegistryIndex, &'static Extension)> + use<> {
    let features = host.features;
    (0..)
        .map(RegistryIndex)
        .zip(&REGISTRY)
        .filter(move |(_, found)| found.kind == kind && features.contains(found.needs))
        .filter(move |(_, found)| found.families.have(family))
}

/// Tells the name of each extension that `host` cannot enforce. With a kernel
/// half nobody knows before a rule asks: x_tables' own may be there.
#[cfg(feature = "links")]
pub fn lacking(host: &Host, tell: &mut dyn FnMut(&'static [u8])) {
    let mut last = &[][..];
    for extension in &REGISTRY {
        // The revisions of one stand together.
        if !host.features.contains(extension.needs) && extension.name() != last {
            last = extension.name();
            tell(last);
        }
    }
}

/// Where in the registry an extension is: a rule that has been checked keeps
/// it, so that its extensions need not be searched for by name again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct RegistryIndex(u8);

impl RegistryIndex {
    /// That of any extension of x_tables.
    pub(crate) const X_TABLES: Self = Self(u8::MAX);

    /// The extension that is there.
    pub(crate) fn extension(self) -> Option<&'static Extension> {
        if self == Self::X_TABLES {
            return Some(&x_tables::EXTENSION);
        }
        REGISTRY.get(usize::from(self.0))
    }
}

const _: () = assert!(REGISTERED <= RegistryIndex::X_TABLES.0 as usize);

/// What came of a search by name.
enum Found {
    /// The revision that was asked for.
    Exactly(RegistryIndex, &'static Extension),
    /// Another revision, and the families that have it.
    Other(Families),
    /// None of that name.
    Nothing,
}

fn search(host: &Host, family: Family, kind: ExtensionKind, name: &[u8], revision: u8) -> Found {
    let mut found = Found::Nothing;
    for (index, extension) in enforced(host, family, kind) {
        if extension.name() != name {
            continue;
        }
        if extension.revision == revision {
            return Found::Exactly(index, extension);
        }
        found = Found::Other(extension.families);
    }
    found
}

/// xt_find_match and xt_find_target: the extension that a rule names.
pub(crate) fn find(
    host: &Host,
    family: Family,
    kind: ExtensionKind,
    name: &[u8; EXTENSION_NAME_LEN],
    revision: u8,
) -> Result<(RegistryIndex, &'static Extension)> {
    let name = c_string(name).ok_or(Errno::EINVAL)?;
    match search(host, family, kind, name, revision) {
        Found::Exactly(index, extension) => Ok((index, extension)),
        // The kernel looks among the family's own first, and forgets what it saw.
        Found::Other(Families::All) => Err(Errno::EPROTOTYPE),
        Found::Other(_) | Found::Nothing => Err(Errno::ENOENT),
    }
}

/// GET_REVISION_MATCH and GET_REVISION_TARGET: whether there is this
/// revision. The last byte of `name` is taken for a NUL, as the kernel does.
pub fn check_revision(
    host: &Host,
    family: Family,
    kind: ExtensionKind,
    name: &[u8; EXTENSION_NAME_LEN],
    revision: u8,
) -> Result<()> {
    let name = name.split_last().map_or(&[][..], |(_, name)| name);
    let name = c_string(name).unwrap_or(name);
    match search(host, family, kind, name, revision) {
        Found::Exactly(..) => Ok(()),
        Found::Other(_) => Err(Errno::EPROTONOSUPPORT),
        Found::Nothing => Err(Errno::ENOENT),
    }
}

/// What /proc/net/ip_tables_matches, ip6_tables_targets and so on print: a line for each
/// revision of each extension that has a name. Whole lines, as many as fit.
pub fn write_names<'b>(
    host: &Host,
    family: Family,
    kind: ExtensionKind,
    text: &'b mut [u8],
) -> &'b [u8] {
    let mut used = 0;
    for (_, extension) in enforced(host, family, kind) {
        let name = extension.name();
        // The standard target has no name.
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
    use crate::target::Features;

    const ALL: Host = Host {
        features: Features::ALL,
        hz: 250,
    };
    const V4: Family = Family::Ipv4;
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
    fn families_have_their_own() {
        let is = |family, text| {
            check_revision(&ALL, family, ExtensionKind::Match, &name(text), 0).is_ok()
        };
        for (text, v4, v6) in [
            ("icmp", true, false),
            ("icmp6", false, true),
            ("ttl", true, false),
            ("hl", false, true),
            ("tcp", true, true),
            ("limit", true, true),
        ] {
            assert_eq!(is(V4, text), v4, "{text}");
            assert_eq!(is(Family::Ipv6, text), v6, "{text}");
        }
    }

    #[test]
    fn registrations_differ() {
        for kind in [ExtensionKind::Match, ExtensionKind::Target] {
            for (_, extension) in enforced(&ALL, V4, kind) {
                let same = enforced(&ALL, V4, kind)
                    .filter(|(_, other)| other.name == extension.name)
                    .filter(|(_, other)| other.revision == extension.revision);
                assert_eq!(same.count(), 1, "{extension:?}");
                let family = enforced(&ALL, V4, kind)
                    .filter(|(_, other)| other.name == extension.name)
                    .filter(|(_, other)| other.families != extension.families);
                assert_eq!(family.count(), 0, "{extension:?}");
                assert!(extension.user_size <= extension.size, "{extension:?}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_unknown() {
        let state = name("state");
        assert_eq!(
            check_revision(&ALL, V4, ExtensionKind::Match, &state, 0),
            Ok(())
        );
        assert_eq!(
            check_revision(&NONE, V4, ExtensionKind::Match, &state, 0),
            Err(Errno::ENOENT)
        );
        let conntrack = name("conntrack");
        let found =
            |host, revision| find(host, V4, ExtensionKind::Match, &conntrack, revision).map(|_| ());
        assert_eq!(found(&ALL, 3), Ok(()));
        assert_eq!(found(&ALL, 4), Err(Errno::EPROTOTYPE));
        assert_eq!(found(&NONE, 3), Err(Errno::ENOENT));
        assert_eq!(found(&NONE, 4), Err(Errno::ENOENT));
    }

    #[test]
    fn names_are_lines() {
        let mut text = [0; 4096];
        assert_eq!(
            write_names(&NONE, V4, ExtensionKind::Target, &mut text),
            b"ERROR\n"
        );
        let matches = write_names(&ALL, V4, ExtensionKind::Match, &mut text);
        let lines = matches.split(|&byte| byte == b'\n');
        let conntrack = lines.filter(|line| line == b"conntrack").count();
        assert_eq!(conntrack, 3, "a line for each revision");
        assert_eq!(matches.last(), Some(&b'\n'));
        assert!(!matches.windows(2).any(|pair| pair == b"\n\n"));
    }

    #[test]
    #[cfg(feature = "links")]
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
        assert_eq!(none.iter().filter(|name| **name == b"conntrack").count(), 1);
        assert!(none.contains(&&b"owner"[..]) && !none.contains(&&b"tcp"[..]));
    }

    #[test]
    fn names_that_do_not_fit_are_left_out() {
        let mut text = [0; 8];
        assert_eq!(
            write_names(&NONE, V4, ExtensionKind::Target, &mut text[..5]),
            b""
        );
        assert_eq!(
            write_names(&NONE, V4, ExtensionKind::Target, &mut text[..6]),
            b"ERROR\n"
        );
    }
}

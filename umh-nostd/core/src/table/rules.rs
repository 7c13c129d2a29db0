// SPDX-License-Identifier: GPL-2.0-only
//! Third pass: are the matches and targets known, and do they agree?
//!
//! Owns: the order of find_check_entry: entry by entry, each match found and
//! checked before the next one, the target last. What a check consists of is
//! `extension`'s.

use super::found::Found;
use super::kernel_extensions::{self, KernelExtensions};
use super::layout::{EXTENSION, NUMBER, REGISTRY_INDEX};
use super::offsets::kind_at;
use super::refusal::Wrong;
use crate::abi::{ExtensionHeader, ExtensionKind, Family, IpPart};
use crate::bytes::{c_string, read, write};
use crate::errno::{Errno, Result};
use crate::extension::registry::{self, RegistryIndex};
use crate::extension::{Extension, Rule, options};
use crate::fault::{Cause, Fault};
use crate::ir::named::NamedTables;
use crate::target::{Features, Host};

/// A match or target of an entry.
struct One {
    /// Where the entry starts.
    start: usize,
    /// Where in it the header is.
    at: usize,
    kind: ExtensionKind,
    header: ExtensionHeader,
}

/// The third pass.
struct Rules<'a> {
    family: Family,
    host: &'a Host,
    needs: Features,
    found: Found<(RegistryIndex, &'static Extension)>,
}

/// Checks every extension of every entry of `blob`, which has passed the
/// first two passes, and leaves its index in the registry behind its name.
/// Returns what they need.
pub(super) fn check(
    family: Family,
    host: &Host,
    offsets: &[u32],
    blob: &mut [u8],
    named: &mut NamedTables<'_>,
    kernel_extensions: KernelExtensions<'_>,
) -> Result<Features, Wrong> {
    let layout = family.entry();
    let mut rules = Rules {
        family,
        host,
        needs: Features::NONE,
        found: Found::new(),
    };
    for &start in offsets {
        let mut at = layout.size;
        loop {
            let bytes = blob.get(start as usize..).unwrap_or_default();
            let header: ExtensionHeader = read(bytes, at).ok_or(Errno::EINVAL)?;
            let kind = kind_at(family, bytes, at);
            let one = One {
                start: start as usize,
                at,
                kind,
                header,
            };
            rules
                .check(&one, blob, named, kernel_extensions)
                .map_err(|fault| Wrong::extension(fault, start, at))?;
            at += usize::from(header.size);
            if kind == ExtensionKind::Target {
                break;
            }
        }
    }
    Ok(rules.needs)
}

/// Whether the match or target at `at` of an entry is carried out, or refused, also where
/// the kernel half has no such extension. If not the entry is refused there as one with
/// an unknown extension.
pub fn is_own(host: &Host, family: Family, entry: &[u8], at: usize) -> bool {
    let kind = kind_at(family, entry, at);
    let own = || -> Option<bool> {
        let header: ExtensionHeader = read(entry, at)?;
        let (_, extension) =
            registry::find(host, family, kind, &header.name, header.revision).ok()?;
        let data = entry.get(at + EXTENSION..at + usize::from(header.size))?;
        let checked = extension.check(&rule(host, family, entry)?, data);
        Some(!matches!(checked, Err(fault) if fault.errno == Errno::ENOENT))
    };
    own().unwrap_or(false)
}

/// The rule that an entry is, as extensions see it.
fn rule<'a>(host: &'a Host, family: Family, entry: &'a [u8]) -> Option<Rule<'a>> {
    Some(Rule {
        host,
        ip: IpPart::of(family, entry)?,
        hooks: read(entry, family.entry().comefrom)?,
    })
}

impl Rules<'_> {
    /// Finds and checks it.
    fn check(
        &mut self,
        one: &One,
        blob: &mut [u8],
        named: &mut NamedTables<'_>,
        kernel_extensions: KernelExtensions<'_>,
    ) -> Result<(), Fault> {
        let (family, host) = (self.family, self.host);
        let One {
            start,
            at,
            kind,
            header,
        } = one;
        let (start, at) = (*start, *at);
        let end = at + usize::from(header.size);
        let bytes = blob.get_mut(start..).ok_or(Errno::EINVAL)?;
        let registered = self.find(*kind, header);
        let data = bytes.get(at + EXTENSION..end).ok_or(Errno::EINVAL)?;
        let ip = IpPart::of(family, bytes).ok_or(Errno::EINVAL)?;
        // The kernel half is asked only for what is unknown, or left to it.
        let in_kernel = match registered {
            Ok((_, extension)) if !extension.is_left(host, ip, data) => Err(Errno::ENOPROTOOPT),
            _ => kernel_extensions::find(kernel_extensions, bytes, at),
        };
        let extension = match in_kernel {
            Err(Errno::ENOPROTOOPT) => {
                let (index, extension) = registered.map_err(|errno| self.unknown(header, errno))?;
                let rule = rule(host, family, bytes).ok_or(Errno::EINVAL)?;
                let data = bytes.get(at + EXTENSION..end).ok_or(Errno::EINVAL)?;
                extension.check(&rule, data).map_err(|fault| match fault {
                    // Not done here, and not known to the kernel half.
                    Fault {
                        errno: Errno::ENOENT,
                        ..
                    } => self.unknown(header, Errno::ENOENT),
                    fault => fault,
                })?;
                write(bytes, at + REGISTRY_INDEX, &index).ok_or(Errno::EINVAL)?;
                extension
            }
            in_kernel => in_kernel.map_err(|errno| match errno {
                Errno::EPROTOTYPE => Cause::Revision.with(errno),
                Errno::ENOENT => Cause::Absent.with(errno),
                errno => Cause::Options.with(errno),
            })?,
        };
        self.needs = self.needs.with(extension.needs);
        if let Some(names) = extension.names {
            let at = start + at;
            let fails = |errno| Cause::Options.with(errno);
            let wanted = names(extension, blob, at + EXTENSION).map_err(fails)?;
            let number = named.claim(blob, &wanted).map_err(fails)?;
            write(blob, at + NUMBER, &number).ok_or(Errno::EINVAL)?;
        }
        Ok(())
    }

    /// Why an extension is not to be had.
    fn unknown(&self, header: &ExtensionHeader, errno: Errno) -> Fault {
        let name = c_string(&header.name);
        let cause = match (errno, name) {
            (_, None) => Cause::Name,
            (Errno::EPROTOTYPE, _) => Cause::Revision,
            (_, Some(b"")) => Cause::NotDone,
            (_, Some(name)) if options::NOT_DONE.contains(&name) => Cause::NotDone,
            _ if self.host.features.contains(Features::X_TABLES) => Cause::Unknown,
            _ => Cause::KernelCode,
        };
        cause.with(errno)
    }

    /// The extension that a header names.
    fn find(
        &mut self,
        kind: ExtensionKind,
        header: &ExtensionHeader,
    ) -> Result<(RegistryIndex, &'static Extension)> {
        let (host, family) = (self.host, self.family);
        self.found.get_or(kind, header, || {
            registry::find(host, family, kind, &header.name, header.revision)
        })
    }
}

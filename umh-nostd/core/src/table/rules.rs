// SPDX-License-Identifier: GPL-2.0-only
//! Third pass: are the matches and targets known, and do they agree?
//!
//! Owns: the order of find_check_entry: entry by entry, each match found and
//! checked before the next one, the target last. What a check consists of is
//! `extension`'s.

use zerocopy::transmute;

use super::kernel_extensions::{self, KernelExtensions};
use super::layout::{EXTENSION, NUMBER, REGISTRY_INDEX};
use super::offsets::offset_at;
use crate::abi::{ExtensionHeader, ExtensionKind, Family, IpPart};
use crate::bytes::{read, write};
use crate::errno::{Errno, Result};
use crate::extension::registry::{self, RegistryIndex};
use crate::extension::{Extension, Rule};
use crate::ir::named::NamedTables;
use crate::target::{Features, Host};

/// Extensions that were found last, by what their headers say.
const KNOWN: usize = 8;

/// An extension that was found: its kind and header, without the size.
type Known = Option<(
    ExtensionKind,
    [u64; EXTENSION / 8],
    RegistryIndex,
    &'static Extension,
)>;

/// The third pass.
struct Rules<'a> {
    family: Family,
    host: &'a Host,
    needs: Features,
    known: [Known; KNOWN],
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
) -> Result<Features> {
    let layout = family.entry();
    let mut rules = Rules {
        family,
        host,
        needs: Features::NONE,
        known: [None; KNOWN],
    };
    for &start in offsets {
        let start = start as usize;
        let mut at = layout.size;
        loop {
            let bytes = blob.get_mut(start..).ok_or(Errno::EINVAL)?;
            let is_match = at < offset_at(bytes, layout.target_offset)?;
            let kind = if is_match {
                ExtensionKind::Match
            } else {
                ExtensionKind::Target
            };
            let header: ExtensionHeader = read(bytes, at).ok_or(Errno::EINVAL)?;
            let end = at + usize::from(header.size);
            let registered = rules.find(kind, &header);
            let data = bytes.get(at + EXTENSION..end).ok_or(Errno::EINVAL)?;
            let ip = IpPart::of(family, bytes).ok_or(Errno::EINVAL)?;
            // The kernel half is asked only for what is unknown, or left to it.
            let in_kernel = match registered {
                Ok((_, extension)) if !extension.is_left(host, ip, data) => Err(Errno::ENOPROTOOPT),
                _ => kernel_extensions::find(kernel_extensions, bytes, at),
            };
            let extension = match in_kernel {
                Err(Errno::ENOPROTOOPT) => {
                    let (index, extension) = registered?;
                    let rule = Rule {
                        host,
                        ip: IpPart::of(family, bytes).ok_or(Errno::EINVAL)?,
                        hooks: read(bytes, layout.comefrom).ok_or(Errno::EINVAL)?,
                    };
                    let data = bytes.get(at + EXTENSION..end).ok_or(Errno::EINVAL)?;
                    extension.check(&rule, data)?;
                    write(bytes, at + REGISTRY_INDEX, &index).ok_or(Errno::EINVAL)?;
                    extension
                }
                in_kernel => in_kernel?,
            };
            rules.needs = rules.needs.with(extension.needs);
            if let Some(names) = extension.names {
                let at = start + at;
                let wanted = names(extension, blob, at + EXTENSION)?;
                let number = named.claim(blob, &wanted)?;
                write(blob, at + NUMBER, &number).ok_or(Errno::EINVAL)?;
            }
            at = end;
            if !is_match {
                break;
            }
        }
    }
    Ok(rules.needs)
}

impl Rules<'_> {
    /// The extension that a header names. Most rules name what others do.
    fn find(
        &mut self,
        kind: ExtensionKind,
        header: &ExtensionHeader,
    ) -> Result<(RegistryIndex, &'static Extension)> {
        let words: [u64; EXTENSION / 8] = transmute!(ExtensionHeader { size: 0, ..*header });
        let [first, _, third, ..] = header.name;
        let known = self.known.get_mut(usize::from(first ^ third) % KNOWN);
        if let Some(Some((of, named, index, extension))) = known.as_deref()
            && (*of, *named) == (kind, words)
        {
            return Ok((*index, *extension));
        }
        let (index, extension) =
            registry::find(self.host, self.family, kind, &header.name, header.revision)?;
        if let Some(known) = known {
            *known = Some((kind, words, index, extension));
        }
        Ok((index, extension))
    }
}

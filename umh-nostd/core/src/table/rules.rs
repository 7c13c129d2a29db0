// SPDX-License-Identifier: GPL-2.0-only
//! Third pass: are the matches and targets known, and do they agree?
//!
//! Owns: the order of find_check_entry: entry by entry, each match found and
//! checked before the next one, the target last. What a check consists of is
//! `extension`'s.

use zerocopy::{FromBytes, transmute};

use super::layout::{ENTRY, EXTENSION, INDEX, PLACE, TARGET_OFFSET};
use crate::abi::{Entry, ExtensionHeader, Replace};
use crate::bytes::{c_string, read, write};
use crate::errno::{Errno, Result};
use crate::extension::foreign::{self, Foreign};
use crate::extension::{self, Extension, Kind, Place, Rule};
use crate::ir::named::NamedTables;
use crate::target::{Features, Host};

/// Extensions that were found last, by what their headers say.
const KNOWN: usize = 8;

/// An extension that was found: its kind and header, without the size.
type Known = Option<(Kind, [u64; EXTENSION / 8], Place, &'static Extension)>;

/// The third pass.
struct Rules<'a> {
    host: &'a Host,
    table: &'a [u8],
    needs: Features,
    known: [Known; KNOWN],
}

/// Checks every extension of every entry of `blob`, which has passed the
/// first two passes, and leaves its place behind its name. Returns what they
/// need.
pub(super) fn check(
    host: &Host,
    header: &Replace,
    offsets: &[u32],
    blob: &mut [u8],
    named: &mut NamedTables<'_>,
    foreign: Foreign<'_>,
) -> Result<Features> {
    let table = header.name.split_last().map_or(&[][..], |(_, name)| name);
    let mut rules = Rules {
        host,
        table: c_string(table).unwrap_or(table),
        needs: Features::NONE,
        known: [None; KNOWN],
    };
    for &start in offsets {
        let start = start as usize;
        let mut at = ENTRY;
        loop {
            let bytes = blob.get_mut(start..).ok_or(Errno::EINVAL)?;
            let target_at: u16 = read(bytes, TARGET_OFFSET).ok_or(Errno::EINVAL)?;
            let is_match = at < usize::from(target_at);
            let kind = if is_match { Kind::Match } else { Kind::Target };
            let header: ExtensionHeader = read(bytes, at).ok_or(Errno::EINVAL)?;
            let end = at + usize::from(header.size);
            let ours = rules.find(kind, &header);
            let theirs = match ours {
                Ok((_, ours)) if !ours.theirs => Err(Errno::ENOPROTOOPT),
                _ => foreign::find(foreign, bytes, at),
            };
            let extension = match theirs {
                Err(Errno::ENOPROTOOPT) => {
                    let (place, extension) = ours?;
                    let (entry, _) = Entry::ref_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
                    let rule = Rule {
                        host,
                        table: rules.table,
                        ip: &entry.ip,
                        hooks: entry.comefrom,
                    };
                    let data = bytes.get(at + EXTENSION..end).ok_or(Errno::EINVAL)?;
                    extension.check(&rule, data)?;
                    write(bytes, at + PLACE, &place).ok_or(Errno::EINVAL)?;
                    extension
                }
                theirs => theirs?,
            };
            rules.needs = rules.needs.with(extension.needs);
            if extension.needs.contains(Features::TABLES) {
                let at = start + at;
                let number = extension.claim(named, blob, at + EXTENSION)?;
                write(blob, at + INDEX, &number).ok_or(Errno::EINVAL)?;
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
        kind: Kind,
        header: &ExtensionHeader,
    ) -> Result<(Place, &'static Extension)> {
        let words: [u64; EXTENSION / 8] = transmute!(ExtensionHeader { size: 0, ..*header });
        let [first, _, third, ..] = header.name;
        let known = self.known.get_mut(usize::from(first ^ third) % KNOWN);
        if let Some(Some((of, named, place, extension))) = known.as_deref()
            && (*of, *named) == (kind, words)
        {
            return Ok((*place, *extension));
        }
        let (place, extension) = extension::find(self.host, kind, &header.name, header.revision)?;
        if let Some(known) = known {
            *known = Some((kind, words, place, extension));
        }
        Ok((place, extension))
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Third pass: are the matches and targets known, and do they agree?
//!
//! Owns: the order of find_check_entry: entry by entry, each match found and
//! checked before the next one, the target last. What a check consists of is
//! `extension`'s.

use super::layout::{ENTRY, EXTENSION};
use crate::abi::{Entry, ExtensionHeader, Replace};
use crate::bytes::{c_string, read};
use crate::errno::{Errno, Result};
use crate::extension::{self, Features, Host, Kind, Rule};

/// Checks every extension of every entry of `blob`, which has passed the
/// first two passes. Returns what they need.
pub(super) fn check(
    host: &Host,
    header: &Replace,
    offsets: &[u32],
    blob: &[u8],
) -> Result<Features> {
    let table = header.name.split_last().map_or(&[][..], |(_, name)| name);
    let table = c_string(table).unwrap_or(table);
    let mut needs = Features::NONE;
    for &at in offsets {
        let bytes = blob.get(at as usize..).ok_or(Errno::EINVAL)?;
        let entry: Entry = read(bytes, 0).ok_or(Errno::EINVAL)?;
        let rule = Rule {
            host,
            table,
            ip: &entry.ip,
            hooks: entry.comefrom,
        };
        let target_at = usize::from(entry.target_offset);
        let mut at = ENTRY;
        while at < target_at {
            at += check_extension(&rule, Kind::Match, bytes, at, &mut needs)?;
        }
        check_extension(&rule, Kind::Target, bytes, target_at, &mut needs)?;
    }
    Ok(needs)
}

/// Finds and checks the extension at `at` and returns its size.
fn check_extension(
    rule: &Rule<'_>,
    kind: Kind,
    entry: &[u8],
    at: usize,
    needs: &mut Features,
) -> Result<usize> {
    let header: ExtensionHeader = read(entry, at).ok_or(Errno::EINVAL)?;
    let extension = extension::find(rule.host, kind, &header.name, header.revision)?;
    let size = usize::from(header.size);
    let data = entry.get(at + EXTENSION..at + size).ok_or(Errno::EINVAL)?;
    extension.check(rule, data)?;
    *needs = needs.with(extension.needs);
    Ok(size)
}

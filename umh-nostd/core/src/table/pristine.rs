// SPDX-License-Identifier: GPL-2.0-only
//! The table of a namespace in which nobody has replaced anything yet.
//!
//! Owns: the image of three ACCEPT policies and the closing ERROR entry, the
//! same bytes that ip_tables registers for `filter`.

use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout};

use super::image::{Header, Image, VERSION};
use crate::abi::{self, Entry, ExtensionHeader};
use crate::extension::error;

/// A rule with a standard verdict.
#[derive(Debug, FromZeros, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Standard {
    entry: Entry,
    target: ExtensionHeader,
    verdict: i32,
    pad: u32,
}

/// The entry that closes a table.
#[derive(Debug, FromZeros, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Error {
    entry: Entry,
    target: ExtensionHeader,
    name: [u8; 32],
}

#[derive(Debug, FromZeros, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Entries {
    policies: [Standard; 3],
    end: Error,
}

/// Where the policy of each hook stands; ip_tables fills the rest with ones.
const POLICIES: [u32; abi::NUM_HOOKS] = {
    let step = size_of::<Standard>() as u32;
    [u32::MAX, 0, step, 2 * step, u32::MAX]
};

static HEADER: Header = Header {
    version: VERSION,
    rows: 0,
    num_entries: 4,
    size: size_of::<Entries>() as u32,
    num_named: 0,
    pad: 0,
    hook_entry: POLICIES,
    underflow: POLICIES,
};

const _: () = assert!(size_of::<Standard>() == 152);
const _: () = assert!(size_of::<Error>() == 176);
const _: () = assert!(size_of::<Entries>() == 632);

/// The pristine table. It has no counter map: all its counters are zero. Most
/// of it is zeros, so it is made when it is wanted.
#[derive(Debug)]
pub struct Pristine(Entries);

impl Pristine {
    /// The table.
    pub fn new() -> Self {
        let mut entries = Entries::new_zeroed();
        for (hook, policy) in (1..).zip(&mut entries.policies) {
            policy.entry.target_offset = size_of::<Entry>() as u16;
            policy.entry.next_offset = size_of::<Standard>() as u16;
            policy.entry.comefrom = 1 << hook;
            policy.target.size = (size_of::<Standard>() - size_of::<Entry>()) as u16;
            policy.verdict = abi::VERDICT_ACCEPT;
        }
        let end = &mut entries.end;
        end.entry.target_offset = size_of::<Entry>() as u16;
        end.entry.next_offset = size_of::<Error>() as u16;
        end.target.size = (size_of::<Error>() - size_of::<Entry>()) as u16;
        for name in [&mut end.target.name[..], &mut end.name[..]] {
            for (to, from) in name.iter_mut().zip(error::NAME.bytes()) {
                *to = from;
            }
        }
        Self(entries)
    }

    /// As it would be read from a namespace.
    pub fn image(&self) -> Image<'_> {
        Image::new(&HEADER, self.0.as_bytes())
    }
}

impl Default for Pristine {
    fn default() -> Self {
        Self::new()
    }
}

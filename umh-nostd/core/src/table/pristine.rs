// SPDX-License-Identifier: GPL-2.0-only
//! The table of a namespace in which nobody has replaced anything yet.
//!
//! Owns: the image of three ACCEPT policies and the closing ERROR entry, the
//! same bytes that ip_tables registers for `filter`.

use zerocopy::{Immutable, IntoBytes, KnownLayout};

use super::image::{Header, Image, VERSION};
use crate::abi::{self, Counters, Entry, ExtensionHeader, IptIp};

/// A rule with a standard verdict.
#[derive(IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Standard {
    entry: Entry,
    target: ExtensionHeader,
    verdict: i32,
    pad: u32,
}

/// The entry that closes a table.
#[derive(IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Error {
    entry: Entry,
    target: ExtensionHeader,
    name: [u8; 32],
}

#[derive(IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Entries {
    policies: [Standard; 3],
    end: Error,
}

/// A name in a field of `N` bytes, padded with NULs.
const fn name<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    let (head, _) = field.split_at_mut(text.len());
    head.copy_from_slice(text);
    field
}

const fn entry(next_offset: usize, comefrom: u32) -> Entry {
    Entry {
        ip: IptIp {
            src: [0; 4],
            dst: [0; 4],
            smsk: [0; 4],
            dmsk: [0; 4],
            iniface: [0; abi::IFNAMSIZ],
            outiface: [0; abi::IFNAMSIZ],
            iniface_mask: [0; abi::IFNAMSIZ],
            outiface_mask: [0; abi::IFNAMSIZ],
            proto: 0,
            flags: 0,
            invflags: 0,
        },
        nfcache: 0,
        target_offset: size_of::<Entry>() as u16,
        next_offset: next_offset as u16,
        comefrom,
        counters: Counters { pcnt: 0, bcnt: 0 },
    }
}

/// The ACCEPT policy of one hook.
const fn accept(hook: u32) -> Standard {
    Standard {
        entry: entry(size_of::<Standard>(), 1 << hook),
        target: ExtensionHeader {
            size: (size_of::<Standard>() - size_of::<Entry>()) as u16,
            name: name(b""),
            revision: 0,
        },
        verdict: abi::VERDICT_ACCEPT,
        pad: 0,
    }
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

static ENTRIES: Entries = Entries {
    policies: [accept(1), accept(2), accept(3)],
    end: Error {
        entry: entry(size_of::<Error>(), 0),
        target: ExtensionHeader {
            size: (size_of::<Error>() - size_of::<Entry>()) as u16,
            name: name(b"ERROR"),
            revision: 0,
        },
        name: name(b"ERROR"),
    },
};

const _: () = assert!(size_of::<Standard>() == 152);
const _: () = assert!(size_of::<Error>() == 176);
const _: () = assert!(size_of::<Entries>() == 632);

/// The pristine table. It has no counter map: all its counters are zero.
pub fn image() -> Image<'static> {
    Image::new(&HEADER, ENTRIES.as_bytes())
}

// SPDX-License-Identifier: GPL-2.0-only
//! The tables of the iptables interface.
//!
//! Owns: all that differs from table to table, a row of [`TABLES`] for each
//! table and family. No other file names a table.
//!
//! Leaves to others: which of them are served. The kernel half knows, and says
//! so when a table's rules are asked for.

use bpfilter_msgfmt as msg;

use super::{Family, Hook, TABLE_NAME_LEN, VERDICT_ACCEPT};
use crate::bytes::c_string;

/// The tables of a family, by the numbers that they have for the kernel half.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TableKind {
    /// Before connection tracking.
    Raw = msg::TABLE_RAW as isize,
    /// Changes packets.
    Mangle = msg::TABLE_MANGLE as isize,
    /// Translates addresses; sees the first packet of a connection.
    Nat = msg::TABLE_NAT as isize,
    /// Lets packets pass, or not.
    Filter = msg::TABLE_FILTER as isize,
    /// Security marks.
    Security = msg::TABLE_SECURITY as isize,
}

/// What is to be known of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TableSpec {
    /// Which of its family's tables it is.
    pub kind: TableKind,
    /// Its family.
    pub family: Family,
    /// Its name.
    pub name: &'static str,
    /// Where its rules are asked, in the order of the hooks' numbers, and with
    /// which priority among all that is hooked there.
    pub hooks: &'static [(Hook, i32)],
    /// What the policies of a pristine table say, a standard verdict.
    pub policy: i32,
}

/// `NF_IP_PRI_RAW` and `NF_IP6_PRI_RAW`.
const RAW: &[(Hook, i32)] = &[(Hook::PreRouting, -300), (Hook::LocalOut, -300)];
/// `NF_IP_PRI_MANGLE` and `NF_IP6_PRI_MANGLE`.
const MANGLE: &[(Hook, i32)] = &[
    (Hook::PreRouting, -150),
    (Hook::LocalIn, -150),
    (Hook::Forward, -150),
    (Hook::LocalOut, -150),
    (Hook::PostRouting, -150),
];
/// `NF_IP_PRI_NAT_DST` and `_SRC`, `NF_IP6_PRI_NAT_DST` and `_SRC`.
const NAT: &[(Hook, i32)] = &[
    (Hook::PreRouting, -100),
    (Hook::LocalIn, 100),
    (Hook::LocalOut, -100),
    (Hook::PostRouting, 100),
];
/// `NF_IP_PRI_FILTER` and `NF_IP6_PRI_FILTER`.
const FILTER_HOOKS: &[(Hook, i32)] = &[(Hook::LocalIn, 0), (Hook::Forward, 0), (Hook::LocalOut, 0)];
/// `NF_IP_PRI_SECURITY` and `NF_IP6_PRI_SECURITY`.
const SECURITY: &[(Hook, i32)] = &[
    (Hook::LocalIn, 50),
    (Hook::Forward, 50),
    (Hook::LocalOut, 50),
];

const fn row(kind: TableKind, family: Family) -> TableSpec {
    let (name, hooks) = match kind {
        TableKind::Raw => ("raw", RAW),
        TableKind::Mangle => ("mangle", MANGLE),
        TableKind::Nat => ("nat", NAT),
        TableKind::Filter => ("filter", FILTER_HOOKS),
        TableKind::Security => ("security", SECURITY),
    };
    TableSpec {
        kind,
        family,
        name,
        hooks,
        policy: VERDICT_ACCEPT,
    }
}

/// All tables there are.
pub static TABLES: [TableSpec; 10] = [
    row(TableKind::Raw, Family::Ipv4),
    row(TableKind::Mangle, Family::Ipv4),
    row(TableKind::Nat, Family::Ipv4),
    row(TableKind::Filter, Family::Ipv4),
    row(TableKind::Security, Family::Ipv4),
    row(TableKind::Raw, Family::Ipv6),
    row(TableKind::Mangle, Family::Ipv6),
    row(TableKind::Nat, Family::Ipv6),
    row(TableKind::Filter, Family::Ipv6),
    row(TableKind::Security, Family::Ipv6),
];

/// `filter` of IPv4.
pub const FILTER: TableSpec = row(TableKind::Filter, Family::Ipv4);

impl TableSpec {
    /// The table that a request names; `None` if there is none. The kernel takes
    /// the last byte of the field for a NUL.
    pub fn named(family: Family, name: &[u8; TABLE_NAME_LEN]) -> Option<&'static Self> {
        let name = name.get(..TABLE_NAME_LEN - 1).unwrap_or_default();
        let name = c_string(name).unwrap_or(name);
        TABLES
            .iter()
            .find(|table| table.family == family && table.name.as_bytes() == name)
    }

    /// The table of that number in an image.
    pub fn numbered(number: u32) -> Option<&'static Self> {
        TABLES.get(number as usize)
    }

    /// Its number in an image: its place in [`TABLES`].
    pub const fn number(&self) -> u32 {
        self.family as u32 * msg::TABLES + self.kind as u32
    }

    /// Its name as a request gives it, with NULs behind it.
    pub fn padded_name(&self) -> [u8; TABLE_NAME_LEN] {
        let mut name = [0; TABLE_NAME_LEN];
        for (to, from) in name.iter_mut().zip(self.name.bytes()) {
            *to = from;
        }
        name
    }

    /// Its hooks as a mask of `1 << NF_INET_*`.
    pub const fn valid_hooks(&self) -> u32 {
        let (mut mask, mut rest) = (0, self.hooks);
        while let [(hook, _), others @ ..] = rest {
            mask |= hook.mask();
            rest = others;
        }
        mask
    }

    /// Its hooks, in the order of their numbers.
    pub fn each_hook(&self) -> impl Iterator<Item = Hook> + use<> {
        self.hooks.iter().map(|(hook, _)| *hook)
    }

    /// Which of its hooks this one is, counted from 0.
    pub fn hook_index(&self, hook: Hook) -> Option<usize> {
        self.hooks
            .iter()
            .position(|(of_table, _)| *of_table == hook)
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_numbers() {
        for (place, table) in (0..).zip(&TABLES) {
            assert_eq!(table.number(), place, "{table:?}");
            assert!(table.hooks.is_sorted_by_key(|(hook, _)| hook), "{table:?}");
        }
        assert_eq!(TABLES[FILTER.number() as usize], FILTER);
    }

    #[test]
    fn names_end_at_a_nul_or_with_the_field() {
        let named = |name: &[u8]| {
            let mut field = [0; TABLE_NAME_LEN];
            field[..name.len()].copy_from_slice(name);
            TableSpec::named(Family::Ipv4, &field).map(|table| table.name)
        };
        assert_eq!(named(b"filter"), Some("filter"));
        assert_eq!(named(b"filter\0garbage"), Some("filter"));
        assert_eq!(named(b"filters"), None);
        assert_eq!(named(b"broute"), None);
        assert_eq!(named(b""), None);
        assert_eq!(named(&[b'f'; TABLE_NAME_LEN]), None);
        for table in &TABLES {
            let found = TableSpec::named(table.family, &table.padded_name());
            assert_eq!(found, Some(table));
            assert_eq!(TableSpec::numbered(table.number()), Some(table));
        }
        assert_eq!(TableSpec::numbered(TABLES.len() as u32), None);
    }
}

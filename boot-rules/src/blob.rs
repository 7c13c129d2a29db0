// SPDX-License-Identifier: GPL-2.0-only
//! The format of boot rules: `struct bpfilter_boot_rules` and what follows it.

use bpfilter_msgfmt::{BOOT_MAGIC, BootRules, BootTable};
use zerocopy::IntoBytes;

use crate::restore::Sent;

/// Boot rules of these tables, in this order.
pub(crate) fn of(sent: &[Sent]) -> Vec<u8> {
    let mut tables = Vec::new();
    for table in sent {
        let header = BootTable {
            family: table.spec.family.number(),
            table: table.spec.kind as u32,
            len: table.replace.len() as u64,
        };
        tables.extend(header.as_bytes());
        tables.extend(&table.replace);
        tables.resize(tables.len().next_multiple_of(size_of::<u64>()), 0);
    }
    let header = BootRules {
        magic: BOOT_MAGIC,
        tables: sent.len() as u32,
        size: (size_of::<BootRules>() + tables.len()) as u64,
    };
    [header.as_bytes(), &tables].concat()
}

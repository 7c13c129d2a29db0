// SPDX-License-Identifier: GPL-2.0-only
//! The kernel half hooks each table where the core says that its rules are asked.
//!
//! `table_desc` in `kern/net/bpfilter/desc.c` and `TABLES` in the core both say
//! which tables there are, their hooks and priorities: the kernel half must know
//! them before there is a helper. Here the C text is compiled, with the kernel's
//! own priorities, and what it comes to compared with the core's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by a panic"
)]

#[path = "../../../msgfmt/tests/facts/mod.rs"]
mod facts;

use facts::{Facts, printed};
use umh_core::abi::TABLES;

const DESC_C: &str = include_str!("../../../kern/net/bpfilter/desc.c");
const INTERNAL_H: &str = include_str!("../../../kern/net/bpfilter/internal.h");
const MSGFMT_H: &str = include_str!("../../../msgfmt/include/msgfmt.h");

/// What `text` has from `start` to the first `end` behind it, both included.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let at = text.find(start).expect(start);
    let len = text[at..].find(end).expect(end) + end.len();
    &text[at..at + len]
}

#[test]
fn tables_are_hooked_where_the_core_says() {
    let array = between(DESC_C, "static const struct bpfilter_table_desc", "\n};\n");
    let structure = between(INTERNAL_H, "struct bpfilter_table_desc {", "\n};\n");
    let header = format!(
        "#include <limits.h>\n#include <stdbool.h>\n#include <linux/types.h>\n\
         #include <linux/netfilter.h>\n\
         #include <linux/netfilter_ipv4.h>\n#include <linux/netfilter_ipv6.h>\n\
         #pragma GCC diagnostic ignored \"-Wpadded\"\n\
         typedef __u8 u8;\n#define BIT(bit) (1U << (bit))\n#define IS_ENABLED(option) 1\n\
         {MSGFMT_H}\n{structure}\n{array}"
    );

    let mut facts = Facts::default();
    let count = "sizeof(table_desc) / sizeof(table_desc[0])";
    let mut number = 0;
    for table in TABLES {
        let desc = format!("table_desc[{number}]");
        facts.fact(&format!("{desc}.family"), table.family.number().into());
        facts.fact(&format!("{desc}.table"), table.kind as u64);
        facts.fact(&format!("{desc}.hooks"), table.valid_hooks().into());
        for (byte, value) in table.name.bytes().chain([0]).enumerate() {
            facts.fact(&format!("{desc}.name[{byte}]"), value.into());
        }
        for (hook, priority) in table.hooks {
            let priority = i64::from(*priority).cast_unsigned();
            let hook = *hook as usize;
            facts.fact(&format!("(long long){desc}.priority[{hook}]"), priority);
        }
        number += 1;
    }
    facts.fact(count, number);
    assert_eq!(printed("tables", &header, &facts), facts.rust);
}

// SPDX-License-Identifier: GPL-2.0-only
//! `msgfmt.h` and the Rust types are one format.
//!
//! A C program that includes the header is compiled and run. It prints the
//! size, and the offset and size of every member, of every structure, and the
//! value of every constant; the Rust side must print the very same lines.
//! Both lists are made from one here, and the header itself is searched for
//! names that are missing in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by a panic"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::process::Command;

use bpfilter_msgfmt as msg;

const HEADER: &str = include_str!("../include/msgfmt.h");

/// One line for each fact about a structure: in C, an expression that prints
/// it; in Rust, the line itself.
struct Facts {
    c: String,
    rust: String,
    /// The names that the header must not go beyond.
    names: BTreeSet<String>,
}

impl Facts {
    fn fact(&mut self, c_expression: &str, value: u64) {
        writeln!(
            self.c,
            "printf(\"%s %llu\\n\", \"{c_expression}\", (unsigned long long)({c_expression}));"
        )
        .unwrap();
        writeln!(self.rust, "{c_expression} {value}").unwrap();
    }

    fn constant(&mut self, name: &str, value: u64) {
        self.names.insert(name.to_owned());
        self.fact(name, value);
    }
}

macro_rules! structure {
    ($facts:ident, $c:ident = $rust:ident { $($field:ident),* $(,)? }) => {
        // The pattern has no `..`: a field that is not listed fails to compile.
        let _ = |msg::$rust { $($field: _),* }| ();
        let c = concat!("struct ", stringify!($c));
        $facts.names.insert(stringify!($c).to_owned());
        $facts.fact(&format!("sizeof({c})"), size_of::<msg::$rust>() as u64);
        $(
            let field = stringify!($field);
            $facts.fact(&format!("offsetof({c}, {field})"), offset_of!(msg::$rust, $field) as u64);
            let size = size_of_field(|value: &msg::$rust| &value.$field);
            $facts.fact(&format!("sizeof((({c} *)0)->{field})"), size as u64);
        )*
    };
}

fn size_of_field<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

fn facts() -> Facts {
    let mut facts = Facts {
        c: String::new(),
        rust: String::new(),
        names: BTreeSet::new(),
    };
    structure!(
        facts,
        bpfilter_request = Request {
            addr,
            len,
            is_set,
            cmd,
            pid
        }
    );
    structure!(facts, bpfilter_reply = Reply { status });
    structure!(
        facts,
        bpfilter_generation = Generation {
            prog,
            counters,
            table,
            flags
        }
    );
    let constants: [(&str, u64); 12] = [
        ("BPFILTER_CMD_PING", msg::CMD_PING.into()),
        ("BPFILTER_SO_BASE", msg::SO_BASE.into()),
        ("BPFILTER_SO_COMMIT", msg::SO_COMMIT.into()),
        ("BPFILTER_SO_RECOVER", msg::SO_RECOVER.into()),
        ("BPFILTER_SO_MATCHES", msg::SO_MATCHES.into()),
        ("BPFILTER_SO_TARGETS", msg::SO_TARGETS.into()),
        ("BPFILTER_SO_MAX", msg::SO_MAX.into()),
        ("BPFILTER_NAMES_MAX", msg::NAMES_MAX as u64),
        ("BPFILTER_HOOK_LOCAL_IN", msg::HOOK_LOCAL_IN as u64),
        ("BPFILTER_HOOK_FORWARD", msg::HOOK_FORWARD as u64),
        ("BPFILTER_HOOK_LOCAL_OUT", msg::HOOK_LOCAL_OUT as u64),
        ("BPFILTER_HOOKS", msg::HOOKS as u64),
    ];
    for (name, value) in constants {
        facts.constant(name, value);
    }
    facts.constant("BPFILTER_GEN_CONNTRACK", msg::GEN_CONNTRACK.into());
    facts
}

#[test]
fn the_header_says_what_the_types_say() {
    let facts = facts();
    let dir = std::env::temp_dir().join(format!("bpfilter-c-layout-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let source = dir.join("layout.c");
    let program = dir.join("layout");
    std::fs::write(
        &source,
        format!(
            "#include <stddef.h>\n#include <stdio.h>\n#include <msgfmt.h>\n\
             int main(void)\n{{\n{}return 0;\n}}\n",
            facts.c
        ),
    )
    .unwrap();
    let compiled = Command::new("cc")
        .args([
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Wpadded",
            "-Werror",
            "-I",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/include"))
        .arg("-o")
        .args([&program, &source])
        .status()
        .expect("no C compiler: install cc");
    assert!(compiled.success(), "{} does not compile", source.display());
    let printed = Command::new(&program).output().unwrap().stdout;
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(String::from_utf8(printed).unwrap(), facts.rust);
}

#[test]
fn the_header_says_nothing_else() {
    let names = facts().names;
    for line in HEADER.lines() {
        let mut words = line.split_whitespace();
        let name = match (words.next(), words.next(), words.next()) {
            (Some("#define"), Some(name), Some(_)) => name,
            (Some("struct"), Some(name), Some("{")) => name,
            _ => continue,
        };
        assert!(
            names.contains(name),
            "{name} is in msgfmt.h and not compared"
        );
    }
}

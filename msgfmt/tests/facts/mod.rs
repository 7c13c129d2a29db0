// SPDX-License-Identifier: GPL-2.0-only
//! Facts that a C header and Rust types must agree on: sizes, places, constants.
//!
//! Owns: the list of facts, as C expressions and as what Rust says of them, and
//! the C program that prints the former. Leaves to the tests that use it, here,
//! in `bpf-abi` and in the core: which facts there are.
#![allow(dead_code, reason = "each of the tests uses a part of it")]

use std::fmt::Write as _;
use std::process::Command;

/// What there is to compare. One line for each fact: in C, an expression that
/// prints it; in Rust, the line itself.
#[derive(Default)]
pub(crate) struct Facts {
    c: String,
    pub(crate) rust: String,
}

impl Facts {
    /// What the C expression is must be `value`.
    pub(crate) fn fact(&mut self, c_expression: &str, value: u64) {
        writeln!(
            self.c,
            "printf(\"%s %llu\\n\", \"{c_expression}\", (unsigned long long)({c_expression}));"
        )
        .unwrap();
        writeln!(self.rust, "{c_expression} {value}").unwrap();
    }

    /// The same for constants, by their names.
    pub(crate) fn constants(&mut self, constants: &[(&str, u64)]) {
        for (name, value) in constants {
            self.fact(name, *value);
        }
    }
}

/// Bytes of what the function refers to.
pub(crate) fn size_of_field<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// What a program with `header` prints of these facts.
pub(crate) fn printed(name: &str, header: &str, facts: &Facts) -> String {
    let dir = std::env::temp_dir().join(format!("bpfilter-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let source = dir.join("layout.c");
    let program = dir.join("layout");
    std::fs::write(
        &source,
        format!(
            "#include <stddef.h>\n#include <stdio.h>\n{header}\n\
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
            "-o",
        ])
        .args([&program, &source])
        .status()
        .expect("no C compiler: install cc");
    assert!(compiled.success(), "{} does not compile", source.display());
    let printed = Command::new(&program).output().unwrap().stdout;
    std::fs::remove_dir_all(&dir).unwrap();
    String::from_utf8(printed).unwrap()
}

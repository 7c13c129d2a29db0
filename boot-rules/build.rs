// SPDX-License-Identifier: GPL-2.0-only
//! Compiles what is preloaded into iptables-restore.

use std::env;
use std::io::{Error, Result};
use std::path::Path;
use std::process::Command;

fn main() -> Result<()> {
    let source = "src/preload.c";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-env-changed=CC");
    let out = env::var_os("OUT_DIR").ok_or_else(|| Error::other("no OUT_DIR"))?;
    // It may be a command of several words: ccache gcc.
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut words = compiler.split_whitespace();
    let status = Command::new(words.next().unwrap_or("cc"))
        .args(words)
        .args([
            "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
        ])
        .arg(Path::new(&out).join("preload.so"))
        .arg(source)
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::other(format!("{source} does not compile"))),
    }
}

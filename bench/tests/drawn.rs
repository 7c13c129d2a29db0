// SPDX-License-Identifier: GPL-2.0-only
//! What the documentation shows of instructions is drawn from the figures beside
//! it, and a page without figures is refused.
#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

fn draw(page: &Path) -> bool {
    Command::new(env!("CARGO_BIN_EXE_bpfilter-bench"))
        .arg("--draw")
        .arg(page)
        .status()
        .expect("the bench")
        .success()
}

#[test]
fn the_plot_is_of_the_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let page = folder.join("instructions.md");
    fs::copy(docs.join("instructions.md"), &page).expect("the page");
    assert!(draw(&page));
    let read = |path: &Path| fs::read_to_string(path).expect("a plot");
    assert_eq!(
        read(&folder.join("instructions.svg")),
        read(&docs.join("instructions.svg")),
        "draw it again: bpfilter-bench --draw docs/bench/instructions.md"
    );

    let empty = folder.join("empty.md");
    fs::write(&empty, "# Nothing\n").expect("a page");
    assert!(!draw(&empty));
}

// SPDX-License-Identifier: GPL-2.0-only
//! The modules of the core use one another in one direction, and one file of
//! them names the tables.
//!
//! The order is that of the `mod` lines in `src/lib.rs`: a module may use what
//! stands above it there, and itself. This reads every source file and fails on
//! each path that leads the other way, whether it starts with `crate` or climbs
//! to the crate root by `super`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

use umh_core::abi::TABLES;

/// One word or sign of a source file, and its line.
#[derive(Clone, Debug)]
struct Token {
    text: String,
    line: usize,
}

/// The words and signs of `source`, without comments, strings and characters.
fn tokens(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &source[at..];
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(len) = string(rest) {
            len
        } else if rest.starts_with('\'') {
            character_or_lifetime(rest)
        } else {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let word_len = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let len = match word_len {
                0 if rest.starts_with("::") => 2,
                0 => rest.chars().next().map_or(1, char::len_utf8),
                len => len,
            };
            if !rest.starts_with(char::is_whitespace) {
                let text = rest[..len].to_owned();
                found.push(Token { text, line });
            }
            len
        };
        line += rest[..len].matches('\n').count();
        at += len;
    }
    found
}

/// Length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.is_empty() {
            return at;
        }
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
}

/// Length of the string literal at the start, if there is one.
fn string(text: &str) -> Option<usize> {
    let prefix = ["", "b", "c", "r", "br", "cr"];
    let raw = |prefix: &str| prefix.ends_with('r');
    for prefix in prefix {
        let Some(rest) = text.strip_prefix(prefix) else {
            continue;
        };
        let hashes = if raw(prefix) {
            rest.len() - rest.trim_start_matches('#').len()
        } else {
            0
        };
        let Some(inner) = rest[hashes..].strip_prefix('"') else {
            continue;
        };
        let start = prefix.len() + hashes + 1;
        if raw(prefix) {
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(
                inner
                    .find(&end)
                    .map_or(text.len(), |at| start + at + end.len()),
            );
        }
        let mut escaped = false;
        for (at, c) in inner.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(start + at + 1),
                _ => {}
            }
        }
        return Some(text.len());
    }
    None
}

/// Length of the character literal at the start, or of a lifetime's tick.
fn character_or_lifetime(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => {
            let rest = text.get(3..).unwrap_or_default();
            rest.find('\'').map_or(text.len(), |at| 3 + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// A module of the crate root that a source file names, and where.
#[derive(Debug, Eq, PartialEq)]
struct Use {
    module: String,
    line: usize,
}

/// All modules of the crate root that a file names whose module is `depth`
/// names below the root.
fn uses(source: &str, depth: usize) -> Vec<Use> {
    let tokens = tokens(source);
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    // For each brace that is open, whether it is that of a module.
    let mut braces = Vec::new();
    for at in 0..tokens.len() {
        let mut root_ends = None;
        match text(at) {
            "{" => braces.push(at >= 2 && text(at - 2) == "mod"),
            "}" => drop(braces.pop()),
            "crate" if at >= 1 && text(at - 1) == "extern" => {
                assert!(text(at + 1) != "self", "the crate under another name");
            }
            "crate" => {
                let visibility = text(at + 1) == ")";
                assert!(
                    visibility || text(at + 1) == "::",
                    "line {}: the crate under another name",
                    tokens[at].line
                );
                root_ends = (!visibility).then_some(at + 2);
            }
            "super" if text(at + 1) == "::" && (at < 2 || text(at - 2) != "super") => {
                let mut supers = 1;
                while text(at + 2 * supers - 1) == "::" && text(at + 2 * supers) == "super" {
                    supers += 1;
                }
                let inline = braces.iter().filter(|module| **module).count();
                root_ends = (supers == depth + inline).then_some(at + 2 * supers);
            }
            _ => {}
        }
        let Some(start) = root_ends else { continue };
        let mut name = |at: usize| {
            found.push(Use {
                module: text(at).to_owned(),
                line: tokens.get(at).map_or(0, |token| token.line),
            });
        };
        if text(start) != "{" {
            name(start);
            continue;
        }
        // A list: the name that each of its items starts with.
        let (mut depth, mut first) = (0, true);
        for at in start.. {
            match text(at) {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                "," if depth == 1 => first = true,
                "" => break,
                _ if first => {
                    name(at);
                    first = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// The modules of the crate root, in their order.
fn layers(lib: &str) -> Vec<String> {
    let tokens = tokens(lib);
    let after_mod = tokens.windows(3).filter(|three| three[0].text == "mod");
    after_mod
        .map(|three| {
            assert_eq!(
                three[2].text, ";",
                "`{}` is in lib.rs itself",
                three[1].text
            );
            three[1].text.clone()
        })
        .collect()
}

/// All source files below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names on the way from the crate root to the module in a file.
fn module_path(below_src: &Path) -> Vec<String> {
    let path = below_src.with_extension("");
    let mut names: Vec<_> = path
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// What is wrong with a file's uses.
fn faults(layers: &[String], below_src: &Path, source: &str) -> Vec<String> {
    let path = module_path(below_src);
    let place = |module: &str| layers.iter().position(|layer| layer == module);
    let own = place(&path[0]).unwrap_or_else(|| panic!("{} is in no layer", path[0]));
    let mut faults = Vec::new();
    for Use { module, line } in uses(source, path.len()) {
        let file = below_src.display();
        match place(&module) {
            None => faults.push(format!(
                "{file}:{line}: `{module}` is no module of the root"
            )),
            Some(used) if used > own => {
                faults.push(format!("{file}:{line}: {} uses {module}", path[0]));
            }
            Some(_) => {}
        }
    }
    faults
}

#[test]
fn every_module_uses_only_those_above_it() {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let layers = layers(&fs::read_to_string(lib).expect("lib.rs"));
    let files = all_sources();
    assert!(layers.len() > 5 && files.len() > layers.len());
    let mut found = Vec::new();
    for (file, source) in &files {
        found.extend(faults(&layers, file, source));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// All source files but `lib.rs`, by their names below `src`.
fn all_sources() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let below_src = |file: PathBuf| {
        let source = fs::read_to_string(&file).expect("a source file");
        let name = file.strip_prefix(&src).expect("a file of src");
        (name.to_owned(), source)
    };
    let all = files.into_iter().map(below_src);
    all.filter(|(name, _)| name != Path::new("lib.rs"))
        .collect()
}

#[test]
fn one_file_names_the_tables() {
    for (file, source) in all_sources() {
        let names = TABLES.iter().map(|table| format!("\"{}\"", table.name));
        let named = names.filter(|name| source.contains(name.as_str())).count();
        let expected = if file == Path::new("abi/tables.rs") {
            TABLES.len()
        } else {
            0
        };
        assert_eq!(named, expected, "{}", file.display());
    }
}

#[test]
fn back_edges_are_found_however_they_are_written() {
    let layers = layers("pub mod low;\n// mod comment;\nmod middle;\npub(crate) mod high;");
    assert_eq!(layers, ["low", "middle", "high"]);
    for source in [
        "use crate::high::Thing;",
        "use crate::{low::{A, B}, high};",
        "fn f() -> crate::high::Thing {}",
        "macro_rules! m { () => { $crate::high::f() } }",
        "mod inner { use super::super::super::high; }",
        "use super::super::high::{self, Thing};",
        "pub use crate::unknown::Thing;",
        "const QUOTE: char = '\"'; use crate::high; const OTHER: char = '\"';",
        "fn f<'a>(a: &'a str) { crate::high::f(a) }",
    ] {
        let found = faults(&layers, Path::new("middle/file.rs"), source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
    }
    for source in [
        "use crate::low::Thing; use crate::middle; pub(crate) struct S;",
        "use super::high; use super::other::super_thing;",
        "// use crate::high;\n/* crate::high /* */ crate::high */ /// crate::high",
        "const TEXT: &str = \"crate::high \\\" crate::high\"; const RAW: &str = r#\"crate::high\"\"#;",
        "mod inner { use super::super::high; }",
        "pub(in crate::middle) fn f() {}",
    ] {
        let found = faults(&layers, Path::new("middle/file.rs"), source);
        assert_eq!(found, [""; 0], "{source}");
    }
}

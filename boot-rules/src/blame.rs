// SPDX-License-Identifier: GPL-2.0-only
//! Which line is at fault.
//!
//! The kernel refuses a table as a whole, with one errno, and iptables-restore does
//! not always name a line. A rule that is refused is refused whatever comes behind
//! it, so the first one is found by halving: with it the rules up to there are
//! refused, without it they are not. What is refused without any rule is not the rules'
//! fault.

use std::path::Path;

use crate::restore::{Outcome, Restore};

/// What to say of a file that is refused, and why.
pub(crate) fn refused(path: &Path, rules: &[u8], restore: &Restore, why: &str) -> String {
    let name = path.display();
    let lines: Vec<&[u8]> = rules.split_inclusive(|&byte| byte == b'\n').collect();
    let numbers: Vec<usize> = (0..lines.len())
        .filter(|&index| lines.get(index).is_some_and(|line| is_rule(line)))
        .collect();
    // What is refused without any rule is no rule's fault.
    if !matches!(restore.run(&up_to(&lines, 0)), Ok(Outcome::Sent(_))) {
        return format!("{name}: {why}");
    }
    // `some` rules more than that are refused, `none` are not.
    let (mut none, mut some) = (0, numbers.len());
    while some - none > 1 {
        let middle = none + (some - none) / 2;
        let limit = numbers.get(middle).copied().unwrap_or(lines.len());
        match restore.run(&up_to(&lines, limit)) {
            Ok(Outcome::Sent(_)) => none = middle,
            Ok(_) => some = middle,
            Err(e) => return format!("{name}: {why}; the line is not known: {e}"),
        }
    }
    match numbers.get(none).and_then(|&at| Some((at, lines.get(at)?))) {
        Some((at, line)) => {
            let line = String::from_utf8_lossy(line);
            format!("{name}:{}: {why}: {}", at + 1, line.trim_end())
        }
        None => format!("{name}: {why}"),
    }
}

/// `-A ..` or `-I ..`, with counters before it or not.
fn is_rule(line: &[u8]) -> bool {
    let rest = match line {
        [b'[', ..] => line.splitn(2, |&byte| byte == b']').nth(1),
        _ => Some(line),
    };
    rest.unwrap_or_default()
        .trim_ascii_start()
        .starts_with(b"-")
}

/// All lines, but no rules from line `limit` on.
fn up_to(lines: &[&[u8]], limit: usize) -> Vec<u8> {
    let kept = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| *at < limit || !is_rule(line));
    kept.flat_map(|(_, line)| line.iter().copied()).collect()
}

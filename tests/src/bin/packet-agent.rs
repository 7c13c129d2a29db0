// SPDX-License-Identifier: GPL-2.0-only
//! Sends packets in a namespace of its own and says what became of them.
//!
//! On ip_tables when started plainly, on bpfilter when started by
//! `bpfilter-run`; what it prints must be the same.

use std::io::{self, Write};
use std::process::ExitCode;

use bpfilter_tests::ip6;
use bpfilter_tests::oracle::case::{Case, run_case};
use bpfilter_tests::packet::traffic;
use bpfilter_tests::records::answers;
use bpfilter_tests::records::arguments;
use bpfilter_tests::records::named_tables;
use bpfilter_tests::rules::big::Shape;
use bpfilter_tests::world::namespace::Namespace;

const USAGE: &str = "\
usage: packet-agent cases SEED COUNT  run COUNT cases, the first made from SEED, and print a line
                                      per packet; differs from the evaluator: exit status 1
       packet-agent show SEED         print the rules and packets of a case
       packet-agent big SHAPE RULES   the same for a big rule set: sources, mixed, wildcards, chains
       packet-agent named SEED        a sequence for matches that keep tables with names
       packet-agent answers SEED COUNT  the same for rules that answer, log and mark, with all answers and lines
       packet-agent arguments N       what becomes of arguments of matches and targets, and of every Nth
                                      of the rules that they are broken into
       packet-agent changed COUNT     the same for rules that change packets, or take them
       packet-agent ip6 SEED COUNT    the same for IPv6, with chains of extension headers and rules in all tables
       packet-agent hotdrop COUNT     the same for packets that matches say yes to, and want dropped
       packet-agent rulesets FILE...  the same for rule sets in files
       packet-agent swaps COUNT       swap rule sets under traffic
       packet-agent senders N PACKETS N threads send, every counter is exact
       packet-agent bulk MEGABYTES    one TCP connection, rules that split it add up
       packet-agent steady            traffic through a firewall whose helper may be killed, until the
                                      end of its standard input";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["cases", seed, count] => {
            number(seed).and_then(|seed| all((seed..seed + number(count)?).map(Case::new)))
        }
        ["show", seed] => show(seed),
        ["big", shape, rules] => big(shape, rules),
        ["named", seed] => number(seed).and_then(named_tables::sequence).map(say),
        ["answers", seed, count] => number(seed)
            .and_then(|seed| answers::cases(seed, number(count)?))
            .map(|()| true),
        ["arguments", thin] => number(thin).and_then(arguments::record).map(|()| true),
        ["changed", count] => number(count).and_then(answers::changed).map(|()| true),
        ["ip6", seed, count] => number(seed)
            .and_then(|seed| ip6::traffic::cases(seed, number(count)?))
            .map(|()| true),
        ["hotdrop", count] => number(count).and_then(answers::hotdrop).map(|()| true),
        ["rulesets", files @ ..] => answers::files(files).map(|()| true),
        ["swaps", count] => number(count).and_then(traffic::swaps).map(say),
        ["senders", threads, packets] => number(threads)
            .and_then(|threads| traffic::senders(threads as u16, number(packets)?))
            .map(say),
        ["bulk", megabytes] => number(megabytes).and_then(traffic::bulk).map(say),
        ["steady"] => traffic::steady().map(say),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("packet-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

fn say(what: String) -> bool {
    println!("{what}");
    true
}

fn big(shape: &str, rules: &str) -> io::Result<bool> {
    let shape = Shape::by_name(shape).ok_or_else(|| io::Error::other("which shape?"))?;
    all([Case::big(0, shape, number(rules)? as usize)])
}

/// Whether the evaluator agrees with everything.
fn all(cases: impl IntoIterator<Item = Case>) -> io::Result<bool> {
    let mut namespace = Namespace::enter()?;
    let mut out = io::stdout().lock();
    let mut agrees = true;
    for case in cases {
        let report = run_case(&mut namespace, &case)?;
        writeln!(out, "case {}", case.seed)?;
        for line in &report.lines {
            writeln!(out, "{line}")?;
        }
        for difference in &report.differences {
            agrees = false;
            eprintln!("{difference}");
        }
    }
    Ok(agrees)
}

fn show(seed: &str) -> io::Result<bool> {
    let case = Case::new(number(seed)?);
    println!("{}", case.rules);
    for (number, shot) in case.shots.iter().enumerate() {
        println!("{number} {shot}");
    }
    Ok(true)
}

// SPDX-License-Identifier: GPL-2.0-only
//! Sends packets in a namespace of its own and says what became of them.
//!
//! On ip_tables when started plainly, on bpfilter when started by
//! `bpfilter-run`; what it prints must be the same.

use std::io::{self, Write};
use std::process::ExitCode;

use bpfilter_tests::namespace::Namespace;
use bpfilter_tests::oracle::{Case, run_case};

const USAGE: &str = "\
usage: packet-agent cases SEED COUNT  run COUNT cases, the first made from SEED, and print a line
                                      per packet; differs from the evaluator: exit status 1
       packet-agent show SEED         print the rules and packets of a case";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["cases", seed, count] => match (seed.parse(), count.parse()) {
            (Ok(seed), Ok(count)) => cases(seed, count),
            _ => Err(io::Error::other("numbers, please")),
        },
        ["show", seed] => show(seed),
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

/// Whether the evaluator agrees with everything.
fn cases(seed: u64, count: u64) -> io::Result<bool> {
    let mut namespace = Namespace::enter()?;
    let mut out = io::stdout().lock();
    let mut agrees = true;
    for seed in seed..seed + count {
        let report = run_case(&mut namespace, &Case::new(seed))?;
        writeln!(out, "case {seed}")?;
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
    let case = Case::new(seed.parse().map_err(io::Error::other)?);
    println!("{}", case.rules);
    for (number, shot) in case.shots.iter().enumerate() {
        println!("{number} {shot}");
    }
    Ok(true)
}

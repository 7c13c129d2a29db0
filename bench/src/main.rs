// SPDX-License-Identifier: GPL-2.0-only
//! bpfilter-bench: how fast bpfilter is, beside its peers.
//!
//! Owns: the command line. The way of a run: everything is put on the `stage`
//! (rules from `shapes`, as text by `rules`), goes through the `gate`, is
//! measured in rounds (`measure`, with `traffic`), then come test runs of the
//! programs alone (`testrun`), changes of rules (`update`) and a look at the
//! `helper`, all as `plan` says. `reach` holds the results against the targets,
//! `report` and `plot` write them down.
#![allow(
    clippy::indexing_slicing,
    reason = "a bench that cannot go on must say where it stands"
)]

mod gate;
mod helper;
mod measure;
mod plan;
mod plot;
mod reach;
mod report;
mod rules;
mod shapes;
mod stage;
mod testrun;
mod traffic;
mod update;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use umh_core::abi::Hook;

use crate::plan::Form;
use crate::shapes::Shape;

const HELP: &str = "\
bpfilter-bench [--long DIR | --smallest | --show NAME | --draw PAGE] [--cpu N]

Measures bpfilter on this machine's kernel, side by side with ip_tables,
iptables-nft, nftables and an empty BPF program, each in a network namespace of
its own, and prints tables of the figures and of the targets they are held
against. Progress goes to stderr. Needs root, what `make umh tools` builds, and
iptables, nftables and iproute2.

  --long DIR   all sizes, peers and rounds; writes README.md and plots to DIR
  --smallest   ten rules of each shape, one round: does it work at all?
  --show NAME  only prints a set of 10,000 rules (sources, ports, prefixes,
               ranges, acl, chains, overlaps, wildcards, residual) for iptables-restore
  --draw PAGE  only draws the first table of PAGE, which bench/instructions has
               written: instructions.md becomes instructions.svg beside it
  --cpu N      stay on this CPU (default: the last one)
  --help       this text

The exit status is 1 if anything fails: for one, if bpfilter counts packets in
other rules than ip_tables does. A target that is missed is no failure.
";

/// What was asked for.
enum Invocation {
    Help,
    /// Print a set.
    Show(Shape),
    /// Draw the table of a page.
    Draw(PathBuf),
    /// Serve a bench in another process: nobody types this.
    Serve,
    Bench {
        form: Form,
        folder: Option<PathBuf>,
        cpu: Option<usize>,
    },
}

fn arguments() -> Result<Invocation, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let (mut form, mut folder, mut cpu) = (Form::Short, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("long") => {
                form = Form::Long;
                folder = Some(PathBuf::from(parser.value()?));
            }
            Long("smallest") => form = Form::Smallest,
            Long("show") => {
                let name = parser.value()?.string()?;
                let named = |shape: &Shape| format!("{shape:?}").eq_ignore_ascii_case(&name);
                let shape = Shape::ALL.into_iter().find(named);
                return shape.map(Invocation::Show).ok_or("no such set".into());
            }
            Long("draw") => return Ok(Invocation::Draw(parser.value()?.into())),
            Long("cpu") => cpu = Some(parser.value()?.parse()?),
            Short('h') | Long("help") => return Ok(Invocation::Help),
            Value(word) if word == "serve" => return Ok(Invocation::Serve),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Invocation::Bench { form, folder, cpu })
}

fn main() -> ExitCode {
    match invoked() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bpfilter-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn invoked() -> Result<(), Box<dyn Error>> {
    let (form, folder, cpu) = match arguments()? {
        Invocation::Help => {
            print!("{HELP}");
            return Ok(());
        }
        Invocation::Show(shape) => {
            print!("{}", shape.rules(Hook::Forward, plan::MANY).iptables());
            return Ok(());
        }
        Invocation::Draw(page) => return plot::instructions(&page),
        Invocation::Serve => return Ok(bpfilter_tests::client::wire::serve()?),
        Invocation::Bench { form, folder, cpu } => (form, folder, cpu),
    };
    let last = bpfilter_tests::programs::cpus() as usize - 1;
    measure::pin(cpu.unwrap_or(last))?;
    let results = plan::run(form)?;
    let machine = report::machine();
    let tables = results.tables(form);
    println!("{machine}\n\n{tables}");
    if form != Form::Smallest {
        println!("### Targets\n\n{}", results.targets());
    }
    for line in &results.gate {
        println!("equal: {line}");
    }
    println!(
        "{} rounds in {:.0} s; every counter of {} rule sets as ip_tables has it",
        results.rounds,
        results.took.as_secs_f64(),
        results.gate.len()
    );
    if let Some(folder) = folder {
        fs::create_dir_all(&folder)?;
        let page = report::page(&results, form, &machine);
        fs::write(folder.join("README.md"), page)?;
        plot::write(&results, &folder)?;
    }
    Ok(())
}

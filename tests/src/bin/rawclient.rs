// SPDX-License-Identifier: GPL-2.0-only
//! The client of the raw socket options, for tests and for shell scripts in
//! the VM (built statically for its initramfs).
//!
//! `rawclient` without arguments prints what it can be asked.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a wrong command line may end a test client"
)]

use std::io;
use std::process::ExitCode;

use bpfilter_tests::client::sockopt::{
    Call, Hex, Outcome, Place, Prepared, errno_name, errno_of_name,
};
use bpfilter_tests::{client::sockopt, client::wire, replace_checks};
use umh_core::abi::FILTER;

const USAGE: &str = "\
usage: rawclient info [TABLE]               GET_INFO, printed field by field
       rawclient entries [TABLE]            GET_INFO and GET_ENTRIES, printed in hex
       rawclient revision match|target NAME REVISION
       rawclient loop COUNT                 COUNT times GET_INFO: all must succeed and say the
                                            same; prints the nanoseconds per call
       rawclient expect ERRNO get|set OPTION LEN [PLACE] [NAME]
                                            one call must end with ERRNO (a name, or 0); the
                                            memory holds NAME (default filter), then zeros;
                                            PLACE: mapped, guarded, readonly, null, kernel
       rawclient rules                      asks this kernel's ip_tables each rule of REPLACE in a
                                            new network namespace, and says where it differs
       rawclient replay FILE                makes the calls that a failed test saved in FILE
       rawclient serve                      serves a test over standard input and output, in a
                                            network namespace of its own
A call that fails ends with exit status 1 and `errno NAME` on standard error.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["info"] => info(FILTER.name),
        ["info", table] => info(table),
        ["entries"] => entries(FILTER.name),
        ["entries", table] => entries(table),
        ["revision", kind, name, revision] => revision_of(kind, name, revision),
        ["loop", count] => repeat(count),
        ["expect", errno, direction, option, len, rest @ ..] => {
            expect(errno, direction, option, len, rest)
        }
        ["rules"] => rules(),
        ["replay", file] => replay(file),
        ["serve"] => wire::serve(),
        ["hammer"] => wire::hammer(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rawclient: {error}");
            ExitCode::FAILURE
        }
    }
}

fn named(table: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; size];
    for (to, from) in bytes.iter_mut().zip(table.bytes()) {
        *to = from;
    }
    bytes
}

fn made(call: &Call) -> io::Result<Outcome> {
    let outcome = Prepared::new(call)?.outcome();
    match outcome.ret {
        0 => Ok(outcome),
        _ => Err(io::Error::other(format!(
            "errno {}",
            errno_name(outcome.errno)
        ))),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_ne_bytes)
}

fn info(table: &str) -> io::Result<()> {
    let outcome = made(&Call::get(sockopt::GET_INFO, named(table, 84)))?;
    let bytes = &outcome.bytes;
    let words = |at: usize| (0..5).map(move |i| word(bytes, at + 4 * i));
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    println!("name {}", String::from_utf8_lossy(name));
    println!("valid_hooks {:#x}", word(bytes, 32));
    println!("hook_entry {:x?}", words(36).collect::<Vec<_>>());
    println!("underflow {:x?}", words(56).collect::<Vec<_>>());
    println!("num_entries {}", word(bytes, 76));
    println!("size {}", word(bytes, 80));
    Ok(())
}

fn entries(table: &str) -> io::Result<()> {
    let outcome = made(&Call::get(sockopt::GET_INFO, named(table, 84)))?;
    let size = word(&outcome.bytes, 80);
    let mut bytes = named(table, 40 + size as usize);
    bytes[32..36].copy_from_slice(&size.to_ne_bytes());
    let outcome = made(&Call::get(sockopt::GET_ENTRIES, bytes))?;
    println!("{}", Hex(&outcome.bytes[40..]));
    Ok(())
}

fn revision_of(kind: &str, name: &str, revision: &str) -> io::Result<()> {
    let option = match kind {
        "match" => sockopt::GET_REVISION_MATCH,
        "target" => sockopt::GET_REVISION_TARGET,
        _ => return Err(io::Error::other("match or target?")),
    };
    let mut bytes = named(name, 30);
    bytes[29] = revision.parse().map_err(io::Error::other)?;
    made(&Call::get(option, bytes)).map(drop)
}

fn repeat(count: &str) -> io::Result<()> {
    let count: u32 = count.parse().map_err(io::Error::other)?;
    let call = Call::get(sockopt::GET_INFO, named(FILTER.name, 84));
    let first = made(&call)?;
    // One socket and one buffer: what is timed is the call.
    let prepared = Prepared::new(&call)?;
    let start = std::time::Instant::now();
    for _ in 0..count {
        let (ret, errno, _) = prepared.make();
        if ret != 0 {
            return Err(io::Error::other(format!("errno {}", errno_name(errno))));
        }
        if prepared.optval.bytes() != first.bytes {
            return Err(io::Error::other("a different answer"));
        }
    }
    let nanos = start.elapsed().as_nanos();
    println!(
        "{count} calls, {} ns per call",
        nanos / u128::from(count.max(1))
    );
    Ok(())
}

fn expect(errno: &str, direction: &str, option: &str, len: &str, rest: &[&str]) -> io::Result<()> {
    let expected = errno_of_name(errno).ok_or_else(|| io::Error::other("which errno?"))?;
    let option = option.parse().map_err(io::Error::other)?;
    let len: u32 = len.parse().map_err(io::Error::other)?;
    let place = match rest.first().copied().unwrap_or("mapped") {
        "mapped" => Place::Mapped,
        "guarded" => Place::Guarded,
        "readonly" => Place::ReadOnly,
        "null" => Place::Address(0),
        "kernel" => Place::Address(0xffff_ffff_8100_0000),
        _ => return Err(io::Error::other("which place?")),
    };
    let table = rest.get(1).copied().unwrap_or(FILTER.name);
    // Lengths beyond any table only go over the call, not into memory.
    let bytes = named(table, len.min(1 << 20) as usize);
    let call = match direction {
        "get" => Call::get(option, bytes),
        "set" => Call::set(option, bytes),
        _ => return Err(io::Error::other("get or set?")),
    };
    let outcome = Prepared::new(&call.len(len).at(place))?.outcome();
    if outcome.errno == expected && outcome.ret == if expected == 0 { 0 } else { -1 } {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "expected errno {}, got ret {} errno {}",
        errno_name(expected),
        outcome.ret,
        errno_name(outcome.errno)
    )))
}

fn rules() -> io::Result<()> {
    // SAFETY: no pointers; moves this process, which has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut failed = replace_checks::ask_core();
    failed.extend(replace_checks::ask_kernel(|call| {
        Prepared::new(call).expect("memory for a call").outcome()
    }));
    if failed.is_empty() {
        println!(
            "{} requests, as they must be",
            replace_checks::requests().len()
        );
        return Ok(());
    }
    Err(io::Error::other(failed.join("\n")))
}

fn replay(file: &str) -> io::Result<()> {
    let mut from = io::BufReader::new(std::fs::File::open(file)?);
    while let Some(call) = wire::receive::<Call>(&mut from)? {
        let what = format!(
            "{} {} len {}",
            if call.set { "set" } else { "get" },
            call.option,
            call.len
        );
        println!("{what}: {:?}", Prepared::new(&call)?.outcome());
    }
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! boot-rules from the outside: what it writes, what it refuses, what it says. That
//! a kernel takes what is written, and shows it as the file has it, is for tests/vm.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use bpfilter_msgfmt::{BOOT_MAGIC, BootRules, BootTable, TABLE_FILTER, TABLE_NAT};
use zerocopy::FromBytes;

const FAMILY_IPV4: u32 = 2;
/// Bytes of `struct ipt_replace`, of a policy among the entries, and of the last entry.
const REPLACE: usize = 96;
const POLICY: usize = 152;
const LAST: usize = 176;

/// A folder that goes when the test ends.
struct Work(PathBuf);

impl Work {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("boot-rules-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Runs it on these rules.
    fn make(&self, rules: &str) -> Output {
        fs::write(self.0.join("rules"), rules).unwrap();
        boot_rules(&["-4", "rules", "-o", "blob"], self)
    }

    fn blob(&self) -> Option<Vec<u8>> {
        fs::read(self.0.join("blob")).ok()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn boot_rules(arguments: &[&str], work: &Work) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boot-rules"))
        .args(arguments)
        .current_dir(&work.0)
        .output()
        .unwrap()
}

fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The tables of boot rules, all of which there must be.
fn tables(blob: &[u8]) -> Vec<(BootTable, &[u8])> {
    let (header, mut rest) = BootRules::read_from_prefix(blob).unwrap();
    assert_eq!(header.magic, BOOT_MAGIC);
    assert_eq!(header.size, blob.len() as u64);
    let mut tables = Vec::new();
    for _ in 0..header.tables {
        let (table, behind) = BootTable::read_from_prefix(rest).unwrap();
        let len = table.len as usize;
        let padded = len.next_multiple_of(8);
        assert!(behind[len..padded].iter().all(|&byte| byte == 0));
        tables.push((table, &behind[..len]));
        rest = &behind[padded..];
    }
    assert!(rest.is_empty());
    tables
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn what_is_written_is_what_the_kernel_would_get() {
    let work = Work::new();
    let rules = "*nat\nCOMMIT\n*filter\n:INPUT DROP [3:4]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n";
    let output = work.make(rules);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
    let blob = work.blob().unwrap();
    let tables = tables(&blob);
    let [(nat, nat_bytes), (filter, bytes)] = tables[..] else {
        unreachable!("{} tables", tables.len())
    };
    assert_eq!((nat.family, nat.table), (FAMILY_IPV4, TABLE_NAT));
    assert_eq!(nat_bytes.len(), REPLACE + 4 * POLICY + LAST);
    assert_eq!((filter.family, filter.table), (FAMILY_IPV4, TABLE_FILTER));
    assert!(bytes.starts_with(b"filter\0"));
    // A rule is as long as a policy.
    assert_eq!(bytes.len(), REPLACE + 4 * POLICY + LAST);
    assert_eq!(number(bytes, 36), 5, "entries");
    assert_eq!(number(bytes, 40) as usize, bytes.len() - REPLACE, "size");
    assert_eq!(number(bytes, 84), 4, "entries before");
    assert_eq!(bytes[88..96], [0; 8], "where counters go");
    assert_eq!(&bytes[REPLACE + 16..][..3], b"lo\0", "incoming device");
    // Of the rule and of INPUT's policy.
    assert_eq!(number(bytes, REPLACE + 144) as i32, -2, "ACCEPT");
    assert_eq!(number(bytes, REPLACE + POLICY + 144) as i32, -1, "DROP");

    // The same rules are the same bytes, wherever and whenever.
    let again = Work::new();
    again.make(rules);
    assert_eq!(again.blob().unwrap(), blob);
}

#[test]
fn a_table_counts_as_it_was_sent_last() {
    let work = Work::new();
    let output = work.make("*filter\n-A INPUT -j DROP\nCOMMIT\n*filter\nCOMMIT\n");
    assert!(output.status.success(), "{}", said(&output));
    let blob = work.blob().unwrap();
    let tables = tables(&blob);
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].1.len(), REPLACE + 3 * POLICY + LAST);
}

#[test]
fn what_only_the_kernel_knows_is_named() {
    let work = Work::new();
    let output = work.make(
        "*nat\n-A POSTROUTING -m addrtype --src-type LOCAL -j MASQUERADE\n\
         -A POSTROUTING -p udp -m udp --dport 9 -j MASQUERADE\nCOMMIT\n",
    );
    assert!(output.status.success(), "{}", said(&output));
    let line = said(&output);
    assert!(line.ends_with(": MASQUERADE, addrtype\n"), "{line}");
}

#[test]
fn what_the_helper_has_a_program_for_is_not_named() {
    let work = Work::new();
    let output = work.make(
        "*filter\n-A INPUT -p tcp -m tcpmss --mss 1:9 -j DROP\n\
         -A INPUT -p tcp -m ecn --ecn-tcp-cwr -j DROP\nCOMMIT\n",
    );
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
}

/// Refused rules, and what is said of them.
fn refused(rules: &str, wanted: &[&str]) {
    let work = Work::new();
    let output = work.make(rules);
    assert_eq!(output.status.code(), Some(1), "{rules}");
    for wanted in wanted {
        let line = said(&output);
        assert!(line.contains(wanted), "'{wanted}' is not in: {line}");
    }
    assert_eq!(work.blob(), None);
}

#[test]
fn the_line_at_fault_is_named() {
    // By iptables-restore.
    refused(
        "*filter\n-A INPUT -j ACCEPT\n-A INPUT -m nosuch -j DROP\nCOMMIT\n",
        &["rules: ", "nosuch", "line: 3"],
    );
    refused("*filter\n-A NOSUCH -j DROP\nCOMMIT\n", &["line 2"]);
    // By the kernel: a match of ports without the protocol.
    refused(
        "# ..\n*filter\n-A INPUT -j ACCEPT\n-A INPUT -m tcp --dport 9\n-A INPUT -j DROP\nCOMMIT\n",
        &["rules:4: Invalid argument", "-A INPUT -m tcp --dport 9"],
    );
    // Matches that a kernel with them checks itself.
    refused(
        "*filter\n-A INPUT -p udp -m ecn --ecn-tcp-cwr -j DROP\nCOMMIT\n",
        &["rules:2: Invalid argument"],
    );
    // A loop, which the last of its rules makes; with counters before it.
    refused(
        "*filter\n:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -j b\n\
         [1:2] -A b -j a\n-A INPUT -j DROP\nCOMMIT\n",
        &["rules:6: Too many levels"],
    );
    // What iptables-restore asks another kernel than the one that boots.
    refused(
        "*filter\n-A INPUT -j ACCEPT\n-A INPUT -m set --match-set one src -j DROP\nCOMMIT\n",
        &["rules:3: ", "set"],
    );
}

#[test]
fn tables_that_are_none() {
    refused("", &["there is no table"]);
    refused("*nosuch\nCOMMIT\n", &["nosuch"]);
}

#[test]
fn statuses_of_a_unix_tool() {
    let work = Work::new();
    let help = boot_rules(&["--help"], &work);
    assert!(help.status.success());
    assert!(
        help.stdout
            .starts_with(b"boot-rules [-4 FILE] [-6 FILE] -o BLOB")
    );
    for wrong in [
        &["-4", "rules"][..],
        &["-o", "blob"],
        &["-4"],
        &["--nosuch"],
        &["rules"],
    ] {
        let output = boot_rules(wrong, &work);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(said(&output).contains("--help"), "{}", said(&output));
    }
    let output = boot_rules(&["-4", "nosuch", "-o", "blob"], &work);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("nosuch"), "{}", said(&output));
    // A program that does not ask.
    fs::write(work.0.join("rules"), "*filter\nCOMMIT\n").unwrap();
    let output = boot_rules(
        &["-4", "rules", "-o", "blob", "--iptables-restore", "true"],
        &work,
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("legacy"), "{}", said(&output));
}

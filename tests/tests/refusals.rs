// SPDX-License-Identifier: GPL-2.0-only
//! What people are told of a table that is refused.
#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use bpfilter_msgfmt::REFUSAL_MAX;
use bpfilter_tests::blob::{self, Extension, Rule, Target};
use bpfilter_tests::replace_checks;
use umh_core::abi::Family;
use umh_core::arena::Arena;
use umh_core::errno::Errno;
use umh_core::ir::named::NamedTables;
use umh_core::table::{Asked, Table};
use umh_core::target::{Features, Host};

/// What is wrong with a request, and the line that says so.
const EXPECTED: &[(&str, &str)] = &[
    (
        "an entry that is not aligned",
        "rule 1 of chain chain: its size is wrong, or it does not begin where an entry can",
    ),
    (
        "an unknown flag",
        "rule 1 of chain INPUT: flags that there are not",
    ),
    (
        "a target inside the head",
        "rule 2 of chain INPUT: its target does not lie inside of it",
    ),
    (
        "fewer entries than said",
        "there are not as many entries as the table says",
    ),
    (
        "verdict 0",
        "rule 2 of chain INPUT: its verdict is none that there is",
    ),
    (
        "an ERROR target that is too large",
        "rule 2 of chain OUTPUT: its ERROR target has another size, or a name without an end",
    ),
    (
        "a match smaller than its head",
        "rule 1 of chain INPUT: its matches do not end where its target begins",
    ),
    (
        "a policy that asks something",
        "policy of chain FORWARD: a policy must be ACCEPT or DROP, for all packets",
    ),
    (
        "a hook that starts at no entry",
        "the hooks are not the table's, or have no chain or policy, or another order",
    ),
    (
        "a chain that calls itself",
        "rule 1 of chain chain: packets get here from here, and would never leave",
    ),
    (
        "a jump into the middle of an entry",
        "rule 1 of chain INPUT: jumps to where no rule begins",
    ),
    (
        "a chain that runs off the table",
        "rule 3 of chain chain: packets would run off the end of the table",
    ),
    (
        "a match whose name has no end",
        "rule 1 of chain INPUT: match 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxx' revision 0: its name has no end",
    ),
    (
        "a target that nobody knows",
        "rule 2 of chain INPUT: target 'NOBODY' revision 0: no program does it: it needs the \
         module bpfilter, see bpfilter(7)",
    ),
    (
        "a revision that no family has got",
        "rule 1 of chain chain: match 'comment' revision 1: this kernel has other revisions of it",
    ),
    (
        "mac in OUTPUT",
        "rule 1 of chain OUTPUT: match 'mac' revision 0: not for packets of this chain's hooks",
    ),
    (
        "tcpmss without tcp",
        "rule 1 of chain INPUT: match 'tcpmss' revision 0: the rule must be of its protocol (-p)",
    ),
    (
        "dscp of seven bits",
        "rule 1 of chain INPUT: match 'dscp' revision 0: does not take its options or this place, \
         errno 33",
    ),
    (
        "REJECT, a reset for all",
        "rule 1 of chain INPUT: target 'REJECT' revision 0: no program does it: it needs the \
         module bpfilter, see bpfilter(7)",
    ),
];

#[test]
fn the_rule_and_what_is_wrong_with_it() {
    let told = replace_checks::told();
    for (what, expected) in EXPECTED {
        let lines = told.iter().filter(|(of, _)| of == what);
        let lines: Vec<_> = lines.map(|(_, line)| line.as_str()).collect();
        assert!(lines.contains(expected), "{what}: {lines:?}");
    }
}

#[test]
fn every_refusal_is_one_line() {
    let told = replace_checks::told();
    assert!(told.len() > 200, "{} refusals", told.len());
    for (what, line) in told {
        let printable = line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        assert!(printable, "{what}: {line:?}");
        assert!((1..=REFUSAL_MAX).contains(&line.len()), "{what}: {line:?}");
    }
}

/// The line for the last one of these rules, which are in FORWARD behind a chain of a
/// user's, where a kernel half gives this answer about what it is asked for.
fn told(family: Family, answer: Errno, last: Rule) -> String {
    let mut rules: Vec<_> = (0..16).map(|_| Rule::any(Target::Next)).collect();
    rules.push(last);
    let mut table = blob::Table::default();
    table.builtin[1] = rules;
    let blob = table.blob();
    let mut entries = blob.entries.clone();
    let mut work = vec![0; 4096];
    let refusal = Table::check(
        &Asked {
            family,
            header: &blob.header,
            current_entries: blob.header.num_counters,
        },
        &Host {
            features: Features::of_reads(u64::MAX).expect("all that there is to read"),
            hz: 250,
        },
        &mut entries,
        &mut Arena::new(&mut work),
        NamedTables::default(),
        &mut |_, _| Err(answer),
    );
    let refusal = refusal.expect_err("a table that is refused");
    String::from_utf8_lossy(refusal.line(family).as_bytes()).into_owned()
}

#[test]
fn what_the_kernel_half_has_not_got() {
    let line = |answer, name| {
        let target = Target::Extension(Extension::new(name, 2, [0; 8]));
        told(Family::Ipv4, answer, Rule::any(target))
    };
    for (name, option) in [
        ("NFLOG", " (CONFIG_NETFILTER_XT_TARGET_NFLOG)"),
        ("REJECT", " (CONFIG_IP_NF_TARGET_REJECT)"),
        ("SNAT", " (CONFIG_NETFILTER_XT_NAT)"),
        ("TRACE", " (CONFIG_NETFILTER_XT_TARGET_TRACE)"),
        ("NOBODYS", ""),
    ] {
        assert_eq!(
            line(Errno::ENOPROTOOPT, name),
            format!(
                "rule 17 of chain FORWARD: target '{name}' revision 2: not in this kernel{option}"
            )
        );
    }
    assert_eq!(
        line(Errno::EPROTOTYPE, "NFLOG"),
        "rule 17 of chain FORWARD: target 'NFLOG' revision 2: this kernel has other revisions of it"
    );
    assert_eq!(
        line(Errno::ENOENT, "SET"),
        "rule 17 of chain FORWARD: target 'SET' revision 2: what its options name is not there, \
         such as a set or a label, errno 2"
    );
    assert_eq!(
        line(Errno::EDOM, "NFLOG"),
        "rule 17 of chain FORWARD: target 'NFLOG' revision 2: does not take its options or this \
         place, errno 33"
    );
    let mut bpf = Rule::any(Target::Next);
    bpf.matches.push(Extension::new("bpf", 1, [0; 8]));
    assert_eq!(
        told(Family::Ipv4, Errno::ENOPROTOOPT, bpf),
        "rule 17 of chain FORWARD: match 'bpf' revision 1: not done by bpfilter, or not in this \
         kernel: see docs/differences.md (CONFIG_NETFILTER_XT_MATCH_BPF)"
    );
}

#[test]
fn a_name_makes_no_line_of_its_own() {
    let target = Target::Extension(Extension::new("A\nbpfilter: '\x1b", 0, [0; 8]));
    assert_eq!(
        told(Family::Ipv4, Errno::ENOPROTOOPT, Rule::any(target)),
        "rule 17 of chain FORWARD: target 'A?bpfilter: ??' revision 0: not in this kernel"
    );
}

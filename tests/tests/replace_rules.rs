// SPDX-License-Identifier: GPL-2.0-only
//! Each rule of REPLACE, and the errno for breaking it: what the core says,
//! and what the ip_tables of the kernel that runs the test says; and for which
//! rules the core asks the kernel half.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::blob::{self, Extension, Rule, Target};
use bpfilter_tests::client::side::Side;
use bpfilter_tests::client::sockopt::{GET_REVISION_MATCH, GET_REVISION_TARGET, errno_name};
use bpfilter_tests::replace_checks;
use umh_core::abi::{ExtensionKind, Family};
use umh_core::arena::Arena;
use umh_core::errno::Errno;
use umh_core::extension::registry;
use umh_core::ir::named::NamedTables;
use umh_core::table::{Asked, Table};
use umh_core::target::{Features, Host};

const RAWCLIENT: &str = env!("CARGO_BIN_EXE_rawclient");

const HOST: Host = Host {
    features: Features::LINKS,
    hz: 250,
};

#[test]
fn the_core_keeps_the_rules() {
    assert_eq!(replace_checks::ask_core(), [""; 0]);
}

#[test]
fn the_kernel_has_the_same_rules() {
    let mut kernel = Side::kernel(RAWCLIENT);
    assert_eq!(
        replace_checks::ask_kernel(|call| kernel.call(call)),
        [""; 0]
    );
}

#[test]
fn revisions_are_those_of_the_kernel() {
    let mut kernel = Side::kernel(RAWCLIENT);
    let matches = [
        "",
        "ERROR",
        "standard",
        "nobody",
        "comment",
        "conntrack",
        "dscp",
        "icmp",
        "iprange",
        "length",
        "limit",
        "mac",
        "mark",
        "multiport",
        "owner",
        "pkttype",
        "state",
        "tcp",
        "tos",
        "ttl",
        "udp",
        "ah",
        "connbytes",
        "connmark",
        "cpu",
        "dccp",
        "devgroup",
        "ecn",
        "esp",
        "helper",
        "quota",
        "realm",
        "sctp",
        "statistic",
        "tcpmss",
        "time",
        "u32",
    ];
    let targets = ["", "ERROR", "standard", "NOBODY", "tcp"];
    let asked = matches
        .map(|name| (ExtensionKind::Match, GET_REVISION_MATCH, name))
        .into_iter()
        .chain(targets.map(|name| (ExtensionKind::Target, GET_REVISION_TARGET, name)));
    for (kind, option, name) in asked {
        for revision in [0, 1, 2, 3, 4, 255] {
            let says = kernel
                .call(&blob::get_revision(option, name, revision))
                .errno;
            let core =
                registry::check_revision(&HOST, Family::Ipv4, kind, &blob::padded(name), revision);
            let core = core.map_or_else(Errno::number, |()| 0);
            assert_eq!(
                errno_name(core),
                errno_name(says),
                "{kind:?} {name:?} revision {revision}"
            );
        }
    }
}

#[test]
fn a_full_name_field_ends_where_the_kernel_ends_it() {
    // GET_REVISION puts a NUL into the last byte; a rule must bring its own.
    let mut kernel = Side::kernel(RAWCLIENT);
    let mut call = blob::get_revision(GET_REVISION_MATCH, "tcp", 0);
    call.bytes[4..29].fill(b'x');
    assert_eq!(kernel.call(&call).errno, 0, "garbage after the NUL");
    let name: [u8; 29] = call.bytes[..29].try_into().expect("29 bytes");
    assert_eq!(
        registry::check_revision(&HOST, Family::Ipv4, ExtensionKind::Match, &name, 0),
        Ok(())
    );
    call.bytes[..29].fill(b'x');
    assert_eq!(kernel.call(&call).errno, Errno::ENOENT.number());
    let none = registry::check_revision(&HOST, Family::Ipv4, ExtensionKind::Match, &[b'x'; 29], 0);
    assert_eq!(none, Err(Errno::ENOENT));
}

/// Checks a rule of one match, and counts how often the kernel half, which gives
/// that answer, is asked.
fn ask(
    features: Features,
    answer: Result<u32, Errno>,
    proto: u16,
    matching: &Extension,
) -> (Result<(), Errno>, usize) {
    let mut rule = Rule::any(Target::Next);
    rule.ip.proto = proto;
    rule.matches.push(matching.clone());
    let mut table = blob::Table::default();
    table.builtin[0].push(rule);
    let blob = table.blob();
    let mut entries = blob.entries.clone();
    let mut work = vec![0; 4096];
    let mut asked = 0;
    let checked = Table::check(
        &Asked {
            family: Family::Ipv4,
            header: &blob.header,
            current_entries: blob.header.num_counters,
        },
        &Host { features, hz: 250 },
        &mut entries,
        &mut Arena::new(&mut work),
        NamedTables::default(),
        &mut |_, _| {
            asked += 1;
            answer
        },
    );
    (checked.map(drop).map_err(Errno::from), asked)
}

/// What a rule asks for decides whether x_tables' own extension is taken, where
/// there is a kernel half: what the core cannot do is left to that.
#[test]
fn data_decides_who_does_it() {
    let with = |name: &str, size: usize, bytes: &[(usize, u8)]| {
        let mut data = vec![0; size];
        for (at, byte) in bytes {
            data[*at] = *byte;
        }
        Extension::new(name, u8::from(name == "conntrack"), data)
    };
    let (flags, inverted) = (146, 148);
    let kernel_half = Features::of_reads(u64::MAX).expect("all that there is to read");
    let unknown = Err(Errno::ENOPROTOOPT);
    for (matching, proto) in [
        (with("conntrack", 152, &[]), 0),
        (with("conntrack", 152, &[(flags, 0x01), (150, 2)]), 0),
        (
            with("conntrack", 152, &[(flags + 1, 0x10), (inverted + 1, 0x10)]),
            0,
        ),
        (with("conntrack", 152, &[(flags, 1), (flags + 1, 0x10)]), 0),
        (with("sctp", 292, &[(284, 3)]), 132),
        (with("dccp", 16, &[(8, 7)]), 33),
        (with("time", 24, &[(21, 0)]), 0),
    ] {
        for features in [kernel_half, Features::LINKS] {
            let done = ask(features, unknown, proto, &matching);
            assert_eq!(done, (Ok(()), 0), "{matching:?}");
        }
    }
    for (matching, proto, by_links) in [
        (with("conntrack", 152, &[(flags, 0x40)]), 0, Ok(())),
        (with("conntrack", 152, &[(flags, 0x03)]), 0, Ok(())),
        (with("conntrack", 152, &[(flags + 1, 0x08)]), 0, Ok(())),
        (
            with("sctp", 292, &[(284, 4), (264, 1)]),
            132,
            Err(Errno::ENOENT),
        ),
        (with("dccp", 16, &[(8, 8)]), 33, Err(Errno::ENOENT)),
    ] {
        let known = ask(kernel_half, Ok(7), proto, &matching);
        assert_eq!(known, (Ok(()), 1), "{matching:?}");
        let nowhere = ask(kernel_half, unknown, proto, &matching);
        assert_eq!(nowhere, (Err(Errno::ENOENT), 1), "{matching:?}");
        let done = ask(Features::LINKS, unknown, proto, &matching);
        assert_eq!(done, (by_links, 0), "{matching:?}");
    }
    // The kernel's time zone comes with the packet.
    let local = with("time", 24, &[(21, 1)]);
    assert_eq!(ask(kernel_half, unknown, 0, &local), (Ok(()), 0));
    let refused = ask(Features::LINKS, unknown, 0, &local);
    assert_eq!(refused, (Err(Errno::ENOENT), 0));
    // And a kernel half without connections leaves all of it to x_tables.
    let poor = Features(kernel_half.0 & !Features::CONNTRACK.0);
    let state = with("state", 4, &[(0, 2)]);
    assert_eq!(ask(poor, Ok(7), 0, &state), (Ok(()), 1));
    assert_eq!(ask(poor, unknown, 0, &state), (Err(Errno::ENOENT), 1));
}

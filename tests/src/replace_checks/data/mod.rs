// SPDX-License-Identifier: GPL-2.0-only
//! The third pass: what matches and targets say of their data.
//!
//! Owns: sizes, protocols and hooks, which `xt_check_match` and
//! `xt_check_target` check for all of them, and the `checkentry` of each. The
//! longer lists have files of their own.

pub mod hashlimit;
mod matches;
mod recent;
mod targets;

use libc::{EDOM, EINVAL, ERANGE};
use umh_core::abi::IPT_INV_PROTO;

use super::Requests;
use super::base::{INVFLAGS, entry, tcp, tcp_match};
use crate::blob::{Chain, Extension, Table, Target};

const TCP: u16 = 6;

/// All of them.
pub(super) fn add(requests: &mut Requests) {
    transport(requests);
    multiport(requests);
    limit(requests);
    recent::add(requests);
    hashlimit::add(requests);
    headers(requests);
    matches::add(requests);
    owner(requests);
    addrtype(requests);
    any_data(requests);
    targets::add(requests);
    unreached(requests);
}

fn of(name: &str, revision: u8, data: &[u8]) -> Extension {
    Extension::new(name, revision, data)
}

/// Sizes of data; tcp, udp and icmp.
fn transport(requests: &mut Requests) {
    requests.changed(EINVAL, "a standard target of another size", |b| {
        b.target(entry::DROP, 0, &32u16.to_ne_bytes());
    });
    requests.input(EINVAL, "too much data", TCP, of("tcp", 0, &[0; 24]));
    requests.input(EINVAL, "too little data", TCP, of("tcp", 0, &[0; 8]));
    requests.input(EINVAL, "no data", TCP, of("tcp", 0, &[]));
    requests.input(EINVAL, "tcp without -p", 0, tcp_match(0));
    requests.input(EINVAL, "tcp with -p udp", 17, tcp_match(0));
    requests.input(EINVAL, "tcp with a protocol past 255", 0x106, tcp_match(0));
    requests.changed(EINVAL, "tcp with ! -p tcp", |b| {
        b.field(entry::TCP, INVFLAGS, &[IPT_INV_PROTO]);
    });
    requests.input(0, "tcp, everything inverted", TCP, tcp_match(0x0f));
    requests.input(EINVAL, "tcp, unknown inversion", TCP, tcp_match(0x10));
    requests.input(EINVAL, "udp, unknown inversion", 17, of("udp", 0, &[4; 10]));
    requests.input(0, "udp, inverted", 17, of("udp", 0, &[3; 10]));
    requests.input(EINVAL, "icmp, unknown inversion", 1, of("icmp", 0, &[2; 4]));
    requests.input(0, "icmp, inverted", 1, of("icmp", 0, &[1; 4]));
}

/// multiport_mt_check
fn multiport(requests: &mut Requests) {
    // Flags, count, 15 ports, 15 range marks, inversion.
    let multiport = |flags: u8, count: u8, ports: &[u16], marks: &[u8]| {
        let mut data = vec![0; 48];
        (data[0], data[1]) = (flags, count);
        for (i, port) in ports.iter().enumerate() {
            data[2 + 2 * i..4 + 2 * i].copy_from_slice(&port.to_ne_bytes());
        }
        data[32..32 + marks.len()].copy_from_slice(marks);
        Extension::new("multiport", 1, data)
    };
    requests.input(0, "multiport of none", TCP, multiport(2, 0, &[], &[]));
    requests.input(
        EINVAL,
        "multiport without -p",
        0,
        multiport(0, 1, &[1], &[]),
    );
    requests.input(EINVAL, "multiport with icmp", 1, multiport(0, 1, &[1], &[]));
    for proto in [6, 17, 33, 132, 136] {
        requests.input(0, "multiport", proto, multiport(0, 15, &[1], &[]));
    }
    requests.input(
        EINVAL,
        "multiport, what side",
        TCP,
        multiport(3, 1, &[1], &[]),
    );
    requests.input(EINVAL, "16 ports", TCP, multiport(0, 16, &[1], &[]));
    requests.input(0, "a range", TCP, multiport(0, 2, &[1, 2], &[1]));
    requests.input(0, "a range of one", TCP, multiport(0, 2, &[2, 2], &[9]));
    requests.input(EINVAL, "an open range", TCP, multiport(0, 1, &[1, 2], &[1]));
    requests.input(
        EINVAL,
        "a range upside down",
        TCP,
        multiport(0, 2, &[2, 1], &[1]),
    );
    requests.input(
        EINVAL,
        "a range in a range",
        TCP,
        multiport(0, 3, &[1, 2, 3], &[1, 1]),
    );
    requests.input(
        0,
        "a mark past the count",
        TCP,
        multiport(0, 1, &[1, 2], &[0, 1]),
    );
    let mut blob = {
        let mut table = Table::default();
        let mut rule = tcp();
        rule.matches = vec![multiport(0, 1, &[1], &[])];
        rule.target = Target::Next;
        table.builtin[0].push(rule);
        table.blob()
    };
    blob.field(0, INVFLAGS, &[IPT_INV_PROTO]);
    requests.push(EINVAL, "multiport with ! -p", blob, 0);
}

/// limit_mt_check
fn limit(requests: &mut Requests) {
    let limit = |average: u32, burst: u32, cost: u32| {
        let mut data = vec![0; 40];
        data[0..4].copy_from_slice(&average.to_ne_bytes());
        data[4..8].copy_from_slice(&burst.to_ne_bytes());
        data[24..28].copy_from_slice(&cost.to_ne_bytes());
        Extension::new("limit", 0, data)
    };
    requests.input(0, "limit", 0, limit(10_000, 5, 0));
    requests.input(0, "limit of nothing", 0, limit(0, 1, 0));
    requests.input(
        0,
        "limit with a cost of the caller's",
        0,
        limit(10_000, 5, 7),
    );
    requests.input(ERANGE, "limit without a burst", 0, limit(10_000, 0, 0));
    requests.input(ERANGE, "limit that overflows", 0, limit(0x8000_0000, 2, 0));
    requests.input(0, "limit that divides first", 0, limit(864_000_000, 1, 0));
    requests.input(ERANGE, "limit past a day", 0, limit(864_000_000, 5, 0));
}

/// ttl, dscp and mac.
fn headers(requests: &mut Requests) {
    requests.input(0, "ttl", 0, of("ttl", 0, &[3, 0]));
    requests.input(EINVAL, "ttl, how", 0, of("ttl", 0, &[4, 0]));
    // 6.12.117 checks it, 6.18.44 does not.
    requests.optional();
    requests.input(0, "dscp", 0, of("dscp", 0, &[63, 9]));
    requests.input(EDOM, "dscp of seven bits", 0, of("dscp", 0, &[64, 0]));
    requests.matching(0, "mac in FORWARD", 1, 0, of("mac", 0, &[0; 12]));
    requests.matching(EINVAL, "mac in OUTPUT", 2, 0, of("mac", 0, &[0; 12]));
}

/// `struct xt_owner_match_info`
fn owner_data(flags: u8, ids: [u32; 4]) -> Extension {
    let mut data: Vec<u8> = ids.iter().flat_map(|id| id.to_ne_bytes()).collect();
    data.extend_from_slice(&[flags, 0, 0, 0]);
    Extension::new("owner", 1, data)
}

/// owner_check
fn owner(requests: &mut Requests) {
    let last = u32::MAX;
    requests.matching(0, "owner", 2, 0, owner_data(0x0f, [0, 1, 0, 1]));
    requests.matching(EINVAL, "owner in INPUT", 0, 0, owner_data(0, [0; 4]));
    requests.matching(EINVAL, "owner, what", 2, 0, owner_data(0x10, [0; 4]));
    requests.matching(
        EINVAL,
        "owner, users upside down",
        2,
        0,
        owner_data(1, [2, 1, 0, 0]),
    );
    requests.matching(
        EINVAL,
        "owner, groups upside down",
        2,
        0,
        owner_data(2, [0, 0, 2, 1]),
    );
    requests.matching(EINVAL, "owner nobody", 2, 0, owner_data(1, [0, last, 0, 0]));
    requests.matching(
        EINVAL,
        "owner no group",
        2,
        0,
        owner_data(2, [0, 0, last, last]),
    );
    requests.matching(
        0,
        "owner, users not asked for",
        2,
        0,
        owner_data(2, [2, 1, 0, 0]),
    );
}

/// addrtype_mt_checkentry_v1
fn addrtype(requests: &mut Requests) {
    let addrtype = |flags: u32| {
        let mut data = vec![4, 0, 4, 0];
        data.extend_from_slice(&flags.to_ne_bytes());
        Extension::new("addrtype", 1, data)
    };
    requests.matching(0, "addrtype of the incoming", 0, 0, addrtype(4));
    requests.matching(0, "addrtype of the outgoing", 2, 0, addrtype(8));
    requests.matching(0, "addrtype, unknown flags", 1, 0, addrtype(0xf0));
    requests.matching(EINVAL, "addrtype of both", 1, 0, addrtype(12));
    requests.matching(EINVAL, "addrtype, incoming in OUTPUT", 2, 0, addrtype(4));
    requests.matching(EINVAL, "addrtype, outgoing in INPUT", 0, 0, addrtype(8));
    requests.matching(0, "the old addrtype", 0, 0, of("addrtype", 0, &[9; 12]));
}

/// Matches that take any data of the right size.
fn any_data(requests: &mut Requests) {
    for (name, revision, size) in [
        ("conntrack", 1, 152),
        ("conntrack", 2, 156),
        ("conntrack", 3, 164),
        ("state", 0, 4),
        ("iprange", 1, 68),
        ("length", 0, 6),
        ("tos", 1, 3),
        ("pkttype", 0, 8),
        ("mark", 1, 9),
        ("comment", 0, 256),
        ("connmark", 1, 9),
    ] {
        let right = vec![0xa5; size];
        requests.input(0, name, 0, Extension::new(name, revision, right));
        let wrong = vec![0; size + 8];
        requests.input(EINVAL, name, 0, Extension::new(name, revision, wrong));
    }
}

/// A check that asks for the hooks that reach the rule, in one that none does.
fn unreached(requests: &mut Requests) {
    let mut table = Table::default();
    let mut rule = tcp();
    rule.matches = vec![owner_data(0, [0; 4])];
    rule.target = Target::Next;
    table.chains.push(Chain {
        name: "unused".to_owned(),
        rules: vec![rule],
    });
    requests.push(0, "owner that no hook reaches", table.blob(), 0);
}

// SPDX-License-Identifier: GPL-2.0-only
//! Each rule of REPLACE, and the errno for breaking it: what the core says,
//! and what the ip_tables of the kernel that runs the test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::blob;
use bpfilter_tests::client::side::Side;
use bpfilter_tests::client::sockopt::{GET_REVISION_MATCH, GET_REVISION_TARGET, errno_name};
use bpfilter_tests::replace_checks;
use umh_core::abi::ExtensionKind;
use umh_core::errno::Errno;
use umh_core::extension::registry;
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
            let core = registry::check_revision(&HOST, kind, &blob::padded(name), revision);
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
        registry::check_revision(&HOST, ExtensionKind::Match, &name, 0),
        Ok(())
    );
    call.bytes[..29].fill(b'x');
    assert_eq!(kernel.call(&call).errno, Errno::ENOENT.number());
    let none = registry::check_revision(&HOST, ExtensionKind::Match, &[b'x'; 29], 0);
    assert_eq!(none, Err(Errno::ENOENT));
}

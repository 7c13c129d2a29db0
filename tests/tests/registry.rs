// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel's ip_tables knows and bpfilter's core does not: the explicit
//! list behind "exact or refused". Without a kernel half, which calls x_tables'
//! own, a rule that uses one of these is refused with ENOENT; whoever adds one
//! to the registry takes it off the list.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::collections::BTreeSet;

use bpfilter_tests::blob::{get_revision, padded};
use bpfilter_tests::client::side::Side;
use bpfilter_tests::client::sockopt::{GET_REVISION_MATCH, GET_REVISION_TARGET};
use bpfilter_tests::oracle::judge;
use umh_core::abi::ExtensionKind;

/// Matches by name and revision.
const NO_SUCH_MATCH: &str = "\
addrtype.0 addrtype.1 bpf.0 bpf.1 cgroup.0 cgroup.1 cgroup.2 cluster.0
connlabel.0 connlimit.1
ipcomp.0 l2tp.0 nfacct.0
nfacct.1 osf.0 physdev.0 policy.0 rateest.0 rpfilter.0 set.0 set.1
set.2 set.3 set.4 socket.0 socket.1 socket.2 socket.3 string.1
udplite.0";

/// Targets by name and revision. Those of other tables than `filter`, which
/// stay with ip_tables, are among them.
const NO_SUCH_TARGET: &str = "\
AUDIT.0 CHECKSUM.0 CLASSIFY.0 CONNMARK.1 CONNMARK.2 CONNSECMARK.0 CT.0 CT.1
CT.2 DNAT.0 DNAT.1 DNAT.2 DSCP.0 ECN.0 HMARK.0 IDLETIMER.0 IDLETIMER.1
LOG.0 MARK.2 MASQUERADE.0 NETMAP.0 NFLOG.0 NFQUEUE.0 NFQUEUE.1 NFQUEUE.2 NFQUEUE.3
NOTRACK.0 RATEEST.0 REDIRECT.0 REJECT.0 SECMARK.0 SECMARK.1 SET.0 SET.1
SET.2 SET.3 SNAT.0 SNAT.1 SNAT.2 SYNPROXY.0 TCPMSS.0 TCPOPTSTRIP.0 TEE.1
TOS.1 TPROXY.0 TPROXY.1 TRACE.0 TTL.0";

/// Every extension of the kernel that bpfilter has not got, as `name.revision`.
/// Fails if bpfilter has one that the kernel has not got.
fn missing(kernel: &mut Side, kind: ExtensionKind, option: i32, file: &str) -> BTreeSet<String> {
    let host = judge::host_of(kernel);
    let listed = kernel.run(&["cat", file], b"").stdout;
    let names: BTreeSet<String> = String::from_utf8_lossy(&listed)
        .lines()
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "{file}");
    let mut missing = BTreeSet::new();
    for name in &names {
        for revision in 0..8 {
            let theirs = kernel.call(&get_revision(option, name, revision)).errno;
            let ours = judge::revision(&host, kind, &padded(name), revision);
            match (theirs, ours) {
                (0, 0) => {}
                (0, _) => {
                    missing.insert(format!("{name}.{revision}"));
                }
                (_, 0) => panic!("{name}.{revision}: the kernel has not got it"),
                _ => {}
            }
        }
    }
    missing
}

fn list(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The kernels that run the tests need not have everything on the list.
fn compare(found: &BTreeSet<String>, listed: &BTreeSet<String>) {
    let unlisted: Vec<_> = found.difference(listed).collect();
    assert!(unlisted.is_empty(), "missing and not listed: {unlisted:?}");
}

#[test]
fn matches_that_only_the_kernel_has() {
    let mut kernel = Side::kernel(env!("CARGO_BIN_EXE_rawclient"));
    let found = missing(
        &mut kernel,
        ExtensionKind::Match,
        GET_REVISION_MATCH,
        "/proc/net/ip_tables_matches",
    );
    compare(&found, &list(NO_SUCH_MATCH));
    none_is_registered(&mut kernel, ExtensionKind::Match, NO_SUCH_MATCH);
}

#[test]
fn targets_that_only_the_kernel_has() {
    let mut kernel = Side::kernel(env!("CARGO_BIN_EXE_rawclient"));
    let found = missing(
        &mut kernel,
        ExtensionKind::Target,
        GET_REVISION_TARGET,
        "/proc/net/ip_tables_targets",
    );
    compare(&found, &list(NO_SUCH_TARGET));
    none_is_registered(&mut kernel, ExtensionKind::Target, NO_SUCH_TARGET);
}

/// What is on the list is not in the registry, whatever the kernel has.
fn none_is_registered(kernel: &mut Side, kind: ExtensionKind, listed: &str) {
    let host = judge::host_of(kernel);
    for entry in list(listed) {
        let (name, revision) = entry.split_once('.').expect("name.revision");
        let revision = revision.parse().expect("a revision");
        assert_ne!(
            judge::revision(&host, kind, &padded(name), revision),
            0,
            "{entry} is registered now: take it off the list"
        );
    }
}

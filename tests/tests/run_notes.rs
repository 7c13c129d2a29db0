// SPDX-License-Identifier: GPL-2.0-only
//! What `bpfilter-run` says on its standard error: of a rule that it refuses, and of
//! calls that go past it.
#![allow(clippy::expect_used, reason = "a test fails by a panic")]

use std::process::Command;

use bpfilter_tests::client::side::run_path;

/// Runs `script` in a network namespace; what `bpfilter-run` has said there, without
/// that it has started its helper, and the script's exit status.
fn said(script: &str) -> (Vec<String>, Option<i32>) {
    let output = Command::new("unshare")
        .arg("-n")
        .arg(run_path())
        .args(["--", "sh", "-c", script])
        .output()
        .expect("unshare");
    let lines = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter_map(|line| line.strip_prefix("bpfilter-run: "))
        .filter(|line| !line.starts_with("Loaded "))
        .map(str::to_owned)
        .collect();
    (lines, output.status.code())
}

fn left(what: &str, to: &str) -> String {
    format!(
        "{what} is left to the kernel's own {to}, if there is one: bpfilter-run has the table \
         'filter' of IPv4 alone, the module bpfilter has all, see bpfilter(7)"
    )
}

/// A rule that only kernel code can do is named, with where that code is.
#[test]
fn refused_rule() {
    for target in ["LOG", "REJECT"] {
        let rules = format!("*filter\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j {target}\nCOMMIT\n");
        let script = format!("printf '%s' '{rules}' | iptables-legacy-restore");
        let line = format!(
            "filter: rule 2 of chain INPUT: target '{target}' revision 0: no program does it: it \
             needs the module bpfilter, see bpfilter(7)"
        );
        assert_eq!(said(&script), (vec![line], Some(1)));
    }
}

/// What the kernel's own tables answer is said once for each.
#[test]
fn left_to_the_kernel() {
    let both = "iptables-legacy -L -n && iptables-legacy -t nat -L -n &&
                iptables-legacy -t nat -A OUTPUT -j ACCEPT && iptables-legacy -t raw -S";
    let tables = ["nat", "raw"].map(|table| left(&format!("table '{table}'"), "ip_tables"));
    assert_eq!(said(both), (tables.to_vec(), Some(0)));
    let ipv6 = "ip6tables-legacy -A INPUT -s 2001:db8::1 -j DROP && ip6tables-legacy -S";
    assert_eq!(said(ipv6), (vec![left("IPv6", "ip6_tables")], Some(0)));
}

/// Rules of iptables-nft are nobody's here, and that is said.
#[test]
fn nothing_came() {
    let line = "no call of iptables has come here: an iptables that is iptables-nft makes none \
                (iptables -V says it), iptables-legacy does";
    let expected = (vec![line.to_owned()], Some(0));
    assert_eq!(said("iptables-nft -A INPUT -s 192.0.2.1 -j DROP"), expected);
    assert_eq!(said("true"), expected);
    assert_eq!(said("iptables-legacy -S"), (vec![], Some(0)));
}

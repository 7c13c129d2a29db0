// SPDX-License-Identifier: GPL-2.0-only
//! The real iptables, the real helper (`make umh`). Needs root.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test file uses a part of `common`")]

mod common;

use common::{helpers, real, shell, text};

const PRISTINE: &str = "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n";

/// Runs the script in a network namespace of its own, and checks that all
/// went well.
#[track_caller]
fn in_namespace(script: &str) -> (String, Vec<i32>) {
    let script = format!("set -e; unshare -n sh -ec '{script}'");
    let output = shell(&real(), &script);
    assert!(output.status.success(), "{output:?}");
    (text(&output.stdout), helpers(&output.stderr))
}

#[test]
fn three_empty_chains() {
    let (output, helpers) = in_namespace("iptables-legacy -S; iptables-legacy -L -n");
    assert!(output.starts_with(PRISTINE), "{output}");
    assert_eq!(output.matches("(policy ACCEPT)").count(), 3, "{output}");
    assert_eq!(helpers.len(), 1);
}

#[test]
fn the_helper_survives_its_death() {
    let (output, helpers) = in_namespace(
        "iptables-legacy -S
         helper=$(pgrep -n bpfilter_umh -P $(ps -o ppid= -p $PPID))
         kill -9 $helper; while [ -d /proc/$helper ]; do sleep 0.01; done
         iptables-legacy -S",
    );
    assert_eq!(output, PRISTINE.repeat(2));
    assert_eq!(helpers.len(), 2);
}

#[test]
fn other_tables_stay_with_the_kernel() {
    let (output, _) = in_namespace(
        "iptables-legacy -t nat -A POSTROUTING -j MASQUERADE
         iptables-legacy -t nat -S POSTROUTING
         iptables-legacy -S",
    );
    let expected = format!("-P POSTROUTING ACCEPT\n-A POSTROUTING -j MASQUERADE\n{PRISTINE}");
    assert_eq!(output, expected);
}

#[test]
fn save_finds_the_table_by_itself() {
    let rules = "iptables-legacy -A INPUT -s 192.0.2.1 -j DROP
         iptables-legacy -t mangle -A INPUT -s 192.0.2.2 -j MARK --set-mark 1";
    let (all, _) = in_namespace(&format!("{rules}; iptables-legacy-save"));
    assert!(all.contains("*filter\n:INPUT ACCEPT [0:0]\n"), "{all}");
    assert!(
        all.contains("\n-A INPUT -s 192.0.2.1/32 -j DROP\n"),
        "{all}"
    );
    assert!(all.contains("*mangle\n"), "{all}");

    // Restored with what it printed, and restored to nothing.
    let (again, _) = in_namespace(&format!(
        "{rules}; iptables-legacy-save >/tmp/saved.$$; iptables-legacy -F
         iptables-legacy-restore </tmp/saved.$$; rm /tmp/saved.$$; iptables-legacy -S INPUT"
    ));
    assert_eq!(again, "-P INPUT ACCEPT\n-A INPUT -s 192.0.2.1/32 -j DROP\n");
}

#[test]
fn unlisted_leaves_the_kernels_tables_alone() {
    let script = "iptables-legacy -A INPUT -s 192.0.2.1 -j DROP
         cat /proc/net/ip_tables_names; iptables-legacy-save -t filter | grep -c 192.0.2.1";
    let output = std::process::Command::new("unshare")
        .args(["-n", common::RUN, "--unlisted", "--umh"])
        .arg(real())
        .args(["--", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "1\n", "{output:?}");
}

#[test]
fn a_refusal_names_rule_and_extension_and_module() {
    let script = "unshare -n sh -c 'iptables-legacy -N some; iptables-legacy -A some -j RETURN
         iptables-legacy -A some -p tcp -j REJECT; iptables-legacy -A FORWARD -j LOG
         iptables-legacy -A FORWARD -j ACCEPT'";
    let output = shell(&real(), script);
    assert!(output.status.success(), "{output:?}");
    let ours: Vec<String> = text(&output.stderr)
        .lines()
        .filter_map(|line| line.strip_prefix("bpfilter-run: filter: "))
        .map(str::to_owned)
        .collect();
    let line = |rule, target| {
        format!(
            "rule {rule}: target '{target}' revision 0: no program does it: it needs the \
             module bpfilter, see bpfilter(7)"
        )
    };
    assert_eq!(
        ours,
        [
            line("2 of chain some", "REJECT"),
            line("1 of chain FORWARD", "LOG")
        ]
    );
}

#[test]
fn bpfilter_run_itself_may_be_in_a_namespace() {
    let output = std::process::Command::new("unshare")
        .args(["-n", common::RUN, "--umh"])
        .arg(real())
        .args(["--", "iptables-legacy", "-S"])
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), PRISTINE, "{output:?}");
}

#[test]
fn packets_meet_the_rules() {
    let (output, _) = in_namespace(
        "exec 2>/dev/null; $CALLER lo-up echo
         iptables-legacy -A INPUT -p udp -j DROP; $CALLER echo
         iptables-legacy -F; $CALLER echo
         iptables-legacy -P OUTPUT DROP; $CALLER echo
         iptables-legacy -P OUTPUT ACCEPT; $CALLER echo",
    );
    let (lost, refused) = (libc::EAGAIN, libc::EPERM);
    assert_eq!(output, format!("0\n{lost}\n0\n{refused}\n0\n"));
}

#[test]
fn no_packet_slips_through_an_edit_and_none_is_lost() {
    for (rule, flood) in [
        ("DROP", "flood-passed:200000"),
        ("ACCEPT", "flood-lost:50000"),
    ] {
        let (output, _) = in_namespace(&format!(
            "$CALLER lo-up; iptables-legacy -A INPUT -p udp -j {rule}
             $CALLER {flood} &
             for i in 1 2 3 4 5 6 7 8 9 10; do
                 iptables-legacy -I INPUT -s 10.0.0.$i -j DROP
                 iptables-legacy -D INPUT 1
             done; wait"
        ));
        assert_eq!(output, "0\n", "{rule}");
    }
}

#[test]
fn connections_are_tracked_while_a_rule_asks() {
    let (output, _) = in_namespace(
        "$CALLER lo-up
         state() { $CALLER echo; conntrack -C; nft list tables | wc -l; }
         state
         iptables-legacy -A INPUT -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT; state
         iptables-legacy -F; conntrack -F 2>/dev/null; state",
    );
    assert_eq!(output, "0\n0\n0\n0\n1\n1\n0\n0\n0\n");
}

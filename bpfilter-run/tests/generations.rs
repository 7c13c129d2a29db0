// SPDX-License-Identifier: GPL-2.0-only
//! COMMIT and RECOVER, and what packets meet. Needs root.
//!
//! The helper here commits what the length of a REPLACE tells it to, and
//! answers GET_INFO with that length: see `doubles/faulty_umh.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test file uses a part of `common`")]

mod common;

use common::{calls, faulty, numbers, shell, text};
use libc::{EAGAIN, EBUSY, EFAULT, EINVAL, ENOENT, EPERM, ETIMEDOUT};

#[test]
fn a_generation_is_kept_and_given_back() {
    let words = "new-net raw get:64:84 set:64:200 get:64:84 get:64:84 set:64:150 get:64:84";
    assert_eq!(
        calls(&faulty("commits"), words),
        [ENOENT, 0, 200, 200, 0, 150]
    );
}

#[test]
fn each_namespace_has_its_own() {
    let words = "new-net raw set:64:200 new-net get:64:84 raw get:64:84 set:64:150 get:64:84";
    // The socket counts: after the first unshare it is the old namespace's.
    assert_eq!(calls(&faulty("commits"), words), [0, 200, ENOENT, 0, 150]);
}

#[test]
fn a_generation_outlives_the_helper() {
    let script = "unshare -n sh -c '$CALLER raw set:64:200
        helper=$(pgrep -x commits -P $(ps -o ppid= -p $PPID)); kill -9 $helper
        $CALLER raw get:64:84'";
    let script = script
        .replace("unshare -n sh -c", "exec unshare -n sh -c")
        .replace("$(ps -o ppid= -p $PPID)", "$PPID");
    let output = shell(&faulty("commits"), &script);
    assert_eq!(numbers(&output), [0, 200], "{output:?}");
}

#[test]
fn there_is_nothing_to_commit_to_outside_a_request() {
    assert_eq!(
        calls(&faulty("commits-idle"), "new-net raw get:64:84"),
        [ENOENT]
    );
}

#[test]
fn one_request_makes_one_change() {
    let words = "new-net raw set:65:200 get:64:84";
    assert_eq!(calls(&faulty("commits"), words), [EBUSY, ENOENT]);
}

#[test]
fn what_is_no_generation_is_refused() {
    let words = "new-net raw set:64:200 set:64:101 get:64:84 set:64:102 set:64:103 get:64:84 \
                 set:64:107 set:64:108 get:64:84";
    assert_eq!(
        calls(&faulty("commits"), words),
        [0, EINVAL, 200, EINVAL, EINVAL, 200, EINVAL, EINVAL, 200]
    );
}

#[test]
fn a_failed_request_changes_nothing() {
    for (fault, errno) in [
        ("commits-then-fails", libc::EDOM),
        ("commits-then-exits", EFAULT),
        ("commits-then-hangs", ETIMEDOUT),
    ] {
        let words = "new-net lo-up raw set:64:97 get:64:84 echo \
                     set:64:96 set:64:97 get:64:84 echo";
        let seen = calls(&faulty(fault), words);
        assert_eq!(seen, [errno, ENOENT, 0, 0, errno, 96, 0], "{fault}");
    }
}

#[test]
fn packets_meet_the_active_programs() {
    let words = "new-net lo-up raw echo set:64:96 echo set:64:97 echo set:64:98 echo \
                 set:64:200 echo set:64:97 echo";
    let seen = calls(&faulty("commits"), words);
    assert_eq!(seen, [0, 0, 0, 0, EPERM, 0, EAGAIN, 0, 0, 0, EPERM]);
}

#[test]
fn hooks_come_with_programs_and_go_with_them() {
    let script = "exec unshare -n sh -c '
        count() { grep -l link_type:.netfilter /proc/$PPID/fdinfo/* | wc -l; }
        count
        $CALLER raw set:64:200; count
        $CALLER raw set:64:96; count
        $CALLER raw set:64:97; count
        $CALLER raw set:64:200; count'";
    let output = shell(&faulty("commits"), script);
    assert_eq!(numbers(&output), [0, 0, 0, 0, 3, 0, 3, 0, 0], "{output:?}");
}

#[test]
fn packets_meet_the_programs_while_the_helper_is_dead() {
    let script = "exec unshare -n sh -c '$CALLER lo-up raw set:64:97 echo
        kill -9 $(pgrep -x commits -P $PPID); sleep 0.1
        $CALLER echo'";
    let output = shell(&faulty("commits"), script);
    assert_eq!(numbers(&output), [0, EPERM, EPERM], "{output:?}");
}

#[test]
fn all_goes_with_bpfilter_run() {
    let words = "exec nsenter --net=/proc/$TARGET/ns/net $CALLER lo-up raw set:64:97 echo";
    let mut target = std::process::Command::new("unshare")
        .args(["-n", "sleep", "60"])
        .spawn()
        .unwrap();
    let script = format!(
        "TARGET={}; until [ $(readlink /proc/$TARGET/ns/net) != $(readlink /proc/self/ns/net) ]; \
         do sleep 0.01; done; {words}",
        target.id()
    );
    let during = shell(&faulty("commits"), &script);
    let net = format!("--net=/proc/{}/ns/net", target.id());
    let after = std::process::Command::new("nsenter")
        .args([&net, common::CALLER, "echo"])
        .output()
        .unwrap();
    target.kill().unwrap();
    target.wait().unwrap();
    assert_eq!(numbers(&during), [0, EPERM], "{during:?}");
    assert_eq!(numbers(&after), [0], "{after:?}");
}

#[test]
fn a_hook_of_the_kernels_filter_table_is_no_obstacle() {
    let script = "exec unshare -n sh -c '
        $CALLER lo-up echo raw set:64:97 echo'";
    // Outside of bpfilter-run ip_tables has its hooks at priority 0 already.
    let output = std::process::Command::new("unshare")
        .args(["-n", "sh", "-c"])
        .arg(format!(
            "iptables-legacy -A INPUT -j ACCEPT && {} --umh {} -- {} lo-up raw set:64:97 echo",
            common::RUN,
            faulty("commits").display(),
            common::CALLER
        ))
        .output()
        .unwrap();
    assert_eq!(numbers(&output), [0, EPERM], "{output:?}");
    let output = shell(&faulty("commits"), script);
    assert_eq!(numbers(&output), [0, 0, EPERM], "{output:?}");
}

#[test]
fn no_packet_slips_through_a_swap_and_none_is_lost() {
    for (lens, flood) in [
        ("98:99", "flood-passed:100000"),
        ("96:100", "flood-lost:50000"),
    ] {
        let one = lens.split(':').next().unwrap();
        let script = format!(
            "exec unshare -n sh -c '
             $CALLER lo-up raw set:64:{one}
             $CALLER {flood} & $CALLER raw swap:25:{lens} & wait'"
        );
        let output = shell(&faulty("commits"), &script);
        assert_eq!(numbers(&output), [0, 0, 0], "{output:?}");
    }
}

#[test]
fn a_swap_returns_when_no_packet_is_in_the_old_programs() {
    // Packets that come before somebody works on the rules are waited for by
    // other means than those that come after (see `watch`).
    for before in [":", "$CALLER raw get:64:84; sleep 0.1"] {
        let script = format!(
            "exec unshare -n sh -c '
            $CALLER lo-up raw set:64:104; {before}
            $CALLER flood-passed:6 >/dev/null & sleep 0.05; $CALLER raw set:64:105; wait'"
        );
        let output = shell(&faulty("commits"), &script);
        let replies = numbers(&output);
        let refused = replies.iter().filter(|reply| ![0, 104].contains(*reply));
        assert_eq!(refused.count(), 0, "{output:?}");
        assert!(replies.len() >= 2, "{output:?}");
    }
}

#[test]
fn a_swap_that_fails_halfway_leaves_the_old_programs() {
    let words = "new-net lo-up raw set:64:96 set:64:106 echo set:64:96 set:64:106 echo get:64:84";
    assert_eq!(
        calls(&faulty("commits"), words),
        [0, EINVAL, 0, 0, EINVAL, 0, 96]
    );
}

#[test]
fn swaps_in_many_namespaces_at_once_do_not_mix() {
    let script = "for i in 1 2 3 4 5 6 7 8; do
            len=$((200 + i))
            # One write for each line, so that lines do not mix.
            echo $(unshare -n $CALLER lo-up raw set:64:97 swap:10:96:97 echo set:64:$len get:64:84 echo |
                 sed s/^$len\\$/own/) &
        done; wait";
    let output = shell(&faulty("commits"), script);
    assert_eq!(
        text(&output.stdout),
        "0 0 1 0 own 0\n".repeat(8),
        "{output:?}"
    );
}

#[test]
fn connection_tracking_runs_while_the_rules_need_it() {
    let script = "exec unshare -n sh -c '
        tracked() { $CALLER echo; conntrack -C; }
        $CALLER lo-up raw set:64:96; tracked
        $CALLER raw set:64:100; tracked
        $CALLER raw set:64:96; conntrack -F 2>/dev/null; tracked
        nft list tables'";
    let output = shell(&faulty("commits"), script);
    assert_eq!(numbers(&output), [0, 0, 0, 0, 0, 1, 0, 0, 0], "{output:?}");
}

#[test]
fn replaced_programs_are_freed() {
    // Whether a program that is there is found. Programs that were held before the
    // swap and are not any more: how many they are, and how many of them the kernel
    // still has.
    let script = "exec unshare -n sh -c '
        held() { sed -n \"s/^prog_id:[[:space:]]*//p\" /proc/$PPID/fdinfo/* | tr \"\\n\" \" \"; }
        $CALLER raw set:64:96; before=$(held)
        $CALLER raw set:64:97; after=\" $(held) \"
        set -- $after; bpftool prog show id $1 >/dev/null; echo $?
        replaced=; for id in $before; do
            case $after in *\" $id \"*) ;; *) replaced=\"$replaced $id\" ;; esac
        done
        echo $replaced | wc -w
        left() { n=0; for id in $replaced; do
            bpftool prog show id $id >/dev/null 2>&1 && n=$((n + 1)); done; echo $n; }
        for i in $(seq 50); do [ $(left) -gt 0 ] || break; sleep 0.1; done; left'";
    let output = shell(&faulty("commits"), script);
    assert_eq!(numbers(&output), [0, 0, 0, 3, 0], "{output:?}");
}

#[test]
fn swaps_leave_nothing_behind() {
    let script = "exec unshare -n sh -c '
        SETTLED
        $CALLER raw set:64:96; before=$(settled)
        $CALLER raw swap:40:96:97 swap:10:200:97 set:64:96
        echo $(($(settled) - before))'";
    let output = shell(
        &faulty("commits"),
        &script.replace("SETTLED", common::SETTLED),
    );
    assert_eq!(
        numbers(&output),
        [0, 0, 0, 0, 0],
        "{}",
        text(&output.stderr)
    );
}

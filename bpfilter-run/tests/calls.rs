// SPDX-License-Identifier: GPL-2.0-only
//! Which calls reach the helper, from whom, and what they get without one.
//!
//! The helper here answers a call of length N with errno N: see
//! `doubles/faulty_umh.rs`. Needs root.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test file uses a part of `common`")]

mod common;

use common::{calls, faulty, helpers, numbers, real, shell, text};
use libc::{EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, EOPNOTSUPP, EPERM};

#[test]
fn every_option_reaches_the_helper_with_its_length() {
    let words = "raw get:64:84 get:65:40 get:66:30 get:67:31 set:64:96 set:65:41 get:64:0 set:65:0";
    assert_eq!(
        calls(&faulty("fine"), words),
        [84, 40, 30, 31, 96, 41, 0, 0]
    );
}

#[test]
fn other_options_are_the_kernels() {
    let words = "raw get:63:84 get:68:84 set:63:84 set:66:84 get:3056:24 set:3056:24";
    assert_eq!(calls(&faulty("fine"), words), [ENOPROTOOPT; 6]);
}

#[test]
fn sockets_that_reach_ip_options_in_the_kernel_do_so_here() {
    let words = "raw get:64:1 udp get:64:2 tcp get:64:3 udp6 get:64:4 tcp6 get:64:5";
    assert_eq!(calls(&faulty("fine"), words), [1, 2, 3, 4, 5]);
}

#[test]
fn other_descriptors_get_the_kernels_own_error() {
    let words = "mptcp get:64:84 raw6 get:64:84 unix get:64:84 file get:64:84 closed get:64:84";
    let kernels = [EOPNOTSUPP, ENOPROTOOPT, EOPNOTSUPP, ENOTSOCK, EBADF];
    assert_eq!(calls(&faulty("fine"), words), kernels);
}

#[test]
fn lengths_are_signed_and_must_be_readable_and_writable() {
    let words = "raw get:64:4294967295 set:64:4294967295 bad-length:64 fixed-length:64:0";
    assert_eq!(
        calls(&faulty("fine"), words),
        [EINVAL, EINVAL, EFAULT, EFAULT]
    );
}

#[test]
fn upper_halves_of_registers_do_not_count() {
    assert_eq!(calls(&faulty("fine"), "raw high-get:64:84"), [84]);
}

#[test]
fn compat_callers_are_served() {
    let words = "raw get32:64:84 get32:66:30 get32:67:31 mux-get:64:84 mux-get:67:30 x32-get:64:84";
    assert_eq!(calls(&faulty("fine"), words), [84, 30, 31, 84, 30, 84]);
    let words = "raw get32:65:40 set32:64:96 set32:65:40 \
                 mux-get:65:40 mux-set:64:96 mux-set:65:41 x32-get:65:40 x32-set:64:96";
    assert_eq!(
        calls(&faulty("fine"), words),
        [40, 96, 40, 40, 96, 41, 40, 96]
    );
    // What is refused to everybody is refused to them.
    let output = shell(
        &faulty("fine"),
        "setpriv --reuid 65534 $CALLER udp set32:64:96 get32:63:84",
    );
    assert_eq!(numbers(&output), [EPERM, ENOPROTOOPT]);
}

#[test]
fn threads_are_callers_too() {
    assert_eq!(calls(&faulty("fine"), "raw thread get:64:84"), [84]);
    // A thread whose descriptors are not those of its process.
    assert_eq!(calls(&faulty("fine"), "lone-thread raw get:64:84"), [84]);
}

#[test]
fn the_unprivileged_are_refused() {
    let script = "setpriv --reuid 65534 --clear-groups $CALLER udp get:64:84 set:64:84 get:67:30";
    assert_eq!(numbers(&shell(&faulty("fine"), script)), [EPERM; 3]);
    // Outside the ranges they get what everybody gets, and so with lengths.
    let script = "setpriv --reuid 65534 $CALLER udp get:63:84 set:66:84 get:64:4294967295";
    assert_eq!(
        numbers(&shell(&faulty("fine"), script)),
        [ENOPROTOOPT, ENOPROTOOPT, EINVAL]
    );
}

#[test]
fn root_without_the_capability_is_refused() {
    let script = "setpriv --bounding-set -net_admin --inh-caps -net_admin $CALLER udp get:64:84";
    assert_eq!(numbers(&shell(&faulty("fine"), script)), [EPERM]);
}

#[test]
fn the_root_of_a_user_namespace_owns_its_own_network_only() {
    let user = "setpriv --reuid 65534 --clear-groups";
    // By a descriptor: the folder may be one that this user may not enter.
    let caller = "9<$CALLER /proc/self/fd/9";
    let script = format!("{user} unshare -Urn {caller} udp get:64:84");
    assert_eq!(numbers(&shell(&faulty("fine"), &script)), [84]);
    // Root there, but the network is still ours.
    let script = format!("{user} unshare -Ur {caller} udp get:64:84");
    assert_eq!(numbers(&shell(&faulty("fine"), &script)), [EPERM]);
}

#[test]
fn the_namespace_of_the_socket_counts_not_the_callers() {
    let user = "setpriv --reuid 65534 --clear-groups";
    // The socket is the initial namespace's: all capabilities in one's own
    // new namespaces do not help.
    let script = format!("{user} $CALLER udp new-user-net get:64:84 udp get:64:84");
    assert_eq!(numbers(&shell(&faulty("fine"), &script)), [EPERM, 84]);
}

#[test]
fn who_made_a_user_namespace_may_act_from_outside() {
    let user = "setpriv --reuid 65534 --clear-groups";
    let script = format!("{user} $CALLER inner-udp get:64:84");
    assert_eq!(numbers(&shell(&faulty("fine"), &script)), [84]);
    // Only who made it: here root did, and then became somebody else.
    let words = "inner-udp get:64:84 become:65534 get:64:84";
    assert_eq!(calls(&faulty("fine"), words), [84, EPERM]);
}

#[test]
fn the_ancestor_is_capable_in_its_descendants() {
    let script = "unshare -Urn sleep 5 & inner=$!
        until [ $(readlink /proc/$inner/ns/net) != $(readlink /proc/$$/ns/net) ]; do
            kill -0 $inner || exit; sleep 0.01; done
        nsenter --net -t $inner $CALLER udp get:64:84
        kill $inner";
    assert_eq!(numbers(&shell(&faulty("fine"), script)), [84]);
}

#[test]
fn what_the_helper_does_not_own_falls_through() {
    // The kernel's own ip_tables answers: a length of 84 and no such table.
    let words = "raw get:64:84 get:64:83";
    assert_eq!(calls(&faulty("not-ours"), words), [libc::ENOENT, EINVAL]);
}

#[test]
fn ip_tables_may_have_the_extensions_that_the_helper_lacks() {
    // It is ip_tables that minds the length.
    let words = "raw get:66:29 get:67:29 get:64:29";
    assert_eq!(
        calls(&faulty("lacks"), words),
        [EINVAL, EINVAL, libc::ENOENT]
    );
}

#[test]
fn eight_processes_get_their_own_answers_from_one_helper() {
    let script = "for i in 11 12 13 14 15 16 17 18; do
            $CALLER raw times:1250:$i &
        done; wait";
    let output = shell(&faulty("fine"), script);
    assert_eq!(numbers(&output), [0; 8]);
    assert_eq!(helpers(&output.stderr).len(), 1, "{output:?}");
}

#[test]
fn callers_in_pid_namespaces_are_callers_too() {
    let output = shell(
        &faulty("fine"),
        "unshare -pf $CALLER raw get:64:84 thread get:64:30",
    );
    assert_eq!(numbers(&output), [84, 30], "{output:?}");
}

/// Starts a caller whose memory answers up to so many bytes; when it waits there,
/// another one is served.
fn beside_a_silent_caller(helper: &std::path::Path, there: u32, other: &str) -> String {
    let out = format!("{}/silent-{there}", env!("CARGO_TARGET_TMPDIR"));
    let script = format!(
        "$CALLER raw silent:{there}:84 >{out} & silent=$!
         until grep -q . {out}; do sleep 0.01; done
         cat {out}
         timeout 20 {other}
         kill -9 $silent; wait $silent; echo $?"
    );
    let output = shell(helper, &script);
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

#[test]
fn memory_that_does_not_answer_holds_up_its_owner_alone() {
    // Where the call's argument is, and where its answer goes.
    let first = beside_a_silent_caller(&faulty("fine"), 0, "$CALLER raw get:64:84");
    assert_eq!(first, "waits\n84\n137\n");
    let second = beside_a_silent_caller(&real(), 32, "iptables-legacy -S INPUT");
    assert_eq!(second, "waits\n-P INPUT ACCEPT\n137\n");
}

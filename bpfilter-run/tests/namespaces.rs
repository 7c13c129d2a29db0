// SPDX-License-Identifier: GPL-2.0-only
//! A namespace that dies takes what it holds with it, and only then. Needs root.
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

use common::{calls, faulty, numbers, shell};

/// Longer than it takes to find out that a namespace is nobody's.
const LONG: &str = "sleep 3.5";

#[test]
fn the_dead_leave_nothing_behind() {
    // Programs, with and without connection tracking, and none.
    // What is open below /proc comes and goes; the first call shows that all
    // else is there.
    let script = "SETTLED
        $CALLER raw get:64:84 >/dev/null
        before=$(settled)
        for i in 1 2 3 4 5 6 7 8 9 10; do
            for len in 96 100 200; do unshare -n $CALLER raw set:64:$len; done
        done >/dev/null
        echo $(($(held) - before))
        for i in $(seq 20); do
            now=$(held)
            [ $now -gt $before ] || break
            sleep 0.5
        done
        echo $(($(settled) - before))";
    let script = script.replace("SETTLED", common::SETTLED);
    let seen = numbers(&shell(&faulty("commits"), &script));
    assert!(seen[0] >= 30 * 3, "they held something: {seen:?}");
    assert_eq!(seen[1], 0);
}

#[test]
fn a_socket_keeps_its_namespace() {
    let words = "new-net raw set:64:97 new-net sleep:3500 get:64:84 lo-up echo";
    assert_eq!(calls(&faulty("commits"), words), [0, 97, 0]);
}

#[test]
fn a_thread_keeps_its_namespace() {
    // The process itself stays where it was.
    let words = "thread new-net raw set:64:97 closed sleep:3500 raw get:64:84";
    assert_eq!(calls(&faulty("commits"), words), [0, 97]);
}

#[test]
fn a_mount_keeps_its_namespace() {
    let script = format!(
        "exec unshare -m sh -c 'file=$(mktemp); unshare --net=$file true
         within() {{ nsenter --net=$file \"$@\"; }}
         within $CALLER raw set:64:97; {LONG}; within $CALLER lo-up raw get:64:84 echo
         umount $file; rm $file'"
    );
    let output = shell(&faulty("commits"), &script);
    assert_eq!(numbers(&output), [0, 97, libc::EPERM], "{output:?}");
}

#[test]
fn an_open_file_keeps_its_namespace() {
    let script = format!(
        "unshare -n sleep 10 & inner=$!
         until [ $(readlink /proc/$inner/ns/net) != $(readlink /proc/$$/ns/net) ]; do
             sleep 0.01; done
         exec 7</proc/$inner/ns/net; kill $inner
         within() {{ nsenter --net=/proc/self/fd/7 \"$@\"; }}
         within $CALLER raw set:64:97; {LONG}; within $CALLER lo-up raw get:64:84 echo"
    );
    let output = shell(&faulty("commits"), &script);
    assert_eq!(numbers(&output), [0, 97, libc::EPERM], "{output:?}");
}

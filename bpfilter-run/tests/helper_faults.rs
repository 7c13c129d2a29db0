// SPDX-License-Identifier: GPL-2.0-only
//! A helper that exits, hangs, lies or is killed; a caller that dies. Needs root.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test file uses a part of `common`")]

mod common;

use std::time::{Duration, Instant};

use common::{calls, faulty, helpers, numbers, shell, text};
use libc::{EFAULT, ETIMEDOUT};

/// What takes longer waited for the helpers that sleep 60 s, and for no limit of
/// bpfilter-run's, however busy the machine is.
const HANGS: Duration = Duration::from_secs(50);

#[test]
fn no_command_without_a_helper_that_answers() {
    for fault in [
        "exits-at-once",
        "denies",
        "garbles-at-once",
        "there-is-none",
    ] {
        let helper = match fault {
            "there-is-none" => "/nonexistent/umh".into(),
            fault => faulty(fault),
        };
        let output = shell(&helper, "echo COMMAND ran");
        assert_eq!(output.status.code(), Some(125), "{fault}: {output:?}");
        assert_eq!(text(&output.stdout), "", "{fault}");
        assert!(
            text(&output.stderr).contains("no helper, giving up"),
            "{output:?}"
        );
    }
}

#[test]
fn a_helper_that_never_answers_its_first_request_is_given_up() {
    let start = Instant::now();
    let output = shell(&faulty("hangs-at-once"), "echo COMMAND ran");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(
        text(&output.stderr).contains("did not answer in time"),
        "{output:?}"
    );
    assert!(start.elapsed() < HANGS);
}

#[test]
fn a_helper_that_breaks_the_protocol_is_replaced() {
    for fault in ["exits", "garbles", "positive"] {
        let output = shell(&faulty(fault), "$CALLER raw get:64:84 get:64:84");
        assert_eq!(numbers(&output), [EFAULT, EFAULT], "{fault}: {output:?}");
        assert_eq!(helpers(&output.stderr).len(), 2, "{fault}: {output:?}");
    }
}

#[test]
fn a_reply_that_nobody_asked_for_is_never_the_next_callers() {
    let answers = calls(&faulty("chatters"), "raw get:64:84 get:64:30 get:64:31");
    assert_eq!(answers, [84, 30, 31]);
}

#[test]
fn a_helper_that_hangs_costs_one_caller_a_bounded_wait() {
    let start = Instant::now();
    let output = shell(&faulty("hangs"), "$CALLER raw get:64:84");
    assert_eq!(numbers(&output), [ETIMEDOUT], "{output:?}");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(5) && took < HANGS, "{took:?}");
}

#[test]
fn a_claimed_length_buys_no_time() {
    let start = Instant::now();
    let output = shell(&faulty("hangs"), "$CALLER raw set:64:67108864");
    assert_eq!(numbers(&output), [ETIMEDOUT], "{output:?}");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(5) && took < HANGS, "{took:?}");
}

/// The helper is the only child of bpfilter-run that is not the shell.
const HELPER: &str = "helper=$(cat /proc/$PPID/task/*/children | tr ' ' '\\n' | grep -vx $$)";

#[test]
fn a_killed_helper_is_replaced_before_the_next_request() {
    let script = format!(
        "$CALLER raw get:64:84
         {HELPER}; kill -9 $helper
         $CALLER raw get:64:30 get:64:31"
    );
    let output = shell(&faulty("fine"), &script);
    assert_eq!(numbers(&output), [84, 30, 31], "{output:?}");
    let pids = helpers(&output.stderr);
    assert_eq!(pids.len(), 2, "{output:?}");
    assert_ne!(pids[0], pids[1]);
}

#[test]
fn a_stopped_helper_is_replaced() {
    let script = format!("{HELPER}; kill -STOP $helper; $CALLER raw get:64:84 get:64:30");
    let output = shell(&faulty("fine"), &script);
    assert_eq!(numbers(&output), [ETIMEDOUT, 30], "{output:?}");
}

#[test]
fn a_caller_that_dies_leaves_its_answer_to_nobody() {
    for signal in ["KILL", "INT"] {
        // The helper takes 300 ms for each request.
        let script = format!(
            "trap '' INT
             (trap - INT; exec $CALLER raw get:64:84) & sleep 0.1
             kill -{signal} $!; $CALLER raw get:64:30"
        );
        let output = shell(&faulty("slow"), &script);
        let answers = numbers(&output);
        assert_eq!(answers.last(), Some(&30), "{signal}: {output:?}");
        assert_eq!(helpers(&output.stderr).len(), 1, "{signal}: {output:?}");
    }
}

#[test]
fn a_helper_that_does_not_leave_is_ended() {
    let start = Instant::now();
    let output = shell(&faulty("stays"), "$CALLER raw get:64:84");
    assert_eq!(numbers(&output), [84], "{output:?}");
    assert!(start.elapsed() < HANGS);
    let [pid] = helpers(&output.stderr)[..] else {
        panic!("{output:?}")
    };
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn the_helper_does_not_outlive_us() {
    // Stopped, it cannot see the end of its pipe.
    let script = format!("{HELPER}; kill -STOP $helper; echo $helper; kill -9 $PPID");
    let output = shell(&faulty("fine"), &script);
    let [pid] = numbers(&output)[..] else {
        panic!("{output:?}")
    };
    let gone = || {
        // A zombie is gone; somebody else may have to wait for it.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    let deadline = Instant::now() + HANGS;
    while !gone() {
        assert!(Instant::now() < deadline, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! bpfilter-run as a wrapper: exit statuses, signals, descriptors. Needs root.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test file uses a part of `common`")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use common::{RUN, faulty, helpers, run, shell, start, text};

#[test]
fn the_exit_status_is_the_commands() {
    for (script, status) in [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 255", 255),
        ("kill -9 $$", 128 + 9),
        ("kill -15 $$", 128 + 15),
        ("kill -2 $$", 128 + 2),
    ] {
        let output = shell(&faulty("fine"), script);
        assert_eq!(output.status.code(), Some(status), "{script}: {output:?}");
    }
}

#[test]
fn a_command_that_cannot_run_says_so() {
    for (command, status) in [("/nonexistent/command", 127), ("/", 126)] {
        let output = run(&faulty("fine"), &[command]).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(text(&output.stderr).contains("cannot run"), "{output:?}");
    }
}

#[test]
fn a_relative_helper_is_found_from_here() {
    let helper = faulty("fine");
    let output = run(helper.file_name().unwrap().as_ref(), &["true"])
        .current_dir(helper.parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_wrong_command_line_says_how() {
    for arguments in [&["--wrong"][..], &[], &["--umh"]] {
        let output = Command::new(RUN).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        assert!(text(&output.stderr).contains("--help"), "{output:?}");
    }
    let output = Command::new(RUN).arg("--help").output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("COMMAND"));
}

#[test]
fn without_root_it_says_what_to_do() {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--clear-groups", RUN, "--umh"]);
    let output = command
        .arg(faulty("fine"))
        .args(["--", "true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(
        text(&output.stderr).contains("run it as root"),
        "{output:?}"
    );
}

#[test]
fn inside_another_one_it_says_why_not() {
    let inner = format!("{RUN} --umh {} -- true", faulty("fine").display());
    let output = shell(&faulty("fine"), &inner);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(
        text(&output.stderr).contains("listens already"),
        "{output:?}"
    );
}

#[test]
fn signals_reach_the_command() {
    for signal in ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"] {
        let script = format!(
            "trap 'echo got {signal}; exit 7' {signal}
             echo ready; while :; do sleep 0.01; done"
        );
        let mut child = start(&faulty("fine"), &script);
        let mut ready = [0; 6];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{signal}: {output:?}");
        assert_eq!(text(&output.stdout), format!("got {signal}\n"));
    }
}

#[test]
fn the_terminals_signals_reach_the_command_once() {
    let (helper, caller) = (faulty("fine"), common::CALLER);
    // Without exec it would be the shell of script(1) that ^C ends, if it is dash.
    let run = format!(
        "exec {RUN} --umh {} -- {caller} interrupts:500",
        helper.display()
    );
    let mut child = Command::new("script")
        .args(["-qec", &run, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.trim() == "ready"));
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let seen: Vec<String> = lines.collect();
    // The terminal echoes ^C; behind the command's own line is what we say at the end.
    let count = seen
        .first()
        .map(|line| line.trim().trim_start_matches("^C"));
    assert_eq!(count, Some("1"), "{seen:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_command_has_our_stdin_limits_and_descriptors() {
    let script = "ulimit -Sn; ls /proc/self/fd | tr '\\n' ' '; cat /proc/self/status | grep SigBlk";
    let plain = Command::new("sh").args(["-c", script]).output().unwrap();
    let output = shell(&faulty("fine"), script);
    assert_eq!(text(&output.stdout), text(&plain.stdout));

    let mut child = start(&faulty("fine"), "cat");
    common::say(&mut child, "through and through");
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "through and through\n");
}

#[test]
fn the_helper_holds_nothing_of_the_commands_and_ends_with_us() {
    let output = shell(
        &faulty("fine"),
        "exec 9</dev/null
         helper=$(cat /proc/$PPID/task/*/children | tr ' ' '\\n' | grep -vx $$)
         ls /proc/$helper/fd | tr '\\n' ' '; readlink /proc/$helper/cwd",
    );
    assert_eq!(text(&output.stdout), "0 1 2 /\n");
    let [pid] = helpers(&output.stderr)[..] else {
        panic!("{output:?}")
    };
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn in_a_pid_namespace_it_needs_the_procfs_of_that() {
    let inside = |unshare: &str| {
        Command::new("unshare")
            .args(unshare.split(' '))
            .args([RUN, "--umh"])
            .arg(faulty("fine"))
            .args(["--", common::CALLER, "raw", "get:64:84"])
            .output()
            .unwrap()
    };
    assert_eq!(text(&inside("-pf --mount-proc").stdout), "84\n");
    let output = inside("-pf");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(text(&output.stderr).contains("mount -t proc"), "{output:?}");
}

#[test]
fn a_log_that_nobody_reads_is_no_reason_to_stop() {
    // The real helper: the double ends when it cannot log.
    let script = "read go; kill -9 $(pgrep bpfilter_umh -P $PPID); iptables-legacy -S INPUT";
    let mut child = start(&common::real(), script);
    drop(child.stderr.take());
    common::say(&mut child, "go");
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "-P INPUT ACCEPT\n", "{output:?}");
}

// SPDX-License-Identifier: GPL-2.0-only
//! Running bpfilter-run with one helper or another, and what came of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program under test.
pub(crate) const RUN: &str = env!("CARGO_BIN_EXE_bpfilter-run");
/// `tests/doubles/odd_caller.rs`.
pub(crate) const CALLER: &str = env!("CARGO_BIN_EXE_odd-caller");
const FAULTY: &str = env!("CARGO_BIN_EXE_faulty-umh");

/// A helper with this fault (or "fine").
pub(crate) fn faulty(fault: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(fault);
    // Tests run side by side: whoever is first makes the link.
    if let Err(e) = std::os::unix::fs::symlink(FAULTY, &path) {
        assert_eq!(
            e.kind(),
            std::io::ErrorKind::AlreadyExists,
            "{}: {e}",
            path.display()
        );
    }
    path
}

/// bpfilter-run with `helper`, about to run `command`.
pub(crate) fn run(helper: &Path, command: &[&str]) -> Command {
    let mut run = Command::new(RUN);
    run.arg("--umh").arg(helper).arg("--").args(command);
    run
}

/// Runs a shell script under bpfilter-run; `$CALLER` is the odd caller.
pub(crate) fn shell(helper: &Path, script: &str) -> Output {
    start(helper, script).wait_with_output().unwrap()
}

/// The same, not waited for; its stdin is a pipe.
pub(crate) fn start(helper: &Path, script: &str) -> Child {
    run(helper, &["sh", "-c", script])
        .env("CALLER", CALLER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The lines that the odd caller prints for these words.
#[track_caller]
pub(crate) fn calls(helper: &Path, words: &str) -> Vec<i32> {
    let output = shell(helper, &format!("$CALLER {words}"));
    assert!(output.status.success(), "{words}: {output:?}");
    numbers(&output)
}

/// stdout, a number a line.
#[track_caller]
pub(crate) fn numbers(output: &Output) -> Vec<i32> {
    text(&output.stdout)
        .lines()
        .map(|line| {
            line.parse()
                .unwrap_or_else(|_| panic!("{line}: {output:?}"))
        })
        .collect()
}

/// For a script: how many descriptors bpfilter-run holds, and that once it does not change
/// any more: at the end of a call, and while it looks for what is nobody's, it has others
/// for a moment. What is open below /proc comes and goes.
pub(crate) const SETTLED: &str = "held() { ls -l /proc/$PPID/fd | grep -vc /proc; }
    settled() {
        n=0 was=
        while [ $n -lt 10 ]; do
            now=$(held)
            if [ \"$now\" = \"$was\" ]; then n=$((n + 1)); else n=0; fi
            was=$now
            sleep 0.05
        done
        echo $now
    }";

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The process ids of all helpers that were started, from the log.
pub(crate) fn helpers(stderr: &[u8]) -> Vec<i32> {
    text(stderr)
        .lines()
        .filter_map(|line| line.strip_prefix("bpfilter-run: Loaded bpfilter_umh pid "))
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Says something on a child's stdin.
pub(crate) fn say(child: &mut Child, line: &str) {
    writeln!(child.stdin.as_mut().unwrap(), "{line}").unwrap();
}

/// The helper that `make tools` builds.
pub(crate) fn real() -> PathBuf {
    let path = std::env::var_os("BPFILTER_UMH").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/links/bpfilter_umh"),
        PathBuf::from,
    );
    assert!(path.exists(), "{}: `make tools` builds it", path.display());
    path
}

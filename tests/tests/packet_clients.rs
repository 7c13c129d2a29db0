// SPDX-License-Identifier: GPL-2.0-only
//! Real clients behind a real firewall, on this machine's own kernel.
//!
//! The scenario is the VM's, `tests/vm/firewall.sh`: the same script runs on the
//! kernel half there and under `bpfilter-run` here. Needs root.
#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail where it stands"
)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use bpfilter_tests::client::side::{run_path, scratch, umh_path};

/// A PATH on which `iptables` is the legacy one, as in the VM.
fn path() -> String {
    let bin = scratch().join("bin");
    std::fs::create_dir_all(&bin).expect("a directory");
    for suffix in ["", "-restore", "-save"] {
        let link = bin.join(format!("iptables{suffix}"));
        if !link.exists() {
            symlink(format!("/usr/sbin/iptables-legacy{suffix}"), link).expect("a link");
        }
    }
    let rest = std::env::var("PATH").expect("a PATH");
    format!("{}:{rest}", bin.display())
}

#[test]
fn a_firewall_of_a_host_and_of_a_router() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/firewall.sh");
    let output = Command::new(run_path())
        .arg("--umh")
        .arg(umh_path())
        .args(["--", "sh", "-eu"])
        .arg(script)
        .env("PATH", path())
        .env("XTABLES_LOCKFILE", scratch().join("xtables.clients"))
        .output()
        .expect("bpfilter-run");
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

// SPDX-License-Identifier: GPL-2.0-only
//! What the helper takes: its file, and memory while it works and after.

use std::io;

use bpfilter_tests::blob::Blob;
use bpfilter_tests::client::side::{Side, image_umh_path, settled_rss, status};

/// Sizes, in bytes but where a name says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Helper {
    pub(crate) file: u64,
    pub(crate) idle_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) blob: u64,
}

/// Most bytes that the file may have, from where the test has it; 0, which no
/// file meets, if it is not there.
pub(crate) fn max_size() -> u64 {
    let lines = include_str!("../../tests/elf").lines();
    let limit = lines.filter_map(|line| line.strip_prefix("max_size="));
    let digits = limit.flat_map(|rest| rest.split_whitespace().next());
    let mut sizes = digits.filter_map(|digits| digits.parse().ok());
    sizes.next().unwrap_or_default()
}

/// Lets a new helper do one REPLACE.
pub(crate) fn look(table: &Blob) -> io::Result<Helper> {
    let own = format!("/proc/{}/exe", std::process::id());
    let mut side = Side::bpfilter(&own);
    let mut table = table.clone();
    // In the place of the pristine table.
    table.header.num_counters = 4;
    let call = table.call();
    let outcome = side.call(&call);
    if outcome.ret != 0 {
        return Err(io::Error::from_raw_os_error(outcome.errno));
    }
    let pid = side.helper().ok_or_else(|| io::Error::other("no helper"))?;
    Ok(Helper {
        file: image_umh_path().metadata()?.len(),
        peak_kib: status(pid, "VmHWM"),
        idle_kib: settled_rss(pid),
        blob: call.bytes.len() as u64,
    })
}

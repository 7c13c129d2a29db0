// SPDX-License-Identifier: GPL-2.0-only
//! The header of a REPLACE: what is looked at first, and what last.

use super::Requests;
use super::base::base;

/// do_replace, before the copy.
pub(super) fn first(requests: &mut Requests) {
    use libc::{EINVAL, ENOMEM};
    let most = i32::MAX as u32 / 16;
    let size = base().bytes().len() as i32;
    requests.push(EINVAL, "shorter than its header", base(), 95 - size);
    requests.push(EINVAL, "shorter than it says", base(), -1);
    requests.push(0, "longer than it says", base(), 1);
    requests.changed(EINVAL, "no counters", |b| b.header.num_counters = 0);
    requests.changed(ENOMEM, "too many counters", |b| {
        b.header.num_counters = most;
    });
    let mut blob = base();
    blob.header.num_counters = most;
    requests.push(ENOMEM, "counters before length", blob, -1);
    let mut blob = base();
    blob.header.num_counters = 0;
    requests.push(EINVAL, "no counters, and too short", blob, -1);
    let mut blob = base();
    let huge = (512 << 20) - 64;
    let more = huge as i32 - blob.header.size as i32;
    blob.header.size = huge;
    requests.push(ENOMEM, "half a gigabyte", blob, more);
    let mut blob = base();
    blob.header.size = u32::MAX;
    requests.push(EINVAL, "a size beyond any length", blob, 1 << 20);
}

/// __do_replace.
pub(super) fn last(requests: &mut Requests) {
    use libc::{EAGAIN, EINVAL, ENOENT, ENOMEM};
    requests.changed(ENOMEM, "more counters than fit", |b| {
        b.header.num_counters = (32 << 20) + 1;
    });
    requests.changed(ENOENT, "another table", |b| {
        b.header.name[..7].copy_from_slice(b"nobody\0");
    });
    requests.changed(ENOENT, "a table without a name", |b| b.header.name[0] = 0);
    requests.changed(0, "garbage after the table's name", |b| {
        b.header.name[7..].fill(0xa5);
    });
    requests.changed(EINVAL, "fewer hooks", |b| b.header.valid_hooks = 0x6);
    requests.changed(EINVAL, "no hooks", |b| b.header.valid_hooks = 0);
    requests.changed(EINVAL, "hooks that there are not", |b| {
        b.header.valid_hooks |= 0x20;
    });
    requests.changed(EINVAL, "a hook too many, without a policy", |b| {
        b.header.valid_hooks |= 0x10;
    });
    requests.changed(EAGAIN, "another number of counters", |b| {
        b.header.num_counters = 12_345;
    });
    requests.changed(EINVAL, "no entries at all", |b| {
        b.cut(0);
        b.header.num_entries = 0;
        b.header.valid_hooks = 0;
    });
}

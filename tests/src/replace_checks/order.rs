// SPDX-License-Identifier: GPL-2.0-only
//! Requests with two faults, and which one is noticed.

use super::Requests;
use super::base::{FLAGS, NAME, PROTO, REVISION, entry};
use crate::blob::ENTRY;

/// Which one of two faults is noticed.
pub(super) fn add(requests: &mut Requests) {
    use entry::{COMMENT, DROP, END, TCP};
    use libc::{EAGAIN, EINVAL, ELOOP, ENOENT, EPROTOTYPE};
    requests.changed(EINVAL, "sizes of the last before loops of the first", |b| {
        b.jump(TCP, TCP, 0);
        b.field(END, FLAGS, &[4]);
    });
    requests.changed(EINVAL, "hooks before loops", |b| {
        b.jump(TCP, TCP, 0);
        b.header.underflow[1] += 8;
    });
    requests.changed(
        ELOOP,
        "loops of the last before matches of the first",
        |b| {
            b.field(TCP, ENTRY + NAME, b"nobody\0");
            b.jump(COMMENT, COMMENT, 0);
        },
    );
    requests.changed(ELOOP, "loops before names without end", |b| {
        b.field(TCP, ENTRY + NAME, &[b'x'; 29]);
        b.jump(COMMENT, COMMENT, 0);
    });
    requests.changed(ENOENT, "the first entry before the second", |b| {
        b.field(TCP, ENTRY + NAME, b"nobody\0");
        b.target(DROP, NAME, &[b'x'; 29]);
    });
    requests.changed(EINVAL, "the first entry before the last", |b| {
        b.field(TCP, PROTO, &[17]);
        b.field(COMMENT, ENTRY + NAME, b"nobody\0");
    });
    requests.changed(ENOENT, "a match before the target", |b| {
        b.field(TCP, ENTRY + NAME, b"nobody\0");
        b.target(TCP, NAME, &[b'x'; 29]);
    });
    requests.changed(EPROTOTYPE, "the revision before the data", |b| {
        b.field(COMMENT, ENTRY + REVISION, &[1]);
        b.field16(COMMENT, ENTRY, 32 + 128);
        b.field16(COMMENT, ENTRY + 160, 128);
    });
    requests.changed(ENOENT, "extensions before the table's name", |b| {
        b.header.name[0] = b'F';
        b.field(TCP, ENTRY + NAME, b"nobody\0");
    });
    requests.changed(EINVAL, "rules before the table's name", |b| {
        b.header.name[0] = b'F';
        b.field(TCP, PROTO, &[17]);
    });
    requests.changed(EINVAL, "rules before counts", |b| {
        b.header.num_counters = 12_345;
        b.field(TCP, PROTO, &[17]);
    });
    requests.changed(ENOENT, "the table's name before its hooks", |b| {
        b.header.name[0] = b'F';
        b.header.valid_hooks = 0x6;
    });
    requests.changed(ENOENT, "the table's name before counts", |b| {
        b.header.name[0] = b'F';
        b.header.num_counters = 12_345;
    });
    requests.changed(EINVAL, "hooks before counts", |b| {
        b.header.valid_hooks = 0x6;
        b.header.num_counters = 12_345;
    });
    requests.changed(EAGAIN, "counts last", |b| b.header.num_counters = 3);
}

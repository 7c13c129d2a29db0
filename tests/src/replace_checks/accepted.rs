// SPDX-License-Identifier: GPL-2.0-only
//! Requests that look wrong, and are accepted all the same.

use std::mem::offset_of;

use umh_core::abi::{Entry, IPT_F_GOTO, IptIp, VERDICT_ACCEPT};

use super::Requests;
use super::base::{FLAGS, NAME, entry};
use crate::blob::{ENTRY, EXTENSION};

/// All of them.
pub(super) fn add(requests: &mut Requests) {
    use entry::{DROP, END, FORWARD, HEAD, TCP};
    requests.changed(0, "nothing changed", |_| {});
    requests.changed(0, "two chains with one name", |b| {
        b.target(HEAD, EXTENSION, b"ERROR\0");
    });
    requests.changed(0, "a chain without a name", |b| {
        b.target(HEAD, EXTENSION, b"\0");
    });
    requests.changed(0, "no ERROR entry at the end", |b| {
        b.cut(b.offsets[END]);
        b.header.num_entries -= 1;
    });
    requests.changed(0, "ACCEPT with GOTO", |b| {
        b.field(DROP, FLAGS, &[IPT_F_GOTO]);
        b.verdict(DROP, VERDICT_ACCEPT);
    });
    requests.changed(0, "a gap behind a target", |b| {
        b.grow(END, 16);
        let at = b.offsets[END] + 176;
        b.put(at, &[0xa5; 16]);
    });
    requests.changed(0, "garbage wherever nobody looks", |b| {
        b.target(DROP, EXTENSION + 4, &[0xa5; 4]);
        b.target(HEAD, EXTENSION + 6, &[0xa5; 26]);
        b.target(HEAD, NAME + 6, &[0xa5; 23]);
        b.field(TCP, ENTRY + NAME + 4, &[0xa5; 25]);
        b.field(TCP, ENTRY + EXTENSION + 12, &[0xa5; 4]);
        b.field(FORWARD, offset_of!(Entry, comefrom), &[0xa5; 20]);
        b.field(DROP, offset_of!(Entry, nfcache), &[0xa5; 4]);
    });
    requests.changed(0, "an address outside its mask", |b| {
        b.field(TCP, 0, &[1, 2, 3, 4]);
    });
    requests.changed(0, "an interface name without an end", |b| {
        b.field(DROP, offset_of!(IptIp, iniface), &[b'x'; 64]);
    });
}

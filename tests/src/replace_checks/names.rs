// SPDX-License-Identifier: GPL-2.0-only
//! The third pass: names and revisions of matches and targets.

use super::Requests;
use super::base::{NAME, REVISION, entry};
use crate::blob::{ENTRY, Extension};

/// xt_find_match, xt_find_target.
pub(super) fn add(requests: &mut Requests) {
    use entry::{COMMENT, DROP, HEAD, TCP};
    use libc::{EINVAL, ENOENT, EPROTOTYPE};
    requests.changed(EINVAL, "a match whose name has no end", |b| {
        b.field(TCP, ENTRY + NAME, &[b'x'; 29]);
    });
    requests.changed(EINVAL, "a target whose name has no end", |b| {
        b.target(DROP, NAME, &[b'x'; 29]);
    });
    requests.changed(ENOENT, "a match that nobody knows", |b| {
        b.field(TCP, ENTRY + NAME, b"nobody\0");
    });
    requests.changed(ENOENT, "a target that nobody knows", |b| {
        b.target(DROP, NAME, b"NOBODY\0");
    });
    requests.changed(ENOENT, "a match without a name", |b| {
        b.field(TCP, ENTRY + NAME, b"\0");
    });
    requests.changed(ENOENT, "a target's name for a match", |b| {
        b.field(TCP, ENTRY + NAME, b"ERROR\0");
    });
    requests.changed(ENOENT, "a match's name for a target", |b| {
        b.target(DROP, NAME, b"comment\0");
    });
    requests.changed(ENOENT, "a revision that IPv4 has not got", |b| {
        b.field(TCP, ENTRY + REVISION, &[1]);
    });
    requests.changed(EPROTOTYPE, "a revision that no family has got", |b| {
        b.field(COMMENT, ENTRY + REVISION, &[1]);
    });
    requests.changed(ENOENT, "another standard target", |b| {
        b.target(DROP, REVISION, &[1]);
    });
    requests.changed(ENOENT, "another ERROR target", |b| {
        b.target(HEAD, REVISION, &[1]);
    });
    for (name, revision, size, errno) in [
        ("udp", 1, 16, ENOENT),
        ("icmp", 1, 8, ENOENT),
        ("multiport", 0, 32, ENOENT),
        ("multiport", 2, 48, ENOENT),
        ("mark", 0, 24, EPROTOTYPE),
        ("mark", 2, 16, EPROTOTYPE),
        ("limit", 1, 40, EPROTOTYPE),
        ("conntrack", 0, 152, EPROTOTYPE),
        ("conntrack", 4, 168, EPROTOTYPE),
        ("state", 1, 8, EPROTOTYPE),
        ("iprange", 0, 24, ENOENT),
        ("length", 1, 8, ENOENT),
        ("ttl", 1, 8, ENOENT),
        ("tos", 0, 8, ENOENT),
        ("dscp", 1, 8, ENOENT),
        ("pkttype", 1, 8, EPROTOTYPE),
        ("mac", 1, 16, ENOENT),
        ("owner", 0, 16, ENOENT),
        ("addrtype", 2, 8, ENOENT),
        ("recent", 2, 232, ENOENT),
        ("statistic", 1, 24, EPROTOTYPE),
        ("quota", 1, 24, EPROTOTYPE),
        ("cpu", 1, 8, EPROTOTYPE),
        ("connmark", 0, 12, EPROTOTYPE),
        ("devgroup", 1, 24, EPROTOTYPE),
        ("u32", 1, 1984, EPROTOTYPE),
        ("realm", 1, 16, ENOENT),
        ("tcpmss", 1, 8, ENOENT),
        ("esp", 1, 16, ENOENT),
        ("ah", 1, 16, ENOENT),
        ("ecn", 1, 8, ENOENT),
        ("time", 1, 24, EPROTOTYPE),
        ("connbytes", 1, 24, EPROTOTYPE),
        ("helper", 1, 40, EPROTOTYPE),
        ("dccp", 1, 16, ENOENT),
        ("sctp", 1, 296, ENOENT),
        ("hashlimit", 0, 64, ENOENT),
    ] {
        let extension = Extension::new(name, revision, vec![0; size]);
        requests.matching(errno, name, 1, 0, extension);
    }
    for (name, revision, size) in [
        ("REJECT", 1, 8),
        ("LOG", 1, 32),
        ("NFLOG", 1, 80),
        ("MARK", 0, 8),
        ("MARK", 1, 16),
        ("MARK", 3, 8),
        ("CONNMARK", 0, 24),
        ("CONNMARK", 3, 16),
    ] {
        let extension = Extension::new(name, revision, vec![0; size]);
        requests.target(ENOENT, name, 1, (0, 0), extension);
    }
}

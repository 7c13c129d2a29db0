// SPDX-License-Identifier: GPL-2.0-only
//! The data of recent.

use super::Requests;
use crate::blob::Extension;

/// By the names of `struct xt_recent_mtinfo`, more or less.
struct Recent<'a> {
    how: u8,
    seconds: u32,
    times: u32,
    name: &'a [u8],
}

impl Recent<'_> {
    /// Of either revision.
    fn extension(&self, revision: u8) -> Extension {
        let mut data = vec![0; if revision == 0 { 216 } else { 232 }];
        data[0..4].copy_from_slice(&self.seconds.to_ne_bytes());
        data[4..8].copy_from_slice(&self.times.to_ne_bytes());
        data[8] = self.how;
        data[10..10 + self.name.len()].copy_from_slice(self.name);
        Extension::new("recent", revision, data)
    }
}

/// recent_mt_check
pub(super) fn add(requests: &mut Requests) {
    use libc::{EINVAL, ENAMETOOLONG};
    const NAMED: Recent<'_> = Recent {
        how: CHECK,
        seconds: 0,
        times: 0,
        name: b"checks",
    };
    const CHECK: u8 = 1;
    const SET: u8 = 2;
    const UPDATE: u8 = 4;
    const REMOVE: u8 = 8;
    const TTL: u8 = 16;
    const REAP: u8 = 32;
    let of = |how, seconds, times| Recent {
        how,
        seconds,
        times,
        ..NAMED
    };
    for revision in 0..2 {
        for (errno, what, recent) in [
            (0, "recent, check", of(CHECK, 0, 0)),
            (0, "recent, set", of(SET, 0, 0)),
            (0, "recent, update", of(UPDATE, 60, 4)),
            (0, "recent, remove", of(REMOVE, 0, 0)),
            (
                0,
                "recent, all that there is",
                of(UPDATE | TTL | REAP, u32::MAX, 32768),
            ),
            (EINVAL, "recent, nothing", of(0, 0, 0)),
            (EINVAL, "recent, only how", of(TTL, 0, 0)),
            (EINVAL, "recent, unknown", of(CHECK | 64, 0, 0)),
            (EINVAL, "recent, two", of(CHECK | SET, 0, 0)),
            (EINVAL, "recent, two others", of(UPDATE | REMOVE, 0, 0)),
            (EINVAL, "recent, set and seconds", of(SET, 1, 0)),
            (EINVAL, "recent, set and times", of(SET, 0, 1)),
            (EINVAL, "recent, set and ttl", of(SET | TTL, 0, 0)),
            (EINVAL, "recent, remove and reap", of(REMOVE | REAP, 0, 0)),
            (
                EINVAL,
                "recent, reap without seconds",
                of(CHECK | REAP, 0, 3),
            ),
            (EINVAL, "recent, too many times", of(CHECK, 0, 65536)),
            (EINVAL, "recent, no name", Recent { name: b"", ..NAMED }),
            (
                EINVAL,
                "recent, a dot",
                Recent {
                    name: b".",
                    ..NAMED
                },
            ),
            (
                EINVAL,
                "recent, two dots",
                Recent {
                    name: b"..",
                    ..NAMED
                },
            ),
            (
                EINVAL,
                "recent, a path",
                Recent {
                    name: b"a/b",
                    ..NAMED
                },
            ),
            (
                0,
                "recent, three dots",
                Recent {
                    name: b"...",
                    ..NAMED
                },
            ),
            (
                0,
                "recent, a long name",
                Recent {
                    name: &[b'x'; 199],
                    ..NAMED
                },
            ),
            (
                ENAMETOOLONG,
                "recent, no end",
                Recent {
                    name: &[b'/'; 200],
                    ..NAMED
                },
            ),
        ] {
            requests.input(errno, what, 0, recent.extension(revision));
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The data of hashlimit.

use super::Requests;
use crate::blob::{Extension, Rule, Table, Target};

/// The data of hashlimit, by the names of `struct hashlimit_cfg3`.
#[allow(missing_docs, reason = "see there")]
#[derive(Clone, Copy, Debug)]
pub struct Hashlimit<'a> {
    pub mode: u32,
    pub avg: u64,
    pub burst: u64,
    pub gc_interval: u32,
    pub expire: u32,
    pub interval: u32,
    pub masks: [u8; 2],
    pub name: &'a [u8],
}

impl Hashlimit<'_> {
    /// Of any revision.
    pub fn extension(&self, revision: u8) -> Extension {
        let (room, size) = match revision {
            1 => (16, 56),
            2 => (256, 304),
            _ => (256, 312),
        };
        let mut data = self.name.to_vec();
        data.resize(room, 0);
        let mut numbers = Vec::new();
        if revision == 1 {
            numbers.extend([self.mode, self.avg as u32, self.burst as u32]);
        } else {
            for number in [self.avg, self.burst] {
                numbers.extend([number as u32, (number >> 32) as u32]);
            }
            numbers.push(self.mode);
        }
        numbers.extend([0, 0, self.gc_interval, self.expire]);
        if revision == 3 {
            numbers.push(self.interval);
        }
        data.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        data.extend(self.masks);
        data.resize(size, 0);
        Extension::new("hashlimit", revision, data)
    }
}

/// hashlimit_mt_check
pub(super) fn add(requests: &mut Requests) {
    use libc::{EINVAL, ENAMETOOLONG, ERANGE};
    const BYTES: u32 = 1 << 5;
    const RATE: u32 = 1 << 6;
    let fine = Hashlimit {
        mode: 0x0f,
        avg: 10_000,
        burst: 5,
        gc_interval: 1000,
        expire: 10_000,
        interval: 1,
        masks: [32, 32],
        name: b"checks",
    };
    for revision in 1..4 {
        let newest = revision == 3;
        for (errno, what, data) in [
            (0, "hashlimit", fine),
            (0, "hashlimit, above", Hashlimit { mode: 0x1f, ..fine }),
            (
                0,
                "hashlimit, nothing",
                Hashlimit {
                    mode: 0,
                    masks: [0; 2],
                    ..fine
                },
            ),
            (EINVAL, "hashlimit, mode", Hashlimit { mode: 0x8f, ..fine }),
            (
                EINVAL,
                "hashlimit, gc",
                Hashlimit {
                    gc_interval: 0,
                    ..fine
                },
            ),
            (EINVAL, "hashlimit, expire", Hashlimit { expire: 0, ..fine }),
            (
                0,
                "hashlimit, for ever",
                Hashlimit {
                    expire: u32::MAX,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, source",
                Hashlimit {
                    masks: [33, 0],
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, destination",
                Hashlimit {
                    masks: [0, 33],
                    ..fine
                },
            ),
            (
                ERANGE,
                "hashlimit, no burst",
                Hashlimit { burst: 0, ..fine },
            ),
            (
                ERANGE,
                "hashlimit, overflow",
                Hashlimit {
                    avg: 1 << 31,
                    burst: 1 << 33,
                    ..fine
                },
            ),
            (
                0,
                "hashlimit, bytes",
                Hashlimit {
                    mode: BYTES,
                    avg: 1000,
                    ..fine
                },
            ),
            (
                0,
                "hashlimit, no byte more",
                Hashlimit {
                    mode: BYTES,
                    avg: 2,
                    burst: 0,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, no byte",
                Hashlimit {
                    mode: BYTES,
                    avg: 1,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, bytes of nothing",
                Hashlimit {
                    mode: BYTES,
                    avg: 0,
                    ..fine
                },
            ),
            (
                if newest { 0 } else { EINVAL },
                "hashlimit, rate",
                Hashlimit {
                    mode: RATE,
                    // The table of that name is of the other kind now.
                    name: b"windows",
                    ..fine
                },
            ),
            (
                if newest { ERANGE } else { EINVAL },
                "hashlimit, no rate",
                Hashlimit {
                    mode: RATE,
                    avg: 0,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, no interval",
                Hashlimit {
                    mode: RATE,
                    interval: 0,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, no name",
                Hashlimit { name: b"", ..fine },
            ),
            (
                EINVAL,
                "hashlimit, a path",
                Hashlimit { name: b"/", ..fine },
            ),
            (
                ENAMETOOLONG,
                "hashlimit, no end",
                Hashlimit {
                    name: &[b'x'; 256][..if revision == 1 { 16 } else { 255 }],
                    ..fine
                },
            ),
        ] {
            requests.input(errno, what, 0, data.extension(revision));
        }
    }
    // Rates and windows in one table.
    let mut table = Table::default();
    for mode in [RATE, 0] {
        let mut rule = Rule::any(Target::Next);
        rule.matches.push(Hashlimit { mode, ..fine }.extension(3));
        table.builtin[0].push(rule);
    }
    requests.push(EINVAL, "hashlimit, a table of both", table.blob(), 0);
}

// SPDX-License-Identifier: GPL-2.0-only
//! Matches that count, in words of the manual: `statistic --mode nth` and
//! `quota`. Both start anew when a table is loaded.

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(data[at..at + 4].try_into().expect("four bytes"))
}

/// `struct xt_statistic_info`: mode and flags of 16 bits, every, packet,
/// count.
pub(super) struct Nth {
    every: u32,
    count: u32,
    invert: bool,
}

impl Nth {
    /// Nothing for `--mode random`, which remembers nothing.
    pub(super) fn new(data: &[u8]) -> Option<Self> {
        (data[0] == 1).then(|| Self {
            every: u32_at(data, 4),
            count: u32_at(data, 12),
            invert: data[2] & 1 != 0,
        })
    }

    pub(super) fn ask(&mut self) -> bool {
        self.count = match self.count == self.every {
            true => 0,
            false => self.count.wrapping_add(1),
        };
        (self.count == 0) != self.invert
    }
}

/// `struct xt_quota_info`: flags, and behind eight bytes the quota.
pub(super) struct Quota {
    left: u64,
    invert: bool,
}

impl Quota {
    pub(super) fn new(data: &[u8]) -> Self {
        Self {
            left: u64::from_ne_bytes(data[8..16].try_into().expect("eight bytes")),
            invert: data[0] & 1 != 0,
        }
    }

    pub(super) fn ask(&mut self, len: u64) -> bool {
        let fits = self.left >= len;
        // Once a packet does not fit, no smaller one does.
        self.left = if fits { self.left - len } else { 0 };
        fits != self.invert
    }
}

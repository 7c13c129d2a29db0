// SPDX-License-Identifier: GPL-2.0-only
//! The places in the network stack where rules are asked.

/// A hook of the filter table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Hook {
    /// `NF_INET_LOCAL_IN`, the INPUT chain.
    LocalIn = 1,
    /// `NF_INET_FORWARD`, the FORWARD chain.
    Forward = 2,
    /// `NF_INET_LOCAL_OUT`, the OUTPUT chain.
    LocalOut = 3,
}

impl Hook {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::LocalIn, Self::Forward, Self::LocalOut];

    /// `NF_INET_*`.
    pub const fn number(self) -> usize {
        self as usize
    }

    /// The bit that stands for it in `valid_hooks` and `comefrom`.
    pub const fn mask(self) -> u32 {
        1 << self as u32
    }
}

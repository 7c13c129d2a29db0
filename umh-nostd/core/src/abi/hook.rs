// SPDX-License-Identifier: GPL-2.0-only
//! The places in the network stack where rules are asked.

/// A hook of an internet protocol, `NF_INET_*`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Hook {
    /// `NF_INET_PRE_ROUTING`, the PREROUTING chain.
    PreRouting = 0,
    /// `NF_INET_LOCAL_IN`, the INPUT chain.
    LocalIn = 1,
    /// `NF_INET_FORWARD`, the FORWARD chain.
    Forward = 2,
    /// `NF_INET_LOCAL_OUT`, the OUTPUT chain.
    LocalOut = 3,
    /// `NF_INET_POST_ROUTING`, the POSTROUTING chain.
    PostRouting = 4,
}

impl Hook {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; super::NUM_HOOKS] = [
        Self::PreRouting,
        Self::LocalIn,
        Self::Forward,
        Self::LocalOut,
        Self::PostRouting,
    ];

    /// The chain that it asks, as iptables calls it.
    pub const fn chain(self) -> &'static str {
        match self {
            Self::PreRouting => "PREROUTING",
            Self::LocalIn => "INPUT",
            Self::Forward => "FORWARD",
            Self::LocalOut => "OUTPUT",
            Self::PostRouting => "POSTROUTING",
        }
    }

    /// `NF_INET_*`.
    pub const fn number(self) -> usize {
        self as usize
    }

    /// The bit that stands for it in `valid_hooks` and `comefrom`.
    pub const fn mask(self) -> u32 {
        1 << self as u32
    }
}

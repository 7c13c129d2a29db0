// SPDX-License-Identifier: GPL-2.0-only
//! The machine that the rules are for.
//!
//! Owns: what the running kernel offers, found out once: where its structures
//! have their members ([`Kernel`], from its BTF), which abilities follow from
//! that ([`Features`]), and its ticks in a second ([`Host`]).

pub mod btf;
pub(crate) mod kernel;

pub use kernel::Kernel;

/// Abilities of a kernel that some extensions need: a set of bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Features(pub u32);

impl Features {
    /// Needs nothing.
    pub const NONE: Self = Self(0);
    /// Connection tracking can be switched on in a namespace, and read.
    pub const CONNTRACK: Self = Self(1 << 0);
    /// The wall clock can be read.
    pub const CLOCK: Self = Self(1 << 1);
    /// The socket of a packet can be asked.
    pub const SOCKETS: Self = Self(1 << 2);
    /// The link layer's header can be read.
    pub const LINK_LAYER: Self = Self(1 << 3);
    /// Packets can be answered.
    pub const REJECT: Self = Self(1 << 8);
    /// Packets can be logged.
    pub const LOG: Self = Self(1 << 9);
    /// Packets can be logged by user space.
    pub const NFLOG: Self = Self(1 << 10);
    /// Packets can be marked.
    pub const MARK: Self = Self(1 << 11);
    /// Connections can be marked.
    pub const CONNMARK: Self = Self(1 << 12);
    /// The routing table can be asked.
    pub const ROUTES: Self = Self(1 << 13);
    /// What changes the packet's mark, or may.
    pub(crate) const MARKS: Self = Self::MARK.with(Self::CONNMARK).with(Self::FOREIGN);
    /// The kernel's own matches and targets can be called.
    pub(crate) const FOREIGN: Self = Self::XT_MATCH.with(Self::XT_TARGET);
    pub(super) const XT_MATCH: Self = Self(1 << 14);
    pub(super) const XT_TARGET: Self = Self(1 << 15);
    /// Tables by name can be kept.
    pub const TABLES: Self = Self(1 << 7);
    /// Connections have marks.
    pub const CONNECTION_MARKS: Self = Self(1 << 4);
    /// Devices have groups.
    pub const DEVICE_GROUPS: Self = Self(1 << 5);
    /// Routes have realms.
    pub const REALMS: Self = Self(1 << 6);
    /// What else connections carry can be read.
    pub const CONNECTION_EXTRAS: Self = Self(1 << 16);
    /// And among it how much has passed: then they must count.
    pub const ACCOUNTING: Self = Self(1 << 17);
    /// All that there are.
    pub const ALL: Self = Self(u32::MAX);

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether both have something in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether nothing of `other` is missing.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The kernel that the rules are for.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// What it can do.
    pub features: Features,
    /// Its ticks in a second, `CONFIG_HZ`.
    pub hz: u32,
}

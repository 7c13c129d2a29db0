// SPDX-License-Identifier: GPL-2.0-only
//! The machine that the rules are for.
//!
//! Owns: what the running kernel offers, found out once: how programs get at
//! packets ([`Packets`]), which abilities follow from that ([`Features`]), and
//! its ticks in a second ([`Host`]).

#[cfg(feature = "links")]
pub mod btf;
mod credits;
#[cfg(feature = "links")]
pub(crate) mod kernel;

pub(crate) use credits::{DAY, credits_per_tick, limit_per_tick};
#[cfg(feature = "links")]
pub use kernel::Kernel;

/// Abilities of a kernel that some extensions need: a set of bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Features(pub u32);

impl Features {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// Connection tracking can be switched on in a namespace, and read.
    pub const CONNTRACK: Self = Self(1 << 0);
    /// The wall clock can be read.
    pub const CLOCK: Self = Self(1 << 1);
    /// The socket that a packet belongs to can be read.
    pub const SOCKETS: Self = Self(1 << 2);
    /// The link layer's header can be read.
    pub const LINK_LAYER: Self = Self(1 << 3);
    /// Connections have marks.
    pub const CONNECTION_MARKS: Self = Self(1 << 4);
    /// Devices have groups.
    pub const DEVICE_GROUPS: Self = Self(1 << 5);
    /// Routes have realms.
    pub const REALMS: Self = Self(1 << 6);
    /// Programs can keep named tables, those of `recent` and `hashlimit`.
    pub const TABLES: Self = Self(1 << 7);
    /// The kernel half can send an ICMP error or a TCP reset.
    pub const REJECT: Self = Self(1 << 8);
    /// The kernel half can write a packet to the kernel's log.
    pub const LOG: Self = Self(1 << 9);
    /// The kernel half can hand a packet to a logging process.
    pub const NFLOG: Self = Self(1 << 10);
    /// The kernel half can set the mark of a packet.
    pub const MARK: Self = Self(1 << 11);
    /// The kernel half can set the mark of a connection.
    pub const CONNMARK: Self = Self(1 << 12);
    /// The kernel half can look up the type of an address.
    pub const ROUTES: Self = Self(1 << 13);
    /// The kernel half can call matches of x_tables.
    pub(crate) const XT_MATCH: Self = Self(1 << 14);
    /// The kernel half can call targets of x_tables.
    pub(crate) const XT_TARGET: Self = Self(1 << 15);
    /// The extensions of a connection can be read: its helper, its counters.
    pub const CONNECTION_EXTRAS: Self = Self(1 << 16);
    /// Connections count packets and bytes. A rule that needs this makes the
    /// namespace count them.
    pub const ACCOUNTING: Self = Self(1 << 17);
    /// Every feature there is.
    pub const ALL: Self = Self(u32::MAX);

    /// Matches and targets of x_tables can be called.
    pub(crate) const X_TABLES: Self = Self::XT_MATCH.with(Self::XT_TARGET);
    /// A rule that needs one of these may change the mark or the length of a
    /// packet, so both are asked for when their turn comes, not beforehand.
    pub(crate) const CHANGES_PACKETS: Self = Self::MARK.with(Self::CONNMARK).with(Self::X_TABLES);

    /// The union of both sets.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have an element in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether `other` is a subset of this one.
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

/// How programs get at packets.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "links",
    expect(clippy::large_enum_variant, reason = "there is one for each request")
)]
pub enum Packets {
    /// The kernel half hands them over, read.
    KernelHalf,
    /// They read them themselves: where the kernel's structures have their
    /// members.
    #[cfg(feature = "links")]
    Btf(Kernel),
}

impl Packets {
    /// The kernel's structures, for programs that read them.
    #[cfg(feature = "links")]
    pub fn btf(&self) -> Option<&Kernel> {
        match self {
            Self::KernelHalf => None,
            Self::Btf(kernel) => Some(kernel),
        }
    }
}

/// The machine that the programs are for.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// How programs get at packets.
    pub packets: Packets,
    /// What its kernel can do.
    pub host: Host,
    /// Its possible CPUs.
    pub cpus: u32,
}

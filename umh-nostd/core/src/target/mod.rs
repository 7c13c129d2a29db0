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

use bpfilter_msgfmt::{field, reads};

pub(crate) use credits::limit_per_tick;
#[cfg(feature = "links")]
pub(crate) use credits::{DAY, credits_per_tick};
#[cfg(feature = "links")]
pub use kernel::Kernel;

/// What is to be known of a kernel, by its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fact(pub(crate) u8);

#[cfg(feature = "links")]
pub(crate) use kernel::FACTS;
/// How many there are: none, where the kernel half reads packets.
#[cfg(not(feature = "links"))]
pub(crate) const FACTS: usize = 0;

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
    /// The link layer's header can be read.
    pub const LINK_LAYER: Self = Self(1 << 2);
    /// Connections have marks.
    pub const CONNECTION_MARKS: Self = Self(1 << 3);
    /// Devices have groups.
    pub const DEVICE_GROUPS: Self = Self(1 << 4);
    /// Routes have realms.
    pub const REALMS: Self = Self(1 << 5);
    /// The kernel half calls matches and targets of x_tables.
    pub const X_TABLES: Self = Self(1 << 6);
    /// The kernel's time zone can be read.
    pub const TIME_ZONE: Self = Self(1 << 7);
    /// The socket that a packet belongs to can be read.
    #[cfg(feature = "links")]
    pub const SOCKETS: Self = Self(1 << 8);
    /// Programs can keep named tables, those of `recent` and `hashlimit`.
    #[cfg(feature = "links")]
    pub const TABLES: Self = Self(1 << 9);
    /// The extensions of a connection can be read: its helper, its counters.
    #[cfg(feature = "links")]
    pub const CONNECTION_EXTRAS: Self = Self(1 << 10);
    /// Connections count packets and bytes. A rule that needs this makes the
    /// namespace count them.
    #[cfg(feature = "links")]
    pub const ACCOUNTING: Self = Self(1 << 11);
    /// Every feature there is.
    pub const ALL: Self = Self(u32::MAX);
    /// Every feature that a kernel can have for links.
    #[cfg(feature = "links")]
    pub const LINKS: Self = Self(!(Self::X_TABLES.0 | Self::TIME_ZONE.0));

    /// What follows from what a kernel half knows of packets, bits of
    /// [`reads`]; `None` where it does not know what every program may ask for.
    pub fn of_reads(known: u64) -> Option<Self> {
        const OPTIONAL: [(Features, u64); 6] = [
            (Features::CONNTRACK, 1 << field::CONNECTION),
            (Features::CLOCK.with(Features::TIME_ZONE), reads::TIME),
            (
                Features::LINK_LAYER,
                1 << field::MAC_FIRST | 1 << field::MAC_LAST,
            ),
            (Features::CONNECTION_MARKS, 1 << field::CONNMARK),
            (
                Features::DEVICE_GROUPS,
                1 << field::IN_GROUP | 1 << field::OUT_GROUP,
            ),
            (Features::REALMS, 1 << field::REALM),
        ];
        let mut always = reads::FIELDS | reads::IN | reads::OUT | reads::TRANSPORT;
        let mut features = Self::X_TABLES;
        for (feature, needed) in OPTIONAL {
            always &= !needed;
            if known & needed == needed {
                features = features.with(feature);
            }
        }
        (known & always == always).then_some(features)
    }

    /// The union of both sets.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_follow_from_what_is_known() {
        const EVERYTHING: u64 =
            reads::FIELDS | reads::IN | reads::OUT | reads::TRANSPORT | reads::TIME;
        let of = |unknown: u64| Features::of_reads(EVERYTHING & !unknown);
        let all = of(0).unwrap_or(Features::NONE);
        assert!(all.contains(Features::CONNTRACK.with(Features::TIME_ZONE)));
        assert!(all.contains(Features::X_TABLES));
        // One of two fields is as good as none.
        let without = |feature: Features| Some(Features(all.0 & !feature.0));
        assert_eq!(of(1 << field::MAC_LAST), without(Features::LINK_LAYER));
        assert_eq!(
            of(1 << field::CONNMARK),
            without(Features::CONNECTION_MARKS)
        );
        // What every kernel half knows.
        for bit in [
            1 << field::TTL,
            1 << field::CPU,
            reads::IN,
            reads::TRANSPORT,
        ] {
            assert_eq!(of(bit), None);
        }
    }
}

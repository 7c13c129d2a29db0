// SPDX-License-Identifier: GPL-2.0-only
//! The address families that have tables.
//!
//! Owns: in what the families' interfaces differ: the first part of an entry, which
//! has the addresses. They have all other structures in common.

use zerocopy::FromBytes;

use super::{EntryLayout, IP6T_F_GOTO, IPT_F_GOTO, Ip6tIp6, IptIp, Layout};

/// An address family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `NFPROTO_IPV4`: `struct ipt_entry`, options at level SOL_IP.
    Ipv4,
    /// `NFPROTO_IPV6`: `struct ip6t_entry`, options at level SOL_IPV6.
    Ipv6,
}

impl Family {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// `NFPROTO_*`.
    pub const fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }

    /// The family of that `NFPROTO_*`.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|family| family.number() == number)
    }

    /// Where things stand in its entries, as the kernel has them.
    pub const fn entry(self) -> EntryLayout {
        Layout::NATIVE.entry(self)
    }
}

/// What a rule asks of the IP header and the interfaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IpPart<'a> {
    /// Of IPv4.
    V4(&'a IptIp),
    /// Of IPv6.
    V6(&'a Ip6tIp6),
}

impl<'a> IpPart<'a> {
    /// That of the entry at the start of `bytes`.
    pub fn of(family: Family, bytes: &'a [u8]) -> Option<Self> {
        match family {
            Family::Ipv4 => IptIp::ref_from_prefix(bytes)
                .ok()
                .map(|(ip, _)| Self::V4(ip)),
            Family::Ipv6 => Ip6tIp6::ref_from_prefix(bytes)
                .ok()
                .map(|(ip, _)| Self::V6(ip)),
        }
    }

    /// Its family.
    pub const fn family(self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4,
            Self::V6(_) => Family::Ipv6,
        }
    }

    /// The protocol, 0 for any.
    pub const fn proto(self) -> u16 {
        match self {
            Self::V4(ip) => ip.proto,
            Self::V6(ip) => ip.proto,
        }
    }

    /// `IPT_F_*` or `IP6T_F_*`.
    pub const fn flags(self) -> u8 {
        match self {
            Self::V4(ip) => ip.flags,
            Self::V6(ip) => ip.flags,
        }
    }

    /// `IPT_INV_*`.
    pub const fn invflags(self) -> u8 {
        match self {
            Self::V4(ip) => ip.invflags,
            Self::V6(ip) => ip.invflags,
        }
    }

    /// Whether a jump pushes no return position.
    pub const fn goes(self) -> bool {
        self.flags()
            & match self {
                Self::V4(_) => IPT_F_GOTO,
                Self::V6(_) => IP6T_F_GOTO,
            }
            != 0
    }
}

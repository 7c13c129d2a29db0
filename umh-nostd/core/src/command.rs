// SPDX-License-Identifier: GPL-2.0-only
//! What a request asks for.
//!
//! Owns: the step from the mailbox's numbers to a command, with the checks
//! that need the numbers alone: option, direction and length. Leaves to
//! others: everything that is in the caller's memory.

use bpfilter_msgfmt as msg;

use crate::abi::{self, ExtensionKind, Family, Layout};
use crate::errno::{Errno, Result};

/// Bytes that the caller says are at its address. A socket option's length is a signed
/// int: of the commands, GET_ENTRIES of IPv6 alone can have one that is negative.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OptLen(u32);

impl OptLen {
    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }

    /// The number as it came.
    pub const fn number(self) -> u32 {
        self.0
    }

    const fn is_negative(self) -> bool {
        self.0 > i32::MAX as u32
    }

    /// Exactly a `T` and nothing else.
    const fn is<T>(self) -> bool {
        self.bytes() == size_of::<T>()
    }

    /// Bytes that follow a header of this length; EINVAL where there is no room for one,
    /// or the length is negative.
    pub fn after(self, header: usize) -> Result<usize> {
        match self.is_negative() {
            true => Err(Errno::EINVAL),
            false => self.bytes().checked_sub(header).ok_or(Errno::EINVAL),
        }
    }
}

/// A request that is well formed as far as its numbers tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// GET_INFO; the length is right.
    GetInfo,
    /// GET_ENTRIES; there is room for the header, or the length is negative, which is
    /// wrong, but only once the header has been read.
    GetEntries(OptLen),
    /// GET_REVISION_MATCH or _TARGET; the length is right.
    GetRevision(ExtensionKind),
    /// REPLACE; there is room for the header.
    Replace(OptLen),
    /// ADD_COUNTERS; there is room for the header and more.
    AddCounters(OptLen),
}

impl Command {
    /// The command of `request`, at the level of a family, by a caller of this layout.
    /// ENOPROTOOPT for an option that is not there, EINVAL for a length that no request
    /// of this kind can have.
    pub fn parse(family: Family, layout: Layout, request: &msg::Request) -> Result<Self> {
        let len = OptLen(request.len);
        let (matches, targets) = match family {
            Family::Ipv4 => (
                msg::IPT_SO_GET_REVISION_MATCH,
                msg::IPT_SO_GET_REVISION_TARGET,
            ),
            Family::Ipv6 => (
                msg::IP6T_SO_GET_REVISION_MATCH,
                msg::IP6T_SO_GET_REVISION_TARGET,
            ),
        };
        let command = match (request.is_set, request.cmd) {
            (0, msg::IPT_SO_GET_INFO) => Self::GetInfo,
            (0, msg::IPT_SO_GET_ENTRIES) => Self::GetEntries(len),
            (0, cmd) if cmd == matches => Self::GetRevision(ExtensionKind::Match),
            (0, cmd) if cmd == targets => Self::GetRevision(ExtensionKind::Target),
            (1, msg::IPT_SO_SET_REPLACE) => Self::Replace(len),
            (1, msg::IPT_SO_SET_ADD_COUNTERS) => Self::AddCounters(len),
            _ => return Err(Errno::ENOPROTOOPT),
        };
        let fits = match command {
            Self::GetInfo => len.is::<abi::GetInfo>(),
            // IPv4's own code has refused what is negative before; ip6_tables compares it as
            // the large number that it is without a sign.
            Self::GetEntries(len) => {
                family == Family::Ipv6 && len.is_negative()
                    || len.after(layout.get_entries()).is_ok()
            }
            Self::GetRevision(_) => len.is::<abi::GetRevision>(),
            Self::Replace(len) => len.after(layout.replace()).is_ok(),
            Self::AddCounters(len) => len.after(layout.counters_info()).is_ok_and(|n| n > 0),
        };
        match fits {
            true => Ok(command),
            false => Err(Errno::EINVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(is_set: u32, cmd: u32, len: u32) -> Result<Command> {
        parse_of(Family::Ipv4, is_set, cmd, len)
    }

    fn parse_of(family: Family, is_set: u32, cmd: u32, len: u32) -> Result<Command> {
        parse_from(family, Layout::BITS_64, is_set, cmd, len)
    }

    fn parse_from(
        family: Family,
        layout: Layout,
        is_set: u32,
        cmd: u32,
        len: u32,
    ) -> Result<Command> {
        let request = msg::Request {
            addr: 0,
            len,
            is_set,
            cmd,
            pid: 1,
        };
        Command::parse(family, layout, &request)
    }

    #[test]
    fn options_that_are_not_there() {
        for (is_set, cmd) in [
            (0, 63),
            (0, 68),
            (1, 63),
            (1, 66),
            (2, 64),
            (0, 3056),
            (1, u32::MAX),
        ] {
            assert_eq!(
                parse(is_set, cmd, 84),
                Err(Errno::ENOPROTOOPT),
                "{is_set} {cmd}"
            );
        }
    }

    #[test]
    fn families_ask_for_revisions_by_other_numbers() {
        let revision = |family, cmd| parse_of(family, 0, cmd, 30);
        for (v4, v6, kind) in [
            (66, 68, ExtensionKind::Match),
            (67, 69, ExtensionKind::Target),
        ] {
            let asked = Ok(Command::GetRevision(kind));
            assert_eq!(revision(Family::Ipv4, v4), asked);
            assert_eq!(revision(Family::Ipv6, v6), asked);
            assert_eq!(revision(Family::Ipv4, v6), Err(Errno::ENOPROTOOPT));
            assert_eq!(revision(Family::Ipv6, v4), Err(Errno::ENOPROTOOPT));
        }
        for (is_set, cmd) in [(0, 63), (0, 70), (1, 66)] {
            assert_eq!(
                parse_of(Family::Ipv6, is_set, cmd, 84),
                Err(Errno::ENOPROTOOPT)
            );
        }
    }

    #[test]
    fn lengths_of_32_bit_callers() {
        for (layout, replace, others) in [
            (Layout::BITS_32_ALIGN_4, 92, 36),
            (Layout::BITS_32_ALIGN_8, 96, 40),
        ] {
            for (is_set, cmd, shortest) in [(1, 64, replace), (0, 65, others), (1, 65, others + 1)]
            {
                let parse = |len| parse_from(Family::Ipv4, layout, is_set, cmd, len);
                assert!(parse(shortest).is_ok(), "{layout:?} {is_set} {cmd}");
                assert_eq!(parse(shortest - 1), Err(Errno::EINVAL));
            }
        }
    }

    #[test]
    fn a_negative_length_of_ip6_tables() {
        for len in [1 << 31, u32::MAX] {
            let parse = |family, is_set, cmd| parse_of(family, is_set, cmd, len);
            assert_eq!(
                parse(Family::Ipv6, 0, 65),
                Ok(Command::GetEntries(OptLen(len)))
            );
            assert_eq!(OptLen(len).after(40), Err(Errno::EINVAL));
            assert_eq!(parse(Family::Ipv4, 0, 65), Err(Errno::EINVAL));
            for (is_set, cmd) in [(0, 64), (0, 68), (0, 69), (1, 64), (1, 65)] {
                assert_eq!(parse(Family::Ipv6, is_set, cmd), Err(Errno::EINVAL));
            }
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(parse(0, 64, 84), Ok(Command::GetInfo));
        assert_eq!(
            parse(0, 66, 30),
            Ok(Command::GetRevision(ExtensionKind::Match))
        );
        assert_eq!(
            parse(0, 67, 30),
            Ok(Command::GetRevision(ExtensionKind::Target))
        );
        assert_eq!(parse(0, 65, 40), Ok(Command::GetEntries(OptLen(40))));
        assert_eq!(parse(1, 64, 96), Ok(Command::Replace(OptLen(96))));
        assert_eq!(parse(1, 65, 41), Ok(Command::AddCounters(OptLen(41))));
        let wrong = [
            (0, 64, [83, 85, 0, u32::MAX]),
            (0, 65, [0, 39, 1 << 31, u32::MAX]),
            (0, 66, [29, 31, 0, u32::MAX]),
            (0, 67, [29, 31, 0, u32::MAX]),
            (1, 64, [0, 95, 1 << 31, u32::MAX]),
            (1, 65, [0, 40, 1 << 31, u32::MAX]),
        ];
        for (is_set, cmd, lens) in wrong {
            for len in lens {
                assert_eq!(
                    parse(is_set, cmd, len),
                    Err(Errno::EINVAL),
                    "{is_set} {cmd} {len}"
                );
            }
        }
    }
}

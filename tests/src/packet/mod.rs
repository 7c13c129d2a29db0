// SPDX-License-Identifier: GPL-2.0-only
//! Packets.
//!
//! Owns: `build`, the bytes of one; [`random`] and [`flows`], which ones are
//! sent, singly and as connections; [`traffic`], many at full speed; and
//! [`agents`], the processes that send them on either side.
//! Leaves to [`world`](crate::world) where a packet goes, and to
//! [`oracle`](crate::oracle::case) what must become of it.

pub mod agents;
mod build;
pub mod flows;
pub mod random;
pub mod traffic;

pub use build::{DONT_FRAGMENT, Ipv4, MORE_FRAGMENTS, Tcp, fix_ip_checksum, icmp, protocol, udp};

// SPDX-License-Identifier: GPL-2.0-only
//! The small world of the packet tests.
//!
//! Owns: the interfaces, addresses, routes, ports and marks that random rules
//! and random packets both draw from, so that rules hit and miss in turn, and
//! where a packet goes in it. `namespace` builds it for real.
//!
//! ```text
//!   taps (a test writes frames)      under test         tuns (a test reads packets)
//!   eth0  10.1.0.1/24 ─┐                            ┌─ tun0  198.51.100.0/25, 203.0.113.0/24,
//!   wlan0 10.2.0.1/24 ─┼── INPUT, FORWARD, OUTPUT ──┤        224.0.0.0/4
//!   ppp10 10.3.0.1/24 ─┘             lo             └─ tun1x 198.51.100.128/25
//! ```
//!
//! Nothing routes to [`SOURCES`], and what the kernel sends by itself is
//! dropped before the filter's hooks: a packet is not answered.

pub mod namespace;

use std::fmt;

use crate::oracle::evaluate::{Hook, PacketType, Sender};

/// Interfaces that packets come in by.
pub const TAPS: [&str; 3] = ["eth0", "wlan0", "ppp10"];
/// Interfaces that packets leave by.
pub const TUNS: [&str; 2] = ["tun0", "tun1x"];

/// Where packets come from: nothing that is routed to.
pub const SOURCES: [[u8; 4]; 10] = [
    [192, 0, 2, 1],
    [192, 0, 2, 2],
    [192, 0, 2, 77],
    [192, 0, 2, 130],
    [192, 0, 66, 1],
    [172, 16, 5, 9],
    [172, 16, 6, 9],
    [100, 64, 1, 1],
    [8, 8, 8, 8],
    [1, 0, 0, 255],
];
/// The namespace's own addresses, broadcasts and groups.
pub const LOCAL: [[u8; 4]; 7] = [
    [10, 1, 0, 1],
    [10, 1, 0, 1],
    [10, 2, 0, 1],
    [10, 3, 0, 1],
    [10, 1, 0, 255],
    [255, 255, 255, 255],
    ALL_HOSTS,
];
/// What is reached through a tun.
pub const REMOTE: [[u8; 4]; 6] = [
    [198, 51, 100, 5],
    [198, 51, 100, 6],
    [198, 51, 100, 127],
    [198, 51, 100, 200],
    [203, 0, 113, 9],
    [203, 0, 113, 10],
];
/// What the namespace sends to itself through `lo`.
pub const LOOPBACK: [[u8; 4]; 3] = [[127, 0, 0, 1], [127, 1, 2, 3], [10, 1, 0, 1]];
/// The group that every interface is in.
pub const ALL_HOSTS: [u8; 4] = [224, 0, 0, 1];

/// Ports.
pub const PORTS: [u16; 12] = [0, 1, 21, 22, 53, 80, 443, 1023, 1024, 8080, 40000, 65535];
/// The mark of an incoming packet, by the low bits of its identification.
pub const MARKS: [u32; 8] = [0, 1, 0x10, 0xff, 0x8000_0000, 0x1234, 2, 0xffff_ffff];

/// The hardware address of every tap.
pub const TAP_ADDRESS: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// Where frames come from.
pub const PEER_ADDRESS: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
/// Interfaces that are in a group other than 0.
pub const GROUPS: [(&str, u32); 4] = [
    ("eth0", 1),
    ("wlan0", 0x4000_0001),
    ("tun0", 0x10),
    ("tun1x", 0x7fff_ffff),
];

/// Who sends packets from here: root, and for [`OTHER_MARK`] somebody else.
pub const SENDERS: [Sender; 2] = [
    Sender {
        user: 0,
        group: 0,
        groups: &[4, 100, 2000],
    },
    Sender {
        user: 1000,
        group: 1005,
        groups: &[7, 27, 3000, 3001],
    },
];
/// The mark of packets of the other sender.
pub const OTHER_MARK: u32 = 2;

/// The group of an interface.
pub fn group(device: &str) -> u32 {
    let group = GROUPS.iter().find(|(name, _)| *name == device);
    group.map_or(0, |(_, group)| *group)
}

/// The time to live that the kernel gives its own packets. What it sends from
/// here to elsewhere is an answer, and dropped before the filter's hooks: what
/// a test sends from here has another one.
pub const DEFAULT_TTL: u8 = 64;

/// What every link of the world takes.
pub const MTU: usize = 9000;

/// How a packet gets into the namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Way {
    /// Through a tap, to this hardware address.
    In {
        /// Index into [`TAPS`].
        tap: usize,
        /// Destination in the Ethernet header.
        hardware: [u8; 6],
        /// How many bytes of the frame lie in one piece, of a packet that does
        /// not fit into a page; the rest is in others. 0: all.
        linear: u16,
    },
    /// Through a raw socket, with this mark.
    Out {
        /// `SO_MARK`.
        mark: u32,
    },
}

/// One packet of a test.
#[derive(Clone, Debug)]
pub struct Shot {
    /// How it gets in.
    pub way: Way,
    /// From the IP header on.
    pub bytes: Vec<u8>,
    /// Nothing but the filter keeps the kernel from delivering, forwarding or
    /// sending it.
    pub sane: bool,
}

impl fmt::Display for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}{} ",
            self.way,
            if self.sane { "" } else { ", insane" }
        )?;
        // The data behind the headers is not worth reading.
        for byte in self.bytes.iter().take(100) {
            write!(f, "{byte:02x}")?;
        }
        write!(f, " [{}]", self.bytes.len())
    }
}

/// One pass of a packet through a hook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pass {
    /// The hook.
    pub hook: Hook,
    /// Incoming interface or nothing.
    pub in_dev: &'static str,
    /// Outgoing interface or nothing.
    pub out_dev: &'static str,
    /// `skb->mark`.
    pub mark: u32,
    /// `skb->pkt_type`.
    pub packet_type: PacketType,
    /// The source in its Ethernet header, if it has one.
    pub hardware: Option<[u8; 6]>,
    /// The packet as it is there.
    pub bytes: Vec<u8>,
}

impl Shot {
    /// The destination address.
    pub fn destination(&self) -> [u8; 4] {
        self.bytes[16..20].try_into().expect("an IP header")
    }

    /// Whether the kernel may answer it by itself: it comes to us from where
    /// there is a way back to.
    pub fn may_be_answered(&self) -> bool {
        let source = [12, 13, 14, 15].map(|at| self.bytes[at]);
        let local = matches!(route(self.destination()), "" | "lo");
        matches!(self.way, Way::In { .. }) && local && !matches!(route(source), "" | "lo")
    }

    /// Whether it is a fragment, first ones included.
    pub fn is_fragment(&self) -> bool {
        u16::from_be_bytes([self.bytes[6], self.bytes[7]]) & 0x3fff != 0
    }

    /// The passes through the hooks, if all of them let it through and the
    /// rest of the kernel has nothing against it.
    pub fn passes(&self) -> Vec<Pass> {
        let destination = self.destination();
        match &self.way {
            Way::In { tap, hardware, .. } => {
                let total = usize::from(u16::from_be_bytes([self.bytes[2], self.bytes[3]]));
                let mut bytes = self.bytes.clone();
                bytes.truncate(total);
                let mut pass = Pass {
                    hook: Hook::LocalIn,
                    in_dev: TAPS[*tap],
                    out_dev: "",
                    mark: MARKS[usize::from(self.bytes[5] & 7)],
                    packet_type: match hardware {
                        [0xff, ..] => PacketType::Broadcast,
                        [first, ..] if first & 1 == 1 => PacketType::Multicast,
                        _ => PacketType::Host,
                    },
                    hardware: Some(PEER_ADDRESS),
                    bytes,
                };
                match route(destination) {
                    "" | "lo" => {}
                    // Nobody routes groups here.
                    _ if destination == ALL_HOSTS => {}
                    out_dev => {
                        pass.hook = Hook::Forward;
                        pass.out_dev = out_dev;
                        pass.bytes[8] = pass.bytes[8].wrapping_sub(1);
                    }
                }
                vec![pass]
            }
            Way::Out { mark } => {
                let out = Pass {
                    hook: Hook::LocalOut,
                    in_dev: "",
                    out_dev: route(destination),
                    mark: *mark,
                    packet_type: PacketType::Host,
                    hardware: None,
                    bytes: {
                        let mut bytes = self.bytes.clone();
                        let total = bytes.len() as u16;
                        bytes[2..4].copy_from_slice(&total.to_be_bytes());
                        bytes
                    },
                };
                let back = Pass {
                    hook: Hook::LocalIn,
                    in_dev: out.out_dev,
                    out_dev: "",
                    ..out.clone()
                };
                match destination {
                    ALL_HOSTS => vec![
                        out,
                        Pass {
                            packet_type: PacketType::Loopback,
                            ..back
                        },
                    ],
                    _ if out.out_dev == "lo" => vec![out, back],
                    _ => vec![out],
                }
            }
        }
    }
}

/// The interface that the namespace's routes choose for a destination:
/// `lo` for its own, nothing where there is no way.
pub fn route(destination: [u8; 4]) -> &'static str {
    match destination {
        [198, 51, 100, 128..=255] => "tun1x",
        [198, 51, 100, _] | [203, 0, 113, _] | [224..=239, ..] => "tun0",
        [127, ..] | [10, 1..=3, 0, 1] => "lo",
        _ => "",
    }
}

/// A packet as it is written to a tap: `struct virtio_net_hdr`, Ethernet, IP.
pub fn frame(hardware: [u8; 6], linear: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0];
    frame.extend(linear.to_ne_bytes());
    frame.extend([0; 6]);
    frame.extend(hardware);
    frame.extend(PEER_ADDRESS);
    frame.extend([0x08, 0x00]);
    frame.extend(packet);
    frame
}

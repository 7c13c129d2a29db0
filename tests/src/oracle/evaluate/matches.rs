// SPDX-License-Identifier: GPL-2.0-only
//! What each match asks, in words of the manual.
//!
//! Owns: the meaning of the IP part of a rule and of every match that a test
//! can meet, `limit` excepted. A match sees the packet as the kernel shows it:
//! the transport header starts where the IP header says that it ends, and a
//! header that is not all there is a [`HotDrop`].

use super::{Conntrack, HotDrop, PacketAt, PacketType, SOURCE_BITS};
use crate::oracle::table::MatchData;
use umh_core::abi::{
    IPT_F_FRAG, IPT_INV_DSTIP, IPT_INV_FRAG, IPT_INV_PROTO, IPT_INV_SRCIP, IPT_INV_VIA_IN,
    IPT_INV_VIA_OUT, IptIp,
};

/// A match's answer.
type Answer = Result<bool, HotDrop>;

impl PacketAt<'_> {
    fn u16_at(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn address(&self, at: usize) -> [u8; 4] {
        self.bytes[at..at + 4].try_into().expect("four bytes")
    }

    fn source(&self) -> [u8; 4] {
        self.address(12)
    }

    fn destination(&self) -> [u8; 4] {
        self.address(16)
    }

    fn tos(&self) -> u8 {
        self.bytes[1]
    }

    fn ttl(&self) -> u8 {
        self.bytes[8]
    }

    fn protocol(&self) -> u8 {
        self.bytes[9]
    }

    fn total_length(&self) -> u16 {
        self.u16_at(2)
    }

    /// In units of eight bytes; not 0 in all fragments but the first.
    fn fragment_offset(&self) -> u16 {
        self.u16_at(6) & 0x1fff
    }

    fn transport_at(&self) -> usize {
        usize::from(self.bytes[0] & 0x0f) * 4
    }

    /// So many bytes of the transport header, all of them or none.
    fn transport(&self, skip: usize, len: usize) -> Result<&[u8], HotDrop> {
        let at = self.transport_at() + skip;
        self.bytes.get(at..at + len).ok_or(HotDrop)
    }
}

fn masked(address: [u8; 4], mask: [u8; 4]) -> [u8; 4] {
    std::array::from_fn(|i| address[i] & mask[i])
}

fn same_interface(device: &str, name: &[u8; 16], mask: &[u8; 16]) -> bool {
    let mut padded = [0; 16];
    padded[..device.len()].copy_from_slice(device.as_bytes());
    (0..16).all(|i| (padded[i] ^ name[i]) & mask[i] == 0)
}

/// The part of a rule that every rule has.
pub(super) fn ip(ip: &IptIp, packet: &PacketAt<'_>) -> bool {
    let inverted = |flag: u8| ip.invflags & flag != 0;
    let is_source = masked(packet.source(), ip.smsk) == ip.src;
    let is_destination = masked(packet.destination(), ip.dmsk) == ip.dst;
    let is_in = same_interface(packet.in_dev, &ip.iniface, &ip.iniface_mask);
    let is_out = same_interface(packet.out_dev, &ip.outiface, &ip.outiface_mask);
    // 0 stands for every protocol, and cannot be inverted.
    let is_protocol = u16::from(packet.protocol()) == ip.proto;
    let protocol_fits = ip.proto == 0 || is_protocol != inverted(IPT_INV_PROTO);
    // -f asks for later fragments; without -f the question is not asked, so
    // that its inversion alone can never be met.
    let fragment_lacks = ip.flags & IPT_F_FRAG != 0 && packet.fragment_offset() == 0;

    is_source != inverted(IPT_INV_SRCIP)
        && is_destination != inverted(IPT_INV_DSTIP)
        && is_in != inverted(IPT_INV_VIA_IN)
        && is_out != inverted(IPT_INV_VIA_OUT)
        && protocol_fits
        && fragment_lacks == inverted(IPT_INV_FRAG)
}

/// A match's own data.
struct Data<'a>(&'a [u8]);

impl Data<'_> {
    fn u8(&self, at: usize) -> u8 {
        self.0[at]
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_ne_bytes([self.0[at], self.0[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    /// Two numbers that follow each other, as a range.
    fn u16_range(&self, at: usize) -> std::ops::RangeInclusive<u16> {
        self.u16(at)..=self.u16(at + 2)
    }

    fn address(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }
}

/// The kernel's `^` where it does not make the inversion a truth value first:
/// an inversion of 2 matches always. iptables sends 0 and 1 only.
fn xor(answer: bool, inversion: u32) -> bool {
    u32::from(answer) ^ inversion != 0
}

/// Whether `tcpmss` or `ecn` asks for a header that a later fragment has not got.
pub(super) fn misses_header(data: &MatchData, packet: &PacketAt<'_>) -> bool {
    let asks = data.name != "ecn" || Data(&data.data).u8(0) & 0x30 != 0;
    asks && packet.fragment_offset() != 0
}

/// Asks the match that `data` names.
pub(super) fn extension(data: &MatchData, packet: &PacketAt<'_>) -> Answer {
    let info = Data(&data.data);
    match (data.name.as_str(), data.revision) {
        ("tcp", 0) => tcp(&info, packet),
        ("udp", 0) => udp(&info, packet),
        ("icmp", 0) => icmp(&info, packet),
        ("multiport", 1) => multiport(&info, packet),
        ("comment", 0) => Ok(true),
        (SOURCE_BITS, 0) => Ok(packet.source()[3] & info.u8(0) != 0),
        ("mark", 1) => Ok(xor(
            packet.mark & info.u32(4) == info.u32(0),
            u32::from(info.u8(8)),
        )),
        ("iprange", 1) => Ok(iprange(&info, packet)),
        ("length", 0) => Ok(xor(
            info.u16_range(0).contains(&packet.total_length()),
            u32::from(info.u8(4)),
        )),
        ("ttl", 0) => Ok(ttl(&info, packet)),
        ("tos", 1) => Ok((packet.tos() & info.u8(0) == info.u8(1)) != (info.u8(2) != 0)),
        ("dscp", 0) => Ok((packet.tos() >> 2 == info.u8(0)) != (info.u8(1) != 0)),
        ("pkttype", 0) => Ok(pkttype(&info, packet)),
        ("conntrack", 1..=3) => Ok(conntrack(&info, data.revision, packet.conntrack)),
        ("mac", 0) => Ok(packet.hardware.is_some_and(|source| {
            let same = source[..] == info.0[..6];
            xor(same, info.u32(8))
        })),
        ("connmark", 1) | ("connbytes", 0) | ("helper", 0) => match packet.conntrack {
            Conntrack::Invalid | Conntrack::Untracked => {
                Ok(data.name == "helper" && info.u32(0) != 0)
            }
            _ => panic!("nobody says what the connection carries"),
        },
        ("cpu", 0) => Ok((packet.cpu == info.u32(0)) != (info.u32(4) != 0)),
        ("owner", 1) => Ok(owner(&info, packet)),
        ("devgroup", 0) => Ok(devgroup(&info, packet)),
        ("tcpmss", 0) => tcpmss(&info, packet),
        ("ecn", 0) => Ok(ecn(&info, packet)),
        ("esp", 0) => spi(&info, packet, 8, 0),
        ("dccp", 0) => dccp(&info, packet),
        ("sctp", 0) => sctp(&info, packet),
        ("ah", 0) => spi(&info, packet, 12, 4),
        ("u32", 0) => Ok(xor(u32(&info, packet.bytes), info.u8(1981).into())),
        // What is by chance is tested with chances of 0 and 1 only.
        ("statistic", 0) => Ok((info.u32(4) > 0x7fff_ffff) != (info.u8(2) & 1 != 0)),
        (name, revision) => panic!("no evaluation of match {name} revision {revision}"),
    }
}

/// `struct xt_tcp`: source ports, destination ports, option, mask, compare,
/// inversions.
fn tcp(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    match packet.fragment_offset() {
        0 => {}
        // Would overwrite the flags of the first fragment.
        1 => return Err(HotDrop),
        _ => return Ok(false),
    }
    let header = packet.transport(0, 20)?;
    let source = u16::from_be_bytes([header[0], header[1]]);
    let destination = u16::from_be_bytes([header[2], header[3]]);
    let (option, mask, compare, inverse) = (info.u8(8), info.u8(9), info.u8(10), info.u8(11));
    if info.u16_range(0).contains(&source) == (inverse & 0x01 != 0)
        || info.u16_range(4).contains(&destination) == (inverse & 0x02 != 0)
        || (header[13] & mask == compare) == (inverse & 0x04 != 0)
    {
        return Ok(false);
    }
    if option == 0 {
        return Ok(true);
    }
    let header_len = usize::from(header[12] >> 4) * 4;
    let options_len = header_len.checked_sub(20).ok_or(HotDrop)?;
    let inverted = inverse & 0x08 != 0;
    if options_len == 0 {
        return Ok(inverted);
    }
    let options = packet.transport(20, options_len)?;
    Ok(has_tcp_option(options, option) != inverted)
}

/// Whether `wanted` is among the options; a length of 0 is taken for 1.
fn has_tcp_option(options: &[u8], wanted: u8) -> bool {
    let mut at = 0;
    while let Some(kind) = options.get(at) {
        if *kind == wanted {
            return true;
        }
        at += match options.get(at + 1) {
            Some(len) if *kind >= 2 => usize::from(*len).max(1),
            _ => 1,
        };
    }
    false
}

/// `struct xt_udp`: source ports, destination ports, inversions.
fn udp(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    if packet.fragment_offset() != 0 {
        return Ok(false);
    }
    let header = packet.transport(0, 8)?;
    let source = u16::from_be_bytes([header[0], header[1]]);
    let destination = u16::from_be_bytes([header[2], header[3]]);
    let inverse = info.u8(8);
    Ok(info.u16_range(0).contains(&source) != (inverse & 0x01 != 0)
        && info.u16_range(4).contains(&destination) != (inverse & 0x02 != 0))
}

/// `struct ipt_icmp`: type, lowest and highest code, inversion.
fn icmp(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    if packet.fragment_offset() != 0 {
        return Ok(false);
    }
    let header = packet.transport(0, 8)?;
    let codes = info.u8(1)..=info.u8(2);
    let is_it = info.u8(0) == 0xff || (info.u8(0) == header[0] && codes.contains(&header[1]));
    Ok(is_it != (info.u8(3) & 0x01 != 0))
}

/// `struct xt_multiport_v1`: which side, number, ports, whether a port starts
/// a range, inversion.
fn multiport(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    if packet.fragment_offset() != 0 {
        return Ok(false);
    }
    let header = packet.transport(0, 4)?;
    let source = u16::from_be_bytes([header[0], header[1]]);
    let destination = u16::from_be_bytes([header[2], header[3]]);
    let asked: &[u16] = match info.u8(0) {
        0 => &[source],
        1 => &[destination],
        2 => &[source, destination],
        _ => &[],
    };
    let count = usize::from(info.u8(1));
    let port = |i: usize| info.u16(2 + 2 * i);
    let mut is_one = false;
    let mut i = 0;
    while i < count {
        let low = port(i);
        if info.u8(32 + i) != 0 {
            i += 1;
        }
        let range = low..=port(i);
        is_one |= asked.iter().any(|port| range.contains(port));
        i += 1;
    }
    Ok(xor(is_one, u32::from(info.u8(47))))
}

/// `struct xt_iprange_mtinfo`: four addresses of 16 bytes, flags.
fn iprange(info: &Data<'_>, packet: &PacketAt<'_>) -> bool {
    let flags = info.u8(64);
    let fits = |asked: u8, inverse: u8, address: [u8; 4], at: usize| {
        let range = info.address(at)..=info.address(at + 16);
        let inside = range.contains(&u32::from_be_bytes(address));
        flags & asked == 0 || inside != (flags & inverse != 0)
    };
    fits(0x01, 0x10, packet.source(), 0) && fits(0x02, 0x20, packet.destination(), 32)
}

/// `struct ipt_ttl_info`: how, and with what.
fn ttl(info: &Data<'_>, packet: &PacketAt<'_>) -> bool {
    let wanted = info.u8(1);
    match info.u8(0) {
        0 => packet.ttl() == wanted,
        1 => packet.ttl() != wanted,
        2 => packet.ttl() < wanted,
        3 => packet.ttl() > wanted,
        _ => false,
    }
}

/// `struct xt_pkttype_info`: type, inversion.
fn pkttype(info: &Data<'_>, packet: &PacketAt<'_>) -> bool {
    let multicast = packet.destination()[0] & 0xf0 == 0xe0;
    let kind = match packet.packet_type {
        PacketType::Loopback if multicast => PacketType::Multicast,
        PacketType::Loopback => PacketType::Broadcast,
        kind => kind,
    };
    xor(kind as u32 == info.u32(0), info.u32(4))
}

/// `struct xt_conntrack_mtinfo1` to `3`, as far as the state is asked for.
fn conntrack(info: &Data<'_>, revision: u8, state: Conntrack) -> bool {
    const STATE: u16 = 1 << 0;
    /// `-m state`: how it was written, not what it asks.
    const ALIAS: u16 = 1 << 13;
    // Eight addresses of 16 bytes, two u32, protocol and four ports before.
    let (flags, inverse) = (info.u16(146), info.u16(148));
    let mask = match revision {
        1 => u16::from(info.u8(150)),
        _ => info.u16(150),
    };
    if flags & STATE != 0 && (mask & state as u16 != 0) == (inverse & STATE != 0) {
        return false;
    }
    if matches!(state, Conntrack::Invalid | Conntrack::Untracked) {
        // No connection, no answer to anything else.
        return flags & STATE != 0;
    }
    assert_eq!(flags & !(STATE | ALIAS), 0, "only the state is evaluated");
    true
}

/// `struct xt_owner_match_info`: first and last user, first and last group,
/// what is asked, inversions. Every socket that sends here has a file.
fn owner(info: &Data<'_>, packet: &PacketAt<'_>) -> bool {
    let (asked, inverse) = (info.u8(16), info.u8(17));
    let Some(sender) = packet.sender else {
        return asked == inverse;
    };
    let users = info.u32(0)..=info.u32(4);
    let groups = info.u32(8)..=info.u32(12);
    let others = sender.groups.iter().any(|group| groups.contains(group));
    let in_group = groups.contains(&sender.group) || (asked & 0x08 != 0 && others);
    asked & inverse & 0x04 == 0
        && (asked & 0x01 == 0 || users.contains(&sender.user) != (inverse & 0x01 != 0))
        && (asked & 0x02 == 0 || in_group != (inverse & 0x02 != 0))
}

/// `struct xt_devgroup_info`: flags; group and mask of both sides.
fn devgroup(info: &Data<'_>, packet: &PacketAt<'_>) -> bool {
    let flags = info.u32(0);
    [(0x1, 0x2, 4), (0x4, 0x8, 12)]
        .into_iter()
        .zip(packet.groups)
        .all(|((asked, inverse, at), group)| {
            let (value, mask) = (info.u32(at), info.u32(at + 4));
            let same = (value ^ group) & mask == 0;
            flags & asked == 0 || same != (flags & inverse != 0)
        })
}

/// `struct xt_tcpmss_match_info`: least, most, inversion. Not interested in
/// fragments: it takes any packet's payload for a TCP header.
fn tcpmss(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    let header = packet.transport(0, 20)?;
    let header_len = usize::from(header[12] >> 4) * 4;
    let options_len = header_len.checked_sub(20).ok_or(HotDrop)?;
    let options = packet.transport(20, options_len)?;
    let inversion = u32::from(info.u8(4));
    let mut at = 0;
    while let Some(kind) = options.get(at) {
        if let [2, 4, high, low, ..] = options[at..] {
            let size = u16::from_be_bytes([high, low]);
            return Ok(xor(info.u16_range(0).contains(&size), inversion));
        }
        at += match options.get(at + 1) {
            Some(len) if *kind >= 2 => usize::from(*len).max(1),
            _ => 1,
        };
    }
    Ok(inversion != 0)
}

/// `struct xt_ecn_info`: what is asked, inversions, the IP header's bits. TCP's
/// bits are looked for in fragments, too; without a header there are none.
fn ecn(info: &Data<'_>, packet: &PacketAt<'_>) -> bool {
    let (asked, inverse) = (info.u8(0), info.u8(1));
    let differs = |flag: u8, is: bool| asked & flag != 0 && is == (inverse & flag != 0);
    if differs(0x01, packet.tos() & 3 == info.u8(2)) {
        return false;
    }
    if asked & 0x30 == 0 {
        return true;
    }
    match packet.transport(0, 20) {
        Err(HotDrop) => false,
        Ok(header) => {
            !differs(0x10, header[13] & 0x40 != 0) && !differs(0x20, header[13] & 0x80 != 0)
        }
    }
}

/// `struct xt_esp` and `struct ipt_ah`: first, last, inversion.
fn spi(info: &Data<'_>, packet: &PacketAt<'_>, header: usize, at: usize) -> Answer {
    if packet.fragment_offset() != 0 {
        return Ok(false);
    }
    let header = packet.transport(0, header)?;
    let spi = Data(header).address(at);
    let range = info.u32(0)..=info.u32(4);
    Ok(range.contains(&spi) != (info.u8(8) & 0x01 != 0))
}

/// `struct xt_dccp_info`: destination ports, source ports, what is asked, what
/// of it is inverted, types.
fn dccp(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    if packet.fragment_offset() != 0 {
        return Ok(false);
    }
    let header = packet.transport(0, 12)?;
    let (asked, inverse) = (u32::from(info.u16(8)), u32::from(info.u16(10)));
    let is_type = info.u16(12) >> (header[8] >> 1 & 0xf) & 1 != 0;
    Ok(asked_ports(info, header, asked, inverse)
        && (asked & 4 == 0 || is_type != (inverse & 4 != 0)))
}

/// `struct xt_sctp_info`: the same with what is asked at 284. Chunks are not
/// asked for.
fn sctp(info: &Data<'_>, packet: &PacketAt<'_>) -> Answer {
    if packet.fragment_offset() != 0 {
        return Ok(false);
    }
    let header = packet.transport(0, 12)?;
    Ok(asked_ports(info, header, info.u32(284), info.u32(288)))
}

fn asked_ports(info: &Data<'_>, header: &[u8], asked: u32, inverse: u32) -> bool {
    let source = u16::from_be_bytes([header[0], header[1]]);
    let destination = u16::from_be_bytes([header[2], header[3]]);
    [(1, 4, source), (2, 0, destination)]
        .into_iter()
        .all(|(bit, at, port)| {
            asked & bit == 0 || info.u16_range(at).contains(&port) != (inverse & bit != 0)
        })
}

/// `struct xt_u32`: eleven tests of eleven locations and eleven values; the
/// number of tests is at 1980.
fn u32(info: &Data<'_>, packet: &[u8]) -> bool {
    let word = |at: u64| {
        let at = usize::try_from(at).ok()?;
        let bytes = packet.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    };
    let test = |test: usize| {
        let mut at = 0u64;
        let mut value = word(info.u32(test).into())?;
        for location in 1..usize::from(info.u8(test + 176)) {
            let number = info.u32(test + location * 8);
            match info.u8(test + location * 8 + 4) {
                0 => value &= number,
                1 => value <<= number,
                2 => value >>= number,
                3 => {
                    at += u64::from(value);
                    if at > u64::from(u32::MAX) {
                        return None;
                    }
                    value = word(at + u64::from(number))?;
                }
                _ => {}
            }
        }
        let mut values = (0..usize::from(info.u8(test + 177))).map(|i| test + 88 + i * 8);
        Some(values.any(|i| (info.u32(i)..=info.u32(i + 4)).contains(&value)))
    };
    (0..usize::from(info.u8(1980))).all(|number| test(number * 180) == Some(true))
}

// SPDX-License-Identifier: GPL-2.0-only
//! Building packets, the broken ones too.
//!
//! Owns: bytes of IPv4 packets and of the headers inside, where every length,
//! flag and offset can be set to what no sane sender would. What is not set is
//! filled in correctly, checksums included. Leaves to others which packets are
//! worth building (`world`).

/// IP protocol numbers.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDPLITE: u8 = 136;
}

/// Don't fragment.
pub const DONT_FRAGMENT: u16 = 0x4000;
/// More fragments follow.
pub const MORE_FRAGMENTS: u16 = 0x2000;

/// An IPv4 packet to be built.
#[derive(Clone, Debug, Default)]
pub struct Ipv4 {
    /// Type of service.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Flags and fragment offset, as they lie in the header.
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Source address.
    pub source: [u8; 4],
    /// Destination address.
    pub destination: [u8; 4],
    /// Options, padded to a multiple of four when built.
    pub options: Vec<u8>,
    /// What follows the header.
    pub payload: Vec<u8>,
    /// Header length in words, if not what it is.
    pub header_words: Option<u8>,
    /// Total length, if not what it is.
    pub total_length: Option<u16>,
    /// IP version, if not 4.
    pub version: Option<u8>,
    /// Leave the header's checksum wrong.
    pub bad_checksum: bool,
}

impl Ipv4 {
    /// The bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4).min(40), 0);
        let header_len = 20 + options.len();
        let words = self.header_words.unwrap_or((header_len / 4) as u8);
        let total = header_len + self.payload.len();
        let total = self.total_length.unwrap_or(total as u16);
        let mut bytes = vec![self.version.unwrap_or(4) << 4 | words & 0x0f, self.tos];
        bytes.extend(total.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source);
        bytes.extend(self.destination);
        bytes.extend(options);
        fix_ip_checksum(&mut bytes);
        if self.bad_checksum {
            bytes[10] ^= 0x55;
        }
        bytes.extend(&self.payload);
        bytes
    }
}

/// A TCP header to be built, with what follows it.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// The byte of the flags.
    pub flags: u8,
    /// Options, as they are, padded to a multiple of four when built.
    pub options: Vec<u8>,
    /// Header length in words, if not what it is.
    pub header_words: Option<u8>,
    /// What follows the header.
    pub data: Vec<u8>,
}

impl Tcp {
    /// The bytes, with the checksum for these addresses.
    pub fn build(&self, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        let words = self
            .header_words
            .unwrap_or(((20 + options.len()) / 4) as u8);
        let mut bytes = Vec::new();
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(self.destination.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgement.to_be_bytes());
        bytes.extend([words << 4, self.flags, 0x20, 0, 0, 0, 0, 0]);
        bytes.extend(options);
        bytes.extend(&self.data);
        let sum = transport_checksum(source, destination, protocol::TCP, &bytes);
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

/// A UDP datagram, with the checksum for these addresses.
pub fn udp(source: ([u8; 4], u16), destination: ([u8; 4], u16), data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(source.1.to_be_bytes());
    bytes.extend(destination.1.to_be_bytes());
    bytes.extend((8 + data.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(data);
    let sum = match transport_checksum(source.0, destination.0, protocol::UDP, &bytes) {
        0 => 0xffff,
        sum => sum,
    };
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// An ICMP message.
pub fn icmp(kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(rest);
    bytes.extend(data);
    let sum = checksum(&bytes, 0);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Corrects the checksum of an IP header.
pub fn fix_ip_checksum(bytes: &mut [u8]) {
    let end = (usize::from(bytes[0] & 0x0f) * 4).clamp(20, bytes.len());
    bytes[10..12].fill(0);
    let sum = checksum(&bytes[..end], 0);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// The checksum of TCP and UDP.
fn transport_checksum(source: [u8; 4], destination: [u8; 4], protocol: u8, bytes: &[u8]) -> u16 {
    let pseudo: u32 = [
        [source[0], source[1]],
        [source[2], source[3]],
        [destination[0], destination[1]],
        [destination[2], destination[3]],
    ]
    .map(|pair| u32::from(u16::from_be_bytes(pair)))
    .iter()
    .sum();
    checksum(bytes, pseudo + u32::from(protocol) + bytes.len() as u32)
}

/// The Internet checksum of `bytes`, on top of a sum so far.
fn checksum(bytes: &[u8], sum: u32) -> u16 {
    let mut sum = sum;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_a_known_packet() {
        // The example of RFC 1071's errata, as found in many textbooks.
        let mut header = vec![
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0x00,
            0x01, 0xc0, 0xa8, 0x00, 0xc7,
        ];
        fix_ip_checksum(&mut header);
        assert_eq!(header[10..12], [0xb8, 0x61]);
    }

    #[test]
    fn lengths_are_what_is_asked_for() {
        let packet = Ipv4 {
            options: vec![1, 1, 1],
            payload: vec![0; 7],
            ..Ipv4::default()
        };
        assert_eq!(packet.build().len(), 31);
        assert_eq!(packet.build()[0], 0x46);
        let short = Ipv4 {
            header_words: Some(3),
            total_length: Some(5),
            ..packet
        };
        assert_eq!(short.build()[0], 0x43);
        assert_eq!(short.build()[2..4], [0, 5]);
    }
}

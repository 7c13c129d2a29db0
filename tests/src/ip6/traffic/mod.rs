// SPDX-License-Identifier: GPL-2.0-only
//! IPv6 packets through all hooks, and a record of all that can be seen of them.
//!
//! Owns: a network namespace with two taps, where a test writes frames, and two tuns
//! and the taps, where it reads what leaves; and the record: bytes that leave and that
//! pass the loopback interface, lines in the kernel's log, the kernel's own counters,
//! those of every rule of all tables, and connections. There is no model of it: two
//! kernels that are given the same seeds, one with ip6_tables and one with bpfilter,
//! must write the same record.
//!
//! ```text
//!   eth0   2001:db8:1::1/64, fe80::1 ─┐                           ┌─ tun0   2001:db8:5::/48,
//!                                     ├ INPUT, FORWARD, OUTPUT ───┤         2001:db8:9::/48, fd00:77::/32
//!   wlan0  2001:db8:3::1/64 ──────────┘            lo             └─ tun1x  2001:db8:6::/48, 2001:db8:a::/48
//! ```

mod packets;
mod rules;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use umh_core::abi::{Family, TABLES, TableSpec};

use self::packets::{Shot, Way};
use crate::client::sockopt::{Kind, socket_of};
use crate::records::answers::{Log, heard, loopback};
use crate::world::namespace::{forget_connections, open_tun, run, set_option, unshare};

const fn address(words: [u16; 8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut at = 0;
    while at < 16 {
        let [high, low] = words[at / 2].to_be_bytes();
        bytes[at] = high;
        bytes[at + 1] = low;
        at += 2;
    }
    bytes
}

/// Where packets come from; to all of them there is a way back.
const SOURCES: [[u8; 16]; 4] = [
    address([0x2001, 0xdb8, 9, 0, 0, 0, 0, 1]),
    address([0x2001, 0xdb8, 9, 5, 0x200, 0xff, 0xfe00, 2]),
    address([0x2001, 0xdb8, 10, 0, 0, 0, 0, 1]),
    address([0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x77]),
];
/// The namespace's own.
const LOCAL: [[u8; 16]; 2] = [
    address([0x2001, 0xdb8, 1, 0, 0, 0, 0, 1]),
    address([0x2001, 0xdb8, 3, 0, 0, 0, 0, 1]),
];
/// What is reached through a tun.
const REMOTE: [[u8; 16]; 4] = [
    address([0x2001, 0xdb8, 5, 0, 0, 0, 0, 7]),
    address([0x2001, 0xdb8, 5, 0, 0, 0, 0, 8]),
    address([0x2001, 0xdb8, 6, 0, 0, 0, 0, 7]),
    address([0xfd00, 0x77, 0, 0, 0, 0, 0, 5]),
];
/// Of this host, on eth0, and of its neighbour.
const LINK_LOCAL: [[u8; 16]; 2] = [
    address([0xfe80, 0, 0, 0, 0, 0, 0, 1]),
    address([0xfe80, 0, 0, 0, 0x200, 0xff, 0xfe00, 2]),
];
const LOOPBACK: [u8; 16] = address([0, 0, 0, 0, 0, 0, 0, 1]);
/// All nodes of a link.
const GROUP: [u8; 16] = address([0xff02, 0, 0, 0, 0, 0, 0, 1]);
/// Nothing leads there.
const NO_WAY: [u8; 16] = address([0x2001, 0xdb8, 0xdead, 0, 0, 0, 0, 1]);

const TAPS: [&str; 2] = ["eth0", "wlan0"];
const TUNS: [&str; 2] = ["tun0", "tun1x"];

fn tables() -> impl Iterator<Item = &'static TableSpec> {
    let of_ipv6 = |table: &&TableSpec| table.family == Family::Ipv6;
    TABLES.iter().filter(of_ipv6)
}

/// Of every tap, of the neighbour on it, and of [`GROUP`].
const TAP_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 2];
const GROUP_ADDRESS: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
/// `struct virtio_net_hdr`, and Ethernet's header.
const FRAME: usize = 10 + 14;

/// The interfaces and routes, for `ip -batch`.
const INTERFACES: &str = "\
link set lo up
link set eth0 address 02:00:00:00:00:01 mtu 9000 up
link set wlan0 address 02:00:00:00:00:01 mtu 9000 up
link set tun0 mtu 9000 up
link set tun1x mtu 9000 up
addr add 2001:db8:1::1/64 dev eth0 nodad
addr add fe80::1/64 dev eth0 nodad
addr add 2001:db8:3::1/64 dev wlan0 nodad
neigh add fe80::200:ff:fe00:2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
neigh add 2001:db8:1::77 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
route add 2001:db8:5::/48 dev tun0
route add 2001:db8:9::/48 dev tun0
route add fd00:77::/32 dev tun0
route add 2001:db8:6::/48 dev tun1x
route add 2001:db8:a::/48 dev tun1x
";

/// Before there are interfaces: no addresses, no packets of the kernel's own accord,
/// no answer that is left out for there were many, and nothing that is over when some
/// time has passed.
const SETTINGS: [(&str, &str); 14] = [
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/addr_gen_mode", "1"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/mldv2_unsolicited_report_interval", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/all/seg6_enabled", "0"),
    ("ipv6/icmp/ratemask", "2"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv6/auto_flowlabels", "0"),
    ("ipv6/ip6frag_time", "100000"),
    ("netfilter/nf_conntrack_frag6_timeout", "100000"),
];

/// The namespace, and what is read there.
struct World {
    taps: Vec<File>,
    tuns: Vec<File>,
    raw: OwnedFd,
    loopback: OwnedFd,
    log: Log,
}

impl World {
    fn enter() -> io::Result<Self> {
        unshare()?;
        for (name, value) in SETTINGS {
            fs::write(format!("/proc/sys/net/{name}"), value)
                .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        }
        let taps = TAPS.map(|name| open_tun(name, true));
        let tuns = TUNS.map(|name| open_tun(name, false));
        run(&["ip", "-batch", "-"], INTERFACES)?;
        let mut world = Self {
            taps: taps.into_iter().collect::<io::Result<_>>()?,
            tuns: tuns.into_iter().collect::<io::Result<_>>()?,
            raw: socket_of(libc::AF_INET6, Kind::Raw)?,
            loopback: loopback(libc::ETH_P_IPV6)?,
            log: Log::open()?,
        };
        // The interfaces have told their groups, and are silent from now on.
        sleep(Duration::from_secs(4));
        world.left()?;
        Ok(world)
    }

    /// What has left since the last time, and by which interface.
    fn left(&mut self) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
        let mut left = Vec::new();
        let files = self.tuns.iter().zip(TUNS).map(|file| (file, 0));
        for ((mut file, name), skip) in
            files.chain(self.taps.iter().zip(TAPS).map(|file| (file, FRAME)))
        {
            let mut buffer = [0; 1 << 16];
            loop {
                match file.read(&mut buffer) {
                    Ok(len) => left.push((name, buffer[skip.min(len)..len].to_vec())),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(left)
    }

    /// Puts a packet in. The errno, if it was not taken.
    fn fire(&mut self, shot: &Shot) -> io::Result<Option<i32>> {
        match shot.way {
            Way::In { tap, group, linear } => {
                let mut frame = vec![0, 0];
                frame.extend(linear.to_ne_bytes());
                frame.extend([0; 6]);
                frame.extend(if group { GROUP_ADDRESS } else { TAP_ADDRESS });
                frame.extend(PEER_ADDRESS);
                frame.extend([0x86, 0xdd]);
                frame.extend(&shot.bytes);
                (&self.taps[tap]).write_all(&frame)?;
                Ok(None)
            }
            Way::Out { mark } => {
                set_option(&self.raw, libc::SOL_SOCKET, libc::SO_MARK, mark)?;
                Ok(send(&self.raw, &shot.bytes))
            }
        }
    }

    /// Loads rules, sends packets and writes down what can be seen of them.
    fn record(&mut self, rules: &str, shots: &[Shot]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        run(&["ip6tables-legacy-restore"], rules)
            .map_err(|error| io::Error::other(format!("{error}{rules}")))?;
        forget_connections()?;
        let mut before = counters()?;
        heard(&self.loopback)?;
        self.log.lines()?;
        for (number, shot) in shots.iter().enumerate() {
            let errno = self.fire(shot)?;
            let after = counters()?;
            for (name, packet) in self.left()? {
                writeln!(out, "{number} {name} {}", masked(packet))?;
            }
            for packet in heard(&self.loopback)? {
                writeln!(out, "{number} lo {}", masked(packet))?;
            }
            for line in self.log.lines()? {
                writeln!(out, "{number} log {}", without_number(&line))?;
            }
            write!(out, "{number} errno {}:", errno.unwrap_or(0))?;
            for ((name, old), (_, new)) in before.iter().zip(&after) {
                if old != new {
                    write!(out, " {name} {}", new.wrapping_sub(*old))?;
                }
            }
            writeln!(out)?;
            before = after;
        }
        for table in tables() {
            let saved = run(&["ip6tables-legacy-save", "-c", "-t", table.name], "")?;
            for line in saved.lines().filter(|line| !line.starts_with('#')) {
                writeln!(out, "{line}")?;
            }
        }
        let mut connections: Vec<String> = run(&["conntrack", "-L", "-f", "ipv6"], "")?
            .lines()
            .map(without_time)
            .collect();
        connections.sort();
        writeln!(out, "{}", connections.join("\n"))
    }
}

/// Sends a packet, header included. The errno, if it was not taken.
fn send(socket: &OwnedFd, bytes: &[u8]) -> Option<i32> {
    let mut to = libc::in6_addr { s6_addr: [0; 16] };
    to.s6_addr.copy_from_slice(&bytes[24..40]);
    let address = libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as u16,
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: to,
        sin6_scope_id: 0,
    };
    // SAFETY: both pointers are to live memory of the lengths given; the kernel only
    // reads them.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    match sent {
        0.. => None,
        _ => io::Error::last_os_error().raw_os_error(),
    }
}

/// What IPv6 and ICMPv6 have counted in this thread's namespace.
fn counters() -> io::Result<Vec<(String, u64)>> {
    let text = fs::read_to_string("/proc/thread-self/net/snmp6")?;
    let words = text.lines().map(|line| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        (
            name,
            words
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0),
        )
    });
    // Per type of ICMPv6 there is a line from the first one on.
    Ok(words.filter(|(name, _)| !name.contains("Type")).collect())
}

/// A line of conntrack without what is left of its time, and without its address in
/// the kernel.
fn without_time(line: &str) -> String {
    let words = line.split_ascii_whitespace().enumerate();
    let kept = words.filter(|(place, word)| *place != 2 && !word.starts_with("id="));
    kept.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// A line of the log. Fragments that the kernel makes of a packet are numbered by chance.
fn without_number(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.strip_prefix("ID:") {
        Some(id) if !known_number(u32::from_str_radix(id, 16).unwrap_or(0)) => "ID:any",
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a fragment with this number is one that was put in.
fn known_number(id: u32) -> bool {
    packets::FRAGMENT_IDS.contains(&id)
}

/// A packet in hexadecimal. Fragments that the kernel makes of a packet are numbered
/// by chance.
fn masked(mut packet: Vec<u8>) -> String {
    let (mut next, mut at) = (packet[6], 40);
    while let Some(&[following, len]) = packet.get(at..at + 2) {
        let len = match next {
            packets::HOP | packets::ROUTING | packets::DEST => (usize::from(len) + 1) * 8,
            packets::AUTH => (usize::from(len) + 2) * 4,
            packets::FRAGMENT => 8,
            _ => break,
        };
        if next == packets::FRAGMENT
            && let Some(id) = packet.get_mut(at + 4..at + 8)
            && let Ok(number) = <[u8; 4]>::try_from(&*id)
            && !known_number(u32::from_be_bytes(number))
        {
            id.fill(0);
        }
        (next, at) = (following, at + len);
    }
    packet.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the record of `count` cases from `seed` on.
pub fn cases(seed: u64, count: u64) -> io::Result<()> {
    let mut world = World::enter()?;
    for seed in seed..seed + count {
        println!("case {seed}");
        let mut rng = Rng::with_seed(seed);
        let rules = rules::rules(&mut rng);
        let shots = packets::shots(&mut rng, 120);
        world.record(&rules, &shots)?;
    }
    Ok(())
}

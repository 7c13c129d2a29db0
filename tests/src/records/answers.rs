// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel answers and logs on behalf of rules.
//!
//! Owns: rule sets that answer, log and mark packets, and a record of all that
//! can be seen of them: counters, what leaves the host and what passes its
//! loopback interface, byte for byte, and the lines in the kernel's log. There
//! is no model of it: two kernels that are given the same seeds, one with
//! ip_tables and one with bpfilter, must write the same record.
//!
//! What no two runs have in common is masked: the identification of packets
//! that the kernel makes itself, with the checksum that covers it, which has
//! to be right; and the time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use fastrand::Rng;

use crate::oracle::case::{CPU, Case, Live, Seen, difference};
use crate::packet::random::shot;
use crate::packet::{fix_ip_checksum, protocol};
use crate::rules::changing;
use crate::rules::hotdrop;
use crate::rules::random::{Flavour, nested, remark, rule_set};
use crate::rules::x_tables::SETS;
use crate::world::Shot;
use crate::world::namespace::{Namespace, forget_connections, pin, run};

/// From this seed on rules use x_tables' own matches and targets, too.
const X_TABLES: u64 = 1000;

/// The case of a seed: its rules answer, log and mark.
fn case(seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let x_tables = seed >= X_TABLES;
    let flavour = Flavour {
        conntrack: x_tables || seed % 3 == 2,
        kernel: true,
        x_tables,
        ..Flavour::default()
    };
    let rules = match seed % 16 {
        // Answers pass the same chains while their question is deep in them.
        15 => nested(rng.usize(1..=64)).replace("-j DROP", "-j REJECT"),
        _ => {
            let rules = rule_set(&mut rng, flavour);
            busy(&mut rng, &rules)
        }
    };
    let shots = (0..50).map(|_| shot(&mut rng)).collect();
    let mut case = Case {
        rules,
        flavour,
        shots,
        ..Case::new(0)
    };
    // A fragment that waits for others may be answered at any time.
    case.drop_reassembled();
    case
}

/// A rule set in which every packet meets something: what it logs and how it
/// marks comes first, how it answers last.
fn busy(rng: &mut Rng, rules: &str) -> String {
    let mut text = String::new();
    for line in rules.lines() {
        if line == "COMMIT" {
            for hook in ["INPUT", "FORWARD", "OUTPUT"] {
                if rng.bool() {
                    text += &format!("-A {hook} -p tcp -j REJECT --reject-with tcp-reset\n");
                }
                if rng.bool() {
                    text += &format!("-A {hook} -j REJECT\n");
                }
            }
        }
        text += &format!("{line}\n");
        // The rule that counts all.
        if line.starts_with("-A ") && line.split(' ').count() == 2 {
            text += &format!("{line} {}\n", remark(rng, false));
        }
    }
    text
}

/// What a record is made in.
struct Recorder {
    namespace: Namespace,
    loopback: OwnedFd,
    log: Log,
}

impl Recorder {
    fn new() -> io::Result<Self> {
        let namespace = Namespace::enter()?;
        // A way back to everybody.
        run(&["ip", "route", "add", "default", "dev", "tun0"], "")?;
        let loopback = loopback(libc::ETH_P_IP)?;
        let log = Log::open()?;
        Ok(Self {
            namespace,
            loopback,
            log,
        })
    }

    /// Loads rules, sends packets and writes down what can be seen of them.
    fn record(&mut self, rules: &str, shots: &[Shot]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        pin(rules.contains("-m cpu").then_some(CPU as usize))?;
        run(&["iptables-legacy-restore"], rules)?;
        forget_connections()?;
        let live = Live::open()?;
        let mut before = live.counters()?;
        heard(&self.loopback)?;
        self.log.lines()?;
        for (number, shot) in shots.iter().enumerate() {
            let fate = self.namespace.fire(shot)?;
            let after = live.counters()?;
            let counted = difference(&before, &after);
            before = after;
            for (name, packet) in &fate.left {
                writeln!(out, "{number} {name} {}", masked(packet))?;
            }
            for packet in heard(&self.loopback)? {
                writeln!(out, "{number} lo {}", masked(&packet))?;
            }
            for line in self.log.lines()? {
                writeln!(out, "{number} log {line}")?;
            }
            writeln!(out, "{number} {}", Seen { fate, counted })?;
        }
        let saved = run(&["iptables-legacy-save", "-c", "-t", "filter"], "")?;
        for line in saved.lines().filter(|line| !line.starts_with('#')) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// Writes the record of `count` cases from `seed` on.
pub fn cases(seed: u64, count: u64) -> io::Result<()> {
    let mut recorder = Recorder::new()?;
    if seed >= X_TABLES {
        run(&["ipset", "restore"], SETS)?;
    }
    for seed in seed..seed + count {
        println!("case {seed}");
        let case = case(seed);
        recorder.record(&case.rules, &case.shots)?;
    }
    Ok(())
}

/// Writes the record of `count` rule sets that change packets or take them.
pub fn changed(count: u64) -> io::Result<()> {
    let mut recorder = Recorder::new()?;
    run(&changing::NARROW, "")?;
    for seed in 0..count {
        println!("case {seed}");
        let (rules, shots) = changing::case(seed);
        recorder.record(&rules, &shots)?;
    }
    Ok(())
}

/// Writes the record of `count` rule sets that want packets dropped that they
/// say yes to.
pub fn hotdrop(count: u64) -> io::Result<()> {
    let mut recorder = Recorder::new()?;
    run(&["ipset", "restore"], SETS)?;
    for seed in 0..count {
        println!("case {seed}");
        let (rules, shots) = hotdrop::case(seed);
        recorder.record(&rules, &shots)?;
    }
    Ok(())
}

/// Rules whose limits gain nothing while a test runs, on any machine; those
/// that no test exhausts stay as they are.
fn slow(rules: &str) -> String {
    let mut parts = rules.split(" --limit ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (rate, rest) = part.split_once(' ').unwrap_or_default();
        let burst = rest.strip_prefix("--limit-burst ");
        let burst = burst.and_then(|burst| burst.split(' ').next()?.parse().ok());
        let rate = if burst.unwrap_or(5) > 100 {
            rate
        } else {
            "1/hour"
        };
        text += &format!(" --limit {rate} {rest}");
    }
    text
}

/// Writes the record of rule sets in files.
pub fn files(paths: &[&str]) -> io::Result<()> {
    let mut recorder = Recorder::new()?;
    for path in paths {
        println!("rules {path}");
        let mut rng = Rng::with_seed(0);
        let shots: Vec<Shot> = (0..60)
            .map(|_| shot(&mut rng))
            // See `case`.
            .filter(|shot| !shot.is_fragment())
            .collect();
        recorder.record(&slow(&fs::read_to_string(path)?), &shots)?;
    }
    Ok(())
}

/// A packet in hexadecimal. The kernel's own get no identification, also
/// where an ICMP error quotes them.
fn masked(packet: &[u8]) -> String {
    let mut bytes = packet.to_vec();
    let mut right = bytes.clone();
    fix_ip_checksum(&mut right);
    let sum = if right == bytes { "" } else { " bad" };
    let header = usize::from(bytes[0] & 0x0f) * 4;
    let ours = mask(&mut bytes);
    let is_error = bytes[9] == protocol::ICMP && matches!(bytes.get(header), Some(3 | 11 | 12));
    if is_error
        && let Some(quoted) = bytes.get_mut(header + 8..)
        && mask(quoted)
    {
        bytes[header + 2..header + 4].fill(0);
    }
    if ours && bytes[9] == protocol::TCP {
        mask_cookie(&mut bytes[header..]);
    }
    // A timestamp reply tells the time.
    if bytes[9] == protocol::ICMP
        && bytes.get(header) == Some(&14)
        && let Some(times) = bytes.get_mut(header + 12..header + 20)
    {
        times.fill(0);
        bytes[header + 2..header + 4].fill(0);
    }
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text + sum
}

/// Masks what SYNPROXY's answer to a SYN tells of the time: the sequence number
/// and the timestamp, the checksum with them.
fn mask_cookie(tcp: &mut [u8]) {
    const SYN_ACK: u8 = 0x12;
    if tcp.len() < 20 || tcp[13] & 0x3f != SYN_ACK {
        return;
    }
    tcp[4..8].fill(0);
    tcp[16..18].fill(0);
    let timestamp = tcp.windows(2).skip(20).position(|two| two == [8, 10]);
    if let Some(at) = timestamp
        && let Some(value) = tcp.get_mut(22 + at..26 + at)
    {
        value.fill(0);
    }
}

/// Masks the header of a packet that the kernel made, by its time to live.
fn mask(bytes: &mut [u8]) -> bool {
    let ours = bytes.len() >= 20 && matches!(bytes[8], 64 | 255);
    if ours {
        bytes[4..6].fill(0);
        bytes[10..12].fill(0);
    }
    ours
}

/// A socket that hears every packet of a protocol on the loopback interface.
pub(crate) fn loopback(protocol: i32) -> io::Result<OwnedFd> {
    let protocol = (protocol as u16).to_be();
    let flags = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_PACKET, flags, protocol.into()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just made and that nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        // The loopback interface is the first of each namespace.
        sll_ifindex: 1,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the kernel reads an address of the size given.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    match bound {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a socket has heard since the last time.
pub(crate) fn heard(socket: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut file = File::from(socket.try_clone()?);
    let mut packets = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(len) => packets.push(buffer[..len].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(packets),
            Err(error) => return Err(error),
        }
    }
}

/// The kernel's log.
pub(crate) struct Log(File);

impl Log {
    pub(crate) fn open() -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// What packets have been logged since the last time: level and text.
    pub(crate) fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            match self.0.read(&mut buffer) {
                Ok(len) => {
                    let record = String::from_utf8_lossy(&buffer[..len]);
                    let (head, text) = record.split_once(';').unwrap_or_default();
                    let level = head.split(',').next().unwrap_or_default();
                    if text.contains("IN=") {
                        lines.push(format!("{level} {}", own_id(text.trim_end())));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(lines),
                Err(error) => return Err(error),
            }
        }
    }
}

/// A line without the identifications of packets that the kernel made.
fn own_id(line: &str) -> String {
    if !line.contains(" TTL=64 ") && !line.contains(" TTL=255 ") {
        return line.to_owned();
    }
    let mut parts = line.split(" ID=");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked += " ID=?";
        masked += part.trim_start_matches(|byte: char| byte.is_ascii_digit());
    }
    masked
}

// SPDX-License-Identifier: GPL-2.0-only
//! A network namespace for packets.
//!
//! Owns: building the small [`world`](crate::world) in a new namespace of this
//! process, putting a packet in, and seeing where it comes out. A packet is
//! through with the namespace when [`Namespace::fire`] returns: taps and
//! sockets run the receive path in the caller's context.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use crate::client::sockopt::{self, Kind};
use crate::oracle::evaluate::Sender;
use crate::world::{
    DEFAULT_TTL, GROUPS, MARKS, MTU, OTHER_MARK, Pass, SENDERS, Shot, TAP_ADDRESS, TAPS, TUNS, Way,
    frame,
};

/// Puts this thread, and what it starts, in a new network namespace.
pub fn unshare() -> io::Result<()> {
    // SAFETY: takes no pointer; affects only which network this thread sees.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps this thread on one CPU, or on none in particular.
pub fn pin(cpu: Option<usize>) -> io::Result<()> {
    let mut set = [0u64; 16];
    match cpu {
        Some(cpu) => set[0] = 1 << cpu,
        None => set.fill(u64::MAX),
    }
    // SAFETY: the kernel reads the set, whose size is given.
    let ret = unsafe { libc::sched_setaffinity(0, size_of_val(&set), set.as_ptr().cast()) };
    match ret {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs a command that must succeed, with this on its standard input.
/// Returns what it prints.
pub fn run(argv: &[&str], input: &str) -> io::Result<String> {
    let mut child = Command::new(argv[0])
        .args(&argv[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("a piped stdin");
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{argv:?}: {error}")));
    }
    written?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A tap (frames, each behind a `struct virtio_net_hdr`) or a tun (packets) of
/// this namespace.
pub fn open_tun(name: &str, tap: bool) -> io::Result<File> {
    #[repr(C)]
    struct IfReq {
        name: [u8; 16],
        flags: u16,
        rest: [u8; 22],
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    let kind = match tap {
        true => libc::IFF_TAP | libc::IFF_VNET_HDR,
        false => libc::IFF_TUN,
    };
    let mut request = IfReq {
        name: [0; 16],
        flags: (kind | libc::IFF_NO_PI) as u16,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads and writes one struct ifreq, which `request` is
    // in layout and size, and which outlives the call.
    let ret = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    match ret {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends a packet, header included. The errno, if it was not taken.
pub fn send_raw(socket: &OwnedFd, bytes: &[u8]) -> Option<i32> {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: both pointers are to live memory of the lengths given; the
    // kernel only reads them.
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

/// Sets an integer option of a socket.
pub fn set_option(socket: &OwnedFd, level: i32, option: i32, value: u32) -> io::Result<()> {
    // SAFETY: the kernel reads four bytes at `value`, which outlives the call.
    let ret = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as u32,
        )
    };
    match ret {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A raw socket that somebody has opened. This thread is root afterwards, with
/// the other groups of the last one.
fn socket_of(sender: &Sender) -> io::Result<OwnedFd> {
    // SAFETY: the groups are live and as many as is said; only this thread's
    // credentials change, and so they shall.
    unsafe {
        libc::syscall(
            libc::SYS_setgroups,
            sender.groups.len(),
            sender.groups.as_ptr(),
        );
        libc::syscall(libc::SYS_setfsgid, sender.group);
    }
    // With the user CAP_NET_RAW would not go, but the other one's may.
    let socket = {
        // SAFETY: takes no pointer; this thread's file system user changes.
        unsafe { libc::syscall(libc::SYS_setfsuid, sender.user) };
        sockopt::socket(Kind::Raw)
    };
    // SAFETY: as above.
    unsafe {
        libc::syscall(libc::SYS_setfsuid, 0);
        libc::syscall(libc::SYS_setfsgid, 0);
    }
    let socket = socket?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_BROADCAST, 1)?;
    Ok(socket)
}

/// The world, built.
pub struct Namespace {
    taps: Vec<File>,
    tuns: Vec<File>,
    raw: OwnedFd,
    other: OwnedFd,
    mark: u32,
    marks: bool,
}

/// What became of a packet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fate {
    /// The errno of sending it, if it was sent and refused.
    pub errno: Option<i32>,
    /// How often it was handed to a protocol of this host.
    pub delivered: u64,
    /// What came out, and of which tun.
    pub left: Vec<(&'static str, Vec<u8>)>,
}

impl Namespace {
    /// Moves this thread to a new namespace and builds the world there.
    pub fn enter() -> io::Result<Self> {
        unshare()?;
        // Before the interfaces: they inherit `default`.
        for (name, value) in [
            ("conf/all/rp_filter", "0"),
            ("conf/default/rp_filter", "0"),
            ("ip_forward", "1"),
            ("icmp_ratemask", "0"),
        ] {
            fs::write(format!("/proc/sys/net/ipv4/{name}"), value)?;
        }
        // No router solicitations among what leaves.
        for name in ["all", "default"] {
            let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
            if fs::exists(&path)? {
                fs::write(path, "1")?;
            }
        }
        let taps = TAPS.map(|name| open_tun(name, true));
        let tuns = TUNS.map(|name| open_tun(name, false));
        run(&["ip", "-batch", "-"], &interfaces())?;
        let marks = match run(&["nft", "-f", "-"], &marks()) {
            // The guests of the VM have no nft in PATH, as few of their kernels have nf_tables.
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            other => other.map(|_| true)?,
        };
        let other = socket_of(&SENDERS[1])?;
        set_option(&other, libc::SOL_SOCKET, libc::SO_MARK, OTHER_MARK)?;
        let raw = socket_of(&SENDERS[0])?;
        Ok(Self {
            taps: taps.into_iter().collect::<io::Result<_>>()?,
            tuns: tuns.into_iter().collect::<io::Result<_>>()?,
            raw,
            other,
            mark: 0,
            marks,
        })
    }

    /// The passes of a packet through the hooks of this namespace.
    pub fn passes(&self, shot: &Shot) -> Vec<Pass> {
        let mut passes = shot.passes();
        if !self.marks && matches!(shot.way, Way::In { .. }) {
            for pass in &mut passes {
                pass.mark = 0;
            }
        }
        passes
    }

    /// Whether this kernel can mark packets before the filter.
    pub fn has_marks(&self) -> bool {
        self.marks
    }

    /// Whether a packet is without consequences here: what the kernel answers
    /// can be kept from the filter.
    pub fn can_take(&self, shot: &Shot) -> bool {
        self.marks || !shot.may_be_answered()
    }

    /// A tap, by its place in [`TAPS`]; reading does not block.
    pub fn tap(&self, place: usize) -> &File {
        &self.taps[place]
    }

    /// A tun, by its place in [`TUNS`]; reading does not block.
    pub fn tun(&self, place: usize) -> &File {
        &self.tuns[place]
    }

    /// Puts a packet in and waits until it is through.
    pub fn fire(&mut self, shot: &Shot) -> io::Result<Fate> {
        let before = IpCounters::read()?;
        let mut errno = None;
        match &shot.way {
            Way::In {
                tap,
                hardware,
                linear,
            } => {
                let frame = frame(*hardware, *linear, &shot.bytes);
                (&self.taps[*tap]).write_all(&frame)?;
            }
            Way::Out { mark } => {
                let is_other = *mark == OTHER_MARK;
                if !is_other && self.mark != *mark {
                    set_option(&self.raw, libc::SOL_SOCKET, libc::SO_MARK, *mark)?;
                    self.mark = *mark;
                }
                let socket = if is_other { &self.other } else { &self.raw };
                errno = send_raw(socket, &shot.bytes);
                // What comes back to us comes through the backlog, as a rule
                // before sendto returns, but nothing promises that.
                if errno.is_none() && shot.passes().len() > 1 {
                    // Ten seconds: some rules let it come to nobody.
                    for _ in 0..10_000 {
                        if IpCounters::read()?.received > before.received {
                            break;
                        }
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                }
            }
        }
        let after = IpCounters::read()?;
        let mut left = Vec::new();
        for (tun, name) in self.tuns.iter().zip(TUNS) {
            let mut buffer = [0; 2 * MTU];
            while let Ok(len) = { tun }.read(&mut buffer) {
                left.push((name, buffer[..len].to_vec()));
            }
        }
        Ok(Fate {
            errno,
            delivered: after.delivered - before.delivered,
            left,
        })
    }
}

/// Counters of the IP layer of this thread's namespace.
struct IpCounters {
    /// Packets that came in, before any check.
    received: u64,
    /// Packets that passed INPUT.
    delivered: u64,
}

impl IpCounters {
    fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/thread-self/net/snmp")?;
        let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
        let names = lines.next().unwrap_or_default().split(' ');
        let values = lines.next().unwrap_or_default().split(' ');
        let mut counters = Self {
            received: 0,
            delivered: 0,
        };
        for (name, value) in names.zip(values) {
            let value = value.parse().unwrap_or(0);
            match name {
                "InReceives" => counters.received = value,
                // With a protocol that takes it, and without one.
                "InDelivers" | "InUnknownProtos" => counters.delivered += value,
                _ => {}
            }
        }
        Ok(counters)
    }
}

/// The interfaces and routes, for `ip -batch`.
fn interfaces() -> String {
    let [a, b, c, d, e, f] = TAP_ADDRESS;
    let hardware = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    let mut text = String::from("link set lo up\n");
    for (i, name) in TAPS.iter().enumerate() {
        text += &format!(
            "link set {name} address {hardware}\n\
             addr add 10.{0}.0.1/24 brd 10.{0}.0.255 dev {name}\n\
             link set {name} up mtu {MTU}\n",
            i + 1
        );
    }
    for name in TUNS {
        text += &format!("link set {name} up mtu {MTU}\n");
    }
    for (name, group) in GROUPS {
        text += &format!("link set {name} group {group}\n");
    }
    text + "route add 198.51.100.0/25 dev tun0\n\
            route add 198.51.100.128/25 dev tun1x\n\
            route add 203.0.113.0/24 dev tun0\n\
            route add 224.0.0.0/4 dev tun0\n"
}

/// The marks of incoming packets, the end of the kernel's own ones, and one
/// address that is exempted from connection tracking: all before that and
/// before the filter, in `nft` for all sides alike.
fn marks() -> String {
    let map: Vec<String> = MARKS
        .iter()
        .enumerate()
        .map(|(low, mark)| format!("{low} : {mark:#x}"))
        .collect();
    let taps: Vec<String> = TAPS.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "table ip world {{
            chain in {{
                type filter hook prerouting priority -500;
                iifname {{ {} }} meta mark set ip id & 7 map {{ {} }}
                ip daddr 203.0.113.10 notrack
            }}
            chain out {{
                type filter hook output priority -500;
                ip saddr 10.0.0.0/8 ip daddr != 10.0.0.0/8 ip ttl {DEFAULT_TTL} drop
                ip daddr 203.0.113.10 notrack
            }}
        }}",
        taps.join(", "),
        map.join(", ")
    )
}

/// Forgets all tracked connections of this namespace.
pub fn forget_connections() -> io::Result<()> {
    run(&["conntrack", "-F"], "").map(drop)
}

// SPDX-License-Identifier: GPL-2.0-only
//! Traffic at full speed through a firewall that is being changed, killed, or
//! merely hit by many at once.
//!
//! Owns: senders on all hooks that count what they sent and what came through,
//! rule sets that are swapped under them, and the sums that must come out
//! even. What to expect is the same on ip_tables and on bpfilter.

mod bulk;
mod senders;
mod steady;
mod swaps;

pub use bulk::bulk;
pub use senders::senders;
pub use steady::steady;
pub use swaps::swaps;

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use umh_core::abi::Counters;

use crate::oracle::case::Live;
use crate::packet::{Ipv4, protocol, udp};
use crate::world::{SOURCES, TAP_ADDRESS, frame};

/// Bytes of data in every packet.
const DATA: usize = 32;
/// What takes longer hangs, on whatever machine.
const HANGS: Duration = Duration::from_secs(300);
/// Packets of a socket that may be on their way at once: fewer than a backlog or
/// a receive buffer takes, however late another CPU comes to it.
const ON_THE_WAY: u64 = 64;
/// Length of every packet at a hook.
const LENGTH: u64 = 20 + 8 + DATA as u64;

/// What senders have done so far.
#[derive(Debug, Default)]
struct Sums {
    /// Given to the kernel, taken or not.
    sent: AtomicU64,
    /// Refused with EPERM.
    refused: AtomicU64,
    /// Came through.
    received: AtomicU64,
}

impl Sums {
    fn get(&self) -> [u64; 3] {
        [&self.sent, &self.refused, &self.received].map(|sum| sum.load(Ordering::Relaxed))
    }
}

/// A socket that sends to itself through `lo`.
struct Mirror {
    socket: UdpSocket,
}

impl Mirror {
    fn new(port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", port))?;
        socket.connect(("127.0.0.1", port))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Sends one packet and takes what has come.
    fn send(&self, sums: &Sums) -> io::Result<()> {
        match self.socket.send(&[0; DATA]) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                sums.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => return Err(error),
        }
        // Last, so that who sees it sees the packet counted, too.
        sums.sent.fetch_add(1, Ordering::Relaxed);
        self.drain(sums);
        Ok(())
    }

    /// Waits until all has come that was sent, where all of it passes.
    fn settle(&self, sums: &Sums) -> io::Result<()> {
        let start = Instant::now();
        loop {
            self.drain(sums);
            let [sent, refused, received] = sums.get();
            if refused + received >= sent {
                return Ok(());
            }
            if start.elapsed() > HANGS {
                return Err(io::Error::other(format!(
                    "of {sent} packets {refused} are refused, {received} received"
                )));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn drain(&self, sums: &Sums) {
        let mut buffer = [0; DATA];
        while self.socket.recv(&mut buffer).is_ok() {
            sums.received.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A frame for a tap that is to be forwarded to this address.
fn forwarded(destination: [u8; 4], port: u16) -> Vec<u8> {
    let source = SOURCES[0];
    let packet = Ipv4 {
        ttl: 64,
        protocol: protocol::UDP,
        source,
        destination,
        payload: udp((source, 1000), (destination, port), &[0; DATA]),
        ..Ipv4::default()
    };
    frame(TAP_ADDRESS, 0, &packet.build())
}

/// Fails with a message unless two numbers are the same.
fn same(what: &str, expected: u64, got: u64) -> io::Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{what}: {expected} expected, got {got}"
    )))
}

/// The counters, once they are as they must be, or if they never are. What
/// another CPU still has in its backlog gets to INPUT yet.
fn counters_when(live: &Live, done: impl Fn(&[Counters]) -> bool) -> io::Result<Vec<Counters>> {
    let start = Instant::now();
    loop {
        // The helper may have been killed just before.
        let counters = (0..100).find_map(|_| live.counters().ok());
        let counters = counters.ok_or_else(|| io::Error::other("no counters in 100 calls"))?;
        if done(&counters) || start.elapsed() > HANGS {
            return Ok(counters);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Fails unless each rule has counted so many of our packets.
fn same_counters(expected: &[u64], counters: &[Counters]) -> io::Result<()> {
    for (rule, (expected, got)) in expected.iter().zip(counters).enumerate() {
        same(&format!("packets of rule {rule}"), *expected, got.pcnt)?;
        same(
            &format!("bytes of rule {rule}"),
            expected * LENGTH,
            got.bcnt,
        )?;
    }
    Ok(())
}

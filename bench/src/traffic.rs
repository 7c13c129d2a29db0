// SPDX-License-Identifier: GPL-2.0-only
//! Packets through a namespace, in batches, as fast as a process can.
//!
//! Owns: sockets that send [`BATCH`] packets with one system call and, where
//! they end on this machine, take them with another. All of a packet's way is
//! walked inside the system call that sends it, on the CPU of the caller, so
//! the time of a batch is that of its packets. Leaves to others where the
//! sockets are (`stage`) and what the times say (`measure`).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::shapes::{FREE_PORT, Packet};

/// Packets of a batch.
pub(crate) const BATCH: usize = 64;
/// Where the flow on the loopback interface goes; no rule names it.
const FLOW_PORT: u16 = FREE_PORT + 1;
/// The Ethernet address of every interface that the bench sends to.
pub(crate) const HARDWARE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// A list of messages for sendmmsg(2), and what it points to.
pub(crate) struct Messages {
    headers: Vec<libc::mmsghdr>,
    _vectors: Vec<libc::iovec>,
    _bytes: Vec<Vec<u8>>,
    _address: Box<libc::sockaddr_in>,
}

impl Messages {
    /// Messages of these bytes, repeated to fill whole batches.
    fn new(mut bytes: Vec<Vec<u8>>, to: Option<Ipv4Addr>) -> Self {
        let whole = bytes.len().next_multiple_of(BATCH);
        bytes = bytes.into_iter().cycle().take(whole).collect();
        let address = Box::new(libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes(to.unwrap_or(Ipv4Addr::UNSPECIFIED).octets()),
            },
            sin_zero: [0; 8],
        });
        let mut vectors: Vec<libc::iovec> = bytes
            .iter_mut()
            .map(|bytes| libc::iovec {
                iov_base: bytes.as_mut_ptr().cast(),
                iov_len: bytes.len(),
            })
            .collect();
        let mut headers = one_part_each(&mut vectors);
        if to.is_some() {
            for header in &mut headers {
                header.msg_hdr.msg_name = (&raw const *address).cast_mut().cast();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            }
        }
        Self {
            headers,
            _vectors: vectors,
            _bytes: bytes,
            _address: address,
        }
    }

    /// Packets for a raw socket, all to 127.0.0.1.
    pub(crate) fn raw(packets: &[Packet]) -> Rc<Self> {
        let bytes = packets.iter().map(|packet| {
            let here = Packet {
                destination: Ipv4Addr::LOCALHOST.to_bits(),
                port: FREE_PORT,
                ..*packet
            };
            here.build()
        });
        Rc::new(Self::new(bytes.collect(), Some(Ipv4Addr::LOCALHOST)))
    }

    /// The same packets as Ethernet frames.
    pub(crate) fn frames(packets: &[Packet]) -> Rc<Self> {
        let bytes = packets.iter().map(|packet| {
            let mut frame = HARDWARE.to_vec();
            frame.extend([0x02, 0, 0, 0, 0, 0x02, 0x08, 0x00]);
            frame.extend(packet.build());
            frame
        });
        Rc::new(Self::new(bytes.collect(), None))
    }

    /// Sends so many, from `at` on.
    fn send(&self, socket: &impl AsRawFd, at: usize, count: usize) -> io::Result<()> {
        let headers = &self.headers[at..at + count];
        // SAFETY: the headers and all that they point to live as long as self;
        // the kernel writes only their msg_len, which nobody reads.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_ptr().cast_mut(),
                count as u32,
                0,
            )
        };
        match sent {
            _ if sent == count as i32 => Ok(()),
            ..0 => Err(io::Error::last_os_error()),
            _ => Err(io::Error::other(format!("{sent} of a batch were sent"))),
        }
    }
}

/// A header for each of the vectors, which must live as long.
fn one_part_each(vectors: &mut [libc::iovec]) -> Vec<libc::mmsghdr> {
    vectors
        .iter_mut()
        .map(|vector| {
            // SAFETY: all zeros is a header of a message without parts.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect()
}

/// Takes what comes to a socket.
struct Receiver {
    headers: Vec<libc::mmsghdr>,
    _vectors: Vec<libc::iovec>,
    _room: Vec<[u8; 64]>,
}

impl Receiver {
    fn new() -> Self {
        let mut room = vec![[0; 64]; BATCH];
        let mut vectors: Vec<libc::iovec> = room
            .iter_mut()
            .map(|room| libc::iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: room.len(),
            })
            .collect();
        let headers = one_part_each(&mut vectors);
        Self {
            headers,
            _vectors: vectors,
            _room: room,
        }
    }

    /// Takes so many, at most a batch.
    fn take(&mut self, socket: &UdpSocket, count: usize) -> io::Result<()> {
        let mut missing = count;
        let mut since: Option<Instant> = None;
        while missing > 0 {
            // SAFETY: `missing` headers at most, which live as long as self,
            // as does the room that they point to.
            let got = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    missing as u32,
                    libc::MSG_DONTWAIT,
                    ptr::null_mut(),
                )
            };
            match usize::try_from(got) {
                Ok(got) => missing -= got,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::WouldBlock {
                        return Err(error);
                    }
                    // ksoftirqd has them, which wants this CPU.
                    std::thread::yield_now();
                    if since.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(5) {
                        return Err(io::Error::other(format!("{missing} packets got lost")));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The sockets of one namespace.
pub(crate) enum Sockets {
    /// Packets on the loopback interface: OUTPUT, then INPUT.
    Loopback {
        flow: UdpSocket,
        raw: OwnedFd,
        sink: UdpSocket,
    },
    /// The far end of a pair of Ethernet interfaces: FORWARD.
    Ethernet { socket: OwnedFd },
}

impl Sockets {
    /// On the loopback interface of this thread's namespace.
    pub(crate) fn loopback() -> io::Result<Self> {
        let own = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let flow = UdpSocket::bind(own(FLOW_PORT))?;
        flow.connect(own(FLOW_PORT))?;
        Ok(Self::Loopback {
            flow,
            raw: bpfilter_tests::client::sockopt::socket(
                bpfilter_tests::client::sockopt::Kind::Raw,
            )?,
            sink: UdpSocket::bind(own(FREE_PORT))?,
        })
    }

    /// On an Ethernet interface of this thread's namespace.
    pub(crate) fn ethernet(interface: u32) -> io::Result<Self> {
        // SAFETY: no pointers are passed. The protocol is 0: nothing comes in.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: 0,
            sll_ifindex: interface as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the kernel reads the address, whose length is given.
        let ret = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        if ret != 0 {
            return Err(io::Error::last_os_error());
        }
        bpfilter_tests::world::namespace::set_option(
            &socket,
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            1,
        )?;
        Ok(Self::Ethernet { socket })
    }
}

/// What is sent, and how far it got.
pub(crate) struct Traffic {
    messages: Rc<Messages>,
    /// Between two sockets of this machine, which build the packets.
    sockets: bool,
    at: usize,
    receiver: Receiver,
}

impl Traffic {
    /// One flow between two sockets of this machine.
    pub(crate) fn flow() -> Self {
        Self {
            sockets: true,
            ..Self::of(Rc::new(Messages::new(vec![vec![0; 8]], None)))
        }
    }

    /// These, over and over.
    pub(crate) fn of(messages: Rc<Messages>) -> Self {
        Self {
            messages,
            sockets: false,
            at: 0,
            receiver: Receiver::new(),
        }
    }

    /// Batches until all messages were sent once.
    pub(crate) fn batches(&self) -> usize {
        self.messages.headers.len() / BATCH
    }

    /// Sends so many packets and takes them; a batch, or a half of it, or a
    /// quarter... Returns the nanoseconds for a packet.
    pub(crate) fn send(&mut self, sockets: &Sockets, count: usize) -> io::Result<f64> {
        let messages = &self.messages;
        // Parts of batches of different sizes need not end together.
        let at = match self.at + count <= messages.headers.len() {
            true => self.at,
            false => 0,
        };
        let start = Instant::now();
        match sockets {
            Sockets::Loopback { flow, .. } if self.sockets => {
                messages.send(flow, at, count)?;
                self.receiver.take(flow, count)?;
            }
            Sockets::Loopback { raw, sink, .. } => {
                messages.send(raw, at, count)?;
                self.receiver.take(sink, count)?;
            }
            Sockets::Ethernet { socket } => messages.send(socket, at, count)?,
        }
        let nanos = start.elapsed().as_nanos() as f64 / count as f64;
        self.at = at + count;
        Ok(nanos)
    }
}

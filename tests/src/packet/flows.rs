// SPDX-License-Identifier: GPL-2.0-only
//! Random connections of the small world.
//!
//! Owns: sequences of packets that connection tracking makes something of:
//! questions with answers, TCP from handshake to end, ICMP errors that belong
//! to a connection. Both ends are routed, so answers have a way; what the
//! kernel answers by itself never gets to the filter (`namespace`).

use fastrand::Rng;

use crate::packet::random::{once_in, pick};
use crate::packet::{Ipv4, Tcp, icmp, protocol, udp};
use crate::world::{DEFAULT_TTL, PORTS, REMOTE, Shot, TAP_ADDRESS, TAPS, Way};

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
struct End {
    address: [u8; 4],
    port: u16,
    /// The namespace itself, which sends by its raw socket.
    local: bool,
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The packets of one connection, or of the beginning of one.
pub fn flow(rng: &mut Rng) -> Vec<Shot> {
    let far = End {
        address: pick(rng, &REMOTE[..3]),
        port: pick(rng, &PORTS),
        local: false,
    };
    let near = match rng.bool() {
        true => End {
            address: [10, 1, 0, 1],
            port: rng.u16(1024..),
            local: true,
        },
        false => End {
            address: REMOTE[3],
            port: rng.u16(1024..),
            local: false,
        },
    };
    let (client, server) = if rng.bool() { (near, far) } else { (far, near) };
    let mut shots = match rng.u32(..4) {
        0 | 1 => tcp(rng, client, server),
        2 => questions(rng, client, server),
        _ => echoes(rng, client, server),
    };
    if once_in(rng, 2) {
        shots.truncate(rng.usize(1..=shots.len()));
    }
    if once_in(rng, 3) {
        let about = pick_shot(rng, &shots).bytes.clone();
        shots.push(error(rng, &about, client, server));
    }
    shots
}

fn pick_shot<'a>(rng: &mut Rng, shots: &'a [Shot]) -> &'a Shot {
    &shots[rng.usize(..shots.len())]
}

fn shot(rng: &mut Rng, from: End, to: End, protocol: u8, payload: Vec<u8>) -> Shot {
    let bytes = Ipv4 {
        id: rng.u16(1..),
        ttl: DEFAULT_TTL - 1,
        protocol,
        source: from.address,
        destination: to.address,
        payload,
        ..Ipv4::default()
    }
    .build();
    let way = match from.local {
        true => Way::Out { mark: 0 },
        false => Way::In {
            tap: rng.usize(..TAPS.len()),
            hardware: TAP_ADDRESS,
            linear: 0,
        },
    };
    Shot {
        way,
        bytes,
        sane: true,
    }
}

fn questions(rng: &mut Rng, client: End, server: End) -> Vec<Shot> {
    let mut shots = Vec::new();
    for _ in 0..rng.usize(1..3) {
        for (from, to) in [(client, server), (server, client)] {
            let payload = udp(
                (from.address, from.port),
                (to.address, to.port),
                b"question",
            );
            shots.push(shot(rng, from, to, protocol::UDP, payload));
        }
    }
    shots
}

fn echoes(rng: &mut Rng, client: End, server: End) -> Vec<Shot> {
    let id = rng.u8(..);
    let mut shots = Vec::new();
    for (kind, from, to) in [
        (8, client, server),
        (0, server, client),
        (8, client, server),
    ] {
        let payload = icmp(kind, 0, [0, id, 0, 1], b"ping");
        shots.push(shot(rng, from, to, protocol::ICMP, payload));
    }
    shots
}

fn tcp(rng: &mut Rng, client: End, server: End) -> Vec<Shot> {
    // What each side has sent so far, as the other one has seen it.
    let mut sent = [rng.u32(..), rng.u32(..)];
    let mut steps = vec![
        (0, SYN),
        (1, SYN | ACK),
        (0, ACK),
        (0, PSH | ACK),
        (1, PSH | ACK),
    ];
    if rng.bool() {
        steps.extend([(0, FIN | ACK), (1, FIN | ACK), (0, ACK)]);
    } else {
        steps.push((1, RST | ACK));
    }
    let mut shots = Vec::new();
    for (who, flags) in steps {
        let (from, to) = [(client, server), (server, client)][who];
        let data = if flags & PSH != 0 {
            b"data".to_vec()
        } else {
            Vec::new()
        };
        let len = data.len() as u32;
        let payload = Tcp {
            source: from.port,
            destination: to.port,
            sequence: sent[who],
            acknowledgement: if flags & ACK != 0 { sent[1 - who] } else { 0 },
            flags,
            data,
            ..Tcp::default()
        }
        .build(from.address, to.address);
        let takes = u32::from(flags & (SYN | FIN) != 0);
        sent[who] = sent[who].wrapping_add(len + takes);
        shots.push(shot(rng, from, to, protocol::TCP, payload));
    }
    shots
}

/// An error from one end about a packet that the other one has sent.
fn error(rng: &mut Rng, about: &[u8], client: End, server: End) -> Shot {
    let by_client = about[12..16] == server.address;
    let (from, to) = if by_client {
        (client, server)
    } else {
        (server, client)
    };
    let (kind, code) = pick(rng, &[(3, 3), (3, 1), (11, 0)]);
    let payload = icmp(kind, code, [0; 4], &about[..28.min(about.len())]);
    shot(rng, from, to, protocol::ICMP, payload)
}

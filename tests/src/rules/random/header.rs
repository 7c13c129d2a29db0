// SPDX-License-Identifier: GPL-2.0-only
//! What rules ask of the IP header, the interfaces and the transport header.

use fastrand::Rng;

use super::matches::of_protocol;
use super::{MASKS, destinations, dotted, not, sources};
use crate::packet::random::{once_in, pick};
use crate::world::PORTS;

/// Addresses, interfaces, protocol, fragments; and the match of the protocol.
pub(super) fn header(rng: &mut Rng, text: &mut String, hook: &str) {
    if once_in(rng, 3) {
        *text += &format!(
            "{} -s {}/{}",
            not(rng),
            dotted(sources(rng)),
            pick(rng, &MASKS)
        );
    }
    if once_in(rng, 3) {
        *text += &format!(
            "{} -d {}/{}",
            not(rng),
            dotted(destinations(rng)),
            pick(rng, &MASKS)
        );
    }
    if once_in(rng, 4) && hook != "OUTPUT" {
        let name = pick(
            rng,
            &[
                "eth0",
                "wlan0",
                "ppp10",
                "ppp+",
                "e+",
                "eth+",
                "lo",
                "tun0",
                "wlan01",
                "a23456789012345",
            ],
        );
        *text += &format!("{} -i {name}", not(rng));
    }
    if once_in(rng, 4) && hook != "INPUT" {
        let name = pick(
            rng,
            &[
                "tun0", "tun1x", "tun+", "tun1", "tun1+", "lo", "lo+", "eth0",
            ],
        );
        *text += &format!("{} -o {name}", not(rng));
    }
    if once_in(rng, 8) {
        *text += &format!("{} -f", not(rng));
    }
    match rng.u32(..10) {
        0..3 => {}
        3 if once_in(rng, 3) => {
            *text += pick(rng, &[" -p udp", " -p 132", " -p 33", " -p 136"]);
            multiport(rng, text);
        }
        3 if rng.bool() => *text += &of_protocol(rng),
        3 => {
            let protocol = pick(
                rng,
                &["47", "2", "132", "136", "33", "50", "253", "17", "6", "1"],
            );
            *text += &format!("{} -p {protocol}", not(rng));
        }
        4..7 => tcp(rng, text),
        7..9 => {
            *text += " -p udp -m udp";
            ports(rng, text);
        }
        _ => {
            *text += " -p icmp -m icmp";
            let kind = pick(
                rng,
                &[
                    "any", "8", "0", "3", "3/1", "3/13", "11", "5/0", "255/255", "30",
                ],
            );
            *text += &format!("{} --icmp-type {kind}", not(rng));
        }
    }
}

fn range(rng: &mut Rng) -> String {
    let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
    match rng.u32(..4) {
        0 => format!("{a}"),
        1 => format!("{}:", a),
        2 => format!(":{}", b),
        _ => format!("{}:{}", a.min(b), a.max(b)),
    }
}

fn ports(rng: &mut Rng, text: &mut String) {
    if once_in(rng, 3) {
        *text += &format!("{} --sport {}", not(rng), range(rng));
    }
    if once_in(rng, 2) {
        *text += &format!("{} --dport {}", not(rng), range(rng));
    }
}

fn tcp(rng: &mut Rng, text: &mut String) {
    *text += " -p tcp";
    match rng.u32(..6) {
        0 => return multiport(rng, text),
        1 => return,
        _ => {}
    }
    *text += " -m tcp";
    ports(rng, text);
    if once_in(rng, 3) {
        let flags = pick(
            rng,
            &[
                "SYN,RST,ACK,FIN SYN",
                "ALL NONE",
                "ALL FIN,PSH,URG",
                "SYN,ACK SYN,ACK",
                "ACK ACK",
                "NONE NONE",
                "SYN ACK",
                "ALL ALL",
                "RST RST",
            ],
        );
        *text += &format!("{} --tcp-flags {flags}", not(rng));
    }
    if once_in(rng, 2) {
        let option = pick(rng, &[1, 2, 3, 4, 8, 30, 253, 255]);
        *text += &format!("{} --tcp-option {option}", not(rng));
    }
}

fn multiport(rng: &mut Rng, text: &mut String) {
    let which = pick(rng, &["--sports", "--dports", "--ports"]);
    let mut list = Vec::new();
    let mut left = rng.usize(1..=15);
    while left > 0 {
        let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
        // iptables refuses a range of one.
        if left > 1 && a != b && rng.bool() {
            list.push(format!("{}:{}", a.min(b), a.max(b)));
            left -= 2;
        } else {
            list.push(a.to_string());
            left -= 1;
        }
    }
    *text += &format!(" -m multiport{} {which} {}", not(rng), list.join(","));
}

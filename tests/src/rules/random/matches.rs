// SPDX-License-Identifier: GPL-2.0-only
//! The matches of rules, but for those of the transport header.

use fastrand::Rng;

use super::{STATES, destinations, dotted, not, sources};
use crate::packet::random::{once_in, pick};
use crate::rules::x_tables;
use crate::world::{MARKS, PEER_ADDRESS, PORTS, REMOTE, TAP_ADDRESS};

pub(super) fn any_match(rng: &mut Rng, text: &mut String) {
    match rng.u32(..9) {
        0 | 1 => {
            let mask = pick(rng, &[0xffff_ffff, 0xff, 0x1, 0x8000_0000, 0, 0xf0]);
            let mark = pick(rng, &MARKS) & if once_in(rng, 6) { u32::MAX } else { mask };
            *text += &format!(" -m mark{} --mark {mark:#x}/{mask:#x}", not(rng));
        }
        2 => {
            *text += " -m iprange";
            let (a, b) = (sources(rng), sources(rng));
            if rng.bool() {
                *text += &format!(
                    "{} --src-range {}-{}",
                    not(rng),
                    dotted(a.min(b)),
                    dotted(a.max(b))
                );
                if rng.bool() {
                    return;
                }
            }
            let (a, b) = (destinations(rng), destinations(rng));
            *text += &format!(
                "{} --dst-range {}-{}",
                not(rng),
                dotted(a.min(b)),
                dotted(a.max(b))
            );
        }
        3 => {
            let lengths = [0u16, 20, 28, 40, 41, 48, 60, 100, 128, 540, 1240, 65535];
            let (a, b) = (pick(rng, &lengths), pick(rng, &lengths));
            *text += &format!(" -m length{} --length {}:{}", not(rng), a.min(b), a.max(b));
        }
        4 => {
            let ttl = pick(rng, &[0, 1, 2, 3, 4, 63, 64, 254, 255]);
            *text += &match rng.u32(..4) {
                0 => format!(" -m ttl --ttl-eq {ttl}"),
                1 => format!(" -m ttl ! --ttl-eq {ttl}"),
                2 => format!(" -m ttl --ttl-lt {ttl}"),
                _ => format!(" -m ttl --ttl-gt {ttl}"),
            };
        }
        5 => {
            let tos = pick(
                rng,
                &[
                    "0x10/0x3f",
                    "0x00/0xff",
                    "0x08/0x08",
                    "0xff/0xff",
                    "0x03/0x03",
                    "0x00/0x00",
                ],
            );
            *text += &format!(" -m tos{} --tos {tos}", not(rng));
        }
        6 => {
            let dscp = pick(rng, &[0, 2, 4, 46, 63]);
            *text += &format!(" -m dscp{} --dscp {dscp}", not(rng));
        }
        _ => {
            let kind = pick(rng, &["unicast", "broadcast", "multicast"]);
            *text += &format!(" -m pkttype{} --pkt-type {kind}", not(rng));
        }
    }
}

/// The matches that fewer people know. Which interfaces can be asked for
/// depends on the hook, none in a chain that any hook may reach.
pub(super) fn odder_match(rng: &mut Rng, text: &mut String, hook: &str) {
    let incoming = matches!(hook, "INPUT" | "FORWARD");
    let outgoing = matches!(hook, "OUTPUT" | "FORWARD");
    *text += &match rng.u32(..8) {
        0 if incoming => {
            let [.., last] = pick(rng, &[PEER_ADDRESS, TAP_ADDRESS]);
            format!(" -m mac{} --mac-source 02:00:00:00:00:{last:02x}", not(rng))
        }
        1 if (incoming || outgoing) && rng.bool() => {
            let group = pick(rng, &["0x1", "0/0x1", "0x1/0x1", "0x10", "0", "0x7fffffff"]);
            let side = if incoming { "src" } else { "dst" };
            format!(" -m devgroup{} --{side}-group {group}", not(rng))
        }
        1 | 2 if hook == "OUTPUT" => owner(rng),
        2 => {
            let every = rng.u32(1..5);
            let packet = rng.u32(..every);
            format!(
                " -m statistic --mode nth{} --every {every} --packet {packet}",
                not(rng)
            )
        }
        3 => {
            let chance = pick(rng, &["0", "1"]);
            format!(
                " -m statistic --mode random{} --probability {chance}",
                not(rng)
            )
        }
        4 => {
            let bytes = pick(rng, &[0, 20, 100, 1000, 5000]);
            format!(" -m quota{} --quota {bytes}", not(rng))
        }
        5 if once_in(rng, 4) => format!(" -m cpu{} --cpu {}", not(rng), rng.u32(..2)),
        5 => format!(" -m ecn{} --ecn-ip-ect {}", not(rng), rng.u32(..4)),
        _ => {
            let question = pick(
                rng,
                &[
                    // A protocol, no fragment.
                    "6&0xFF=1,6,17",
                    "4&0x1FFF=0",
                    // A port behind the IP header, of TCP and first fragments.
                    "6&0xFF=6&&4&0x1FFF=0&&0>>22&0x3C@0>>16=22,80,1024:65535",
                    "0>>22&0x3C@2&0xFFFF=0:1023",
                    // Behind the TCP header.
                    "0>>22&0x3C@12>>26&0x3C@0=0x78787878",
                    "12=0xC0000200:0xC00002FF",
                    "0>>24<<24=0x45000000",
                    "40=0:0xFFFFFFFF",
                    "1000=0x78787878",
                ],
            );
            format!(" -m u32{} --u32 \"{question}\"", not(rng))
        }
    };
}

/// Who sent the packet.
fn owner(rng: &mut Rng) -> String {
    let mut text = String::from(" -m owner");
    let asked = rng.u32(1..8);
    if asked & 1 != 0 {
        let users = pick(rng, &["0", "1000", "1-999", "0-1000", "1001"]);
        text += &format!("{} --uid-owner {users}", not(rng));
    }
    if asked & 2 != 0 {
        let groups = pick(
            rng,
            &["0", "1005", "7", "3001", "5-99", "2000-2999", "4294967294"],
        );
        text += &format!("{} --gid-owner {groups}", not(rng));
        text += pick(rng, &["", " --suppl-groups"]);
    }
    if asked & 4 != 0 {
        text += &format!("{} --socket-exists", not(rng));
    }
    text
}

/// A match that only one protocol has.
pub(super) fn of_protocol(rng: &mut Rng) -> String {
    let spi = |rng: &mut Rng| {
        let (a, b) = (u32::from(pick(rng, &PORTS)), u32::from(pick(rng, &PORTS)));
        format!("{}:{}", a.min(b) << 16, a.max(b) << 16 | 0xffff)
    };
    match rng.u32(..8) {
        0..3 => {
            let sizes = [0u16, 1, 257, 1459, 1460, 1461, 65535];
            let (a, b) = (pick(rng, &sizes), pick(rng, &sizes));
            format!(
                " -p tcp -m tcpmss{} --mss {}:{}",
                not(rng),
                a.min(b),
                a.max(b)
            )
        }
        3..5 => {
            let (first, second) = (not(rng), not(rng));
            let how = match rng.u32(..4) {
                0 => "--ecn-tcp-ece".to_owned(),
                1 => "--ecn-tcp-cwr".to_owned(),
                2 => format!("--ecn-tcp-ece{second} --ecn-tcp-cwr"),
                _ => format!("--ecn-tcp-ece{second} --ecn-ip-ect 3"),
            };
            format!(" -p tcp -m ecn{first} {how}")
        }
        5 if rng.bool() => {
            let (first, second) = (not(rng), not(rng));
            let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
            // By number: the guest has no /etc/protocols.
            let (number, name) = pick(rng, &[(33, "dccp"), (132, "sctp")]);
            let types = match name == "dccp" && rng.bool() {
                true => format!("{} --dccp-types REQUEST,DATA,RESET", not(rng)),
                false => String::new(),
            };
            format!(" -p {number} -m {name}{first} --sport {a}{second} --dport :{b}{types}")
        }
        5 => format!(" -p ah -m ah{} --ahspi {}", not(rng), spi(rng)),
        _ => format!(" -p esp -m esp{} --espspi {}", not(rng), spi(rng)),
    }
}

pub(super) fn conntrack(rng: &mut Rng) -> String {
    let mut states: Vec<&str> = STATES.iter().filter(|_| rng.bool()).copied().collect();
    if states.is_empty() {
        states.push("NEW");
    }
    let (name, option) = pick(rng, &[("conntrack", "--ctstate"), ("state", "--state")]);
    format!(" -m {name}{} {option} {}", not(rng), states.join(","))
}

/// What can be asked of a connection besides its state.
pub(super) fn connection(rng: &mut Rng) -> String {
    if once_in(rng, 4) {
        let mark = pick(
            rng,
            &["0x10", "0x10/0x10", "0/0x1", "0", "0x80000001", "3/1"],
        );
        return format!(" -m connmark{} --mark {mark}", not(rng));
    }
    if once_in(rng, 4) {
        return match once_in(rng, 6) {
            true => format!(" -m helper{} --helper ftp", not(rng)),
            false => x_tables::connbytes(rng),
        };
    }
    let mut text = String::from(" -m conntrack");
    for _ in 0..rng.usize(1..3) {
        let option = match rng.u32(..10) {
            0 => format!("--ctproto {}", pick(rng, &["tcp", "udp", "icmp"])),
            1..4 => {
                let which = pick(rng, &["origsrc", "origdst", "replsrc", "repldst"]);
                let address = match rng.u32(..4) {
                    0 => [10, 1, 0, 1],
                    1 => sources(rng),
                    _ => pick(rng, &REMOTE),
                };
                let bits = pick(rng, &["32", "32", "24", "0", "0.0.0.255"]);
                format!("--ct{which} {}/{bits}", dotted(address))
            }
            4 | 5 => {
                let which = pick(rng, &["origsrc", "origdst", "replsrc", "repldst"]);
                let (a, b) = (pick(rng, &PORTS), pick(rng, &PORTS));
                format!("--ct{which}port {}:{}", a.min(b), a.max(b))
            }
            6 | 7 => {
                let status = pick(
                    rng,
                    &[
                        "NONE",
                        "EXPECTED",
                        "SEEN_REPLY",
                        "ASSURED",
                        "CONFIRMED",
                        "SEEN_REPLY,ASSURED",
                    ],
                );
                format!("--ctstatus {status}")
            }
            // Far from any timeout: time passes between the two sides.
            8 => format!("--ctexpire {}", pick(rng, &["0:3", "200:1000000", "0:0"])),
            _ => {
                text += &format!(" --ctdir {}", pick(rng, &["ORIGINAL", "REPLY"]));
                continue;
            }
        };
        let name = option.split(' ').next().unwrap_or_default();
        if !text.contains(&format!("{name} ")) {
            text += &format!("{} {option}", not(rng));
        }
    }
    if text.matches("--ctdir").count() > 1 {
        text = " -m conntrack --ctdir REPLY".into();
    }
    text
}

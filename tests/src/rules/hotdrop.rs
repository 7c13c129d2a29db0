// SPDX-License-Identifier: GPL-2.0-only
//! Packets that a match wants dropped although it says yes.
//!
//! Owns: rule sets in which sctp and dccp ask broken packets for chunks and
//! options, inverted or not, at any place: first, behind others, in user chains,
//! with other matches before and behind them and with every kind of target; and
//! SCTP and DCCP packets that are broken in these places, and whole ones.
//! `answers` writes down what comes of them.

use fastrand::Rng;

use crate::packet::random::{once_in, pick};
use crate::packet::{DONT_FRAGMENT, Ipv4, protocol};
use crate::world::{LOCAL, REMOTE, SOURCES, Shot, TAP_ADDRESS, TAPS, Way};

/// What sets hotdrop, and says yes to it where it is inverted.
const ASK: [&str; 11] = [
    " -p sctp -m sctp ! --chunk-types any INIT",
    " -p sctp -m sctp ! --chunk-types any INIT",
    " -p sctp -m sctp ! --chunk-types all DATA,INIT",
    " -p sctp -m sctp ! --chunk-types only DATA",
    " -p sctp -m sctp --chunk-types any INIT",
    " -p sctp -m sctp --dport 80 ! --chunk-types any INIT",
    " -p dccp -m dccp ! --dccp-option 5",
    " -p dccp -m dccp ! --dccp-option 5",
    " -p dccp -m dccp --dccp-option 5",
    " -p dccp -m dccp --dport 80 ! --dccp-option 5",
    " -p dccp -m dccp --dccp-types REQUEST,DATA ! --dccp-option 1",
];

/// What a rule asks beside it; some keep state.
const BESIDE: [&str; 9] = [
    "",
    "",
    " -m comment --comment beside",
    " -m mark --mark 1",
    " -m length --length 0:50",
    " -m statistic --mode nth --every 2 --packet 0",
    " -m limit --limit 1/hour --limit-burst 9",
    " -m string --string xx --algo bm",
    " -m ttl --ttl-gt 100",
];

/// What a rule does; a chain's number goes behind the last two.
const TARGET: [&str; 13] = [
    "",
    " -j ACCEPT",
    " -j ACCEPT",
    " -j DROP",
    " -j RETURN",
    " -j REJECT",
    " -j LOG --log-prefix seen",
    " -j MARK --set-mark 1",
    " -j NFQUEUE --queue-num 7 --queue-bypass",
    " -j SET --add-set seen src",
    " -j HMARK --hmark-tuple src --hmark-mod 4 --hmark-rnd 7 --hmark-offset 14",
    " -j ",
    " -g ",
];

/// Rules that count what gets to them.
const WATCH: [&str; 5] = [
    "",
    " -p sctp",
    " -p dccp",
    " -m mark --mark 1",
    " -p sctp -m sctp --dport 80",
];

/// Chains, each of which leads to later ones only.
const CHAINS: u32 = 3;

fn rule(rng: &mut Rng, chain: &str, later: u32) -> String {
    let ask = pick(rng, &ASK);
    let (before, behind) = (pick(rng, &BESIDE), pick(rng, &BESIDE));
    let mut target = pick(rng, &TARGET).to_owned();
    if target.len() == 4 {
        target = match later < CHAINS {
            true => format!("{target}c{}", rng.u32(later..CHAINS)),
            false => " -j ACCEPT".to_owned(),
        };
    }
    // The protocol comes first, whatever is asked before.
    let (protocol, ask) = ask.split_at(" -p sctp".len());
    format!("-A {chain}{protocol}{before}{ask}{behind}{target}\n")
}

/// The rule set of a seed, and what is sent through it.
pub fn case(seed: u64) -> (String, Vec<Shot>) {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let mut text = String::from("*filter\n");
    for chain in 0..CHAINS {
        text += &format!(":c{chain} - [0:0]\n");
    }
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        if rng.bool() {
            text += &format!("-A {hook}{}\n", pick(rng, &WATCH));
            text += &format!("-A {hook} -j c0\n");
        }
        for _ in 0..rng.usize(1..4) {
            text += &rule(rng, hook, 0);
            text += &format!("-A {hook}{}\n", pick(rng, &WATCH));
        }
        // Who logs what is left shows what should have been dropped.
        text += &format!("-A {hook} -m comment --comment left -j LOG --log-prefix left\n");
    }
    for chain in 0..CHAINS {
        let name = format!("c{chain}");
        for _ in 0..rng.usize(1..3) {
            text += &rule(rng, &name, chain + 1);
            text += &format!("-A {name}{}\n", pick(rng, &WATCH));
        }
    }
    if seed % 4 == 3 {
        // Enough for an index.
        for number in 0..150 {
            text += &format!("-A INPUT -s 192.0.3.{number} -p sctp -m sctp --dport {number}\n");
        }
        text += &rule(rng, "INPUT", 0);
    }
    text += "COMMIT\n";
    let shots = (0..60).map(|_| shot(rng)).collect();
    (text, shots)
}

/// Chunks, the last of which may have no length or be cut off.
fn sctp(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = [pick(rng, &[1, 80, 1024]), pick(rng, &[80u16, 443])]
        .map(u16::to_be_bytes)
        .concat();
    bytes.extend([0; 8]);
    for _ in 0..rng.usize(..4) {
        // DATA, INIT, INIT_ACK, SACK.
        let (kind, len) = (rng.u8(..4), pick(rng, &[0u16, 4, 4, 5, 8, 20]));
        bytes.extend([kind, rng.u8(..)]);
        bytes.extend(len.to_be_bytes());
        bytes.extend(vec![b'x'; usize::from(len.saturating_sub(4))]);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// A header whose length may be less than what its type takes, or more than
/// there is, and options.
fn dccp(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = [pick(rng, &[1, 80, 1024]), pick(rng, &[80u16, 443])]
        .map(u16::to_be_bytes)
        .concat();
    // REQUEST, RESPONSE, DATA, ACK; short and long sequence numbers.
    let kind = rng.u8(..4) << 1 | rng.u8(..2);
    bytes.extend([pick(rng, &[0, 2, 3, 4, 5, 6, 7, 8, 9, 255]), 0, 0, 0, kind]);
    bytes.extend([0; 11]);
    for _ in 0..rng.usize(..16) {
        bytes.push(pick(rng, &[0, 1, 2, 3, 5, 5, 44]));
    }
    bytes
}

fn shot(rng: &mut Rng) -> Shot {
    let source = pick(rng, &SOURCES);
    let coming = !once_in(rng, 4);
    let destination = match coming && rng.bool() {
        true => LOCAL[0],
        false => pick(rng, &REMOTE),
    };
    let is_sctp = rng.bool();
    let mut payload = match is_sctp {
        true => sctp(rng),
        false => dccp(rng),
    };
    if once_in(rng, 6) {
        payload.truncate(rng.usize(..=20));
    }
    let bytes = Ipv4 {
        id: rng.u16(1..),
        ttl: pick(rng, &[61, 128, 255]),
        fragment: DONT_FRAGMENT,
        protocol: match is_sctp {
            true => protocol::SCTP,
            false => protocol::DCCP,
        },
        source,
        destination,
        payload,
        ..Ipv4::default()
    }
    .build();
    let way = match coming {
        true => Way::In {
            tap: rng.usize(..TAPS.len()),
            hardware: TAP_ADDRESS,
            linear: match rng.bool() {
                true => rng.u16(14..60).min(bytes.len() as u16),
                false => 0,
            },
        },
        false => Way::Out { mark: rng.u32(..2) },
    };
    Shot {
        way,
        bytes,
        sane: true,
    }
}

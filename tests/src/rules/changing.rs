// SPDX-License-Identifier: GPL-2.0-only
//! Packets that rules change, or take away.
//!
//! Owns: rule sets with TCPMSS, followed by rules that look at all that it
//! changes (lengths, options, checksums, where bytes are), and by the way back
//! out of chains; rule sets with SYNPROXY; and packets for both. `records::answers`
//! writes down what comes of them.

use fastrand::Rng;

use crate::packet::random::{once_in, pick};
use crate::packet::{DONT_FRAGMENT, Ipv4, Tcp, protocol};
use crate::world::{LOCAL, REMOTE, SOURCES, Shot, TAP_ADDRESS, TAPS, Way};

/// A route with a small MTU, for `--clamp-mss-to-pmtu`.
pub const NARROW: [&str; 8] = [
    "ip",
    "route",
    "add",
    "203.0.113.8/31",
    "dev",
    "tun0",
    "mtu",
    "700",
];

const TCPMSS: [&str; 6] = [
    " -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
    " -p tcp --syn -j TCPMSS --set-mss 1000",
    " -p tcp --syn --dport 80 -j TCPMSS --set-mss 536",
    " -p tcp --tcp-flags SYN SYN -m tcpmss --mss 1001:65535 -j TCPMSS --set-mss 1000",
    " -p tcp --tcp-flags SYN SYN -m length --length 0:40 -j TCPMSS --set-mss 65000",
    " -p tcp --tcp-flags SYN SYN -m statistic --mode nth --every 3 --packet 1 -j TCPMSS --set-mss 1",
];

const SYNPROXY: [&str; 4] = [
    " -p tcp -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460",
    " -p tcp --syn -j SYNPROXY --sack-perm --mss 500",
    " -p tcp -m conntrack --ctstate NEW,INVALID,UNTRACKED -j SYNPROXY --ecn --timestamp",
    " -p tcp --dport 80 -j SYNPROXY",
];

/// What sees the difference, and what sees none.
const WATCH: [&str; 38] = [
    " -m length --length 40",
    " -m length --length 44",
    " -m length --length 45:60",
    " -m length --length 61:80",
    " -m length --length 81:",
    " -p tcp --tcp-option 2",
    " -p tcp ! --tcp-option 2",
    " -p tcp --tcp-option 4",
    " -p tcp ! --tcp-option 3",
    " -p tcp -m tcpmss --mss 0:535",
    " -p tcp -m tcpmss --mss 536",
    " -p tcp -m tcpmss --mss 660",
    " -p tcp -m tcpmss --mss 1000",
    " -p tcp -m tcpmss --mss 1001:65535",
    " -p tcp -m tcpmss ! --mss 1000",
    " -m u32 --u32 0&0xffff=44",
    " -m u32 --u32 0&0xffff=60:64",
    " -m u32 --u32 6&0xff=6&&0>>22&0x3c@12>>28=5",
    " -m u32 --u32 6&0xff=6&&0>>22&0x3c@12>>28=6:15",
    " -m u32 --u32 6&0xff=6&&0>>22&0x3c@20=0x020403e8",
    " -m u32 --u32 6&0xff=6&&0>>22&0x3c@16>>16=0:0x7fff",
    " -m string --algo bm --hex-string |020403e8|",
    " -m string --algo kmp --hex-string |020405b4| --from 40",
    " -m bpf --bytecode \"4,128 0 0 0,37 0 1 43,6 0 0 1,6 0 0 0\"",
    " -m connbytes --connbytes 60: --connbytes-mode bytes --connbytes-dir original",
    " -m conntrack --ctstate NEW",
    " -m conntrack --ctstate INVALID",
    " -m quota --quota 500",
    " -m statistic --mode nth --every 2 --packet 0",
    " -m limit --limit 1/hour --limit-burst 7",
    " -p tcp --dport 80",
    " -p tcp -m multiport --ports 22,80,443",
    " -p tcp --tcp-flags ALL SYN",
    " -p tcp -m ecn --ecn-tcp-ece",
    " -s 192.0.2.0/24",
    " -p tcp --sport 1024:30000",
    " -m ttl --ttl-gt 60",
    " -m mark --mark 0",
];

fn watch(rng: &mut Rng, text: &mut String, chain: &str, times: usize) {
    for _ in 0..times {
        *text += &format!("-A {chain}{}\n", pick(rng, &WATCH));
    }
}

/// The rule set of a seed, and what is sent through it.
pub fn case(seed: u64) -> (String, Vec<Shot>) {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let taken = seed % 4 == 3;
    let mut text = String::from("*filter\n");
    // Few chains, many, and more than programs have room for in their frame.
    let chains = pick(rng, &[1, 3, 3, 45]);
    for chain in 0..chains {
        text += &format!(":c{chain} - [0:0]\n");
    }
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        watch(rng, &mut text, hook, 4);
        text += &format!("-A {hook} -j c0\n");
        watch(rng, &mut text, hook, 12);
        if hook != "INPUT" {
            text += &format!("-A {hook}{}\n", pick(rng, &TCPMSS));
            watch(rng, &mut text, hook, 12);
        }
        if taken && hook != "OUTPUT" {
            text += &format!("-A {hook}{}\n", pick(rng, &SYNPROXY));
            watch(rng, &mut text, hook, 2);
        }
    }
    for chain in 0..chains {
        let name = format!("c{chain}");
        watch(rng, &mut text, &name, 2);
        if chain + 1 < chains {
            let how = if once_in(rng, 4) { "-g" } else { "-j" };
            text += &format!("-A {name} {how} c{}\n", chain + 1);
        } else {
            // INPUT gets here, where TCPMSS may not be.
            text += &format!("-A {name} -m comment --comment end -j MARK --set-mark 0\n");
        }
        watch(rng, &mut text, &name, 1);
    }
    if seed % 5 == 4 {
        // Enough for an index, and for rows.
        for number in 0..150 {
            let (a, b) = (number % 7, number % 50);
            text += &format!(
                "-A FORWARD -s 192.0.2.{a} -p tcp --dport {b}:{}\n",
                b + number
            );
            text += &format!("-A FORWARD -d 198.51.100.{a} -p tcp -m tcp --sport {number}\n");
        }
        watch(rng, &mut text, "FORWARD", 4);
    }
    text += "COMMIT\n";
    let shots = (0..40).map(|_| shot(rng)).collect();
    (text, shots)
}

/// Mostly the first packet of a connection.
fn shot(rng: &mut Rng) -> Shot {
    let source = pick(rng, &SOURCES);
    let coming = !once_in(rng, 4);
    let destination = match coming && once_in(rng, 4) {
        true => LOCAL[0],
        false => pick(rng, &REMOTE),
    };
    let mut options = pick::<&[u8]>(
        rng,
        &[
            &[],
            &[],
            &[2, 4, 5, 0xb4],
            &[2, 4, 3, 0xe8],
            &[2, 4, 2, 0x18],
            &[2, 4, 0x23, 0x28],
            &[
                2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
            ],
            &[1, 1, 4, 2, 2, 4, 5, 0xb4],
            &[1, 2, 4, 5, 0xb4],
            &[3, 3, 7, 0],
            &[2, 3, 5, 0xb4],
            &[2, 0, 5, 0xb4],
            &[2],
            &[8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4],
        ],
    )
    .to_vec();
    // As much as a header takes, with no room for another option.
    if once_in(rng, 10) {
        options.resize(40, 1);
    }
    let payload = Tcp {
        source: rng.u16(1024..),
        destination: pick(rng, &[22, 80, 80, 443, 8080]),
        sequence: rng.u32(..),
        acknowledgement: 0,
        flags: pick(rng, &[0x02, 0x02, 0x02, 0x02, 0xc2, 0x12, 0x10, 0x04, 0x06]),
        options,
        header_words: once_in(rng, 20).then(|| rng.u8(..16)),
        data: vec![b'x'; pick(rng, &[0, 0, 0, 0, 1, 100, 5000])],
    }
    .build(source, destination);
    let ip = Ipv4 {
        id: rng.u16(1..),
        ttl: pick(rng, &[64, 255, 61]),
        fragment: DONT_FRAGMENT,
        protocol: protocol::TCP,
        source,
        destination,
        options: if once_in(rng, 8) {
            vec![1; 4]
        } else {
            Vec::new()
        },
        payload,
        ..Ipv4::default()
    };
    let bytes = ip.build();
    let way = match coming {
        true => Way::In {
            tap: rng.usize(..TAPS.len()),
            hardware: TAP_ADDRESS,
            linear: if rng.bool() {
                rng.u16(14..100).min(bytes.len() as u16)
            } else {
                0
            },
        },
        false => Way::Out { mark: 0 },
    };
    let sane = true;
    Shot { way, bytes, sane }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The data of every match that bpfilter registers.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::data::{Candidate, Data, address, port, ports};
use super::{FORWARD, ICMP, INPUT, MASKS, OUTPUT, TCP, UDP};
use crate::blob::Extension;

/// The names and revisions that [`table`](super::table) uses.
pub const MATCHES: [(&str, u8); 34] = [
    ("tcp", 0),
    ("udp", 0),
    ("icmp", 0),
    ("comment", 0),
    ("multiport", 1),
    ("mark", 1),
    ("limit", 0),
    ("recent", 0),
    ("recent", 1),
    ("conntrack", 1),
    ("conntrack", 2),
    ("conntrack", 3),
    ("iprange", 1),
    ("length", 0),
    ("ttl", 0),
    ("tos", 1),
    ("dscp", 0),
    ("pkttype", 0),
    ("mac", 0),
    ("owner", 1),
    ("addrtype", 1),
    ("statistic", 0),
    ("quota", 0),
    ("cpu", 0),
    ("realm", 0),
    ("connmark", 1),
    ("devgroup", 0),
    ("tcpmss", 0),
    ("esp", 0),
    ("ah", 0),
    ("dccp", 0),
    ("sctp", 0),
    ("ecn", 0),
    ("u32", 0),
];

fn tcp() -> impl Strategy<Value = Candidate> {
    let options = prop_oneof![5 => Just(0u8), 1 => 1u8..=255];
    let flags = prop_oneof![
        3 => Just((0u8, 0u8)),
        2 => Just((0x17, 0x02)),
        1 => any::<(u8, u8)>()
    ];
    (ports(), ports(), options, flags, 0u8..16).prop_map(
        |(sports, dports, option, (mask, compare), invert)| {
            let data = Data::default()
                .u16(sports[0])
                .u16(sports[1])
                .u16(dports[0])
                .u16(dports[1])
                .u8(option)
                .u8(mask)
                .u8(compare)
                .u8(invert);
            Candidate::new(Extension::new("tcp", 0, data.0)).proto(TCP)
        },
    )
}

fn udp() -> impl Strategy<Value = Candidate> {
    (ports(), ports(), 0u8..4).prop_map(|(sports, dports, invert)| {
        let data = Data::default()
            .u16(sports[0])
            .u16(sports[1])
            .u16(dports[0])
            .u16(dports[1])
            .u8(invert)
            .zeros(10);
        Candidate::new(Extension::new("udp", 0, data.0)).proto(UDP)
    })
}

fn icmp() -> impl Strategy<Value = Candidate> {
    let kind = select(&[0u8, 3, 5, 8, 11, 255][..]);
    let codes = prop_oneof![
        Just((0u8, 255u8)),
        (0u8..5).prop_map(|code| (code, code)),
        any::<(u8, u8)>()
    ];
    (kind, codes, 0u8..2).prop_map(|(kind, (first, last), invert)| {
        let data = Data::default().u8(kind).u8(first).u8(last).u8(invert);
        Candidate::new(Extension::new("icmp", 0, data.0)).proto(ICMP)
    })
}

fn comment() -> impl Strategy<Value = Candidate> {
    "[ -~]{0,255}".prop_map(|text| {
        Candidate::new(Extension::new("comment", 0, Data(text.into()).zeros(256).0))
    })
}

fn multiport() -> impl Strategy<Value = Candidate> {
    // A single port, or a range of two entries of which the first is flagged.
    let item = prop_oneof![
        3 => port().prop_map(|port| vec![port]),
        1 => (0u16..60000, 1u16..5000).prop_map(|(first, more)| vec![first, first + more])
    ];
    (
        0u8..3,
        vec(item, 1..=7),
        any::<bool>(),
        select(&[TCP, UDP, 132, 33, 136][..]),
    )
        .prop_map(|(flags, items, invert, proto)| {
            let mut ports = [0u16; 15];
            let mut marks = [0u8; 15];
            let mut count = 0;
            for item in &items {
                marks[count] = u8::from(item.len() == 2);
                for port in item {
                    ports[count] = *port;
                    count += 1;
                }
            }
            let mut data = Data::default().u8(flags).u8(count as u8);
            for port in ports {
                data = data.u16(port);
            }
            let data = data.bytes(marks).u8(u8::from(invert));
            Candidate::new(Extension::new("multiport", 1, data.0)).proto(proto)
        })
}

fn mark() -> impl Strategy<Value = Candidate> {
    (
        any::<u32>(),
        select(&[u32::MAX, 0xff, 0xffff_0000, 0][..]),
        0u8..2,
    )
        .prop_map(|(mark, mask, invert)| {
            let data = Data::default()
                .u32(mark & mask)
                .u32(mask)
                .u8(invert)
                .zeros(12);
            Candidate::new(Extension::new("mark", 1, data.0))
        })
}

fn limit() -> impl Strategy<Value = Candidate> {
    // 10000 units are a second; small enough that nothing overflows.
    (1u32..=10_000_000, 1u32..=20).prop_map(|(average, burst)| {
        let data = Data::default().u32(average).u32(burst).zeros(40);
        Candidate::new(Extension::new("limit", 0, data.0))
    })
}

fn recent() -> impl Strategy<Value = Candidate> {
    let how = prop_oneof![
        2 => Just((2u8, 0u32, 0u32)),
        1 => Just((8, 0, 0)),
        2 => (select(&[1u8, 4, 17, 36][..]), 1u32..100, 0u32..40),
    ];
    (
        how,
        any::<bool>(),
        select(&["a", "b", "DEFAULT"][..]),
        0u8..2,
        address(),
        0u8..2,
    )
        .prop_map(
            |((how, seconds, times), invert, name, side, mask, revision)| {
                let mut data = Data::default().u32(seconds).u32(times);
                data = data
                    .u8(how)
                    .u8(invert.into())
                    .bytes(name)
                    .zeros(210)
                    .u8(side);
                let data = match revision {
                    0 => data.zeros(212),
                    _ => data.zeros(212).address(mask),
                };
                Candidate::new(Extension::new("recent", revision, data.0))
            },
        )
}

fn conntrack() -> impl Strategy<Value = Candidate> {
    let addresses = vec((address(), select(&MASKS[..])), 4);
    let flags = prop_oneof![
        4 => Just(0x0001u16),
        2 => Just(0x2001),
        2 => 0u16..0x4000
    ];
    (
        1u8..=3,
        addresses,
        (0u32..100, 0u32..100_000),
        select(&[0u16, TCP, UDP, ICMP][..]),
        vec(port(), 8),
        flags,
        0u16..0x2000,
        (0u16..0x100, 0u16..0x10),
    )
        .prop_map(
            |(revision, addresses, expires, proto, ports, flags, invert, (state, status))| {
                let mut data = Data::default();
                for (address, mask) in addresses {
                    data = data.address(address).address(mask);
                }
                data = data.u32(expires.0).u32(expires.1).u16(proto);
                for port in &ports[..4] {
                    data = data.u16(*port);
                }
                data = data.u16(flags).u16(invert & flags);
                data = match revision {
                    1 => data.u8(state as u8).u8(status as u8).zeros(152),
                    2 => data.u16(state).u16(status).zeros(156),
                    _ => {
                        data = data.u16(state).u16(status);
                        for port in &ports[4..] {
                            data = data.u16(*port);
                        }
                        data.zeros(164)
                    }
                };
                Candidate::new(Extension::new("conntrack", revision, data.0))
            },
        )
}

fn iprange() -> impl Strategy<Value = Candidate> {
    (
        vec(address(), 4),
        select(&[0x01u8, 0x02, 0x03, 0x11, 0x22, 0x33][..]),
    )
        .prop_map(|(addresses, flags)| {
            let mut data = Data::default();
            for address in addresses {
                data = data.address(address);
            }
            let data = data.u8(flags).zeros(68);
            Candidate::new(Extension::new("iprange", 1, data.0))
        })
}

fn length() -> impl Strategy<Value = Candidate> {
    (0u16..200, 0u16..1600, 0u8..2).prop_map(|(min, max, invert)| {
        let data = Data::default().u16(min).u16(max).u8(invert).zeros(6);
        Candidate::new(Extension::new("length", 0, data.0))
    })
}

fn ttl() -> impl Strategy<Value = Candidate> {
    (0u8..4, any::<u8>())
        .prop_map(|(mode, ttl)| Candidate::new(Extension::new("ttl", 0, [mode, ttl])))
}

fn tos() -> impl Strategy<Value = Candidate> {
    (any::<u8>(), any::<u8>(), 0u8..2).prop_map(|(mask, value, invert)| {
        Candidate::new(Extension::new("tos", 1, [mask, value, invert]))
    })
}

fn dscp() -> impl Strategy<Value = Candidate> {
    (0u8..64, 0u8..2)
        .prop_map(|(dscp, invert)| Candidate::new(Extension::new("dscp", 0, [dscp, invert])))
}

fn pkttype() -> impl Strategy<Value = Candidate> {
    (0u32..8, 0u32..2).prop_map(|(kind, invert)| {
        let data = Data::default().u32(kind).u32(invert);
        Candidate::new(Extension::new("pkttype", 0, data.0))
    })
}

fn mac() -> impl Strategy<Value = Candidate> {
    (any::<[u8; 6]>(), 0u32..2).prop_map(|(mac, invert)| {
        let data = Data::default().bytes(mac).zeros(8).u32(invert);
        Candidate::new(Extension::new("mac", 0, data.0)).hooks(INPUT | FORWARD)
    })
}

fn owner() -> impl Strategy<Value = Candidate> {
    let range = || (0u32..2000, 0u32..2000).prop_map(|(a, b)| (a.min(b), a.max(b)));
    (range(), range(), 0u8..8, 0u8..8).prop_map(|(uids, gids, flags, invert)| {
        let data = Data::default()
            .u32(uids.0)
            .u32(uids.1)
            .u32(gids.0)
            .u32(gids.1)
            .u8(flags)
            .u8(invert & flags)
            .zeros(20);
        Candidate::new(Extension::new("owner", 1, data.0)).hooks(OUTPUT)
    })
}

fn addrtype() -> impl Strategy<Value = Candidate> {
    // The kernel refuses a limit to an interface that a hook does not have.
    let flags = prop_oneof![
        4 => (0u32..4).prop_map(|flags| (flags, INPUT | FORWARD | OUTPUT)),
        1 => (0u32..4).prop_map(|flags| (flags | 4, INPUT | FORWARD)),
        1 => (0u32..4).prop_map(|flags| (flags | 8, FORWARD | OUTPUT)),
    ];
    (0u16..0x1000, 0u16..0x1000, flags).prop_map(|(source, destination, (flags, hooks))| {
        let data = Data::default().u16(source).u16(destination).u32(flags);
        Candidate::new(Extension::new("addrtype", 1, data.0)).hooks(hooks)
    })
}

fn statistic() -> impl Strategy<Value = Candidate> {
    (0u16..2, 0u16..2, any::<u32>(), 0u32..5).prop_map(|(mode, invert, every, count)| {
        let data = Data::default().u16(mode).u16(invert).u32(every).u32(0);
        let data = data.u32(count).zeros(24);
        Candidate::new(Extension::new("statistic", 0, data.0))
    })
}

fn quota() -> impl Strategy<Value = Candidate> {
    (0u32..2, any::<u64>()).prop_map(|(invert, quota)| {
        let data = Data::default().u32(invert).u32(0);
        let data = data.bytes(quota.to_ne_bytes()).zeros(24);
        Candidate::new(Extension::new("quota", 0, data.0))
    })
}

fn cpu() -> impl Strategy<Value = Candidate> {
    (0u32..4, 0u32..2).prop_map(|(cpu, invert)| {
        let data = Data::default().u32(cpu).u32(invert);
        Candidate::new(Extension::new("cpu", 0, data.0))
    })
}

/// `realm` and `connmark`: a number, a mask, an inversion.
fn masked(name: &'static str, revision: u8) -> impl Strategy<Value = Candidate> {
    (any::<u32>(), any::<u32>(), 0u8..2).prop_map(move |(value, mask, invert)| {
        let data = Data::default().u32(value).u32(mask).u8(invert).zeros(12);
        Candidate::new(Extension::new(name, revision, data.0))
    })
}

fn devgroup() -> impl Strategy<Value = Candidate> {
    let hooks = prop_oneof![
        Just((0x3u32, INPUT | FORWARD)),
        Just((0xc, FORWARD | OUTPUT)),
        Just((0xf, FORWARD)),
    ];
    (0u32..16, hooks, vec(any::<u32>(), 4)).prop_map(|(flags, (mask, hooks), numbers)| {
        let mut data = Data::default().u32(flags & mask);
        for number in numbers {
            data = data.u32(number);
        }
        Candidate::new(Extension::new("devgroup", 0, data.0)).hooks(hooks)
    })
}

fn tcpmss() -> impl Strategy<Value = Candidate> {
    (any::<u16>(), any::<u16>(), 0u8..2).prop_map(|(min, max, invert)| {
        let data = Data::default().u16(min).u16(max).u8(invert).zeros(6);
        Candidate::new(Extension::new("tcpmss", 0, data.0)).proto(TCP)
    })
}

fn spi() -> impl Strategy<Value = Candidate> {
    let which = select(&[("esp", 50), ("ah", 51)][..]);
    (which, any::<[u32; 2]>(), 0u8..2).prop_map(|((name, proto), spis, invert)| {
        let data = Data::default().u32(spis[0]).u32(spis[1]).u8(invert);
        Candidate::new(Extension::new(name, 0, data.zeros(12).0)).proto(proto)
    })
}

/// dccp and sctp.
fn asked_ports() -> impl Strategy<Value = Candidate> {
    let flags =
        (0u16..8).prop_flat_map(|flags| (Just(flags), (0u16..8).prop_map(move |i| i & flags)));
    (any::<bool>(), ports(), ports(), flags, any::<u16>()).prop_map(
        |(is_sctp, to, from, (flags, invert), types)| {
            let mut data = Data::default();
            for port in [to, from].concat() {
                data = data.u16(port);
            }
            let (name, proto, data) = match is_sctp {
                true => {
                    let data = data.zeros(284).u32((flags & 3).into());
                    ("sctp", 132, data.u32((invert & 3).into()))
                }
                false => ("dccp", 33, data.u16(flags).u16(invert).u16(types).zeros(16)),
            };
            Candidate::new(Extension::new(name, 0, data.0)).proto(proto)
        },
    )
}

fn ecn() -> impl Strategy<Value = Candidate> {
    (any::<u8>(), any::<u8>(), 0u8..4).prop_map(|(operation, invert, ip)| {
        let data = [operation & 0x31, invert & 0x31, ip, 0];
        let candidate = Candidate::new(Extension::new("ecn", 0, data));
        match operation & 0x30 {
            0 => candidate,
            _ => candidate.proto(TCP),
        }
    })
}

fn words() -> impl Strategy<Value = Candidate> {
    let location = (any::<u32>(), 0u32..4).prop_map(|(number, operation)| {
        let number = match operation {
            1 | 2 => number % 32,
            _ => number,
        };
        Data::default().u32(number).u32(operation).0
    });
    let values = vec(any::<[u32; 2]>(), 11);
    let test = (vec(location, 11), values, 0u8..=11, 0u8..=11).prop_map(
        |(locations, values, nums, numv)| {
            let mut data = Data(locations.concat());
            for [min, max] in values {
                data = data.u32(min).u32(max);
            }
            data.u8(nums).u8(numv).zeros(180).0
        },
    );
    (vec(test, 11), 0u8..=11, 0u8..2).prop_map(|(tests, count, invert)| {
        let data = Data(tests.concat()).u8(count).u8(invert).zeros(1984);
        Candidate::new(Extension::new("u32", 0, data.0))
    })
}

/// The data of any match that bpfilter registers.
pub(super) fn candidate() -> impl Strategy<Value = Candidate> {
    prop_oneof![
        8 => tcp(),
        5 => udp(),
        3 => icmp(),
        3 => comment(),
        4 => multiport(),
        2 => mark(),
        2 => limit(),
        2 => recent(),
        4 => conntrack(),
        2 => iprange(),
        1 => length(),
        1 => ttl(),
        1 => tos(),
        1 => dscp(),
        1 => pkttype(),
        1 => mac(),
        1 => owner(),
        2 => addrtype(),
        2 => statistic(),
        1 => quota(),
        1 => cpu(),
        1 => masked("realm", 0),
        1 => masked("connmark", 1),
        1 => devgroup(),
        1 => tcpmss(),
        1 => spi(),
        1 => asked_ports(),
        1 => ecn(),
        1 => words(),
    ]
}

// SPDX-License-Identifier: GPL-2.0-only
//! Valid tables, invented.
//!
//! Owns: proptest strategies for rules, for the data of every extension that
//! bpfilter registers, and for whole tables with user chains, jumps and gotos
//! that ip_tables accepts. Addresses, ports and interfaces come from small
//! pools, so that invented packets often meet what invented rules ask for.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use umh_core::abi::{
    IFNAMSIZ, IPT_F_FRAG, IPT_INV_PROTO, IptIp, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_RETURN,
};
use zerocopy::FromZeros;

use crate::blob::{Chain, Extension, Rule, Table, Target};

/// Addresses that rules and packets use.
pub const ADDRESSES: [[u8; 4]; 8] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 1, 2, 3],
    [127, 0, 0, 1],
    [192, 168, 1, 1],
    [192, 168, 1, 200],
    [203, 0, 113, 7],
    [255, 255, 255, 255],
];

/// Masks, two of them not contiguous.
pub const MASKS: [[u8; 4]; 8] = [
    [0, 0, 0, 0],
    [255, 0, 0, 0],
    [255, 255, 0, 0],
    [255, 255, 255, 0],
    [255, 255, 255, 252],
    [255, 255, 255, 255],
    [255, 0, 255, 0],
    [0, 0, 0, 255],
];

/// Interfaces as a rule names them; `+` is a wildcard.
pub const INTERFACES: [&str; 6] = ["lo", "eth0", "eth1", "eth+", "wlan0", "+"];

/// Ports that rules and packets use.
pub const PORTS: [u16; 8] = [0, 22, 53, 80, 443, 1024, 8080, 65535];

const ICMP: u16 = 1;
const TCP: u16 = 6;
const UDP: u16 = 17;

/// The protocols that rules name, 0 being any.
pub const PROTOCOLS: [u16; 7] = [0, TCP, UDP, ICMP, 50, 132, 255];

/// The hooks that reach a chain, as a mask of `1 << index into BUILTIN`.
type Hooks = u8;
const INPUT: Hooks = 1;
const FORWARD: Hooks = 2;
const OUTPUT: Hooks = 4;

/// What a match asks of the rule it stands in.
#[derive(Clone, Debug)]
struct Candidate {
    extension: Extension,
    /// The rule must have this protocol, not inverted.
    proto: Option<u16>,
    /// The chain may be reached from these hooks only.
    hooks: Hooks,
}

impl Candidate {
    fn new(extension: Extension) -> Self {
        Self {
            extension,
            proto: None,
            hooks: INPUT | FORWARD | OUTPUT,
        }
    }

    fn proto(self, proto: u16) -> Self {
        Self {
            proto: Some(proto),
            ..self
        }
    }

    fn hooks(self, hooks: Hooks) -> Self {
        Self { hooks, ..self }
    }
}

/// Bytes put one after the other.
#[derive(Default)]
struct Data(Vec<u8>);

impl Data {
    fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    fn u8(self, value: u8) -> Self {
        self.bytes([value])
    }

    fn u16(self, value: u16) -> Self {
        self.bytes(value.to_ne_bytes())
    }

    fn u32(self, value: u32) -> Self {
        self.bytes(value.to_ne_bytes())
    }

    /// A `union nf_inet_addr` with an IPv4 address in it.
    fn address(self, address: [u8; 4]) -> Self {
        self.bytes(address).bytes([0; 12])
    }

    fn zeros(mut self, size: usize) -> Self {
        self.0.resize(size, 0);
        self
    }
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![4 => select(&PORTS[..]), 1 => any::<u16>()]
}

/// First and last port; now and then the wrong way round, which never
/// matches, and is accepted.
fn ports() -> impl Strategy<Value = [u16; 2]> {
    prop_oneof![
        2 => Just([0, 65535]),
        4 => port().prop_map(|port| [port, port]),
        2 => (port(), port()).prop_map(|(a, b)| [a.min(b), a.max(b)]),
        1 => (port(), port()).prop_map(|(a, b)| [a, b]),
    ]
}

fn address() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![6 => select(&ADDRESSES[..]), 1 => any::<[u8; 4]>()]
}

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
                    0 => data.zeros(216),
                    _ => data.zeros(212).address(mask).zeros(232),
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
fn candidate() -> impl Strategy<Value = Candidate> {
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

/// A target that is no verdict, and the protocol that it asks for. It may
/// stand in any chain.
fn action() -> impl Strategy<Value = (Extension, Option<u16>)> {
    let reject = prop_oneof![
        6 => select(&[0u32, 1, 2, 3, 5, 6, 8][..]).prop_map(|with| (with, None)),
        2 => Just((7, Some(TCP))),
        1 => (9u32..).prop_map(|with| (with, None)),
    ]
    .prop_map(|(with, proto)| (Extension::new("REJECT", 0, with.to_ne_bytes()), proto));
    let log = (0u8..8, any::<u8>(), "[ -~]{0,29}").prop_map(|(level, flags, prefix)| {
        let data = Data::default().u8(level).u8(flags).bytes(prefix).zeros(32);
        (Extension::new("LOG", 0, data.0), None)
    });
    let nflog = (any::<u32>(), any::<(u16, u16)>(), 0u16..2, "[ -~]{0,63}").prop_map(
        |(len, (group, threshold), flags, prefix)| {
            let data = Data::default().u32(len).u16(group).u16(threshold);
            let data = data.u16(flags).u16(0).bytes(prefix).zeros(76);
            (Extension::new("NFLOG", 0, data.0), None)
        },
    );
    let mark = any::<(u32, u32)>().prop_map(|(mark, mask)| {
        let data = Data::default().u32(mark).u32(mask);
        (Extension::new("MARK", 2, data.0), None)
    });
    let connmark = (1u8..3, any::<[u32; 3]>(), 0u8..2, 0u8..32, 0u8..4).prop_map(
        |(revision, masks, right, bits, mode)| {
            let data = masks.into_iter().fold(Data::default(), Data::u32);
            let data = match revision {
                1 => data.u8(mode).zeros(13),
                _ => data.u8(right).u8(bits).u8(mode),
            };
            (Extension::new("CONNMARK", revision, data.0), None)
        },
    );
    prop_oneof![4 => reject, 3 => log, 1 => nflog, 2 => mark, 1 => connmark]
}

/// The names and revisions that [`table`] uses.
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

/// An interface name and its mask, as iptables makes them.
pub fn interface(name: &str) -> ([u8; IFNAMSIZ], [u8; IFNAMSIZ]) {
    let mut bytes = [0; IFNAMSIZ];
    let mut mask = [0; IFNAMSIZ];
    let (stem, count) = match name.strip_suffix('+') {
        Some(stem) => (stem, stem.len()),
        // The NUL counts: eth0 is not eth01.
        None => (name, name.len() + 1),
    };
    bytes[..stem.len()].copy_from_slice(stem.as_bytes());
    mask[..count].fill(0xff);
    (bytes, mask)
}

/// What a rule asks of the IP header. Which interfaces make sense on which
/// hook is not looked at: the kernel does not either.
pub fn ip() -> impl Strategy<Value = IptIp> {
    let side = || {
        prop_oneof![
            3 => Just(([0; 4], [0; 4])),
            2 => (address(), select(&MASKS[..])).prop_map(|(address, mask)| {
                let masked = std::array::from_fn(|i| address[i] & mask[i]);
                (masked, mask)
            }),
            // The kernel takes what iptables would have masked.
            1 => (address(), select(&MASKS[..])),
        ]
    };
    let port = || prop_oneof![3 => Just(None), 1 => select(&INTERFACES[..]).prop_map(Some)];
    let flags = prop_oneof![8 => Just(0), 1 => Just(IPT_F_FRAG)];
    let invert = prop_oneof![3 => Just(0u8), 1 => 0u8..0x80];
    (
        side(),
        side(),
        port(),
        port(),
        select(&PROTOCOLS[..]),
        flags,
        invert,
    )
        .prop_map(
            |(source, destination, input, output, proto, flags, invert)| {
                let mut ip = IptIp::new_zeroed();
                (ip.src, ip.smsk) = source;
                (ip.dst, ip.dmsk) = destination;
                if let Some(name) = input {
                    (ip.iniface, ip.iniface_mask) = interface(name);
                }
                if let Some(name) = output {
                    (ip.outiface, ip.outiface_mask) = interface(name);
                }
                ip.proto = proto;
                ip.flags = flags;
                ip.invflags = invert;
                ip
            },
        )
}

/// A rule before it is known where it stands.
#[derive(Clone, Debug)]
struct Draft {
    ip: IptIp,
    matches: Vec<Candidate>,
    target: Aim,
}

#[derive(Clone, Debug)]
enum Aim {
    Verdict(i32),
    /// Picks one of the chains that may be jumped to from here.
    Chain {
        pick: u16,
        goto: bool,
    },
    Next,
    Action(Extension, Option<u16>),
}

fn draft() -> impl Strategy<Value = Draft> {
    let aim = prop_oneof![
        3 => Just(Aim::Verdict(VERDICT_ACCEPT)),
        3 => Just(Aim::Verdict(VERDICT_DROP)),
        2 => Just(Aim::Verdict(VERDICT_RETURN)),
        4 => (any::<u16>(), any::<bool>()).prop_map(|(pick, goto)| Aim::Chain { pick, goto }),
        2 => Just(Aim::Next),
        4 => action().prop_map(|(target, proto)| Aim::Action(target, proto)),
    ];
    // Often nothing at all, because unconditional rules are special.
    let ip = prop_oneof![4 => ip(), 1 => Just(IptIp::new_zeroed())];
    (ip, vec(candidate(), 0..3), aim).prop_map(|(ip, matches, target)| Draft {
        ip,
        matches,
        target,
    })
}

/// Makes a draft valid in a chain that `hooks` reach, and from which the
/// chains of `callable` may be called.
fn settle(draft: &Draft, hooks: Hooks, callable: &[usize]) -> Rule {
    let mut ip = draft.ip;
    let mut fixed: Option<u16> = None;
    let mut matches = Vec::new();
    for candidate in &draft.matches {
        if hooks & !candidate.hooks != 0 {
            continue;
        }
        if let Some(proto) = candidate.proto {
            if fixed.is_some_and(|fixed| fixed != proto) {
                continue;
            }
            fixed = Some(proto);
        }
        matches.push(candidate.extension.clone());
    }
    if let Some(proto) = fixed {
        ip.proto = proto;
        ip.invflags &= !IPT_INV_PROTO;
    }
    let target = match &draft.target {
        Aim::Verdict(verdict) => Target::Verdict(*verdict),
        Aim::Next => Target::Next,
        Aim::Action(extension, None) => Target::Extension(extension.clone()),
        Aim::Action(extension, Some(proto)) => {
            let wanted = ip.proto == *proto && ip.invflags & IPT_INV_PROTO == 0;
            match wanted {
                true => Target::Extension(extension.clone()),
                false => Target::Next,
            }
        }
        Aim::Chain { pick, goto } => {
            match callable.get(usize::from(*pick) % callable.len().max(1)) {
                None => Target::Next,
                Some(&chain) if *goto => Target::Goto(chain),
                Some(&chain) => Target::Jump(chain),
            }
        }
    };
    Rule {
        ip,
        matches,
        target,
    }
}

/// A valid table of up to `chains` user chains, each chain of up to `rules`
/// rules. A chain calls only chains after it, so there are no loops.
pub fn table(chains: usize, rules: usize) -> impl Strategy<Value = Table> {
    let drafts = move || vec(draft(), 0..=rules);
    // Which hooks may reach a chain: it is called only from chains that
    // fewer or the same hooks reach.
    let domain = select(&[INPUT, OUTPUT, INPUT | FORWARD, INPUT | FORWARD | OUTPUT][..]);
    let name = "[A-Za-z][A-Za-z0-9_-]{0,27}";
    (
        [drafts(), drafts(), drafts()],
        [
            select(&[VERDICT_ACCEPT, VERDICT_DROP][..]),
            select(&[VERDICT_ACCEPT, VERDICT_DROP][..]),
            select(&[VERDICT_ACCEPT, VERDICT_DROP][..]),
        ],
        vec((name, domain, drafts()), 0..=chains),
    )
        .prop_map(|(builtin, policy, chains)| {
            let callable = |from: usize, hooks: Hooks| -> Vec<usize> {
                (from..chains.len())
                    .filter(|&chain| hooks & !chains[chain].1 == 0)
                    .collect()
            };
            let settle_all = |drafts: &[Draft], hooks, callable: Vec<usize>| {
                drafts
                    .iter()
                    .map(|draft| settle(draft, hooks, &callable))
                    .collect::<Vec<_>>()
            };
            let hooks = [INPUT, FORWARD, OUTPUT];
            Table {
                builtin: std::array::from_fn(|i| {
                    settle_all(&builtin[i], hooks[i], callable(0, hooks[i]))
                }),
                policy,
                chains: chains
                    .iter()
                    .enumerate()
                    .map(|(number, (name, hooks, drafts))| Chain {
                        // Names of chains differ, as iptables has it.
                        name: format!("{:.24}{number}", name),
                        rules: settle_all(drafts, *hooks, callable(number + 1, *hooks)),
                    })
                    .collect(),
            }
        })
}

/// The same `count` small tables each time: seeds for fuzzers.
pub fn examples(count: usize) -> Vec<Table> {
    let mut runner = TestRunner::deterministic();
    let strategy = table(2, 2);
    (0..count)
        .map(|_| {
            let tree = strategy.new_tree(&mut runner);
            tree.expect("nothing is rejected").current()
        })
        .collect()
}

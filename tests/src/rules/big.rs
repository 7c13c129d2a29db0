// SPDX-License-Identifier: GPL-2.0-only
//! Big rule sets, as text for iptables-restore.
//!
//! Owns: the shapes that make a firewall slow or large, for the small world,
//! so that its random packets hit some of the rules.

use std::fmt::Write;

use fastrand::Rng;

use crate::packet::random::pick;
use crate::world::{PORTS, SOURCES};

/// A shape.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// One source after the other is dropped: a blocklist.
    Sources,
    /// Prefixes, ports and protocols that overlap, and accept and drop in turn.
    Mixed,
    /// Every rule matches every packet and none decides: all counters count.
    Wildcards,
    /// Chains of ten rules each, reached by port.
    Chains,
}

impl Shape {
    /// A shape by its name in lower case.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Sources, Self::Mixed, Self::Wildcards, Self::Chains]
            .into_iter()
            .find(|shape| format!("{shape:?}").eq_ignore_ascii_case(name))
    }
}

/// About `count` rules of a shape, in all three built-in chains.
pub fn rule_set(rng: &mut Rng, shape: Shape, count: usize) -> String {
    let mut text =
        String::from("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n");
    let per_hook = count / 3;
    let chains = match shape {
        Shape::Chains => count / 10,
        _ => 0,
    };
    let mut line = |line: std::fmt::Arguments<'_>| {
        writeln!(text, "{line}").expect("writing to a string");
    };
    for chain in 0..chains {
        line(format_args!(":sub{chain} - [0:0]"));
    }
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        line(format_args!("-A {hook}"));
        match shape {
            Shape::Sources => {
                for number in 0..per_hook as u32 {
                    let source = std::net::Ipv4Addr::from(0x5000_0000 + number * 7);
                    line(format_args!("-A {hook} -s {source} -j DROP"));
                }
                // One of the world's, at the very end.
                let source = std::net::Ipv4Addr::from(pick(rng, &SOURCES));
                line(format_args!("-A {hook} -s {source} -j DROP"));
            }
            Shape::Mixed => {
                for number in 0..per_hook {
                    let mut source = pick(rng, &SOURCES);
                    // Mostly near the world's addresses, sometimes of them.
                    source[3] = rng.u8(..);
                    let source = std::net::Ipv4Addr::from(source);
                    let bits = pick(rng, &[32, 32, 32, 31, 30]);
                    let port = pick(rng, &PORTS);
                    let protocol = pick(rng, &["tcp", "udp"]);
                    let target = match number % 50 {
                        0 => " -j ACCEPT",
                        1 => " -j DROP",
                        _ => "",
                    };
                    line(format_args!(
                        "-A {hook} -s {source}/{bits} -p {protocol} -m {protocol} \
                         --dport {port}:{}{target}",
                        port.saturating_add(rng.u16(..100)),
                    ));
                }
            }
            Shape::Wildcards => (0..per_hook).for_each(|_| line(format_args!("-A {hook}"))),
            Shape::Chains => {
                for chain in 0..chains {
                    let port = chain * 65536 / chains;
                    let until = (chain + 1) * 65536 / chains - 1;
                    line(format_args!(
                        "-A {hook} -p tcp -m tcp --dport {port}:{until} -j sub{chain}"
                    ));
                }
            }
        }
    }
    for chain in 0..chains {
        for _ in 0..9 {
            let source = std::net::Ipv4Addr::from(pick(rng, &SOURCES));
            let target = pick(rng, &["", "", " -j DROP", " -j RETURN", " -j ACCEPT"]);
            line(format_args!("-A sub{chain} -s {source}/31{target}"));
        }
    }
    text + "COMMIT\n"
}

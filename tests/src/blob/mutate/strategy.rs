// SPDX-License-Identifier: GPL-2.0-only
//! Which mutations are tried.

use proptest::prelude::*;
use proptest::sample::select;

use super::{HEADER, Mutation, Name, Value};
use crate::blob::generate::MATCHES;

/// Numbers at the edges of what fields can hold.
const EDGES: [u32; 25] = [
    0,
    1,
    2,
    4,
    7,
    8,
    16,
    31,
    32,
    40,
    64,
    96,
    112,
    144,
    152,
    176,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0xffff_fffb,
];

/// What else an extension may be called: what is known in other revisions, needs
/// what the kernel may not have, is of the other kind, or nobody's.
const OTHER_NAMES: [(&str, u8); 19] = [
    ("addrtype", 0),
    ("hashlimit", 1),
    ("connlimit", 1),
    ("time", 0),
    ("connbytes", 0),
    ("helper", 0),
    ("state", 0),
    ("icmp6", 0),
    ("nobody", 0),
    ("", 0),
    ("ERROR", 0),
    ("REJECT", 0),
    ("LOG", 0),
    ("MARK", 2),
    ("TTL", 0),
    ("MASQUERADE", 0),
    ("NFLOG", 0),
    ("CONNMARK", 1),
    ("CONNMARK", 2),
];

fn value() -> impl Strategy<Value = Value> {
    let near = select(&[-16, -8, -4, -1, 0, 1, 4, 8, 16, 40, 152][..]);
    prop_oneof![
        4 => select(&EDGES[..]).prop_map(Value::Is),
        1 => any::<u32>().prop_map(Value::Is),
        3 => near.clone().prop_map(Value::Plus),
        3 => (any::<u16>(), near.clone()).prop_map(|(entry, more)| Value::Start(entry, more)),
        2 => any::<u16>().prop_map(|entry| Value::Start(entry, 0)),
        1 => near.prop_map(Value::Size),
    ]
}

/// A value for `num_entries` and `num_counters`: not so many that the kernel
/// would look for hundreds of megabytes each time.
fn count() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3i32..4).prop_map(Value::Plus),
        2 => (0u32..20).prop_map(Value::Is),
        1 => select(&[0x8000_0000u32, 0xffff_ffff, 0x7fff_ffff, 0x0800_0000, 0x0800_0001][..])
            .prop_map(Value::Is),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    let names = select([&MATCHES[..], &OTHER_NAMES].concat());
    prop_oneof![
        5 => names.clone().prop_map(|(name, revision)| Name::Known(name, revision)),
        1 => Just(Name::Unterminated),
        1 => Just(Name::Garbage),
        2 => (0u8..6).prop_map(Name::Revision),
        2 => names.prop_map(|(name, _)| Name::Only(name)),
    ]
}

/// Any one change.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let entry = any::<u16>;
    let nth = 0u8..4;
    prop_oneof![
        2 => (any::<u32>(), any::<u8>()).prop_map(|(at, value)| Mutation::Byte(at, value)),
        4 => (any::<u32>(), 0u8..8).prop_map(|(at, bit)| Mutation::Bit(at, bit)),
        1 => (0u32..HEADER as u32, 0u8..8).prop_map(|(at, bit)| Mutation::Bit(at, bit)),
        3 => (select(&[0u8, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13][..]), value())
            .prop_map(|(field, value)| Mutation::Header(field, value)),
        2 => (select(&[1u8, 3][..]), count())
            .prop_map(|(field, value)| Mutation::Header(field, value)),
        5 => (entry(), 8u8..16, value())
            .prop_map(|(entry, field, value)| Mutation::Entry(entry, field, value)),
        2 => (entry(), 0u8..8, value())
            .prop_map(|(entry, field, value)| Mutation::Entry(entry, field, value)),
        2 => (entry(), nth.clone(), value())
            .prop_map(|(entry, nth, value)| Mutation::MatchSize(entry, nth, value)),
        2 => (entry(), value()).prop_map(|(entry, value)| Mutation::TargetSize(entry, value)),
        6 => (entry(), value()).prop_map(|(entry, value)| Mutation::Verdict(entry, value)),
        3 => (entry(), nth.clone(), name())
            .prop_map(|(entry, nth, name)| Mutation::MatchName(entry, nth, name)),
        3 => (entry(), name()).prop_map(|(entry, name)| Mutation::TargetName(entry, name)),
        5 => (entry(), nth, any::<u8>(), any::<u8>())
            .prop_map(|(entry, nth, at, value)| Mutation::MatchData(entry, nth, at, value)),
        3 => (entry(), any::<u8>(), any::<u8>())
            .prop_map(|(entry, at, value)| Mutation::TargetData(entry, at, value)),
        1 => (entry(), any::<bool>()).prop_map(|(entry, honest)| Mutation::Remove(entry, honest)),
        1 => (entry(), any::<bool>()).prop_map(|(entry, honest)| Mutation::Double(entry, honest)),
        1 => (entry(), entry()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        1 => value().prop_map(Mutation::Len),
        1 => select(&[-176i32, -8, -1, 1, 8, 176, 1 << 20][..]).prop_map(Mutation::Claim),
    ]
}

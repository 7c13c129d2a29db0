// SPDX-License-Identifier: GPL-2.0-only
//! The data of every target that is no verdict.

use proptest::prelude::*;
use proptest::sample::select;

use super::TCP;
use super::data::Data;
use crate::blob::Extension;

/// A target that is no verdict, and the protocol that it asks for. It may
/// stand in any chain.
pub(super) fn action() -> impl Strategy<Value = (Extension, Option<u16>)> {
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

// SPDX-License-Identifier: GPL-2.0-only
//! tcpmss: the maximum segment size that a TCP header announces
//! (xt_tcpmss.c).
//!
//! The one of Linux 6.12 looks at later fragments, too, and takes what it finds
//! there for a header; since 7.2 it does not, and since 7.3 it refuses data
//! that no client makes. So x_tables' own is called where there is one: it does
//! what the running kernel does. What is here is that of 6.12.

use super::Extension;
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{CutOff, Draft, Field, Payload, Test};

layout! {
    /// `struct xt_tcpmss_match_info`.
    TcpMss: 6 {
        /// Least size.
        min: u16,
        /// Most.
        max: u16,
        /// Nonzero inverts.
        invert: u8,
        /// Padding.
        pad: u8,
    }
}

/// `TCPOPT_MSS`.
const MSS: u8 = 2;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    protocol: 6,
    lower,
    leaves: |_| true,
    ..Extension::matching::<TcpMss>("tcpmss")
}];

/// tcpmss_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mss = refer::<TcpMss>(data)?;
    let test = if mss.min > mss.max {
        // No size is that big.
        Test::equal(Field::Found, u32::MAX, 0x10000)
    } else {
        Test::between(Field::Found, mss.min.into(), mss.max.into())
    };
    // The whole header, or the packet is dropped.
    draft.payload_word(Payload::Transport, 16, CutOff::Drops);
    // The kernel xors the result, 0 or 1, with this number: from 2 on the match
    // holds whatever the result, unless the header is broken.
    let test = test.invert_if(mss.invert != 0);
    if mss.invert < 2 {
        draft.tcp_option(MSS, &test);
    } else {
        let holds = draft.or_else();
        draft.tcp_option(MSS, &test);
        draft.here([holds]);
    }
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! ecn: explicit congestion notification, in IP and TCP (xt_ecn.c).
//!
//! The one of Linux 6.12 looks at later fragments, too, and takes what it finds
//! there for a TCP header; since 7.2 it does not. So x_tables' own is called for
//! the bits of TCP, where there is one: it does what the running kernel does.
//! What is here is that of 6.12.

use super::{Extension, Rule};
use crate::abi::{IPT_INV_PROTO, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{CutOff, Draft, Field, Payload, Test};

layout! {
    /// `struct xt_ecn_info`.
    Ecn: 4 {
        /// What is asked: `IP`, `ECE`, `CWR`.
        operation: u8,
        /// What of it is inverted.
        invert: u8,
        /// What the lowest two bits of the type of service must be.
        ip: u8,
        /// Unused.
        tcp: u8,
    }
}

/// Asks for the bits in the IP header.
pub const IP: u8 = 0x01;
/// Asks for TCP's ECE bit.
pub const ECE: u8 = 0x10;
/// Asks for TCP's CWR bit.
pub const CWR: u8 = 0x20;
/// No questions.
const UNKNOWN: u8 = 0xce;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    transport: true,
    check,
    lower,
    leaves: |data| refer::<Ecn>(data).is_ok_and(|ecn| ecn.operation & (ECE | CWR) != 0),
    ..Extension::matching::<Ecn>("ecn")
}];

fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let ecn = refer::<Ecn>(data)?;
    let is_tcp = rule.ip.proto() == 6 && rule.ip.invflags() & IPT_INV_PROTO == 0;
    if (ecn.operation | ecn.invert) & UNKNOWN != 0 || (ecn.operation & (ECE | CWR) != 0 && !is_tcp)
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// ecn_mt4
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let ecn = refer::<Ecn>(data)?;
    if ecn.operation & IP != 0 {
        let test = Test::equal(Field::Tos, 3, ecn.ip.into());
        draft.require(test.invert_if(ecn.invert & IP != 0));
    }
    if ecn.operation & (ECE | CWR) != 0 {
        // The whole header, of which the second word is wanted.
        draft.payload_word(Payload::Transport, 16, CutOff::Fails);
        draft.payload_word(Payload::Transport, 12, CutOff::Fails);
        for (flag, bit) in [(ECE, 0x40 << 16), (CWR, 0x80 << 16)] {
            if ecn.operation & flag != 0 {
                let test = Test::any_of(Field::Found, bit);
                draft.detail_field(test.invert_if(ecn.invert & flag != 0));
            }
        }
    }
    Ok(())
}

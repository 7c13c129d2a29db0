// SPDX-License-Identifier: GPL-2.0-only
//! tcp: ports, flags and options (xt_tcpudp.c).

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{BOTH_PORTS, Draft, Field, Test};

layout! {
    /// `struct xt_tcp`.
    Tcp: 12 {
        /// First and last source port.
        source: [u16; 2],
        /// First and last destination port.
        destination: [u16; 2],
        /// TCP option that must be there, 0 for none.
        option: u8,
        /// Flags that count.
        flag_mask: u8,
        /// Flags that must be set, of those that count.
        flags: u8,
        /// What is inverted: bits as of both ports, `INV_*`.
        invert: u8,
    }
}

/// Inverts the flags.
pub const INV_FLAGS: u8 = 0x04;
/// Inverts the option.
pub const INV_OPTION: u8 = 0x08;
const INV_MASK: u8 = 0x0f;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    protocol: 6,
    check,
    lower,
    ..Extension::matching::<Tcp>("tcp")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let tcp = refer::<Tcp>(data)?;
    if tcp.invert & !INV_MASK != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// tcp_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let tcp = refer::<Tcp>(data)?;
    let inverted = |flag| tcp.invert & flag != 0;
    draft.header_with_ports(BOTH_PORTS, tcp.invert.into(), tcp.source, tcp.destination);
    let [mask, flags] = [tcp.flag_mask, tcp.flags].map(u32::from);
    draft.require(Test::equal(Field::TcpFlags, mask, flags).invert_if(inverted(INV_FLAGS)));
    if tcp.option != 0 {
        let test = Test::between(Field::Found, 0, u32::MAX);
        let test = Test { mask: 0, ..test };
        draft.tcp_option(tcp.option, &test.invert_if(inverted(INV_OPTION)));
    }
    Ok(())
}

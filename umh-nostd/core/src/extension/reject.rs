// SPDX-License-Identifier: GPL-2.0-only
//! REJECT: the packet is answered and dropped (ipt_REJECT.c).

use super::{Extension, Rule, function};
use crate::abi::{Hook, IPT_INV_PROTO, TableKind};
use crate::bytes::read;
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::target::Features;

const IPPROTO_TCP: u16 = 6;

/// `IPT_ICMP_ECHOREPLY`.
const ECHOREPLY: u32 = 4;
/// `IPT_TCP_RESET`.
const TCP_RESET: u32 = 7;

/// The data, `struct ipt_reject_info`, is the kind of answer. One that does
/// not exist is no error, and no answer.
pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    table: Some(TableKind::Filter),
    hooks: (Hook::LocalIn.mask() | Hook::Forward.mask() | Hook::LocalOut.mask()) as u8,
    needs: Features::REJECT,
    check,
    lower: function::<{ kind::REJECT }>,
    ..Extension::target::<u32>("REJECT")
}];

/// reject_tg_check
fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let tcp = rule.ip.proto == IPPROTO_TCP && rule.ip.invflags & IPT_INV_PROTO == 0;
    match read(data, 0) {
        None | Some(ECHOREPLY) => Err(Errno::EINVAL),
        Some(TCP_RESET) if !tcp => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

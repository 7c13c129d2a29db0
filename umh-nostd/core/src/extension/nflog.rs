// SPDX-License-Identifier: GPL-2.0-only
//! NFLOG: the packet goes to a program that logs (xt_NFLOG.c).

use super::{Extension, Rule, function};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::target::Features;

layout! {
    /// `struct xt_nflog_info`.
    NfLog: 76 {
        /// Bytes of the packet that are wanted, if the flag says so.
        len: u32,
        /// Whose packets they are.
        group: u16,
        /// How many are sent together.
        threshold: u16,
        /// `XT_NFLOG_F_*`.
        flags: u16,
        /// Padding.
        pad: u16,
        /// A text that goes with the packet, up to a NUL.
        prefix: [u8; 64],
    }
}

/// `XT_NFLOG_MASK`
const FLAGS: u16 = 1;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    needs: Features::NFLOG,
    check,
    lower: function::<{ kind::NFLOG }>,
    ..Extension::target::<NfLog>("NFLOG")
}];

/// nflog_tg_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let nflog = refer::<NfLog>(data)?;
    if nflog.flags & !FLAGS == 0 && nflog.prefix.last() == Some(&0) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

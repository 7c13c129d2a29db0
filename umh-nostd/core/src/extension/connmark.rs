// SPDX-License-Identifier: GPL-2.0-only
//! connmark and CONNMARK: the mark of a connection, and marks between packets
//! and connections (xt_connmark.c).

use super::mark::Mark;
use super::{Extension, Rule, function};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test, Untracked, kind};
use crate::target::Features;

layout! {
    /// `struct xt_connmark_tginfo2`. Of revision 1, `struct
    /// xt_connmark_tginfo1`, the mode stands where this has the direction.
    ConnMark: 16 {
        /// The connection's bits to flip.
        ct_mark: u32,
        /// The connection's bits to clear before that, or to copy.
        ct_mask: u32,
        /// The packet's bits to copy, or to clear.
        nf_mask: u32,
        /// Nonzero shifts to the right.
        shift_right: u8,
        /// By how many bits.
        shift_bits: u8,
        /// `XT_CONNMARK_*`: set, save, restore.
        mode: u8,
        /// Padding.
        pad: u8,
    }
}

const MARKS: Extension = Extension {
    needs: Features::CONNMARK.with(Features::CONNTRACK),
    ..Extension::target::<ConnMark>("CONNMARK")
};

pub(super) const EXTENSIONS: [Extension; 3] = [
    Extension {
        revision: 1,
        family: None,
        needs: Features::CONNECTION_MARKS.with(Features::CONNTRACK),
        lower: connection_mark,
        // `struct xt_connmark_mtinfo1` is laid out as xt_mark_mtinfo1.
        ..Extension::matching::<Mark>("connmark")
    },
    Extension {
        revision: 1,
        lower: lower_1,
        ..MARKS
    },
    Extension {
        revision: 2,
        check: check_2,
        lower: function::<{ kind::CONNMARK }>,
        ..MARKS
    },
];

/// connmark_tg_check_v2
fn check_2(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let mark = refer::<ConnMark>(data)?;
    if mark.shift_right <= 1 && mark.shift_bits < 32 {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// connmark_tg: revision 2 without a shift.
fn lower_1(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mark = refer::<ConnMark>(data)?;
    let mark = ConnMark {
        mode: mark.shift_right,
        shift_right: 0,
        shift_bits: 0,
        ..*mark
    };
    draft.function(kind::CONNMARK, zerocopy::IntoBytes::as_bytes(&mark));
    Ok(())
}

/// connmark_mt
fn connection_mark(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mark = refer::<Mark>(data)?;
    let kernel = draft.machine().packets.btf();
    let offset = kernel.map_or(0, |kernel| kernel.connection_mark());
    draft.connection(Untracked::Fails, |draft| {
        // The kernel xors the result, 0 or 1, with this number: from 2 on the
        // match holds whatever the result.
        if mark.invert < 2 {
            let test = Test::equal(Field::Connection, mark.mask, mark.mark);
            draft.connection_word(offset, test.invert_if(mark.invert != 0));
        }
    });
    Ok(())
}

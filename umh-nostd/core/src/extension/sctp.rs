// SPDX-License-Identifier: GPL-2.0-only
//! sctp: ports of SCTP (xt_sctp.c).
//!
//! Types of chunks are left to x_tables, and refused where that is not there.

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::Draft;

layout! {
    /// `struct xt_sctp_info`.
    Sctp: 292 {
        /// First and last destination port.
        destination: [u16; 2],
        /// First and last source port.
        source: [u16; 2],
        /// A bit for each type of chunk, in the first eight.
        chunks: [u32; 64],
        /// `SCTP_CHUNK_MATCH_*`.
        how: u32,
        /// Flags of chunks: type, flags, and those that count.
        chunk_flags: [[u8; 3]; 4],
        /// How many of these.
        count: u32,
        /// What is asked: `XT_SCTP_*`.
        flags: u32,
        /// What of it is inverted.
        invert: u32,
    }
}

const CHUNKS: u32 = 0x04;
const ALL: u32 = 0x07;
/// `SCTP_CHUNK_MATCH_*`: any, all, only.
const HOW: u32 = 0x07;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    protocol: 132,
    check,
    lower,
    leaves: |data| refer::<Sctp>(data).is_ok_and(|sctp| sctp.flags & CHUNKS != 0),
    ..Extension::matching::<Sctp>("sctp")
}];

/// sctp_mt_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let sctp = refer::<Sctp>(data)?;
    if sctp.count as usize > sctp.chunk_flags.len()
        || sctp.flags & !ALL != 0
        || sctp.invert & !sctp.flags != 0
    {
        return Err(Errno::EINVAL);
    }
    match (sctp.flags & CHUNKS, sctp.how & HOW) {
        (0, _) => Ok(()),
        (_, 0) => Err(Errno::EINVAL),
        _ => Err(Errno::ENOENT),
    }
}

/// sctp_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let sctp = refer::<Sctp>(data)?;
    draft.header_with_ports(sctp.flags, sctp.invert, sctp.source, sctp.destination);
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! cpu: which CPU handles the packet (xt_cpu.c).

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct xt_cpu_info`.
    Cpu: 8 {
        /// Its number.
        cpu: u32,
        /// 1 inverts.
        invert: u32,
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    check,
    lower,
    ..Extension::matching::<Cpu>("cpu")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let cpu = refer::<Cpu>(data)?;
    match cpu.invert {
        0 | 1 => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// cpu_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let cpu = refer::<Cpu>(data)?;
    let test = Test::equal(Field::Cpu, u32::MAX, cpu.cpu);
    draft.require(test.invert_if(cpu.invert != 0));
    Ok(())
}

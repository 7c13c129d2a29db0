// SPDX-License-Identifier: GPL-2.0-only
//! Any match or target of x_tables: a kernel extension.
//!
//! Owns: its registration here. The kernel half finds such an extension,
//! checks its data and keeps what it needs; a program then ends with a call of
//! its number, and is run again when it is done.
//! Its data is the kernel's business, and what is given back of it comes from
//! the kernel half. Rules tell kernel extensions apart by number alone, so one
//! registration stands for all of them.

use super::Extension;
use crate::errno::Result;
use crate::ir::Draft;
use crate::target::Features;

/// It is not in the registry, because it is not found by name. Its own name
/// must not be that of the standard or the ERROR target.
pub(super) static EXTENSION: Extension = Extension {
    user_size: u16::MAX,
    needs: Features::X_TABLES,
    lower,
    ..Extension::matching::<u32>("x_tables")
};

fn lower(draft: &mut Draft<'_, '_>, _: &[u8]) -> Result<()> {
    draft.x_tables();
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0-only
//! Where things stand inside an entry.
//!
//! Owns: offsets and sizes of `xt_entry_match` and `xt_entry_target`, for code that
//! reads single fields of a blob. Those of an entry are its family's
//! ([`crate::abi::EntryLayout`]).

use core::mem::offset_of;

use crate::abi::{EXTENSION_NAME_LEN, ExtensionHeader, Layout};
use crate::extension::NAME_MAX;
use crate::extension::registry::RegistryIndex;

/// Bytes of a match or target before its data.
pub(super) const EXTENSION: usize = size_of::<ExtensionHeader>();
/// `struct xt_standard_target`, as userspace pads it.
pub(super) const STANDARD_TARGET: usize = Layout::NATIVE.padded(Layout::NATIVE.standard_target());
/// `struct xt_error_target`.
pub(super) const ERROR_TARGET: usize = 64;
/// Bytes of the name in a `struct xt_error_target`.
pub(super) const ERROR_NAME: usize = 30;

/// `xt_entry_match.u.user.name`, counted from the match.
pub(super) const NAME: usize = offset_of!(ExtensionHeader, name);
/// In a checked blob the last byte of the name's field, which is behind its
/// NUL, holds the extension's `RegistryIndex`.
pub(super) const REGISTRY_INDEX: usize = NAME + EXTENSION_NAME_LEN - size_of::<RegistryIndex>();
/// Before it is the number by which a kernel extension is called, or that of
/// the table that a match names.
pub(super) const NUMBER: usize = REGISTRY_INDEX - size_of::<u32>();
/// Names that are registered here leave room for both, and a NUL.
const _: () = assert!(NAME + NAME_MAX < NUMBER);

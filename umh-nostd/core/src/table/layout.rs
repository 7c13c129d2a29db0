// SPDX-License-Identifier: GPL-2.0-only
//! Where things stand inside an entry.
//!
//! Owns: offsets and sizes of `struct ipt_entry`, `xt_entry_match` and
//! `xt_entry_target`, for code that reads single fields of a blob.

use core::mem::offset_of;

use crate::abi::{EXTENSION_NAME_LEN, Entry, ExtensionHeader};
use crate::extension::NAME_MAX;
use crate::extension::registry::RegistryIndex;

/// Bytes of an entry before its matches and target.
pub(super) const ENTRY: usize = size_of::<Entry>();
/// Bytes of a match or target before its data.
pub(super) const EXTENSION: usize = size_of::<ExtensionHeader>();
/// `struct xt_standard_target`.
pub(super) const STANDARD_TARGET: usize = 40;
/// `struct xt_error_target`.
pub(super) const ERROR_TARGET: usize = 64;
/// Bytes of the name in a `struct xt_error_target`.
pub(super) const ERROR_NAME: usize = 30;

/// `ipt_entry.target_offset`.
pub(super) const TARGET_OFFSET: usize = offset_of!(Entry, target_offset);
/// `ipt_entry.next_offset`.
pub(super) const NEXT_OFFSET: usize = offset_of!(Entry, next_offset);
/// `ipt_entry.comefrom`.
pub(super) const COMEFROM: usize = offset_of!(Entry, comefrom);
/// `ipt_entry.counters`.
pub(super) const COUNTERS: usize = offset_of!(Entry, counters);
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

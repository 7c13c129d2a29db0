// SPDX-License-Identifier: GPL-2.0-only
//! Plain values in and out of byte slices.
//!
//! Owns: reads and writes at an offset that cannot panic and ask for no
//! alignment, because a hostile blob may put a structure anywhere.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::errno::{Errno, Result};

/// The value at `at`, `None` if it does not lie within `bytes`.
pub(crate) fn read<T: FromBytes>(bytes: &[u8], at: usize) -> Option<T> {
    let (value, _) = T::read_from_prefix(bytes.get(at..)?).ok()?;
    Some(value)
}

/// The structure at the start; EINVAL if `bytes` is too short or not aligned.
pub(crate) fn refer<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<&T> {
    let (value, _) = T::ref_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
    Ok(value)
}

/// Puts `value` at `at`; `None` if it does not fit there.
pub(crate) fn write<T: IntoBytes + Immutable + ?Sized>(
    bytes: &mut [u8],
    at: usize,
    value: &T,
) -> Option<()> {
    value.write_to_prefix(bytes.get_mut(at..)?).ok()
}

/// The bytes before the first NUL, `None` if there is no NUL.
pub(crate) fn c_string(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    bytes.get(..end)
}

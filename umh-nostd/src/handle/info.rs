// SPDX-License-Identifier: GPL-2.0-only
//! GET_INFO: hooks, number of entries and size of the table.

use umh_core::abi::TABLE_NAME_LEN;
use umh_core::errno::Result;
use zerocopy::IntoBytes;

use super::current::Current;
use super::{Caller, must_be_filter};
use crate::system::System;

pub(super) fn get_info<S: System>(caller: &Caller<'_, S>) -> Result<()> {
    must_be_filter(&caller.header::<[u8; TABLE_NAME_LEN]>()?)?;
    let current = Current::open(caller.system)?;
    caller.write(current.image()?.info().as_bytes())
}

// SPDX-License-Identifier: GPL-2.0-only
//! GET_INFO: hooks, number of entries and size of the table.

use umh_core::abi::TABLE_NAME_LEN;
use umh_core::errno::Result;
use umh_core::table::pristine;
use zerocopy::IntoBytes;

use super::{Caller, must_be_filter};
use crate::system::System;

pub(super) fn get_info<S: System>(caller: &Caller<'_, S>) -> Result<()> {
    must_be_filter(&caller.header::<[u8; TABLE_NAME_LEN]>()?)?;
    caller.write(0, pristine::image().info().as_bytes())
}

// SPDX-License-Identifier: GPL-2.0-only
//! GET_ENTRIES: the table as it was loaded, with live counters.

use umh_core::abi::GetEntries;
use umh_core::command::OptLen;
use umh_core::errno::{Errno, Result};
use umh_core::table::pristine;

use super::{Caller, must_be_filter};
use crate::system::System;

pub(super) fn get_entries<S: System>(caller: &Caller<'_, S>, len: OptLen) -> Result<()> {
    let header = caller.header::<GetEntries>()?;
    must_be_filter(&header.name)?;
    if len.after::<GetEntries>()? != header.size as usize {
        return Err(Errno::EINVAL);
    }
    let image = pristine::image();
    if header.size != image.header().size {
        return Err(Errno::EAGAIN);
    }
    caller.write(size_of::<GetEntries>(), image.entries())
}

// SPDX-License-Identifier: GPL-2.0-only
//! GET_ENTRIES: the table as it was loaded, with live counters.

use umh_core::abi::GetEntries;
use umh_core::command::OptLen;
use umh_core::errno::{Errno, Result};
use umh_core::table::image::Image;
use zerocopy::IntoBytes;

use super::Caller;
use super::current::Current;
use super::stream::Stream;
use crate::system::System;

/// EINVAL, if the caller has not got room for what it asks for, or more.
pub(super) fn check(header: &GetEntries, len: OptLen) -> Result<()> {
    match len.after::<GetEntries>()? == header.size as usize {
        true => Ok(()),
        false => Err(Errno::EINVAL),
    }
}

pub(super) fn get_entries<S: System>(
    caller: &Caller<'_, S>,
    header: &GetEntries,
    current: &Current<S>,
    image: &Image<'_>,
) -> Result<()> {
    if header.size != image.header().size {
        return Err(Errno::EAGAIN);
    }
    let tally = current.tally(caller.system)?;
    let mut stream = Stream::new(caller, caller.optval.at(size_of::<GetEntries>())?)?;
    let counters_at = image.table().family.entry().counters;
    for (index, entry) in image.entries().enumerate() {
        let copy = stream.push(entry)?;
        if let Some(tally) = &tally {
            let counters = copy.get_mut(counters_at..);
            let counters = counters.ok_or(Errno::EIO)?;
            let sum = tally.of(index);
            sum.write_to_prefix(counters).map_err(|_| Errno::EIO)?;
        }
    }
    stream.flush()
}

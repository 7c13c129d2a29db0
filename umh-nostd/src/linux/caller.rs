// SPDX-License-Identifier: GPL-2.0-only
//! What a caller has given, and what it gets.
//!
//! Owns: the way to the copy of the caller's optval that the kernel half made
//! when the call came, and the way back. Promises: nothing here touches the
//! caller's own memory, so nothing here waits for it or sees it change.

use bpfilter_msgfmt::{Optval, SO_OPTVAL};
use rustix::io::pread;
use umh_core::abi::{Family, Layout};
use umh_core::errno::{Errno, Result};
use zerocopy::{FromZeros, IntoBytes};

use super::fd::Fd;
use super::memory::Draft;
use super::{errno, raw};

/// An optval of the request in progress.
struct Copied {
    raw: Optval,
    file: Option<Fd>,
}

impl Copied {
    fn get(control: &Fd) -> Result<Self> {
        let mut raw = Optval::new_zeroed();
        raw::get_option(control, SO_OPTVAL, &mut raw)?;
        // SAFETY: the kernel half has just opened it for us alone, unless it is
        // -1.
        let file = (raw.file >= 0).then(|| unsafe { Fd::own(raw.file) });
        Ok(Self { raw, file })
    }

    /// Whether the first `end` bytes of it are there.
    fn reaches(&self, end: usize) -> Result<()> {
        if end as u64 <= self.raw.len {
            return Ok(());
        }
        Err(Errno::from_raw(self.raw.error as isize).unwrap_or(Errno::EFAULT))
    }
}

/// See [`crate::system::System::caller`].
pub(super) fn caller(control: &Fd) -> Result<(Family, Layout)> {
    let raw = Copied::get(control)?.raw;
    let family = Family::numbered(raw.family).ok_or(Errno::ENOPROTOOPT)?;
    let layout = Layout::numbered(raw.layout).ok_or(Errno::EOPNOTSUPP)?;
    Ok((family, layout))
}

/// See [`crate::system::System::optval`].
pub(super) fn read(control: &Fd, offset: usize, into: &mut [u8]) -> Result<()> {
    let copied = Copied::get(control)?;
    let end = offset.checked_add(into.len()).ok_or(Errno::EFAULT)?;
    copied.reaches(end)?;
    // Where there is a file the head need not have all that would fit into it.
    let Some(file) = copied.file.as_ref() else {
        let head = copied.raw.head.get(offset..end).ok_or(Errno::EIO)?;
        return head.write_to(into).map_err(|_| Errno::EIO);
    };
    let mut done = 0;
    while let Some(rest @ [_, ..]) = into.get_mut(done..) {
        match pread(file.borrow(), rest, (offset + done) as u64) {
            Ok(0) => return Err(Errno::EIO),
            Ok(read) => done = done.saturating_add(read),
            Err(e) => match errno(e) {
                Errno::EINTR => {}
                e => return Err(e),
            },
        }
    }
    Ok(())
}

/// See [`crate::system::System::draft_of_optval`].
pub(super) fn draft(control: &Fd, used: usize, len: usize) -> Result<Draft> {
    let copied = Copied::get(control)?;
    copied.reaches(used)?;
    match copied.file {
        Some(file) => Draft::of(file, used, len),
        None => {
            let mut draft = Draft::new(len)?;
            let head = copied.raw.head.get(..used).ok_or(Errno::EIO)?;
            head.write_to_prefix(&mut draft).map_err(|_| Errno::EIO)?;
            Ok(draft)
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Mapped memory.
//!
//! Owns: every mapping that the helper makes, each unmapped when it is
//! dropped, so that an idle helper is as small as it was at the start. Three
//! kinds: working memory, table images, counter maps.

use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::slice;
use core::sync::atomic::AtomicU64;

use rustix::fs::{
    FallocateFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate,
};
use rustix::io::retry_on_intr;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use umh_core::errno::{Errno, Result};

use super::fd::Fd;
use super::{errno, raw};

/// What a table image has to be sealed with so that nobody can change it.
const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// A mapping. Invariant: `len` bytes at `start`, no more than a slice can have, are
/// mapped, readable, and belong to this value alone.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize, protection: ProtFlags, flags: MapFlags, of: Option<&Fd>) -> Result<Self> {
        // The kernel maps at least a page, and refuses to map nothing.
        let len = len.max(1);
        // With 32 bits there is room for more than a slice can have.
        isize::try_from(len).map_err(|_| Errno::ENOMEM)?;
        // SAFETY: the kernel chooses the address, so no memory that anything
        // else knows of is replaced.
        let start = unsafe {
            match of {
                Some(fd) => mmap(ptr::null_mut(), len, protection, flags, fd.borrow(), 0),
                None => mmap_anonymous(ptr::null_mut(), len, protection, flags),
            }
        };
        let start = NonNull::new(start.map_err(errno)?.cast()).ok_or(Errno::ENOMEM)?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is ours alone, and all that was borrowed from it is gone.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Private memory, zero at first.
#[derive(Debug)]
pub(super) struct Memory(Mapping);

impl Memory {
    pub(super) fn new(len: usize) -> Result<Self> {
        Mapping::new(len, READ_WRITE, MapFlags::PRIVATE, None).map(Self)
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is readable, private, and lives as long as the
        // borrow.
        unsafe { slice::from_raw_parts(self.0.start.as_ptr(), self.0.len) }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, it is writable too, and borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.0.start.as_ptr(), self.0.len) }
    }
}

/// A file in memory that is being written, mapped.
#[derive(Debug)]
pub(super) struct Draft {
    memory: Memory,
    file: Fd,
}

impl Draft {
    pub(super) fn new(len: usize) -> Result<Self> {
        Self::of(raw::memfd_create(c"bpfilter-table")?, 0, len)
    }

    /// The first `used` bytes of `file`, which is nobody else's, and zeros up to `len`
    /// bytes. What else it holds is freed.
    pub(super) fn of(file: Fd, used: usize, len: usize) -> Result<Self> {
        ftruncate(file.borrow(), used as u64).map_err(errno)?;
        // Unlike a hole, which would be filled (or not) only when it is first
        // touched, this takes all the memory now or fails.
        // Before Linux 6.11 a signal, even one of the freezer or a debugger, ends it.
        retry_on_intr(|| fallocate(file.borrow(), FallocateFlags::empty(), 0, len as u64))
            .map_err(|_| Errno::ENOMEM)?;
        // As good as private: the file is known to nobody else yet. All of it
        // will be written: mapping its pages at once takes half the time.
        let memory = Memory(Mapping::new(
            len,
            READ_WRITE,
            MapFlags::SHARED.union(MapFlags::POPULATE),
            Some(&file),
        )?);
        Ok(Self { memory, file })
    }

    /// The file, which nobody can change any more.
    pub(super) fn seal(self) -> Result<Fd> {
        // While it is mapped for writing, the kernel refuses to seal it.
        drop(self.memory);
        fcntl_add_seals(self.file.borrow(), SEALS).map_err(errno)?;
        Ok(self.file)
    }
}

impl Deref for Draft {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

/// A sealed file, mapped.
#[derive(Debug)]
pub(super) struct Image(Mapping);

impl Image {
    pub(super) fn new(file: &Fd) -> Result<Self> {
        // It comes from outside, so what makes the mapping safe to look at is
        // asked for and not taken for granted.
        let seals = fcntl_get_seals(file.borrow()).map_err(errno)?;
        if !seals.contains(SEALS) {
            return Err(Errno::EIO);
        }
        let len = fstat(file.borrow()).map_err(errno)?.st_size;
        let len = usize::try_from(len).map_err(|_| Errno::EIO)?;
        if len == 0 {
            return Err(Errno::EIO);
        }
        Mapping::new(len, ProtFlags::READ, MapFlags::PRIVATE, Some(file)).map(Self)
    }
}

impl Deref for Image {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is readable and lives as long as the borrow. It
        // lies within the file, which was checked to be sealed: it can
        // neither be written nor shortened.
        unsafe { slice::from_raw_parts(self.0.start.as_ptr(), self.0.len) }
    }
}

/// A map that no program uses yet, mapped to be filled.
pub(super) fn contents(map: &Fd, len: usize) -> Result<Memory> {
    // As good as private: nothing else knows of the map.
    Mapping::new(len, READ_WRITE, MapFlags::SHARED, Some(map)).map(Memory)
}

/// A counter map, mapped.
#[derive(Debug)]
pub(super) struct CounterMap(Mapping);

impl CounterMap {
    pub(super) fn new(map: &Fd, len: usize) -> Result<Self> {
        Mapping::new(len, READ_WRITE, MapFlags::SHARED, Some(map)).map(Self)
    }
}

impl Deref for CounterMap {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        let elements = self.0.len / size_of::<AtomicU64>();
        // SAFETY: the mapping is readable and writable, starts on a page and
        // lives as long as the borrow. The kernel maps an array map only up
        // to its end, and it never shrinks. Programs write to it at any time,
        // which is why the elements are atomic.
        unsafe { slice::from_raw_parts(self.0.start.as_ptr().cast(), elements) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

    use super::*;

    #[test]
    fn a_sealed_draft_can_be_read_and_no_more_written() {
        let mut draft = Draft::new(5000).unwrap();
        assert!(draft.iter().all(|byte| *byte == 0));
        draft.fill(7);
        let file = draft.seal().unwrap();
        let image = Image::new(&file).unwrap();
        assert_eq!(*image, [7; 5000]);
        let shared = Mapping::new(5000, READ_WRITE, MapFlags::SHARED, Some(&file));
        assert_eq!(shared.err(), Some(Errno::EPERM));
    }

    #[test]
    fn a_draft_has_of_a_file_what_is_used_and_no_more() {
        let mut surplus = Draft::new(1 << 20).unwrap();
        surplus.fill(7);
        let Draft { memory, file } = surplus;
        drop(memory);
        let draft = Draft::of(file, 100, 5000).unwrap();
        let file = draft.seal().unwrap();
        assert_eq!(fstat(file.borrow()).unwrap().st_size, 5000);
        let image = Image::new(&file).unwrap();
        let (used, rest) = image.split_at(100);
        assert_eq!(used, [7; 100]);
        assert!(rest.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_file_that_may_change_is_no_image() {
        let draft = Draft::new(100).unwrap();
        assert_eq!(Image::new(&draft.file).err(), Some(Errno::EIO));
        fcntl_add_seals(draft.file.borrow(), SealFlags::SHRINK).unwrap();
        assert_eq!(Image::new(&draft.file).err(), Some(Errno::EIO));
    }

    #[test]
    fn no_memory_is_an_error() {
        for len in [usize::MAX, usize::MAX / 2 + 1] {
            assert_eq!(Memory::new(len).err(), Some(Errno::ENOMEM), "{len:x}");
        }
        // With 32 bits any length may be there, and would be taken.
        #[cfg(target_pointer_width = "64")]
        assert_eq!(Draft::new(1 << 63).err(), Some(Errno::ENOMEM));
        assert_eq!(Memory::new(0).map(|memory| memory.len()), Ok(1));
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! How many CPUs this machine can have.

use bpf_abi::attr::{MapCreate, MapElem};
use bpf_abi::{Command, map_type};
use umh_core::errno::{Errno, Result};
use zerocopy::FromZeros;

use crate::linux::bpf::{create, one_value};
use crate::linux::memory::Memory;
use crate::linux::raw;

/// The most CPUs that Linux can be built for.
const MAX_CPUS: usize = 8192;

/// The number of possible CPUs. There may be no /proc or /sys to read it
/// from; but a look at a per-CPU value copies it once for each of them.
///
/// A program counts in the row of its CPU's id, and ids lie below this number
/// where they have no gaps. (Where they have, it is the program that must
/// refuse those that are too large; it does, for the verifier makes it.)
pub(super) fn possible() -> Result<u32> {
    const CELL: usize = size_of::<u64>();
    let map = create(MapCreate {
        map_type: map_type::PERCPU_ARRAY,
        ..one_value(CELL, b"bpfilter_cpus\0\0")?
    })?;
    let mut cells = Memory::new(MAX_CPUS * CELL)?;
    cells.fill(0xff);
    let key = 0u32;
    let mut attr = MapElem {
        map_fd: map.raw(),
        key: (&raw const key).expose_provenance() as u64,
        value: cells.as_mut_ptr().expose_provenance() as u64,
        ..MapElem::new_zeroed()
    };
    // SAFETY: the command reads a key of 4 bytes, and writes 8 bytes for each
    // possible CPU to `cells`, which has room for as many as there can be.
    unsafe { raw::bpf(Command::MapLookupElem, &mut attr)? };
    // The values are zero; what was not written is still all ones.
    let count = cells
        .chunks_exact(CELL)
        .take_while(|cell| **cell == [0; CELL]);
    u32::try_from(count.count()).map_err(|_| Errno::EIO)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

    use super::*;

    #[test]
    fn as_many_cpus_as_sysfs_says() {
        let list = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
        let last = list.trim().rsplit(['-', ',']).next().unwrap();
        assert_eq!(possible().unwrap(), last.parse::<u32>().unwrap() + 1);
    }
}

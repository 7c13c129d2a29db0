// SPDX-License-Identifier: GPL-2.0-only
//! Maps of bpf(2).
//!
//! Owns: the counter map, and how many rows it needs.

use umh_core::errno::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::fd::Fd;
use super::memory::Memory;
use super::raw;

/// `enum bpf_cmd`.
const BPF_MAP_CREATE: u32 = 0;
const BPF_MAP_LOOKUP_ELEM: u32 = 1;
/// `enum bpf_map_type`.
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_PERCPU_ARRAY: u32 = 6;
/// `BPF_F_MMAPABLE`.
const BPF_F_MMAPABLE: u32 = 1 << 10;

/// The most CPUs that Linux can be built for.
const MAX_CPUS: usize = 8192;

/// `union bpf_attr` as `BPF_MAP_CREATE` reads it, as far as it is used.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

/// `union bpf_attr` as `BPF_MAP_LOOKUP_ELEM` reads it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct MapLookup {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// A map of one value of `len` bytes.
fn array_map(map_type: u32, len: usize, map_flags: u32, name: [u8; 16]) -> Result<Fd> {
    let attr = MapCreate {
        map_type,
        key_size: 4,
        value_size: u32::try_from(len).map_err(|_| Errno::ENOMEM)?,
        max_entries: 1,
        map_flags,
        inner_map_fd: 0,
        numa_node: 0,
        map_name: name,
    };
    // SAFETY: this command reads `attr`, follows no address in it and opens a
    // descriptor.
    unsafe { raw::bpf_open(BPF_MAP_CREATE, &attr) }
}

/// A counter map of `len` bytes: one value, which programs address directly
/// and the helper maps.
pub(super) fn new_counters(len: usize) -> Result<Fd> {
    array_map(
        BPF_MAP_TYPE_ARRAY,
        len,
        BPF_F_MMAPABLE,
        *b"bpfilter_count\0\0",
    )
}

/// The number of possible CPUs. There may be no /proc or /sys to read it
/// from; but a look at a per-CPU value copies it once for each of them.
///
/// A program counts in the row of its CPU's id, and ids lie below this number
/// where they have no gaps. (Where they have, the program itself must refuse
/// the ids that are too large; it does, for the verifier makes it.)
pub(super) fn possible_cpus() -> Result<u32> {
    const CELL: usize = size_of::<u64>();
    let map = array_map(BPF_MAP_TYPE_PERCPU_ARRAY, CELL, 0, *b"bpfilter_cpus\0\0\0")?;
    let mut cells = Memory::new(MAX_CPUS * CELL)?;
    cells.fill(0xff);
    let key = 0u32;
    let attr = MapLookup {
        map_fd: map.raw().unsigned_abs(),
        pad: 0,
        key: (&raw const key).expose_provenance() as u64,
        value: cells.as_mut_ptr().expose_provenance() as u64,
        flags: 0,
    };
    // SAFETY: this command reads a key of 4 bytes, and writes 8 bytes for each
    // possible CPU to `cells`, which has room for as many as there can be.
    unsafe { raw::bpf(BPF_MAP_LOOKUP_ELEM, &attr)? };
    // The values are zero; what was not written is still all ones.
    let count = cells
        .chunks_exact(CELL)
        .take_while(|cell| **cell == [0; CELL]);
    u32::try_from(count.count()).map_err(|_| Errno::EIO)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

    use std::sync::atomic::Ordering;

    use super::*;
    use crate::linux::memory::CounterMap;

    #[test]
    fn as_many_cpus_as_sysfs_says() {
        let list = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
        let last = list.trim().rsplit(['-', ',']).next().unwrap();
        assert_eq!(possible_cpus().unwrap(), last.parse::<u32>().unwrap() + 1);
    }

    #[test]
    fn a_counter_map_is_shared() {
        let len = 3 * 1000 * 16;
        let map = new_counters(len).unwrap();
        let one = CounterMap::new(&map, len).unwrap();
        let other = CounterMap::new(&map, len).unwrap();
        assert_eq!(one.len(), len / 8);
        assert!(one.iter().all(|cell| cell.load(Ordering::Relaxed) == 0));
        one.last().unwrap().store(42, Ordering::Relaxed);
        assert_eq!(other.last().unwrap().load(Ordering::Relaxed), 42);
        // Past its end there is nothing to map.
        assert_eq!(CounterMap::new(&map, len + 8192).err(), Some(Errno::EINVAL));
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! bpf(2): maps and programs.
//!
//! Owns: the commands that every helper gives, each as a function. What links
//! take beside them is in `links`.

use bpf_abi::attr::{MapCreate, MapElem, ProgLoad};
use bpf_abi::{Command, map_type};
use umh_core::errno::{Errno, Result};
use umh_core::program::{Insn, Map};
use zerocopy::FromZeros;

use super::fd::Fd;
use super::memory::Memory;
use super::raw;
use crate::system::Maps;

/// The most CPUs that Linux can be built for.
const MAX_CPUS: usize = 8192;

/// A map of one value of `len` bytes, an array.
pub(super) fn one_value(len: usize, name: &[u8; 15]) -> Result<MapCreate> {
    let mut map_name = [0; 16];
    if let Some(start) = map_name.first_chunk_mut() {
        *start = *name;
    }
    Ok(MapCreate {
        map_type: map_type::ARRAY,
        key_size: 4,
        value_size: u32::try_from(len).map_err(|_| Errno::ENOMEM)?,
        max_entries: 1,
        map_name,
        ..MapCreate::new_zeroed()
    })
}

/// Makes a map.
pub(super) fn create(mut attr: MapCreate) -> Result<Fd> {
    // SAFETY: the attribute holds no address, and the command opens a
    // descriptor.
    unsafe { raw::bpf_open(Command::MapCreate, &mut attr) }
}

/// A map that programs address directly and the helper maps.
pub(super) fn new_map(len: usize) -> Result<Fd> {
    create(MapCreate {
        map_flags: bpf_abi::F_MMAPABLE,
        ..one_value(len, b"bpfilter\0\0\0\0\0\0\0")?
    })
}

/// A map that programs address directly, and nobody maps.
pub(super) fn new_packets(len: usize) -> Result<Fd> {
    create(one_value(len, b"bpfilter_packet")?)
}

/// The number of possible CPUs. There may be no /proc or /sys to read it
/// from; but a look at a per-CPU value copies it once for each of them.
///
/// A program counts in the row of its CPU's id, and ids lie below this number
/// where they have no gaps. (Where they have, it is the program that must
/// refuse those that are too large; it does, for the verifier makes it.)
pub(super) fn possible_cpus() -> Result<u32> {
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

/// Puts the descriptors of a program's maps into it.
pub(super) fn name_maps(insns: &mut [Insn], maps: &Maps<'_, Fd>) -> Result<()> {
    for insn in insns {
        let map = match Map::of(insn) {
            Some((Map::Data, _)) => maps.data,
            Some((Map::State, _)) => maps.state,
            Some((Map::Counters, _)) => maps.counters,
            Some((Map::Packets, _)) => maps.packets,
            Some((Map::Named, array)) => {
                let array = maps.named.get(array).and_then(Option::as_ref);
                array.ok_or(Errno::EIO)?
            }
            None => continue,
        };
        insn.imm = map.raw();
    }
    Ok(())
}

/// What a program of these instructions is loaded by, but for its type.
pub(super) fn program(insns: &[Insn]) -> Result<ProgLoad> {
    Ok(ProgLoad {
        insn_cnt: u32::try_from(insns.len()).map_err(|_| Errno::ENOMEM)?,
        insns: insns.as_ptr().expose_provenance() as u64,
        license: c"GPL".as_ptr().expose_provenance() as u64,
        prog_name: *b"bpfilter\0\0\0\0\0\0\0\0",
        ..ProgLoad::new_zeroed()
    })
}

/// A program that accepts everything, as small as can be.
pub(super) const TRIVIAL: [Insn; 2] = {
    const ACCEPT: i32 = 1;
    [Insn::mov_imm(0, ACCEPT), Insn::EXIT]
};

/// Loads a program.
///
/// # Safety
///
/// The addresses in `attr` must be of what the command reads, as long as it is
/// said to be: instructions, a string, and records of functions.
pub(super) unsafe fn load(mut attr: ProgLoad) -> Result<Fd> {
    loop {
        // SAFETY: what is read is promised by the caller of this function; the
        // command writes no log, and opens a descriptor.
        match unsafe { raw::bpf_open(Command::ProgLoad, &mut attr) } {
            // A signal, even one of the freezer or a debugger, has disturbed
            // the verifier.
            Err(Errno::EAGAIN) => {}
            loaded => return loaded,
        }
    }
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
        let map = new_map(len).unwrap();
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

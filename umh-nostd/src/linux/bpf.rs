// SPDX-License-Identifier: GPL-2.0-only
//! bpf(2): maps and programs.
//!
//! Owns: the commands that every helper gives, each as a function. What links
//! take beside them is in `links`.

use bpf_abi::attr::{MapCreate, ProgLoad};
use bpf_abi::{Command, map_type};
use umh_core::errno::{Errno, Result};
use umh_core::program::{Insn, Map};
use zerocopy::FromZeros;

use super::fd::Fd;
use super::raw;
use crate::system::Maps;

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

/// Puts the descriptors of a program's maps into it.
pub(super) fn name_maps(insns: &mut [Insn], maps: &Maps<'_, Fd>) -> Result<()> {
    for insn in insns {
        let map = match Map::of(insn) {
            Some((Map::Data, _)) => maps.data,
            Some((Map::State, _)) => maps.state,
            Some((Map::Counters, _)) => maps.counters,
            Some((Map::Packets, _)) => maps.packets.ok_or(Errno::EIO)?,
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

// SPDX-License-Identifier: GPL-2.0-only
//! bpf(2): maps, programs, BTF objects.
//!
//! Owns: every command that the helper gives, as a function.

use bpf_abi::attr::{
    BtfInfo, BtfLoad, ById, FuncInfo, GetInfo, MapBatch, MapCreate, MapElem, MapInfo, ProgLoad,
};
use bpf_abi::{Command, map_type};
use heapless::Vec;
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::Shape;
use umh_core::program::types::{self, Types};
use umh_core::program::{Insn, Map};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::fd::Fd;
use super::memory::Memory;
use super::raw;
use crate::system::{BATCH, Maps};

/// An array of one element: kind, bytes of the key, elements.
const ONE: [u32; 3] = [map_type::ARRAY, 4, 1];

/// The most CPUs that Linux can be built for.
const MAX_CPUS: usize = 8192;
/// Bytes that the name of any BTF object fits into.
const BTF_NAME: usize = 64;

/// A map of so many values of `len` bytes, described by [`Types`] or nothing.
fn create(
    [map_type, key_size, max_entries]: [u32; 3],
    len: usize,
    map_flags: u32,
    map_name: [u8; 16],
    described: Option<&Fd>,
) -> Result<Fd> {
    let mut attr = MapCreate {
        map_type,
        key_size,
        value_size: u32::try_from(len).map_err(|_| Errno::ENOMEM)?,
        max_entries,
        map_flags,
        map_name,
        ..MapCreate::new_zeroed()
    };
    if let Some(described) = described {
        attr.btf_fd = described.raw();
        attr.btf_key_type_id = types::KEY;
        attr.btf_value_type_id = types::VALUE;
    }
    // SAFETY: the attribute holds no address, and the command opens a
    // descriptor.
    unsafe { raw::bpf_open(Command::MapCreate, &mut attr) }
}

/// A map that programs address directly and the helper maps.
pub(super) fn new_map(len: usize) -> Result<Fd> {
    create(
        ONE,
        len,
        bpf_abi::F_MMAPABLE,
        *b"bpfilter\0\0\0\0\0\0\0\0",
        None,
    )
}

/// [`Types`] for a value of `len` bytes and a key of `key`, loaded.
fn load_types(key: u32, len: usize) -> Result<Fd> {
    // A length that does not fit is refused when the map is made.
    let types = Types::new(key, len as u32);
    let mut attr = BtfLoad {
        btf: (&raw const types).expose_provenance() as u64,
        btf_size: size_of::<Types>() as u32,
        ..BtfLoad::new_zeroed()
    };
    // SAFETY: the command reads the bytes of `types`, writes no log, and opens
    // a descriptor.
    unsafe { raw::bpf_open(Command::BtfLoad, &mut attr) }
}

/// A map whose values start with a lock, and its id.
pub(super) fn new_named(shape: Shape) -> Result<(Fd, u32)> {
    let (kind, flags) = match shape.entries {
        0 => (ONE, 0),
        entries => ([map_type::HASH, 16, entries], bpf_abi::F_NO_PREALLOC),
    };
    let [_, key, _] = kind;
    let described = load_types(key, shape.value)?;
    let name = *b"bpfilter_named\0\0";
    with_id(create(kind, shape.value, flags, name, Some(&described))?)
}

/// An array of so many maps that look like `one`, and its id.
pub(super) fn new_array(one: &Fd, len: u32) -> Result<(Fd, u32)> {
    let mut attr = MapCreate {
        map_type: map_type::ARRAY_OF_MAPS,
        key_size: 4,
        value_size: 4,
        max_entries: len,
        inner_map_fd: one.raw(),
        map_name: *b"bpfilter_array\0\0",
        ..MapCreate::new_zeroed()
    };
    // SAFETY: the attribute holds no address, and the command opens a
    // descriptor.
    with_id(unsafe { raw::bpf_open(Command::MapCreate, &mut attr)? })
}

/// Puts maps, of which there are at most [`BATCH`], at their places in an
/// array. In a batch, because the kernel waits for a grace period once for each
/// command.
pub(super) fn fill_array(array: &Fd, places: &[u32], maps: &[Fd]) -> Result<()> {
    let mut descriptors = Vec::<i32, BATCH>::new();
    for map in maps {
        let pushed = descriptors.push(map.raw());
        pushed.map_err(|_| Errno::EIO)?;
    }
    let mut attr = MapBatch {
        keys: places.as_ptr().expose_provenance() as u64,
        values: descriptors.as_ptr().expose_provenance() as u64,
        count: places.len().min(descriptors.len()) as u32,
        map_fd: array.raw(),
        ..MapBatch::new_zeroed()
    };
    // SAFETY: the command reads as many keys and values of 4 bytes each as both
    // have.
    unsafe { raw::bpf(Command::MapUpdateBatch, &mut attr)? };
    Ok(())
}

fn with_id(map: Fd) -> Result<(Fd, u32)> {
    let mut info = MapInfo::new_zeroed();
    get_info(&map, &mut info)?;
    Ok((map, info.id))
}

/// The map of this id.
pub(super) fn map_by_id(id: u32) -> Result<Fd> {
    by_id(Command::MapGetFdById, id)
}

/// The number of possible CPUs. There may be no /proc or /sys to read it
/// from; but a look at a per-CPU value copies it once for each of them.
///
/// A program counts in the row of its CPU's id, and ids lie below this number
/// where they have no gaps. (Where they have, it is the program that must
/// refuse those that are too large; it does, for the verifier makes it.)
pub(super) fn possible_cpus() -> Result<u32> {
    const CELL: usize = size_of::<u64>();
    let map = create(
        [map_type::PERCPU_ARRAY, 4, 1],
        CELL,
        0,
        *b"bpfilter_cpus\0\0\0",
        None,
    )?;
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

/// Loads a program of type NETFILTER, and functions behind it, if there are any.
pub(super) fn load(insns: &mut [Insn], functions: &[FuncInfo], maps: &Maps<'_, Fd>) -> Result<Fd> {
    for insn in insns.iter_mut() {
        let map = match Map::of(insn) {
            Some((Map::Data, _)) => maps.data,
            Some((Map::State, _)) => maps.state,
            Some((Map::Counters, _)) => maps.counters,
            Some((Map::Named, array)) => {
                let array = maps.named.get(array).and_then(Option::as_ref);
                array.ok_or(Errno::EIO)?
            }
            None => continue,
        };
        insn.imm = map.raw();
    }
    load_raw(insns, functions)
}

/// Loads a program that accepts everything, and forgets it.
pub(super) fn load_trivial() -> Result<()> {
    const ACCEPT: i32 = 1;
    load_raw(&[Insn::mov_imm(0, ACCEPT), Insn::EXIT], &[]).map(drop)
}

/// Loads a program, and says where its functions are.
fn load_raw(insns: &[Insn], functions: &[FuncInfo]) -> Result<Fd> {
    let mut attr = ProgLoad {
        prog_type: bpf_abi::PROG_TYPE_NETFILTER,
        insn_cnt: u32::try_from(insns.len()).map_err(|_| Errno::ENOMEM)?,
        insns: insns.as_ptr().expose_provenance() as u64,
        license: c"GPL".as_ptr().expose_provenance() as u64,
        prog_name: *b"bpfilter\0\0\0\0\0\0\0\0",
        expected_attach_type: bpf_abi::ATTACH_NETFILTER,
        ..ProgLoad::new_zeroed()
    };
    let described;
    if !functions.is_empty() {
        described = load_types(4, 4)?;
        attr.prog_btf_fd = described.raw();
        attr.func_info_rec_size = size_of::<FuncInfo>() as u32;
        attr.func_info = functions.as_ptr().expose_provenance() as u64;
        attr.func_info_cnt = functions.len() as u32;
    }
    loop {
        // SAFETY: the command reads as many instructions and records of
        // functions as there are and a string, writes no log, and opens a
        // descriptor.
        match unsafe { raw::bpf_open(Command::ProgLoad, &mut attr) } {
            // A signal, even one of the freezer or a debugger, has disturbed
            // the verifier.
            Err(Errno::EAGAIN) => {}
            loaded => return loaded,
        }
    }
}

/// The BTF object that comes after `id`.
pub(super) fn next_btf(id: u32) -> Result<u32> {
    let mut attr = ById {
        id,
        ..ById::new_zeroed()
    };
    // SAFETY: the attribute holds no address.
    unsafe { raw::bpf(Command::BtfGetNextId, &mut attr)? };
    Ok(attr.next_id)
}

/// The BTF object of this id.
pub(super) fn btf_by_id(id: u32) -> Result<Fd> {
    by_id(Command::BtfGetFdById, id)
}

/// The object of this id, of the kind that `command` opens.
fn by_id(command: Command, id: u32) -> Result<Fd> {
    let mut attr = ById {
        id,
        ..ById::new_zeroed()
    };
    // SAFETY: the attribute holds no address, and the commands that are given
    // open a descriptor.
    unsafe { raw::bpf_open(command, &mut attr) }
}

/// What the kernel says of an object. Addresses in `info` must be of memory
/// that is borrowed mutably, and as long as `info` says.
fn get_info<T: FromBytes + IntoBytes>(object: &Fd, info: &mut T) -> Result<()> {
    let mut attr = GetInfo {
        bpf_fd: object.raw(),
        info_len: size_of::<T>() as u32,
        info: (&raw mut *info).expose_provenance() as u64,
    };
    // SAFETY: the command writes to `info` no more than its length, and to
    // what the callers of this function put into it.
    unsafe { raw::bpf(Command::ObjGetInfoByFd, &mut attr)? };
    Ok(())
}

/// What the kernel says of a BTF object: its name, and as much of it as
/// `bytes` has room for.
pub(super) fn btf_info(object: &Fd, bytes: &mut [u8]) -> Result<(BtfInfo, [u8; BTF_NAME])> {
    let mut name = [0; BTF_NAME];
    let mut info = BtfInfo {
        btf: bytes.as_mut_ptr().expose_provenance() as u64,
        btf_size: u32::try_from(bytes.len()).map_err(|_| Errno::EIO)?,
        name: name.as_mut_ptr().expose_provenance() as u64,
        name_len: BTF_NAME as u32,
        ..BtfInfo::new_zeroed()
    };
    get_info(object, &mut info)?;
    Ok((info, name))
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

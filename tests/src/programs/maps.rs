// SPDX-License-Identifier: GPL-2.0-only
//! The maps of a table's programs.
//!
//! Owns: bpf(2) as this crate calls it, maps of one value that can be mapped, and
//! the maps of the tables that rules know by name.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::slice;

use bpf_abi::attr::{BtfLoad, MapBatch, MapCreate, MapElem};
use bpf_abi::{Command, map_type};
use umh_core::ir::named::{Named, Shape};
use umh_core::program::types::{self, Types};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// bpf(2). The attribute may be written to.
pub(super) fn bpf<T: FromBytes + IntoBytes>(command: Command, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is live, of the length that is given and takes any bytes;
    // the callers put only addresses into it that are valid for what the
    // command does.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, command as u32, attr, size_of::<T>()) };
    match ret {
        0.. => Ok(ret as i32),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn open<T: FromBytes + IntoBytes>(command: Command, mut attr: T) -> io::Result<OwnedFd> {
    let fd = bpf(command, &mut attr)?;
    // SAFETY: a successful call of these commands opens a descriptor, which
    // nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// For an attribute that names memory.
pub(super) fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// A map of one value, and the value.
pub(super) struct ValueMap {
    pub(super) fd: OwnedFd,
    pub(super) value: *mut u8,
    pub(super) len: usize,
}

// SAFETY: the value is memory shared with the kernel, valid as long as the
// struct lives, and bound to no thread.
unsafe impl Send for ValueMap {}

// SAFETY: through a shared reference it is only read, as volatile memory.
unsafe impl Sync for ValueMap {}

impl ValueMap {
    pub(super) fn new(len: usize) -> io::Result<Self> {
        let attr = MapCreate {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: len as u32,
            max_entries: 1,
            map_flags: bpf_abi::F_MMAPABLE,
            ..MapCreate::new_zeroed()
        };
        let fd = open(Command::MapCreate, attr)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let value = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if value == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            fd,
            value: value.cast(),
            len,
        })
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped for `len` bytes until drop; no program runs yet.
        unsafe { slice::from_raw_parts_mut(self.value, self.len) }
    }

    /// A copy of the value.
    pub(super) fn read(&self) -> Vec<u8> {
        // SAFETY: mapped for `len` bytes until drop.
        (0..self.len)
            .map(|at| unsafe { self.value.add(at).read_volatile() })
            .collect()
    }
}

impl Drop for ValueMap {
    fn drop(&mut self) {
        // SAFETY: the mapping is this struct's, and nothing refers to it.
        unsafe { libc::munmap(self.value.cast(), self.len) };
    }
}

/// Reads or writes the value of a key. They are as long as those of the map.
pub(super) fn element<K>(
    command: Command,
    map: &OwnedFd,
    key: &K,
    value: *mut u8,
) -> io::Result<()> {
    let mut attr = MapElem {
        map_fd: map.as_raw_fd(),
        key: address(&raw const *key),
        value: address(value),
        ..MapElem::new_zeroed()
    };
    bpf(command, &mut attr).map(drop)
}

/// A map whose values start with a lock, which only programs see.
pub(super) fn named_map(shape: Shape) -> io::Result<OwnedFd> {
    let len = shape.value;
    let (map_type, key_size, max_entries, map_flags) = match shape.entries {
        0 => (map_type::ARRAY, 4, 1, 0),
        entries => (map_type::HASH, 16, entries, bpf_abi::F_NO_PREALLOC),
    };
    let btf = load_types(key_size, len)?;
    let attr = MapCreate {
        map_type,
        key_size,
        value_size: len as u32,
        max_entries,
        map_flags,
        btf_fd: btf.as_raw_fd(),
        btf_key_type_id: types::KEY,
        btf_value_type_id: types::VALUE,
        ..MapCreate::new_zeroed()
    };
    open(Command::MapCreate, attr)
}

/// The maps of the tables that belong into an array.
pub(super) fn array_of_maps(
    tables: &[Named],
    maps: &[(OwnedFd, usize)],
    array: usize,
) -> io::Result<Option<OwnedFd>> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (number, (table, (map, _))) in tables.iter().zip(maps).enumerate() {
        if table.array() == array {
            keys.push(number as u32);
            values.push(map.as_raw_fd());
        }
    }
    let Some(&inner_map_fd) = values.first() else {
        return Ok(None);
    };
    let attr = MapCreate {
        map_type: map_type::ARRAY_OF_MAPS,
        key_size: 4,
        value_size: 4,
        max_entries: tables.len() as u32,
        inner_map_fd,
        ..MapCreate::new_zeroed()
    };
    let map = open(Command::MapCreate, attr)?;
    let mut attr = MapBatch {
        keys: address(keys.as_ptr()),
        values: address(values.as_ptr()),
        count: keys.len() as u32,
        map_fd: map.as_raw_fd(),
        ..MapBatch::new_zeroed()
    };
    bpf(Command::MapUpdateBatch, &mut attr)?;
    Ok(Some(map))
}

/// Types of a map whose value starts with a lock, and of functions.
pub(super) fn load_types(key: u32, len: usize) -> io::Result<OwnedFd> {
    let types = Types::new(key, len as u32);
    let attr = BtfLoad {
        btf: address(&raw const types),
        btf_size: size_of::<Types>() as u32,
        ..BtfLoad::new_zeroed()
    };
    open(Command::BtfLoad, attr)
}

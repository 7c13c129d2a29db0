// SPDX-License-Identifier: GPL-2.0-only
//! The maps of tables that rules know by name.

use bpf_abi::attr::{MapBatch, MapCreate, MapInfo};
use bpf_abi::{Command, map_type};
use heapless::Vec;
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::Shape;
use umh_core::program::types;
use zerocopy::FromZeros;

use super::objects::{by_id, get_info, load_types};
use crate::linux::bpf::{create, one_value};
use crate::linux::fd::Fd;
use crate::linux::raw;
use crate::system::BATCH;

/// A map whose values start with a lock, and its id.
pub(in crate::linux) fn new_named(shape: Shape) -> Result<(Fd, u32)> {
    let mut attr = one_value(shape.value, b"bpfilter_named\0")?;
    if shape.entries != 0 {
        attr.map_type = map_type::HASH;
        attr.key_size = 16;
        attr.max_entries = shape.entries;
        attr.map_flags = bpf_abi::F_NO_PREALLOC;
    }
    let described = load_types(attr.key_size, shape.value)?;
    attr.btf_fd = described.raw();
    attr.btf_key_type_id = types::KEY;
    attr.btf_value_type_id = types::VALUE;
    with_id(create(attr)?)
}

/// An array of so many maps that look like `one`, and its id.
pub(in crate::linux) fn new_array(one: &Fd, len: u32) -> Result<(Fd, u32)> {
    let map = create(MapCreate {
        map_type: map_type::ARRAY_OF_MAPS,
        max_entries: len,
        inner_map_fd: one.raw(),
        ..one_value(4, b"bpfilter_array\0")?
    })?;
    with_id(map)
}

/// Puts maps, of which there are at most [`BATCH`], at their places in an
/// array. In a batch, because the kernel waits for a grace period once for each
/// command.
pub(in crate::linux) fn fill_array(array: &Fd, places: &[u32], maps: &[Fd]) -> Result<()> {
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
    // SAFETY: it holds no address.
    unsafe { get_info(&map, &mut info)? };
    Ok((map, info.id))
}

/// The map of this id.
pub(in crate::linux) fn map_by_id(id: u32) -> Result<Fd> {
    by_id(Command::MapGetFdById, id)
}

// SPDX-License-Identifier: GPL-2.0-only
//! Objects of bpf(2): what the kernel says of them, how they are found by their
//! ids, and BTF of our own.

use bpf_abi::Command;
use bpf_abi::attr::{BtfInfo, BtfLoad, ById, GetInfo};
use umh_core::errno::{Errno, Result};
use umh_core::program::types::Types;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::linux::fd::Fd;
use crate::linux::raw;

/// Bytes that the name of any BTF object fits into.
const BTF_NAME: usize = 64;

/// [`Types`] for a value of `len` bytes and a key of `key`, loaded.
pub(super) fn load_types(key: u32, len: usize) -> Result<Fd> {
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
pub(super) fn by_id(command: Command, id: u32) -> Result<Fd> {
    let mut attr = ById {
        id,
        ..ById::new_zeroed()
    };
    // SAFETY: the attribute holds no address, and the commands that are given
    // open a descriptor.
    unsafe { raw::bpf_open(command, &mut attr) }
}

/// What the kernel says of an object.
///
/// # Safety
///
/// Addresses in `info` must be of memory that is borrowed mutably, and as long
/// as `info` says.
pub(super) unsafe fn get_info<T: FromBytes + IntoBytes>(object: &Fd, info: &mut T) -> Result<()> {
    let mut attr = GetInfo {
        bpf_fd: object.raw(),
        info_len: size_of::<T>() as u32,
        info: (&raw mut *info).expose_provenance() as u64,
    };
    // SAFETY: the command writes to `info` no more than its length, and to
    // what the caller of this function promises.
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
    // SAFETY: it names `bytes` and `name`, and their lengths.
    unsafe { get_info(object, &mut info)? };
    Ok((info, name))
}

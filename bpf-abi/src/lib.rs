// SPDX-License-Identifier: GPL-2.0-only
//! bpf(2) as Linux declares it.
//!
//! Owns: the numbers of commands and kinds, the layout of attributes, of
//! instructions and of BTF, as far as this project uses them. Names are those
//! of `include/uapi/linux/bpf.h` and `btf.h`, without what they all start with;
//! there is no second declaration of them anywhere else.
//!
//! Promises: plain bytes without padding. Leaves to others: the system call
//! itself, which each program has in its own funnel with the proof of what it
//! may read and write (`umh-nostd`, `bpfilter-run`, the tests); and what
//! programs and types say.
#![no_std]
#![forbid(unsafe_code)]

/// Structures of the kernel's, plain bytes with all members public.
macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
            )]
            #[repr(C)]
            pub struct $name { $(pub $field: $ty,)* }
        )*
    };
}

pub mod attr;
pub mod btf;
mod insn;
mod listing;

pub use insn::Insn;

/// `enum bpf_cmd`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
#[allow(missing_docs, reason = "the kernel's names, explained in its header")]
pub enum Command {
    MapCreate = 0,
    MapLookupElem = 1,
    MapUpdateElem = 2,
    MapDeleteElem = 3,
    ProgLoad = 5,
    ProgTestRun = 10,
    MapGetFdById = 14,
    ObjGetInfoByFd = 15,
    BtfLoad = 18,
    BtfGetFdById = 19,
    BtfGetNextId = 23,
    MapUpdateBatch = 26,
    LinkCreate = 28,
}

/// `enum bpf_map_type`.
pub mod map_type {
    #![allow(missing_docs, reason = "the kernel's names, explained in its header")]

    pub const HASH: u32 = 1;
    pub const ARRAY: u32 = 2;
    pub const PROG_ARRAY: u32 = 3;
    pub const PERCPU_ARRAY: u32 = 6;
    pub const ARRAY_OF_MAPS: u32 = 12;
}

/// `BPF_F_NO_PREALLOC`, a flag of maps.
pub const F_NO_PREALLOC: u32 = 1;
/// `BPF_F_MMAPABLE`, a flag of maps.
pub const F_MMAPABLE: u32 = 1 << 10;

/// `BPF_PROG_TYPE_SCHED_CLS`.
pub const PROG_TYPE_SCHED_CLS: u32 = 3;
/// `BPF_PROG_TYPE_NETFILTER`.
pub const PROG_TYPE_NETFILTER: u32 = 32;
/// `BPF_NETFILTER`, where such programs are attached.
pub const ATTACH_NETFILTER: u32 = 45;

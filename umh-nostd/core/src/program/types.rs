// SPDX-License-Identifier: GPL-2.0-only
//! BTF of our own: what the verifier has to be told of maps and functions.
//!
//! Owns: the types, as bytes for `BPF_BTF_LOAD`, and their numbers. One set of
//! them describes a map whose values start with a lock, and the functions of a
//! program.

use bpf_abi::attr::FuncInfo;
use bpf_abi::btf::{Header, Int, Member, Type, kind};
use zerocopy::{Immutable, IntoBytes};

use super::assembler::FUNCTIONS;

/// The program itself, and the function behind it that starts there; `None` if
/// it has none.
pub(super) const fn functions([collect]: [usize; FUNCTIONS]) -> Option<[FuncInfo; 2]> {
    match collect {
        0 => None,
        start => Some([function(0), function(start)]),
    }
}

const fn function(start: usize) -> FuncInfo {
    FuncInfo {
        insn_off: start as u32,
        type_id: FUNCTION,
    }
}

/// The types by their numbers: a key of the map,
pub const KEY: u32 = 1;
/// the lock,
const LOCK: u32 = 2;
/// a value of the map, which starts with one,
pub const VALUE: u32 = 3;
const PROTOTYPE: u32 = 4;
/// and any function.
const FUNCTION: u32 = 5;

/// All of it.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub struct Types {
    header: Header,
    key: Type,
    key_bits: Int,
    lock: Type,
    value: Type,
    value_lock: Member,
    prototype: Type,
    function: Type,
    strings: [u8; 16],
}

impl Types {
    /// For a value of `len` bytes and a key of `key`.
    pub const fn new(key: u32, len: u32) -> Self {
        const HEADER: u32 = size_of::<Header>() as u32;
        const STRINGS: u32 = 16;
        const TYPES: u32 = size_of::<Types>() as u32 - HEADER - STRINGS;
        const NAME: u32 = 1;
        Self {
            header: Header::new(TYPES, STRINGS),
            key: Type::new(0, kind::INT, 0, key),
            key_bits: Int { encoding: 8 * key },
            lock: Type::new(NAME, kind::STRUCT, 0, 4),
            value: Type::new(0, kind::STRUCT, 1, len),
            value_lock: Member {
                name_off: 0,
                ty: LOCK,
                offset: 0,
            },
            prototype: Type::new(0, kind::FUNC_PROTO, 0, 0),
            function: Type::new(NAME, kind::FUNC, 0, PROTOTYPE),
            strings: *b"\0bpf_spin_lock\0\0",
        }
    }
}

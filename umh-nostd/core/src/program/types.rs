// SPDX-License-Identifier: GPL-2.0-only
//! BTF of our own: what the verifier has to be told of maps and functions.
//!
//! Owns: the types, as bytes for `BPF_BTF_LOAD`, and their numbers. One set of
//! them describes a map whose values start with a lock, or the functions of a
//! program.

use bpf_abi::attr::FuncInfo;
use bpf_abi::btf::{Header, Int, Member, Type, kind};
use zerocopy::{Immutable, IntoBytes};

use super::frame;

/// The program itself.
pub(super) const MAIN: FuncInfo = function(0, FUNCTION);

/// A function that the kernel calls, from this instruction on.
pub(super) const fn collect(start: usize) -> FuncInfo {
    function(start, FUNCTION)
}

/// The function that makes the verifier forget, see [`super::frame`].
pub(super) const fn forget(start: usize) -> FuncInfo {
    function(start, FORGET)
}

const fn function(start: usize, type_id: u32) -> FuncInfo {
    FuncInfo {
        insn_off: start as u32,
        type_id,
    }
}

/// The types by their numbers: a key of the map,
pub const KEY: u32 = 1;
/// the lock,
const LOCK: u32 = 2;
/// a value of the map, which starts with one,
pub const VALUE: u32 = 3;
const PROTOTYPE: u32 = 4;
/// any function,
const FUNCTION: u32 = 5;
/// what is forgotten of the frame,
const FRAME: u32 = 6;
const FRAME_POINTER: u32 = 7;
const NUMBER: u32 = 8;
const FORGET_PROTOTYPE: u32 = 9;
/// and `int forget(struct frame *)`, which other files may call: so it is
/// looked at by itself.
const FORGET: u32 = 10;

/// `BTF_FUNC_GLOBAL`, where a type has the number of members.
const GLOBAL: u32 = 1;

/// `struct btf_param`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Parameter {
    name_off: u32,
    ty: u32,
}

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
    frame: Type,
    frame_pointer: Type,
    number: Type,
    number_bits: Int,
    forget_prototype: Type,
    forget_frame: Parameter,
    forget: Type,
    strings: [u8; 16],
}

impl Types {
    /// For a value of `len` bytes and a key of `key`.
    pub const fn new(key: u32, len: u32) -> Self {
        const HEADER: u32 = size_of::<Header>() as u32;
        const STRINGS: u32 = 16;
        const TYPES: u32 = size_of::<Types>() as u32 - HEADER - STRINGS;
        const NAME: u32 = 1;
        const FRAME_LEN: u32 = (frame::FORGOTTEN_END - frame::FORGOTTEN) as u32;
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
            frame: Type::new(0, kind::STRUCT, 0, FRAME_LEN),
            frame_pointer: Type::new(0, kind::PTR, 0, FRAME),
            number: Type::new(0, kind::INT, 0, 4),
            number_bits: Int { encoding: 32 },
            forget_prototype: Type::new(0, kind::FUNC_PROTO, 1, NUMBER),
            forget_frame: Parameter {
                name_off: NAME,
                ty: FRAME_POINTER,
            },
            forget: Type::new(NAME, kind::FUNC, GLOBAL, FORGET_PROTOTYPE),
            strings: *b"\0bpf_spin_lock\0\0",
        }
    }
}

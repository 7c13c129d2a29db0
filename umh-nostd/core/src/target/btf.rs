// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's own description of its types (BTF).
//!
//! Owns: finding structures, functions and the offsets of members in the raw
//! bytes of vmlinux BTF, as `bpf(BPF_OBJ_GET_INFO_BY_FD)` gives them.
//!
//! The bytes come from the kernel, but nothing is taken on trust: every
//! offset is checked, every walk is bounded, and what cannot be read is
//! absent. Memory: 4 bytes for each type.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::arena::Arena;
use crate::bytes::{c_string, read};
use crate::errno::{Errno, Result};

/// Number of a type, counted from 1; 0 is `void`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TypeId(pub u32);

/// What kind of type to look for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A structure.
    Struct = 4,
    /// Numbers with names.
    Enum = 6,
    /// A function, such as a kfunc.
    Func = 12,
}

/// All of them.
const KINDS: [u32; 3] = [Kind::Struct as u32, Kind::Enum as u32, Kind::Func as u32];

/// `BTF_KIND_*` as far as this file walks through them.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// `struct btf_header`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: u16,
    version: u8,
    flags: u8,
    hdr_len: u32,
    type_off: u32,
    type_len: u32,
    str_off: u32,
    str_len: u32,
}

const MAGIC: u16 = 0xeb9f;

/// `struct btf_type`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Type {
    name: u32,
    info: u32,
    /// Size in bytes, or the type that this one stands for.
    size_or_type: u32,
}

const TYPE: usize = size_of::<Type>();

impl Type {
    fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn vlen(&self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// Bytes that follow, `None` for a kind that is not known.
    fn extra(&self) -> Option<usize> {
        let each = match self.kind() {
            kind::INT | kind::VAR | kind::DECL_TAG => return Some(4),
            kind::ARRAY => return Some(12),
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12,
            kind::ENUM | kind::FUNC_PROTO => 8,
            1..=kind::ENUM64 => 0,
            _ => return None,
        };
        Some(self.vlen() * each)
    }
}

/// `struct btf_member`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Member {
    name: u32,
    ty: u32,
    offset: u32,
}

/// `struct btf_enum`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Enumerator {
    name: u32,
    value: u32,
}

/// `struct btf_array`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Array {
    ty: u32,
    index_ty: u32,
    elements: u32,
}

/// How deep structures may lie inside each other, and types stand for each
/// other, before a walk is given up.
const DEPTH: u32 = 16;

/// BTF that can be looked into.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type starts, the first is number 1.
    starts: &'a [u32],
}

impl<'a> Btf<'a> {
    /// BTF over `bytes`; EINVAL if they are none.
    pub fn parse(bytes: &'a [u8], arena: &mut Arena<'a>) -> Result<Self> {
        let header: Header = read(bytes, 0).ok_or(Errno::EINVAL)?;
        if header.magic != MAGIC || header.version != 1 {
            return Err(Errno::EINVAL);
        }
        let section = |offset: u32, len: u32| {
            let start = (header.hdr_len as usize).checked_add(offset as usize)?;
            bytes.get(start..start.checked_add(len as usize)?)
        };
        let types = section(header.type_off, header.type_len).ok_or(Errno::EINVAL)?;
        let strings = section(header.str_off, header.str_len).ok_or(Errno::EINVAL)?;

        let starts = arena.slice::<u32>(types.len() / TYPE)?;
        let mut count = 0;
        for (at, start) in walk(types).zip(&mut *starts) {
            *start = at?;
            count += 1;
        }
        let starts = starts.get(..count).unwrap_or_default();
        Ok(Self {
            types,
            strings,
            starts,
        })
    }

    /// Finds many types at once: `found[i]` becomes the first type of the
    /// kind and name `wanted[i]`.
    pub fn find(&self, wanted: &[(Kind, &[u8])], found: &mut [Option<TypeId>]) {
        for (number, &start) in (1..).zip(self.starts) {
            let Some(ty) = read::<Type>(self.types, start as usize) else {
                return;
            };
            let kind = ty.kind();
            if !KINDS.contains(&kind) {
                continue;
            }
            for ((wanted_kind, name), found) in wanted.iter().zip(found.iter_mut()) {
                if found.is_none() && *wanted_kind as u32 == kind && self.is(ty.name, name) {
                    *found = Some(TypeId(number));
                }
            }
        }
    }

    /// The offset in bytes of a member of the structure `id`, given as a
    /// path of names: `src.u3`. Members of anonymous structures and
    /// unions count as the outer one's own; an array stands for its first
    /// element; a bit field has the offset of the byte that it starts in. That
    /// of an enumerator is its number.
    pub fn offset(&self, id: TypeId, path: &[u8]) -> Option<u32> {
        let (mut ty, mut bits) = (id.0, 0u32);
        for name in path.split(|&character| character == b'.') {
            let (offset, member) = self.member(ty, name, DEPTH)?;
            bits = bits.checked_add(offset)?;
            ty = member;
        }
        Some(bits / 8)
    }

    /// The size in bytes of the structure `id`.
    pub fn size(&self, id: TypeId) -> Option<u32> {
        Some(self.ty(id.0)?.1.size_or_type)
    }

    fn ty(&self, id: u32) -> Option<(usize, Type)> {
        let index = usize::try_from(id).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)? as usize;
        Some((start + TYPE, read(self.types, start)?))
    }

    /// The bit offset and type of the member `name` of the type `id`.
    fn member(&self, id: u32, name: &[u8], depth: u32) -> Option<(u32, u32)> {
        let depth = depth.checked_sub(1)?;
        let (after, ty) = self.ty(id)?;
        match ty.kind() {
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                self.member(ty.size_or_type, name, depth)
            }
            kind::ARRAY => {
                let array: Array = read(self.types, after)?;
                self.member(array.ty, name, depth)
            }
            kind::STRUCT | kind::UNION => (0..ty.vlen()).find_map(|index| {
                let member: Member = read(self.types, after + index * size_of::<Member>())?;
                // With the kind flag the upper byte is the size of a bit field.
                let offset = match ty.info >> 31 {
                    0 => member.offset,
                    _ => member.offset & 0xff_ffff,
                };
                if member.name != 0 {
                    return self.is(member.name, name).then_some((offset, member.ty));
                }
                let (inner, found) = self.member(member.ty, name, depth)?;
                Some((offset.checked_add(inner)?, found))
            }),
            // As if each number took a byte.
            kind::ENUM => (0..ty.vlen()).find_map(|index| {
                let at = after + index * size_of::<Enumerator>();
                let one: Enumerator = read(self.types, at)?;
                let bits = one.value.checked_mul(8)?;
                self.is(one.name, name).then_some((bits, 0))
            }),
            _ => None,
        }
    }

    fn is(&self, name: u32, wanted: &[u8]) -> bool {
        let bytes = self.strings.get(name as usize..).unwrap_or_default();
        bytes.starts_with(wanted) && bytes.get(wanted.len()) == Some(&0)
    }

    /// The name of a type.
    pub fn name(&self, id: TypeId) -> Option<&'a [u8]> {
        let name = self.ty(id.0)?.1.name;
        c_string(self.strings.get(name as usize..)?)
    }
}

/// Where each type starts; an error ends it.
fn walk(types: &[u8]) -> impl Iterator<Item = Result<u32>> {
    let mut at = 0usize;
    core::iter::from_fn(move || {
        if at >= types.len() {
            return None;
        }
        let start = at;
        let next = read::<Type>(types, at)
            .and_then(|ty| at.checked_add(TYPE)?.checked_add(ty.extra()?))
            .filter(|&next| next <= types.len());
        // After an error the walk is over.
        at = next.unwrap_or(types.len());
        Some(match next {
            Some(_) => u32::try_from(start).map_err(|_| Errno::EINVAL),
            None => Err(Errno::EINVAL),
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// BTF in the making.
    struct Writer {
        types: Vec<u8>,
        strings: Vec<u8>,
    }

    impl Writer {
        fn words(&mut self, words: &[u32]) {
            for word in words {
                self.types.extend(word.to_ne_bytes());
            }
        }

        fn name(&mut self, name: &str) -> u32 {
            let at = self.strings.len() as u32;
            self.strings.extend(name.as_bytes());
            self.strings.push(0);
            at
        }

        fn finish(self) -> Vec<u8> {
            let mut bytes = Vec::new();
            bytes.extend(MAGIC.to_ne_bytes());
            bytes.extend([1, 0]);
            let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
            for word in [24, 0, types, types, strings] {
                bytes.extend(u32::to_ne_bytes(word));
            }
            bytes.extend(self.types);
            bytes.extend(self.strings);
            bytes
        }
    }

    /// ```c
    /// typedef struct { int x, y; } pair_t;
    /// struct outer { int first; union { int a; struct { int b, c; }; };
    ///                pair_t pairs[2]; int bits:3; };
    /// int f();
    /// ```
    fn sample() -> Vec<u8> {
        let mut btf = Writer {
            types: Vec::new(),
            strings: vec![0],
        };
        let names = [
            "int", "x", "y", "pair_t", "outer", "first", "a", "b", "c", "pairs", "bits",
        ];
        let [int, x, y, pair, outer, first, a, b, c, pairs, bits] =
            names.map(|name| btf.name(name));
        let f = btf.name("f");
        // 1: int
        btf.words(&[int, 1 << 24, 4, 32]);
        // 2: struct { x, y }
        btf.words(&[0, 4 << 24 | 2, 8, x, 1, 0, y, 1, 32]);
        // 3: typedef
        btf.words(&[pair, 8 << 24, 2]);
        // 4: pair_t[2]
        btf.words(&[0, 3 << 24, 0, 3, 1, 2]);
        // 5: struct { b, c }
        btf.words(&[0, 4 << 24 | 2, 8, b, 1, 0, c, 1, 32]);
        // 6: union { a, struct 5 }
        btf.words(&[0, 5 << 24 | 2, 8, a, 1, 0, 0, 5, 0]);
        // 7: struct outer, with a bit field
        let flagged = 1 << 31 | 4 << 24 | 4;
        btf.words(&[outer, flagged, 32, first, 1, 0, 0, 6, 32, pairs, 4, 96]);
        btf.words(&[bits, 1, 3 << 24 | 226]);
        // 8: int (), 9: f
        btf.words(&[0, 13 << 24, 1, f, 12 << 24, 8]);
        btf.finish()
    }

    #[test]
    fn members_by_path() {
        let bytes = sample();
        let mut memory = vec![0; 256];
        let btf = Btf::parse(&bytes, &mut Arena::new(&mut memory)).unwrap();
        let wanted = [
            (Kind::Struct, &b"outer"[..]),
            (Kind::Func, b"f"),
            (Kind::Struct, b"f"),
            (Kind::Struct, b"oute"),
        ];
        let mut found = [None; 4];
        btf.find(&wanted, &mut found);
        assert_eq!(found, [Some(TypeId(7)), Some(TypeId(9)), None, None]);
        let offset = |path: &str| btf.offset(TypeId(7), path.as_bytes());
        assert_eq!(offset("first"), Some(0));
        assert_eq!(offset("a"), Some(4));
        assert_eq!(offset("c"), Some(8));
        assert_eq!(offset("pairs"), Some(12));
        assert_eq!(offset("pairs.y"), Some(16));
        assert_eq!(offset("bits"), Some(28));
        assert_eq!(offset("d"), None);
        assert_eq!(offset("first.x"), None);
        assert_eq!(btf.size(TypeId(7)), Some(32));
        assert_eq!(btf.offset(TypeId(99), b"x"), None);
    }

    #[test]
    fn any_prefix_and_any_byte_is_survived() {
        let bytes = sample();
        for len in 0..bytes.len() {
            let mut memory = vec![0; 4096];
            let short = bytes.get(..len).unwrap();
            assert_eq!(
                Btf::parse(short, &mut Arena::new(&mut memory)).err(),
                Some(Errno::EINVAL)
            );
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
                let mut broken = bytes.clone();
                *broken.get_mut(at).unwrap() = value;
                let mut memory = vec![0; 4096];
                let Ok(btf) = Btf::parse(&broken, &mut Arena::new(&mut memory)) else {
                    continue;
                };
                let mut found = [None];
                btf.find(&[(Kind::Struct, &b"outer"[..])], &mut found);
                for id in 0..12 {
                    let _ = btf.offset(TypeId(id), b"pairs.y");
                }
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's own description of its types (BTF).
//!
//! Owns: finding structures, functions and the offsets of members in the raw
//! bytes of vmlinux BTF, as `bpf(BPF_OBJ_GET_INFO_BY_FD)` gives them.
//!
//! Both forms are read: up to Linux 7.1 a kind has 5 bits and a number of
//! members 16; from 7.2 on they have 7 and 24, which were zero before. With
//! the second comes, where whoever made the BTF knows of it, a section that
//! says how long the types of each kind are. By that, types of kinds that are
//! not known here are passed over; without it they cannot be.
//!
//! The bytes come from the kernel, but nothing is taken on trust: every
//! offset is checked, every walk is bounded, and what cannot be read is
//! absent. Memory: 4 bytes for each type.

use bpf_abi::btf::{Array, Enum, Header, Layout, LayoutSection, Member, Type, kind};

use crate::arena::Arena;
use crate::bytes::read;
use crate::errno::{Errno, Result};

/// Number of a type, counted from 1; 0 is `void`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TypeId(pub u32);

/// What kind of type to look for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A structure.
    Struct = kind::STRUCT as isize,
    /// Numbers with names.
    Enum = kind::ENUM as isize,
    /// A function, such as a kfunc.
    Func = kind::FUNC as isize,
}

/// All of them.
const KINDS: [u32; 3] = [Kind::Struct as u32, Kind::Enum as u32, Kind::Func as u32];

/// Bytes that follow a type, `None` for a kind of which neither this file nor
/// the layout section knows.
fn extra(ty: &Type, layouts: &[u8]) -> Option<usize> {
    let (once, each) = match ty.kind() {
        kind::INT | kind::VAR | kind::DECL_TAG => (4, 0),
        kind::ARRAY => (12, 0),
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => (0, 12),
        kind::ENUM | kind::FUNC_PROTO => (0, 8),
        1..=kind::ENUM64 => (0, 0),
        0 => return None,
        unknown => {
            let layout: Layout = read(layouts, unknown as usize * size_of::<Layout>())?;
            if !(layout.info_sz | layout.elem_sz).is_multiple_of(4) {
                return None;
            }
            (usize::from(layout.info_sz), usize::from(layout.elem_sz))
        }
    };
    Some(once + ty.vlen() * each)
}

/// How deep structures may lie inside each other, and types stand for each
/// other, before a walk is given up.
const DEPTH: u32 = 16;

/// How many members are looked at for one path. Depth alone is no bound: each
/// of many unnamed members may have as many again. The largest structures have
/// some hundred, the largest enumerations a few thousand.
const MEMBERS: u32 = 1 << 20;

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
        let header_len = header.hdr_len as usize;
        if header.magic != Header::MAGIC
            || header.version != Header::VERSION
            || header_len < size_of::<Header>()
        {
            return Err(Errno::EINVAL);
        }
        let section = |offset: u32, len: u32| {
            let start = header_len.checked_add(offset as usize)?;
            bytes.get(start..start.checked_add(len as usize)?)
        };
        let types = section(header.type_off, header.type_len).ok_or(Errno::EINVAL)?;
        let strings = section(header.str_off, header.str_len).ok_or(Errno::EINVAL)?;
        let layouts = if header_len < size_of::<Header>() + size_of::<LayoutSection>() {
            &[]
        } else {
            let layout: LayoutSection = read(bytes, size_of::<Header>()).ok_or(Errno::EINVAL)?;
            section(layout.layout_off, layout.layout_len).ok_or(Errno::EINVAL)?
        };
        if !layouts.len().is_multiple_of(size_of::<Layout>()) {
            return Err(Errno::EINVAL);
        }

        let starts = arena.slice::<u32>(types.len() / size_of::<Type>())?;
        let mut count = 0;
        for (at, start) in walk(types, layouts).zip(&mut *starts) {
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
                if found.is_none() && *wanted_kind as u32 == kind && self.is(ty.name_off, name) {
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
        let mut members = MEMBERS;
        for name in path.split(|&character| character == b'.') {
            let (offset, member) = self.member(ty, name, DEPTH, &mut members)?;
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
        Some((start + size_of::<Type>(), read(self.types, start)?))
    }

    /// The bit offset and type of the member `name` of the type `id`, unless
    /// it takes more than so many members to find it.
    fn member(&self, id: u32, name: &[u8], depth: u32, members: &mut u32) -> Option<(u32, u32)> {
        let depth = depth.checked_sub(1)?;
        let (after, ty) = self.ty(id)?;
        match ty.kind() {
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                self.member(ty.size_or_type, name, depth, members)
            }
            kind::ARRAY => {
                let array: Array = read(self.types, after)?;
                self.member(array.ty, name, depth, members)
            }
            kind::STRUCT | kind::UNION => {
                for index in 0..ty.vlen() {
                    *members = members.checked_sub(1)?;
                    let member: Member = read(self.types, after + index * size_of::<Member>())?;
                    let offset = member.bit_offset(ty.kind_flag());
                    if member.name_off != 0 {
                        if self.is(member.name_off, name) {
                            return Some((offset, member.ty));
                        }
                    } else if let Some((inner, found)) =
                        self.member(member.ty, name, depth, members)
                    {
                        return Some((offset.checked_add(inner)?, found));
                    }
                }
                None
            }
            // As if each number took a byte.
            kind::ENUM => {
                for index in 0..ty.vlen() {
                    *members = members.checked_sub(1)?;
                    let at = after + index * size_of::<Enum>();
                    let one: Enum = read(self.types, at)?;
                    if self.is(one.name_off, name) {
                        return Some((one.val.checked_mul(8)?, 0));
                    }
                }
                None
            }
            _ => None,
        }
    }

    fn is(&self, name: u32, wanted: &[u8]) -> bool {
        let bytes = self.strings.get(name as usize..).unwrap_or_default();
        bytes.starts_with(wanted) && bytes.get(wanted.len()) == Some(&0)
    }
}

/// Where each type starts; an error ends it.
fn walk(types: &[u8], layouts: &[u8]) -> impl Iterator<Item = Result<u32>> {
    let mut at = 0usize;
    core::iter::from_fn(move || {
        if at >= types.len() {
            return None;
        }
        let start = at;
        let next = read::<Type>(types, at)
            .and_then(|ty| {
                at.checked_add(size_of::<Type>())?
                    .checked_add(extra(&ty, layouts)?)
            })
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

        /// In the form of all kernels.
        fn finish(self) -> Vec<u8> {
            self.finish_with(24, &[])
        }

        /// With a header of so many bytes, and with `layouts` between types
        /// and names; a header that has no room for that leaves it unsaid.
        fn finish_with(self, header: u32, layouts: &[u8]) -> Vec<u8> {
            let (types, layout) = (self.types.len() as u32, layouts.len() as u32);
            let mut bytes = Vec::new();
            bytes.extend(Header::MAGIC.to_ne_bytes());
            bytes.extend([1, 0]);
            let strings = self.strings.len() as u32;
            for word in [header, 0, types, types + layout, strings, types, layout] {
                bytes.extend(u32::to_ne_bytes(word));
            }
            bytes.resize(header as usize, 0);
            bytes.extend(self.types);
            bytes.extend(layouts);
            bytes.extend(self.strings);
            bytes
        }
    }

    fn empty() -> Writer {
        Writer {
            types: Vec::new(),
            strings: vec![0],
        }
    }

    /// ```c
    /// typedef struct { int x, y; } pair_t;
    /// struct outer { int first; union { int a; struct { int b, c; }; };
    ///                pair_t pairs[2]; int bits:3; };
    /// int f();
    /// ```
    fn sample() -> Writer {
        let mut btf = empty();
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
        btf
    }

    /// Nothing follows types up to the kind `last`, and that what is said: for
    /// the kinds known here this is wrong, and not asked.
    fn layouts(last: u32, once: u8, each: u8) -> Vec<u8> {
        let mut layouts = vec![0; 4 * last as usize];
        layouts.extend([once, each, 0, 0]);
        layouts
    }

    /// `sample`, a type of an unknown kind, and behind it a structure.
    fn with_unknown(kind: u32, vlen: u32, extra: usize) -> Writer {
        let mut btf = sample();
        btf.words(&[0, kind << 24 | vlen, 0]);
        btf.types.resize(btf.types.len() + extra, 0);
        let last = btf.name("last");
        btf.words(&[last, 4 << 24, 77]);
        btf
    }

    fn is_read(bytes: &[u8]) -> bool {
        let mut memory = vec![0; bytes.len()];
        Btf::parse(bytes, &mut Arena::new(&mut memory)).is_ok()
    }

    #[test]
    fn members_by_path() {
        // The header's length alone tells what is in it.
        for header in [24, 28, 32, 40] {
            looks_as_declared(&sample().finish_with(header, &[]));
        }
        looks_as_declared(&sample().finish_with(32, &layouts(19, 0, 0)));
        looks_as_declared(&sample().finish_with(40, &layouts(127, 0, 0)));
    }

    #[test]
    fn unknown_kinds_are_passed_over() {
        for (kind, once, each, vlen) in [
            (20, 0, 0, 0xff_ffff),
            (31, 8, 0, 7),
            (32, 0, 4, 3),
            (127, 252, 12, 0x1_0001),
        ] {
            let extra = usize::from(once) + vlen as usize * usize::from(each);
            let bytes = with_unknown(kind, vlen, extra).finish_with(32, &layouts(kind, once, each));
            looks_as_declared(&bytes);
            let mut memory = vec![0; bytes.len()];
            let btf = Btf::parse(&bytes, &mut Arena::new(&mut memory)).unwrap();
            let mut found = [None];
            btf.find(&[(Kind::Struct, &b"last"[..])], &mut found);
            assert_eq!(found, [Some(TypeId(11))]);
            assert_eq!(btf.size(TypeId(11)), Some(77));
            // Nor has it members.
            assert_eq!(btf.offset(TypeId(10), b"x"), None);
        }
    }

    #[test]
    fn unknown_kinds_without_a_layout_are_refused() {
        let unknown = || with_unknown(20, 1, 4);
        assert!(is_read(&unknown().finish_with(32, &layouts(20, 4, 0))));
        // No section, none that reaches so far, none that the header speaks of.
        assert!(!is_read(&unknown().finish()));
        assert!(!is_read(&unknown().finish_with(32, &[])));
        assert!(!is_read(&unknown().finish_with(32, &layouts(19, 4, 0))));
        assert!(!is_read(&unknown().finish_with(28, &layouts(20, 4, 0))));
        // Lengths that no type can have: what follows would not be aligned.
        for (once, each) in [(2, 2), (6, 0), (0, 3), (4, 1)] {
            let extra = usize::from(once + each);
            let bytes = with_unknown(20, 1, extra).finish_with(32, &layouts(20, once, each));
            assert!(!is_read(&bytes), "{once} {each}");
        }
        // Longer than the section of types.
        assert!(!is_read(&unknown().finish_with(32, &layouts(20, 252, 252))));
        // Kind 0 is no type, whatever is said of it.
        assert!(!is_read(
            &with_unknown(0, 0, 0).finish_with(32, &layouts(20, 0, 0))
        ));
    }

    #[test]
    fn broken_headers_and_layouts_are_refused() {
        let good = sample().finish_with(32, &layouts(20, 4, 0));
        assert!(is_read(&good));
        let with = |word: usize, value: u32| {
            let mut bytes = good.clone();
            bytes
                .get_mut(4 * word..4 * word + 4)
                .unwrap()
                .copy_from_slice(&value.to_ne_bytes());
            bytes
        };
        let len = good.len() as u32;
        // Shorter than it has ever been, and longer than all there is.
        for header in [0, 20, 23, len + 1, u32::MAX] {
            assert!(!is_read(&with(1, header)), "{header}");
        }
        // Behind the end, in part or all, and where sums run over.
        for offset in [len - 32 - 83, len, u32::MAX - 31, u32::MAX] {
            assert!(!is_read(&with(6, offset)), "{offset}");
        }
        // Cut within an entry, and longer than the rest.
        for layout in [1, 2, 83, 85, len, u32::MAX] {
            assert!(!is_read(&with(7, layout)), "{layout}");
        }
    }

    #[test]
    fn more_members_than_sixteen_bits_count() {
        let mut btf = empty();
        let many = 0x1_1170;
        let (outer, last) = (btf.name("outer"), btf.name("last"));
        btf.words(&[outer, 4 << 24 | many, 8]);
        for _ in 1..many {
            btf.words(&[0, 0, 0]);
        }
        btf.words(&[last, 0, 16]);
        let bytes = btf.finish();
        let mut memory = vec![0; bytes.len()];
        let btf = Btf::parse(&bytes, &mut Arena::new(&mut memory)).unwrap();
        assert_eq!(btf.offset(TypeId(1), b"last"), Some(2));
    }

    #[test]
    fn a_structure_of_itself_comes_to_an_end() {
        // A hundred unnamed members that are each the same structure again:
        // a hundred to the power of the depth.
        let mut btf = empty();
        let outer = btf.name("outer");
        btf.words(&[outer, 4 << 24 | 100, 8]);
        for _ in 0..100 {
            btf.words(&[0, 1, 0]);
        }
        let bytes = btf.finish();
        let mut memory = vec![0; bytes.len()];
        let btf = Btf::parse(&bytes, &mut Arena::new(&mut memory)).unwrap();
        assert_eq!(btf.offset(TypeId(1), b"x"), None);
    }

    fn looks_as_declared(bytes: &[u8]) {
        let mut memory = vec![0; bytes.len()];
        let btf = Btf::parse(bytes, &mut Arena::new(&mut memory)).unwrap();
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
        survived(&sample().finish());
        survived(&with_unknown(20, 2, 16).finish_with(32, &layouts(20, 8, 4)));
    }

    fn survived(bytes: &[u8]) {
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
                let mut broken = bytes.to_vec();
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

// SPDX-License-Identifier: GPL-2.0-only
//! BTF of any kernel, old and new form, is read as it was written; broken in
//! any way it comes to an end, without a panic.
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use umh_core::arena::Arena;
use umh_core::target::btf::{Btf, Kind, TypeId};

/// `BTF_KIND_ENUM64`, the last kind that has a meaning today.
const LAST_KNOWN: u32 = 19;
const STRUCT: u32 = 4;

/// A type, in the order in which they are written.
#[derive(Clone, Debug)]
enum Type {
    /// A structure with a name of its own and as many members, which have the
    /// types that these numbers stand for, modulo how many there are.
    Struct(Vec<u32>),
    /// Any other kind, with so many members or parameters.
    Other { kind: u32, vlen: u32 },
}

/// BTF in the making.
#[derive(Clone, Debug)]
struct Description {
    types: Vec<Type>,
    /// Words that follow types of kind 20 and later, once and for each member:
    /// what the layout section says.
    unknown: Vec<(u8, u8)>,
    header_len: u32,
}

fn description() -> impl Strategy<Value = Description> {
    let ty = prop_oneof![
        vec(any::<u32>(), 0..5).prop_map(Type::Struct),
        (1..=LAST_KNOWN, 0..5u32).prop_map(|(kind, vlen)| Type::Other { kind, vlen }),
        (LAST_KNOWN + 1..128, 0..300u32).prop_map(|(kind, vlen)| Type::Other { kind, vlen }),
    ];
    let unknown = vec((0..64u8, 0..4u8), 108);
    let header_len = prop_oneof![Just(32), Just(36), Just(64)];
    (vec(ty, 1..40), unknown, header_len).prop_map(|(types, unknown, header_len)| Description {
        types,
        unknown,
        header_len,
    })
}

impl Description {
    /// Words behind a type, once and for each member: `struct btf_layout` in
    /// words, as `include/uapi/linux/btf.h` and libbpf's table have it.
    fn layout(&self, kind: u32) -> (u8, u8) {
        match kind {
            1 | 14 | 17 => (1, 0),
            3 => (3, 0),
            STRUCT | 5 | 15 | 19 => (0, 3),
            6 | 13 => (0, 2),
            0..=LAST_KNOWN => (0, 0),
            unknown => self.unknown[(unknown - LAST_KNOWN - 1) as usize],
        }
    }

    fn has_unknown(&self) -> bool {
        let unknown = |ty: &Type| matches!(ty, Type::Other { kind, .. } if *kind > LAST_KNOWN);
        self.types.iter().any(unknown)
    }

    /// The bytes: header, types, layout if `with_layout`, strings.
    fn bytes(&self, with_layout: bool) -> Vec<u8> {
        let (mut types, mut strings) = (Vec::new(), b"\0".to_vec());
        let mut name = |text: String| {
            let at = strings.len() as u32;
            strings.extend(text.as_bytes());
            strings.push(0);
            at
        };
        for (id, ty) in (1u32..).zip(&self.types) {
            match ty {
                Type::Struct(members) => {
                    let vlen = members.len() as u32;
                    types.extend([name(format!("s{id}")), STRUCT << 24 | vlen, 1000 + id]);
                    for (index, member) in (0u32..).zip(members) {
                        let ty = 1 + member % self.types.len() as u32;
                        types.extend([name(format!("m{index}")), ty, 64 * index]);
                    }
                }
                // What it would say must not matter to anybody: all bits set.
                Type::Other { kind, vlen } => {
                    let (once, each) = self.layout(*kind);
                    let words = u32::from(once) + vlen * u32::from(each);
                    types.extend([0, kind << 24 | vlen, u32::MAX]);
                    types.resize(types.len() + words as usize, u32::MAX);
                }
            }
        }
        let layout: Vec<u8> = (0..128)
            .map(|kind| self.layout(kind))
            .flat_map(|(once, each)| [4 * once, 4 * each, 0, 0])
            .collect();
        let layout = if with_layout { &layout[..] } else { &[] };

        let (types_len, layout_len) = (4 * types.len() as u32, layout.len() as u32);
        let mut bytes = 0x1_eb9f_u32.to_ne_bytes().to_vec();
        for word in [
            if with_layout { self.header_len } else { 24 },
            0,
            types_len,
            types_len + layout_len,
            strings.len() as u32,
            types_len,
            layout_len,
        ] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.resize(if with_layout { self.header_len } else { 24 } as usize, 0);
        bytes.extend(types.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend(layout);
        bytes.extend(strings);
        bytes
    }
}

/// Everything that can be asked of BTF, of the first `count` types: for each
/// structure `sN` its number, size and the offset of the first members.
type Seen = Vec<Option<(TypeId, Option<u32>, Vec<Option<u32>>)>>;

fn seen(bytes: &[u8], count: usize) -> Option<Seen> {
    let mut memory = vec![0; bytes.len()];
    let btf = Btf::parse(bytes, &mut Arena::new(&mut memory)).ok()?;
    let names: Vec<String> = (1..=count).map(|id| format!("s{id}")).collect();
    let wanted: Vec<(Kind, &[u8])> = names
        .iter()
        .map(|name| (Kind::Struct, name.as_bytes()))
        .collect();
    let mut found = vec![None; count];
    btf.find(&wanted, &mut found);
    // What is behind a member's type is asked too.
    let paths = ["m0", "m1", "m2", "m3", "m4", "m0.m1.m0", "m1.m0.m3"];
    let of = |id: TypeId| {
        let offsets = paths.map(|path| btf.offset(id, path.as_bytes()));
        (id, btf.size(id), offsets.to_vec())
    };
    Some(found.into_iter().map(|id| id.map(of)).collect())
}

#[test]
fn read_as_written() {
    cases::check("btf", 2000, &description(), |description| {
        let count = description.types.len();
        let old = seen(&description.bytes(false), count);
        prop_assert_eq!(old.is_some(), !description.has_unknown());
        let new = seen(&description.bytes(true), count).expect("well-formed BTF");
        if let Some(old) = old {
            prop_assert_eq!(&old, &new);
        }
        for ((id, ty), seen) in (1u32..).zip(&description.types).zip(new) {
            let Type::Struct(members) = ty else {
                prop_assert_eq!(seen, None);
                continue;
            };
            let (found, size, offsets) = seen.expect("a structure that is there");
            prop_assert_eq!((found, size), (TypeId(id), Some(1000 + id)));
            for (index, offset) in (0u32..).zip(&offsets[..5]) {
                let there = (index as usize) < members.len();
                prop_assert_eq!(*offset, there.then_some(8 * index));
            }
        }
        Ok(())
    });
}

#[test]
fn any_mutation_is_survived() {
    // A byte at the edges or any, anywhere, and most often in the header.
    let value = prop_oneof![
        Just(0u8),
        Just(1),
        Just(0x7f),
        Just(0x80),
        Just(0xff),
        any::<u8>()
    ];
    let place = prop_oneof![0..40usize, any::<usize>()];
    let strategy = (
        description(),
        any::<bool>(),
        vec((place, value), 1..8),
        any::<Option<u16>>(),
    );
    cases::check("broken btf", 5000, &strategy, |case| {
        let (description, with_layout, mutations, cut) = case;
        let mut bytes = description.bytes(with_layout);
        let len = bytes.len();
        for (place, value) in mutations {
            bytes[place % len] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(usize::from(cut) % len);
        }
        let count = description.types.len();
        if let Some(seen) = seen(&bytes, count) {
            // A type is found only where there is one: 12 bytes each, at least.
            let most = bytes.len() as u32 / 12;
            let numbers = seen.iter().flatten().map(|(id, _, _)| id.0);
            prop_assert!(numbers.into_iter().all(|id| (1..=most).contains(&id)));
        }
        Ok(())
    });
}

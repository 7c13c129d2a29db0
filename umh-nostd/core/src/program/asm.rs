// SPDX-License-Identifier: GPL-2.0-only
//! The language in which programs are written.
//!
//! Owns: the encoding of instructions, and an [`Item`] constructor for each.
//!
//! All code is constant. What differs from table to table is a [`Param`], whose
//! value is filled in when the block is emitted, or a [`Need`], which says
//! whether a part of the block is emitted at all; what differs from one use of
//! a block to the next is an argument of that use. Blocks are made of items by
//! [`super::block`] and emitted by [`super::assembler`].
//!
//! No descriptor is ever seen: a reference to a map carries a [`Map`] until
//! the helper finds it by [`Map::of`] and puts the descriptor in its place.

pub use bpf_abi::Insn;

/// A map that a program refers to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Map {
    /// Rules and index, written once by the helper.
    Data = 0,
    /// What matches keep from packet to packet.
    State = 1,
    /// Packets and bytes of each rule.
    Counters = 2,
    /// The records of packets.
    Packets = 3,
    /// The first of the arrays of tables that rules know by name; the others
    /// follow.
    Named = 4,
}

/// `BPF_PSEUDO_MAP_VALUE`: the immediate is a map descriptor, and the value
/// of the register becomes an address inside the map's first element.
const PSEUDO_MAP_VALUE: u8 = 2;
/// `BPF_PSEUDO_MAP_FD`: the same, and the register becomes the map.
const PSEUDO_MAP_FD: u8 = 1;
/// `BPF_PSEUDO_FUNC`: the register becomes a function of this program.
const PSEUDO_FUNC: u8 = 4;
/// `BPF_PSEUDO_KFUNC_CALL`: the immediate is the BTF id of a function.
const PSEUDO_KFUNC_CALL: u8 = 2;
const LD_IMM64: u8 = 0x18;
const JUMP: u8 = 0x05;
const MAY_GOTO: u8 = 0xe5;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const SWAP: u8 = 0xdc;

/// Whether it is the first half of a reference to a map or a function.
pub(super) const fn is_map(insn: &Insn) -> bool {
    insn.code == LD_IMM64 && insn.regs >> 4 != 0
}

/// Whether it refers to a function, whose number is its immediate value.
pub(super) const fn is_function(insn: &Insn) -> bool {
    insn.code == LD_IMM64 && insn.regs >> 4 == PSEUDO_FUNC
}

/// Whether it has an offset: loads, stores, places in a map's value.
const fn has_offset(insn: &Insn) -> bool {
    matches!(insn.code & 7, 1..=3) || is_map(insn)
}

impl Map {
    /// The map that an instruction refers to, and which of its kind. Its
    /// descriptor is to become the instruction's `imm`.
    pub fn of(insn: &Insn) -> Option<(Self, usize)> {
        if !is_map(insn) || is_function(insn) {
            return None;
        }
        match insn.imm {
            0 => Some((Self::Data, 0)),
            1 => Some((Self::State, 0)),
            2 => Some((Self::Counters, 0)),
            3 => Some((Self::Packets, 0)),
            number => {
                let number = usize::try_from(number - Self::Named as i32).ok()?;
                Some((Self::Named, number))
            }
        }
    }
}

/// A register. `R0` and `R1`..`R5` do not survive calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reg {
    R0 = 0,
    R1 = 1,
    R2 = 2,
    R3 = 3,
    R4 = 4,
    R5 = 5,
    R6 = 6,
    R7 = 7,
    R8 = 8,
    R9 = 9,
    /// The end of the stack frame, read-only.
    Fp = 10,
}

/// Labels and parameters from here on are arguments of the block's use.
const ARGS: u8 = 240;
/// No label, no parameter.
const NONE: u8 = u8::MAX;

/// A place in the program. Numbers from [`Label::LOCAL`] on are bound again
/// and again: a jump to one goes forward to where it is bound next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Label(pub(crate) u8);

impl Label {
    /// The first of the local labels.
    pub(super) const LOCAL: u8 = 64;
    /// The first of the labels of ops, which are local, too: one for each kind.
    const OPS: u8 = Self::LOCAL + 16;
    /// None: no jump.
    pub(super) const NONE: Self = Self(NONE);
    /// How many labels there are.
    pub(super) const COUNT: usize = ARGS as usize;

    /// One of the local labels.
    pub(crate) const fn local(number: u8) -> Self {
        assert!(Self::LOCAL + number < Self::OPS, "too many local labels");
        Self(Self::LOCAL + number)
    }

    /// Where the code of a kind of op is. Jumps there go forward.
    pub(crate) const fn op(kind: u8) -> Self {
        assert!(Self::OPS as u32 + (kind as u32) < ARGS as u32);
        Self(Self::OPS + kind)
    }

    /// Its number, as an argument of a block.
    pub(crate) fn number(self) -> i32 {
        self.0.into()
    }

    /// The label whose number is an argument of the block.
    pub(crate) const fn arg(index: u8) -> Self {
        Self(argument(index))
    }

    /// Which argument it is.
    pub(super) fn as_arg(self) -> Option<usize> {
        self.0.checked_sub(ARGS).map(usize::from)
    }
}

/// A number that differs from program to program; the first are the kernel's
/// facts.
pub(crate) use crate::target::Fact as Param;

impl Param {
    /// Nothing is added.
    pub(super) const NONE: Self = Self(NONE);
    /// How many parameters there can be.
    pub(crate) const COUNT: usize = ARGS as usize;

    /// An argument of the block.
    pub(crate) const fn arg(index: u8) -> Self {
        Self(argument(index))
    }

    /// Which argument it is.
    pub(super) fn as_arg(self) -> Option<usize> {
        self.0.checked_sub(ARGS).map(usize::from)
    }
}

const fn argument(index: u8) -> u8 {
    assert!(index < NONE - ARGS, "too many arguments");
    ARGS + index
}

/// Something that a program has or has not, depending on its table: a bit of
/// the [`Needs`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Need(pub(crate) u8);

/// All that a program has.
pub(crate) type Needs = u128;

/// Code that several blocks have in common, by its place in the list that the
/// program gives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shared(pub(crate) u8);

/// One entry of a block in its final form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Template {
    /// An instruction, and what is filled in when it is emitted.
    Insn {
        insn: Insn,
        /// Added to the memory offset, or to the offset into a map's value.
        off: Param,
        /// Added to the immediate value.
        imm: Param,
        /// Where it jumps to.
        to: Label,
    },
    /// The label stands before the next instruction.
    Bind(Label),
    /// The next `len` entries are emitted only if the need is as wanted.
    When { need: Need, wanted: bool, len: u16 },
    /// Code that several blocks have in common.
    Insert(Shared),
}

// A block is a table of these in the helper's file.
const _: () = assert!(size_of::<Template>() == 12);

/// One entry of a block as it is written: a template, and what stands within.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(super) template: Template,
    /// Of [`Template::When`]: what is emitted only then.
    pub(super) inner: &'static [Item],
}

const fn item(code: u8, dst: Reg, src: u8, off: i16, imm: i32) -> Item {
    only(Template::Insn {
        insn: Insn {
            code,
            regs: dst as u8 | src << 4,
            off,
            imm,
        },
        off: Param::NONE,
        imm: Param::NONE,
        to: Label::NONE,
    })
}

const fn only(template: Template) -> Item {
    Item {
        template,
        inner: &[],
    }
}

/// A width of memory access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    B1 = 0x10,
    B2 = 0x08,
    B4 = 0x00,
    B8 = 0x18,
}

/// A comparison that a jump depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cond {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    Ne = 0x50,
    Lt = 0xa0,
    Le = 0xb0,
    /// Less or equal, as signed numbers.
    SLe = 0xd0,
}

macro_rules! alu {
    ($($code:literal $name:ident($operand:ident);)*) => {
        $(alu!(@ $operand $code $name);)*
    };
    (@ register $code:literal $name:ident) => {
        /// 64-bit operation with a register.
        pub(crate) const fn $name(dst: Reg, src: Reg) -> Item {
            item($code | 0x0f, dst, src as u8, 0, 0)
        }
    };
    (@ number $code:literal $name:ident) => {
        /// 64-bit operation with an immediate, sign-extended.
        pub(crate) const fn $name(dst: Reg, imm: i32) -> Item {
            item($code | 0x07, dst, 0, 0, imm)
        }
    };
    (@ register32 $code:literal $name:ident) => {
        /// 32-bit operation with a register; clears the upper half.
        pub(crate) const fn $name(dst: Reg, src: Reg) -> Item {
            item($code | 0x0c, dst, src as u8, 0, 0)
        }
    };
    (@ number32 $code:literal $name:ident) => {
        /// 32-bit operation with an immediate; clears the upper half.
        pub(crate) const fn $name(dst: Reg, imm: i32) -> Item {
            item($code | 0x04, dst, 0, 0, imm)
        }
    };
}

alu! {
    0x00 add(register);
    0x00 add_imm(number);
    0x00 add32(register32);
    0x10 sub(register);
    0x10 sub_imm(number);
    0x10 sub32(register32);
    0x10 sub32_imm(number32);
    0x20 mul(register);
    0x20 mul_imm(number);
    0x20 mul32_imm(number32);
    0x30 div(register);
    0x30 div_imm(number);
    0x30 div32_imm(number32);
    0x40 or(register);
    0x40 or_imm(number);
    0x50 and(register);
    0x50 and_imm(number);
    0x50 and32(register32);
    0x50 and32_imm(number32);
    0x60 lsh(register);
    0x60 lsh_imm(number);
    0x70 rsh(register);
    0x70 rsh_imm(number);
    0x70 rsh32_imm(number32);
    0x80 neg_imm(number);
    0x90 modulo(register);
    0x90 modulo_imm(number);
    0xa0 xor(register);
    0xa0 xor_imm(number);
    0xb0 mov(register);
    0xb0 mov_imm(number);
    0xb0 mov32(register32);
    0xb0 mov32_imm(number32);
}

/// `dst = -dst`.
pub(crate) const fn neg(dst: Reg) -> Item {
    neg_imm(dst, 0)
}

/// Turns the low 16 or 32 bits of `dst` from network to host order on a
/// little-endian machine; the rest becomes zero.
pub(crate) const fn swap(dst: Reg, bits: i32) -> Item {
    item(SWAP, dst, 0, 0, bits)
}

/// A 64-bit constant; [`upper`] of the same must come next.
pub(crate) const fn mov_wide(dst: Reg, value: u64) -> Item {
    item(LD_IMM64, dst, 0, 0, value as u32 as i32)
}

/// The second half of [`mov_wide`].
pub(crate) const fn upper(value: u64) -> Item {
    item(0, Reg::R0, 0, 0, (value >> 32) as i32)
}

/// `dst` = the address of byte `offset` of the map's value.
pub(crate) const fn map_value(dst: Reg, map: Map, offset: Param) -> Item {
    item(LD_IMM64, dst, PSEUDO_MAP_VALUE, 0, map as i32).at(offset)
}

/// `dst` = a map; which one is a parameter.
pub(crate) const fn map(dst: Reg) -> Item {
    item(LD_IMM64, dst, PSEUDO_MAP_FD, 0, 0)
}

/// `dst` = a function behind the program, by its number.
pub(crate) const fn function(dst: Reg, number: u8) -> Item {
    item(LD_IMM64, dst, PSEUDO_FUNC, 0, number as i32)
}

/// `dst` = the memory at `base + off`.
pub(crate) const fn load(size: Size, dst: Reg, base: Reg, off: i16) -> Item {
    item(0x61 | size as u8, dst, base as u8, off, 0)
}

/// Memory at `base + off` = `src`.
pub(crate) const fn store(size: Size, base: Reg, off: i16, src: Reg) -> Item {
    item(0x63 | size as u8, base, src as u8, off, 0)
}

/// Memory at `base + off` = `imm`.
pub(crate) const fn store_imm(size: Size, base: Reg, off: i16, imm: i32) -> Item {
    item(0x62 | size as u8, base, 0, off, imm)
}

/// Atomic operations on memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Atomic {
    /// Memory += source.
    Add = 0x00,
    /// Memory and source change places.
    Exchange = 0xe1,
    /// If memory is R0 it becomes source; R0 = what memory was.
    CompareExchange = 0xf1,
}

/// An atomic operation on the memory at `base + off`.
pub(crate) const fn atomic(op: Atomic, size: Size, base: Reg, off: i16, src: Reg) -> Item {
    item(0xc3 | size as u8, base, src as u8, off, op as i32)
}

/// Jump if `a cond b`, in 64 bits.
pub(crate) const fn jump_if(a: Reg, cond: Cond, b: Reg, to: Label) -> Item {
    item(0x0d | cond as u8, a, b as u8, 0, 0).to(to)
}

/// Jump if `a cond imm`, in 64 bits, the immediate sign-extended.
pub(crate) const fn jump_if_imm(a: Reg, cond: Cond, imm: i32, to: Label) -> Item {
    item(0x05 | cond as u8, a, 0, 0, imm).to(to)
}

/// Jump.
pub(crate) const fn jump(to: Label) -> Item {
    item(JUMP, Reg::R0, 0, 0, 0).to(to)
}

/// `may_goto`: falls through some 8 million times, or with the JITs that measure it for
/// a quarter of a second, then jumps.
pub(crate) const fn jump_when_tired(to: Label) -> Item {
    item(MAY_GOTO, Reg::R0, 0, 0, 0).to(to)
}

/// Call of a helper function.
pub(crate) const fn call(helper: i32) -> Item {
    item(CALL, Reg::R0, 0, 0, helper)
}

/// Call of a kfunc, whose BTF id is a parameter.
pub(crate) const fn call_kfunc(id: Param) -> Item {
    item(CALL, Reg::R0, PSEUDO_KFUNC_CALL, 0, 0).imm(id)
}

/// End of the program; R0 is its result.
pub(crate) const fn exit() -> Item {
    item(EXIT, Reg::R0, 0, 0, 0)
}

/// The label stands before the next instruction.
pub(crate) const fn bind(label: Label) -> Item {
    only(Template::Bind(label))
}

/// The items within, if the table needs it.
pub(crate) const fn when(need: Need, inner: &'static [Item]) -> Item {
    conditional(need, true, inner)
}

/// The items within, if the table does not need that.
pub(crate) const fn unless(need: Need, inner: &'static [Item]) -> Item {
    conditional(need, false, inner)
}

const fn conditional(need: Need, wanted: bool, inner: &'static [Item]) -> Item {
    // The length is known when the block is made.
    let len = 0;
    Item {
        template: Template::When { need, wanted, len },
        inner,
    }
}

/// Code that several blocks have in common.
pub(crate) const fn insert(shared: Shared) -> Item {
    only(Template::Insert(shared))
}

impl Item {
    /// The same jump, with its destination.
    const fn to(mut self, label: Label) -> Self {
        if let Template::Insn { to, .. } = &mut self.template {
            *to = label;
        }
        self
    }

    /// The same instruction with a parameter added to its immediate value.
    pub(crate) const fn imm(mut self, param: Param) -> Self {
        let mut fits = false;
        if let Template::Insn { insn, imm, .. } = &mut self.template {
            *imm = param;
            fits = insn.imm == 0 || is_map(insn);
        }
        assert!(fits, "there is no place for a parameter");
        self
    }

    /// The same load, store or reference to a map, its offset counted from
    /// where a parameter points.
    pub(crate) const fn at(mut self, param: Param) -> Self {
        let mut fits = false;
        if let Template::Insn { insn, off, .. } = &mut self.template {
            *off = param;
            fits = has_offset(insn);
        }
        assert!(fits, "there is no offset");
        self
    }
}

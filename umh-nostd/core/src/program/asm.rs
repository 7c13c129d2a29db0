// SPDX-License-Identifier: GPL-2.0-only
//! The assembler of BPF programs.
//!
//! Owns: the encoding of instructions, labels, and what is filled in late:
//! jump distances, the parameters of one program, references to maps.
//!
//! A program is put together from blocks of [`Item`]s, see [`super::block`].
//! All text is constant: what differs from table to table is a [`Param`],
//! looked up when the block is put down, and what differs from one use of a
//! block to the next is an argument of that use ([`Assembler::put_with`]).
//!
//! Promises: an error (no room, a jump out of reach, a label that was never
//! bound) is kept and returned by [`Assembler::finish`]; nothing panics.
//! No descriptor is ever seen: a reference to a map carries a [`Map`] until
//! the helper calls [`Insn::set_map`].

use core::mem;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::block::{Block, Text, nth};
use crate::errno::{Errno, Result};

/// `struct bpf_insn`.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Insn {
    /// Operation: class, size or source, operation proper.
    pub code: u8,
    /// Destination register in the low half, source register in the high.
    pub regs: u8,
    /// Jump distance or memory offset.
    pub off: i16,
    /// Immediate value.
    pub imm: i32,
}

/// A map that a program refers to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Map {
    /// Rules and index, written once by the helper.
    Data = 0,
    /// What matches keep from packet to packet.
    State = 1,
    /// Packets and bytes of each rule.
    Counters = 2,
    /// The first of the tables that rules know by name; the others follow.
    Named = 3,
    /// No map, but the function that is the last of the program.
    Collect = -1,
}

/// `BPF_PSEUDO_MAP_VALUE`: the immediate is a map descriptor, and the value
/// of the register becomes an address inside the map's first element.
pub(super) const PSEUDO_MAP_VALUE: u8 = 2;
/// `BPF_PSEUDO_MAP_FD`: the same, and the register becomes the map.
const PSEUDO_MAP_FD: u8 = 1;
/// `BPF_PSEUDO_FUNC`: the register becomes a function of this program.
const PSEUDO_FUNC: u8 = 4;
/// `BPF_PSEUDO_KFUNC_CALL`: the immediate is the BTF id of a function.
const PSEUDO_KFUNC_CALL: u8 = 2;
pub(super) const LD_IMM64: u8 = 0x18;
/// No operation of the machine, as those below: a label is bound.
pub(super) const BIND: u8 = 0x08;
/// Text that is left out unless a table needs it.
pub(super) const WHEN: u8 = 0x10;
/// Text that several blocks have in common.
pub(super) const INSERT: u8 = 0x20;
const JUMP: u8 = 0x05;
const MAY_GOTO: u8 = 0xe5;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const SWAP: u8 = 0xdc;

/// Whether an operation has registers.
pub(super) const fn has_regs(code: u8) -> bool {
    !matches!(code, BIND | WHEN | INSERT | JUMP | MAY_GOTO | EXIT)
}

/// Whether it has a memory offset: loads and stores.
pub(super) const fn has_off(code: u8) -> bool {
    matches!(code & 7, 1..=3)
}

/// Whether it goes to a label, or is one.
pub(super) const fn has_label(code: u8) -> bool {
    matches!(code, BIND | WHEN | INSERT) || code & 7 == 5 && !matches!(code, CALL | EXIT)
}

/// Whether it has an immediate value.
pub(super) const fn has_imm(code: u8) -> bool {
    match code & 7 {
        // Stores of a register; the value of an atomic one is its operation.
        3 => code & 0xe0 == 0xc0,
        1 => false,
        2 => true,
        _ => code & 8 == 0 && has_regs(code) || matches!(code, LD_IMM64 | SWAP),
    }
}

impl Insn {
    /// The map that this instruction refers to, and which of its kind.
    pub fn map(&self) -> Option<(Map, usize)> {
        if self.code != LD_IMM64 || self.regs >> 4 == 0 {
            return None;
        }
        match self.imm {
            0 => Some((Map::Data, 0)),
            1 => Some((Map::State, 0)),
            2 => Some((Map::Counters, 0)),
            -1 => Some((Map::Collect, 0)),
            number => {
                let number = usize::try_from(number - Map::Named as i32).ok()?;
                Some((Map::Named, number))
            }
        }
    }

    /// Puts a descriptor where [`Self::map`] was; or how many instructions
    /// further on the function is, less one.
    pub fn set_map(&mut self, descriptor: i32) {
        self.imm = descriptor;
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

/// A place in the program. Numbers from [`Label::LOCAL`] on are bound again
/// and again: a jump to one goes forward to where it is bound next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Label(pub(crate) u8);

impl Label {
    /// The first of the local labels.
    pub(crate) const LOCAL: u8 = 48;

    /// Its number, as an argument of a block.
    pub(crate) fn number(self) -> i32 {
        self.0.into()
    }

    /// The label whose number is an argument of the block.
    pub(crate) const fn arg(index: u8) -> Self {
        Self(ARGS + index)
    }
}

/// A number that differs from program to program; the first are the kernel's
/// facts.
pub(crate) use crate::target::kernel::Fact as Param;

impl Param {
    /// An argument of the block.
    pub(crate) const fn arg(index: u8) -> Self {
        Self(ARGS + index)
    }
}

/// Something that a program has or has not, depending on its table: a bit of
/// the [`Needs`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Need(pub(crate) u8);

/// In a [`Need`]: has not.
pub(super) const NOT: u8 = 0x80;

/// All that a program has.
pub(crate) type Needs = [u32; 3];

/// Text that several blocks have in common, by its place in the list that
/// the program gives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shared(pub(crate) u8);

/// Labels and parameters from here on are arguments.
pub(super) const ARGS: u8 = 0x80;

/// One instruction, or one label, of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(super) insn: Insn,
    /// Where it jumps to, or what stands here; the number of what is needed
    /// or shared.
    pub(super) label: Label,
    /// Added to the memory offset, or to the offset into a map's value.
    pub(super) off: Option<Param>,
    /// The immediate value.
    pub(super) imm: Option<Param>,
    /// What is left out unless it is needed.
    pub(super) inner: &'static [Item],
}

const fn item(code: u8, dst: Reg, src: u8, off: i16, imm: i32) -> Item {
    Item {
        insn: Insn {
            code,
            regs: dst as u8 | src << 4,
            off,
            imm,
        },
        label: Label(0),
        off: None,
        imm: None,
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
    Item {
        off: Some(offset),
        ..item(LD_IMM64, dst, PSEUDO_MAP_VALUE, 0, map as i32)
    }
}

/// `dst` = a map; which one is a parameter.
pub(crate) const fn map(dst: Reg) -> Item {
    item(LD_IMM64, dst, PSEUDO_MAP_FD, 0, 0)
}

/// `dst` = the function that is the last of the program.
pub(crate) const fn function(dst: Reg) -> Item {
    item(LD_IMM64, dst, PSEUDO_FUNC, 0, Map::Collect as i32)
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

/// `may_goto`: falls through some 8 million times, then jumps.
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
    item(BIND, Reg::R0, 0, 0, 0).to(label)
}

/// The text within, if the table needs it.
pub(crate) const fn when(need: Need, inner: &'static [Item]) -> Item {
    Item {
        inner,
        ..item(WHEN, Reg::R0, 0, 0, 0).to(Label(need.0))
    }
}

/// The text within, if the table does not need that.
pub(crate) const fn unless(need: Need, inner: &'static [Item]) -> Item {
    when(Need(need.0 | NOT), inner)
}

/// Text that several blocks have in common.
pub(crate) const fn insert(shared: Shared) -> Item {
    item(INSERT, Reg::R0, 0, 0, 0).to(Label(shared.0))
}

impl Item {
    const fn to(self, label: Label) -> Self {
        Self { label, ..self }
    }

    /// The same instruction with a parameter as its immediate value.
    pub(crate) const fn imm(self, param: Param) -> Self {
        Self {
            imm: Some(param),
            ..self
        }
    }

    /// The same load or store, its offset from where a parameter points.
    pub(crate) const fn at(self, param: Param) -> Self {
        Self {
            off: Some(param),
            ..self
        }
    }
}

/// A program in the making.
pub(crate) struct Assembler<'a> {
    insns: &'a mut [Insn],
    params: &'a [i32],
    needs: &'a Needs,
    shared: Block,
    len: usize,
    labels: [Place; ARGS as usize],
    error: Option<Errno>,
}

/// Where a label is, and who waits for it: numbers of instructions and 1, or
/// 0. Each jump that waits has the one that waited before it as its offset.
#[derive(Clone, Copy, Default)]
struct Place {
    bound: u16,
    waiting: u16,
}

impl<'a> Assembler<'a> {
    /// A program written into `insns`, with the values of its parameters,
    /// what it needs, and what its blocks have in common.
    pub(crate) fn new(
        insns: &'a mut [Insn],
        params: &'a [i32],
        needs: &'a Needs,
        shared: Block,
    ) -> Self {
        Self {
            insns,
            params,
            needs,
            shared,
            len: 0,
            labels: [Place::default(); ARGS as usize],
            error: None,
        }
    }

    /// Puts a block down.
    #[inline(never)]
    pub(crate) fn put(&mut self, block: Block) {
        self.put_with(block, &[]);
    }

    /// Puts a block down that has arguments.
    #[inline(never)]
    pub(crate) fn put_with(&mut self, block: Block, args: &[i32]) {
        let mut text = Text::new(block, self.params, args);
        while self.error.is_none() && !text.is_empty() {
            self.error = self.put_item(&mut text).err();
            if text.broken {
                self.error = Some(Errno::EINVAL);
            }
        }
    }

    fn put_item(&mut self, text: &mut Text<'_>) -> Result<()> {
        let mut insn = Insn {
            code: text.code(),
            ..Insn::default()
        };
        let code = insn.code;
        if has_regs(code) {
            insn.regs = text.byte();
        }
        if has_off(code) {
            insn.off = i16::try_from(text.offset()).map_err(|_| Errno::ERANGE)?;
        }
        if code == WHEN {
            let (need, len) = (text.byte(), text.byte());
            if self.has(need & !NOT) == (need & NOT != 0) {
                text.skip(len);
            }
            return Ok(());
        }
        if code == INSERT {
            self.put(nth(self.shared, text.byte()).ok_or(Errno::EINVAL)?);
            return Ok(());
        }
        if has_label(code) {
            let label = text.label();
            if code == BIND {
                return self.bind(label);
            }
            insn.off = self.distance(label)?;
        }
        if has_imm(code) {
            insn.imm = text.number();
        }
        self.push(insn)?;
        if code == LD_IMM64 && insn.regs >> 4 != 0 {
            self.push(Insn {
                imm: text.number(),
                ..Insn::default()
            })?;
        }
        Ok(())
    }

    fn has(&self, need: u8) -> bool {
        let word = self.needs.get(usize::from(need / 32));
        word.is_some_and(|word| word >> (need % 32) & 1 != 0)
    }

    fn push(&mut self, insn: Insn) -> Result<()> {
        *self.insns.get_mut(self.len).ok_or(Errno::ENOMEM)? = insn;
        self.len += 1;
        Ok(())
    }

    /// The number of the next instruction, and 1.
    fn here(&self) -> Result<u16> {
        u16::try_from(self.len + 1).map_err(|_| Errno::ENOMEM)
    }

    /// The distance from the instruction to be put down to `label`, which
    /// will be corrected if the label is not bound yet.
    fn distance(&mut self, label: Label) -> Result<i16> {
        let here = self.here()?;
        let place = self.labels.get_mut(usize::from(label.0));
        let place = place.ok_or(Errno::EINVAL)?;
        if place.bound != 0 {
            return reach(here, place.bound);
        }
        Ok(mem::replace(&mut place.waiting, here) as i16)
    }

    fn bind(&mut self, label: Label) -> Result<()> {
        let there = self.here()?;
        let place = self.labels.get_mut(usize::from(label.0));
        let place = place.ok_or(Errno::EINVAL)?;
        if place.bound != 0 {
            return Err(Errno::EINVAL);
        }
        if label.0 < Label::LOCAL {
            place.bound = there;
        }
        let mut waiting = mem::take(&mut place.waiting);
        while waiting != 0 {
            let insn = self.insns.get_mut(usize::from(waiting) - 1);
            let off = &mut insn.ok_or(Errno::EINVAL)?.off;
            waiting = mem::replace(off, reach(waiting, there)?) as u16;
        }
        Ok(())
    }

    /// The length of the finished program.
    pub(crate) fn finish(self) -> Result<usize> {
        match self.error {
            Some(errno) => Err(errno),
            None if self.labels.iter().any(|label| label.waiting != 0) => Err(Errno::EINVAL),
            None => Ok(self.len),
        }
    }
}

/// The distance of a jump, counted from the instruction after it.
fn reach(from: u16, to: u16) -> Result<i16> {
    i16::try_from(i32::from(to) - i32::from(from) - 1).map_err(|_| Errno::ERANGE)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test fails by a panic"
    )]

    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::*;
    use Reg::{Fp, R0, R1, R2, R6};

    const LOOP: Label = Label(0);
    const OUT: Label = Label(Label::LOCAL);
    const FIRST: Param = Param(0);
    const SECOND: Param = Param(1);

    fn assemble(blocks: &[Block], room: usize) -> Result<Vec<Insn>> {
        let mut insns = vec![Insn::default(); room];
        let shared = list!([block![mov_imm(R2, 5)]]);
        let needs = [1 << 1, 0, 1 << 31];
        let mut asm = Assembler::new(&mut insns, &[0x1234, 24], &needs, shared);
        for block in blocks {
            asm.put_with(*block, &[-7, OUT.number()]);
        }
        let len = asm.finish()?;
        insns.truncate(len);
        Ok(insns)
    }

    /// As `llvm-objdump` prints the bytes: code, registers, offset, immediate.
    fn hex(insns: &[Insn]) -> Vec<u64> {
        let bytes = |insn: &Insn| u64::from_be_bytes(insn.as_bytes().try_into().unwrap());
        insns.iter().map(bytes).collect()
    }

    #[test]
    fn golden() {
        let insns = assemble(
            &[
                block![
                    mov(R6, R1),
                    load(Size::B4, R1, R6, 8).at(SECOND),
                    bind(LOOP),
                    jump_if_imm(R1, Cond::Ge, 0, OUT).imm(FIRST),
                    add_imm(R1, -1),
                    sub32(R2, R1),
                    store(Size::B8, Fp, -8, R2),
                    store_imm(Size::B4, Fp, -16, 7),
                    jump_when_tired(OUT),
                    jump(LOOP),
                    bind(OUT),
                ],
                block![
                    swap(R2, 16),
                    mov_wide(R1, 0x1122_3344_5566_7788),
                    upper(0x1122_3344_5566_7788),
                    map_value(R2, Map::Counters, SECOND),
                    atomic(Atomic::Add, Size::B8, R2, 16, R1),
                    call_kfunc(FIRST),
                    call(8),
                    jump_if(R0, Cond::Ne, R1, OUT),
                    mov_imm(R0, 1),
                    mov_imm(R0, 0).imm(Param::arg(0)),
                    load(Size::B2, R2, R1, 7).at(Param::arg(0)),
                    load(Size::B1, R2, R1, -509),
                    mov_imm(R1, -125),
                    mov_imm(R1, -126),
                    mov_imm(R1, 127),
                    mov_imm(R1, 128),
                    mov_imm(R1, -32_769),
                    jump(Label::arg(1)),
                    when(Need(0), &[exit(), insert(Shared(0))]),
                    unless(Need(0), &[mov_imm(R2, 4), insert(Shared(0))]),
                    when(
                        Need(95),
                        &[mov_imm(R2, 6), when(Need(3), &[exit()]), exit()]
                    ),
                    unless(Need(1), &[exit()]),
                    bind(OUT),
                    exit(),
                ],
            ],
            64,
        );
        assert_eq!(
            hex(&insns.unwrap()),
            [
                0xbf16_0000_0000_0000, // r6 = r1
                0x6161_2000_0000_0000, // r1 = *(u32 *)(r6 + 8 + 24)
                0x3501_0600_3412_0000, // if r1 >= 0x1234 goto out
                0x0701_0000_ffff_ffff, // r1 += -1
                0x1c12_0000_0000_0000, // w2 -= w1
                0x7b2a_f8ff_0000_0000, // *(u64 *)(fp - 8) = r2
                0x620a_f0ff_0700_0000, // *(u32 *)(fp - 16) = 7
                0xe500_0100_0000_0000, // may_goto out
                0x0500_f9ff_0000_0000, // goto loop
                0xdc02_0000_1000_0000, // r2 = be16 r2
                0x1801_0000_8877_6655, // r1 = 0x1122334455667788 ll
                0x0000_0000_4433_2211,
                0x1822_0000_0200_0000, // r2 = &counters + 24
                0x0000_0000_1800_0000,
                0xdb12_1000_0000_0000, // lock *(u64 *)(r2 + 16) += r1
                0x8520_0000_3412_0000, // call kfunc 0x1234
                0x8500_0000_0800_0000, // call helper 8
                0x5d10_0e00_0000_0000, // if r0 != r1 goto out
                0xb700_0000_0100_0000, // r0 = 1
                0xb700_0000_f9ff_ffff, // r0 = -7
                0x6912_0000_0000_0000, // r2 = *(u16 *)(r1 + 7 - 7)
                0x7112_03fe_0000_0000, // r2 = *(u8 *)(r1 - 509)
                0xb701_0000_83ff_ffff, // r1 = -125
                0xb701_0000_82ff_ffff, // r1 = -126
                0xb701_0000_7f00_0000, // r1 = 127
                0xb701_0000_8000_0000, // r1 = 128
                0xb701_0000_ff7f_ffff, // r1 = -32769
                0x0500_0400_0000_0000, // goto out
                0xb702_0000_0400_0000, // r2 = 4
                0xb702_0000_0500_0000, // r2 = 5
                0xb702_0000_0600_0000, // r2 = 6
                0x9500_0000_0000_0000, // exit
                0x9500_0000_0000_0000, // exit
            ]
        );
    }

    #[test]
    fn maps_are_named_late() {
        let mut insns = assemble(
            &[block![map_value(R1, Map::State, FIRST), mov_imm(R1, 1)]],
            8,
        )
        .unwrap();
        let maps: Vec<_> = insns.iter().map(Insn::map).collect();
        assert_eq!(maps, [Some((Map::State, 0)), None, None]);
        insns.first_mut().unwrap().set_map(42);
        assert_eq!(hex(&insns).first(), Some(&0x1821_0000_2a00_0000));
    }

    #[test]
    fn faults_are_kept_to_the_end() {
        // A label that is never bound, or twice.
        assert_eq!(
            assemble(&[block![jump(OUT), exit()]], 8),
            Err(Errno::EINVAL)
        );
        let twice = block![bind(LOOP), exit(), bind(LOOP)];
        assert_eq!(assemble(&[twice], 8), Err(Errno::EINVAL));
        // No room, no such parameter, an offset that does not fit.
        assert_eq!(assemble(&[block![exit(), exit()]], 1), Err(Errno::ENOMEM));
        let unknown = block![call_kfunc(Param(9))];
        assert_eq!(assemble(&[unknown], 8), Err(Errno::EINVAL));
        let unknown = block![jump(Label::arg(2))];
        assert_eq!(assemble(&[unknown], 8), Err(Errno::EINVAL));
        let far = block![load(Size::B4, R1, R2, i16::MAX).at(FIRST)];
        assert_eq!(assemble(&[far], 8), Err(Errno::ERANGE));
        // Text that ends too soon.
        let whole = block![jump_if_imm(R1, Cond::Ge, 1000, OUT)];
        for len in 1..whole.0.len() {
            let cut = Block(&whole.0[..len]);
            assert_eq!(assemble(&[cut], 8), Err(Errno::EINVAL), "{len}");
        }
        // A jump out of reach.
        let mut blocks = vec![block![exit()]; 40_000];
        blocks.insert(0, block![jump(OUT)]);
        blocks.push(block![bind(OUT), exit()]);
        assert_eq!(assemble(&blocks, 50_000), Err(Errno::ERANGE));
    }
}

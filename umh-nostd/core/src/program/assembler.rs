// SPDX-License-Identifier: GPL-2.0-only
//! From blocks to a program.
//!
//! Owns: emission of blocks into the program's memory, where labels are, and
//! what is filled in: jump distances, parameters, where functions are, what the
//! table needs.
//!
//! Promises: an error (no room, a jump out of reach, a label that was never
//! bound) is kept and returned by [`Assembler::finish`]; nothing panics.

use core::mem;

use super::asm::{Insn, Label, Needs, Param, Template, is_function, is_map};
use super::block::Block;
use crate::errno::{Errno, Result};

/// Most functions behind a program.
pub(crate) const FUNCTIONS: usize = 1;

/// A program in the making.
pub(crate) struct Assembler<'a> {
    insns: &'a mut [Insn],
    params: &'a [i32],
    needs: Needs,
    shared: &'a [Block],
    len: usize,
    labels: [Place; Label::COUNT],
    functions: [usize; FUNCTIONS],
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
        needs: Needs,
        shared: &'a [Block],
    ) -> Self {
        Self {
            insns,
            params,
            needs,
            shared,
            len: 0,
            labels: [Place::default(); Label::COUNT],
            functions: [0; FUNCTIONS],
            error: None,
        }
    }

    /// Emits a block, with its arguments if it has any.
    ///
    /// A hundred callers: written into each of them it is 2 KB of the helper.
    #[inline(never)]
    pub(crate) fn emit(&mut self, block: Block, args: &[i32]) {
        if self.error.is_none() {
            self.error = self.emit_block(block, args).err();
        }
    }

    fn emit_block(&mut self, block: Block, args: &[i32]) -> Result<()> {
        let mut rest = block.0;
        while let Some((template, after)) = rest.split_first() {
            rest = after;
            match *template {
                Template::Insn { insn, off, imm, to } => {
                    let (off, imm) = (self.value(off, args)?, self.value(imm, args)?);
                    self.emit_insn(insn, off, imm, resolve(to, args)?)?;
                }
                Template::Bind(label) => {
                    self.bind(resolve(label, args)?.ok_or(Errno::EINVAL)?)?;
                }
                Template::When { need, wanted, len } => {
                    if (self.needs >> need.0 & 1 != 0) != wanted {
                        rest = rest.get(usize::from(len)..).ok_or(Errno::EINVAL)?;
                    }
                }
                Template::Insert(shared) => {
                    let shared = self.shared.get(usize::from(shared.0));
                    self.emit_block(*shared.ok_or(Errno::EINVAL)?, &[])?;
                }
            }
        }
        Ok(())
    }

    fn emit_insn(&mut self, mut insn: Insn, off: i32, imm: i32, to: Option<Label>) -> Result<()> {
        insn.imm = insn.imm.wrapping_add(imm);
        if is_map(&insn) {
            self.push(insn)?;
            // The second half of the instruction is the place in the value.
            let imm = off;
            return self.push(Insn {
                imm,
                ..Insn::default()
            });
        }
        insn.off = match to {
            Some(label) => self.distance(label)?,
            None => {
                i16::try_from(i32::from(insn.off).wrapping_add(off)).map_err(|_| Errno::ERANGE)?
            }
        };
        self.push(insn)
    }

    /// The value of a parameter, or of the argument that it stands for.
    fn value(&self, param: Param, args: &[i32]) -> Result<i32> {
        if param == Param::NONE {
            return Ok(0);
        }
        let value = match param.as_arg() {
            Some(arg) => args.get(arg),
            None => self.params.get(usize::from(param.0)),
        };
        value.copied().ok_or(Errno::EINVAL)
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

    /// The next instruction is the first of the function of that number.
    #[cfg(feature = "links")]
    pub(crate) fn start_function(&mut self, number: u8) {
        if let Some(start) = self.functions.get_mut(usize::from(number)) {
            *start = self.len;
        }
    }

    /// Where each function starts, 0 for one that the program has not got.
    #[cfg(feature = "links")]
    pub(crate) fn functions(&self) -> [usize; FUNCTIONS] {
        self.functions
    }

    /// Puts the distances of functions where their numbers are.
    fn link(&mut self) -> Result<()> {
        let insns = self.insns.get_mut(..self.len).ok_or(Errno::EINVAL)?;
        for (at, insn) in insns.iter_mut().enumerate() {
            if is_function(insn) {
                let start = usize::try_from(insn.imm).ok();
                let start = start.and_then(|number| self.functions.get(number));
                let start = start.filter(|&&start| start != 0).ok_or(Errno::EINVAL)?;
                insn.imm = *start as i32 - at as i32 - 1;
            }
        }
        Ok(())
    }

    /// The length of the finished program.
    pub(crate) fn finish(mut self) -> Result<usize> {
        self.error = self.error.or(self.link().err());
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

/// The label itself, or the one that the argument it stands for is the number
/// of; `None` if there is none.
fn resolve(label: Label, args: &[i32]) -> Result<Option<Label>> {
    if label == Label::NONE {
        return Ok(None);
    }
    let Some(arg) = label.as_arg() else {
        return Ok(Some(label));
    };
    let number = args.get(arg).and_then(|&number| u8::try_from(number).ok());
    Ok(Some(Label(number.ok_or(Errno::EINVAL)?)))
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

    use zerocopy::IntoBytes;

    use super::super::asm::*;
    use super::*;
    use Reg::{Fp, R0, R1, R2, R6};

    const LOOP: Label = Label(0);
    const OUT: Label = Label::local(0);
    const FIRST: Param = Param(0);
    const SECOND: Param = Param(1);

    fn assemble(blocks: &[Block], room: usize) -> Result<Vec<Insn>> {
        let mut insns = vec![Insn::default(); room];
        let shared = [block![mov_imm(R2, 5)]];
        let needs = 1 << 1 | 1 << 95;
        let mut asm = Assembler::new(&mut insns, &[0x1234, 24], needs, &shared);
        for block in blocks {
            asm.emit(*block, &[-7, OUT.number()]);
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
        let maps: Vec<_> = insns.iter().map(Map::of).collect();
        assert_eq!(maps, [Some((Map::State, 0)), None, None]);
        insns.first_mut().unwrap().imm = 42;
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
        // A jump out of reach.
        let mut blocks = vec![block![exit()]; 40_000];
        blocks.insert(0, block![jump(OUT)]);
        blocks.push(block![bind(OUT), exit()]);
        assert_eq!(assemble(&blocks, 50_000), Err(Errno::ERANGE));
    }
}

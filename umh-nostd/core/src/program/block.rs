// SPDX-License-Identifier: GPL-2.0-only
//! Blocks of program text, as bytes.
//!
//! Owns: the form in which the helper carries the text of its programs. A
//! block is written as a list of [`Item`]s and becomes bytes when the helper
//! is compiled ([`block!`]): an instruction is its operation and then only
//! what that operation has, three bytes on average.
//!
//! ```text
//! operation  registers  memory offset  label  immediate  [into the map's value]
//! WHEN  need  length  text
//! INSERT  shared text
//! ```
//!
//! How instructions start most often has an operation of its own, see
//! [`super::short`]. A list of texts is one text, each with its length before it.
//!
//! A number is a signed byte, or a mark and what it says: [`HALF`], [`WHOLE`],
//! or [`PARAM`], a parameter to which the number that follows is added. Memory
//! offsets are counted in fours where they are that.

use core::slice;

use super::asm::{ARGS, Item, LD_IMM64, Label, Param, has_imm, has_label, has_off, has_regs};
use super::asm::{Insn, WHEN};
use super::short;

/// A block of text. Only [`block!`] makes one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block(pub(super) &'static [u8]);

/// A block of the items in it, which must be constants.
macro_rules! block {
    ($($item:expr),* $(,)?) => {{
        const ITEMS: &[$crate::program::asm::Item] = &[$($item),*];
        const LEN: usize = $crate::program::block::encode::<0>(ITEMS).1;
        const TEXT: [u8; LEN] = $crate::program::block::encode(ITEMS).0;
        $crate::program::block::Block(&TEXT)
    }};
}

/// A list of blocks as one, see [`nth`].
macro_rules! list {
    ($blocks:expr) => {{
        const BLOCKS: &[$crate::program::block::Block] = &$blocks;
        const LEN: usize = $crate::program::block::join::<0>(BLOCKS).1;
        const TEXT: [u8; LEN] = $crate::program::block::join(BLOCKS).0;
        $crate::program::block::Block(&TEXT)
    }};
}

/// Two bytes follow.
const HALF: u8 = 0x80;
/// Four bytes follow.
const WHOLE: u8 = 0x81;
/// The number of a parameter follows, and what to add to it.
const PARAM: u8 = 0x82;
/// Bytes that any item fits into.
const LONGEST: usize = 32;
/// The least number that is a byte.
const LEAST: i32 = -125;
/// What offsets are counted in.
const UNIT: i32 = 4;

/// The text under construction; with no room it only counts.
struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
impl<const N: usize> Writer<N> {
    const fn bytes(&mut self, bytes: &[u8]) {
        let mut index = 0;
        while index < bytes.len() {
            if N != 0 {
                self.bytes[self.len] = bytes[index];
            }
            self.len += 1;
            index += 1;
        }
    }

    const fn param(&mut self, param: Option<Param>) {
        if let Some(param) = param {
            self.bytes(&[PARAM, param.0]);
        }
    }

    const fn number(&mut self, number: i32) {
        if number >= LEAST && number <= i8::MAX as i32 {
            self.bytes(&[number as u8]);
        } else if number as i16 as i32 == number {
            self.bytes(&[HALF]);
            self.bytes(&(number as i16).to_le_bytes());
        } else {
            self.bytes(&[WHOLE]);
            self.bytes(&number.to_le_bytes());
        }
    }

    const fn offset(&mut self, offset: i32) {
        if offset % UNIT == 0 && offset / UNIT >= LEAST && offset / UNIT <= i8::MAX as i32 {
            self.number(offset / UNIT);
        } else {
            self.bytes(&[HALF]);
            self.bytes(&(offset as i16).to_le_bytes());
        }
    }

    const fn items(&mut self, items: &[Item]) {
        let mut index = 0;
        while index < items.len() {
            self.item(&items[index]);
            index += 1;
        }
    }

    /// An item, its start as short as can be.
    const fn item(&mut self, item: &Item) {
        let mut long = Writer::<LONGEST> {
            bytes: [0; LONGEST],
            len: 0,
        };
        long.long(item);
        let mut text = long.bytes.split_at(long.len).0;
        if let Some((code, len)) = short::find(text) {
            self.bytes(&[code]);
            text = text.split_at(len).1;
        }
        self.bytes(text);
        if item.insn.code == WHEN {
            self.bytes(&[0]);
            let start = self.len;
            self.items(item.inner);
            let len = self.len - start;
            assert!(len < 256, "too long to be left out at once");
            if N != 0 {
                self.bytes[start - 1] = len as u8;
            }
        }
    }

    /// An item as it is, but for what may be left out.
    const fn long(&mut self, item: &Item) {
        let Insn {
            code,
            regs,
            off,
            imm,
        } = item.insn;
        let into_map = code == LD_IMM64 && regs >> 4 != 0;
        self.bytes(&[code]);
        if has_regs(code) {
            self.bytes(&[regs]);
        }
        if has_off(code) {
            self.param(item.off);
            self.offset(off as i32);
        }
        if has_label(code) {
            self.bytes(&[item.label.0]);
        }
        if has_imm(code) {
            self.param(item.imm);
            self.number(imm);
        }
        if into_map {
            self.param(item.off);
            self.number(0);
        }
        assert!(
            (has_off(code) || into_map || item.off.is_none())
                && (has_imm(code) && imm == 0 || item.imm.is_none()),
            "a parameter for which there is no place"
        );
    }
}

/// The text of `items`, and its length.
pub(crate) const fn encode<const N: usize>(items: &[Item]) -> ([u8; N], usize) {
    let mut writer = Writer {
        bytes: [0; N],
        len: 0,
    };
    writer.items(items);
    (writer.bytes, writer.len)
}

/// As many bytes of each item, as a list; and its length.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
pub(super) const fn cut<const N: usize>(items: &[(usize, Item)]) -> ([u8; N], usize) {
    let mut writer = Writer {
        bytes: [0; N],
        len: 0,
    };
    let mut index = 0;
    while index < items.len() {
        let (len, item) = &items[index];
        let mut long = Writer::<LONGEST> {
            bytes: [0; LONGEST],
            len: 0,
        };
        long.long(item);
        writer.bytes(&[*len as u8]);
        writer.bytes(long.bytes.split_at(*len).0);
        index += 1;
    }
    (writer.bytes, writer.len)
}

/// Each of `blocks` with its length before it, and the length of all.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
pub(crate) const fn join<const N: usize>(blocks: &[Block]) -> ([u8; N], usize) {
    let mut writer = Writer {
        bytes: [0; N],
        len: 0,
    };
    let mut index = 0;
    while index < blocks.len() {
        let text = blocks[index].0;
        assert!(text.len() < 256, "too long for a list");
        writer.bytes(&[text.len() as u8]);
        writer.bytes(text);
        index += 1;
    }
    (writer.bytes, writer.len)
}

/// One block of a list.
#[inline(never)]
pub(super) fn nth(list: Block, index: u8) -> Option<Block> {
    let mut rest = list.0;
    for _ in 0..index {
        let (&len, text) = rest.split_first()?;
        rest = text.get(usize::from(len)..)?;
    }
    let (&len, text) = rest.split_first()?;
    text.get(..usize::from(len)).map(Block)
}

/// A block on its way into a program.
pub(super) struct Text<'a> {
    bytes: slice::Iter<'static, u8>,
    /// What the last operation stands for, as far as it is left.
    start: slice::Iter<'static, u8>,
    params: &'a [i32],
    args: &'a [i32],
    /// Something was read that is not there.
    pub(super) broken: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(block: Block, params: &'a [i32], args: &'a [i32]) -> Self {
        Self {
            bytes: block.0.iter(),
            start: [].iter(),
            params,
            args,
            broken: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == 0
    }

    #[inline(never)]
    pub(super) fn byte(&mut self) -> u8 {
        let byte = self.start.next().or_else(|| self.bytes.next());
        self.broken |= byte.is_none();
        byte.copied().unwrap_or_default()
    }

    /// An operation.
    pub(super) fn code(&mut self) -> u8 {
        let code = self.byte();
        match short::place(code) {
            Some(place) => {
                self.start = nth(short::LIST, place).unwrap_or(Block(&[])).0.iter();
                self.byte()
            }
            None => code,
        }
    }

    /// Leaves out the next `len` bytes.
    pub(super) fn skip(&mut self, len: u8) {
        for _ in 0..len {
            self.byte();
        }
    }

    pub(super) fn label(&mut self) -> Label {
        match self.byte() {
            arg @ ARGS.. => Label(self.value(arg) as u8),
            number => Label(number),
        }
    }

    pub(super) fn number(&mut self) -> i32 {
        self.scaled(1)
    }

    pub(super) fn offset(&mut self) -> i32 {
        self.scaled(UNIT)
    }

    /// A parameter or an argument.
    fn value(&mut self, number: u8) -> i32 {
        let value = match number.checked_sub(ARGS) {
            Some(arg) => self.args.get(usize::from(arg)),
            None => self.params.get(usize::from(number)),
        };
        self.broken |= value.is_none();
        value.copied().unwrap_or_default()
    }

    #[inline(never)]
    fn scaled(&mut self, unit: i32) -> i32 {
        let mut sum = 0i32;
        loop {
            let number = match self.byte() {
                PARAM => {
                    let number = self.byte();
                    sum = sum.wrapping_add(self.value(number));
                    continue;
                }
                mark @ (HALF | WHOLE) => {
                    let len = if mark == HALF { 2 } else { 4 };
                    let mut number = 0;
                    for byte in 0..len {
                        number |= i32::from(self.byte()) << (8 * byte);
                    }
                    match mark {
                        HALF => i32::from(number as i16),
                        _ => number,
                    }
                }
                byte => i32::from(byte as i8) * unit,
            };
            return sum.wrapping_add(number);
        }
    }
}

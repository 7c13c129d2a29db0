// SPDX-License-Identifier: GPL-2.0-only
//! An instruction of eBPF.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct bpf_insn`.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Insn {
    /// Operation: class, size or source, operation proper.
    pub code: u8,
    /// Destination register and source register, see [`Self::new`].
    pub regs: u8,
    /// Jump distance or memory offset.
    pub off: i16,
    /// Immediate value.
    pub imm: i32,
}

impl Insn {
    /// The end of a program or function: R0 is what it returns.
    pub const EXIT: Self = Self::new(0x95, 0, 0, 0, 0);

    /// Any instruction.
    pub const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        let regs = if cfg!(target_endian = "little") {
            src << 4 | dst
        } else {
            dst << 4 | src
        };
        Self {
            code,
            regs,
            off,
            imm,
        }
    }

    /// `dst` = a number.
    pub const fn mov_imm(dst: u8, imm: i32) -> Self {
        Self::new(0xb7, dst, 0, 0, imm)
    }
}

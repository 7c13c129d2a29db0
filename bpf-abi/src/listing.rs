// SPDX-License-Identifier: GPL-2.0-only
//! Instructions as text, for whoever looks for a fault.

use core::fmt;

use crate::Insn;

const OPERATIONS: [&str; 14] = [
    "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "=-", "%=", "^=", "=", "s>>=", "swap",
];
const CONDITIONS: [&str; 14] = [
    "", "==", ">", ">=", "&", "!=", "s>", "s>=", "", "", "<", "<=", "s<", "s<=",
];

/// The operand of an instruction: a register or a number.
struct Source(Insn);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.code & 8 {
            0 => write!(f, "{}", self.0.imm),
            _ => write!(f, "r{}", self.0.regs >> 4),
        }
    }
}

/// As the verifier's log has it, more or less.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, off, imm, .. } = *self;
        let (dst, src) = (self.regs & 15, self.regs >> 4);
        let operation = usize::from(code >> 4);
        let bytes = match code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        };
        match (code & 7, code) {
            (0, 0x18) => write!(f, "r{dst} = {imm} ll (source {src})"),
            (0, _) => write!(f, "{imm}"),
            (1, _) => write!(f, "r{dst} = *(u{bytes} *)(r{src} {off:+})"),
            (2, _) => write!(f, "*(u{bytes} *)(r{dst} {off:+}) = {imm}"),
            (3, _) if code & 0xe0 == 0xc0 => {
                write!(f, "atomic {imm:#x} *(u{bytes} *)(r{dst} {off:+}), r{src}")
            }
            (3, _) => write!(f, "*(u{bytes} *)(r{dst} {off:+}) = r{src}"),
            (5, 0x05) => write!(f, "goto {off:+}"),
            (5, 0x85) => write!(f, "call {imm} (source {src})"),
            (5, 0x95) => f.write_str("exit"),
            (5, 0xe5) => write!(f, "may_goto {off:+}"),
            (5, _) => {
                let condition = CONDITIONS.get(operation).unwrap_or(&"?");
                write!(f, "if r{dst} {condition} {} goto {off:+}", Source(*self))
            }
            (class, _) => {
                let register = if class == 4 { 'w' } else { 'r' };
                let operation = OPERATIONS.get(operation).unwrap_or(&"?");
                write!(f, "{register}{dst} {operation} {}", Source(*self))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use crate::Insn;

    #[test]
    fn instructions_are_legible() {
        for (insn, expected) in [
            (Insn::new(0x07, 1, 0, 0, -3), "r1 += -3"),
            (Insn::new(0x1c, 2, 1, 0, 0), "w2 -= r1"),
            (Insn::new(0x69, 3, 10, -8, 0), "r3 = *(u2 *)(r10 -8)"),
            (Insn::new(0x7b, 5, 1, 16, 0), "*(u8 *)(r5 +16) = r1"),
            (Insn::new(0xa5, 0, 0, 0, 7), "if r0 < 7 goto +0"),
            (Insn::new(0x85, 0, 0, 0, 8), "call 8 (source 0)"),
            (Insn::mov_imm(4, 9), "r4 = 9"),
            (Insn::EXIT, "exit"),
        ] {
            assert_eq!(insn.to_string(), expected);
        }
    }
}

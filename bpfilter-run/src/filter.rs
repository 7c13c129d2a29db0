// SPDX-License-Identifier: GPL-2.0-only
//! The seccomp filter: which calls are trapped.
//!
//! Owns: the numbers of get/setsockopt in every ABI that this machine runs,
//! and a classic BPF program that traps those at level SOL_IP, or SOL_IPV6, whose
//! option is in the given ranges. Everything else runs untouched.
//!
//! It cannot see: io_uring's URING_CMD (setsockopt without a system call, since
//! Linux 6.7) and processes that COMMAND did not start itself. Both reach the
//! kernel's own ip_tables as they always did.

use std::ops::Range;

use bpfilter_msgfmt as msg;
use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_USER_NOTIF, sock_filter,
};

/// How a system call passes its arguments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Entry {
    /// setsockopt.
    Set,
    /// getsockopt.
    Get,
    /// i386 socketcall: the arguments are in memory.
    Multiplexed,
}

/// One way to call get/setsockopt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    /// `AUDIT_ARCH_*`.
    pub(crate) arch: u32,
    /// System call number.
    pub(crate) nr: u32,
    /// Which call.
    pub(crate) entry: Entry,
    /// How the caller's structures are laid out: `LAYOUT_*`. The kernel goes by the door,
    /// too.
    pub(crate) layout: u32,
}

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

const fn native(nr: libc::c_long, entry: Entry) -> Door {
    Door {
        arch: NATIVE,
        nr: nr as u32,
        entry,
        layout: msg::LAYOUT_NATIVE,
    }
}

/// The doors of a program of this machine's own kind, the helper for one.
pub(crate) const NATIVE_DOORS: &[Door] = &[
    native(libc::SYS_setsockopt, Entry::Set),
    native(libc::SYS_getsockopt, Entry::Get),
];

/// The doors of any program that runs here.
#[cfg(target_arch = "x86_64")]
pub(crate) const ALL_DOORS: &[Door] = {
    const I386: u32 = 0x4000_0003;
    const X32: u32 = 0x4000_0000;
    &[
        native(libc::SYS_setsockopt, Entry::Set),
        native(libc::SYS_getsockopt, Entry::Get),
        Door {
            arch: NATIVE,
            nr: X32 + 541,
            entry: Entry::Set,
            layout: msg::LAYOUT_32_ALIGN_4,
        },
        Door {
            arch: NATIVE,
            nr: X32 + 542,
            entry: Entry::Get,
            layout: msg::LAYOUT_32_ALIGN_4,
        },
        Door {
            arch: I386,
            nr: 366,
            entry: Entry::Set,
            layout: msg::LAYOUT_32_ALIGN_4,
        },
        Door {
            arch: I386,
            nr: 365,
            entry: Entry::Get,
            layout: msg::LAYOUT_32_ALIGN_4,
        },
        Door {
            arch: I386,
            nr: 102,
            entry: Entry::Multiplexed,
            layout: msg::LAYOUT_32_ALIGN_4,
        },
    ]
};
#[cfg(target_arch = "aarch64")]
pub(crate) const ALL_DOORS: &[Door] = {
    const ARM: u32 = 0x4000_0028;
    &[
        native(libc::SYS_setsockopt, Entry::Set),
        native(libc::SYS_getsockopt, Entry::Get),
        Door {
            arch: ARM,
            nr: 294,
            entry: Entry::Set,
            layout: msg::LAYOUT_32_ALIGN_8,
        },
        Door {
            arch: ARM,
            nr: 295,
            entry: Entry::Get,
            layout: msg::LAYOUT_32_ALIGN_8,
        },
    ]
};

/// socketcall's first argument for setsockopt and getsockopt.
pub(crate) const SYS_SETSOCKOPT: u32 = 14;
/// See [`SYS_SETSOCKOPT`].
pub(crate) const SYS_GETSOCKOPT: u32 = 15;

/// The options that are trapped.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Of setsockopt.
    pub(crate) set: Range<u32>,
    /// Of getsockopt.
    pub(crate) get: Range<u32>,
    /// Of getsockopt at level SOL_IPV6; may be empty.
    pub(crate) get_ipv6: Range<u32>,
}

// Offsets in `struct seccomp_data`. Of an argument only the low half counts:
// the kernel takes level and option as int and never looks at the rest.
const NR: u32 = 0;
const ARCH: u32 = 4;
const fn argument(index: u32) -> u32 {
    let low = if cfg!(target_endian = "little") { 0 } else { 4 };
    16 + 8 * index + low
}

fn load(offset: u32) -> sock_filter {
    sock_filter {
        code: (BPF_LD | BPF_W | BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

fn jump(test: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: (BPF_JMP | test | BPF_K) as u16,
        jt,
        jf,
        k,
    }
}

fn ret(action: u32) -> sock_filter {
    sock_filter {
        code: (BPF_RET | BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: action,
    }
}

/// The program: one block per door, each ending in a verdict.
pub(crate) fn program(doors: &[Door], options: &Options) -> Vec<sock_filter> {
    let mut program = Vec::new();
    for door in doors {
        let body = match door.entry {
            Entry::Set => option_in(&[(libc::SOL_IP, &options.set)]),
            Entry::Get => option_in(&[
                (libc::SOL_IP, &options.get),
                (libc::SOL_IPV6, &options.get_ipv6),
            ]),
            Entry::Multiplexed => vec![
                load(argument(0)),
                jump(BPF_JEQ, SYS_SETSOCKOPT, 1, 0),
                jump(BPF_JEQ, SYS_GETSOCKOPT, 0, 1),
                ret(SECCOMP_RET_USER_NOTIF),
                ret(SECCOMP_RET_ALLOW),
            ],
        };
        // Another architecture or call: on to the next door. A body is a
        // handful of instructions, far below the reach of a jump.
        let skip = body.len() as u8;
        program.extend([
            load(ARCH),
            jump(BPF_JEQ, door.arch, 0, skip + 2),
            load(NR),
            jump(BPF_JEQ, door.nr, 0, skip),
        ]);
        program.extend(body);
    }
    program.push(ret(SECCOMP_RET_ALLOW));
    program
}

/// A level and its options in each block; past the last one is the next door.
fn option_in(levels: &[(i32, &Range<u32>)]) -> Vec<sock_filter> {
    let blocks = levels.iter().flat_map(|&(level, range)| {
        [
            load(argument(1)),
            jump(BPF_JEQ, level as u32, 0, 4),
            load(argument(2)),
            jump(BPF_JGE, range.end, 2, 0),
            jump(BPF_JGE, range.start, 0, 1),
            ret(SECCOMP_RET_USER_NOTIF),
        ]
    });
    blocks.chain([ret(SECCOMP_RET_ALLOW)]).collect()
}

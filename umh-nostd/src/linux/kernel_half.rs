// SPDX-License-Identifier: GPL-2.0-only
//! Programs that the kernel half runs.
//!
//! Owns: whether this kernel can have them, and their type, SCHED_CLS: one that
//! may read a packet's bytes and that every kernel with bpf(2) knows.

use bpf_abi::attr::{FuncInfo, ProgLoad};
use umh_core::errno::{Errno, Result};
use umh_core::program::Insn;
use umh_core::target::{Features, Packets};

use super::Missing;
use super::bpf;
use super::control::Control;
use super::fd::Fd;
use crate::system::Maps;

/// How programs get at packets here, what follows from it, and for how many CPUs
/// they count.
pub(super) fn resolve(
    control: &Control,
) -> core::result::Result<(Packets, Features, u32), Missing> {
    load_raw(&bpf::TRIVIAL).map_err(|errno| match errno {
        Errno::EPERM => Missing::Failed("bpf(2)", errno),
        _ => Missing::Part("programs of type SCHED_CLS (CONFIG_BPF_SYSCALL)"),
    })?;
    let missing = Missing::Part("a kernel half that hands over packets");
    let Ok(machine) = control.machine() else {
        return Err(missing);
    };
    let features = Features::of_reads(machine.reads).ok_or(missing)?;
    Ok((Packets::KernelHalf, features, machine.cpus))
}

/// See [`crate::system::System::load`].
pub(super) fn load(insns: &mut [Insn], _: &[FuncInfo], maps: &Maps<'_, Fd>) -> Result<Fd> {
    bpf::name_maps(insns, maps)?;
    load_raw(insns)
}

fn load_raw(insns: &[Insn]) -> Result<Fd> {
    let attr = ProgLoad {
        prog_type: bpf_abi::PROG_TYPE_SCHED_CLS,
        ..bpf::program(insns)?
    };
    // SAFETY: all addresses are those of `insns`, which is borrowed, and of a
    // string.
    unsafe { bpf::load(attr) }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Programs that netfilter links run, without a kernel half.
//!
//! Owns: whether this kernel can have them, and their type, NETFILTER.
//!
//! ```text
//! btf      what the kernel's own BTF says of its structures
//! cpus     how many CPUs there are
//! maps     the tables of `recent` and `hashlimit`
//! objects  what the kernel says of objects of bpf(2)
//! ```

mod btf;
mod cpus;
mod maps;
mod objects;

pub(super) use maps::{fill_array, map_by_id, new_array, new_named};

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
pub(super) fn resolve(_: &Control) -> core::result::Result<(Packets, Features, u32), Missing> {
    // Loading a program also makes a kernel that has not looked at its own BTF
    // yet do so.
    load_raw(&bpf::TRIVIAL, &[]).map_err(|errno| match errno {
        Errno::EPERM => Missing::Failed("bpf(2)", errno),
        _ => Missing::Part("programs of type NETFILTER (CONFIG_NETFILTER_BPF_LINK)"),
    })?;
    let kernel = btf::resolve()?;
    let failed = |errno| Missing::Failed("per-CPU maps", errno);
    let cpus = cpus::possible().map_err(failed)?;
    Ok((Packets::Btf(kernel), kernel.features(), cpus))
}

/// See [`crate::system::System::load`].
pub(super) fn load(insns: &mut [Insn], functions: &[FuncInfo], maps: &Maps<'_, Fd>) -> Result<Fd> {
    bpf::name_maps(insns, maps)?;
    load_raw(insns, functions)
}

fn load_raw(insns: &[Insn], functions: &[FuncInfo]) -> Result<Fd> {
    let mut attr = ProgLoad {
        prog_type: bpf_abi::PROG_TYPE_NETFILTER,
        expected_attach_type: bpf_abi::ATTACH_NETFILTER,
        ..bpf::program(insns)?
    };
    let described;
    if !functions.is_empty() {
        described = objects::load_types(4, 4)?;
        attr.prog_btf_fd = described.raw();
        attr.func_info_rec_size = size_of::<FuncInfo>() as u32;
        attr.func_info = functions.as_ptr().expose_provenance() as u64;
        attr.func_info_cnt = functions.len() as u32;
    }
    // SAFETY: all addresses are those of `insns` and `functions`, which are
    // borrowed, and of a string.
    unsafe { bpf::load(attr) }
}

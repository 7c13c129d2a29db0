// SPDX-License-Identifier: GPL-2.0-only
//! What this kernel can do.
//!
//! Owns: finding out, once, with bpf(2) alone, so that it works without any
//! file system: whether it knows programs of type NETFILTER, and what its BTF
//! says of its structures and functions. BTF is several megabytes; it is
//! mapped, looked into and given back.

use umh_core::arena::Arena;
use umh_core::errno::{Errno, Result};
use umh_core::target::Kernel;
use umh_core::target::btf::Btf;

use super::bpf;
use super::fd::Fd;
use super::memory::Memory;

/// More than this is no vmlinux that anybody has seen.
const MAX_BTF: usize = 256 << 20;
/// How many BTF objects are looked at: vmlinux is the first that a kernel
/// makes, modules come after it.
const MAX_OBJECTS: usize = 64;

/// Why rules cannot run here, in words for the log.
pub(super) enum Missing {
    /// A part of the kernel, by the name that its configuration or BTF has.
    Part(&'static str),
    /// Something that only a number tells of.
    Failed(&'static str, Errno),
}

/// What programs must know of this kernel.
pub(super) fn resolve() -> core::result::Result<Kernel, Missing> {
    // A program as small as can be. Loading one also makes a kernel that has
    // not looked at its own BTF yet do so.
    bpf::load_trivial().map_err(|errno| match errno {
        Errno::EPERM => Missing::Failed("bpf(2)", errno),
        _ => Missing::Part("programs of type NETFILTER (CONFIG_NETFILTER_BPF_LINK)"),
    })?;
    let object = vmlinux().map_err(|_| Missing::Part("BTF (CONFIG_DEBUG_INFO_BTF)"))?;
    let failed = |errno| Missing::Failed("BTF", errno);
    let bytes = contents(&object).map_err(failed)?;
    // 4 bytes for each type, of which each takes 12 at least.
    let mut work = Memory::new(bytes.len()).map_err(failed)?;
    let btf = Btf::parse(&bytes, &mut Arena::new(&mut work)).map_err(failed)?;
    Kernel::resolve(&btf).map_err(Missing::Part)
}

/// The BTF object of the kernel proper.
fn vmlinux() -> Result<Fd> {
    let mut id = 0;
    for _ in 0..MAX_OBJECTS {
        id = bpf::next_btf(id)?;
        // One that has gone in between is none that we look for.
        let Ok(object) = bpf::btf_by_id(id) else {
            continue;
        };
        let (info, name) = bpf::btf_info(&object, &mut [])?;
        if info.kernel_btf != 0 && name.starts_with(b"vmlinux\0") {
            return Ok(object);
        }
    }
    Err(Errno::ENOENT)
}

fn contents(object: &Fd) -> Result<Memory> {
    let (info, _) = bpf::btf_info(object, &mut [])?;
    let size = info.btf_size as usize;
    if size == 0 || size > MAX_BTF {
        return Err(Errno::EIO);
    }
    let mut bytes = Memory::new(size)?;
    bpf::btf_info(object, &mut bytes)?;
    Ok(bytes)
}

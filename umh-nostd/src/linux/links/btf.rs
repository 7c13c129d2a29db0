// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel's BTF says of its structures and functions.
//!
//! Owns: finding it, with bpf(2) alone, so that it works without any file
//! system. BTF is several megabytes; it is mapped, looked into and given back.

use umh_core::arena::Arena;
use umh_core::errno::{Errno, Result};
use umh_core::target::Kernel;
use umh_core::target::btf::Btf;

use super::objects;
use crate::linux::Missing;
use crate::linux::fd::Fd;
use crate::linux::memory::Memory;

/// More than this is no vmlinux that anybody has seen.
const MAX_BTF: usize = 256 << 20;
/// How many BTF objects are looked at: vmlinux is the first that a kernel
/// makes, modules come after it.
const MAX_OBJECTS: usize = 64;

/// What programs must know of this kernel.
pub(super) fn resolve() -> core::result::Result<Kernel, Missing> {
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
        id = objects::next_btf(id)?;
        // One that has gone in between is none that we look for.
        let Ok(object) = objects::btf_by_id(id) else {
            continue;
        };
        let (info, name) = objects::btf_info(&object, &mut [])?;
        if info.kernel_btf != 0 && name.starts_with(b"vmlinux\0") {
            return Ok(object);
        }
    }
    Err(Errno::ENOENT)
}

fn contents(object: &Fd) -> Result<Memory> {
    let (info, _) = objects::btf_info(object, &mut [])?;
    let size = info.btf_size as usize;
    if size == 0 || size > MAX_BTF {
        return Err(Errno::EIO);
    }
    let mut bytes = Memory::new(size)?;
    objects::btf_info(object, &mut bytes)?;
    Ok(bytes)
}

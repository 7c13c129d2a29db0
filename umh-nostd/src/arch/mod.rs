// SPDX-License-Identifier: GPL-2.0-only
//! What depends on the architecture: one file for each.
//!
//! Such a file provides `syscall6`, `read_small` and the macro `runtime!`, which the binary
//! invokes once to get its `_start` and the memory functions that the
//! compiler calls. (A macro, because a test or fuzz target that links this
//! library has these symbols from its libc.)

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{read_small, syscall6};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the helper has no runtime for this architecture yet: add src/arch/<name>.rs");

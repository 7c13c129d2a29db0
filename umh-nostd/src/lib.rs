// SPDX-License-Identifier: GPL-2.0-only
//! The helper: requests in, replies out.
//!
//! Owns: everything that `core` leaves out because it needs the kernel: the
//! two pipes, the copy of the caller's optval, descriptors, the log. The way of a
//! request is [`serve`] -> [`handle`] -> `core`, and all that these ask of the kernel
//! goes through one trait, [`system::System`]. [`linux`] is the kernel behind
//! it; `fake` is one made of vectors, for tests and fuzzing.
//!
//! Promises: `unsafe` stands in `arch` and `linux` only. No request makes the
//! helper panic, exit or keep anything.
#![cfg_attr(not(any(test, feature = "fake")), no_std)]

#[doc(hidden)]
pub mod arch;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod handle;
pub mod linux;
pub mod serve;
pub mod system;

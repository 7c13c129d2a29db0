// SPDX-License-Identifier: GPL-2.0-only
//! The helper's pure half.
//!
//! Owns: what the bytes of a request mean, what a table is, and what program
//! it becomes. Data flows one way through the modules below, top to bottom.
//!
//! Promises: no syscalls, no `unsafe`, no allocation and no panic on any
//! input; everything here can be tested on a host. Leaves to the helper
//! proper: pipes, the caller's memory, descriptors and the kernel.
#![no_std]
#![forbid(unsafe_code)]

pub mod abi;
pub mod arena;
mod bytes;
pub mod command;
pub mod errno;
pub mod extension;
pub mod ir;
pub mod plan;
pub mod program;
pub mod table;
pub mod target;

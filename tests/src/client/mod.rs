// SPDX-License-Identifier: GPL-2.0-only
//! Calls as a client makes them, on both sides of a differential test.
//!
//! Owns: [`sockopt`], one raw call with full control over pointers and
//! lengths; [`wire`], the messages by which another process makes it; [`side`],
//! that process on the kernel's own ip_tables and under `bpfilter-run`; and
//! [`shell`], the real iptables on either. Leaves to [`blob`](crate::blob) what
//! the bytes mean.

pub mod shell;
pub mod side;
pub mod sockopt;
pub mod wire;

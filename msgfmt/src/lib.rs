// SPDX-License-Identifier: GPL-2.0-only
//! The mailbox between the kernel half and the helper.
//!
//! Owns: the layout of every message and private socket option that the two
//! halves exchange, as Rust types. `include/msgfmt.h` is the same format for
//! C; `tests/c_layout.rs` compiles it and fails if the two differ.
//!
//! Promises: native endian, no padding; every type can be read from and
//! written to a pipe as plain bytes. Leaves to others: what a command means
//! (`umh-core`), and who may send it (`kern/`, `bpfilter-run/`).
#![no_std]
#![forbid(unsafe_code)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One get/setsockopt call, kernel half to helper.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Request {
    /// The caller's `optval`, an address in the caller's memory: what is there
    /// is asked for with [`SO_OPTVAL`].
    pub addr: u64,
    /// The caller's `optlen`.
    pub len: u32,
    /// 1 for setsockopt, 0 for getsockopt.
    pub is_set: u32,
    /// The option number, or [`CMD_PING`].
    pub cmd: u32,
    /// The caller's thread id in the initial pid namespace, for the log.
    pub pid: u32,
}

/// The helper's answer to one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reply {
    /// 0 or a negative errno.
    pub status: i32,
}

/// Command 0, the first request after a start: must be answered with 0.
pub const CMD_PING: u32 = 0;

/// setsockopt: replace the rules of a table.
pub const IPT_SO_SET_REPLACE: u32 = 64;
/// setsockopt: add to the counters of a table.
pub const IPT_SO_SET_ADD_COUNTERS: u32 = 65;
/// One past the last setsockopt option.
pub const IPT_SET_MAX: u32 = 66;
/// getsockopt: hooks, number of entries and size of a table.
pub const IPT_SO_GET_INFO: u32 = 64;
/// getsockopt: the entries of a table, with live counters.
pub const IPT_SO_GET_ENTRIES: u32 = 65;
/// getsockopt: is this revision of a match there?
pub const IPT_SO_GET_REVISION_MATCH: u32 = 66;
/// getsockopt: is this revision of a target there?
pub const IPT_SO_GET_REVISION_TARGET: u32 = 67;
/// One past the last getsockopt option.
pub const IPT_GET_MAX: u32 = 68;

/// First private option. Only the helper itself, on its own socket and while
/// a request is in progress, may use these; for all others: ENOPROTOOPT.
pub const SO_BASE: u32 = 3056;
/// setsockopt, [`Generation`]: replaces the namespace's generation.
pub const SO_COMMIT: u32 = SO_BASE;
/// getsockopt, [`Generation`]: ENOENT where none is committed.
pub const SO_RECOVER: u32 = SO_BASE + 1;
/// setsockopt, text: what `/proc/net/ip_tables_matches` prints.
pub const SO_MATCHES: u32 = SO_BASE + 2;
/// setsockopt, text: what `/proc/net/ip_tables_targets` prints.
pub const SO_TARGETS: u32 = SO_BASE + 3;
/// setsockopt, [`Extension`]: finds and checks a match or target of x_tables
/// for a rule; what the rules of the next COMMIT use. Returns the number by which
/// programs call it.
pub const SO_EXTENSION: u32 = SO_BASE + 4;
/// getsockopt, [`Optval`]: the caller's optval as it was when the call was made.
/// Each call of a setsockopt's opens a descriptor, if there is a file.
pub const SO_OPTVAL: u32 = SO_BASE + 5;
/// setsockopt, [`Answer`]: bytes for the caller's memory, behind those before. The
/// caller gets them when the request is answered with success.
pub const SO_ANSWER: u32 = SO_BASE + 6;
/// One past the last private option.
pub const SO_MAX: u32 = SO_BASE + 7;

/// The most of an optval that comes without a file.
pub const HEAD_MAX: usize = 96;

/// The most text that [`SO_MATCHES`] and [`SO_TARGETS`] take.
pub const NAMES_MAX: usize = 4096;

/// Index of the LOCAL_IN program in [`Generation::prog`].
pub const HOOK_LOCAL_IN: usize = 0;
/// Index of the FORWARD program in [`Generation::prog`].
pub const HOOK_FORWARD: usize = 1;
/// Index of the LOCAL_OUT program in [`Generation::prog`].
pub const HOOK_LOCAL_OUT: usize = 2;
/// Number of hooks of the filter table.
pub const HOOKS: usize = 3;

/// The rules read connection tracking: it must run in the namespace.
pub const GEN_CONNTRACK: u32 = 0x1;
/// The rules name users and groups, as numbers of the initial user namespace.
/// COMMIT gives EINVAL if the caller's user namespace does not own the network
/// namespace (what ip_tables says), ENOENT if it does and is another one.
pub const GEN_IDS: u32 = 0x2;
/// The rules count on connections counting their packets: COMMIT switches it
/// on in the namespace, where it stays on, as ip_tables leaves it.
pub const GEN_ACCOUNTING: u32 = 0x4;
/// All of them.
pub const GEN_ALL: u32 = 0x7;

/// The committed state of one network namespace, as descriptors of the
/// helper. COMMIT takes references and leaves them open, RECOVER opens new
/// ones, close-on-exec. An absent descriptor is -1; the programs are either
/// all there or all absent (counters only, no packet hook).
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Generation {
    /// Programs of type NETFILTER, indexed by `HOOK_*`.
    pub prog: [i32; HOOKS],
    /// The map of per-rule counters.
    pub counters: i32,
    /// A sealed memfd with the table image.
    pub table: i32,
    /// `GEN_*`.
    pub flags: u32,
}

/// A match or target that a rule needs of x_tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Extension {
    /// Address of the rule, a `struct ipt_entry`, in the helper's memory. The
    /// extension's data there is what is given back of it after success: what
    /// is private to it is zero.
    pub entry: u64,
    /// Where in the rule its header is; that of the target, or of a match.
    pub offset: u64,
}

/// What a caller's optval has held.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Optval {
    /// How many bytes of it there are.
    pub len: u64,
    /// The negative errno for whoever asks for more, as the kernel half found out
    /// when it copied: EFAULT where memory was not there, ENOMEM.
    pub error: i32,
    /// All of them, as a file in memory that nobody else writes to and that can be
    /// sealed; -1 where `head` has all.
    pub file: i32,
    /// The first of them.
    pub head: [u8; HEAD_MAX],
}

/// Bytes for a caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Answer {
    /// Where in the caller's memory they go.
    pub to: u64,
    /// Where in the helper's memory they are.
    pub from: u64,
    /// How many.
    pub len: u64,
}

const _: () = assert!(size_of::<Request>() == 24);
const _: () = assert!(size_of::<Reply>() == 4);
const _: () = assert!(size_of::<Generation>() == 24);
const _: () = assert!(size_of::<Extension>() == 16);

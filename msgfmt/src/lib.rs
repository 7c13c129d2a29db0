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
/// The same two at level SOL_IPV6, where 66 and 67 are other options.
pub const IP6T_SO_GET_REVISION_MATCH: u32 = 68;
/// See [`IP6T_SO_GET_REVISION_MATCH`].
pub const IP6T_SO_GET_REVISION_TARGET: u32 = 69;
/// One past the last getsockopt option of SOL_IPV6.
pub const IP6T_GET_MAX: u32 = 70;

/// First private option. Only the helper itself, on its own socket and while
/// a request is in progress, may use these; for all others: ENOPROTOOPT.
pub const SO_BASE: u32 = 3056;
/// setsockopt, [`Generation`]: replaces the namespace's generation.
pub const SO_COMMIT: u32 = SO_BASE;
/// getsockopt, [`Generation`]: ENOENT where none is committed, EOPNOTSUPP where
/// that table is not served.
pub const SO_RECOVER: u32 = SO_BASE + 1;
/// setsockopt, text: what `/proc/net/ip_tables_matches` prints.
pub const SO_MATCHES: u32 = SO_BASE + 2;
/// setsockopt, text: what `/proc/net/ip_tables_targets` prints.
pub const SO_TARGETS: u32 = SO_BASE + 3;
/// setsockopt, [`Extension`]: finds and checks a match or target of x_tables
/// for a rule; what the rules of the next COMMIT use. Returns the number by which
/// programs call it; ENOPROTOOPT if there is none, and ENOENT if what its options
/// name is not there. EAGAIN if a module has to be loaded first: the request is to be
/// answered with it, and the call is made anew.
pub const SO_EXTENSION: u32 = SO_BASE + 4;
/// getsockopt, [`Optval`]: the caller's optval as it was when the call was made.
/// Each call of a setsockopt's opens a descriptor, if there is a file.
pub const SO_OPTVAL: u32 = SO_BASE + 5;
/// setsockopt, [`Answer`]: bytes for the caller's memory, behind those before. The
/// caller gets them when the request is answered with success.
pub const SO_ANSWER: u32 = SO_BASE + 6;
/// getsockopt, [`Machine`]: what programs can count on.
pub const SO_MACHINE: u32 = SO_BASE + 7;
/// setsockopt, text: what `/proc/net/ip6_tables_matches` prints.
pub const SO_MATCHES6: u32 = SO_BASE + 8;
/// setsockopt, text: what `/proc/net/ip6_tables_targets` prints.
pub const SO_TARGETS6: u32 = SO_BASE + 9;
/// setsockopt, [`Refusal`]: why the REPLACE in progress will be answered with an
/// error. For people: it changes nothing.
pub const SO_REFUSED: u32 = SO_BASE + 10;
/// setsockopt, [`ExtensionName`]: finds a match or target of x_tables. Returns how many bytes of
/// data it has. EOPNOTSUPP if 32-bit programs lay its data out in another way; EAGAIN as above.
pub const SO_DATA_SIZE: u32 = SO_BASE + 11;
/// One past the last private option.
pub const SO_MAX: u32 = SO_BASE + 12;

/// The structures of a caller are the kernel's own.
pub const LAYOUT_NATIVE: u32 = 0;
/// They are those of 32 bits, with u64 aligned to 4: i386.
pub const LAYOUT_32_ALIGN_4: u32 = 1;
/// They are those of 32 bits, with u64 aligned to 8: ARM.
pub const LAYOUT_32_ALIGN_8: u32 = 2;

/// The most of an optval that comes without a file.
pub const HEAD_MAX: usize = 96;

/// The most text that each of [`SO_MATCHES`], [`SO_TARGETS`], [`SO_MATCHES6`] and
/// [`SO_TARGETS6`] takes.
pub const NAMES_MAX: usize = 4096;
/// The longest name of an extension with its NUL that leaves the helper room for
/// numbers.
pub const NAME_MAX: usize = 24;

/// The table raw.
pub const TABLE_RAW: u32 = 0;
/// The table mangle.
pub const TABLE_MANGLE: u32 = 1;
/// The table nat.
pub const TABLE_NAT: u32 = 2;
/// The table filter.
pub const TABLE_FILTER: u32 = 3;
/// The table security.
pub const TABLE_SECURITY: u32 = 4;
/// Number of tables.
pub const TABLES: u32 = 5;

/// Where in a table image the entries start, which are as GET_ENTRIES gives them; of
/// the rest the kernel half knows nothing.
pub const IMAGE_ENTRIES: usize = 96;

/// As many as `NF_INET_*` has for a family; a hook is its number there.
pub const HOOKS: usize = 5;

/// The rules read connection tracking: it must run in the namespace.
pub const GEN_CONNTRACK: u32 = 0x1;
/// The rules name users and groups, as numbers of the initial user namespace.
/// COMMIT gives EINVAL if the caller's user namespace does not own the network
/// namespace (what ip_tables says), ENOENT if it does and is another one.
/// This and the next are of the helper of links alone; the kernel half refuses them.
pub const GEN_IDS: u32 = 0x2;
/// The rules count on connections counting their packets: COMMIT switches it
/// on in the namespace, where it stays on, as ip_tables leaves it.
pub const GEN_ACCOUNTING: u32 = 0x4;
/// All of them.
pub const GEN_ALL: u32 = 0x7;

/// A table in numbers.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Summary {
    /// What its maps hold: rules and index, what matches remember, counters, and
    /// the memory in which programs are handed packets.
    pub map_bytes: u64,
    /// Rules, policies, heads and ends of chains, and the end of the table.
    pub entries: u32,
    /// Of them, those that a user has made.
    pub rules: u32,
    /// Chains that a user has made.
    pub chains: u32,
    /// Hash tables.
    pub tuples: u32,
    /// Entries that are found by them.
    pub hashed: u32,
    /// Entries that are compared one after the other; all others are found by rule
    /// bitmaps.
    pub listed: u32,
}

/// The rules in force of one table of a network namespace, as descriptors of
/// the helper. COMMIT takes references and leaves them open, RECOVER opens new
/// ones, close-on-exec. An absent descriptor is -1.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Generation {
    /// `NFPROTO_*`; with `table`, what RECOVER is asked for.
    pub family: u32,
    /// `TABLE_*`.
    pub table: u32,
    /// What of a packet each program reads: bits of [`reads`].
    pub reads: [u64; HOOKS],
    /// A program for each hook that has rules, and none for the others. In the
    /// kernel of type SCHED_CLS, called with a [`Packet`]; under bpfilter-run of
    /// type NETFILTER.
    pub prog: [i32; HOOKS],
    /// For each hook of the table without a program, what becomes of its packets,
    /// which count for `underflow`: [`DROP`] or [`ACCEPT`]; -1 for the others. All
    /// -1, and no programs: counters only, and no packet hook.
    pub policy: [i32; HOOKS],
    /// The position at which a packet starts, for each hook.
    pub hook_entry: [u32; HOOKS],
    /// That of its policy.
    pub underflow: [u32; HOOKS],
    /// The array of counters, of one element: a row of `counters_row` bytes for
    /// each possible CPU, in it for each rule packets and bytes, 64 bits each. What
    /// follows these rows is the helper's own.
    pub counters: i32,
    /// A sealed memfd with the table image.
    pub image: i32,
    /// An array of one element, the memory in which programs are handed packets:
    /// for each possible CPU [`LEVELS`] pieces of `packet_size` bytes.
    pub packets: i32,
    /// Bytes of a CPU's counters.
    pub counters_row: u32,
    /// Bytes of a [`Packet`] and of what the programs keep behind it, a multiple
    /// of 64.
    pub packet_size: u32,
    /// `GEN_*`.
    pub flags: u32,
    /// What people are told of the table, and nothing else.
    pub summary: Summary,
}

/// The machine, as the kernel half knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Machine {
    /// What it can tell of a packet: bits of [`reads`].
    pub reads: u64,
    /// All numbers of CPUs are below this one.
    pub cpus: u32,
    /// Nothing.
    pub reserved: u32,
}

/// A match or target that a rule needs of x_tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Extension {
    /// `NFPROTO_*` of the table that the rule is for.
    pub family: u32,
    /// `TABLE_*`.
    pub table: u32,
    /// Address of the rule, a `struct ipt_entry` or `ip6t_entry`, in the helper's
    /// memory. The extension's data there is what is given back of it after success: what
    /// is private to it is zero.
    pub entry: u64,
    /// Where in the rule its header is; that of the target, or of a match.
    pub offset: u64,
}

/// A match or target by its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExtensionName {
    /// `NFPROTO_*` of the rule that it is for.
    pub family: u32,
    /// 1 for a target, 0 for a match.
    pub is_target: u32,
    /// Its name, a C string.
    pub name: [u8; 29],
    /// Its revision.
    pub revision: u8,
    /// Nothing.
    pub reserved: [u8; 2],
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
    /// `NFPROTO_*` of the option: that of SOL_IP or of SOL_IPV6.
    pub family: u32,
    /// `LAYOUT_*` of the caller, and so of the bytes.
    pub layout: u32,
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

/// Kinds of refusals, each of which may fill so much of the log, and no more: no
/// table, or an entry that is none.
pub const REFUSED_MALFORMED: u32 = 0;
/// A match or target that there is not.
pub const REFUSED_UNKNOWN: u32 = 1;
/// One that does not take the rule's options.
pub const REFUSED_CHECK: u32 = 2;
/// The rules are right, but nothing runs them.
pub const REFUSED_PROGRAM: u32 = 3;
/// How many kinds there are.
pub const REFUSALS: u32 = 4;

/// The most text of a refusal.
pub const REFUSAL_MAX: usize = 240;

/// Why a table was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Refusal {
    /// `NFPROTO_*`.
    pub family: u32,
    /// `TABLE_*`.
    pub table: u32,
    /// `REFUSED_*`.
    pub kind: u32,
    /// Bytes of `text` that are used.
    pub len: u32,
    /// Rule, match or target, and what is wrong: one line, printable ASCII without
    /// a NUL, the table not named.
    pub text: [u8; REFUSAL_MAX],
}

/// What is known of a packet, a number of 32 bits each: indices into
/// [`Packet::field`]. Numbers that are not here are the helper's own.
pub mod field {
    /// Source address in host order: of IPv6 four fields, its words.
    pub const SADDR: u32 = 0;
    /// Destination address, likewise.
    pub const DADDR: u32 = 4;
    /// Protocol.
    pub const PROTOCOL: u32 = 8;
    /// Source port; or ICMP type * 256 + code.
    pub const SPORT: u32 = 9;
    /// Destination port.
    pub const DPORT: u32 = 10;
    /// Byte 13 of the TCP header.
    pub const TCP_FLAGS: u32 = 11;
    /// The packet's mark.
    pub const MARK: u32 = 12;
    /// `iph_totlen`, or what `length_mt6` compares.
    pub const LENGTH: u32 = 13;
    /// Time to live, or hop limit.
    pub const TTL: u32 = 14;
    /// Type of service, or traffic class.
    pub const TOS: u32 = 15;
    /// `PACKET_*`, as xt_pkttype.c sees it.
    pub const PKTTYPE: u32 = 16;
    /// `CT_*`.
    pub const CONNECTION: u32 = 17;
    /// 4 bytes of the Ethernet source, as they lie there.
    pub const MAC_FIRST: u32 = 18;
    /// The last 2, and [`super::MAC_PRESENT`].
    pub const MAC_LAST: u32 = 19;
    /// The CPU.
    pub const CPU: u32 = 20;
    /// The incoming device's group, 0 without a device.
    pub const IN_GROUP: u32 = 21;
    /// Likewise of the outgoing one.
    pub const OUT_GROUP: u32 = 22;
    /// Realm of the route.
    pub const REALM: u32 = 23;
    /// The connection's mark, 0 without a connection.
    pub const CONNMARK: u32 = 29;
}
/// Number of fields.
pub const FIELDS: usize = 30;

/// In [`field::MAC_LAST`]: there is an Ethernet header.
pub const MAC_PRESENT: u32 = 0x10000;
/// In [`field::CONNECTION`]: the packet is of the original direction. Below are
/// the bits of `XT_CONNTRACK_STATE_*`.
pub const CT_ORIGINAL: u32 = 0x10000;
/// In [`field::CONNECTION`]: there is a connection.
pub const CT_PRESENT: u32 = 0x20000;

/// What a program reads: the fields, as `1 << field`; and these. Of an IPv6 address
/// any of its bits stand for all four fields.
pub mod reads {
    /// All fields that the kernel half knows.
    pub const FIELDS: u64 = 0x20ff_ffff;
    /// [`super::Packet::input`].
    pub const IN: u64 = 1 << 24;
    /// [`super::Packet::output`].
    pub const OUT: u64 = 1 << 25;
    /// [`super::Packet::header`] and what goes with it.
    pub const TRANSPORT: u64 = 1 << 26;
    /// [`super::Packet::time`].
    pub const TIME: u64 = 1 << 27;
}

/// In [`Packet::descriptor`]: a fragment, but not the first one.
pub const PACKET_FRAGMENT: u64 = 0x100;
/// In [`Packet::descriptor`]: the transport header is all there.
pub const PACKET_TRANSPORT: u64 = 0x400;
/// In [`Packet::descriptor`]: where the source port starts.
pub const PACKET_SPORT: u32 = 32;
/// In [`Packet::descriptor`]: where the destination port starts.
pub const PACKET_DPORT: u32 = 48;

/// The transport header is there.
pub const HEADER_PRESENT: u32 = 0;
/// A later fragment: a rule that asks for the header does not match.
pub const HEADER_ABSENT: u32 = 1;
/// Cut off, or a TCP fragment at byte 8: such a rule drops the packet.
pub const HEADER_MALFORMED: u32 = 2;
/// IPv6: ipv6_find_hdr() fails. A rule with `IP6T_F_PROTO` drops the packet where
/// addresses and devices match, others are asked as ever. No protocol is known.
pub const HEADER_BROKEN: u32 = 3;

/// How often one packet can be in the way of another on a CPU, as one that a
/// target sends is.
pub const LEVELS: u32 = 4;

/// A program returns: the packet is dropped.
pub const DROP: u32 = 0;
/// A program returns: it passes.
pub const ACCEPT: u32 = 1;
/// A program returns: what [`Packet::call`] names is to be run, then the program
/// again.
pub const CALL: u32 = 2;
/// A program returns: rule [`Packet::position`] matches a packet that is traced.
/// Likewise, when that was told.
pub const TRACE: u32 = 3;

/// A program is called with a new packet, or one that a target has let go.
pub const ANSWER_NONE: u32 = 0;
/// The match that it has called says no.
pub const ANSWER_NO: u32 = 1;
/// The match that it has called says yes.
pub const ANSWER_YES: u32 = 2;
/// Added to either: the match has changed the packet, and the record is filled in
/// again.
pub const ANSWER_ANEW: u32 = 4;

/// In [`Packet::position`]: the rule matches a traced packet, and has been told.
pub const POSITION_TOLD: u32 = 0x8000_0000;
/// In [`Packet::cpu`]: the program returns with each rule that matches.
pub const CPU_TRACED: u32 = 0x8000_0000;

/// A packet, as the kernel half hands it to a program. `position` to `cpu` always
/// hold. `addresses`, and `descriptor` without ports, do unless the program reads
/// nothing and starts at the policy, but for the protocol of IPv6, which is found with
/// the transport header; the rest as far as [`Generation::reads`]
/// asks. It lies in [`Generation::packets`]. How many bytes from its start is
/// said in the first 32 bits of the packet's control block that programs see
/// (`__sk_buff.cb`), as long as the program runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Packet {
    /// Protocol, ports and `PACKET_*`. A program adds to it.
    pub descriptor: u64,
    /// The rule to go on at; for CALL the program says where it goes on.
    pub position: u32,
    /// The hook's policy.
    pub underflow: u32,
    /// `ANSWER_*`, one of them or a sum.
    pub answer: u32,
    /// Of CALL: the number that [`SO_EXTENSION`] has given; of TRACE a number of the
    /// program's own.
    pub call: u32,
    /// How many return positions the program keeps; 0 at first.
    pub depth: u32,
    /// Not zero: the packet is dropped when the rule at hand is done.
    pub hotdrop: u32,
    /// Of the packet with its IP header, what counters count.
    pub len: u32,
    /// This CPU, and [`CPU_TRACED`] for a packet that is traced.
    pub cpu: u32,
    /// `HEADER_*`, for who asks for all that a match looks at.
    pub header: u32,
    /// Likewise, for who asks for the ports alone.
    pub ports: u32,
    /// Where the transport header starts, from the IP header on. IPv6: as
    /// ipv6_find_hdr() finds it, so 0 in a later fragment.
    pub transport: u32,
    /// 0, or left from before.
    pub pad: u32,
    /// Source and destination address, as they stand in the header. IPv4: the
    /// first has both. IPv6: the first two are the source.
    pub addresses: [u64; 4],
    /// Name of the incoming device, all zero without one.
    pub input: [u8; 16],
    /// Likewise of the outgoing one.
    pub output: [u8; 16],
    /// What else is known, indexed by [`field`].
    pub field: [u32; FIELDS],
    /// Seconds since 1970: UTC, and in the kernel's time zone.
    pub time: [i64; 2],
}

/// How boot rules start: "BPFR".
pub const BOOT_MAGIC: u32 = 0x5246_5042;

/// Rules that come with the kernel, in a file of their own: this, and then the
/// tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BootRules {
    /// [`BOOT_MAGIC`].
    pub magic: u32,
    /// How many tables follow.
    pub tables: u32,
    /// Bytes of all of it.
    pub size: u64,
}

/// What comes before each table of these.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BootTable {
    /// `NFPROTO_*`.
    pub family: u32,
    /// `TABLE_*`.
    pub table: u32,
    /// Bytes of the `struct ipt_replace` or `ip6t_replace` that follows, with its
    /// entries, as iptables-restore gives it to the kernel for a table that nobody
    /// has changed. Zeros behind it, up to a multiple of 8 bytes.
    pub len: u64,
}

const _: () = assert!(size_of::<Request>() == 24);
const _: () = assert!(size_of::<Reply>() == 4);
const _: () = assert!(size_of::<Generation>() == 184);
const _: () = assert!(size_of::<Extension>() == 24);

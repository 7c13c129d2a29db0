// SPDX-License-Identifier: GPL-2.0-only
//! The iptables binary interface.
//!
//! Owns: the structures of `include/uapi/linux/netfilter/x_tables.h` and
//! `netfilter_ipv4/ip_tables.h`, field for field, in the 64-bit layout; in what those of
//! other callers differ says [`Layout`]. Plain data: a value of one
//! of these types is untrusted caller data, which `table` checks.

mod cpu;
mod family;
mod hook;
mod tables;
pub mod xt;

pub use cpu::{EntryLayout, Layout};
pub use family::{Family, IpPart};
pub use hook::Hook;
pub use tables::{FILTER, TABLES, TableKind, TableSpec};

/// `XT_TABLE_MAXNAMELEN`: bytes of a table name, its NUL included.
pub const TABLE_NAME_LEN: usize = 32;
/// `XT_EXTENSION_MAXNAMELEN`: bytes of a match or target name with its NUL.
pub const EXTENSION_NAME_LEN: usize = 29;
/// `IFNAMSIZ`: bytes of an interface name with its NUL.
pub const IFNAMSIZ: usize = 16;
/// `NF_INET_NUMHOOKS`: hooks that the interface has room for.
pub const NUM_HOOKS: usize = 5;
/// Every structure inside a table starts at a multiple of this.
pub const ALIGN: usize = Layout::NATIVE.align;

/// Declares plain structures of the binary interface; the size is asserted.
macro_rules! layout {
    ($($(#[$doc:meta])* $name:ident: $size:literal {
        $($(#[$field_doc:meta])* $field:ident: $ty:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Eq, PartialEq)]
            #[derive(zerocopy::FromBytes, zerocopy::IntoBytes)]
            #[derive(zerocopy::Immutable, zerocopy::KnownLayout)]
            #[repr(C)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $ty,)*
            }
            const _: () = assert!(size_of::<$name>() == $size);
        )*
    };
}

pub(crate) use layout;

layout! {
    /// `struct xt_counters`.
    Counters: 16 {
        /// Packets.
        pcnt: u64,
        /// Bytes.
        bcnt: u64,
    }

    /// `struct ipt_getinfo`: the whole of GET_INFO.
    GetInfo: 84 {
        /// Table name, a C string; what follows its NUL may be garbage.
        name: [u8; TABLE_NAME_LEN],
        /// Mask of `1 << NF_INET_*`.
        valid_hooks: u32,
        /// Offset of each hook's first entry.
        hook_entry: [u32; NUM_HOOKS],
        /// Offset of each hook's policy entry.
        underflow: [u32; NUM_HOOKS],
        /// Number of entries.
        num_entries: u32,
        /// Bytes of all entries.
        size: u32,
    }

    /// `struct ipt_get_entries` without the entries that follow it.
    GetEntries: 40 {
        /// Table name.
        name: [u8; TABLE_NAME_LEN],
        /// Bytes of entries that the caller has room for.
        size: u32,
        /// Padding.
        pad: u32,
    }

    /// `struct xt_get_revision`.
    GetRevision: 30 {
        /// Name of the match or target.
        name: [u8; EXTENSION_NAME_LEN],
        /// The revision asked for.
        revision: u8,
    }

    /// `struct ipt_replace` without the entries that follow it.
    Replace: 96 {
        /// Table name.
        name: [u8; TABLE_NAME_LEN],
        /// Mask of `1 << NF_INET_*`; must be the table's own.
        valid_hooks: u32,
        /// Number of entries.
        num_entries: u32,
        /// Bytes of all entries.
        size: u32,
        /// Offset of each hook's first entry.
        hook_entry: [u32; NUM_HOOKS],
        /// Offset of each hook's policy entry.
        underflow: [u32; NUM_HOOKS],
        /// Number of entries of the table to be replaced.
        num_counters: u32,
        /// Caller's address for the counters of the replaced table.
        counters: u64,
    }

    /// `struct xt_counters_info` without the counters that follow it.
    CountersInfo: 40 {
        /// Table name.
        name: [u8; TABLE_NAME_LEN],
        /// Number of counters.
        num_counters: u32,
        /// Padding.
        pad: u32,
    }

    /// `struct ipt_ip`: what a rule asks of the IP header and interfaces.
    IptIp: 84 {
        /// Source address, network order.
        src: [u8; 4],
        /// Destination address, network order.
        dst: [u8; 4],
        /// Source mask, network order.
        smsk: [u8; 4],
        /// Destination mask, network order.
        dmsk: [u8; 4],
        /// Incoming interface.
        iniface: [u8; IFNAMSIZ],
        /// Outgoing interface.
        outiface: [u8; IFNAMSIZ],
        /// Bytes of `iniface` that count, 0xff each.
        iniface_mask: [u8; IFNAMSIZ],
        /// Bytes of `outiface` that count, 0xff each.
        outiface_mask: [u8; IFNAMSIZ],
        /// Protocol, 0 for any.
        proto: u16,
        /// `IPT_F_*`.
        flags: u8,
        /// `IPT_INV_*`.
        invflags: u8,
    }

    /// `struct ip6t_ip6`: what a rule asks of the IPv6 header and interfaces.
    Ip6tIp6: 136 {
        /// Source address, network order.
        src: [u8; 16],
        /// Destination address, network order.
        dst: [u8; 16],
        /// Source mask, network order.
        smsk: [u8; 16],
        /// Destination mask, network order.
        dmsk: [u8; 16],
        /// Incoming interface.
        iniface: [u8; IFNAMSIZ],
        /// Outgoing interface.
        outiface: [u8; IFNAMSIZ],
        /// Bytes of `iniface` that count, 0xff each.
        iniface_mask: [u8; IFNAMSIZ],
        /// Bytes of `outiface` that count, 0xff each.
        outiface_mask: [u8; IFNAMSIZ],
        /// Protocol, 0 for any.
        proto: u16,
        /// Traffic class, unused by the kernel.
        tos: u8,
        /// `IP6T_F_*`.
        flags: u8,
        /// `IPT_INV_*`.
        invflags: u8,
        /// Padding.
        pad: [u8; 3],
    }

    /// `struct ipt_entry` without the matches and the target that follow it.
    Entry: 112 {
        /// What the rule asks of the packet.
        ip: IptIp,
        /// `nfcache`, unused by the kernel.
        nfcache: u32,
        /// Offset of the target from the start of the entry.
        target_offset: u16,
        /// Offset of the next entry from the start of this one.
        next_offset: u16,
        /// Mask of the hooks that reach this entry.
        comefrom: u32,
        /// The entry's counters.
        counters: Counters,
    }

    /// `struct xt_entry_match` or `xt_entry_target` without its data.
    ExtensionHeader: 32 {
        /// Bytes of header and data, a multiple of [`ALIGN`].
        size: u16,
        /// Name, a C string.
        name: [u8; EXTENSION_NAME_LEN],
        /// Revision.
        revision: u8,
    }
}

/// `IPT_F_FRAG`: the rule is for later fragments only.
pub const IPT_F_FRAG: u8 = 0x01;
/// `IPT_F_GOTO`: the jump pushes no return position.
pub const IPT_F_GOTO: u8 = 0x02;
/// `IPT_F_MASK`: the flags that exist.
pub const IPT_F_MASK: u8 = 0x03;

/// `IP6T_F_PROTO`: the chain of headers is followed to the protocol.
pub const IP6T_F_PROTO: u8 = 0x01;
/// `IP6T_F_GOTO`: the jump pushes no return position.
pub const IP6T_F_GOTO: u8 = 0x04;
/// `IP6T_F_MASK`: the flags that exist.
pub const IP6T_F_MASK: u8 = 0x07;

/// `IPT_INV_VIA_IN`. The inversions have the same bits in IPv6.
pub const IPT_INV_VIA_IN: u8 = 0x01;
/// `IPT_INV_VIA_OUT`.
pub const IPT_INV_VIA_OUT: u8 = 0x02;
/// `IPT_INV_SRCIP`.
pub const IPT_INV_SRCIP: u8 = 0x08;
/// `IPT_INV_DSTIP`.
pub const IPT_INV_DSTIP: u8 = 0x10;
/// `IPT_INV_FRAG`.
pub const IPT_INV_FRAG: u8 = 0x20;
/// `XT_INV_PROTO`.
pub const IPT_INV_PROTO: u8 = 0x40;
/// `IPT_INV_MASK`: the inversions that exist.
pub const IPT_INV_MASK: u8 = 0x7f;

/// A standard verdict: `-NF_DROP - 1`.
pub const VERDICT_DROP: i32 = -1;
/// A standard verdict: `-NF_ACCEPT - 1`.
pub const VERDICT_ACCEPT: i32 = -2;
/// A standard verdict: `-NF_QUEUE - 1`.
pub const VERDICT_QUEUE: i32 = -4;
/// A standard verdict: `XT_RETURN`.
pub const VERDICT_RETURN: i32 = -5;

impl Replace {
    /// The structure that a caller of this layout has at the start of `bytes`. Only its
    /// pointer stands otherwise.
    pub fn of(layout: Layout, bytes: &[u8]) -> Option<Self> {
        let mut whole = [0; size_of::<Self>()];
        let (numbers, _) = whole.split_at_mut_checked(cpu::COUNTERS_POINTER)?;
        numbers.copy_from_slice(bytes.get(..numbers.len())?);
        Some(Self {
            counters: layout.pointer_at(bytes, cpu::COUNTERS_POINTER)?,
            ..zerocopy::transmute!(whole)
        })
    }
}

/// The two name spaces of extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExtensionKind {
    /// Asks something of a packet.
    Match,
    /// Does something to it, or decides what becomes of it.
    Target,
}

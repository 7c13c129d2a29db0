// SPDX-License-Identifier: GPL-2.0-only
//! Matches and targets.
//!
//! Owns: what a registration says, and the checks that are the same for all
//! extensions. Each is one file beside this one, with its data's layout, its
//! registration, its own check, and what it asks of packets; to add one is to
//! add its file and its line in [`registry`].
//!
//! Promises: what is registered is exactly what is enforced. An extension that
//! needs a feature which this kernel does not have is unknown everywhere: to
//! GET_REVISION, to REPLACE, and in /proc. What is unknown here may be an
//! extension of x_tables, which the kernel half finds (`x_tables.rs`): all
//! targets but the standard one and ERROR are, and all matches that ask more
//! than the kernel half says of a packet and the packet itself holds. Without a
//! kernel half the programs of links find out some of that (the feature `links`).

pub mod comment;
#[cfg(feature = "links")]
pub mod connbytes;
pub mod connmark;
pub mod conntrack;
pub mod cpu;
pub mod dccp;
pub mod devgroup;
pub mod dscp;
pub mod ecn;
pub mod error;
pub mod esp;
#[cfg(feature = "links")]
pub mod hashlimit;
#[cfg(feature = "links")]
pub mod helper;
pub mod hl;
pub mod icmp;
pub mod icmp6;
pub mod iprange;
pub mod length;
pub mod limit;
pub mod mac;
pub mod mark;
pub mod multiport;
pub(crate) mod options;
#[cfg(feature = "links")]
pub mod owner;
pub mod pkttype;
pub mod quota;
pub mod realm;
#[cfg(feature = "links")]
pub mod recent;
pub mod registry;
pub mod sctp;
pub mod standard;
pub mod state;
pub mod statistic;
pub mod tcp;
pub mod tcpmss;
pub mod time;
pub mod tos;
pub mod ttl;
// Not to be taken for the type.
#[path = "u32.rs"]
pub mod u32_match;
pub mod udp;
pub(crate) mod x_tables;

use crate::abi::{
    ALIGN, EXTENSION_NAME_LEN, ExtensionKind, Family, IP6T_F_PROTO, IPT_INV_PROTO, IpPart,
};
#[cfg(feature = "links")]
use crate::bytes::c_string;
use crate::errno::{Errno, Result};
use crate::fault::{Cause, Fault};
use crate::ir::Draft;
use crate::ir::named::Named;
use crate::target::{Features, Host};

/// The families that an extension is registered for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Families {
    /// All at once (`NFPROTO_UNSPEC`).
    All,
    /// IPv4 and IPv6, each by itself.
    Each,
    /// One of them.
    Only(Family),
}

impl Families {
    /// Whether `family` is one of them.
    pub fn have(self, family: Family) -> bool {
        match self {
            Self::All | Self::Each => true,
            Self::Only(only) => only == family,
        }
    }
}

/// The rule that an extension stands in.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The kernel that the rule is for.
    pub host: &'a Host,
    /// What the rule asks of the IP header.
    pub ip: IpPart<'a>,
    /// Mask of the hooks that reach it: `1 << NF_INET_*`.
    pub hooks: u32,
}

/// An extension's own check: what its `checkentry` does in the kernel.
type Check = fn(&Rule<'_>, &[u8]) -> Result<()>;

/// What an extension asks of packets: the port of its `match` function.
type Lower = fn(&mut Draft<'_, '_>, &[u8]) -> Result<()>;

/// Whether a rule with this data is left to the extension of that name and
/// revision in x_tables, where the kernel half calls that.
type Leaves = fn(&[u8]) -> bool;

/// The named table that a rule asks for, as the rule wants it to be. The match's
/// data is at an offset of all entries.
type Names = fn(&Extension, &mut [u8], usize) -> Result<Named>;

/// The data of an extension as a 32-bit program has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compat {
    /// Bytes of it: `compatsize`.
    pub(crate) size: u16,
    /// `compat_from_user`: reads what is at the start of the first, and writes to the second.
    /// `None` if there is too little of one.
    pub(crate) from_caller: fn(&[u8], &mut [u8]) -> Option<()>,
    /// `compat_to_user`, likewise.
    pub(crate) to_caller: fn(&Host, &[u8], &mut [u8]) -> Option<()>,
}

/// The longest name that can be registered: in the name's field of a checked
/// rule a NUL follows it, and then a number and the index in the registry.
pub(crate) const NAME_MAX: usize =
    EXTENSION_NAME_LEN - 1 - size_of::<u32>() - size_of::<registry::RegistryIndex>();
// The kernel half lets no longer one pass.
const _: () = assert!(NAME_MAX + 1 == bpfilter_msgfmt::NAME_MAX);

/// The registration of one revision of a match or target.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// Match or target.
    pub kind: ExtensionKind,
    name: &'static str,
    /// Its revision.
    pub revision: u8,
    /// The families that the kernel registers it for. They decide also what a
    /// caller hears who asks REPLACE for a revision that does not exist.
    pub families: Families,
    /// It looks at the transport header, whatever its `protocol` is.
    pub transport: bool,
    /// Bytes of its data, without the padding to a multiple of [`ALIGN`].
    pub size: u16,
    /// Bytes of its data that are given back; the rest reads as zero.
    pub user_size: u16,
    /// The only hooks that may reach it, 0 for all.
    pub hooks: u8,
    /// The only protocol whose rules may use it, 0 for all.
    pub protocol: u8,
    /// What it needs of the kernel.
    pub needs: Features,
    check: Check,
    pub(crate) lower: Lower,
    leaves: Leaves,
    /// Of one that 32-bit programs know by another layout on a 64-bit kernel. What is private
    /// to it stays in a table at rest, because they are given it back.
    pub(crate) compat: Option<Compat>,
    /// Of a match whose rules share tables by name.
    pub(crate) names: Option<Names>,
}

impl Extension {
    /// A match of revision 0 with `T` as its data, for all rules.
    const fn matching<T>(name: &'static str) -> Self {
        assert!(name.len() <= NAME_MAX && size_of::<T>() <= u16::MAX as usize);
        Self {
            kind: ExtensionKind::Match,
            name,
            revision: 0,
            families: Families::Each,
            transport: false,
            size: size_of::<T>() as u16,
            user_size: size_of::<T>() as u16,
            hooks: 0,
            protocol: 0,
            needs: Features::NONE,
            check: anything,
            lower: refused,
            leaves: |_| false,
            compat: None,
            names: None,
        }
    }

    /// A target of revision 0 with `T` as its data, for all rules.
    const fn target<T>(name: &'static str) -> Self {
        Self {
            kind: ExtensionKind::Target,
            ..Self::matching::<T>(name)
        }
    }

    /// Its name, without a NUL.
    pub fn name(&self) -> &'static [u8] {
        self.name.as_bytes()
    }

    /// Whether the kernel half is asked for it: `host` has a kernel half that
    /// calls x_tables, which does more for a rule with this data, or does what
    /// depends on the kernel. Or it looks at the transport header for a rule that
    /// does not follow the chain of IPv6 headers: it gets to see the IPv6 header
    /// then.
    pub(crate) fn is_left(&self, host: &Host, ip: IpPart<'_>, data: &[u8]) -> bool {
        let strays = matches!(ip, IpPart::V6(ip) if ip.flags & IP6T_F_PROTO == 0)
            && (self.protocol != 0 || self.transport);
        host.features.contains(Features::X_TABLES) && (strays || (self.leaves)(data))
    }

    /// xt_check_match and xt_check_target: whether it may stand in `rule`
    /// with `data`.
    pub fn check(&self, rule: &Rule<'_>, data: &[u8]) -> Result<(), Fault> {
        if data.len() != usize::from(self.size).next_multiple_of(ALIGN) {
            return Err(Cause::Size.into());
        }
        if self.hooks != 0 && rule.hooks & !u32::from(self.hooks) != 0 {
            return Err(Cause::Hook.into());
        }
        let other_protocol = self.protocol != 0
            && (u16::from(self.protocol) != rule.ip.proto()
                || rule.ip.invflags() & IPT_INV_PROTO != 0);
        if other_protocol {
            return Err(Cause::Protocol.into());
        }
        (self.check)(rule, data).map_err(|errno| Cause::Options.with(errno))
    }
}

/// xt_check_proc_name
#[cfg(feature = "links")]
fn check_proc_name(name: &[u8]) -> Result<()> {
    match c_string(name) {
        None => Err(Errno::ENAMETOOLONG),
        Some(b"" | b"." | b"..") => Err(Errno::EINVAL),
        Some(name) if !name.iter().all(|&byte| byte != b'/') => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

/// The check of an extension that takes any data.
fn anything(_: &Rule<'_>, _: &[u8]) -> Result<()> {
    Ok(())
}

/// The lowering of a match that is one op, with the rule's data as its payload.
fn question<const KIND: u8>(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    draft.question(KIND, data, false);
    Ok(())
}

/// The lowering of the standard and the ERROR target, which no rule calls: they
/// are actions of its record.
fn refused(_: &mut Draft<'_, '_>, _: &[u8]) -> Result<()> {
    Err(Errno::ENOENT)
}

// SPDX-License-Identifier: GPL-2.0-only
//! What the programs must know of the kernel they run on.
//!
//! Owns: the list of structure members, types and kfuncs, each of them a
//! [`Fact`] of every program, and which [`Features`] follow from them.
//! Resolved once from vmlinux BTF; a few hundred bytes that never change
//! while the kernel runs.

use super::Features;
use super::btf::{Btf, Kind, TypeId, cut};
use crate::bytes::read;
use crate::ir::kind;

/// What is to be known of a kernel, by its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fact(pub(crate) u8);

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident = $kind:ident $ty:literal
       $source:ident $((&[$($member:literal),*]))?;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        enum Index { $($name,)* COUNT }
        $($(#[$doc])* pub(crate) const $name: Fact = Fact(Index::$name as u8);)*
        /// Number of facts; parameters from here on are the program's own.
        pub(crate) const FACTS: usize = Index::COUNT as usize;
        const LONG: &str = concat!($($ty, $($(".", $member,)*)? mark!($kind $source),)*);
    };
}

/// What a fact's name ends with: what is looked for, and what is asked of it.
/// All of these are less than any character of a name.
macro_rules! mark {
    (Struct Offset) => {
        ","
    };
    (Enum Offset) => {
        "+"
    };
    (Struct Id) => {
        "*"
    };
    (Func Id) => {
        "("
    };
    (Struct Size) => {
        "#"
    };
}

/// The types and the paths of members, as `sk_buff.len,`, and `.data,` if the
/// type is the one before; five bits for a character.
static PACKED: [u8; pack::<0>(&TEXT).1] = pack(&TEXT).0;

const TEXT: [u8; TEXT_LEN] = squeeze(LONG.as_bytes()).0;
const TEXT_LEN: usize = squeeze::<0>(LONG.as_bytes()).1;

/// Room for the facts' names.
pub type Names = [u8; TEXT_LEN];

/// None yet.
pub const NO_NAMES: Names = [0; TEXT_LEN];

/// Five bits say one of the first characters, or that the next five bits say
/// one of the others.
static CHARACTERS: [u8; 46] = *b"abcdefghiklmnopqrstuvwxyz_.,(*+346ACEFNTX#j\0\0\0";
const SHIFT: usize = 31;

/// Leaves out each type's name that is the one before; with no room it only
/// counts.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
const fn squeeze<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let (mut out, mut len) = ([0; N], 0);
    // Where the last name starts.
    let mut last = 0;
    let mut at = 0;
    while at < text.len() {
        let start = at;
        let mut same = start != 0;
        while text[at] > b'.' {
            same &= text[at] == text[last + at - start];
            at += 1;
        }
        same &= text[last + at - start] <= b'.';
        last = start;
        if !same {
            at = start;
        }
        loop {
            if N != 0 {
                out[len] = text[at];
            }
            len += 1;
            at += 1;
            if text[at - 1] < b'.' {
                break;
            }
        }
    }
    (out, len)
}

/// The text in [`CHARACTERS`]; with no room it only counts.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
const fn pack<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let (mut out, mut bits) = ([0; N], 0);
    let mut at = 0;
    while at < text.len() {
        let mut code = 0;
        while CHARACTERS[code] != text[at] {
            code += 1;
        }
        let (mut codes, mut count) = (code, 1);
        if code >= SHIFT {
            (codes, count) = (SHIFT | (code - SHIFT) << 5, 2);
        }
        let mut bit = 0;
        while bit < 5 * count {
            if N != 0 {
                out[bits / 8] |= ((codes >> bit & 1) as u8) << (bits % 8);
            }
            bit += 1;
            bits += 1;
        }
        at += 1;
    }
    // What is read last is two bytes.
    (out, bits / 8 + 2)
}

/// The text of [`PACKED`].
fn unpack(names: &mut Names) {
    let mut bit = 0;
    let mut code = || {
        let word: u16 = read(&PACKED, bit / 8).unwrap_or_default();
        let code = usize::from(word >> (bit % 8)) & 31;
        bit += 5;
        code
    };
    for name in names {
        let character = match code() {
            SHIFT => SHIFT + code(),
            code => code,
        };
        *name = CHARACTERS.get(character).copied().unwrap_or_default();
    }
}

facts! {
    /// Length of the packet, from its IP header on.
    SKB_LEN = Struct "sk_buff" Offset(&["len"]);
    /// Bytes of it that are not in the linear part.
    SKB_DATA_LEN = Struct "sk_buff" Offset(&["data_len"]);
    /// Where the IP header is.
    SKB_DATA = Struct "sk_buff" Offset(&["data"]);
    /// Makes any number a pointer that may be read through.
    CAST = Func "bpf_rdonly_cast" Id;
    /// A structure of two 64-bit numbers, to read through.
    PAIR = Struct "timespec64" Id;
    /// A structure of one 32-bit number, to read through.
    WORD = Struct "in_addr" Id;
    /// Access to the parts of a packet that are not linear.
    DYNPTR = Func "bpf_dynptr_from_skb" Id;
    /// The incoming device, or NULL.
    STATE_IN = Struct "nf_hook_state" Offset(&["in"]);
    /// The outgoing device, or NULL.
    STATE_OUT = Struct "nf_hook_state" Offset(&["out"]);
    /// A device's name.
    DEV_NAME = Struct "net_device" Offset(&["name"]);
    /// The packet's mark.
    SKB_MARK = Struct "sk_buff" Offset(&["mark"]);
    /// The byte whose low three bits are the packet type.
    SKB_PKT_TYPE = Struct "sk_buff" Offset(&["pkt_type"]);
    /// The socket that it comes from, or NULL.
    SKB_SK = Struct "sk_buff" Offset(&["sk"]);
    /// Start of the buffer.
    SKB_HEAD = Struct "sk_buff" Offset(&["head"]);
    /// End of the buffer, where the shared information is, from its start.
    SKB_END = Struct "sk_buff" Offset(&["end"]);
    /// Whether the packet is more than one on the wire.
    GSO_SIZE = Struct "skb_shared_info" Offset(&["gso_size"]);
    /// What it is then.
    GSO_TYPE = Struct "skb_shared_info" Offset(&["gso_type"]);
    /// The namespace that a socket is in.
    SOCK_NET = Struct "sock" Offset(&["__sk_common", "skc_net", "net"]);
    /// The namespace of a hook.
    STATE_NET = Struct "nf_hook_state" Offset(&["net"]);
    /// `may_goto` exists if this does.
    MAY_GOTO = Struct "bpf_verifier_state" Offset(&["may_goto_depth"]);
    /// Numeric iterator, for kernels without `may_goto`.
    ITER_NEW = Func "bpf_iter_num_new" Id;
    /// Its next number.
    ITER_NEXT = Func "bpf_iter_num_next" Id;
    /// Its end.
    ITER_DESTROY = Func "bpf_iter_num_destroy" Id;
    /// The packet's connection, and in the low three bits its part in it.
    SKB_NFCT = Struct "sk_buff" Offset(&["_nfct"]);
    /// What the connection went through.
    CT_STATUS = Struct "nf_conn" Offset(&["status"]);
    /// When it ends.
    CT_TIMEOUT = Struct "nf_conn" Offset(&["timeout"]);
    /// Its two directions.
    CT_TUPLES = Struct "nf_conn" Offset(&["tuplehash", "tuple"]);
    /// From one to the other.
    TUPLE_STRIDE = Struct "nf_conntrack_tuple_hash" Size;
    /// Source address of a direction.
    TUPLE_SRC = Struct "nf_conntrack_tuple" Offset(&["src", "u3"]);
    /// Source port.
    TUPLE_SPORT = Struct "nf_conntrack_tuple" Offset(&["src", "u"]);
    /// Destination address.
    TUPLE_DST = Struct "nf_conntrack_tuple" Offset(&["dst", "u3"]);
    /// Destination port.
    TUPLE_DPORT = Struct "nf_conntrack_tuple" Offset(&["dst", "u"]);
    /// Protocol.
    TUPLE_PROTO = Struct "nf_conntrack_tuple" Offset(&["dst", "protonum"]);
    /// The functions of the kernel half, in the order of their kinds of op
    /// and of their features.
    REJECT = Func "bpf_xt_reject" Id;
    /// LOG.
    LOG = Func "bpf_xt_log" Id;
    /// NFLOG.
    NFLOG = Func "bpf_xt_nflog" Id;
    /// MARK.
    MARK = Func "bpf_xt_set_mark" Id;
    /// CONNMARK.
    CONNMARK = Func "bpf_xt_connmark" Id;
    /// addrtype.
    ADDRTYPE = Func "bpf_xt_addrtype" Id;
    /// Any match of the kernel's own.
    XT_MATCH = Func "bpf_xt_match" Id;
    /// Any target.
    XT_TARGET = Func "bpf_xt_target" Id;
    /// A connection's mark.
    CT_MARK = Struct "nf_conn" Offset(&["mark"]);
    /// The device that a packet is at.
    SKB_DEV = Struct "sk_buff" Offset(&["dev"]);
    /// A device's kind, `ARPHRD_*`.
    DEV_TYPE = Struct "net_device" Offset(&["type"]);
    /// Where the link layer's header is, from the buffer's start.
    SKB_MAC = Struct "sk_buff" Offset(&["mac_header"]);
    /// A device's group.
    DEV_GROUP = Struct "net_device" Offset(&["group"]);
    /// The packet's route; the lowest bit is a flag.
    SKB_DST = Struct "sk_buff" Offset(&["_skb_refdst"]);
    /// A route's realm.
    DST_REALM = Struct "dst_entry" Offset(&["tclassid"]);
    /// A socket.
    SOCK = Struct "sock" Id;
    /// Its state, `TCP_*`.
    SOCK_STATE = Struct "sock" Offset(&["__sk_common", "skc_state"]);
    /// Of a request for a connection: the listening socket.
    SOCK_LISTENER = Struct "sock" Offset(&["__sk_common", "skc_listener"]);
    /// What a process sees of a socket.
    SOCK_SOCKET = Struct "sock" Offset(&["sk_socket"]);
    /// The open file.
    SOCKET_FILE = Struct "socket" Offset(&["file"]);
    /// Who opened it.
    FILE_CRED = Struct "file" Offset(&["f_cred"]);
    /// Their user.
    CRED_USER = Struct "cred" Offset(&["fsuid"]);
    /// Their group.
    CRED_GROUP = Struct "cred" Offset(&["fsgid"]);
    /// Their other groups.
    CRED_GROUPS = Struct "cred" Offset(&["group_info"]);
    /// How many groups.
    GROUPS_COUNT = Struct "group_info" Offset(&["ngroups"]);
    /// The first one.
    GROUPS_FIRST = Struct "group_info" Offset(&["gid"]);
    /// Programs may ask which process runs: where there is tracing.
    TASK = Func "bpf_get_current_task_btf" Id;
    /// The clock of a timer that every process has.
    TASK_CLOCK = Struct "task_struct" Offset(&["dl", "dl_timer", "base"]);
    /// All clocks of the same CPU.
    CLOCKS = Struct "hrtimer_clock_base" Offset(&["cpu_base"]);
    /// From one of them to the next.
    CLOCK_STRIDE = Struct "hrtimer_clock_base" Size;
    /// How far each is ahead of the time since boot.
    CLOCK_AHEAD = Struct "hrtimer_cpu_base" Offset(&["clock_base", "offset"]);
    /// The connection that expected this one, or NULL.
    CT_MASTER = Struct "nf_conn" Offset(&["master"]);
    /// What else a connection carries, or NULL: it starts with where each is.
    CT_EXTRAS = Struct "nf_conn" Offset(&["ext"]);
    /// Which of it the counters are. The helper is the first.
    EXTRA_COUNTERS = Enum "nf_ct_ext_id" Offset(&["NF_CT_EXT_ACCT"]);
    /// The counters: packets and bytes of each direction, 64 bits each.
    COUNTERS = Struct "nf_conn_acct" Id;
    /// The helper's name.
    HELPER_NAME = Struct "nf_conntrack_helper" Offset(&["name"]);
}

/// The facts without which no program is possible.
const REQUIRED: core::ops::RangeInclusive<u8> = SKB_LEN.0..=GSO_TYPE.0;
/// The facts that a feature needs: the first and the last one.
static NEEDED: [(Fact, Fact, Features); 8] = [
    (SKB_NFCT, TUPLE_PROTO, Features::CONNTRACK),
    (CT_MARK, CT_MARK, Features::CONNECTION_MARKS),
    (SKB_DEV, SKB_MAC, Features::LINK_LAYER),
    (DEV_GROUP, DEV_GROUP, Features::DEVICE_GROUPS),
    (SKB_DST, DST_REALM, Features::REALMS),
    (SOCK, GROUPS_FIRST, Features::SOCKETS),
    (TASK, CLOCK_AHEAD, Features::CLOCK),
    (CT_MASTER, HELPER_NAME, EXTRAS),
];

const EXTRAS: Features = Features::CONNECTION_EXTRAS.with(Features::ACCOUNTING);

/// The function that an op of a kind calls.
pub(crate) const fn function(kind: u8) -> Fact {
    Fact(REJECT.0 + kind - kind::REJECT)
}

const _: () = assert!(
    function(kind::LOG).0 == LOG.0
        && function(kind::NFLOG).0 == NFLOG.0
        && function(kind::MARK).0 == MARK.0
        && function(kind::CONNMARK).0 == CONNMARK.0
        && function(kind::ADDRTYPE).0 == ADDRTYPE.0
        && function(kind::XT_MATCH).0 == XT_MATCH.0
        && function(kind::XT_TARGET).0 == XT_TARGET.0
);

/// A fact that is absent.
const ABSENT: i32 = -1;

/// What is known of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    facts: [i32; FACTS],
}

impl Kernel {
    /// Looks everything up; an error is the name of what is missing.
    pub fn resolve<'n>(btf: &Btf<'_>, names: &'n mut Names) -> Result<Self, &'n [u8]> {
        unpack(names);
        let mut wanted = [(Kind::Struct, &[][..]); FACTS];
        let mut asked = [(0, &[][..]); FACTS];
        let (mut rest, mut last) = (&names[..], &[][..]);
        for (wanted, asked) in wanted.iter_mut().zip(&mut asked) {
            let (fact, mark);
            (fact, mark, rest) = cut(rest, |character| character < b'.');
            let (name, _, members) = cut(fact, |character| character == b'.');
            if !name.is_empty() {
                last = name;
            }
            let kind = match mark {
                b'(' => Kind::Func,
                b'+' => Kind::Enum,
                _ => Kind::Struct,
            };
            *wanted = (kind, last);
            *asked = (mark, members);
        }
        let mut ids: [Option<TypeId>; FACTS] = [None; FACTS];
        btf.find(&wanted, &mut ids);
        let mut facts = [ABSENT; FACTS];
        for (fact, (id, (mark, path))) in facts.iter_mut().zip(ids.into_iter().zip(asked)) {
            let value = id.and_then(|id| match mark {
                b'(' | b'*' => Some(id.0),
                b'#' => btf.size(id),
                _ => btf.offset(id, path),
            });
            *fact = value
                .and_then(|value| i32::try_from(value).ok())
                .unwrap_or(ABSENT);
        }
        let kernel = Self { facts };
        for fact in REQUIRED {
            if !kernel.has(Fact(fact)) {
                return Err(wanted
                    .get(usize::from(fact))
                    .map_or(&[][..], |wanted| wanted.1));
            }
        }
        if !kernel.has_may_goto() && !kernel.has_all(ITER_NEW, ITER_DESTROY) {
            return Err(b"bpf_iter_num_new");
        }
        Ok(kernel)
    }

    /// What it would be before Linux 6.9: loops without `may_goto`.
    pub fn without_may_goto(mut self) -> Self {
        if let Some(fact) = self.facts.get_mut(usize::from(MAY_GOTO.0)) {
            *fact = ABSENT;
        }
        self
    }

    /// The extensions that can be enforced.
    pub fn features(&self) -> Features {
        let mut features = Features::NONE;
        for (first, last, feature) in NEEDED {
            if self.has_all(first, last) {
                features = features.with(feature);
            }
        }
        for kind in kind::REJECT..=kind::XT_TARGET {
            if self.has(function(kind)) {
                features = features.with(Features::function(kind));
            }
        }
        // A table is searched under its lock, where no iterator may be asked.
        if self.has_may_goto() {
            features = features.with(Features::TABLES);
        }
        features
    }

    /// Where a connection has its mark.
    pub(crate) fn connection_mark(&self) -> i32 {
        self.fact(CT_MARK)
    }

    /// Whether loops are instructions, or calls of an iterator.
    pub(crate) fn has_may_goto(&self) -> bool {
        self.has(MAY_GOTO)
    }

    /// The value of a fact.
    pub(crate) fn fact(&self, fact: Fact) -> i32 {
        self.facts
            .get(usize::from(fact.0))
            .copied()
            .unwrap_or(ABSENT)
    }

    fn has_all(&self, first: Fact, last: Fact) -> bool {
        (first.0..=last.0).all(|fact| self.has(Fact(fact)))
    }

    fn has(&self, fact: Fact) -> bool {
        self.fact(fact) != ABSENT
    }

    /// All facts, as the first parameters of a program.
    pub(crate) fn facts(&self) -> &[i32; FACTS] {
        &self.facts
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! What the programs must know of the kernel they run on.
//!
//! Owns: the list of structure members, types and kfuncs, each of them a
//! [`Fact`] of every program, and which [`Features`] follow from them.
//! Resolved once from vmlinux BTF; a few hundred bytes that never change
//! while the kernel runs.

use super::btf::{Btf, Kind, TypeId};
use super::{Fact, Features};

/// How something is looked for in BTF.
struct Query {
    ask: Ask,
    /// The type or function.
    name: &'static str,
    /// The members on the way, as `src.u3`.
    path: &'static str,
}

/// What is asked of it.
#[derive(Clone, Copy)]
enum Ask {
    /// The number of a structure.
    Struct,
    /// The number of a function.
    Func,
    /// The bytes of a structure.
    Size,
    /// Where in a structure a member is.
    Member,
    /// The value of an enumerator.
    Enumerator,
}

const fn structure(name: &'static str) -> Query {
    let (ask, path) = (Ask::Struct, "");
    Query { ask, name, path }
}

const fn func(name: &'static str) -> Query {
    let (ask, path) = (Ask::Func, "");
    Query { ask, name, path }
}

const fn size(name: &'static str) -> Query {
    let (ask, path) = (Ask::Size, "");
    Query { ask, name, path }
}

const fn member(name: &'static str, path: &'static str) -> Query {
    let ask = Ask::Member;
    Query { ask, name, path }
}

const fn enumerator(name: &'static str, path: &'static str) -> Query {
    let ask = Ask::Enumerator;
    Query { ask, name, path }
}

/// Who needs facts.
#[derive(Clone, Copy)]
enum Needed {
    /// Every program.
    Always,
    /// What has these features.
    By(Features),
    /// Nobody: programs do without, or have another way.
    ByNone,
}

macro_rules! facts {
    ($([$needed:expr] $($(#[$doc:meta])* $name:ident = $query:expr;)*)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        enum Index { $($($name,)*)* COUNT }
        $($($(#[$doc])* pub(crate) const $name: Fact = Fact(Index::$name as u8);)*)*
        /// Number of facts; parameters from here on are the program's own.
        pub(crate) const FACTS: usize = Index::COUNT as usize;
        static QUERIES: [Query; FACTS] = [$($($query,)*)*];
        static NEEDED: &[(Needed, &[Fact])] = &[$(($needed, &[$($name,)*]),)*];
    };
}

facts! {
    [Needed::Always]
    /// Length of the packet, from its IP header on.
    SKB_LEN = member("sk_buff", "len");
    /// Bytes of it that are not in the linear part.
    SKB_DATA_LEN = member("sk_buff", "data_len");
    /// Where the IP header is.
    SKB_DATA = member("sk_buff", "data");
    /// Makes any number a pointer that may be read through.
    CAST = func("bpf_rdonly_cast");
    /// A structure of two 64-bit numbers, to read through.
    PAIR = structure("timespec64");
    /// A structure of one 32-bit number, to read through.
    WORD = structure("in_addr");
    /// The packet, and the hook that it is at: read through a pointer that is
    /// cast to these, a pointer member is no trusted one, for which the
    /// verifier would look through the names of all of the kernel's types.
    SKB = structure("sk_buff");
    HOOK_STATE = structure("nf_hook_state");
    /// Access to the parts of a packet that are not linear.
    DYNPTR = func("bpf_dynptr_from_skb");
    /// The incoming device, or NULL.
    STATE_IN = member("nf_hook_state", "in");
    /// The outgoing device, or NULL.
    STATE_OUT = member("nf_hook_state", "out");
    /// A device's name.
    DEV_NAME = member("net_device", "name");
    /// The packet's mark.
    SKB_MARK = member("sk_buff", "mark");
    /// The byte whose low three bits are the packet type.
    SKB_PKT_TYPE = member("sk_buff", "pkt_type");
    /// The socket that it comes from, or NULL.
    SKB_SK = member("sk_buff", "sk");
    /// Start of the buffer.
    SKB_HEAD = member("sk_buff", "head");
    /// End of the buffer, where the shared information is, from its start.
    SKB_END = member("sk_buff", "end");
    /// Whether the packet is more than one on the wire.
    GSO_SIZE = member("skb_shared_info", "gso_size");
    /// What it is then.
    GSO_TYPE = member("skb_shared_info", "gso_type");

    // What is left out where it is absent.
    [Needed::ByNone]
    /// The namespace that a socket is in.
    SOCK_NET = member("sock", "__sk_common.skc_net.net");
    /// The namespace of a hook.
    STATE_NET = member("nf_hook_state", "net");

    // A table is searched under its lock, where no iterator may be asked.
    [Needed::By(Features::TABLES)]
    /// `may_goto` exists if this does.
    MAY_GOTO = member("bpf_verifier_state", "may_goto_depth");

    [Needed::ByNone]
    /// Numeric iterator, for kernels without `may_goto`.
    ITER_NEW = func("bpf_iter_num_new");
    /// Its next number.
    ITER_NEXT = func("bpf_iter_num_next");
    /// Its end.
    ITER_DESTROY = func("bpf_iter_num_destroy");

    [Needed::By(Features::CONNTRACK)]
    /// The packet's connection, and in the low three bits its part in it.
    SKB_NFCT = member("sk_buff", "_nfct");
    /// What the connection went through.
    CT_STATUS = member("nf_conn", "status");
    /// When it ends.
    CT_TIMEOUT = member("nf_conn", "timeout");
    /// Its two directions.
    CT_TUPLES = member("nf_conn", "tuplehash.tuple");
    /// From one to the other.
    TUPLE_STRIDE = size("nf_conntrack_tuple_hash");
    /// Source address of a direction.
    TUPLE_SRC = member("nf_conntrack_tuple", "src.u3");
    /// Source port.
    TUPLE_SPORT = member("nf_conntrack_tuple", "src.u");
    /// Destination address.
    TUPLE_DST = member("nf_conntrack_tuple", "dst.u3");
    /// Destination port.
    TUPLE_DPORT = member("nf_conntrack_tuple", "dst.u");
    /// Protocol.
    TUPLE_PROTO = member("nf_conntrack_tuple", "dst.protonum");

    [Needed::By(Features::CONNECTION_MARKS)]
    /// A connection's mark.
    CT_MARK = member("nf_conn", "mark");

    [Needed::By(Features::LINK_LAYER)]
    /// The device that a packet is at.
    SKB_DEV = member("sk_buff", "dev");
    /// A device's kind, `ARPHRD_*`.
    DEV_TYPE = member("net_device", "type");
    /// Where the link layer's header is, from the buffer's start.
    SKB_MAC = member("sk_buff", "mac_header");

    [Needed::By(Features::DEVICE_GROUPS)]
    /// A device's group.
    DEV_GROUP = member("net_device", "group");

    [Needed::By(Features::REALMS)]
    /// The packet's route; the lowest bit is a flag.
    SKB_DST = member("sk_buff", "_skb_refdst");
    /// A route's realm.
    DST_REALM = member("dst_entry", "tclassid");

    [Needed::By(Features::SOCKETS)]
    /// A socket.
    SOCK = structure("sock");
    /// Its state, `TCP_*`.
    SOCK_STATE = member("sock", "__sk_common.skc_state");
    /// Of a request for a connection: the listening socket.
    SOCK_LISTENER = member("sock", "__sk_common.skc_listener");
    /// What a process sees of a socket.
    SOCK_SOCKET = member("sock", "sk_socket");
    /// The open file.
    SOCKET_FILE = member("socket", "file");
    /// Who opened it.
    FILE_CRED = member("file", "f_cred");
    /// Their user.
    CRED_USER = member("cred", "fsuid");
    /// Their group.
    CRED_GROUP = member("cred", "fsgid");
    /// Their other groups.
    CRED_GROUPS = member("cred", "group_info");
    /// How many groups.
    GROUPS_COUNT = member("group_info", "ngroups");
    /// The first one.
    GROUPS_FIRST = member("group_info", "gid");

    [Needed::By(Features::CLOCK)]
    /// Programs may ask which process runs: where there is tracing.
    TASK = func("bpf_get_current_task_btf");
    /// The process, read as [`SKB`] is.
    TASK_STRUCT = structure("task_struct");
    /// The clock of a timer that every process has.
    TASK_CLOCK = member("task_struct", "dl.dl_timer.base");
    /// All clocks of the same CPU.
    CLOCKS = member("hrtimer_clock_base", "cpu_base");
    /// From one of them to the next.
    CLOCK_STRIDE = size("hrtimer_clock_base");
    /// How far each is ahead of the time since boot.
    CLOCK_AHEAD = member("hrtimer_cpu_base", "clock_base.offset");

    [Needed::By(EXTRAS)]
    /// The connection that expected this one, or NULL.
    CT_MASTER = member("nf_conn", "master");
    /// What else a connection carries, or NULL: it starts with where each is.
    CT_EXTRAS = member("nf_conn", "ext");
    /// Which of it the counters are. The helper is the first.
    EXTRA_COUNTERS = enumerator("nf_ct_ext_id", "NF_CT_EXT_ACCT");
    /// The counters: packets and bytes of each direction, 64 bits each.
    COUNTERS = structure("nf_conn_acct");
    /// The helper's name.
    HELPER_NAME = member("nf_conntrack_helper", "name");
}

const EXTRAS: Features = Features::CONNECTION_EXTRAS.with(Features::ACCOUNTING);

/// A fact that is absent.
const ABSENT: i32 = -1;

/// What is known of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    facts: [i32; FACTS],
}

impl Kernel {
    /// Looks everything up; an error is the name of what is missing.
    pub fn resolve(btf: &Btf<'_>) -> Result<Self, &'static str> {
        let mut wanted = [(Kind::Struct, &[][..]); FACTS];
        for (wanted, query) in wanted.iter_mut().zip(&QUERIES) {
            let kind = match query.ask {
                Ask::Struct | Ask::Size | Ask::Member => Kind::Struct,
                Ask::Func => Kind::Func,
                Ask::Enumerator => Kind::Enum,
            };
            *wanted = (kind, query.name.as_bytes());
        }
        let mut ids: [Option<TypeId>; FACTS] = [None; FACTS];
        btf.find(&wanted, &mut ids);
        let mut facts = [ABSENT; FACTS];
        for ((fact, id), query) in facts.iter_mut().zip(ids).zip(&QUERIES) {
            let value = id.and_then(|id| match query.ask {
                Ask::Struct | Ask::Func => Some(id.0),
                Ask::Size => btf.size(id),
                Ask::Member | Ask::Enumerator => btf.offset(id, query.path.as_bytes()),
            });
            *fact = value
                .and_then(|value| i32::try_from(value).ok())
                .unwrap_or(ABSENT);
        }
        let kernel = Self { facts };
        for (needed, facts) in NEEDED {
            if let Needed::Always = needed
                && let Some(missing) = facts.iter().find(|&&fact| !kernel.has(fact))
            {
                let query = QUERIES.get(usize::from(missing.0));
                return Err(query.map_or("", |query| query.name));
            }
        }
        if !kernel.has_may_goto() && !kernel.has_all(&[ITER_NEW, ITER_NEXT, ITER_DESTROY]) {
            return Err("bpf_iter_num_new");
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
        for &(needed, facts) in NEEDED {
            if let Needed::By(found) = needed
                && self.has_all(facts)
            {
                features = features.with(found);
            }
        }
        features
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

    fn has_all(&self, facts: &[Fact]) -> bool {
        facts.iter().all(|&fact| self.has(fact))
    }

    fn has(&self, fact: Fact) -> bool {
        self.fact(fact) != ABSENT
    }

    /// All facts, as the first parameters of a program.
    pub(crate) fn facts(&self) -> &[i32; FACTS] {
        &self.facts
    }
}

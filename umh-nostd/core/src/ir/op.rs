// SPDX-License-Identifier: GPL-2.0-only
//! The kinds of op.
//!
//! Owns: the one declaration of each kind, and the table of what is declared.
//! The programs' code for it is named here and written in `program`; its
//! number, its label, the sets of kinds, what a program needs for it and its
//! name in listings follow.

use super::record::{Bucket, OP, Pattern};
#[cfg(feature = "links")]
use super::table_ops::{Addresses, LimitRates};
use crate::abi::xt::Time;
#[cfg(feature = "links")]
use crate::abi::xt::{ConnBytes, Helper};

/// Hands all kinds to the macro `each`, in the order in which their code is
/// emitted. A line says
///
/// - the number, below 64, that an op of this kind has in the map;
/// - how its code ends, one of [`Ends`];
/// - what it reads of the packet besides fields, one of [`Reads`];
/// - the payload that follows the op in the map, and what the op keeps in the
///   state map, where its `mask` says;
/// - where its code comes from: `code(...)` is a constant block, `built(...)` a
///   method that emits it.
macro_rules! for_each_op {
    ($each:ident) => {
        $each! {
            /// `((field[what] & mask) - low) <= span`.
            TEST = 1: Compares, reads Nothing, payload (), state (), code(TEST);
            /// Is the transport header there? `what`: 0 all of it, 1 the ports.
            GUARD = 2: Holds, reads Nothing, payload (), state (), code(GUARD);
            /// Can the chain of an IPv6 packet's headers be followed? If not it is
            /// dropped.
            CHAIN = 24: Always, reads Nothing, payload (), state (), code(CHAIN);
            /// A port is in a list. `mask` and `low` are or-ed to the source and
            /// the destination port. The payload is ranges.
            PORTS = 3: Answers, reads Nothing, payload [[u16; 2]; 15], state (), built(ports);

            /// A match of x_tables, whose number is `low`: the kernel half runs it.
            XT_MATCH = 30: Calls, reads Nothing, payload (), state (), code(XT_MATCH);

            /// A table of rates. `what`: bits of [`super::hashlimit`]. `mask`: the
            /// table's number; `low` and `span`: the bits of both addresses that
            /// count.
            #[cfg(feature = "links")]
            HASHLIMIT = 23: Answers, reads Packet, payload LimitRates, state (), built(tables);
            /// A table of addresses. `what`: bits of [`super::recent`], and above
            /// them the array that it is in. `mask`: the bits of an address that
            /// count; `low`: how many times; `span`: how many ticks ago.
            #[cfg(feature = "links")]
            RECENT = 22: Answers, reads Nothing, payload Addresses, state (), built(addresses_alone);
            /// A token bucket. `low` is a packet's cost, `span` the cap.
            LIMIT = 4: Holds, reads Nothing, payload (), state Bucket, code(LIMIT);
            /// The TCP option `what` is there. If `mask` is not 0: the first of
            /// four bytes, and as `TEST`, on its number.
            TCP_OPTION = 5: Compares, reads Packet, payload (), state (), code(TCP_OPTION);
            /// The interface's name. `what`: 0 in, 1 out.
            INTERFACE = 6: Answers, reads Nothing, payload Pattern, state (), code(INTERFACE);
            /// As `TEST`, on 32 bits at offset `what` of the connection.
            #[cfg(feature = "links")]
            CT_WORD = 8: Compares, reads Nothing, payload (), state (), code(CT_WORD);
            /// As `TEST`, on a port at offset `what` of the connection.
            #[cfg(feature = "links")]
            CT_PORT = 9: Compares, reads Nothing, payload (), state (), code(CT_PORT);
            /// As `TEST`, on the seconds that the connection has to live.
            #[cfg(feature = "links")]
            CT_EXPIRES = 10: Compares, reads Nothing, payload (), state (), code(CT_EXPIRES);
            /// If a later op fails the ops go on `low` bytes from here; 0:
            /// the rule fails.
            OTHERWISE = 11: Always, reads Nothing, payload (), state (), code(OTHERWISE);
            /// As `TEST`, on a random number.
            RANDOM = 12: Compares, reads Nothing, payload (), state (), code(RANDOM);
            /// Each packet counts one up, from `low` on to 0, where it matches.
            NTH = 13: Answers, reads Nothing, payload (), state Bucket, code(NTH);
            /// Takes the packet's length from what is left.
            QUOTA = 14: Answers, reads Nothing, payload (), state Bucket, code(QUOTA);
            /// Four bytes of the packet, `mask` bytes behind a place: the IP header
            /// if `what` is 0, the transport header if it is 1; if it is 2, as far
            /// behind the last one's place as what the last one has found says.
            /// They become what is found. Where they are cut off the op fails; if
            /// `low` is not 0 the packet is dropped.
            PAYLOAD = 15: Holds, reads Packet, payload (), state (), code(PAYLOAD_WORD);
            /// What is found is masked with `mask`, shifted left by `low`, then
            /// right by `span`.
            SHIFT = 16: Always, reads Nothing, payload (), state (), code(SHIFT);
            /// One of the other groups of who opened the socket is `low` or up to
            /// `span` more.
            #[cfg(feature = "links")]
            GROUPS = 17: Answers, reads Nothing, payload (), state (), code(GROUPS);
            /// What is found becomes the bit of that number.
            BIT = 21: Always, reads Nothing, payload (), state (), code(BIT);
            /// The wall clock.
            TIME = 18: Holds, reads Nothing, payload Time, state (), code(TIME);
            /// What a connection has counted.
            #[cfg(feature = "links")]
            CONNBYTES = 19: Answers, reads Nothing, payload ConnBytes, state (), code(CONNBYTES);
            /// The helper that expected a connection.
            #[cfg(feature = "links")]
            HELPER = 20: Answers, reads Nothing, payload Helper, state (), code(HELPER);
        }
    };
}
pub(crate) use for_each_op;

/// How the code of an op ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ends {
    /// A number is compared as the op says, which answers.
    Compares,
    /// Yes or no, which the op may invert.
    Answers,
    /// The op holds, or the rule fails.
    Holds,
    /// The op holds, unless the packet is dropped.
    Always,
    /// The kernel half says whether it holds.
    Calls,
}

/// What an op reads of the packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reads {
    /// Only what the prologue has read.
    Nothing,
    /// Bytes, which the op copies.
    Packet,
}

/// What is declared of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpKind {
    /// Its number.
    pub(crate) kind: u8,
    pub(crate) ends: Ends,
    pub(crate) reads: Reads,
}

impl OpKind {
    /// Whether it is in a set of kinds.
    pub(crate) fn is_in(&self, kinds: u64) -> bool {
        kinds >> self.kind & 1 != 0
    }
}

macro_rules! declare {
    ($($(#[doc = $doc:literal])* $(#[cfg($($cfg:tt)*)])?
       $name:ident = $number:literal: $ends:ident, reads $reads:ident,
       payload $payload:ty, state $state:ty, $how:ident($what:ident);)*) => {
        /// The numbers of kinds.
        pub(crate) mod kind {
            $($(#[doc = $doc])* $(#[cfg($($cfg)*)])? pub(crate) const $name: u8 = $number;)*
        }

        /// All kinds, in the order in which their code is emitted.
        pub(crate) static OPS: [OpKind; COUNT] = DECLARED;
        const COUNT: usize = [$($(#[cfg($($cfg)*)])? $number),*].len();
        const DECLARED: [OpKind; COUNT] = [$($(#[cfg($($cfg)*)])? OpKind {
            kind: $number,
            ends: Ends::$ends,
            reads: Reads::$reads,
        }),*];
        /// Bytes of each one's payload, and of what it keeps.
        const SIZES: [[usize; 2]; COUNT] = [$($(#[cfg($($cfg)*)])? [size_of::<$payload>(), size_of::<$state>()]),*];
        static NAMES: [&str; COUNT] = [$($(#[cfg($($cfg)*)])? stringify!($name)),*];
    };
}
for_each_op!(declare);

/// The name of a kind.
pub(crate) fn name(kind: u8) -> Option<&'static str> {
    let index = OPS.iter().position(|op| op.kind == kind)?;
    NAMES.get(index).copied()
}

/// Bytes of the longest op: any op may be read as if it were this long.
#[allow(clippy::indexing_slicing, reason = "run by the compiler alone")]
pub const LONGEST_OP: usize = {
    let (mut index, mut longest) = (0, 0);
    let mut seen = 0u64;
    while index < COUNT {
        let (kind, [payload, state]) = (DECLARED[index].kind, SIZES[index]);
        assert!(
            kind < 64 && seen >> kind & 1 == 0,
            "a number that is not free"
        );
        assert!(state == 0 || state == size_of::<Bucket>());
        seen |= 1 << kind;
        let len = OP + payload.next_multiple_of(OP);
        if len > longest {
            longest = len;
        }
        index += 1;
    }
    // As an op's flags hold it.
    assert!(longest <= super::record::flag::SIZE as usize);
    longest
};

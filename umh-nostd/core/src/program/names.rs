// SPDX-License-Identifier: GPL-2.0-only
//! The names of places, parameters and needs of a program.
//!
//! Owns: a list of each, from which their numbers follow. What a label stands
//! for is in the file that binds it; values of parameters and needs are set by
//! [`super::build`].

use super::asm::{Label, Need, Needs, Param};
use crate::ir::FIELDS;
use crate::target::FACTS;

macro_rules! numbered {
    ($of:ident $first:expr; $($(#[$about:meta])* $name:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        enum Number { $($(#[$about])* $name,)* COUNT }
        $($(#[$about])* pub(in crate::program) const $name: $of = $of($first + Number::$name as u8);)*
        pub(in crate::program) const COUNT: usize = Number::COUNT as usize;
    };
}

/// Places that more than one part of a program jumps to.
pub(super) mod label {
    use super::Label;

    numbered! { Label 0;
        /// The packet is gone.
        DROP
        /// R0 is the verdict.
        EXIT
        /// The search goes on at R7.
        SEARCH
        /// The same, after a rule that matched or failed.
        SEARCH_AGAIN
        /// The same, with 0 in the scratch registers.
        SEARCH_ON
        /// The packet is malformed.
        MALFORMED
        /// The record of rule R7 matches.
        CANDIDATE
        /// The same for a malformed packet.
        MALFORMED_CANDIDATE
        /// Rule R7, which there is, matches. R3 = what happens.
        MATCHED
        /// Rule R7 is to be told, as the packet is traced. R3 = what happens.
        TRACE
        /// The packet counts for rule R7 on CPU R0. R3 = what happens.
        COUNTS
        /// There is no rule R7: the packet comes back, and that was told.
        NO_RULE
        /// The op at R1 is asked.
        ASK
        /// The same after another one, with 0 in the scratch registers.
        ASK_NEXT
        /// The target whose number is R3 is to be run.
        TARGET
        /// R1 is compared as the op at R2 says.
        COMPARE
        /// The answer is yes, before inversion.
        YES
        /// The answer is no, before inversion.
        NO
        /// The op holds.
        HOLDS
        /// The op does not hold.
        NOT
        /// The search goes on at R7, one record after the other.
        LINEAR
        /// The list goes on.
        NEXT_LISTED
        /// R0 is the rule.
        LISTED
        /// The table is one of addresses, which have room for R4 times each;
        /// it is in the array at R1.
        #[cfg(feature = "links")]
        ADDRESSES
        /// The next address of a table.
        #[cfg(feature = "links")]
        NEXT_SLOT
        /// All of them have been looked at.
        #[cfg(feature = "links")]
        SLOTS_DONE
        /// The next time of an address.
        #[cfg(feature = "links")]
        NEXT_STAMP
        /// The table is unlocked, and the packet dropped.
        #[cfg(feature = "links")]
        GIVE_UP
        /// The table is unlocked.
        #[cfg(feature = "links")]
        UNLOCK
        /// The next TCP option is looked at.
        NEXT_OPTION
        /// The next group of who opened the socket is looked at.
        #[cfg(feature = "links")]
        NEXT_OWNER
        /// No record is free.
        #[cfg(feature = "links")]
        NO_RECORD
        /// The next record is tried.
        #[cfg(feature = "links")]
        NEXT_RECORD
        /// There have been too many rounds.
        #[cfg(feature = "links")]
        TIRED
    }
}

/// The numbers that differ from program to program.
pub(super) mod param {
    use super::{FACTS, Param};

    numbered! { Param FACTS as u8;
        /// Zero.
        ZERO
        /// Of the data map: bits that count for malformed packets.
        MALFORMED_KEEPS
        /// Of the data map: records.
        RECORDS
        /// Of the data map: ops.
        OPS
        /// Where the last op may start.
        LAST_OP
        /// Where the last bucket may start.
        LAST_BUCKET
        /// Number of rules.
        RULES
        /// Where the last record of a packet may start.
        LAST_PACKET
        /// Number of CPUs.
        CPUS
        /// Bytes of a row of counters.
        ROW
        /// How deep jumps may nest.
        NESTING
        /// Of the data map: rules that are in no bucket.
        LIST
        /// Words of a bitmap.
        NUM_WORDS
        /// Words of its aggregate.
        NUM_AGGREGATE
        /// Of the data map: numbers of bits.
        BIT_NUMBERS
        /// Credits that a tick brings.
        PER_TICK
        /// Ticks in a second.
        #[cfg(feature = "links")]
        HZ
        /// Bytes of a record of a packet.
        #[cfg(feature = "links")]
        PACKET_SIZE
        /// Number of records.
        #[cfg(feature = "links")]
        PACKETS
    }
}

/// What a program has only if its table needs it.
pub(super) mod need {
    use super::Need;
    #[cfg(feature = "links")]
    use crate::ir::Field;

    /// A field of the packet.
    #[cfg(feature = "links")]
    pub(in crate::program) const fn field(field: Field) -> Need {
        Need(field as u8)
    }

    /// Ops of a kind.
    pub(in crate::program) const fn op(kind: u8) -> Need {
        Need(OPS_FROM + kind)
    }

    /// The bits of kinds start here; before them are those of fields.
    pub(in crate::program) const OPS_FROM: u8 = 32;
    /// The bits of everything else start here.
    pub(in crate::program) const OTHERS_FROM: u8 = OPS_FROM + 64;

    numbered! { Need OTHERS_FROM;
        /// The program reads the packet itself, for a netfilter link.
        LINKS
        /// The transport header.
        TRANSPORT
        /// The hook (struct nf_hook_state).
        #[cfg(feature = "links")]
        HOOK_STATE
        /// The same later on, for sockets.
        #[cfg(feature = "links")]
        STATE
        /// Packets that this machine sends.
        #[cfg(feature = "links")]
        LOCAL_OUT
        /// Packets that are on their way through.
        #[cfg(feature = "links")]
        FORWARD
        /// Tables of matches: recent's and hashlimit's.
        #[cfg(feature = "links")]
        TABLES
        /// The incoming interface's name.
        #[cfg(feature = "links")]
        INCOMING
        /// The outgoing interface's name.
        #[cfg(feature = "links")]
        OUTGOING
        /// Addresses of IPv6.
        IPV6
        /// Ops that are asked before a rule matches.
        OPS
        /// Some of these of a packet that is not malformed.
        PLAIN_OPS
        /// Targets that are no verdicts.
        TARGETS
        /// Matches that the kernel half runs.
        CALLS
        /// Ops that end at COMPARE.
        COMPARE
        /// Ops that end at YES or NO.
        ANSWER
        /// An index.
        INDEX
        /// An iterator instead of `may_goto`.
        #[cfg(feature = "links")]
        ITERATOR
        /// More than one namespace.
        #[cfg(feature = "links")]
        SOCK_NET
        /// Ops that read the packet themselves.
        PAYLOAD
    }
}

// Numbers of one kind must not run into those of another.
const _: () = {
    assert!(label::COUNT <= Label::LOCAL as usize);
    assert!(FACTS + param::COUNT <= Param::COUNT);
    assert!(FIELDS <= need::OPS_FROM as usize);
    assert!(need::OTHERS_FROM as usize + need::COUNT <= Needs::BITS as usize);
};

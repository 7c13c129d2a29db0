// SPDX-License-Identifier: GPL-2.0-only
//! The names of places, parameters, needs and shared blocks of a program.
//!
//! Owns: a list of each, from which their numbers follow. What a label stands
//! for is in the file that binds it; values of parameters and needs are set by
//! [`super::build`].

use super::asm::{Label, Need, Needs, Param, Shared};
use crate::ir::FIELDS;
use crate::target::kernel::FACTS;

macro_rules! numbered {
    ($of:ident $first:expr; $($(#[$doc:meta])* $name:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        enum Number { $($name,)* COUNT }
        $($(#[$doc])* pub(in crate::program) const $name: $of = $of($first + Number::$name as u8);)*
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
        /// The record of rule R7 matches.
        CANDIDATE
        /// Rule R7 matches.
        MATCHED
        /// Rule R7 does not match after all.
        FAILED
        /// Its target lets go of a packet that it may have changed.
        CHANGED
        /// The op at R1 is asked.
        ASK
        /// The op at R3 is the target of the rule that matched.
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
        /// Whether the op holds is R1.
        ANSWERED
        /// R7 is pushed, and has no room in the frame.
        PUSH_DEEP
        /// R7 is popped, and is not in the frame.
        POP_DEEP
        /// R7 is pushed; the search goes on at R3.
        PUSHED
        /// The next place is tried.
        NEXT_PLACE
        /// The search goes on at R7, one record after the other.
        LINEAR
        /// The next group of the index is asked.
        NEXT_GROUP
        /// A group has been asked.
        GROUP_DONE
        /// All groups have been asked.
        GROUPS_DONE
        /// The list goes on.
        NEXT_LISTED
        /// R1 is the rule.
        LISTED
        /// The table is one of addresses, which have room for R4 times each;
        /// it is in the array at R1.
        ADDRESSES
        /// The next address of a table.
        NEXT_SLOT
        /// All of them have been looked at.
        SLOTS_DONE
        /// The next time of an address.
        NEXT_STAMP
        /// The table is unlocked, and the packet dropped.
        GIVE_UP
        /// The table is unlocked.
        UNLOCK
        /// The next TCP option is looked at.
        NEXT_OPTION
        /// The next group of who opened the socket is looked at.
        NEXT_OWNER
    }
}

/// The numbers that differ from program to program.
pub(super) mod param {
    use super::{FACTS, Param};

    numbered! { Param FACTS as u8;
        /// Zero.
        ZERO
        /// Of the data map: bits that count for odd packets.
        ODD_KEEPS
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
        /// Number of CPUs.
        CPUS
        /// Bytes of a row of counters.
        ROW
        /// Where the hook's packets start.
        START
        /// The hook's policy.
        POLICY
        /// How deep jumps may nest.
        NESTING
        /// Of the state map: places for deep returns.
        DEEP
        /// Number of these places.
        PLACES
        /// Bytes of a place.
        PLACE_LEN
        /// Where the last place starts, counted from the first.
        LAST_PLACE
        /// Returns in a place.
        PLACE_RETURNS
        /// Of the data map: groups of the index.
        GROUPS
        /// Bytes of all groups.
        GROUPS_LEN
        /// Of the data map: buckets of the index.
        BUCKETS
        /// Number of buckets.
        NUM_BUCKETS
        /// Of the data map: rules that are in no bucket.
        LIST
        /// Words of a row.
        NUM_WORDS
        /// Words of its summary.
        NUM_SUMMARY
        /// Of the data map: numbers of bits.
        BIT_NUMBERS
        /// Credits that a tick brings.
        PER_TICK
        /// Ticks in a second.
        HZ
    }
}

/// What a program has only if its table needs it.
pub(super) mod need {
    use super::Need;
    use crate::ir::Field;

    /// A field of the packet.
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
        /// The transport header.
        TRANSPORT
        /// What the hook knows of the packet (struct nf_hook_state).
        READS_STATE
        /// The incoming interface's name.
        INCOMING
        /// The outgoing interface's name.
        OUTGOING
        /// Whether a connection was translated.
        NAT
        /// Ops that are asked before a rule matches.
        OPS
        /// A way on where a rule does not match after all, or its target lets go.
        FAILED
        /// The same later on, for functions of the kernel half and for sockets.
        STATE
        /// Targets among them.
        TARGETS
        /// Ops that end at COMPARE.
        COMPARE
        /// Ops that end at YES or NO.
        ANSWER
        /// An index.
        INDEX
        /// Places for returns that have no room in the frame.
        DEEP
        /// An iterator instead of `may_goto`.
        ITERATOR
        /// Counters that others may add to at the same time.
        LOCAL_OUT
        /// Packets that are on their way through.
        FORWARD
        /// More than one namespace.
        SOCK_NET
        /// Ops that read the packet themselves.
        PAYLOAD
    }
}

/// Text that several blocks have in common.
pub(super) mod shared {
    use super::Shared;

    numbered! { Shared 0;
        /// One more round of the loop. Nothing in R1..R5 survives.
        AGAIN
        /// R2 = the record of rule R7, which is at most the number of rules.
        RECORD_OF_R7
        /// R1 = the number of the lowest bit of R0, which is not zero.
        BIT_OF_R0
        /// A packet counts for rule R7. R3 = what happens to it.
        COUNTED
        /// R4 = the place in which this run keeps return positions.
        PLACE
        /// The packet is dropped when the rule at hand is done.
        DROP_LATER
        /// It is done: the packet is dropped if that was wanted.
        RULE_DONE
        /// R1 = the address of what an op asks of the connection.
        CONNECTION_PART
        /// R1 is compared as the op at frame::OP says.
        COMPARE_PART
        /// R2 = the op at frame::OP. R1 does not survive.
        THIS_OP
        /// As AGAIN, under the lock of a table.
        ROUND
        /// R4 = slot R3 of the table at R5.
        SLOT
        /// R0 = what the map at R1 has for the number at recent::TABLE.
        LOOKED_UP
        /// R5 = what the op at R2 keeps.
        STATE_AT_R5
        /// R4 is kept there, R1 is the answer.
        KEEP_R4
        /// R2 bytes at R4 of the packet are copied.
        READ
        /// Bytes that start others.
        STARTS
        /// R1 = where a pointer is becomes the pointer, which is not NULL.
        FOLLOWED
        /// R1 = a connection becomes what else it carries, which is SAVED.
        EXTRAS
        /// R1 becomes the part of it whose place is at R1.
        EXTRA
        /// R5 = whose the packet is, R4 = who that is.
        OWNER
        /// The packet's length, whose header starts with R1, is put in its field.
        LENGTH
        /// The dynptr is that of the packet.
        DATA
        /// What the verifier knows of the frame is forgotten, see `frame`.
        FORGET
        /// The op at hand is asked once more.
        ONCE_MORE
    }
}

// Numbers of one kind must not run into those of another.
const _: () = {
    assert!(label::COUNT <= Label::LOCAL as usize);
    assert!(FACTS + param::COUNT <= Param::COUNT);
    assert!(FIELDS <= need::OPS_FROM as usize);
    assert!(need::OTHERS_FROM as usize + need::COUNT <= Needs::BITS as usize);
};

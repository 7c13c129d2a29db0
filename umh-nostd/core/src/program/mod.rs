// SPDX-License-Identifier: GPL-2.0-only
//! The programs that search a ruleset.
//!
//! Owns: the text of a program, which is the same for every table but for
//! what it leaves out: questions that no rule asks.
//!
//! ```text
//! asm        the language: instructions, labels, parameters, conditions
//! block      constant tables of it
//! assembler  from these to a program
//! frame      what is kept where
//! packet     prologue: the packet becomes addresses, class word, fields
//! search     the first rule from a position on whose record matches
//! ops        what its record leaves open
//! recent     one of these, with tables of addresses
//! hashlimit  one of these, with tables of rates
//! time       another, with the wall clock
//! act        counters, verdicts, jumps and returns
//! types      BTF of maps and functions
//! ```
//!
//! One loop goes round for every record that is looked at in vain, every op
//! and every rule that matches. It gives up (and drops the packet) after some
//! 8 million rounds.

#[macro_use]
mod block;
mod act;
mod asm;
mod assembler;
mod frame;
mod hashlimit;
mod ops;
mod packet;
mod prelude;
mod recent;
mod search;
mod time;
pub mod types;

pub use asm::{Insn, Map};

use bpf_abi::attr::FuncInfo;

use crate::abi::Hook;
use crate::errno::{Errno, Result};
use crate::ir::op::{Ends, OPS, OpKind, Reads};
use crate::ir::{FIELDS, Field, action, kind};
use crate::plan::{COUNTERS, GROUP, IN_FRAME, Ruleset, data};
use crate::target::kernel;
use assembler::{Assembler, FUNCTIONS};
use kernel::FACTS;
use prelude::*;

#[cfg(not(target_endian = "little"))]
compile_error!(
    "headers are read in network order and swapped, addresses and keys in the maps are not"
);
#[cfg(not(target_pointer_width = "64"))]
compile_error!("pointers of the kernel's structures are read as 8 bytes");

/// Instructions that any program fits into.
pub const PROGRAM_MAX: usize = 4096;

macro_rules! numbered {
    ($of:ident $first:expr; $($(#[$doc:meta])* $name:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        enum Number { $($name,)* COUNT }
        $($(#[$doc])* pub(super) const $name: $of = $of($first + Number::$name as u8);)*
        pub(super) const COUNT: usize = Number::COUNT as usize;
    };
}

/// Places that more than one part of a program jumps to.
mod label {
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
mod param {
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
mod need {
    use super::Need;
    use crate::ir::Field;

    /// A field of the packet.
    pub(super) const fn field(field: Field) -> Need {
        Need(field as u8)
    }

    /// Ops of a kind.
    pub(super) const fn op(kind: u8) -> Need {
        Need(OPS_FROM + kind)
    }

    /// The bits of kinds start here; before them are those of fields.
    pub(super) const OPS_FROM: u8 = 32;
    /// The bits of everything else start here.
    pub(super) const OTHERS_FROM: u8 = OPS_FROM + 64;

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
mod shared {
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

static SHARED: [Block; shared::COUNT] = [
    AGAIN,
    search::RECORD_OF_R7,
    search::BIT_OF_R0,
    act::COUNTED,
    act::PLACE,
    act::DROP_LATER,
    act::RULE_DONE,
    ops::CONNECTION_PART,
    ops::COMPARE_PART,
    ops::THIS_OP,
    recent::ROUND,
    recent::SLOT_AT,
    recent::LOOKED_UP,
    ops::STATE_AT_R5,
    ops::KEEP_R4,
    ops::READ,
    ops::STARTS,
    ops::FOLLOWED,
    ops::EXTRAS,
    ops::EXTRA,
    packet::OWNER,
    packet::LENGTH,
    packet::PACKET_DATA,
    FORGET,
    ops::ONCE_MORE,
];

/// The functions behind a program, in the order in which they stand there.
mod function {
    /// Collects what hashlimit does not need any more.
    pub(super) const COLLECT: u8 = 0;
    /// Does nothing.
    pub(super) const FORGET: u8 = 1;
}

const FORGET: Block = block![
    mov(R1, Fp),
    add_imm(R1, frame::FORGOTTEN as i32),
    call_function(function::FORGET),
];

const AGAIN: Block = block![
    unless(
        need::ITERATOR,
        &[
            // See `frame`; a call does the same.
            mov_imm(Reg::R0, 0),
            mov_imm(Reg::R1, 0),
            mov_imm(Reg::R2, 0),
            mov_imm(Reg::R3, 0),
            mov_imm(Reg::R4, 0),
            mov_imm(Reg::R5, 0),
            jump_when_tired(label::DROP),
        ]
    ),
    when(
        need::ITERATOR,
        &[
            mov(R1, Fp),
            add_imm(Reg::R1, frame::ITERATOR as i32),
            call_kfunc(kernel::ITER_NEXT),
            jump_if_imm(Reg::R0, Cond::Eq, 0, label::DROP),
        ]
    ),
];

/// The program in the making, and what it is made for.
struct Builder<'a> {
    asm: Assembler<'a>,
    ruleset: &'a Ruleset<'a>,
}

/// The parameters of one program.
struct Params {
    values: [i32; FACTS + param::COUNT],
    /// Whether each has got a value that fits.
    fit: bool,
}

impl Params {
    fn set(&mut self, param: Param, value: usize) {
        match (
            self.values.get_mut(usize::from(param.0)),
            i32::try_from(value),
        ) {
            (Some(param), Ok(value)) => *param = value,
            _ => self.fit = false,
        }
    }
}

/// A program.
#[derive(Clone, Copy, Debug)]
pub struct Built {
    /// How many instructions it has.
    pub len: usize,
    functions: [FuncInfo; 1 + FUNCTIONS],
    num_functions: usize,
}

impl Built {
    fn new(len: usize, starts: [usize; FUNCTIONS]) -> Self {
        let mut built = Self {
            len,
            functions: [types::MAIN; 1 + FUNCTIONS],
            num_functions: 0,
        };
        let [collect, forget] = starts;
        if forget != 0 {
            built.push(types::MAIN);
        }
        if collect != 0 {
            built.push(types::collect(collect));
        }
        if forget != 0 {
            built.push(types::forget(forget));
        }
        built
    }

    fn push(&mut self, function: FuncInfo) {
        if let Some(place) = self.functions.get_mut(self.num_functions) {
            *place = function;
            self.num_functions += 1;
        }
    }

    /// The program itself and the functions behind it; none if there is only
    /// the program.
    pub fn functions(&self) -> &[FuncInfo] {
        self.functions.get(..self.num_functions).unwrap_or_default()
    }
}

/// Writes the program of one hook into `insns`. Its maps are still to be
/// named, see [`Map::of`].
pub fn build(ruleset: &Ruleset<'_>, hook: Hook, insns: &mut [Insn]) -> Result<Built> {
    let mut params = Params {
        values: [0; FACTS + param::COUNT],
        fit: true,
    };
    for (param, fact) in params
        .values
        .iter_mut()
        .zip(ruleset.machine().kernel.facts())
    {
        *param = *fact;
    }
    let mut set = |param, value| params.set(param, value);
    let table = ruleset.table();
    let rules = ruleset.num_entries() as usize;
    set(param::ZERO, data::ZERO);
    set(param::ODD_KEEPS, data::MALFORMED_KEEPS);
    set(param::RECORDS, data::RECORDS);
    set(param::OPS, ruleset.ops_at());
    set(param::LAST_OP, ruleset.last_op());
    set(param::LAST_BUCKET, ruleset.last_bucket());
    set(param::RULES, rules);
    set(param::CPUS, ruleset.machine().cpus as usize);
    set(param::ROW, rules * COUNTERS);
    set(param::START, table.hook_entry(hook).0 as usize);
    set(param::POLICY, table.underflow(hook).0 as usize);
    set(param::NESTING, table.jump_depth() as usize);
    let index = ruleset.index();
    set(param::GROUPS, ruleset.index_at());
    set(param::GROUPS_LEN, index.num_groups() * GROUP);
    set(param::BUCKETS, ruleset.index_at() + index.buckets_at());
    set(param::NUM_BUCKETS, index.num_buckets());
    set(param::LIST, ruleset.index_at() + index.list_at());
    if let Some(rows_of_list) = index.rows() {
        set(param::NUM_WORDS, rows_of_list.words);
        set(param::NUM_SUMMARY, rows_of_list.summary);
        set(param::BIT_NUMBERS, data::BIT_NUMBERS);
    }
    set(param::DEEP, ruleset.deep_at());
    let (places, place_len) = (ruleset.deep_places() as usize, ruleset.deep_place_len());
    set(param::PLACES, places);
    set(param::PLACE_LEN, place_len);
    set(param::LAST_PLACE, places.saturating_sub(1) * place_len);
    set(param::PLACE_RETURNS, (place_len - 8) / 4);
    const { assert!(IN_FRAME == frame::RETURNS_MAX as usize) };
    set(
        param::PER_TICK,
        crate::target::limit_per_tick(ruleset.machine().host.hz) as usize,
    );
    set(param::HZ, ruleset.machine().host.hz as usize);
    const { assert!(action::DROP == 0 && action::ACCEPT == 1) };
    if !params.fit {
        return Err(Errno::ENOMEM);
    }

    let needs = needs(ruleset, hook);
    let mut builder = Builder {
        asm: Assembler::new(insns, &params.values, needs, &SHARED),
        ruleset,
    };
    // One program at least must keep the named tables, whether any packet
    // gets to the rules that name them or not.
    let keeps = hook == Hook::LocalIn && !table.named().is_empty();
    if !keeps && table.hook_entry(hook) == table.underflow(hook) {
        builder.policy();
    } else {
        builder.packet();
        builder.search();
        builder.ops();
        builder.act();
        builder.functions();
    }
    let starts = builder.asm.functions();
    Ok(Built::new(builder.asm.finish()?, starts))
}

/// What the program of a hook has.
fn needs(ruleset: &Ruleset<'_>, hook: Hook) -> Needs {
    let uses = ruleset.uses();
    let [incoming, outgoing] = uses.interfaces;
    let mut fields = uses.fields;
    if fields & 1 << Field::PacketType as u32 != 0 {
        fields |= 1 << Field::Destination as u32;
    }
    // One goes with the other.
    if fields & 1 << Field::MacFirst as u32 != 0 {
        fields |= 1 << Field::MacLast as u32;
    }
    let groups = fields & (1 << Field::InGroup as u32 | 1 << Field::OutGroup as u32) != 0;
    let has =
        |those: &dyn Fn(&OpKind) -> bool| OPS.iter().any(|op| op.is_in(uses.kinds) && those(op));
    let compare = has(&|op| op.ends == Ends::Compares);
    let state = has(&|op| op.calls) || fields & 1 << Field::Socket as u32 != 0;
    let ttl_before = fields & 1 << Field::TtlBefore as u32 != 0;
    let others = [
        (need::TRANSPORT, uses.transport),
        (
            need::READS_STATE,
            incoming || outgoing || groups || state || ttl_before,
        ),
        (need::INCOMING, incoming),
        (need::OUTGOING, outgoing),
        (need::NAT, uses.nat),
        (need::OPS, has(&|op| !op.is_target())),
        (need::FAILED, uses.kinds != 0),
        (need::STATE, state),
        (need::TARGETS, has(&OpKind::is_target)),
        (need::COMPARE, compare),
        (need::ANSWER, compare || has(&|op| op.ends == Ends::Answers)),
        (need::INDEX, ruleset.index().is_used()),
        (need::DEEP, ruleset.deep_places() != 0),
        (need::ITERATOR, !ruleset.machine().kernel.has_may_goto()),
        (need::LOCAL_OUT, hook == Hook::LocalOut),
        (need::FORWARD, hook == Hook::Forward),
        (
            need::SOCK_NET,
            ruleset.machine().kernel.fact(kernel::SOCK_NET) >= 0,
        ),
        (need::PAYLOAD, has(&|op| op.reads == Reads::Packet)),
    ];
    let others = others
        .iter()
        .fold(0, |bits, &(need, has)| bits | Needs::from(has) << need.0);
    Needs::from(fields) | Needs::from(uses.kinds) << need::OPS_FROM | others
}

impl Builder<'_> {
    /// What stands behind the program itself.
    fn functions(&mut self) {
        let kinds = self.ruleset.uses().kinds;
        if kinds & 1 << kind::HASHLIMIT != 0 {
            self.collect();
        }
        let asked = |op: &OpKind| op.is_in(kinds) && !op.is_target();
        if OPS.iter().any(asked) {
            self.asm.start_function(function::FORGET);
            self.emit(block![mov_imm(R0, 0), exit()]);
        }
    }

    #[inline(never)]
    fn emit(&mut self, block: Block) {
        self.asm.emit(block, &[]);
    }

    /// Emits a block whose [`Param::arg`] and [`Label::arg`] are `args`.
    fn emit_with(&mut self, block: Block, args: &[i32]) {
        self.asm.emit(block, args);
    }
}

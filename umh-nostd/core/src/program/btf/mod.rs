// SPDX-License-Identifier: GPL-2.0-only
//! Filling the record of a packet in a program for a netfilter link.
//!
//! Owns: everything that is read from struct sk_buff, the headers, the
//! interfaces, the socket and the connection, by what the kernel's BTF says of
//! them; which record a run of the program takes, and that it gives it back.
//!
//! A run takes one of many records that is free: at every hook another packet can
//! come to the same CPU meanwhile. Those that this machine sends, and those that
//! NFQUEUE gives back, come in a process with bottom halves on.
//!
//! The IP header is in the linear part of a packet at these hooks, and is
//! read through a cast pointer, which faults into zeros. The transport header
//! is read the same way where it is linear, and copied where it is not. It is
//! there if and only if skb_header_pointer would find it: if the packet is
//! long enough.
//!
//! R9 is the packet here, and R7 the hook, and then the start of the header.
//!
//! ```text
//! fields      what is read of the packet, the interfaces, the socket
//! transport   the fragment bit, ports, TCP flags
//! connection  its state and its mark
//! clock       the time
//! ```

mod clock;
mod connection;
mod fields;
mod transport;

use super::prelude::*;
use crate::abi::Hook;
use crate::ir::{Field, Uses, action, class, kind};
use crate::target::Kernel;
use crate::target::kernel::*;

pub(super) use clock::SECONDS;
pub(super) use fields::{OWNER, SOCKET_BOTH};
pub(super) use transport::PACKET_DATA;

/// Where a part of the prologue ends.
pub(super) const END: Label = Label::local(6);
const HAVE: Label = Label::local(0);

/// Helper function `bpf_get_smp_processor_id`.
const CPU: i32 = 8;

/// Records that runs take one of, first that of their CPU: more than there can be
/// runs at a time that were interrupted within their fraction of a microsecond,
/// and no more memory than that needs.
pub(super) fn records(cpus: usize, size: usize) -> usize {
    const MOST: usize = 1024;
    const MEMORY: usize = 4 << 20;
    (MEMORY / size.max(1)).clamp(8 + 4 * cpus, MOST.max(8 + 4 * cpus))
}

/// What a program has because it reads the packet itself.
pub(super) fn needs(uses: &Uses, kernel: &Kernel, hook: Hook) -> Needs {
    let [incoming, outgoing] = uses.interfaces;
    let mut fields = uses.fields;
    if fields & 1 << Field::PacketType as u32 != 0 {
        fields |= 1 << Field::Destination as u32;
    }
    // One goes with the other.
    if fields & 1 << Field::MacFirst as u32 != 0 {
        fields |= 1 << Field::MacLast as u32;
    }
    if fields & 1 << Field::ConnMark as u32 != 0 {
        fields |= 1 << Field::Connection as u32;
    }
    let groups = fields & (1 << Field::InGroup as u32 | 1 << Field::OutGroup as u32) != 0;
    let state = fields & 1 << Field::Socket as u32 != 0;
    let ttl_before = fields & 1 << Field::TtlBefore as u32 != 0;
    let tables = 1 << kind::RECENT | 1 << kind::HASHLIMIT;
    let others = [
        (need::LINKS, true),
        (
            need::HOOK_STATE,
            incoming || outgoing || groups || state || ttl_before,
        ),
        (need::STATE, state),
        (need::INCOMING, incoming),
        (need::OUTGOING, outgoing),
        (need::TABLES, uses.kinds & tables != 0),
        (need::ITERATOR, !kernel.has_may_goto()),
        (need::LOCAL_OUT, hook == Hook::LocalOut),
        (need::FORWARD, hook == Hook::Forward),
        (need::SOCK_NET, kernel.fact(SOCK_NET) >= 0),
    ];
    let others = others
        .iter()
        .fold(0, |bits, &(need, has)| bits | Needs::from(has) << need.0);
    Needs::from(fields) | others
}

/// A round of a loop, by an iterator where there is no `may_goto`: after too many to
/// `$tired`, or by the iterator to `$spent`. The former must be behind all rounds: backward
/// `may_goto` jumps to the wrong place until Linux 6.9.7 (CVE-2024-42072).
macro_rules! round {
    ($tired:expr, $spent:expr) => {
        &[
            unless(need::ITERATOR, &[jump_when_tired($tired)]),
            when(
                need::ITERATOR,
                &[
                    mov(R1, Fp),
                    add_imm(R1, frame::ITERATOR as i32),
                    call_kfunc(ITER_NEXT),
                    jump_if_imm(R0, Cond::Eq, 0, $spent),
                ],
            ),
        ]
    };
}

/// A round of the search.
pub(super) const COUNT_ROUND: &[Item] = round!(label::TIRED, label::DROP);

/// The iterator has to end before the program does.
const END_ITERATOR: &[Item] = &[
    mov(R1, Fp),
    add_imm(R1, frame::ITERATOR as i32),
    call_kfunc(ITER_DESTROY),
];

/// R6 = a record that is free, R8 = the CPU, R9 = the argument of the program.
const RECORD: &[Item] = &[
    mov(R9, R1),
    when(
        need::ITERATOR,
        &[
            mov(R1, Fp),
            add_imm(R1, frame::ITERATOR as i32),
            mov_imm(R2, 0),
            mov_imm(R3, 1 << 23),
            call_kfunc(ITER_NEW),
        ],
    ),
    call(CPU),
    jump_if_imm(R0, Cond::Ge, 0, label::NO_RECORD).imm(param::CPUS),
    mov(R7, R0),
    mov(R8, R0),
    bind(label::NEXT_RECORD),
    // Zero, but the verifier does not know: for it no record is another one than
    // the last that was tried.
    map_value(R1, Map::Data, param::ZERO),
    load(B8, R1, R1, 0),
    add(R7, R1),
    jump_if_imm(R7, Cond::Ge, 0, label::NO_RECORD).imm(param::PACKETS),
    mov(R1, R7),
    mul_imm(R1, 0).imm(param::PACKET_SIZE),
    map_value(R6, Map::Packets, param::ZERO),
    add(R6, R1),
    mov_imm(R1, 1),
    atomic(Atomic::Exchange, B4, R6, frame::TAKEN, R1),
    jump_if_imm(R1, Cond::Eq, 0, HAVE),
    add_imm(R7, 1),
    mov_imm(R1, 0),
    // Linux 6.7 compares all registers of a round with those of the one before.
    when(need::ITERATOR, &[mov_imm(R0, 0)]),
    when(need::LINKS, round!(label::NO_RECORD, label::NO_RECORD)),
    jump(label::NEXT_RECORD),
    bind(HAVE),
    store(B4, R6, frame::CPU, R8),
];

impl Builder<'_> {
    /// From R1, the argument of the program, to a record that is filled.
    pub(super) fn fill(&mut self) {
        if self.ruleset.machine().packets.btf().is_none() {
            return;
        }
        let table = self.ruleset.table();
        let start = [
            table.hook_entry(self.hook).0 as i32,
            table.underflow(self.hook).0 as i32,
        ];
        self.emit(block_of!(RECORD));
        self.emit_with(
            block![
                store_imm(B4, R6, frame::POSITION, 0).imm(Param::arg(0)),
                store_imm(B4, R6, frame::UNDERFLOW, 0).imm(Param::arg(1)),
                store_imm(B4, R6, frame::DEPTH, 0),
            ],
            &start,
        );
        self.emit(block![
            // R7 = the hook's state, until the header is read.
            when(need::HOOK_STATE, &[load(B8, R7, R9, 0)]),
            load(B8, R9, R9, 8),
            store(B8, Fp, frame::SKB, R9),
            load(B4, R1, R9, 0).at(SKB_LEN),
            store(B4, R6, frame::LEN, R1),
            when(need::STATE, &[store(B8, Fp, frame::STATE, R7)]),
            when(
                need::TABLES,
                &[
                    store_imm(B8, Fp, frame::TABLE, 0),
                    store_imm(B8, Fp, frame::ROOM, 0),
                ]
            ),
            when(
                need::HOOK_STATE,
                &[
                    mov(R1, R7),
                    mov_imm(R2, 0).imm(HOOK_STATE),
                    call_kfunc(CAST),
                    mov(R7, R0),
                ]
            ),
            // SAVED = how many hops of its way this machine is: recent_mt's
            // rule for "TTL as seen before forwarding".
            when(
                need::field(Field::TtlBefore),
                &[
                    mov_imm(R0, 0),
                    // What is forwarded has no socket.
                    when(need::FORWARD, &[mov_imm(R0, 1)]),
                    when(
                        need::LOCAL_OUT,
                        &[
                            mov(R1, R9),
                            mov_imm(R2, 0).imm(SKB),
                            call_kfunc(CAST),
                            load(B8, R2, R0, 0).at(SKB_SK),
                            mov_imm(R0, 1),
                            jump_if_imm(R2, Cond::Eq, 0, END),
                            when(
                                need::SOCK_NET,
                                &[
                                    load(B8, R3, R7, 0).at(STATE_NET),
                                    load(B8, R2, R2, 0).at(SOCK_NET),
                                    jump_if(R2, Cond::Ne, R3, END)
                                ]
                            ),
                            mov_imm(R0, 0),
                            bind(END)
                        ]
                    ),
                    store(B8, R6, frame::SAVED, R0)
                ]
            ),
            // Names of the interfaces; no interface has an empty name, as a
            // read through a NULL pointer gives zeros.
            when(
                need::field(Field::InGroup),
                &[
                    load(B8, R1, R7, 0).at(STATE_IN),
                    load(B4, R1, R1, 0).at(DEV_GROUP),
                    store(B4, R6, field(Field::InGroup), R1),
                ]
            ),
            when(
                need::field(Field::OutGroup),
                &[
                    load(B8, R1, R7, 0).at(STATE_OUT),
                    load(B4, R1, R1, 0).at(DEV_GROUP),
                    store(B4, R6, field(Field::OutGroup), R1),
                ]
            ),
            when(
                need::INCOMING,
                &[
                    load(B8, R1, R7, 0).at(STATE_IN),
                    load(B8, R2, R1, 0).at(DEV_NAME),
                    store(B8, R6, frame::NAMES, R2),
                    load(B8, R2, R1, 8).at(DEV_NAME),
                    store(B8, R6, frame::NAMES + 8, R2),
                ]
            ),
            when(
                need::OUTGOING,
                &[
                    load(B8, R1, R7, 0).at(STATE_OUT),
                    load(B8, R2, R1, 0).at(DEV_NAME),
                    store(B8, R6, frame::NAMES + 16, R2),
                    load(B8, R2, R1, 8).at(DEV_NAME),
                    store(B8, R6, frame::NAMES + 24, R2),
                ]
            ),
            load(B8, R1, R9, 0).at(SKB_DATA),
            store(B8, R6, frame::DATA, R1),
            // R7 = version, header length, type of service, length,
            // id, flags, fragment offset
            mov_imm(R2, 0).imm(PAIR),
            call_kfunc(CAST),
            load(B8, R7, R0, 0),
            // R1 = time to live, protocol, checksum, source
            load(B8, R1, R0, 8),
            // R8 = the descriptor, the protocol so far
            mov(R8, R1),
            rsh_imm(R8, 8),
            and_imm(R8, class::PROTOCOL as i32),
            and_imm(R1, 0xff),
            store(B4, R6, field(Field::Ttl), R1),
            when(
                need::field(Field::TtlBefore),
                &[
                    load(B8, R2, R6, frame::SAVED),
                    add(R1, R2),
                    and_imm(R1, 0xff),
                    store(B4, R6, field(Field::TtlBefore), R1)
                ]
            ),
            // source and destination
            load(B8, R1, R6, frame::DATA),
            add_imm(R1, 12),
            mov_imm(R2, 0).imm(PAIR),
            call_kfunc(CAST),
            load(B8, R1, R0, 0),
            store(B8, R6, frame::ADDRESSES, R1),
        ]);
        self.fields();
        self.fragment_and_transport();
        self.emit(block![store(B8, R6, frame::DESCRIPTOR, R8)]);
        self.connection();
    }

    /// All of the program where every packet gets to the policy at once.
    pub(super) fn policy(&mut self) {
        let position = self.ruleset.table().underflow(self.hook).0 as i32;
        self.emit(block_of!(RECORD));
        self.emit_with(
            block![
                store_imm(B4, R6, frame::POSITION, 0).imm(Param::arg(0)),
                load(B8, R9, R9, 8),
                load(B4, R1, R9, 0).at(SKB_LEN),
                store(B4, R6, frame::LEN, R1),
            ],
            &[position],
        );
        self.emit(block![
            load(B4, R7, R6, frame::POSITION),
            jump_if_imm(R7, Cond::Ge, 0, label::DROP).imm(param::RULES),
            insert(shared::RECORD_OF_R7),
            load(B4, R0, R6, frame::CPU),
            jump_if_imm(R0, Cond::Ge, 0, label::DROP).imm(param::CPUS),
            insert(shared::COUNTED),
            // ACCEPT or DROP: one bit.
            mov(R0, R3),
            and_imm(R0, action::ACCEPT),
            jump(label::EXIT),
        ]);
        self.end();
    }

    /// The program ends with R0: gives back what it has taken.
    pub(super) fn leave(&mut self) {
        self.emit(block![
            when(
                need::ITERATOR,
                &[mov(R7, R0), when(need::ITERATOR, END_ITERATOR), mov(R0, R7)]
            ),
            when(
                need::LINKS,
                &[
                    mov_imm(R1, 0),
                    atomic(Atomic::Exchange, B4, R6, frame::TAKEN, R1),
                    exit(),
                    bind(label::NO_RECORD),
                    when(need::ITERATOR, END_ITERATOR),
                    mov_imm(R0, bpfilter_msgfmt::DROP as i32),
                ]
            ),
        ]);
    }

    /// What the table ops have left on the stack must not be told from what it
    /// was before, see `frame`.
    pub(super) fn forget_tables(&mut self) {
        self.emit(block![when(
            need::TABLES,
            &[
                store_imm(B8, Fp, frame::TABLE, 0),
                store_imm(B8, Fp, frame::ROOM, 0),
            ]
        )]);
    }

    /// Behind all rounds: too many drop the packet.
    pub(super) fn tired(&mut self) {
        self.emit(block![when(
            need::LINKS,
            &[unless(
                need::ITERATOR,
                &[bind(label::TIRED), jump(label::DROP)]
            )]
        )]);
    }

    /// What stands behind the program itself.
    pub(super) fn collector(&mut self) {
        if self.ruleset.uses().kinds & 1 << kind::HASHLIMIT != 0 {
            self.collect();
        }
    }
}

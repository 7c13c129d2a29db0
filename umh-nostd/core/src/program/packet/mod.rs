// SPDX-License-Identifier: GPL-2.0-only
//! The prologue: the packet becomes addresses, class word and fields.
//!
//! Owns: everything that is read from struct sk_buff, the headers, the
//! interfaces and the connection, and the predicates.
//!
//! The IP header is in the linear part of a packet at these hooks, and is
//! read through a cast pointer, which faults into zeros. The transport header
//! is read the same way where it is linear, and copied where it is not. It is
//! there if and only if skb_header_pointer would find it: if the packet is
//! long enough.
//!
//! ```text
//! fields      what is read of the packet, the interfaces, the socket
//! transport   the fragment bit, ports, TCP flags
//! connection  its state
//! predicates  the bits of the class word that stand for questions
//! ```

mod connection;
mod fields;
mod predicates;
mod transport;

use super::prelude::*;
use crate::ir::{Field, class, kind};
use crate::plan::{Rows, Source, key_place};
use crate::target::kernel::*;

pub(super) use fields::{CHANGED, LENGTH, OWNER, SOCKET_BOTH, field};
pub(super) use transport::PACKET_DATA;

/// Where a part of the prologue ends.
pub(super) const END: Label = Label::local(6);

impl Builder<'_> {
    /// The whole prologue.
    pub(super) fn packet(&mut self) {
        self.emit(block![
            load(B8, R6, R1, 8),
            // R7 = the hook's state, until the header is read.
            when(need::READS_STATE, &[load(B8, R7, R1, 0)]),
            when(need::STATE, &[store(B8, Fp, frame::STATE, R7)]),
            when(
                need::READS_STATE,
                &[
                    mov(R1, R7),
                    mov_imm(R2, 0).imm(HOOK_STATE),
                    call_kfunc(CAST),
                    mov(R7, R0),
                ]
            ),
            // SCRATCH = how many hops of its way this machine is: recent_mt's
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
                            mov(R1, R6),
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
                    store(B8, Fp, frame::SCRATCH, R0)
                ]
            ),
            when(
                need::op(kind::TEST),
                &[
                    // A test may read any field: none may be left unset.
                    store_imm(B8, Fp, frame::FIELDS, 0),
                    store_imm(B8, Fp, frame::FIELDS + 8, 0),
                    store_imm(B8, Fp, frame::FIELDS + 16, 0),
                    store_imm(B8, Fp, frame::FIELDS + 24, 0),
                    store_imm(B8, Fp, frame::FIELDS + 32, 0),
                    store_imm(B8, Fp, frame::FIELDS + 40, 0),
                    store_imm(B8, Fp, frame::FIELDS + 48, 0),
                    store_imm(B8, Fp, frame::FIELDS + 56, 0),
                    store_imm(B8, Fp, frame::FIELDS + 64, 0),
                    store_imm(B8, Fp, frame::FIELDS + 72, 0),
                    store_imm(B8, Fp, frame::FIELDS + 80, 0),
                    store_imm(B8, Fp, frame::FIELDS + 88, 0),
                ]
            ),
            // Names of the interfaces; no interface has an empty name, as a
            // read through a NULL pointer gives zeros.
            when(
                need::field(Field::InGroup),
                &[
                    load(B8, R1, R7, 0).at(STATE_IN),
                    load(B4, R1, R1, 0).at(DEV_GROUP),
                    store(B4, Fp, field(Field::InGroup), R1),
                ]
            ),
            when(
                need::field(Field::OutGroup),
                &[
                    load(B8, R1, R7, 0).at(STATE_OUT),
                    load(B4, R1, R1, 0).at(DEV_GROUP),
                    store(B4, Fp, field(Field::OutGroup), R1),
                ]
            ),
            when(
                need::INCOMING,
                &[
                    load(B8, R1, R7, 0).at(STATE_IN),
                    load(B8, R2, R1, 0).at(DEV_NAME),
                    store(B8, Fp, frame::NAMES, R2),
                    load(B8, R2, R1, 8).at(DEV_NAME),
                    store(B8, Fp, frame::NAMES + 8, R2),
                ]
            ),
            when(
                need::OUTGOING,
                &[
                    load(B8, R1, R7, 0).at(STATE_OUT),
                    load(B8, R2, R1, 0).at(DEV_NAME),
                    store(B8, Fp, frame::NAMES + 16, R2),
                    load(B8, R2, R1, 8).at(DEV_NAME),
                    store(B8, Fp, frame::NAMES + 24, R2),
                ]
            ),
            when(
                need::ITERATOR,
                &[
                    mov(R1, Fp),
                    add_imm(R1, frame::ITERATOR as i32),
                    mov_imm(R2, 0),
                    mov_imm(R3, 1 << 23),
                    call_kfunc(ITER_NEW)
                ]
            ),
            store_imm(B8, Fp, frame::KEEPS, -1),
            load(B8, R1, R6, 0).at(SKB_DATA),
            store(B8, Fp, frame::DATA, R1),
            // R7 = version, header length, type of service, length,
            // id, flags, fragment offset
            mov_imm(R2, 0).imm(PAIR),
            call_kfunc(CAST),
            load(B8, R7, R0, 0),
            // R9 = time to live, protocol, checksum, source
            load(B8, R9, R0, 8),
            // R8 = class word, the protocol so far
            mov(R8, R9),
            rsh_imm(R8, 8),
            and_imm(R8, class::PROTOCOL as i32),
            when(
                need::field(Field::Ttl),
                &[and_imm(R9, 0xff), store(B4, Fp, field(Field::Ttl), R9)]
            ),
            when(
                need::field(Field::TtlBefore),
                &[
                    load(B8, R1, Fp, frame::SCRATCH),
                    add(R1, R9),
                    and_imm(R1, 0xff),
                    store(B4, Fp, field(Field::TtlBefore), R1)
                ]
            ),
            // R9 = source and destination
            load(B8, R1, Fp, frame::DATA),
            add_imm(R1, 12),
            mov_imm(R2, 0).imm(PAIR),
            call_kfunc(CAST),
            load(B8, R9, R0, 0),
        ]);
        self.fields();
        self.forget();
        self.fragment_and_transport();
        self.forget_class();
        self.connection();
        self.forget_class();
        self.questions();
        self.loop_entry();
    }

    /// Which way was taken so far does not multiply those to come; see `frame`.
    pub(super) fn forget(&mut self) {
        self.emit(block![when(need::OPS, &[insert(shared::FORGET)])]);
    }

    /// The same, with what is known of the class word.
    fn forget_class(&mut self) {
        self.emit(block![when(
            need::OPS,
            &[
                store(B8, Fp, frame::SAVED, R8),
                insert(shared::FORGET),
                load(B8, R8, Fp, frame::SAVED),
            ]
        )]);
    }

    /// Where the packet's rows are, from the first one on.
    fn rows(&mut self, rows: &Rows) {
        const SHIFT: Param = Param::arg(0);
        const FIRST: Param = Param::arg(1);
        const ROW: Param = Param::arg(2);
        const SLOT: Param = Param::arg(3);
        const ROWS: Param = Param::arg(4);
        let entries = self.ruleset.num_entries() as usize;
        let rows_at = self.ruleset.index_at() + self.ruleset.index().rows_at(entries);
        for ((number, &key), slot) in (0..).zip(&rows.keys).zip(0..) {
            let (source, shift) = key_place(key);
            match source {
                Source::Addresses => self.emit(block![mov(R1, R9)]),
                Source::Class => self.emit(block![mov(R1, R8)]),
                Source::Field(of) => self.emit_with(
                    block![load(B4, R1, Fp, 0).at(SHIFT)],
                    &[i32::from(field(of))],
                ),
            }
            self.emit_with(
                block![
                    rsh_imm(R1, 0).imm(SHIFT),
                    and_imm(R1, 0xff),
                    add_imm(R1, 0).imm(FIRST),
                    mul_imm(R1, 0).imm(ROW),
                    map_value(R2, Map::Data, ROWS),
                    add(R2, R1),
                    store(B8, Fp, frame::ROWS, R2).at(SLOT),
                ],
                &[
                    i32::from(shift),
                    number * 256,
                    rows.row() as i32,
                    8 * slot,
                    rows_at as i32,
                ],
            );
        }
    }

    /// Makes everything that the loop writes to unknown; see `frame`.
    fn loop_entry(&mut self) {
        self.emit(block![
            // Not known to be zero. Read anew for each place, or they
            // would be known to be equal.
            map_value(R5, Map::Data, param::ZERO),
            load(B8, R7, R5, 0),
            xor(R8, R7),
            add_imm(R7, 0).imm(param::START),
            load(B8, R1, R5, 0),
            store(B8, Fp, frame::DEPTH, R1),
            // Any of the return positions may have been written.
            load(B8, R1, R5, 0),
            jump_if_imm(R1, Cond::Ge, frame::RETURNS_MAX, label::DROP),
            lsh_imm(R1, 2),
            mov(R2, Fp),
            add(R2, R1),
            store(B4, R2, frame::RETURNS, R7),
            when(
                need::INDEX,
                &[
                    load(B8, R1, R5, 0),
                    store(B8, Fp, frame::BEST, R1),
                    load(B8, R1, R5, 0),
                    store(B8, Fp, frame::INDEX_AT, R1),
                    load(B8, R1, R5, 0),
                    store(B8, Fp, frame::SUMMARY, R1)
                ]
            )
        ]);
        if let Some(rows) = self.ruleset.index().rows() {
            self.rows(rows);
        }
        self.emit(block![
            when(
                need::DEEP,
                &[
                    load(B8, R1, R5, 0),
                    store(B8, Fp, frame::PLACE, R1),
                    load(B8, R1, R5, 0),
                    store(B8, Fp, frame::SAVED, R1),
                    load(B8, R1, R5, 0),
                    store(B8, Fp, frame::OPTION_AT, R1)
                ]
            ),
            when(
                need::TRANSPORT,
                &[
                    load(B8, R1, Fp, frame::KEEPS),
                    load(B8, R2, R5, 0),
                    xor(R1, R2),
                    store(B8, Fp, frame::KEEPS, R1),
                    load(B8, R1, Fp, frame::GUARDS),
                    load(B8, R2, R5, 0),
                    xor(R1, R2),
                    store(B8, Fp, frame::GUARDS, R1)
                ]
            ),
            when(
                need::OPS,
                &[
                    store_imm(B8, Fp, frame::GAINED, 0),
                    store_imm(B8, Fp, frame::OTHERWISE, 0),
                    insert(shared::FORGET),
                ]
            )
        ]);
    }
}

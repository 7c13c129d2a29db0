// SPDX-License-Identifier: GPL-2.0-only
//! The transport header: is it there, and what are the ports?
//!
//! It is there if and only if skb_header_pointer would find it. A packet that a
//! match must drop because it is cut off is malformed; what its rules may still
//! ask is said in `ir::record`.

use super::super::ops::DYNPTR_READ;
use super::super::prelude::*;
use super::{END, field};
use crate::ir::{Field, class};
use crate::target::kernel::*;

const HAVE: Label = Label::local(0);
const FIRST: Label = Label::local(1);
const READ: Label = Label::local(2);
const WHOLE: Label = Label::local(3);
const LINEAR: Label = Label::local(4);
const PARSED: Label = Label::local(5);

/// All of the packet, for `bpf_dynptr_read`.
pub(in crate::program) const PACKET_DATA: Block = block![
    mov(R1, R6),
    mov_imm(R2, 0),
    mov(R3, Fp),
    add_imm(R3, frame::DYNPTR as i32),
    call_kfunc(DYNPTR),
];

impl Builder<'_> {
    /// Fragment bit, and what becomes of those who ask for the transport
    /// header.
    pub(super) fn fragment_and_transport(&mut self) {
        self.emit(block![
            when(
                need::PAYLOAD,
                &[
                    mov(R1, R7),
                    and_imm(R1, 0xf),
                    lsh_imm(R1, 2),
                    store(B8, Fp, frame::TRANSPORT_AT, R1),
                    insert(shared::DATA),
                ]
            ),
            // The fragment offset, still in network order.
            mov(R1, R7),
            rsh_imm(R1, 48),
            and_imm(R1, 0xff1f),
            unless(
                need::TRANSPORT,
                &[
                    jump_if_imm(R1, Cond::Eq, 0, END),
                    or_imm(R8, class::FRAGMENT as i32),
                    bind(END),
                ]
            ),
        ]);
        if !self.ruleset.uses().transport {
            return;
        }
        self.emit(block![
            store_imm(B8, Fp, frame::GUARDS, 0),
            mov(R2, R8),
            jump_if_imm(R1, Cond::Eq, 0, FIRST),
            // A later fragment: rules that ask for the header fail,
            or_imm(R8, class::FRAGMENT as i32),
            store_imm(B4, Fp, frame::GUARDS, 1),
            store_imm(B4, Fp, frame::GUARDS + 4, 1),
            // but tcp drops one that starts at byte 8.
            jump_if_imm(R2, Cond::Ne, 6, END),
            jump_if_imm(R1, Cond::Ne, 0x0100, END),
            store_imm(B4, Fp, frame::GUARDS, 2),
            map_value(R1, Map::Data, param::ODD_KEEPS),
            load(B8, R1, R1, 0),
            store(B8, Fp, frame::KEEPS, R1),
            jump(END),
            bind(FIRST),
            // R1 = where the transport header starts
            mov(R1, R7),
            and_imm(R1, 0xf),
            lsh_imm(R1, 2),
            store(B8, Fp, frame::TRANSPORT_AT, R1),
            // R3 = bytes of it that its match asks for
            mov_imm(R3, 20),
            jump_if_imm(R2, Cond::Eq, 6, HAVE),
            mov_imm(R3, 8),
            jump_if_imm(R2, Cond::Eq, 17, HAVE),
            jump_if_imm(R2, Cond::Eq, 1, HAVE),
            jump_if_imm(R2, Cond::Eq, 50, HAVE),
            mov_imm(R3, 12),
            jump_if_imm(R2, Cond::Eq, 132, HAVE),
            jump_if_imm(R2, Cond::Eq, 33, HAVE),
            jump_if_imm(R2, Cond::Eq, 51, HAVE),
            mov_imm(R3, 4),
            jump_if_imm(R2, Cond::Ne, 136, END),
            bind(HAVE),
            // R4 = bytes that are there
            load(B4, R4, R6, 0).at(SKB_LEN),
            sub(R4, R1),
            jump_if(R3, Cond::SLe, R4, WHOLE),
            // Cut off: an odd packet. Ports may still be there.
            store_imm(B4, Fp, frame::GUARDS, 2),
            map_value(R2, Map::Data, param::ODD_KEEPS),
            load(B8, R2, R2, 0),
            store(B8, Fp, frame::KEEPS, R2),
            mov_imm(R3, 4),
            jump_if(R3, Cond::SLe, R4, READ),
            store_imm(B4, Fp, frame::GUARDS + 4, 2),
            jump(END),
            bind(WHOLE),
            or_imm(R8, class::TRANSPORT as i32),
            bind(READ),
            // Is that much linear?
            load(B4, R5, R6, 0).at(SKB_DATA_LEN),
            sub(R4, R5),
            jump_if(R3, Cond::SLe, R4, LINEAR),
            store_imm(B8, Fp, frame::HEADER, 0),
            store_imm(B8, Fp, frame::HEADER + 8, 0),
            // The last four bytes of a TCP header are not needed.
            store(B8, Fp, frame::SCRATCH, R3),
            insert(shared::DATA),
            mov(R1, Fp),
            add_imm(R1, frame::HEADER as i32),
            load(B8, R2, Fp, frame::SCRATCH),
            jump_if_imm(R2, Cond::Le, 16, HAVE),
            mov_imm(R2, 16),
            bind(HAVE),
            mov(R3, Fp),
            add_imm(R3, frame::DYNPTR as i32),
            load(B8, R4, Fp, frame::TRANSPORT_AT),
            mov_imm(R5, 0),
            call(DYNPTR_READ),
            // Cannot be; if it is, as if it were cut off.
            jump_if_imm(R0, Cond::Ne, 0, label::DROP),
            load(B8, R1, Fp, frame::HEADER),
            load(B8, R2, Fp, frame::HEADER + 8),
            jump(PARSED),
            bind(LINEAR),
            load(B8, R2, Fp, frame::DATA),
            add(R1, R2),
            mov_imm(R2, 0).imm(PAIR),
            call_kfunc(CAST),
            load(B8, R1, R0, 0),
            load(B8, R2, R0, 8),
            bind(PARSED),
            // R1 = ports, R2 = bytes 8 to 15
            mov(R3, R1),
            swap(R3, 16),
            rsh_imm(R1, 16),
            swap(R1, 16),
            when(
                need::field(Field::SourcePort),
                &[store(B4, Fp, field(Field::SourcePort), R3)]
            ),
            when(
                need::field(Field::DestinationPort),
                &[store(B4, Fp, field(Field::DestinationPort), R1)]
            ),
            lsh_imm(R3, class::SOURCE_PORT as i32),
            or(R8, R3),
            lsh_imm(R1, class::DESTINATION_PORT as i32),
            or(R8, R1),
            when(
                need::field(Field::TcpFlags),
                &[
                    mov(R3, R2),
                    rsh_imm(R3, 40),
                    and_imm(R3, 0xff),
                    store(B4, Fp, field(Field::TcpFlags), R3)
                ]
            ),
            bind(END)
        ]);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The transport header: is it there, and what are the ports?
//!
//! It is there if and only if skb_header_pointer would find it. A packet that a
//! match must drop because it is cut off is malformed; what its rules may still
//! ask is said in `ir::record`.

use super::END;
use crate::ir::{Field, class};
use crate::program::ops::DYNPTR_READ;
use crate::program::prelude::*;
use crate::target::kernel::*;

const ABSENT: i32 = bpfilter_msgfmt::HEADER_ABSENT as i32;
const MALFORMED: i32 = bpfilter_msgfmt::HEADER_MALFORMED as i32;

const HAVE: Label = Label::local(0);
const FIRST: Label = Label::local(1);
const READ: Label = Label::local(2);
const WHOLE: Label = Label::local(3);
const LINEAR: Label = Label::local(4);
const PARSED: Label = Label::local(5);

/// All of the packet R1, for `bpf_dynptr_read`.
pub(in crate::program) const PACKET_DATA: Block = block![
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
                    store(B4, R6, frame::TRANSPORT, R1),
                    mov(R1, R9),
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
            store_imm(B4, R6, frame::HEADERS, 0),
            store_imm(B4, R6, frame::HEADERS + 4, 0),
            mov(R2, R8),
            jump_if_imm(R1, Cond::Eq, 0, FIRST),
            // A later fragment: rules that ask for the header fail,
            or_imm(R8, class::FRAGMENT as i32),
            store_imm(B4, R6, frame::HEADERS, ABSENT),
            store_imm(B4, R6, frame::HEADERS + 4, ABSENT),
            // but tcp drops one that starts at byte 8.
            jump_if_imm(R2, Cond::Ne, 6, END),
            jump_if_imm(R1, Cond::Ne, 0x0100, END),
            store_imm(B4, R6, frame::HEADERS, MALFORMED),
            jump(END),
            bind(FIRST),
            // R1 = where the transport header starts
            mov(R1, R7),
            and_imm(R1, 0xf),
            lsh_imm(R1, 2),
            store(B4, R6, frame::TRANSPORT, R1),
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
            load(B4, R4, R9, 0).at(SKB_LEN),
            sub(R4, R1),
            jump_if(R3, Cond::SLe, R4, WHOLE),
            // Cut off: a malformed packet. Ports may still be there.
            store_imm(B4, R6, frame::HEADERS, MALFORMED),
            mov_imm(R3, 4),
            jump_if(R3, Cond::SLe, R4, READ),
            store_imm(B4, R6, frame::HEADERS + 4, MALFORMED),
            jump(END),
            bind(WHOLE),
            or_imm(R8, class::TRANSPORT as i32),
            bind(READ),
            // Is that much linear?
            load(B4, R5, R9, 0).at(SKB_DATA_LEN),
            sub(R4, R5),
            jump_if(R3, Cond::SLe, R4, LINEAR),
            store_imm(B8, R6, frame::BYTES, 0),
            store_imm(B8, R6, frame::BYTES + 8, 0),
            // The last four bytes of a TCP header are not needed.
            store(B8, R6, frame::SAVED, R3),
            mov(R1, R9),
            insert(shared::DATA),
            mov(R1, R6),
            add_imm(R1, frame::BYTES as i32),
            load(B8, R2, R6, frame::SAVED),
            jump_if_imm(R2, Cond::Le, 16, HAVE),
            mov_imm(R2, 16),
            bind(HAVE),
            mov(R3, Fp),
            add_imm(R3, frame::DYNPTR as i32),
            load(B4, R4, R6, frame::TRANSPORT),
            mov_imm(R5, 0),
            call(DYNPTR_READ),
            // Cannot be; if it is, as if it were cut off.
            jump_if_imm(R0, Cond::Ne, 0, label::DROP),
            load(B8, R1, R6, frame::BYTES),
            load(B8, R2, R6, frame::BYTES + 8),
            jump(PARSED),
            bind(LINEAR),
            load(B8, R2, R6, frame::DATA),
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
                &[store(B4, R6, field(Field::SourcePort), R3)]
            ),
            when(
                need::field(Field::DestinationPort),
                &[store(B4, R6, field(Field::DestinationPort), R1)]
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
                    store(B4, R6, field(Field::TcpFlags), R3)
                ]
            ),
            bind(END)
        ]);
    }
}

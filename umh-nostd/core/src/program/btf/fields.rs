// SPDX-License-Identifier: GPL-2.0-only
//! What is read of a packet besides addresses, ports and the connection.
//!
//! Owns: where the fields of the frame are, and the code that fills each of
//! them if a rule asks for it. What can change behind a target is read again by
//! the same code.

use super::END;
use crate::ir::{Field, MAC_PRESENT, SOCKET_FILE as FILE, SOCKET_PRESENT};
use crate::program::prelude::*;
use crate::target::kernel::*;

const HAVE: Label = Label::local(0);

/// The start of owner_mt: R5 is `SOCKET_*`, and R4 who opened it if there is a
/// file. Goes to END if not, which must be bound next.
pub(in crate::program) const OWNER: Block = block![
    when(
        need::SOCK_NET,
        &[
            load(B8, R1, Fp, frame::STATE),
            mov_imm(R2, 0).imm(HOOK_STATE),
            call_kfunc(CAST),
            load(B8, R1, R0, 0).at(STATE_NET),
            store(B8, R6, frame::SAVED, R1)
        ]
    ),
    load(B8, R1, Fp, frame::SKB),
    mov_imm(R2, 0).imm(SKB),
    call_kfunc(CAST),
    mov_imm(R5, 0),
    load(B8, R1, R0, 0).at(SKB_SK),
    jump_if_imm(R1, Cond::Eq, 0, END),
    load(B1, R2, R1, 0).at(SOCK_STATE),
    jump_if_imm(R2, Cond::Eq, TIME_WAIT, END),
    jump_if_imm(R2, Cond::Ne, NEW_SYN_RECV, HAVE),
    load(B8, R1, R1, 0).at(SOCK_LISTENER),
    bind(HAVE),
    mov_imm(R2, 0).imm(SOCK),
    call_kfunc(CAST),
    mov_imm(R5, 0),
    load(B8, R2, R0, 0).at(SOCK_SOCKET),
    jump_if_imm(R2, Cond::Eq, 0, END),
    when(
        need::SOCK_NET,
        &[
            load(B8, R3, R0, 0).at(SOCK_NET),
            load(B8, R4, R6, frame::SAVED),
            jump_if(R3, Cond::Ne, R4, END),
        ]
    ),
    mov_imm(R5, SOCKET_PRESENT as i32),
    load(B8, R2, R2, 0).at(SOCKET_FILE),
    jump_if_imm(R2, Cond::Eq, 0, END),
    mov_imm(R5, SOCKET_BOTH),
    load(B8, R4, R2, 0).at(FILE_CRED),
];

/// `TCP_TIME_WAIT`: no whole socket.
const TIME_WAIT: i32 = 6;
/// `TCP_NEW_SYN_RECV`: a request for a connection.
const NEW_SYN_RECV: i32 = 12;
/// There is all of it.
pub(in crate::program) const SOCKET_BOTH: i32 = (SOCKET_PRESENT | FILE) as i32;

const SOCKET: &[Item] = &[
    store_imm(B8, R6, field(Field::User), 0),
    insert(shared::OWNER),
    bind(END),
    store(B4, R6, field(Field::Socket), R5),
    jump_if_imm(R5, Cond::Ne, SOCKET_BOTH, END),
    load(B4, R1, R4, 0).at(CRED_USER),
    store(B4, R6, field(Field::User), R1),
    load(B4, R1, R4, 0).at(CRED_GROUP),
    store(B4, R6, field(Field::Group), R1),
    bind(END),
];

/// realm_mt
const REALM: &[Item] = &[
    load(B8, R1, R9, 0).at(SKB_DST),
    // SKB_DST_PTRMASK
    and_imm(R1, -2),
    add_imm(R1, 0).imm(DST_REALM),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
    store(B4, R6, field(Field::Realm), R1),
];

/// `ARPHRD_ETHER`
const ETHERNET: i32 = 1;
/// Bytes of an Ethernet header; the source starts behind 6 of them.
const ETHERNET_LEN: i32 = 14;

/// The start of mac_mt.
const LINK_LAYER: &[Item] = &[
    store_imm(B4, R6, field(Field::MacFirst), 0),
    store_imm(B4, R6, field(Field::MacLast), 0),
    mov(R1, R9),
    mov_imm(R2, 0).imm(SKB),
    call_kfunc(CAST),
    load(B8, R1, R0, 0).at(SKB_DEV),
    load(B2, R1, R1, 0).at(DEV_TYPE),
    jump_if_imm(R1, Cond::Ne, ETHERNET, END),
    load(B2, R2, R9, 0).at(SKB_MAC),
    // Never set.
    jump_if_imm(R2, Cond::Eq, 0xffff, END),
    load(B8, R1, R9, 0).at(SKB_HEAD),
    add(R1, R2),
    // The network header is where the data is.
    load(B8, R2, R9, 0).at(SKB_DATA),
    sub(R2, R1),
    mov32(R2, R2),
    jump_if_imm(R2, Cond::Lt, ETHERNET_LEN, END),
    add_imm(R1, 6),
    mov_imm(R2, 0).imm(PAIR),
    call_kfunc(CAST),
    load(B8, R1, R0, 0),
    store(B4, R6, field(Field::MacFirst), R1),
    rsh_imm(R1, 32),
    and_imm(R1, 0xffff),
    or_imm(R1, MAC_PRESENT as i32),
    store(B4, R6, field(Field::MacLast), R1),
    bind(END),
];

/// iph_totlen, R1 being the header's first 8 bytes: zero stands for a packet of
/// TCP segments that is too big for the header's field.
const LENGTH: &[Item] = &[
    mov(R1, R7),
    rsh_imm(R1, 16),
    swap(R1, 16),
    store(B4, R6, field(Field::Length), R1),
    jump_if_imm(R1, Cond::Ne, 0, END),
    // skb_is_gso, skb_is_gso_tcp
    load(B8, R1, R9, 0).at(SKB_HEAD),
    load(B4, R2, R9, 0).at(SKB_END),
    add(R1, R2),
    store(B8, R6, frame::SAVED, R1),
    add_imm(R1, 0).imm(GSO_SIZE),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
    and_imm(R1, 0xffff),
    jump_if_imm(R1, Cond::Eq, 0, END),
    load(B8, R1, R6, frame::SAVED),
    add_imm(R1, 0).imm(GSO_TYPE),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
    // SKB_GSO_TCPV4 | SKB_GSO_TCPV6
    and_imm(R1, 0x11),
    jump_if_imm(R1, Cond::Eq, 0, END),
    load(B4, R1, R9, 0).at(SKB_LEN),
    store(B4, R6, field(Field::Length), R1),
    bind(END),
];

const PACKET_LOOPBACK: i32 = 5;
const PACKET_BROADCAST: i32 = 1;
const PACKET_MULTICAST: i32 = 2;

/// pkttype_mt: a packet over the loopback interface is never unicast.
const PACKET_TYPE: &[Item] = &[
    load(B1, R1, R9, 0).at(SKB_PKT_TYPE),
    and_imm(R1, 7),
    jump_if_imm(R1, Cond::Ne, PACKET_LOOPBACK, END),
    load(B4, R2, R6, field(Field::Destination)),
    rsh_imm(R2, 28),
    mov_imm(R1, PACKET_MULTICAST),
    jump_if_imm(R2, Cond::Eq, 0xe, END),
    mov_imm(R1, PACKET_BROADCAST),
    bind(END),
    store(B4, R6, field(Field::PacketType), R1),
];

impl Builder<'_> {
    /// The fields that need nothing but the packet, R7, R8 and the addresses.
    pub(super) fn fields(&mut self) {
        self.emit(block![
            when(
                need::field(Field::Source),
                &[
                    load(B4, R1, R6, frame::ADDRESSES),
                    swap(R1, 32),
                    store(B4, R6, field(Field::Source), R1)
                ]
            ),
            when(
                need::field(Field::Destination),
                &[
                    load(B4, R1, R6, frame::ADDRESSES + 4),
                    swap(R1, 32),
                    store(B4, R6, field(Field::Destination), R1)
                ]
            ),
            when(
                need::field(Field::Protocol),
                &[store(B4, R6, field(Field::Protocol), R8)]
            ),
            when(
                need::field(Field::Tos),
                &[
                    mov(R1, R7),
                    rsh_imm(R1, 8),
                    and_imm(R1, 0xff),
                    store(B4, R6, field(Field::Tos), R1)
                ]
            ),
            when(
                need::field(Field::Mark),
                &[
                    load(B4, R1, R9, 0).at(SKB_MARK),
                    store(B4, R6, field(Field::Mark), R1)
                ]
            ),
            when(
                need::field(Field::Cpu),
                &[
                    load(B4, R1, R6, frame::CPU),
                    store(B4, R6, field(Field::Cpu), R1)
                ]
            ),
            when(need::field(Field::Realm), REALM),
            when(need::field(Field::Socket), SOCKET),
            when(need::field(Field::MacLast), LINK_LAYER),
            when(need::field(Field::Length), LENGTH),
            when(need::field(Field::PacketType), PACKET_TYPE),
        ]);
    }
}

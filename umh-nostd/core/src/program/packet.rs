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

use super::act::CPU;
use super::asm::{
    Cond, Item, Map, Param, Reg, Size, add, add_imm, and_imm, and32_imm, bind, call, call_kfunc,
    insert, jump, jump_if, jump_if_imm, load, lsh, lsh_imm, map_value, modulo_imm, mov, mov_imm,
    mov_wide, mov32, mov32_imm, mul_imm, neg, or, or_imm, rsh_imm, store, store_imm, sub,
    sub32_imm, swap, unless, upper, when, xor,
};
use super::asm::{Label, and};
use super::block::Block;
use super::kernel::{
    CAST, CRED_GROUP, CRED_USER, CT_STATUS, DEV_GROUP, DEV_NAME, DEV_TYPE, DST_REALM, DYNPTR,
    FILE_CRED, GSO_SIZE, GSO_TYPE, HOOK_STATE, ITER_NEW, PAIR, SKB, SKB_DATA, SKB_DATA_LEN,
    SKB_DEV, SKB_DST, SKB_END, SKB_HEAD, SKB_LEN, SKB_MAC, SKB_MARK, SKB_NFCT, SKB_PKT_TYPE,
    SKB_SK, SOCK, SOCK_LISTENER, SOCK_NET, SOCK_SOCKET, SOCK_STATE, SOCKET_FILE, STATE_IN,
    STATE_NET, STATE_OUT, WORD,
};
use super::ops::DYNPTR_READ;
use super::{Builder, frame, label, need, param, shared};
use crate::ir::{
    CT_INVALID, CT_ORIGINAL, CT_PRESENT, CT_UNTRACKED, Field, MAC_PRESENT, Question,
    SOCKET_FILE as FILE, SOCKET_PRESENT, class, kind,
};
use crate::plan::{Rows, Source, key_place};

use Reg::{Fp, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9};
use Size::{B1, B2, B4, B8};

/// Where in the frame a field is.
pub(super) const fn field(field: Field) -> i16 {
    frame::FIELDS + 4 * field as i16
}

const HAVE: Label = Label::local(0);
const FIRST: Label = Label::local(1);
const READ: Label = Label::local(2);
const WHOLE: Label = Label::local(3);
const LINEAR: Label = Label::local(4);
const PARSED: Label = Label::local(5);
pub(super) const END: Label = Label::local(6);

/// A place in the frame.
const PLACE: Param = Param::arg(0);

/// The start of owner_mt: R5 is `SOCKET_*`, and R4 who opened it if there is a
/// file. Goes to END if not, which must be bound next.
pub(super) const OWNER: Block = block![
    when(
        need::SOCK_NET,
        &[
            load(B8, R1, Fp, frame::STATE),
            mov_imm(R2, 0).imm(HOOK_STATE),
            call_kfunc(CAST),
            load(B8, R1, R0, 0).at(STATE_NET),
            store(B8, Fp, frame::SAVED, R1)
        ]
    ),
    mov(R1, R6),
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
            load(B8, R4, Fp, frame::SAVED),
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
pub(super) const SOCKET_BOTH: i32 = (SOCKET_PRESENT | FILE) as i32;

const SOCKET: &[Item] = &[
    store_imm(B8, Fp, field(Field::User), 0),
    insert(shared::OWNER),
    bind(END),
    store(B4, Fp, field(Field::Socket), R5),
    jump_if_imm(R5, Cond::Ne, SOCKET_BOTH, END),
    load(B4, R1, R4, 0).at(CRED_USER),
    store(B4, Fp, field(Field::User), R1),
    load(B4, R1, R4, 0).at(CRED_GROUP),
    store(B4, Fp, field(Field::Group), R1),
    bind(END),
    when(need::OPS, &[insert(shared::FORGET)]),
];

/// realm_mt
const REALM: &[Item] = &[
    load(B8, R1, R6, 0).at(SKB_DST),
    // SKB_DST_PTRMASK
    and_imm(R1, -2),
    add_imm(R1, 0).imm(DST_REALM),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
    store(B4, Fp, field(Field::Realm), R1),
];

/// `ARPHRD_ETHER`
const ETHERNET: i32 = 1;
/// Bytes of an Ethernet header; the source starts behind 6 of them.
const ETHERNET_LEN: i32 = 14;

/// The start of mac_mt.
const LINK_LAYER: &[Item] = &[
    store_imm(B4, Fp, field(Field::MacFirst), 0),
    store_imm(B4, Fp, field(Field::MacLast), 0),
    mov(R1, R6),
    mov_imm(R2, 0).imm(SKB),
    call_kfunc(CAST),
    load(B8, R1, R0, 0).at(SKB_DEV),
    load(B2, R1, R1, 0).at(DEV_TYPE),
    jump_if_imm(R1, Cond::Ne, ETHERNET, END),
    load(B2, R2, R6, 0).at(SKB_MAC),
    // Never set.
    jump_if_imm(R2, Cond::Eq, 0xffff, END),
    load(B8, R1, R6, 0).at(SKB_HEAD),
    add(R1, R2),
    // The network header is where the data is.
    load(B8, R2, R6, 0).at(SKB_DATA),
    sub(R2, R1),
    mov32(R2, R2),
    jump_if_imm(R2, Cond::Lt, ETHERNET_LEN, END),
    add_imm(R1, 6),
    mov_imm(R2, 0).imm(PAIR),
    call_kfunc(CAST),
    load(B8, R1, R0, 0),
    store(B4, Fp, field(Field::MacFirst), R1),
    rsh_imm(R1, 32),
    and_imm(R1, 0xffff),
    or_imm(R1, MAC_PRESENT as i32),
    store(B4, Fp, field(Field::MacLast), R1),
    bind(END),
];

/// iph_totlen, R1 being the header's first 8 bytes: zero stands for a packet of
/// TCP segments that is too big for the header's field.
pub(super) const LENGTH: Block = block![
    rsh_imm(R1, 16),
    swap(R1, 16),
    store(B4, Fp, field(Field::Length), R1),
    jump_if_imm(R1, Cond::Ne, 0, END),
    // skb_is_gso, skb_is_gso_tcp
    load(B8, R1, R6, 0).at(SKB_HEAD),
    load(B4, R2, R6, 0).at(SKB_END),
    add(R1, R2),
    store(B8, Fp, frame::SCRATCH, R1),
    add_imm(R1, 0).imm(GSO_SIZE),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
    and_imm(R1, 0xffff),
    jump_if_imm(R1, Cond::Eq, 0, END),
    load(B8, R1, Fp, frame::SCRATCH),
    add_imm(R1, 0).imm(GSO_TYPE),
    mov_imm(R2, 0).imm(WORD),
    call_kfunc(CAST),
    load(B4, R1, R0, 0),
    // SKB_GSO_TCPV4 | SKB_GSO_TCPV6
    and_imm(R1, 0x11),
    jump_if_imm(R1, Cond::Eq, 0, END),
    load(B4, R1, R6, 0).at(SKB_LEN),
    store(B4, Fp, field(Field::Length), R1),
    bind(END),
    // Where the loop comes here, too, all lengths look alike; see `frame`.
    when(
        need::op(kind::XT_TARGET),
        &[
            map_value(R2, Map::Data, param::ZERO),
            load(B8, R2, R2, 0),
            load(B4, R1, Fp, field(Field::Length)),
            add(R1, R2),
            store(B4, Fp, field(Field::Length), R1),
        ]
    ),
];

/// All of the packet, for `bpf_dynptr_read`.
pub(super) const PACKET_DATA: Block = block![
    mov(R1, R6),
    mov_imm(R2, 0),
    mov(R3, Fp),
    add_imm(R3, frame::DYNPTR as i32),
    call_kfunc(DYNPTR),
];

/// What TCPMSS changes, beside the data: the packet may have grown, and lie
/// elsewhere.
pub(super) const CHANGED: &[Item] = &[
    bind(label::CHANGED),
    when(
        need::field(Field::Length),
        &[
            load(B8, R1, R6, 0).at(SKB_DATA),
            mov_imm(R2, 0).imm(PAIR),
            call_kfunc(CAST),
            load(B8, R1, R0, 0),
            insert(shared::LENGTH),
        ],
    ),
    when(need::PAYLOAD, &[insert(shared::DATA)]),
    when(need::OPS, &[insert(shared::FORGET)]),
    jump(label::FAILED),
];

const PACKET_LOOPBACK: i32 = 5;
const PACKET_BROADCAST: i32 = 1;
const PACKET_MULTICAST: i32 = 2;

/// pkttype_mt: a packet over the loopback interface is never unicast.
const PACKET_TYPE: &[Item] = &[
    load(B1, R1, R6, 0).at(SKB_PKT_TYPE),
    and_imm(R1, 7),
    jump_if_imm(R1, Cond::Ne, PACKET_LOOPBACK, END),
    load(B4, R2, Fp, field(Field::Destination)),
    rsh_imm(R2, 28),
    mov_imm(R1, PACKET_MULTICAST),
    jump_if_imm(R2, Cond::Eq, 0xe, END),
    mov_imm(R1, PACKET_BROADCAST),
    bind(END),
    store(B4, Fp, field(Field::PacketType), R1),
];

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

    /// The fields that need nothing but R7, R8, R9 and the packet.
    fn fields(&mut self) {
        self.emit(block![
            when(
                need::field(Field::Source),
                &[
                    mov(R1, R9),
                    swap(R1, 32),
                    store(B4, Fp, field(Field::Source), R1)
                ]
            ),
            when(
                need::field(Field::Destination),
                &[
                    mov(R1, R9),
                    rsh_imm(R1, 32),
                    swap(R1, 32),
                    store(B4, Fp, field(Field::Destination), R1)
                ]
            ),
            when(
                need::field(Field::Protocol),
                &[store(B4, Fp, field(Field::Protocol), R8)]
            ),
            when(
                need::field(Field::Tos),
                &[
                    mov(R1, R7),
                    rsh_imm(R1, 8),
                    and_imm(R1, 0xff),
                    store(B4, Fp, field(Field::Tos), R1)
                ]
            ),
            when(
                need::field(Field::Mark),
                &[
                    load(B4, R1, R6, 0).at(SKB_MARK),
                    store(B4, Fp, field(Field::Mark), R1)
                ]
            ),
            when(
                need::field(Field::Cpu),
                &[call(CPU), store(B4, Fp, field(Field::Cpu), R0)]
            ),
            when(need::field(Field::Realm), REALM),
            when(need::field(Field::Socket), SOCKET),
            when(need::field(Field::MacLast), LINK_LAYER),
            when(
                need::field(Field::Length),
                &[mov(R1, R7), insert(shared::LENGTH)]
            ),
            when(need::field(Field::PacketType), PACKET_TYPE),
        ]);
    }

    /// Fragment bit, and what becomes of those who ask for the transport
    /// header.
    fn fragment_and_transport(&mut self) {
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

    /// nf_ct_get, and the bits of conntrack_mt.
    fn connection(&mut self) {
        self.emit(block![when(
            need::field(Field::Connection),
            &[
                load(B8, R1, R6, 0).at(SKB_NFCT),
                mov(R2, R1),
                and_imm(R2, 7),
                and_imm(R1, !7),
                store(B8, Fp, frame::CONNECTION, R1),
                // No copy of it, see `frame`.
                and_imm(R1, -1),
                jump_if_imm(R1, Cond::Ne, 0, HAVE),
                mov_imm(R3, CT_UNTRACKED as i32),
                // IP_CT_UNTRACKED
                jump_if_imm(R2, Cond::Eq, 7, END),
                mov_imm(R3, CT_INVALID as i32),
                jump(END),
                bind(HAVE),
                mov_imm(R3, CT_PRESENT as i32),
                // IP_CT_IS_REPLY
                jump_if_imm(R2, Cond::Ge, 3, FIRST),
                or_imm(R3, CT_ORIGINAL as i32),
                bind(FIRST),
                modulo_imm(R2, 3),
                mov_imm(R4, 2),
                lsh(R4, R2),
                or(R3, R4),
                when(
                    need::NAT,
                    &[
                        store(B4, Fp, field(Field::Connection), R3),
                        add_imm(R1, 0).imm(CT_STATUS),
                        mov_imm(R2, 0).imm(WORD),
                        call_kfunc(CAST),
                        load(B4, R1, R0, 0),
                        // IPS_SRC_NAT and IPS_DST_NAT
                        and_imm(R1, 0x30),
                        lsh_imm(R1, 2),
                        load(B4, R3, Fp, field(Field::Connection)),
                        or(R3, R1)
                    ]
                ),
                bind(END),
                store(B4, Fp, field(Field::Connection), R3),
            ]
        )]);
    }

    /// The predicates: each sets its bit where it does not hold.
    fn questions(&mut self) {
        let ruleset = self.ruleset;
        for (bit, predicate) in ruleset.predicates().iter() {
            match predicate.question {
                Question::Test(test) => self.emit_with(
                    block![
                        load(B4, R1, Fp, 0).at(PLACE),
                        and32_imm(R1, 0).imm(Param::arg(1)),
                        sub32_imm(R1, 0).imm(Param::arg(2)),
                        // Negative if it is more than the span.
                        mov32_imm(R2, 0).imm(Param::arg(3)),
                        sub(R2, R1),
                        rsh_imm(R2, 63),
                        lsh_imm(R2, 0).imm(Param::arg(4)),
                        or(R8, R2),
                    ],
                    &[
                        field(test.field).into(),
                        test.mask as i32,
                        test.low as i32,
                        test.span as i32,
                        bit,
                    ],
                ),
                Question::Interface(out, pattern) => {
                    let at = frame::NAMES + if out { 16 } else { 0 };
                    let [first, second] = pattern.name;
                    let [first_mask, second_mask] = pattern.mask;
                    let halves = |number: u64| [number as i32, (number >> 32) as i32];
                    let args = |at: i16, name, mask| {
                        let ([a, b], [c, d]) = (halves(name), halves(mask));
                        [at.into(), a, b, c, d]
                    };
                    self.emit_with(
                        block![
                            load(B8, R1, Fp, 0).at(PLACE),
                            mov_wide(R2, 0).imm(Param::arg(1)),
                            upper(0).imm(Param::arg(2)),
                            xor(R1, R2),
                            mov_wide(R2, 0).imm(Param::arg(3)),
                            upper(0).imm(Param::arg(4)),
                            and(R1, R2),
                        ],
                        &args(at, first, first_mask),
                    );
                    if second_mask != 0 {
                        self.emit_with(
                            block![
                                load(B8, R3, Fp, 0).at(PLACE),
                                mov_wide(R2, 0).imm(Param::arg(1)),
                                upper(0).imm(Param::arg(2)),
                                xor(R3, R2),
                                mov_wide(R2, 0).imm(Param::arg(3)),
                                upper(0).imm(Param::arg(4)),
                                and(R3, R2),
                                or(R1, R3),
                            ],
                            &args(at + 8, second, second_mask),
                        );
                    }
                    self.emit_with(
                        block![
                            // Negative unless it is zero.
                            mov(R2, R1),
                            neg(R2),
                            or(R1, R2),
                            rsh_imm(R1, 63),
                            lsh_imm(R1, 0).imm(Param::arg(0)),
                            or(R8, R1),
                        ],
                        &[bit],
                    );
                }
            }
        }
    }
}

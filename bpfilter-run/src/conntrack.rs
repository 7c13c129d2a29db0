// SPDX-License-Identifier: GPL-2.0-only
//! Connection tracking, switched on in a network namespace.
//!
//! The kernel tracks connections in a namespace only while somebody asks for
//! it. An nft table with one unhooked chain, in which one rule loads `ct state`,
//! asks for it and does nothing else. The table belongs to a netlink socket:
//! however that is closed, the kernel removes the table with it.
//!
//! A rule that loads `ct bytes` makes connections count their packets, and
//! leaves it so.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::sys::namespace::Namespace;

/// Keeps connection tracking on.
#[derive(Debug)]
pub(crate) struct Conntrack {
    /// Owns the table.
    _socket: OwnedFd,
}

impl Conntrack {
    /// Switches connection tracking on in `net` until this is dropped.
    pub(crate) fn hold(net: &Namespace) -> io::Result<Self> {
        Self::ask(net, "asks", NFT_CT_STATE)
    }

    /// Makes the connections of `net` count from now on.
    pub(crate) fn account(net: &Namespace) -> io::Result<()> {
        Self::ask(net, "accounts", NFT_CT_BYTES).map(drop)
    }

    /// A table whose name ends in `purpose`, with a rule that loads `key`.
    fn ask(net: &Namespace, purpose: &str, key: u32) -> io::Result<Self> {
        let socket = net.inside(|| {
            let socket = rustix::net::socket_with(
                AddressFamily::NETLINK,
                SocketType::RAW,
                SocketFlags::CLOEXEC,
                Some(netlink::NETFILTER),
            )?;
            rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
            Ok(socket)
        })?;
        let batch = table(purpose, key);
        rustix::net::send(&socket, &batch, SendFlags::empty())?;
        // Answers come before send returns: for each message that failed an
        // error, and an acknowledgement of the last one.
        let mut answers = [0; 8192];
        let (got, _) = rustix::net::recv(&socket, &mut answers, RecvFlags::DONTWAIT)?;
        match first_error(answers.get(..got).unwrap_or_default()) {
            None => Err(io::ErrorKind::InvalidData.into()),
            Some(0) => Ok(Self { _socket: socket }),
            Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
        }
    }
}

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_NEWTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8;
const NFT_MSG_NEWCHAIN: u16 = NFNL_SUBSYS_NFTABLES << 8 | 3;
const NFT_MSG_NEWRULE: u16 = NFNL_SUBSYS_NFTABLES << 8 | 6;
const NFPROTO_UNSPEC: u8 = 0;
const NFPROTO_IPV4: u8 = libc::NFPROTO_IPV4 as u8;
const NLA_F_NESTED: u16 = 0x8000;

const NFT_CT_STATE: u32 = 0;
const NFT_CT_BYTES: u32 = 14;

/// `nft add table ip NAME { flags owner; }`, `add chain ip NAME asks`,
/// `add rule ip NAME asks ct KEY`.
fn table(purpose: &str, key: u32) -> Vec<u8> {
    const NFTA_TABLE_NAME: u16 = 1;
    const NFTA_TABLE_FLAGS: u16 = 2;
    const NFT_TABLE_F_OWNER: u32 = 2;
    const NFTA_CHAIN_TABLE: u16 = 1;
    const NFTA_CHAIN_NAME: u16 = 3;
    const NFTA_RULE_TABLE: u16 = 1;
    const NFTA_RULE_CHAIN: u16 = 2;
    const NFTA_RULE_EXPRESSIONS: u16 = 4;
    const NFTA_LIST_ELEM: u16 = 1;
    const NFTA_EXPR_NAME: u16 = 1;
    const NFTA_EXPR_DATA: u16 = 2;
    const NFTA_CT_DREG: u16 = 1;
    const NFTA_CT_KEY: u16 = 2;
    const NFT_REG_1: u32 = 1;

    // Others may be at it in the same namespace, with the same number in another
    // namespace of processes.
    let pids = fs::metadata("/proc/self/ns/pid").map_or(0, |link| link.ino());
    let name = format!("bpfilter-run-{purpose}-{pids}-{}\0", std::process::id());
    let name = name.as_bytes();
    let chain = b"asks\0";
    let number = |n: u32| n.to_be_bytes();
    let nested = |kind: u16| kind | NLA_F_NESTED;

    let data = [
        attribute(NFTA_CT_DREG, &number(NFT_REG_1)),
        attribute(NFTA_CT_KEY, &number(key)),
    ];
    let expression = [
        attribute(NFTA_EXPR_NAME, b"ct\0"),
        attribute(nested(NFTA_EXPR_DATA), &data.concat()),
    ];
    let list = attribute(nested(NFTA_LIST_ELEM), &expression.concat());

    let create = NLM_F_REQUEST | NLM_F_CREATE;
    let new_table = [
        attribute(NFTA_TABLE_NAME, name),
        attribute(NFTA_TABLE_FLAGS, &number(NFT_TABLE_F_OWNER)),
    ];
    let new_chain = [
        attribute(NFTA_CHAIN_TABLE, name),
        attribute(NFTA_CHAIN_NAME, chain),
    ];
    let new_rule = [
        attribute(NFTA_RULE_TABLE, name),
        attribute(NFTA_RULE_CHAIN, chain),
        attribute(nested(NFTA_RULE_EXPRESSIONS), &list),
    ];
    let batch = NFNL_SUBSYS_NFTABLES;
    [
        message(
            NFNL_MSG_BATCH_BEGIN,
            NLM_F_REQUEST,
            NFPROTO_UNSPEC,
            batch,
            &[],
        ),
        message(
            NFT_MSG_NEWTABLE,
            create | NLM_F_EXCL,
            NFPROTO_IPV4,
            0,
            &new_table.concat(),
        ),
        message(
            NFT_MSG_NEWCHAIN,
            create | NLM_F_EXCL,
            NFPROTO_IPV4,
            0,
            &new_chain.concat(),
        ),
        message(
            NFT_MSG_NEWRULE,
            create | NLM_F_ACK,
            NFPROTO_IPV4,
            0,
            &new_rule.concat(),
        ),
        message(
            NFNL_MSG_BATCH_END,
            NLM_F_REQUEST,
            NFPROTO_UNSPEC,
            batch,
            &[],
        ),
    ]
    .concat()
}

/// A netlink message with its `nfgenmsg`. The kernel fills in who sends.
fn message(kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) -> Vec<u8> {
    const HEADERS: usize = 16 + 4;
    let mut bytes = Vec::new();
    bytes.extend(((HEADERS + attributes.len()) as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]); // sequence number and port
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

/// A netlink attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    const HEADER: usize = 4;
    let mut bytes = Vec::new();
    bytes.extend(((HEADER + value.len()) as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The errno (negative) of the first message that failed; 0 if there is an
/// acknowledgement and no failure; `None` if there is neither.
fn first_error(mut answers: &[u8]) -> Option<i32> {
    let mut acknowledged = None;
    loop {
        let Some((header, _)) = answers.split_first_chunk::<8>() else {
            return acknowledged;
        };
        let [l0, l1, l2, l3, k0, k1, ..] = *header;
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let body = answers.get(16..len)?;
        if u16::from_ne_bytes([k0, k1]) == NLMSG_ERROR {
            let (errno, _) = body.split_first_chunk::<4>()?;
            match i32::from_ne_bytes(*errno) {
                0 => acknowledged = Some(0),
                errno => return Some(errno),
            }
        }
        answers = answers.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
}

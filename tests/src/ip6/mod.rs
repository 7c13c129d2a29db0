// SPDX-License-Identifier: GPL-2.0-only
//! IPv6: the tables of the kernel's own ip6_tables, and what they say of a packet.
//!
//! Owns: the calls at level SOL_IPV6 in the test's own network namespace, and
//! random rules and packets of a small world of their own.
//!
//! ```text
//! evaluate  what ip6t_do_table makes of a packet, written from its source
//! record    what the kernel half tells a program of a packet
//! random    rules as ip6tables takes them, and packets
//! traffic   packets through all hooks, and a record of what can be seen of them
//! ```

pub mod evaluate;
pub mod random;
pub mod record;
pub mod traffic;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use umh_core::abi::{GetEntries, GetInfo, Replace};
use zerocopy::{FromBytes, IntoBytes};

use crate::blob::padded;
use crate::client::sockopt::{Call, Kind, Place, Prepared, SOL_IPV6, socket_of};

/// `IP6T_SO_SET_REPLACE` and `IP6T_SO_GET_INFO`.
const REPLACE: i32 = 64;
const GET_INFO: i32 = 64;
/// `IP6T_SO_GET_ENTRIES`.
const GET_ENTRIES: i32 = 65;

fn call(call: Call) -> io::Result<Vec<u8>> {
    let outcome = Prepared::new(&Call {
        level: SOL_IPV6,
        ..call
    })?
    .outcome();
    match outcome.ret {
        0 => Ok(outcome.bytes),
        _ => Err(io::Error::from_raw_os_error(outcome.errno)),
    }
}

/// GET_INFO of this namespace's table.
pub fn info(table: &str) -> io::Result<GetInfo> {
    let mut bytes = [0; size_of::<GetInfo>()];
    bytes[..32].copy_from_slice(&padded::<32>(table));
    let bytes = call(Call::get(GET_INFO, bytes))?;
    Ok(GetInfo::read_from_bytes(&bytes).expect("as long as it was"))
}

/// GET_ENTRIES of this namespace's table, without its header.
pub fn entries(table: &str) -> io::Result<Vec<u8>> {
    let asked = GetEntries {
        name: padded(table),
        size: info(table)?.size,
        pad: 0,
    };
    let mut bytes = asked.as_bytes().to_vec();
    bytes.resize(size_of::<GetEntries>() + asked.size as usize, 0);
    Ok(call(Call::get(GET_ENTRIES, bytes))?.split_off(size_of::<GetEntries>()))
}

/// The header of a REPLACE that loads such a table over one of `current` entries.
pub fn header(info: &GetInfo, current: u32) -> Replace {
    Replace {
        name: info.name,
        valid_hooks: info.valid_hooks,
        num_entries: info.num_entries,
        size: info.size,
        hook_entry: info.hook_entry,
        underflow: info.underflow,
        num_counters: current,
        counters: 0,
    }
}

/// REPLACE in this namespace.
pub fn replace(header: &Replace, entries: &[u8]) -> io::Result<()> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(entries);
    let counters = vec![0; 16 * header.num_counters as usize];
    call(Call::set(REPLACE, bytes).counters(counters, Place::default())).map(drop)
}

/// Sends packets, header included, over the loopback interface.
pub struct Sender(OwnedFd);

impl Sender {
    /// In this network namespace.
    pub fn open() -> io::Result<Self> {
        socket_of(libc::AF_INET6, Kind::Raw).map(Self)
    }

    /// Whether LOCAL_OUT lets the packet pass.
    pub fn passes(&self, bytes: &[u8]) -> io::Result<bool> {
        let mut address = libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as u16,
            sin6_port: 0,
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
            sin6_scope_id: 0,
        };
        // Where it goes, whatever its header says.
        address.sin6_addr.s6_addr[15] = 1;
        // SAFETY: both pointers are to live memory of the lengths given; the
        // kernel only reads them.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                0,
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        match sent {
            0.. => Ok(true),
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::EPERM) => Ok(false),
                error => Err(error),
            },
        }
    }
}

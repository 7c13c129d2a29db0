// SPDX-License-Identifier: GPL-2.0-only
//! The request handler over a fake system.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that indexes wrongly shall fail"
)]

use bpfilter_msgfmt as msg;
use umh_core::abi::{GetEntries, GetInfo};

use super::*;
use crate::fake::{BASE, CALLER, Fake};

fn ask(system: &Fake, is_set: u32, cmd: u32, len: usize) -> i32 {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    answer(
        system,
        &Request {
            addr: BASE,
            len,
            is_set,
            cmd,
            pid: CALLER.0,
        },
    )
    .status
}

/// `size` bytes that start with the name of a table.
fn named(name: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

#[test]
fn ping() {
    assert_eq!(ask(&Fake::default(), 0, msg::CMD_PING, 0), 0);
    assert_eq!(ask(&Fake::default(), 1, msg::CMD_PING, 7), 0);
}

#[test]
fn info_of_the_pristine_table() {
    let system = Fake::new(&named("filter", size_of::<GetInfo>()));
    assert_eq!(
        ask(&system, 0, msg::IPT_SO_GET_INFO, size_of::<GetInfo>()),
        0
    );
    let memory = system.memory.borrow();
    let info = GetInfo::ref_from_bytes(&memory).ok();
    let hooks = [u32::MAX, 0, 152, 304, u32::MAX];
    assert_eq!(
        info.map(|i| (
            i.valid_hooks,
            i.hook_entry,
            i.underflow,
            i.num_entries,
            i.size
        )),
        Some((0xe, hooks, hooks, 4, 632))
    );
    assert!(memory.starts_with(b"filter\0"));
}

#[test]
fn entries_of_the_pristine_table() {
    let mut bytes = named("filter", 40 + 632);
    bytes[32..36].copy_from_slice(&632u32.to_ne_bytes());
    let system = Fake::new(&bytes);
    assert_eq!(ask(&system, 0, msg::IPT_SO_GET_ENTRIES, bytes.len()), 0);
    let memory = system.memory.borrow();
    assert_eq!(memory[..40], bytes[..40]);
    // ip_tables' own bytes, from a kernel: what is not zero, and where.
    let policy: &[(usize, u8)] = &[
        (88, 0x70),
        (90, 0x98),
        (112, 0x28),
        (144, 0xfe),
        (145, 0xff),
        (146, 0xff),
        (147, 0xff),
    ];
    let mut expected = vec![0u8; 632];
    for hook in 0..3 {
        for (at, byte) in policy {
            expected[152 * hook + at] = *byte;
        }
        expected[152 * hook + 92] = 2 << hook;
    }
    for (at, byte) in [(88, 0x70), (90, 0xb0), (112, 0x40)] {
        expected[456 + at] = byte;
    }
    expected[456 + 114..456 + 119].copy_from_slice(b"ERROR");
    expected[456 + 144..456 + 149].copy_from_slice(b"ERROR");
    assert_eq!(memory[40..], expected);
}

#[test]
fn errors_in_the_kernels_order() {
    let info = size_of::<GetInfo>();
    let nat = Fake::new(&named("nat", 96));
    let filter = Fake::new(&named("filter", info));
    // Length before address before name.
    assert_eq!(
        ask(&nat, 0, msg::IPT_SO_GET_INFO, info - 1),
        Errno::EINVAL.status()
    );
    assert_eq!(
        ask(&Fake::default(), 0, msg::IPT_SO_GET_INFO, info),
        Errno::EFAULT.status()
    );
    assert_eq!(
        ask(&nat, 0, msg::IPT_SO_GET_INFO, info),
        Errno::ENOPROTOOPT.status()
    );
    // Length against the size in memory, then that against the table's.
    let header = size_of::<GetEntries>();
    assert_eq!(
        ask(&filter, 0, msg::IPT_SO_GET_ENTRIES, header + 8),
        Errno::EINVAL.status()
    );
    assert_eq!(
        ask(&filter, 0, msg::IPT_SO_GET_ENTRIES, header),
        Errno::EAGAIN.status()
    );
    // Options that do not exist.
    assert_eq!(ask(&filter, 0, 68, 84), Errno::ENOPROTOOPT.status());
    // A dead caller.
    let request = Request {
        addr: BASE,
        len: 84,
        is_set: 0,
        cmd: msg::IPT_SO_GET_INFO,
        pid: 1,
    };
    assert_eq!(answer(&filter, &request).status, Errno::EFAULT.status());
}

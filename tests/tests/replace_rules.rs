// SPDX-License-Identifier: GPL-2.0-only
//! Each rule of REPLACE, and the errno for breaking it: what the core says,
//! and what the ip_tables of the kernel that runs the test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::blob;
use bpfilter_tests::rows::{CURRENT, Row, rows};
use bpfilter_tests::side::Side;
use bpfilter_tests::sockopt::{
    Call, GET_REVISION_MATCH, GET_REVISION_TARGET, Place, REPLACE, errno_name,
};
use umh_core::abi::{GetInfo, Replace};
use umh_core::arena::Arena;
use umh_core::errno::{Errno, Result};
use umh_core::extension::{self, Features, Host, Kind};
use umh_core::table::{self, Table};

const HOST: Host = Host {
    features: Features::ALL,
    hz: 250,
};

/// What the helper does with a REPLACE before it compiles: what GET_INFO and
/// GET_ENTRIES say afterwards, or the errno.
fn core_replace(row: &Row, current: u32) -> Result<(GetInfo, Vec<u8>)> {
    let len = len(row);
    if (len as usize) < size_of::<Replace>() {
        return Err(Errno::EINVAL);
    }
    let header = row.blob.header;
    let size = table::check_header(&header, len)?;
    let mut entries = row
        .blob
        .entries
        .get(..size)
        .expect("the row has its entries")
        .to_vec();
    let mut memory = vec![0; entries.len() / 32 + 64];
    let mut arena = Arena::new(&mut memory);
    let table = Table::check(&header, current, &HOST, &mut entries, &mut arena)?;
    let info = table.info();
    Ok((info, table.into_entries().to_vec()))
}

fn len(row: &Row) -> u32 {
    (row.blob.bytes().len() as i32 + row.more) as u32
}

fn kernel_replace(kernel: &mut Side, row: &Row) -> std::result::Result<(GetInfo, Vec<u8>), i32> {
    let call = Call::set(REPLACE, row.blob.bytes())
        .len(len(row))
        .counters(vec![0; 16 * 64], Place::Mapped);
    let outcome = kernel.call(&call);
    if outcome.ret != 0 {
        return Err(outcome.errno);
    }
    let info = blob::info_of(&kernel.call(&blob::get_info("filter")).bytes);
    let entries = kernel.call(&blob::get_entries("filter", info.size)).bytes;
    Ok((info, entries[40..].to_vec()))
}

/// The rows, with one failure message for all that fail.
fn each_row(mut check: impl FnMut(&Row) -> std::result::Result<(), String>) {
    let failed: Vec<String> = rows()
        .iter()
        .filter_map(|row| {
            let said = check(row).err()?;
            Some(format!(
                "{}: {said}, not {}",
                row.what,
                errno_name(row.errno)
            ))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_core_keeps_the_rules() {
    each_row(|row| match core_replace(row, CURRENT) {
        Ok(_) if row.errno == 0 => Ok(()),
        Ok(_) => Err("accepted".to_owned()),
        Err(errno) if errno.number() == row.errno => Ok(()),
        Err(errno) => Err(errno_name(errno.number())),
    });
}

#[test]
fn the_kernel_has_the_same_rules() {
    let mut kernel = Side::kernel(env!("CARGO_BIN_EXE_rawclient"));
    let mut current = CURRENT;
    each_row(|row| {
        let mut row = row.clone();
        if row.blob.header.num_counters == CURRENT {
            row.blob.header.num_counters = current;
        }
        match kernel_replace(&mut kernel, &row) {
            Ok(kept) if row.young => {
                current = kept.0.num_entries;
                Ok(())
            }
            Ok(kept) if row.errno == 0 => {
                let core = core_replace(&row, current).map_err(|e| errno_name(e.number()))?;
                current = kept.0.num_entries;
                let differ = core.1.iter().zip(&kept.1).position(|(a, b)| a != b);
                if core.0 != kept.0 || differ.is_some() {
                    return Err(format!("given back otherwise, at {differ:?}"));
                }
                Ok(())
            }
            Ok(_) => Err("accepted".to_owned()),
            Err(errno) if errno == row.errno => Ok(()),
            Err(errno) => Err(errno_name(errno)),
        }
    });
}

#[test]
fn revisions_are_those_of_the_kernel() {
    let mut kernel = Side::kernel(env!("CARGO_BIN_EXE_rawclient"));
    let matches = [
        "",
        "ERROR",
        "standard",
        "nobody",
        "addrtype",
        "comment",
        "conntrack",
        "dscp",
        "icmp",
        "iprange",
        "length",
        "limit",
        "mac",
        "mark",
        "multiport",
        "owner",
        "pkttype",
        "state",
        "tcp",
        "tos",
        "ttl",
        "udp",
    ];
    let targets = ["", "ERROR", "standard", "NOBODY", "tcp"];
    let asked = matches
        .map(|name| (Kind::Match, GET_REVISION_MATCH, name))
        .into_iter()
        .chain(targets.map(|name| (Kind::Target, GET_REVISION_TARGET, name)));
    for (kind, option, name) in asked {
        for revision in [0, 1, 2, 3, 4, 255] {
            let says = kernel
                .call(&blob::get_revision(option, name, revision))
                .errno;
            let core = extension::check_revision(&HOST, kind, &blob::padded(name), revision);
            let core = core.map_or_else(Errno::number, |()| 0);
            assert_eq!(
                errno_name(core),
                errno_name(says),
                "{kind:?} {name:?} revision {revision}"
            );
        }
    }
}

#[test]
fn a_full_name_field_ends_where_the_kernel_ends_it() {
    // GET_REVISION puts a NUL into the last byte; a rule must bring its own.
    let mut kernel = Side::kernel(env!("CARGO_BIN_EXE_rawclient"));
    let mut call = blob::get_revision(GET_REVISION_MATCH, "tcp", 0);
    call.bytes[4..29].fill(b'x');
    assert_eq!(kernel.call(&call).errno, 0, "garbage after the NUL");
    let name: [u8; 29] = call.bytes[..29].try_into().expect("29 bytes");
    assert_eq!(
        extension::check_revision(&HOST, Kind::Match, &name, 0),
        Ok(())
    );
    call.bytes[..29].fill(b'x');
    assert_eq!(kernel.call(&call).errno, Errno::ENOENT.number());
    let none = extension::check_revision(&HOST, Kind::Match, &[b'x'; 29], 0);
    assert_eq!(none, Err(Errno::ENOENT));
}

// SPDX-License-Identifier: GPL-2.0-only
//! Any bytes at all, as a REPLACE request.
//!
//! Owns: what must hold whatever a caller sends: the core comes back, it
//! never panics, and what it takes keeps the promises of [`Table`]. The
//! entry for a fuzzer, and for properties.

use umh_core::abi::{FILTER, Layout, Replace};
use umh_core::arena::Arena;
use umh_core::ir::named::{NAMED_MAX, Named, NamedTables};
use umh_core::table::{self, Asked, Table, Target, Verdict};
use umh_core::target::{Features, Host};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Bytes before the header: what [`replace`] may put right in it.
const CHOICES: usize = 2;

/// Takes `data` for a request: two bytes that say what to put right, a
/// header, entries.
///
/// # Panics
/// If the core breaks a promise.
pub fn replace(data: &[u8]) {
    let (choices, rest) = data.split_at(CHOICES.min(data.len()));
    let choice = |bit: u8| choices.first().is_some_and(|byte| byte >> bit & 1 != 0);
    let (mut header, entries) = match Replace::read_from_prefix(rest) {
        Ok(both) => both,
        Err(_) => (Replace::new_zeroed(), rest),
    };
    // A fuzzer finds the way in sooner where the numbers are right.
    if choice(0) {
        header.size = entries.len() as u32;
    }
    if choice(1) {
        header.name = FILTER.padded_name();
        header.valid_hooks = FILTER.valid_hooks();
        header.num_counters = 4;
    }
    let host = Host {
        features: if choice(2) {
            Features::ALL
        } else {
            Features::NONE
        },
        hz: if choice(3) { 1000 } else { 0 },
    };
    let len = size_of::<Replace>() + entries.len();
    let Ok(size) = table::check_header(Layout::NATIVE, &header, len as u32) else {
        return;
    };
    // At an odd address now and then; too little memory now and then.
    let skip = usize::from(choice(4));
    let mut memory = vec![0; skip + size];
    memory[skip..].copy_from_slice(&entries[..size]);
    let room = if choice(5) { size / 64 } else { size };
    let mut work = vec![0; room];
    let mut arena = Arena::new(&mut work);
    let mut named = [Named::default(); NAMED_MAX];
    let checked = Table::check(
        &Asked {
            family: FILTER.family,
            header: &header,
            current_entries: 4,
        },
        &host,
        &mut memory[skip..],
        &mut arena,
        NamedTables::new(&[], &[], &mut named),
        &mut |_, _| Err(umh_core::errno::Errno::ENOPROTOOPT),
    );
    if let Ok(table) = checked {
        promises(&table);
        let info = table.info();
        let once = table.into_entries().0.to_vec();
        stable(&header, &host, &once, info.as_bytes());
    }
}

/// What every checked table promises.
fn promises(table: &Table<'_>) {
    let count = table.num_entries();
    let mut end = 0;
    for (number, entry) in table.entries().enumerate() {
        assert_eq!(entry.index.0 as usize, number, "entries are numbered");
        assert!(number == 0 || entry.offset > end, "entries ascend");
        end = entry.offset;
        let kinds = entry.matches().count();
        assert!(kinds < 4096, "matches end");
        match entry.target {
            Target::Standard(Verdict::Jump { to, .. }) => assert!(to.0 < count, "jumps stay"),
            Target::Standard(Verdict::Nowhere) => {
                assert_eq!(entry.comefrom, 0, "nobody jumps to nowhere");
            }
            _ => {}
        }
    }
    assert_eq!(table.entries().count(), count as usize, "all can be read");
    for hook in FILTER.each_hook() {
        let start = table.entry(table.hook_entry(hook)).expect("a start");
        assert_ne!(start.comefrom & hook.mask(), 0, "a hook reaches its start");
        let policy = table.entry(table.underflow(hook)).expect("a policy");
        let verdict = matches!(
            policy.target,
            Target::Standard(Verdict::Accept | Verdict::Drop)
        );
        assert!(verdict && policy.matches().next().is_none(), "a policy");
    }
}

/// What is given back can be loaded again, and comes back the same.
fn stable(header: &Replace, host: &Host, once: &[u8], info: &[u8]) {
    let mut twice = once.to_vec();
    let mut work = vec![0; twice.len()];
    let mut arena = Arena::new(&mut work);
    let mut named = [Named::default(); NAMED_MAX];
    let table = Table::check(
        &Asked {
            family: FILTER.family,
            header,
            current_entries: 4,
        },
        host,
        &mut twice,
        &mut arena,
        NamedTables::new(&[], &[], &mut named),
        &mut |_, _| Err(umh_core::errno::Errno::ENOPROTOOPT),
    )
    .expect("loads again");
    assert_eq!(table.info().as_bytes(), info, "the same GET_INFO");
    assert_eq!(table.into_entries().0, once, "the same entries");
}

/// The choices that let a valid request in.
pub const HELPFUL: [u8; CHOICES] = [0b1111, 0];

/// The bytes that make [`replace`] see this request.
pub fn from_request(choices: [u8; CHOICES], request: &[u8]) -> Vec<u8> {
    [&choices[..], request].concat()
}

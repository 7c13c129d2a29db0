// SPDX-License-Identifier: GPL-2.0-only
//! The request handler over a fake system.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::mem::offset_of;
use std::sync::atomic::Ordering;

use bpfilter_msgfmt as msg;
use umh_core::abi::{
    Counters, CountersInfo, FILTER, GetEntries, GetInfo, GetRevision, Replace, TABLES,
};
use umh_core::table::pristine::Pristine;
use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::fake::{BASE, CPUS, Fake, Kept, SERVED};

fn ask(system: &Fake, is_set: u32, cmd: u32, len: usize) -> i32 {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    answer(
        system,
        &Request {
            addr: BASE,
            len,
            is_set,
            cmd,
            pid: 1,
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

/// What the kernel half keeps of `filter`.
fn kept(system: &Fake) -> Option<Kept> {
    system.kept.borrow().get(&FILTER.number()).cloned()
}

fn pristine() -> Pristine {
    Pristine::new(&FILTER).unwrap()
}

#[test]
fn ping() {
    assert_eq!(ask(&Fake::default(), 0, msg::CMD_PING, 0), 0);
    assert_eq!(ask(&Fake::default(), 1, msg::CMD_PING, 7), 0);
}

#[test]
fn info_of_the_pristine_table() {
    let system = Fake::new(&named(FILTER.name, size_of::<GetInfo>()));
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
    assert!(memory.starts_with(&FILTER.padded_name()));
}

#[test]
fn entries_of_the_pristine_table() {
    let mut bytes = named(FILTER.name, 40 + 632);
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
    let other = Fake::new(&named("security", 96));
    let filter = Fake::new(&named(FILTER.name, info));
    // Length before address before name.
    assert_eq!(
        ask(&other, 0, msg::IPT_SO_GET_INFO, info - 1),
        Errno::EINVAL.status()
    );
    assert_eq!(
        ask(&Fake::default(), 0, msg::IPT_SO_GET_INFO, info),
        Errno::EFAULT.status()
    );
    // A table that is left to ip_tables, and one that there is nowhere.
    for name in ["security", "nosuch"] {
        let other = Fake::new(&named(name, 96));
        for (is_set, cmd, len, errno) in [
            (0, msg::IPT_SO_GET_INFO, info, Errno::ENOPROTOOPT),
            (0, msg::IPT_SO_GET_ENTRIES, 40, Errno::ENOPROTOOPT),
            (0, msg::IPT_SO_GET_ENTRIES, 48, Errno::EINVAL),
            (1, msg::IPT_SO_SET_REPLACE, 96, Errno::EINVAL),
            (1, msg::IPT_SO_SET_ADD_COUNTERS, 56, Errno::EINVAL),
        ] {
            assert_eq!(ask(&other, is_set, cmd, len), errno.status(), "{cmd} {len}");
        }
    }
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
}

/// Where a request's answer beyond its status goes: behind the request.
const OUT: usize = 4096;

/// A system whose caller has `parts` at its `optval`, one behind the other,
/// and memory after them.
fn caller_with(system: &Fake, parts: &[&[u8]]) -> usize {
    let mut memory = parts.concat();
    let len = memory.len();
    assert!(len <= OUT);
    memory.resize(OUT + 4096, 0xcc);
    system.memory.replace(memory);
    len
}

/// The pristine table as a REPLACE, with another policy for INPUT.
fn replace(system: &Fake, num_counters: u32) -> i32 {
    replace_with(system, num_counters, |_| ())
}

/// The same, and something else that is different.
fn replace_with(system: &Fake, num_counters: u32, edit: impl Fn(&mut [u8])) -> i32 {
    let info = pristine().image().unwrap().info();
    let mut header = Replace::new_zeroed();
    header.name = info.name;
    header.valid_hooks = info.valid_hooks;
    header.num_entries = info.num_entries;
    header.size = info.size;
    header.hook_entry = info.hook_entry;
    header.underflow = info.underflow;
    header.num_counters = num_counters;
    header.counters = BASE + OUT as u64;
    let mut blob = pristine().image().unwrap().bytes().to_vec();
    blob[144..148].copy_from_slice(&(-1i32).to_ne_bytes());
    edit(&mut blob);
    let len = caller_with(system, &[header.as_bytes(), &blob]);
    ask(system, 1, msg::IPT_SO_SET_REPLACE, len)
}

fn add_counters(system: &Fake, counters: &[Counters]) -> i32 {
    let mut header = CountersInfo::new_zeroed();
    header.name = pristine().image().unwrap().info().name;
    header.num_counters = counters.len() as u32;
    let len = caller_with(system, &[header.as_bytes(), counters.as_bytes()]);
    ask(system, 1, msg::IPT_SO_SET_ADD_COUNTERS, len)
}

/// The entries as GET_ENTRIES gives them.
fn entries(system: &Fake) -> Vec<u8> {
    let mut header = GetEntries::new_zeroed();
    header.name = pristine().image().unwrap().info().name;
    header.size = 632;
    let len = caller_with(system, &[header.as_bytes(), &[0; 632]]);
    assert_eq!(ask(system, 0, msg::IPT_SO_GET_ENTRIES, len), 0);
    system.memory.borrow()[size_of::<GetEntries>()..len].to_vec()
}

/// The counters in what [`entries`] gives.
fn counters(entries: &[u8]) -> Vec<(u64, u64)> {
    [0, 152, 304, 456]
        .map(|at| Counters::read_from_prefix(&entries[at + 96..]).map(|(c, _)| (c.pcnt, c.bcnt)))
        .map(|c| c.unwrap_or((u64::MAX, u64::MAX)))
        .to_vec()
}

fn numbers(first: u64) -> [Counters; 4] {
    [0, 1, 2, 3].map(|i| Counters {
        pcnt: first + i,
        bcnt: 100 * (first + i),
    })
}

#[test]
fn revisions() {
    let system = Fake::default();
    let ask_for = |cmd, name: &[u8], revision| {
        let mut asked = GetRevision::new_zeroed();
        asked.name[..name.len()].copy_from_slice(name);
        asked.revision = revision;
        let len = caller_with(&system, &[asked.as_bytes()]);
        ask(&system, 0, cmd, len)
    };
    let matches = msg::IPT_SO_GET_REVISION_MATCH;
    assert_eq!(ask_for(matches, b"tcp", 0), 0);
    assert_eq!(ask_for(matches, b"tcp", 1), Errno::EPROTONOSUPPORT.status());
    assert_eq!(ask_for(matches, b"MASQUERADE", 0), Errno::ENOENT.status());
    assert_eq!(
        ask_for(msg::IPT_SO_GET_REVISION_TARGET, b"tcp", 0),
        Errno::ENOENT.status()
    );
}

#[test]
fn a_ping_publishes_the_names() {
    let system = Fake::default();
    assert_eq!(ask(&system, 0, msg::CMD_PING, 0), 0);
    let names = system.names.borrow();
    assert!(
        names
            .split(|byte| *byte == b'\n')
            .any(|name| name == b"tcp")
    );
}

#[test]
fn replace_changes_the_table_and_keeps_it() {
    let system = Fake::default();
    assert_eq!(replace(&system, 4), 0);
    // Without a kernel half every hook has a program of its own; with one, there is
    // none for a policy.
    let rules = kept(&system).unwrap().rules;
    let (programs, hooks) = rules.unwrap();
    assert_eq!(programs, if cfg!(feature = "links") { 3 } else { 0 });
    let positions: Vec<_> = hooks.iter().map(|at| (at.entry, at.underflow)).collect();
    assert_eq!(positions, [(0, 0), (1, 1), (2, 2)]);
    // The old counters, all zero, behind the request; nothing after them.
    assert!(
        system.memory.borrow()[OUT..OUT + 64]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_eq!(system.memory.borrow()[OUT + 64], 0xcc);
    let mut expected = pristine().image().unwrap().bytes().to_vec();
    expected[144..148].copy_from_slice(&(-1i32).to_ne_bytes());
    assert_eq!(entries(&system), expected);
    assert_eq!(system.held(), 0);
}

/// Where a rule with the target FOREIGN is one of x_tables.
#[test]
#[cfg(not(feature = "links"))]
fn extensions_that_are_the_kernels() {
    // The last entry's target, by name and data.
    let target = |name: &'static str, data: u8| {
        move |blob: &mut [u8]| {
            blob[570..599].fill(0xaa);
            blob[570..570 + name.len()].copy_from_slice(name.as_bytes());
            blob[570 + name.len()] = 0;
            blob[600..632].fill(data);
        }
    };
    let system = Fake::default();
    // The kernel half's errno, and its word that it does not know.
    for (name, data, errno) in [
        ("FOREIGN", 0, Errno::EINVAL),
        ("FOREIGNER", 1, Errno::ENOENT),
        ("NAMES_OF_24_BYTES_ARE_NOT", 1, Errno::ENOENT),
    ] {
        let refused = replace_with(&system, 4, target(name, data));
        assert_eq!(refused, errno.status(), "{name}");
    }
    assert!(system.kept.borrow().is_empty());
    // What is private to it comes back as zero, and so does what was kept
    // behind its name.
    assert_eq!(replace_with(&system, 4, target("FOREIGN", 1)), 0);
    let mut expected = vec![0; 64];
    expected[0] = 64;
    expected[2..9].copy_from_slice(b"FOREIGN");
    expected[32..40].fill(1);
    assert_eq!(entries(&system)[568..], expected);
    assert_eq!(system.held(), 0);
}

/// Each table has its own rules and counters, and programs for the hooks that it
/// has.
#[test]
fn tables_are_kept_apart() {
    let system = Fake::default();
    for (number, table) in TABLES.iter().enumerate() {
        if table.family != Family::Ipv4 || !SERVED.contains(&table.kind) {
            continue;
        }
        let pristine = Pristine::new(table).unwrap();
        let image = pristine.image().unwrap();
        let info = image.info();
        let header = Replace {
            name: info.name,
            valid_hooks: info.valid_hooks,
            num_entries: info.num_entries,
            size: info.size,
            hook_entry: info.hook_entry,
            underflow: info.underflow,
            num_counters: info.num_entries,
            counters: BASE + OUT as u64,
        };
        let len = caller_with(&system, &[header.as_bytes(), image.bytes()]);
        assert_eq!(ask(&system, 1, msg::IPT_SO_SET_REPLACE, len), 0);
        let counters = vec![
            Counters {
                pcnt: 1 + number as u64,
                bcnt: 0
            };
            info.num_entries as usize
        ];
        let mut header = CountersInfo::new_zeroed();
        (header.name, header.num_counters) = (info.name, info.num_entries);
        let len = caller_with(&system, &[header.as_bytes(), counters.as_bytes()]);
        assert_eq!(ask(&system, 1, msg::IPT_SO_SET_ADD_COUNTERS, len), 0);
    }
    assert_eq!(system.kept.borrow().len(), SERVED.len());
    for (number, kept) in system.kept.borrow().iter() {
        let table = TableSpec::numbered(*number).unwrap();
        let sum: u64 = kept
            .counters
            .iter()
            .map(|c| c.load(Ordering::Relaxed))
            .sum();
        let entries = table.hooks.len() as u64 + 1;
        assert_eq!(sum, entries * (1 + u64::from(*number)), "{table:?}");
        let (_, hooks) = kept.rules.clone().unwrap();
        let positions: Vec<_> = hooks.iter().map(|at| at.entry as usize).collect();
        assert!(positions.into_iter().eq(0..table.hooks.len()), "{table:?}");

        let asked = named(table.name, size_of::<GetInfo>());
        system.memory.replace(asked);
        assert_eq!(
            ask(&system, 0, msg::IPT_SO_GET_INFO, size_of::<GetInfo>()),
            0
        );
        let memory = system.memory.borrow();
        let info = GetInfo::ref_from_bytes(&memory).unwrap();
        assert_eq!(info.valid_hooks, table.valid_hooks());
        for (hook, (entry, underflow)) in info.hook_entry.iter().zip(&info.underflow).enumerate() {
            let there = table.valid_hooks() & 1 << hook != 0;
            assert_eq!((entry, there), (underflow, *entry != u32::MAX), "{table:?}");
        }
    }
    assert_eq!(system.held(), 0);
}

#[test]
fn counters_are_added_read_and_given_back() {
    let system = Fake::default();
    assert_eq!(replace(&system, 4), 0);
    // What a program of the second CPU counts for the third entry.
    if let Some(kept) = kept(&system) {
        kept.counters[2 * (4 + 2)].store(5, Ordering::Relaxed);
        kept.counters[2 * (4 + 2) + 1].store(500, Ordering::Relaxed);
    }
    assert_eq!(add_counters(&system, &numbers(1)), 0);
    assert_eq!(add_counters(&system, &numbers(10)), 0);
    let sums = [(11, 1100), (13, 1300), (20, 2000), (17, 1700)];
    assert_eq!(counters(&entries(&system)), sums);

    assert_eq!(replace(&system, 4), 0);
    let given: Vec<u64> = sums.iter().flat_map(|(p, b)| [*p, *b]).collect();
    assert_eq!(&system.memory.borrow()[OUT..OUT + 64], given.as_bytes());
    assert_eq!(counters(&entries(&system)), [(0, 0); 4]);
    assert_eq!(system.held(), 0);
}

#[test]
fn counters_of_a_pristine_table() {
    let system = Fake::default();
    assert_eq!(add_counters(&system, &numbers(7)), 0);
    let sums = [(7, 700), (8, 800), (9, 900), (10, 1000)];
    let now = entries(&system);
    assert_eq!(counters(&now), sums);
    // No hook is touched for them.
    assert_eq!(
        kept(&system).map(|kept| (kept.rules.is_some(), kept.counters.len())),
        Some((false, (CPUS as usize + 1) * 8))
    );
    assert_eq!(system.held(), 0);
}

#[test]
fn replace_fails_in_the_kernels_order() {
    let system = Fake::default();
    assert_eq!(replace(&system, 3), Errno::EAGAIN.status());
    assert_eq!(replace(&system, 0), Errno::EINVAL.status());
    // No blob behind the header.
    assert_eq!(replace(&system, 4), 0);
    let whole = size_of::<Replace>() + 632;
    system.memory.borrow_mut().truncate(whole - 1);
    assert_eq!(
        ask(&system, 1, msg::IPT_SO_SET_REPLACE, whole),
        Errno::EFAULT.status()
    );
    // A place for the counters that is not there fails nothing.
    system.memory.borrow_mut().resize(whole, 0);
    assert_eq!(ask(&system, 1, msg::IPT_SO_SET_REPLACE, whole), 0);
    // A blob said to be of odd size is as wrong as any other.
    let size = offset_of!(Replace, size);
    for said in 625u32..632 {
        system.memory.borrow_mut()[size..size + 4].copy_from_slice(&said.to_ne_bytes());
        assert_eq!(
            ask(&system, 1, msg::IPT_SO_SET_REPLACE, whole),
            Errno::EINVAL.status(),
            "{said}"
        );
    }
}

#[test]
fn add_counters_fails_in_the_kernels_order() {
    let system = Fake::default();
    let few = [Counters { pcnt: 1, bcnt: 1 }; 3];
    assert_eq!(add_counters(&system, &few), Errno::EINVAL.status());
    // That many would be wrong, but they are not even there.
    let len = size_of::<CountersInfo>() + 48;
    system.memory.borrow_mut().truncate(len - 1);
    assert_eq!(
        ask(&system, 1, msg::IPT_SO_SET_ADD_COUNTERS, len),
        Errno::EFAULT.status()
    );
    assert_eq!(
        ask(&system, 1, msg::IPT_SO_SET_ADD_COUNTERS, len - 1),
        Errno::EINVAL.status()
    );
    assert!(system.kept.borrow().is_empty());
}

/// Every effect of every request is made to fail once: the request fails or
/// succeeds as a whole, the table stays or is replaced as a whole, and nothing
/// is left open.
#[test]
fn any_effect_may_fail() {
    let requests: [fn(&Fake) -> i32; 3] = [
        |system| replace(system, 4),
        |system| add_counters(system, &numbers(1)),
        |system| add_counters(system, &numbers(1)[..2]),
    ];
    for request in requests {
        for committed in [false, true] {
            let mut failures = 0;
            for after in 0.. {
                let system = Fake::default();
                if committed {
                    assert_eq!(add_counters(&system, &numbers(1)), 0);
                }
                let before = entries(&system);
                system.fail_after.set(Some(after));
                let status = request(&system);
                let unused = system.fail_after.take();
                assert_eq!(system.held(), 0);
                let unchanged = entries(&system) == before;
                assert!(
                    status == 0 || unchanged,
                    "{status} after {after} changed something"
                );
                failures += i32::from(status != 0);
                if unused != Some(0) {
                    break;
                }
            }
            assert!(failures > 3);
        }
    }
}

/// Random numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Requests that were valid before some of their bytes were changed, from a
/// caller that goes on changing them: nothing panics, nothing stays open, and
/// what was committed can be read.
#[test]
fn a_hostile_caller() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let [mut good, mut bad] = [0, 0];
    for _ in 0..3000 {
        let mut system = Fake::default();
        // Leaves the memory of a valid request of this kind.
        let (is_set, cmd, len) = match random.below(4) {
            0 => {
                replace(&system, 4);
                (1, msg::IPT_SO_SET_REPLACE, size_of::<Replace>() + 632)
            }
            1 => {
                add_counters(&system, &numbers(1));
                (
                    1,
                    msg::IPT_SO_SET_ADD_COUNTERS,
                    size_of::<CountersInfo>() + 64,
                )
            }
            2 => {
                entries(&system);
                (0, msg::IPT_SO_GET_ENTRIES, size_of::<GetEntries>() + 632)
            }
            _ => {
                caller_with(&system, &[&named(FILTER.name, size_of::<GetInfo>())]);
                (0, msg::IPT_SO_GET_INFO, size_of::<GetInfo>())
            }
        };
        for _ in 0..random.below(3) {
            let at = random.below(len);
            system.memory.borrow_mut()[at] = random.next() as u8;
        }
        system.noise = (0..random.below(3))
            .map(|_| random.next() as u8 & 1)
            .collect();
        let len = match random.below(4) {
            0 => random.below(2 * len),
            _ => len,
        };
        let status = ask(&system, is_set, cmd, len);
        assert!((-4095..=0).contains(&status), "{status}");
        assert_eq!(system.held(), 0);
        if status == 0 {
            good += 1
        } else {
            bad += 1
        }
        system.noise.clear();
        caller_with(&system, &[&named(FILTER.name, size_of::<GetInfo>())]);
        assert_eq!(
            ask(&system, 0, msg::IPT_SO_GET_INFO, size_of::<GetInfo>()),
            0
        );
    }
    assert!(good > 300 && bad > 300, "{good} {bad}");
}

// SPDX-License-Identifier: GPL-2.0-only
//! IPv6: tables of ip6tables in the core and in the kernel's own ip6_tables, and
//! the programs of such tables beside what ip6_tables makes of packets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::sync::OnceLock;

use bpfilter_tests::ip6::record::{Broken, find_header};
use bpfilter_tests::ip6::{self, evaluate, random};
use bpfilter_tests::oracle::judge;
use bpfilter_tests::programs::{Programs, place};
use bpfilter_tests::world::namespace::{run, unshare};
use fastrand::Rng;
use umh_core::abi::{Family, Hook, IP6T_F_PROTO, Layout, Replace, TABLES};
use umh_core::arena::Arena;
use umh_core::ir::named::NamedTables;
use umh_core::table::{Asked, Table};
use umh_core::target::{Features, Host};

const HOST: Host = Host {
    features: Features::ALL,
    hz: 250,
};

/// What the core makes of a table that replaces one of `current` entries.
fn core(header: &Replace, entries: &[u8], current: u32) -> Result<Vec<u8>, i32> {
    let mut blob = entries.to_vec();
    let mut work = vec![0; Table::work_len(blob.len()) + 64];
    let asked = Asked {
        family: Family::Ipv6,
        header,
        current_entries: current,
    };
    let none = &mut |_: &mut [u8], _| Err(umh_core::errno::Errno::ENOPROTOOPT);
    Table::check(
        &asked,
        &HOST,
        &mut blob,
        &mut Arena::new(&mut work),
        NamedTables::default(),
        none,
    )
    .map(|table| {
        let (spec, info) = (table.spec(), table.info());
        let (entries, _) = table.into_entries();
        judge::given_back(&HOST, spec, &info, entries, Layout::NATIVE).1
    })
    .map_err(|refusal| refusal.errno().number())
}

/// Loads rules into ip6_tables, and takes them from there.
fn load(rules: &str) -> (Replace, Vec<u8>) {
    run(&["ip6tables-legacy-restore"], rules).unwrap();
    let info = ip6::info("filter").unwrap();
    (ip6::header(&info, 4), ip6::entries("filter").unwrap())
}

/// Counters differ; they are the entry's last 16 bytes before its matches.
fn without_counters(mut entries: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at < entries.len() {
        entries[at + 152..at + 168].fill(0);
        at += usize::from(u16::from_ne_bytes([entries[at + 142], entries[at + 143]]));
    }
    entries
}

#[test]
fn pristine_tables_are_the_kernels() {
    unshare().unwrap();
    for table in TABLES.iter().filter(|table| table.family == Family::Ipv6) {
        let info = ip6::info(table.name).unwrap();
        let pristine = umh_core::table::pristine::Pristine::new(table).unwrap();
        let image = pristine.image().unwrap();
        assert_eq!(image.info(), info, "{table:?}");
        assert_eq!(
            image.bytes(),
            ip6::entries(table.name).unwrap(),
            "{table:?}"
        );
    }
}

/// Entries in which rules that name a protocol say that they ask for it, or do not.
fn asking(mut entries: Vec<u8>, asks: bool) -> Vec<u8> {
    for at in starts(&entries) {
        if entries[at + 128..at + 130] != [0, 0] {
            let flags = entries[at + 131] & !IP6T_F_PROTO;
            entries[at + 131] = flags | if asks { IP6T_F_PROTO } else { 0 };
        }
    }
    entries
}

/// ip6_tables sets IP6T_F_PROTO itself, Linux 6.12.117 and 7.3 do. A kernel that does not
/// gets what those make of the entries.
fn as_asked(entries: &[u8]) -> Vec<u8> {
    static SETS_FLAG: OnceLock<bool> = OnceLock::new();
    let sets_flag = *SETS_FLAG.get_or_init(|| {
        let (mut header, mut entries) = load("*filter\n-A INPUT -p tcp\nCOMMIT\n");
        header.num_counters = header.num_entries;
        entries[131] &= !IP6T_F_PROTO;
        ip6::replace(&header, &entries).unwrap();
        ip6::entries("filter").unwrap()[131] & IP6T_F_PROTO != 0
    });
    match sets_flag {
        true => entries.to_vec(),
        false => asking(entries.to_vec(), true),
    }
}

/// A table that is broken somewhere: the same errno, or the same bytes.
#[test]
fn the_core_checks_as_ip6_tables_does() {
    unshare().unwrap();
    as_asked(&[]);
    let mut rng = Rng::with_seed(6);
    let mut loaded = 0;
    for round in 0..40 {
        let rules = random::rules(&mut rng, 12);
        let (header, entries) = load(&rules);
        for change in 0..50 {
            let before = &entries;
            let (mut header, mut entries) = (header, entries.clone());
            for _ in 0..rng.u32(..3) {
                let value = match rng.u32(..4) {
                    0 => 0,
                    1 => 0xff,
                    2 => 1 << rng.u32(..8),
                    _ => rng.u8(..),
                };
                let at = rng.usize(..entries.len());
                match rng.u32(..8) {
                    0 => header.hook_entry[1] = at as u32 / 8 * 8,
                    1 => header.underflow[3] = at as u32 / 8 * 8,
                    2 => header.num_entries = header.num_entries.wrapping_add(value.into()),
                    // Where entries say how long they are, and what flags they have.
                    3..6 => {
                        let starts = starts(&entries);
                        let start = starts[rng.usize(..starts.len())];
                        let field = [128, 131, 132, 140, 142, 168, 169, 198, 200];
                        let at = start + field[rng.usize(..field.len())];
                        if let Some(byte) = entries.get_mut(at) {
                            *byte = value;
                        }
                    }
                    _ => entries[at] = value,
                }
            }
            let current = ip6::info("filter").unwrap().num_entries;
            header.num_counters = current;
            let expected = ip6::replace(&header, &as_asked(&entries))
                .map(|()| without_counters(ip6::entries("filter").unwrap()))
                .map_err(|error| error.raw_os_error().unwrap());
            let got = core(&header, &entries, current);
            loaded += u32::from(expected.is_ok());
            match (&got, &expected) {
                // QUEUE is left to the kernel, and extensions of other names are.
                (Err(libc::ENOENT), Ok(_)) => {}
                // Linux 6.12.117 refuses them; the kernel that runs this may not.
                (Err(libc::EINVAL), Ok(_)) if has_unknown_hl(&entries) => {}
                _ => assert!(
                    got == expected,
                    "{round} {change}: {:?}, ip6_tables {:?}\n{header:?}\n{:?}\n{rules}",
                    got.map(|bytes| bytes.len()),
                    expected.map(|bytes| bytes.len()),
                    changed(before, &entries)
                ),
            }
        }
    }
    assert!(loaded > 400, "{loaded}");
}

/// Whether a match asks for the hop limit in a way that there is not.
fn has_unknown_hl(entries: &[u8]) -> bool {
    let name = b"hl\0";
    let mut matches = entries.windows(34).filter(|bytes| &bytes[2..5] == name);
    matches.any(|bytes| bytes[32] > 3)
}

/// Which bytes of which entry were changed, and to what.
fn changed(before: &[u8], after: &[u8]) -> Vec<(usize, usize, u8, u8)> {
    let starts = starts(before);
    let differ = before
        .iter()
        .zip(after)
        .enumerate()
        .filter(|(_, (a, b))| a != b);
    differ
        .map(|(at, (&from, &to))| {
            let place = starts.partition_point(|&start| start <= at) - 1;
            (place, at - starts[place], from, to)
        })
        .collect()
}

/// Where the entries start, as far as they can be told.
fn starts(entries: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at + 168 < entries.len() {
        starts.push(at);
        let size = usize::from(u16::from_ne_bytes([entries[at + 142], entries[at + 143]]));
        if size == 0 {
            break;
        }
        at += size;
    }
    starts
}

/// Puts packets through the program of a table, and compares what counts them.
/// Returns how many passed, and whether rules are found by hash tables, by bitmaps.
fn compare(rules: &str, packets: usize, rng: &mut Rng) -> (usize, [bool; 2]) {
    let (header, entries) = load(rules);
    // What the rules mean is said by the entries that ip6tables has made.
    let given = match rng.bool() {
        true => entries.clone(),
        false => asking(entries.clone(), false),
    };
    let programs = Programs::load_family(Family::Ipv6, &header, &given).unwrap();
    let starts = starts(&entries);
    println!(
        "{} entries: {} instructions, by {:?}, {}",
        header.num_entries,
        programs.instructions[2],
        programs.indexed_by,
        programs.log[2].trim()
    );
    let mut before = programs.counters();
    let mut passed = 0;
    let hook = Hook::LocalOut;
    assert_eq!(place(hook), 2);
    for _ in 0..packets {
        let packet = random::packet(rng);
        let expected = evaluate::walk(
            &entries,
            header.hook_entry[3] as usize,
            header.underflow[3] as usize,
            &packet,
        );
        let run = programs.run(hook, &packet, 1).unwrap();
        let after = programs.counters();
        let mut counted = Vec::new();
        for (place, (after, before)) in after.iter().zip(&before).enumerate() {
            for _ in before.pcnt..after.pcnt {
                counted.push(starts[place]);
            }
        }
        before = after;
        let mut wanted = expected.counted.clone();
        wanted.sort_unstable();
        assert!(
            counted == wanted && run.accepted == expected.accepted,
            "packet {packet:02x?}\ncounted {counted:?} {run:?}\nexpected {expected:?}\n{}\n{}",
            if starts.len() < 1000 { rules } else { "" },
            programs.rules
        );
        passed += usize::from(run.accepted);
    }
    (passed, programs.indexed_by)
}

/// The packets that each entry has counted.
fn counted(entries: &[u8]) -> Vec<u64> {
    let count = |&at: &usize| u64::from_ne_bytes(entries[at + 152..at + 160].try_into().unwrap());
    starts(entries).iter().map(count).collect()
}

/// The evaluator is what programs are compared with, so it is compared with
/// ip6_tables itself: packets are sent, and counted there.
#[test]
fn the_evaluator_agrees_with_ip6_tables() {
    unshare().unwrap();
    run(&["ip", "link", "set", "lo", "up"], "").unwrap();
    // Nobody answers them.
    let drop = "*raw\n-A PREROUTING -j DROP\nCOMMIT\n";
    run(&["ip6tables-legacy-restore"], drop).unwrap();
    let sender = ip6::Sender::open().unwrap();
    let mut rng = Rng::with_seed(19);
    let mut passed = 0;
    for count in [3, 6, 10, 15, 20, 30, 40, 50, 60] {
        let rules = random::rules(&mut rng, count);
        let (header, entries) = load(&rules);
        let starts = starts(&entries);
        let mut before = counted(&entries);
        for _ in 0..400 {
            let packet = random::packet(&mut rng);
            if find_header(&packet) == Err(Broken::Overlong) {
                continue;
            }
            let walk = evaluate::walk(
                &entries,
                header.hook_entry[3] as usize,
                header.underflow[3] as usize,
                &packet,
            );
            let accepted = sender.passes(&packet).unwrap();
            let after = counted(&ip6::entries("filter").unwrap());
            for (at, count) in starts.iter().zip(&mut before) {
                *count += walk.counted.iter().filter(|counted| *counted == at).count() as u64;
            }
            assert!(
                after == before && accepted == walk.accepted,
                "packet {packet:02x?}\n{walk:?}\n{before:?}\n{after:?} {accepted}\n{rules}"
            );
            passed += usize::from(accepted);
        }
    }
    assert!((300..3300).contains(&passed), "{passed}");
}

#[test]
fn programs_agree_with_the_evaluator() {
    unshare().unwrap();
    let mut rng = Rng::with_seed(17);
    let mut passed = 0;
    for count in [0, 1, 3, 6, 10, 15, 20, 25, 30, 40, 50, 60] {
        for _ in 0..3 {
            passed += compare(&random::rules(&mut rng, count), 300, &mut rng).0;
        }
    }
    assert!((1000..9800).contains(&passed), "{passed}");
}

/// Nothing that is asked of a packet here can fail a rule.
#[test]
fn any_protocol_alone() {
    unshare().unwrap();
    let mut rng = Rng::with_seed(21);
    for rules in [
        "-A OUTPUT -p all",
        "-A OUTPUT -p all -j DROP",
        "-A OUTPUT -p all -o lo -j DROP",
        "-N one\n-A OUTPUT -p all -g one\n-A one -p all -s 2001:db8::/32 -j RETURN",
    ] {
        compare(&format!("*filter\n{rules}\nCOMMIT\n"), 100, &mut rng);
    }
}

#[test]
fn an_index_leaves_out_only_what_cannot_match() {
    unshare().unwrap();
    let mut rng = Rng::with_seed(18);
    for count in [150, 400, 1500, 10_000, 50_000] {
        // All counters are read after each.
        let packets = (2_000_000 / count).min(1500);
        let (passed, indexed) = compare(&random::many(&mut rng, count), packets, &mut rng);
        let some = packets / 30;
        assert!(
            indexed != [false; 2] && (some..packets - some).contains(&passed),
            "{count} {passed}"
        );
    }
}

/// Rules one after the other that the bitmaps cannot leave out and that do not match,
/// across the ends of what is known of them at a time (64 words of 64 rules), then one
/// that does.
#[test]
fn a_search_goes_on_behind_rules_that_do_not_match() {
    unshare().unwrap();
    let mut rng = Rng::with_seed(22);
    for start in [4000, 4031, 8120] {
        let mut rules = String::from("*filter\n");
        for place in 0..9000_u32 {
            // Of so many lengths of prefixes that none is worth a hash table.
            let [from, to] = [place % 13, place / 13 % 13].map(|more| 20 + more);
            let rule = match place {
                5000 | 8900 => "-p tcp -j DROP".to_owned(),
                _ if (start..start + 100).contains(&place) => {
                    format!(
                        "-s 2000::/{} -d 2000::/{} -m hl --hl-gt 254",
                        from - 17,
                        to - 17
                    )
                }
                _ => format!(
                    "-s fd{:02x}:{place:x}::/{from} -d fd{:02x}:{place:x}::/{to} -j ACCEPT",
                    place % 256,
                    place / 256
                ),
            };
            rules.push_str(&format!("-A OUTPUT {rule}\n"));
        }
        rules.push_str("COMMIT\n");
        let (passed, [_, bitmaps]) = compare(&rules, 200, &mut rng);
        assert!(bitmaps && passed < 200, "{passed}");
    }
}

#[test]
fn hosts_of_one_network_are_in_hash_tables() {
    unshare().unwrap();
    let mut rng = Rng::with_seed(20);
    for count in [100, 10_000] {
        let packets = (2_000_000 / count).min(1500);
        let (passed, [tuples, _]) = compare(&random::hosts(&mut rng, count), packets, &mut rng);
        assert!(tuples && passed < packets, "{count} {passed}");
    }
}

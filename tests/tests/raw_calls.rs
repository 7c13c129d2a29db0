// SPDX-License-Identifier: GPL-2.0-only
//! Raw socket option calls: the same ones on the kernel's own ip_tables and
//! on bpfilter, compared to the byte: return value, errno, length, the
//! caller's memory, the counters behind REPLACE's pointer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use bpfilter_tests::blob::{
    Blob, Chain, Extension, Rule, Table, Target, add_counters, get_entries, get_info, get_revision,
    info_of,
};
use bpfilter_tests::client::side::Pair;
use bpfilter_tests::client::sockopt::{
    ADD_COUNTERS, Call, GET_ENTRIES, GET_INFO, GET_REVISION_MATCH, GET_REVISION_TARGET, Kind,
    Outcome, Place, REPLACE, errno_name,
};
use bpfilter_tests::oracle::judge;
use bpfilter_tests::replace_checks::{CURRENT, requests};
use umh_core::abi::{FILTER, IPT_F_GOTO, TABLES, VERDICT_ACCEPT, VERDICT_DROP};

/// Both sides, at a fresh table.
fn pair() -> Pair {
    Pair::new(env!("CARGO_BIN_EXE_rawclient"))
}

/// Makes a call on both sides, which must agree, and on this errno.
#[track_caller]
fn expect(pair: &mut Pair, errno: i32, call: &Call) -> Outcome {
    let outcome = pair.call(call);
    assert_eq!(
        errno_name(outcome.errno),
        errno_name(errno),
        "both sides, but not as expected"
    );
    outcome
}

/// GET_INFO and GET_ENTRIES agree. Returns the number of entries.
#[track_caller]
fn state(pair: &mut Pair) -> u32 {
    let info = info_of(&expect(pair, 0, &get_info(FILTER.name)).bytes);
    expect(pair, 0, &get_entries(FILTER.name, info.size));
    info.num_entries
}

/// Loads a table on both sides.
#[track_caller]
fn load(pair: &mut Pair, mut blob: Blob) -> u32 {
    blob.header.num_counters = state(pair);
    expect(pair, 0, &blob.call());
    state(pair)
}

fn some_rules() -> Blob {
    let mut table = Table::default();
    let mut limited = Rule::any(Target::Verdict(VERDICT_ACCEPT));
    let mut rate = 10_000u32.to_ne_bytes().to_vec();
    rate.extend_from_slice(&5u32.to_ne_bytes());
    // The kernel's own part of the data: never given back.
    rate.resize(40, 0x77);
    limited.matches.push(Extension::new("limit", 0, rate));
    let mut marked = Rule::any(Target::Goto(0));
    marked.matches.push(Extension::new(
        "mark",
        1,
        [1, 0, 0, 0, 255, 0, 0, 0, 1, 0, 0, 0],
    ));
    table.builtin[0] = vec![limited, Rule::any(Target::Jump(0))];
    table.builtin[2] = vec![marked, Rule::any(Target::Next)];
    table.policy[1] = VERDICT_DROP;
    table.chains.push(Chain {
        name: "user".to_owned(),
        rules: vec![Rule::any(Target::Verdict(VERDICT_DROP))],
    });
    table.blob()
}

#[test]
fn a_fresh_table_is_the_same() {
    let mut pair = pair();
    for kind in [Kind::Raw, Kind::Udp, Kind::Tcp] {
        let mut call = get_info(FILTER.name);
        call.socket = kind;
        expect(&mut pair, 0, &call);
    }
    assert_eq!(state(&mut pair), 4);
}

#[test]
fn get_info_errors() {
    let mut pair = pair();
    for len in [0, 1, 32, 83, 85, 100, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        expect(&mut pair, libc::EINVAL, &get_info(FILTER.name).len(len));
    }
    for place in [
        Place::Address(0),
        Place::Address(1),
        Place::Address(0x7fff_ffff_f000),
        Place::Address(0xffff_ffff_8100_0000),
        Place::Address(u64::MAX),
        Place::ReadOnly,
    ] {
        expect(&mut pair, libc::EFAULT, &get_info(FILTER.name).at(place));
        // The length is looked at first.
        expect(
            &mut pair,
            libc::EINVAL,
            &get_info(FILTER.name).at(place).len(83),
        );
    }
    expect(&mut pair, 0, &get_info(FILTER.name).at(Place::Guarded));
    for table in ["", "f", "filte", "filterr", "FILTER", "broute", "arp"] {
        expect(&mut pair, libc::ENOENT, &get_info(table));
        expect(&mut pair, libc::ENOENT, &get_info(table).at(Place::Guarded));
    }
    // The memory ends within the structure: the name can be read, the answer
    // not written.
    let mut short = get_info(FILTER.name);
    short.bytes.truncate(40);
    expect(&mut pair, libc::EFAULT, &short.len(84).at(Place::Guarded));
    let mut shorter = get_info(FILTER.name);
    shorter.bytes.truncate(31);
    expect(&mut pair, libc::EFAULT, &shorter.len(84).at(Place::Guarded));
    assert_eq!(state(&mut pair), 4);
}

#[test]
fn get_info_takes_a_c_string() {
    let mut pair = pair();
    let mut call = get_info(FILTER.name);
    call.bytes[7..].fill(0xaa);
    expect(&mut pair, 0, &call);
    // A name that fills its field ends at its last byte all the same.
    let mut call = get_info(FILTER.name);
    call.bytes[..32].fill(b'f');
    expect(&mut pair, libc::ENOENT, &call);
}

#[test]
fn tables_that_bpfilter_leaves_alone() {
    let mut pair = pair();
    let of_ipv4 = TABLES.iter().filter(|table| table.family == FILTER.family);
    for table in of_ipv4.filter(|table| table.kind != FILTER.kind) {
        let table = table.name;
        let info = info_of(&expect(&mut pair, 0, &get_info(table)).bytes);
        expect(&mut pair, 0, &get_entries(table, info.size));
        let zeros = vec![(1, 2); info.num_entries as usize];
        expect(&mut pair, 0, &add_counters(table, &zeros));
        expect(&mut pair, 0, &get_entries(table, info.size));
    }
}

#[test]
fn get_entries_errors() {
    let mut pair = pair();
    let good = get_entries(FILTER.name, 632);
    for len in [0, 1, 39, 40, 671, 673, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        expect(&mut pair, libc::EINVAL, &good.clone().len(len));
    }
    expect(&mut pair, libc::ENOENT, &get_entries("nobody", 632));
    // The table is looked for before its size is compared.
    expect(&mut pair, libc::ENOENT, &get_entries("nobody", 0));
    for size in [0, 1, 631, 633, 640, 1 << 20] {
        expect(&mut pair, libc::EAGAIN, &get_entries(FILTER.name, size));
    }
    for place in [
        Place::Address(0),
        Place::Address(0xffff_ffff_8100_0000),
        Place::ReadOnly,
    ] {
        expect(&mut pair, libc::EFAULT, &good.clone().at(place));
        expect(&mut pair, libc::EINVAL, &good.clone().at(place).len(39));
    }
    expect(&mut pair, 0, &good.clone().at(Place::Guarded));
    // Room for a part of what was promised. How much of it has been written
    // then nobody promises, so only the errno is compared.
    for room in [0, 39, 40, 41, 100, 671] {
        let mut call = good.clone().at(Place::Guarded);
        call.bytes.truncate(room);
        let kernel = pair.kernel.call(&call);
        let bpfilter = pair.bpfilter.call(&call);
        assert_eq!(kernel.errno, libc::EFAULT, "room for {room} bytes");
        assert_eq!(bpfilter.errno, libc::EFAULT, "room for {room} bytes");
        assert_eq!(bpfilter.ret, -1);
    }
    // Garbage behind the name, and in the padding.
    let mut call = good;
    call.bytes[7..32].fill(0xaa);
    call.bytes[36..40].fill(0xbb);
    expect(&mut pair, 0, &call);
}

#[test]
fn get_entries_leaves_alone_what_the_kernel_leaves_alone() {
    let mut pair = pair();
    load(&mut pair, some_rules());
    let info = info_of(&expect(&mut pair, 0, &get_info(FILTER.name)).bytes);
    let mut call = get_entries(FILTER.name, info.size);
    call.bytes[40..].fill(0x5a);
    let kernel = pair.kernel.call(&call);
    let bpfilter = pair.bpfilter.call(&call);
    // The kernel does not touch what follows the NUL of a match's or a
    // target's name; bpfilter writes zeros there. Nothing else may differ.
    for (at, (kernel, bpfilter)) in kernel.bytes.iter().zip(&bpfilter.bytes).enumerate() {
        assert!(
            kernel == bpfilter || (*kernel == 0x5a && *bpfilter == 0),
            "byte {at}: {kernel:#x} and {bpfilter:#x}"
        );
    }
}

#[test]
fn revisions() {
    let mut pair = pair();
    for (option, names) in [
        (
            GET_REVISION_MATCH,
            ["", "tcp", "conntrack", "limit", "recent", "nobody", "ERROR"],
        ),
        (
            GET_REVISION_TARGET,
            ["", "ERROR", "REJECT", "standard", "MARK", "NOBODY", "tcp"],
        ),
    ] {
        for name in names {
            for revision in [0, 1, 2, 3, 4, 127, 128, 255] {
                pair.call(&get_revision(option, name, revision));
            }
        }
        let good = get_revision(option, "", 0);
        for len in [0, 1, 29, 31, 32, 0x7fff_ffff, u32::MAX] {
            expect(&mut pair, libc::EINVAL, &good.clone().len(len));
        }
        expect(&mut pair, libc::EFAULT, &good.clone().at(Place::Address(0)));
        expect(
            &mut pair,
            libc::EFAULT,
            &good.clone().at(Place::Address(0xffff_ffff_8100_0000)),
        );
        let mut short = good.clone().at(Place::Guarded);
        short.bytes.truncate(29);
        expect(&mut pair, libc::EFAULT, &short);
        // Nothing is written.
        pair.call(&good.at(Place::ReadOnly));
        let mut full = get_revision(option, "x", 0);
        full.bytes[..29].fill(b'x');
        expect(&mut pair, libc::ENOENT, &full);
    }
}

#[test]
fn options_and_levels_that_are_not_ours() {
    let mut pair = pair();
    for option in [63, 66, 67, 68, 3056, 3057, 3058, 3059, 3060] {
        let call = Call::set(option, vec![0u8; 120]);
        expect(&mut pair, libc::ENOPROTOOPT, &call);
    }
    for option in [63, 68, 69, 3056, 3057, 3058, 3059, 3060] {
        let call = Call::get(option, vec![0u8; 120]);
        expect(&mut pair, libc::ENOPROTOOPT, &call);
    }
    // The same numbers elsewhere mean something else.
    for level in [libc::SOL_SOCKET, libc::SOL_IPV6, libc::SOL_UDP] {
        for option in 64..68 {
            let mut call = get_info(FILTER.name);
            call.level = level;
            call.option = option;
            for set in [false, true] {
                call.set = set;
                pair.call(&call);
            }
        }
    }
    assert_eq!(state(&mut pair), 4);
}

#[test]
fn each_rule_of_replace() {
    let mut pair = pair();
    let lacking = judge::lacking(judge::features_of(&mut pair.bpfilter));
    let mut current = state(&mut pair);
    let mut failures = Vec::new();
    for request in requests() {
        // Some kernels have not got this rule; the core has.
        if request.optional {
            continue;
        }
        let mut blob = request.blob.clone();
        if blob.header.num_counters == CURRENT {
            blob.header.num_counters = current;
        }
        let call = blob.call();
        let len = (call.bytes.len() as i32 + request.more) as u32;
        let call = call.len(len);
        let bpfilter = pair.bpfilter.call(&call);
        // Known to the core, and this kernel cannot enforce it.
        if lacking.iter().any(|name| request.what.contains(name)) {
            if ![libc::ENOENT, request.errno].contains(&bpfilter.errno) || bpfilter.errno == 0 {
                failures.push(format!("{}: not refused, {bpfilter:?}", request.what));
            }
            continue;
        }
        let kernel = pair.kernel.call(&call);
        if kernel != bpfilter {
            failures.push(format!("{}: {kernel:?}, not {bpfilter:?}", request.what));
            // The sides are no longer in step.
            pair = self::pair();
        }
        current = state(&mut pair);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn replace_gives_the_old_counters_back() {
    let mut pair = pair();
    let entries = load(&mut pair, some_rules());
    let counters: Vec<(u64, u64)> = (0..u64::from(entries))
        .map(|i| (i * 3 + 1, i << 40 | 7))
        .collect();
    expect(&mut pair, 0, &add_counters(FILTER.name, &counters));
    state(&mut pair);
    expect(&mut pair, 0, &add_counters(FILTER.name, &counters));
    state(&mut pair);

    // A refused REPLACE leaves rules, counters and the buffer alone.
    let mut blob = some_rules();
    blob.header.num_counters = entries + 1;
    expect(&mut pair, libc::EAGAIN, &blob.call());
    blob.header.num_counters = entries - 1;
    expect(&mut pair, libc::EAGAIN, &blob.call());
    state(&mut pair);

    blob.header.num_counters = entries;
    let outcome = expect(&mut pair, 0, &blob.call());
    let doubled: Vec<u8> = counters
        .iter()
        .flat_map(|(p, b)| [(p * 2).to_ne_bytes(), (b * 2).to_ne_bytes()].concat())
        .collect();
    assert_eq!(outcome.counters, doubled);
    assert_eq!(state(&mut pair), entries);
}

#[test]
fn replace_with_a_bad_counters_pointer_succeeds() {
    let mut pair = pair();
    let mut current = load(&mut pair, some_rules());
    for place in [
        Place::Address(0),
        Place::Address(8),
        Place::Address(0xffff_ffff_8100_0000),
        Place::ReadOnly,
    ] {
        let mut blob = some_rules();
        blob.header.num_counters = current;
        let call = Call::set(REPLACE, blob.bytes()).counters(vec![0xc5; 1024], place);
        expect(&mut pair, 0, &call);
        current = state(&mut pair);
    }
    // Exactly as much room as there are counters, and none after it.
    let mut blob = some_rules();
    blob.header.num_counters = current;
    let room = vec![0xc5; 16 * current as usize];
    let call = Call::set(REPLACE, blob.bytes()).counters(room, Place::Guarded);
    expect(&mut pair, 0, &call);
    state(&mut pair);
}

#[test]
fn replace_from_bad_memory() {
    let mut pair = pair();
    let entries = load(&mut pair, some_rules());
    let mut blob = some_rules();
    blob.header.num_counters = entries;
    let call = blob.call();
    let bytes = call.bytes.clone();
    let len = bytes.len() as u32;
    for place in [Place::Address(0), Place::Address(0xffff_ffff_8100_0000)] {
        expect(&mut pair, libc::EFAULT, &call.clone().at(place));
        expect(&mut pair, libc::EINVAL, &call.clone().at(place).len(95));
    }
    for room in [0, 1, 95, 96, 97, 400, bytes.len() - 1] {
        let mut call = call.clone().at(Place::Guarded).len(len);
        call.bytes.truncate(room);
        expect(&mut pair, libc::EFAULT, &call);
        assert_eq!(state(&mut pair), entries);
    }
    // Numbers in a readable header come before the memory behind it.
    let mut header = Call::set(REPLACE, &bytes[..96]).at(Place::Guarded).len(len);
    header.bytes[84..88].fill(0);
    expect(&mut pair, libc::EINVAL, &header);
    header.bytes[84..88].fill(0xff);
    expect(&mut pair, libc::ENOMEM, &header);
    // Memory that can only be read is good enough.
    expect(&mut pair, 0, &Call::set(REPLACE, bytes).at(Place::ReadOnly));
    assert_eq!(state(&mut pair), entries);
}

#[test]
fn replace_names_its_table() {
    let mut pair = pair();
    for name in ["", "nobody", "filterr", "FILTER"] {
        let mut blob = some_rules();
        blob.header.name = bpfilter_tests::blob::padded(name);
        expect(&mut pair, libc::ENOENT, &blob.call());
    }
    let mut blob = some_rules();
    blob.header.name[7..].fill(b'x');
    expect(&mut pair, 0, &blob.call());
    state(&mut pair);
}

#[test]
fn add_counters_errors() {
    let mut pair = pair();
    let four = [(1, 2), (3, 4), (5, 6), (u64::MAX, u64::MAX)];
    let good = add_counters(FILTER.name, &four);
    for len in [0, 1, 39, 40, 41, 55, 103, 105, 120, 0x7fff_ffff, u32::MAX] {
        expect(&mut pair, libc::EINVAL, &good.clone().len(len));
    }
    for count in [0, 1, 3, 5, 0x1000_0000, 0x1000_0004, u32::MAX] {
        let mut call = good.clone();
        call.bytes[32..36].copy_from_slice(&u32::to_ne_bytes(count));
        expect(&mut pair, libc::EINVAL, &call);
    }
    expect(&mut pair, libc::EINVAL, &add_counters(FILTER.name, &[]));
    expect(
        &mut pair,
        libc::EINVAL,
        &add_counters(FILTER.name, &four[..3]),
    );
    expect(
        &mut pair,
        libc::EINVAL,
        &add_counters(FILTER.name, &[(0, 0); 5]),
    );
    expect(&mut pair, libc::ENOENT, &add_counters("nobody", &four));
    expect(&mut pair, libc::ENOENT, &add_counters("nobody", &four[..3]));
    for place in [Place::Address(0), Place::Address(0xffff_ffff_8100_0000)] {
        expect(&mut pair, libc::EFAULT, &good.clone().at(place));
        expect(&mut pair, libc::EINVAL, &good.clone().at(place).len(40));
    }
    for room in [0, 39, 40, 41, 103] {
        let mut call = good.clone().at(Place::Guarded);
        call.bytes.truncate(room);
        expect(&mut pair, libc::EFAULT, &call);
    }
    // None of that counted.
    state(&mut pair);
    // Sums wrap.
    expect(&mut pair, 0, &good);
    expect(&mut pair, 0, &good.clone().at(Place::ReadOnly));
    state(&mut pair);
    let mut call = good;
    call.bytes[7..32].fill(0xaa);
    call.bytes[36..40].fill(0xbb);
    expect(&mut pair, 0, &call);
    state(&mut pair);
}

#[test]
fn odd_tables_that_are_accepted() {
    let mut pair = pair();
    // The table ends without its ERROR entry.
    let mut blob = Table::default().blob();
    blob.entries.truncate(456);
    blob.header.size = 456;
    blob.header.num_entries = 3;
    load(&mut pair, blob);
    // Empty and duplicate chain names.
    let chain = |name: &str| Chain {
        name: name.to_owned(),
        rules: Vec::new(),
    };
    let mut table = Table {
        chains: vec![chain(""), chain("same"), chain("same")],
        ..Table::default()
    };
    // A jump to one's own next entry, and GOTO on an ACCEPT.
    let mut odd = Rule::any(Target::Verdict(VERDICT_ACCEPT));
    odd.ip.flags = IPT_F_GOTO;
    odd.ip.src = [10, 1, 2, 3];
    table.builtin[1] = vec![Rule::any(Target::Next), odd];
    load(&mut pair, table.blob());
    // A loop that nothing reaches.
    let mut table = Table {
        chains: vec![chain("a"), chain("b")],
        ..Table::default()
    };
    table.chains[0].rules.push(Rule::any(Target::Jump(1)));
    table.chains[1].rules.push(Rule::any(Target::Jump(0)));
    load(&mut pair, table.blob());
    // The same, reached.
    table.builtin[0].push(Rule::any(Target::Jump(0)));
    let mut blob = table.blob();
    blob.header.num_counters = state(&mut pair);
    expect(&mut pair, libc::ELOOP, &blob.call());
    state(&mut pair);
}

#[test]
fn options_have_a_direction() {
    let mut pair = pair();
    // 64 and 65 mean one thing to set and another to get.
    let info = get_info(FILTER.name);
    let mut call = Call::set(REPLACE, info.bytes.clone());
    expect(&mut pair, libc::EINVAL, &call);
    call = Call::get(GET_INFO, some_rules().bytes());
    expect(&mut pair, libc::EINVAL, &call);
    call = Call::get(GET_ENTRIES, add_counters(FILTER.name, &[(1, 1); 4]).bytes);
    pair.call(&call);
    call = Call::set(ADD_COUNTERS, get_entries(FILTER.name, 632).bytes);
    pair.call(&call);
    assert_eq!(state(&mut pair), 4);
}

// SPDX-License-Identifier: GPL-2.0-only
//! The first pass over the entries: their sizes, and where the hooks start.

use umh_core::abi::{IPT_F_GOTO, VERDICT_RETURN};

use super::Requests;
use super::base::{FLAGS, INVFLAGS, NEXT_OFFSET, PROTO, TARGET_OFFSET, entry};
use crate::blob::{ENTRY, EXTENSION};

/// All of them.
pub(super) fn add(requests: &mut Requests) {
    sizes(requests);
    targets(requests);
    matches(requests);
    hooks(requests);
}

/// check_entry_size_and_hooks, before the target.
fn sizes(requests: &mut Requests) {
    use entry::{COMMENT, DROP, END, HEAD, TCP};
    use libc::{EINVAL, ENOMEM};
    requests.changed(ENOMEM, "room for no such number of offsets", |b| {
        b.header.num_entries = (128 << 20) + 1;
        b.field(TCP, FLAGS, &[0xff]);
    });
    requests.changed(EINVAL, "an entry that is not aligned", |b| b.grow(HEAD, 4));
    requests.changed(EINVAL, "an entry's head ends the table", |b| {
        b.cut(b.offsets[END] + ENTRY);
    });
    requests.changed(EINVAL, "half an entry's head", |b| {
        b.cut(b.offsets[END] + 56);
    });
    requests.changed(EINVAL, "an entry ends past the table", |b| {
        b.field16(END, NEXT_OFFSET, 176 + 8);
    });
    requests.changed(EINVAL, "an entry without room for a target", |b| {
        b.field16(TCP, NEXT_OFFSET, 143);
    });
    requests.changed(EINVAL, "an entry of no bytes", |b| {
        b.field16(TCP, NEXT_OFFSET, 0);
    });
    requests.changed(EINVAL, "an unknown flag", |b| b.field(TCP, FLAGS, &[4]));
    requests.changed(EINVAL, "an unknown inversion", |b| {
        b.field(COMMENT, INVFLAGS, &[0x80]);
    });
    requests.changed(EINVAL, "a target inside the head", |b| {
        b.field16(DROP, TARGET_OFFSET, 111);
    });
    requests.changed(EINVAL, "a target past the entry", |b| {
        b.field16(DROP, TARGET_OFFSET, 121);
    });
    requests.changed(EINVAL, "fewer entries than said", |b| {
        b.header.num_entries += 1;
    });
    requests.changed(EINVAL, "more entries than said", |b| {
        b.header.num_entries -= 1;
    });
    requests.changed(EINVAL, "far more entries than said", |b| {
        b.header.num_entries = 0;
    });
}

/// xt_check_entry_offsets: the target.
fn targets(requests: &mut Requests) {
    use entry::{DROP, END, HEAD};
    use libc::EINVAL;
    requests.changed(EINVAL, "a target smaller than its head", |b| {
        b.target(DROP, 0, &31u16.to_ne_bytes());
    });
    requests.changed(EINVAL, "a target larger than its entry", |b| {
        b.target(DROP, 0, &41u16.to_ne_bytes());
    });
    requests.changed(EINVAL, "a standard target that is not the end", |b| {
        b.grow(DROP, 8);
    });
    for (what, verdict) in [
        ("verdict 0", 0),
        ("NF_STOLEN", -3),
        ("beyond RETURN", -6),
        ("the least verdict", i32::MIN),
    ] {
        requests.changed(EINVAL, what, |b| b.verdict(DROP, verdict));
    }
    requests.changed(EINVAL, "an ERROR target that is too large", |b| {
        b.grow(HEAD, 8);
        b.target(HEAD, 0, &72u16.to_ne_bytes());
    });
    requests.changed(EINVAL, "an ERROR target that is too small", |b| {
        b.target(END, 0, &56u16.to_ne_bytes());
    });
    requests.changed(EINVAL, "a chain name without an end", |b| {
        b.target(HEAD, EXTENSION, &[b'x'; 30]);
    });
}

/// xt_check_entry_match.
fn matches(requests: &mut Requests) {
    use entry::TCP;
    use libc::EINVAL;
    let sizes: [(&str, u16); 6] = [
        ("a match smaller than its head", 31),
        ("a match of no bytes", 0),
        ("a match past the target", 49),
        ("a match that leaves a little", 40),
        ("a match that leaves a byte", 47),
        ("a match beyond everything", 0xffff),
    ];
    for (what, size) in sizes {
        requests.changed(EINVAL, what, |b| b.field16(TCP, ENTRY, size));
    }
    requests.changed(EINVAL, "a match that is not aligned", |b| {
        // 36 and 44 bytes, the second one at a multiple of four.
        b.grow(TCP, 32);
        let target = b.offsets[TCP] + ENTRY + 48;
        b.entries.copy_within(target..target + 40, target + 32);
        b.field16(TCP, TARGET_OFFSET, (ENTRY + 80) as u16);
        b.field16(TCP, ENTRY, 36);
        b.field16(TCP, ENTRY + 36, 44);
    });
}

/// Underflows, and xt_check_table_hooks.
fn hooks(requests: &mut Requests) {
    use entry::{COMMENT, DROP, FORWARD, INPUT, OUTPUT, TCP};
    use libc::EINVAL;
    requests.changed(EINVAL, "a policy that asks something", |b| {
        b.field(FORWARD, PROTO, &[6]);
    });
    requests.changed(EINVAL, "a policy with a match", |b| {
        b.header.underflow[1] = b.offset(TCP);
    });
    requests.changed(EINVAL, "a policy with GOTO", |b| {
        b.field(FORWARD, FLAGS, &[IPT_F_GOTO]);
    });
    requests.changed(EINVAL, "a policy that returns", |b| {
        b.verdict(FORWARD, VERDICT_RETURN);
    });
    requests.changed(EINVAL, "a policy that jumps", |b| {
        b.jump(FORWARD, COMMENT, 0);
    });
    requests.changed(EINVAL, "a policy that queues", |b| b.verdict(OUTPUT, -4));
    requests.changed(EINVAL, "a policy that is an ERROR", |b| {
        b.header.underflow[3] = b.offset(entry::END);
    });
    requests.changed(EINVAL, "a hook that starts at no entry", |b| {
        b.header.hook_entry[1] += 8;
    });
    requests.changed(EINVAL, "a policy at no entry", |b| {
        b.header.underflow[2] += 8;
    });
    requests.changed(EINVAL, "a hook that starts past the table", |b| {
        b.header.hook_entry[3] = b.header.size;
    });
    requests.changed(EINVAL, "a hook that starts nowhere", |b| {
        b.header.hook_entry[3] = u32::MAX;
    });
    requests.changed(EINVAL, "two hooks with one start", |b| {
        b.header.hook_entry[2] = b.header.hook_entry[1];
    });
    requests.changed(EINVAL, "two hooks with one policy", |b| {
        b.header.underflow[2] = b.header.underflow[1];
    });
    requests.changed(EINVAL, "hooks in another order", |b| {
        b.header.hook_entry.swap(2, 3);
    });
    requests.changed(EINVAL, "policies in another order", |b| {
        b.header.underflow.swap(2, 3);
    });
    requests.changed(0, "a policy before its hook's start", |b| {
        b.header.underflow[1] = b.offset(DROP);
        b.header.hook_entry[1] = b.offset(INPUT);
    });
}

// SPDX-License-Identifier: GPL-2.0-only
//! The second pass: jumps, loops, and what is reached from no hook.

use umh_core::abi::IPT_F_GOTO;

use super::Requests;
use super::base::{FLAGS, PROTO, entry};

/// mark_source_chains.
pub(super) fn add(requests: &mut Requests) {
    use entry::{COMMENT, DROP, END, HEAD, INPUT, OUTPUT, RETURN, TCP};
    use libc::ELOOP;
    requests.changed(ELOOP, "a chain that calls itself", |b| {
        b.jump(COMMENT, COMMENT, 0);
    });
    requests.changed(ELOOP, "a chain that goes to itself", |b| {
        b.field(COMMENT, FLAGS, &[IPT_F_GOTO]);
        b.jump(COMMENT, COMMENT, 0);
    });
    requests.changed(ELOOP, "a way back into a built-in chain", |b| {
        b.jump(COMMENT, DROP, 0);
        b.jump(DROP, COMMENT, 0);
    });
    requests.changed(ELOOP, "a built-in chain that calls itself", |b| {
        b.jump(DROP, DROP, 0);
    });
    requests.changed(ELOOP, "a jump into the middle of an entry", |b| {
        b.jump(TCP, COMMENT, 8);
    });
    requests.changed(ELOOP, "a jump past the table", |b| {
        b.verdict(TCP, b.header.size as i32);
    });
    requests.changed(ELOOP, "the farthest jump", |b| b.verdict(TCP, i32::MAX));
    requests.changed(ELOOP, "a chain that runs off the table", |b| {
        b.jump(TCP, END, 0);
    });
    requests.changed(ELOOP, "a return that asks something, at the end", |b| {
        b.field(RETURN, PROTO, &[6]);
        b.jump(TCP, RETURN, 0);
    });
    requests.changed(ELOOP, "the last entry jumps, and comes back", |b| {
        // Nothing stands behind a call in the table's last entry.
        b.cut(b.offsets[END]);
        b.header.num_entries -= 1;
        b.jump(RETURN, HEAD, 0);
    });
    requests.changed(0, "a loop that nobody enters", |b| {
        b.jump(TCP, DROP, 0);
        b.jump(COMMENT, COMMENT, 0);
    });
    requests.changed(0, "a jump to nowhere that nobody makes", |b| {
        b.jump(TCP, DROP, 0);
        b.jump(COMMENT, COMMENT, 8);
    });
    requests.changed(0, "a jump to the next entry", |b| b.jump(TCP, DROP, 0));
    requests.changed(0, "a jump into another built-in chain", |b| {
        b.jump(TCP, OUTPUT, 0);
    });
    requests.changed(0, "a jump back in the same chain, past a policy", |b| {
        b.jump(COMMENT, INPUT, 0);
    });
    requests.changed(0, "a jump onto a chain's head", |b| b.jump(TCP, HEAD, 0));
    requests.changed(0, "one chain called twice", |b| b.jump(DROP, COMMENT, 0));
}

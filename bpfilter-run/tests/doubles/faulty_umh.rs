// SPDX-License-Identifier: GPL-2.0-only
//! A helper with a fault: what bpfilter-run must survive.
//!
//! Knows nothing of tables. What is wrong with it is the name by which it is
//! called (tests call it through symbolic links). With no fault it answers a
//! request of length N with errno N, so that a caller knows its own answer.
#![allow(clippy::panic, reason = "a test double may end loudly")]

use std::io::{self, Read, Write};
use std::time::Duration;

use bpfilter_msgfmt as msg;
use zerocopy::{FromZeros, IntoBytes};

fn main() {
    let name = std::env::args().next().unwrap_or_default();
    let fault = name.rsplit('/').next().unwrap_or_default().to_owned();
    eprintln!("Started bpfilter");
    let mut ping = true;
    loop {
        let mut request = msg::Request::new_zeroed();
        if io::stdin().read_exact(request.as_mut_bytes()).is_err() {
            return;
        }
        match (fault.as_str(), ping) {
            ("exits-at-once", true) | ("exits", false) => return,
            ("hangs-at-once", true) | ("hangs", false) => {
                std::thread::sleep(Duration::from_secs(60));
            }
            ("denies", true) => reply(-1),
            ("garbles-at-once", true) | ("garbles", false) => say(b"abc"),
            ("positive", false) => reply(7),
            ("chatters", false) => {
                let replies = [own_answer(&request), -libc::EDOM];
                say(replies.map(|status| msg::Reply { status }).as_bytes());
            }
            ("slow", false) => {
                std::thread::sleep(Duration::from_millis(300));
                reply(own_answer(&request));
            }
            ("not-ours", false) => reply(-libc::ENOPROTOOPT),
            (_, true) => {
                assert_eq!(request.cmd, msg::CMD_PING, "the first request is cmd 0");
                reply(0);
            }
            (_, false) => reply(own_answer(&request)),
        }
        ping = false;
    }
}

/// Errno N for length N, 0 for length 0.
fn own_answer(request: &msg::Request) -> i32 {
    -(request.len as i32)
}

fn reply(status: i32) {
    say(msg::Reply { status }.as_bytes());
}

fn say(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    let said = stdout.write_all(bytes).and_then(|()| stdout.flush());
    assert!(said.is_ok(), "bpfilter-run has gone");
}

// SPDX-License-Identifier: GPL-2.0-only
//! Each of the two helpers, that of a kernel image and that of links, with
//! nothing but its two pipes and its log: when it starts, what ends it, and what
//! it says where rules cannot run.
#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bpfilter_msgfmt::{CMD_PING, IPT_SO_GET_INFO, IPT_SO_SET_REPLACE, Request};
use bpfilter_tests::client::side::{image_umh_path, umh_path};
use zerocopy::IntoBytes;

/// Both helpers.
fn helpers() -> [PathBuf; 2] {
    [image_umh_path(), umh_path()]
}

/// What became of a helper.
struct End {
    replies: Vec<i32>,
    log: String,
    status: Option<i32>,
}

/// Feeds a helper, then closes its pipes. `words` are a command that starts it.
fn feed(helper: &Path, words: &[&str], input: &[u8]) -> End {
    let mut argv = words.iter().map(AsRef::as_ref).chain([helper.as_os_str()]);
    let mut child: Child = Command::new(argv.next().expect("at least the helper"))
        .args(argv)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the helper starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    let mut replies = Vec::new();
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_to_end(&mut replies).expect("it writes");
    let output = child.wait_with_output().expect("it ends");
    let mut log = String::from_utf8_lossy(&output.stderr).into_owned();
    // What it says once of a kernel that has not got everything.
    if let Some(start) = log.find("bpfilter: this kernel lacks what these need: ") {
        let end = log[start..].find('\n').expect("a whole line");
        log.replace_range(start..=start + end, "");
    }
    End {
        replies: replies
            .chunks(4)
            .map(|reply| i32::from_ne_bytes(reply.try_into().expect("a whole reply")))
            .collect(),
        log,
        status: output.status.code(),
    }
}

fn request(cmd: u32, is_set: u32, len: u32) -> Vec<u8> {
    let pid = std::process::id();
    let addr = 0;
    let request = Request {
        addr,
        len,
        is_set,
        cmd,
        pid,
    };
    request.as_bytes().to_vec()
}

#[test]
fn closed_pipes_are_a_clean_end() {
    for helper in helpers() {
        let end = feed(&helper, &[], &[]);
        assert_eq!((end.replies.as_slice(), end.status), (&[][..], Some(0)));
        assert_eq!(end.log, "Started bpfilter\n");
    }
}

#[test]
fn each_request_gets_one_reply() {
    let requests = [
        request(CMD_PING, 0, 0),
        request(IPT_SO_GET_INFO, 0, 84),
        request(IPT_SO_GET_INFO, 0, 83),
        request(99, 0, 0),
        request(CMD_PING, 0, 0),
    ];
    let end = feed(&umh_path(), &[], &requests.concat());
    // Where nobody plays the kernel half, nobody says what a request is about.
    let unknown = -libc::ENOPROTOOPT;
    let errors = [0, unknown, unknown, unknown, 0];
    assert_eq!((end.replies.as_slice(), end.status), (&errors[..], Some(0)));
    assert_eq!(end.log, "Started bpfilter\n");
}

/// The helper of a kernel image takes a kernel half that reads packets. Where
/// nobody plays it, it says so once.
#[test]
fn without_a_kernel_half_ip_tables_stays_in_charge() {
    let requests = [
        request(CMD_PING, 0, 0),
        request(IPT_SO_GET_INFO, 0, 84),
        request(IPT_SO_GET_INFO, 0, 83),
        request(IPT_SO_SET_REPLACE, 1, 96),
    ];
    let end = feed(&image_umh_path(), &[], &requests.concat());
    let unknown = -libc::ENOPROTOOPT;
    let errors = [0, unknown, unknown, unknown];
    assert_eq!((end.replies.as_slice(), end.status), (&errors[..], Some(0)));
    assert_eq!(
        end.log,
        "Started bpfilter\n\
         bpfilter: ip_tables stays in charge, this kernel lacks a kernel half that hands over \
         packets\n"
    );
}

#[test]
fn half_a_request_is_logged_and_ends_it() {
    let mut input = request(CMD_PING, 0, 0);
    input.extend([0; 7]);
    let end = feed(&umh_path(), &[], &input);
    assert_eq!((end.replies.as_slice(), end.status), (&[0][..], Some(1)));
    assert_eq!(
        end.log,
        "Started bpfilter\nbpfilter: invalid request of length 7\n"
    );
}

/// Root of a user namespace may not load programs: a kernel that cannot run
/// rules. The helper lives, says once why, and leaves everything to ip_tables.
#[test]
fn where_rules_cannot_run_ip_tables_stays_in_charge() {
    let requests = [
        request(CMD_PING, 0, 0),
        request(IPT_SO_GET_INFO, 0, 84),
        request(IPT_SO_SET_REPLACE, 1, 96),
    ];
    let words = ["unshare", "--user", "--map-root-user"];
    for helper in helpers() {
        let end = feed(&helper, &words, &requests.concat());
        let errors = [0, -libc::ENOPROTOOPT, -libc::ENOPROTOOPT];
        assert_eq!((end.replies.as_slice(), end.status), (&errors[..], Some(0)));
        assert_eq!(
            end.log,
            "Started bpfilter\n\
             bpfilter: ip_tables stays in charge, this kernel fails bpf(2), errno 1\n"
        );
    }
}

/// Without fd 2 the lines go to the kernel's log; without that, nowhere. It
/// must not matter to the requests.
#[test]
fn the_log_is_never_in_the_way() {
    let ping = request(CMD_PING, 0, 0);
    let words = ["unshare", "--user", "--map-root-user", "sh", "-c"];
    let words = [&words[..], &["exec \"$0\" 2>&-"]].concat();
    for helper in helpers() {
        let end = feed(&helper, &words, &ping);
        assert_eq!((end.replies.as_slice(), end.status), (&[0][..], Some(0)));
        assert_eq!(end.log, "");
    }
}

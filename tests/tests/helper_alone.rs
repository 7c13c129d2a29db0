// SPDX-License-Identifier: GPL-2.0-only
//! Each helper, that of a kernel image for every CPU and that of links, with
//! nothing but its two pipes and its log: when it starts, what ends it, and what
//! it says where rules cannot run. Those of other CPUs run under QEMU's user mode,
//! which has no bpf(2).
#![allow(
    clippy::expect_used,
    reason = "a test that cannot go on must fail loudly, where it stands"
)]

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use bpfilter_msgfmt::{CMD_PING, IPT_SO_GET_INFO, IPT_SO_SET_REPLACE, Request};
use bpfilter_tests::client::side::{image_umh_path, other_cpus, other_umh_path, umh_path};
use zerocopy::IntoBytes;

/// A helper, as the words that run it.
type Words = Vec<OsString>;

/// That of links.
fn of_links() -> Words {
    vec![umh_path().into()]
}

/// That of a kernel image, for this CPU.
fn of_images() -> Words {
    vec![image_umh_path().into()]
}

/// Those of a kernel image for other CPUs.
fn of_other_cpus() -> impl Iterator<Item = Words> {
    let words = |[arch, qemu]: [&str; 2]| vec![qemu.into(), other_umh_path(arch).into()];
    other_cpus().into_iter().map(words)
}

/// All helpers.
fn helpers() -> impl Iterator<Item = Words> {
    [of_links(), of_images()].into_iter().chain(of_other_cpus())
}

/// What became of a helper.
struct End {
    replies: Vec<i32>,
    log: String,
    status: Option<i32>,
}

/// Starts a helper, lets `input` write to it, and closes its pipes. `words` are a command
/// that starts it.
fn run(helper: &Words, words: &[&str], input: impl FnOnce(&Child, &mut ChildStdin)) -> End {
    let words = words.iter().map(OsString::from);
    let mut argv = words.chain(helper.iter().cloned());
    let mut child: Child = Command::new(argv.next().expect("at least the helper"))
        .args(argv)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the helper starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    input(&child, &mut stdin);
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

/// Feeds a helper, then closes its pipes.
fn feed(helper: &Words, words: &[&str], input: &[u8]) -> End {
    run(helper, words, |_, stdin| {
        stdin.write_all(input).expect("it reads")
    })
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
    let end = feed(&of_links(), &[], &requests.concat());
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
    let end = feed(&of_images(), &[], &requests.concat());
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

/// Where programs cannot be loaded at all: as QEMU has no bpf(2), so is a kernel
/// without it.
#[test]
fn without_bpf_ip_tables_stays_in_charge() {
    let requests = [
        request(CMD_PING, 0, 0),
        request(IPT_SO_GET_INFO, 0, 84),
        request(99, 0, 0),
        request(IPT_SO_SET_REPLACE, 1, 96),
        request(CMD_PING, 0, 0),
    ];
    for helper in of_other_cpus() {
        let end = feed(&helper, &[], &requests.concat());
        let unknown = -libc::ENOPROTOOPT;
        let errors = [0, unknown, unknown, unknown, 0];
        assert_eq!((end.replies.as_slice(), end.status), (&errors[..], Some(0)));
        assert_eq!(
            end.log,
            "Started bpfilter\n\
             bpfilter: ip_tables stays in charge, this kernel lacks programs of type SCHED_CLS \
             (CONFIG_BPF_SYSCALL)\n",
            "{helper:?}"
        );
    }
}

/// When no request has come for a while it has given back its text and its stack, and
/// waits in read(2), not in poll(2) any more.
#[test]
fn after_a_rest_it_goes_on() {
    for helper in helpers() {
        let end = run(&helper, &[], |child, stdin| {
            for _ in 0..3 {
                let ping = request(CMD_PING, 0, 0);
                stdin.write_all(&ping).expect("it reads");
                wait_until_it_rests(child);
            }
            stdin.write_all(&[0; 7]).expect("it reads");
        });
        assert_eq!(
            (end.replies.as_slice(), end.status),
            (&[0, 0, 0][..], Some(1))
        );
        let tail = "\nbpfilter: invalid request of length 7\n";
        assert!(end.log.ends_with(tail), "{helper:?}: {}", end.log);
    }
}

/// Waits until a process, QEMU's thread of that number if that runs the helper,
/// is inside of read(0, ..).
fn wait_until_it_rests(child: &Child) {
    let in_read = format!("{} 0x0 ", libc::SYS_read);
    let started = Instant::now();
    let call = format!("/proc/{}/syscall", child.id());
    while !std::fs::read_to_string(&call).is_ok_and(|call| call.starts_with(&in_read)) {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it does not rest"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn half_a_request_is_logged_and_ends_it() {
    for helper in helpers() {
        let mut input = request(CMD_PING, 0, 0);
        input.extend([0; 7]);
        let end = feed(&helper, &[], &input);
        assert_eq!((end.replies.as_slice(), end.status), (&[0][..], Some(1)));
        let tail = "\nbpfilter: invalid request of length 7\n";
        assert!(end.log.ends_with(tail), "{helper:?}: {}", end.log);
    }
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
    for helper in [of_links(), of_images()] {
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
    let words = [&words[..], &["exec \"$0\" \"$@\" 2>&-"]].concat();
    for helper in helpers() {
        let end = feed(&helper, &words, &ping);
        assert_eq!((end.replies.as_slice(), end.status), (&[0][..], Some(0)));
        assert_eq!(end.log, "");
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! A helper with a fault: what bpfilter-run must survive.
//!
//! Knows nothing of tables. What is wrong with it is the name by which it is
//! called (tests call it through symbolic links). With no fault it answers a
//! request of length N with errno N, so that a caller knows its own answer.
//!
//! The names that begin with `commits` commit generations, see `commit` below.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test double may end loudly"
)]

#[allow(dead_code, reason = "bpfilter-run uses all of it")]
#[path = "../../src/sys/mod.rs"]
mod sys;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::Duration;

use bpf_abi::Insn;
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
            if fault == "stays" {
                std::thread::sleep(Duration::from_secs(60));
            }
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
            ("commits-idle", true) => {
                // Before and in the request after a start there is nothing to
                // commit to.
                let refused = commit(96) == libc::ENOPROTOOPT && recover() == libc::ENOPROTOOPT;
                reply(if refused { 0 } else { -1 });
            }
            (_, false) if fault.starts_with("commits") => {
                let set = request.is_set != 0;
                let goes_wrong = set && request.len != 96;
                let status = match (set, request.cmd) {
                    (true, msg::IPT_SO_SET_REPLACE) if request.len == 105 => commit_and_watch(),
                    (true, msg::IPT_SO_SET_REPLACE) => commit(request.len),
                    (true, _) => {
                        assert_eq!(commit(request.len), 0);
                        commit(request.len)
                    }
                    (false, _) => recover(),
                };
                match (fault.as_str(), goes_wrong) {
                    ("commits-then-exits", true) => return,
                    ("commits-then-hangs", true) => std::thread::sleep(Duration::from_secs(60)),
                    ("commits-then-fails", true) => reply(-libc::EDOM),
                    _ => reply(-status),
                }
            }
            ("lacks", false) => reply(-libc::ENOENT),
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

/// Commits a generation whose table says LEN; what it is made of depends on it:
///
///   96      accepts all packets          100  the same, with connection tracking
///   97      drops on LOCAL_OUT           101  descriptors that are no programs
///   98, 99  drops on LOCAL_IN            102  one program is missing
///   107     a hook of another table      103  flags that do not exist
///   108     another table                else no programs
///
/// Gives the errno, 0 for success. Where the fault comes after a commit, it
/// does not come after 96.
fn commit(len: u32) -> i32 {
    let image = memfd(len);
    let counters = memfd(0);
    let programs = match len {
        96 | 100 | 102..=104 | 107 | 108 => Some([1, 1, 1]),
        106 => Some([0, 0, 0]),
        97 => Some([1, 1, 0]),
        98 | 99 => Some([0, 1, 1]),
        _ => None,
    };
    let mut programs = programs.map(|verdicts| verdicts.map(program));
    if let (104, Some([.., out])) = (len, &mut programs) {
        *out = slow_program();
    }
    let mut prog = [-1; msg::HOOKS];
    let [_, own @ .., _] = &mut prog;
    for (fd, program) in own.iter_mut().zip(programs.iter().flatten()) {
        *fd = program.as_raw_fd();
    }
    match len {
        101 => own.fill(image.as_raw_fd()),
        102 => own[1] = -1,
        106 => own[1..].fill(image.as_raw_fd()),
        107 => prog[0] = prog[1],
        _ => {}
    }
    let generation = msg::Generation {
        family: 2,
        table: match len {
            108 => msg::TABLE_NAT,
            _ => msg::TABLE_FILTER,
        },
        prog,
        counters: counters.as_raw_fd(),
        image: image.as_raw_fd(),
        packets: -1,
        flags: match len {
            100 => msg::GEN_CONNTRACK,
            103 => 0x8000_0000,
            _ => 0,
        },
        ..msg::Generation::new_zeroed()
    };
    let socket = control();
    // SAFETY: the call reads `generation`, live and of the length given.
    let ret = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            msg::SO_COMMIT as i32,
            (&raw const generation).cast(),
            size_of::<msg::Generation>() as u32,
        )
    };
    errno(ret)
}

/// Commits 96 in place of 104 and then watches for packets that are still in the
/// slow program. EDOM if there was one.
fn commit_and_watch() -> i32 {
    let errno = commit(96);
    let returned = now();
    std::thread::sleep(Duration::from_millis(400));
    if errno == 0 && last_seen() > returned {
        libc::EDOM
    } else {
        errno
    }
}

/// The time in units of 2^20 ns, about a millisecond, as the slow program has it.
fn now() -> u32 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec, which is live.
    let ret = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    assert_eq!(ret, 0);
    ((now.tv_sec * 1_000_000_000 + now.tv_nsec) >> 20) as u32
}

/// Where the slow program leaves the time when it ends.
static TIME: OnceLock<i32> = OnceLock::new();

fn time_map() -> i32 {
    // Its descriptor is all that is needed of it, for ever.
    *TIME.get_or_init(|| std::mem::ManuallyDrop::new(sys::bpf::Words::new::<1>().unwrap()).raw())
}

fn last_seen() -> u32 {
    // SAFETY: a new mapping of one page, at an address of the kernel's choice;
    // its first word is the map's value, aligned to the page.
    unsafe {
        let (prot, flags) = (libc::PROT_READ, libc::MAP_SHARED);
        let page = libc::mmap(std::ptr::null_mut(), 4096, prot, flags, time_map(), 0);
        assert_ne!(page, libc::MAP_FAILED);
        let seen = page.cast::<u32>().read_volatile();
        libc::munmap(page, 4096);
        seen
    }
}

/// What the active generation's table says; ENOENT if there is none.
fn recover() -> i32 {
    let socket = control();
    let mut generation = msg::Generation {
        family: 2,
        table: msg::TABLE_FILTER,
        ..msg::Generation::new_zeroed()
    };
    let mut len = size_of::<msg::Generation>() as u32;
    // SAFETY: the call writes `generation`, live and of the length given.
    let ret = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            msg::SO_RECOVER as i32,
            (&raw mut generation).cast(),
            &raw mut len,
        )
    };
    if ret != 0 {
        return errno(ret);
    }
    let take = |fd: i32| {
        // SAFETY: the call has just opened this descriptor for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        assert!(
            rustix::io::fcntl_getfd(&fd)
                .unwrap()
                .contains(rustix::io::FdFlags::CLOEXEC)
        );
        File::from(fd)
    };
    let image = take(generation.image);
    drop(take(generation.counters));
    generation
        .prog
        .into_iter()
        .filter(|&fd| fd != -1)
        .for_each(|fd| drop(take(fd)));
    let mut said = [0; 4];
    image.read_exact_at(&mut said, 0).unwrap();
    u32::from_ne_bytes(said) as i32
}

fn errno(ret: i32) -> i32 {
    if ret == 0 {
        0
    } else {
        io::Error::last_os_error().raw_os_error().unwrap()
    }
}

fn control() -> OwnedFd {
    rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )
    .unwrap()
}

fn memfd(content: u32) -> File {
    let fd = rustix::fs::memfd_create("table", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let file = File::from(fd);
    file.write_all_at(&content.to_ne_bytes(), 0).unwrap();
    file
}

/// A program with this verdict.
fn program(verdict: i32) -> OwnedFd {
    sys::bpf::load(&[Insn::mov_imm(0, verdict), Insn::EXIT]).unwrap()
}

/// Accepts after as long as the kernel lets a program loop.
fn slow_program() -> OwnedFd {
    const R0: u8 = 0;
    const R1: u8 = 1;
    const PSEUDO_MAP_VALUE: u8 = 2;
    let insn = Insn::new;
    sys::bpf::load(&[
        insn(0xe5, 0, 0, 1, 0),                          // again: may_goto end
        insn(0x05, 0, 0, -2, 0),                         // goto again
        insn(0x85, 0, 0, 0, 5),                          // end: r0 = bpf_ktime_get_ns()
        insn(0x77, R0, 0, 0, 20),                        // r0 >>= 20
        insn(0x18, R1, PSEUDO_MAP_VALUE, 0, time_map()), // r1 = the word's address
        insn(0, 0, 0, 0, 0),                             //   (second half)
        insn(0x63, R1, R0, 0, 0),                        // *(u32 *)r1 = r0
        Insn::mov_imm(R0, 1),                            // accept
        Insn::EXIT,
    ])
    .unwrap()
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

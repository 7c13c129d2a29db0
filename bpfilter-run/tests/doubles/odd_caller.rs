// SPDX-License-Identifier: GPL-2.0-only
//! A caller that makes get/setsockopt calls in unusual ways: from other ABIs,
//! other sockets, other namespaces, other threads.
//!
//! Its arguments are done one after the other; each call prints its errno, 0 for
//! success, on a line of its own:
//!
//!   raw udp tcp mptcp raw6 udp6 tcp6 unix file closed
//!             what the calls after it are made on
//!   inner-udp a UDP socket of a network namespace in a user namespace of its own
//!   get:OPTION:LEN set:OPTION:LEN     with a buffer of LEN zeros
//!   get32: set32: mux-get: mux-set: x32-get: x32-set:
//!             the same by int 0x80, by i386 socketcall, as x32
//!   high-get:OPTION:LEN               garbage in the upper halves of the registers
//!   bad-length:OPTION                 getsockopt whose optlen cannot be read
//!   fixed-length:OPTION:LEN           ... cannot be written
//!   level:OPTION:LEVEL                getsockopt at another level
//!   times:COUNT:LEN                   COUNT calls; prints how many did not end with errno LEN
//!   lo-up                             brings up the loopback device
//!   echo                              sends itself a UDP packet; prints 0, or the errno of send,
//!                                     or EAGAIN if it does not arrive
//!   flood-lost:COUNT                  sends COUNT packets, prints how many are lost
//!   flood-passed:COUNT                the same, prints how many arrive
//!   swap:COUNT:LEN1:LEN2              sets option 64 COUNT times with each length, alternating;
//!                                     prints how many calls failed
//!   silent:THERE:LEN                  getsockopt 64 with memory that answers up to THERE bytes;
//!                                     prints "waits" when it does, and then waits to be killed
//!   sleep:MILLISECONDS
//!   interrupts:MILLISECONDS           prints "ready" and then how many SIGINTs came
//!   new-net new-user-net              unshare
//!   become:UID                        gives up root
//!   thread                            the rest is done by another thread
//!   lone-thread                       ... one with descriptors of its own
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test double may end loudly"
)]

use std::ffi::c_void;
use std::net::UdpSocket;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    act(&words, -1);
}

fn act(words: &[String], mut fd: i32) {
    for (at, word) in words.iter().enumerate() {
        let mut parts = word.split(':');
        let verb = parts.next().unwrap();
        let numbers: Vec<u32> = parts.map(|part| part.parse().unwrap()).collect();
        match (verb, numbers.as_slice()) {
            ("raw", _) => fd = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW),
            ("udp", _) => fd = socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
            ("tcp", _) => fd = socket(libc::AF_INET, libc::SOCK_STREAM, 0),
            ("mptcp", _) => fd = socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP),
            ("raw6", _) => fd = socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_RAW),
            ("udp6", _) => fd = socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
            ("tcp6", _) => fd = socket(libc::AF_INET6, libc::SOCK_STREAM, 0),
            ("unix", _) => fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0),
            ("file", _) => fd = 0,
            ("closed", _) => {
                // SAFETY: this descriptor is the program's own.
                unsafe { libc::close(fd) };
                fd = 999;
            }
            ("inner-udp", _) => fd = inner_socket(),
            ("become", &[uid]) => {
                // SAFETY: no pointers are passed.
                assert_eq!(unsafe { libc::setresuid(uid, uid, uid) }, 0);
            }
            ("new-net", _) => unshare(libc::CLONE_NEWNET),
            ("new-user-net", _) => unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET),
            ("thread" | "lone-thread", _) => {
                let rest = words[at + 1..].to_vec();
                let lone = verb == "lone-thread";
                let thread = std::thread::spawn(move || {
                    if lone {
                        unshare(libc::CLONE_FILES);
                    }
                    act(&rest, fd);
                });
                thread.join().unwrap();
                return;
            }
            ("times", &[count, len]) => {
                let buffer = Low::new();
                let wrong = (0..count).filter(|_| {
                    let ret = native(false, fd, 64, buffer.at(0), u64::from(len));
                    ret != -i64::from(len)
                });
                println!("{}", wrong.count());
            }
            ("silent", &[there, len]) => silent(fd, there as usize, len.into()),
            ("sleep", &[millis]) => std::thread::sleep(Duration::from_millis(millis.into())),
            ("interrupts", &[millis]) => println!("{}", interrupts(millis)),
            ("lo-up", _) => {
                let set = std::process::Command::new("ip")
                    .args("link set lo up".split(' '))
                    .status();
                assert!(set.unwrap().success());
            }
            ("echo", _) => println!("{}", echo(&UdpSocket::bind("127.0.0.1:0").unwrap())),
            ("flood-lost", &[count]) => {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                println!("{}", (0..count).filter(|_| echo(&socket) != 0).count());
            }
            ("flood-passed", &[count]) => println!("{}", flood(count)),
            ("swap", &[count, one, two]) => {
                let buffer = Low::new();
                let set = |len: u32| native(true, fd, 64, buffer.at(0), u64::from(len)) != 0;
                let failed = (0..count).flat_map(|_| [one, two]).filter(|&len| set(len));
                println!("{}", failed.count());
            }
            ("bad-length", &[option]) => {
                // SAFETY: the kernel checks both addresses.
                let ret = unsafe { libc::syscall(libc::SYS_getsockopt, fd, 0, option, 0, 8) };
                println!("{}", errno(ret, true));
            }
            ("fixed-length", &[option, len]) => {
                let page = Low::new();
                page.put(0, len);
                page.protect();
                let (addr, length) = (page.at(8), page.at(0));
                // SAFETY: the kernel checks both addresses.
                let ret =
                    unsafe { libc::syscall(libc::SYS_getsockopt, fd, 0, option, addr, length) };
                println!("{}", errno(ret, true));
            }
            ("level", &[option, level]) => {
                let page = Low::new();
                page.put(0, 64);
                let (addr, length) = (page.at(8), page.at(0));
                // SAFETY: the kernel checks both addresses; the page has room.
                let ret =
                    unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, option, addr, length) };
                println!("{}", errno(ret, true));
            }
            (verb, &[option, len]) => {
                let buffer = Low::new();
                let set = verb.ends_with("set") || verb == "set32";
                let len = u64::from(len);
                let ret = match verb {
                    "get" | "set" => native(set, fd, option, buffer.at(16), len),
                    "high-get" => {
                        let garbage = 0xdead_beef_0000_0000;
                        let option = garbage | u64::from(option);
                        raw_native(false, garbage | fd as u64, garbage, option, &buffer, len)
                    }
                    "get32" | "set32" => direct32(set, fd, option, &buffer, len as u32),
                    "mux-get" | "mux-set" => multiplexed(set, fd, option, &buffer, len as u32),
                    "x32-get" | "x32-set" => x32(set, fd, option, &buffer, len),
                    _ => panic!("{word}?"),
                };
                println!("{}", -ret);
            }
            _ => panic!("{word}?"),
        }
    }
}

fn socket(domain: i32, kind: i32, protocol: i32) -> i32 {
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(domain, kind, protocol) };
    assert!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
    fd
}

/// A call whose `optval` lies, but for its first `there` bytes, in memory of a
/// userfaultfd that nobody serves: whoever touches it waits.
fn silent(fd: i32, there: usize, len: u64) {
    const UFFDIO_API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
    const UFFDIO_REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
    const UFFD_API: u64 = 0xaa;
    const MISSING: u64 = 1;
    const PAGE: usize = 4096;

    let memory = Low::new();
    // SAFETY: the kernel gives a new descriptor; both structures are as long as
    // the requests say, and the range is of this mapping.
    let uffd = unsafe {
        let uffd = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) as i32;
        assert!(uffd >= 0, "{}", std::io::Error::last_os_error());
        let mut api = [UFFD_API, 0, 0];
        assert_eq!(libc::ioctl(uffd, UFFDIO_API, api.as_mut_ptr()), 0);
        let rest = (Low::SIZE - PAGE) as u64;
        let mut range = [memory.at(PAGE as u64), rest, MISSING, 0];
        assert_eq!(libc::ioctl(uffd, UFFDIO_REGISTER, range.as_mut_ptr()), 0);
        uffd
    };
    let at = PAGE - there;
    let name = b"filter";
    let name = &name[..there.min(name.len())];
    // SAFETY: it ends within the first page of the mapping.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr(), memory.0.cast::<u8>().add(at), name.len()) };
    let addr = memory.at(at as u64);
    std::thread::spawn(move || {
        println!("{}", -native(false, fd, 64, addr, len));
        std::process::exit(1);
    });
    // `struct uffd_msg`: somebody has touched it.
    let mut message = [0u64; 4];
    // SAFETY: `message` has room for the bytes that are asked for.
    let read = unsafe { libc::read(uffd, message.as_mut_ptr().cast(), size_of_val(&message)) };
    assert_eq!(read, size_of_val(&message) as isize);
    println!("waits");
    loop {
        std::thread::park();
    }
}

fn interrupts(millis: u32) -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
    let handler = count as extern "C" fn(i32);
    // SAFETY: the handler touches an atomic only.
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
    println!("ready");
    // Whoever sends them may be slow: the time starts with the first one.
    let started = Instant::now();
    while COUNT.load(Ordering::Relaxed) == 0 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(millis.into()));
    COUNT.load(Ordering::Relaxed)
}

fn echo(socket: &UdpSocket) -> i32 {
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let errno = |e: std::io::Error| e.raw_os_error().unwrap();
    if let Err(e) = socket.send_to(b"echo", socket.local_addr().unwrap()) {
        return errno(e);
    }
    socket.recv(&mut [0; 8]).map_or_else(errno, |_| 0)
}

fn flood(count: u32) -> u32 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut arrived = 0;
    let mut drain = || {
        while socket.recv(&mut [0; 8]).is_ok() {
            arrived += 1
        }
    };
    for _ in 0..count {
        // A packet that is dropped on its way out is an error here.
        let _ = socket.send_to(b"flood", to);
        drain();
    }
    std::thread::sleep(Duration::from_millis(50));
    drain();
    arrived
}

/// A child that shares our descriptors, but no namespace, opens the socket.
fn inner_socket() -> i32 {
    // SAFETY: without CLONE_VM this is fork; the child allocates nothing and
    // ends with _exit.
    unsafe {
        let flags = libc::CLONE_FILES | libc::SIGCHLD;
        let child = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0);
        if child == 0 {
            libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET);
            libc::_exit(libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0));
        }
        let mut status = 0;
        assert_eq!(
            i64::from(libc::waitpid(child as i32, &raw mut status, 0)),
            child
        );
        libc::WEXITSTATUS(status)
    }
}

fn unshare(flags: i32) {
    // SAFETY: no pointers are passed.
    let ret = unsafe { libc::unshare(flags) };
    assert_eq!(ret, 0, "unshare: {}", std::io::Error::last_os_error());
}

fn errno(ret: i64, libc_style: bool) -> i64 {
    if libc_style && ret < 0 {
        std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap()
            .into()
    } else {
        -ret
    }
}

/// A page that 32-bit pointers reach; its first words serve as optlen.
struct Low(*mut u32);

impl Low {
    const SIZE: usize = 65536;

    fn new() -> Self {
        // SAFETY: a new anonymous mapping touches no existing memory.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Self::SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                -1,
                0,
            )
        };
        assert_ne!(page, libc::MAP_FAILED);
        Self(page.cast())
    }

    fn at(&self, offset: u64) -> u64 {
        self.0 as u64 + offset
    }

    fn put(&self, index: usize, value: u32) {
        // SAFETY: every index used here lies in the first words of the page.
        unsafe { self.0.add(index).write(value) };
    }

    fn protect(&self) {
        // SAFETY: exactly this mapping, which nobody writes any more.
        let ret = unsafe { libc::mprotect(self.0.cast::<c_void>(), Self::SIZE, libc::PROT_READ) };
        assert_eq!(ret, 0);
    }
}

impl Drop for Low {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `new` made.
        unsafe { libc::munmap(self.0.cast(), Self::SIZE) };
    }
}

/// A native call; the return value as the kernel gives it.
fn native(set: bool, fd: i32, option: u32, addr: u64, len: u64) -> i64 {
    let mut length = len as u32;
    // SAFETY: the kernel checks `addr`; `length` is live.
    let ret = unsafe {
        if set {
            libc::syscall(libc::SYS_setsockopt, fd, libc::SOL_IP, option, addr, len)
        } else {
            let length = &raw mut length;
            libc::syscall(libc::SYS_getsockopt, fd, libc::SOL_IP, option, addr, length)
        }
    };
    assert_eq!(
        u64::from(length),
        len & 0xffff_ffff,
        "optlen must stay what it is"
    );
    -errno(ret, true)
}

fn raw_native(set: bool, fd: u64, level: u64, option: u64, buffer: &Low, len: u64) -> i64 {
    assert!(!set);
    buffer.put(0, len as u32);
    let (addr, length) = (buffer.at(16), buffer.at(0));
    // SAFETY: the kernel checks every address; all lie in `buffer`.
    let ret = unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, option, addr, length) };
    -errno(ret, true)
}

/// `int 0x80` from a 64-bit program is an i386 system call.
fn int80(nr: u32, args: [u32; 5]) -> i64 {
    let mut ret: u64 = nr.into();
    let [b, c, d, si, di] = args.map(u64::from);
    // SAFETY: an i386 system call clobbers nothing but rax and r8 to r11; rbx,
    // which the compiler keeps for itself, is put back.
    unsafe {
        std::arch::asm!(
            "xchg {b}, rbx",
            "int 0x80",
            "xchg {b}, rbx",
            b = inout(reg) b => _,
            inout("rax") ret,
            in("rcx") c,
            in("rdx") d,
            in("rsi") si,
            in("rdi") di,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    i64::from(ret as i32)
}

fn direct32(set: bool, fd: i32, option: u32, buffer: &Low, len: u32) -> i64 {
    buffer.put(0, len);
    let (nr, length) = if set {
        (366, len)
    } else {
        (365, buffer.at(0) as u32)
    };
    int80(nr, [fd as u32, 0, option, buffer.at(64) as u32, length])
}

fn multiplexed(set: bool, fd: i32, option: u32, buffer: &Low, len: u32) -> i64 {
    buffer.put(0, len);
    let (call, length) = if set {
        (14, len)
    } else {
        (15, buffer.at(0) as u32)
    };
    let args = [fd as u32, 0, option, buffer.at(64) as u32, length];
    for (index, value) in args.into_iter().enumerate() {
        buffer.put(4 + index, value);
    }
    int80(102, [call, buffer.at(16) as u32, 0, 0, 0])
}

fn x32(set: bool, fd: i32, option: u32, buffer: &Low, len: u64) -> i64 {
    buffer.put(0, len as u32);
    let (nr, length) = if set { (541, len) } else { (542, buffer.at(0)) };
    let addr = buffer.at(64);
    // SAFETY: the kernel checks every address; all lie in `buffer`.
    let ret = unsafe { libc::syscall(0x4000_0000 + nr, fd, 0, option, addr, length) };
    -errno(ret, true)
}

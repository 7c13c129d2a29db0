// SPDX-License-Identifier: GPL-2.0-only
//! seccomp user notification: a filter, its listener, and the answers.
//!
//! A notification names its caller by thread id. The id stays the caller's
//! only while the notification is alive, so whoever opened something by that
//! id asks [`Listener::alive`] afterwards and before using it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Pid;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`.
const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: libc::c_ulong = 1;

/// A thread id in our own pid namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tid(Pid);

impl Tid {
    /// As the kernel writes it in a path or a structure.
    pub(crate) fn raw(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    /// As rustix takes it.
    pub(crate) fn pid(self) -> Pid {
        self.0
    }
}

/// Names one notification to its listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cookie(u64);

/// `struct seccomp_notif`, the fields of `struct seccomp_data` at its end.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawNotification {
    id: u64,
    pid: u32,
    flags: u32,
    nr: u32,
    arch: u32,
    instruction_pointer: u64,
    args: [u64; 6],
}
const _: () = assert!(size_of::<RawNotification>() == size_of::<libc::seccomp_notif>());

/// `struct seccomp_notif_resp`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct RawResponse {
    id: u64,
    val: i64,
    error: i32,
    flags: u32,
}
const _: () = assert!(size_of::<RawResponse>() == size_of::<libc::seccomp_notif_resp>());

/// A system call that waits for an answer.
#[derive(Debug)]
pub(crate) struct Notification {
    /// Names it.
    pub(crate) cookie: Cookie,
    /// Who calls; `None` if the caller is in a pid namespace that ours does
    /// not contain.
    pub(crate) tid: Option<Tid>,
    /// The system call, meaning what `arch` says.
    pub(crate) nr: u32,
    /// `AUDIT_ARCH_*`.
    pub(crate) arch: u32,
    /// The registers.
    pub(crate) args: [u64; 6],
}

/// How a trapped call goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// It returns 0.
    Done,
    /// It fails with this (positive) errno.
    Fail(i32),
    /// The kernel runs it as if it had never been trapped.
    Continue,
}

/// The end of a filter that receives what the filter traps.
#[derive(Debug)]
pub(crate) struct Listener {
    fd: OwnedFd,
    /// What this kernel reads and writes, in bytes: it may know more fields.
    notification_len: usize,
    response_len: usize,
}

/// A request to a listener, made until no signal disturbs it: the kernel's lock for it can
/// be interrupted, also by what stops, freezes or traces us.
fn uninterrupted(mut request: impl FnMut() -> libc::c_int) -> io::Result<i64> {
    loop {
        match super::check(request().into()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Puts a filter onto the calling thread and whatever it starts from now on.
pub(crate) fn install(filter: &[libc::sock_filter]) -> io::Result<Listener> {
    let mut sizes = libc::seccomp_notif_sizes {
        seccomp_notif: 0,
        seccomp_notif_resp: 0,
        seccomp_data: 0,
    };
    // SAFETY: the operation writes one `seccomp_notif_sizes`, which is live.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_NOTIF_SIZES,
            0,
            &raw mut sizes,
        )
    };
    super::check(ret)?;

    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // WAIT_KILLABLE_RECV: once a call has been received here only a fatal
    // signal takes its caller away, so no request is served twice because its
    // caller was interrupted and restarted it.
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    // SAFETY: `program` describes `filter`, live and only read by the call.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    let fd = super::check(ret)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    // Caller and supervisor take turns, so the kernel may pass the CPU from one
    // to the other. A kernel before 6.6 does not know this, and is slower.
    // SAFETY: the request takes a number.
    let _ = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
            SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
        )
    };
    Ok(Listener {
        fd,
        notification_len: usize::from(sizes.seccomp_notif).max(size_of::<RawNotification>()),
        response_len: usize::from(sizes.seccomp_notif_resp).max(size_of::<RawResponse>()),
    })
}

impl Listener {
    /// Takes the next notification; `None` if its caller has gone meanwhile.
    pub(crate) fn receive(&self) -> io::Result<Option<Notification>> {
        // Words, because the kernel's structure is aligned; zeros, because it
        // insists on them.
        let mut buffer = vec![0u64; self.notification_len.div_ceil(8)];
        // SAFETY: the request writes one `seccomp_notif` of this kernel's
        // size, for which the buffer has room.
        let ret = unsafe {
            libc::ioctl(
                self.fd.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_RECV,
                buffer.as_mut_ptr(),
            )
        };
        if let Err(e) = super::check(ret.into()) {
            return match e.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR) => Ok(None),
                _ => Err(e),
            };
        }
        let (raw, _) = RawNotification::read_from_prefix(buffer.as_bytes())
            .map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some(Notification {
            cookie: Cookie(raw.id),
            tid: i32::try_from(raw.pid).ok().and_then(Pid::from_raw).map(Tid),
            nr: raw.nr,
            arch: raw.arch,
            args: raw.args,
        }))
    }

    /// Is the caller still waiting? If so its thread id was its own so far.
    pub(crate) fn alive(&self, cookie: Cookie) -> bool {
        // SAFETY: the request reads one u64, which is live.
        let valid = uninterrupted(|| unsafe {
            libc::ioctl(
                self.fd.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
                &raw const cookie.0,
            )
        });
        valid.is_ok()
    }

    /// Opens `fd` in the caller's table, close-on-exec; gives its number there.
    pub(crate) fn give(&self, cookie: Cookie, fd: BorrowedFd<'_>) -> io::Result<i32> {
        let raw = libc::seccomp_notif_addfd {
            id: cookie.0,
            flags: 0,
            srcfd: fd.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: libc::O_CLOEXEC as u32,
        };
        // SAFETY: the request reads one `seccomp_notif_addfd`, whose size is
        // part of its number; it is live.
        let given = uninterrupted(|| unsafe {
            libc::ioctl(
                self.fd.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_ADDFD,
                &raw const raw,
            )
        });
        given.map(|fd| fd as i32)
    }

    /// Lets the caller go on. A caller that has gone is no error.
    pub(crate) fn answer(&self, cookie: Cookie, answer: Answer) -> io::Result<()> {
        let (error, flags) = match answer {
            Answer::Done => (0, 0),
            Answer::Fail(errno) => (-errno, 0),
            Answer::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        };
        let raw = RawResponse {
            id: cookie.0,
            val: 0,
            error,
            flags,
        };
        let mut buffer = vec![0u64; self.response_len.div_ceil(8)];
        raw.write_to_prefix(buffer.as_mut_bytes())
            .map_err(|_| io::ErrorKind::InvalidData)?;
        // SAFETY: the request reads one `seccomp_notif_resp` of this kernel's
        // size, which the buffer holds.
        let sent = uninterrupted(|| unsafe {
            libc::ioctl(
                self.fd.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SEND,
                buffer.as_ptr(),
            )
        });
        match sent {
            Err(e) if e.raw_os_error() != Some(libc::ENOENT) => Err(e),
            _ => Ok(()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

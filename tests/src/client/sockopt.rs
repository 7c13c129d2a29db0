// SPDX-License-Identifier: GPL-2.0-only
//! One raw get/setsockopt call.
//!
//! Owns: the call itself, with full control over every length, pointer and
//! byte, and the memory that it reads and writes: [`Area`] is a mapping of
//! its own, so that a call which the kernel half or the helper gets wrong
//! damages nothing else. Leaves to others what the bytes mean.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use serde::{Deserialize, Serialize};

/// `SOL_IP`.
pub const SOL_IP: i32 = libc::SOL_IP;
/// `SOL_IPV6`, on sockets of IPv6.
pub const SOL_IPV6: i32 = libc::SOL_IPV6;
/// `IPT_SO_SET_REPLACE` and `IPT_SO_GET_INFO`.
pub const REPLACE: i32 = 64;
/// `IPT_SO_SET_ADD_COUNTERS`.
pub const ADD_COUNTERS: i32 = 65;
/// `IPT_SO_GET_INFO`.
pub const GET_INFO: i32 = 64;
/// `IPT_SO_GET_ENTRIES`.
pub const GET_ENTRIES: i32 = 65;
/// `IPT_SO_GET_REVISION_MATCH`.
pub const GET_REVISION_MATCH: i32 = 66;
/// `IPT_SO_GET_REVISION_TARGET`.
pub const GET_REVISION_TARGET: i32 = 67;

/// Offset of `ipt_replace.counters`, the pointer to the old counters.
pub const REPLACE_COUNTERS: usize = 88;

/// Where the bytes of a call lie.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum Place {
    /// In a mapping of their own, readable and writable.
    #[default]
    Mapped,
    /// The same, but the byte after the last one is not mapped.
    Guarded,
    /// Readable only.
    ReadOnly,
    /// Nowhere: this address is passed as it is.
    Address(u64),
}

/// The kind of socket a call is made on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// `SOCK_RAW`, `IPPROTO_RAW`: what iptables uses.
    #[default]
    Raw,
    /// A UDP socket.
    Udp,
    /// A TCP socket.
    Tcp,
}

/// One get/setsockopt call.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// setsockopt, not getsockopt.
    pub set: bool,
    /// The level, [`SOL_IP`] but for tests of other levels.
    pub level: i32,
    /// The option's number.
    pub option: i32,
    /// What the caller's memory holds before the call.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Where it lies.
    pub place: Place,
    /// The length that is passed.
    pub len: u32,
    /// A second area; its address is written at [`REPLACE_COUNTERS`].
    pub counters: Option<(serde_bytes::ByteBuf, Place)>,
    /// The socket.
    pub socket: Kind,
    /// The call is made as a 32-bit program makes it: by the system call of i386, which a
    /// 64-bit program can make, too, if all addresses fit in 32 bits. What the bytes
    /// mean is then what they mean on i386.
    pub bits32: bool,
}

impl Call {
    /// A getsockopt whose length is that of its bytes.
    pub fn get(option: i32, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let len = bytes.len() as u32;
        Self {
            level: SOL_IP,
            option,
            bytes,
            len,
            ..Self::default()
        }
    }

    /// A setsockopt whose length is that of its bytes.
    pub fn set(option: i32, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            set: true,
            ..Self::get(option, bytes)
        }
    }

    /// The same call with another length.
    #[must_use]
    pub fn len(self, len: u32) -> Self {
        Self { len, ..self }
    }

    /// The same call from another place.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// The same call, made as a 32-bit program makes it.
    #[must_use]
    pub fn bits32(self) -> Self {
        Self {
            bits32: true,
            ..self
        }
    }

    /// The same call with a counters pointer to these bytes.
    #[must_use]
    pub fn counters(self, bytes: Vec<u8>, place: Place) -> Self {
        Self {
            counters: Some((serde_bytes::ByteBuf::from(bytes), place)),
            ..self
        }
    }
}

/// What came of a call.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the call returned: 0, or -1 with an errno, and nothing else.
    pub ret: i32,
    /// The errno, 0 if the call returned 0.
    pub errno: i32,
    /// The length as getsockopt left it.
    pub len: u32,
    /// The caller's memory after the call.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// The memory behind the counters pointer after the call.
    #[serde(with = "serde_bytes")]
    pub counters: Vec<u8>,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ret {} errno {} len {} bytes {} counters {}",
            self.ret,
            errno_name(self.errno),
            self.len,
            Hex(&self.bytes),
            Hex(&self.counters)
        )
    }
}

/// Bytes in hex for a human: 32 to a line, cut after a few hundred lines.
pub struct Hex<'a>(pub &'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.0.len())?;
        for (line, chunk) in self.0.chunks(32).take(300).enumerate() {
            write!(f, "\n  {:6}:", line * 32)?;
            for (i, byte) in chunk.iter().enumerate() {
                write!(f, "{}{byte:02x}", if i % 8 == 0 { " " } else { "" })?;
            }
        }
        Ok(())
    }
}

/// The names of the errnos that the tests meet.
const ERRNOS: [(i32, &str); 19] = [
    (0, "0"),
    (libc::EPERM, "EPERM"),
    (libc::ENOENT, "ENOENT"),
    (libc::ESRCH, "ESRCH"),
    (libc::EINTR, "EINTR"),
    (libc::EIO, "EIO"),
    (libc::EBADF, "EBADF"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EFAULT, "EFAULT"),
    (libc::EINVAL, "EINVAL"),
    (libc::EDOM, "EDOM"),
    (libc::ERANGE, "ERANGE"),
    (libc::ELOOP, "ELOOP"),
    (libc::EPROTOTYPE, "EPROTOTYPE"),
    (libc::ENOPROTOOPT, "ENOPROTOOPT"),
    (libc::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::ETIMEDOUT, "ETIMEDOUT"),
];

/// The name of an errno, or its number where the tests know no name.
pub fn errno_name(errno: i32) -> String {
    ERRNOS
        .iter()
        .find(|(number, _)| *number == errno)
        .map_or_else(|| errno.to_string(), |(_, name)| (*name).to_owned())
}

/// The errno of a name or of a number written out.
pub fn errno_of_name(name: &str) -> Option<i32> {
    ERRNOS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(number, _)| *number)
        .or_else(|| name.parse().ok())
}

/// Has mmap() find an address below 2 GiB.
#[cfg(target_arch = "x86_64")]
const LOW: i32 = libc::MAP_32BIT;
#[cfg(not(target_arch = "x86_64"))]
const LOW: i32 = 0;

/// setsockopt and getsockopt as i386 numbers them.
#[cfg(target_arch = "x86_64")]
const I386: [u32; 2] = [366, 365];

/// A system call of i386. Returns what eax holds afterwards.
///
/// # Safety
///
/// As for the system call: addresses among the arguments name memory that the kernel may
/// read and write.
#[cfg(target_arch = "x86_64")]
unsafe fn int80(nr: u32, [first, rest @ ..]: [u32; 5]) -> i32 {
    let [second, third, fourth, fifth] = rest.map(u64::from);
    let mut eax = u64::from(nr);
    // SAFETY: the kernel keeps all registers but eax, and those that it may zero are
    // declared; rbx, which is not for the compiler to give, is put back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(first) => _,
            inout("rax") eax,
            in("rcx") second,
            in("rdx") third,
            in("rsi") fourth,
            in("rdi") fifth,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    eax as i32
}

/// There is none here.
#[cfg(not(target_arch = "x86_64"))]
const I386: [u32; 2] = [0, 0];

/// See there.
///
/// # Safety
///
/// None is needed.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn int80(_: u32, _: [u32; 5]) -> i32 {
    -libc::ENOSYS
}

/// Memory that a call is given.
pub struct Area {
    base: *mut u8,
    mapped: usize,
    start: u64,
    len: usize,
}

// SAFETY: an Area owns its mapping; the address is not tied to a thread.
unsafe impl Send for Area {}
// SAFETY: through a shared reference the memory is only copied out, which may
// give any mix of old and new bytes, and written with atomics.
unsafe impl Sync for Area {}

impl Area {
    /// A multiple of what any CPU has for a page: 4, 16 or 64 KiB.
    const PAGE: usize = 64 << 10;

    /// Memory at `place` that holds `bytes`; at an address that fits in 32 bits for
    /// `bits32`.
    pub fn new(bytes: &[u8], place: Place, bits32: bool) -> io::Result<Self> {
        if let Place::Address(start) = place {
            return Ok(Self {
                base: ptr::null_mut(),
                mapped: 0,
                start,
                len: 0,
            });
        }
        let pages = bytes.len().div_ceil(Self::PAGE).max(1) * Self::PAGE;
        let mapped = pages + Self::PAGE;
        // SAFETY: a new anonymous mapping, at an address of the kernel's
        // choice, touches no existing memory.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | if bits32 { LOW } else { 0 },
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = base.cast::<u8>();
        let skip = match place {
            Place::Guarded => pages - bytes.len(),
            _ => 0,
        };
        // SAFETY: skip + bytes.len() <= pages < mapped, and the mapping is
        // new, so it does not overlap `bytes`.
        let start = unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), base.add(skip), bytes.len());
            base.add(skip)
        };
        let (guard, protection) = match place {
            Place::ReadOnly => (0, libc::PROT_READ),
            _ => (pages, libc::PROT_NONE),
        };
        // SAFETY: changes pages of this mapping only; what is readable stays
        // readable up to `pages`, all that `bytes` looks at.
        let ret = unsafe { libc::mprotect(base.add(guard).cast(), mapped - guard, protection) };
        assert_eq!(ret, 0, "mprotect of an own mapping");
        Ok(Self {
            base,
            mapped,
            start: start as u64,
            len: bytes.len(),
        })
    }

    /// The address that is passed to the kernel.
    pub fn address(&self) -> u64 {
        self.start
    }

    /// What the memory holds now; nothing where there is none.
    pub fn bytes(&self) -> Vec<u8> {
        if self.base.is_null() {
            return Vec::new();
        }
        let mut copy = vec![0u8; self.len];
        // SAFETY: start..start + len lies in the readable part of the mapping
        // that self owns; `copy` is new and as long.
        unsafe { ptr::copy_nonoverlapping(self.start as *const u8, copy.as_mut_ptr(), self.len) };
        copy
    }

    /// Changes one byte, and puts it back, while others may be reading it.
    pub fn scribble(&self, at: usize) {
        if self.base.is_null() || self.len == 0 {
            return;
        }
        // SAFETY: within start..start + len, which is mapped while self is.
        // The place of a call that is scribbled on is writable. Atomic,
        // because another thread may look at the memory.
        let byte = unsafe {
            std::sync::atomic::AtomicU8::from_ptr((self.start as *mut u8).add(at % self.len))
        };
        let old = byte.fetch_xor(0xff, std::sync::atomic::Ordering::Relaxed);
        std::hint::spin_loop();
        byte.store(old, std::sync::atomic::Ordering::Relaxed);
    }

    /// Takes the memory away while others, the kernel say, still have its
    /// address; from here on the area is empty.
    pub fn unmap(&mut self) {
        if !self.base.is_null() {
            // SAFETY: exactly the mapping that `new` made; `base` is cleared,
            // so neither `bytes` nor drop looks at it again.
            unsafe { libc::munmap(self.base.cast(), self.mapped) };
            self.base = ptr::null_mut();
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        self.unmap();
    }
}

/// Opens a socket of IPv4 in the namespace of the caller.
pub fn socket(kind: Kind) -> io::Result<OwnedFd> {
    socket_of(libc::AF_INET, kind)
}

/// Opens a socket of a family.
pub fn socket_of(family: i32, kind: Kind) -> io::Result<OwnedFd> {
    let (kind, protocol) = match kind {
        Kind::Raw => (libc::SOCK_RAW, libc::IPPROTO_RAW),
        Kind::Udp => (libc::SOCK_DGRAM, 0),
        Kind::Tcp => (libc::SOCK_STREAM, 0),
    };
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A call with its memory in place, ready to be made.
pub struct Prepared {
    /// The memory of optval.
    pub optval: Area,
    /// The memory behind the counters pointer.
    pub counters: Option<Area>,
    fd: OwnedFd,
    set: bool,
    level: i32,
    option: i32,
    len: u32,
    /// Of the counters pointer.
    pointer: std::ops::Range<usize>,
    /// Where a call of i386 has its length; `None` for others.
    low_len: Option<Area>,
}

impl Prepared {
    /// Lays out the memory of `call` and opens its socket.
    pub fn new(call: &Call) -> io::Result<Self> {
        let counters = match &call.counters {
            Some((bytes, place)) => Some(Area::new(bytes, *place, call.bits32)?),
            None => None,
        };
        let mut bytes = call.bytes.clone();
        let pointer = REPLACE_COUNTERS..REPLACE_COUNTERS + if call.bits32 { 4 } else { 8 };
        if let Some(counters) = &counters
            && let Some(field) = bytes.get_mut(pointer.clone())
        {
            // Little endian where there are both.
            field.copy_from_slice(&counters.address().to_ne_bytes()[..pointer.len()]);
        }
        let low_len = match call.bits32 {
            true => Some(Area::new(&call.len.to_ne_bytes(), Place::Mapped, true)?),
            false => None,
        };
        Ok(Self {
            pointer,
            low_len,
            optval: Area::new(&bytes, call.place, call.bits32)?,
            counters,
            fd: match call.level {
                SOL_IPV6 => socket_of(libc::AF_INET6, call.socket)?,
                _ => socket(call.socket)?,
            },
            set: call.set,
            level: call.level,
            option: call.option,
            len: call.len,
        })
    }

    /// Hands out the memory of optval, so that it can be unmapped while the
    /// call goes on with its address.
    pub fn take_for_unmap(&mut self) -> Area {
        let stand_in = Area {
            base: ptr::null_mut(),
            mapped: 0,
            start: self.optval.address(),
            len: 0,
        };
        std::mem::replace(&mut self.optval, stand_in)
    }

    /// Makes the call; may be repeated.
    /// Returns the return value, errno and the length afterwards.
    pub fn make(&self) -> (i32, i32, u32) {
        if let Some(low) = &self.low_len {
            return self.make32(low);
        }
        let address = self.optval.address() as *mut libc::c_void;
        let mut len = self.len;
        // SAFETY: the kernel checks the address as it does any caller's. It
        // can write only to what `address` names: the area of this call, or
        // an address that the test chose because nothing is mapped there.
        let ret = unsafe {
            let fd = self.fd.as_raw_fd();
            if self.set {
                libc::setsockopt(fd, self.level, self.option, address, len)
            } else {
                libc::getsockopt(fd, self.level, self.option, address, &raw mut len)
            }
        };
        let errno = match ret {
            -1 => io::Error::last_os_error().raw_os_error().unwrap_or(-1),
            _ => 0,
        };
        (ret, errno, len)
    }

    /// The same as a 32-bit program.
    fn make32(&self, low: &Area) -> (i32, i32, u32) {
        let [set, get] = I386;
        let (nr, length) = match self.set {
            true => (set, self.len),
            false => (get, low.address() as u32),
        };
        let args = [
            self.fd.as_raw_fd() as u32,
            self.level as u32,
            self.option as u32,
            self.optval.address() as u32,
            length,
        ];
        // SAFETY: as of `make`; the length lies in an area of its own.
        let ret = unsafe { int80(nr, args) };
        let mut len = [0; 4];
        len.copy_from_slice(&low.bytes());
        match ret {
            0.. => (ret, 0, u32::from_ne_bytes(len)),
            _ => (-1, -ret, u32::from_ne_bytes(len)),
        }
    }

    /// Makes the call and takes everything that can be seen afterwards.
    pub fn outcome(&self) -> Outcome {
        let (ret, errno, len) = self.make();
        let mut bytes = self.optval.bytes();
        // The address that `new` put there differs from run to run.
        if self.counters.is_some()
            && let Some(field) = bytes.get_mut(self.pointer.clone())
        {
            field.fill(0);
        }
        Outcome {
            ret,
            errno,
            len,
            bytes,
            counters: self.counters.as_ref().map(Area::bytes).unwrap_or_default(),
        }
    }
}

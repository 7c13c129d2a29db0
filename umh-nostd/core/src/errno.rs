// SPDX-License-Identifier: GPL-2.0-only
//! The errors a request can end with.
//!
//! Owns: the one mapping from what went wrong to the number the caller sees.
//! An [`Errno`] is always a real error (positive, below 4096), so a reply
//! made from one can never be taken for success.

/// A Linux errno, as the caller of get/setsockopt sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Errno(u16);

/// What most functions of this crate return.
pub type Result<T, E = Errno> = core::result::Result<T, E>;

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Self = Self($value);)*
        }
    };
}

errnos! {
    /// Not permitted.
    EPERM = 1;
    /// No such table, match, target or generation.
    ENOENT = 2;
    /// Interrupted system call.
    EINTR = 4;
    /// Input/output error: a descriptor gave less than it holds.
    EIO = 5;
    /// Table changed since the caller looked at it; or the caller is to load a module,
    /// and the kernel half makes its call anew.
    EAGAIN = 11;
    /// Too much of something.
    ENOMEM = 12;
    /// Bad address in the caller's memory.
    EFAULT = 14;
    /// Malformed request or rule.
    EINVAL = 22;
    /// The other end of a pipe is gone.
    EPIPE = 32;
    /// A value outside what the extension knows.
    EDOM = 33;
    /// A value does not fit.
    ERANGE = 34;
    /// Name longer than its field.
    ENAMETOOLONG = 36;
    /// A chain calls itself, or control falls off the table.
    ELOOP = 40;
    /// Protocol wrong type: extension exists for another family.
    EPROTOTYPE = 91;
    /// Not ours: the kernel's own ip_tables, if any, gets the call.
    ENOPROTOOPT = 92;
    /// The extension exists, this revision of it does not.
    EPROTONOSUPPORT = 93;
    /// Operation not supported.
    EOPNOTSUPP = 95;
}

// Those above EAGAIN, but for a few, have other numbers on these.
#[cfg(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6",
    target_arch = "sparc",
    target_arch = "sparc64"
))]
compile_error!("these are the numbers of other CPUs");

impl Errno {
    /// An errno from a raw syscall return value, `None` unless it is one.
    pub const fn from_raw(ret: isize) -> Option<Self> {
        if ret < 0 && ret > -4096 {
            Some(Self(ret.unsigned_abs() as u16))
        } else {
            None
        }
    }

    /// The positive number.
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// The status of a reply: always negative. Numbers from 512 on are the kernel's own,
    /// and no caller may see them: bpf(2) says 524 of a program that takes a JIT.
    pub const fn status(self) -> i32 {
        match self.0 {
            512.. => -(Self::EOPNOTSUPP.0 as i32),
            number => -(number as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_kernels_own_is_no_status() {
        let status = |number: isize| Errno::from_raw(-number).map(Errno::status);
        assert_eq!(status(1), Some(-1));
        assert_eq!(status(511), Some(-511));
        assert_eq!(status(512), Some(-95));
        assert_eq!(status(524), Some(-95));
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Signals as a queue instead of interruptions.

use std::io;
use std::mem::MaybeUninit;

/// A set of signals that this process takes with [`Signals::next`] only.
#[derive(Clone, Copy)]
pub(crate) struct Signals {
    held: libc::sigset_t,
    /// What was blocked before: what our children are to find.
    before: libc::sigset_t,
}

/// One signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    /// Its number.
    pub(crate) number: i32,
    /// It came from the kernel (the terminal), not from a process.
    pub(crate) from_kernel: bool,
}

impl Signals {
    /// Holds `numbers` back from the calling thread and from all threads that
    /// it starts.
    pub(crate) fn hold(numbers: &[i32]) -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set that it is given.
        let mut set: libc::sigset_t = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        };
        for &number in numbers {
            // SAFETY: the set is initialised; a bad number is only refused.
            super::check(unsafe { libc::sigaddset(&mut set, number) }.into())?;
        }
        let mut before = set;
        // SAFETY: reads one set and writes the other; both are live.
        let errno = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) };
        if errno == 0 {
            Ok(Self { held: set, before })
        } else {
            Err(io::Error::from_raw_os_error(errno))
        }
    }

    /// Gives the calling thread the mask from before. Safe between fork and
    /// exec.
    pub(crate) fn release(&self) -> io::Result<()> {
        // SAFETY: reads one live set; the old mask is not asked for.
        let errno =
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
        if errno == 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(errno))
        }
    }

    /// Waits for the next one.
    pub(crate) fn next(&self) -> io::Result<Arrived> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        loop {
            // SAFETY: reads the set, writes one siginfo_t; both are live.
            let ret = unsafe { libc::sigwaitinfo(&self.held, info.as_mut_ptr()) };
            match super::check(ret.into()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(_) => break,
            }
        }
        // SAFETY: all-zero is a valid siginfo_t, and the call has filled it.
        let info = unsafe { info.assume_init() };
        Ok(Arrived {
            number: info.si_signo,
            from_kernel: info.si_code == libc::SI_KERNEL,
        })
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! One call of COMMAND's, from the trap to its answer.
//!
//! Owns: the order of the checks, which is the kernel's, and the caller's memory,
//! which is read before the call queues and written when the helper works for
//! others already. Promises: memory that does not answer (a file system in user
//! space, userfaultfd) keeps this thread waiting, and nobody else. Leaves to
//! `supervisor` the threads, and the request.

use std::io;
use std::os::fd::AsFd;

use bpfilter_msgfmt as msg;

use crate::call::Call;
use crate::caller;
use crate::optval::Optval;
use crate::supervisor::Desk;
use crate::sys::memory;
use crate::sys::namespace::Namespace;
use crate::sys::seccomp::{Answer, Notification, Tid};
use crate::trap::Trap;

/// Why a caller gets no answer from the helper.
pub(crate) enum Refusal {
    /// With this errno.
    Errno(i32),
    /// It is not ours: the kernel's own ip_tables, or its own error.
    FallThrough,
    /// The caller has gone.
    Gone,
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        Self::Errno(e.raw_os_error().unwrap_or(libc::EFAULT))
    }
}

/// Serves a call that was trapped.
pub(crate) fn serve(desk: &Desk, notification: &Notification) -> io::Result<()> {
    let answer = match carry_out(desk, notification) {
        Ok(()) => Answer::Done,
        Err(Refusal::Errno(errno)) => Answer::Fail(errno),
        // Nothing is guarded by this check: whatever the caller does to its
        // arguments meanwhile, the kernel reads and checks them all again.
        Err(Refusal::FallThrough) => Answer::Continue,
        Err(Refusal::Gone) => return Ok(()),
    };
    desk.command.listener.answer(notification.cookie, answer)
}

fn carry_out(desk: &Desk, notification: &Notification) -> Result<(), Refusal> {
    let Trap {
        listener,
        doors,
        options,
        ..
    } = &desk.command;
    let alive = || {
        if listener.alive(notification.cookie) {
            Ok(())
        } else {
            Err(Refusal::Gone)
        }
    };
    // A caller outside our pid namespace: neither we nor the helper can
    // name it.
    let tid = notification.tid.ok_or(Refusal::Errno(libc::EOPNOTSUPP))?;
    let call = Call::decode(notification, tid, doors, options)?.ok_or(Refusal::FallThrough)?;
    desk.notes.asked();
    if call.is_ipv6 {
        desk.notes.ipv6_left();
        return Err(Refusal::FallThrough);
    }

    let socket = caller::descriptor(tid, call.fd);
    alive()?;
    let socket = match socket {
        Err(e) if e.raw_os_error() == Some(libc::EBADF) => return Err(Refusal::FallThrough),
        other => other?,
    };
    if !caller::reaches_ip_options(&socket) {
        return Err(Refusal::FallThrough);
    }
    let len = length(&call, tid)?;
    let net = Namespace::of_socket(socket.as_fd())?;
    let may = caller::may_configure(tid, &net);
    let ids = caller::ids_refused(tid, &net);
    alive()?;
    if !may? {
        return Err(Refusal::Errno(libc::EPERM));
    }

    let message = msg::Request {
        addr: call.addr,
        len,
        is_set: call.is_set.into(),
        cmd: call.option,
        pid: tid.raw().unsigned_abs(),
    };
    let optval = Optval::copy(&call, tid, len);
    let asks_info = !call.is_set && call.option == msg::IPT_SO_GET_INFO;
    let info_of = asks_info.then(|| optval.head());
    alive()?;
    let (status, answer) = desk.request(&message, net, ids?, optval)?;
    match status {
        0 => {}
        status if status == -libc::ENOPROTOOPT => {
            if let Some(table) = info_of {
                desk.notes.table_left(&table);
            }
            return Err(Refusal::FallThrough);
        }
        // No table is named: one that stays with ip_tables may need it.
        status
            if status == -libc::ENOENT && call.asks_revision() && caller::ip_tables_is_there() =>
        {
            return Err(Refusal::FallThrough);
        }
        status => return Err(Refusal::Errno(status.saturating_neg())),
    }
    alive()?;
    let given = answer.give(tid);
    // Old counters that a REPLACE cannot give back fail nothing.
    if !call.is_set {
        given?;
        // As the kernel does, although the value is what it was.
        memory::write(tid, call.length, &len)?;
    }
    Ok(())
}

/// `optlen`, which is signed to the kernel's callers.
fn length(call: &Call, tid: Tid) -> Result<u32, Refusal> {
    let len: i32 = if call.is_set {
        call.length as i32
    } else {
        memory::read(tid, call.length)?
    };
    u32::try_from(len).map_err(|_| Refusal::Errno(libc::EINVAL))
}

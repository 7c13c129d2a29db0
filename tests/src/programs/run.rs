// SPDX-License-Identifier: GPL-2.0-only
//! Programs loaded one by one, and packets put through them.
//!
//! Owns: how a program is loaded, attached, and run with `BPF_PROG_TEST_RUN`: as
//! on a netfilter link, and as the kernel half runs it. Leaves to others: what a
//! program is told of a packet (`packets`).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use bpf_abi::attr::{FuncInfo, LinkCreate, ProgLoad, TestRun};
use bpf_abi::{Command, Insn};
use umh_core::abi::Hook;
use zerocopy::{FromZeros, IntoBytes};

use super::maps::{address, bpf, load_types, open};
use super::{Run, Way};

/// Puts a packet, given from its IP header on, through a program as if at a
/// hook. It goes out on the loopback interface, whatever the hook.
pub fn test_run(program: &OwnedFd, hook: Hook, packet: &[u8], repeat: u32) -> io::Result<Run> {
    let mut bytes = Vec::new();
    if hook != Hook::LocalOut {
        bytes.extend([0; 12]);
        bytes.extend([8, 0]);
    }
    bytes.extend(packet);
    // struct nf_hook_state: hook, family
    let mut state = [0u64; 6];
    state.as_mut_bytes()[0] = hook.number() as u8;
    state.as_mut_bytes()[1] = libc::AF_INET as u8;
    let mut attr = TestRun {
        prog_fd: program.as_raw_fd(),
        data_size_in: bytes.len() as u32,
        data_in: address(bytes.as_ptr()),
        repeat,
        ctx_size_in: size_of_val(&state) as u32,
        ctx_in: address(state.as_ptr()),
        ..TestRun::new_zeroed()
    };
    bpf(Command::ProgTestRun, &mut attr)?;
    Ok(Run {
        accepted: attr.retval == 1,
        ns: attr.duration,
    })
}

/// In a test run of a program of type SCHED_CLS a packet starts with its Ethernet
/// header, at a hook with its IP header: what reads of the packet are told.
pub(super) fn behind_ethernet(insns: &mut Vec<Insn>) {
    const LOAD_BYTES: i32 = 26;
    const ETHERNET: i32 = 14;
    let call = |insn: &Insn| insn.code == 0x85 && insn.regs == 0 && insn.imm == LOAD_BYTES;
    let reads: Vec<usize> = (0..insns.len()).filter(|&at| call(&insns[at])).collect();
    let jump = |from: usize, to: usize| Insn {
        code: 0x05,
        off: (to as i64 - from as i64 - 1) as i16,
        ..Insn::default()
    };
    for at in reads {
        let behind = insns.len();
        let read = insns[at];
        insns[at] = jump(at, behind);
        // r2 += ETHERNET
        insns.push(Insn {
            code: 0x07,
            regs: 2,
            off: 0,
            imm: ETHERNET,
        });
        insns.push(read);
        insns.push(jump(behind + 2, at + 1));
    }
}

/// Runs a program with the first record of its packets' memory, which is what a
/// control block of zeros says, and returns what it returns.
pub(super) fn run_with_record(program: &OwnedFd, packet: &[u8]) -> io::Result<u32> {
    let mut bytes = vec![0; 12];
    bytes.extend([8, 0]);
    bytes.extend(packet);
    let mut attr = TestRun {
        prog_fd: program.as_raw_fd(),
        data_size_in: bytes.len() as u32,
        data_in: address(bytes.as_ptr()),
        repeat: 1,
        ..TestRun::new_zeroed()
    };
    bpf(Command::ProgTestRun, &mut attr)?;
    Ok(attr.retval)
}

/// A program that accepts every packet: what a hook costs at least.
pub fn load_empty() -> io::Result<OwnedFd> {
    load_program(Way::Links, &[Insn::mov_imm(0, 1), Insn::EXIT], &[]).map(|(program, _)| program)
}

/// Attaches a program to a hook of this thread's network namespace, where
/// ip_tables has its `filter`, for as long as the link is held.
pub fn attach(program: &OwnedFd, hook: Hook) -> io::Result<OwnedFd> {
    let attr = LinkCreate {
        prog_fd: program.as_raw_fd(),
        attach_type: bpf_abi::ATTACH_NETFILTER,
        pf: libc::AF_INET as u32,
        hooknum: hook.number() as u32,
        ..LinkCreate::new_zeroed()
    };
    open(Command::LinkCreate, attr)
}

/// Loads one program; an error has the verifier's words.
pub(super) fn load_program(
    way: Way,
    insns: &[Insn],
    functions: &[FuncInfo],
) -> io::Result<(OwnedFd, String)> {
    let (prog_type, expected_attach_type) = match way {
        Way::Links => (bpf_abi::PROG_TYPE_NETFILTER, bpf_abi::ATTACH_NETFILTER),
        Way::KernelHalf => (bpf_abi::PROG_TYPE_SCHED_CLS, 0),
    };
    let license = c"GPL";
    let btf = load_types(4, 4)?;
    let load = |log: &mut Vec<u8>, log_level: u32| {
        let mut attr = ProgLoad {
            prog_type,
            insn_cnt: insns.len() as u32,
            insns: address(insns.as_ptr()),
            license: address(license.as_ptr()),
            log_level,
            log_size: log.len() as u32,
            log_buf: address(log.as_mut_ptr()),
            expected_attach_type,
            ..ProgLoad::new_zeroed()
        };
        if !functions.is_empty() {
            attr.prog_btf_fd = btf.as_raw_fd();
            attr.func_info_rec_size = size_of::<FuncInfo>() as u32;
            attr.func_info = address(functions.as_ptr());
            attr.func_info_cnt = functions.len() as u32;
        }
        open(Command::ProgLoad, attr)
    };
    let text = |log: &[u8]| {
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        String::from_utf8_lossy(&log[..end]).into_owned()
    };
    // BPF_LOG_STATS, or all that the verifier has to say.
    let level = if std::env::var_os("BPFILTER_VERIFIER").is_some() {
        2
    } else {
        4
    };
    let mut log = vec![0; 1 << 28];
    match load(&mut log, level) {
        Ok(program) => Ok((program, text(&log))),
        Err(error) => {
            let mut log = vec![0; 1 << 28];
            let _ = load(&mut log, 2);
            let text = text(&log);
            let tail: Vec<&str> = text.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            Err(io::Error::other(format!("{error}\n{}", tail.join("\n"))))
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The programs of a table, loaded into this machine's kernel.
//!
//! Owns: what the helper does with bpf(2), done on a host: a table is checked,
//! planned, written into maps and built, the programs are loaded, and packets
//! are put through them with `BPF_PROG_TEST_RUN`. Both ways: as a netfilter link
//! runs a program, and as the kernel half does (`packets`).

pub mod packets;

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::slice;
use std::sync::OnceLock;

use bpf_abi::attr::{
    BtfLoad, FuncInfo, LinkCreate, MapBatch, MapCreate, MapElem, ProgLoad, TestRun,
};
use bpf_abi::{Command, Insn, map_type};
use bpfilter_msgfmt::{self as msg, Packet};
use umh_core::abi::Hook;
use umh_core::abi::{Counters, FILTER, Replace};
use umh_core::arena::Arena;
use umh_core::ir::LimitRates;
use umh_core::ir::named::{ARRAYS, NAMED_MAX, Named, NamedTables, Shape};
use umh_core::plan::{Plan, Room, Unplanned};
use umh_core::program::types::{self, Types};
use umh_core::program::{self, Map, PROGRAM_MAX, PacketMemory};
use umh_core::table::Table;
use umh_core::target::btf::Btf;
use umh_core::target::{Features, Host, Kernel, Machine, Packets};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use packets::Called;

/// bpf(2). The attribute may be written to.
fn bpf<T: FromBytes + IntoBytes>(command: Command, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is live, of the length that is given and takes any bytes;
    // the callers put only addresses into it that are valid for what the
    // command does.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, command as u32, attr, size_of::<T>()) };
    match ret {
        0.. => Ok(ret as i32),
        _ => Err(io::Error::last_os_error()),
    }
}

fn open<T: FromBytes + IntoBytes>(command: Command, mut attr: T) -> io::Result<OwnedFd> {
    let fd = bpf(command, &mut attr)?;
    // SAFETY: a successful call of these commands opens a descriptor, which
    // nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// For an attribute that names memory.
fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// A map of one value, and the value.
pub struct ValueMap {
    fd: OwnedFd,
    value: *mut u8,
    len: usize,
}

// SAFETY: the value is memory shared with the kernel, valid as long as the
// struct lives, and bound to no thread.
unsafe impl Send for ValueMap {}

// SAFETY: through a shared reference it is only read, as volatile memory.
unsafe impl Sync for ValueMap {}

impl ValueMap {
    fn new(len: usize) -> io::Result<Self> {
        let attr = MapCreate {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: len as u32,
            max_entries: 1,
            map_flags: bpf_abi::F_MMAPABLE,
            ..MapCreate::new_zeroed()
        };
        let fd = open(Command::MapCreate, attr)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let value = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if value == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            fd,
            value: value.cast(),
            len,
        })
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped for `len` bytes until drop; no program runs yet.
        unsafe { slice::from_raw_parts_mut(self.value, self.len) }
    }

    /// A copy of the value.
    pub fn read(&self) -> Vec<u8> {
        // SAFETY: mapped for `len` bytes until drop.
        (0..self.len)
            .map(|at| unsafe { self.value.add(at).read_volatile() })
            .collect()
    }
}

impl Drop for ValueMap {
    fn drop(&mut self) {
        // SAFETY: the mapping is this struct's, and nothing refers to it.
        unsafe { libc::munmap(self.value.cast(), self.len) };
    }
}

/// Reads or writes the value of a key. They are as long as those of the map.
fn element<K>(command: Command, map: &OwnedFd, key: &K, value: *mut u8) -> io::Result<()> {
    let mut attr = MapElem {
        map_fd: map.as_raw_fd(),
        key: address(&raw const *key),
        value: address(value),
        ..MapElem::new_zeroed()
    };
    bpf(command, &mut attr).map(drop)
}

/// A map whose values start with a lock, which only programs see.
fn named_map(shape: Shape) -> io::Result<OwnedFd> {
    let len = shape.value;
    let (map_type, key_size, max_entries, map_flags) = match shape.entries {
        0 => (map_type::ARRAY, 4, 1, 0),
        entries => (map_type::HASH, 16, entries, bpf_abi::F_NO_PREALLOC),
    };
    let btf = load_types(key_size, len)?;
    let attr = MapCreate {
        map_type,
        key_size,
        value_size: len as u32,
        max_entries,
        map_flags,
        btf_fd: btf.as_raw_fd(),
        btf_key_type_id: types::KEY,
        btf_value_type_id: types::VALUE,
        ..MapCreate::new_zeroed()
    };
    open(Command::MapCreate, attr)
}

/// The maps of the tables that belong into an array.
fn array_of_maps(
    tables: &[Named],
    maps: &[(OwnedFd, usize)],
    array: usize,
) -> io::Result<Option<OwnedFd>> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (number, (table, (map, _))) in tables.iter().zip(maps).enumerate() {
        if table.array() == array {
            keys.push(number as u32);
            values.push(map.as_raw_fd());
        }
    }
    let Some(&inner_map_fd) = values.first() else {
        return Ok(None);
    };
    let attr = MapCreate {
        map_type: map_type::ARRAY_OF_MAPS,
        key_size: 4,
        value_size: 4,
        max_entries: tables.len() as u32,
        inner_map_fd,
        ..MapCreate::new_zeroed()
    };
    let map = open(Command::MapCreate, attr)?;
    let mut attr = MapBatch {
        keys: address(keys.as_ptr()),
        values: address(values.as_ptr()),
        count: keys.len() as u32,
        map_fd: map.as_raw_fd(),
        ..MapBatch::new_zeroed()
    };
    bpf(Command::MapUpdateBatch, &mut attr)?;
    Ok(Some(map))
}

/// Types of a map whose value starts with a lock, and of functions.
fn load_types(key: u32, len: usize) -> io::Result<OwnedFd> {
    let types = Types::new(key, len as u32);
    let attr = BtfLoad {
        btf: address(&raw const types),
        btf_size: size_of::<Types>() as u32,
        ..BtfLoad::new_zeroed()
    };
    open(Command::BtfLoad, attr)
}

/// Who runs the programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// A netfilter link.
    Links,
    /// The kernel half.
    KernelHalf,
}

/// What this machine's kernel says of itself.
pub fn kernel() -> &'static (Kernel, Host) {
    static KERNEL: OnceLock<(Kernel, Host)> = OnceLock::new();
    KERNEL.get_or_init(|| {
        let bytes = fs::read("/sys/kernel/btf/vmlinux").expect("BTF");
        let mut memory = vec![0; bytes.len()];
        let mut arena = Arena::new(&mut memory);
        let btf = Btf::parse(&bytes, &mut arena).expect("well-formed BTF");
        let kernel = Kernel::resolve(&btf).expect("a kernel that can do it");
        let features = kernel.features();
        (kernel, Host { features, hz: hz() })
    })
}

/// CONFIG_HZ: the coarse clocks move by one tick.
fn hz() -> u32 {
    let mut tick = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes a timespec to one.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    (1_000_000_000 / tick.tv_nsec) as u32
}

/// Number of possible CPUs.
pub fn cpus() -> u32 {
    let list = fs::read_to_string("/sys/devices/system/cpu/possible").expect("sysfs");
    let last = list.trim().rsplit(['-', ',']).next().expect("a number");
    last.parse::<u32>().expect("a number") + 1
}

/// The three programs of a table, and their maps.
pub struct Programs {
    programs: Vec<OwnedFd>,
    counters: ValueMap,
    entries: usize,
    /// Instructions of each.
    pub instructions: [usize; 3],
    /// What the verifier says of each.
    pub log: Vec<String>,
    /// Whether there are hash tables, and whether there are rule bitmaps.
    pub indexed_by: [bool; 2],
    /// A bit for each kind of op, of those that it could have, that is in none.
    pub ops_lacking: u64,
    /// Bytes of the data map.
    pub data_len: usize,
    /// What the data map says of the rules, unless there are very many.
    pub rules: String,
    /// The instructions of each program.
    insns: Vec<Vec<Insn>>,
    /// Time to plan and write, and to load all three.
    pub took: [std::time::Duration; 2],
    _maps: [ValueMap; 2],
    packets: ValueMap,
    way: Way,
    /// Where packets start at each hook, and their policy.
    positions: Vec<[u32; 2]>,
    /// What the rules call, by number.
    called: Vec<Called>,
    named: Vec<(OwnedFd, usize)>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// Whether it passed.
    pub accepted: bool,
    /// Time for it, in ns, if it was repeated often.
    pub ns: u32,
}

impl Programs {
    /// Loads the programs of a table that REPLACE would get in place of a
    /// pristine one.
    pub fn load(header: &Replace, entries: &[u8]) -> io::Result<Self> {
        Self::load_for(&kernel().0, header, entries)
    }

    /// The same, built for another kernel than this machine's.
    pub fn load_for(kernel: &Kernel, header: &Replace, entries: &[u8]) -> io::Result<Self> {
        let (_, host) = self::kernel();
        Self::load_way(Packets::Btf(*kernel), *host, header, entries)
    }

    /// The same, to be run as the kernel half does.
    pub fn load_for_kernel_half(header: &Replace, entries: &[u8]) -> io::Result<Self> {
        let known = msg::reads::FIELDS
            | msg::reads::IN
            | msg::reads::OUT
            | msg::reads::TRANSPORT
            | msg::reads::TIME;
        let host = Host {
            features: Features::of_reads(known).expect("everything"),
            hz: self::kernel().1.hz,
        };
        Self::load_way(Packets::KernelHalf, host, header, entries)
    }

    fn load_way(
        packets: Packets,
        host: Host,
        header: &Replace,
        entries: &[u8],
    ) -> io::Result<Self> {
        let way = match packets {
            Packets::KernelHalf => Way::KernelHalf,
            Packets::Btf(_) => Way::Links,
        };
        let host = &host;
        let error = |errno: umh_core::errno::Errno| io::Error::from_raw_os_error(errno.number());
        let mut blob = entries.to_vec();
        let mut memory = vec![0; 4096 + 64 * header.num_entries as usize];
        let mut arena = Arena::new(&mut memory);
        let mut named = [Named::default(); NAMED_MAX];
        let named = NamedTables::new(&[], &[], &mut named);
        let current = header.num_counters;
        let mut called = Vec::new();
        let extensions = &mut |entry: &mut [u8], at: usize| {
            let one = Called::of(&entry[at..]).filter(|_| way == Way::KernelHalf);
            called.push(one.ok_or(umh_core::errno::Errno::ENOPROTOOPT)?);
            Ok(called.len() as u32 - 1)
        };
        let table = Table::check(
            header, current, host, &mut blob, &mut arena, named, extensions,
        )
        .map_err(error)?;
        let started = std::time::Instant::now();
        let machine = Machine {
            packets,
            host: *host,
            cpus: cpus(),
        };
        // With no room it says how much it needs, and that is enough.
        let room = match Plan::new(&table, &machine, &mut [], &mut []) {
            Err(Unplanned::NeedsRoom(room)) => room,
            Err(Unplanned::Failed(errno)) => return Err(error(errno)),
            Ok(_) => panic!("planned without room"),
        };
        let wanted = Room::of(&table);
        assert!(
            room.data <= wanted.data && room.state <= wanted.state,
            "{room:?}"
        );
        let (mut draft, mut draft_state) = (vec![0; room.data], vec![0; room.state]);
        let plan = match Plan::new(&table, &machine, &mut draft, &mut draft_state) {
            Ok(plan) => plan,
            Err(Unplanned::NeedsRoom(more)) => panic!("{room:?} was not enough: {more:?}"),
            Err(Unplanned::Failed(errno)) => return Err(error(errno)),
        };
        let mut data = ValueMap::new(plan.data_len())?;
        let mut state = ValueMap::new(plan.state_len())?;
        let counters = ValueMap::new(plan.counters_len().map_err(error)?)?;
        let ruleset = plan
            .write(data.bytes_mut(), state.bytes_mut())
            .map_err(error)?;
        let named = table.named().iter();
        let named = named.map(|table| {
            let shape = table.shape(1 << 30);
            named_map(shape).map(|map| (map, shape.value))
        });
        let named = named.collect::<io::Result<Vec<_>>>()?;
        let arrays = (0..ARRAYS)
            .map(|array| array_of_maps(table.named(), &named, array))
            .collect::<io::Result<Vec<_>>>()?;
        let packets = ValueMap::new(PacketMemory::of(&ruleset).len())?;
        let planned = started.elapsed();

        let started = std::time::Instant::now();
        let mut programs = Vec::new();
        let mut log = Vec::new();
        let mut instructions = [0; 3];
        let mut all_insns = Vec::new();
        let mut positions = Vec::new();
        for (hook, instructions) in FILTER.each_hook().zip(&mut instructions) {
            let mut insns = vec![Insn::default(); PROGRAM_MAX];
            let built = program::build(&ruleset, hook, &mut insns).map_err(error)?;
            insns.truncate(built.len);
            for insn in &mut insns {
                let map = match Map::of(insn) {
                    Some((Map::Data, _)) => &data.fd,
                    Some((Map::State, _)) => &state.fd,
                    Some((Map::Counters, _)) => &counters.fd,
                    Some((Map::Packets, _)) => &packets.fd,
                    Some((Map::Named, array)) => arrays[array].as_ref().expect("an array in use"),
                    None => continue,
                };
                insn.imm = map.as_raw_fd();
            }
            *instructions = built.len;
            if way == Way::KernelHalf {
                behind_ethernet(&mut insns);
            }
            let (program, text) = load_program(way, &insns, built.functions())?;
            positions.push([table.hook_entry(hook).0, table.underflow(hook).0]);
            programs.push(program);
            log.push(text);
            all_insns.push(insns);
        }
        let rules = match header.num_entries {
            ..1000 => ruleset.listing(&data.read()).to_string(),
            _ => String::new(),
        };
        Ok(Self {
            programs,
            counters,
            entries: header.num_entries as usize,
            instructions,
            log,
            indexed_by: ruleset.indexed_by(),
            ops_lacking: ruleset.ops_lacking(),
            data_len: data.len,
            rules,
            insns: all_insns,
            took: [planned, started.elapsed()],
            _maps: [data, state],
            packets,
            way,
            positions,
            called,
            named,
        })
    }

    /// The descriptor of a hook's program.
    pub fn program(&self, hook: Hook) -> &OwnedFd {
        &self.programs[place(hook)]
    }

    /// The instructions of a hook's program, a line each.
    pub fn text(&self, hook: Hook) -> String {
        let insns = self.insns[place(hook)].iter().enumerate();
        insns.map(|(at, insn)| format!("{at}: {insn}\n")).collect()
    }

    /// Puts a packet, given from its IP header on, through a hook's program.
    /// It goes out on the loopback interface, whatever the hook.
    pub fn run(&self, hook: Hook, packet: &[u8], repeat: u32) -> io::Result<Run> {
        match self.way {
            Way::Links => test_run(self.program(hook), hook, packet, repeat),
            Way::KernelHalf => self.run_as_kernel_half(hook, packet),
        }
    }

    /// What `kern/net/bpfilter/generation.c` does at a hook.
    fn run_as_kernel_half(&self, hook: Hook, bytes: &[u8]) -> io::Result<Run> {
        let [entry, underflow] = self.positions[place(hook)];
        let mut packet = packets::record(bytes, entry, underflow);
        loop {
            // SAFETY: mapped for more than that until drop, and no program runs.
            unsafe { self.packets.value.cast::<Packet>().write(packet) };
            let returned = run_with_record(self.program(hook), bytes)?;
            // SAFETY: likewise.
            packet = unsafe { self.packets.value.cast::<Packet>().read() };
            match returned {
                msg::CALL => self.called[packet.call as usize].answer(bytes, &mut packet),
                verdict => {
                    assert!(verdict <= msg::ACCEPT, "{verdict}");
                    return Ok(Run {
                        accepted: verdict == msg::ACCEPT,
                        ns: 0,
                    });
                }
            }
        }
    }

    /// The contents of a table that rules know by name.
    pub fn named(&self, number: usize) -> io::Result<Vec<u8>> {
        let (map, len) = &self.named[number];
        let mut value = vec![0; *len];
        element(Command::MapLookupElem, map, &0u32, value.as_mut_ptr())?;
        Ok(value)
    }

    /// Changes them, but for the lock.
    pub fn set_named(&self, number: usize, value: &mut [u8]) -> io::Result<()> {
        let (map, len) = &self.named[number];
        assert_eq!(value.len(), *len);
        element(Command::MapUpdateElem, map, &0u32, value.as_mut_ptr())
    }

    /// The entry of a key in a table of rates.
    pub fn rates(&self, number: usize, key: [u8; 16]) -> io::Result<LimitRates> {
        let (map, len) = &self.named[number];
        let mut rates = LimitRates::default();
        assert!(*len <= size_of_val(&rates));
        let value = rates.as_mut_bytes().as_mut_ptr();
        element(Command::MapLookupElem, map, &key, value)?;
        Ok(rates)
    }

    /// The counters of all entries.
    pub fn counters(&self) -> Vec<Counters> {
        let bytes = self.counters.read();
        let mut sums = vec![Counters { pcnt: 0, bcnt: 0 }; self.entries];
        for row in bytes.chunks_exact(16 * self.entries) {
            for (sum, one) in sums.iter_mut().zip(row.chunks_exact(16)) {
                let one = Counters::read_from_bytes(one).expect("16 bytes");
                sum.pcnt = sum.pcnt.wrapping_add(one.pcnt);
                sum.bcnt = sum.bcnt.wrapping_add(one.bcnt);
            }
        }
        sums
    }
}

/// Which of the table's hooks this one is.
pub fn place(hook: Hook) -> usize {
    FILTER.hook_index(hook).expect("a hook of the table")
}

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
fn behind_ethernet(insns: &mut Vec<Insn>) {
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
fn run_with_record(program: &OwnedFd, packet: &[u8]) -> io::Result<u32> {
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
fn load_program(way: Way, insns: &[Insn], functions: &[FuncInfo]) -> io::Result<(OwnedFd, String)> {
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

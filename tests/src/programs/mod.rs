// SPDX-License-Identifier: GPL-2.0-only
//! The programs of a table, loaded into this machine's kernel.
//!
//! Owns: what the helper does with bpf(2), done on a host: a table is checked,
//! planned, written into maps and built, the programs are loaded, and packets
//! are put through them with `BPF_PROG_TEST_RUN`. Both ways: as a netfilter link
//! runs a program, and as the kernel half does (`packets`). Leaves to others: their
//! maps (`maps`), and how one program is loaded and run (`run`).

mod maps;
pub mod packets;
mod run;

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

use bpf_abi::{Command, Insn};
use bpfilter_msgfmt::{self as msg, Packet};
use umh_core::abi::{Counters, FILTER, Family, Hook, Replace};
use umh_core::arena::Arena;
use umh_core::ir::LimitRates;
use umh_core::ir::named::{ARRAYS, NAMED_MAX, Named, NamedTables};
use umh_core::plan::{Plan, Room, Unplanned, counter_rows, counters_len};
use umh_core::program::{self, Map, PROGRAM_MAX, PacketMemory};
use umh_core::table::{Asked, Table};
use umh_core::target::btf::Btf;
use umh_core::target::{Features, Host, Kernel, Machine, Packets};
use zerocopy::{FromBytes, IntoBytes};

use crate::ip6;
use maps::{ValueMap, array_of_maps, element, named_map};
use packets::Called;
use run::{behind_ethernet, load_program, run_with_record};

pub use run::{attach, load_empty, test_run};

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

/// What stands in a record for one that a run has: in all its words, as which of them
/// says so is the program's affair.
const IN_USE: [u8; 8] = 1u64.to_ne_bytes();
/// The opcode of `may_goto`, which Linux has from 6.9 on.
const MAY_GOTO: u8 = 0xe5;

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
    family: Family,
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
        Self::load_way(Packets::Btf(*kernel), *host, Family::Ipv4, header, entries)
    }

    /// The same, to be run as the kernel half does.
    pub fn load_for_kernel_half(header: &Replace, entries: &[u8]) -> io::Result<Self> {
        Self::load_family(Family::Ipv4, header, entries)
    }

    /// The same, of a family's table.
    pub fn load_family(family: Family, header: &Replace, entries: &[u8]) -> io::Result<Self> {
        let known = msg::reads::FIELDS
            | msg::reads::IN
            | msg::reads::OUT
            | msg::reads::TRANSPORT
            | msg::reads::TIME;
        let host = Host {
            features: Features::of_reads(known).expect("everything"),
            hz: self::kernel().1.hz,
        };
        Self::load_way(Packets::KernelHalf, host, family, header, entries)
    }

    fn load_way(
        packets: Packets,
        host: Host,
        family: Family,
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
            &Asked {
                family,
                header,
                current_entries: current,
            },
            host,
            &mut blob,
            &mut arena,
            named,
            extensions,
        )
        .map_err(|refusal| error(refusal.errno()))?;
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
        let rows = counter_rows(machine.cpus);
        let counters = ValueMap::new(counters_len(rows, table.num_entries()).map_err(error)?)?;
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
            } else {
                // Backward it jumps to the wrong place until Linux 6.9.7.
                let backward = insns
                    .iter()
                    .any(|insn| insn.code == MAY_GOTO && insn.off < 0);
                assert!(!backward, "a may_goto that jumps backward");
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
            family,
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
        let mut packet = match self.family {
            Family::Ipv4 => packets::record(bytes, entry, underflow),
            Family::Ipv6 => ip6::record::record(bytes, entry, underflow),
        };
        // A traced packet meets the same rules: so that both kinds are tried.
        if bytes.len() % 2 == 1 {
            packet.cpu |= msg::CPU_TRACED;
        }
        loop {
            // SAFETY: mapped for more than that until drop, and no program runs.
            unsafe { self.packets.value.cast::<Packet>().write(packet) };
            let returned = run_with_record(self.program(hook), bytes)?;
            // SAFETY: likewise.
            packet = unsafe { self.packets.value.cast::<Packet>().read() };
            match returned {
                // As a packet that is traced, told to nobody.
                msg::TRACE => {
                    packet.answer = msg::ANSWER_NONE;
                    packet.position |= msg::POSITION_TOLD;
                }
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

    /// What kernels before 6.9 do not know.
    pub fn assert_no_may_goto(&self) {
        for insns in &self.insns {
            let at = insns.iter().position(|insn| insn.code == MAY_GOTO);
            assert_eq!(at, None, "a may_goto among {}", insns.len());
        }
    }

    /// Makes all records of packets look as if runs of the programs had them.
    pub fn occupy_records(&mut self) {
        for word in self.packets.bytes_mut().chunks_exact_mut(8) {
            word.copy_from_slice(&IN_USE);
        }
    }

    /// Whether all of them are still as [`Self::occupy_records`] left them.
    pub fn records_are_untouched(&self) -> bool {
        let bytes = self.packets.read();
        bytes.chunks_exact(8).all(|word| word == IN_USE)
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

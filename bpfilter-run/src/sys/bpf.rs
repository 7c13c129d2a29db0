// SPDX-License-Identifier: GPL-2.0-only
//! bpf(2): the few commands that the packet hooks need.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use bpf_abi::attr::{BtfLoad, FuncInfo, LinkCreate, MapCreate, MapElem, ProgLoad};
use bpf_abi::btf::{self, Int, Type, kind};
use bpf_abi::{Command, Insn, map_type};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// # Safety
///
/// The pointers that `command` takes from `attr` must be valid for it.
unsafe fn bpf<T: IntoBytes + Immutable>(command: Command, attr: &T) -> io::Result<i64> {
    // SAFETY: `attr` is live and of the length given, without padding; of the
    // commands used here none writes to it. The rest is the caller's promise.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as u32,
            &raw const *attr,
            size_of::<T>(),
        )
    };
    super::check(ret)
}

fn new_descriptor(ret: io::Result<i64>) -> io::Result<OwnedFd> {
    let fd = ret?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn create_map(attr: &MapCreate) -> io::Result<OwnedFd> {
    // SAFETY: the command takes no pointer.
    new_descriptor(unsafe { bpf(Command::MapCreate, attr) })
}

fn set_descriptor(map: &OwnedFd, key: u32, value: &OwnedFd) -> io::Result<()> {
    let value = value.as_raw_fd();
    let attr = MapElem {
        map_fd: map.as_raw_fd(),
        pad: 0,
        key: (&raw const key).expose_provenance() as u64,
        value: (&raw const value).expose_provenance() as u64,
        flags: 0,
    };
    // SAFETY: reads four bytes of each, as both kinds of map used here have
    // keys and (as descriptors) values of that size; both are live.
    unsafe { bpf(Command::MapUpdateElem, &attr) }.map(drop)
}

/// Programs that others tail-call.
#[derive(Debug)]
pub(crate) struct ProgramArray(OwnedFd);

impl ProgramArray {
    /// With this many slots, all empty.
    pub(crate) fn new(slots: u32) -> io::Result<Self> {
        let attr = MapCreate {
            map_type: map_type::PROG_ARRAY,
            key_size: 4,
            value_size: 4,
            max_entries: slots,
            ..MapCreate::new_zeroed()
        };
        create_map(&attr).map(Self)
    }

    /// Puts a program into a slot. EINVAL unless it is a program of the kind
    /// that the array's callers are.
    pub(crate) fn set(&self, slot: u32, program: &OwnedFd) -> io::Result<()> {
        set_descriptor(&self.0, slot, program)
    }

    /// Empties a slot.
    pub(crate) fn clear(&self, slot: u32) -> io::Result<()> {
        let attr = MapElem {
            map_fd: self.0.as_raw_fd(),
            pad: 0,
            key: (&raw const slot).expose_provenance() as u64,
            value: 0,
            flags: 0,
        };
        // SAFETY: reads four bytes of the key, which is live.
        unsafe { bpf(Command::MapDeleteElem, &attr) }.map(drop)
    }

    /// For an instruction that refers to it.
    pub(crate) fn raw(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// A few words that programs and we share, each in a cache line of its own.
#[derive(Debug)]
pub(crate) struct Words {
    map: OwnedFd,
    memory: NonNull<AtomicU32>,
}

/// Which of the words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct WordIndex(pub(crate) usize);

impl WordIndex {
    /// Where it is, in bytes.
    pub(crate) const fn offset(self) -> i32 {
        (self.0 * Words::STRIDE) as i32
    }
}

// SAFETY: it alone owns the mapping, whose words are atomic; nothing of it belongs
// to the thread that made it.
unsafe impl Send for Words {}

impl Words {
    const MAPPED: usize = 4096;
    const STRIDE: usize = 64;

    /// `COUNT` words, zero.
    pub(crate) fn new<const COUNT: usize>() -> io::Result<Self> {
        const { assert!(COUNT * Self::STRIDE <= Self::MAPPED) };
        let map = create_map(&MapCreate {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: (COUNT * Self::STRIDE) as u32,
            max_entries: 1,
            map_flags: bpf_abi::F_MMAPABLE,
            ..MapCreate::new_zeroed()
        })?;
        // SAFETY: a new mapping, at an address of the kernel's choice,
        // touches no existing memory.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                Self::MAPPED,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { map, memory })
    }

    /// One of them. Panics past the end of the page that they are in.
    pub(crate) fn word(&self, index: WordIndex) -> &AtomicU32 {
        let at = index.0 * Self::STRIDE;
        assert!(at < Self::MAPPED, "word {index:?}");
        // SAFETY: the mapping lives as long as self, is writable, aligned to
        // a page, and a page long, which `at` and the stride stay within.
        unsafe { self.memory.byte_add(at).as_ref() }
    }

    /// For an instruction that refers to it.
    pub(crate) fn raw(&self) -> i32 {
        self.map.as_raw_fd()
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `new` made, which nothing refers to
        // any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), Self::MAPPED) };
    }
}

/// Waits until no program runs that was running before.
///
/// An update of an array of maps returns only after a grace period of RCU: the
/// kernel promises it, so that whoever replaced an inner map knows that no
/// program uses the old one (`maybe_wait_bpf_programs`). membarrier would wait
/// too, but not on a machine with one CPU or with nohz_full.
#[derive(Debug)]
pub(crate) struct Grace {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl Grace {
    /// Makes the two maps.
    pub(crate) fn new() -> io::Result<Self> {
        let word = MapCreate {
            map_type: map_type::ARRAY,
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            ..MapCreate::new_zeroed()
        };
        let inner = create_map(&word)?;
        let outer = create_map(&MapCreate {
            map_type: map_type::ARRAY_OF_MAPS,
            inner_map_fd: inner.as_raw_fd(),
            ..word
        })?;
        Ok(Self { outer, inner })
    }

    /// Waits.
    pub(crate) fn wait(&self) -> io::Result<()> {
        set_descriptor(&self.outer, 0, &self.inner)
    }
}

/// Loads a program of type NETFILTER.
pub(crate) fn load(instructions: &[Insn]) -> io::Result<OwnedFd> {
    load_typed(instructions, &[], -1)
}

/// Loads one that consists of two functions, of which the second makes a tail
/// call: for that the kernel wants to know that they return numbers.
pub(crate) fn load_with_function(instructions: &[Insn], function: usize) -> io::Result<OwnedFd> {
    let function = u32::try_from(function).map_err(|_| io::ErrorKind::InvalidInput)?;
    let functions = [0, function].map(|insn_off| FuncInfo {
        insn_off,
        type_id: FUNCTION,
    });
    let types = load_types()?;
    load_typed(instructions, &functions, types.as_raw_fd())
}

fn load_typed(instructions: &[Insn], functions: &[FuncInfo], types: i32) -> io::Result<OwnedFd> {
    let license = c"GPL";
    let mut attr = ProgLoad {
        prog_type: bpf_abi::PROG_TYPE_NETFILTER,
        insn_cnt: u32::try_from(instructions.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        insns: instructions.as_ptr().expose_provenance() as u64,
        license: license.as_ptr().expose_provenance() as u64,
        prog_name: *b"bpfilter_run\0\0\0\0",
        expected_attach_type: bpf_abi::ATTACH_NETFILTER,
        ..ProgLoad::new_zeroed()
    };
    if !functions.is_empty() {
        attr.prog_btf_fd = types;
        attr.func_info_rec_size = size_of::<FuncInfo>() as u32;
        attr.func_info = functions.as_ptr().expose_provenance() as u64;
        attr.func_info_cnt = functions.len() as u32;
    }
    loop {
        // SAFETY: reads `insn_cnt` instructions, `func_info_cnt` functions and a C
        // string, all live.
        match new_descriptor(unsafe { bpf(Command::ProgLoad, &attr) }) {
            // A signal, even one of the freezer or a debugger, has disturbed the
            // verifier.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            loaded => return loaded,
        }
    }
}

/// The type `int f()` among [`TYPES`].
const FUNCTION: u32 = 3;

/// What the verifier is told of a program's functions.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Types {
    header: btf::Header,
    int: Type,
    int_is: Int,
    prototype: Type,
    function: Type,
    names: [u8; 8],
}

const TYPES: Types = {
    const INT: u32 = 1;
    const PROTOTYPE: u32 = 2;
    // Where they start among the names.
    const NAME_INT: u32 = 1;
    const NAME_F: u32 = 5;
    let names = *b"\0int\0f\0\0";
    let types = size_of::<Types>() - size_of::<btf::Header>() - names.len();
    Types {
        header: btf::Header::new(types as u32, names.len() as u32),
        int: Type::new(NAME_INT, kind::INT, 0, 4),
        int_is: Int {
            encoding: btf::INT_SIGNED | 32,
        },
        prototype: Type::new(0, kind::FUNC_PROTO, 0, INT),
        function: Type::new(NAME_F, kind::FUNC, 0, PROTOTYPE),
        names,
    }
};

/// Loads the types of a program.
fn load_types() -> io::Result<OwnedFd> {
    let types = TYPES;
    let bytes = types.as_bytes();
    let attr = BtfLoad {
        btf: bytes.as_ptr().expose_provenance() as u64,
        btf_size: bytes.len() as u32,
        ..BtfLoad::new_zeroed()
    };
    // SAFETY: reads `btf_size` bytes, which are live and as many as there are.
    new_descriptor(unsafe { bpf(Command::BtfLoad, &attr) })
}

/// Attaches a program to an IPv4 hook of the calling thread's network
/// namespace, for as long as the link is held.
pub(crate) fn attach(program: impl AsFd, hook: u32, priority: i32) -> io::Result<OwnedFd> {
    let attr = LinkCreate {
        prog_fd: program.as_fd().as_raw_fd(),
        target_fd: 0,
        attach_type: bpf_abi::ATTACH_NETFILTER,
        flags: 0,
        pf: libc::NFPROTO_IPV4 as u32,
        hooknum: hook,
        priority,
        netfilter_flags: 0,
    };
    // SAFETY: the command takes no pointer.
    new_descriptor(unsafe { bpf(Command::LinkCreate, &attr) })
}

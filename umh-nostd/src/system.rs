// SPDX-License-Identifier: GPL-2.0-only
//! What the helper asks of the kernel.
//!
//! Owns: the line between the request handler and the outside. Every method
//! is one effect; each can fail. What a method returns frees itself when it is
//! dropped, so that no path through a request can leak.

use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicU64;

use bpf_abi::attr::FuncInfo;
use bpfilter_msgfmt::{HOOKS, Summary};
use heapless::Vec;
use umh_core::abi::{EXTENSION_NAME_LEN, ExtensionKind, Family, Layout, TableSpec};
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::ARRAYS;
#[cfg(feature = "links")]
use umh_core::ir::named::Shape;
use umh_core::program::Insn;
use umh_core::table::Refusal;
use umh_core::target::Machine;

/// An address in the caller's address space, as the caller gives it: untrusted,
/// and without a meaning in this process. Only the kernel half may follow it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UserAddr(pub u64);

impl UserAddr {
    /// The address `bytes` further on, EFAULT past the end of all memory.
    pub fn at(self, bytes: usize) -> Result<Self> {
        let sum = u64::try_from(bytes)
            .ok()
            .and_then(|n| self.0.checked_add(n));
        sum.map(Self).ok_or(Errno::EFAULT)
    }
}

/// What a network namespace is committed to, of one table: see `struct
/// bpfilter_generation`.
#[derive(Debug)]
pub struct Generation<H> {
    /// Whose generation it is.
    pub table: &'static TableSpec,
    /// What runs at the table's hooks; `None` for counters alone.
    pub rules: Option<Rules<H>>,
    /// The counter map.
    pub counters: H,
    /// The sealed table image.
    pub image: H,
    /// `GEN_*`.
    pub flags: u32,
    /// For people.
    pub summary: Summary,
}

/// The programs of a generation, and how packets get to them.
#[derive(Debug)]
pub struct Rules<H> {
    /// The programs, each once.
    pub programs: Vec<H, HOOKS>,
    /// What runs at each hook, by its number; `None` for hooks that the table
    /// does not have.
    pub hooks: [Option<AtHook>; HOOKS],
    /// The memory in which programs are handed packets, if there are any.
    pub packets: Option<H>,
    /// Bytes of it for each packet.
    pub packet_size: u32,
    /// Bytes of a CPU's row in the counter map.
    pub counters_row: u32,
    /// The rules in numbers; without the counter map.
    pub summary: Summary,
}

/// What runs at a hook.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Run {
    /// One of the programs.
    Program(usize),
    /// The kernel half counts for the policy. Whether that accepts.
    Policy(bool),
}

/// What runs at one hook.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AtHook {
    /// What runs.
    pub run: Run,
    /// What a program reads of a packet.
    pub reads: u64,
    /// The position at which a packet starts.
    pub entry: u32,
    /// That of the hook's policy.
    pub underflow: u32,
}

/// What the helper needs of a generation that is in force.
#[derive(Debug)]
pub struct InForce<H> {
    /// The counter map.
    pub counters: H,
    /// The sealed table image.
    pub image: H,
}

/// Maps that are put into an array at once.
#[cfg(feature = "links")]
pub const BATCH: usize = 64;

/// The maps of a program by their purpose, see [`umh_core::program::Map`].
#[derive(Debug)]
pub struct Maps<'a, H> {
    /// What the helper has written and programs only read.
    pub data: &'a H,
    /// What programs keep from packet to packet.
    pub state: &'a H,
    /// The counter map.
    pub counters: &'a H,
    /// The memory in which programs are handed packets, if there are any.
    pub packets: Option<&'a H>,
    /// The arrays of tables that rules know by name.
    pub named: &'a [Option<H>; ARRAYS],
}

/// The outside, as seen from one request.
pub trait System {
    /// An object of the kernel: a sealed file, a map, a program.
    type Handle;
    /// Memory to work in.
    type Memory: DerefMut<Target = [u8]>;
    /// A table image that is being written.
    type Draft: DerefMut<Target = [u8]>;
    /// A table image that nobody can change any more.
    type Image: Deref<Target = [u8]>;
    /// The contents of a map that no program uses yet.
    type Contents: DerefMut<Target = [u8]>;
    /// A counter map, which programs change all the time.
    type Counters: Deref<Target = [AtomicU64]>;

    /// What the rules run on. ENOPROTOOPT where they cannot: then the kernel's
    /// ip_tables, if there is one, stays in charge of all tables.
    fn machine(&self) -> Result<Machine>;

    /// Whose option the request is about, that of level SOL_IP or of SOL_IPV6; and how the
    /// caller lays out structures.
    fn caller(&self) -> Result<(Family, Layout)>;

    /// Fills `into` from `offset` bytes after the start of the caller's optval, as
    /// that was when the call came: whole, or EFAULT, or ENOMEM where the kernel
    /// half had no memory for a copy.
    fn optval(&self, offset: usize, into: &mut [u8]) -> Result<()>;

    /// Puts `bytes` down for the caller, who gets them there when the request is
    /// answered with success. One request writes to one place, from its start on.
    /// A caller that cannot take them: EFAULT for getsockopt, and nothing else.
    fn answer(&self, to: UserAddr, bytes: &[u8]) -> Result<()>;

    /// `len` bytes of zeros. They cost nothing before they are touched.
    fn memory(&self, len: usize) -> Result<Self::Memory>;

    /// The generation of a table in the request's namespace. ENOPROTOOPT where the
    /// table is left to the kernel's ip_tables.
    fn recover(&self, table: &TableSpec) -> Result<Option<InForce<Self::Handle>>>;

    /// Replaces that generation. When this returns, nothing runs in the old
    /// one any more.
    fn commit(&self, generation: &Generation<Self::Handle>) -> Result<()>;

    /// Tells people why the caller will hear that `table` is refused. Nothing
    /// depends on it.
    fn refused(&self, table: &TableSpec, refusal: &Refusal);

    /// Finds and checks the match or target at `at` of `entry`, a rule of
    /// `table`, in x_tables, and brings its data into the form that is given back. Returns by which number
    /// the programs of the next generation call it. ENOPROTOOPT where nobody
    /// can.
    fn extension(&self, table: &TableSpec, entry: &mut [u8], at: usize) -> Result<u32>;

    /// How many bytes of data a match or target of x_tables has, by its name and
    /// revision. ENOPROTOOPT where nobody has any; EOPNOTSUPP for one whose data has a
    /// layout of its own in 32-bit programs.
    fn data_size(
        &self,
        family: Family,
        kind: ExtensionKind,
        name: &[u8; EXTENSION_NAME_LEN],
        revision: u8,
    ) -> Result<u16>;

    /// Publishes the names of all matches or targets of a family, each in a line.
    fn publish(&self, family: Family, kind: ExtensionKind, names: &[u8]) -> Result<()>;

    /// `len` bytes of zeros that shall become a table image.
    fn draft(&self, len: usize) -> Result<Self::Draft>;

    /// The caller's optval, of which at least `used` bytes must be there, that
    /// shall become a table image of `len` bytes: zeros behind it. Once for each
    /// request; errors are those of [`System::optval`].
    fn draft_of_optval(&self, used: usize, len: usize) -> Result<Self::Draft>;

    /// Makes a draft final.
    fn seal(&self, draft: Self::Draft) -> Result<Self::Handle>;

    /// The bytes of a table image.
    fn image(&self, image: &Self::Handle) -> Result<Self::Image>;

    /// A counter map of `len` bytes, all zero.
    fn new_counters(&self, len: usize) -> Result<Self::Handle>;

    /// The first `len` bytes of a counter map.
    fn counters(&self, map: &Self::Handle, len: usize) -> Result<Self::Counters>;

    /// A map of `len` bytes of zeros, to be filled before programs use it.
    fn new_map(&self, len: usize) -> Result<(Self::Handle, Self::Contents)>;

    /// A map of `len` bytes of zeros for programs and the kernel half alone.
    fn new_packets(&self, len: usize) -> Result<Self::Handle>;

    /// A table that rules know by name, for programs alone: values are zero,
    /// the first four bytes of each are a lock. Returns its id too.
    #[cfg(feature = "links")]
    fn new_named(&self, shape: Shape) -> Result<(Self::Handle, u32)>;

    /// An array of so many maps that look like `one`, empty. Returns its id too.
    #[cfg(feature = "links")]
    fn new_array(&self, one: &Self::Handle, len: u32) -> Result<(Self::Handle, u32)>;

    /// Puts each of `maps`, at most [`BATCH`], at its place in an array, and waits until no program
    /// runs that may not have seen it.
    #[cfg(feature = "links")]
    fn fill_array(&self, array: &Self::Handle, places: &[u32], maps: &[Self::Handle])
    -> Result<()>;

    /// Bytes of memory that this machine has.
    #[cfg(feature = "links")]
    fn total_memory(&self) -> u64;

    /// The map of this id, which some generation keeps alive.
    #[cfg(feature = "links")]
    fn named(&self, id: u32) -> Result<Self::Handle>;

    /// Loads a program, and the functions behind it. `insns` name their maps by
    /// purpose, and are garbage after.
    fn load(
        &self,
        insns: &mut [Insn],
        functions: &[FuncInfo],
        maps: &Maps<'_, Self::Handle>,
    ) -> Result<Self::Handle>;
}

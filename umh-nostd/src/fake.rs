// SPDX-License-Identifier: GPL-2.0-only
//! A system made of vectors, for tests and fuzzing of the request handler.
//!
//! Owns: a caller whose memory is one vector at [`BASE`], which it can change
//! between any two looks of the helper; a kernel half that keeps one
//! generation of each table; and a count of everything that is open or mapped.
//! With the feature `links` there is no kernel half that reads packets, and the
//! kernel's structures are those of this machine.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::rc::Rc;
#[cfg(feature = "links")]
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::vec::Vec;

use bpf_abi::attr::FuncInfo;
use bpfilter_msgfmt::Summary;
use umh_core::abi::{EXTENSION_NAME_LEN, ExtensionKind, Family, Layout, TableKind, TableSpec};
use umh_core::errno::{Errno, Result};
#[cfg(feature = "links")]
use umh_core::ir::named::Shape;
use umh_core::program::Insn;
use umh_core::table::Refusal;
use umh_core::target::{Features, Host, Machine, Packets};
use umh_core::text::Text;

use crate::system::{AtHook, Generation, InForce, Maps, Run, System, UserAddr};

/// Where the caller's memory starts.
pub const BASE: u64 = 0x7f00_0000;
/// CPUs of the fake machine.
pub const CPUS: u32 = 3;

/// The tables of IPv4 that are served: all by a kernel half, but for one, that
/// there is something else; `filter` without one.
pub const SERVED: &[TableKind] = match cfg!(feature = "links") {
    false => &[
        TableKind::Raw,
        TableKind::Mangle,
        TableKind::Nat,
        TableKind::Filter,
    ],
    true => &[TableKind::Filter],
};

/// How programs get at packets, and what follows from it.
#[cfg(not(feature = "links"))]
fn way() -> (Packets, Features) {
    let features = Features::of_reads(u64::MAX).unwrap_or(Features::NONE);
    (Packets::KernelHalf, features)
}

/// What this machine's kernel says of itself.
#[cfg(feature = "links")]
#[expect(clippy::panic, reason = "without it there is nothing to test on")]
fn way() -> (Packets, Features) {
    use umh_core::arena::Arena;
    use umh_core::target::Kernel;
    use umh_core::target::btf::Btf;

    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    let kernel = KERNEL.get_or_init(|| {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
        let mut work = vec![0; bytes.len()];
        let btf = Btf::parse(&bytes, &mut Arena::new(&mut work));
        let kernel = btf.map(|btf| Kernel::resolve(&btf));
        match kernel {
            Ok(Ok(kernel)) => kernel,
            other => panic!("this kernel's BTF is of no use: {other:?}"),
        }
    });
    (Packets::Btf(*kernel), kernel.features())
}

/// Something that is counted while it is there.
pub struct Counted<T> {
    value: T,
    count: Rc<Cell<usize>>,
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
    }
}

impl<T> fmt::Debug for Counted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

impl<T: Deref> Deref for Counted<T> {
    type Target = T::Target;

    fn deref(&self) -> &T::Target {
        &self.value
    }
}

impl<T: DerefMut> DerefMut for Counted<T> {
    fn deref_mut(&mut self) -> &mut T::Target {
        &mut self.value
    }
}

/// What a handle names.
#[derive(Clone, Debug)]
pub enum Object {
    /// A sealed table image.
    Image(Rc<[u8]>),
    /// A counter map.
    Counters(Rc<[AtomicU64]>),
    /// A map that programs search, or one that rules know by name.
    Map,
    /// A program.
    Program,
}

/// What the kernel half keeps of a table.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How many programs there are, and what runs at the hooks of the table, in
    /// order; `None` for counters alone.
    pub rules: Option<(usize, Vec<AtHook>)>,
    /// The counter map.
    pub counters: Rc<[AtomicU64]>,
    /// The table image.
    pub image: Rc<[u8]>,
    /// What people are told of it.
    pub summary: Summary,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Fake {
    /// The caller's memory.
    pub memory: RefCell<Vec<u8>>,
    /// Added to some bytes of the memory after each look, by turns: what a
    /// hostile caller does. Empty for an honest one.
    pub noise: Vec<u8>,
    /// How the caller lays out structures, the kernel's way without.
    pub layout: Option<Layout>,
    /// The committed generations, by the numbers of their tables.
    pub kept: RefCell<BTreeMap<u32, Kept>>,
    /// The effect that fails: so many work before. `None` for none.
    pub fail_after: Cell<Option<usize>>,
    /// What people were told.
    pub refusals: RefCell<Vec<Text>>,
    /// What was published.
    pub names: RefCell<Vec<u8>>,
    looks: Cell<usize>,
    count: Rc<Cell<usize>>,
}

impl Fake {
    /// A system whose caller has these bytes at [`BASE`].
    pub fn new(memory: &[u8]) -> Self {
        Self {
            memory: RefCell::new(memory.to_vec()),
            ..Self::default()
        }
    }

    /// How many handles and mappings there are now.
    pub fn held(&self) -> usize {
        self.count.get()
    }

    fn hold<T>(&self, value: T) -> Result<Counted<T>> {
        self.may_fail(Errno::ENOMEM)?;
        Ok(self.hold_surely(value))
    }

    fn hold_surely<T>(&self, value: T) -> Counted<T> {
        self.count.set(self.count.get() + 1);
        Counted {
            value,
            count: self.count.clone(),
        }
    }

    fn may_fail(&self, errno: Errno) -> Result<()> {
        match self.fail_after.get() {
            Some(0) => Err(errno),
            Some(left) => {
                self.fail_after.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn range(&self, addr: UserAddr, len: usize) -> Result<Range<usize>> {
        self.may_fail(Errno::EFAULT)?;
        let start = addr.0.checked_sub(BASE).ok_or(Errno::EFAULT)?;
        let start = usize::try_from(start).map_err(|_| Errno::EFAULT)?;
        let end = start.checked_add(len).ok_or(Errno::EFAULT)?;
        if end > self.memory.borrow().len() {
            return Err(Errno::EFAULT);
        }
        Ok(start..end)
    }

    fn tick(&self) {
        let look = self.looks.get();
        self.looks.set(look + 1);
        if let Some(add) = self.noise.get(look % self.noise.len().max(1)) {
            let first = look % 8;
            for byte in self.memory.borrow_mut().iter_mut().skip(first).step_by(8) {
                *byte = byte.wrapping_add(*add);
            }
        }
    }
}

impl System for Fake {
    type Handle = Counted<Object>;
    type Memory = Counted<Vec<u8>>;
    type Draft = Counted<Vec<u8>>;
    type Image = Counted<Rc<[u8]>>;
    type Contents = Counted<Vec<u8>>;
    type Counters = Counted<Rc<[AtomicU64]>>;

    fn machine(&self) -> Result<Machine> {
        self.may_fail(Errno::ENOPROTOOPT)?;
        let (packets, features) = way();
        Ok(Machine {
            packets,
            host: Host { features, hz: 250 },
            cpus: CPUS,
        })
    }

    fn caller(&self) -> Result<(Family, Layout)> {
        Ok((Family::Ipv4, self.layout.unwrap_or(Layout::NATIVE)))
    }

    fn optval(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        let range = self.range(UserAddr(BASE).at(offset)?, into.len())?;
        into.copy_from_slice(self.memory.borrow().get(range).ok_or(Errno::EFAULT)?);
        self.tick();
        Ok(())
    }

    fn answer(&self, to: UserAddr, from: &[u8]) -> Result<()> {
        let range = self.range(to, from.len())?;
        let mut memory = self.memory.borrow_mut();
        memory
            .get_mut(range)
            .ok_or(Errno::EFAULT)?
            .copy_from_slice(from);
        drop(memory);
        self.tick();
        Ok(())
    }

    fn memory(&self, len: usize) -> Result<Self::Memory> {
        self.hold(vec![0; len])
    }

    fn recover(&self, table: &TableSpec) -> Result<Option<InForce<Self::Handle>>> {
        self.may_fail(Errno::ENOMEM)?;
        if !SERVED.contains(&table.kind) || table.family != Family::Ipv4 {
            return Err(Errno::ENOPROTOOPT);
        }
        let kept = self.kept.borrow();
        Ok(kept.get(&table.number()).map(|kept| InForce {
            counters: self.hold_surely(Object::Counters(kept.counters.clone())),
            image: self.hold_surely(Object::Image(kept.image.clone())),
        }))
    }

    fn commit(&self, generation: &Generation<Self::Handle>) -> Result<()> {
        self.may_fail(Errno::ENOMEM)?;
        let rules = match &generation.rules {
            Some(rules) => {
                let hooks: Vec<_> = rules.hooks.iter().flatten().copied().collect();
                let programs = rules.programs.len();
                if hooks.len() != generation.table.each_hook().count()
                    || hooks
                        .iter()
                        .any(|hook| matches!(hook.run, Run::Program(index) if index >= programs))
                    || rules.packet_size == 0
                    || !rules.packet_size.is_multiple_of(64)
                {
                    return Err(Errno::EINVAL);
                }
                Some((programs, hooks))
            }
            None => None,
        };
        match (&generation.counters.value, &generation.image.value) {
            (Object::Counters(counters), Object::Image(image)) => {
                let kept = Kept {
                    rules,
                    counters: counters.clone(),
                    image: image.clone(),
                    summary: generation.summary,
                };
                let number = generation.table.number();
                self.kept.borrow_mut().insert(number, kept);
                Ok(())
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn refused(&self, table: &TableSpec, refusal: &Refusal) {
        self.refusals.borrow_mut().push(refusal.line(table.family));
    }

    /// A kernel half knows the target FOREIGN, whose data must not be zero; but
    /// for its first eight bytes it is private.
    fn extension(&self, _: &TableSpec, entry: &mut [u8], at: usize) -> Result<u32> {
        self.may_fail(Errno::ENOPROTOOPT)?;
        if cfg!(feature = "links") {
            return Err(Errno::ENOPROTOOPT);
        }
        let (header, data) = entry
            .get_mut(at..)
            .and_then(|target| target.split_at_mut_checked(32))
            .ok_or(Errno::EFAULT)?;
        if !header
            .get(2..)
            .is_some_and(|name| name.starts_with(b"FOREIGN\0"))
        {
            return Err(Errno::ENOPROTOOPT);
        }
        match data {
            [0, ..] => Err(Errno::EINVAL),
            [_, _, _, _, _, _, _, _, private @ ..] => {
                private.fill(0);
                Ok(0x0403_0201)
            }
            _ => Err(Errno::EFAULT),
        }
    }

    /// FOREIGN has 10 bytes of data.
    fn data_size(
        &self,
        _: Family,
        kind: ExtensionKind,
        name: &[u8; EXTENSION_NAME_LEN],
        _: u8,
    ) -> Result<u16> {
        self.may_fail(Errno::ENOPROTOOPT)?;
        match kind == ExtensionKind::Target && name.starts_with(b"FOREIGN\0") {
            true if !cfg!(feature = "links") => Ok(10),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn publish(&self, _: Family, _: ExtensionKind, names: &[u8]) -> Result<()> {
        self.may_fail(Errno::ENOPROTOOPT)?;
        self.names.borrow_mut().extend(names);
        Ok(())
    }

    fn draft(&self, len: usize) -> Result<Self::Draft> {
        self.hold(vec![0; len])
    }

    fn draft_of_optval(&self, used: usize, len: usize) -> Result<Self::Draft> {
        let mut bytes = vec![0; used];
        self.optval(0, &mut bytes)?;
        bytes.resize(len, 0);
        self.hold(bytes)
    }

    fn seal(&self, draft: Self::Draft) -> Result<Self::Handle> {
        self.hold(Object::Image(draft.value.as_slice().into()))
    }

    fn image(&self, image: &Self::Handle) -> Result<Self::Image> {
        match &image.value {
            Object::Image(image) => self.hold(image.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn new_counters(&self, len: usize) -> Result<Self::Handle> {
        let cells = (0..len / size_of::<AtomicU64>()).map(|_| AtomicU64::default());
        self.hold(Object::Counters(cells.collect()))
    }

    fn counters(&self, map: &Self::Handle, len: usize) -> Result<Self::Counters> {
        match &map.value {
            Object::Counters(cells) if size_of::<AtomicU64>() * cells.len() >= len => {
                self.hold(cells.clone())
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn new_map(&self, len: usize) -> Result<(Self::Handle, Self::Contents)> {
        Ok((self.hold(Object::Map)?, self.hold(vec![0; len])?))
    }

    fn new_packets(&self, len: usize) -> Result<Self::Handle> {
        match len {
            0 => Err(Errno::EINVAL),
            _ => self.hold(Object::Map),
        }
    }

    #[cfg(feature = "links")]
    fn total_memory(&self) -> u64 {
        1 << 30
    }

    #[cfg(feature = "links")]
    fn new_named(&self, _: Shape) -> Result<(Self::Handle, u32)> {
        Ok((self.hold(Object::Map)?, 1))
    }

    #[cfg(feature = "links")]
    fn new_array(&self, _: &Self::Handle, _: u32) -> Result<(Self::Handle, u32)> {
        Ok((self.hold(Object::Map)?, 1))
    }

    #[cfg(feature = "links")]
    fn fill_array(&self, _: &Self::Handle, places: &[u32], maps: &[Self::Handle]) -> Result<()> {
        match places.len() == maps.len() {
            true => self.hold(()).map(drop),
            false => Err(Errno::EINVAL),
        }
    }

    #[cfg(feature = "links")]
    fn named(&self, id: u32) -> Result<Self::Handle> {
        match id {
            1 => self.hold(Object::Map),
            _ => Err(Errno::ENOENT),
        }
    }

    fn load(
        &self,
        insns: &mut [Insn],
        _: &[FuncInfo],
        _: &Maps<'_, Self::Handle>,
    ) -> Result<Self::Handle> {
        match insns {
            [] => Err(Errno::EINVAL),
            _ => self.hold(Object::Program),
        }
    }
}

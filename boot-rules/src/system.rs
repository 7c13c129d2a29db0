// SPDX-License-Identifier: GPL-2.0-only
//! What the helper's request handler runs on here: memory, and no kernel.
//!
//! Every table is one that nobody has changed, of a kernel that knows all that can
//! be known of a packet and has every match and target of x_tables that the helper
//! has no program for. Programs and maps are made and dropped.

use std::cell::RefCell;
use std::ffi::CStr;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;

use bpf_abi::attr::FuncInfo;
use umh_core::abi::{EXTENSION_NAME_LEN, ExtensionKind, Family, Layout, TableSpec};
use umh_core::errno::{Errno, Result};
use umh_core::program::Insn;
use umh_core::table::{self, Refusal};
use umh_core::target::{Features, Host, Machine, Packets};
use umh_nostd::system::{Generation, InForce, Maps, System, UserAddr};

/// See the module. One for each request.
pub(crate) struct Recorder {
    /// Whose option it is.
    family: Family,
    /// The caller's optval.
    pub(crate) optval: Vec<u8>,
    /// What the caller's optval becomes.
    pub(crate) answered: RefCell<Vec<u8>>,
    /// Names of what the rules ask of x_tables.
    pub(crate) needs: RefCell<Vec<String>>,
}

impl Recorder {
    pub(crate) fn new(family: Family, optval: Vec<u8>) -> Self {
        Self {
            family,
            optval,
            answered: RefCell::default(),
            needs: RefCell::default(),
        }
    }
}

/// A kernel with all that there is.
fn host() -> Host {
    Host {
        features: Features::of_reads(u64::MAX).unwrap_or(Features::NONE),
        hz: 250,
    }
}

/// What is looked at again.
pub(crate) enum Object {
    Image(Rc<[u8]>),
    Counters(Rc<[AtomicU64]>),
    Other,
}

impl System for Recorder {
    type Handle = Object;
    type Memory = Vec<u8>;
    type Draft = Vec<u8>;
    type Image = Rc<[u8]>;
    type Contents = Vec<u8>;
    type Counters = Rc<[AtomicU64]>;

    fn machine(&self) -> Result<Machine> {
        Ok(Machine {
            packets: Packets::KernelHalf,
            host: host(),
            cpus: 1,
        })
    }

    fn caller(&self) -> Result<(Family, Layout)> {
        Ok((self.family, Layout::NATIVE))
    }

    fn optval(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        let bytes = self.optval.get(offset..).unwrap_or_default();
        into.copy_from_slice(bytes.get(..into.len()).ok_or(Errno::EFAULT)?);
        Ok(())
    }

    /// Addresses start at the caller's optval, of which the beginning may stay.
    fn answer(&self, to: UserAddr, bytes: &[u8]) -> Result<()> {
        let to = usize::try_from(to.0).map_err(|_| Errno::EFAULT)?;
        let mut answered = self.answered.borrow_mut();
        if answered.is_empty() {
            answered.extend(self.optval.get(..to).ok_or(Errno::EFAULT)?);
        }
        answered.extend(bytes);
        Ok(())
    }

    fn memory(&self, len: usize) -> Result<Self::Memory> {
        Ok(vec![0; len])
    }

    fn recover(&self, _: &TableSpec) -> Result<Option<InForce<Self::Handle>>> {
        Ok(None)
    }

    fn commit(&self, _: &Generation<Self::Handle>) -> Result<()> {
        Ok(())
    }

    /// What the helper can do itself is not asked of x_tables here, as its own check is
    /// the only one there is. The header is two bytes of size, 29 of name and one of revision.
    fn extension(&self, table: &TableSpec, entry: &mut [u8], at: usize) -> Result<u32> {
        if table::is_own(&host(), table.family, entry, at) {
            return Err(Errno::ENOPROTOOPT);
        }
        let name = entry.get(at..).and_then(|header| header.get(2..31));
        let name = CStr::from_bytes_until_nul(name.ok_or(Errno::EFAULT)?);
        let name = name.map_err(|_| Errno::EINVAL)?.to_string_lossy();
        self.needs.borrow_mut().push(name.into_owned());
        Ok(0)
    }

    /// The line of the file is what helps here, see `blame`.
    fn refused(&self, _: &TableSpec, _: &Refusal) {}

    /// Nobody asks for a caller of the kernel's own layout.
    fn data_size(
        &self,
        _: Family,
        _: ExtensionKind,
        _: &[u8; EXTENSION_NAME_LEN],
        _: u8,
    ) -> Result<u16> {
        Err(Errno::ENOPROTOOPT)
    }

    fn publish(&self, _: Family, _: ExtensionKind, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn draft(&self, len: usize) -> Result<Self::Draft> {
        Ok(vec![0; len])
    }

    fn draft_of_optval(&self, used: usize, len: usize) -> Result<Self::Draft> {
        let mut bytes = self.optval.get(..used).ok_or(Errno::EFAULT)?.to_vec();
        bytes.resize(len, 0);
        Ok(bytes)
    }

    fn seal(&self, draft: Self::Draft) -> Result<Self::Handle> {
        Ok(Object::Image(draft.into()))
    }

    fn image(&self, image: &Self::Handle) -> Result<Self::Image> {
        match image {
            Object::Image(image) => Ok(image.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn new_counters(&self, len: usize) -> Result<Self::Handle> {
        let cells = (0..len / size_of::<AtomicU64>()).map(|_| AtomicU64::default());
        Ok(Object::Counters(cells.collect()))
    }

    fn counters(&self, map: &Self::Handle, _: usize) -> Result<Self::Counters> {
        match map {
            Object::Counters(cells) => Ok(cells.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn new_map(&self, len: usize) -> Result<(Self::Handle, Self::Contents)> {
        Ok((Object::Other, vec![0; len]))
    }

    fn new_packets(&self, _: usize) -> Result<Self::Handle> {
        Ok(Object::Other)
    }

    fn load(
        &self,
        _: &mut [Insn],
        _: &[FuncInfo],
        _: &Maps<'_, Self::Handle>,
    ) -> Result<Self::Handle> {
        Ok(Object::Other)
    }
}

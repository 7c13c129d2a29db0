// SPDX-License-Identifier: GPL-2.0-only
//! A table: from untrusted caller data to rules that can be trusted.
//!
//! Owns: every check of REPLACE, in the order and with the errno of
//! `net/ipv4/netfilter/ip_tables.c`, or of `net/ipv6/netfilter/ip6_tables.c`, which
//! are the same but for what an entry starts with:
//!
//! ```text
//! check_header   the numbers in struct ipt_replace       do_replace
//! (the caller copies the blob)
//! offsets        every entry's sizes, hooks, policies    check_entry_size_and_hooks, xt_check_table_hooks
//! reach          loops, jumps, which hook reaches what   mark_source_chains
//! rules          each match and target of each entry     find_check_entry
//! Table::check   all of these, then name, hooks, counts  translate_table, __do_replace
//! refusal        which rule is at fault, and why, in words
//! view           what a checked entry says               copy_entries_to_user, for what is given back
//! compat         tables of callers of another layout     translate_compat_table, compat_table_info
//! ```
//!
//! Promises: a [`Table`] has passed all of them, so its accessors have no
//! errors. Nothing panics on any input. Memory: the blob itself, which is
//! worked on in place as the kernel does it, and 4 bytes for each entry.
//! Leaves to others: what an extension's data means (`extension`), fetching
//! the bytes, and what becomes of a table.

pub mod compat;
mod found;
pub mod image;
mod kernel_extensions;
mod layout;
mod offsets;
pub mod pristine;
mod reach;
mod refusal;
mod rules;
mod view;

pub use kernel_extensions::KernelExtensions;
pub use offsets::check_header;
pub use refusal::Refusal;
pub use rules::is_own;
pub use view::{Entry, Instance, Matches, Target, Verdict};

use crate::abi::{Family, GetInfo, Hook, Layout, Replace, TableSpec};
use crate::arena::Arena;
use crate::errno::Errno;
use crate::fault::Cause;
use crate::ir::named::{ARRAYS, Named, NamedTables};
use crate::target::{Features, Host};

/// Which entry of a table, counted from 0. Counters are found by it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct EntryIndex(pub u32);

/// What a REPLACE asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// Whose table.
    pub family: Family,
    /// As the caller gave it.
    pub header: &'r Replace,
    /// Entries of the table that is to be replaced.
    pub current_entries: u32,
}

/// A table that has passed every check of REPLACE.
///
/// Invariants: `offsets` holds the start of each entry of `blob`, ascending;
/// each entry, its matches and its target lie within the blob, end where the
/// next thing starts, and are registered extensions with data of their size;
/// the registry index of each extension stands behind its name;
/// `info` names hook entries and policies that are in `offsets`; no loop can
/// be reached from a hook.
#[derive(Debug)]
pub struct Table<'a> {
    spec: &'static TableSpec,
    info: GetInfo,
    blob: &'a mut [u8],
    offsets: &'a [u32],
    error_entries: u32,
    needs: Features,
    named: NamedTables<'a>,
}

impl<'a> Table<'a> {
    /// Checks what a caller asks for. `blob` is a copy of the `header.size` bytes
    /// after the header, aligned as an entry is; it is worked on, and garbage
    /// after an error. `named` has the named tables of the rules
    /// before, and room for those of these.
    pub fn check(
        asked: &Asked<'_>,
        host: &Host,
        blob: &'a mut [u8],
        arena: &mut Arena<'a>,
        mut named: NamedTables<'a>,
        kernel_extensions: KernelExtensions<'_>,
    ) -> Result<Self, Refusal> {
        let Asked {
            family,
            header,
            current_entries,
        } = *asked;
        // An unknown table is an error only after all rules.
        let spec = TableSpec::named(family, &header.name);
        let first = offsets::check(family, header, blob, arena)
            .map_err(|wrong| Refusal::at(wrong, family, header, blob))?;
        reach::mark_source_chains(family, &first, blob)
            .map_err(|wrong| Refusal::at(wrong, family, header, blob))?;
        let needs = rules::check(
            family,
            host,
            first.offsets,
            blob,
            &mut named,
            kernel_extensions,
        )
        .map_err(|wrong| Refusal::at(wrong, family, header, blob))?;
        named.settle();

        // Only now does the kernel look at the rest of the header.
        if header.num_counters > offsets::MAX_COUNTERS {
            return Err(Errno::ENOMEM.into());
        }
        let spec = spec.ok_or(Errno::ENOENT)?;
        if header.valid_hooks != spec.valid_hooks() {
            return Err(Cause::Hooks.into());
        }
        if header.num_counters != current_entries {
            return Err(Errno::EAGAIN.into());
        }
        Ok(Self {
            spec,
            info: GetInfo {
                name: spec.padded_name(),
                valid_hooks: header.valid_hooks,
                hook_entry: first.hook_entry,
                underflow: first.underflow,
                num_entries: header.num_entries,
                size: header.size,
            },
            blob,
            offsets: first.offsets,
            error_entries: first.error_entries,
            needs,
            named,
        })
    }

    /// Bytes of working memory that [`Table::check`] needs for a blob of
    /// `size` bytes: 4 for each entry that it has room for, of IPv4, which are
    /// the smaller ones, and alignment.
    pub const fn work_len(size: usize) -> usize {
        Layout::NATIVE.entries_in(Family::Ipv4, size) * 4 + 8
    }

    /// Which table it is.
    pub fn spec(&self) -> &'static TableSpec {
        self.spec
    }

    /// What GET_INFO says of this table.
    pub fn info(&self) -> GetInfo {
        self.info
    }

    /// Number of chains that a user has made. The last ERROR entry is the end.
    pub fn user_chains(&self) -> u32 {
        self.error_entries.saturating_sub(1)
    }

    /// Number of rules that a user has made. A chain of a user's has a head, and a
    /// RETURN behind its last rule, as iptables lays tables out.
    pub fn user_rules(&self) -> u32 {
        let policies = self.info.valid_hooks.count_ones();
        [policies, self.error_entries, self.user_chains()]
            .iter()
            .fold(self.info.num_entries, |rules, others| {
                rules.saturating_sub(*others)
            })
    }

    /// Number of entries.
    pub fn num_entries(&self) -> u32 {
        self.info.num_entries
    }

    /// Bytes of all entries.
    pub fn size(&self) -> usize {
        self.blob.len()
    }

    /// Number of ERROR entries, which are the heads of user-defined chains and the end
    /// of the table: as deep as jumps may nest before ip_tables drops the packet.
    pub fn jump_depth(&self) -> u32 {
        self.error_entries
    }

    /// What the rules need of the namespace, reachable or not.
    pub fn needs(&self) -> Features {
        self.needs
    }

    /// The tables that rules know by name.
    pub fn named(&self) -> &[Named] {
        self.named.records()
    }

    /// The same, to be given maps.
    pub fn named_mut(&mut self) -> &mut [Named] {
        self.named.records_mut()
    }

    /// The ids of the arrays of these maps, 0 for one that is still to be made.
    pub fn arrays_mut(&mut self) -> &mut [u32; ARRAYS] {
        &mut self.named.arrays
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.num_entries()).map_while(|index| self.entry(EntryIndex(index)))
    }

    /// One entry; `None` only if there is no such index.
    pub fn entry(&self, index: EntryIndex) -> Option<Entry<'_>> {
        let start = *self.offsets.get(usize::try_from(index.0).ok()?)?;
        view::entry(self.spec.family, self.blob, self.offsets, index, start)
    }

    /// Where packets of `hook` start.
    pub fn hook_entry(&self, hook: Hook) -> EntryIndex {
        self.index_of(self.info.hook_entry.get(hook.number()))
    }

    /// The policy of `hook`, where a RETURN from its chain goes.
    pub fn underflow(&self, hook: Hook) -> EntryIndex {
        self.index_of(self.info.underflow.get(hook.number()))
    }

    fn index_of(&self, offset: Option<&u32>) -> EntryIndex {
        // Both are entries of a checked table; past the end there is none.
        offset
            .and_then(|&offset| view::find(self.offsets, offset))
            .unwrap_or(EntryIndex(self.info.num_entries))
    }

    /// The entries in the form that is kept, with zero counters: what GET_ENTRIES gives
    /// back but for what is private to some extensions, of which the number is returned
    /// (see [`image::Header::kept`]). The others lose it, so this comes after everything
    /// else.
    pub fn into_entries(self) -> (&'a [u8], u32) {
        let kept = view::normalise(self.spec.family, self.blob, self.offsets);
        (self.blob, kept)
    }
}

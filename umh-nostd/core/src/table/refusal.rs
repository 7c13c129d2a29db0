// SPDX-License-Identifier: GPL-2.0-only
//! Why a table is refused, for people.
//!
//! Owns: which rule of which chain is at fault, and the line that says so: iptables
//! itself can only print what the errno stands for.
//!
//! Nothing here trusts the table. All entries before the one at fault have passed
//! the first pass; if they have not, the line says less.

use super::layout::{ERROR_NAME, EXTENSION, NAME};
use super::offsets::{kind_at, offset_at};
use crate::abi::{EXTENSION_NAME_LEN, ExtensionHeader, ExtensionKind, Family, Hook, Replace};
use crate::bytes::{c_string, read};
use crate::errno::Errno;
use crate::extension::{error, options};
use crate::fault::{Cause, Fault};
use crate::text::Text;

/// What is wrong with a table, and where, in a few bytes: most that is checked is
/// right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong {
    fault: Fault,
    /// Where the entry starts, if it is one that is at fault.
    entry: Option<u32>,
    /// Where in it the header of a match or target is; 0 for none.
    extension: usize,
}

impl Wrong {
    /// An entry.
    pub(super) fn entry(fault: Fault, entry: u32) -> Self {
        Self::extension(fault, entry, 0)
    }

    /// A match or target of an entry.
    pub(super) fn extension(fault: Fault, entry: u32, extension: usize) -> Self {
        Self {
            fault,
            entry: Some(entry),
            extension,
        }
    }
}

/// The table as a whole.
impl<T: Into<Fault>> From<T> for Wrong {
    fn from(fault: T) -> Self {
        Self {
            fault: fault.into(),
            entry: None,
            extension: 0,
        }
    }
}

/// A match or target, as a rule names it.
#[derive(Clone, Copy, Debug)]
struct ExtensionName {
    kind: ExtensionKind,
    name: [u8; EXTENSION_NAME_LEN],
    revision: u8,
}

/// The chain that a rule is in.
#[derive(Clone, Copy, Debug)]
enum Chain {
    Of(Hook),
    User([u8; ERROR_NAME]),
}

/// Where an entry is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its number in the table, from 1 on.
    entry: u32,
    chain: Option<Chain>,
    /// Its number in the chain, from 1 on as iptables counts; 0 for the policy.
    rule: u32,
}

/// Why a table is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    fault: Fault,
    place: Option<Place>,
    named: Option<ExtensionName>,
}

/// The table as a whole.
impl<T: Into<Fault>> From<T> for Refusal {
    fn from(fault: T) -> Self {
        Self {
            fault: fault.into(),
            place: None,
            named: None,
        }
    }
}

impl Refusal {
    /// What is wrong, with the number that the entry has for who has written the
    /// rules, and the names of a match or target.
    #[cold]
    #[inline(never)]
    pub(super) fn at(wrong: Wrong, family: Family, header: &Replace, blob: &[u8]) -> Self {
        let Some(at) = wrong.entry else {
            return wrong.fault.into();
        };
        Self {
            fault: wrong.fault,
            place: Some(place(family, header, blob, at)),
            named: match wrong.extension {
                0 => None,
                extension => named(family, blob, at as usize, extension),
            },
        }
    }

    /// What the caller gets.
    pub fn errno(&self) -> Errno {
        self.fault.errno
    }

    /// What is wrong.
    pub fn cause(&self) -> Cause {
        self.fault.cause
    }

    /// One line of printable ASCII, which does not name the table.
    #[inline(never)]
    pub fn line(&self, family: Family) -> Text {
        let Fault { errno, cause } = self.fault;
        let mut line = Text::default();
        if let Some(place) = &self.place {
            place.write(&mut line);
        }
        if let Some(named) = &self.named {
            named.write(&mut line);
        }
        line.text(cause.text());
        if cause.text().ends_with(' ') {
            line.number(errno.number().unsigned_abs() as usize);
        }
        if let (Cause::Unknown | Cause::NotDone, Some(named)) = (cause, &self.named) {
            options::write(&mut line, family, named.kind, named.name());
        }
        line
    }
}

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Self {
        refusal.errno()
    }
}

impl Place {
    fn write(&self, line: &mut Text) {
        match (&self.chain, self.rule) {
            (None, _) => line.text("entry ").number(self.entry as usize),
            (Some(_), 0) => line.text("policy"),
            (Some(_), rule) => line.text("rule ").number(rule as usize),
        };
        if let Some(chain) = &self.chain {
            line.text(" of chain ");
            match chain {
                Chain::Of(hook) => line.text(hook.chain()),
                Chain::User(name) => line.name(c_string(name).unwrap_or_default()),
            };
        }
        line.text(": ");
    }
}

impl ExtensionName {
    fn name(&self) -> &[u8] {
        c_string(&self.name).unwrap_or(&self.name)
    }

    /// The standard target has no name.
    fn write(&self, line: &mut Text) {
        line.text(match self.kind {
            ExtensionKind::Match => "match '",
            ExtensionKind::Target if self.name().is_empty() => {
                line.text("verdict: ");
                return;
            }
            ExtensionKind::Target => "target '",
        });
        line.name(self.name()).text("' revision ");
        line.number(self.revision.into()).text(": ");
    }
}

/// The match or target at `extension` of the entry at `at`.
fn named(family: Family, blob: &[u8], at: usize, extension: usize) -> Option<ExtensionName> {
    let entry = blob.get(at..)?;
    let header: ExtensionHeader = read(entry, extension)?;
    Some(ExtensionName {
        kind: kind_at(family, entry, extension),
        name: header.name,
        revision: header.revision,
    })
}

/// Where the entry at `at` is, as far as the entries before it tell.
fn place(family: Family, header: &Replace, blob: &[u8], at: u32) -> Place {
    let layout = family.entry();
    let mut place = Place {
        entry: 1,
        chain: None,
        rule: 1,
    };
    let mut offset = 0;
    loop {
        let is_it = |offsets: &[u32], hook: Hook| {
            header.valid_hooks & hook.mask() != 0 && offsets.get(hook.number()) == Some(&offset)
        };
        for hook in Hook::ALL {
            if is_it(&header.hook_entry, hook) {
                place.chain = Some(Chain::Of(hook));
                place.rule = 1;
            }
            if is_it(&header.underflow, hook) && offset == at {
                place.rule = 0;
            }
        }
        let Some(entry) = blob.get(offset as usize..) else {
            return place;
        };
        if offset >= at {
            return place;
        }
        let target = offset_at(entry, layout.target_offset).unwrap_or_default();
        let size: u16 = read(entry, layout.next_offset).unwrap_or_default();
        place.entry += 1;
        place.rule += 1;
        if let Some(name) = chain_head(entry, target) {
            place.chain = Some(Chain::User(name));
            place.rule = 1;
        }
        match offset.checked_add(size.into()) {
            Some(next) if size != 0 => offset = next,
            _ => return place,
        }
    }
}

/// The chain that an entry with this target is the head of.
fn chain_head(entry: &[u8], target: usize) -> Option<[u8; ERROR_NAME]> {
    let name: [u8; EXTENSION_NAME_LEN] = read(entry, target + NAME)?;
    (c_string(&name)? == error::NAME.as_bytes())
        .then(|| read(entry, target + EXTENSION))
        .flatten()
}

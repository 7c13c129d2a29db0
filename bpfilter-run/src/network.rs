// SPDX-License-Identifier: GPL-2.0-only
//! What one network namespace holds: its generation, and what enforces it.
//!
//! Owns: the swap of generations with all that it needs (hooks, connection
//! tracking), and the way back. Promises: what a swap needs is there before the
//! first packet meets it, and what only the old generation needs stays until
//! the swap is settled, so that going back cannot fail.
//!
//! Leaves to others: when to swap, settle or revert (`transaction`).

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bpfilter_msgfmt as msg;

use crate::caller;
use crate::conntrack::Conntrack;
use crate::hooks::{Hooks, Set};
use crate::liveness;
use crate::roots::HOOKS;
use crate::sys::bpf::Grace;
use crate::sys::namespace::{Namespace, NamespaceId};
use crate::sys::table;

/// What one COMMIT brought; does not change.
#[derive(Debug)]
pub(crate) struct Generation {
    /// All three, or none.
    pub(crate) programs: Option<[OwnedFd; HOOKS]>,
    /// Opaque.
    pub(crate) counters: OwnedFd,
    /// Opaque.
    pub(crate) image: OwnedFd,
    /// `GEN_*`.
    pub(crate) flags: u32,
}

impl Generation {
    fn needs_conntrack(&self) -> bool {
        self.flags & msg::GEN_CONNTRACK != 0
    }
}

/// A generation that was replaced, and where its programs are.
#[derive(Debug)]
pub(crate) struct Replaced {
    generation: Option<Generation>,
    set: Option<Set>,
}

/// One network namespace.
#[derive(Debug)]
pub(crate) struct Network {
    namespace: Namespace,
    active: Option<Generation>,
    hooks: Option<Hooks>,
    conntrack: Option<Conntrack>,
    /// ip_tables is still to be asked to list the table.
    to_list: bool,
}

impl Network {
    fn new(namespace: Namespace, to_list: bool) -> Self {
        Self {
            to_list,
            namespace,
            active: None,
            hooks: None,
            conntrack: None,
        }
    }

    /// The active generation.
    pub(crate) fn active(&self) -> Option<&Generation> {
        self.active.as_ref()
    }

    /// A request about it begins.
    pub(crate) fn work(&mut self, grace: &Arc<Grace>) {
        if let Some(hooks) = &mut self.hooks {
            hooks.work(grace);
        }
    }

    /// Makes `generation` the active one. When this returns no packet runs in
    /// the programs of the old one. After an error all is as it was.
    pub(crate) fn swap(&mut self, generation: Generation, grace: &Grace) -> io::Result<Replaced> {
        let set = match self.acquire(&generation) {
            Ok(set) => set,
            Err(e) => {
                self.release();
                return Err(e);
            }
        };
        let replaced = Replaced {
            generation: self.active.replace(generation),
            set: self.hooks.as_ref().and_then(Hooks::active),
        };
        match self.activate(set, grace) {
            Ok(()) => Ok(replaced),
            Err(e) => {
                self.revert(replaced, grace);
                Err(e)
            }
        }
    }

    /// The active generation stays; what it replaced goes.
    pub(crate) fn settle(&mut self, replaced: Replaced) {
        self.clear(replaced.set);
        self.release();
    }

    /// Goes back.
    pub(crate) fn revert(&mut self, replaced: Replaced, grace: &Grace) {
        let given_up = self.hooks.as_ref().and_then(Hooks::active);
        self.active = replaced.generation;
        // Without the wait a packet may meet an empty slot in its last
        // moments, and be dropped.
        let waited = self.activate(replaced.set, grace);
        if given_up != replaced.set && waited.is_ok() {
            self.clear(given_up);
        }
        self.release();
    }

    /// Takes what `generation` needs to become active; gives the set of slots
    /// that its programs are in.
    fn acquire(&mut self, generation: &Generation) -> io::Result<Option<Set>> {
        self.list();
        if generation.needs_conntrack() && self.conntrack.is_none() {
            let held = Conntrack::hold(&self.namespace).map_err(|e| {
                crate::log(&format!(
                    "the rules need connection tracking, and it cannot be switched on \
                     ({e}): this takes nf_tables with nft_ct"
                ));
                io::Error::from_raw_os_error(libc::EOPNOTSUPP)
            })?;
            self.conntrack = Some(held);
        }
        if generation.flags & msg::GEN_ACCOUNTING != 0 {
            Conntrack::account(&self.namespace)?;
        }
        let Some(programs) = &generation.programs else {
            return Ok(None);
        };
        let hooks = match &mut self.hooks {
            Some(hooks) => hooks,
            none => {
                let hooks = Hooks::attach(&self.namespace).inspect_err(|e| {
                    crate::log(&format!(
                        "cannot attach to the packet hooks ({e}): this takes Linux 6.4 with \
                         NETFILTER_BPF_LINK"
                    ));
                })?;
                none.insert(hooks)
            }
        };
        hooks.prepare(programs).map(Some)
    }

    /// iptables-save finds tables in the list that ip_tables has of its own, and
    /// whoever saves all tables would lose this one. The kernel's `filter` is empty,
    /// or has the rules that it had before; our hooks come right behind its hooks.
    fn list(&mut self) {
        if std::mem::take(&mut self.to_list) && caller::ip_tables_is_there() {
            // Where it has no such table it has no list of it either.
            let _ = table::ask(&self.namespace);
        }
    }

    /// Gives back what the active generation does not need.
    fn release(&mut self) {
        let active = self.active.as_ref();
        if active.is_none_or(|generation| generation.programs.is_none()) {
            self.hooks = None;
        }
        if !active.is_some_and(Generation::needs_conntrack) {
            self.conntrack = None;
        }
    }

    fn has_only_our_sockets(&self) -> bool {
        let ours = u32::from(self.conntrack.is_some());
        liveness::sockets(&self.namespace).is_ok_and(|all| all <= ours)
    }

    fn activate(&mut self, set: Option<Set>, grace: &Grace) -> io::Result<()> {
        match &mut self.hooks {
            Some(hooks) if hooks.active() != set => hooks.activate(set, grace),
            _ => Ok(()),
        }
    }

    fn clear(&self, set: Option<Set>) {
        if let (Some(hooks), Some(set)) = (&self.hooks, set)
            && let Err(e) = hooks.clear(set)
        {
            crate::log(&format!(
                "the programs of a replaced rule set stay in memory: {e}"
            ));
        }
    }
}

/// All network namespaces that hold something.
#[derive(Debug)]
pub(crate) struct Networks {
    /// ip_tables is to list the table of each.
    listed: bool,
    held: HashMap<NamespaceId, Network>,
    /// Those in which nobody was seen last time.
    deserted: HashSet<NamespaceId>,
}

impl Networks {
    /// None. If `listed`, ip_tables is to list the table of those to come.
    pub(crate) fn new(listed: bool) -> Self {
        Self {
            listed,
            held: HashMap::new(),
            deserted: HashSet::new(),
        }
    }

    /// What `namespace` holds, taken out for a request.
    pub(crate) fn take(&mut self, namespace: Namespace) -> io::Result<Network> {
        let held = self.held.remove(&namespace.id()?);
        Ok(held.unwrap_or_else(|| Network::new(namespace, self.listed)))
    }

    /// Puts back what [`Networks::take`] gave, unless it is nothing.
    pub(crate) fn put(&mut self, network: Network) {
        if network.active.is_some()
            && let Ok(id) = network.namespace.id()
        {
            self.deserted.remove(&id);
            self.held.insert(id, network);
        }
    }

    /// Time passes in all of them.
    pub(crate) fn rest(&mut self) {
        let hooks = self.held.values_mut().flat_map(|net| &mut net.hooks);
        hooks.for_each(Hooks::rest);
    }

    /// Lets namespaces die that nobody but us holds: those in which nobody is
    /// seen twice in a row, as one look may miss a process that forks and ends.
    pub(crate) fn bury(&mut self) {
        let mut unseen: HashSet<NamespaceId> = self.held.keys().copied().collect();
        liveness::retain_unseen(&mut unseen);
        unseen.retain(|id| self.held.get(id).is_some_and(Network::has_only_our_sockets));
        for id in unseen.intersection(&self.deserted) {
            self.held.remove(id);
        }
        unseen.retain(|id| self.held.contains_key(id));
        self.deserted = unseen;
    }
}

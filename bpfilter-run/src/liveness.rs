// SPDX-License-Identifier: GPL-2.0-only
//! Which network namespaces are still somebody's.
//!
//! The kernel lets a namespace die with its last reference. Ours must not count,
//! but a netfilter link and an open namespace are references like any other: so
//! somebody has to look who else holds one. Looked for are threads in it, open
//! files and mounts of it, and sockets.
//!
//! It cannot see: descriptors on their way through a socket, and holders in pid
//! namespaces that ours does not contain. A namespace held by nothing else is
//! taken for dead.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys::namespace::{Namespace, NamespaceId};

/// Takes from `wanted` what a process, a file or a mount shows to be in use.
pub(crate) fn retain_unseen(wanted: &mut HashSet<NamespaceId>) {
    // Often ours is the only one.
    remove_network_of(Path::new("/proc/self"), wanted);
    if wanted.is_empty() {
        return;
    }
    // What most namespaces are held by, and cheap to ask.
    let processes = numbered(Path::new("/proc"));
    for process in &processes {
        if wanted.is_empty() {
            return;
        }
        remove_network_of(process, wanted);
    }
    if wanted.is_empty() {
        return;
    }
    let own = PathBuf::from(format!("/proc/{}", std::process::id()));
    let mut mounts_seen = HashSet::new();
    for process in &processes {
        for task in numbered(&process.join("task")) {
            remove_network_of(&task, wanted);
            // Ours are what this is all about.
            if *process != own {
                remove_open(&task, wanted);
            }
        }
        let mounts = NamespaceId::of_path(&process.join("ns/mnt"));
        if mounts.is_ok_and(|id| mounts_seen.insert(id)) {
            remove_mounted(process, wanted);
        }
    }
}

/// How many sockets there are in the namespace, ours included.
pub(crate) fn sockets(namespace: &Namespace) -> io::Result<u32> {
    let text = namespace.inside(|| fs::read_to_string("/proc/thread-self/net/sockstat"))?;
    let used = text
        .lines()
        .find_map(|line| line.strip_prefix("sockets: used "));
    used.and_then(|used| used.trim().parse().ok())
        .ok_or(io::ErrorKind::InvalidData.into())
}

// Processes come and go while this runs: what cannot be read is gone.

fn remove_network_of(task: &Path, wanted: &mut HashSet<NamespaceId>) {
    if let Ok(id) = NamespaceId::of_path(&task.join("ns/net")) {
        wanted.remove(&id);
    }
}

fn remove_open(task: &Path, wanted: &mut HashSet<NamespaceId>) {
    let links = fs::read_dir(task.join("fd"))
        .into_iter()
        .flatten()
        .flatten();
    for link in links.filter_map(|entry| fs::read_link(entry.path()).ok()) {
        if let Some(inode) = link.to_str().and_then(inode_of) {
            wanted.retain(|id| id.inode() != inode);
        }
    }
}

fn remove_mounted(process: &Path, wanted: &mut HashSet<NamespaceId>) {
    let text = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
    // The fourth field is what of the file system is mounted.
    for inode in text
        .lines()
        .filter_map(|line| inode_of(line.split(' ').nth(3)?))
    {
        wanted.retain(|id| id.inode() != inode);
    }
}

/// Of `net:[4026531840]`.
fn inode_of(name: &str) -> Option<u64> {
    name.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// The entries of a directory whose names are numbers.
fn numbered(directory: &Path) -> Vec<PathBuf> {
    let is_number = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| is_number(&entry.file_name()))
        .map(|entry| entry.path())
        .collect()
}

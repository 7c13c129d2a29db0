// SPDX-License-Identifier: GPL-2.0-only
//! Matches and targets of x_tables in a rule that is being checked.
//!
//! Owns: the question to the kernel half, and where its answer is left in the
//! rule.

use super::layout::{NUMBER, REGISTRY_INDEX};
use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::extension::Extension;
use crate::extension::registry::RegistryIndex;

/// Asks the kernel half for the match or target at an offset of an entry. It
/// brings the data into the form that is given back, and returns the number by
/// which programs call it. The name is short enough for that to stand behind
/// it. ENOPROTOOPT where the kernel half has no such extension, or cannot have
/// any; ENOENT where what the options name is not there.
pub type KernelExtensions<'f> = &'f mut dyn FnMut(&mut [u8], usize) -> Result<u32>;

/// The kernel extension that stands at `at` of `entry`; ENOPROTOOPT if there
/// is none. Its number is left between its name and its index in the registry.
pub(super) fn find(
    ask: KernelExtensions<'_>,
    entry: &mut [u8],
    at: usize,
) -> Result<&'static Extension> {
    let number = ask(entry, at)?;
    let index = RegistryIndex::X_TABLES;
    write(entry, at + NUMBER, &number)
        .and_then(|()| write(entry, at + REGISTRY_INDEX, &index))
        .and(index.extension())
        .ok_or(Errno::EINVAL)
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]
mod tests {
    use zerocopy::{FromZeros, IntoBytes};

    use crate::abi::{FILTER, Replace};
    use crate::arena::Arena;
    use crate::ir::named::NamedTables;
    use crate::table::layout::NAME;
    use crate::table::pristine::Pristine;
    use crate::table::{Asked, EntryIndex, Table, Target};
    use crate::target::{Features, Host};

    /// Bytes of a policy, and of a rule with a target of four bytes.
    const POLICY: usize = 152;

    #[test]
    fn a_target_of_x_tables_is_no_verdict() {
        let pristine = Pristine::new(&FILTER).unwrap();
        let image = pristine.image().unwrap();
        let old = image.info();
        // A rule in front of the first policy.
        let mut blob = [0u64; 98];
        let bytes = blob.as_mut_bytes();
        bytes[..POLICY].copy_from_slice(&image.bytes()[..POLICY]);
        bytes[POLICY..].copy_from_slice(image.bytes());
        bytes[FILTER.family.entry().size + NAME..][..3].copy_from_slice(b"XYZ");
        let behind = |offset: u32| offset.checked_add(POLICY as u32).unwrap_or(offset);
        let underflow = old.underflow.map(behind);
        let mut hook_entry = underflow;
        hook_entry[1] = 0;
        let header = Replace {
            name: old.name,
            valid_hooks: old.valid_hooks,
            num_entries: 5,
            size: 784,
            hook_entry,
            underflow,
            num_counters: 4,
            ..Replace::new_zeroed()
        };
        let host = Host {
            features: Features::ALL,
            hz: 250,
        };
        let mut work = [0u64; 16];
        let table = Table::check(
            &Asked {
                family: FILTER.family,
                header: &header,
                current_entries: 4,
            },
            &host,
            bytes,
            &mut Arena::new(work.as_mut_bytes()),
            NamedTables::default(),
            &mut |_, _| Ok(7),
        )
        .unwrap();
        let target = table.entry(EntryIndex(0)).unwrap().target;
        assert!(
            matches!(target, Target::Extension(instance) if instance.number == 7),
            "{target:?}"
        );
        let policy = table.entry(EntryIndex(1)).unwrap().target;
        assert!(matches!(policy, Target::Standard(_)), "{policy:?}");
    }
}

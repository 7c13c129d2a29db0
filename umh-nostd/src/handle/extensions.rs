// SPDX-License-Identifier: GPL-2.0-only
//! Which matches and targets there are: GET_REVISION_*, and the names that
//! /proc shows.

use bpfilter_msgfmt::NAMES_MAX;
use umh_core::abi::{ExtensionKind, Family, GetRevision};
use umh_core::errno::Result;
use umh_core::extension::registry::{check_revision, write_names};

use super::Caller;
use crate::system::System;

pub(super) fn get_revision<S: System>(
    caller: &Caller<'_, S>,
    kind: ExtensionKind,
    asked: &GetRevision,
) -> Result<()> {
    check_revision(
        &caller.machine.host,
        caller.family,
        kind,
        &asked.name,
        asked.revision,
    )
}

/// Hands the kernel half what /proc/net/ip_tables_matches and _targets print, and
/// those of ip6_tables.
pub(super) fn publish<S: System>(system: &S) -> Result<()> {
    let host = system.machine()?.host;
    let mut text = system.memory(NAMES_MAX)?;
    for family in Family::ALL {
        for kind in [ExtensionKind::Match, ExtensionKind::Target] {
            system.publish(family, kind, write_names(&host, family, kind, &mut text))?;
        }
    }
    Ok(())
}

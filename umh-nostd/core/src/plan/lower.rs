// SPDX-License-Identifier: GPL-2.0-only
//! From the entries of a table to records and ops.
//!
//! Owns: what a record does with a packet, which follows from the target; and the
//! order of its matches' ops: once for well-formed packets and, where that makes a
//! difference, once for malformed ones.

use crate::abi::{Family, IP6T_F_PROTO};
use crate::errno::Result;
use crate::ir::{Action, Draft, Output, Packets, Record};
use crate::table::{Entry, Target, Verdict};

/// Lowers one entry; its place in the index is left to the caller. With
/// `malformed` there may be malformed packets, because some rule asks for a
/// transport header.
pub(super) fn rule(output: &mut Output<'_>, entry: &Entry<'_>, malformed: bool) -> Result<Record> {
    let action = match entry.target {
        Target::Standard(verdict) => verdict_action(entry, verdict),
        // ipt_error drops.
        Target::Error { .. } => Action::Drop,
        Target::Extension(instance) => {
            output.uses.targets = true;
            Action::Target(instance.number)
        }
    };
    let mut record = Record {
        action: action.encode(),
        ..Record::default()
    };
    let state_at = output.state.len;
    record.ops = matches(output, entry, &mut record, Packets::WellFormed, state_at)?;
    // What the record asks of malformed packets is the same, and they draw
    // from the state of all others.
    let family = entry.ip.family();
    let follows = family == Family::Ipv6 && entry.ip.flags() & IP6T_F_PROTO != 0;
    let differs = malformed
        && (follows || record.class_mask & !output.predicates.malformed_keeps(family) != 0);
    record.malformed_ops = if differs {
        let mut ignored = record;
        matches(output, entry, &mut ignored, Packets::Malformed, state_at)?
    } else {
        record.ops
    };
    Ok(record)
}

/// Lowers all that an entry asks, and returns where its ops start.
fn matches(
    output: &mut Output<'_>,
    entry: &Entry<'_>,
    record: &mut Record,
    packets: Packets,
    state_at: usize,
) -> Result<u32> {
    let mut rule = Draft::rule(output, record, entry.ip, packets, state_at);
    for instance in entry.matches() {
        rule.set_number(instance.number);
        (instance.extension.lower)(&mut rule, instance.data)?;
    }
    rule.finish()
}

/// What happens to a packet that an entry with a standard target matches.
fn verdict_action(entry: &Entry<'_>, verdict: Verdict) -> Action {
    match verdict {
        Verdict::Accept => Action::Accept,
        Verdict::Drop | Verdict::Nowhere => Action::Drop,
        Verdict::Return => Action::Return,
        // A jump to the very next entry pushes nothing.
        Verdict::Jump { to, goto } if goto || to.0 == entry.index.0 + 1 => Action::Step(to.0),
        Verdict::Jump { to, .. } => Action::Call(to.0),
    }
}

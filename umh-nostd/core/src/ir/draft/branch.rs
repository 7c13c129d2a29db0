// SPDX-License-Identifier: GPL-2.0-only
//! Where a match goes on when one of its questions fails.
//!
//! Owns: the ops that take the place of OR and NOT. Most matches hold if all
//! of their questions do. One that holds in other cases, too, says where its
//! questions go on when a later one fails.

use super::Draft;
use crate::ir::kind;
use crate::ir::record::Op;
use crate::ir::test::{Field, Test};

/// From where questions that fail go on, as long as it is not known to where:
/// that is what [`Draft::land`] and [`Draft::here`] say. A jump that never
/// lands fails the rule.
#[derive(Debug)]
#[must_use]
pub(crate) struct Jump(Option<usize>);

impl Jump {
    /// No jump.
    pub(crate) const NONE: Self = Self(None);
}

impl Draft<'_, '_> {
    /// From here on a question that fails goes on where the jump lands.
    pub(crate) fn or_else(&mut self) -> Jump {
        let op = self.out.ops.len;
        self.op(Op {
            kind: kind::OTHERWISE,
            ..Op::default()
        });
        Jump((!self.done).then_some(op))
    }

    /// From here on a question that fails fails the rule, as it did before
    /// [`Self::or_else`].
    pub(crate) fn or_fail(&mut self) {
        self.op(Op {
            kind: kind::OTHERWISE,
            ..Op::default()
        });
    }

    /// The jumps land here, at an op that must follow.
    pub(crate) fn land<const N: usize>(&mut self, jumps: [Jump; N]) {
        let here = self.out.ops.len;
        for from in jumps.into_iter().filter_map(|jump| jump.0) {
            // A few hundred ops: it fits.
            self.out.ops.set_low(from, (here - from) as u32);
        }
    }

    /// The jumps land here, and from here on a question that fails fails the
    /// rule.
    pub(crate) fn here<const N: usize>(&mut self, jumps: [Jump; N]) {
        self.land(jumps);
        self.or_fail();
    }

    /// Fails, whatever the packet.
    pub(crate) fn fail(&mut self) {
        self.detail_field(Test::any_of(Field::Found, 0));
    }

    /// The rule holds only if one of the details that `details` lowers fails.
    pub(crate) fn not_all(&mut self, details: impl FnOnce(&mut Self)) {
        let holds = self.or_else();
        details(self);
        self.or_fail();
        self.fail();
        self.here([holds]);
    }
}

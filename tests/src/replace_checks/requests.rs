// SPDX-License-Identifier: GPL-2.0-only
//! A list of requests in the making.
//!
//! Owns: the short forms in which the files beside this one write a request: the
//! base with a change, or a table of one rule.

use umh_core::abi::{IptIp, VERDICT_ACCEPT};
use zerocopy::FromZeros;

use super::{Request, base};
use crate::blob::{Blob, Extension, Rule, Table, Target};

/// Those of one list; the methods add one each.
pub(super) struct Requests(pub(super) Vec<Request>);

impl Requests {
    /// The base, changed.
    pub(super) fn changed(
        &mut self,
        errno: i32,
        what: &'static str,
        change: impl FnOnce(&mut Blob),
    ) {
        let mut blob = base();
        change(&mut blob);
        self.push(errno, what, blob, 0);
    }

    /// A request whose length is `more` than its header and entries.
    pub(super) fn push(&mut self, errno: i32, what: &'static str, blob: Blob, more: i32) {
        self.0.push(Request {
            what,
            errno,
            optional: false,
            blob,
            more,
        });
    }

    /// Some kernels have no such check, and take the last request.
    pub(super) fn optional(&mut self) {
        if let Some(request) = self.0.last_mut() {
            request.optional = true;
        }
    }

    /// A table with one rule with a match in INPUT.
    pub(super) fn input(
        &mut self,
        errno: i32,
        what: &'static str,
        proto: u16,
        extension: Extension,
    ) {
        self.matching(errno, what, 0, proto, extension);
    }

    /// A table with one rule of a target in a built-in chain.
    pub(super) fn target(
        &mut self,
        errno: i32,
        what: &'static str,
        chain: usize,
        (proto, invflags): (u16, u8),
        extension: Extension,
    ) {
        let mut table = Table::default();
        let mut rule = Rule::any(Target::Extension(extension));
        (rule.ip.proto, rule.ip.invflags) = (proto, invflags);
        table.builtin[chain].push(rule);
        self.push(errno, what, table.blob(), 0);
    }

    /// A table with one rule with a match in a built-in chain.
    pub(super) fn matching(
        &mut self,
        errno: i32,
        what: &'static str,
        chain: usize,
        proto: u16,
        extension: Extension,
    ) {
        let mut table = Table::default();
        let mut ip = IptIp::new_zeroed();
        ip.proto = proto;
        table.builtin[chain].push(Rule {
            ip,
            matches: vec![extension],
            target: Target::Verdict(VERDICT_ACCEPT),
        });
        self.push(errno, what, table.blob(), 0);
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! Data of matches and targets, put together.

use proptest::prelude::*;
use proptest::sample::select;

use super::{ADDRESSES, FORWARD, Hooks, INPUT, OUTPUT, PORTS};
use crate::blob::Extension;

/// What a match asks of the rule it stands in.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) extension: Extension,
    /// The rule must have this protocol, not inverted.
    pub(super) proto: Option<u16>,
    /// The chain may be reached from these hooks only.
    pub(super) hooks: Hooks,
}

impl Candidate {
    pub(super) fn new(extension: Extension) -> Self {
        Self {
            extension,
            proto: None,
            hooks: INPUT | FORWARD | OUTPUT,
        }
    }

    pub(super) fn proto(self, proto: u16) -> Self {
        Self {
            proto: Some(proto),
            ..self
        }
    }

    pub(super) fn hooks(self, hooks: Hooks) -> Self {
        Self { hooks, ..self }
    }
}

/// Bytes put one after the other.
#[derive(Default)]
pub(super) struct Data(pub(super) Vec<u8>);

impl Data {
    pub(super) fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    pub(super) fn u8(self, value: u8) -> Self {
        self.bytes([value])
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.bytes(value.to_ne_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.bytes(value.to_ne_bytes())
    }

    /// A `union nf_inet_addr` with an IPv4 address in it.
    pub(super) fn address(self, address: [u8; 4]) -> Self {
        self.bytes(address).bytes([0; 12])
    }

    pub(super) fn zeros(mut self, size: usize) -> Self {
        self.0.resize(size, 0);
        self
    }
}

pub(super) fn port() -> impl Strategy<Value = u16> {
    prop_oneof![4 => select(&PORTS[..]), 1 => any::<u16>()]
}

/// First and last port; now and then the wrong way round, which never
/// matches, and is accepted.
pub(super) fn ports() -> impl Strategy<Value = [u16; 2]> {
    prop_oneof![
        2 => Just([0, 65535]),
        4 => port().prop_map(|port| [port, port]),
        2 => (port(), port()).prop_map(|(a, b)| [a.min(b), a.max(b)]),
        1 => (port(), port()).prop_map(|(a, b)| [a, b]),
    ]
}

pub(super) fn address() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![6 => select(&ADDRESSES[..]), 1 => any::<[u8; 4]>()]
}

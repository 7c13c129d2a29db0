// SPDX-License-Identifier: GPL-2.0-only
//! What a person at the terminal has to know and iptables cannot say.
//!
//! Owns: that calls went past us to the kernel's own ip_tables or ip6_tables, or that
//! there were none at all. Each is said once in a run.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use bpfilter_msgfmt as msg;

/// The tables of IPv4 that ip_tables has besides ours; a test holds them against the core's.
const OTHERS: [&str; 4] = ["nat", "mangle", "raw", "security"];
/// The bit of IPv6 in [`Notes::said`]; below are those of [`OTHERS`].
const IPV6: u8 = 1 << OTHERS.len();

/// What has been said.
#[derive(Default)]
pub(crate) struct Notes {
    said: AtomicU8,
    asked: AtomicBool,
}

impl Notes {
    /// A call of iptables has come.
    pub(crate) fn asked(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// A GET_INFO for `name`, which ends with a 0, is left to ip_tables.
    pub(crate) fn table_left(&self, name: &[u8]) {
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let which = OTHERS.iter().position(|other| other.as_bytes() == name);
        if let Some(which) = which
            && self.is_new(1 << which)
            && let Some(name) = OTHERS.get(which)
        {
            left(&format!("table '{name}'"), "ip_tables");
        }
    }

    /// A call at level SOL_IPV6 is left to ip6_tables.
    pub(crate) fn ipv6_left(&self) {
        if self.is_new(IPV6) {
            left("IPv6", "ip6_tables");
        }
    }

    /// COMMAND has ended.
    pub(crate) fn end(&self) {
        if !self.asked.load(Ordering::Relaxed) {
            crate::log(
                "no call of iptables has come here: an iptables that is iptables-nft makes none \
                 (iptables -V says it), iptables-legacy does",
            );
        }
    }

    fn is_new(&self, bit: u8) -> bool {
        self.said.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

fn left(what: &str, to: &str) {
    crate::log(&format!(
        "{what} is left to the kernel's own {to}, if there is one: bpfilter-run has the table \
         'filter' of IPv4 alone, the module bpfilter has all, see bpfilter(7)"
    ));
}

/// The option of getsockopt at level SOL_IPV6 by which ip6tables begins. It is no option
/// of a socket: 64 stands for both families' GET_INFO.
pub(crate) const IPV6_BEGINS: std::ops::Range<u32> = msg::IPT_SO_GET_INFO..msg::IPT_SO_GET_INFO + 1;

#[cfg(test)]
mod tests {
    use umh_core::abi::{FILTER, TABLES};

    use super::OTHERS;

    #[test]
    fn others_are_all_tables_but_filter() {
        let of_ipv4 = TABLES.iter().filter(|table| table.family == FILTER.family);
        let mut names: Vec<&str> = of_ipv4.map(|table| table.name).collect();
        names.retain(|name| *name != FILTER.name);
        names.sort_unstable();
        let mut others = OTHERS;
        others.sort_unstable();
        assert_eq!(others.as_slice(), names);
    }
}

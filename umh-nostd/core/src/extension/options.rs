// SPDX-License-Identifier: GPL-2.0-only
//! Which option of the kernel's configuration brings a match or target.
//!
//! Owns: the names of these options, for those who build kernels. One that is in
//! no list here is not in Linux, as far as is known.

use crate::abi::{ExtensionKind, Family};
use crate::text::Text;

/// Matches whose option is their name in capitals behind `NETFILTER_XT_MATCH_`.
const MATCHES: &str = "addrtype bpf cgroup cluster comment connbytes connlabel connlimit conntrack cpu \
dccp devgroup dscp ecn esp hashlimit helper hl iprange ipcomp ipvs l2tp length limit mac multiport \
nfacct osf owner physdev pkttype policy quota rateest realm recent sctp socket state statistic string \
tcpmss time u32";
/// Likewise for targets, behind `NETFILTER_XT_TARGET_`.
const TARGETS: &str = "AUDIT CHECKSUM CLASSIFY CONNSECMARK CT DSCP HL HMARK IDLETIMER LED LOG \
MASQUERADE NETMAP NFLOG NFQUEUE RATEEST REDIRECT SECMARK TCPMSS TCPOPTSTRIP TEE TPROXY TRACE";
/// Others, each before its option. One that starts with `_` is behind `IP` or `IP6`.
/// That a kernel has all of these options is held by `tests/vm/options.sh`.
const OTHERS: &[(&str, &str)] = &[
    ("CONNMARK", "NETFILTER_XT_CONNMARK"),
    ("DNAT", "NETFILTER_XT_NAT"),
    ("DNPT", "IP6_NF_TARGET_NPT"),
    ("ECN", "IP_NF_TARGET_ECN"),
    ("MARK", "NETFILTER_XT_MARK"),
    ("NOTRACK", "NETFILTER_XT_TARGET_CT"),
    ("REJECT", "_NF_TARGET_REJECT"),
    ("SET", "NETFILTER_XT_SET"),
    ("SNAT", "NETFILTER_XT_NAT"),
    ("SNPT", "IP6_NF_TARGET_NPT"),
    ("SYNPROXY", "_NF_TARGET_SYNPROXY"),
    ("TOS", "NETFILTER_XT_TARGET_DSCP"),
    ("TTL", "NETFILTER_XT_TARGET_HL"),
    ("ah", "_NF_MATCH_AH"),
    ("connmark", "NETFILTER_XT_CONNMARK"),
    ("dst", "IP6_NF_MATCH_OPTS"),
    ("eui64", "IP6_NF_MATCH_EUI64"),
    ("frag", "IP6_NF_MATCH_FRAG"),
    ("hbh", "IP6_NF_MATCH_OPTS"),
    ("ipv6header", "IP6_NF_MATCH_IPV6HEADER"),
    ("mark", "NETFILTER_XT_MARK"),
    ("mh", "IP6_NF_MATCH_MH"),
    ("rt", "IP6_NF_MATCH_RT"),
    ("rpfilter", "_NF_MATCH_RPFILTER"),
    ("set", "NETFILTER_XT_SET"),
    ("srh", "IP6_NF_MATCH_SRH"),
    ("tos", "NETFILTER_XT_MATCH_DSCP"),
    ("ttl", "NETFILTER_XT_MATCH_HL"),
];

/// Adds ` (CONFIG_...)` for an extension whose option is known.
pub(crate) fn write(text: &mut Text, family: Family, kind: ExtensionKind, name: &[u8]) {
    let (list, prefix) = match kind {
        ExtensionKind::Match => (MATCHES, "NETFILTER_XT_MATCH_"),
        ExtensionKind::Target => (TARGETS, "NETFILTER_XT_TARGET_"),
    };
    if list.split(' ').any(|known| known.as_bytes() == name) {
        text.text(" (CONFIG_").text(prefix);
        for byte in name {
            text.bytes(&[byte.to_ascii_uppercase()]);
        }
        text.text(")");
        return;
    }
    let mut others = OTHERS.iter();
    if let Some((_, option)) = others.find(|(known, _)| known.as_bytes() == name) {
        text.text(" (CONFIG_");
        if option.starts_with('_') {
            text.text(match family {
                Family::Ipv4 => "IP",
                Family::Ipv6 => "IP6",
            });
        }
        text.text(option).text(")");
    }
}

/// Those that bpfilter refuses in some or all rules, though x_tables may have them.
pub(crate) const NOT_DONE: [&[u8]; 2] = [b"bpf", b"cgroup"];

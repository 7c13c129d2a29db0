// SPDX-License-Identifier: GPL-2.0-only
//! The C headers and the Rust types are one format: `msgfmt.h`, and the
//! kernel's `linux/bpfilter.h`.
//!
//! A C program that includes a header is compiled and run. It prints the
//! size, and the offset and size of every member, of every structure, and the
//! value of every constant; the Rust side must print the very same lines.
//! Both lists are made from one here, and the header itself is searched for
//! names that are missing in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by a panic"
)]

mod facts;

use std::mem::offset_of;

use bpfilter_msgfmt as msg;
use facts::{Facts, printed, size_of_field};

const MSGFMT: &str = include_str!("../include/msgfmt.h");
const UAPI: &str = include_str!("../../kern/include/uapi/linux/bpfilter.h");

macro_rules! structure {
    ($facts:ident, $c:ident = $rust:ident { $($field:ident),* $(,)? }) => {
        // The pattern has no `..`: a field that is not listed fails to compile.
        let _ = |msg::$rust { $($field: _),* }| ();
        let c = concat!("struct ", stringify!($c));
        $facts.fact(&format!("sizeof({c})"), size_of::<msg::$rust>() as u64);
        $(
            let field = stringify!($field);
            $facts.fact(&format!("offsetof({c}, {field})"), offset_of!(msg::$rust, $field) as u64);
            let size = size_of_field(|value: &msg::$rust| &value.$field);
            $facts.fact(&format!("sizeof((({c} *)0)->{field})"), size as u64);
        )*
    };
}

fn msgfmt() -> Facts {
    let mut facts = Facts::default();
    structure!(
        facts,
        bpfilter_request = Request {
            addr,
            len,
            is_set,
            cmd,
            pid
        }
    );
    structure!(facts, bpfilter_reply = Reply { status });
    structure!(
        facts,
        bpfilter_generation = Generation {
            family,
            table,
            reads,
            prog,
            policy,
            hook_entry,
            underflow,
            counters,
            image,
            packets,
            counters_row,
            packet_size,
            flags,
            summary
        }
    );
    structure!(
        facts,
        bpfilter_summary = Summary {
            map_bytes,
            entries,
            rules,
            chains,
            tuples,
            hashed,
            listed
        }
    );
    structure!(
        facts,
        bpfilter_refusal = Refusal {
            family,
            table,
            kind,
            len,
            text
        }
    );
    structure!(
        facts,
        bpfilter_machine = Machine {
            reads,
            cpus,
            reserved
        }
    );
    structure!(
        facts,
        bpfilter_extension = Extension {
            family,
            table,
            entry,
            offset
        }
    );
    structure!(
        facts,
        bpfilter_packet = Packet {
            descriptor,
            position,
            underflow,
            answer,
            call,
            depth,
            hotdrop,
            len,
            cpu,
            header,
            ports,
            transport,
            pad,
            addresses,
            input,
            output,
            field,
            time
        }
    );
    structure!(
        facts,
        bpfilter_optval = Optval {
            len,
            error,
            file,
            family,
            layout,
            head
        }
    );
    structure!(
        facts,
        bpfilter_extension_name = ExtensionName {
            family,
            is_target,
            name,
            revision,
            reserved
        }
    );
    structure!(facts, bpfilter_answer = Answer { to, from, len });
    structure!(
        facts,
        bpfilter_boot_rules = BootRules {
            magic,
            tables,
            size
        }
    );
    structure!(
        facts,
        bpfilter_boot_table = BootTable { family, table, len }
    );
    facts.constants(&[
        ("BPFILTER_BOOT_MAGIC", msg::BOOT_MAGIC.into()),
        ("BPFILTER_CMD_PING", msg::CMD_PING.into()),
        ("BPFILTER_SO_BASE", msg::SO_BASE.into()),
        ("BPFILTER_SO_COMMIT", msg::SO_COMMIT.into()),
        ("BPFILTER_SO_RECOVER", msg::SO_RECOVER.into()),
        ("BPFILTER_SO_MATCHES", msg::SO_MATCHES.into()),
        ("BPFILTER_SO_TARGETS", msg::SO_TARGETS.into()),
        ("BPFILTER_SO_EXTENSION", msg::SO_EXTENSION.into()),
        ("BPFILTER_SO_MATCHES6", msg::SO_MATCHES6.into()),
        ("BPFILTER_SO_TARGETS6", msg::SO_TARGETS6.into()),
        ("BPFILTER_SO_MACHINE", msg::SO_MACHINE.into()),
        ("BPFILTER_SO_OPTVAL", msg::SO_OPTVAL.into()),
        ("BPFILTER_SO_ANSWER", msg::SO_ANSWER.into()),
        ("BPFILTER_SO_REFUSED", msg::SO_REFUSED.into()),
        ("BPFILTER_REFUSED_MALFORMED", msg::REFUSED_MALFORMED.into()),
        ("BPFILTER_REFUSED_UNKNOWN", msg::REFUSED_UNKNOWN.into()),
        ("BPFILTER_REFUSED_CHECK", msg::REFUSED_CHECK.into()),
        ("BPFILTER_REFUSED_PROGRAM", msg::REFUSED_PROGRAM.into()),
        ("BPFILTER_REFUSALS", msg::REFUSALS.into()),
        ("BPFILTER_REFUSAL_MAX", msg::REFUSAL_MAX as u64),
        ("BPFILTER_HEAD_MAX", msg::HEAD_MAX as u64),
        ("BPFILTER_SO_DATA_SIZE", msg::SO_DATA_SIZE.into()),
        ("BPFILTER_SO_MAX", msg::SO_MAX.into()),
        ("BPFILTER_LAYOUT_NATIVE", msg::LAYOUT_NATIVE.into()),
        ("BPFILTER_LAYOUT_32_ALIGN_4", msg::LAYOUT_32_ALIGN_4.into()),
        ("BPFILTER_LAYOUT_32_ALIGN_8", msg::LAYOUT_32_ALIGN_8.into()),
        ("BPFILTER_NAMES_MAX", msg::NAMES_MAX as u64),
        ("BPFILTER_NAME_MAX", msg::NAME_MAX as u64),
        ("BPFILTER_TABLE_RAW", msg::TABLE_RAW.into()),
        ("BPFILTER_TABLE_MANGLE", msg::TABLE_MANGLE.into()),
        ("BPFILTER_TABLE_NAT", msg::TABLE_NAT.into()),
        ("BPFILTER_TABLE_FILTER", msg::TABLE_FILTER.into()),
        ("BPFILTER_TABLE_SECURITY", msg::TABLE_SECURITY.into()),
        ("BPFILTER_TABLES", msg::TABLES.into()),
        ("BPFILTER_HOOKS", msg::HOOKS as u64),
        ("BPFILTER_IMAGE_ENTRIES", msg::IMAGE_ENTRIES as u64),
        ("BPFILTER_GEN_CONNTRACK", msg::GEN_CONNTRACK.into()),
        ("BPFILTER_GEN_IDS", msg::GEN_IDS.into()),
        ("BPFILTER_GEN_ACCOUNTING", msg::GEN_ACCOUNTING.into()),
        ("BPFILTER_GEN_ALL", msg::GEN_ALL.into()),
        ("BPFILTER_FIELD_SADDR", msg::field::SADDR.into()),
        ("BPFILTER_FIELD_DADDR", msg::field::DADDR.into()),
        ("BPFILTER_FIELD_PROTOCOL", msg::field::PROTOCOL.into()),
        ("BPFILTER_FIELD_SPORT", msg::field::SPORT.into()),
        ("BPFILTER_FIELD_DPORT", msg::field::DPORT.into()),
        ("BPFILTER_FIELD_TCP_FLAGS", msg::field::TCP_FLAGS.into()),
        ("BPFILTER_FIELD_MARK", msg::field::MARK.into()),
        ("BPFILTER_FIELD_LENGTH", msg::field::LENGTH.into()),
        ("BPFILTER_FIELD_TTL", msg::field::TTL.into()),
        ("BPFILTER_FIELD_TOS", msg::field::TOS.into()),
        ("BPFILTER_FIELD_PKTTYPE", msg::field::PKTTYPE.into()),
        ("BPFILTER_FIELD_CONNECTION", msg::field::CONNECTION.into()),
        ("BPFILTER_FIELD_MAC_FIRST", msg::field::MAC_FIRST.into()),
        ("BPFILTER_FIELD_MAC_LAST", msg::field::MAC_LAST.into()),
        ("BPFILTER_FIELD_CPU", msg::field::CPU.into()),
        ("BPFILTER_FIELD_IN_GROUP", msg::field::IN_GROUP.into()),
        ("BPFILTER_FIELD_OUT_GROUP", msg::field::OUT_GROUP.into()),
        ("BPFILTER_FIELD_REALM", msg::field::REALM.into()),
        ("BPFILTER_FIELD_CONNMARK", msg::field::CONNMARK.into()),
        ("BPFILTER_FIELDS", msg::FIELDS as u64),
        ("BPFILTER_MAC_PRESENT", msg::MAC_PRESENT.into()),
        ("BPFILTER_CT_ORIGINAL", msg::CT_ORIGINAL.into()),
        ("BPFILTER_CT_PRESENT", msg::CT_PRESENT.into()),
        ("BPFILTER_READS_FIELDS", msg::reads::FIELDS),
        ("BPFILTER_READS_IN", msg::reads::IN),
        ("BPFILTER_READS_OUT", msg::reads::OUT),
        ("BPFILTER_READS_TRANSPORT", msg::reads::TRANSPORT),
        ("BPFILTER_READS_TIME", msg::reads::TIME),
        ("BPFILTER_PACKET_FRAGMENT", msg::PACKET_FRAGMENT),
        ("BPFILTER_PACKET_TRANSPORT", msg::PACKET_TRANSPORT),
        ("BPFILTER_PACKET_SPORT", msg::PACKET_SPORT.into()),
        ("BPFILTER_PACKET_DPORT", msg::PACKET_DPORT.into()),
        ("BPFILTER_HEADER_PRESENT", msg::HEADER_PRESENT.into()),
        ("BPFILTER_HEADER_ABSENT", msg::HEADER_ABSENT.into()),
        ("BPFILTER_HEADER_MALFORMED", msg::HEADER_MALFORMED.into()),
        ("BPFILTER_HEADER_BROKEN", msg::HEADER_BROKEN.into()),
        ("BPFILTER_LEVELS", msg::LEVELS.into()),
        ("BPFILTER_DROP", msg::DROP.into()),
        ("BPFILTER_ACCEPT", msg::ACCEPT.into()),
        ("BPFILTER_CALL", msg::CALL.into()),
        ("BPFILTER_TRACE", msg::TRACE.into()),
        ("BPFILTER_ANSWER_NONE", msg::ANSWER_NONE.into()),
        ("BPFILTER_ANSWER_NO", msg::ANSWER_NO.into()),
        ("BPFILTER_ANSWER_YES", msg::ANSWER_YES.into()),
        ("BPFILTER_ANSWER_ANEW", msg::ANSWER_ANEW.into()),
        ("BPFILTER_POSITION_TOLD", msg::POSITION_TOLD.into()),
        ("BPFILTER_CPU_TRACED", msg::CPU_TRACED.into()),
    ]);
    facts
}

fn uapi() -> Facts {
    let mut facts = Facts::default();
    facts.constants(&[
        (
            "BPFILTER_IPT_SO_SET_REPLACE",
            msg::IPT_SO_SET_REPLACE.into(),
        ),
        (
            "BPFILTER_IPT_SO_SET_ADD_COUNTERS",
            msg::IPT_SO_SET_ADD_COUNTERS.into(),
        ),
        ("BPFILTER_IPT_SET_MAX", msg::IPT_SET_MAX.into()),
        ("BPFILTER_IPT_SO_GET_INFO", msg::IPT_SO_GET_INFO.into()),
        (
            "BPFILTER_IPT_SO_GET_ENTRIES",
            msg::IPT_SO_GET_ENTRIES.into(),
        ),
        (
            "BPFILTER_IPT_SO_GET_REVISION_MATCH",
            msg::IPT_SO_GET_REVISION_MATCH.into(),
        ),
        (
            "BPFILTER_IPT_SO_GET_REVISION_TARGET",
            msg::IPT_SO_GET_REVISION_TARGET.into(),
        ),
        ("BPFILTER_IPT_GET_MAX", msg::IPT_GET_MAX.into()),
        (
            "BPFILTER_IP6T_SO_GET_REVISION_MATCH",
            msg::IP6T_SO_GET_REVISION_MATCH.into(),
        ),
        (
            "BPFILTER_IP6T_SO_GET_REVISION_TARGET",
            msg::IP6T_SO_GET_REVISION_TARGET.into(),
        ),
        ("BPFILTER_IP6T_GET_MAX", msg::IP6T_GET_MAX.into()),
    ]);
    facts
}

#[test]
fn the_headers_say_what_the_types_say() {
    for (name, header, facts) in [("msgfmt", MSGFMT, msgfmt()), ("uapi", UAPI, uapi())] {
        assert_eq!(printed(name, header, &facts), facts.rust);
    }
}

#[test]
fn the_headers_say_nothing_else() {
    for (header, facts) in [(MSGFMT, msgfmt()), (UAPI, uapi())] {
        for line in header.lines() {
            let mut words = line.split_whitespace();
            let name = match (words.next(), words.next(), words.next()) {
                (Some("#define"), Some(name), Some(_))
                | (Some("struct"), Some(name), Some("{")) => name,
                (Some(name), value, None | Some(_))
                    if name.starts_with("BPFILTER_")
                        && (value == Some("=") || name.ends_with(',')) =>
                {
                    name.trim_end_matches(',')
                }
                _ => continue,
            };
            let compared = facts.rust.lines().any(|line| {
                line.starts_with(&format!("{name} "))
                    || line.starts_with(&format!("sizeof(struct {name}) "))
            });
            assert!(compared, "{name} is not compared");
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The types and constants are those of the kernel's `linux/bpf.h` and
//! `linux/btf.h`, as this machine has them.
//!
//! What is newer than netfilter links (Linux 6.4) is compared only with headers that
//! have it; with older ones, that `bpfilter-run` can attach its links at all is what
//! holds it. Nothing has the layout of types in BTF (Linux 7.2) yet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by a panic"
)]

#[path = "../../msgfmt/tests/facts/mod.rs"]
mod facts;

use std::mem::offset_of;

use bpf_abi::{Command, Insn, attr, btf, map_type};
use facts::{Facts, printed, size_of_field};

const HEADERS: &str =
    "#include <linux/bpf.h>\n#include <linux/btf.h>\n#include <linux/version.h>\n";

/// The members of a C type: each of ours stands where the kernel's does and has its
/// size. `_` is one that the kernel has no name for.
macro_rules! members {
    ($facts:ident, $c:literal, $module:ident::$rust:ident { $($field:ident = $of_c:tt),* $(,)? }) => {
        // The pattern has no `..`: a field that is not listed fails to compile.
        let _ = |$module::$rust { $($field: _),* }| ();
        $(members!(@ $facts, $c, $module::$rust, $field, $of_c);)*
    };
    (@ $facts:ident, $c:literal, $module:ident::$rust:ident, $field:ident, _) => {};
    (@ $facts:ident, $c:literal, $module:ident::$rust:ident, $field:ident, $of_c:literal) => {
        $facts.fact(
            concat!("offsetof(", $c, ", ", $of_c, ")"),
            offset_of!($module::$rust, $field) as u64,
        );
        let size = size_of_field(|value: &$module::$rust| &value.$field);
        $facts.fact(concat!("sizeof(((", $c, " *)0)->", $of_c, ")"), size as u64);
    };
}

fn attributes(facts: &mut Facts) {
    members!(facts, "union bpf_attr", attr::MapCreate {
        map_type = "map_type",
        key_size = "key_size",
        value_size = "value_size",
        max_entries = "max_entries",
        map_flags = "map_flags",
        inner_map_fd = "inner_map_fd",
        numa_node = "numa_node",
        map_name = "map_name",
        map_ifindex = "map_ifindex",
        btf_fd = "btf_fd",
        btf_key_type_id = "btf_key_type_id",
        btf_value_type_id = "btf_value_type_id",
    });
    members!(facts, "union bpf_attr", attr::MapElem {
        map_fd = "map_fd",
        pad = _,
        key = "key",
        value = "value",
        flags = "flags",
    });
    members!(facts, "union bpf_attr", attr::MapBatch {
        in_batch = "batch.in_batch",
        out_batch = "batch.out_batch",
        keys = "batch.keys",
        values = "batch.values",
        count = "batch.count",
        map_fd = "batch.map_fd",
        elem_flags = "batch.elem_flags",
        flags = "batch.flags",
    });
    members!(facts, "union bpf_attr", attr::ProgLoad {
        prog_type = "prog_type",
        insn_cnt = "insn_cnt",
        insns = "insns",
        license = "license",
        log_level = "log_level",
        log_size = "log_size",
        log_buf = "log_buf",
        kern_version = "kern_version",
        prog_flags = "prog_flags",
        prog_name = "prog_name",
        prog_ifindex = "prog_ifindex",
        expected_attach_type = "expected_attach_type",
        prog_btf_fd = "prog_btf_fd",
        func_info_rec_size = "func_info_rec_size",
        func_info = "func_info",
        func_info_cnt = "func_info_cnt",
        line_info_rec_size = "line_info_rec_size",
    });
    members!(facts, "union bpf_attr", attr::TestRun {
        prog_fd = "test.prog_fd",
        retval = "test.retval",
        data_size_in = "test.data_size_in",
        data_size_out = "test.data_size_out",
        data_in = "test.data_in",
        data_out = "test.data_out",
        repeat = "test.repeat",
        duration = "test.duration",
        ctx_size_in = "test.ctx_size_in",
        ctx_size_out = "test.ctx_size_out",
        ctx_in = "test.ctx_in",
        ctx_out = "test.ctx_out",
        flags = "test.flags",
        cpu = "test.cpu",
        batch_size = "test.batch_size",
        pad = _,
    });
    members!(facts, "union bpf_attr", attr::BtfLoad {
        btf = "btf",
        btf_log_buf = "btf_log_buf",
        btf_size = "btf_size",
        btf_log_size = "btf_log_size",
    });
    members!(facts, "union bpf_attr", attr::ById {
        id = "btf_id",
        next_id = "next_id",
        open_flags = "open_flags",
    });
    members!(facts, "union bpf_attr", attr::GetInfo {
        bpf_fd = "info.bpf_fd",
        info_len = "info.info_len",
        info = "info.info",
    });
}

fn structures(facts: &mut Facts) {
    members!(facts, "struct bpf_func_info", attr::FuncInfo {
        insn_off = "insn_off",
        type_id = "type_id",
    });
    members!(facts, "struct bpf_map_info", attr::MapInfo {
        map_type = "type",
        id = "id",
    });
    members!(facts, "struct bpf_btf_info", attr::BtfInfo {
        btf = "btf",
        btf_size = "btf_size",
        id = "id",
        name = "name",
        name_len = "name_len",
        kernel_btf = "kernel_btf",
    });
    members!(facts, "struct btf_header", btf::Header {
        magic = "magic",
        version = "version",
        flags = "flags",
        hdr_len = "hdr_len",
        type_off = "type_off",
        type_len = "type_len",
        str_off = "str_off",
        str_len = "str_len",
    });
    members!(facts, "struct btf_type", btf::Type {
        name_off = "name_off",
        info = "info",
        size_or_type = "size",
    });
    members!(facts, "struct btf_array", btf::Array {
        ty = "type",
        index_type = "index_type",
        nelems = "nelems",
    });
    members!(facts, "struct btf_member", btf::Member {
        name_off = "name_off",
        ty = "type",
        offset = "offset",
    });
    members!(facts, "struct btf_enum", btf::Enum {
        name_off = "name_off",
        val = "val",
    });
    for (c, size) in [
        ("struct bpf_insn", size_of::<Insn>()),
        ("struct bpf_func_info", size_of::<attr::FuncInfo>()),
        ("struct bpf_btf_info", size_of::<attr::BtfInfo>()),
        ("struct btf_type", size_of::<btf::Type>()),
        ("struct btf_array", size_of::<btf::Array>()),
        ("struct btf_member", size_of::<btf::Member>()),
        ("struct btf_enum", size_of::<btf::Enum>()),
    ] {
        facts.fact(&format!("sizeof({c})"), size as u64);
    }
}

fn constants(facts: &mut Facts) {
    let commands = [
        ("BPF_MAP_CREATE", Command::MapCreate),
        ("BPF_MAP_LOOKUP_ELEM", Command::MapLookupElem),
        ("BPF_MAP_UPDATE_ELEM", Command::MapUpdateElem),
        ("BPF_MAP_DELETE_ELEM", Command::MapDeleteElem),
        ("BPF_PROG_LOAD", Command::ProgLoad),
        ("BPF_PROG_TEST_RUN", Command::ProgTestRun),
        ("BPF_MAP_GET_FD_BY_ID", Command::MapGetFdById),
        ("BPF_OBJ_GET_INFO_BY_FD", Command::ObjGetInfoByFd),
        ("BPF_BTF_LOAD", Command::BtfLoad),
        ("BPF_BTF_GET_FD_BY_ID", Command::BtfGetFdById),
        ("BPF_BTF_GET_NEXT_ID", Command::BtfGetNextId),
        ("BPF_MAP_UPDATE_BATCH", Command::MapUpdateBatch),
        ("BPF_LINK_CREATE", Command::LinkCreate),
    ];
    facts.constants(&commands.map(|(name, command)| (name, command as u64)));
    let others = [
        ("BPF_MAP_TYPE_HASH", map_type::HASH),
        ("BPF_MAP_TYPE_ARRAY", map_type::ARRAY),
        ("BPF_MAP_TYPE_PROG_ARRAY", map_type::PROG_ARRAY),
        ("BPF_MAP_TYPE_PERCPU_ARRAY", map_type::PERCPU_ARRAY),
        ("BPF_MAP_TYPE_ARRAY_OF_MAPS", map_type::ARRAY_OF_MAPS),
        ("BPF_F_NO_PREALLOC", bpf_abi::F_NO_PREALLOC),
        ("BPF_F_MMAPABLE", bpf_abi::F_MMAPABLE),
        ("BPF_PROG_TYPE_SCHED_CLS", bpf_abi::PROG_TYPE_SCHED_CLS),
        ("BTF_MAGIC", btf::Header::MAGIC.into()),
        ("BTF_VERSION", btf::Header::VERSION.into()),
        ("BTF_KIND_INT", btf::kind::INT),
        ("BTF_KIND_PTR", btf::kind::PTR),
        ("BTF_KIND_ARRAY", btf::kind::ARRAY),
        ("BTF_KIND_STRUCT", btf::kind::STRUCT),
        ("BTF_KIND_UNION", btf::kind::UNION),
        ("BTF_KIND_ENUM", btf::kind::ENUM),
        ("BTF_KIND_TYPEDEF", btf::kind::TYPEDEF),
        ("BTF_KIND_VOLATILE", btf::kind::VOLATILE),
        ("BTF_KIND_CONST", btf::kind::CONST),
        ("BTF_KIND_RESTRICT", btf::kind::RESTRICT),
        ("BTF_KIND_FUNC", btf::kind::FUNC),
        ("BTF_KIND_FUNC_PROTO", btf::kind::FUNC_PROTO),
        ("BTF_KIND_VAR", btf::kind::VAR),
        ("BTF_KIND_DATASEC", btf::kind::DATASEC),
        ("BTF_KIND_DECL_TAG", btf::kind::DECL_TAG),
        ("BTF_KIND_TYPE_TAG", btf::kind::TYPE_TAG),
        ("BTF_KIND_ENUM64", btf::kind::ENUM64),
        ("(BTF_INT_SIGNED << 24)", btf::INT_SIGNED),
    ];
    facts.constants(&others.map(|(name, value)| (name, value.into())));
}

/// What came with netfilter links.
fn links(facts: &mut Facts) {
    facts.fact(
        "BPF_PROG_TYPE_NETFILTER",
        bpf_abi::PROG_TYPE_NETFILTER.into(),
    );
    facts.fact("BPF_NETFILTER", bpf_abi::ATTACH_NETFILTER.into());
    members!(facts, "union bpf_attr", attr::LinkCreate {
        prog_fd = "link_create.prog_fd",
        target_fd = "link_create.target_fd",
        attach_type = "link_create.attach_type",
        flags = "link_create.flags",
        pf = "link_create.netfilter.pf",
        hooknum = "link_create.netfilter.hooknum",
        priority = "link_create.netfilter.priority",
        netfilter_flags = "link_create.netfilter.flags",
    });
}

#[test]
fn the_types_are_the_kernels() {
    let mut version = Facts::default();
    version.fact("LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)", 1);
    let has_links = printed("bpf-version", HEADERS, &version) == version.rust;

    let mut facts = Facts::default();
    attributes(&mut facts);
    structures(&mut facts);
    constants(&mut facts);
    if has_links {
        links(&mut facts);
    }
    assert_eq!(printed("bpf", HEADERS, &facts), facts.rust);
}

// SPDX-License-Identifier: GPL-2.0-only
//! What bpf(2) commands take, and what they give back.
//!
//! Owns: the members of `union bpf_attr`, each as far as it is used: what is
//! shorter than the union is zero behind its end. Descriptors are signed here,
//! as everywhere but in the kernel's header.
#![allow(missing_docs, reason = "the kernel's names, explained in its header")]

structures! {
    /// For `MAP_CREATE`.
    MapCreate {
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        map_flags: u32,
        inner_map_fd: i32,
        numa_node: u32,
        map_name: [u8; 16],
        map_ifindex: u32,
        btf_fd: i32,
        btf_key_type_id: u32,
        btf_value_type_id: u32,
    }

    /// For `MAP_LOOKUP_ELEM`, `MAP_UPDATE_ELEM` and `MAP_DELETE_ELEM`.
    MapElem {
        map_fd: i32,
        pad: u32,
        key: u64,
        value: u64,
        flags: u64,
    }

    /// For `MAP_UPDATE_BATCH`, which writes to it.
    MapBatch {
        in_batch: u64,
        out_batch: u64,
        keys: u64,
        values: u64,
        count: u32,
        map_fd: i32,
        elem_flags: u64,
        flags: u64,
    }

    /// For `PROG_LOAD`.
    ProgLoad {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
        prog_name: [u8; 16],
        prog_ifindex: u32,
        expected_attach_type: u32,
        prog_btf_fd: i32,
        func_info_rec_size: u32,
        func_info: u64,
        func_info_cnt: u32,
        line_info_rec_size: u32,
    }

    /// `struct bpf_func_info`, of which `ProgLoad::func_info` is an array.
    FuncInfo {
        insn_off: u32,
        type_id: u32,
    }

    /// For `PROG_TEST_RUN`, which writes to it.
    TestRun {
        prog_fd: i32,
        retval: u32,
        data_size_in: u32,
        data_size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
        ctx_size_in: u32,
        ctx_size_out: u32,
        ctx_in: u64,
        ctx_out: u64,
        flags: u32,
        cpu: u32,
        batch_size: u32,
        pad: u32,
    }

    /// For `BTF_LOAD`.
    BtfLoad {
        btf: u64,
        btf_log_buf: u64,
        btf_size: u32,
        btf_log_size: u32,
    }

    /// For `BTF_GET_NEXT_ID`, which writes to it, `BTF_GET_FD_BY_ID` and
    /// `MAP_GET_FD_BY_ID`.
    ById {
        id: u32,
        next_id: u32,
        open_flags: u32,
    }

    /// For `OBJ_GET_INFO_BY_FD`.
    GetInfo {
        bpf_fd: i32,
        info_len: u32,
        info: u64,
    }

    /// `struct bpf_map_info`, as far as it is of use.
    MapInfo {
        map_type: u32,
        id: u32,
    }

    /// `struct bpf_btf_info`.
    BtfInfo {
        btf: u64,
        btf_size: u32,
        id: u32,
        name: u64,
        name_len: u32,
        kernel_btf: u32,
    }

    /// For `LINK_CREATE` of a netfilter link.
    LinkCreate {
        prog_fd: i32,
        target_fd: i32,
        attach_type: u32,
        flags: u32,
        pf: u32,
        hooknum: u32,
        priority: i32,
        netfilter_flags: u32,
    }
}

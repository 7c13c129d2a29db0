// SPDX-License-Identifier: GPL-2.0-only
//! The format of BTF.
//!
//! Owns: the header and the records that types consist of, as `btf.h` has
//! them, in the form of Linux 7.2: before it the upper two bits of a kind and
//! the upper eight of a number of members were zero, and there was no
//! [`Layout`]. A record is a [`Type`] and what follows it.
#![allow(missing_docs, reason = "the kernel's names, explained in its header")]

/// `BTF_KIND_*`.
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// `BTF_INT_SIGNED`, where [`Int::encoding`] has it.
pub const INT_SIGNED: u32 = 1 << 24;

structures! {
    /// `struct btf_header` as all kernels have it. `hdr_len` says whether there
    /// is more, such as [`LayoutSection`]; offsets count from its end.
    Header {
        magic: u16,
        version: u8,
        flags: u8,
        hdr_len: u32,
        type_off: u32,
        type_len: u32,
        str_off: u32,
        str_len: u32,
    }

    /// What Linux 7.2 has added to the header.
    LayoutSection {
        layout_off: u32,
        layout_len: u32,
    }

    /// `struct btf_layout`: bytes that follow a type of a kind, once and for
    /// each member. The section has one for each kind, starting with kind 0.
    Layout {
        info_sz: u8,
        elem_sz: u8,
        flags: u16,
    }

    /// `struct btf_type`.
    Type {
        name_off: u32,
        info: u32,
        size_or_type: u32,
    }

    /// An integer's bits and how they are to be read, behind its type.
    Int {
        encoding: u32,
    }

    /// `struct btf_array`.
    Array {
        ty: u32,
        index_type: u32,
        nelems: u32,
    }

    /// `struct btf_member`, of a structure or union.
    Member {
        name_off: u32,
        ty: u32,
        offset: u32,
    }

    /// `struct btf_enum`.
    Enum {
        name_off: u32,
        val: u32,
    }
}

impl Header {
    /// `BTF_MAGIC`.
    pub const MAGIC: u16 = 0xeb9f;
    /// `BTF_VERSION`.
    pub const VERSION: u8 = 1;

    /// Of BTF that consists of this, types, and strings.
    pub const fn new(type_len: u32, str_len: u32) -> Self {
        Self {
            magic: Self::MAGIC,
            version: Self::VERSION,
            flags: 0,
            hdr_len: size_of::<Self>() as u32,
            type_off: 0,
            type_len,
            str_off: type_len,
            str_len,
        }
    }
}

impl Type {
    /// Of a kind, with so many members.
    pub const fn new(name_off: u32, kind: u32, vlen: u32, size_or_type: u32) -> Self {
        Self {
            name_off,
            info: kind << 24 | vlen,
            size_or_type,
        }
    }

    /// One of [`kind`], or one that is not known here.
    pub const fn kind(&self) -> u32 {
        self.info >> 24 & 0x7f
    }

    /// How many members.
    pub const fn vlen(&self) -> usize {
        (self.info & 0xff_ffff) as usize
    }

    /// What it means depends on the kind: in structures, that members can be
    /// bit fields.
    pub const fn kind_flag(&self) -> bool {
        self.info >> 31 != 0
    }
}

impl Member {
    /// Its offset in bits.
    pub const fn bit_offset(&self, kind_flag: bool) -> u32 {
        // The upper byte is the size of a bit field.
        if kind_flag {
            self.offset & 0xff_ffff
        } else {
            self.offset
        }
    }
}

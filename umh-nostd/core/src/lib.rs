// SPDX-License-Identifier: GPL-2.0-only
//! The helper's pure half: from the bytes of a request to the programs that
//! filter packets.
//!
//! Owns: what the bytes of a request mean, what a table is, and what program
//! it becomes. Promises: no system calls, no `unsafe`, no allocation and no
//! panic on any input; everything here can be tested on a host. Leaves to the
//! helper proper: pipes, the caller's memory, descriptors and the kernel.
//!
//! # The way of a table
//!
//! ```text
//! struct ipt_replace and its entries, untrusted caller data
//!   | table::Table::check     every check of REPLACE, in the order of ip_tables
//!   v                         (the matches' and targets' own: extension)
//! table::Table                a table that can be trusted
//!   | plan::Plan::new, write  each entry becomes a record and ops (ir), as its
//!   v                         matches say (extension); then the index
//! plan::Ruleset               the contents of the programs' maps
//!   | program::build          what the rules need of the kernel (target)
//!   v
//! program::Insn               the BPF program of a hook; in a kernel, of all hooks
//!                             that have rules
//! ```
//!
//! # The layers
//!
//! A module uses only those that stand above it in this file;
//! `tests/layers.rs` holds that.
//!
//! | module | what it owns |
//! |---|---|
//! | [`errno`], [`fault`] | errors, for programs and in words |
//! | [`text`], [`arena`], `bytes` | lines, working memory, reads and writes that cannot panic |
//! | [`abi`] | the structures, constants and tables of the iptables interface |
//! | [`command`] | what a request asks for, as far as its numbers tell |
//! | [`target`] | what the running kernel offers |
//! | [`ir`] | rules as data: records, ops, and the draft that extensions write to |
//! | [`extension`] | one file for each match and target |
//! | [`table`] | the checks of a table, and its form at rest |
//! | [`plan`] | what the programs search: rules lowered to `ir`, and their index |
//! | [`program`] | the programs, instruction by instruction |
//!
//! # Glossary
//!
//! The field's terms have the field's meaning: table, hook, chain, rule, match,
//! target, verdict, policy, counters. Beside them:
//!
//! - *Entry*: a `struct ipt_entry`: a rule, a policy or the head of a chain. The
//!   position of a packet is the index of an entry.
//! - *Extension*: a match or a target of one name and revision.
//! - *Kernel extension*: one of x_tables, which the kernel half finds, checks and
//!   runs when it is called by a number; there is no code for it here.
//! - *Links*: netfilter links of bpf(2), by which `bpfilter-run` has programs run.
//!   What only they need is behind the feature `links`.
//! - *Packet record*: all that is known of a packet, `struct bpfilter_packet`: the
//!   kernel half fills it in, or the program where there is none. Behind it is what
//!   the program keeps, return positions among them.
//! - *Packet descriptor*: what all rules are compared with: both addresses, and a
//!   64-bit *class word* of protocol, ports and predicates.
//! - *Call*: the program ends, the kernel half runs a match or target, and runs
//!   the program again.
//! - *Predicate*: a question whose answer has a bit in the class word because many
//!   rules may ask it: it is answered once for each packet.
//! - *Record*, or rule record: what a rule demands of the packet descriptor, as a mask and a value
//!   of each word (a ternary match), and what happens then.
//! - *Op*: one question that does not fit into a record, or an action. The ops of
//!   a rule are interpreted in the order of its matches.
//! - *State*: what an op keeps from packet to packet, in the state map.
//! - *Malformed packet*: one that a match must drop, because its transport header
//!   is cut off or it is a TCP fragment at offset 1.
//! - *Index*: which rules a packet need not be compared with. It only leaves out;
//!   whatever it finds is compared with its record.
//! - *Tuple*: a pair of masks that the records of some rules share. One of many
//!   rules has a hash table (tuple-space search).
//! - *Rule bitmap*: for one value of some eight bits of a packet, a bit for each
//!   rule that allows it (bit vector). Its *aggregate* has a bit for each word of
//!   it that is not zero.
//! - *Row*, of the counter map: the counters that one CPU adds to.
//! - *Named table*: what `recent` and `hashlimit` remember, shared by the rules
//!   that name it.
//! - *Image*: a checked table at rest: the bytes that GET_ENTRIES gives back.
//! - *Generation*: the image, counters and programs in force in a namespace.
#![no_std]
#![forbid(unsafe_code)]

pub mod errno;

pub mod fault;

pub mod text;

pub mod arena;

mod bytes;

pub mod abi;

pub mod command;

pub mod target;

pub mod ir;

pub mod extension;

pub mod table;

pub mod plan;

pub mod program;

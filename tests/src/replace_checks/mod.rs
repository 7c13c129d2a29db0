// SPDX-License-Identifier: GPL-2.0-only
//! The rules of REPLACE, one request for each.
//!
//! Owns: requests that break exactly one rule and the errno that ip_tables
//! gives them, requests that break two, where it matters which one is
//! noticed, and odd ones that are accepted all the same.

use std::mem::offset_of;

use umh_core::abi::{
    Entry, ExtensionHeader, IPT_F_GOTO, IPT_INV_PROTO, IptIp, VERDICT_ACCEPT, VERDICT_DROP,
    VERDICT_RETURN,
};
use umh_core::target::{Features, Host};
use zerocopy::FromZeros;

use crate::blob::mutate::Mutant;
use crate::blob::{Blob, Chain, ENTRY, EXTENSION, Extension, Rule, Table, Target};
use crate::client::sockopt::{Call, Outcome, errno_name};
use crate::oracle::judge::{self, Verdict};

/// A request and what it comes to.
#[derive(Clone, Debug)]
pub struct Row {
    /// The rule that it breaks, or the oddity that it shows.
    pub what: &'static str,
    /// What ip_tables says; 0 if it takes it.
    pub errno: i32,
    /// The rule is young: kernels that have not got it take the request.
    pub young: bool,
    /// Header and entries. A `num_counters` of [`CURRENT`] stands for the
    /// number of entries that the table has.
    pub blob: Blob,
    /// How much longer the length is than header and entries.
    pub more: i32,
}

impl Row {
    /// The request, for a table that has `current` entries now.
    pub fn request(&self, current: u32) -> Mutant {
        let mut blob = self.blob.clone();
        if blob.header.num_counters == CURRENT {
            blob.header.num_counters = current;
        }
        let mutant = Mutant::new(&blob);
        let len = mutant.len.wrapping_add_signed(self.more);
        Mutant { len, ..mutant }
    }
}

/// The rows with which something is wrong, and what.
fn failures(mut check: impl FnMut(&Row) -> Result<(), String>) -> Vec<String> {
    let failure = |row: &Row| {
        let said = check(row).err()?;
        let expected = errno_name(row.errno);
        Some(format!("{}: {said}, not {expected}", row.what))
    };
    rows().iter().filter_map(failure).collect()
}

/// What is wrong with a verdict on a row.
fn expect(row: &Row, verdict: &Verdict) -> Result<(), String> {
    match verdict {
        Verdict::Loaded(..) if row.errno == 0 => Ok(()),
        Verdict::Loaded(..) => Err("accepted".to_owned()),
        Verdict::Refused(errno) if *errno == row.errno => Ok(()),
        Verdict::Refused(errno) => Err(errno_name(*errno)),
    }
}

/// Asks the core all rows and returns what is wrong.
pub fn ask_core() -> Vec<String> {
    failures(|row| expect(row, &judge::judge(&HOST, &row.request(CURRENT), CURRENT)))
}

/// Asks the kernel's own ip_tables all rows, `call` being a call to a fresh
/// `filter` table, and returns what is wrong. What is loaded must be given
/// back as the core gives it back.
pub fn ask_kernel(mut call: impl FnMut(&Call) -> Outcome) -> Vec<String> {
    let mut current = CURRENT;
    failures(|row| {
        let request = row.request(current);
        let core = judge::judge(&HOST, &request, current);
        let verdict = judge::verdict_of(&mut call, &request);
        if let Verdict::Loaded(info, _) = &verdict {
            current = info.num_entries;
            if row.young {
                return Ok(());
            }
        }
        expect(row, &verdict)?;
        match verdict == core {
            true => Ok(()),
            false => Err("given back otherwise".to_owned()),
        }
    })
}

/// Everything that there is; no row depends on the tick.
const HOST: Host = Host {
    features: Features::ALL,
    hz: 250,
};

/// Stands for the number of entries of the present table.
pub const CURRENT: u32 = 4;

/// The entries of [`base`].
pub mod entry {
    /// INPUT: `-p tcp -m tcp --dport 80 -j chain`
    pub const TCP: usize = 0;
    /// INPUT: `-j DROP`
    pub const DROP: usize = 1;
    /// INPUT's policy
    pub const INPUT: usize = 2;
    /// FORWARD's policy
    pub const FORWARD: usize = 3;
    /// OUTPUT's policy
    pub const OUTPUT: usize = 4;
    /// The head of `chain`
    pub const HEAD: usize = 5;
    /// `-m comment` with no target
    pub const COMMENT: usize = 6;
    /// The end of `chain`
    pub const RETURN: usize = 7;
    /// The end of the table
    pub const END: usize = 8;
}

fn tcp() -> Rule {
    let mut ip = IptIp::new_zeroed();
    ip.proto = 6;
    Rule {
        ip,
        matches: vec![tcp_match(0)],
        target: Target::Jump(0),
    }
}

fn tcp_match(invert: u8) -> Extension {
    let mut data = [0, 0, 0xff, 0xff, 80, 0, 80, 0, 0, 0, 0, invert];
    data[2..4].copy_from_slice(&u16::MAX.to_ne_bytes());
    Extension::new("tcp", 0, data)
}

fn table() -> Table {
    let comment = Rule {
        ip: IptIp::new_zeroed(),
        matches: vec![Extension::new("comment", 0, [b'x'; 256])],
        target: Target::Next,
    };
    Table {
        builtin: [
            vec![tcp(), Rule::any(Target::Verdict(VERDICT_DROP))],
            Vec::new(),
            Vec::new(),
        ],
        policy: [VERDICT_ACCEPT; 3],
        chains: vec![Chain {
            name: "chain".to_owned(),
            rules: vec![comment],
        }],
    }
}

/// A small valid request, the start of most others; its entries are those of
/// [`entry`].
pub fn base() -> Blob {
    table().blob()
}

const FLAGS: usize = offset_of!(IptIp, flags);
const INVFLAGS: usize = offset_of!(IptIp, invflags);
const PROTO: usize = offset_of!(IptIp, proto);
const TARGET_OFFSET: usize = offset_of!(Entry, target_offset);
const NEXT_OFFSET: usize = offset_of!(Entry, next_offset);
const NAME: usize = offset_of!(ExtensionHeader, name);
const REVISION: usize = offset_of!(ExtensionHeader, revision);

impl Blob {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.entries[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts bytes at a place of an entry.
    fn field(&mut self, number: usize, field: usize, bytes: &[u8]) {
        let start = self.offsets[number];
        self.put(start + field, bytes);
    }

    fn field16(&mut self, number: usize, field: usize, value: u16) {
        self.field(number, field, &value.to_ne_bytes());
    }

    fn get16(&self, number: usize, field: usize) -> u16 {
        let at = self.offsets[number] + field;
        u16::from_ne_bytes([self.entries[at], self.entries[at + 1]])
    }

    /// Puts bytes at a place of an entry's target.
    fn target(&mut self, number: usize, field: usize, bytes: &[u8]) {
        let target = usize::from(self.get16(number, TARGET_OFFSET));
        self.field(number, target + field, bytes);
    }

    fn verdict(&mut self, number: usize, verdict: i32) {
        self.target(number, EXTENSION, &verdict.to_ne_bytes());
    }

    /// A jump to `bytes` behind the start of an entry.
    fn jump(&mut self, number: usize, to: usize, bytes: i32) {
        self.verdict(number, self.offsets[to] as i32 + bytes);
    }

    /// Makes an entry longer by zeros, at its end.
    fn grow(&mut self, number: usize, bytes: usize) {
        let next = self.get16(number, NEXT_OFFSET);
        let end = self.offsets[number] + usize::from(next);
        self.entries.splice(end..end, vec![0; bytes]);
        self.field16(number, NEXT_OFFSET, next + bytes as u16);
        self.header.size += bytes as u32;
        let start = self.offset(number);
        for offset in &mut self.offsets[number + 1..] {
            *offset += bytes;
        }
        let hooks = &mut self.header.hook_entry[1..4];
        for hook in hooks.iter_mut().chain(&mut self.header.underflow[1..4]) {
            if *hook > start {
                *hook += bytes as u32;
            }
        }
    }

    /// Cuts the entries off.
    fn cut(&mut self, size: usize) {
        self.entries.truncate(size);
        self.header.size = size as u32;
    }

    fn offset(&self, number: usize) -> u32 {
        self.offsets[number] as u32
    }
}

/// All rows.
pub fn rows() -> Vec<Row> {
    let mut rows = Rows(Vec::new());
    header(&mut rows);
    offsets(&mut rows);
    targets(&mut rows);
    matches(&mut rows);
    hooks(&mut rows);
    loops(&mut rows);
    extensions(&mut rows);
    data(&mut rows);
    last(&mut rows);
    order(&mut rows);
    accepted(&mut rows);
    rows.0
}

struct Rows(Vec<Row>);

impl Rows {
    /// The base, changed.
    fn row(&mut self, errno: i32, what: &'static str, change: impl FnOnce(&mut Blob)) {
        let mut blob = base();
        change(&mut blob);
        self.long(errno, what, blob, 0);
    }

    /// A request with a length of its own.
    fn long(&mut self, errno: i32, what: &'static str, blob: Blob, more: i32) {
        self.0.push(Row {
            what,
            errno,
            young: false,
            blob,
            more,
        });
    }

    /// The last row's rule is young.
    fn young(&mut self) {
        if let Some(row) = self.0.last_mut() {
            row.young = true;
        }
    }

    /// The base with another match in the first rule of INPUT.
    fn input(&mut self, errno: i32, what: &'static str, proto: u16, extension: Extension) {
        self.rule(errno, what, 0, proto, extension);
    }

    /// A table with one rule of a target in a built-in chain.
    fn target(
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
        self.long(errno, what, table.blob(), 0);
    }

    /// A table with one rule in a built-in chain.
    fn rule(
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
        self.long(errno, what, table.blob(), 0);
    }
}

/// do_replace, before the copy.
fn header(rows: &mut Rows) {
    use libc::{EINVAL, ENOMEM};
    let most = i32::MAX as u32 / 16;
    let size = base().bytes().len() as i32;
    rows.long(EINVAL, "shorter than its header", base(), 95 - size);
    rows.long(EINVAL, "shorter than it says", base(), -1);
    rows.long(0, "longer than it says", base(), 1);
    rows.row(EINVAL, "no counters", |b| b.header.num_counters = 0);
    rows.row(ENOMEM, "too many counters", |b| {
        b.header.num_counters = most;
    });
    let mut blob = base();
    blob.header.num_counters = most;
    rows.long(ENOMEM, "counters before length", blob, -1);
    let mut blob = base();
    blob.header.num_counters = 0;
    rows.long(EINVAL, "no counters, and too short", blob, -1);
    let mut blob = base();
    let huge = (512 << 20) - 64;
    let more = huge as i32 - blob.header.size as i32;
    blob.header.size = huge;
    rows.long(ENOMEM, "half a gigabyte", blob, more);
    let mut blob = base();
    blob.header.size = u32::MAX;
    rows.long(EINVAL, "a size beyond any length", blob, 1 << 20);
}

/// check_entry_size_and_hooks, before the target.
fn offsets(rows: &mut Rows) {
    use entry::{COMMENT, DROP, END, HEAD, TCP};
    use libc::{EINVAL, ENOMEM};
    rows.row(ENOMEM, "room for no such number of offsets", |b| {
        b.header.num_entries = (128 << 20) + 1;
        b.field(TCP, FLAGS, &[0xff]);
    });
    rows.row(EINVAL, "an entry that is not aligned", |b| b.grow(HEAD, 4));
    rows.row(EINVAL, "an entry's head ends the table", |b| {
        b.cut(b.offsets[END] + ENTRY);
    });
    rows.row(EINVAL, "half an entry's head", |b| {
        b.cut(b.offsets[END] + 56);
    });
    rows.row(EINVAL, "an entry ends past the table", |b| {
        b.field16(END, NEXT_OFFSET, 176 + 8);
    });
    rows.row(EINVAL, "an entry without room for a target", |b| {
        b.field16(TCP, NEXT_OFFSET, 143);
    });
    rows.row(EINVAL, "an entry of no bytes", |b| {
        b.field16(TCP, NEXT_OFFSET, 0);
    });
    rows.row(EINVAL, "an unknown flag", |b| b.field(TCP, FLAGS, &[4]));
    rows.row(EINVAL, "an unknown inversion", |b| {
        b.field(COMMENT, INVFLAGS, &[0x80]);
    });
    rows.row(EINVAL, "a target inside the head", |b| {
        b.field16(DROP, TARGET_OFFSET, 111);
    });
    rows.row(EINVAL, "a target past the entry", |b| {
        b.field16(DROP, TARGET_OFFSET, 121);
    });
    rows.row(EINVAL, "fewer entries than said", |b| {
        b.header.num_entries += 1;
    });
    rows.row(EINVAL, "more entries than said", |b| {
        b.header.num_entries -= 1;
    });
    rows.row(EINVAL, "far more entries than said", |b| {
        b.header.num_entries = 0;
    });
}

/// xt_check_entry_offsets: the target.
fn targets(rows: &mut Rows) {
    use entry::{DROP, END, HEAD};
    use libc::EINVAL;
    rows.row(EINVAL, "a target smaller than its head", |b| {
        b.target(DROP, 0, &31u16.to_ne_bytes());
    });
    rows.row(EINVAL, "a target larger than its entry", |b| {
        b.target(DROP, 0, &41u16.to_ne_bytes());
    });
    rows.row(EINVAL, "a standard target that is not the end", |b| {
        b.grow(DROP, 8);
    });
    for (what, verdict) in [
        ("verdict 0", 0),
        ("NF_STOLEN", -3),
        ("beyond RETURN", -6),
        ("the least verdict", i32::MIN),
    ] {
        rows.row(EINVAL, what, |b| b.verdict(DROP, verdict));
    }
    rows.row(EINVAL, "an ERROR target that is too large", |b| {
        b.grow(HEAD, 8);
        b.target(HEAD, 0, &72u16.to_ne_bytes());
    });
    rows.row(EINVAL, "an ERROR target that is too small", |b| {
        b.target(END, 0, &56u16.to_ne_bytes());
    });
    rows.row(EINVAL, "a chain name without an end", |b| {
        b.target(HEAD, EXTENSION, &[b'x'; 30]);
    });
}

/// xt_check_entry_match.
fn matches(rows: &mut Rows) {
    use entry::TCP;
    use libc::EINVAL;
    let sizes: [(&str, u16); 6] = [
        ("a match smaller than its head", 31),
        ("a match of no bytes", 0),
        ("a match past the target", 49),
        ("a match that leaves a little", 40),
        ("a match that leaves a byte", 47),
        ("a match beyond everything", 0xffff),
    ];
    for (what, size) in sizes {
        rows.row(EINVAL, what, |b| b.field16(TCP, ENTRY, size));
    }
    rows.row(EINVAL, "a match that is not aligned", |b| {
        // 36 and 44 bytes, the second one at a multiple of four.
        b.grow(TCP, 32);
        let target = b.offsets[TCP] + ENTRY + 48;
        b.entries.copy_within(target..target + 40, target + 32);
        b.field16(TCP, TARGET_OFFSET, (ENTRY + 80) as u16);
        b.field16(TCP, ENTRY, 36);
        b.field16(TCP, ENTRY + 36, 44);
    });
}

/// Underflows, and xt_check_table_hooks.
fn hooks(rows: &mut Rows) {
    use entry::{COMMENT, DROP, FORWARD, INPUT, OUTPUT, TCP};
    use libc::EINVAL;
    rows.row(EINVAL, "a policy that asks something", |b| {
        b.field(FORWARD, PROTO, &[6]);
    });
    rows.row(EINVAL, "a policy with a match", |b| {
        b.header.underflow[1] = b.offset(TCP);
    });
    rows.row(EINVAL, "a policy with GOTO", |b| {
        b.field(FORWARD, FLAGS, &[IPT_F_GOTO]);
    });
    rows.row(EINVAL, "a policy that returns", |b| {
        b.verdict(FORWARD, VERDICT_RETURN);
    });
    rows.row(EINVAL, "a policy that jumps", |b| {
        b.jump(FORWARD, COMMENT, 0);
    });
    rows.row(EINVAL, "a policy that queues", |b| b.verdict(OUTPUT, -4));
    rows.row(EINVAL, "a policy that is an ERROR", |b| {
        b.header.underflow[3] = b.offset(entry::END);
    });
    rows.row(EINVAL, "a hook that starts at no entry", |b| {
        b.header.hook_entry[1] += 8;
    });
    rows.row(EINVAL, "a policy at no entry", |b| {
        b.header.underflow[2] += 8;
    });
    rows.row(EINVAL, "a hook that starts past the table", |b| {
        b.header.hook_entry[3] = b.header.size;
    });
    rows.row(EINVAL, "a hook that starts nowhere", |b| {
        b.header.hook_entry[3] = u32::MAX;
    });
    rows.row(EINVAL, "two hooks with one start", |b| {
        b.header.hook_entry[2] = b.header.hook_entry[1];
    });
    rows.row(EINVAL, "two hooks with one policy", |b| {
        b.header.underflow[2] = b.header.underflow[1];
    });
    rows.row(EINVAL, "hooks in another order", |b| {
        b.header.hook_entry.swap(2, 3);
    });
    rows.row(EINVAL, "policies in another order", |b| {
        b.header.underflow.swap(2, 3);
    });
    rows.row(0, "a policy before its hook's start", |b| {
        b.header.underflow[1] = b.offset(DROP);
        b.header.hook_entry[1] = b.offset(INPUT);
    });
}

/// mark_source_chains.
fn loops(rows: &mut Rows) {
    use entry::{COMMENT, DROP, END, HEAD, INPUT, OUTPUT, RETURN, TCP};
    use libc::ELOOP;
    rows.row(ELOOP, "a chain that calls itself", |b| {
        b.jump(COMMENT, COMMENT, 0);
    });
    rows.row(ELOOP, "a chain that goes to itself", |b| {
        b.field(COMMENT, FLAGS, &[IPT_F_GOTO]);
        b.jump(COMMENT, COMMENT, 0);
    });
    rows.row(ELOOP, "a way back into a built-in chain", |b| {
        b.jump(COMMENT, DROP, 0);
        b.jump(DROP, COMMENT, 0);
    });
    rows.row(ELOOP, "a built-in chain that calls itself", |b| {
        b.jump(DROP, DROP, 0);
    });
    rows.row(ELOOP, "a jump into the middle of an entry", |b| {
        b.jump(TCP, COMMENT, 8);
    });
    rows.row(ELOOP, "a jump past the table", |b| {
        b.verdict(TCP, b.header.size as i32);
    });
    rows.row(ELOOP, "the farthest jump", |b| b.verdict(TCP, i32::MAX));
    rows.row(ELOOP, "a chain that runs off the table", |b| {
        b.jump(TCP, END, 0);
    });
    rows.row(ELOOP, "a return that asks something, at the end", |b| {
        b.field(RETURN, PROTO, &[6]);
        b.jump(TCP, RETURN, 0);
    });
    rows.row(ELOOP, "the last entry jumps, and comes back", |b| {
        // Nothing stands behind a call in the table's last entry.
        b.cut(b.offsets[END]);
        b.header.num_entries -= 1;
        b.jump(RETURN, HEAD, 0);
    });
    rows.row(0, "a loop that nobody enters", |b| {
        b.jump(TCP, DROP, 0);
        b.jump(COMMENT, COMMENT, 0);
    });
    rows.row(0, "a jump to nowhere that nobody makes", |b| {
        b.jump(TCP, DROP, 0);
        b.jump(COMMENT, COMMENT, 8);
    });
    rows.row(0, "a jump to the next entry", |b| b.jump(TCP, DROP, 0));
    rows.row(0, "a jump into another built-in chain", |b| {
        b.jump(TCP, OUTPUT, 0);
    });
    rows.row(0, "a jump back in the same chain, past a policy", |b| {
        b.jump(COMMENT, INPUT, 0);
    });
    rows.row(0, "a jump onto a chain's head", |b| b.jump(TCP, HEAD, 0));
    rows.row(0, "one chain called twice", |b| b.jump(DROP, COMMENT, 0));
}

/// xt_find_match, xt_find_target.
fn extensions(rows: &mut Rows) {
    use entry::{COMMENT, DROP, HEAD, TCP};
    use libc::{EINVAL, ENOENT, EPROTOTYPE};
    rows.row(EINVAL, "a match whose name has no end", |b| {
        b.field(TCP, ENTRY + NAME, &[b'x'; 29]);
    });
    rows.row(EINVAL, "a target whose name has no end", |b| {
        b.target(DROP, NAME, &[b'x'; 29]);
    });
    rows.row(ENOENT, "a match that nobody knows", |b| {
        b.field(TCP, ENTRY + NAME, b"nobody\0");
    });
    rows.row(ENOENT, "a target that nobody knows", |b| {
        b.target(DROP, NAME, b"NOBODY\0");
    });
    rows.row(ENOENT, "a match without a name", |b| {
        b.field(TCP, ENTRY + NAME, b"\0");
    });
    rows.row(ENOENT, "a target's name for a match", |b| {
        b.field(TCP, ENTRY + NAME, b"ERROR\0");
    });
    rows.row(ENOENT, "a match's name for a target", |b| {
        b.target(DROP, NAME, b"comment\0");
    });
    rows.row(ENOENT, "a revision that IPv4 has not got", |b| {
        b.field(TCP, ENTRY + REVISION, &[1]);
    });
    rows.row(EPROTOTYPE, "a revision that no family has got", |b| {
        b.field(COMMENT, ENTRY + REVISION, &[1]);
    });
    rows.row(ENOENT, "another standard target", |b| {
        b.target(DROP, REVISION, &[1]);
    });
    rows.row(ENOENT, "another ERROR target", |b| {
        b.target(HEAD, REVISION, &[1]);
    });
    for (name, revision, size, errno) in [
        ("udp", 1, 16, ENOENT),
        ("icmp", 1, 8, ENOENT),
        ("multiport", 0, 32, ENOENT),
        ("multiport", 2, 48, ENOENT),
        ("mark", 0, 24, EPROTOTYPE),
        ("mark", 2, 16, EPROTOTYPE),
        ("limit", 1, 40, EPROTOTYPE),
        ("conntrack", 0, 152, EPROTOTYPE),
        ("conntrack", 4, 168, EPROTOTYPE),
        ("state", 1, 8, EPROTOTYPE),
        ("iprange", 0, 24, ENOENT),
        ("length", 1, 8, ENOENT),
        ("ttl", 1, 8, ENOENT),
        ("tos", 0, 8, ENOENT),
        ("dscp", 1, 8, ENOENT),
        ("pkttype", 1, 8, EPROTOTYPE),
        ("mac", 1, 16, ENOENT),
        ("owner", 0, 16, ENOENT),
        ("addrtype", 2, 8, ENOENT),
        ("recent", 2, 232, ENOENT),
        ("statistic", 1, 24, EPROTOTYPE),
        ("quota", 1, 24, EPROTOTYPE),
        ("cpu", 1, 8, EPROTOTYPE),
        ("connmark", 0, 12, EPROTOTYPE),
        ("devgroup", 1, 24, EPROTOTYPE),
        ("u32", 1, 1984, EPROTOTYPE),
        ("realm", 1, 16, ENOENT),
        ("tcpmss", 1, 8, ENOENT),
        ("esp", 1, 16, ENOENT),
        ("ah", 1, 16, ENOENT),
        ("ecn", 1, 8, ENOENT),
        ("time", 1, 24, EPROTOTYPE),
        ("connbytes", 1, 24, EPROTOTYPE),
        ("helper", 1, 40, EPROTOTYPE),
        ("dccp", 1, 16, ENOENT),
        ("sctp", 1, 296, ENOENT),
        ("hashlimit", 0, 64, ENOENT),
    ] {
        let extension = Extension::new(name, revision, vec![0; size]);
        rows.rule(errno, name, 1, 0, extension);
    }
    for (name, revision, size) in [
        ("REJECT", 1, 8),
        ("LOG", 1, 32),
        ("NFLOG", 1, 80),
        ("MARK", 0, 8),
        ("MARK", 1, 16),
        ("MARK", 3, 8),
        ("CONNMARK", 0, 24),
        ("CONNMARK", 3, 16),
    ] {
        let extension = Extension::new(name, revision, vec![0; size]);
        rows.target(ENOENT, name, 1, (0, 0), extension);
    }
}

/// xt_check_target, and what targets check themselves.
fn target_data(rows: &mut Rows) {
    use libc::EINVAL;
    const TCP: u16 = 6;
    let any = (0, 0);

    let reject = |with: u32| Extension::new("REJECT", 0, with.to_ne_bytes());
    for chain in 0..3 {
        for with in [0, 1, 2, 3, 5, 6, 8] {
            rows.target(0, "REJECT", chain, any, reject(with));
        }
        rows.target(0, "REJECT, a reset for TCP", chain, (TCP, 0), reject(7));
    }
    rows.target(0, "REJECT with what is not", 0, any, reject(99));
    rows.target(EINVAL, "REJECT with an echo", 0, any, reject(4));
    rows.target(EINVAL, "REJECT, a reset for all", 0, any, reject(7));
    rows.target(EINVAL, "REJECT, a reset for UDP", 0, (17, 0), reject(7));
    rows.target(EINVAL, "REJECT, a reset past 255", 0, (0x106, 0), reject(7));
    let inverted = (TCP, IPT_INV_PROTO);
    rows.target(
        EINVAL,
        "REJECT, a reset for all but TCP",
        0,
        inverted,
        reject(7),
    );
    rows.target(0, "REJECT for all but TCP", 0, inverted, reject(0));

    let log = |level: u8, flags: u8, last: u8| {
        let mut data = vec![b'x'; 32];
        data[..2].copy_from_slice(&[level, flags]);
        data[31] = last;
        Extension::new("LOG", 0, data)
    };
    rows.target(0, "LOG", 1, any, log(7, 0x2f, 0));
    rows.target(0, "LOG, unknown flags", 1, any, log(0, 0xff, 0));
    rows.target(EINVAL, "LOG, level 8", 1, any, log(8, 0, 0));
    rows.target(EINVAL, "LOG, endless prefix", 1, any, log(4, 0, b'x'));

    let nflog = |flags: u16, last: u8| {
        let mut data = vec![b'x'; 76];
        data[8..10].copy_from_slice(&flags.to_ne_bytes());
        data[75] = last;
        Extension::new("NFLOG", 0, data)
    };
    rows.target(0, "NFLOG", 2, any, nflog(0, 0));
    rows.target(0, "NFLOG, some bytes", 2, any, nflog(1, 0));
    rows.target(EINVAL, "NFLOG, unknown flag", 2, any, nflog(2, 0));
    rows.target(EINVAL, "NFLOG, endless prefix", 2, any, nflog(0, b'x'));

    rows.target(0, "MARK", 0, any, Extension::new("MARK", 2, [0xa5; 8]));
    let connmark = |revision, right: u8, bits: u8| {
        let mut data = vec![0xa5; 16];
        data[12..14].copy_from_slice(&[right, bits]);
        Extension::new("CONNMARK", revision, data)
    };
    rows.target(0, "the old CONNMARK", 0, any, connmark(1, 0xff, 0xff));
    rows.target(0, "CONNMARK to the left", 0, any, connmark(2, 0, 31));
    rows.target(0, "CONNMARK to the right", 0, any, connmark(2, 1, 1));
    rows.target(EINVAL, "CONNMARK upwards", 0, any, connmark(2, 2, 1));
    rows.target(EINVAL, "CONNMARK too far", 0, any, connmark(2, 0, 32));

    for (name, revision, size) in [
        ("REJECT", 0, 4),
        ("LOG", 0, 32),
        ("NFLOG", 0, 76),
        ("MARK", 2, 8),
        ("CONNMARK", 1, 13),
        ("CONNMARK", 2, 15),
    ] {
        let wrong = Extension::new(name, revision, vec![0; size + 8]);
        rows.target(EINVAL, name, 0, any, wrong);
    }
}

/// The data of recent.
struct Recent<'a> {
    how: u8,
    seconds: u32,
    times: u32,
    name: &'a [u8],
}

impl Recent<'_> {
    /// Of either revision.
    fn extension(&self, revision: u8) -> Extension {
        let mut data = vec![0; if revision == 0 { 216 } else { 232 }];
        data[0..4].copy_from_slice(&self.seconds.to_ne_bytes());
        data[4..8].copy_from_slice(&self.times.to_ne_bytes());
        data[8] = self.how;
        data[10..10 + self.name.len()].copy_from_slice(self.name);
        Extension::new("recent", revision, data)
    }
}

/// recent_mt_check
fn recent(rows: &mut Rows) {
    use libc::{EINVAL, ENAMETOOLONG};
    const NAMED: Recent<'_> = Recent {
        how: CHECK,
        seconds: 0,
        times: 0,
        name: b"rows",
    };
    const CHECK: u8 = 1;
    const SET: u8 = 2;
    const UPDATE: u8 = 4;
    const REMOVE: u8 = 8;
    const TTL: u8 = 16;
    const REAP: u8 = 32;
    let of = |how, seconds, times| Recent {
        how,
        seconds,
        times,
        ..NAMED
    };
    for revision in 0..2 {
        for (errno, what, recent) in [
            (0, "recent, check", of(CHECK, 0, 0)),
            (0, "recent, set", of(SET, 0, 0)),
            (0, "recent, update", of(UPDATE, 60, 4)),
            (0, "recent, remove", of(REMOVE, 0, 0)),
            (
                0,
                "recent, all that there is",
                of(UPDATE | TTL | REAP, u32::MAX, 32768),
            ),
            (EINVAL, "recent, nothing", of(0, 0, 0)),
            (EINVAL, "recent, only how", of(TTL, 0, 0)),
            (EINVAL, "recent, unknown", of(CHECK | 64, 0, 0)),
            (EINVAL, "recent, two", of(CHECK | SET, 0, 0)),
            (EINVAL, "recent, two others", of(UPDATE | REMOVE, 0, 0)),
            (EINVAL, "recent, set and seconds", of(SET, 1, 0)),
            (EINVAL, "recent, set and times", of(SET, 0, 1)),
            (EINVAL, "recent, set and ttl", of(SET | TTL, 0, 0)),
            (EINVAL, "recent, remove and reap", of(REMOVE | REAP, 0, 0)),
            (
                EINVAL,
                "recent, reap without seconds",
                of(CHECK | REAP, 0, 3),
            ),
            (EINVAL, "recent, too many times", of(CHECK, 0, 65536)),
            (EINVAL, "recent, no name", Recent { name: b"", ..NAMED }),
            (
                EINVAL,
                "recent, a dot",
                Recent {
                    name: b".",
                    ..NAMED
                },
            ),
            (
                EINVAL,
                "recent, two dots",
                Recent {
                    name: b"..",
                    ..NAMED
                },
            ),
            (
                EINVAL,
                "recent, a path",
                Recent {
                    name: b"a/b",
                    ..NAMED
                },
            ),
            (
                0,
                "recent, three dots",
                Recent {
                    name: b"...",
                    ..NAMED
                },
            ),
            (
                0,
                "recent, a long name",
                Recent {
                    name: &[b'x'; 199],
                    ..NAMED
                },
            ),
            (
                ENAMETOOLONG,
                "recent, no end",
                Recent {
                    name: &[b'/'; 200],
                    ..NAMED
                },
            ),
        ] {
            rows.input(errno, what, 0, recent.extension(revision));
        }
    }
}

/// The data of hashlimit, by the names of `struct hashlimit_cfg3`.
#[allow(missing_docs, reason = "see there")]
#[derive(Clone, Copy, Debug)]
pub struct Hashlimit<'a> {
    pub mode: u32,
    pub avg: u64,
    pub burst: u64,
    pub gc_interval: u32,
    pub expire: u32,
    pub interval: u32,
    pub masks: [u8; 2],
    pub name: &'a [u8],
}

impl Hashlimit<'_> {
    /// Of any revision.
    pub fn extension(&self, revision: u8) -> Extension {
        let (room, size) = match revision {
            1 => (16, 56),
            2 => (256, 304),
            _ => (256, 312),
        };
        let mut data = self.name.to_vec();
        data.resize(room, 0);
        let mut numbers = Vec::new();
        if revision == 1 {
            numbers.extend([self.mode, self.avg as u32, self.burst as u32]);
        } else {
            for number in [self.avg, self.burst] {
                numbers.extend([number as u32, (number >> 32) as u32]);
            }
            numbers.push(self.mode);
        }
        numbers.extend([0, 0, self.gc_interval, self.expire]);
        if revision == 3 {
            numbers.push(self.interval);
        }
        data.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        data.extend(self.masks);
        data.resize(size, 0);
        Extension::new("hashlimit", revision, data)
    }
}

/// hashlimit_mt_check
fn hashlimit(rows: &mut Rows) {
    use libc::{EINVAL, ENAMETOOLONG, ERANGE};
    const BYTES: u32 = 1 << 5;
    const RATE: u32 = 1 << 6;
    let fine = Hashlimit {
        mode: 0x0f,
        avg: 10_000,
        burst: 5,
        gc_interval: 1000,
        expire: 10_000,
        interval: 1,
        masks: [32, 32],
        name: b"rows",
    };
    for revision in 1..4 {
        let newest = revision == 3;
        for (errno, what, data) in [
            (0, "hashlimit", fine),
            (0, "hashlimit, above", Hashlimit { mode: 0x1f, ..fine }),
            (
                0,
                "hashlimit, nothing",
                Hashlimit {
                    mode: 0,
                    masks: [0; 2],
                    ..fine
                },
            ),
            (EINVAL, "hashlimit, mode", Hashlimit { mode: 0x8f, ..fine }),
            (
                EINVAL,
                "hashlimit, gc",
                Hashlimit {
                    gc_interval: 0,
                    ..fine
                },
            ),
            (EINVAL, "hashlimit, expire", Hashlimit { expire: 0, ..fine }),
            (
                0,
                "hashlimit, for ever",
                Hashlimit {
                    expire: u32::MAX,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, source",
                Hashlimit {
                    masks: [33, 0],
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, destination",
                Hashlimit {
                    masks: [0, 33],
                    ..fine
                },
            ),
            (
                ERANGE,
                "hashlimit, no burst",
                Hashlimit { burst: 0, ..fine },
            ),
            (
                ERANGE,
                "hashlimit, overflow",
                Hashlimit {
                    avg: 1 << 31,
                    burst: 1 << 33,
                    ..fine
                },
            ),
            (
                0,
                "hashlimit, bytes",
                Hashlimit {
                    mode: BYTES,
                    avg: 1000,
                    ..fine
                },
            ),
            (
                0,
                "hashlimit, no byte more",
                Hashlimit {
                    mode: BYTES,
                    avg: 2,
                    burst: 0,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, no byte",
                Hashlimit {
                    mode: BYTES,
                    avg: 1,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, bytes of nothing",
                Hashlimit {
                    mode: BYTES,
                    avg: 0,
                    ..fine
                },
            ),
            (
                if newest { 0 } else { EINVAL },
                "hashlimit, rate",
                Hashlimit {
                    mode: RATE,
                    // The table of that name is of the other kind now.
                    name: b"windows",
                    ..fine
                },
            ),
            (
                if newest { ERANGE } else { EINVAL },
                "hashlimit, no rate",
                Hashlimit {
                    mode: RATE,
                    avg: 0,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, no interval",
                Hashlimit {
                    mode: RATE,
                    interval: 0,
                    ..fine
                },
            ),
            (
                EINVAL,
                "hashlimit, no name",
                Hashlimit { name: b"", ..fine },
            ),
            (
                EINVAL,
                "hashlimit, a path",
                Hashlimit { name: b"/", ..fine },
            ),
            (
                ENAMETOOLONG,
                "hashlimit, no end",
                Hashlimit {
                    name: &[b'x'; 256][..if revision == 1 { 16 } else { 255 }],
                    ..fine
                },
            ),
        ] {
            rows.input(errno, what, 0, data.extension(revision));
        }
    }
    // Rates and windows in one table.
    let mut table = Table::default();
    for mode in [RATE, 0] {
        let mut rule = Rule::any(Target::Next);
        rule.matches.push(Hashlimit { mode, ..fine }.extension(3));
        table.builtin[0].push(rule);
    }
    rows.long(EINVAL, "hashlimit, a table of both", table.blob(), 0);
}

/// xt_check_match, and what extensions check themselves.
fn data(rows: &mut Rows) {
    use libc::{EDOM, EINVAL, ERANGE};
    const TCP: u16 = 6;
    let of = |name: &str, revision, data: &[u8]| Extension::new(name, revision, data);

    rows.row(EINVAL, "a standard target of another size", |b| {
        b.target(entry::DROP, 0, &32u16.to_ne_bytes());
    });
    rows.input(EINVAL, "too much data", TCP, of("tcp", 0, &[0; 24]));
    rows.input(EINVAL, "too little data", TCP, of("tcp", 0, &[0; 8]));
    rows.input(EINVAL, "no data", TCP, of("tcp", 0, &[]));
    rows.input(EINVAL, "tcp without -p", 0, tcp_match(0));
    rows.input(EINVAL, "tcp with -p udp", 17, tcp_match(0));
    rows.input(EINVAL, "tcp with a protocol past 255", 0x106, tcp_match(0));
    rows.row(EINVAL, "tcp with ! -p tcp", |b| {
        b.field(entry::TCP, INVFLAGS, &[IPT_INV_PROTO]);
    });
    rows.input(0, "tcp, everything inverted", TCP, tcp_match(0x0f));
    rows.input(EINVAL, "tcp, unknown inversion", TCP, tcp_match(0x10));
    rows.input(EINVAL, "udp, unknown inversion", 17, of("udp", 0, &[4; 10]));
    rows.input(0, "udp, inverted", 17, of("udp", 0, &[3; 10]));
    rows.input(EINVAL, "icmp, unknown inversion", 1, of("icmp", 0, &[2; 4]));
    rows.input(0, "icmp, inverted", 1, of("icmp", 0, &[1; 4]));

    // Flags, count, 15 ports, 15 range marks, inversion.
    let multiport = |flags: u8, count: u8, ports: &[u16], marks: &[u8]| {
        let mut data = vec![0; 48];
        (data[0], data[1]) = (flags, count);
        for (i, port) in ports.iter().enumerate() {
            data[2 + 2 * i..4 + 2 * i].copy_from_slice(&port.to_ne_bytes());
        }
        data[32..32 + marks.len()].copy_from_slice(marks);
        Extension::new("multiport", 1, data)
    };
    rows.input(0, "multiport of none", TCP, multiport(2, 0, &[], &[]));
    rows.input(
        EINVAL,
        "multiport without -p",
        0,
        multiport(0, 1, &[1], &[]),
    );
    rows.input(EINVAL, "multiport with icmp", 1, multiport(0, 1, &[1], &[]));
    for proto in [6, 17, 33, 132, 136] {
        rows.input(0, "multiport", proto, multiport(0, 15, &[1], &[]));
    }
    rows.input(
        EINVAL,
        "multiport, what side",
        TCP,
        multiport(3, 1, &[1], &[]),
    );
    rows.input(EINVAL, "16 ports", TCP, multiport(0, 16, &[1], &[]));
    rows.input(0, "a range", TCP, multiport(0, 2, &[1, 2], &[1]));
    rows.input(0, "a range of one", TCP, multiport(0, 2, &[2, 2], &[9]));
    rows.input(EINVAL, "an open range", TCP, multiport(0, 1, &[1, 2], &[1]));
    rows.input(
        EINVAL,
        "a range upside down",
        TCP,
        multiport(0, 2, &[2, 1], &[1]),
    );
    rows.input(
        EINVAL,
        "a range in a range",
        TCP,
        multiport(0, 3, &[1, 2, 3], &[1, 1]),
    );
    rows.input(
        0,
        "a mark past the count",
        TCP,
        multiport(0, 1, &[1, 2], &[0, 1]),
    );
    let mut blob = {
        let mut table = Table::default();
        let mut rule = tcp();
        rule.matches = vec![multiport(0, 1, &[1], &[])];
        rule.target = Target::Next;
        table.builtin[0].push(rule);
        table.blob()
    };
    blob.field(0, INVFLAGS, &[IPT_INV_PROTO]);
    rows.long(EINVAL, "multiport with ! -p", blob, 0);

    let limit = |average: u32, burst: u32, cost: u32| {
        let mut data = vec![0; 40];
        data[0..4].copy_from_slice(&average.to_ne_bytes());
        data[4..8].copy_from_slice(&burst.to_ne_bytes());
        data[24..28].copy_from_slice(&cost.to_ne_bytes());
        Extension::new("limit", 0, data)
    };
    rows.input(0, "limit", 0, limit(10_000, 5, 0));
    rows.input(0, "limit of nothing", 0, limit(0, 1, 0));
    rows.input(
        0,
        "limit with a cost of the caller's",
        0,
        limit(10_000, 5, 7),
    );
    rows.input(ERANGE, "limit without a burst", 0, limit(10_000, 0, 0));
    rows.input(ERANGE, "limit that overflows", 0, limit(0x8000_0000, 2, 0));
    rows.input(0, "limit that divides first", 0, limit(864_000_000, 1, 0));
    rows.input(ERANGE, "limit past a day", 0, limit(864_000_000, 5, 0));

    recent(rows);
    hashlimit(rows);

    rows.input(0, "ttl", 0, of("ttl", 0, &[3, 0]));
    rows.input(EINVAL, "ttl, how", 0, of("ttl", 0, &[4, 0]));
    // 6.12.117 checks it, 6.18.44 does not.
    rows.young();
    rows.input(0, "dscp", 0, of("dscp", 0, &[63, 9]));
    rows.input(EDOM, "dscp of seven bits", 0, of("dscp", 0, &[64, 0]));
    rows.rule(0, "mac in FORWARD", 1, 0, of("mac", 0, &[0; 12]));
    rows.rule(EINVAL, "mac in OUTPUT", 2, 0, of("mac", 0, &[0; 12]));

    odder_data(rows);

    let owner = |flags: u8, ids: [u32; 4]| {
        let mut data: Vec<u8> = ids.iter().flat_map(|id| id.to_ne_bytes()).collect();
        data.extend_from_slice(&[flags, 0, 0, 0]);
        Extension::new("owner", 1, data)
    };
    let last = u32::MAX;
    rows.rule(0, "owner", 2, 0, owner(0x0f, [0, 1, 0, 1]));
    rows.rule(EINVAL, "owner in INPUT", 0, 0, owner(0, [0; 4]));
    rows.rule(EINVAL, "owner, what", 2, 0, owner(0x10, [0; 4]));
    rows.rule(
        EINVAL,
        "owner, users upside down",
        2,
        0,
        owner(1, [2, 1, 0, 0]),
    );
    rows.rule(
        EINVAL,
        "owner, groups upside down",
        2,
        0,
        owner(2, [0, 0, 2, 1]),
    );
    rows.rule(EINVAL, "owner nobody", 2, 0, owner(1, [0, last, 0, 0]));
    rows.rule(EINVAL, "owner no group", 2, 0, owner(2, [0, 0, last, last]));
    rows.rule(
        0,
        "owner, users not asked for",
        2,
        0,
        owner(2, [2, 1, 0, 0]),
    );

    let addrtype = |flags: u32| {
        let mut data = vec![4, 0, 4, 0];
        data.extend_from_slice(&flags.to_ne_bytes());
        Extension::new("addrtype", 1, data)
    };
    rows.rule(0, "addrtype of the incoming", 0, 0, addrtype(4));
    rows.rule(0, "addrtype of the outgoing", 2, 0, addrtype(8));
    rows.rule(0, "addrtype, unknown flags", 1, 0, addrtype(0xf0));
    rows.rule(EINVAL, "addrtype of both", 1, 0, addrtype(12));
    rows.rule(EINVAL, "addrtype, incoming in OUTPUT", 2, 0, addrtype(4));
    rows.rule(EINVAL, "addrtype, outgoing in INPUT", 0, 0, addrtype(8));
    rows.rule(0, "the old addrtype", 0, 0, of("addrtype", 0, &[9; 12]));

    for (name, revision, size) in [
        ("conntrack", 1, 152),
        ("conntrack", 2, 156),
        ("conntrack", 3, 164),
        ("state", 0, 4),
        ("iprange", 1, 68),
        ("length", 0, 6),
        ("tos", 1, 3),
        ("pkttype", 0, 8),
        ("mark", 1, 9),
        ("comment", 0, 256),
        ("connmark", 1, 9),
    ] {
        let right = vec![0xa5; size];
        rows.input(0, name, 0, Extension::new(name, revision, right));
        let wrong = vec![0; size + 8];
        rows.input(EINVAL, name, 0, Extension::new(name, revision, wrong));
    }

    target_data(rows);

    let mut table = Table::default();
    let mut rule = tcp();
    rule.matches = vec![owner(0, [0; 4])];
    rule.target = Target::Next;
    table.chains.push(Chain {
        name: "unused".to_owned(),
        rules: vec![rule],
    });
    rows.long(0, "owner that no hook reaches", table.blob(), 0);
}

/// Those of time, connbytes, helper, dccp and sctp.
fn times_and_ports(rows: &mut Rows) {
    use libc::{EDOM, EINVAL};
    let time = |start: u32, stop: u32, flags: u8| {
        let mut data = vec![0xff; 24];
        data[8..12].copy_from_slice(&start.to_ne_bytes());
        data[12..16].copy_from_slice(&stop.to_ne_bytes());
        data[21] = flags;
        Extension::new("time", 0, data)
    };
    rows.input(0, "time", 0, time(0, 86399, 0));
    rows.input(0, "time, over midnight", 0, time(86399, 0, 2));
    rows.input(0, "time, the whole day", 0, time(5, 5, 2));
    rows.input(EINVAL, "time, contiguous", 0, time(1, 2, 2));
    rows.input(EINVAL, "time, flags", 0, time(1, 2, 4));
    rows.input(EDOM, "time, start", 0, time(86400, 2, 4));
    rows.input(EDOM, "time, stop", 0, time(1, 86400, 2));
    let connbytes = |what: u8, direction: u8| {
        let mut data = vec![0xa5; 24];
        data[16..18].copy_from_slice(&[what, direction]);
        Extension::new("connbytes", 0, data)
    };
    rows.input(0, "connbytes", 0, connbytes(2, 2));
    rows.input(EINVAL, "connbytes, what", 0, connbytes(3, 0));
    rows.input(EINVAL, "connbytes, direction", 0, connbytes(0, 3));
    let helper = |invert: u8| {
        let mut data = vec![invert, 0, 0, 0];
        data.resize(34, b'x');
        data.resize(40, 0);
        Extension::new("helper", 0, data)
    };
    rows.input(0, "helper", 0, helper(0));
    rows.input(0, "helper, inverted twice", 0, helper(2));
    let dccp = |flags: u8, invert: u8| {
        let mut data = vec![0xa5; 16];
        data[8..12].copy_from_slice(&[flags, 0, invert, 0]);
        Extension::new("dccp", 0, data)
    };
    rows.input(0, "dccp of nothing", 33, dccp(0, 0));
    rows.input(0, "dccp", 33, dccp(7, 7));
    rows.input(EINVAL, "dccp, flags", 33, dccp(0x10, 0));
    rows.input(EINVAL, "dccp, inversions", 33, dccp(3, 0x10));
    rows.input(EINVAL, "dccp, inverts what is not", 33, dccp(3, 4));
    rows.input(EINVAL, "dccp of another one", 17, dccp(0, 0));
    let sctp = |flags: u8, invert: u8, count: u8| {
        let mut data = vec![0; 296];
        data[280] = count;
        data[284] = flags;
        data[288] = invert;
        Extension::new("sctp", 0, data)
    };
    rows.input(0, "sctp of nothing", 132, sctp(0, 0, 4));
    rows.input(0, "sctp", 132, sctp(3, 3, 0));
    rows.input(EINVAL, "sctp, chunks in no way", 132, sctp(4, 0, 0));
    rows.input(EINVAL, "sctp, many flags", 132, sctp(3, 0, 5));
    rows.input(EINVAL, "sctp, flags", 132, sctp(8, 0, 0));
    rows.input(EINVAL, "sctp, inverts what is not", 132, sctp(1, 2, 0));
    rows.input(EINVAL, "sctp of another one", 17, sctp(0, 0, 0));
}

/// The checks of matches that fewer people know.
fn odder_data(rows: &mut Rows) {
    use libc::EINVAL;
    let of = |name: &str, data: &[u8]| Extension::new(name, 0, data.to_vec());
    let statistic = |mode: u8, flags: u8| {
        let mut data = vec![mode, 0, flags, 0];
        data.resize(24, 0xa5);
        Extension::new("statistic", 0, data)
    };
    rows.input(0, "statistic, random", 0, statistic(0, 0));
    rows.input(0, "statistic, nth", 0, statistic(1, 1));
    rows.input(EINVAL, "statistic, what", 0, statistic(2, 0));
    rows.input(EINVAL, "statistic, flags", 0, statistic(1, 2));
    let quota = |flags: u8| {
        let mut data = vec![flags, 0, 0, 0];
        data.resize(24, 0xa5);
        Extension::new("quota", 0, data)
    };
    rows.input(0, "quota", 0, quota(1));
    rows.input(EINVAL, "quota, flags", 0, quota(2));
    rows.input(0, "cpu", 0, of("cpu", &[9, 9, 9, 9, 1, 0, 0, 0]));
    let cpu = of("cpu", &[0, 0, 0, 0, 2, 0, 0, 0]);
    rows.input(EINVAL, "cpu, inverted twice", 0, cpu);
    let devgroup = |flags: u8| {
        let mut data = vec![flags, 0, 0, 0];
        data.resize(20, 0xa5);
        Extension::new("devgroup", 0, data)
    };
    rows.rule(0, "devgroup of both", 1, 0, devgroup(0xf));
    rows.rule(EINVAL, "devgroup, flags", 1, 0, devgroup(0x10));
    rows.rule(EINVAL, "devgroup out in INPUT", 0, 0, devgroup(0x4));
    rows.rule(EINVAL, "devgroup in in OUTPUT", 2, 0, devgroup(0x1));
    rows.rule(0, "devgroup inverted only", 2, 0, devgroup(0x2));
    for (name, proto) in [("esp", 50), ("ah", 51)] {
        let spi = |invert: u8| {
            let data = [9, 0, 0, 0, 1, 0, 0, 0, invert, 7, 7, 7];
            Extension::new(name, 0, data)
        };
        rows.input(0, "an index", proto, spi(1));
        rows.input(EINVAL, "an index, inversions", proto, spi(2));
        rows.input(EINVAL, "an index of no protocol", 0, spi(0));
        rows.input(EINVAL, "an index of another one", 6, spi(0));
    }
    let tcpmss = of("tcpmss", &[9, 0, 1, 0, 7, 0]);
    rows.input(0, "tcpmss", 6, tcpmss.clone());
    rows.input(EINVAL, "tcpmss without tcp", 17, tcpmss);
    rows.input(0, "ecn in IP", 0, of("ecn", &[1, 0x31, 9, 9]));
    rows.input(0, "ecn in TCP", 6, of("ecn", &[0x30, 0x30, 0, 0]));
    rows.input(EINVAL, "ecn in UDP", 17, of("ecn", &[0x10, 0, 0, 0]));
    rows.input(EINVAL, "ecn, what", 6, of("ecn", &[2, 0, 0, 0]));
    rows.input(EINVAL, "ecn, what not", 6, of("ecn", &[1, 0x40, 0, 0]));
    times_and_ports(rows);
    let words = |change: &[(usize, u8)]| {
        let mut data = vec![0; 1984];
        for (at, value) in change {
            data[*at] = *value;
        }
        Extension::new("u32", 0, data)
    };
    rows.input(0, "u32 of nothing", 0, words(&[]));
    rows.input(0, "u32, no locations", 0, words(&[(1980, 11), (1981, 7)]));
    rows.input(EINVAL, "u32, tests", 0, words(&[(1980, 12)]));
    rows.input(0, "u32, locations", 0, words(&[(1980, 1), (176, 11)]));
    rows.input(EINVAL, "u32, locations", 0, words(&[(1980, 1), (176, 12)]));
    rows.input(0, "u32, unused locations", 0, words(&[(176, 12)]));
    rows.input(EINVAL, "u32, values", 0, words(&[(1980, 1), (177, 12)]));
    for (errno, number, operation) in [(0, 31, 1), (EINVAL, 32, 1), (EINVAL, 32, 2), (0, 32, 0)] {
        let shift = [(1980, 1), (176, 2), (8, number), (12, operation)];
        rows.input(errno, "u32, a shift", 0, words(&shift));
    }
    // The first location's operation is nothing.
    let shift = [(1980, 1), (176, 2), (0, 99), (4, 1), (12, 9)];
    rows.input(0, "u32, operations", 0, words(&shift));
}

/// __do_replace.
fn last(rows: &mut Rows) {
    use libc::{EAGAIN, EINVAL, ENOENT, ENOMEM};
    rows.row(ENOMEM, "more counters than fit", |b| {
        b.header.num_counters = (32 << 20) + 1;
    });
    rows.row(ENOENT, "another table", |b| {
        b.header.name[..7].copy_from_slice(b"nobody\0");
    });
    rows.row(ENOENT, "a table without a name", |b| b.header.name[0] = 0);
    rows.row(0, "garbage after the table's name", |b| {
        b.header.name[7..].fill(0xa5);
    });
    rows.row(EINVAL, "fewer hooks", |b| b.header.valid_hooks = 0x6);
    rows.row(EINVAL, "no hooks", |b| b.header.valid_hooks = 0);
    rows.row(EINVAL, "hooks that there are not", |b| {
        b.header.valid_hooks |= 0x20;
    });
    rows.row(EINVAL, "a hook too many, without a policy", |b| {
        b.header.valid_hooks |= 0x10;
    });
    rows.row(EAGAIN, "another number of counters", |b| {
        b.header.num_counters = 12_345;
    });
    rows.row(EINVAL, "no entries at all", |b| {
        b.cut(0);
        b.header.num_entries = 0;
        b.header.valid_hooks = 0;
    });
}

/// Which one of two faults is noticed.
fn order(rows: &mut Rows) {
    use entry::{COMMENT, DROP, END, TCP};
    use libc::{EAGAIN, EINVAL, ELOOP, ENOENT, EPROTOTYPE};
    rows.row(EINVAL, "sizes of the last before loops of the first", |b| {
        b.jump(TCP, TCP, 0);
        b.field(END, FLAGS, &[4]);
    });
    rows.row(EINVAL, "hooks before loops", |b| {
        b.jump(TCP, TCP, 0);
        b.header.underflow[1] += 8;
    });
    rows.row(
        ELOOP,
        "loops of the last before matches of the first",
        |b| {
            b.field(TCP, ENTRY + NAME, b"nobody\0");
            b.jump(COMMENT, COMMENT, 0);
        },
    );
    rows.row(ELOOP, "loops before names without end", |b| {
        b.field(TCP, ENTRY + NAME, &[b'x'; 29]);
        b.jump(COMMENT, COMMENT, 0);
    });
    rows.row(ENOENT, "the first entry before the second", |b| {
        b.field(TCP, ENTRY + NAME, b"nobody\0");
        b.target(DROP, NAME, &[b'x'; 29]);
    });
    rows.row(EINVAL, "the first entry before the last", |b| {
        b.field(TCP, PROTO, &[17]);
        b.field(COMMENT, ENTRY + NAME, b"nobody\0");
    });
    rows.row(ENOENT, "a match before the target", |b| {
        b.field(TCP, ENTRY + NAME, b"nobody\0");
        b.target(TCP, NAME, &[b'x'; 29]);
    });
    rows.row(EPROTOTYPE, "the revision before the data", |b| {
        b.field(COMMENT, ENTRY + REVISION, &[1]);
        b.field16(COMMENT, ENTRY, 32 + 128);
        b.field16(COMMENT, ENTRY + 160, 128);
    });
    rows.row(ENOENT, "extensions before the table's name", |b| {
        b.header.name[0] = b'F';
        b.field(TCP, ENTRY + NAME, b"nobody\0");
    });
    rows.row(EINVAL, "rules before the table's name", |b| {
        b.header.name[0] = b'F';
        b.field(TCP, PROTO, &[17]);
    });
    rows.row(EINVAL, "rules before counts", |b| {
        b.header.num_counters = 12_345;
        b.field(TCP, PROTO, &[17]);
    });
    rows.row(ENOENT, "the table's name before its hooks", |b| {
        b.header.name[0] = b'F';
        b.header.valid_hooks = 0x6;
    });
    rows.row(ENOENT, "the table's name before counts", |b| {
        b.header.name[0] = b'F';
        b.header.num_counters = 12_345;
    });
    rows.row(EINVAL, "hooks before counts", |b| {
        b.header.valid_hooks = 0x6;
        b.header.num_counters = 12_345;
    });
    rows.row(EAGAIN, "counts last", |b| b.header.num_counters = 3);
}

/// Odd, and accepted all the same.
fn accepted(rows: &mut Rows) {
    use entry::{DROP, END, FORWARD, HEAD, TCP};
    rows.row(0, "nothing odd", |_| {});
    rows.row(0, "two chains with one name", |b| {
        b.target(HEAD, EXTENSION, b"ERROR\0");
    });
    rows.row(0, "a chain without a name", |b| {
        b.target(HEAD, EXTENSION, b"\0");
    });
    rows.row(0, "no ERROR entry at the end", |b| {
        b.cut(b.offsets[END]);
        b.header.num_entries -= 1;
    });
    rows.row(0, "ACCEPT with GOTO", |b| {
        b.field(DROP, FLAGS, &[IPT_F_GOTO]);
        b.verdict(DROP, VERDICT_ACCEPT);
    });
    rows.row(0, "a gap behind a target", |b| {
        b.grow(END, 16);
        let at = b.offsets[END] + 176;
        b.put(at, &[0xa5; 16]);
    });
    rows.row(0, "garbage wherever nobody looks", |b| {
        b.target(DROP, EXTENSION + 4, &[0xa5; 4]);
        b.target(HEAD, EXTENSION + 6, &[0xa5; 26]);
        b.target(HEAD, NAME + 6, &[0xa5; 23]);
        b.field(TCP, ENTRY + NAME + 4, &[0xa5; 25]);
        b.field(TCP, ENTRY + EXTENSION + 12, &[0xa5; 4]);
        b.field(FORWARD, offset_of!(Entry, comefrom), &[0xa5; 20]);
        b.field(DROP, offset_of!(Entry, nfcache), &[0xa5; 4]);
    });
    rows.row(0, "an address outside its mask", |b| {
        b.field(TCP, 0, &[1, 2, 3, 4]);
    });
    rows.row(0, "an interface name without an end", |b| {
        b.field(DROP, offset_of!(IptIp, iniface), &[b'x'; 64]);
    });
}

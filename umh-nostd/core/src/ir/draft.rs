// SPDX-License-Identifier: GPL-2.0-only
//! From one rule of the table to its record and ops.
//!
//! Owns: what ip_packet_match asks, and the interface through which the
//! matches of `extension` say what they ask. Everything is asked in the
//! order in which ip_tables asks it, unless the order cannot be noticed: a
//! question that changes nothing may be asked earlier, but not before one
//! that keeps state or may drop the packet.
//!
//! A rule is lowered twice, once for packets as they should be and once for
//! odd ones (`record::class::ODD_KEEPS`).

use zerocopy::IntoBytes;

use super::named::Named;
use super::record::{BUCKET, Bucket, LimitRates, OP, Op, Pattern, Record, class, flag, kind};
use super::test::{Field, Predicate, Predicates, Question, Test};
use crate::abi::{
    IPT_F_FRAG, IPT_INV_DSTIP, IPT_INV_FRAG, IPT_INV_PROTO, IPT_INV_SRCIP, IPT_INV_VIA_IN,
    IPT_INV_VIA_OUT, IptIp,
};
use crate::bytes::{read, write};
use crate::errno::{Errno, Result};
use crate::plan::LONG;
use crate::table::{Entry, Table, Target};
use crate::target::Kernel;

/// Where ops and buckets go. With no room it only counts, so that the same
/// code finds out how much room there must be.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    bytes: &'a mut [u8],
    /// Bytes so far, whether there was room or not.
    pub(crate) len: usize,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// What has room.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn push<T: IntoBytes + zerocopy::Immutable + ?Sized>(&mut self, value: &T) {
        // Without room there is nothing to write to.
        let _ = write(self.bytes, self.len, value);
        self.len += size_of_val(value);
    }

    /// Sets a flag of an op that has been pushed.
    fn set_flag(&mut self, op: usize, flag: u8) {
        if let Some(flags) = self.bytes.get_mut(op + core::mem::offset_of!(Op, flags)) {
            *flags |= flag;
        }
    }

    fn set_low(&mut self, op: usize, low: u32) {
        let _ = write(self.bytes, op + core::mem::offset_of!(Op, low), &low);
    }
}

/// What of a packet the rules of a table look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    /// `1 << Field`.
    pub fields: u32,
    /// `1 << kind` of the ops.
    pub kinds: u32,
    /// The transport header.
    pub transport: bool,
    /// Names of the incoming and of the outgoing interface.
    pub interfaces: [bool; 2],
    /// Whether a connection was translated.
    pub nat: bool,
    /// Some rule changes the mark or the length, so that they are asked when
    /// their turn comes.
    pub changes: bool,
}

/// What a whole table is lowered into.
#[derive(Debug)]
pub(crate) struct Lowering<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) hz: u32,
    /// Whether there may be odd packets: if any rule asks for a transport
    /// header.
    pub(crate) odd_packets: bool,
    pub(crate) table: &'a Table<'a>,
    pub(crate) ops: Sink<'a>,
    pub(crate) state: Sink<'a>,
    pub(crate) predicates: &'a mut Predicates,
    pub(crate) uses: &'a mut Uses,
}

/// The op that asks an odd packet for its transport header, and drops it or
/// lets the rule fail: most rules need no other for odd packets.
pub(crate) const SHARED_GUARD: u32 = OP as u32;

impl<'a> Lowering<'a> {
    /// The ops that every table starts with: one that is never reached, so
    /// that no rule's ops start at 0, and the shared one.
    pub(crate) fn start(&mut self) {
        self.ops.push(&Op::default());
        self.ops.push(&Op {
            kind: kind::GUARD,
            flags: flag::LAST | OP as u8,
            ..Op::default()
        });
    }

    /// Lowers one entry; its action and its place in the index are left to
    /// the caller, but for the op of a target that is no verdict, which the
    /// action then names.
    pub(crate) fn rule(&mut self, entry: &Entry<'_>) -> Result<Record> {
        let mut record = Record::default();
        let bucket = self.state.len;
        if let Target::Extension(instance) = entry.target {
            record.action = u32::try_from(self.ops.len).map_err(|_| Errno::ENOMEM)?;
            let mut ignored = record;
            let mut target = self.draft(&mut ignored, bucket, false);
            target.number = instance.number;
            (instance.extension.lower)(&mut target, instance.data)?;
        }
        record.ops = self.part(entry, &mut record, bucket, false)?;
        // What the record asks of odd packets is the same.
        let mut ignored = record;
        record.odd_ops = match self.needs_odd_ops(entry, &record) {
            true => self.part(entry, &mut ignored, bucket, true)?,
            false => record.ops,
        };
        Ok(record)
    }

    /// Whether the ternary match holds something that does not count for
    /// odd packets.
    fn needs_odd_ops(&self, entry: &Entry<'_>, record: &Record) -> bool {
        self.odd_packets
            && entry.matches().next().is_some()
            && record.class_mask & !self.predicates.odd_keeps() != 0
    }

    /// Lowers an entry for packets as they should be, or for odd ones.
    /// Returns where the ops start.
    fn part(
        &mut self,
        entry: &Entry<'_>,
        record: &mut Record,
        bucket: usize,
        odd: bool,
    ) -> Result<u32> {
        let start = self.ops.len;
        let mut rule = self.draft(record, bucket, odd);
        rule.ip(entry.ip);
        rule.ip_part = false;
        for instance in entry.matches() {
            rule.number = instance.number;
            (instance.extension.lower)(&mut rule, instance.data)?;
        }
        let (last, done) = (rule.last, rule.done);
        let Some(last) = last else {
            return Ok(0);
        };
        if done && last == start {
            self.ops.len = start;
            return Ok(SHARED_GUARD);
        }
        self.ops.set_flag(last, flag::LAST);
        u32::try_from(start).map_err(|_| Errno::ENOMEM)
    }

    fn draft<'r>(&'r mut self, record: &'r mut Record, bucket: usize, odd: bool) -> Draft<'r, 'a> {
        Draft {
            all: self,
            record,
            odd,
            ip_part: true,
            pure: true,
            done: false,
            last: None,
            bucket,
            number: 0,
        }
    }
}

/// One rule on its way. Extensions say here what they ask, in their order.
#[derive(Debug)]
pub struct Draft<'r, 'a> {
    all: &'r mut Lowering<'a>,
    record: &'r mut Record,
    /// For odd packets.
    odd: bool,
    /// Before the matches.
    ip_part: bool,
    /// Nothing so far keeps state or drops.
    pure: bool,
    /// What follows is never asked.
    done: bool,
    /// Where the last op is.
    last: Option<usize>,
    /// Where the next limit's bucket is.
    bucket: usize,
    /// The number of the match or target at hand, or of the table it names.
    number: u32,
}

/// Makes a port one that no packet has.
const NO_PORT: u32 = 0x10000;

/// From where on bytes of the packet are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Payload {
    /// The IP header.
    Network = 0,
    /// The transport header.
    Transport = 1,
    /// As far behind the last word's place as what is found says.
    Found = 2,
}

/// A place in a rule from which those that fail go on elsewhere: that of an
/// op. None is at 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl Mark {
    /// No place.
    pub(crate) const NONE: Self = Self(0);
}

/// The flag of an op that inverts.
fn inverted(invert: bool) -> u8 {
    if invert { flag::INVERT } else { 0 }
}

/// A bit for the source port, and one for the destination's, as in `xt_tcp`,
/// `xt_udp`, `xt_dccp` and `xt_sctp`.
pub(crate) const BOTH_PORTS: u32 = 1 << 0 | 1 << 1;

/// How much of the transport header a match asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// All that TCP, UDP or ICMP have.
    Whole = 0,
    /// The ports.
    Ports = 1,
}

impl<'a> Draft<'_, 'a> {
    /// ip_packet_match
    fn ip(&mut self, ip: &IptIp) {
        let half = |low: [u8; 4], high: [u8; 4]| {
            u64::from(u32::from_ne_bytes(low)) | u64::from(u32::from_ne_bytes(high)) << 32
        };
        let inverted = |flag| ip.invflags & flag != 0;
        let source = match inverted(IPT_INV_SRCIP) {
            true => self.address_not(Field::Source, ip.src, ip.smsk),
            false => (ip.smsk, ip.src),
        };
        let destination = match inverted(IPT_INV_DSTIP) {
            true => self.address_not(Field::Destination, ip.dst, ip.dmsk),
            false => (ip.dmsk, ip.dst),
        };
        self.record.addr_mask = half(source.0, destination.0);
        self.record.addr = half(source.1, destination.1);

        self.interface(
            false,
            &ip.iniface,
            &ip.iniface_mask,
            inverted(IPT_INV_VIA_IN),
        );
        self.interface(
            true,
            &ip.outiface,
            &ip.outiface_mask,
            inverted(IPT_INV_VIA_OUT),
        );

        match (u8::try_from(ip.proto), inverted(IPT_INV_PROTO)) {
            (Ok(0), _) => {}
            (Ok(proto), false) => self.class(class::PROTOCOL, u64::from(proto)),
            // No packet has such a protocol.
            (Err(_), false) => self.class(class::NEVER, class::NEVER),
            (_, true) => self.require(
                Test::equal(Field::Protocol, u32::MAX, u32::from(ip.proto)).invert_if(true),
            ),
        }
        match (ip.flags & IPT_F_FRAG != 0, inverted(IPT_INV_FRAG)) {
            (false, false) => {}
            (true, false) => self.class(class::FRAGMENT, class::FRAGMENT),
            (true, true) => self.class(class::FRAGMENT, 0),
            // An inversion of nothing: ip_tables fails such a rule.
            (false, true) => self.class(class::NEVER, class::NEVER),
        }
    }

    /// Returns a mask and an address that any packet has.
    fn address_not(&mut self, field: Field, address: [u8; 4], mask: [u8; 4]) -> ([u8; 4], [u8; 4]) {
        let mask = u32::from_be_bytes(mask);
        self.require(Test::equal(field, mask, u32::from_be_bytes(address)).invert_if(true));
        Default::default()
    }

    fn interface(&mut self, out: bool, name: &[u8; 16], mask: &[u8; 16], invert: bool) {
        if *mask == [0; 16] {
            if invert {
                self.class(class::NEVER, class::NEVER);
            }
            return;
        }
        let pattern = Pattern {
            name: read(name, 0).unwrap_or_default(),
            mask: read(mask, 0).unwrap_or_default(),
        };
        if let Some(used) = self.all.uses.interfaces.get_mut(usize::from(out)) {
            *used = true;
        }
        if !self.ask_beforehand(Question::Interface(out, pattern), invert) {
            let op = Op {
                kind: kind::INTERFACE,
                flags: inverted(invert),
                what: u16::from(out),
                ..Op::default()
            };
            self.op_with(op, pattern.as_bytes());
        }
    }

    /// Bits of the class word.
    fn class(&mut self, mask: u64, want: u64) {
        self.record.class_mask |= mask;
        self.record.class |= want;
    }

    /// Uses a predicate. For odd packets only those of the IP part count.
    fn ask_beforehand(&mut self, question: Question, invert: bool) -> bool {
        if !self.pure || (self.odd && !self.ip_part) {
            return false;
        }
        let predicate = Predicate {
            question,
            ip_part: self.ip_part,
        };
        let rows = self.all.table.num_entries() as usize >= LONG;
        match self.all.predicates.bit(predicate, rows) {
            // The bit says that it does not hold.
            Some(bit) if self.record.class_mask & bit == 0 => {
                self.class(bit, if invert { bit } else { 0 });
                true
            }
            // The same question twice.
            Some(bit) => (self.record.class & bit != 0) == invert,
            None => false,
        }
    }

    /// As [`Self::require`], but inverted by a number that the kernel xors
    /// with the truth: from 2 on the outcome is always true.
    pub(crate) fn require_unless(&mut self, test: Test, invert: u32) {
        if invert < 2 {
            self.require(test.invert_if(invert == 1));
        }
    }

    /// The rule holds only if a port lies in a range.
    pub(crate) fn port(&mut self, field: Field, range: [u16; 2], invert: bool) {
        let [first, last] = range;
        if range != [0, u16::MAX] || invert {
            self.require(Test::between(field, first.into(), last.into()).invert_if(invert));
        }
    }

    /// The rule holds only for a packet with a transport header, and only if
    /// those ports that are asked for lie in ranges. Bits as in [`BOTH_PORTS`]
    /// ask, and invert.
    pub(crate) fn header_with_ports(
        &mut self,
        asked: u32,
        inverted: u32,
        source: [u16; 2],
        destination: [u16; 2],
    ) {
        self.transport(Transport::Whole);
        for (bit, field, range) in [
            (1, Field::SourcePort, source),
            (2, Field::DestinationPort, destination),
        ] {
            if asked & bit != 0 {
                self.port(field, range, inverted & bit != 0);
            }
        }
    }

    /// The rule holds only if the test does.
    pub(crate) fn require(&mut self, test: Test) {
        if self.done {
            return;
        }
        if test.mask == 0 && 0u32.wrapping_sub(test.low) <= test.span && !test.invert {
            // Always.
            return;
        }
        self.all.uses.fields |= 1 << test.field as u32;
        if self.all.uses.changes && matches!(test.field, Field::Mark | Field::Length) {
            // Upside down: rows leave out nothing by what is not to be.
            let upside_down = Test {
                low: test.low.wrapping_add(test.span).wrapping_add(1),
                span: (!test.span).wrapping_sub(1),
                invert: true,
                ..test
            };
            let test = if test.invert { test } else { upside_down };
            self.test_op(kind::TEST, test.field as u16, &test);
            return;
        }
        if self.pure && !self.odd && !self.ip_part && self.port_bits(&test) {
            return;
        }
        let plain = Test {
            invert: false,
            ..test
        };
        if self.ask_beforehand(Question::Test(plain), test.invert) {
            return;
        }
        self.test_op(kind::TEST, test.field as u16, &test);
    }

    /// Asks for the bits that all ports of a range have in common, if they are
    /// free. Whether that says it all.
    fn port_bits(&mut self, test: &Test) -> bool {
        let shift = match test.field {
            Field::SourcePort => class::SOURCE_PORT,
            Field::DestinationPort => class::DESTINATION_PORT,
            _ => return false,
        };
        let high = test.low.saturating_add(test.span);
        let taken = self.record.class_mask & (0xffff << shift) != 0;
        if test.mask != u32::MAX || test.invert || high > 0xffff || taken {
            return false;
        }
        let differ = test.low ^ high;
        let free = u32::MAX.checked_shr(differ.leading_zeros()).unwrap_or(0);
        let bits = |port: u32| u64::from(port & 0xffff) << shift;
        self.class(bits(!free), bits(test.low & !free));
        test.low & free == 0 && test.span == free
    }

    /// The rule holds only for a packet with a transport header; one whose
    /// header is cut off is dropped here.
    pub(crate) fn transport(&mut self, which: Transport) {
        if self.done {
            return;
        }
        self.all.uses.transport = true;
        if self.pure && !self.odd {
            self.class(class::TRANSPORT, class::TRANSPORT);
            return;
        }
        let what = which as u16;
        self.op(Op {
            kind: kind::GUARD,
            what,
            ..Op::default()
        });
        // No odd packet passes it.
        self.done = self.odd && which == Transport::Whole;
    }

    /// The rule holds only if one of the ports is in one of the ranges.
    pub(crate) fn ports(
        &mut self,
        source: bool,
        destination: bool,
        ranges: &[[u16; 2]; 15],
        invert: bool,
    ) {
        if self.done {
            return;
        }
        for (used, field) in [
            (source, Field::SourcePort),
            (destination, Field::DestinationPort),
        ] {
            if used {
                self.all.uses.fields |= 1 << field as u32;
                if source != destination && !invert && self.pure && !self.odd {
                    // What comes first and last of the list.
                    let real = ranges.iter().filter(|[first, last]| first <= last);
                    let span = real.fold([u16::MAX, 0], |[low, high], [first, last]| {
                        [low.min(*first), high.max(*last)]
                    });
                    let [low, high] = span.map(u32::from);
                    if low <= high {
                        self.port_bits(&Test::between(field, low, high));
                    }
                }
            }
        }
        let op = Op {
            kind: kind::PORTS,
            flags: inverted(invert),
            mask: if source { 0 } else { NO_PORT },
            low: if destination { 0 } else { NO_PORT },
            ..Op::default()
        };
        self.op_with(op, ranges.as_bytes());
    }

    /// The rule holds only if the op of that kind says so of `data`, of a packet
    /// that it leaves as it is.
    pub(crate) fn question(&mut self, kind: u8, data: &[u8], invert: bool) {
        let op = Op {
            kind,
            flags: inverted(invert),
            ..Op::default()
        };
        self.op_with(op, data);
    }

    /// The rule holds, or its target drops the packet or lets it go on, as a
    /// function of the kernel half says of `data`.
    pub(crate) fn function(&mut self, kind: u8, data: &[u8]) {
        self.question(kind, data, false);
        self.pure &= kind == kind::ADDRTYPE;
    }

    /// A match of the kernel's own, or the target, by number. The target is
    /// lowered first.
    pub(crate) fn foreign(&mut self) {
        let kind = match self.ip_part {
            true => kind::XT_TARGET,
            false => kind::XT_MATCH,
        };
        self.function(kind, &self.number.to_ne_bytes());
    }

    /// The rule holds only if the TCP option is there, and if the number in
    /// it, of two bytes, passes the test; a test of no bits asks for no
    /// number. A packet whose options are cut off is dropped.
    pub(crate) fn tcp_option(&mut self, option: u8, test: &Test) {
        self.test_op(kind::TCP_OPTION, option.into(), test);
        self.pure = false;
    }

    /// Four bytes of the packet become [`Field::Found`], see
    /// [`kind::PAYLOAD`]. Where they are cut off the rule fails, or the packet
    /// is dropped.
    #[inline(never)]
    pub(crate) fn payload_word(&mut self, from: Payload, offset: u32, must_be_there: bool) {
        self.op(Op {
            kind: kind::PAYLOAD,
            what: from as u16,
            mask: offset,
            low: must_be_there.into(),
            ..Op::default()
        });
        self.pure &= !must_be_there;
    }

    /// One of the groups of who sent the packet lies in a range, besides
    /// [`Field::Group`].
    pub(crate) fn groups(&mut self, test: &Test) {
        self.all.uses.fields |= 1 << Field::Socket as u32;
        self.test_op(kind::GROUPS, 0, test);
    }

    /// What is found is masked, and shifted left, and right.
    #[inline(never)]
    pub(crate) fn shift(&mut self, mask: u32, left: u32, right: u32) {
        self.op(Op {
            kind: kind::SHIFT,
            mask,
            low: left,
            span: right,
            ..Op::default()
        });
    }

    /// What is found becomes the bit of that number.
    pub(crate) fn bit(&mut self) {
        self.question(kind::BIT, &[], false);
    }

    /// A place in the state map for what a match keeps, at the start `initial`.
    fn state(&mut self, initial: Bucket) -> Result<u32> {
        // Odd packets draw from the buckets of all others.
        if self.bucket == self.all.state.len {
            self.all.state.push(&initial);
        }
        let place = u32::try_from(self.bucket).map_err(|_| Errno::ENOMEM)?;
        self.bucket += BUCKET;
        Ok(place)
    }

    /// A question that changes what is kept in the state map.
    fn stateful(&mut self, initial: Bucket, op: Op) -> Result<()> {
        if self.done {
            return Ok(());
        }
        let mask = self.state(initial)?;
        self.op(Op { mask, ..op });
        self.pure = false;
        Ok(())
    }

    /// The rule holds only as long as a token bucket has enough.
    pub(crate) fn limit(&mut self, credit: u32, cap: u32, cost: u32) -> Result<()> {
        let initial = Bucket {
            credit,
            ..Bucket::default()
        };
        self.stateful(
            initial,
            Op {
                kind: kind::LIMIT,
                low: cost,
                span: cap,
                ..Op::default()
            },
        )
    }

    /// The rule holds only for one packet in `every` + 1.
    pub(crate) fn nth(&mut self, every: u32, count: u32, invert: bool) -> Result<()> {
        self.counted(kind::NTH, count.into(), every, invert)
    }

    /// The rule holds only as long as there are bytes left.
    pub(crate) fn quota(&mut self, bytes: u64, invert: bool) -> Result<()> {
        self.counted(kind::QUOTA, bytes, 0, invert)
    }

    fn counted(&mut self, kind: u8, previous: u64, low: u32, invert: bool) -> Result<()> {
        let initial = Bucket {
            previous,
            ..Bucket::default()
        };
        let op = Op {
            kind,
            flags: inverted(invert),
            low,
            ..Op::default()
        };
        self.stateful(initial, op)
    }

    /// The rule holds with a chance, given in 2^31.
    pub(crate) fn random(&mut self, chance: u32, invert: bool) {
        let test = match chance.checked_sub(1) {
            Some(span) => Test {
                span,
                ..Test::equal(Field::Found, i32::MAX as u32, 0)
            },
            None => Test::any_of(Field::Found, 0),
        };
        self.test_op(kind::RANDOM, 0, &test.invert_if(invert));
    }

    /// Where later questions that fail go on, until [`Self::here`]: one of
    /// those that this returns must be given to it.
    #[must_use]
    #[inline(never)]
    pub(crate) fn otherwise(&mut self) -> Mark {
        let op = self.all.ops.len;
        self.op(Op {
            kind: kind::OTHERWISE,
            ..Op::default()
        });
        Mark(if self.done { 0 } else { op })
    }

    /// Where those go on that failed after `from`, at an op that must follow.
    #[inline(never)]
    pub(crate) fn land(&mut self, from: &[Mark]) {
        let here = self.all.ops.len;
        for mark in from.iter().filter(|mark| mark.0 != 0) {
            // A few hundred ops: it fits.
            self.all.ops.set_low(mark.0, (here - mark.0) as u32);
        }
    }

    /// As [`Self::land`]. From here on a question that fails fails the rule.
    pub(crate) fn here(&mut self, from: &[Mark]) {
        self.land(from);
        let _ = self.otherwise();
    }

    /// Fails, whatever the packet.
    pub(crate) fn fail(&mut self) {
        self.detail_field(Test::any_of(Field::Found, 0));
    }

    /// The rule holds only if one of the details that `details` lowers fails.
    pub(crate) fn not_all(&mut self, details: impl FnOnce(&mut Self)) {
        let holds = self.otherwise();
        details(self);
        let _ = self.otherwise();
        self.fail();
        self.here(&[holds]);
    }

    /// The table that the match at hand names.
    pub(crate) fn named(&self) -> Result<&'a Named> {
        let named = self.all.table.named().get(self.number as usize);
        named.ok_or(Errno::EINVAL)
    }

    /// The rule holds only as long as the bucket for such packets has enough.
    pub(crate) fn hashlimit(&mut self, how: u8, masks: [u32; 2], invert: bool, rates: &LimitRates) {
        let [low, span] = masks;
        let op = Op {
            kind: kind::HASHLIMIT,
            flags: inverted(invert),
            what: u16::from(how) | (self.number as u16) << 8,
            low,
            span,
            ..Op::default()
        };
        self.op_with(op, rates.as_bytes());
        self.pure = false;
    }

    /// The rule holds only if its table of addresses says so.
    pub(crate) fn recent(&mut self, how: u8, invert: bool, times: u32, seconds: u32) -> Result<()> {
        if self.done {
            return Ok(());
        }
        self.all.uses.fields |= 1 << Field::TtlBefore as u32;
        self.op(Op {
            kind: kind::RECENT,
            flags: if invert { flag::INVERT } else { 0 },
            what: u16::from(how) | (self.number as u16) << 8,
            mask: self.named()?.mask,
            low: times,
            // The kernel multiplies in 32 bits.
            span: seconds.wrapping_mul(self.all.hz),
        });
        self.pure = false;
        Ok(())
    }

    /// The rule holds only if connection tracking knows the packet. Without
    /// a connection it fails, or the part of the match that `details` lowers
    /// counts as held.
    pub(crate) fn connection(&mut self, may_be_absent: bool, details: impl FnOnce(&mut Self)) {
        if self.done {
            return;
        }
        self.uses_connection();
        let absent = match may_be_absent {
            true => self.otherwise(),
            false => Mark::NONE,
        };
        self.op(Op {
            kind: kind::CONNECTION,
            ..Op::default()
        });
        if may_be_absent {
            let _ = self.otherwise();
        }
        details(self);
        if may_be_absent {
            self.here(&[absent]);
        }
    }

    /// As [`Self::require`], within [`Self::connection`], on a word of it.
    pub(crate) fn connection_word(&mut self, offset: i32, test: Test) {
        self.detail(kind::CT_WORD, offset, test);
    }

    /// As [`Self::require`], within [`Self::connection`], on what `kind`
    /// finds at `offset` of the connection.
    pub(crate) fn detail(&mut self, kind: u8, offset: i32, test: Test) {
        self.test_op(kind, u16::try_from(offset).unwrap_or(0), &test);
    }

    /// A detail, or one of several questions, that is a field of its own.
    #[inline(never)]
    pub(crate) fn detail_field(&mut self, test: Test) {
        self.test_op(kind::TEST, test.field as u16, &test);
    }

    /// The kernel that the rules are for.
    pub(crate) fn kernel(&self) -> &Kernel {
        self.all.kernel
    }

    /// Ticks in a second.
    pub(crate) fn hz(&self) -> u32 {
        self.all.hz
    }

    /// Some rule looks at the packet's connection.
    pub(crate) fn uses_connection(&mut self) {
        self.all.uses.fields |= 1 << Field::Connection as u32;
    }

    /// Some rule looks at whether a connection was translated.
    pub(crate) fn uses_nat(&mut self) {
        self.all.uses.nat = true;
    }

    fn test_op(&mut self, kind: u8, what: u16, test: &Test) {
        if kind == kind::TEST && !self.done {
            self.all.uses.fields |= 1 << test.field as u32;
        }
        self.op(Op {
            kind,
            flags: inverted(test.invert),
            what,
            mask: test.mask,
            low: test.low,
            span: test.span,
        });
    }

    fn op(&mut self, op: Op) {
        self.op_with(op, &[]);
    }

    /// An op with a payload, and zeros up to a multiple of [`OP`] bytes.
    fn op_with(&mut self, op: Op, payload: &[u8]) {
        if self.done {
            return;
        }
        let start = self.all.ops.len;
        let size = OP + payload.len().next_multiple_of(OP);
        self.all.uses.kinds |= 1 << op.kind;
        self.last = Some(start);
        self.all.ops.push(&Op {
            flags: op.flags | size as u8,
            ..op
        });
        self.all.ops.push(payload);
        let padding = size - OP - payload.len();
        self.all
            .ops
            .push([0u8; OP].get(..padding).unwrap_or_default());
    }
}

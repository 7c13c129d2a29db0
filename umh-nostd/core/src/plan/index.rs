// SPDX-License-Identifier: GPL-2.0-only
//! The index: which rules a packet cannot match, without looking at them.
//!
//! Owns: which rules are indexed in which way, and the index's part of the data
//! map.
//!
//! A *tuple* is a pair of masks, one of the addresses and one of the class word,
//! that rules' records share. One with many rules has a hash table: a packet's
//! bits under the masks lead to a bucket of a few rules (tuple-space search).
//! A rule whose tuple has no hash table, or whose bucket is full, is listed, in
//! order. A short list is searched rule by rule, from the place that each record
//! names. Often all that is listed are entries that match every packet: policies,
//! ends of chains, jumps without a question. Then each record names the first of
//! them at or behind it, and there is nothing to search.
//!
//! A longer list has *rule bitmaps* (aggregated bit vectors). A key (`key.rs`) is
//! some eight bits of a packet. For some keys there is a bitmap for each of their
//! 256 values: one bit for each listed rule, set if the rule allows the value. A
//! rule can match a packet only if its bit is set in the bitmaps of all values
//! that the packet has. Each bitmap starts with an aggregate, one bit for each of
//! its words that is not zero, so that a search reads only few words.
//!
//! The index only leaves out: whatever it finds is compared with its record. A
//! rule that it leaves out asks for a bit that the packet does not have.

use heapless::Vec;
use zerocopy::FromBytes;

use super::key::{self, KEYS, Values};
use crate::bytes::{read, write};
use crate::errno::{Errno, Result};
use crate::ir::{Context, Record, class};

/// Tuples that have hash tables, at most.
pub(crate) const TUPLES: usize = 8;
/// Rules in a bucket.
pub(crate) const BUCKET_RULES: usize = 4;
/// Bytes of a bucket: rules' numbers and 1, ascending, 0 where there is none.
pub(crate) const HASH_BUCKET: usize = 4 * BUCKET_RULES;
/// Bits of addresses and ports that rules of a tuple ask for, at least: with
/// fewer, too many would meet in one bucket.
const SELECTIVE: u32 = 12;
/// Rules that a tuple must have to get a hash table, if the list is short.
const WORTH: u32 = 16;
/// Where the list has bitmaps anyway, a tuple must be this part of all rules, or
/// have so many: a hash and a bucket take as long as some words of the bitmaps.
const WORTH_BESIDE_BITMAPS: (u32, u32) = (8, 768);
/// Where the list need not be searched: a hash and a bucket take as long as so many
/// rules one after the other.
const WORTH_ALONE: u32 = 8;
/// Tables and lists of fewer entries are searched one by one, if they must be.
const SHORT: u32 = 24;
/// Keys that there may be bitmaps for.
pub(crate) const BITMAP_KEYS_MAX: usize = 6;
/// A list of fewer rules is searched one by one.
pub(super) const LONG: usize = 96;
/// Multiplied with a power of two, the upper six bits tell which one.
pub(crate) const DE_BRUIJN: u64 = 0x03f7_9d71_b4cb_0a89;
/// What the hash multiplies the two words with.
pub(crate) const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
/// What it multiplies their sum with, at first.
const FACTOR: u64 = 0xff51_afd7_ed55_8ccd;
/// If a few rules find their bucket full, other factors are tried: the list need not be
/// searched if none does. Many are rules that are too much alike.
const FEW: u32 = 4;
/// How many other factors.
const TRIES: usize = 4;
/// In a record, while the index is written: the rule is in a bucket.
const IN_BUCKET: u32 = u32::MAX;

/// A tuple, and its hash table.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tuple {
    /// Bits of the addresses.
    pub(crate) addr_mask: u64,
    /// Bits of the class word.
    pub(crate) class_mask: u64,
    /// How far the hash is shifted to get a bucket's number.
    pub(crate) shift: u32,
    /// Number of the tuple's first bucket.
    pub(crate) first: u32,
    /// What the hash multiplies with in the end; odd.
    pub(crate) factor: u64,
    /// While counting: how many rules there are at least.
    count: u32,
}

impl Tuple {
    fn is_of(&self, record: &Record) -> bool {
        (self.addr_mask, self.class_mask) == (record.addr_mask, record.class_mask)
    }

    /// The bucket for a packet or rule with these bits.
    fn bucket(&self, addr: u64, class: u64) -> u32 {
        let hash = self.hash(addr & self.addr_mask, class & self.class_mask);
        self.first + (hash >> self.shift) as u32
    }

    /// Puts a rule of it into its bucket; false if that is full.
    fn put(&self, buckets: &mut [u8], number: u32, record: &Record) -> bool {
        let at = self.bucket(record.addr, record.class) as usize * HASH_BUCKET;
        (0..BUCKET_RULES)
            .map(|slot| at + 4 * slot)
            .find(|&at| read::<u32>(buckets, at) == Some(0))
            .is_some_and(|at| write(buckets, at, &(number + 1)).is_some())
    }

    /// As `program::search` computes it.
    fn hash(&self, addr: u64, class: u64) -> u64 {
        let [a, b] = FACTORS;
        let mut hash = addr.wrapping_mul(a).wrapping_add(class.wrapping_mul(b));
        hash ^= hash >> 32;
        hash.wrapping_mul(self.factor)
    }
}

/// Counts what rules ask for, in one pass and bounded memory. It finds the masks
/// that most rules have: those of more than one rule in 32 are sure to be among
/// them (the algorithm of Misra and Gries).
#[derive(Debug, Default)]
pub(super) struct Survey {
    tuples: Vec<Tuple, 32>,
    /// Rules.
    rules: u32,
    /// Those that match every packet, or have no question but ops.
    catch_alls: u32,
    /// How many bits rules ask for, by key; a bit in which rules differ counts
    /// [`TELLING`] times more.
    asked: [u32; KEYS],
    /// The rule that others are compared with for that: the last one whose
    /// number is a power of two.
    reference: Record,
    /// The same for ranges: the least value of the last rule, by key.
    least: [u32; KEYS],
}

/// A bit that all rules test alike cannot separate them; one in which they
/// differ can, so it counts this many times more.
const TELLING: u32 = 8;

/// The 16 bytes of two words.
fn bytes_of(addr: u64, class: u64) -> impl Iterator<Item = u8> {
    addr.to_le_bytes().into_iter().chain(class.to_le_bytes())
}

/// How many bits are set in each byte.
fn ones_by_byte(mut word: u64) -> u64 {
    word -= word >> 1 & 0x5555_5555_5555_5555;
    word = (word & 0x3333_3333_3333_3333) + (word >> 2 & 0x3333_3333_3333_3333);
    (word + (word >> 4)) & 0x0f0f_0f0f_0f0f_0f0f
}

/// Whether a record has nothing to compare.
fn is_catch_all(record: &Record) -> bool {
    [
        record.addr_mask,
        record.addr,
        record.class_mask,
        record.class,
    ] == [0; 4]
}

impl Survey {
    /// Counts a rule in.
    pub(super) fn add(&mut self, record: &Record, context: Context<'_>) {
        self.rules += 1;
        self.catch_alls += u32::from(is_catch_all(record));
        let other = &self.reference;
        let masks = bytes_of(
            ones_by_byte(record.addr_mask),
            ones_by_byte(record.class_mask),
        );
        let differ = bytes_of(
            ones_by_byte(record.addr_mask & other.addr_mask & (record.addr ^ other.addr)),
            ones_by_byte(record.class_mask & other.class_mask & (record.class ^ other.class)),
        );
        for (asked, (ones, differ)) in self.asked.iter_mut().zip(masks.zip(differ)) {
            *asked += u32::from(ones) + TELLING * u32::from(differ);
        }
        if self.rules.is_power_of_two() {
            self.reference = *record;
        }
        key::left(context, record, &mut |key, values| {
            let at = usize::from(key);
            if let (Some(asked), Some(least)) = (self.asked.get_mut(at), self.least.get_mut(at)) {
                let (bits, now) = key::asks(key, values);
                let telling = u32::from(now != core::mem::replace(least, now));
                *asked += bits * (1 + TELLING * telling);
            }
        });
        let bits =
            record.addr_mask.count_ones() + (record.class_mask >> class::SOURCE_PORT).count_ones();
        if bits < SELECTIVE {
            return;
        }
        if let Some(tuple) = self.tuples.iter_mut().find(|tuple| tuple.is_of(record)) {
            tuple.count += 1;
            return;
        }
        let new = Tuple {
            addr_mask: record.addr_mask,
            class_mask: record.class_mask,
            count: 1,
            ..Tuple::default()
        };
        if self.tuples.push(new).is_err() {
            // No room: each of the others loses one, too.
            for tuple in &mut self.tuples {
                tuple.count -= 1;
            }
            self.tuples.retain(|tuple| tuple.count > 0);
        }
    }

    /// Chooses what is indexed how, the biggest tuples first.
    pub(super) fn choose(mut self) -> Index {
        let mut index = Index::default();
        let in_tuples = |least| {
            let counts = self.tuples.iter().map(|tuple| tuple.count);
            counts.filter(|count| *count >= least).sum::<u32>()
        };
        let alone =
            in_tuples(WORTH_ALONE) + self.catch_alls == self.rules && self.tuples.len() <= TUPLES;
        let (part, many) = WORTH_BESIDE_BITMAPS;
        let worth = match self.rules.saturating_sub(in_tuples(WORTH)) as usize {
            _ if alone => WORTH_ALONE,
            _ if self.rules <= SHORT => return index,
            0..LONG => WORTH,
            _ => WORTH.max(many.min(self.rules / part)),
        };
        // Each round takes the biggest tuple by setting its count to zero.
        while let Some(biggest) = self.tuples.iter_mut().max_by_key(|tuple| tuple.count) {
            let tuple = core::mem::take(biggest);
            if tuple.count < worth || index.tuples.is_full() {
                break;
            }
            // Two buckets for each rule, so that few of them are full. Where
            // rules have many masks the count is too low, and more are listed.
            let bits = (2 * tuple.count).next_power_of_two().trailing_zeros();
            let _ = index.tuples.push(Tuple {
                shift: 64 - bits,
                first: index.buckets,
                factor: FACTOR,
                ..tuple
            });
            index.buckets += 1 << bits;
            index.hashed += tuple.count;
            let masks = bytes_of(tuple.addr_mask, tuple.class_mask);
            for (asked, mask) in self.asked.iter_mut().zip(masks) {
                // What those rules have added; about half of the bits differ.
                let asked_by_it = mask.count_ones() * tuple.count * (1 + TELLING / 2);
                *asked = asked.saturating_sub(asked_by_it);
            }
        }
        index.bitmaps = self.bitmaps(index.hashed);
        index
    }

    /// The bitmaps of the list, for the keys by which its rules differ most.
    fn bitmaps(&mut self, hashed: u32) -> Option<Bitmaps> {
        let listed = self.rules.saturating_sub(hashed);
        let capacity = (listed + hashed / 8) as usize + super::SENTINELS;
        if capacity < LONG || listed < SHORT {
            return None;
        }
        let words = capacity.div_ceil(64);
        let mut bitmaps = Bitmaps {
            keys: Vec::new(),
            words,
            aggregate: words.div_ceil(64),
        };
        while !bitmaps.keys.is_full() {
            let most = (0u8..)
                .zip(&mut self.asked)
                .max_by_key(|(_, asked)| **asked);
            match most {
                Some((key, asked)) if *asked > 0 => {
                    *asked = 0;
                    let _ = bitmaps.keys.push(key);
                }
                _ => break,
            }
        }
        (!bitmaps.keys.is_empty()).then_some(bitmaps)
    }
}

/// The rule bitmaps of a list.
#[derive(Clone, Debug)]
pub(crate) struct Bitmaps {
    /// Which keys there are bitmaps for.
    pub(crate) keys: Vec<u8, BITMAP_KEYS_MAX>,
    /// Words of 64 rules each.
    pub(crate) words: usize,
    /// Words of the aggregate, which tell which of those are not zero.
    pub(crate) aggregate: usize,
}

impl Bitmaps {
    /// Bytes of a bitmap with its aggregate.
    pub(crate) fn bitmap_len(&self) -> usize {
        (self.words + self.aggregate) * 8
    }

    fn len(&self) -> usize {
        self.keys.len() * 256 * self.bitmap_len()
    }

    /// Writes them for rules that are listed in `list`; 64 rules, one word of
    /// all bitmaps, at a time.
    fn write(
        &self,
        bitmaps: &mut [u64],
        list: &[u32],
        records: &[Record],
        context: Context<'_>,
    ) -> Option<()> {
        for (word, rules) in list.chunks(64).enumerate() {
            // A rule allows runs of values: its bit is set at the first value of
            // each run and at the one behind its last.
            let mut ends = [[0u64; 257]; BITMAP_KEYS_MAX];
            for (bit, &rule) in rules.iter().enumerate() {
                let record = records.get(rule as usize)?;
                let mut of_keys = [Values::ALL; BITMAP_KEYS_MAX];
                for (&key, values) in self.keys.iter().zip(&mut of_keys) {
                    *values = key::allowed(key, record);
                }
                key::left(context, record, &mut |key, left| {
                    let keys = self.keys.iter().zip(&mut of_keys);
                    for (_, values) in keys.filter(|(known, _)| **known == key) {
                        values.both(left);
                    }
                });
                for (values, ends) in of_keys.iter().zip(&mut ends) {
                    values.ends(&mut |end| {
                        if let Some(ends) = ends.get_mut(end) {
                            *ends ^= 1 << bit;
                        }
                    });
                }
            }
            let mut bitmaps = bitmaps.chunks_exact_mut((self.words + self.aggregate).max(1));
            for (ends, _) in ends.iter().zip(&self.keys) {
                let mut rules = 0;
                for (end, bitmap) in ends.iter().take(256).zip(&mut bitmaps) {
                    rules ^= end;
                    if rules != 0 {
                        *bitmap.get_mut(self.aggregate + word)? = rules;
                        *bitmap.get_mut(word / 64)? |= 1 << (word % 64);
                    }
                }
            }
        }
        Some(())
    }
}

/// What the index consists of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    tuples: Vec<Tuple, TUPLES>,
    /// All that is listed matches every packet.
    only_catch_alls: bool,
    /// Buckets of all tuples.
    buckets: u32,
    /// Rules that are expected in buckets; once it is written, that are there.
    hashed: u32,
    bitmaps: Option<Bitmaps>,
}

impl Index {
    /// Whether there is one.
    pub(crate) fn is_used(&self) -> bool {
        !self.tuples.is_empty() || self.bitmaps.is_some()
    }

    /// The bitmaps of the list, if it has any.
    pub(crate) fn bitmaps(&self) -> Option<&Bitmaps> {
        self.bitmaps.as_ref()
    }

    /// Where they are, in an index of `rules` rules.
    pub(crate) fn bitmaps_at(&self, rules: usize) -> usize {
        (self.list_at() + 4 * (rules + super::SENTINELS)).next_multiple_of(8)
    }

    /// Rules that are found by a hash, once it is written.
    pub(super) fn hashed(&self) -> u32 {
        self.hashed
    }

    /// The tuples that have hash tables.
    pub(crate) fn tuples(&self) -> &[Tuple] {
        &self.tuples
    }

    /// Whether the list need not be searched: each record names the first rule of
    /// it by its number, not by its place.
    pub(crate) fn only_catch_alls(&self) -> bool {
        self.only_catch_alls
    }

    /// Bytes of the index of a table of `rules` rules.
    pub(crate) fn len(&self, rules: usize) -> usize {
        if self.is_used() {
            self.bitmaps_at(rules) + self.bitmaps().map_or(0, Bitmaps::len)
        } else {
            0
        }
    }

    /// Where the list is, behind the buckets.
    pub(crate) fn list_at(&self) -> usize {
        self.buckets as usize * HASH_BUCKET
    }

    /// Writes the index of `records`, of which the first `rules` are rules and
    /// the rest sentinels, and tells each rule its place in the list.
    pub(super) fn write(
        &mut self,
        bytes: &mut [u8],
        rules: u32,
        records: &mut [Record],
        context: Context<'_>,
    ) -> Result<()> {
        if !self.is_used() {
            return Ok(());
        }
        let (head, bitmaps) = bytes
            .split_at_mut_checked(self.bitmaps_at(rules as usize))
            .ok_or(Errno::EINVAL)?;
        let (buckets, list) = head
            .split_at_mut_checked(self.list_at())
            .ok_or(Errno::EINVAL)?;
        let (list, _) =
            <[u32]>::mut_from_prefix_with_elems(list, records.len()).map_err(|_| Errno::EINVAL)?;

        self.hashed = self.fill(buckets, rules, records);
        let (mut listed, mut only_catch_alls) = (0, true);
        for (number, record) in (0..).zip(records.iter_mut()) {
            let in_bucket = record.indexed == IN_BUCKET;
            record.indexed = listed;
            if !in_bucket {
                // The list ends with the number of the first sentinel, many times.
                let slot = list.get_mut(listed as usize).ok_or(Errno::EINVAL)?;
                *slot = number.min(rules);
                listed += 1;
                only_catch_alls &= is_catch_all(record);
            }
        }
        if only_catch_alls {
            for record in records.iter_mut() {
                let first = list.get(record.indexed as usize);
                record.indexed = *first.ok_or(Errno::EINVAL)?;
            }
            self.only_catch_alls = true;
            self.bitmaps = None;
        } else if rules <= SHORT {
            // Some rules have found their bucket full.
            *self = Self::default();
        }
        if let Some(of_list) = &self.bitmaps {
            let list = list.get(..listed as usize).ok_or(Errno::EINVAL)?;
            if list.len() > of_list.words * 64 {
                // More rules than expected: the list is searched without bitmaps.
                self.bitmaps = None;
            } else {
                let len = of_list.len() / 8;
                let (bitmaps, _) =
                    <[u64]>::mut_from_prefix_with_elems(bitmaps, len).map_err(|_| Errno::EINVAL)?;
                of_list
                    .write(bitmaps, list, records, context)
                    .ok_or(Errno::EINVAL)?;
            }
        }
        Ok(())
    }

    /// Puts rules into buckets, which are empty, and marks those that are in one. Returns
    /// how many that are.
    fn fill(&mut self, buckets: &mut [u8], rules: u32, records: &mut [Record]) -> u32 {
        for tries in 0..=TRIES {
            let mut hashed = 0;
            let mut full = [0; TUPLES];
            for (number, record) in (0..rules).zip(records.iter_mut()) {
                record.indexed = 0;
                let mut tuples = self.tuples.iter().zip(&mut full);
                if let Some((tuple, full)) = tuples.find(|(tuple, _)| tuple.is_of(record)) {
                    if tuple.put(buckets, number, record) {
                        record.indexed = IN_BUCKET;
                        hashed += 1;
                    } else {
                        *full += 1;
                    }
                }
            }
            if tries == TRIES || !full.iter().any(|full| (1..=FEW).contains(full)) {
                return hashed;
            }
            for (tuple, _) in self
                .tuples
                .iter_mut()
                .zip(full)
                .filter(|(_, full)| *full > 0)
            {
                tuple.factor = tuple.factor.wrapping_add(FACTORS[0] << 1);
            }
            buckets.fill(0);
        }
        0
    }
}

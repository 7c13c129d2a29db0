// SPDX-License-Identifier: GPL-2.0-only
//! Keys: eight bits of a packet each, by which rules can be told apart.
//!
//! Owns: which keys there are, and which values of a key a rule allows: what
//! its record asks of those bits, and what its ranges of ports, lengths and
//! times to live (see [`crate::ir::Context`]) leave of them.
//!
//! A number of 16 bits has three keys: its upper byte, its lower byte, and the
//! eight bits in the middle, because a narrow range that crosses a multiple of 256
//! allows few values of those alone.

use crate::ir::{Context, Field, Range, Ranged, Record, class};

/// Where in a packet a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// In the addresses.
    Addresses,
    /// In the class word.
    Class,
    /// In a field.
    Field(Field),
}

/// Number of keys. The first 16 are the bytes of the addresses and of the
/// class word.
pub(super) const KEYS: usize = 22;

const SOURCE_PORT: u8 = 8 + class::SOURCE_PORT as u8 / 8;
const DESTINATION_PORT: u8 = 8 + class::DESTINATION_PORT as u8 / 8;
const SOURCE_MIDDLE: u8 = 16;
const DESTINATION_MIDDLE: u8 = 17;
const LENGTH: u8 = 18;
const LENGTH_MIDDLE: u8 = LENGTH + 1;
const TTL: u8 = 21;
/// No key.
const NONE: u8 = u8::MAX;

/// Where a key is, and how far from the lowest bit.
pub(crate) const fn place(key: u8) -> (Source, u8) {
    match key {
        0..8 => (Source::Addresses, key * 8),
        8..16 => (Source::Class, (key - 8) * 8),
        SOURCE_MIDDLE => (Source::Class, class::SOURCE_PORT as u8 + 4),
        DESTINATION_MIDDLE => (Source::Class, class::DESTINATION_PORT as u8 + 4),
        TTL => (Source::Field(Field::Ttl), 0),
        _ => (Source::Field(Field::Length), (key - LENGTH) * 4),
    }
}

/// The keys of a field: from bit 0, from bit 4, from bit 8 on.
const fn keys(field: Ranged) -> [u8; 3] {
    match field {
        Ranged::SourcePort => [SOURCE_PORT, SOURCE_MIDDLE, SOURCE_PORT + 1],
        Ranged::DestinationPort => [DESTINATION_PORT, DESTINATION_MIDDLE, DESTINATION_PORT + 1],
        Ranged::Length => [LENGTH, LENGTH_MIDDLE, LENGTH + 2],
        Ranged::Ttl => [TTL, NONE, NONE],
    }
}

/// Values of a key: a set of bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Values([u64; 4]);

impl Values {
    /// Every one.
    pub(super) const ALL: Self = Self([!0; 4]);

    /// Adds a value and `more` that follow it; 0 follows 255.
    fn add_run(&mut self, first: u8, more: u8) {
        let (mut at, mut left) = (u32::from(first), u32::from(more) + 1);
        while left != 0 {
            let some = left.min(64 - at % 64);
            if let Some(word) = self.0.get_mut(at as usize / 64 % 4) {
                *word |= !0 >> (64 - some) << (at % 64);
            }
            at += some;
            left -= some;
        }
    }

    /// Those of both.
    pub(super) fn both(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= other;
        }
    }

    /// How many there are.
    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Calls `f` with the first value of each run of them, and with the one
    /// behind it, which is 256 for none.
    pub(super) fn ends(&self, f: &mut dyn FnMut(usize)) {
        let mut before = 0;
        for (word, first) in self.0.iter().chain(&[0]).zip((0..).step_by(64)) {
            let mut ends = word ^ (word << 1 | before);
            before = word >> 63;
            while ends != 0 {
                f(first + ends.trailing_zeros() as usize);
                ends &= ends - 1;
            }
        }
    }
}

/// Adds what `ranges` leave of the eight bits from `shift` on.
fn window(ranges: &[Range], shift: u32, values: &mut Values) {
    for &[first, last] in ranges {
        let (first, last) = (first >> shift, last >> shift);
        if first <= last {
            values.add_run(first as u8, (last - first).min(255) as u8);
        }
    }
}

/// Calls `f` with each key and the values that a range, or a list of ranges,
/// of the rule leaves of it.
pub(super) fn left(context: Context<'_>, record: &Record, f: &mut dyn FnMut(u8, &Values)) {
    context.ranges(record, &mut |field, ranges| {
        for (key, shift) in keys(field).into_iter().zip([0, 4, 8]) {
            if key != NONE {
                let mut values = Values::default();
                window(ranges, shift, &mut values);
                f(key, &values);
            }
        }
    });
}

/// The values of a key that a record allows, whatever its predicates and ops
/// leave of them.
pub(super) fn allowed(key: u8, record: &Record) -> Values {
    let (source, shift) = place(key);
    let (mask, value) = match source {
        Source::Addresses => (record.addr_mask, record.addr),
        Source::Class => (record.class_mask, record.class),
        Source::Field(_) => (0, 0),
    };
    ternary((mask >> shift) as u8, (value >> shift) as u8)
}

/// The values of a byte under a mask.
fn ternary(mask: u8, value: u8) -> Values {
    // What the lower six bits can be, one bit more each time.
    let mut lower = 1u64;
    for bit in 0..6 {
        let set = lower << (1 << bit);
        lower = match (mask >> bit & 1, value >> bit & 1) {
            (0, _) => lower | set,
            (_, 0) => lower,
            _ => set,
        };
    }
    let mut values = Values::default();
    for (upper, word) in (0..).zip(&mut values.0) {
        if (upper ^ value >> 6) & mask >> 6 == 0 {
            *word = lower;
        }
    }
    values
}

/// As how many bits the values that are left count, and the least of them.
pub(super) fn asks(key: u8, values: &Values) -> (u32, u32) {
    let count = values.count();
    let mut least = 0;
    for word in &values.0 {
        least += word.trailing_zeros();
        if *word != 0 {
            break;
        }
    }
    // Where both bytes are given the middle has nothing to add.
    let middle = matches!(key, SOURCE_MIDDLE | DESTINATION_MIDDLE | LENGTH_MIDDLE);
    if middle && count == 1 {
        (0, least)
    } else {
        ((256 / count.clamp(1, 256)).ilog2(), least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_their_values() {
        for first in 0..=255u8 {
            for more in 0..=254u8 {
                let (mut run, mut singly) = (Values::default(), Values::default());
                run.add_run(first, more);
                (0..=more).for_each(|more| singly.add_run(first.wrapping_add(more), 0));
                assert_eq!(run, singly, "{first} {more}");
                assert_eq!(run.count(), u32::from(more) + 1);
            }
        }
    }

    #[test]
    fn bytes_under_a_mask_are_those_that_match() {
        for (mask, wanted) in (0..=255u8).flat_map(|mask| (0..=255).map(move |value| (mask, value)))
        {
            let mut singly = Values::default();
            let matching = (0..=255).filter(|value| (value ^ wanted) & mask == 0);
            matching.for_each(|value| singly.add_run(value, 0));
            assert_eq!(ternary(mask, wanted), singly, "{mask:#x} {wanted:#x}");
        }
    }

    #[test]
    fn runs_end_where_they_end() {
        for (mask, wanted) in (0..=255u8).flat_map(|mask| (0..=255).map(move |value| (mask, value)))
        {
            let mut ends = [false; 257];
            ternary(mask, wanted).ends(&mut |end| match ends.get_mut(end) {
                Some(end) => *end = !*end,
                None => unreachable!("{end}"),
            });
            let mut inside = false;
            for (value, end) in (0..=256).zip(ends) {
                inside ^= end;
                let matches = value < 256 && (value as u8 ^ wanted) & mask == 0;
                assert_eq!(inside, matches, "{mask:#x} {wanted:#x} {value}");
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! u32: words anywhere in the packet, with a little arithmetic (xt_u32.c).

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::read;
use crate::errno::{Errno, Result};
use crate::ir::{CutOff, Draft, Field, Jump, Payload, Test};

/// `XT_U32_MAXSIZE` + 1.
const MAX: usize = 11;

layout! {
    /// `struct xt_u32_location_element`.
    Location: 8 {
        /// An offset or an operand.
        number: u32,
        /// What is done with it: `AND` and the others.
        operation: u8,
        /// Padding.
        pad: [u8; 3],
    }

    /// The end of `struct xt_u32_test`, behind its locations and values.
    Counts: 4 {
        /// How many of the locations count.
        locations: u8,
        /// How many of the values count.
        values: u8,
        /// Padding.
        pad: [u8; 2],
    }

    /// The end of `struct xt_u32`, behind its tests.
    Tail: 4 {
        /// How many of the tests count.
        tests: u8,
        /// Nonzero inverts.
        invert: u8,
        /// Padding.
        pad: [u8; 2],
    }
}

/// The value is masked.
pub const AND: u8 = 0;
/// The value is shifted left.
pub const LEFT: u8 = 1;
/// The value is shifted right.
pub const RIGHT: u8 = 2;
/// The value is added to where offsets are counted from, and a word is read.
pub const AT: u8 = 3;

/// Where in a test its values are.
const VALUES: usize = MAX * 8;
/// Where in a test the counts are.
const COUNTS: usize = 2 * VALUES;
/// Bytes of a test.
const TEST: usize = COUNTS + 4;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    check,
    lower,
    ..Extension::matching::<[u8; MAX * TEST + 4]>("u32")
}];

/// The tests that count, each with its counts.
fn tests(data: &[u8]) -> Result<impl Iterator<Item = (&[u8], Counts)>> {
    let tail: Tail = read(data, MAX * TEST).ok_or(Errno::EINVAL)?;
    if usize::from(tail.tests) > MAX {
        return Err(Errno::EINVAL);
    }
    let tests = data.chunks_exact(TEST).take(tail.tests.into());
    Ok(tests.filter_map(|test| Some((test, read(test, COUNTS)?))))
}

/// The locations of a test that count.
fn locations(test: &[u8], counts: Counts) -> impl Iterator<Item = Location> {
    (0..counts.locations.into()).filter_map(|index: usize| read(test, index * 8))
}

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    for (test, counts) in tests(data)? {
        if counts.locations.max(counts.values) as usize > MAX
            || locations(test, counts)
                .skip(1)
                .any(|shift| matches!(shift.operation, LEFT | RIGHT) && shift.number >= 32)
        {
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}

/// u32_mt and u32_match_it
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let tail: Tail = read(data, MAX * TEST).ok_or(Errno::EINVAL)?;
    // The kernel xors the result, 0 or 1, with this number: from 2 on the
    // match holds whatever the result.
    if tail.invert > 1 {
        return Ok(());
    }
    // What fails goes on at the end of an inverted match.
    let mut failures = [Jump::NONE; 1 + 2 * MAX];
    let [first, others @ ..] = &mut failures;
    let invert = tail.invert != 0;
    if invert {
        *first = draft.or_else();
    }
    for ((test, counts), [not_found, found]) in tests(data)?.zip(others.as_chunks_mut::<2>().0) {
        let start: Location = read(test, 0).ok_or(Errno::EINVAL)?;
        draft.payload_word(Payload::Network, start.number, CutOff::Fails);
        for Location {
            number, operation, ..
        } in locations(test, counts).skip(1)
        {
            match operation {
                AND => draft.shift(number, 0, 0),
                LEFT => draft.shift(u32::MAX, number, 0),
                RIGHT => draft.shift(u32::MAX, 0, number),
                AT => draft.payload_word(Payload::Found, number, CutOff::Fails),
                _ => {}
            }
        }
        // One of the values: not all of them fail.
        let one = draft.or_else();
        for index in 0..usize::from(counts.values) {
            let [min, max]: [u32; 2] = read(test, VALUES + index * 8).ok_or(Errno::EINVAL)?;
            draft.detail_field(Test::between(Field::Found, min, max).invert_if(true));
        }
        *not_found = draft.or_else();
        draft.fail();
        draft.land([one]);
        *found = draft.or_else();
    }
    if invert {
        draft.or_fail();
        draft.fail();
        draft.here(failures);
    }
    Ok(())
}

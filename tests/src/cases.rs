// SPDX-License-Identifier: GPL-2.0-only
//! Running a property over many invented cases.
//!
//! Owns: how many cases there are, and seeds. Cases come in batches, each
//! with a seed of its own; a failure prints the seed of its batch and the
//! environment that repeats just that batch.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// Cases to a batch: few enough that repeating one takes no time.
const BATCH: u32 = 500;

/// Checks `property` on `quick` cases of `strategy`; on ten thousands if
/// `BPFILTER_CASES` says how many, or on one batch if `BPFILTER_SEED` does.
/// `mutations` is the part of `BPFILTER_CASES` that this property gets, so
/// that slow properties do not hold up a long run.
///
/// # Panics
/// If the property does not hold, with the smallest case found.
pub fn check<S: Strategy>(
    name: &str,
    quick: u32,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: std::fmt::Debug,
{
    let number = |variable: &str| -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(text.parse().expect(variable))
    };
    let seed = number("BPFILTER_SEED");
    let cases = match (seed, number("BPFILTER_CASES")) {
        (Some(_), _) => BATCH,
        (None, Some(cases)) => cases as u32,
        (None, None) => quick,
    };
    let first = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).expect("a clock");
        // Short enough to be typed.
        since.as_nanos() as u64 % 1_000_000_000
    });
    println!("{name}: {cases} cases from seed {first} on");
    for batch in 0..cases.div_ceil(BATCH) {
        let seed = first + u64::from(batch);
        let mut runner = TestRunner::new(Config {
            cases: BATCH.min(cases - batch * BATCH),
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            max_shrink_iters: 5000,
            ..Config::default()
        });
        match runner.run(strategy, &property) {
            Ok(()) => {}
            Err(TestError::Fail(why, case)) => {
                panic!("{name}: {why}\ncase: {case:?}\nrepeat with BPFILTER_SEED={seed}")
            }
            Err(TestError::Abort(why)) => {
                panic!("{name}: given up: {why}; repeat with BPFILTER_SEED={seed}")
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0-only
//! The token bucket of `-m limit`, with the time given from outside.
//!
//! Owns: the arithmetic of `xt_limit.c`, in u32 with its wrapping, for any HZ.

/// `XT_LIMIT_SCALE`: the unit of the average, in parts of a second.
const SCALE: u32 = 10_000;

/// One `-m limit` with its credit.
#[derive(Clone, Debug)]
pub struct Limit {
    credit: u32,
    cap: u32,
    cost: u32,
    per_jiffy: u32,
    seen: u64,
}

/// The power of two that is at most half of the next one above `n`: what
/// `POW2_BELOW32` of the kernel makes of a number.
fn pow2_below(n: u32) -> u32 {
    let mut ones = n;
    for shift in [1, 2, 4, 8, 16] {
        ones |= ones >> shift;
    }
    (ones >> 1) + 1
}

impl Limit {
    /// A limit from the bytes of `struct xt_rateinfo`, loaded at `jiffies`.
    pub fn new(data: &[u8], jiffies: u64, hz: u32) -> Self {
        let word = |at: usize| u32::from_ne_bytes(data[at..at + 4].try_into().expect("a word"));
        let (average, burst) = (word(0), word(4));
        let (given_cap, given_cost) = (word(20), word(24));
        let per_jiffy = pow2_below(u32::MAX / (hz * 60 * 60 * 24));
        let credits = |user: u32| {
            let per_second = hz * per_jiffy;
            if user > u32::MAX / per_second {
                (user / SCALE).wrapping_mul(per_second)
            } else {
                user * per_second / SCALE
            }
        };
        let credit = credits(average.wrapping_mul(burst));
        // A caller that sets the cost sets the cap, too.
        let (cap, cost) = match given_cost {
            0 => (credit, credits(average)),
            cost => (given_cap, cost),
        };
        Self {
            credit,
            cap,
            cost,
            per_jiffy,
            seen: jiffies,
        }
    }

    /// Whether a packet at this time passes; takes its cost if so.
    pub fn allows(&mut self, jiffies: u64) -> bool {
        let passed = jiffies.wrapping_sub(self.seen) as u32;
        self.seen = jiffies;
        let gained = passed.wrapping_mul(self.per_jiffy);
        let credit = self.credit.wrapping_add(gained).min(self.cap);
        let allowed = credit >= self.cost;
        self.credit = if allowed { credit - self.cost } else { credit };
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(average: u32, burst: u32, hz: u32) -> Limit {
        let mut data = [0u8; 40];
        data[..4].copy_from_slice(&average.to_ne_bytes());
        data[4..8].copy_from_slice(&burst.to_ne_bytes());
        Limit::new(&data, 1000, hz)
    }

    #[test]
    fn burst_then_rate() {
        for hz in [100, 250, 300, 1000] {
            // Two a second, three at once.
            let mut limit = limit(SCALE / 2, 3, hz);
            let mut now = 1000;
            for _ in 0..3 {
                assert!(limit.allows(now));
            }
            assert!(!limit.allows(now));
            now += u64::from(hz) / 2 - 1;
            assert!(!limit.allows(now), "a jiffy too early at HZ {hz}");
            now += 1;
            assert!(limit.allows(now), "half a second later at HZ {hz}");
            assert!(!limit.allows(now));
            now += u64::from(hz) * 1000;
            for _ in 0..3 {
                assert!(limit.allows(now));
            }
            assert!(!limit.allows(now), "no more than the burst after a pause");
        }
    }

    #[test]
    fn one_a_day_fits() {
        let mut limit = limit(24 * 60 * 60 * SCALE, 1, 1000);
        assert!(limit.allows(1000));
        assert!(!limit.allows(1000 + 86_399_999));
        assert!(limit.allows(1000 + 86_400_000));
    }

    #[test]
    fn credits_per_jiffy_are_the_kernels() {
        // MAX_CPJ is 49 at HZ 1000 and 198 at HZ 250.
        assert_eq!(pow2_below(49), 32);
        assert_eq!(pow2_below(198), 128);
        assert_eq!(pow2_below(64), 64);
    }
}

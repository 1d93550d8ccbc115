//! A histogram of signed values in bounded memory: differences of delays, and delays that a clock makes
//! negative.
//!
//! Two log-linear histograms, one on each side of zero, so that resolution is relative to the distance from
//! zero. Nothing is clamped: what is negative stays negative, and is counted.

use serde::{Deserialize, Serialize};

use super::{LogHistogram, rank_of};

/// Counts of `i64` values; a quantile is less than 1/16 further from zero than its sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHistogram {
    /// Magnitudes of the values below zero.
    below: LogHistogram,
    /// The others.
    above: LogHistogram,
}

impl SignedHistogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.above.record(value),
            Err(_) => self.below.record(value.unsigned_abs()),
        }
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.below.count().saturating_add(self.above.count())
    }

    /// How many of them were below zero.
    #[must_use]
    pub fn negative(&self) -> u64 {
        self.below.count()
    }

    /// The smallest value, exactly; none when empty.
    #[must_use]
    pub fn min(&self) -> Option<i64> {
        self.below.max().map(negated).or_else(|| self.above.min().map(positive))
    }

    /// The largest value, exactly; none when empty.
    #[must_use]
    pub fn max(&self) -> Option<i64> {
        self.above.max().map(positive).or_else(|| self.below.min().map(negated))
    }

    /// The smallest value that the fraction `q` (0 to 1) of all values do not exceed, but for the width of
    /// a bucket; none when empty or when `q` is not a fraction.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let (rank, below) = (rank_of(q, count), self.below.count());
        match rank.checked_sub(below) {
            // The value with the largest magnitude is the first.
            None | Some(0) => self.below.at_rank(below - rank + 1).map(negated),
            Some(rank) => self.above.at_rank(rank).map(positive),
        }
    }

    /// Every bucket that holds something, by rising values: smallest value, largest value, count.
    pub fn filled(&self) -> impl Iterator<Item = (i64, i64, u64)> + '_ {
        let below = self.below.filled().rev().map(|(from, to, count)| (negated(to), negated(from), count));
        below.chain(self.above.filled().map(|(from, to, count)| (positive(from), positive(to), count)))
    }
}

fn positive(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn negated(magnitude: u64) -> i64 {
    0_i64.checked_sub_unsigned(magnitude).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn quantiles_agree_with_sorted_samples_on_both_sides_of_zero() {
        for seed in 0..200 {
            let mut random = Random::named(seed, "signed quantiles");
            let count = 1 + random.next_u64() % 300;
            let mut samples: Vec<i64> = (0..count)
                .map(|_| {
                    let size =
                        random.next_u64().unbounded_shr(u32::try_from(random.next_u64() % 65).unwrap());
                    let value = i64::try_from(size >> 1).unwrap();
                    if random.next_u64().is_multiple_of(2) { -value } else { value }
                })
                .collect();
            let mut histogram = SignedHistogram::default();
            samples.iter().for_each(|sample| histogram.record(*sample));
            samples.sort_unstable();
            let negative = samples.iter().filter(|sample| **sample < 0).count();
            assert_eq!(histogram.negative(), negative as u64, "seed {seed}");
            assert_eq!(
                (histogram.min(), histogram.max()),
                (samples.first().copied(), samples.last().copied()),
                "seed {seed}"
            );
            for percent in 0..=100 {
                let rank = (percent * count).div_ceil(100).max(1);
                let sample = samples[usize::try_from(rank).unwrap() - 1];
                #[expect(clippy::cast_precision_loss, reason = "a percentage")]
                let quantile = histogram.quantile(percent as f64 / 100.0).unwrap();
                let (near, far) = (sample.unsigned_abs(), quantile.unsigned_abs());
                assert!(
                    (sample < 0) == (quantile < 0) && near <= far && far <= near + near / 16,
                    "seed {seed}: p{percent} {quantile}, sample {sample}"
                );
            }
        }
    }

    #[test]
    fn buckets_rise_without_overlap_and_hold_everything() {
        let mut histogram = SignedHistogram::default();
        for value in [i64::MIN, -1_000, -17, -1, 0, 0, 3, 1_000_000, i64::MAX] {
            histogram.record(value);
        }
        let buckets: Vec<_> = histogram.filled().collect();
        assert_eq!(buckets.iter().map(|(_, _, count)| count).sum::<u64>(), 9);
        assert!(buckets.iter().all(|(from, to, _)| from <= to), "{buckets:?}");
        assert!(buckets.windows(2).all(|pair| pair[0].1 < pair[1].0), "{buckets:?}");
        assert_eq!((histogram.min(), histogram.max()), (Some(i64::MIN), Some(i64::MAX)));
    }

    #[test]
    fn nothing_has_no_quantile() {
        let empty = SignedHistogram::default();
        assert_eq!((empty.min(), empty.max(), empty.quantile(0.5)), (None, None, None));
    }
}

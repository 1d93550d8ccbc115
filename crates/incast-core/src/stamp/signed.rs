//! A histogram of numbers that may be negative: delays by clocks that do not agree.

use crate::stats::LogHistogram;

/// Two histograms, back to back; a quantile is off by less than 1/16 of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedHistogram {
    /// How far the negative ones are below zero.
    below: LogHistogram,
    /// Zero and above.
    above: LogHistogram,
}

impl SignedHistogram {
    /// Counts one value.
    pub fn record(&mut self, value: i64) {
        if value < 0 { &mut self.below } else { &mut self.above }.record(value.unsigned_abs());
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.below.count() + self.above.count()
    }

    /// How many were negative.
    #[must_use]
    pub fn negative(&self) -> u64 {
        self.below.count()
    }

    /// The smallest, exactly.
    #[must_use]
    pub fn min(&self) -> Option<i64> {
        self.below.max().map(negative).or_else(|| self.above.min().map(positive))
    }

    /// The largest, exactly.
    #[must_use]
    pub fn max(&self) -> Option<i64> {
        self.above.max().map(positive).or_else(|| self.below.min().map(negative))
    }

    /// A value that the fraction `q` of all do not exceed, as [`LogHistogram::quantile`].
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of tests are below 2^53")]
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let (below, count) = (self.below.count() as f64, self.count() as f64);
        if count == 0.0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = (q * count * (1.0 - 2.0 * f64::EPSILON)).ceil().max(1.0);
        if rank > below {
            let of = (rank - below) / self.above.count() as f64;
            return self.above.quantile(of.min(1.0)).map(positive);
        }
        // Number `rank` from below is number `below - rank + 1` by its size.
        self.below.quantile(((below - rank + 1.0) / below).min(1.0)).map(negative)
    }
}

fn positive(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn negative(size: u64) -> i64 {
    0_i64.checked_sub_unsigned(size).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn quantiles_agree_with_sorted_values_of_either_sign() {
        for seed in 0..100 {
            let mut random = Random::named(seed, "signed");
            let mut values: Vec<i64> = (0..=random.next_u64() % 60)
                .map(|_| i64::try_from(random.next_u64() % 2_001).unwrap() - 1_000)
                .collect();
            let mut histogram = SignedHistogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            assert_eq!((histogram.min(), histogram.max()), (values.first().copied(), values.last().copied()));
            for percent in 1..=100 {
                let rank = (percent * values.len()).div_ceil(100);
                let value = values[rank - 1];
                #[expect(clippy::cast_precision_loss, reason = "a percentage")]
                let found = histogram.quantile(percent as f64 / 100.0).unwrap();
                assert!(
                    (found - value).abs() <= value.abs() / 16,
                    "seed {seed}: p{percent} {found}, {value}"
                );
            }
        }
        assert_eq!(SignedHistogram::default().quantile(0.5), None);
    }
}

//! Whether values drift with their order: the test of H. B. Mann (Econometrica 13, 1945) and M. G. Kendall ("Rank
//! Correlation Methods", 1975, with its correction for ties).
//!
//! It counts pairs that rise and pairs that fall, so one wild value weighs as much as any other. Values with memory
//! (each run like the one before) look like a drift: it says that there is one, not what it is.

use super::quantile::normal_two_sided_tail;

/// A drift, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Kendall's tau: from -1 (each is smaller than the one before) to 1.
    pub tau: f64,
    /// In standard deviations of chance.
    pub z: f64,
    /// Probability that chance gives so much or more, either way.
    pub p: f64,
}

impl Trend {
    /// Of values in their order; `None` for fewer than [`VALUES_MIN`], or when all are the same.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of runs; their cubes are only a variance")]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < VALUES_MIN || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
        let ties: f64 =
            sorted.chunk_by(|one, other| one >= other).map(|tied| spread(tied.len() as f64)).sum();
        let variance = (spread(n) - ties) / 18.0;
        if variance <= 0.0 {
            return None;
        }
        let score = score(values, &sorted);
        // Half of a step for continuity: the score moves by two.
        let z = (score.abs() - 1.0).max(0.0).copysign(score) / variance.sqrt();
        Some(Self { tau: score / (n * (n - 1.0) / 2.0), z, p: normal_two_sided_tail(z) })
    }

    /// Whether there is a drift.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        self.p < P_MOST
    }
}

/// Pairs that rise less pairs that fall; how many of each came before is kept in a tree of sums (P. Fenwick,
/// Softw. Pract. Exper. 24, 1994), so that ten thousand runs take no time.
#[expect(clippy::cast_precision_loss, reason = "pairs of runs are far below 2^53")]
fn score(values: &[f64], sorted: &[f64]) -> f64 {
    let mut seen = vec![0_i64; sorted.len() + 1];
    let count_below = |seen: &[i64], mut end: usize| {
        let mut sum = 0;
        while end > 0 {
            sum += seen[end];
            end &= end - 1;
        }
        sum
    };
    let mut score = 0_i64;
    for (before, value) in (0_i64..).zip(values) {
        let smaller = sorted.partition_point(|other| other < value);
        let not_larger = sorted.partition_point(|other| other <= value);
        score += count_below(&seen, smaller) - (before - count_below(&seen, not_larger));
        let mut place = smaller + 1;
        while place < seen.len() {
            seen[place] += 1;
            place += place & place.wrapping_neg();
        }
    }
    score as f64
}

/// From here on the normal distribution is good enough (Kendall: 10).
pub const VALUES_MIN: usize = 10;
/// One campaign in a hundred is wrongly said to drift.
const P_MOST: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// As it is defined.
    fn naive(values: &[f64]) -> f64 {
        let pairs = (0..values.len()).flat_map(|later| (0..later).map(move |earlier| (earlier, later)));
        pairs
            .map(|(earlier, later)| match values[later].total_cmp(&values[earlier]) {
                std::cmp::Ordering::Less => -1.0,
                std::cmp::Ordering::Equal => 0.0,
                std::cmp::Ordering::Greater => 1.0,
            })
            .sum()
    }

    #[test]
    fn pairs_are_counted_as_the_definition_does() {
        for seed in 0..50 {
            let mut random = Random::named(seed, "pairs");
            let values: Vec<f64> = (0..40).map(|_| (random.unit() * 12.0).floor()).collect();
            let found = Trend::of(&values).unwrap();
            let tau = naive(&values) / (40.0 * 39.0 / 2.0);
            assert!((found.tau - tau).abs() < 1e-12, "seed {seed}: {found:?} and {tau}");
        }
    }

    #[test]
    fn what_rises_drifts_and_noise_does_not() {
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        let found = Trend::of(&rising).unwrap();
        // All 190 pairs rise: (190 - 1) / sqrt(20 x 19 x 45 / 18).
        assert!((found.tau - 1.0).abs() < 1e-12 && (found.z - 189.0 / 950.0_f64.sqrt()).abs() < 1e-12);
        assert!(found.is_drift());
        let drifting = (0..400).filter(|seed| {
            let mut random = Random::named(*seed, "noise");
            let values: Vec<f64> = (0..100).map(|_| random.unit()).collect();
            Trend::of(&values).unwrap().is_drift()
        });
        // One in a hundred of 400 is four; five standard deviations more are 14.
        assert!(drifting.count() <= 14);
    }

    #[test]
    fn what_does_not_vary_has_no_trend() {
        assert_eq!(Trend::of(&[1.0; 50]), None);
        assert_eq!(Trend::of(&[1.0, 2.0]), None);
        assert_eq!(Trend::of(&[f64::NAN; 50]), None);
    }
}

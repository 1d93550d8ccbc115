//! Statistics over many values: ratios, fairness of rates, and quantiles in bounded memory.
//!
//! Nothing here is fitted or smoothed. A quantile is a value that so many samples did not exceed,
//! with the relative error that is stated at [`LogHistogram`].

pub mod dispersion;
pub mod heaps;
pub mod interval;
pub mod peaks;
pub mod quantile;
pub mod signed;
pub mod special;
pub mod summary;
pub mod trend;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `part` over `whole`; none when there is no whole.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for printing: 53 bits are enough")]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Jain's fairness index of `rates`: 1 when all are equal, 1/n when one of n has everything.
///
/// None for fewer than two rates, when all are zero, or when one is not a finite number. R. Jain,
/// D. Chiu, W. Hawe: "A Quantitative Measure of Fairness and Discrimination for Resource Allocation in
/// Shared Computer Systems", DEC-TR-301, 1984.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a number of flows is far below 2^53")]
pub fn fairness_jain(rates: &[f64]) -> Option<f64> {
    let largest = rates.iter().copied().fold(0.0, f64::max);
    if rates.len() < 2 || largest <= 0.0 || !rates.iter().all(|rate| rate.is_finite()) {
        return None;
    }
    // Sums of floats depend on their order in the last bits: the index must not.
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    // The index does not change with the unit. In units of the largest, no square can overflow.
    let (sum, squares) = rates
        .iter()
        .map(|rate| rate / largest)
        .fold((0.0, 0.0), |(sum, squares), rate| (sum + rate, squares + rate * rate));
    Some(sum * sum / (rates.len() as f64 * squares))
}

/// A histogram of `u64` values with 16 equal buckets in each octave, and exact below 16.
///
/// 8 KB at most: as many buckets as the largest value needs. A quantile is at least the sample it stands for, and above it by less
/// than 1/16 of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHistogram {
    /// Up to the largest value; the last one is never empty, so that equal histograms are equal.
    buckets: Vec<u64>,
    count: u64,
    min: u64,
    max: u64,
}

/// Each octave is cut into `2^SUB_BITS` buckets.
const SUB_BITS: u32 = 4;
/// Values below 16 have a bucket each; each of the 60 octaves from 2^4 to 2^63 has 16.
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;

impl Default for LogHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl LogHistogram {
    /// An empty histogram, without memory of its own. It takes some when a value is larger than all before.
    #[must_use]
    pub const fn new() -> Self {
        Self { buckets: Vec::new(), count: 0, min: u64::MAX, max: 0 }
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let bucket = bucket_of(value);
        if bucket >= self.buckets.len() {
            self.grow(bucket + 1);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    #[cold]
    fn grow(&mut self, buckets: usize) {
        self.buckets.resize(buckets.min(BUCKETS), 0);
    }

    /// Counts one value so many times.
    pub fn record_many(&mut self, value: u64, times: u64) {
        if times > 0 {
            let bucket = bucket_of(value);
            if bucket >= self.buckets.len() {
                self.grow(bucket + 1);
            }
            self.buckets[bucket] += times;
            self.count += times;
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest value, exactly; none when empty.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value, exactly; none when empty.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The smallest value that the fraction `q` (0 to 1) of all values do not exceed: of n values in
    /// order, number ⌈q n⌉ and at least number 1.
    ///
    /// What is returned is the upper edge of that value's bucket, or the largest value if that is less.
    /// None when empty or when `q` is not a fraction.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.quantile_below(q, 0)
    }

    /// The same of these values and `beyond` more, of which nothing is known but that they are larger than all of these;
    /// none where one of them stands.
    #[must_use]
    pub fn quantile_below(&self, q: f64, beyond: u64) -> Option<u64> {
        let all = self.count.saturating_add(beyond);
        if all == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        self.at_rank(rank_of(q, all))
    }

    /// Value number `rank` (from 1) of all values in order, as [`Self::quantile`] returns it.
    pub(crate) fn at_rank(&self, rank: u64) -> Option<u64> {
        // What a peer tells of its counts may be anything.
        let mut below = 0_u64;
        let bucket = self.buckets.iter().position(|count| {
            below = below.saturating_add(*count);
            below >= rank
        })?;
        Some(upper_edge(bucket).min(self.max))
    }

    /// The buckets that hold something, by rising value: smallest and largest value of each, and its count.
    pub fn filled(&self) -> impl DoubleEndedIterator<Item = (u64, u64, u64)> {
        let filled = self.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        filled.map(|(bucket, count)| (lower_edge(bucket), upper_edge(bucket), count))
    }

    /// Adds the values of another histogram.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.grow(other.buckets.len());
        }
        for (sum, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += more;
        }
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// The buckets that hold something, for a record or a report.
#[derive(Serialize, Deserialize)]
struct Sparse {
    min: u64,
    max: u64,
    /// Bucket and count, by rising bucket.
    buckets: Vec<(usize, u64)>,
}

impl Serialize for LogHistogram {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let filled = self.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        Sparse { min: self.min, max: self.max, buckets: filled.collect() }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for LogHistogram {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Sparse { min, max, buckets } = Sparse::deserialize(from)?;
        let mut histogram = Self { min, max, ..Self::new() };
        for (bucket, count) in buckets {
            if bucket >= BUCKETS {
                return Err(serde::de::Error::custom("a histogram has 976 buckets"));
            }
            if count == 0 {
                continue;
            }
            if bucket >= histogram.buckets.len() {
                histogram.grow(bucket + 1);
            }
            histogram.buckets[bucket] = count;
            histogram.count = histogram.count.saturating_add(count);
        }
        Ok(histogram)
    }
}

/// ⌈q n⌉, from 1 to n.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 <= q <= 1, and `as` saturates"
)]
#[expect(clippy::cast_precision_loss, reason = "above 2^53 values a rank more or less is nothing")]
pub(crate) fn rank_of(q: f64, n: u64) -> u64 {
    // 0.07 x 100 is 7.000000000000001 in binary and would be rank 8: allow for two roundings.
    let rank = (q * n as f64 * (1.0 - 2.0 * f64::EPSILON)).ceil() as u64;
    rank.clamp(1, n)
}

/// The bucket of `value`: its octave and its `SUB_BITS` bits after the first.
#[expect(clippy::cast_possible_truncation, reason = "four bits are kept")]
fn bucket_of(value: u64) -> usize {
    // Below 16, "the octave" is 0 and all four bits are the value itself.
    let shift = (value | (1 << SUB_BITS)).ilog2() - SUB_BITS;
    let octave = usize::from(value >> SUB_BITS > 0) + shift as usize;
    (octave << SUB_BITS) + ((value >> shift) as usize & ((1 << SUB_BITS) - 1))
}

/// The largest value of a bucket.
fn upper_edge(bucket: usize) -> u64 {
    let (octave, sub) = (bucket >> SUB_BITS, bucket & ((1 << SUB_BITS) - 1));
    if octave == 0 {
        return sub as u64;
    }
    let (shift, first) = (octave - 1, (sub + (1 << SUB_BITS)) as u64);
    (first << shift) + ((1 << shift) - 1)
}

/// The smallest value of a bucket.
fn lower_edge(bucket: usize) -> u64 {
    bucket.checked_sub(1).map_or(0, |before| upper_edge(before).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_part_of_nothing_is_unknown() {
        assert_eq!((ratio(1, 4), ratio(0, 4), ratio(0, 0)), (Some(0.25), Some(0.0), None));
    }

    #[test]
    fn fairness_is_one_for_equals_and_one_nth_for_a_monopoly() {
        let cases: &[(&[f64], Option<f64>)] = &[
            (&[], None),
            (&[1.0], None),
            (&[0.0, 0.0], None),
            (&[1.0, f64::NAN], None),
            (&[1.0, f64::INFINITY], None),
            (&[5.0, 5.0, 5.0], Some(1.0)),
            (&[8.0, 0.0, 0.0, 0.0], Some(0.25)),
            // (1+2+3)^2 / (3 x 14)
            (&[1.0, 2.0, 3.0], Some(36.0 / 42.0)),
            (&[1e300, 1e300], Some(1.0)),
        ];
        for (rates, expected) in cases {
            let fairness = fairness_jain(rates);
            let close = match (fairness, expected) {
                (Some(fairness), Some(expected)) => (fairness - expected).abs() < 1e-12,
                (fairness, expected) => fairness.is_none() && expected.is_none(),
            };
            assert!(close, "{rates:?}: {fairness:?}, not {expected:?}");
        }
    }

    #[test]
    fn buckets_cover_all_values_without_hole_or_overlap() {
        let mut from = 0;
        for bucket in 0..BUCKETS {
            let to = upper_edge(bucket);
            assert_eq!((bucket_of(from), bucket_of(to)), (bucket, bucket), "bucket {bucket}: {from}..={to}");
            assert!(to - from <= from / 16, "bucket {bucket}: {from}..={to} is too wide");
            from = to.wrapping_add(1);
        }
        assert_eq!(from, 0, "the last bucket ends at u64::MAX");
    }

    #[test]
    fn quantiles_agree_with_sorted_samples() {
        for seed in 0..200 {
            let mut random = Random::named(seed, "quantiles");
            let count = 1 + random.next_u64() % 300;
            // Of every magnitude, zero included.
            let mut samples: Vec<u64> = (0..count)
                .map(|_| random.next_u64().unbounded_shr(u32::try_from(random.next_u64() % 65).unwrap()))
                .collect();
            let (mut whole, mut left, mut right) =
                (LogHistogram::new(), LogHistogram::new(), LogHistogram::new());
            for (index, sample) in samples.iter().enumerate() {
                whole.record(*sample);
                if index % 3 == 0 { left.record(*sample) } else { right.record_many(*sample, 1) }
            }
            left.add(&right);
            assert_eq!(left, whole, "seed {seed}");
            samples.sort_unstable();
            assert_eq!(
                (whole.min(), whole.max()),
                (samples.first().copied(), samples.last().copied()),
                "seed {seed}"
            );
            for percent in 0..=100 {
                let rank = (percent * count).div_ceil(100).max(1);
                let sample = samples[usize::try_from(rank).unwrap() - 1];
                #[expect(clippy::cast_precision_loss, reason = "a percentage")]
                let quantile = whole.quantile(percent as f64 / 100.0).unwrap();
                let bound = sample.saturating_add(sample / 16).min(*samples.last().unwrap());
                assert!(
                    sample <= quantile && quantile <= bound,
                    "seed {seed}: p{percent} {quantile}, sample {sample}"
                );
            }
        }
    }

    #[test]
    fn a_histogram_that_was_told_is_the_same() {
        let mut histogram = LogHistogram::new();
        for value in [0, 3, 3, 1_000, u64::MAX] {
            histogram.record(value);
        }
        for histogram in [histogram, LogHistogram::new()] {
            let told = serde_json::to_string(&histogram).unwrap();
            assert_eq!(serde_json::from_str::<LogHistogram>(&told).unwrap(), histogram, "{told}");
        }
        assert!(serde_json::from_str::<LogHistogram>(r#"{"min":0,"max":0,"buckets":[[976,1]]}"#).is_err());
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        let mut histogram = LogHistogram::default();
        assert_eq!((histogram.min(), histogram.max(), histogram.quantile(0.5)), (None, None, None));
        histogram.record(7);
        assert_eq!((histogram.quantile(0.0), histogram.quantile(1.0)), (Some(7), Some(7)));
        for q in [-0.1, 1.1, f64::NAN] {
            assert_eq!(histogram.quantile(q), None, "{q}");
        }
    }
}

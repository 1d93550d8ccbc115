//! The interval of a lost fraction when whole runs, not messages, are independent, and losses come in heaps.
//!
//! Student's t is symmetric, and the mean of few heaps is not: it is skewed upwards, so that the truth lies above a
//! symmetric interval far too often (three heaps: 16 %, and not 2.5 %). So the upper end is at least that of a gamma
//! distribution with the variance of the sum and one more heap, the largest that any run had (M. Fay, E. Feuer:
//! "Confidence intervals for directly standardized rates: a method based on the gamma distribution", Statistics in
//! Medicine 16, 1997). With equal heaps this is Garwood's interval of their number; with many small ones it is
//! Student's. The lower end is Student's: with heaps it lies too low, never too high.
//!
//! What was never seen is in no interval: a heap much larger than all that came is beyond every end.

use super::interval::Interval;
use super::quantile::{positive_quantile, student_two_sided};
use super::special::gamma_tails;

/// How the losses of several runs vary about their common fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heaps {
    /// Messages lost in all runs.
    lost: f64,
    /// Messages sent in all runs.
    sent: f64,
    /// Runs less one.
    freedom: f64,
    /// Variance of `lost`: that of a ratio of two sums (W. Cochran: "Sampling Techniques", 3rd ed. 1977, section 2.11).
    variance: f64,
    /// Most that a run lost beyond its share.
    largest: f64,
}

impl Heaps {
    /// Of `(lost, sent)` of each run; `None` for fewer than two that sent anything.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of messages; the last digits do not matter")]
    pub fn of(runs: &[(u64, u64)]) -> Option<Self> {
        let runs: Vec<(f64, f64)> =
            runs.iter().filter(|run| run.1 > 0).map(|run| (run.0 as f64, run.1 as f64)).collect();
        let freedom = runs.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let (lost, sent) = runs.iter().fold((0.0, 0.0), |(lost, sent), run| (lost + run.0, sent + run.1));
        let beyond = || runs.iter().map(|run| run.0 - lost / sent * run.1);
        let squares: f64 = beyond().map(|beyond| beyond * beyond).sum();
        let variance = squares / freedom * (freedom + 1.0);
        Some(Self { lost, sent, freedom, variance, largest: beyond().fold(0.0, f64::max) })
    }

    /// Student's interval of the fraction, cut off at nothing and all.
    #[must_use]
    pub fn student(&self, confidence: f64) -> Interval {
        let half = student_two_sided(confidence, self.freedom) * self.variance.sqrt();
        Interval {
            from: ((self.lost - half) / self.sent).max(0.0),
            to: ((self.lost + half) / self.sent).min(1.0),
        }
    }

    /// The same with an upper end that has room for one more heap.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Interval {
        let Interval { from, to } = self.student(confidence);
        Interval { from, to: to.max(self.with_one_more((1.0 - confidence) / 2.0)) }
    }

    /// The fraction that is not exceeded with `confidence`: all of what may be wrong lies on one side.
    #[must_use]
    pub fn upper_limit(&self, confidence: f64) -> f64 {
        // What is left on both sides of this one is twice what is left on one.
        let student = self.student((2.0 * confidence - 1.0).max(0.0)).to;
        student.max(self.with_one_more(1.0 - confidence))
    }

    /// The fraction that is exceeded with a probability of `tail`, by Fay's and Feuer's gamma distribution.
    fn with_one_more(&self, tail: f64) -> f64 {
        let mean = self.lost + self.largest;
        let variance = self.variance + self.largest * self.largest;
        if mean <= 0.0 || variance <= 0.0 {
            return 0.0;
        }
        // In units of the scale, so that the shape is all that it has.
        let (shape, scale) = (mean / variance * mean, variance / mean);
        let place = positive_quantile(1.0 - tail, tail, |place| gamma_tails(shape, place));
        (place * scale / self.sent).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::poisson;
    use super::*;
    use crate::random::Random;

    const SENT: u64 = 1_000_000;

    /// Runs of which each has a Poisson number of heaps, of sizes by `size`.
    fn lot(random: &mut Random, runs: u32, heaps: f64, size: fn(&mut Random) -> u64) -> Vec<(u64, u64)> {
        let in_a_run = heaps / f64::from(runs);
        let run = |_| {
            // Heaps fall at random in time: exponential distances.
            let (mut lost, mut time) = (0, random.exponential());
            while time < in_a_run {
                lost += size(random);
                time += random.exponential();
            }
            (lost, SENT)
        };
        (0..runs).map(run).collect()
    }

    /// In how many of 1000 campaigns that lost anything the truth lies above and below the interval at 95 %, and
    /// above the upper limit.
    fn missed(runs: u32, heaps: f64, mean_size: f64, size: fn(&mut Random) -> u64) -> [usize; 3] {
        let truth = heaps * mean_size / (f64::from(runs) * SENT as f64);
        let mut missed = [0; 3];
        let mut seed = 0;
        let mut seen = 0;
        while seen < 1_000 {
            seed += 1;
            let all = lot(&mut Random::named(seed, "heaps"), runs, heaps, size);
            if all.iter().all(|run| run.0 == 0) {
                continue;
            }
            seen += 1;
            let found = Heaps::of(&all).unwrap();
            let interval = found.interval(0.95);
            missed[0] += usize::from(interval.to < truth);
            missed[1] += usize::from(interval.from > truth);
            missed[2] += usize::from(found.upper_limit(0.95) < truth);
        }
        missed
    }

    #[test]
    fn the_truth_lies_outside_no_more_often_than_was_said() {
        // At most 2.5 % on either side are 25 of 1000, and three standard deviations of that number are 15. One-sided:
        // 5 % and 21. Student's alone misses 160, 122, 65 and 47 of 1000 at the top.
        for heaps in [3.0, 5.0, 10.0, 30.0] {
            let [above, below, limit] = missed(300, heaps, 1_000.0, |_| 1_000);
            assert!(above <= 40 && below <= 40 && limit <= 71, "{heaps}: {above} {below} {limit}");
        }
        // Many in few runs, as the intervals of runs were made for.
        let [above, below, limit] = missed(40, 800.0, 10.0, |_| 10);
        assert!(above <= 40 && below <= 40 && limit <= 71, "{above} {below} {limit}");
    }

    #[test]
    fn heaps_of_different_sizes_are_missed_less_often_than_students_t_does() {
        // Geometric sizes: the largest are those that were not seen. Student's misses 192 and 73 of 1000.
        let size = |random: &mut Random| (1..).find(|_| random.unit() <= 0.01).unwrap();
        let ([few, ..], [many, ..]) = (missed(300, 5.0, 100.0, size), missed(300, 30.0, 100.0, size));
        assert!(few <= 120 && many <= 40, "{few} {many}");
    }

    #[test]
    fn equal_heaps_in_many_runs_have_the_interval_of_their_number() {
        let mut runs = vec![(0, SENT); 100_000];
        for run in &mut runs[..3] {
            run.0 = 500;
        }
        let (found, exact) = (Heaps::of(&runs).unwrap(), poisson(3, 0.95));
        let top = found.interval(0.95).to * 1e11 / 500.0;
        assert!((top / exact.to - 1.0).abs() < 1e-3, "{top} and not {}", exact.to);
        // 7.7537 is the one-sided limit of a Poisson count of 3.
        assert!((found.upper_limit(0.95) * 1e11 / 500.0 / 7.7537 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn nothing_lost_and_all_lost_have_ends() {
        assert_eq!(Heaps::of(&[(1, 10), (0, 0)]), None);
        let none = Heaps::of(&[(0, 10); 3]).unwrap().interval(0.95);
        assert!(none.from <= 0.0 && none.to <= 0.0);
        let all = Heaps::of(&[(10, 10); 3]).unwrap();
        assert!((all.interval(0.95).from, all.interval(0.95).to, all.upper_limit(0.4)) == (1.0, 1.0, 1.0));
    }
}

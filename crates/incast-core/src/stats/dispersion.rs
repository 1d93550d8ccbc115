//! Whether counts of several runs scatter as independent losses do: R. A. Fisher's index of dispersion, tested
//! against chi square ("Statistical Methods for Research Workers", 1925, section 57).
//!
//! Each run has its own number of messages. An index of 1 is what independent losses have; losses that come in
//! heaps, or runs that differ, have more. It says that they do, not why.
//!
//! Chi square holds where each run can be expected to lose something. With 15 losses in 1000 runs, two in one run
//! already look like a heap, and that happens in one campaign of ten. There the statistic is held against losses that
//! are drawn at random: seeded, so that the same runs are judged the same, and only as many as a decision needs
//! (J. Besag, P. Clifford: "Sequential Monte Carlo p-values", Biometrika 78, 1991).

use super::quantile::chi_square_tail;
use crate::random::Random;

/// How far counts scatter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dispersion {
    /// Variance over that of independent losses.
    pub index: f64,
    /// Degrees of freedom: runs less one.
    pub freedom: u64,
    /// Probability that independent losses scatter so much or more.
    pub over_p: f64,
    /// Probability that independent losses scatter so little or less.
    pub under_p: f64,
}

impl Dispersion {
    /// Of `(lost, sent)` of each run; `None` for fewer than two runs, or too few losses to tell.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of messages; the last digits do not matter")]
    pub fn of(runs: &[(u64, u64)]) -> Option<Self> {
        let (lost, sent) =
            runs.iter().fold((0.0, 0.0), |(lost, sent), run| (lost + run.0 as f64, sent + run.1 as f64));
        let counted = || runs.iter().filter(|run| run.1 > 0);
        let freedom = counted().count().checked_sub(1).filter(|freedom| *freedom > 0)?;
        if lost < LOST_MIN || lost >= sent {
            return None;
        }
        let fraction = lost / sent;
        let square = |run: &(u64, u64)| {
            let expected = run.1 as f64 * fraction;
            (run.0 as f64 - expected).powi(2) / (expected * (1.0 - fraction))
        };
        let statistic: f64 = counted().map(square).sum();
        let approximate = chi_square_tail(statistic, freedom as f64);
        let is_thin = counted().any(|run| (run.1 as f64 * fraction) < EXPECTED_MIN);
        // Chi square only ever calls too many of them over-dispersed: what it does not needs no draws.
        let over_p = if is_thin && approximate < P_MOST {
            // What is dealt may come to a run more often than it sent, so that it is held against the plain statistic.
            let plain = statistic * (1.0 - fraction);
            Lots::of(counted().map(|run| run.1 as f64), sent, lost).tail(plain).unwrap_or(approximate)
        } else {
            approximate
        };
        let index = statistic / freedom as f64;
        Some(Self { index, freedom: freedom as u64, over_p, under_p: 1.0 - over_p })
    }

    /// Whether losses scatter more than independent ones do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over_p < P_MOST
    }

    /// Whether they scatter less: something spreads them evenly.
    #[must_use]
    pub fn is_under(&self) -> bool {
        self.under_p < P_MOST
    }
}

/// Losses dealt at random to runs, each with the chance that its messages give it.
struct Lots {
    /// Messages of all runs up to this one, over those of all.
    up_to: Vec<f64>,
    /// Losses to be expected of each run.
    expected: Vec<f64>,
    lost: f64,
}

impl Lots {
    fn of(sizes: impl Iterator<Item = f64>, sent: f64, lost: f64) -> Self {
        let (mut up_to, mut expected, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for size in sizes {
            sum += size;
            up_to.push(sum / sent);
            expected.push(size / sent * lost);
        }
        Self { up_to, expected, lost }
    }

    /// Probability that the statistic of dealt losses is at least `seen`; `None` when there are too many losses to deal
    /// them often enough, for which chi square is good.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand deals")]
    fn tail(&self, seen: f64) -> Option<f64> {
        let runs = self.expected.len() as f64;
        // Mean and variance of the statistic are known (J. Haldane: Biometrika 29, 1937), and beyond a tenfold
        // deviation lies less than 1 in 101 of anything (Cantelli).
        let mean = runs - 1.0;
        let inverse: f64 = self.expected.iter().map(|expected| 1.0 / expected).sum();
        let variance = 2.0 * mean + inverse - (runs * runs + 2.0 * runs - 2.0) / self.lost;
        let beyond = (seen - mean).max(0.0).powi(2);
        let most = variance / (variance + beyond);
        if most < P_MOST {
            return Some(most);
        }
        let deals = DEALS_MAX.min(DEALT_MAX / self.lost);
        if deals < DEALS_MIN {
            return None;
        }
        let mut random = Random::named(SEED, "dispersion");
        let mut counts = vec![0.0; self.expected.len()];
        let (mut dealt, mut beyond) = (0_u32, 0_u32);
        while f64::from(dealt) < deals && beyond < ENOUGH {
            dealt += 1;
            // A rounding must not put what is equal below.
            beyond += u32::from(self.deal(&mut random, &mut counts) >= seen * (1.0 - 1e-9));
        }
        let (dealt, beyond) = (f64::from(dealt), f64::from(beyond));
        Some(if beyond >= f64::from(ENOUGH) { beyond / dealt } else { (beyond + 1.0) / (dealt + 1.0) })
    }

    /// Deals all losses once; their statistic. `counts` are zero before and after.
    fn deal(&self, random: &mut Random, counts: &mut [f64]) -> f64 {
        let (mut squares, mut left) = (0.0, self.lost);
        let mut hit = Vec::new();
        while left >= 1.0 {
            left -= 1.0;
            let place = random.unit();
            let run = self.up_to.partition_point(|up_to| *up_to < place).min(counts.len() - 1);
            squares += (2.0 * counts[run] + 1.0) / self.expected[run];
            counts[run] += 1.0;
            hit.push(run);
        }
        hit.into_iter().for_each(|run| counts[run] = 0.0);
        squares - self.lost
    }
}

/// Below so many losses chi square is no approximation of anything.
const LOST_MIN: f64 = 5.0;
/// A run that is expected to lose less than this has no place in chi square (W. Cochran: Biometrics 10, 1954).
const EXPECTED_MIN: f64 = 1.0;
/// Most deals: a probability of 1 % is then known to 0.2 %.
const DEALS_MAX: f64 = 2_000.0;
/// Fewer tell 1 % from nothing no more.
const DEALS_MIN: f64 = 200.0;
/// Most losses that are dealt, in all deals: a tenth of a second. Above 5000 losses chi square is good for any number
/// of runs that a campaign has.
const DEALT_MAX: f64 = 1_000_000.0;
/// So many deals beyond what was seen, and it is no rare thing.
const ENOUGH: u32 = 40;
/// Of the deals: the same campaign is judged the same whoever looks.
const SEED: u64 = 1;
/// One campaign in a hundred is wrongly called over-dispersed; its interval is then a little wider than it need be.
const P_MOST: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_that_of_the_textbook() {
        // Mean 4, squares of the distances 4 + 1 + 0 + 1 + 4 = 10, over mean and 4 degrees of freedom: 0.625.
        let runs = [2, 3, 4, 5, 6].map(|lost| (lost, 1_000_000_000));
        let found = Dispersion::of(&runs).unwrap();
        assert!((found.index - 0.625).abs() < 1e-6, "{found:?}");
        assert_eq!(found.freedom, 4);
        // Chi square of 2.5 with 4 degrees of freedom: e^-1.25 (1 + 1.25).
        assert!((found.over_p - (-1.25_f64).exp() * 2.25).abs() < 1e-6, "{found:?}");
        assert!(!found.is_over() && !found.is_under());
    }

    #[test]
    fn heaps_are_over_dispersed_and_a_clock_is_under_dispersed() {
        let heaps: Vec<(u64, u64)> =
            (0..100).map(|run| (if run % 10 == 0 { 80 } else { 0 }, 1_000_000)).collect();
        assert!(Dispersion::of(&heaps).unwrap().is_over());
        let clock = [(50, 1_000_000); 100];
        assert!(Dispersion::of(&clock).unwrap().is_under());
    }

    /// So many losses, each in any of the runs.
    fn independent(seed: u64, runs: usize, lost: u64) -> Vec<(u64, u64)> {
        let mut random = Random::named(seed, "independent");
        let mut all = vec![(0, 1_000_000); runs];
        for _ in 0..lost {
            all[usize::try_from(random.next_u64() % runs as u64).unwrap()].0 += 1;
        }
        all
    }

    #[test]
    fn few_independent_losses_in_many_runs_are_not_called_heaps() {
        for (runs, lost) in [(1_000, 15), (200, 5), (10_000, 30), (300, 200)] {
            let over = (0..400)
                .filter(|seed| Dispersion::of(&independent(*seed, runs, lost)).unwrap().is_over())
                .count();
            // 1 % are 4, and four standard deviations of that number are 8; chi square says 41, 19, 19 and 8.
            assert!(over <= 12, "{lost} in {runs}: {over} of 400");
        }
    }

    #[test]
    fn few_heaps_in_many_runs_are_heaps() {
        let mut runs = vec![(0, 1_000_000); 1_000];
        for run in &mut runs[..5] {
            run.0 = 3;
        }
        let found = Dispersion::of(&runs).unwrap();
        assert!(found.is_over(), "{found:?}");
        // Three in one run and twelve alone: once in 250 campaigns. Dealt, since no bound decides it.
        let mut runs = vec![(1, 1_000_000); 1_000];
        runs[0].0 = 3;
        runs[13..].iter_mut().for_each(|run| run.0 = 0);
        let found = Dispersion::of(&runs).unwrap();
        assert!(found.is_over() && found.over_p > 1e-4, "{found:?}");
    }

    #[test]
    fn runs_of_different_length_are_held_against_their_own_expectation() {
        let runs: Vec<(u64, u64)> = (1..50).map(|run| (run * 10, run * 1_000_000)).collect();
        assert!(Dispersion::of(&runs).unwrap().index < 0.01);
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(Dispersion::of(&[]), None);
        assert_eq!(Dispersion::of(&[(7, 100)]), None);
        assert_eq!(Dispersion::of(&[(1, 100), (2, 100)]), None);
        assert_eq!(Dispersion::of(&[(100, 100), (100, 100)]), None);
        assert_eq!(Dispersion::of(&[(9, 100), (0, 0)]), None);
    }
}

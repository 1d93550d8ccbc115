//! Whether counts of several runs scatter as independent losses do: R. A. Fisher's index of dispersion, tested
//! against chi square ("Statistical Methods for Research Workers", 1925, section 57).
//!
//! Each run has its own number of messages. An index of 1 is what independent losses have; losses that come in
//! heaps, or runs that differ, have more. It says that they do, not why.

use super::quantile::chi_square_tail;

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
        let over_p = chi_square_tail(statistic, freedom as f64);
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

/// Below so many losses chi square is no approximation of anything.
const LOST_MIN: f64 = 5.0;
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

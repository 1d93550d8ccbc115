//! Quantiles of the distributions that intervals and tests are made of: normal, Student's t, chi square; and those of
//! a sample.
//!
//! A quantile is found by halving in the logarithm of what is sought: slow, never wrong, and with all of its digits
//! however small it is. The tails are those of [`super::special`].

use super::special::{Tails, beta_tails, gamma_tails};

/// The place of a positive distribution below which `lower` of it lies, `upper` is the rest: the smaller of both is
/// aimed at. `tails` are those at a place.
#[must_use]
pub fn positive_quantile(lower: f64, upper: f64, tails: impl Fn(f64) -> Tails) -> f64 {
    let is_below = |place: f64| {
        let found = tails(place);
        if lower < upper { found.lower < lower } else { found.upper > upper }
    };
    let (mut from, mut to) = (LN_LEAST, LN_MOST);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(from, to);
        *(if is_below(middle.exp()) { &mut from } else { &mut to }) = middle;
    }
    f64::midpoint(from, to).exp()
}

/// The two-sided quantile of the normal distribution: 1.96 for a confidence of 0.95.
#[must_use]
pub fn normal_two_sided(confidence: f64) -> f64 {
    // The square of a normal number is chi square with one degree of freedom.
    chi_square(confidence, 1.0).sqrt()
}

/// Probability that a normal number is at least so far from its mean, on both sides together.
#[must_use]
pub fn normal_two_sided_tail(z: f64) -> f64 {
    gamma_tails(0.5, z * z / 2.0).upper
}

/// The two-sided quantile of Student's t: 2.776 for 4 degrees of freedom and a confidence of 0.95.
#[must_use]
pub fn student_two_sided(confidence: f64, freedom: f64) -> f64 {
    // P(|T| > t) = I_x(freedom/2, 1/2) at x = freedom/(freedom + t^2).
    let tails = |t: f64| {
        let square = t * t;
        let beyond =
            beta_tails(freedom / 2.0, 0.5, freedom / (freedom + square), square / (freedom + square));
        Tails { lower: beyond.upper, upper: beyond.lower }
    };
    positive_quantile(confidence, 1.0 - confidence, tails)
}

/// The quantile of chi square: `lower` of it lies below.
#[must_use]
pub fn chi_square(lower: f64, freedom: f64) -> f64 {
    positive_quantile(lower, 1.0 - lower, |place| gamma_tails(freedom / 2.0, place / 2.0))
}

/// Probability that chi square is at least `statistic`.
#[must_use]
pub fn chi_square_tail(statistic: f64, freedom: f64) -> f64 {
    gamma_tails(freedom / 2.0, statistic / 2.0).upper
}

/// The quantile of values that are sorted, between two of them by a straight line (R. Hyndman, Y. Fan: "Sample
/// Quantiles in Statistical Packages", Am. Stat. 50, 1996, type 7); `None` of none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
pub fn of_sorted(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part.clamp(0.0, 1.0) * last as f64;
    let mut below = 0;
    while below < last && (below + 1) as f64 <= place {
        below += 1;
    }
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(low + (high - low) * (place - below as f64))
}

/// Between 1e-300 and 1e300.
const LN_LEAST: f64 = -690.0;
const LN_MOST: f64 = 690.0;
/// 1380 / 2^60 is below the last digit.
const HALVINGS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, known: f64) {
        assert!((found - known).abs() < 6e-5 * known.abs().max(1.0), "{found} and not {known}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        near(normal_two_sided(0.95), 1.95996);
        near(normal_two_sided(0.99), 2.57583);
        near(normal_two_sided_tail(1.95996), 0.05);
        for (freedom, t) in [(1.0, 12.7062), (4.0, 2.77645), (30.0, 2.04227), (120.0, 1.97993)] {
            near(student_two_sided(0.95, freedom), t);
        }
        near(student_two_sided(0.99, 10.0), 3.16927);
        near(student_two_sided(0.95, 1e9), 1.95996);
        near(chi_square(0.95, 10.0), 18.3070);
        near(chi_square(0.025, 4.0), 0.484_42);
        near(chi_square(0.99, 199.0), 248.3289);
        near(chi_square_tail(18.3070, 10.0), 0.05);
        // Of two degrees of freedom it is exponential: tails that no difference to 1 can show.
        assert!((chi_square_tail(600.0, 2.0) / (-300.0_f64).exp() - 1.0).abs() < 1e-11);
    }

    #[test]
    fn quantiles_of_a_sample_lie_between_its_values() {
        assert_eq!(of_sorted(&[], 0.5), None);
        assert_eq!(of_sorted(&[3.0], 0.9), Some(3.0));
        assert_eq!(of_sorted(&[1.0, 2.0, 4.0], 0.5), Some(2.0));
        assert_eq!(of_sorted(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(of_sorted(&[1.0, 2.0, 4.0], 2.0), Some(4.0));
    }
}

//! Exact intervals of a lost fraction, from how many were lost of how many: those of a binomial count (C. Clopper,
//! E. Pearson: Biometrika 26, 1934) and of a Poisson count (F. Garwood: Biometrika 28, 1936).
//!
//! Both take losses for independent of each other. Whether they are says [`super::dispersion`]. Nothing is rounded to a
//! normal distribution: no loss in 10^12 messages has an upper limit, too.

use super::quantile::positive_quantile;
use super::special::{beta_tails, gamma_tails};

/// A value lies between these two with the confidence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// At least.
    pub from: f64,
    /// At most.
    pub to: f64,
}

/// Clopper's and Pearson's interval of the probability behind `lost` of `sent`; `None` when nothing was sent.
#[must_use]
pub fn binomial(lost: u64, sent: u64, confidence: f64) -> Option<Interval> {
    let tail = (1.0 - confidence) / 2.0;
    let lost = lost.min(sent);
    (sent > 0)
        .then(|| Interval { from: binomial_least(lost, sent, tail), to: binomial_most(lost, sent, tail) })
}

/// The probability that is not exceeded with `confidence`: all of what may be wrong lies on one side. When nothing was
/// lost of n it is `1 - (1 - confidence)^(1/n)`, 3.0/n at 95 % (J. Hanley, A. Lippman-Hand: "If nothing goes wrong, is
/// everything all right?", JAMA 249, 1983).
#[must_use]
pub fn upper_limit(lost: u64, sent: u64, confidence: f64) -> Option<f64> {
    (sent > 0).then(|| binomial_most(lost.min(sent), sent, 1.0 - confidence))
}

/// Garwood's interval of the mean of a Poisson count.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 lost messages nobody counts them")]
pub fn poisson(count: u64, confidence: f64) -> Interval {
    let tail = (1.0 - confidence) / 2.0;
    let count = count as f64;
    // Half of a quantile of chi square with 2k (and 2k + 2) degrees of freedom.
    let from =
        if count > 0.0 { positive_quantile(tail, 1.0 - tail, |mean| gamma_tails(count, mean)) } else { 0.0 };
    Interval { from, to: positive_quantile(1.0 - tail, tail, |mean| gamma_tails(count + 1.0, mean)) }
}

/// At this probability, so many or more are lost with a probability of `tail`.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 messages the last digit of the interval is lost")]
fn binomial_least(lost: u64, sent: u64, tail: f64) -> f64 {
    if lost == 0 {
        return 0.0;
    }
    if lost == sent {
        return (tail.ln() / sent as f64).exp();
    }
    let (a, b) = (lost as f64, (sent - lost) as f64 + 1.0);
    fraction_of(positive_quantile(tail, 1.0 - tail, |odds| beta_at_odds(a, b, odds)))
}

/// At this probability, so few or less are lost with a probability of `tail`.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 messages the last digit of the interval is lost")]
fn binomial_most(lost: u64, sent: u64, tail: f64) -> f64 {
    if lost == sent {
        return 1.0;
    }
    if lost == 0 {
        return -(tail.ln() / sent as f64).exp_m1();
    }
    let (a, b) = (lost as f64 + 1.0, (sent - lost) as f64);
    fraction_of(positive_quantile(1.0 - tail, tail, |odds| beta_at_odds(a, b, odds)))
}

/// In odds `p/(1-p)`: from 0 to infinity, so that neither end loses its digits.
fn beta_at_odds(a: f64, b: f64, odds: f64) -> super::special::Tails {
    beta_tails(a, b, fraction_of(odds), 1.0 / (1.0 + odds))
}

fn fraction_of(odds: f64) -> f64 {
    odds / (1.0 + odds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, known: f64, part: f64) {
        assert!((found / known - 1.0).abs() < part, "{found:e} and not {known:e}");
    }

    #[test]
    fn binomial_intervals_are_those_of_the_tables() {
        for (lost, sent, from, to) in [
            (1, 10, 0.002_528_6, 0.445_016_1),
            (5, 10, 0.187_086_0, 0.812_914_0),
            (10, 100, 0.049_004_7, 0.176_222_6),
        ] {
            let found = binomial(lost, sent, 0.95).unwrap();
            near(found.from, from, 1e-5);
            near(found.to, to, 1e-6);
        }
        assert_eq!(binomial(0, 0, 0.95), None);
        let none = binomial(0, 10, 0.95).unwrap();
        assert!(none.from <= 0.0);
        near(none.to, 0.308_497_1, 1e-6);
        let all = binomial(10, 10, 0.95).unwrap();
        near(all.from, 1.0 - 0.308_497_1, 1e-6);
        assert!(all.to >= 1.0);
    }

    #[test]
    fn poisson_intervals_are_those_of_garwood() {
        for (count, from, to) in
            [(1, 0.025_317_8, 5.571_643), (4, 1.089_865, 10.241_59), (10, 4.795_389, 18.390_36)]
        {
            let found = poisson(count, 0.95);
            near(found.from, from, 1e-5);
            near(found.to, to, 1e-6);
        }
        let none = poisson(0, 0.95);
        assert!(none.from <= 0.0);
        near(none.to, -(0.025_f64.ln()), 1e-12);
    }

    #[test]
    fn four_of_twenty_thousand_millions_have_an_interval() {
        // The tuned receiver of Bologna; with so many the binomial is the Poisson to ten digits.
        let sent = 20_000_000_000;
        let (found, limit) = (binomial(4, sent, 0.95).unwrap(), poisson(4, 0.95));
        near(found.from * 2e10, limit.from, 1e-9);
        near(found.to * 2e10, limit.to, 1e-9);
    }

    #[test]
    fn nothing_lost_is_below_three_over_n() {
        near(upper_limit(0, 20_000_000_000, 0.95).unwrap(), 1.497_866e-10, 1e-6);
        near(upper_limit(0, 1_000_000_000_000_000, 0.95).unwrap(), 2.995_732e-15, 1e-6);
        near(upper_limit(0, 1, 0.95).unwrap(), 0.95, 1e-12);
        assert_eq!(upper_limit(0, 0, 0.95), None);
    }

    #[test]
    fn what_lies_at_the_ends_is_as_unlikely_as_was_said() {
        for (lost, sent) in [(1_u64, 1_000_000_000_000_u64), (3, 50), (5_095, 100_000_000), (999, 1_000)] {
            let found = binomial(lost, sent, 0.9).unwrap();
            let (k, n) = (lost as f64, sent as f64);
            near(beta_tails(k, n - k + 1.0, found.from, 1.0 - found.from).lower, 0.05, 1e-6);
            near(beta_tails(k + 1.0, n - k, found.to, 1.0 - found.to).upper, 0.05, 1e-6);
            assert!(found.from < k / n && k / n < found.to);
        }
    }
}

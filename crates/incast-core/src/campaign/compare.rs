//! Two variants held against each other, with intervals: the ratio of their lost fractions, and the difference.
//!
//! The ratio of two Poisson counts is exact given their sum, which is then binomial (J. Przyborowski, H. Wilenski:
//! "Homogeneity of results in testing samples from Poisson series", Biometrika 31, 1940). It holds only if losses are
//! independent. The difference of the means of runs (B. Welch, Biometrika 34, 1947) holds for heaps, too.

use super::shape::mean;
use crate::record::{CampaignComparison, CampaignInterval, CampaignVariant};
use crate::stats::interval::binomial;
use crate::stats::quantile::student_two_sided;
use crate::stats::ratio;

/// `later` held against `first`.
#[must_use]
pub fn compare(
    first: &CampaignVariant,
    later: &CampaignVariant,
    confidence: f64,
) -> Option<CampaignComparison> {
    let (difference, difference_interval) = welch(&later.lost_fractions, &first.lost_fractions, confidence)?;
    let [ratio_from, ratio_to] = ratio_interval(first, later, confidence);
    let is_over = |variant: &CampaignVariant| {
        variant.dispersion.as_ref().is_some_and(|dispersion| dispersion.judged == "over")
    };
    let judged = if is_over(first) || is_over(later) {
        let interval = difference_interval.as_ref();
        judged(interval.map(|interval| interval.from), interval.map(|interval| interval.to), 0.0)
    } else {
        judged(ratio_from, ratio_to, 1.0)
    };
    let of_first = first.lost_fraction.filter(|fraction| *fraction > 0.0);
    Some(CampaignComparison {
        variant: later.name.clone(),
        against: first.name.clone(),
        ratio: later.lost_fraction.zip(of_first).map(|(later, first)| later / first),
        ratio_from,
        ratio_to,
        difference,
        difference_interval,
        judged: judged.into(),
    })
}

fn judged(from: Option<f64>, to: Option<f64>, alike: f64) -> &'static str {
    match (from, to) {
        (Some(from), _) if from > alike => "more",
        (_, Some(to)) if to < alike => "less",
        _ => "alike",
    }
}

/// The ends of the interval of the ratio, where it has them.
fn ratio_interval(first: &CampaignVariant, later: &CampaignVariant, confidence: f64) -> [Option<f64>; 2] {
    let lost = first.lost.saturating_add(later.lost);
    let Some(sent) = ratio(first.sent, later.sent) else { return [None; 2] };
    let Some(part) = (lost > 0).then(|| binomial(later.lost, lost, confidence)).flatten() else {
        return [None; 2];
    };
    let of_part = |part: f64| (part < 1.0).then(|| part / (1.0 - part) * sent);
    [of_part(part.from), of_part(part.to)]
}

/// The difference of two means with its interval; no interval where the values do not vary.
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
pub(super) fn welch(
    later: &[f64],
    first: &[f64],
    confidence: f64,
) -> Option<(f64, Option<CampaignInterval>)> {
    let difference = mean(later)? - mean(first)?;
    let part = |values: &[f64]| {
        let (count, mean) = (values.len() as f64, mean(values)?);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (values.len() > 1).then(|| (squares / (count - 1.0) / count, count - 1.0))
    };
    let (Some((one, one_freedom)), Some((other, other_freedom))) = (part(later), part(first)) else {
        return Some((difference, None));
    };
    let variance = one + other;
    if variance <= 0.0 {
        return Some((difference, None));
    }
    // In parts of the sum: the square of a tiny variance is no number any more.
    let (one, other) = (one / variance, other / variance);
    let freedom = 1.0 / (one * one / one_freedom + other * other / other_freedom);
    let half = student_two_sided(confidence, freedom) * variance.sqrt();
    let interval =
        CampaignInterval { method: "welch".into(), from: difference - half, to: difference + half };
    Some((difference, Some(interval)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(lost: u64, sent: u64) -> CampaignVariant {
        CampaignVariant {
            lost,
            sent,
            lost_fraction: ratio(lost, sent),
            lost_fractions: vec![ratio(lost, sent).unwrap(); 2],
            ..CampaignVariant::default()
        }
    }

    #[test]
    fn welch_is_that_of_the_textbook() {
        // Means 3 and 6, variances 2.5 and 10, five each: error sqrt(0.5 + 2), freedom 2.5^2 / (0.25/4 + 4/4) = 5.882.
        let (difference, interval) =
            welch(&[2.0, 4.0, 6.0, 8.0, 10.0], &[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        let interval = interval.unwrap();
        assert!((difference - 3.0).abs() < 1e-12);
        // t of 5.882 degrees of freedom lies between 2.5706 (5) and 2.4469 (6).
        let t = (interval.to - 3.0) / 2.5_f64.sqrt();
        assert!((2.4469..2.5706).contains(&t) && (t - 2.459).abs() < 2e-3, "{t}");
        // At 1e-12 it is the same.
        let small = |values: [f64; 5]| values.map(|value| value * 1e-200);
        let (_, tiny) =
            welch(&small([2.0, 4.0, 6.0, 8.0, 10.0]), &small([1.0, 2.0, 3.0, 4.0, 5.0]), 0.95).unwrap();
        assert!(tiny.is_none_or(|tiny| tiny.from.is_finite() && tiny.to.is_finite()));
    }

    #[test]
    fn counts_that_differ_are_judged_by_their_ratio() {
        // 10 of a million against 40: ratio 4, by the binomial of 40 in 50.
        let found = compare(&variant(10, 1_000_000), &variant(40, 1_000_000), 0.95).unwrap();
        assert_eq!((found.ratio, &*found.judged), (Some(4.0), "more"));
        let part = binomial(40, 50, 0.95).unwrap();
        assert!((found.ratio_from.unwrap() - part.from / (1.0 - part.from)).abs() < 1e-12);
        assert_eq!(compare(&variant(40, 1_000_000), &variant(10, 1_000_000), 0.95).unwrap().judged, "less");
        assert_eq!(compare(&variant(10, 1_000_000), &variant(12, 1_000_000), 0.95).unwrap().judged, "alike");
        // Twice as many of twice as many is the same.
        assert_eq!(compare(&variant(10, 1_000_000), &variant(20, 2_000_000), 0.95).unwrap().judged, "alike");
    }

    #[test]
    fn nothing_lost_has_a_ratio_of_nothing_and_no_upper_end_the_other_way() {
        let found = compare(&variant(50, 1_000_000), &variant(0, 1_000_000), 0.95).unwrap();
        assert_eq!((found.ratio, found.ratio_from, &*found.judged), (Some(0.0), Some(0.0), "less"));
        assert!(found.ratio_to.unwrap() < 0.1);
        let back = compare(&variant(0, 1_000_000), &variant(50, 1_000_000), 0.95).unwrap();
        assert_eq!((back.ratio, back.ratio_to, &*back.judged), (None, None, "more"));
        let none = compare(&variant(0, 1_000_000), &variant(0, 1_000_000), 0.95).unwrap();
        assert_eq!((none.ratio, none.ratio_from, none.ratio_to, &*none.judged), (None, None, None, "alike"));
    }
}

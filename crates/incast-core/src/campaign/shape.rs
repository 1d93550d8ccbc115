//! How the lost fraction of a run is spread over the runs, and whether it drifts with time.

use super::RunOutcome;
use super::compare::welch;
use super::stages::stages;
use crate::record::{CampaignBin, CampaignComb, CampaignDistribution, CampaignDrift, CampaignPeak};
use crate::stats::peaks::{Peak, SIGNIFICANCE_MIN, find_peaks};
use crate::stats::quantile::of_sorted;
use crate::stats::trend::Trend;

/// The distribution of these fractions.
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
pub(super) fn distribution(fractions: &[f64]) -> CampaignDistribution {
    let mut sorted = fractions.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mean = (!sorted.is_empty()).then(|| sorted.iter().sum::<f64>() / sorted.len() as f64);
    CampaignDistribution {
        runs_without_loss: sorted.iter().filter(|fraction| **fraction <= 0.0).count() as u64,
        mean,
        least: sorted.first().copied(),
        quarter: of_sorted(&sorted, 0.25),
        median: of_sorted(&sorted, 0.5),
        three_quarters: of_sorted(&sorted, 0.75),
        p90: of_sorted(&sorted, 0.9),
        p99: of_sorted(&sorted, 0.99),
        most: sorted.last().copied(),
        bins: bins(&sorted),
    }
}

/// Equal parts from the least to the most; each run is in one of them.
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
fn bins(sorted: &[f64]) -> Vec<CampaignBin> {
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    if most <= least {
        return Vec::new();
    }
    let edge = |index: usize| least + (most - least) * index as f64 / BINS as f64;
    let mut before = 0;
    let bin = |index: usize| {
        let (from, to) = (edge(index), if index + 1 == BINS { *most } else { edge(index + 1) });
        let below = sorted.partition_point(|value| *value < to);
        let end = if index + 1 == BINS { sorted.len() } else { below };
        let runs = (end - before) as u64;
        before = end;
        CampaignBin { from, to, runs }
    };
    (0..BINS).map(bin).collect()
}

/// The peaks of the lost fraction, each with the stages of its runs, and the comb that they make.
///
/// Runs that lost nothing are a peak of their own when they are many more than those that lost a single message: no
/// kernel, however wide, then smears them over what others lost.
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
pub(super) fn peaks(runs: &[RunOutcome], resolution: f64) -> (Vec<CampaignPeak>, Option<CampaignComb>) {
    let with =
        |is_meant: fn(u64) -> bool| runs.iter().filter(|run| run.sent > 0 && is_meant(run.lost)).count();
    let (none, one) = (with(|lost| lost == 0), with(|lost| lost == 1));
    let significance = (none as f64 - one as f64) / ((none + one) as f64).sqrt();
    let is_apart = significance >= SIGNIFICANCE_MIN;
    let fractions = runs.iter().filter_map(RunOutcome::lost_fraction);
    let sample: Vec<f64> = fractions.filter(|fraction| !is_apart || *fraction > 0.0).collect();
    let found = find_peaks(&sample, resolution);
    let valley = if is_apart { resolution / 2.0 } else { 0.0 };
    let apart = Peak { fraction: 0.0, one_in: None, from: 0.0, to: valley, runs: none as u64, significance };
    let others = found.peaks.iter().map(|peak| Peak { from: peak.from.max(valley), ..*peak });
    let all = is_apart.then_some(apart).into_iter().chain(others);
    let comb =
        found.comb.map(|comb| CampaignComb { offset: comb.offset, spacing: comb.spacing, teeth: comb.teeth });
    (all.map(|found| peak(&found, runs)).collect(), comb)
}

/// A peak with its runs' stages; what lies beyond the last valley is its own up to everything.
fn peak(found: &Peak, runs: &[RunOutcome]) -> CampaignPeak {
    let is_own = |run: &&RunOutcome| {
        run.lost_fraction().is_some_and(|fraction| fraction >= found.from && fraction < found.to)
    };
    CampaignPeak {
        fraction: found.fraction,
        one_in: found.one_in,
        from: found.from,
        to: found.to.min(1.0),
        runs: found.runs,
        significance: found.significance,
        stages: stages(runs.iter().filter(is_own)),
    }
}

/// Whether fractions, in the order of their runs, drift.
pub(super) fn drift(fractions: &[f64], confidence: f64) -> Option<CampaignDrift> {
    let trend = Trend::of(fractions)?;
    let (first, second) = fractions.split_at(fractions.len() / 2);
    let (difference, interval) = welch(second, first, confidence)?;
    let judged = match (trend.is_drift(), trend.tau > 0.0) {
        (false, _) => "none",
        (true, true) => "rising",
        (true, false) => "falling",
    };
    let (first_half, second_half) = (mean(first)?, mean(second)?);
    debug_assert!((second_half - first_half - difference).abs() < 1e-9);
    Some(CampaignDrift {
        tau: trend.tau,
        p: trend.p,
        judged: judged.into(),
        first_half,
        second_half,
        difference: interval,
    })
}

/// The mean; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Parts of the histogram: there are narrow peaks in losses.
const BINS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_in_one_part() {
        for values in
            [vec![0.0, 1.0], vec![0.1, 0.2, 0.3], (0..1000).map(|index| f64::from(index).sqrt()).collect()]
        {
            let found = distribution(&values);
            assert_eq!(found.bins.iter().map(|bin| bin.runs).sum::<u64>(), values.len() as u64);
            assert!(found.bins[0].runs > 0 && found.bins[BINS - 1].runs > 0);
        }
        assert_eq!(distribution(&[0.5; 7]).bins, []);
        assert_eq!(distribution(&[]), CampaignDistribution::default());
    }
}

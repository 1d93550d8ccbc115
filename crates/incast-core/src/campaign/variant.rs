//! The runs of one variant, evaluated.
//!
//! Which interval is quoted is decided here: if losses scatter as independent ones do, the exact one of all messages
//! together; if they scatter more, the one of whole runs with room for heaps ([`Heaps`]), for then messages are not
//! independent and runs may be. Nor is it ever narrower than the exact one. A message with one wrong bit fails its checksum and is
//! lost whole: with `n` bits, `1 - (1 - ber)^n` of the messages.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::{distribution, drift, peaks};
use super::stages::stages;
use super::{RunOutcome, VALUES_MAX, summed};
use crate::caveat::{Caveat, CaveatKind};
use crate::record::{
    CampaignAsked, CampaignDispersion, CampaignInterval, CampaignVariant, Expectation, ReplicaFigure, Verdict,
};
use crate::scenario::ExpectationPlan;
use crate::stats::dispersion::Dispersion;
use crate::stats::heaps::Heaps;
use crate::stats::interval::{Interval, binomial, poisson, upper_limit};
use crate::stats::ratio;

/// What `runs`, in the order of their numbers, came to.
#[must_use]
pub fn variant(
    name: Option<&str>,
    runs: &[RunOutcome],
    expected: &[ExpectationPlan],
    confidence: f64,
) -> CampaignVariant {
    let (sent, lost) = pooled(runs);
    let fractions: Vec<f64> = runs.iter().filter_map(RunOutcome::lost_fraction).collect();
    let sizes = runs.iter().filter(|run| run.sent > 0).map(|run| run.sent);
    let resolution = sizes.max().and_then(|most| ratio(1, most)).unwrap_or(0.0);
    let (peaks, comb) = peaks(runs, resolution);
    let message_bits = ratio(runs.iter().fold(0, |sum, run| sum.saturating_add(run.sent_bits)), sent);
    let message_bits = message_bits.filter(|bits| *bits > 0.0);
    let Sureness { dispersion, intervals, quoted, upper_limit: limit } = sureness(runs, confidence);
    let rate =
        |fraction: Option<f64>| fraction.zip(message_bits).map(|(lost, bits)| bit_error_rate(lost, bits));
    let unexplained: Vec<i64> = runs.iter().filter_map(|run| run.unexplained).collect();
    let figures = summed(runs.iter().map(|run| &run.figures));
    CampaignVariant {
        name: name.map(str::to_owned),
        runs: runs.len() as u64,
        runs_tainted: runs.iter().filter(|run| run.verdict == Verdict::Tainted).count() as u64,
        sent,
        lost,
        message_bits,
        lost_fraction: ratio(lost, sent),
        one_in: (lost > 0).then(|| ratio(sent, lost)).flatten(),
        interval: quoted,
        intervals,
        upper_limit: limit,
        bit_error_rate: rate(ratio(lost, sent)),
        bit_error_rate_upper_limit: rate(limit),
        dispersion,
        distribution: distribution(&fractions),
        peaks,
        comb,
        stages: stages(runs),
        unexplained: unexplained.into_iter().reduce(i64::saturating_add),
        drift: drift(&fractions, confidence),
        expectations: expectations(expected, &figures, runs),
        figures: figures.into_iter().map(|figure| ReplicaFigure { values: Vec::new(), ..figure }).collect(),
        doubts: doubts(runs),
        lost_fractions: fractions.into_iter().take(VALUES_MAX).collect(),
    }
}

/// Whether `runs` are enough: the interval to be quoted is narrow enough beside the mean. Where nothing was lost
/// there is no mean to be precise about.
///
/// To look after each run makes the interval a little too narrow; with the minimum of runs that is asked for, little
/// enough (Y. Chow, H. Robbins: Ann. Math. Stat. 36, 1965).
#[must_use]
pub fn is_precise(runs: &[RunOutcome], asked: &CampaignAsked) -> bool {
    let (sent, lost) = pooled(runs);
    let Some(precision) = asked.precision.filter(|_| runs.len() as u64 >= asked.runs_min) else {
        return false;
    };
    let Some(mean) = ratio(lost, sent).filter(|mean| *mean > 0.0) else { return false };
    let is_narrow = |from: f64, to: f64| (to - from) / 2.0 <= precision * mean;
    // What is quoted is never narrower than the exact one, which costs less to know.
    let exact = binomial(lost, sent, asked.confidence);
    exact.is_some_and(|exact| is_narrow(exact.from, exact.to))
        && sureness(runs, asked.confidence).quoted.is_some_and(|quoted| is_narrow(quoted.from, quoted.to))
}

/// Messages sent and lost in all runs.
fn pooled(runs: &[RunOutcome]) -> (u64, u64) {
    runs.iter().fold((0, 0), |(sent, lost): (u64, u64), run| {
        (sent.saturating_add(run.sent), lost.saturating_add(run.lost))
    })
}

/// How sure the lost fraction is.
struct Sureness {
    dispersion: Option<CampaignDispersion>,
    /// Every interval.
    intervals: Vec<CampaignInterval>,
    /// The one to be quoted.
    quoted: Option<CampaignInterval>,
    /// By the same reckoning as the quoted interval.
    upper_limit: Option<f64>,
}

fn sureness(runs: &[RunOutcome], confidence: f64) -> Sureness {
    let (sent, lost) = pooled(runs);
    let counts: Vec<(u64, u64)> = runs.iter().map(|run| (run.lost, run.sent)).collect();
    let dispersion = Dispersion::of(&counts);
    let named = |method: &str, interval: Interval| CampaignInterval {
        method: method.into(),
        from: interval.from,
        to: interval.to,
    };
    let exact = binomial(lost, sent, confidence);
    let of_poisson = ratio(1, sent).map(|each| {
        let count = poisson(lost, confidence);
        named("garwood", Interval { from: count.from * each, to: (count.to * each).min(1.0) })
    });
    let heaps = Heaps::of(&counts);
    let by_runs = heaps.map(|heaps| named("student", heaps.student(confidence)));
    let of_heaps = heaps.zip(exact).map(|(heaps, exact)| {
        let of_runs = heaps.interval(confidence);
        named("heaps", Interval { from: of_runs.from.min(exact.from), to: of_runs.to.max(exact.to) })
    });
    let exact = exact.map(|interval| named("clopper-pearson", interval));
    let is_over = dispersion.is_some_and(|dispersion| dispersion.is_over());
    let limit = upper_limit(lost, sent, confidence);
    let limit_of_heaps = heaps.filter(|_| is_over).map(|heaps| heaps.upper_limit(confidence));
    let said = dispersion.map(|found| CampaignDispersion {
        index: found.index,
        freedom: found.freedom,
        p: found.over_p,
        judged: match (found.is_over(), found.is_under()) {
            (true, _) => "over",
            (_, true) => "under",
            _ => "independent",
        }
        .into(),
    });
    Sureness {
        dispersion: said,
        quoted: of_heaps.clone().filter(|_| is_over).or_else(|| exact.clone()),
        intervals: [exact, of_poisson, by_runs, of_heaps].into_iter().flatten().collect(),
        upper_limit: limit.map(|limit| limit_of_heaps.map_or(limit, |of_heaps| of_heaps.max(limit))),
    }
}

/// Wrong bits per bit that lose this fraction of messages of so many bits.
fn bit_error_rate(lost_fraction: f64, message_bits: f64) -> f64 {
    if lost_fraction >= 1.0 {
        return 1.0;
    }
    -((-lost_fraction).ln_1p() / message_bits).exp_m1()
}

/// What was expected of a run, judged by the mean over all.
fn expectations(
    expected: &[ExpectationPlan],
    figures: &[ReplicaFigure],
    runs: &[RunOutcome],
) -> Vec<Expectation> {
    let judge = |plan: &ExpectationPlan| {
        let name = format!("{}{}", super::EXPECTED, plan.name);
        let known = figures.iter().find(|figure| figure.name == name);
        // What is not known of every run is not known of all.
        let mean = known.filter(|figure| u64::from(figure.replicas) == runs.len() as u64);
        let measured = mean.map(|figure| figure.mean);
        Expectation {
            name: plan.name.clone(),
            expected: plan.expected.clone(),
            measured,
            met: measured.map(|mean| plan.limits.margin(mean) >= 0.0),
            source: Some(plan.source.clone()),
        }
    };
    expected.iter().map(judge).collect()
}

/// Each kind of doubt, with the first that was said.
fn doubts(runs: &[RunOutcome]) -> Vec<Caveat> {
    let mut counted: BTreeMap<CaveatKind, (u64, u64, &Caveat)> = BTreeMap::new();
    for run in runs {
        let mut kinds = BTreeSet::new();
        for caveat in run.caveats.iter().filter(|caveat| kinds.insert(caveat.kind)) {
            counted.entry(caveat.kind).or_insert((0, run.number, caveat)).0 += 1;
        }
    }
    let said = |(kind, (count, number, first)): (CaveatKind, (u64, u64, &Caveat))| {
        let text = format!("in {count} of {} runs; in run {number}: {}", runs.len(), first.text);
        Caveat::new(kind, text, first.advice.clone())
    };
    counted.into_iter().map(said).collect()
}

#[cfg(test)]
mod tests;

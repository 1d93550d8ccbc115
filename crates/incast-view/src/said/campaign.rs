//! What terminal and page say of a campaign in the same words.

use incast_core::record::{
    Campaign, CampaignComparison, CampaignInterval, CampaignPeak, CampaignVariant, Verdict,
};

use crate::text::{clean, counted, cut};
use crate::units::{UNKNOWN, count, number, percent};

/// The verdict and what it means here.
pub(crate) fn verdict(campaign: &Campaign) -> String {
    let said = match campaign.verdict {
        Verdict::Good => "good: the mean of all runs is as expected",
        Verdict::Missed => "missed: the mean of the runs is not as expected, or not known",
        Verdict::Tainted => "tainted: in more than one run of a hundred a doubt voids the numbers",
        Verdict::Incomplete => "incomplete: too many runs failed",
        Verdict::Interrupted => "interrupted: not all runs are there; those that are stand",
    };
    said.to_owned()
}

/// How many runs there are, and why there are no more.
pub(crate) fn runs(campaign: &Campaign) -> String {
    let asked = &campaign.asked;
    let wanted = counted(usize::try_from(asked.runs).unwrap_or(usize::MAX), "run", "runs");
    let of_each = match campaign.variants.len() {
        0 | 1 => String::new(),
        variants => format!(" of each of {variants} variants"),
    };
    let mut said = format!("{} finished; asked for {wanted}{of_each}", count(Some(campaign.runs_finished)));
    if campaign.variants.iter().any(|variant| variant.runs > asked.runs) {
        said += " (more are there already, and all of them count)";
    }
    if let Some(precision) = asked.precision {
        said += &format!(", or half of an interval of {} of the mean", confidence(precision));
    }
    let end = match &*campaign.end {
        "all" => "all were played",
        "precise" => "it was precise enough before",
        "stopped" => "somebody ended it",
        "failures" => "too many runs failed",
        _ => "it is under way, or was killed",
    };
    said += &format!("; {end}");
    for (runs, what) in [(campaign.runs_failed, "failed"), (campaign.runs_died, "died with the campaign")] {
        if runs > 0 {
            said += &format!("; {} {what} and were tried again", count(Some(runs)));
        }
    }
    said
}

/// A variant's name; `base` for the scenario as it stands.
pub(crate) fn name(name: Option<&str>) -> &str {
    name.unwrap_or("base")
}

/// A small part of a whole, as papers write it: `5.09e-5`; one in a thousand and more as a number.
pub(crate) fn part(part: Option<f64>) -> String {
    match part.filter(|part| part.is_finite()) {
        None => UNKNOWN.to_owned(),
        Some(part) if part.abs() <= 0.0 => "0".to_owned(),
        Some(part) if part.abs() < 1e-3 => format!("{part:.2e}"),
        // Three digits.
        Some(part) => number(format!("{part:.2e}").parse().ok()),
    }
}

/// A confidence: `95 %`.
pub(crate) fn confidence(confidence: f64) -> String {
    format!("{} %", number(format!("{:.6}", confidence * 100.0).parse().ok()))
}

/// The lost fraction, or what it is below when nothing was lost.
pub(crate) fn fraction_or_limit(variant: &CampaignVariant) -> String {
    match variant.lost {
        0 if variant.upper_limit.is_some() => format!("< {}", part(variant.upper_limit)),
        _ => part(variant.lost_fraction),
    }
}

/// A whole number, of one that need not be.
pub(crate) fn whole(value: Option<f64>) -> String {
    number(value.map(f64::round))
}

/// From here to there.
pub(crate) fn interval(interval: Option<&CampaignInterval>) -> String {
    interval.map_or_else(
        || UNKNOWN.to_owned(),
        |interval| format!("{} to {}", part(Some(interval.from)), part(Some(interval.to))),
    )
}

/// How much was lost and how sure that is.
pub(crate) fn loss(variant: &CampaignVariant, confidence: f64) -> String {
    let (lost, sent) = (count(Some(variant.lost)), count(Some(variant.sent)));
    let confidence = self::confidence(confidence);
    if variant.lost == 0 {
        let limit = part(variant.upper_limit);
        return format!("none of {sent}: the lost fraction is < {limit} at {confidence}");
    }
    let mut said = format!("{lost} of {sent}: {}", part(variant.lost_fraction));
    if variant.one_in.is_some_and(|one_in| one_in >= 2.0) {
        said += &format!(", one in {}", whole(variant.one_in));
    }
    if let Some(quoted) = &variant.interval {
        let how = method(quoted);
        said += &format!("; {} at {confidence} ({how})", interval(Some(quoted)));
    }
    let others: Vec<String> = variant
        .intervals
        .iter()
        .filter(|other| Some(&other.method) != variant.interval.as_ref().map(|quoted| &quoted.method))
        .map(|other| format!("{} {}", clean(&other.method), interval(Some(other))))
        .collect();
    if others.is_empty() { said } else { format!("{said}; beside it {}", others.join(", ")) }
}

fn method(interval: &CampaignInterval) -> String {
    match &*interval.method {
        "clopper-pearson" => "exact, of all messages".to_owned(),
        "heaps" => "by runs, with room for one more heap".to_owned(),
        other => clean(other),
    }
}

/// The bit error rate, with its assumption.
pub(crate) fn bit_errors(variant: &CampaignVariant, confidence: f64) -> Option<String> {
    let limit = variant.bit_error_rate_upper_limit?;
    let assumed = "if every loss is a message with one wrong bit";
    let limit = format!("< {} at {}", part(Some(limit)), self::confidence(confidence));
    Some(match variant.bit_error_rate.filter(|_| variant.lost > 0) {
        Some(rate) => format!("bit error rate {}, {limit}, {assumed}", part(Some(rate))),
        None => format!("bit error rate {limit}, {assumed}"),
    })
}

/// Whether losses scatter as independent ones do.
pub(crate) fn dispersion(variant: &CampaignVariant) -> Option<String> {
    let found = variant.dispersion.as_ref()?;
    let times = times(Some(found.index));
    let chance = probability(found.p);
    Some(match &*found.judged {
        "over" => format!(
            "over-dispersed: runs differ {times} times as much as independent losses would ({chance}), so the interval \
             is that of whole runs"
        ),
        "under" => format!("losses come more evenly than independent ones: {times} of their variance"),
        _ => format!("as independent losses: {times} of their variance ({chance})"),
    })
}

fn probability(p: f64) -> String {
    if p < 1e-12 { "p < 1e-12".to_owned() } else { format!("p = {}", part(Some(p))) }
}

/// Four digits at most: `12.3`, `0.981`.
pub(crate) fn times(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(
        || UNKNOWN.to_owned(),
        |value| match value.abs() {
            0.0..1e-3 if value.abs() > 0.0 => format!("{value:.2e}"),
            ..10.0 => number(format!("{value:.3}").parse().ok()),
            ..1000.0 => number(format!("{value:.1}").parse().ok()),
            _ => whole(Some(value)),
        },
    )
}

/// How the lost fraction of a run is spread.
pub(crate) fn spread(variant: &CampaignVariant) -> String {
    let found = &variant.distribution;
    let lossless = count(Some(found.runs_without_loss));
    let values = [
        ("least", found.least),
        ("half", found.median),
        ("nine in ten", found.p90),
        ("99 %", found.p99),
        ("most", found.most),
    ];
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {}", part(*value))).collect();
    format!("lost nothing in {lossless} of {} runs; {}", count(Some(variant.runs)), values.join(", "))
}

/// Whether the loss drifts with time.
pub(crate) fn drift(variant: &CampaignVariant) -> Option<String> {
    let found = variant.drift.as_ref()?;
    let halves =
        format!("first half {}, second half {}", part(Some(found.first_half)), part(Some(found.second_half)));
    let test = format!("Mann-Kendall tau {}, {}", times(Some(found.tau)), probability(found.p));
    Some(match &*found.judged {
        "none" => format!("none ({test}); {halves}"),
        judged => format!("{}: {test}; {halves}", clean(judged)),
    })
}

/// A peak by its name, and what made it.
pub(crate) fn peak(peak: &CampaignPeak) -> String {
    let stages: Vec<String> = peak
        .stages
        .iter()
        .filter(|stage| stage.messages > 0)
        .take(STAGES_MAX)
        .map(|stage| format!("{} {}", stage_at(&stage.stage, &stage.place), percent(stage.share)))
        .collect();
    let made = if stages.is_empty() { String::new() } else { format!("; made by {}", stages.join(", ")) };
    let runs = counted(usize::try_from(peak.runs).unwrap_or(usize::MAX), "run", "runs");
    format!("{} ({}), {runs}{made}", peak_name(peak), part(Some(peak.fraction)))
}

/// `1/19 630`, or `no loss`.
pub(crate) fn peak_name(peak: &CampaignPeak) -> String {
    peak.one_in.map_or_else(|| "no loss".to_owned(), |one_in| format!("1/{}", whole(Some(one_in))))
}

/// A stage and where it is.
pub(crate) fn stage_at(name: &str, place: &str) -> String {
    format!("{} ({})", stage(name), cut(&clean(place), PLACE_CELLS))
}

/// The name of a stage, for people.
pub(crate) fn stage(name: &str) -> String {
    clean(name).replace('_', " ")
}

/// The comb that the peaks make.
pub(crate) fn comb(variant: &CampaignVariant) -> Option<String> {
    let comb = variant.comb.as_ref()?;
    Some(format!(
        "{} peaks follow each other at a distance of {}, from {} on",
        count(Some(comb.teeth)),
        part(Some(comb.spacing)),
        part(Some(comb.offset))
    ))
}

/// The interval of a ratio.
pub(crate) fn ratio_interval(found: &CampaignComparison) -> String {
    match (found.ratio_from, found.ratio_to) {
        (None, None) => UNKNOWN.to_owned(),
        (from, None) => format!("above {}", times(from)),
        (from, to) => format!("{} to {}", times(from), times(to)),
    }
}

/// A difference with its interval.
pub(crate) fn difference(found: &CampaignComparison) -> String {
    let interval = found.difference_interval.as_ref();
    let interval = interval.map(|found| format!(" ({})", self::interval(Some(found)))).unwrap_or_default();
    format!("{}{interval}", part(Some(found.difference)))
}

/// Most peaks that are told.
pub(crate) const PEAKS_MAX: usize = 12;
/// Most stages of a peak.
const STAGES_MAX: usize = 3;
const PLACE_CELLS: usize = 40;

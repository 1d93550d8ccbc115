//! The tables of a campaign's page.

use incast_core::record::{Campaign, CampaignVariant, ReplicaFigure};

use crate::html::Html;
use crate::report::parts::Part;
use crate::report::sheet::{Cell, Sheet};
use crate::report::simulation::replicas;
use crate::said::campaign as words;
use crate::table::Side;
use crate::units::{UNKNOWN, count, number, percent};

/// A line for each variant.
pub(super) fn losses(html: &mut Html, campaign: &Campaign) {
    html.heading(2, "Losses");
    let mut sheet = Sheet::new(&[
        ("variant", Side::Left),
        ("runs", Side::Right),
        ("sent", Side::Right),
        ("lost", Side::Right),
        ("lost fraction", Side::Right),
        ("one in", Side::Right),
        ("interval", Side::Right),
        ("upper limit", Side::Right),
        ("bit error rate", Side::Right),
        ("its upper limit", Side::Right),
        ("losses scatter", Side::Left),
        ("drift", Side::Left),
    ]);
    for variant in &campaign.variants {
        let scatter = variant.dispersion.as_ref().map_or(UNKNOWN, |found| &found.judged);
        let drift = variant.drift.as_ref().map_or(UNKNOWN, |drift| &drift.judged);
        sheet.push(vec![
            Cell::plain(words::name(variant.name.as_deref())),
            Cell::plain(count(Some(variant.runs))),
            Cell::plain(count(Some(variant.sent))),
            Cell::plain(count(Some(variant.lost))),
            Cell::plain(words::fraction_or_limit(variant)),
            Cell::plain(words::whole(variant.one_in)),
            Cell::plain(words::interval(variant.interval.as_ref())),
            Cell::plain(words::part(variant.upper_limit)),
            Cell::plain(words::part(variant.bit_error_rate.filter(|_| variant.lost > 0))),
            Cell::plain(words::part(variant.bit_error_rate_upper_limit)),
            Cell::plain(scatter),
            Cell::flagged(drift, variant.drift.as_ref().is_some_and(|drift| drift.judged != "none")),
        ]);
    }
    sheet.show(html, "losses of all variants");
    html.note(&format!(
        "Intervals at {}: exact for independent losses (Clopper-Pearson), of whole runs for others (Student's t, with \
         room for one more heap). The upper limits are one-sided, by the same reckoning. A bit error rate assumes that every loss is a message with one wrong bit.",
        words::confidence(campaign.asked.confidence)
    ));
}

/// Each later variant beside the first.
pub(super) fn comparisons(html: &mut Html, campaign: &Campaign) {
    let Some(first) = campaign.comparisons.first() else { return };
    let mut sheet = Sheet::new(&[
        ("variant", Side::Left),
        ("loses", Side::Left),
        ("ratio", Side::Right),
        ("its interval, if losses are independent", Side::Right),
        ("difference of the means of runs, with its interval", Side::Right),
    ]);
    for found in &campaign.comparisons {
        sheet.push(vec![
            Cell::plain(words::name(found.variant.as_deref())),
            Cell::plain(&found.judged),
            Cell::plain(words::times(found.ratio)),
            Cell::plain(words::ratio_interval(found)),
            Cell::plain(words::difference(found)),
        ]);
    }
    html.heading(2, &format!("Beside {}", words::name(first.against.as_deref())));
    sheet.show(html, "variants beside the first");
}

/// The peaks of one variant, and what made them.
pub(super) fn peaks(html: &mut Html, variant: &CampaignVariant) {
    if variant.peaks.is_empty() {
        return;
    }
    let mut sheet = Sheet::new(&[
        ("peak", Side::Left),
        ("lost fraction", Side::Right),
        ("runs", Side::Right),
        ("over its valleys, standard deviations", Side::Right),
        ("made by", Side::Left),
    ]);
    for peak in variant.peaks.iter().take(PEAKS_MAX) {
        let made = peak.stages.iter().filter(|stage| stage.messages > 0).take(3);
        let made: Vec<String> = made
            .map(|stage| format!("{} {}", words::stage_at(&stage.stage, &stage.place), percent(stage.share)))
            .collect();
        sheet.push(vec![
            Cell::plain(words::peak_name(peak)),
            Cell::plain(words::part(Some(peak.fraction))),
            Cell::plain(count(Some(peak.runs))),
            Cell::plain(words::times(Some(peak.significance))),
            Cell::marked(made.join(", "), "wide"),
        ]);
    }
    sheet.show(html, "peaks of the lost fraction");
}

/// Where messages died.
pub(super) fn stages(html: &mut Html, parts: &[Part], variant: &CampaignVariant) {
    let mut sheet = Sheet::new(&[
        ("", Side::Left),
        ("stage", Side::Left),
        ("where", Side::Left),
        ("messages", Side::Right),
        ("of those lost", Side::Right),
    ]);
    for part in parts {
        sheet.push(part.row(Some(variant.lost), part.is_open()));
    }
    sheet.show(html, "where messages died");
}

/// Every expectation, judged by the mean over the runs.
pub(super) fn expectations(html: &mut Html, campaign: &Campaign) {
    let mut sheet = Sheet::new(&[
        ("variant", Side::Left),
        ("expectation", Side::Left),
        ("", Side::Left),
        ("expected", Side::Left),
        ("mean of the runs", Side::Right),
        ("source", Side::Left),
    ]);
    for variant in &campaign.variants {
        for expectation in &variant.expectations {
            let met = match expectation.met {
                Some(true) => "met",
                Some(false) => "missed",
                None => "unknown",
            };
            sheet.push(vec![
                Cell::plain(words::name(variant.name.as_deref())),
                Cell::plain(&expectation.name),
                Cell::flagged(met, expectation.met != Some(true)),
                Cell::plain(&expectation.expected),
                Cell::plain(number(expectation.measured)),
                Cell::marked(expectation.source.as_deref().unwrap_or(UNKNOWN), "faint wide"),
            ]);
        }
    }
    if !sheet.is_empty() {
        html.heading(2, "Expectations");
        sheet.show(html, "expectations, by the mean over the runs");
    }
}

/// Every other figure of a run that varies, folded.
pub(super) fn figures(html: &mut Html, campaign: &Campaign) {
    for variant in campaign.variants.iter().take(super::VARIANTS_MAX) {
        let varies = |figure: &&ReplicaFigure| figure.least < figure.most;
        let sheet = replicas::table(variant.figures.iter().filter(varies), "runs");
        if !sheet.is_empty() {
            let name = words::name(variant.name.as_deref());
            sheet.fold(html, &format!("Figures that differ between the runs of {name}"));
        }
    }
}

/// Peaks with a row.
const PEAKS_MAX: usize = 24;

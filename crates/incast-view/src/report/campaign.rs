//! The page of a campaign: what was lost and how sure that is, how the lost fraction of a run is spread, with its peaks
//! by their names, whether it drifts, where messages died, and variants beside the first.
//!
//! The words are those of the terminal.

mod plots;
mod tables;

use incast_core::record::{Campaign, CampaignVariant};

use super::parts::{Part, bar};
use super::{anchor, document, judgement, totals};
use crate::html::Html;
use crate::plot::{COLOURS, letter};
use crate::said::{self, campaign as words};
use crate::text::counted;
use crate::units::count;

/// The report on a campaign as one HTML document.
#[must_use]
pub fn campaign(campaign: &Campaign, place: &str) -> String {
    let name = campaign.scenario.title.as_deref().unwrap_or(&campaign.scenario.name);
    document(&format!("{name} - campaign"), "campaign", |html| {
        html.heading(1, name);
        when(html, campaign, place);
        judged(html, campaign);
        tiles(html, campaign);
        tables::losses(html, campaign);
        tables::comparisons(html, campaign);
        for (index, variant) in campaign.variants.iter().take(VARIANTS_MAX).enumerate() {
            html.tag("section").set("id", &anchor(index + 1)).holds(|html| show(html, campaign, variant));
        }
        if let Some(more) = campaign.variants.len().checked_sub(VARIANTS_MAX).filter(|more| *more > 0) {
            html.note(&format!("{} in the result.", counted(more, "more variant", "more variants")));
        }
        tables::expectations(html, campaign);
        tables::figures(html, campaign);
        html.heading(2, "Host");
        html.note(&said::host(&campaign.host));
    })
}

/// What campaign it was, when and where.
fn when(html: &mut Html, campaign: &Campaign, place: &str) {
    let parts = [
        campaign.scenario.name.clone(),
        campaign.started_at.as_ref().map(|at| format!("began {at}")).unwrap_or_default(),
        campaign.ended_at.as_ref().map(|at| format!("ended {at}")).unwrap_or_default(),
        format!("world: {}", campaign.world),
        format!("first seed {}", campaign.scenario.seed),
        said::build(&campaign.incast),
        place.to_owned(),
    ];
    html.tag("p").class("when").text(&said::listed(parts));
}

/// The verdict, how many runs there are, and every doubt.
fn judged(html: &mut Html, campaign: &Campaign) {
    let class = judgement::class(campaign.verdict);
    html.tag("div").set("class", &format!("verdict {class}")).holds(|html| {
        html.tag("p").text(&words::verdict(campaign));
        html.tag("p").text(&words::runs(campaign));
        if !campaign.failures.is_empty() {
            html.tag("p").text(&format!("The last failures: {}", campaign.failures.join("; ")));
        }
        if !campaign.caveats.is_empty() {
            html.tag("ul").class("doubts").holds(|html| judgement::doubts(html, &campaign.caveats));
        }
    });
}

/// What is looked at first: of the first variant.
fn tiles(html: &mut Html, campaign: &Campaign) {
    let Some(first) = campaign.variants.first() else { return };
    let limit = words::part(first.upper_limit);
    let tiles = [
        ("lost fraction", words::fraction_or_limit(first)),
        ("one in", words::whole(first.one_in)),
        ("not above", limit),
        ("bit error rate not above", words::part(first.bit_error_rate_upper_limit)),
        ("runs", count(Some(first.runs))),
        ("peaks", count(Some(first.peaks.len() as u64))),
    ];
    totals::large(html, tiles.into_iter());
}

/// One variant.
fn show(html: &mut Html, campaign: &Campaign, variant: &CampaignVariant) {
    html.heading(2, words::name(variant.name.as_deref()));
    let confidence = campaign.asked.confidence;
    let lines = [
        Some(("loss", words::loss(variant, confidence))),
        words::bit_errors(variant, confidence).map(|said| ("bits", said)),
        words::dispersion(variant).map(|said| ("scatter", said)),
        Some(("a run", words::spread(variant))),
        words::drift(variant).map(|said| ("drift", said)),
        words::comb(variant).map(|said| ("comb", said)),
    ];
    html.tag("dl").class("facts").holds(|html| {
        for (name, said) in lines.into_iter().flatten() {
            totals::fact(html, name, &[said]);
        }
    });
    plots::distribution(html, variant);
    tables::peaks(html, variant);
    plots::drift(html, variant);
    stages(html, variant);
}

/// Where messages died: a bar of all that did.
fn stages(html: &mut Html, variant: &CampaignVariant) {
    let Some(unexplained) = variant.unexplained else { return };
    if variant.lost == 0 {
        return;
    }
    let part = |(index, stage): (usize, &incast_core::record::CampaignStage)| Part {
        letter: letter(index),
        name: words::stage(&stage.stage),
        place: stage.place.clone(),
        packets: Some(stage.packets),
        count: i64::try_from(stage.messages).ok(),
        class: format!("fill c{}", index % COLOURS),
    };
    let mut parts: Vec<Part> = variant.stages.iter().take(STAGES_MAX).enumerate().map(part).collect();
    parts.push(Part {
        letter: letter(parts.len()),
        name: "unexplained".to_owned(),
        place: "what is left of the account".to_owned(),
        packets: None,
        count: Some(unexplained),
        class: "fill unexplained".to_owned(),
    });
    let all: Vec<&Part> = parts.iter().collect();
    html.tag("figure").holds(|html| {
        let what = format!("where {} messages died, over all runs", count(Some(variant.lost)));
        bar(html, &what, &all, Some(variant.lost));
    });
    tables::stages(html, &parts, variant);
}

/// Variants with a section of their own.
const VARIANTS_MAX: usize = 24;
/// Parts of a bar; the result has all.
const STAGES_MAX: usize = 16;

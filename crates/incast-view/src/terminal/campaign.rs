//! What many runs came to, for a terminal: how much was lost and how sure that is, the peaks, where messages died,
//! whether it drifts, and variants held against each other.
//!
//! Every number is one of the campaign. The verdict comes first, the doubts last.

mod tables;

use incast_core::record::{Campaign, CampaignVariant, Expectation, Verdict};

use crate::page::{BAD, DOUBTFUL, FAINT, GOOD, Label, PLAIN, Page};
use crate::said::{self, campaign as words};
use crate::text::{clean, counted};
use crate::units::count;

/// The result in lines of at most `width` cells (40 at least), with colours.
pub(super) fn show(campaign: &Campaign, width: usize) -> String {
    let mut page = Page::new(width);
    verdict(&mut page, campaign);
    tables::losses(&mut page, campaign);
    for variant in campaign.variants.iter().take(VARIANTS_MAX) {
        self::variant(&mut page, variant, campaign.asked.confidence);
    }
    tables::comparisons(&mut page, campaign);
    tables::stages(&mut page, &campaign.variants);
    expectations(&mut page, &campaign.variants);
    super::judgement::doubts(&mut page, &campaign.caveats);
    provenance(&mut page, campaign);
    page.into_text()
}

fn verdict(page: &mut Page, campaign: &Campaign) {
    let style = match campaign.verdict {
        Verdict::Good => GOOD,
        Verdict::Missed | Verdict::Incomplete => BAD,
        Verdict::Tainted | Verdict::Interrupted => DOUBTFUL,
    };
    let doubts = match campaign.caveats.len() {
        0 => String::new(),
        count => format!(" ({} below)", counted(count, "doubt", "doubts")),
    };
    page.heading(&format!("{}{doubts}", words::verdict(campaign)), style);
    page.words(&Label::new("runs"), &words::runs(campaign));
    for failure in &campaign.failures {
        page.words(&Label::new("failed").body(BAD), failure);
    }
}

/// What is to be said of one variant in words.
fn variant(page: &mut Page, variant: &CampaignVariant, confidence: f64) {
    page.section(&clean(words::name(variant.name.as_deref())));
    page.words(&Label::new("loss"), &words::loss(variant, confidence));
    if let Some(rate) = words::bit_errors(variant, confidence) {
        page.words(&Label::new("bits"), &rate);
    }
    if let Some(dispersion) = words::dispersion(variant) {
        page.words(&Label::new("scatter"), &dispersion);
    }
    page.words(&Label::new("a run"), &words::spread(variant));
    if let Some(drift) = words::drift(variant) {
        let is_drifting = variant.drift.as_ref().is_some_and(|drift| drift.judged != "none");
        page.words(&Label::new("drift").body(if is_drifting { DOUBTFUL } else { PLAIN }), &drift);
    }
    for peak in variant.peaks.iter().take(words::PEAKS_MAX) {
        page.words(&Label::new("peak"), &words::peak(peak));
    }
    if let Some(more) = variant.peaks.len().checked_sub(words::PEAKS_MAX).filter(|more| *more > 0) {
        page.words(
            &Label::new(""),
            &format!("and {} in the result", counted(more, "more peak", "more peaks")),
        );
    }
    if let Some(comb) = words::comb(variant) {
        page.words(&Label::new("comb"), &comb);
    }
}

/// Those that are not met, each with its variant; how many are.
fn expectations(page: &mut Page, variants: &[CampaignVariant]) {
    let all = variants.iter().flat_map(|variant| &variant.expectations).count();
    let missed: Vec<Expectation> = variants
        .iter()
        .flat_map(|variant| {
            let name = words::name(variant.name.as_deref());
            let is_missed = |expectation: &&Expectation| expectation.met != Some(true);
            variant.expectations.iter().filter(is_missed).map(move |expectation| Expectation {
                name: format!("{name}: {}", expectation.name),
                ..expectation.clone()
            })
        })
        .collect();
    super::judgement::expectations(page, &missed);
    if all > missed.len() {
        page.line("");
        let met = counted(all - missed.len(), "expectation is", "expectations are");
        page.words(&Label::new("expected").body(GOOD), &format!("{met} met, by the mean over the runs"));
    }
}

fn provenance(page: &mut Page, campaign: &Campaign) {
    page.line("");
    let scenario = &campaign.scenario;
    let title = scenario.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    let label = |text| Label::new(text).style(FAINT).body(FAINT);
    page.words(&label("campaign"), &format!("{}{title}", scenario.name));
    let last = campaign.variants.iter().map(|variant| variant.runs).max().unwrap_or(0).max(1) - 1;
    let parts = [
        said::build(&campaign.incast),
        format!("world: {}", campaign.world),
        format!("seeds {} to {}", scenario.seed, count(Some(scenario.seed.saturating_add(last)))),
        campaign.started_at.as_ref().map(|at| format!("began {at}")).unwrap_or_default(),
        campaign.ended_at.as_ref().map(|at| format!("ended {at}")).unwrap_or_default(),
    ];
    page.words(&label(""), &said::listed(parts));
    page.words(&label("host"), &said::host(&campaign.host));
}

/// Most variants with paragraphs of their own; the table has all.
const VARIANTS_MAX: usize = 12;

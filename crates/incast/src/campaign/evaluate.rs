//! What is in the database of a campaign, made into its result.

use std::path::Path;

use anyhow::Context as _;
use incast_core::campaign::{compare, variant};
use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{
    Build, CAMPAIGN_SCHEMA, Campaign, CampaignAsked, CampaignComparison, CampaignVariant, ScenarioSummary,
    Verdict,
};
use incast_core::scenario::{Scenario, Setting};
use incast_store::{CampaignIdentity, CampaignStore};

use super::RESULT;
use super::schedule::counted;
use crate::measured::rfc3339;

/// More than one tainted run in so many taints the campaign.
const TAINTED_ONE_IN: u64 = 100;
/// Failures that the result tells of.
const FAILURES_MAX: u32 = 8;
/// Largest result that is read back.
const RESULT_BYTES_MAX: u64 = 64 << 20;

/// What is in the campaign at this place, also while it is played; without its database, what was written of it.
pub(crate) fn read(dir: &Path) -> anyhow::Result<Campaign> {
    if !CampaignStore::is_in(dir) {
        let path = dir.join(RESULT);
        let about = std::fs::metadata(&path).map_err(|_| {
            anyhow::anyhow!(
                "there is no campaign in {}: name the directory of one, such as runs/campaign-NAME",
                dir.display()
            )
        })?;
        if about.len() > RESULT_BYTES_MAX {
            anyhow::bail!(
                "{} is larger than {} MiB, which no campaign is",
                path.display(),
                RESULT_BYTES_MAX >> 20
            );
        }
        let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let campaign: Campaign = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what incast wrote of a campaign", path.display()))?;
        if campaign.schema != CAMPAIGN_SCHEMA {
            anyhow::bail!("{} is not of schema {CAMPAIGN_SCHEMA}", path.display());
        }
        check(&campaign.asked).with_context(|| format!("read {}", path.display()))?;
        return Ok(campaign);
    }
    let store = CampaignStore::read(dir)?;
    let identity = store.identity()?;
    let scenarios = scenarios(&identity)
        .with_context(|| format!("read the scenario that is written down in {}", dir.display()))?;
    of(&store, &scenarios)
}

/// The scenario of each variant, from what was written down.
fn scenarios(identity: &CampaignIdentity) -> anyhow::Result<Vec<(Option<String>, Scenario)>> {
    let scenario = |(name, settings): &(Option<String>, Vec<String>)| {
        let settings: Result<Vec<Setting>, _> = settings.iter().map(|setting| setting.parse()).collect();
        let scenario = Scenario::parse_with(&identity.text, &settings?)
            .map_err(|errors| anyhow::anyhow!("{}", errors.explained("the scenario")))?;
        Ok((name.clone(), scenario))
    };
    identity.variants.iter().map(scenario).collect()
}

/// What the runs in `store` came to.
pub(super) fn of(
    store: &CampaignStore,
    scenarios: &[(Option<String>, Scenario)],
) -> anyhow::Result<Campaign> {
    let identity = store.identity()?;
    let (asked, end) = store.asked()?;
    let asked: CampaignAsked = serde_json::from_str(&asked).context("read how many runs were asked for")?;
    check(&asked).context("read how many runs were asked for")?;
    let mut variants = Vec::new();
    for (index, (name, scenario)) in scenarios.iter().enumerate() {
        let runs = counted(&asked, store.finished(index)?);
        variants.push(variant(name.as_deref(), &runs, &scenario.expectations, asked.confidence));
    }
    let (tally, failures, times) = (store.tally()?, store.failures(FAILURES_MAX)?, store.times()?);
    let end = end.unwrap_or_else(|| "unfinished".to_owned());
    let first = scenarios.first().map(|(_, scenario)| scenario);
    let mut campaign = Campaign {
        schema: CAMPAIGN_SCHEMA.into(),
        incast: Build { version: identity.version, commit: identity.commit },
        world: identity.world,
        started_at: times.0.and_then(rfc3339),
        ended_at: times.1.and_then(rfc3339),
        scenario: ScenarioSummary {
            name: first.map(|scenario| scenario.name.clone()).unwrap_or_default(),
            title: first.and_then(|scenario| scenario.title.clone()),
            variant: None,
            seed: identity.seed,
            text: Some(identity.text),
            command: None,
        },
        host: incast_host::provenance::describe(),
        comparisons: comparisons(&variants, asked.confidence),
        asked,
        end,
        runs_finished: tally.finished,
        runs_failed: tally.failed,
        runs_died: tally.died,
        failures,
        variants,
        ..Campaign::default()
    };
    campaign.caveats = caveats(&campaign);
    campaign.verdict = verdict(&campaign);
    Ok(campaign)
}

/// What the command line refuses, nobody can have asked for.
fn check(asked: &CampaignAsked) -> anyhow::Result<()> {
    let parts = [("confidence", Some(asked.confidence)), ("precision", asked.precision)];
    for (name, part) in parts {
        if let Some(part) = part.filter(|part| !(*part > 0.0 && *part < 1.0)) {
            anyhow::bail!("the campaign is damaged: its {name} is {part}, which is not between 0 and 1");
        }
    }
    if asked.runs == 0 {
        anyhow::bail!("the campaign is damaged: it asks for no run");
    }
    Ok(())
}

fn comparisons(variants: &[CampaignVariant], confidence: f64) -> Vec<CampaignComparison> {
    let Some((first, later)) = variants.split_first() else { return Vec::new() };
    later.iter().filter_map(|later| compare(first, later, confidence)).collect()
}

/// What the runs said of themselves, and what is to be said of all.
fn caveats(campaign: &Campaign) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    let missing = campaign.variants.iter().any(|variant| variant.runs < campaign.asked.runs);
    if missing && !matches!(&*campaign.end, "precise" | "all") {
        let counted: Vec<String> = campaign.variants.iter().map(|variant| variant.runs.to_string()).collect();
        caveats.push(Caveat::new(
            CaveatKind::Interrupted,
            format!("{} of {} runs of each variant are finished", counted.join(", "), campaign.asked.runs),
            "go on with --resume",
        ));
    }
    if campaign.runs_failed > 0 {
        caveats.push(Caveat::new(
            CaveatKind::RunsFailed,
            format!(
                "{} runs failed and were tried again; what made them fail may have spared lossless runs",
                campaign.runs_failed
            ),
            "look at why they failed, and play it anew where they do not",
        ));
    }
    for variant in &campaign.variants {
        let name = variant.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let doubts = variant.doubts.iter().cloned();
        caveats.extend(doubts.map(|doubt| Caveat { text: format!("{name}{}", doubt.text), ..doubt }));
    }
    caveats.sort();
    caveats
}

fn verdict(campaign: &Campaign) -> Verdict {
    let is_tainted =
        |variant: &CampaignVariant| variant.runs_tainted.saturating_mul(TAINTED_ONE_IN) > variant.runs;
    let is_missed = |variant: &CampaignVariant| {
        variant.expectations.iter().any(|expectation| expectation.met != Some(true))
    };
    match &*campaign.end {
        "failures" => Verdict::Incomplete,
        "all" | "precise" if campaign.variants.iter().any(is_tainted) => Verdict::Tainted,
        "all" | "precise" if campaign.variants.iter().any(is_missed) => Verdict::Missed,
        "all" | "precise" => Verdict::Good,
        _ => Verdict::Interrupted,
    }
}

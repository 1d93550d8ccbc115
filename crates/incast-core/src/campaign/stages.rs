//! Where the messages of several runs died: the ledgers of the runs, put together.

use std::collections::BTreeMap;

use super::RunOutcome;
use crate::record::CampaignStage;
use crate::stats::ratio;

/// Every stage and place at which anything died in these runs, most messages first.
pub(super) fn stages<'a>(runs: impl IntoIterator<Item = &'a RunOutcome>) -> Vec<CampaignStage> {
    let mut places: BTreeMap<(&str, &str), CampaignStage> = BTreeMap::new();
    for run in runs {
        for stage in run.stages.iter().filter(|stage| stage.messages > 0 || stage.packets > 0) {
            let sum = places.entry((&stage.stage, &stage.place)).or_insert_with(|| CampaignStage {
                stage: stage.stage.clone(),
                place: stage.place.clone(),
                ..CampaignStage::default()
            });
            sum.messages = sum.messages.saturating_add(stage.messages);
            sum.packets = sum.packets.saturating_add(stage.packets);
            sum.runs += u64::from(stage.messages > 0);
        }
    }
    let mut all: Vec<CampaignStage> = places.into_values().collect();
    let died = all.iter().map(|stage| stage.messages).fold(0, u64::saturating_add);
    for stage in &mut all {
        stage.share = ratio(stage.messages, died);
    }
    all.sort_by_key(|stage| std::cmp::Reverse((stage.messages, stage.packets)));
    all.truncate(STAGES_MAX);
    all
}

/// Most places of the result: a large network has a port for every host.
const STAGES_MAX: usize = 64;

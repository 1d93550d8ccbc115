//! What a campaign keeps of one run: its account, its ledger, its figures and its doubts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures;
use crate::caveat::Caveat;
use crate::record::{LossStage, Record, Verdict};

/// One run that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// Its number in its variant, from 0 on; its seed is that of the scenario and this.
    pub number: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// Messages sent.
    pub sent: u64,
    /// Messages lost.
    pub lost: u64,
    /// Payload bits sent.
    pub sent_bits: u64,
    /// Where messages died, by the ledger of the run; empty without one.
    pub stages: Vec<LossStage>,
    /// Lost messages that the ledger does not explain; `None` without one.
    pub unexplained: Option<i64>,
    /// Every figure of its record, by name.
    pub figures: BTreeMap<String, f64>,
    /// Its doubts.
    pub caveats: Vec<Caveat>,
}

impl RunOutcome {
    /// What is kept of this record; a sentence when it is not the record of a whole run.
    ///
    /// # Errors
    /// When the run was cut short, a part of it died, or its account is not known.
    pub fn of(number: u64, record: &Record) -> Result<Self, String> {
        if matches!(record.verdict, Verdict::Interrupted | Verdict::Incomplete) {
            let why = record.caveats.iter().find(|caveat| caveat.kind.ends_a_run());
            return Err(why.map_or_else(|| "the run did not come to its end".into(), |why| why.text.clone()));
        }
        let account = &record.totals.messages;
        let (Some(sent), Some(lost)) = (account.sent, account.lost) else {
            return Err("it is not known how many messages were sent and lost".into());
        };
        let bits = record.flows.iter().filter_map(|flow| {
            let messages = flow.messages.sent?;
            messages.checked_mul(u64::from(flow.message_bytes) * 8)
        });
        let ledger = record.ledger.as_ref();
        Ok(Self {
            number,
            verdict: record.verdict,
            sent,
            lost,
            sent_bits: bits.fold(0, u64::saturating_add),
            stages: ledger.map(|ledger| ledger.stages.clone()).unwrap_or_default(),
            unexplained: ledger.and_then(|ledger| ledger.unexplained),
            figures: figures(record),
            caveats: record.caveats.clone(),
        })
    }

    /// Lost over sent; `None` when nothing was sent.
    #[must_use]
    pub fn lost_fraction(&self) -> Option<f64> {
        crate::stats::ratio(self.lost, self.sent)
    }
}

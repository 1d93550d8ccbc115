//! What peers say that they may not say, counted by kind. None of it changes anything else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Kinds of nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonsense {
    /// A message from a peer of a kind, or with an id, that may not send it.
    WrongSender,
    /// A message from a peer that is not there, as far as run control says.
    NotThere,
    /// Data or an assignment of another run.
    WrongRun,
    /// Fragments of a level, or a packing, that the run does not have.
    WrongLevel,
    /// An event, ask or lease that nothing is known of.
    Unknown,
    /// More or fewer verdicts than events, or none of them to keep.
    WrongVerdicts,
    /// Data that is larger than what was asked for, or a count beyond any bound.
    TooLarge,
    /// A token in the name of another, or of another life.
    ForgedToken,
}

/// How often each kind came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonsenseCounts(
    /// Kinds that never came are not listed.
    pub BTreeMap<Nonsense, u64>,
);

impl NonsenseCounts {
    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(super) fn record(&mut self, kind: Nonsense) {
        *self.0.entry(kind).or_default() += 1;
    }
}

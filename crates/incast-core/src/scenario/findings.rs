//! Collects what is wrong while a scenario is read, so that all of it is reported and not only the first.
//!
//! Bounded in memory and in time: a hostile file of many faults costs no more than a few.

use std::ops::Range;

use super::error::{ScenarioError, ScenarioErrors};

/// The faults found so far in `text`.
pub(super) struct Findings<'t> {
    text: &'t str,
    found: Vec<(Range<usize>, String)>,
    omitted: usize,
    searches_left: u32,
}

impl<'t> Findings<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new(), omitted: 0, searches_left: SEARCHES_MAX }
    }

    /// Notes a fault at `span`, in bytes of the text.
    pub(super) fn add(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.found.push((span.clone(), message.into()));
        if self.found.len() >= 2 * ScenarioErrors::SHOWN_MAX {
            self.keep_first();
        }
    }

    /// How many faults have been found: two equal answers mean that nothing went wrong in between.
    pub(super) const fn count(&self) -> usize {
        self.found.len() + self.omitted
    }

    /// The candidate that `word` was probably meant to be.
    fn nearest<'c>(&mut self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        if self.searches_left == 0 || word.chars().count() > WORD_CHARACTERS_MAX {
            return None;
        }
        self.searches_left -= 1;
        // A third of the letters may be wrong, and one always: `tpc` is `tcp`.
        let distance_max = (word.chars().count() / 3).max(1);
        let distance =
            |candidate: &str| strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase());
        // Who leaves out the end of a long name gets it completed, however many letters are missing.
        let begins = |candidate: &str| word.len() >= BEGINNING_BYTES_MIN && candidate.starts_with(word);
        let rank = |candidate: &str| if begins(candidate) { 0 } else { distance(candidate) };
        let ranked = candidates.into_iter().map(|candidate| (candidate, rank(candidate)));
        let (nearest, rank) = ranked.min_by_key(|(_, rank)| *rank)?;
        (rank <= distance_max && rank < word.chars().count()).then_some(nearest)
    }

    /// The end of a message about an unknown word: the nearest right one, and what is allowed.
    pub(super) fn advice<'c>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
        allowed: &str,
    ) -> String {
        match self.nearest(word, candidates) {
            Some(nearest) => format!("; did you mean `{nearest}`? allowed: {allowed}"),
            None => format!("; allowed: {allowed}"),
        }
    }

    /// All that was found, in the order of the file; `Ok` when nothing was.
    pub(super) fn finish(mut self) -> Result<(), ScenarioErrors> {
        self.keep_first();
        if self.found.is_empty() {
            return Ok(());
        }
        let place = |(span, message): (Range<usize>, String)| ScenarioError::at(self.text, &span, message);
        Err(ScenarioErrors::new(self.found.into_iter().map(place).collect(), self.omitted))
    }

    fn keep_first(&mut self) {
        self.found.sort_by_key(|(span, _)| span.start);
        self.omitted += self.found.len().saturating_sub(ScenarioErrors::SHOWN_MAX);
        self.found.truncate(ScenarioErrors::SHOWN_MAX);
    }
}

/// A word from the file in the quotes of a message.
pub(super) fn quoted(word: &str) -> String {
    format!("`{}`", shortened(word))
}

/// A word from the file as a message may show it: short, control characters written out.
pub(super) fn shortened(word: &str) -> String {
    let mut shown = String::new();
    for (index, character) in word.chars().enumerate() {
        if index == QUOTED_CHARACTERS_MAX {
            shown.push_str("...");
            break;
        }
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    shown
}

/// Whether a terminal shows `character` as itself and does nothing else with it.
pub(super) fn is_plain(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

/// Searches for a nearest word per file: twice the faults that are shown, for 4096 hosts each.
const SEARCHES_MAX: u32 = 40;
/// Longest word whose nearest is searched; no name or key is longer.
const WORD_CHARACTERS_MAX: usize = 64;
/// Shortest beginning of a name that is completed.
const BEGINNING_BYTES_MIN: usize = 3;
/// Most characters of a text from the file in a message.
const QUOTED_CHARACTERS_MAX: usize = 40;

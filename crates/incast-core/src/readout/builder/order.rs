//! Built events held back until no lower number is open, as long as there is room.
//!
//! An event of which nothing was heard yet cannot be waited for: what comes after a higher number is
//! given out all the same, and counted.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Built;
use crate::readout::ids::EventNumber;

/// Holds back what would overtake an open event.
#[derive(Clone, Debug)]
pub(super) struct Order<P> {
    /// By number and age: a number may come twice, when it was forgotten in between.
    held: BTreeMap<(EventNumber, u64), Built<P>>,
    built: u64,
    open: BTreeSet<EventNumber>,
    held_max: usize,
    /// The highest number that was let go.
    highest: Option<EventNumber>,
}

impl<P> Order<P> {
    pub(super) const fn new(held_max: u32) -> Self {
        let held_max = held_max as usize;
        Self { held: BTreeMap::new(), built: 0, open: BTreeSet::new(), held_max, highest: None }
    }

    pub(super) fn handle_opened(&mut self, number: EventNumber) {
        self.open.insert(number);
    }

    pub(super) fn handle_built(&mut self, built: Built<P>) {
        let number = built.event().number;
        self.open.remove(&number);
        self.held.insert((number, self.built), built);
        self.built += 1;
    }

    /// The next one that may go, and whether a higher number went before it. `is_crowded`: something has
    /// to go, in order or not.
    pub(super) fn poll(&mut self, is_crowded: bool) -> Option<(Built<P>, bool)> {
        let (lowest, _) = *self.held.first_key_value()?.0;
        let waits_for_none = self.open.first().is_none_or(|open| lowest < *open);
        if !waits_for_none && !is_crowded && self.held.len() <= self.held_max {
            return None;
        }
        let ((number, _), built) = self.held.pop_first()?;
        let is_late = Some(number) < self.highest;
        self.highest = self.highest.max(Some(number));
        Some((built, is_late))
    }
}

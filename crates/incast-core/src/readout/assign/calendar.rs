//! Weighted calendar: 512 slots, as many for each member as its weight asks, spread evenly.

use std::collections::BTreeMap;
use std::fmt;

use super::epochs::Epochs;
use super::{Assign, PolicyCounts};
use crate::readout::ids::{Destination, EventNumber, Incarnation};
use crate::time::Time;

/// Slots of a calendar: the number that EJFAT uses. A weight is kept to one part in 512.
pub const CALENDAR_SLOTS: usize = 512;

/// An event's slot is its packet's number modulo 512; the slot says who gets it.
#[derive(Clone, Debug)]
pub struct Calendar {
    epochs: Epochs,
    /// Of all who were ever given one, so that a member that returns has its weight again.
    weights: BTreeMap<Destination, u32>,
}

/// Why a change of weights was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarRefused {
    /// The event has begun, or may have: this is the first that can still change.
    TooEarly(EventNumber),
    /// Nobody would get anything.
    NoWeight,
    /// More members than slots, counting those that had a weight before.
    TooMany,
}

impl Calendar {
    /// Nobody is there yet. Changes come into force `ahead_packets` packets after the newest one: as many
    /// as may be assigned before everybody knows.
    #[must_use]
    pub fn new(packing_events: u16, ahead_packets: u64) -> Self {
        Self { epochs: Epochs::new(packing_events, ahead_packets), weights: BTreeMap::new() }
    }

    /// With the weights that members will have when they come; those beyond the slots have 1.
    #[must_use]
    pub fn with_weights(mut self, weights: &[(Destination, u32)]) -> Self {
        self.weights.extend(weights.iter().copied().take(CALENDAR_SLOTS));
        self.change_of_members();
        self
    }

    /// Sets weights from the event `from` on; members that are not named keep theirs.
    ///
    /// # Errors
    ///
    /// When it comes too late, or would leave nobody.
    pub fn set_weights(
        &mut self,
        from: EventNumber,
        weights: &[(Destination, u32)],
    ) -> Result<(), CalendarRefused> {
        let earliest = self.epochs.newest().map_or(EventNumber(0), |newest| newest.after(1));
        if from < earliest {
            return Err(CalendarRefused::TooEarly(earliest));
        }
        let mut changed = self.weights.clone();
        changed.extend(weights.iter().copied());
        if changed.len() > CALENDAR_SLOTS {
            return Err(CalendarRefused::TooMany);
        }
        let before = std::mem::replace(&mut self.weights, changed);
        let slots = self.lay_out();
        if slots.is_empty() {
            self.weights = before;
            return Err(CalendarRefused::NoWeight);
        }
        self.epochs.change(from, slots);
        Ok(())
    }

    /// Whom the calendar names for `event`, there or not: what a source that has the same table computes.
    #[must_use]
    pub fn slot_of(&self, event: EventNumber) -> Option<Destination> {
        self.epochs.belongs(event)
    }

    /// Slots for those who are there, each as evenly spread as the others let it be: every slot goes to
    /// whoever is furthest behind its share.
    fn lay_out(&self) -> Box<[Destination]> {
        let is_present = |(destination, weight): &(&Destination, &u32)| {
            **weight > 0 && self.epochs.present().contains(destination)
        };
        let mut shares: Vec<(Destination, i64, i64)> = self
            .weights
            .iter()
            .filter(is_present)
            .map(|(destination, weight)| (*destination, i64::from(*weight), 0))
            .collect();
        let total: i64 = shares.iter().map(|(_, weight, _)| weight).sum();
        let mut slots = Vec::with_capacity(CALENDAR_SLOTS);
        while slots.len() < CALENDAR_SLOTS {
            shares.iter_mut().for_each(|(_, weight, behind)| *behind += *weight);
            // The first of equals, so that the same weights give the same table.
            let Some(most) = shares.iter_mut().rev().max_by_key(|(_, _, behind)| *behind) else { break };
            most.2 -= total;
            slots.push(most.0);
        }
        slots.into()
    }

    fn change_of_members(&mut self) {
        let slots = self.lay_out();
        self.epochs.change(self.epochs.earliest_change(), slots);
    }
}

impl Assign for Calendar {
    fn handle_joined(&mut self, _now: Time, destination: Destination, _incarnation: Incarnation) {
        let has_room = self.weights.len() < CALENDAR_SLOTS || self.weights.contains_key(&destination);
        if !has_room {
            self.epochs.counts.members_refused += 1;
        } else if self.epochs.handle_joined(destination) {
            self.weights.entry(destination).or_insert(1);
            self.change_of_members();
        }
    }

    fn handle_left(&mut self, _now: Time, destination: Destination) {
        if self.epochs.handle_left(destination) {
            self.change_of_members();
        }
    }

    fn poll_assign(&mut self, _now: Time, event: EventNumber) -> Option<Destination> {
        self.epochs.poll_assign(event)
    }

    fn counts(&self) -> &PolicyCounts {
        &self.epochs.counts
    }
}

impl fmt::Display for CalendarRefused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooEarly(earliest) => {
                write!(out, "change the calendar: event {earliest} is the first that can")
            }
            Self::NoWeight => out.write_str("change the calendar: no member that is there has a weight"),
            Self::TooMany => write!(out, "change the calendar: more members than its {CALENDAR_SLOTS} slots"),
        }
    }
}

impl std::error::Error for CalendarRefused {}

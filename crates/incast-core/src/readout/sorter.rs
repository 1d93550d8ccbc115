//! The sorter: brings decisions back into the order of events, and names the holes.
//!
//! It is told which events were triggered, so a decision that is lost leaves a hole of known place and
//! known age, at the end of a run as well. A hole is waited for until its event's time is over, or until
//! the window is full. Near that bound it asks the trigger to stop.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::gauge::Gauge;
use super::ids::EventNumber;
use crate::time::{Span, Time};

/// Bounds of a sorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SorterPlan {
    /// Number of the first event.
    pub first: EventNumber,
    /// How long after its trigger a decision is waited for.
    pub timeout: Span,
    /// From the oldest event without a decision to the newest that was triggered. Beyond it, the oldest
    /// becomes a hole.
    pub window_events: u32,
}

/// What comes out, in the order of events: every event that was triggered, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sorted<D> {
    /// The decision of an event.
    Decision(EventNumber, D),
    /// No decision came for these.
    Hole {
        /// The first of them.
        first: EventNumber,
        /// How many.
        events: u64,
    },
}

/// The account of a sorter. At any moment `triggered = decided + holes + waiting`, where what is decided
/// or a hole has been given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SorterCounts {
    /// Events it was told of.
    pub triggered: u64,
    /// Decisions given out.
    pub decided: u64,
    /// Events given out without a decision.
    pub holes: u64,
    /// Of these, before their time: for want of room, or at the end of the run.
    pub holes_early: u64,
    /// Decisions that came a second time: the first holds.
    pub duplicate: u64,
    /// Decisions for events that had been given out.
    pub late: u64,
    /// Decisions for events that were never triggered.
    pub unknown: u64,
}

/// Sorts decisions; `D` is carried and never looked at. The owner drains `poll_sorted` after each batch of
/// calls: until then, what a batch triggers is held beyond the bound.
#[derive(Clone, Debug)]
pub struct Sorter<D> {
    plan: SorterPlan,
    now: Time,
    /// Number of the front of `window`.
    base: EventNumber,
    window: VecDeque<Slot<D>>,
    /// How many at the front are to go whether decided or not.
    forced: u64,
    fill: Gauge,
    counts: SorterCounts,
}

#[derive(Clone, Debug)]
struct Slot<D> {
    until: Time,
    decision: Option<D>,
}

impl<D> Sorter<D> {
    /// Nothing was triggered yet.
    #[must_use]
    pub fn new(plan: SorterPlan) -> Self {
        let fill = Gauge::new(plan.window_events.max(1).into());
        let (now, window, counts) = (Time::ZERO, VecDeque::new(), SorterCounts::default());
        Self { plan, now, base: plan.first, window, forced: 0, fill, counts }
    }

    /// The next `events` events were triggered.
    pub fn handle_triggered(&mut self, now: Time, events: u16) {
        self.now = self.now.max(now);
        for _ in 0..events {
            self.window.push_back(Slot { until: self.now + self.plan.timeout, decision: None });
            self.fill.add(1);
            self.counts.triggered += 1;
        }
        self.forced = self.forced.max(self.fill.filled().saturating_sub(self.fill.max()));
        self.check_laws();
    }

    /// The decision of an event.
    pub fn handle_decision(&mut self, now: Time, event: EventNumber, decision: D) {
        self.now = self.now.max(now);
        let index =
            event.0.checked_sub(self.base.0).map(|index| usize::try_from(index).unwrap_or(usize::MAX));
        match index.map(|index| self.window.get_mut(index)) {
            None => self.counts.late += 1,
            Some(None) => self.counts.unknown += 1,
            Some(Some(slot)) if slot.decision.is_some() => self.counts.duplicate += 1,
            Some(Some(slot)) => slot.decision = Some(decision),
        }
    }

    /// The next decision or hole that nothing has to be waited for.
    pub fn poll_sorted(&mut self, now: Time) -> Option<Sorted<D>> {
        self.now = self.now.max(now);
        let mut hole = 0;
        while let Some(slot) = self.window.front()
            && slot.decision.is_none()
            && (slot.until <= self.now || self.forced > 0)
        {
            self.counts.holes_early += u64::from(slot.until > self.now);
            self.pop();
            hole += 1;
        }
        if hole > 0 {
            self.counts.holes += hole;
            self.check_laws();
            return Some(Sorted::Hole { first: EventNumber(self.base.0 - hole), events: hole });
        }
        let event = self.base;
        let decision = self.window.front_mut()?.decision.take()?;
        self.pop();
        self.counts.decided += 1;
        self.check_laws();
        Some(Sorted::Decision(event, decision))
    }

    /// When `poll_sorted` has a hole to tell of.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.window.front().map(|slot| if slot.decision.is_some() { self.now } else { slot.until })
    }

    /// The run is over: nothing is waited for any longer.
    pub fn handle_end(&mut self) {
        self.forced = self.fill.filled();
    }

    /// Whether the bound is near, so that the trigger should stop.
    #[must_use]
    pub const fn is_throttling(&self) -> bool {
        self.fill.is_near()
    }

    /// Events in the window.
    #[must_use]
    pub const fn fill(&self) -> &Gauge {
        &self.fill
    }

    /// The first event that was not given out: decisions for those before it come too late.
    #[must_use]
    pub const fn oldest(&self) -> EventNumber {
        self.base
    }

    /// The account.
    #[must_use]
    pub const fn counts(&self) -> &SorterCounts {
        &self.counts
    }

    fn pop(&mut self) {
        self.window.pop_front();
        self.base = self.base.after(1);
        self.forced = self.forced.saturating_sub(1);
        self.fill.sub(1);
    }

    fn check_laws(&self) {
        let counts = &self.counts;
        // A length is far below 2^64.
        let waiting = self.window.len() as u64;
        assert_eq!(
            counts.triggered,
            counts.decided + counts.holes + waiting,
            "triggered = decided + holes + waiting: {counts:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_ms(ms)
    }

    fn sorter(window_events: u32) -> Sorter<char> {
        Sorter::new(SorterPlan { first: EventNumber(10), timeout: Span::from_ms(5), window_events })
    }

    fn all(sorter: &mut Sorter<char>, now: Time) -> Vec<Sorted<char>> {
        std::iter::from_fn(|| sorter.poll_sorted(now)).collect()
    }

    const fn decision(event: u64, decision: char) -> Sorted<char> {
        Sorted::Decision(EventNumber(event), decision)
    }

    const fn hole(first: u64, events: u64) -> Sorted<char> {
        Sorted::Hole { first: EventNumber(first), events }
    }

    #[test]
    fn decisions_come_out_in_the_order_of_events() {
        let mut sorter = sorter(100);
        sorter.handle_triggered(at(0), 3);
        for (event, name) in [(12, 'c'), (11, 'b')] {
            sorter.handle_decision(at(1), EventNumber(event), name);
            assert_eq!(all(&mut sorter, at(1)), []);
        }
        sorter.handle_decision(at(1), EventNumber(10), 'a');
        assert_eq!(all(&mut sorter, at(1)), [decision(10, 'a'), decision(11, 'b'), decision(12, 'c')]);
        assert_eq!(sorter.next_timeout(), None);
    }

    #[test]
    fn a_hole_is_named_when_its_time_is_over_at_the_tail_as_well() {
        let mut sorter = sorter(100);
        sorter.handle_triggered(at(0), 3);
        sorter.handle_triggered(at(2), 1);
        sorter.handle_decision(at(1), EventNumber(12), 'c');
        assert_eq!((all(&mut sorter, at(4)), sorter.next_timeout()), (vec![], Some(at(5))));
        assert_eq!(all(&mut sorter, at(5)), [hole(10, 2), decision(12, 'c')]);
        assert_eq!(all(&mut sorter, at(7)), [hole(13, 1)]);
        sorter.handle_decision(at(8), EventNumber(11), 'b');
        assert_eq!((sorter.counts().late, sorter.counts().holes), (1, 3));
    }

    #[test]
    fn the_window_is_bounded_and_what_is_pushed_out_is_a_hole() {
        let mut sorter = sorter(4);
        sorter.handle_triggered(at(0), 3);
        assert!(sorter.is_throttling());
        sorter.handle_decision(at(0), EventNumber(11), 'b');
        sorter.handle_triggered(at(0), 3);
        assert_eq!(all(&mut sorter, at(0)), [hole(10, 1), decision(11, 'b')]);
        assert_eq!((sorter.fill().filled(), sorter.counts().holes_early), (4, 1));
    }

    #[test]
    fn a_second_decision_and_an_invented_one_change_nothing() {
        let mut sorter = sorter(4);
        sorter.handle_triggered(at(0), 1);
        for (event, name) in [(10, 'a'), (10, 'x'), (11, 'y'), (u64::MAX, 'z'), (9, 'w')] {
            sorter.handle_decision(at(0), EventNumber(event), name);
        }
        assert_eq!(all(&mut sorter, at(0)), [decision(10, 'a')]);
        let counts = sorter.counts();
        assert_eq!((counts.duplicate, counts.unknown, counts.late), (1, 2, 1));
    }

    #[test]
    fn the_end_waits_for_nothing() {
        let mut sorter = sorter(9);
        sorter.handle_triggered(at(0), 4);
        sorter.handle_decision(at(0), EventNumber(12), 'c');
        sorter.handle_end();
        assert_eq!(all(&mut sorter, at(0)), [hole(10, 2), decision(12, 'c'), hole(13, 1)]);
    }
}

//! The account of events, law 2: triggered = stored + rejected + incomplete + lost + in flight.
//!
//! Every event ends in exactly one place, and an event that ends twice is counted and changes nothing.
//! Numbers rise by one, so a window from the oldest event in flight to the newest tells all of them
//! apart: below it everything is over, above it nothing was triggered.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{EventNumber, SourceId};
use super::sources::SourceSet;

/// Where an event can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Complete, accepted, and written.
    Stored,
    /// Complete, and a node decided against it.
    Rejected,
    /// Shipped without the fragments of these sources, whatever became of the rest.
    Incomplete(&'a SourceSet),
    /// Gone.
    Lost(Loss),
}

/// Why an event is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Its builder died with it.
    BuilderDied,
    /// Its sink died with it before it was written.
    SinkDied,
    /// No fragment of it ever came, and its builder did not know of it.
    Unheard,
    /// A bound was reached, and what reached it said so.
    NoRoom,
    /// Its first level accepted it when the events after it could wait no longer for that.
    DecidedLate,
    /// It was in flight for longer than the account remembers.
    Forgotten,
    /// The run ended before it.
    Ended,
}

/// Sums, as one role or a whole run tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTotals {
    /// Events with a number.
    pub triggered: u64,
    /// Complete, accepted and written.
    pub stored: u64,
    /// Complete, and decided against.
    pub rejected: u64,
    /// Shipped without all fragments.
    pub incomplete: u64,
    /// Gone, by cause.
    pub lost: BTreeMap<Loss, u64>,
    /// Neither of these yet.
    pub in_flight: u64,
    /// Incomplete events by missing source; an event counts for every source that it misses.
    pub missing: BTreeMap<SourceId, u64>,
    /// An end of an event that had ended before: ignored.
    pub ended_twice: u64,
    /// An end of an event that was never triggered: ignored.
    pub never_triggered: u64,
    /// Events that had been given up for lost, and were found on disk after all.
    pub revised: u64,
}

impl EventTotals {
    /// What the law leaves over: zero when the account is closed, positive when events are unaccounted
    /// for, negative when there are more ends than events.
    #[must_use]
    pub fn residual(&self) -> i128 {
        let ends = [self.stored, self.rejected, self.incomplete, self.lost_events(), self.in_flight];
        i128::from(self.triggered) - ends.map(i128::from).iter().sum::<i128>()
    }

    /// Events lost for any cause.
    #[must_use]
    pub fn lost_events(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Adds the totals of another part of the run.
    pub fn add(&mut self, other: &Self) {
        let Self { triggered, stored, rejected, incomplete, lost, in_flight, missing, .. } = other;
        self.triggered += triggered;
        self.stored += stored;
        self.rejected += rejected;
        self.incomplete += incomplete;
        self.in_flight += in_flight;
        self.ended_twice += other.ended_twice;
        self.never_triggered += other.never_triggered;
        self.revised += other.revised;
        for (cause, events) in lost {
            *self.lost.entry(*cause).or_default() += events;
        }
        for (source, events) in missing {
            *self.missing.entry(*source).or_default() += events;
        }
    }
}

/// The law with its numbers, and the residual even when it is zero.
impl fmt::Display for EventTotals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "triggered {} = stored {} + rejected {} + incomplete {} + lost {} + in flight {}, residual {}",
            self.triggered,
            self.stored,
            self.rejected,
            self.incomplete,
            self.lost_events(),
            self.in_flight,
            self.residual()
        )
    }
}

/// Follows every event of a run from its trigger to its end.
#[derive(Clone, Debug)]
pub struct EventAccount {
    /// Number of the front of `is_over`.
    base: EventNumber,
    /// Whether the events from `base` on have ended; the front one has not.
    is_over: VecDeque<bool>,
    window_events: usize,
    /// The last events that were given up for lost, with the cause: they may be found on disk.
    lost: BTreeMap<EventNumber, Loss>,
    totals: EventTotals,
}

impl EventAccount {
    /// From the oldest event in flight to the newest: at 1 MHz a second, and a megabyte. What is in
    /// flight for longer is [`Loss::Forgotten`].
    pub const WINDOW_EVENTS: usize = 1 << 20;

    /// Lost events that are remembered, so that one that is found on disk is counted where it is. More than
    /// a builder and its farm have at once; 2 MiB.
    pub const LOST_EVENTS: usize = 65_536;

    /// An account of events from `first` on.
    #[must_use]
    pub fn new(first: EventNumber) -> Self {
        Self::with_window(first, Self::WINDOW_EVENTS)
    }

    /// The same with another window, at least one event.
    #[must_use]
    pub fn with_window(first: EventNumber, window_events: usize) -> Self {
        let totals = EventTotals::default();
        let (is_over, lost) = (VecDeque::new(), BTreeMap::new());
        Self { base: first, is_over, window_events: window_events.max(1), lost, totals }
    }

    /// Takes in that the next `events` events were triggered; returns the number of the first.
    pub fn handle_triggered(&mut self, events: u64) -> EventNumber {
        let first = self.next();
        for _ in 0..events {
            if self.is_over.len() == self.window_events {
                self.close(0, Place::Lost(Loss::Forgotten));
            }
            self.is_over.push_back(false);
            self.totals.triggered += 1;
            self.totals.in_flight += 1;
        }
        self.check_laws();
        first
    }

    /// Takes in where an event ended; says whether that was news.
    pub fn handle_end(&mut self, event: EventNumber, place: Place<'_>) -> bool {
        let index =
            event.0.checked_sub(self.base.0).map(|index| usize::try_from(index).unwrap_or(usize::MAX));
        let is_news = match index.map(|index| (index, self.is_over.get(index))) {
            None | Some((_, Some(true))) => {
                self.totals.ended_twice += 1;
                false
            }
            Some((_, None)) => {
                self.totals.never_triggered += 1;
                false
            }
            Some((index, Some(false))) => {
                self.close(index, place);
                true
            }
        };
        self.check_laws();
        is_news
    }

    /// The same for the events of a packet; says how many were news.
    pub fn handle_ends(&mut self, first: EventNumber, events: u16, place: Place<'_>) -> u16 {
        (0..events).map(|index| u16::from(self.handle_end(first.after(index.into()), place))).sum()
    }

    /// The same, from a role that has the event on disk: what was given up for lost is not. An event that
    /// ended in any other place stays there.
    pub fn handle_found(&mut self, event: EventNumber, place: Place<'_>) -> bool {
        let is_found = !matches!(place, Place::Lost(_));
        if is_found && let Some(cause) = self.lost.remove(&event) {
            if let Some(lost) = self.totals.lost.get_mut(&cause) {
                *lost -= 1;
            }
            self.totals.revised += 1;
            self.add_to(event, place);
            self.check_laws();
            return true;
        }
        self.handle_end(event, place)
    }

    /// Whether an event was triggered and has not ended.
    #[must_use]
    pub fn is_in_flight(&self, event: EventNumber) -> bool {
        let index = event.0.checked_sub(self.base.0).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.is_over.get(index)) == Some(&false)
    }

    /// The oldest event in flight, or the next one when there is none.
    #[must_use]
    pub const fn oldest(&self) -> EventNumber {
        self.base
    }

    /// The events that have not ended, oldest first.
    pub fn in_flight(&self) -> impl Iterator<Item = EventNumber> + '_ {
        let events = (self.base.0..).map(EventNumber).zip(&self.is_over);
        events.filter_map(|(event, is_over)| (!is_over).then_some(event))
    }

    /// The number that the next event will have.
    #[must_use]
    pub fn next(&self) -> EventNumber {
        // A length is far below 2^64.
        self.base.after(self.is_over.len() as u64)
    }

    /// Events from the oldest in flight to the newest: at [`Self::WINDOW_EVENTS`], the oldest is forgotten.
    #[must_use]
    pub fn window_fill(&self) -> u64 {
        // A length is far below 2^64.
        self.is_over.len() as u64
    }

    /// The sums so far.
    #[must_use]
    pub const fn totals(&self) -> &EventTotals {
        &self.totals
    }

    /// Asserts law 2: every event is in exactly one place.
    ///
    /// # Panics
    ///
    /// When it is broken: our mistake.
    pub fn check_laws(&self) {
        assert_eq!(self.totals.residual(), 0, "{}", self.totals);
        assert!(self.is_over.front() != Some(&true), "the window begins with an event in flight");
    }

    /// The same, counting the events in flight one by one.
    ///
    /// # Panics
    ///
    /// When it is broken: our mistake.
    pub fn check_laws_one_by_one(&self) {
        self.check_laws();
        assert_eq!(self.in_flight().count() as u64, self.totals.in_flight, "{}", self.totals);
    }

    fn close(&mut self, index: usize, place: Place<'_>) {
        // An index is far below 2^64.
        let event = self.base.after(index as u64);
        self.is_over[index] = true;
        while self.is_over.pop_front_if(|is_over| *is_over).is_some() {
            self.base = self.base.after(1);
        }
        self.totals.in_flight -= 1;
        self.add_to(event, place);
    }

    fn add_to(&mut self, event: EventNumber, place: Place<'_>) {
        let totals = &mut self.totals;
        match place {
            Place::Stored => totals.stored += 1,
            Place::Rejected => totals.rejected += 1,
            Place::Lost(cause) => {
                *totals.lost.entry(cause).or_default() += 1;
                self.lost.insert(event, cause);
                if self.lost.len() > Self::LOST_EVENTS {
                    self.lost.pop_first();
                }
            }
            Place::Incomplete(missing) => {
                totals.incomplete += 1;
                for source in missing.iter() {
                    *totals.missing.entry(source).or_default() += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_ends_once() {
        let mut account = EventAccount::new(EventNumber(100));
        assert_eq!(account.handle_triggered(5), EventNumber(100));
        assert_eq!(account.handle_triggered(1), EventNumber(105));
        let missing: SourceSet = [SourceId(3), SourceId(9)].into_iter().collect();
        let ends = [
            (102, Place::Stored, true),
            (100, Place::Rejected, true),
            (102, Place::Rejected, false),
            (100, Place::Stored, false),
            (99, Place::Stored, false),
            (106, Place::Stored, false),
            (u64::MAX, Place::Stored, false),
            (101, Place::Incomplete(&missing), true),
            (105, Place::Lost(Loss::BuilderDied), true),
            (101, Place::Lost(Loss::Ended), false),
        ];
        for (event, place, is_news) in ends {
            assert_eq!(account.handle_end(EventNumber(event), place), is_news, "{event} {place:?}");
            account.check_laws_one_by_one();
        }
        assert_eq!(account.in_flight().collect::<Vec<_>>(), [103, 104].map(EventNumber));
        assert_eq!(account.handle_ends(EventNumber(103), 2, Place::Stored), 2);
        let totals = account.totals();
        assert_eq!((totals.ended_twice, totals.never_triggered), (4, 2));
        assert_eq!(totals.missing, BTreeMap::from([(SourceId(3), 1), (SourceId(9), 1)]));
        assert_eq!(
            totals.to_string(),
            "triggered 6 = stored 3 + rejected 1 + incomplete 1 + lost 1 + in flight 0, residual 0"
        );
    }

    #[test]
    fn what_is_in_flight_for_too_long_is_lost_by_name() {
        let mut account = EventAccount::with_window(EventNumber(0), 3);
        account.handle_triggered(2);
        account.handle_end(EventNumber(1), Place::Stored);
        account.handle_triggered(2);
        account.check_laws_one_by_one();
        assert_eq!(account.totals().lost, BTreeMap::from([(Loss::Forgotten, 1)]));
        assert_eq!(account.in_flight().collect::<Vec<_>>(), [2, 3].map(EventNumber));
        assert!(!account.handle_end(EventNumber(0), Place::Stored), "its end comes too late");
    }

    #[test]
    fn what_was_lost_and_is_found_on_disk_is_stored_once() {
        let mut account = EventAccount::new(EventNumber(0));
        account.handle_triggered(3);
        account.handle_end(EventNumber(0), Place::Rejected);
        account.handle_end(EventNumber(1), Place::Lost(Loss::BuilderDied));
        for (event, is_news) in [(0, false), (1, true), (1, false), (2, true)] {
            assert_eq!(account.handle_found(EventNumber(event), Place::Stored), is_news, "event {event}");
            account.check_laws_one_by_one();
        }
        let totals = account.totals();
        assert_eq!((totals.stored, totals.rejected, totals.lost_events(), totals.revised), (2, 1, 0, 1));
        assert_eq!(totals.ended_twice, 2);
    }

    #[test]
    fn the_residual_of_parts_that_disagree_is_said() {
        let trigger = EventTotals { triggered: 10, ..EventTotals::default() };
        let mut sum = EventTotals { stored: 7, lost: BTreeMap::from([(Loss::NoRoom, 1)]), ..trigger.clone() };
        assert_eq!(sum.residual(), 2);
        sum.add(&EventTotals { stored: 4, ..EventTotals::default() });
        assert_eq!(sum.residual(), -2);
    }
}

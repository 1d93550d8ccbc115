//! Dead time: how long the trigger was stopped, how often, and how many triggers it refused meanwhile.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};

/// Dead time as it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadTimeTotals {
    /// All time stopped, in nanoseconds.
    pub stopped_ns: u64,
    /// The longest spell, in nanoseconds.
    pub longest_ns: u64,
    /// How often it was stopped.
    pub spells: u64,
    /// Triggers that came meanwhile.
    pub refused: u64,
}

/// The account of one reason to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadTime {
    since: Option<Time>,
    over: Span,
    longest: Span,
    spells: u64,
    refused: u64,
}

impl DeadTime {
    /// Takes in whether the trigger is stopped from `now` on; saying the same again changes nothing.
    pub fn handle_stopped(&mut self, now: Time, is_stopped: bool) {
        match (self.since, is_stopped) {
            (None, true) => {
                self.since = Some(now);
                self.spells += 1;
            }
            (Some(since), false) => {
                self.since = None;
                self.over = self.over + now.since(since);
                self.longest = self.longest.max(now.since(since));
            }
            _ => {}
        }
    }

    /// Counts triggers that came meanwhile.
    pub fn record_refused(&mut self, triggers: u64) {
        self.refused += triggers;
    }

    /// Whether the trigger is stopped.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.since.is_some()
    }

    /// All time stopped, up to `now`.
    #[must_use]
    pub fn stopped(&self, now: Time) -> Span {
        self.over + self.spell(now)
    }

    /// The longest spell, the one under way included.
    #[must_use]
    pub fn longest(&self, now: Time) -> Span {
        self.longest.max(self.spell(now))
    }

    /// How often it was stopped.
    #[must_use]
    pub const fn spells(&self) -> u64 {
        self.spells
    }

    /// Triggers that came while it was stopped: they have no number.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The sums up to `now`.
    #[must_use]
    pub fn totals(&self, now: Time) -> DeadTimeTotals {
        DeadTimeTotals {
            stopped_ns: self.stopped(now).as_ns(),
            longest_ns: self.longest(now).as_ns(),
            spells: self.spells,
            refused: self.refused,
        }
    }

    fn spell(&self, now: Time) -> Span {
        self.since.map_or(Span::ZERO, |since| now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_add_up_and_the_one_under_way_counts() {
        let at = |ms| Time::ZERO + Span::from_ms(ms);
        let mut dead = DeadTime::default();
        for (ms, is_stopped) in [(0, false), (10, true), (12, true), (40, false), (41, false), (100, true)] {
            dead.handle_stopped(at(ms), is_stopped);
        }
        dead.record_refused(3);
        assert_eq!((dead.stopped(at(100)), dead.longest(at(100))), (Span::from_ms(30), Span::from_ms(30)));
        assert_eq!((dead.stopped(at(150)), dead.longest(at(150))), (Span::from_ms(80), Span::from_ms(50)));
        assert_eq!((dead.spells(), dead.refused(), dead.is_stopped()), (2, 3, true));
    }
}

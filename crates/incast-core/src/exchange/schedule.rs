//! When requests are meant to leave: a schedule that never forgives.
//!
//! A flood's pacer gives up what lies too far back, since a burst would be another load. A request that was meant
//! to leave while its turn was held up by a slow answer is what coordinated omission hides: here it
//! stays due at its moment, however late it leaves. So the schedule needs no queue: what is due next
//! is all that it knows.

use crate::load::{Interval, Load, Spacing};
use crate::random::Random;
use crate::time::{Span, Time};

/// An open-loop schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    start: Time,
    interval: Interval,
    spacing: Spacing,
    /// Requests that have left.
    left: u64,
    next: Time,
    random: Random,
}

impl Schedule {
    /// A schedule of `load` for requests of `request_bytes`; none when the load is unlimited: that is a closed loop.
    #[must_use]
    pub fn new(
        load: Load,
        spacing: Spacing,
        request_bytes: u32,
        start: Time,
        random: Random,
    ) -> Option<Self> {
        let interval = load.interval(request_bytes)?;
        let mut schedule = Self { start, interval, spacing, left: 0, next: start, random };
        if spacing == Spacing::Poisson {
            schedule.next = start + schedule.random_gap();
        }
        Some(schedule)
    }

    /// When the next request is meant to leave.
    #[must_use]
    pub fn next(&self) -> Time {
        self.next
    }

    /// Takes the next request: it leaves, whenever that is.
    pub fn advance(&mut self) {
        self.left += 1;
        self.next = match self.spacing {
            Spacing::Poisson => self.next + self.random_gap(),
            Spacing::Fixed => self.start + self.after(self.left),
            Spacing::Burst(count) => {
                let count = u64::from(count.max(1));
                self.start + self.after(self.left / count * count)
            }
        };
    }

    /// Requests that were meant to leave before `end` and have not.
    pub fn count_overdue(&mut self, end: Time) -> u64 {
        let before = self.left;
        while self.next < end && self.left - before < OVERDUE_MAX {
            self.advance();
        }
        self.left - before
    }

    /// Exact multiples of the interval, so that rates do not drift.
    fn after(&self, requests: u64) -> Span {
        let picoseconds = u128::from(requests).saturating_mul(self.interval.picoseconds);
        Span(u64::try_from(picoseconds.div_ceil(self.interval.messages)).unwrap_or(u64::MAX))
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a random gap; positive; `as` saturates"
    )]
    fn random_gap(&mut self) -> Span {
        let mean_ps = self.interval.picoseconds as f64 / self.interval.messages as f64;
        Span((mean_ps * self.random.exponential()) as u64)
    }
}

/// Most overdue requests that are counted one by one: a second of work at the end of a run.
const OVERDUE_MAX: u64 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(load: &str, spacing: &str) -> Schedule {
        let random = Random::named(1, "schedule");
        Schedule::new(load.parse().unwrap(), spacing.parse().unwrap(), 1_000, Time::ZERO, random).unwrap()
    }

    fn moments(mut schedule: Schedule, count: usize) -> Vec<u64> {
        let next = || {
            let at = schedule.next().as_ns();
            schedule.advance();
            at
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn moments_are_exact_and_nothing_is_given_up() {
        assert_eq!(moments(schedule("10us", "fixed"), 4), [0, 10_000, 20_000, 30_000]);
        assert_eq!(moments(schedule("10us", "burst:2"), 5), [0, 0, 20_000, 20_000, 40_000]);
        assert_eq!(moments(schedule("3Hz", "fixed"), 4)[3], 1_000_000_000);
        let poisson = moments(schedule("10us", "poisson"), 10_001);
        // Standard deviation 1 %: five of them.
        assert!((poisson[10_000] - poisson[0]).abs_diff(100_000_000) < 5_000_000, "{}", poisson[10_000]);
    }

    #[test]
    fn what_was_meant_to_leave_before_the_end_is_counted() {
        let mut late = schedule("10us", "fixed");
        late.advance();
        assert_eq!(late.count_overdue(Time::from_ns(100_000)), 9);
    }

    #[test]
    fn an_unlimited_load_has_no_schedule() {
        let random = Random::named(1, "schedule");
        assert!(Schedule::new(Load::Unlimited, Spacing::Fixed, 64, Time::ZERO, random).is_none());
    }
}

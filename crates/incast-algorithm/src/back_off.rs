//! When a failed algorithm may be started again: at once after a single failure, later and later when
//! nothing good comes between.
//!
//! So a crash costs one event, and a program that dies at once does not burn the machine.

use std::time::{Duration, Instant};

/// Failures without a good answer in between, and what follows from them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
    not_before: Option<Instant>,
}

/// Wait after the second failure in a row; it doubles with each one more.
const FIRST: Duration = Duration::from_millis(10);
/// No wait is longer: a program that was mended is noticed within a second.
const LONGEST: Duration = Duration::from_secs(1);

impl BackOff {
    /// Takes note of a good answer.
    pub(crate) const fn record_success(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    /// Takes note of a failure.
    pub(crate) fn record_failure(&mut self, now: Instant) {
        let wait = match self.failures {
            0 => Duration::ZERO,
            // 2^7 times the first is beyond the longest.
            before => (FIRST * (1 << (before - 1).min(7))).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + wait);
    }

    /// How long it has to wait yet; zero when it may be started.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_waits_for_nothing_and_many_wait_a_second_at_most() {
        let (mut back_off, now) = (BackOff::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..10 {
            back_off.record_failure(now);
            waits.push(back_off.left(now).as_millis());
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
        assert_eq!(back_off.left(now + LONGEST), Duration::ZERO);
        back_off.record_success();
        assert_eq!(back_off.left(now), Duration::ZERO);
        back_off.record_failure(now);
        assert_eq!(back_off.left(now), Duration::ZERO);
    }
}

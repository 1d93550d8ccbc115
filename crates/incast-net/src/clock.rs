//! The clock of this host, as the core's time: picoseconds since a start of one's own.
//!
//! `CLOCK_MONOTONIC` and nothing else: it is the clock that absolute sleeps are told in, it never
//! steps, and the vDSO reads it in some 25 ns. The wall clock is read once a run, for the record.

use incast_core::time::Time;
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

/// `CLOCK_MONOTONIC`, counted from the moment the clock was started.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start_ns: u64,
}

impl Clock {
    /// A clock that begins now. Copies of it share its start.
    #[must_use]
    pub fn start() -> Self {
        Self { start_ns: monotonic_ns() }
    }

    /// Time since the start.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_ns(monotonic_ns().saturating_sub(self.start_ns))
    }

    /// The moment `at` as the kernel counts it, for absolute sleeps.
    pub(crate) fn monotonic(&self, at: Time) -> Timespec {
        let ns = self.start_ns.saturating_add(at.as_ns());
        let seconds = i64::try_from(ns / NS_PER_S).unwrap_or(i64::MAX);
        // A remainder below 10^9 fits every type.
        Timespec { tv_sec: seconds, tv_nsec: (ns % NS_PER_S).try_into().unwrap_or(0) }
    }
}

/// The wall clock, nanoseconds since 1970; 0 if it is set before that.
#[must_use]
pub fn unix_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Realtime))
}

/// Resolution of [`Clock`] in nanoseconds, as the kernel tells it.
#[must_use]
pub fn resolution_ns() -> u64 {
    nanoseconds(clock_getres(ClockId::Monotonic))
}

#[inline]
fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

#[inline]
fn nanoseconds(at: Timespec) -> u64 {
    let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
    let below = u64::try_from(at.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(NS_PER_S).saturating_add(below)
}

const NS_PER_S: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_from_the_start_and_copies_share_it() {
        let clock = Clock::start();
        let copy = clock;
        let (first, second, third) = (clock.now(), copy.now(), clock.now());
        assert!(first <= second && second <= third);
        assert!(first < Time::from_ns(NS_PER_S), "{first:?}");
        assert!(resolution_ns() > 0 && unix_ns() > 1_700_000_000 * NS_PER_S);
    }

    #[test]
    fn the_kernel_is_told_the_same_moment() {
        let clock = Clock { start_ns: 1_999_999_999 };
        let at = clock.monotonic(Time::from_ns(2));
        assert_eq!((at.tv_sec, at.tv_nsec), (2, 1));
    }
}

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

/// The moment now as every process of this host sees it: nanoseconds of `CLOCK_MONOTONIC`.
#[inline]
pub(crate) fn shared_ns() -> i64 {
    i64::try_from(monotonic_ns()).unwrap_or(i64::MAX)
}

/// What this clock is called: two processes with the same name read the same clock.
///
/// `CLOCK_MONOTONIC` belongs to a boot of a kernel, and a time namespace shifts it (time_namespaces(7)).
pub(crate) fn name() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    // A kernel without time namespaces has one time for all.
    let shift = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    Some(format!("{}/{}", boot.trim(), shift.display()))
}

/// The wall clock, in which the kernel stamps packets, against `CLOCK_MONOTONIC`, which nobody can step.
///
/// Both are slewed alike, so that one is ahead of the other by the same time until somebody sets the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    ahead_ns: i64,
    /// Between the two readings of `CLOCK_MONOTONIC` around that of the wall clock.
    width_ns: i64,
    steps: u64,
}

impl WallClock {
    /// Compares the two now.
    pub(crate) fn start() -> Self {
        let (ahead_ns, width_ns) = Self::read_well();
        Self { ahead_ns, width_ns, steps: 0 }
    }

    /// Compares again; says whether the wall clock was stepped since the last time.
    pub(crate) fn check(&mut self) -> bool {
        let (ahead_ns, width_ns) = Self::read();
        let off_ns = ahead_ns.saturating_sub(self.ahead_ns).saturating_abs();
        if off_ns > width_ns + self.width_ns + STEP_MIN_NS {
            (self.ahead_ns, self.width_ns) = Self::read_well();
            self.steps += 1;
            return true;
        }
        if width_ns < self.width_ns {
            (self.ahead_ns, self.width_ns) = (ahead_ns, width_ns);
        }
        false
    }

    /// A time of the wall clock as `CLOCK_MONOTONIC`.
    pub(crate) fn to_monotonic(self, wall_ns: i64) -> i64 {
        wall_ns.saturating_sub(self.ahead_ns)
    }

    /// How often it was stepped.
    pub(crate) fn steps(self) -> u64 {
        self.steps
    }

    /// How far the wall clock is ahead, and how long it took to find out.
    fn read() -> (i64, i64) {
        let before = shared_ns();
        let wall = i64::try_from(unix_ns()).unwrap_or(i64::MAX);
        let after = shared_ns();
        (wall - before.midpoint(after), after - before)
    }

    /// The best of a few: nothing came between.
    fn read_well() -> (i64, i64) {
        let first = Self::read();
        (1..8).map(|_| Self::read()).fold(first, |best, next| if next.1 < best.1 { next } else { best })
    }
}

/// Less than this is the rounding of three readings, and no step.
const STEP_MIN_NS: i64 = 1_000;

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
    fn the_wall_clock_is_read_as_the_monotonic_one() {
        let mut wall = WallClock::start();
        let (before, at, after) = (shared_ns(), unix_ns(), shared_ns());
        let at = wall.to_monotonic(i64::try_from(at).unwrap());
        let slack = wall.width_ns + STEP_MIN_NS;
        assert!((before - slack..=after + slack).contains(&at), "{before} {at} {after}");
        // As if it had been a second behind until now.
        wall.ahead_ns -= 1_000_000_000;
        assert!(wall.check() && !wall.check());
        assert_eq!(wall.steps(), 1);
    }

    #[test]
    fn a_clock_has_a_name_that_stays() {
        assert!(name().is_some_and(|name| name.len() > 36 && name.is_ascii()));
        assert_eq!(name(), name());
    }

    #[test]
    fn the_kernel_is_told_the_same_moment() {
        let clock = Clock { start_ns: 1_999_999_999 };
        let at = clock.monotonic(Time::from_ns(2));
        assert_eq!((at.tv_sec, at.tv_nsec), (2, 1));
    }
}

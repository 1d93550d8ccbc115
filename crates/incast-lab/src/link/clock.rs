//! The clock of a link, and its sleep.
//!
//! Moments are `CLOCK_MONOTONIC` since the link was opened. The kernel stamps arrivals by the wall
//! clock, which may step: only the age of a stamp is taken from it, read at the same time as ours.

use std::num::NonZeroU64;

use incast_core::time::{Span, Time};
use rustix::process::setpriority_process;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Time since the link was opened. Copies share their start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start_ns: u64,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Time,
    wall_ns: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start_ns: nanoseconds(clock_gettime(ClockId::Monotonic)) }
    }

    pub(super) fn now(self) -> Time {
        let ns = nanoseconds(clock_gettime(ClockId::Monotonic));
        Time::from_ns(ns.saturating_sub(self.start_ns))
    }

    pub(super) fn moment(self) -> Moment {
        Moment { wall_ns: nanoseconds(clock_gettime(ClockId::Realtime)), now: self.now() }
    }

    /// Sleeps until `at`; a signal may end it early.
    pub(super) fn sleep_until(self, at: Time) {
        let _ =
            clock_nanosleep_absolute(ClockId::Monotonic, &timespec(self.start_ns.saturating_add(at.as_ns())));
    }
}

impl Moment {
    /// When a frame came that the kernel stamped with `stamp_ns` of the wall clock.
    pub(super) fn of_stamp(&self, stamp_ns: u64) -> Time {
        self.now - Span::from_ns(self.wall_ns.saturating_sub(stamp_ns))
    }
}

/// Readies the calling thread for being punctual. A kernel that refuses costs precision, which the
/// report shows.
pub(super) fn make_punctual() {
    // To be woken when we said, not up to 50 us later so as to save power.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    let _ = setpriority_process(None, NICENESS);
}

/// A cable does not wait for its turn on a processor: this thread goes before those of the hosts.
/// Under two busy loops on two cores, 700 Mbit/s of full frames left 5 ms late instead of 200 ms (99th
/// percentile). Not a real-time class, which would keep the hosts from running at all.
const NICENESS: i32 = -10;

/// `ns` as system calls want it.
pub(super) fn timespec(ns: u64) -> Timespec {
    let seconds = i64::try_from(ns / NS_PER_S).unwrap_or(i64::MAX);
    // A remainder below 10^9 fits every type.
    Timespec { tv_sec: seconds, tv_nsec: (ns % NS_PER_S).try_into().unwrap_or(0) }
}

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
    fn a_stamp_is_as_old_on_our_clock_as_on_the_wall() {
        let moment = Moment { now: Time::from_ns(5_000), wall_ns: 1_000_000 };
        assert_eq!(moment.of_stamp(999_000), Time::from_ns(4_000));
        // Before the link was opened, and from a clock that was set back since.
        assert_eq!(moment.of_stamp(0), Time::ZERO);
        assert_eq!(moment.of_stamp(2_000_000), Time::from_ns(5_000));
    }

    #[test]
    fn a_sleep_does_not_end_early() {
        make_punctual();
        let clock = Clock::start();
        for us in [0, 1, 300] {
            let at = clock.now() + Span::from_us(us);
            clock.sleep_until(at);
            assert!(clock.now() >= at, "{us} us");
        }
    }
}

//! Waiting: for a moment (a sender's next departure) and for bytes (a receiver's socket).
//!
//! A sender sleeps until its moment, and is late by some 23 us at the median; what has fallen due
//! meanwhile leaves together. That costs next to nothing, and what a flow costs is one of our
//! results. One that is told to spin sleeps until [`SPIN`] before the moment and then looks at the
//! clock until it has come: late by 13 ns, at the price of a core. The spinning yields now and then,
//! so that more senders than cores still take turns.

use std::num::NonZeroU64;
use std::time::Duration;

use incast_core::time::{Span, Time};
use rustix::thread::{clock_nanosleep_absolute, sched_yield, set_current_timer_slack};
use rustix::time::ClockId;

use crate::clock::Clock;

/// How a receiver waits for the next bytes, and a sender for its moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: the owner spins. Costs a core, and saves the wake-up.
    Poll,
    /// Asleep until something comes, but not for longer than [`BLOCK_MAX`].
    #[default]
    Block,
}

/// Longest sleep of a receiver or a blocked sender in one call: its owner looks at its stop flag in between.
pub const BLOCK_MAX: Duration = Duration::from_millis(20);
/// Longest wait for a moment in one call, for the same reason.
pub const SLEEP_MAX: Span = Span::from_ms(50);
/// The last stretch before a moment is spun away: twice the median lateness of a sleep and the
/// wake-up itself, so that most sleeps end before it does.
pub const SPIN: Span = Span::from_us(60);
/// Looks at the clock between two offers of the core to others: some 25 ns each, 2 us together.
const LOOKS_PER_YIELD: u32 = 64;
/// So close to the moment nothing is yielded: a yield takes as long as the others please.
const UNYIELDING: Span = Span::from_us(2);

/// Returns when `at` has come, or after [`SLEEP_MAX`]; at once if it has passed. Returns the time that it saw last:
/// before `at` if the wait ended early.
pub fn wait_until(clock: &Clock, at: Time, wait: Wait) -> Time {
    let now = clock.now();
    let spin = if wait == Wait::Poll { SPIN } else { Span::ZERO };
    let left = at.since(now);
    if left > spin {
        let wake = if left > SLEEP_MAX { now + SLEEP_MAX } else { at - spin };
        // An error is a signal that came: the caller looks at its flags and comes back.
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &clock.monotonic(wake));
        if left > SLEEP_MAX {
            return clock.now();
        }
    }
    if wait == Wait::Poll { spin_until(clock, at) } else { clock.now() }
}

/// Asks the kernel to wake this thread when it said, not up to 50 us later so as to save power.
///
/// Once per sending thread. A kernel that refuses costs precision, which the record shows.
pub fn sharpen_timer() {
    let _ = set_current_timer_slack(NonZeroU64::new(1));
}

/// Spinning for something that no clock tells of, with the same regard for others as [`wait_until`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Spinning {
    looks: u32,
}

impl Spinning {
    /// A look was in vain.
    #[inline]
    pub fn in_vain(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(LOOKS_PER_YIELD) {
            sched_yield();
        }
        std::hint::spin_loop();
    }
}

fn spin_until(clock: &Clock, at: Time) -> Time {
    let mut looks = 0_u32;
    loop {
        let now = clock.now();
        let left = at.since(now);
        if left == Span::ZERO {
            return now;
        }
        looks += 1;
        if looks.is_multiple_of(LOOKS_PER_YIELD) && left > UNYIELDING {
            sched_yield();
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_never_met_early() {
        sharpen_timer();
        let clock = Clock::start();
        for us in [1, 10, 59, 61, 200, 1_000] {
            let at = clock.now() + Span::from_us(us);
            let seen = wait_until(&clock, at, if us % 2 == 0 { Wait::Block } else { Wait::Poll });
            assert!(seen >= at && seen <= clock.now(), "{us} us");
        }
    }

    #[test]
    fn a_moment_in_the_past_costs_nothing_and_one_far_away_is_left_early() {
        let clock = Clock::start();
        wait_until(&clock, Time::ZERO, Wait::Poll);
        let before = clock.now();
        wait_until(&clock, before + Span::from_s(3_600), Wait::Poll);
        let waited = clock.now().since(before);
        // A busy host may wake us a second late; it will not sleep for the hour.
        assert!(waited >= Span::from_ms(40) && waited < Span::from_s(10), "{waited}");
    }
}

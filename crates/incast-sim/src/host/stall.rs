//! A background load that takes the CPU now and then: what makes a host lose packets whose mean load is below
//! its capacity.
//!
//! Stalls begin at random (Poisson, not while one lasts) and have one length. What they are is not modelled:
//! code that holds off bottom halves, a long interrupt of a disk, the firmware's own mode. Where they come from
//! is in the scenario: how often, how long, what they hold off and how far.

use incast_core::random::Random;
use incast_core::scenario::{HostModel, StallHolds};
use incast_core::time::{Span, Time};

/// The stalls of one host.
#[derive(Clone, Debug)]
pub(super) struct Stalls {
    random: Random,
    every: Span,
    lasts: Span,
    speed_milli: u64,
    holds: StallHolds,
    next_change: Time,
    is_stalled: bool,
    begun: u64,
}

impl Stalls {
    /// Those of a host; `None` if it has none.
    pub(super) fn new(model: &HostModel, seed: u64, name: &str) -> Option<Self> {
        if model.stall_every == Span::ZERO || model.stall_time == Span::ZERO {
            return None;
        }
        let mut stalls = Self {
            random: Random::named(seed, &format!("stalls of {name}")),
            every: model.stall_every,
            lasts: model.stall_time,
            speed_milli: u64::from(model.stall_speed_milli.min(1_000)),
            holds: model.stall_holds,
            next_change: Time::ZERO,
            is_stalled: false,
            begun: 0,
        };
        let gap = stalls.gap();
        stalls.next_change += gap;
        Some(stalls)
    }

    /// When the next begins, or this one ends.
    pub(super) fn next_change(&self) -> Time {
        self.next_change
    }

    /// The next begins, or this one ends.
    pub(super) fn change(&mut self) {
        self.is_stalled = !self.is_stalled;
        let lasts = if self.is_stalled {
            self.begun += 1;
            self.lasts
        } else {
            self.gap()
        };
        self.next_change += lasts;
    }

    /// What a stall that lasts holds off, and how fast that goes on, thousandths.
    pub(super) fn now(&self) -> Option<(StallHolds, u64)> {
        self.is_stalled.then_some((self.holds, self.speed_milli))
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Exponential, at least a picosecond: time goes on.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "positive, and `as` saturates; a picosecond more or less of a random time is nothing"
    )]
    fn gap(&mut self) -> Span {
        Span(((self.random.exponential() * self.every.0 as f64) as u64).max(1))
    }
}

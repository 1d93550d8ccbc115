//! Time as the core knows it: picoseconds since the run started, in `u64`.
//!
//! A byte at 400 Gbit/s lasts 20 ps, and 2^64 ps are 213 days. Stamps on the wire are `u64`
//! nanoseconds and are converted at the edge. Nothing here reads a clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A moment, in picoseconds since the run started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time in picoseconds; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Self = Self(0);

    /// The moment `nanoseconds` after the start; saturates at the end of time (213 days).
    #[must_use]
    pub const fn from_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds.saturating_mul(1_000))
    }

    /// Whole nanoseconds since the start.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0 / 1_000
    }

    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole nanoseconds.
    #[must_use]
    pub const fn from_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds.saturating_mul(1_000))
    }

    /// A span of whole microseconds.
    #[must_use]
    pub const fn from_us(microseconds: u64) -> Self {
        Self(microseconds.saturating_mul(1_000_000))
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_ms(milliseconds: u64) -> Self {
        Self(milliseconds.saturating_mul(1_000_000_000))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_s(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000_000))
    }

    /// Whole nanoseconds.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0 / 1_000
    }

    /// Seconds, for printing and for rates only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for printing: 53 bits are enough")]
    pub fn as_s_f64(self) -> f64 {
        self.0 as f64 / 1e12
    }

    /// The same span as the standard library's type, to the nanosecond.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.as_ns())
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, ps) = match self.0 {
            0 => return out.write_str("0s"),
            ps if ps % 1_000_000_000_000 == 0 => ("s", ps / 1_000_000_000_000),
            ps if ps % 1_000_000_000 == 0 => ("ms", ps / 1_000_000_000),
            ps if ps % 1_000_000 == 0 => ("us", ps / 1_000_000),
            ps if ps % 1_000 == 0 => ("ns", ps / 1_000),
            ps => ("ps", ps),
        };
        write!(out, "{ps}{unit}")
    }
}

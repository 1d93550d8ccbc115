//! Delays of the tests of a window, and of all: round trip, both ways, and how they vary.
//!
//! One-way delays need both clocks. Either these agree within a known bound, or their offset is estimated
//! ([`clock_fit`](crate::clock_fit)); then delays of both ways are known to about half a round trip, and their variation exactly.
//! Negative delays are shown as they are (RFC 7679 §3.7.3).

use crate::clock_fit::{ClockEstimate, TwoWay};
use crate::stats::LogHistogram;
use crate::stats::signed::SignedHistogram;
use crate::time::Time;

/// Tests of a window whose times are kept: 4 MiB. Of more, the delays of the first.
pub(super) const SAMPLES_MAX: usize = 100_000;

/// How values spread, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub samples: u64,
    /// The smallest.
    pub least: i64,
    /// Half are at most this.
    pub p50: i64,
    /// 90 % are at most this.
    pub p90: i64,
    /// 99 % are at most this.
    pub p99: i64,
    /// The largest.
    pub most: i64,
}

impl Spread {
    /// Of values in any order; exact.
    #[must_use]
    pub fn of(mut values: Vec<i64>) -> Option<Self> {
        values.sort_unstable();
        let quantile = |percent: usize| values[(percent * values.len()).div_ceil(100).max(1) - 1];
        Some(Self {
            samples: values.len() as u64,
            least: *values.first()?,
            p50: quantile(50),
            p90: quantile(90),
            p99: quantile(99),
            most: *values.last()?,
        })
    }

    /// Of a histogram; quantiles are off by less than a sixteenth.
    #[must_use]
    pub fn of_histogram(values: &SignedHistogram) -> Option<Self> {
        Some(Self {
            samples: values.count(),
            least: values.min()?,
            p50: values.quantile(0.5)?,
            p90: values.quantile(0.9)?,
            p99: values.quantile(0.99)?,
            most: values.max()?,
        })
    }

    /// Packet delay variation of RFC 5481 §4.2: what 99 % exceed the smallest by at most.
    #[must_use]
    pub fn variation_p99(&self) -> i64 {
        self.p99.saturating_sub(self.least)
    }
}

/// What a window shows.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowFigures {
    /// Its tests left from here on, since the start of the session.
    pub start: Time,
    /// And before this.
    pub end: Time,
    /// Tests that left.
    pub sent: u64,
    /// With a reply in time.
    pub answered: u64,
    /// Without one when their time was over.
    pub lost: u64,
    /// Round trips without the reflector's own time.
    pub round_trip: Option<Spread>,
    /// To the reflector.
    pub forward: Option<Spread>,
    /// And back.
    pub backward: Option<Spread>,
    /// The clock estimate when the window was closed.
    pub clock: Option<ClockEstimate>,
}

/// A window that is not closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathering {
    pub(super) start: Time,
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) lost: u64,
    pub(super) times: Vec<TwoWay>,
}

impl Gathering {
    pub(super) fn record(&mut self, times: Option<TwoWay>) {
        self.times.extend(times.filter(|_| self.times.len() < SAMPLES_MAX));
    }

    /// Closes it; whose delays are by a clock that agrees with ours, or by the estimate.
    pub(super) fn close(
        self,
        end: Time,
        clock: Option<ClockEstimate>,
        do_agree: bool,
        totals: &mut Totals,
    ) -> WindowFigures {
        let offset = |our: i64| {
            if do_agree { Some(0) } else { clock.map(|estimate| estimate.offset_ns_at(our)) }
        };
        let ways = |times: &TwoWay| {
            let (there, back) = (offset(times.t1)?, offset(times.t4)?);
            Some((times.t2 - times.t1 - there, times.t4 - times.t3 + back))
        };
        let (mut round_trips, mut forward, mut backward) = (Vec::new(), Vec::new(), Vec::new());
        for times in &self.times {
            round_trips.extend(times.round_trip_ns().and_then(|ns| i64::try_from(ns).ok()));
            if let Some((there, back)) = ways(times) {
                forward.push(there);
                backward.push(back);
            }
            totals.held.record((times.t3 - times.t2).unsigned_abs());
        }
        round_trips.iter().for_each(|ns| totals.round_trip.record(*ns));
        forward.iter().for_each(|ns| totals.forward.record(*ns));
        backward.iter().for_each(|ns| totals.backward.record(*ns));
        WindowFigures {
            start: self.start,
            end,
            sent: self.sent,
            answered: self.answered,
            lost: self.lost,
            round_trip: Spread::of(round_trips),
            forward: Spread::of(forward),
            backward: Spread::of(backward),
            clock,
        }
    }
}

/// Delays of the whole session.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) round_trip: SignedHistogram,
    pub(super) forward: SignedHistogram,
    pub(super) backward: SignedHistogram,
    /// Time at the reflector.
    pub(super) held: LogHistogram,
    /// Differences of delays of tests next to each other (IPDV, RFC 3393), without sign.
    pub(super) forward_ipdv: LogHistogram,
    pub(super) backward_ipdv: LogHistogram,
    before: Option<(u64, TwoWay)>,
}

impl Totals {
    /// Compares a test with the one before it; the offset of the clocks falls out.
    pub(super) fn record_step(&mut self, sequence: u64, times: Option<TwoWay>) {
        let Some(now) = times else { return };
        if let Some((_, before)) = self.before.filter(|(before, _)| before + 1 == sequence) {
            self.forward_ipdv.record((now.t2 - now.t1).abs_diff(before.t2 - before.t1));
            self.backward_ipdv.record((now.t4 - now.t3).abs_diff(before.t4 - before.t3));
        }
        self.before = Some((sequence, now));
    }
}

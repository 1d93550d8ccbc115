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
        totals.round_trip.record(&round_trips);
        totals.forward.record(&forward);
        totals.backward.record(&backward);
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

/// Delays of one way, of any number of windows, counted from the smallest of the first window.
///
/// A histogram is fine near zero, and delays vary by much less than they are long: from zero on, those of a path of 70 ms
/// would be known to 4 ms.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    base: Option<i64>,
    above: SignedHistogram,
}

impl Delays {
    /// Takes those of a window.
    fn record(&mut self, window: &[i64]) {
        let Some(least) = window.iter().min() else { return };
        let base = *self.base.get_or_insert(*least);
        window.iter().for_each(|ns| self.above.record(ns.saturating_sub(base)));
    }

    /// How they spread; a quantile is off by less than a sixteenth of its distance from the base.
    pub(super) fn spread(&self) -> Option<Spread> {
        let base = self.base?;
        let at = |above: Option<i64>| above.map(|above| above.saturating_add(base));
        Some(Spread {
            samples: self.above.count(),
            least: at(self.above.min())?,
            p50: at(self.above.quantile(0.5))?,
            p90: at(self.above.quantile(0.9))?,
            p99: at(self.above.quantile(0.99))?,
            most: at(self.above.max())?,
        })
    }
}

/// Delays of the whole session.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) round_trip: Delays,
    pub(super) forward: Delays,
    pub(super) backward: Delays,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_long_path_does_not_make_the_whole_session_coarser_than_its_windows() {
        let mut random = Random::named(1, "a long path");
        let (mut totals, mut all) = (Totals::default(), Vec::new());
        for _ in 0..5 {
            let mut gathered = Gathering::default();
            for _ in 0..200 {
                // 70 ms each way, of which up to 500 us vary; the round trip takes what both do.
                let mut way = || 70_000_000 + i64::try_from(random.next_u64() % 500_000).unwrap();
                let (there, back) = (way(), way());
                let t3 = there + 1_000;
                gathered.record(Some(TwoWay { t1: 0, t2: there, t3, t4: t3 + back }));
                all.push([there + back, there, back]);
            }
            gathered.close(Time::ZERO, None, true, &mut totals);
        }
        let whole = [&totals.round_trip, &totals.forward, &totals.backward];
        for (way, found) in whole.map(|delays| delays.spread().unwrap()).into_iter().enumerate() {
            let exact = Spread::of(all.iter().map(|delays| delays[way]).collect()).unwrap();
            assert_eq!(
                (found.samples, found.least, found.most),
                (exact.samples, exact.least, exact.most),
                "of way {way}"
            );
            let pairs = [(found.p50, exact.p50), (found.p90, exact.p90), (found.p99, exact.p99)];
            let variation = (found.variation_p99(), exact.variation_p99());
            for (found, exact) in pairs.into_iter().chain([variation]) {
                assert!((found - exact).abs() <= 1_000_000 / 16, "of way {way}: {found} for {exact}");
            }
        }
    }

    #[test]
    fn delays_below_those_of_the_first_window_stay_what_they_are() {
        let mut delays = Delays::default();
        assert_eq!(delays.spread(), None);
        delays.record(&[]);
        delays.record(&[50, 60]);
        delays.record(&[-7, 51, i64::MAX]);
        let spread = delays.spread().unwrap();
        assert_eq!((spread.samples, spread.least, spread.p50, spread.most), (5, -7, 51, i64::MAX));
    }
}

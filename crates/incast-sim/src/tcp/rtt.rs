//! Round trip times, and how long to wait for an acknowledgement: RFC 6298, in picoseconds.
//!
//! The clock is exact, so its granularity G is nothing. Linux adds the least timeout to the round trip where the RFC
//! takes the larger of both: this is the RFC's, earlier by one round trip.

use incast_core::time::{Span, Time};

/// The estimator.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    rto_min: Span,
    rto_max: Span,
    smoothed: Option<Span>,
    variation: Span,
    timeout: Span,
    backoffs: u32,
    /// The least in the current and in the window before, so that it is never older than two windows.
    least: [Option<Span>; 2],
    least_since: Time,
}

impl RoundTrip {
    pub(super) fn new(rto_min: Span, rto_max: Span) -> Self {
        let first = FIRST_TIMEOUT.max(rto_min).min(rto_max);
        Self {
            rto_min,
            rto_max,
            smoothed: None,
            variation: Span::ZERO,
            timeout: first,
            backoffs: 0,
            least: [None; 2],
            least_since: Time::ZERO,
        }
    }

    /// A round trip was measured, on a segment that was sent once.
    pub(super) fn handle_sample(&mut self, now: Time, sample: Span) {
        let sample = Span(sample.0.max(1));
        if let Some(Span(smoothed)) = self.smoothed {
            let off = smoothed.abs_diff(sample.0);
            self.variation = Span(weighted(self.variation.0, off, 4));
            self.smoothed = Some(Span(weighted(smoothed, sample.0, 8)));
        } else {
            self.smoothed = Some(sample);
            self.variation = Span(sample.0 / 2);
        }
        let smoothed = self.smoothed.unwrap_or(sample);
        let timeout = smoothed + Span(self.variation.0.saturating_mul(4));
        self.timeout = timeout.max(self.rto_min).min(self.rto_max);
        self.backoffs = 0;
        if now.since(self.least_since) > LEAST_WINDOW {
            self.least = [None, self.least[0]];
            self.least_since = now;
        }
        self.least[0] = Some(self.least[0].map_or(sample, |least| least.min(sample)));
    }

    /// The timer fired: twice as long next time (RFC 6298 section 5.5).
    pub(super) fn handle_timeout(&mut self) {
        self.backoffs = self.backoffs.saturating_add(1);
    }

    /// Something new was acknowledged, and timestamps say that it is no echo of old: the backing off ends.
    pub(super) fn handle_progress(&mut self) {
        self.backoffs = 0;
    }

    /// How long to wait now, backed off and bounded.
    pub(super) fn timeout(&self) -> Span {
        let factor = 1_u64.checked_shl(self.backoffs).unwrap_or(u64::MAX);
        Span(self.timeout.0.saturating_mul(factor)).min(self.rto_max)
    }

    /// The smoothed round trip time, once there was one.
    pub(super) const fn smoothed(&self) -> Option<Span> {
        self.smoothed
    }

    /// The shortest of late (RFC 8985 section 6.2 step 1 wants a windowed one; Linux: 300 s).
    pub(super) fn least(&self) -> Option<Span> {
        match self.least {
            [Some(one), Some(other)] => Some(one.min(other)),
            [one, other] => one.or(other),
        }
    }
}

/// `old + (new - old) / parts`.
fn weighted(old: u64, new: u64, parts: u64) -> u64 {
    old - old / parts + new / parts
}

/// RFC 6298 section 2.1, before anything was measured.
const FIRST_TIMEOUT: Span = Span::from_s(1);
/// Linux `tcp_min_rtt_wlen`.
const LEAST_WINDOW: Span = Span::from_s(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_follows_rfc_6298() {
        let mut rtt = RoundTrip::new(Span::from_us(1), Span::from_s(60));
        assert_eq!(rtt.timeout(), Span::from_s(1));
        rtt.handle_sample(Time::ZERO, Span::from_ms(80));
        // SRTT = 80, RTTVAR = 40: 80 + 4 * 40.
        assert_eq!(rtt.timeout(), Span::from_ms(240));
        rtt.handle_sample(Time::ZERO, Span::from_ms(160));
        // RTTVAR = 3/4 * 40 + 1/4 * 80 = 50, SRTT = 7/8 * 80 + 1/8 * 160 = 90.
        assert_eq!((rtt.smoothed(), rtt.timeout()), (Some(Span::from_ms(90)), Span::from_ms(290)));
        rtt.handle_timeout();
        assert_eq!(rtt.timeout(), Span::from_ms(580));
        (0..100).for_each(|_| rtt.handle_timeout());
        assert_eq!(rtt.timeout(), Span::from_s(60));
        assert_eq!(rtt.least(), Some(Span::from_ms(80)));
    }
}

//! When messages are due: the intended load turned into departures.
//!
//! Fixed and burst spacing follow an exact rational schedule, so rates do not drift. A sender that
//! falls behind may catch up, but only by [`CATCH_UP`]: what lies further back is given up and
//! counted, because an unbounded catch-up turns every pause of the host into a burst on the wire.

use crate::load::{Interval, Load, Spacing};
use crate::random::Random;
use crate::time::{Span, Time};

/// How much of the schedule a late sender may make good: long enough for a scheduler's time slice
/// on a busy host, short enough that a burst stays below a millisecond at ten times the load.
pub const CATCH_UP: Span = Span::from_ms(10);

/// Messages that may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// How many; at least one.
    pub messages: u32,
    /// How late the first of them is.
    pub late: Span,
}

/// The schedule of one stream.
#[derive(Clone, Debug)]
pub struct Pacer {
    schedule: Schedule,
    skipped: u64,
}

#[derive(Clone, Debug)]
enum Schedule {
    Unlimited,
    Even(Even),
    Poisson(Poisson),
}

/// Bursts of `burst` messages at exact multiples of an interval; a burst of one is fixed spacing.
#[derive(Clone, Debug)]
struct Even {
    start: Time,
    /// Between bursts.
    interval: Interval,
    burst: u64,
    /// Messages whose turn has come and gone, sent or given up.
    departed: u64,
}

#[derive(Clone, Debug)]
struct Poisson {
    mean_ps: f64,
    next: Time,
    random: Random,
}

impl Pacer {
    /// A schedule that begins at `start`, for one of `streams` equal streams that share `load`.
    #[must_use]
    pub fn new(
        load: Load,
        spacing: Spacing,
        message_bytes: u32,
        streams: u32,
        start: Time,
        random: Random,
    ) -> Self {
        let schedule = match load.interval(message_bytes) {
            None => Schedule::Unlimited,
            Some(Interval { picoseconds, messages }) => {
                let interval = Interval { picoseconds: picoseconds * u128::from(streams), messages };
                match spacing {
                    Spacing::Fixed => Schedule::Even(Even::new(start, interval, 1)),
                    Spacing::Burst(count) => Schedule::Even(Even::new(start, interval, count)),
                    Spacing::Poisson => Schedule::Poisson(Poisson::new(start, interval, random)),
                }
            }
        };
        Self { schedule, skipped: 0 }
    }

    /// Takes up to `room` messages that are due at `now`; `None` if none is.
    pub fn poll_due(&mut self, now: Time, room: u32) -> Option<Due> {
        if room == 0 {
            return None;
        }
        match &mut self.schedule {
            Schedule::Unlimited => Some(Due { messages: room, late: Span::ZERO }),
            Schedule::Even(even) => even.poll_due(now, room, &mut self.skipped),
            Schedule::Poisson(poisson) => poisson.poll_due(now, room, &mut self.skipped),
        }
    }

    /// When the next message is due; `None` means at once, always.
    #[must_use]
    pub fn next_departure(&self) -> Option<Time> {
        match &self.schedule {
            Schedule::Unlimited => None,
            Schedule::Even(even) => Some(even.departure(even.departed)),
            Schedule::Poisson(poisson) => Some(poisson.next),
        }
    }

    /// Messages whose turn was given up because the sender had fallen too far behind.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl Even {
    fn new(start: Time, interval: Interval, burst: u32) -> Self {
        let burst = u64::from(burst);
        let interval = Interval { picoseconds: interval.picoseconds * u128::from(burst), ..interval };
        Self { start, interval, burst, departed: 0 }
    }

    /// When message `index` is due.
    fn departure(&self, index: u64) -> Time {
        let burst = u128::from(index / self.burst);
        // Rounded up: what is announced must be due when its time comes.
        let after = burst.saturating_mul(self.interval.picoseconds).div_ceil(self.interval.messages);
        self.start + Span(u64::try_from(after).unwrap_or(u64::MAX))
    }

    /// Messages that are due at `now`, from the start of the schedule.
    fn due_by(&self, now: Time) -> u64 {
        if now < self.start {
            return 0;
        }
        let bursts =
            u128::from(now.since(self.start).0) * self.interval.messages / self.interval.picoseconds + 1;
        u64::try_from(bursts).unwrap_or(u64::MAX).saturating_mul(self.burst)
    }

    fn poll_due(&mut self, now: Time, room: u32, skipped: &mut u64) -> Option<Due> {
        let due = self.due_by(now);
        // What was due before the catch-up bound and has not left is given up. The burst that is
        // due last is always kept, or gaps longer than the bound would never send.
        let floor = self.due_by(now - CATCH_UP).min(due.saturating_sub(self.burst));
        if self.departed < floor {
            *skipped += floor - self.departed;
            self.departed = floor;
        }
        let messages = u32::try_from(due.saturating_sub(self.departed)).unwrap_or(u32::MAX).min(room);
        if messages == 0 {
            return None;
        }
        let late = now.since(self.departure(self.departed));
        self.departed += u64::from(messages);
        Some(Due { messages, late })
    }
}

impl Poisson {
    fn new(start: Time, interval: Interval, mut random: Random) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a mean gap for a random draw")]
        let mean_ps = interval.picoseconds as f64 / interval.messages as f64;
        let next = start + Self::gap(mean_ps, &mut random);
        Self { mean_ps, next, random }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive; `as` saturates")]
    fn gap(mean_ps: f64, random: &mut Random) -> Span {
        Span((mean_ps * random.exponential()) as u64)
    }

    fn poll_due(&mut self, now: Time, room: u32, skipped: &mut u64) -> Option<Due> {
        if self.next + CATCH_UP < now {
            // The process has no memory: it may as well go on from the bound.
            let behind = (now - CATCH_UP).since(self.next);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an estimate; `as` saturates"
            )]
            let given_up = (behind.0 as f64 / self.mean_ps) as u64;
            // The last message due is kept: with gaps longer than the bound it is the only one.
            *skipped += given_up;
            self.next = if given_up == 0 { self.next } else { now - CATCH_UP };
        }
        let late = now.since(self.next);
        let mut messages = 0;
        while messages < room && self.next <= now {
            messages += 1;
            self.next += Self::gap(self.mean_ps, &mut self.random);
        }
        (messages > 0).then_some(Due { messages, late })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(load: &str, spacing: &str) -> Pacer {
        let random = Random::named(1, "pacer");
        Pacer::new(load.parse().unwrap(), spacing.parse().unwrap(), 1000, 1, Time::ZERO, random)
    }

    /// Departures when the owner wakes exactly when told, up to `until`.
    fn departures(pacer: &mut Pacer, until: Time) -> Vec<(u64, u32)> {
        let mut out = Vec::new();
        while let Some(next) = pacer.next_departure().filter(|next| *next < until) {
            let due = pacer.poll_due(next, 64).expect("what was announced is due");
            assert_eq!(due.late, Span::ZERO);
            out.push((next.as_ns(), due.messages));
        }
        out
    }

    #[test]
    fn fixed_spacing_is_exact_and_does_not_drift() {
        assert_eq!(
            departures(&mut pacer("10us", "fixed"), Time::from_ns(30_001)),
            [(0, 1), (10_000, 1), (20_000, 1), (30_000, 1)]
        );
        // 3 Mbit/s of 1000 B: 375 messages a second, a period that is no whole number of ps.
        let mut third = pacer("3Mbit/s", "fixed");
        assert_eq!(departures(&mut third, Time::ZERO + Span::from_s(1)).len(), 375);
        assert_eq!(third.next_departure(), Some(Time::ZERO + Span::from_s(1)));
    }

    #[test]
    fn bursts_keep_the_mean_rate() {
        assert_eq!(
            departures(&mut pacer("10us", "burst:4"), Time::from_ns(80_001)),
            [(0, 4), (40_000, 4), (80_000, 4)]
        );
    }

    #[test]
    fn poisson_keeps_the_mean_rate() {
        let sent: u32 = departures(&mut pacer("10us", "poisson"), Time::ZERO + Span::from_s(1))
            .iter()
            .map(|(_, n)| n)
            .sum();
        // 100 000 expected, standard deviation 316; five of them.
        assert!(sent.abs_diff(100_000) < 1_580, "{sent}");
    }

    #[test]
    fn catching_up_is_bounded_and_the_rest_is_counted() {
        for spacing in ["fixed", "poisson"] {
            let mut pacer = pacer("10us", spacing);
            let now = Time::ZERO + Span::from_ms(100);
            let mut caught_up = 0;
            while let Some(due) = pacer.poll_due(now, 64) {
                caught_up += u64::from(due.messages);
            }
            // 10 ms at 100 kHz are 1000 messages; Poisson scatters around it.
            assert!(caught_up.abs_diff(1_000) < 200, "{spacing}: {caught_up}");
            assert!(
                (caught_up + pacer.skipped()).abs_diff(10_000) < 200,
                "{spacing}: every turn is sent or given up"
            );
        }
    }

    #[test]
    fn a_gap_longer_than_the_bound_still_sends() {
        for spacing in ["fixed", "poisson"] {
            let mut pacer = pacer("1s", spacing);
            let late = pacer.next_departure().unwrap() + Span::from_ms(500);
            assert!(pacer.poll_due(late, 64).is_some_and(|due| due.messages <= 2), "{spacing}");
            assert_eq!(pacer.skipped(), 0, "{spacing}");
        }
    }

    #[test]
    fn streams_share_the_load() {
        let random = Random::named(1, "pacer");
        let mut shared = Pacer::new("10us".parse().unwrap(), Spacing::Fixed, 1000, 4, Time::ZERO, random);
        assert_eq!(departures(&mut shared, Time::from_ns(80_001)), [(0, 1), (40_000, 1), (80_000, 1)]);
    }
}

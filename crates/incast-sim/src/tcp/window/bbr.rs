//! BBR, version 1: draft-cardwell-iccrg-bbr-congestion-control-00, with the numbers of Linux `net/ipv4/tcp_bbr.c`.
//!
//! It keeps a model of the path, the largest rate of delivery of ten round trips and the shortest round trip of ten
//! seconds, and sends at the rate with a window of about twice their product. Not here: Linux's long-term rate (for
//! policers) and its allowance for acknowledgements that come in heaps. Gains are in parts of 256.

use incast_core::time::{Span, Time};

/// What BBR knows and is at.
#[derive(Clone, Debug)]
pub(crate) struct Bbr {
    mss: u64,
    initial: u64,
    mode: Mode,
    /// Bytes per second: the largest of each of the last round trips, by its number.
    rates: [u64; RATE_ROUNDS],
    round: u64,
    /// The round trip ends when so much is delivered.
    round_end: u64,
    /// The shortest round trip, and when it was measured.
    least: Option<(Span, Time)>,
    full: Full,
    repair: Repair,
    /// The window before a recovery or a look at the round trip.
    saved_cwnd: u64,
    /// Nothing was under way before what leaves now.
    is_restart: bool,
    /// Bytes per second; 0: not known yet.
    pacing: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Startup,
    Drain,
    /// Which phase of the cycle of gains, and since when.
    ProbeRate(usize, Time),
    /// Until when, once the window was small; and whether a round trip has passed.
    ProbeRoundTrip(Option<Time>, bool),
}

/// Whether the pipe is full: the rate has not grown by a quarter in three round trips.
#[derive(Clone, Copy, Debug, Default)]
struct Full {
    rate: u64,
    rounds: u32,
    is_reached: bool,
}

/// What a loss made of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repair {
    No,
    /// A recovery begins with this acknowledgement.
    Begins,
    /// For one round trip as much leaves as was delivered.
    Conserves,
    Goes,
    /// What was lost is repaired: the window is given back.
    Ends,
}

/// What an acknowledgement says of delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) now: Time,
    /// Bytes that it told of.
    pub(crate) acked: u64,
    /// Bytes that it showed to be lost.
    pub(crate) lost: u64,
    /// Bytes delivered so far, and what that was when the segment left that it told of.
    pub(crate) delivered: u64,
    pub(crate) before: Option<u64>,
    /// Between the two, as sent or as acknowledged, whichever took longer.
    pub(crate) interval: Span,
    pub(crate) is_app_limited: bool,
    pub(crate) sample: Option<Span>,
    /// Bytes under way now.
    pub(crate) pipe: u64,
}

impl Bbr {
    pub(super) fn new(mss: u64, initial: u64) -> Self {
        Self {
            mss,
            initial,
            mode: Mode::Startup,
            rates: [0; RATE_ROUNDS],
            round: 0,
            round_end: 0,
            least: None,
            full: Full::default(),
            repair: Repair::No,
            saved_cwnd: 0,
            is_restart: false,
            pacing: 0,
        }
    }

    /// Bytes per second at which segments leave; `None`: nothing was measured yet, and they leave at once.
    pub(super) fn pacing(&self) -> Option<u64> {
        (self.pacing > 0).then_some(self.pacing)
    }

    /// Fast recovery begins.
    pub(super) fn handle_loss(&mut self, cwnd: u64) {
        self.save(cwnd);
        self.repair = Repair::Begins;
    }

    /// The timer fired.
    pub(super) fn handle_timeout(&mut self, cwnd: u64) {
        self.save(cwnd);
        self.repair = Repair::Goes;
        self.full.rate = 0;
    }

    /// What was lost is repaired.
    pub(super) fn handle_repaired(&mut self) {
        self.repair = Repair::Ends;
    }

    /// Something leaves after a silence: no faster than the path takes it.
    pub(super) fn handle_restart(&mut self) {
        self.is_restart = true;
        if matches!(self.mode, Mode::ProbeRate(..)) {
            self.pacing = scaled(self.rate(), UNIT);
        }
    }

    fn save(&mut self, cwnd: u64) {
        let is_whole = self.repair == Repair::No && !matches!(self.mode, Mode::ProbeRoundTrip(..));
        self.saved_cwnd = if is_whole { cwnd } else { self.saved_cwnd.max(cwnd) };
    }

    /// An acknowledgement: what the window is now.
    pub(super) fn handle_delivery(&mut self, cwnd: u64, delivery: &Delivery) -> u64 {
        let begins_round = self.note_rate(delivery);
        self.turn_cycle(delivery);
        self.note_full(delivery, begins_round);
        self.drain(delivery);
        let cwnd = self.probe_round_trip(cwnd, delivery, begins_round);
        self.pace();
        self.window(cwnd, delivery)
    }

    /// Section 4.1.1.3: the largest rate of ten round trips; says whether one begins.
    fn note_rate(&mut self, delivery: &Delivery) -> bool {
        let Some(before) = delivery.before else { return false };
        let begins_round = before >= self.round_end;
        if begins_round {
            self.round_end = delivery.delivered;
            self.round += 1;
            let slot = self.slot();
            self.rates[slot] = 0;
            if self.repair == Repair::Conserves {
                self.repair = Repair::Goes;
            }
        }
        // What came sooner than a round trip was acknowledged in one heap, and says nothing.
        let is_real =
            delivery.interval.0 > 0 && self.least.is_none_or(|(least, _)| delivery.interval >= least);
        if is_real {
            let bytes = u128::from(delivery.delivered - before);
            let rate = bytes * u128::from(Span::from_s(1).0) / u128::from(delivery.interval.0);
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            if !delivery.is_app_limited || rate >= self.rate() {
                let slot = self.slot();
                self.rates[slot] = self.rates[slot].max(rate);
            }
        }
        begins_round
    }

    fn slot(&self) -> usize {
        usize::try_from(self.round % RATE_ROUNDS as u64).unwrap_or(0)
    }

    fn rate(&self) -> u64 {
        self.rates.iter().copied().max().unwrap_or(0)
    }

    /// Bytes that fill the path, times a gain, and what three sending units need beside.
    fn target(&self, gain: u64) -> u64 {
        self.path_bytes(gain).saturating_add(3 * self.mss).max(CWND_LEAST * self.mss)
    }

    fn path_bytes(&self, gain: u64) -> u64 {
        let Some((least, _)) = self.least else { return self.initial };
        let bytes = u128::from(self.rate()) * u128::from(least.0) / u128::from(Span::from_s(1).0);
        scaled(u64::try_from(bytes).unwrap_or(u64::MAX), gain)
    }

    fn gain(&self) -> u64 {
        match self.mode {
            Mode::Startup => GAIN_HIGH,
            Mode::Drain => GAIN_DRAIN,
            Mode::ProbeRate(phase, _) => CYCLE[phase],
            Mode::ProbeRoundTrip(..) => UNIT,
        }
    }

    /// Section 4.3.4.3.
    fn turn_cycle(&mut self, delivery: &Delivery) {
        let Mode::ProbeRate(phase, since) = self.mode else { return };
        let least = self.least.map_or(Span::ZERO, |(least, _)| least);
        let is_long = delivery.now.since(since) > least;
        let under_way = delivery.pipe + delivery.acked;
        let is_over = match CYCLE[phase] {
            UNIT => is_long,
            gain if gain > UNIT => is_long && (delivery.lost > 0 || under_way >= self.path_bytes(gain)),
            _ => is_long || under_way <= self.path_bytes(UNIT),
        };
        if is_over {
            self.mode = Mode::ProbeRate((phase + 1) % CYCLE.len(), delivery.now);
        }
    }

    /// Section 4.3.2.2.
    fn note_full(&mut self, delivery: &Delivery, begins_round: bool) {
        if self.full.is_reached || !begins_round || delivery.is_app_limited {
            return;
        }
        let rate = self.rate();
        if rate >= self.full.rate.saturating_add(self.full.rate / 4) {
            self.full = Full { rate, rounds: 0, is_reached: false };
        } else {
            self.full.rounds += 1;
            self.full.is_reached = self.full.rounds >= 3;
        }
    }

    /// Section 4.3.3.
    fn drain(&mut self, delivery: &Delivery) {
        if self.mode == Mode::Startup && self.full.is_reached {
            self.mode = Mode::Drain;
        }
        if self.mode == Mode::Drain && delivery.pipe <= self.path_bytes(UNIT) {
            self.mode = Self::cycle_at(delivery.now);
        }
    }

    /// Any phase but the one that drains, so that connections do not probe at once; the time itself is the die.
    fn cycle_at(now: Time) -> Mode {
        let draw = usize::try_from(now.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56).unwrap_or(0);
        let phase = draw % (CYCLE.len() - 1);
        Mode::ProbeRate(if phase == 0 { 0 } else { phase + 1 }, now)
    }

    /// Section 4.1.2 and 4.3.5: every ten seconds without a shorter round trip, nearly nothing is sent for 200 ms.
    fn probe_round_trip(&mut self, cwnd: u64, delivery: &Delivery, begins_round: bool) -> u64 {
        let now = delivery.now;
        let is_old = self.least.is_some_and(|(_, at)| now.since(at) > ROUND_TRIP_WINDOW);
        if let Some(sample) = delivery.sample
            && (is_old || self.least.is_none_or(|(least, _)| sample <= least))
        {
            self.least = Some((sample, now));
        }
        let is_restart = self.is_restart;
        self.is_restart &= delivery.acked == 0;
        match &mut self.mode {
            Mode::ProbeRoundTrip(until, has_round) => match until {
                None if delivery.pipe <= CWND_LEAST * self.mss => {
                    *until = Some(now + ROUND_TRIP_PROBE);
                    self.round_end = delivery.delivered;
                }
                None => {}
                Some(at) => {
                    *has_round |= begins_round;
                    if *has_round && now > *at {
                        self.least = self.least.map(|(least, _)| (least, now));
                        self.mode = if self.full.is_reached { Self::cycle_at(now) } else { Mode::Startup };
                        return cwnd.max(self.saved_cwnd);
                    }
                }
            },
            _ if is_old && !is_restart => {
                self.save(cwnd);
                self.mode = Mode::ProbeRoundTrip(None, false);
            }
            _ => {}
        }
        cwnd
    }

    /// Section 4.2.1, one per cent below what the model says.
    fn pace(&mut self) {
        let rate = scaled(self.rate(), self.gain());
        let rate = rate - rate / 100;
        if self.full.is_reached || rate > self.pacing {
            self.pacing = rate;
        }
    }

    /// Section 4.2.3.
    fn window(&mut self, cwnd: u64, delivery: &Delivery) -> u64 {
        let conserved = delivery.pipe + delivery.acked;
        let mut cwnd =
            if delivery.lost > 0 { cwnd.saturating_sub(delivery.lost).max(self.mss) } else { cwnd };
        match self.repair {
            Repair::Begins => {
                self.repair = Repair::Conserves;
                self.round_end = delivery.delivered;
                return conserved.max(self.mss);
            }
            Repair::Conserves => return cwnd.max(conserved).max(self.mss),
            Repair::Ends => {
                self.repair = Repair::No;
                cwnd = cwnd.max(self.saved_cwnd);
            }
            Repair::No | Repair::Goes => {}
        }
        let gain = match self.mode {
            Mode::Startup | Mode::Drain => GAIN_HIGH,
            Mode::ProbeRate(..) => 2 * UNIT,
            Mode::ProbeRoundTrip(..) => UNIT,
        };
        let target = self.target(gain);
        if self.full.is_reached {
            cwnd = (cwnd + delivery.acked).min(target);
        } else if cwnd < target || delivery.delivered < self.initial {
            cwnd += delivery.acked;
        }
        cwnd = cwnd.max(CWND_LEAST * self.mss);
        if matches!(self.mode, Mode::ProbeRoundTrip(..)) { cwnd.min(CWND_LEAST * self.mss) } else { cwnd }
    }
}

fn scaled(value: u64, gain: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(gain) / u128::from(UNIT)).unwrap_or(u64::MAX)
}

/// Gain 1.
const UNIT: u64 = 256;
/// 2 / ln 2: the least that doubles the rate in each round trip.
const GAIN_HIGH: u64 = 739;
/// Its inverse.
const GAIN_DRAIN: u64 = 88;
/// The gains of one cycle, each for a round trip.
const CYCLE: [u64; 8] = [320, 192, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT];
/// Round trips for which a rate is remembered.
const RATE_ROUNDS: usize = 10;
/// How long a shortest round trip is believed.
const ROUND_TRIP_WINDOW: Span = Span::from_s(10);
/// How long nearly nothing is sent.
const ROUND_TRIP_PROBE: Span = Span::from_ms(200);
/// Segments of the least window.
const CWND_LEAST: u64 = 4;

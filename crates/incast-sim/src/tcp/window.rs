//! The congestion window: how it grows, shrinks and is given back. Bytes; a decision of each of the congestion controls
//! is made here, and nowhere is anything sent.
//!
//! Growth counts acknowledged bytes, not acknowledgements (RFC 3465, in slow start without its limit, as Linux), and only
//! where the window was what held data back (RFC 7661 section 4.1, Linux `tcp_is_cwnd_limited`).

mod bbr;
mod cubic;
mod hystart;

use incast_core::time::{Span, Time};

use super::plan::{Congestion, TcpPlan};
use bbr::Bbr;
pub(super) use bbr::Delivery;
use cubic::Cubic;
use hystart::{Hystart, Pace};

/// The window of one connection.
#[derive(Clone, Debug)]
pub(super) struct Window {
    mss: u64,
    initial: u64,
    cwnd: u64,
    /// `None` until something was lost.
    ssthresh: Option<u64>,
    /// Acknowledged bytes that have not made the window grow yet.
    credit: u64,
    algorithm: Algorithm,
    hystart: Option<Hystart>,
    slow_start_after_idle: bool,
    use_of_it: Use,
}

#[derive(Clone, Debug)]
enum Algorithm {
    Reno,
    Cubic(Cubic),
    /// Boxed: it is large, and rare.
    Bbr(Box<Bbr>),
}

/// How much of the window was used (Linux `tcp_cwnd_validate`).
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// Whether the window held data back in this round.
    is_limited: bool,
    /// The round lasts until this is acknowledged.
    until: u64,
    /// Most bytes that were under way in the round.
    most: u64,
    /// Most bytes that were under way since it was last used up, or since `since`.
    used: u64,
    since: Time,
}

/// Where a connection stands as an acknowledgement comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) una: u64,
    pub(super) next: u64,
    /// After a timeout: RFC 3465 section 2.3 lets the window grow by one segment per acknowledgement.
    pub(super) is_repairing: bool,
    /// The round trip that it measured.
    pub(super) sample: Option<Span>,
    /// The shortest round trip known.
    pub(super) least: Option<Span>,
}

impl Window {
    pub(super) fn new(plan: &TcpPlan) -> Self {
        let mss = plan.mss();
        let initial = mss * u64::from(plan.initial_window_segments);
        let algorithm = match plan.congestion {
            Congestion::Reno | Congestion::NewReno => Algorithm::Reno,
            Congestion::Cubic => Algorithm::Cubic(Cubic::new()),
            Congestion::Bbr => Algorithm::Bbr(Box::new(Bbr::new(mss, initial))),
        };
        Self {
            mss,
            initial,
            cwnd: initial,
            ssthresh: None,
            credit: 0,
            algorithm,
            hystart: plan.hystart.then(Hystart::default),
            slow_start_after_idle: plan.slow_start_after_idle,
            use_of_it: Use::default(),
        }
    }

    pub(super) const fn cwnd(&self) -> u64 {
        self.cwnd
    }

    pub(super) const fn ssthresh(&self) -> Option<u64> {
        self.ssthresh
    }

    fn is_slow_start(&self) -> bool {
        self.ssthresh.is_none_or(|ssthresh| self.cwnd < ssthresh)
    }

    /// New bytes were acknowledged while nothing is lost, or while what a timeout gave up is repaired.
    pub(super) fn handle_acked(&mut self, now: Time, bytes: u64, standing: Standing) {
        if self.is_bbr() {
            return;
        }
        let pace = self.hystart_pace(standing);
        if !self.is_used_up() {
            return;
        }
        let mut bytes = bytes;
        if self.is_slow_start() {
            let most = if standing.is_repairing { self.mss } else { u64::MAX };
            let grow = match pace {
                Pace::Double => bytes,
                Pace::Gentle => bytes / hystart::GENTLE,
            };
            let grow = grow.min(most);
            let room = self.ssthresh.map_or(u64::MAX, |ssthresh| ssthresh - self.cwnd);
            self.cwnd += grow.min(room);
            bytes = grow.saturating_sub(room);
        }
        if bytes > 0 && !self.is_slow_start() {
            self.avoid(now, bytes, standing.least);
        }
    }

    fn hystart_pace(&mut self, standing: Standing) -> Pace {
        let Some(hystart) = self.hystart.as_mut().filter(|_| self.ssthresh.is_none()) else {
            return Pace::Double;
        };
        match hystart.handle_ack(standing.una, standing.next, standing.sample) {
            Some(pace) => pace,
            None => {
                self.ssthresh = Some(self.cwnd);
                Pace::Double
            }
        }
    }

    /// Congestion avoidance: one segment more for so many acknowledged ones.
    fn avoid(&mut self, now: Time, bytes: u64, least: Option<Span>) {
        let per_segment = match &mut self.algorithm {
            Algorithm::Reno | Algorithm::Bbr(_) => self.cwnd,
            Algorithm::Cubic(cubic) => {
                let acked = cubic::Acked { now, cwnd: self.cwnd, bytes, mss: self.mss, least };
                cubic.bytes_per_segment(acked)
            }
        };
        if self.credit >= per_segment {
            // It was collected at a larger price: Linux tcp_cong_avoid_ai.
            self.credit = 0;
            self.cwnd += self.mss;
        }
        self.credit += bytes;
        if self.credit >= per_segment {
            self.cwnd += self.credit / per_segment * self.mss;
            self.credit %= per_segment;
        }
    }

    /// Duplicates say that something is lost: half of what is under way (RFC 5681 equation 4), or CUBIC's 0.7.
    pub(super) fn handle_loss(&mut self, now: Time, flight: u64) {
        if let Algorithm::Bbr(bbr) = &mut self.algorithm {
            bbr.handle_loss(self.cwnd);
            return;
        }
        self.set_ssthresh(now, flight);
        self.cwnd = self.ssthresh.unwrap_or(self.cwnd);
    }

    fn set_ssthresh(&mut self, now: Time, flight: u64) {
        let used = flight.min(self.cwnd);
        let ssthresh = match &mut self.algorithm {
            Algorithm::Reno | Algorithm::Bbr(_) => used / 2,
            Algorithm::Cubic(cubic) => cubic.handle_loss(now, used, self.mss),
        };
        self.ssthresh = Some(ssthresh.max(2 * self.mss));
        self.credit = 0;
    }

    /// The timer fired; `is_first`: not a second time for the same data (RFC 5681 section 3.1).
    pub(super) fn handle_timeout(&mut self, now: Time, flight: u64, is_first: bool) {
        if is_first && !self.is_bbr() {
            self.set_ssthresh(now, flight);
        }
        match &mut self.algorithm {
            Algorithm::Reno => {}
            Algorithm::Cubic(cubic) => cubic.handle_timeout(),
            Algorithm::Bbr(bbr) => bbr.handle_timeout(self.cwnd),
        }
        self.cwnd = self.mss;
        self.credit = 0;
    }

    /// Everything that an acknowledgement said of delivery; only BBR listens.
    pub(super) fn handle_delivery(&mut self, delivery: &Delivery) {
        if let Algorithm::Bbr(bbr) = &mut self.algorithm {
            self.cwnd = bbr.handle_delivery(self.cwnd, delivery);
        }
    }

    /// Bytes per second at which segments leave; `None`: as they come.
    pub(super) fn pacing(&self) -> Option<u64> {
        match &self.algorithm {
            Algorithm::Bbr(bbr) => bbr.pacing(),
            Algorithm::Reno | Algorithm::Cubic(_) => None,
        }
    }

    pub(super) const fn is_bbr(&self) -> bool {
        matches!(self.algorithm, Algorithm::Bbr(_))
    }

    /// A duplicate in fast recovery without SACK: one segment has left the network (RFC 5681 section 3.2 step 4).
    pub(super) fn inflate(&mut self, segments: u64) {
        self.cwnd += segments * self.mss;
    }

    /// A partial acknowledgement (RFC 6582 section 3.2 step 3).
    pub(super) fn deflate(&mut self, acked: u64) {
        self.cwnd = self.cwnd.saturating_sub(acked);
        if acked >= self.mss {
            self.cwnd += self.mss;
        }
        self.cwnd = self.cwnd.max(self.mss);
    }

    /// What a recovery or a timeout had to repair is repaired.
    pub(super) fn handle_repaired(&mut self) {
        if let Algorithm::Bbr(bbr) = &mut self.algorithm {
            bbr.handle_repaired();
        }
    }

    /// Fast recovery ends; `most` bounds the burst that may follow (RFC 6582 section 3.2 step 3, option 1).
    pub(super) fn handle_recovered(&mut self, most: u64) {
        if let Some(ssthresh) = self.ssthresh {
            self.cwnd = ssthresh.min(most).max(self.mss);
        }
    }

    /// Data leaves; `is_limited`: the window, and nothing else, keeps more from leaving.
    pub(super) fn handle_sent(
        &mut self,
        now: Time,
        flight: u64,
        una: u64,
        next: u64,
        is_limited: bool,
        rto: Span,
    ) {
        let is_bbr = self.is_bbr();
        let state = &mut self.use_of_it;
        if una >= state.until || is_limited || flight > state.most {
            state.is_limited = is_limited;
            state.most = flight;
            state.until = next;
        }
        if is_limited {
            state.used = 0;
            state.since = now;
            return;
        }
        state.used = state.used.max(flight);
        if self.slow_start_after_idle && !is_bbr && now.since(state.since) >= rto && flight < self.cwnd {
            let used = state.used.max(self.initial);
            *state = Use { used: 0, since: now, ..*state };
            if used < self.cwnd {
                // RFC 2861 section 3.2: what was not used is not known to be good.
                self.keep_memory();
                self.cwnd = u64::midpoint(self.cwnd, used);
            }
        }
    }

    /// Whether the window may grow: in slow start also when more than half of it was used.
    fn is_used_up(&self) -> bool {
        self.use_of_it.is_limited || (self.is_slow_start() && self.cwnd < 2 * self.use_of_it.most)
    }

    /// Nothing was sent for so long: halves for each timeout of it, down to the first window (RFC 2861 section 3.2,
    /// Linux `tcp_cwnd_restart`); says whether it did.
    pub(super) fn handle_idle(&mut self, now: Time, silence: Span, rto: Span) -> bool {
        match &mut self.algorithm {
            Algorithm::Reno => {}
            Algorithm::Cubic(cubic) => cubic.handle_idle(silence),
            Algorithm::Bbr(bbr) => {
                bbr.handle_restart();
                return false;
            }
        }
        if !self.slow_start_after_idle || silence <= rto {
            return false;
        }
        self.keep_memory();
        let least = self.initial.min(self.cwnd);
        let mut left = silence.0;
        while left > rto.0 && self.cwnd > least {
            left -= rto.0;
            self.cwnd /= 2;
        }
        self.cwnd = self.cwnd.max(least);
        self.use_of_it.since = now;
        self.use_of_it.used = 0;
        true
    }

    /// Slow start may go back to three quarters of where the window was (Linux `tcp_current_ssthresh`).
    fn keep_memory(&mut self) {
        self.ssthresh = self.ssthresh.map(|ssthresh| ssthresh.max(self.cwnd / 4 * 3));
    }
}

//! The sending end: what may leave, and when.
//!
//! This file decides what leaves next and keeps the timers; what an acknowledgement means is in `ack`, what a timer means
//! in `timers`.

mod ack;
mod timers;

use incast_core::time::{Span, Time};

use super::counts::SenderCounts;
use super::flight::{Flight, Stamp};
use super::plan::TcpPlan;
use super::rtt::RoundTrip;
use super::window::Window;
use super::{Ack, Segment};
use timers::Timers;

/// The sending end of a connection.
#[derive(Clone, Debug)]
pub struct TcpSender {
    plan: TcpPlan,
    /// Everything before it was written.
    written: u64,
    /// Where the window ends that the receiver told of.
    edge: u64,
    flight: Flight,
    window: Window,
    rtt: RoundTrip,
    phase: Phase,
    /// Losses below it belong to the last recovery or timeout; `None` before the first.
    recover: Option<u64>,
    /// Duplicates in a row, without SACK.
    duplicates: u64,
    /// What leaves next whatever the window says.
    urgent: Option<Urgent>,
    timers: Timers,
    last_sent: Option<Time>,
    /// End of the last segment that was less than full (Nagle, Minshall).
    small_end: u64,
    delivery: Stamp,
    /// What leaves before so much is delivered leaves while the application has nothing more.
    app_limited_until: u64,
    /// The next segment leaves no sooner, if segments are paced.
    pace_at: Time,
    rack: ack::Rack,
    counts: SenderCounts,
}

/// What the sender is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// Fast recovery.
    Recovery,
    /// After a timeout, until what was under way then is acknowledged.
    Loss,
}

/// What leaves next whatever the window says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgent {
    /// The first that was given up (RFC 5681 section 3.2 step 2, RFC 6582 section 3.2 step 3).
    Lost,
    /// A probe of a closed window.
    WindowProbe,
    /// A tail loss probe: new data, or the last once more.
    TailProbe,
}

impl TcpSender {
    /// A sender whose connection stands, and whose receiver has the same plan.
    #[must_use]
    pub fn new(plan: TcpPlan, now: Time) -> Self {
        let plan = plan.checked();
        let mut sender = Self {
            plan,
            written: 0,
            edge: plan.receive_buffer_bytes,
            flight: Flight::default(),
            window: Window::new(&plan),
            rtt: RoundTrip::new(plan.rto_min, plan.rto_max),
            phase: Phase::Open,
            recover: None,
            duplicates: 0,
            urgent: None,
            timers: Timers::default(),
            last_sent: None,
            small_end: 0,
            delivery: Stamp::default(),
            app_limited_until: 0,
            pace_at: now,
            rack: ack::Rack::default(),
            counts: SenderCounts::default(),
        };
        sender.record();
        sender
    }

    /// The application hands over bytes; says how many found room in the send buffer.
    pub fn handle_write(&mut self, _now: Time, bytes: u64) -> u64 {
        let accepted = bytes.min(self.free_bytes());
        self.written += accepted;
        accepted
    }

    /// An acknowledgement came.
    pub fn handle_ack(&mut self, now: Time, ack: Ack) {
        self.take_ack(now, &ack);
        self.record();
    }

    /// Time has come to `now`: timers that are due fire. Poll after it.
    pub fn handle_timeout(&mut self, now: Time) {
        self.fire_timers(now);
        self.record();
    }

    /// The own interface had no room for a segment. It counts as sent, and is found missing as any other loss.
    pub fn handle_local_drop(&mut self, segment: Segment) {
        self.counts.local_drops += self.segments_of(segment.bytes);
    }

    /// When to call [`Self::handle_timeout`], and poll again.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The next segment that may leave now.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Segment> {
        let segment = match self.urgent.take() {
            Some(Urgent::WindowProbe) => {
                self.counts.window_probes += 1;
                return Some(Segment { start: self.flight.una(), bytes: 0, is_retransmission: false });
            }
            Some(Urgent::TailProbe) => self.tail_probe(now),
            Some(Urgent::Lost) => self.lost_segment(now, u64::MAX),
            None => None,
        };
        let segment = match segment {
            Some(segment) => segment,
            None if self.is_paced(now) => return None,
            None => self.next_segment(now)?,
        };
        self.count(segment);
        self.pace(now, segment.bytes);
        self.last_sent = Some(now);
        self.arm_after_send(now);
        Some(segment)
    }

    fn next_segment(&mut self, now: Time) -> Option<Segment> {
        self.restart_after_idle(now);
        let room = self.room();
        if let Some(segment) = self.lost_segment(now, room) {
            return Some(segment);
        }
        self.new_segment(now, room)
    }

    /// Bytes that the congestion window lets leave now.
    fn room(&self) -> u64 {
        // Without SACK, fast recovery inflates the window instead of estimating what has left (RFC 5681, 6582).
        let is_inflated = self.phase == Phase::Recovery && self.inflates();
        let under_way = if is_inflated { self.flight.bytes() } else { self.flight.pipe() };
        // Limited transmit, RFC 3042: the first two duplicates let one segment leave each.
        let limited = if self.phase == Phase::Open { self.duplicates.min(2) * self.plan.mss() } else { 0 };
        (self.window.cwnd() + limited).saturating_sub(under_way)
    }

    /// Whether fast recovery inflates the window (RFC 5681 section 3.2 step 4).
    fn inflates(&self) -> bool {
        !self.plan.has_sack && !self.window.is_bbr()
    }

    /// Whether the next segment has to wait for its time; then the timer runs.
    fn is_paced(&mut self, now: Time) -> bool {
        self.timers.pacing = None;
        if self.pace_at <= now || !self.window.is_bbr() {
            return false;
        }
        if self.unsent_bytes() > 0 || self.flight.next_lost().is_some() {
            self.timers.pacing = Some(self.pace_at);
        }
        true
    }

    /// A segment leaves: when the next may.
    fn pace(&mut self, now: Time, bytes: u32) {
        if let Some(rate) = self.window.pacing() {
            let wait = u128::from(bytes) * u128::from(Span::from_s(1).0) / u128::from(rate);
            self.pace_at = self.pace_at.max(now) + Span(u64::try_from(wait).unwrap_or(u64::MAX));
        }
    }

    /// What was given up, once more.
    fn lost_segment(&mut self, now: Time, room: u64) -> Option<Segment> {
        let (start, bytes) = self.flight.next_lost()?;
        // A segment that is larger than the window leaves when nothing else is under way.
        let fits = u64::from(bytes) <= room || self.flight.pipe() == 0;
        fits.then(|| self.send_again(now, start, bytes))
    }

    fn send_again(&mut self, now: Time, start: u64, bytes: u32) -> Segment {
        let stamp = self.stamp(now);
        self.flight.handle_sent_again(now, start, stamp);
        Segment { start, bytes, is_retransmission: true }
    }

    fn new_segment(&mut self, now: Time, room: u64) -> Option<Segment> {
        let unsent = self.unsent_bytes();
        let mss = self.plan.mss();
        let told = self.edge.saturating_sub(self.flight.next());
        let bytes = unsent.min(u64::from(self.plan.segment_bytes_max)).min(told);
        if bytes == 0 {
            if unsent > 0 && self.flight.is_empty() {
                self.arm_window_probe(now);
            }
            if unsent == 0 && room > 0 {
                self.app_limited_until = (self.delivery.delivered + self.flight.pipe()).max(1);
                self.delivery.is_app_limited = true;
            }
            self.note_use(now, false);
            return None;
        }
        if bytes < mss && self.is_better_later(bytes, unsent) {
            self.note_use(now, false);
            return None;
        }
        // Whole segments, and the rest alone: merged ones are cut at full segments.
        let bytes = if bytes > mss { bytes / mss * mss } else { bytes };
        let bytes = if bytes > room { room / mss * mss } else { bytes };
        if bytes == 0 && !self.flight.is_empty() {
            self.note_use(now, true);
            return None;
        }
        let bytes = if bytes == 0 { unsent.min(told).min(mss) } else { bytes };
        Some(self.send_new(now, bytes))
    }

    /// Whether less than a full segment had better wait.
    fn is_better_later(&self, bytes: u64, unsent: u64) -> bool {
        if self.flight.is_empty() {
            return false;
        }
        // The window cut it: silly windows, RFC 9293 section 3.8.6.2.1.
        let is_cut = bytes < unsent;
        is_cut || (self.plan.has_nagle && self.small_end > self.flight.una())
    }

    fn send_new(&mut self, now: Time, bytes: u64) -> Segment {
        let start = self.flight.next();
        let stamp = self.stamp(now);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.flight.handle_sent(now, bytes, stamp);
        if u64::from(bytes) % self.plan.mss() != 0 {
            self.small_end = self.flight.next();
        }
        self.note_use(now, false);
        Segment { start, bytes, is_retransmission: false }
    }

    fn note_use(&mut self, now: Time, is_limited: bool) {
        let (una, next, bytes) = (self.flight.una(), self.flight.next(), self.flight.bytes());
        if self.phase == Phase::Open {
            self.window.handle_sent(now, bytes, una, next, is_limited, self.rtt.timeout());
        } else if is_limited {
            self.window.handle_sent(now, bytes, una, next, true, self.rtt.timeout());
        }
    }

    fn stamp(&mut self, now: Time) -> Stamp {
        if self.flight.is_empty() {
            self.delivery.first_sent = now;
            self.delivery.delivered_at = now;
        }
        self.delivery
    }

    fn restart_after_idle(&mut self, now: Time) {
        let Some(last) = self.last_sent.filter(|_| self.flight.is_empty() && self.unsent_bytes() > 0) else {
            return;
        };
        let silence = now.since(last);
        if self.window.handle_idle(now, silence, self.rtt.timeout()) {
            self.counts.idle_restarts += 1;
        }
    }

    /// Bytes that the application may still write.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.plan.send_buffer_bytes.saturating_sub(self.written - self.flight.una())
    }

    /// Bytes written that have never left.
    #[must_use]
    pub const fn unsent_bytes(&self) -> u64 {
        self.written - self.flight.next()
    }

    /// Bytes that left and are not acknowledged.
    #[must_use]
    pub const fn unacked_bytes(&self) -> u64 {
        self.flight.bytes()
    }

    /// Bytes of the stream that the receiver has, as far as is known.
    #[must_use]
    pub const fn acked_bytes(&self) -> u64 {
        self.flight.una()
    }

    /// The congestion window, bytes.
    #[must_use]
    pub const fn cwnd_bytes(&self) -> u64 {
        self.window.cwnd()
    }

    /// The slow start threshold, bytes; `None` before the first loss.
    #[must_use]
    pub const fn ssthresh_bytes(&self) -> Option<u64> {
        self.window.ssthresh()
    }

    /// The smoothed round trip time, once one was measured.
    #[must_use]
    pub const fn smoothed_round_trip(&self) -> Option<Span> {
        self.rtt.smoothed()
    }

    /// What it did, and where it stands.
    #[must_use]
    pub const fn counts(&self) -> SenderCounts {
        self.counts
    }

    fn segments_of(&self, bytes: u32) -> u64 {
        u64::from(bytes).div_ceil(self.plan.mss())
    }

    fn count(&mut self, segment: Segment) {
        let segments = self.segments_of(segment.bytes);
        self.counts.segments += segments;
        self.counts.bytes += u64::from(segment.bytes);
        if segment.is_retransmission {
            self.counts.retransmits += segments;
            self.counts.retransmitted_bytes += u64::from(segment.bytes);
        }
    }

    fn record(&mut self) {
        self.counts.cwnd_bytes.record(self.window.cwnd());
        if let Some(ssthresh) = self.window.ssthresh() {
            self.counts.ssthresh_bytes.record(ssthresh);
        }
        if let Some(smoothed) = self.rtt.smoothed() {
            self.counts.srtt_ps.record(smoothed.0);
        }
        self.counts.rto = self.rtt.timeout();
    }
}

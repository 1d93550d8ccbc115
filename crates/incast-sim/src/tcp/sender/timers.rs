//! The timers of a sender: retransmission (RFC 6298), tail loss probe and reordering (RFC 8985), closed window
//! (RFC 9293 section 3.8.6.1).

use incast_core::time::{Span, Time};

use super::{Phase, Segment, TcpSender, Urgent};

/// When each is due; `None`: it does not run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    pub(super) retransmission: Option<Time>,
    pub(super) tail_probe: Option<Time>,
    pub(super) reordering: Option<Time>,
    pub(super) window_probe: Option<Time>,
    pub(super) pacing: Option<Time>,
    /// Probes of a closed window without an answer: each doubles the wait.
    pub(super) window_probes: u32,
    /// A tail probe is under way.
    pub(super) tail: Option<Tail>,
    /// What was acknowledged when the retransmission timer last fired.
    pub(super) fired_at: Option<u64>,
}

/// A tail loss probe under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Where it ended.
    end: u64,
    is_retransmission: bool,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Time> {
        let all = [self.retransmission, self.tail_probe, self.reordering, self.window_probe, self.pacing];
        all.into_iter().flatten().min()
    }
}

impl TcpSender {
    pub(super) fn fire_timers(&mut self, now: Time) {
        let is_due = |timer: Option<Time>| timer.is_some_and(|at| at <= now);
        if is_due(self.timers.pacing) {
            self.timers.pacing = None;
        }
        if is_due(self.timers.window_probe) {
            self.timers.window_probe = None;
            self.timers.window_probes += 1;
            self.urgent = Some(Urgent::WindowProbe);
            self.arm_window_probe(now);
        }
        if is_due(self.timers.reordering) {
            self.timers.reordering = None;
            if self.rack_finds(now) && self.phase == Phase::Open {
                self.enter_recovery(now);
            }
        }
        if is_due(self.timers.tail_probe) {
            self.timers.tail_probe = None;
            self.urgent = Some(Urgent::TailProbe);
            if is_due(self.timers.retransmission) {
                // The probe takes its place, and it waits once more (Linux `tcp_send_loss_probe`).
                self.timers.retransmission = Some(now + self.rtt.timeout());
            }
        }
        if is_due(self.timers.retransmission) {
            self.timers.retransmission = None;
            self.time_out(now);
        }
    }

    /// RFC 6298 section 5.4 to 5.6, RFC 5681 section 3.1.
    fn time_out(&mut self, now: Time) {
        self.counts.timeouts += 1;
        let una = self.flight.una();
        let is_first = self.phase != Phase::Loss || self.timers.fired_at != Some(una);
        self.timers.fired_at = Some(una);
        self.window.handle_timeout(now, self.flight.bytes(), is_first);
        self.rtt.handle_timeout();
        self.phase = Phase::Loss;
        self.recover = Some(self.flight.next());
        self.flight.handle_all_lost();
        self.duplicates = 0;
        self.urgent = Some(Urgent::Lost);
        self.timers.tail_probe = None;
        self.timers.tail = None;
        self.timers.reordering = None;
    }

    pub(super) fn arm_after_send(&mut self, now: Time) {
        if self.timers.retransmission.is_none() {
            self.timers.retransmission = Some(now + self.rtt.timeout());
        }
        self.arm_tail_probe(now);
    }

    pub(super) fn arm_after_ack(&mut self, now: Time, has_advanced: bool) {
        if self.edge > self.flight.next() {
            self.timers.window_probe = None;
            self.timers.window_probes = 0;
        }
        if self.flight.is_empty() {
            self.timers.retransmission = None;
            self.timers.tail_probe = None;
            self.timers.reordering = None;
        } else if has_advanced {
            self.timers.retransmission = Some(now + self.rtt.timeout());
            self.arm_tail_probe(now);
        }
    }

    /// RFC 8985 section 7.2: two round trips, and time for a delayed acknowledgement if one segment is alone.
    fn arm_tail_probe(&mut self, now: Time) {
        let is_right = self.plan.has_rack
            && self.phase == Phase::Open
            && self.timers.tail.is_none()
            && !self.flight.has_sacked();
        let Some(smoothed) = self.rtt.smoothed().filter(|_| is_right) else {
            self.timers.tail_probe = None;
            return;
        };
        let is_alone = self.flight.bytes() <= self.plan.mss();
        let extra = if is_alone { self.plan.rto_min } else { TAIL_PATIENCE };
        let at = now + smoothed + smoothed + extra;
        self.timers.tail_probe = Some(self.timers.retransmission.map_or(at, |timeout| timeout.min(at)));
    }

    /// RFC 8985 section 7.3: new data if there is some, else the last segment once more.
    pub(super) fn tail_probe(&mut self, now: Time) -> Option<Segment> {
        let (start, bytes) = self.flight.last()?;
        self.counts.tail_probes += 1;
        let told = self.edge.saturating_sub(self.flight.next());
        let new = self.unsent_bytes().min(told).min(self.plan.mss());
        let segment = if new > 0 { self.send_new(now, new) } else { self.send_again(now, start, bytes) };
        self.timers.tail = Some(Tail { end: segment.end(), is_retransmission: segment.is_retransmission });
        Some(segment)
    }

    /// RFC 8985 section 7.4, without DSACK: a duplicate says that the probe was not needed, and progress beyond it
    /// that it repaired a loss.
    pub(super) fn note_tail_probe(&mut self, now: Time, is_news: bool) {
        let Some(tail) = self.timers.tail else { return };
        let una = self.flight.una();
        if !tail.is_retransmission {
            if una >= tail.end {
                self.timers.tail = None;
            }
        } else if una > tail.end {
            self.timers.tail = None;
            if self.phase == Phase::Open && !self.window.is_bbr() {
                self.window.handle_loss(now, self.flight.bytes());
            }
        } else if una == tail.end && !is_news {
            self.timers.tail = None;
        }
    }

    pub(super) fn arm_window_probe(&mut self, now: Time) {
        if self.timers.window_probe.is_none() {
            let factor = 1_u64.checked_shl(self.timers.window_probes).unwrap_or(u64::MAX);
            let wait = Span(self.rtt.timeout().0.saturating_mul(factor)).min(self.plan.rto_max);
            self.timers.window_probe = Some(now + wait);
        }
    }
}

/// What is granted beyond two round trips (Linux `TCP_TIMEOUT_MIN`: two jiffies).
const TAIL_PATIENCE: Span = Span::from_ms(2);

//! What an acknowledgement means: progress, a measured round trip, a duplicate, a loss.

use incast_core::time::{Span, Time};

use super::super::Ack;
use super::super::flight::{DUPLICATES, Told};
use super::super::plan::Congestion;
use super::super::window::{Delivery, Standing};
use super::{Phase, TcpSender, Urgent};

/// RACK's memory (RFC 8985 section 5.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rack {
    /// Of the latest sent that arrived: when, and its end.
    pub(super) newest: Option<(Time, u64)>,
    /// The round trip of that one.
    pub(super) round_trip: Span,
}

/// A sample of the rate of delivery.
#[derive(Clone, Copy, Debug, Default)]
struct Sampled {
    before: Option<u64>,
    interval: Span,
    is_app_limited: bool,
}

impl TcpSender {
    pub(super) fn take_ack(&mut self, now: Time, ack: &Ack) {
        self.counts.acks += 1;
        if ack.cumulative > self.flight.next() {
            self.counts.nonsense_acks += 1;
            return;
        }
        let edge = ack.cumulative.saturating_add(ack.window);
        let is_update = edge > self.edge;
        self.edge = self.edge.max(edge);
        let had_data = !self.flight.is_empty();
        let blocks = if self.plan.has_sack { &ack.sack[..] } else { &[] };
        let told = self.flight.handle_ack(ack.cumulative, blocks);
        self.measure(now, &told);
        let sampled = self.deliver(now, &told);
        let lost_before = self.flight.lost_bytes();
        let is_duplicate =
            had_data && ack.cumulative == self.flight.una() && told.advanced == 0 && !is_update;
        let is_duplicate = is_duplicate && (!self.plan.has_sack || told.sacked > 0);
        self.counts.duplicate_acks += u64::from(is_duplicate);
        if self.plan.has_rack {
            self.note_rack(now, &told);
        }
        if told.advanced > 0 {
            self.duplicates = 0;
        }
        match self.phase {
            Phase::Open => self.ack_when_open(now, &told, is_duplicate),
            Phase::Recovery => self.ack_in_recovery(now, &told, is_duplicate),
            Phase::Loss => self.ack_after_timeout(now, &told),
        }
        if self.window.is_bbr() {
            self.tell_window(now, &told, &sampled, lost_before);
        }
        self.note_tail_probe(now, told.advanced > 0 || told.sacked > 0);
        self.arm_after_ack(now, told.advanced > 0);
    }

    /// RFC 6298 section 3 (Karn): nothing that was sent twice measures anything.
    fn measure(&mut self, now: Time, told: &Told) {
        let first = if told.had_again { None } else { told.first_sent };
        if let Some(sent) = first.or(told.first_sacked) {
            self.rtt.handle_sample(now, now.since(sent));
        } else if told.advanced > 0 && self.plan.timestamp_bytes > 0 {
            self.rtt.handle_progress();
        }
    }

    /// Delivery so far, and a sample of its rate (draft-cheng-iccrg-delivery-rate-estimation-00 section 3.3).
    fn deliver(&mut self, now: Time, told: &Told) -> Sampled {
        if told.delivered > 0 {
            self.delivery.delivered += told.delivered;
            self.delivery.delivered_at = now;
        }
        if self.delivery.delivered > self.app_limited_until {
            self.delivery.is_app_limited = false;
        }
        let Some(newest) = told.newest else { return Sampled::default() };
        self.delivery.first_sent = newest.sent;
        let sending = newest.sent.since(newest.stamp.first_sent);
        Sampled {
            before: Some(newest.stamp.delivered),
            interval: sending.max(now.since(newest.stamp.delivered_at)),
            is_app_limited: newest.stamp.is_app_limited,
        }
    }

    fn tell_window(&mut self, now: Time, told: &Told, sampled: &Sampled, lost_before: u64) {
        let once = if told.had_again { None } else { told.last_sent };
        let delivery = Delivery {
            now,
            acked: told.delivered,
            lost: self.flight.lost_bytes() - lost_before,
            delivered: self.delivery.delivered,
            before: sampled.before,
            interval: sampled.interval,
            is_app_limited: sampled.is_app_limited,
            sample: once.or(told.first_sacked).map(|sent| now.since(sent)),
            pipe: self.flight.pipe(),
        };
        self.window.handle_delivery(&delivery);
    }

    fn ack_when_open(&mut self, now: Time, told: &Told, is_duplicate: bool) {
        if is_duplicate {
            self.duplicates += 1;
        }
        // RFC 6582 section 3.2 step 1: duplicates of what an earlier recovery sent twice say nothing. Its text asks for more
        // than `recover`; then a stream that loses the very next segment waits for the timer. As in ns-3, all of it is enough.
        let is_fresh = self.plan.has_sack || self.recover.is_none_or(|recover| self.flight.una() >= recover);
        let is_lost = if self.plan.has_rack {
            self.rack_finds(now)
        } else {
            let by_rule = self.plan.has_sack && self.flight.handle_rule_6675(self.plan.mss());
            by_rule || (is_duplicate && self.duplicates >= DUPLICATES && is_fresh)
        };
        if is_lost && !self.flight.is_empty() {
            self.enter_recovery(now);
            return;
        }
        self.grow(now, told, false);
    }

    fn grow(&mut self, now: Time, told: &Told, is_repairing: bool) {
        if told.advanced == 0 {
            return;
        }
        let sample = told.last_sent.filter(|_| !told.had_again).map(|sent| now.since(sent));
        let standing = Standing {
            una: self.flight.una(),
            next: self.flight.next(),
            is_repairing,
            sample,
            least: self.rtt.least(),
        };
        self.window.handle_acked(now, told.advanced, standing);
    }

    pub(super) fn enter_recovery(&mut self, now: Time) {
        self.counts.fast_retransmits += 1;
        self.phase = Phase::Recovery;
        self.recover = Some(self.flight.next());
        self.window.handle_loss(now, self.flight.bytes());
        if self.inflates() {
            self.window.inflate(DUPLICATES);
        }
        if self.flight.next_lost().is_none() {
            self.flight.handle_first_lost();
        }
        self.urgent = Some(Urgent::Lost);
        self.duplicates = 0;
        self.timers.tail_probe = None;
    }

    fn ack_in_recovery(&mut self, now: Time, told: &Told, is_duplicate: bool) {
        let is_over = self.recover.is_none_or(|recover| self.flight.una() >= recover);
        // RFC 5681 section 3.2 step 6: without more, the first new acknowledgement ends it.
        let is_plain = self.plan.congestion == Congestion::Reno && !self.plan.has_sack;
        if is_over || (is_plain && told.advanced > 0) {
            self.leave_recovery();
        } else if self.plan.has_sack {
            if self.plan.has_rack {
                self.rack_finds(now);
            } else {
                self.flight.handle_rule_6675(self.plan.mss());
            }
            if self.flight.next_lost().is_none() && self.unsent_bytes() == 0 {
                self.flight.handle_next_hole();
            }
        } else if told.advanced > 0 {
            // RFC 6582: a partial acknowledgement names the next hole.
            if self.inflates() {
                self.window.deflate(told.advanced);
            }
            self.flight.handle_first_lost();
            self.urgent = Some(Urgent::Lost);
        } else if is_duplicate && self.inflates() {
            self.window.inflate(1);
        }
    }

    fn leave_recovery(&mut self) {
        self.phase = Phase::Open;
        let mss = self.plan.mss();
        let most = if self.plan.has_sack || self.plan.congestion == Congestion::Reno {
            u64::MAX
        } else {
            self.flight.bytes().max(mss) + mss
        };
        self.window.handle_recovered(most);
        self.window.handle_repaired();
    }

    fn ack_after_timeout(&mut self, now: Time, told: &Told) {
        if self.plan.has_rack {
            self.rack_finds(now);
        }
        self.grow(now, told, true);
        if self.recover.is_none_or(|recover| self.flight.una() >= recover) {
            self.phase = Phase::Open;
            self.window.handle_repaired();
        }
    }

    /// RFC 8985 section 6.2 steps 2 and 3.
    fn note_rack(&mut self, now: Time, told: &Told) {
        let Some(newest) = told.newest else { return };
        let round_trip = now.since(newest.sent);
        // An acknowledgement sooner than any round trip is of the transmission before.
        if newest.was_again && self.rtt.least().is_some_and(|least| round_trip < least) {
            return;
        }
        self.rack.round_trip = round_trip;
        if self.rack.newest.is_none_or(|known| (newest.sent, newest.end) > known) {
            self.rack.newest = Some((newest.sent, newest.end));
        }
    }

    /// RFC 8985 section 6.2 step 5; says whether something new was found to be lost.
    pub(super) fn rack_finds(&mut self, now: Time) -> bool {
        let Some(newest) = self.rack.newest else { return false };
        // Section 6.2 step 4: no patience once recovery goes on, or when three segments tell of it.
        let is_sure = self.phase != Phase::Open || self.flight.sacked_bytes() >= DUPLICATES * self.plan.mss();
        let patience = if is_sure { Span::ZERO } else { Span(self.rtt.least().unwrap_or(Span::ZERO).0 / 4) };
        let smoothed = self.rtt.smoothed().unwrap_or(Span::ZERO);
        let patience = self.rack.round_trip + patience.min(smoothed);
        let (has_lost, due) = self.flight.handle_rack(now, newest, patience);
        self.timers.reordering = due;
        has_lost
    }
}

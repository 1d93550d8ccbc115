//! One stream of a flood, at its receiver: counts what came and knows when nothing more will.
//!
//! The owner calls [`FloodReceiver::handle_batch`] once with the time of a batch, then
//! [`FloodReceiver::handle_message`] per message. When the sender has told its total
//! ([`FloodReceiver::handle_total`]), the stream is drained as soon as every message is there, or
//! after a quiet time: a loss at the tail is a loss too.

use super::report::INTERVALS_MAX;
use super::sender::FIRST_COUNTER;
use crate::sequence::{Arrival, Counts, SequenceTracker};
use crate::time::{Span, Time};

/// After the sender's total is known: how long without a message means that none is on its way.
/// A round trip round the earth is below it, and a full 4 MiB queue on 1 Gbit/s drains in 34 ms.
pub const DRAIN_QUIET: Span = Span::from_ms(500);
/// Longest drain, though messages still come: a peer cannot hold the account open.
pub const DRAIN_MAX: Span = Span::from_s(5);
/// The same over TCP, which may be silent for long and still bring everything: after a port was full
/// of others' packets it repeats its own after 0.2 s, 0.4 s and so on, at twice the time each.
pub const DRAIN_QUIET_TCP: Span = Span::from_s(4);
/// Below the silence after which a peer is given up.
pub const DRAIN_MAX_TCP: Span = Span::from_s(8);

/// The receiver of one stream.
#[derive(Clone, Debug)]
pub struct FloodReceiver {
    tracker: SequenceTracker,
    start: Time,
    now: Time,
    first: Option<Time>,
    last: Option<Time>,
    last_any: Time,
    interval: Span,
    interval_end: Time,
    intervals: Vec<Counts>,
    /// One past the sender's last counter, and when it was told.
    total: Option<(u64, Time)>,
    /// Longest silence, and longest time in all, once the total is known.
    patience: [Span; 2],
}

impl FloodReceiver {
    /// A receiver whose intervals begin at `start`.
    #[must_use]
    pub fn new(start: Time, interval: Span) -> Self {
        Self {
            tracker: SequenceTracker::new(FIRST_COUNTER),
            start,
            now: start,
            first: None,
            last: None,
            last_any: start,
            interval,
            interval_end: start + interval,
            intervals: Vec::new(),
            total: None,
            patience: [DRAIN_QUIET, DRAIN_MAX],
        }
    }

    /// The same for a carrier that repeats what was lost.
    #[must_use]
    pub const fn over_tcp(mut self) -> Self {
        self.patience = [DRAIN_QUIET_TCP, DRAIN_MAX_TCP];
        self
    }

    /// A batch of messages was taken from the kernel at `now`; they follow.
    #[inline]
    pub fn handle_batch(&mut self, now: Time) {
        self.now = now;
        if now >= self.interval_end {
            self.close_intervals();
        }
    }

    /// The message with `counter` came, in the batch announced last.
    #[inline]
    pub fn handle_message(&mut self, counter: u64) -> Arrival {
        self.tracker.record(counter)
    }

    /// The batch announced last is complete and brought something.
    #[inline]
    pub fn handle_batch_end(&mut self) {
        self.first.get_or_insert(self.now);
        self.last = Some(self.now);
        self.last_any = self.now;
    }

    /// The sender tells how many messages it sent in all.
    pub fn handle_total(&mut self, now: Time, messages: u64) {
        self.total.get_or_insert_with(|| (FIRST_COUNTER.saturating_add(messages), now));
    }

    /// Whether nothing more is to be waited for.
    #[must_use]
    pub fn is_drained(&self, now: Time) -> bool {
        let Some((end, told)) = self.total else { return false };
        let all_here = self.tracker.counts().unique >= end - FIRST_COUNTER;
        all_here || self.next_timeout().is_some_and(|at| now >= at) || now.since(told) >= self.patience[1]
    }

    /// When [`Self::is_drained`] may change without a message; `None` while the total is unknown.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let (_, told) = self.total?;
        let [quiet, most] = self.patience;
        Some((self.last_any.max(told) + quiet).min(told + most))
    }

    /// Time of the last message, or of the start.
    #[must_use]
    pub fn last_heard(&self) -> Time {
        self.last_any
    }

    /// Counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tracker.counts()
    }

    /// Closes the account: the tail that is missing is lost.
    pub fn finish(&mut self) {
        self.tracker.finish(self.total.map(|(end, _)| end));
    }

    /// Whether the sender's total is known.
    #[must_use]
    pub fn total_messages(&self) -> Option<u64> {
        self.total.map(|(end, _)| end - FIRST_COUNTER)
    }

    /// The tracker, for its loss runs and its reordering.
    #[must_use]
    pub fn tracker(&self) -> &SequenceTracker {
        &self.tracker
    }

    /// Counts by the end of each interval that is over.
    #[must_use]
    pub fn intervals(&self) -> &[Counts] {
        &self.intervals
    }

    /// From the start to the first message.
    #[must_use]
    pub fn first(&self) -> Option<Span> {
        self.first.map(|first| first.since(self.start))
    }

    /// From the start to the last message.
    #[must_use]
    pub fn last(&self) -> Option<Span> {
        self.last.map(|last| last.since(self.start))
    }

    #[cold]
    fn close_intervals(&mut self) {
        while self.now >= self.interval_end && self.intervals.len() < INTERVALS_MAX {
            self.intervals.push(self.tracker.counts());
            self.interval_end += self.interval;
        }
        if self.intervals.len() == INTERVALS_MAX {
            self.interval_end = Time(u64::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Time {
        Time::ZERO + Span::from_ms(ms)
    }

    fn receive(receiver: &mut FloodReceiver, now: Time, counters: &[u64]) {
        receiver.handle_batch(now);
        for counter in counters {
            receiver.handle_message(*counter);
        }
        receiver.handle_batch_end();
    }

    #[test]
    fn tcp_is_given_the_time_to_repeat() {
        let mut receiver = FloodReceiver::new(Time::ZERO, Span::from_ms(10)).over_tcp();
        receiver.handle_total(at_ms(0), 2);
        assert!(!receiver.is_drained(at_ms(3_999)));
        assert!(receiver.is_drained(at_ms(4_000)));
    }

    #[test]
    fn a_complete_stream_is_drained_at_once() {
        let mut receiver = FloodReceiver::new(Time::ZERO, Span::from_ms(10));
        receive(&mut receiver, at_ms(1), &[1, 2, 3]);
        assert!(!receiver.is_drained(at_ms(9_000)), "without a total nothing is known");
        receiver.handle_total(at_ms(2), 3);
        assert!(receiver.is_drained(at_ms(2)));
    }

    #[test]
    fn a_loss_at_the_tail_is_waited_for_and_counted() {
        let mut receiver = FloodReceiver::new(Time::ZERO, Span::from_ms(10));
        receive(&mut receiver, at_ms(1), &[1, 2, 3]);
        receiver.handle_total(at_ms(2), 6);
        assert!(!receiver.is_drained(at_ms(501)));
        receive(&mut receiver, at_ms(400), &[4]);
        assert!(!receiver.is_drained(at_ms(899)), "a message restarts the quiet time");
        assert_eq!(receiver.next_timeout(), Some(at_ms(900)));
        assert!(receiver.is_drained(at_ms(900)));
        receiver.finish();
        assert_eq!((receiver.counts().unique, receiver.counts().lost), (4, 2));
    }

    #[test]
    fn endless_duplicates_do_not_hold_the_account_open() {
        let mut receiver = FloodReceiver::new(Time::ZERO, Span::from_ms(10));
        receiver.handle_total(Time::ZERO, 2);
        for ms in 1..5_000 {
            receive(&mut receiver, at_ms(ms), &[1]);
            assert!(!receiver.is_drained(at_ms(ms)));
        }
        assert!(receiver.is_drained(at_ms(5_000)));
    }

    #[test]
    fn intervals_are_cumulative_and_never_skipped() {
        let mut receiver = FloodReceiver::new(Time::ZERO, Span::from_ms(10));
        receive(&mut receiver, at_ms(1), &[1, 2]);
        receive(&mut receiver, at_ms(35), &[3, 5]);
        let unique: Vec<_> = receiver.intervals().iter().map(|counts| counts.unique).collect();
        assert_eq!(unique, [2, 2, 2], "a batch belongs to the interval it came in");
        assert_eq!(receiver.counts().lost, 1);
    }
}

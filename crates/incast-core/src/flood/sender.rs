//! One stream of a flood, at its sender: what leaves, when, and with which counter.
//!
//! The owner asks [`FloodSender::poll_transmit`] for a train of messages, gives it to a carrier,
//! and tells with [`FloodSender::handle_unsent`] what the carrier could not take. Counters run
//! from 1, without a gap: what was not sent has no counter.

use super::report::INTERVALS_MAX;
use crate::load::{Load, Spacing, Stop};
use crate::pacer::Pacer;
use crate::random::Random;
use crate::stats::LogHistogram;
use crate::time::{Span, Time};

/// The counter of the first message of every stream.
pub const FIRST_COUNTER: u64 = 1;

/// Consecutive messages that leave together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train {
    /// Counter of the first.
    pub first: u64,
    /// How many; at least one.
    pub messages: u32,
}

/// What one stream is to send.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// Load of the whole flow.
    pub load: Load,
    /// Spacing of each stream.
    pub spacing: Spacing,
    /// Message size in bytes.
    pub message_bytes: u32,
    /// Streams that share the load.
    pub streams: u32,
    /// Which of them this is, from 0.
    pub index: u32,
    /// When the flow is to end.
    pub stop: Stop,
    /// Length of a reported interval.
    pub interval: Span,
    /// Seed of the run.
    pub seed: u64,
}

/// The sender of one stream.
#[derive(Clone, Debug)]
pub struct FloodSender {
    pacer: Pacer,
    start: Time,
    deadline: Option<Time>,
    /// Counter after the last that may be sent.
    end: u64,
    next: u64,
    last_departure: Option<Time>,
    finished: Option<Time>,
    aborted: bool,
    interval: Span,
    interval_end: Time,
    intervals: Vec<u64>,
    departure_error: LogHistogram,
    paced: bool,
}

impl FloodSender {
    /// A sender whose first message is due at `start`.
    #[must_use]
    pub fn new(plan: &StreamPlan, start: Time) -> Self {
        let streams = u64::from(plan.streams.max(1));
        let share = |all: u64| all / streams + u64::from(u64::from(plan.index) < all % streams);
        let random = Random::named(plan.seed, &format!("stream {}", plan.index));
        // Streams of one flow take turns: their schedules are shifted by one message of the flow.
        let shift = plan.load.interval(plan.message_bytes).map_or(Span::ZERO, |interval| {
            let shift = interval.picoseconds * u128::from(plan.index) / interval.messages;
            Span(u64::try_from(shift).unwrap_or(u64::MAX))
        });
        Self {
            pacer: Pacer::new(
                plan.load,
                plan.spacing,
                plan.message_bytes,
                plan.streams.max(1),
                start + shift,
                random,
            ),
            start,
            deadline: plan.stop.after.map(|after| start + after),
            end: plan
                .stop
                .messages
                .map_or(u64::MAX, |messages| FIRST_COUNTER.saturating_add(share(messages))),
            next: FIRST_COUNTER,
            last_departure: None,
            finished: None,
            aborted: false,
            interval: plan.interval,
            interval_end: start + plan.interval,
            intervals: Vec::new(),
            departure_error: LogHistogram::new(),
            paced: plan.load != Load::Unlimited,
        }
    }

    /// The next train of at most `room` messages; `None` if none is due or the stream has ended.
    pub fn poll_transmit(&mut self, now: Time, room: u32) -> Option<Train> {
        self.handle_time(now);
        let left = self.end - self.next;
        if self.finished.is_some() || now < self.start {
            return None;
        }
        if left == 0 || self.deadline.is_some_and(|deadline| now >= deadline) {
            self.finish(now);
            return None;
        }
        let room = room.min(u32::try_from(left).unwrap_or(u32::MAX));
        let due = self.pacer.poll_due(now, room)?;
        if self.paced {
            self.departure_error.record(due.late.as_ns());
        }
        let first = self.next;
        self.next += u64::from(due.messages);
        self.last_departure = Some(now);
        Some(Train { first, messages: due.messages })
    }

    /// The carrier could not take the last `messages` of what it was given: they were never sent.
    pub fn handle_unsent(&mut self, messages: u64) {
        self.next = self.next.saturating_sub(messages).max(FIRST_COUNTER);
    }

    /// Ends the stream now, before its time.
    pub fn handle_abort(&mut self, now: Time) {
        self.handle_time(now);
        let its_time = self.next == self.end || self.deadline.is_some_and(|deadline| now >= deadline);
        self.aborted |= self.finished.is_none() && !its_time;
        self.finish(now);
    }

    /// Whether it was ended before its time.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// When to call [`Self::poll_transmit`] again; `None` when the stream has ended.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        if self.finished.is_some() {
            return None;
        }
        if self.next == self.end {
            return Some(self.start);
        }
        let departure = self.pacer.next_departure().unwrap_or(self.start).max(self.start);
        Some(self.deadline.map_or(departure, |deadline| departure.min(deadline)))
    }

    /// When the stream ends at the latest, if a time was set.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Whether the stream has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Messages sent so far.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.next - FIRST_COUNTER
    }

    /// From the start to the end of sending: the deadline, or the last departure if a count ended it.
    #[must_use]
    pub fn duration(&self) -> Span {
        let end = self.finished.or(self.last_departure).unwrap_or(self.start);
        end.since(self.start)
    }

    /// Messages sent by the end of each interval that is over.
    #[must_use]
    pub fn intervals(&self) -> &[u64] {
        &self.intervals
    }

    /// How late messages left, in nanoseconds; empty when the load is unlimited.
    #[must_use]
    pub fn departure_error(&self) -> &LogHistogram {
        &self.departure_error
    }

    /// Messages whose turn was given up.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.pacer.skipped()
    }

    fn finish(&mut self, now: Time) {
        if self.finished.is_none() {
            // A stream that ends by its count ended with its last message, not when someone asked.
            let counted_out = self.next == self.end;
            let end = if counted_out { self.last_departure.unwrap_or(now) } else { now };
            self.finished = Some(self.deadline.map_or(end, |deadline| end.min(deadline)));
        }
    }

    fn handle_time(&mut self, now: Time) {
        while now >= self.interval_end && self.finished.is_none() && self.intervals.len() < INTERVALS_MAX {
            self.intervals.push(self.messages());
            self.interval_end += self.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(load: &str, stop: Stop) -> StreamPlan {
        StreamPlan {
            load: load.parse().unwrap(),
            spacing: Spacing::Fixed,
            message_bytes: 1000,
            streams: 1,
            index: 0,
            stop,
            interval: Span::from_ms(1),
            seed: 1,
        }
    }

    fn messages(count: u64) -> Stop {
        Stop { after: None, messages: Some(count) }
    }

    /// Drives a sender as its owner would, waking when told, with room for `room` messages a time.
    fn drive(sender: &mut FloodSender, room: u32) -> Vec<Train> {
        let (mut now, mut trains) = (Time::ZERO, Vec::new());
        while let Some(at) = sender.next_timeout() {
            now = now.max(at);
            if let Some(train) = sender.poll_transmit(now, room) {
                trains.push(train);
            }
        }
        trains
    }

    #[test]
    fn counters_run_from_one_without_a_gap() {
        let mut sender = FloodSender::new(&plan("unlimited", messages(10)), Time::ZERO);
        let trains = drive(&mut sender, 4);
        assert_eq!(
            trains.iter().map(|train| (train.first, train.messages)).collect::<Vec<_>>(),
            [(1, 4), (5, 4), (9, 2)]
        );
        assert_eq!(sender.messages(), 10);
    }

    #[test]
    fn what_was_not_sent_has_no_counter() {
        let mut sender = FloodSender::new(&plan("unlimited", messages(10)), Time::ZERO);
        assert_eq!(sender.poll_transmit(Time::ZERO, 8).map(|train| train.messages), Some(8));
        sender.handle_unsent(3);
        assert_eq!(sender.poll_transmit(Time::ZERO, 8), Some(Train { first: 6, messages: 5 }));
        assert_eq!(sender.messages(), 10);
    }

    #[test]
    fn a_duration_ends_at_its_deadline() {
        let mut sender = FloodSender::new(&plan("100us", Stop::after(Span::from_ms(3))), Time::ZERO);
        drive(&mut sender, 4);
        assert_eq!((sender.messages(), sender.duration()), (30, Span::from_ms(3)));
        assert_eq!(sender.intervals(), [10, 20, 30]);
    }

    #[test]
    fn streams_share_the_messages_exactly() {
        for streams in 1..=7 {
            let sum: u64 = (0..streams)
                .map(|index| {
                    let mut sender = FloodSender::new(
                        &StreamPlan { streams, index, ..plan("1us", messages(100)) },
                        Time::ZERO,
                    );
                    drive(&mut sender, 4);
                    sender.messages()
                })
                .sum();
            assert_eq!(sum, 100, "{streams} streams");
        }
    }

    #[test]
    fn only_an_end_before_its_time_is_an_abort() {
        let of = |stop, at| {
            let mut sender = FloodSender::new(&plan("100us", stop), Time::ZERO);
            sender.poll_transmit(Time::ZERO, 4);
            sender.handle_abort(at);
            sender.is_aborted()
        };
        let second = Time::ZERO + Span::from_s(1);
        assert!(of(Stop::after(Span::from_s(2)), second));
        assert!(!of(Stop::after(Span::from_s(1)), second), "its deadline has come");
        assert!(!of(messages(1), second), "it has sent all");
    }

    #[test]
    fn falling_behind_lowers_the_offered_load_and_is_counted() {
        let mut sender = FloodSender::new(&plan("10us", Stop::after(Span::from_ms(100))), Time::ZERO);
        let late = Time::ZERO + Span::from_ms(50);
        assert_eq!(sender.poll_transmit(late, 64).map(|train| train.first), Some(1));
        // 5000 turns have come by then (and one is due now); 10 ms worth of them may be made good.
        assert!((3_999..=4_001).contains(&sender.skipped()), "{}", sender.skipped());
    }
}

//! One point of a probe at its receiver: order, delay and its variation, time between arrivals.
//!
//! Memory is bounded: histograms, not stamps. Delays are counted from the smallest of the warm-up, so that a
//! histogram is fine near it whatever the two clocks say; the offset between them is taken out
//! afterwards, when it is known. Their drift is taken out here, as far as it was known before the point began.
//!
//! ```text
//!  counter:  1 ... warm-up | warm-up + 1 ... total
//!            not counted   | counted by a tracker of their own
//! ```
//! Every first arrival gives a delay (RFC 7679) and, but for the first, a time since the arrival before it. The
//! variation is IPDV (RFC 3393 with the selection of RFC 5481 §4.1): the delay of a message minus that of
//! the message *sent* before it, in whatever order the two came. PDV (RFC 5481 §4.2) is the delay above the smallest,
//! and needs no counting of its own. Duplicates have no delay.

use super::report::ProbeSeen;
use super::sweep::ProbeStream;
use crate::flood::sender::FIRST_COUNTER;
use crate::sequence::{Arrival, SequenceTracker};
use crate::stats::signed::SignedHistogram;

/// Messages back to which the one sent before is looked up, when messages come out of order: 16 KiB, and at a
/// million a second a millisecond.
const RECENT_MESSAGES: usize = 1_024;

/// What told the time of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampSource {
    /// The network card, when the last bit had come.
    Nic,
    /// The kernel, when the driver handed it the packet.
    Kernel,
    /// The reader's clock, when a batch was taken from the socket.
    Reader,
}

/// The receiver of one point.
#[derive(Clone, Debug)]
pub struct ProbeReceiver {
    drift_ppb: i64,
    warm_up_messages: u64,
    tracker: SequenceTracker,
    /// Smallest delay of the warm-up, and of the first message that counts.
    base_delay_ns: Option<i64>,
    /// Arrival of the first message that counts.
    first_ns: Option<i64>,
    /// Latest first arrival.
    last_ns: i64,
    delay: SignedHistogram,
    delay_variation: SignedHistogram,
    inter_arrival: SignedHistogram,
    /// Delays by counter, the counter's remainder being the place; 0 is no counter.
    recent: Box<[(u64, i64)]>,
    nic_stamps: u64,
    kernel_stamps: u64,
    reader_stamps: u64,
    answered: u64,
}

impl ProbeReceiver {
    /// Nothing has arrived yet.
    #[must_use]
    pub fn new(stream: &ProbeStream) -> Self {
        Self {
            drift_ppb: stream.drift_ppb,
            warm_up_messages: stream.warm_up_messages,
            tracker: SequenceTracker::new(FIRST_COUNTER.saturating_add(stream.warm_up_messages)),
            base_delay_ns: None,
            first_ns: None,
            last_ns: 0,
            delay: SignedHistogram::default(),
            delay_variation: SignedHistogram::default(),
            inter_arrival: SignedHistogram::default(),
            recent: vec![(0, 0); RECENT_MESSAGES].into(),
            nic_stamps: 0,
            kernel_stamps: 0,
            reader_stamps: 0,
            answered: 0,
        }
    }

    /// A two-way request was answered.
    pub fn handle_answered(&mut self) {
        self.answered += 1;
    }

    /// The message with `counter` arrived, which says that it left at `departure_ns`; each by its own clock.
    pub fn handle_message(&mut self, counter: u64, departure_ns: i64, arrival_ns: i64, source: StampSource) {
        // A peer may say anything: what is beyond 146 years is as good as at its edge.
        let raw = arrival_ns.saturating_sub(departure_ns);
        if counter < FIRST_COUNTER.saturating_add(self.warm_up_messages) {
            self.base_delay_ns = self.base_delay_ns.map_or(Some(raw), |least| Some(least.min(raw)));
            return;
        }
        if !matches!(self.tracker.record(counter), Arrival::InOrder | Arrival::Ahead | Arrival::Late) {
            return;
        }
        match source {
            StampSource::Nic => self.nic_stamps += 1,
            StampSource::Kernel => self.kernel_stamps += 1,
            StampSource::Reader => self.reader_stamps += 1,
        }
        if self.first_ns.is_none() {
            self.base_delay_ns = self.base_delay_ns.map_or(Some(raw), |least| Some(least.min(raw)));
        } else {
            self.inter_arrival.record(arrival_ns.saturating_sub(self.last_ns));
        }
        let first_ns = *self.first_ns.get_or_insert(arrival_ns);
        let drifted = drift_ns(self.drift_ppb, arrival_ns.saturating_sub(first_ns));
        let delay = raw.saturating_sub(drifted);
        self.delay.record(delay.saturating_sub(self.base_delay_ns.unwrap_or(raw)));
        self.last_ns = arrival_ns;
        self.record_variation(counter, delay);
    }

    /// The delay against those of its neighbours in the order of sending, if they have come.
    fn record_variation(&mut self, counter: u64, delay: i64) {
        if let Some(before) = self.recent_delay(counter - 1) {
            self.delay_variation.record(delay.saturating_sub(before));
        }
        if let Some(after) = self.recent_delay(counter.saturating_add(1)) {
            self.delay_variation.record(after.saturating_sub(delay));
        }
        self.recent[place(counter)] = (counter, delay);
    }

    fn recent_delay(&self, counter: u64) -> Option<i64> {
        let (known, delay) = self.recent[place(counter)];
        (known == counter && counter > 0).then_some(delay)
    }

    /// Closes the account; `messages` is how many were sent, those of the warm-up included, if that is known.
    pub fn finish(&mut self, messages: Option<u64>) {
        let first = FIRST_COUNTER.saturating_add(self.warm_up_messages);
        let end = messages.map(|messages| FIRST_COUNTER.saturating_add(messages).max(first));
        self.tracker.finish(end);
    }

    /// What was learned.
    #[must_use]
    pub fn seen(&self) -> ProbeSeen {
        let counts = self.tracker.counts();
        ProbeSeen {
            warm_up_messages: self.warm_up_messages,
            counts,
            loss_runs: self.tracker.loss_runs().to_record(),
            reordering: self.tracker.reordering().to_record(counts.unique),
            base_delay_ns: self.base_delay_ns.unwrap_or(0),
            first_ns: self.first_ns.unwrap_or(0),
            last_ns: self.last_ns,
            drift_ppb: self.drift_ppb,
            delay: self.delay.clone(),
            delay_variation: self.delay_variation.clone(),
            inter_arrival: self.inter_arrival.clone(),
            nic_stamps: self.nic_stamps,
            kernel_stamps: self.kernel_stamps,
            reader_stamps: self.reader_stamps,
            answered: self.answered,
            ..ProbeSeen::default()
        }
    }
}

/// How far a clock with this drift is off after `elapsed_ns`.
pub(super) fn drift_ns(drift_ppb: i64, elapsed_ns: i64) -> i64 {
    let drifted = i128::from(drift_ppb) * i128::from(elapsed_ns) / 1_000_000_000;
    i64::try_from(drifted).unwrap_or(if drifted < 0 { i64::MIN } else { i64::MAX })
}

/// Where the delay of `counter` is kept.
fn place(counter: u64) -> usize {
    usize::try_from(counter % RECENT_MESSAGES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Random;

    fn receiver(warm_up_messages: u64, drift_ppb: i64) -> ProbeReceiver {
        ProbeReceiver::new(&ProbeStream { warm_up_messages, drift_ppb })
    }

    /// Values of a histogram whose buckets are exact (below 16 in magnitude).
    fn exact(histogram: &SignedHistogram) -> Vec<(i64, u64)> {
        histogram
            .filled()
            .map(|(from, to, count)| {
                assert_eq!(from, to, "an exact bucket");
                (from, count)
            })
            .collect()
    }

    #[test]
    fn what_is_counted_is_what_a_list_of_stamps_gives() {
        for seed in 0..100 {
            let mut random = Random::named(seed, "probe");
            let mut receiver = receiver(5, 0);
            // Departures every 10 ns; delays of up to 15 ns above 1000, in an order by arrival; a tenth lost, some twice.
            let mut arrivals: Vec<(i64, u64, i64)> = Vec::new();
            for counter in 1..=60_u64 {
                let departure = i64::try_from(counter).unwrap() * 10;
                if random.next_u64().is_multiple_of(10) {
                    continue;
                }
                for _ in 0..=u64::from(random.next_u64().is_multiple_of(20)) {
                    let delay = 1_000 + i64::try_from(random.next_u64() % 16).unwrap();
                    arrivals.push((departure + delay, counter, departure));
                }
            }
            arrivals.sort_unstable();
            for (arrival, counter, departure) in &arrivals {
                receiver.handle_message(*counter, *departure, *arrival, StampSource::Kernel);
            }
            receiver.finish(Some(60));
            // The naive model.
            let (mut delays, mut order): (BTreeMap<u64, i64>, Vec<i64>) = Default::default();
            for (arrival, counter, departure) in arrivals.iter().filter(|(_, counter, _)| *counter > 5) {
                if !delays.contains_key(counter) {
                    delays.insert(*counter, arrival - departure);
                    order.push(*arrival);
                }
            }
            let seen = receiver.seen();
            assert!(seen.is_plausible(), "seed {seed}");
            assert_eq!(seen.counts.unique, delays.len() as u64, "seed {seed}");
            assert_eq!(
                seen.counts.unique + seen.counts.lost,
                55,
                "seed {seed}: every message but the warm-up"
            );
            let count = |values: Vec<i64>| {
                let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
                values.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
                counts.into_iter().collect::<Vec<_>>()
            };
            let above = delays.values().map(|delay| delay - seen.base_delay_ns).collect();
            assert_eq!(exact(&seen.delay), count(above), "seed {seed}");
            let pairs =
                delays.iter().filter_map(|(counter, delay)| Some(delay - delays.get(&(counter - 1))?));
            assert_eq!(exact(&seen.delay_variation), count(pairs.collect()), "seed {seed}");
            let gaps: Vec<i64> = order.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let total: i64 = gaps.iter().sum();
            assert_eq!(seen.inter_arrival.count(), gaps.len() as u64, "seed {seed}");
            assert_eq!(seen.last_ns - seen.first_ns, total, "seed {seed}");
        }
    }

    #[test]
    fn a_drift_that_is_known_leaves_no_trace_in_the_delays() {
        let (mut with, mut without) = (receiver(0, 50_000), receiver(0, 0));
        for counter in 1..=1_000_i64 {
            // A second in all; the receiver's clock runs fast by 50 ppm.
            let departure = counter * 1_000_000;
            let arrival = departure + 20_000 + departure / 20_000;
            let counter = u64::try_from(counter).unwrap();
            with.handle_message(counter, departure, arrival, StampSource::Kernel);
            without.handle_message(counter, departure, arrival, StampSource::Kernel);
        }
        let span = |receiver: &ProbeReceiver| receiver.delay.max().unwrap() - receiver.delay.min().unwrap();
        assert!(span(&with) <= 3, "{}", span(&with));
        assert!(span(&without) > 49_000, "{}", span(&without));
    }

    #[test]
    fn a_late_first_message_does_not_make_the_others_coarse() {
        let mut receiver = receiver(2, 0);
        for (counter, delay) in [(1, 5_000_000), (2, 1_500), (3, 9_000_000), (4, 1_507), (5, 1_511)] {
            let departure = i64::try_from(counter).unwrap() * 100_000;
            receiver.handle_message(counter, departure, departure + delay, StampSource::Kernel);
        }
        let seen = receiver.seen();
        assert_eq!(seen.base_delay_ns, 1_500, "the smallest of the warm-up");
        let fine: Vec<(i64, i64, u64)> = seen.delay.filled().take(2).collect();
        assert_eq!(fine, [(7, 7, 1), (11, 11, 1)], "to the nanosecond");
    }

    #[test]
    fn stamps_that_a_peer_made_up_are_counted_and_nothing_breaks() {
        let mut receiver = receiver(0, i64::MAX);
        for (counter, stamp) in (1..).zip([i64::MIN, i64::MAX, 0, -1, i64::MIN, 7]) {
            receiver.handle_message(counter, stamp, -stamp.max(-i64::MAX), StampSource::Reader);
        }
        receiver.handle_message(u64::MAX, 0, 0, StampSource::Reader);
        receiver.handle_message(0, 0, 0, StampSource::Reader);
        receiver.finish(Some(u64::MAX));
        assert_eq!((receiver.seen().counts.unique, receiver.seen().reader_stamps), (6, 6));
    }

    #[test]
    fn a_stream_that_ends_within_its_warm_up_has_an_empty_account() {
        let mut receiver = receiver(100, 0);
        receiver.handle_message(1, 0, 5, StampSource::Kernel);
        receiver.finish(Some(3));
        let seen = receiver.seen();
        assert_eq!((seen.counts.received, seen.counts.lost, seen.delay.count()), (0, 0, 0));
    }
}

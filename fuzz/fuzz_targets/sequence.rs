//! The sequence tracker against a naive one that remembers every counter it has seen.
//!
//! Input: one byte that chooses the window and how the account ends, the first counter (0 stands
//! for 1, as in every flood), then arrivals: a tag, and a counter either whole or as its distance
//! from the next expected one, so that the edges of the window are met as well.

#![no_main]

use std::collections::BTreeSet;

use incast_core::sequence::{Arrival, SequenceTracker};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut data = data;
    let (Some([choice]), Some(first)) = (take(&mut data), take(&mut data).map(u64::from_le_bytes)) else {
        return;
    };
    let window = [64, 128, 4096, SequenceTracker::WINDOW_MESSAGES][usize::from(choice & 3)];
    let mut naive = Naive::new(first.max(1), window);
    let mut tracker = SequenceTracker::with_window(naive.first, window);
    if window == SequenceTracker::WINDOW_MESSAGES && naive.first == 1 {
        tracker = SequenceTracker::new(1);
    }
    while let Some(counter) = next_counter(&mut data, naive.next) {
        assert_eq!(tracker.record(counter), naive.record(counter), "counter {counter}, next {}", naive.next);
        check(&tracker, &naive);
    }
    let end = [None, Some(naive.next), Some(naive.next.saturating_add(first)), Some(first)]
        [usize::from(choice >> 6)];
    tracker.finish(end);
    naive.next = naive.next.max(end.unwrap_or(0));
    check(&tracker, &naive);
    let (counts, runs) = (tracker.counts(), tracker.loss_runs());
    assert_eq!((runs.total_messages(), runs.runs()), (counts.lost, naive.runs()));
    assert_eq!(tracker.reordering().reordered, counts.reordered);
    assert_eq!(tracker.record(naive.next), Arrival::Implausible, "the account is closed");
});

/// The laws, and the naive counts.
fn check(tracker: &SequenceTracker, naive: &Naive) {
    let counts = tracker.counts();
    assert_eq!(counts.received, counts.unique + counts.duplicate + counts.stale);
    assert_eq!(counts.unique + counts.lost, naive.next - naive.first);
    assert_eq!(counts.unique, naive.seen.len() as u64);
    assert_eq!((counts.late, counts.reordered), (naive.late, naive.late));
    assert_eq!((counts.received, counts.implausible), (naive.received, naive.implausible));
}

/// All counters ever seen.
struct Naive {
    first: u64,
    next: u64,
    window: u64,
    seen: BTreeSet<u64>,
    late: u64,
    received: u64,
    implausible: u64,
}

impl Naive {
    fn new(first: u64, window: u64) -> Self {
        Self { first, next: first, window, seen: BTreeSet::new(), late: 0, received: 0, implausible: 0 }
    }

    fn record(&mut self, counter: u64) -> Arrival {
        let arrival = self.sort(counter);
        match arrival {
            Arrival::Implausible => {
                self.implausible += 1;
                return arrival;
            }
            Arrival::InOrder | Arrival::Ahead => self.next = counter + 1,
            Arrival::Late => self.late += 1,
            Arrival::Duplicate | Arrival::Stale => {}
        }
        self.received += 1;
        if !matches!(arrival, Arrival::Duplicate | Arrival::Stale) {
            self.seen.insert(counter);
        }
        arrival
    }

    fn sort(&self, counter: u64) -> Arrival {
        let ahead = counter.checked_sub(self.next);
        match ahead {
            _ if counter < self.first || counter == u64::MAX => Arrival::Implausible,
            Some(0) => Arrival::InOrder,
            Some(1..=SequenceTracker::JUMP_MAX) => Arrival::Ahead,
            Some(_) => Arrival::Implausible,
            None if self.next - counter > self.window => Arrival::Stale,
            None if self.seen.contains(&counter) => Arrival::Duplicate,
            None => Arrival::Late,
        }
    }

    /// Runs of missing counters: one before each counter seen that follows a hole, and one at the end.
    fn runs(&self) -> u64 {
        let (mut runs, mut expected) = (0, self.first);
        for counter in self.seen.iter().copied().chain([self.next]) {
            runs += u64::from(counter > expected);
            expected = counter.saturating_add(1);
        }
        runs
    }
}

fn next_counter(data: &mut &[u8], next: u64) -> Option<u64> {
    let [tag] = take(data)?;
    Some(match tag % 5 {
        0 => next,
        1 => next.wrapping_add_signed(i64::from(i8::from_le_bytes(take(data)?))),
        2 => next.wrapping_add_signed(i64::from(i16::from_le_bytes(take(data)?))),
        3 => next.wrapping_add(u64::from(u32::from_le_bytes(take(data)?)) << 10),
        _ => u64::from_le_bytes(take(data)?),
    })
}

fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(*chunk)
}

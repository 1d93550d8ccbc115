//! Cost of the sequence tracker for each message: in order, and with 1 % displaced, lost or duplicated.
//!
//! The goal is 3 ns for a message in order and 10 ns with 1 % displaced; at 10 Mmsg/s a core has
//! 100 ns for everything. Counters come from memory, as they would from a batch of datagrams.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use incast_core::random::Random;
use incast_core::sequence::SequenceTracker;

/// Twice the window, so that words leave it.
const MESSAGES: u64 = 2 * SequenceTracker::WINDOW_MESSAGES;

fn main() {
    let mut criterion = Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    let streams = [
        ("in_order", stream(|_| vec![0])),
        (
            "displaced_1_percent",
            stream(|random| one_percent(random, |random| vec![1 + random.next_u64() % 64])),
        ),
        ("lost_1_percent", stream(|random| one_percent(random, |_| vec![]))),
        (
            "duplicated_1_percent",
            stream(|random| one_percent(random, |random| vec![0, random.next_u64() % 64])),
        ),
    ];
    for (name, arrivals) in &streams {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Elements(arrivals.len() as u64));
        group.bench_function("record", |bencher| {
            let setup = || SequenceTracker::new(1);
            bencher.iter_batched_ref(setup, |tracker| feed(tracker, arrivals), BatchSize::LargeInput);
        });
        group.finish();
    }
    criterion.final_summary();
}

fn feed(tracker: &mut SequenceTracker, arrivals: &[u64]) {
    for sequence in arrivals {
        black_box(tracker.record(black_box(*sequence)));
    }
}

/// Counters from 1 on, each as often and as late (in messages) as `delays` says.
fn stream(delays: impl Fn(&mut Random) -> Vec<u64>) -> Vec<u64> {
    let mut random = Random::named(1, "tracker bench");
    let mut arrivals = vec![];
    for sequence in 1..=MESSAGES {
        arrivals.extend(delays(&mut random).into_iter().map(|delay| (sequence + delay, sequence)));
    }
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals.into_iter().map(|(_, sequence)| sequence).collect()
}

fn one_percent(random: &mut Random, delays: impl Fn(&mut Random) -> Vec<u64>) -> Vec<u64> {
    if random.next_u64().is_multiple_of(100) { delays(random) } else { vec![0] }
}

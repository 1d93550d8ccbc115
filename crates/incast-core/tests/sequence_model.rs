//! The sequence tracker against a naive model that keeps every arrival and counts by definition.
//!
//! First all orders of a few arrivals, then many seeded streams at the edge of a small window, then
//! long streams with loss, duplicates and delays, and jumps of any size.

use incast_core::random::Random;
use incast_core::sequence::{Arrival, Counts, LossRuns, ReorderingReport, SequenceTracker};
use proptest::prelude::*;

/// Every arrival, kept.
struct Model {
    first: u64,
    window_messages: u64,
    /// First arrivals in their order.
    unique: Vec<u64>,
    duplicate: u64,
    late: u64,
    stale: u64,
    implausible: u64,
}

impl Model {
    fn new(first: u64, window_messages: u64) -> Self {
        Self { first, window_messages, unique: vec![], duplicate: 0, late: 0, stale: 0, implausible: 0 }
    }

    /// One past the highest counter received.
    fn next(&self) -> u64 {
        self.unique.iter().max().map_or(self.first, |highest| highest + 1)
    }

    fn record(&mut self, sequence: u64) -> Arrival {
        let next = self.next();
        let ahead_of_all = sequence > next.saturating_add(SequenceTracker::JUMP_MAX);
        if sequence < self.first || sequence == u64::MAX || ahead_of_all {
            self.implausible += 1;
            return Arrival::Implausible;
        }
        // The window is counted back from the highest counter seen, which is in it.
        if sequence < next && next - 1 - sequence >= self.window_messages {
            self.stale += 1;
            return Arrival::Stale;
        }
        if self.unique.contains(&sequence) {
            self.duplicate += 1;
            return Arrival::Duplicate;
        }
        self.unique.push(sequence);
        if sequence < next {
            self.late += 1;
            return Arrival::Late;
        }
        if sequence == next { Arrival::InOrder } else { Arrival::Ahead }
    }

    /// Lengths of the runs of counters from the first to below `end` that never arrived.
    fn runs(&self, end: u64) -> Vec<u64> {
        let mut arrived = self.unique.clone();
        arrived.push(end);
        arrived.sort_unstable();
        let mut expected = self.first;
        let mut runs = vec![];
        for counter in arrived {
            runs.push(counter - expected);
            expected = counter.saturating_add(1);
        }
        runs.retain(|length| *length > 0);
        runs
    }

    fn counts(&self, end: u64) -> Counts {
        let unique = self.unique.len() as u64;
        Counts {
            received: unique + self.duplicate + self.stale,
            unique,
            duplicate: self.duplicate,
            reordered: self.late,
            late: self.late,
            stale: self.stale,
            lost: self.runs(end).iter().sum(),
            implausible: self.implausible,
        }
    }

    /// RFC 4737 §4.2: arrivals since the earliest one with a larger counter, for each reordered message.
    fn extents(&self) -> Vec<u64> {
        let extent = |(index, counter): (usize, &u64)| {
            let earliest = self.unique[..index].iter().position(|earlier| earlier > counter)?;
            Some((index - earliest) as u64)
        };
        self.unique.iter().enumerate().filter_map(extent).collect()
    }

    /// RFC 4737 §5.3: how many arrivals in a row, right before each message, had larger counters.
    fn degrees(&self) -> Vec<usize> {
        let degree = |(index, counter): (usize, &u64)| {
            self.unique[..index].iter().rev().take_while(|earlier| *earlier > counter).count()
        };
        self.unique.iter().enumerate().map(degree).collect()
    }
}

/// Feeds the same arrivals to tracker and model, and compares all that can be asked.
fn compare(first: u64, window_messages: u64, arrivals: &[u64], end: Option<u64>, story: &str) {
    let mut tracker = SequenceTracker::with_window(first, window_messages);
    let mut model = Model::new(first, window_messages);
    // Asked in the middle only now and then: the model is slow.
    let often = arrivals.len() / 8 + 1;
    let said = |what: &str| format!("{what} of {arrivals:?} from {first}, end {end:?}, {story}");
    for (index, sequence) in arrivals.iter().enumerate() {
        let kinds = (tracker.record(*sequence), model.record(*sequence));
        assert!(kinds.0 == kinds.1, "{}: {kinds:?}", said(&format!("arrival {index} ({sequence})")));
        if index % often == 0 {
            assert_same(&tracker.counts(), &model.counts(model.next()), || {
                said(&format!("counts by {index}"))
            });
        }
    }
    tracker.finish(end);
    let end = end.unwrap_or(0).max(model.next());
    assert_same(&tracker.counts(), &model.counts(end), || said("counts"));
    let mut runs = LossRuns::default();
    model.runs(end).iter().for_each(|length| runs.record(*length));
    assert_same(tracker.loss_runs(), &runs, || said("loss runs"));
    assert_same_reordering(&tracker.reordering(), &model, said);
}

fn assert_same_reordering(report: &ReorderingReport, model: &Model, said: impl Fn(&str) -> String) {
    let extents = model.extents();
    let of_report = (report.reordered, report.extent_max, report.extent_sum, report.extent_unknown);
    let of_model =
        (extents.len() as u64, extents.iter().max().copied().unwrap_or(0), extents.iter().sum(), 0);
    assert_same(&of_report, &of_model, || said("extents (reordered, max, sum, unknown)"));
    let degrees = model.degrees();
    let largest = degrees.iter().max().copied().unwrap_or(0).min(ReorderingReport::DEGREE_MAX);
    let at_least = |n: usize| degrees.iter().filter(|degree| **degree >= n).count() as u64;
    let n_reordering: Vec<u64> = (1..=largest).map(at_least).collect();
    assert_same(&report.to_record(1).n_reordering, &n_reordering, || said("n-reordering"));
}

/// `assert_eq` that writes its story only when it is needed.
fn assert_same<T: PartialEq + std::fmt::Debug>(tracker: &T, model: &T, said: impl Fn() -> String) {
    assert!(tracker == model, "{}:\n tracker {tracker:?}\n model   {model:?}", said());
}

/// Calls `check` with every sequence of up to `arrivals_max` counters from `counters`, repeats included.
fn every_order(counters: &[u64], arrivals_max: usize, check: &mut impl FnMut(&[u64])) {
    let mut choice = vec![];
    loop {
        let arrivals: Vec<u64> = choice.iter().map(|index| counters[*index]).collect();
        check(&arrivals);
        if choice.len() < arrivals_max {
            choice.push(0);
            continue;
        }
        while choice.pop_if(|last| *last + 1 == counters.len()).is_some() {}
        match choice.last_mut() {
            Some(last) => *last += 1,
            None => return,
        }
    }
}

#[test]
fn all_orders_of_seven_messages_agree_with_the_model() {
    let mut sequences = 0;
    every_order(&[1, 2, 3, 4, 5, 6, 7], 7, &mut |arrivals| {
        sequences += 1;
        // The end rotates through unknown, a lie, what may be the truth, and a lost tail.
        let end = [None, Some(3), Some(8), Some(10)][sequences % 4];
        compare(1, 64, arrivals, end, "all orders");
    });
    assert_eq!(sequences, (0..=7).map(|length| 7_usize.pow(length)).sum::<usize>());
}

#[test]
fn all_orders_around_the_edge_of_the_window_agree_with_the_model() {
    // Words begin at 0 and 64. From 3, a window of 64 ends within, at and past a word.
    every_order(&[3, 4, 63, 64, 66, 67, 68, 130, 260], 5, &mut |arrivals| {
        compare(3, 64, arrivals, Some(131), "window edge");
    });
}

#[test]
fn runs_that_begin_and_end_at_words_agree_with_the_model() {
    // Twelve half words, each received or not in every combination, with a window of four.
    for pattern in 0..1_u64 << 12 {
        let arrivals: Vec<u64> = (0..12 * 32).filter(|counter| pattern >> (counter / 32) & 1 == 1).collect();
        compare(0, 128, &arrivals, Some(12 * 32), "half words");
    }
}

#[test]
fn a_small_window_forgets_none_of_its_gaps() {
    for window_messages in [64, 128, 512] {
        let odd = (0..window_messages).map(|pair| 2 * pair + 1);
        let even = (0..window_messages).map(|pair| 2 * pair);
        let rising: Vec<u64> = odd.clone().chain(even.clone()).collect();
        let falling: Vec<u64> = odd.chain(even.rev()).collect();
        compare(0, window_messages, &rising, None, "rising");
        compare(0, window_messages, &falling, None, "falling");
    }
}

#[test]
fn seeded_streams_over_a_small_window_agree_with_the_model() {
    for seed in 0..10_000 {
        let mut random = Random::named(seed, "small window");
        let mut below = |bound: u64| random.next_u64() % bound;
        let (first, spread, length) = (below(70), 1 + below(200), below(120));
        // Half wander upwards and half jump about, so that all of the window and what is below it is met.
        let climb = below(2) * 2;
        let arrivals: Vec<u64> = (0..length).map(|index| first + index * climb + below(spread)).collect();
        let end = (below(2) == 0).then(|| below(300));
        compare(
            first,
            [64, 128][usize::try_from(below(2)).unwrap()],
            &arrivals,
            end,
            &format!("seed {seed}"),
        );
    }
}

/// Messages from 1 on, each with (delay in messages, whether it is lost, delay of a copy).
fn network() -> impl Strategy<Value = Vec<u64>> {
    let delay = prop_oneof![20 => Just(0_u64), 3 => 1..4_u64, 1 => 1..300_u64];
    let copy = prop::option::weighted(0.05, 0..300_u64);
    prop::collection::vec((delay, prop::bool::weighted(0.05), copy), 0..1_000).prop_map(|messages| {
        let mut arrivals = vec![];
        for (sequence, (delay, lost, copy)) in (1_u64..).zip(messages) {
            let original = (!lost).then_some(delay);
            arrivals.extend(original.iter().chain(&copy).map(|delay| (sequence + delay, sequence)));
        }
        arrivals.sort_by_key(|(arrival, _)| *arrival);
        arrivals.into_iter().map(|(_, sequence)| sequence).collect()
    })
}

/// Steps of every size, up and down.
fn jumps() -> impl Strategy<Value = (u64, Vec<u64>)> {
    let firsts = vec![0, 1, 63, 64, 1 << 40, u64::MAX - 200, u64::MAX - 1, u64::MAX];
    let scales = vec![1, 3, 63, 64, 65, 127, 128, 129, 4_096, 1 << 20, SequenceTracker::JUMP_MAX];
    let step = (prop::sample::select(scales), 0..3_u64, 0..2_u64, prop::bool::weighted(0.7));
    (prop::sample::select(firsts), prop::collection::vec(step, 0..60)).prop_map(|(first, steps)| {
        let mut at = first;
        let walk = steps.into_iter().map(|(scale, times, more, up)| {
            let step = scale * times + more;
            at = if up { at.saturating_add(step) } else { at.saturating_sub(step) };
            at
        });
        (first, walk.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_streams_agree_with_the_model(arrivals in network(), end in prop::option::of(0..1_100_u64)) {
        compare(1, SequenceTracker::WINDOW_MESSAGES, &arrivals, end, "network");
        compare(1, 128, &arrivals, end, "network, small window");
    }

    #[test]
    fn huge_jumps_agree_with_the_model((first, arrivals) in jumps(), end in prop::option::of(any::<u64>())) {
        compare(first, 64, &arrivals, end, "jumps");
        compare(first, 4_096, &arrivals, end, "jumps, larger window");
    }
}

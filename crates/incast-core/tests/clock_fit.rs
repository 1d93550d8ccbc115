//! Offset and drift of synthetic clocks: whatever drift, asymmetry, jitter and steps, the truth lies within the
//! error bar, and the error bar is about half of the smallest round trip.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use incast_core::clock_fit::{ClockEstimate, ClockFit, FILTER_MAX, STAMP_MAX, TwoWay};
use incast_core::random::Random;
use proptest::prelude::*;

const MS: i64 = 1_000_000;
const S: i64 = 1_000_000_000;

/// A path and the clock behind it.
#[derive(Clone, Debug)]
struct World {
    seed: u64,
    /// Remote minus ours at our zero, nanoseconds.
    offset: i64,
    drift_ppb: i64,
    /// Least delays, nanoseconds.
    forward: i64,
    backward: i64,
    /// Mean of the exponential jitter of each way.
    jitter: i64,
    /// Between exchanges.
    gap: i64,
}

impl World {
    /// What the remote clock shows at `our` time, beyond it.
    fn truth(&self, our: i64) -> i64 {
        self.offset + i64::try_from(i128::from(our) * i128::from(self.drift_ppb) / 1_000_000_000).unwrap()
    }

    fn jittered(&self, random: &mut Random, least: i64) -> i64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
        let more = (random.exponential() * self.jitter as f64) as i64;
        least + more
    }

    /// The exchange that begins at `t1`.
    fn exchange(&self, random: &mut Random, t1: i64) -> TwoWay {
        let there = t1 + self.jittered(random, self.forward);
        let away = there + self.jittered(random, 1_000);
        let t4 = away + self.jittered(random, self.backward);
        TwoWay { t1, t2: there + self.truth(there), t3: away + self.truth(away), t4 }
    }

    fn run(&self, fit: &mut ClockFit, from: i64, exchanges: i64) -> (ClockEstimate, u64) {
        let mut random = Random::named(self.seed, "world");
        let mut least = u64::MAX;
        for index in 0..exchanges {
            let exchange = self.exchange(&mut random, from + index * self.gap);
            if index >= exchanges - i64::try_from(FILTER_MAX).unwrap() {
                least = least.min(exchange.round_trip_ns().unwrap());
            }
            assert!(fit.record(exchange));
        }
        (fit.estimate().unwrap(), least)
    }

    fn assert_within(&self, estimate: &ClockEstimate) {
        let off = (self.truth(estimate.at) - estimate.offset_ns).unsigned_abs();
        assert!(off <= estimate.error_ns, "off by {off} ns: {estimate:?}");
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let ways = (1_000..100 * MS, 1_000..100 * MS, 0..20 * MS);
    (any::<u64>(), -S * 3_600..S * 3_600, -100_000_i64..100_000, ways, MS..2 * S).prop_map(
        |(seed, offset, drift_ppb, (forward, backward, jitter), gap)| World {
            seed,
            offset,
            drift_ppb,
            forward,
            backward,
            jitter,
            gap,
        },
    )
}

proptest! {
    #[test]
    fn the_truth_lies_within_the_error_bars(world in worlds(), exchanges in 1_i64..300, at in -3..4 * S) {
        let mut fit = ClockFit::default();
        let (estimate, least) = world.run(&mut fit, at, exchanges);
        world.assert_within(&estimate);
        prop_assert_eq!((estimate.steps, estimate.refused), (0, 0));
        let off = (world.drift_ppb - estimate.drift_ppb).unsigned_abs();
        prop_assert!(off <= estimate.drift_error_ppb, "{:?} of {:?}", estimate, world);
        // Not vacuous: never worse than the best of the last eight, what may have drifted since included.
        let since = 10 * world.gap.unsigned_abs() + 20 * 20_000_000;
        let drifted = since * (2 * estimate.drift_error_ppb + 30_000) / 1_000_000_000;
        prop_assert!(estimate.error_ns <= least + drifted + 10, "{:?} of {:?}", estimate, world);
        // Anywhere in the past of the exchanges, too.
        let past = at + (estimate.at - at) / 2;
        let off = (world.truth(past) - estimate.offset_ns_at(past)).unsigned_abs();
        prop_assert!(off <= estimate.error_ns_at(past) + 2);
    }

    #[test]
    fn eight_exchanges_after_a_step_of_any_size_the_truth_is_within_again(
        world in worlds(), step in prop_oneof![-S..S, -50_000_i64..50_000], before in 1_i64..60, after in 8_i64..60,
    ) {
        let mut fit = ClockFit::default();
        world.run(&mut fit, 0, before);
        let stepped = World { offset: world.offset + step, ..world.clone() };
        let (estimate, _) = stepped.run(&mut fit, before * world.gap + S, after);
        stepped.assert_within(&estimate);
    }

    #[test]
    fn no_stamps_make_it_fail(stamps in prop::collection::vec(any::<[i64; 4]>(), 0..40)) {
        let mut fit = ClockFit::default();
        let mut taken = 0;
        for [t1, t2, t3, t4] in &stamps {
            let halved = TwoWay { t1: t1 / 2, t2: t2 / 2, t3: t3 / 2, t4: t4 / 2 };
            taken += u64::from(fit.record(TwoWay { t1: *t1, t2: *t2, t3: *t3, t4: *t4 }));
            taken += u64::from(fit.record(halved));
            let _ = fit.estimate();
        }
        prop_assert_eq!(fit.refused() + taken, 2 * stamps.len() as u64);
    }
}

#[test]
fn a_step_larger_than_the_round_trip_is_seen_at_once() {
    let world = World {
        seed: 1,
        offset: 5 * MS,
        drift_ppb: 20_000,
        forward: 50_000,
        backward: 70_000,
        jitter: 10_000,
        gap: 100 * MS,
    };
    for step in [-10 * S, -MS, MS, 10 * S] {
        let mut fit = ClockFit::default();
        let (before, _) = world.run(&mut fit, 0, 100);
        assert_eq!((before.steps, before.samples), (0, 100));
        let stepped = World { offset: world.offset + step, ..world.clone() };
        let (after, _) = stepped.run(&mut fit, 11 * S, 1);
        assert_eq!((after.steps, after.samples), (1, 1), "{step}: {after:?}");
        stepped.assert_within(&after);
        let (later, _) = stepped.run(&mut fit, 12 * S, 100);
        assert_eq!((later.steps, later.samples), (1, 101), "{step}: {later:?}");
    }
}

#[test]
fn our_own_clock_may_be_stepped_by_an_hour_either_way() {
    let world = World {
        seed: 2,
        offset: 0,
        drift_ppb: 0,
        forward: 50_000,
        backward: 50_000,
        jitter: 5_000,
        gap: 100 * MS,
    };
    for step in [-3_600 * S, 3_600 * S] {
        let mut fit = ClockFit::default();
        world.run(&mut fit, 0, 50);
        let mut random = Random::named(3, "after");
        for index in 0..10 {
            let exchange = world.exchange(&mut random, 6 * S + index * world.gap);
            assert!(fit.record(TwoWay { t1: exchange.t1 + step, t4: exchange.t4 + step, ..exchange }));
        }
        let estimate = fit.estimate().unwrap();
        assert_eq!((estimate.steps, estimate.samples), (1, 10), "{step}: {estimate:?}");
        assert!((estimate.offset_ns + step).unsigned_abs() <= estimate.error_ns, "{step}: {estimate:?}");
    }
}

#[test]
fn ten_minutes_of_exchanges_give_the_drift_to_a_part_in_a_million() {
    let world = World {
        seed: 4,
        offset: -7 * S,
        drift_ppb: -37_000,
        forward: 200_000,
        backward: 250_000,
        jitter: 100_000,
        gap: S,
    };
    let (estimate, _) = world.run(&mut ClockFit::default(), 0, 600);
    world.assert_within(&estimate);
    assert!((estimate.drift_ppb + 37_000).abs() < 1_000, "{estimate:?}");
    assert!(estimate.drift_error_ppb < 1_500, "{estimate:?}");
}

#[test]
fn stamps_that_no_honest_clocks_give_are_refused_and_counted() {
    let good = TwoWay { t1: 0, t2: 100, t3: 110, t4: 200 };
    let nonsense = [
        TwoWay { t3: 99, ..good },
        TwoWay { t4: -1, ..good },
        // Longer at the remote end than both ways together.
        TwoWay { t3: 301, ..good },
        TwoWay { t2: STAMP_MAX + 1, t3: STAMP_MAX + 2, ..good },
        TwoWay { t1: i64::MIN, ..good },
        TwoWay { t1: i64::MAX, t4: i64::MAX, ..good },
    ];
    let mut fit = ClockFit::default();
    assert_eq!(fit.estimate(), None);
    for stamps in nonsense {
        assert!(!fit.record(stamps), "{stamps:?}");
        assert_eq!(fit.estimate(), None);
    }
    assert!(fit.record(good));
    let estimate = fit.estimate().unwrap();
    assert_eq!((estimate.refused, estimate.samples, estimate.round_trip_min_ns), (6, 1, 190));
    assert_eq!(estimate.offset_ns, 5);
    assert!((95..=98).contains(&estimate.error_ns), "{estimate:?}");
}

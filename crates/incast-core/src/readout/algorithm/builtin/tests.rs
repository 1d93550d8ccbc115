//! Tests of the built-in algorithm: what it draws, against the distributions that it should draw from.

use super::*;
use crate::readout::algorithm::{Fraction, SizeCut};

const EVENTS: u32 = 100_000;

fn fraction(fraction: f64) -> Fraction {
    Fraction::from_f64(fraction).unwrap()
}

fn algorithm(plan: BuiltinPlan) -> Builtin {
    assert_eq!(plan.check(), Ok(()));
    Builtin::new(plan, 7)
}

fn all(algorithm: &Builtin, level: Level) -> impl Iterator<Item = Judged> + '_ {
    (0..u64::from(EVENTS)).map(move |event| algorithm.judge(EventNumber(event), 1_000, level))
}

/// That `count` of [`EVENTS`] is within five standard deviations of `fraction`.
fn assert_fraction(count: usize, fraction: f64) {
    let (mean, events) = (f64::from(EVENTS) * fraction, f64::from(EVENTS));
    let sigma = (events * fraction * (1.0 - fraction)).sqrt();
    let count = f64::from(u32::try_from(count).unwrap());
    assert!((count - mean).abs() < 5.0 * sigma, "{count} instead of {mean} +- {sigma}");
}

#[test]
fn a_second_attempt_decides_the_same_and_another_seed_or_level_something_else() {
    let plan = BuiltinPlan {
        accept: fraction(0.5),
        time: TimePlan::Exponential { mean: Span::from_ms(1), most: Span::from_s(1) },
        streams: (0..32).map(|stream| StreamPlan { stream, weight: 1, also: fraction(0.5) }).collect(),
        ..BuiltinPlan::default()
    };
    let first = algorithm(plan.clone());
    let judged: Vec<_> = all(&first, Level::First).collect();
    assert!(all(&algorithm(plan.clone()), Level::First).eq(judged.iter().copied()));
    // In any order.
    let (last, at) = (u64::from(EVENTS) - 1, usize::try_from(EVENTS - 1).unwrap());
    assert_eq!(first.judge(EventNumber(last), 1_000, Level::First), judged[at]);
    let other = |others: &mut dyn Iterator<Item = Judged>| {
        let same = others.zip(&judged).filter(|(other, one)| other.busy == one.busy).count();
        assert!(same < 10, "{same} times as long by chance");
    };
    other(&mut all(&first, Level::Second));
    other(&mut all(&Builtin::new(plan, 8), Level::First));
}

#[test]
fn the_fraction_that_is_asked_for_is_accepted() {
    let accepted = |accept: f64| {
        let algorithm = algorithm(BuiltinPlan { accept: fraction(accept), ..BuiltinPlan::default() });
        let accepts = |judged: &Judged| judged.verdict == Verdict::Accept { streams: 1 };
        all(&algorithm, Level::First).filter(accepts).count()
    };
    assert_eq!((accepted(0.0), accepted(1.0)), (0, EVENTS as usize));
    for accept in [0.001, 0.3, 0.99] {
        assert_fraction(accepted(accept), accept);
    }
}

#[test]
fn the_size_cuts_at_both_ends() {
    let size = SizeCut { least: 10, most: 20 };
    let algorithm = algorithm(BuiltinPlan { size, ..BuiltinPlan::default() });
    for (bytes, is_accepted) in [(0, false), (9, false), (10, true), (20, true), (21, false)] {
        let judged = algorithm.judge(EventNumber(1), bytes, Level::First);
        assert_eq!(judged.verdict != Verdict::Reject, is_accepted, "{bytes}");
    }
}

/// Mean of the drawn times over the mean asked for.
fn mean_of(time: TimePlan) -> f64 {
    let algorithm = algorithm(BuiltinPlan { time, ..BuiltinPlan::default() });
    let sum: f64 = all(&algorithm, Level::First).map(|judged| judged.busy.as_s_f64()).sum();
    sum / f64::from(EVENTS) / 1e-3
}

#[test]
fn times_have_the_mean_that_is_asked_for() {
    let (mean, most) = (Span::from_ms(1), Span::from_s(3_600));
    let time = Span::from_ms(1);
    assert!((mean_of(TimePlan::Fixed { time }) - 1.0).abs() < 1e-9);
    // Relative standard deviation 1, over the root of the number of events; five of them.
    let five_sigma = 5.0 / f64::from(EVENTS).sqrt();
    let exponential = mean_of(TimePlan::Exponential { mean, most });
    assert!((exponential - 1.0).abs() < five_sigma, "{exponential}");
    // Of shape a: variance 1 / (a (a - 2)) in units of the mean squared.
    let pareto = mean_of(TimePlan::Pareto { mean, shape_milli: 4_000, most });
    assert!((pareto - 1.0).abs() < five_sigma / 8_f64.sqrt(), "{pareto}");
}

#[test]
fn a_heavy_tail_is_heavy_and_cut_where_it_is_told() {
    let (mean, most) = (Span::from_ms(1), Span::from_ms(10));
    let plan = |time| algorithm(BuiltinPlan { time, ..BuiltinPlan::default() });
    let pareto = plan(TimePlan::Pareto { mean, shape_milli: 1_500, most });
    let exponential = plan(TimePlan::Exponential { mean, most });
    let longest = |algorithm: &Builtin| all(algorithm, Level::First).filter(|one| one.busy == most).count();
    // P(X > 10 m) is (1/30)^1.5 for Pareto of shape 1.5, whose smallest is m/3; e^-10 for the other.
    assert_fraction(longest(&pareto), (1.0_f64 / 30.0).powf(1.5));
    assert_fraction(longest(&exponential), (-10.0_f64).exp());
    assert!(all(&pareto, Level::First).all(|one| one.busy <= most && one.busy >= Span(mean.0 / 3 - 1)));
}

#[test]
fn streams_are_drawn_by_weight_and_by_chance() {
    let stream = |stream, weight, also| StreamPlan { stream, weight, also: fraction(also) };
    let streams = vec![stream(0, 3, 0.0), stream(5, 1, 0.0), stream(31, 0, 0.1), stream(7, 0, 0.0)];
    let algorithm = algorithm(BuiltinPlan { streams, ..BuiltinPlan::default() });
    let count = |mask: u32, wanted: u32| {
        all(&algorithm, Level::First).filter(|one| one.verdict.streams() & mask == wanted).count()
    };
    assert_fraction(count(0b10_0001, 1), 0.75);
    assert_fraction(count(0b10_0001, 0b10_0000), 0.25);
    assert_fraction(count(1 << 31, 1 << 31), 0.1);
    assert_eq!((count(0b10_0001, 0), count(0b10_0001, 0b10_0001), count(1 << 7, 1 << 7)), (0, 0, 0));
}

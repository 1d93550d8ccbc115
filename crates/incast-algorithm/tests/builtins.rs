//! The built-in algorithm at a real node, and the example in Python that has to decide as it does.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use incast_algorithm::{EventView, Runner, parts_of};
use incast_core::random::Random;
use incast_core::readout::algorithm::{
    AlgorithmKind, AlgorithmPlan, Builtin, BuiltinPlan, Fraction, Passing, SizeCut, StreamPlan, TimePlan,
};
use incast_core::readout::{
    Arrival, BuilderPlan, EventBuilder, EventNumber, Fragment, Level, RunNumber, SourceId, SourceSet,
};
use incast_core::time::{Span, Time};
use incast_core::wire::built_event::EventPart;
use incast_core::wire::packed;
use support::{file, judge_packet, program};

fn builtin(plan: BuiltinPlan) -> AlgorithmPlan {
    AlgorithmPlan { kind: AlgorithmKind::Builtin(plan), ..AlgorithmPlan::default() }
}

/// Data of three sources, of which one is missing, for so many events.
fn data(random: &mut Random, events: u16) -> [Vec<u8>; 2] {
    std::array::from_fn(|_| {
        let mut data = Vec::new();
        for _ in 0..events {
            let bytes = usize::try_from(random.next_u64() % 1_000).unwrap();
            match events {
                1 => data.resize(bytes, 0xab),
                _ => packed::push(&vec![0xcd; bytes], &mut data).unwrap(),
            }
        }
        data
    })
}

#[test]
fn the_example_in_python_decides_as_the_built_in_cut() {
    let size = SizeCut { least: 1_000, most: u64::MAX };
    let streams = vec![StreamPlan { stream: 3, weight: 1, also: Fraction::ZERO }];
    let mut ours =
        Runner::open(&builtin(BuiltinPlan { size, streams, ..BuiltinPlan::default() }), 0).unwrap();
    let example = file("../../examples/algorithms/size_cut.py");
    let mut theirs = Runner::open(&program(&["python3", &example, "1000", "8"]), 0).unwrap();
    let mut random = Random::named(11, "sizes");
    for (number, events) in (0..300).zip([1, 1, 2, 17].into_iter().cycle()) {
        let [one, other] = data(&mut random, events);
        let parts = [
            EventPart { source: 1, data: Some(&one) },
            EventPart { source: 4, data: None },
            EventPart { source: 500, data: Some(&other) },
        ];
        let expected = judge_packet(&mut ours, number, events, &parts);
        assert_eq!(judge_packet(&mut theirs, number, events, &parts), expected, "event {number}");
    }
    assert_eq!(theirs.counts(), ours.counts());
    assert!(ours.counts().accepted > 300 && ours.counts().rejected > 300, "{:?}", ours.counts());
}

#[test]
fn each_event_of_a_packet_is_judged_as_if_it_came_alone() {
    let plan = BuiltinPlan {
        accept: Fraction::from_f64(0.5).unwrap(),
        size: SizeCut { least: 2, most: 2 },
        ..BuiltinPlan::default()
    };
    let alone = Builtin::new(plan.clone(), 5);
    let mut runner = Runner::open(&builtin(plan), 5).unwrap();
    let mut pieces = Vec::new();
    (0..64).for_each(|index| packed::push(&vec![0; index % 3], &mut pieces).unwrap());
    let parts = [EventPart { source: 1, data: Some(&pieces) }];
    let verdicts = judge_packet(&mut runner, 100, 64, &parts);
    for (index, verdict) in (0..).zip(verdicts) {
        assert_eq!(alone.judge(EventNumber(100 + index), index % 3, Level::First).verdict, verdict);
    }
    // What cannot be taken apart counts for each event alike: 2 bytes.
    let parts = [EventPart { source: 1, data: Some(&[0xff; 128]) }];
    let verdicts = judge_packet(&mut runner, 100, 64, &parts);
    for (index, verdict) in (0..).zip(verdicts) {
        assert_eq!(alone.judge(EventNumber(100 + index), 2, Level::First).verdict, verdict);
    }
}

#[test]
fn processing_takes_the_time_that_is_drawn_asleep_or_not() {
    for passing in [Passing::Sleep, Passing::Busy] {
        let time = TimePlan::Fixed { time: Span::from_ms(2) };
        let mut runner =
            Runner::open(&builtin(BuiltinPlan { time, passing, ..BuiltinPlan::default() }), 0).unwrap();
        let view = EventView {
            run: RunNumber(1),
            event: EventNumber(1),
            events: 3,
            level: Level::Second,
            attempt: 1,
            cause: None,
            parts: &[],
        };
        let busy = runner.judge(&view, &mut Vec::new());
        assert!(busy >= Span::from_ms(6), "{busy}");
    }
}

#[test]
fn the_parts_of_a_built_event_name_what_is_missing() {
    let sources: SourceSet = [SourceId(9), SourceId(2), SourceId(5)].into_iter().collect();
    let plan = BuilderPlan::new(RunNumber(0), sources);
    let mut builder = EventBuilder::new(plan);
    for (source, payload) in [(9, vec![9, 9]), (2, vec![2])] {
        let (run, event) = (RunNumber(0), EventNumber(0));
        let fragment = Fragment { run, event, events: 1, source: SourceId(source), payload };
        assert_eq!(builder.handle_fragment(Time::ZERO, fragment), Arrival::Taken);
    }
    builder.handle_end(Time::ZERO);
    let built = builder.poll_built().unwrap();
    let part = |source, data| EventPart { source, data };
    assert_eq!(parts_of(&built), [part(2, Some(&[2][..])), part(5, None), part(9, Some(&[9, 9]))]);
}

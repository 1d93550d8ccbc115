//! The event builder against a naive model that searches lists and follows the definitions.
//!
//! First all orders of a few fragments, with duplicates and time-outs anywhere between them; then random
//! runs against tight bounds.

use incast_core::readout::{
    Arrival, BuilderPlan, Built, Cause, EventBuilder, EventNumber, Fragment, Length, RunNumber, SourceId,
    SourceSet,
};
use incast_core::time::{Span, Time};
use proptest::prelude::*;

const RUN: RunNumber = RunNumber(1);
const TIMEOUT: Span = Span::from_ms(10);

/// One call, and how many milliseconds after the one before.
#[derive(Clone, Copy, Debug)]
enum Step {
    Fragment {
        event: u64,
        source: u16,
        bytes: u32,
    },
    Assignment(u64),
    Timeout,
    /// Fetches one event.
    Fetch,
    End,
}

/// Number, sources that are there, cause.
type Shipped = (u64, Vec<u16>, Option<Cause>);

#[derive(Debug)]
struct OpenEvent {
    number: u64,
    opened: Time,
    /// Source and bytes.
    parts: Vec<(u16, u64)>,
}

/// Everything in lists, oldest first.
struct Model {
    plan: BuilderPlan,
    open: Vec<OpenEvent>,
    closed: Vec<(u64, bool)>,
    horizon: Option<u64>,
    /// Built, given out or not.
    built: Vec<(Shipped, u64)>,
    fetched: usize,
}

impl Model {
    fn new(plan: BuilderPlan) -> Self {
        Self { plan, open: vec![], closed: vec![], horizon: None, built: vec![], fetched: 0 }
    }

    fn is_built_full(&self) -> bool {
        let waiting = &self.built[self.fetched..];
        waiting.len() >= self.plan.built_events_max as usize
            || waiting.iter().map(|(_, bytes)| bytes).sum::<u64>() >= self.plan.built_bytes_max
    }

    fn open_bytes(&self) -> u64 {
        self.open.iter().flat_map(|event| &event.parts).map(|(_, bytes)| bytes).sum()
    }

    fn ship(&mut self, index: usize, cause: Option<Cause>) {
        let event = self.open.remove(index);
        let mut sources: Vec<u16> = event.parts.iter().map(|(source, _)| *source).collect();
        sources.sort_unstable();
        let is_certain = 2 * sources.len() > self.plan.sources.len() as usize;
        self.closed.push((event.number, is_certain));
        if self.closed.len() > self.plan.closed_events as usize {
            let (forgotten, was_certain) = self.closed.remove(0);
            if was_certain {
                self.horizon = self.horizon.max(Some(forgotten));
            }
        }
        let bytes = event.parts.iter().map(|(_, bytes)| bytes).sum();
        self.built.push(((event.number, sources, cause), bytes));
    }

    fn open(&mut self, now: Time, number: u64) -> Arrival {
        if self.closed.iter().any(|(closed, _)| *closed == number) {
            return Arrival::Late;
        }
        if Some(number) <= self.horizon {
            return Arrival::Stale;
        }
        if self.open.len() >= self.plan.open_events_max as usize && !self.is_built_full() {
            self.ship(0, Some(Cause::Crowded));
        }
        if self.open.len() >= self.plan.open_events_max as usize || self.is_built_full() {
            return Arrival::NoRoom;
        }
        self.open.push(OpenEvent { number, opened: now, parts: vec![] });
        Arrival::Taken
    }

    fn handle_fragment(&mut self, now: Time, number: u64, source: u16, bytes: u64) -> Arrival {
        if !self.plan.sources.contains(SourceId(source)) {
            return Arrival::UnknownSource;
        }
        if bytes > self.plan.fragment_bytes_max.into() {
            return Arrival::Oversize;
        }
        match self.open.iter().find(|event| event.number == number) {
            Some(event) if event.parts.iter().any(|(there, _)| *there == source) => {
                return Arrival::Duplicate;
            }
            Some(_) if self.is_built_full() => return Arrival::NoRoom,
            Some(_) => {}
            None => match self.open(now, number) {
                Arrival::Taken => {}
                refused => return refused,
            },
        }
        let sources = self.plan.sources.len() as usize;
        loop {
            let Some(index) = self.open.iter().position(|event| event.number == number) else {
                return Arrival::NoRoom;
            };
            let completes = self.open[index].parts.len() + 1 == sources;
            if completes || self.open_bytes() + bytes <= self.plan.open_bytes_max {
                self.open[index].parts.push((source, bytes));
                if completes {
                    self.ship(index, None);
                }
                return Arrival::Taken;
            }
            if self.is_built_full() {
                return Arrival::NoRoom;
            }
            self.ship(0, Some(Cause::Crowded));
        }
    }

    fn ship_while(&mut self, cause: Cause, is_due: impl Fn(&OpenEvent) -> bool) {
        while !self.is_built_full() && self.open.first().is_some_and(&is_due) {
            self.ship(0, Some(cause));
        }
    }
}

fn shipped(built: &Built<Length>) -> Shipped {
    let there = built.event().parts().map(|(source, _)| source.0).collect();
    let cause = if let Built::Incomplete { cause, .. } = built { Some(*cause) } else { None };
    (built.event().number.0, there, cause)
}

/// Takes the same steps with builder and model, and compares all that they say.
fn compare(plan: &BuilderPlan, steps: &[(u64, Step)]) {
    let (mut builder, mut model) = (EventBuilder::new(plan.clone()), Model::new(plan.clone()));
    let mut now = Time::ZERO;
    for (index, (later, step)) in steps.iter().enumerate() {
        now += Span::from_ms(*later);
        let said = || format!("step {index} of {steps:?} with {plan:?}");
        match *step {
            Step::Fragment { event, source, bytes } => {
                let (number, source_id, payload) = (EventNumber(event), SourceId(source), Length(bytes));
                let fragment = Fragment { run: RUN, event: number, events: 1, source: source_id, payload };
                let kinds = (
                    builder.handle_fragment(now, fragment),
                    model.handle_fragment(now, event, source, bytes.into()),
                );
                assert!(kinds.0 == kinds.1, "{kinds:?}, {}", said());
            }
            Step::Assignment(event) => {
                let is_open = model.open.iter().any(|open| open.number == event);
                let expected = if is_open { Arrival::Duplicate } else { model.open(now, event) };
                let kind = builder.handle_assignment(now, RUN, EventNumber(event), 1);
                assert!(kind == expected, "{kind:?}, {}", said());
            }
            Step::Timeout => {
                builder.handle_timeout(now);
                model.ship_while(Cause::TimedOut, |event| event.opened + TIMEOUT <= now);
            }
            Step::Fetch => {
                let (expected, built) = (model.built.get(model.fetched), builder.poll_built());
                model.fetched += usize::from(expected.is_some());
                let built = built.map(|built| (shipped(&built), built.into_event()));
                let same = expected.map(|(shipped, _)| shipped) == built.as_ref().map(|(shipped, _)| shipped);
                assert!(same, "{built:?}, not {expected:?}, {}", said());
                built.into_iter().for_each(|(_, event)| builder.recycle(event));
            }
            Step::End => {
                builder.handle_end(now);
                model.ship_while(Cause::Ended, |_| true);
            }
        }
        let oldest = model.open.first().filter(|_| !model.is_built_full());
        assert_eq!(builder.next_timeout(), oldest.map(|event| event.opened + TIMEOUT), "{}", said());
        let fills = builder.gauges().map(incast_core::readout::Gauge::filled);
        assert_eq!(fills[..2], [model.open.len() as u64, model.open_bytes()], "{}", said());
        assert_eq!(fills[2], (model.built.len() - model.fetched) as u64, "{}", said());
    }
    same_counts(&builder, &model);
}

/// What every source missed, by the lists.
fn same_counts(builder: &EventBuilder<Length>, model: &Model) {
    for (source, counts) in builder.by_source() {
        let lacks = |(shipped, _): &&(Shipped, u64)| !shipped.1.contains(&source.0);
        assert_eq!(counts.missing, model.built.iter().filter(lacks).count() as u64, "source {source}");
    }
    let by_cause = |cause| model.built.iter().filter(|(shipped, _)| shipped.2 == cause).count() as u64;
    let counts = builder.counts();
    assert_eq!(
        [counts.complete, counts.timed_out, counts.crowded, counts.ended],
        [None, Some(Cause::TimedOut), Some(Cause::Crowded), Some(Cause::Ended)].map(by_cause)
    );
}

fn plan(sources: u16) -> BuilderPlan {
    BuilderPlan {
        timeout: TIMEOUT,
        open_events_max: 8,
        built_events_max: 8,
        closed_events: 16,
        ..BuilderPlan::new(RUN, SourceSet::first(sources))
    }
}

/// Calls `check` with every sequence of exactly `length` of the numbers below `choices`.
fn every_sequence(choices: usize, length: usize, check: &mut impl FnMut(&[usize])) {
    let mut sequence = vec![0; length];
    loop {
        check(&sequence);
        let Some(last) = sequence.iter().rposition(|choice| *choice + 1 < choices) else { return };
        sequence[last] += 1;
        sequence[last + 1..].fill(0);
    }
}

/// Fragment number `index` of three sources and two events; anything else is a time-out of all there is.
fn small_step(index: usize) -> (u64, Step) {
    match u16::try_from(index) {
        Ok(index) if index < 6 => {
            (0, Step::Fragment { event: u64::from(index / 3), source: index % 3, bytes: 100 })
        }
        _ => (10, Step::Timeout),
    }
}

#[test]
fn all_arrivals_of_three_sources_and_two_events_agree_with_the_model() {
    let mut sequences = 0;
    every_sequence(7, 6, &mut |sequence| {
        sequences += 1;
        let steps: Vec<_> = sequence.iter().map(|index| small_step(*index)).collect();
        let fetch = [(0, Step::End), (0, Step::Fetch), (0, Step::Fetch), (0, Step::Fetch)];
        compare(&plan(3), &[&steps[..], &fetch].concat());
    });
    assert_eq!(sequences, 7_usize.pow(6));
}

#[test]
fn all_orders_of_two_events_with_any_fragment_twice_build_both() {
    let mut orders = 0;
    // Permutations of seven places; the last one is a copy of one of the six.
    every_sequence(7, 7, &mut |sequence| {
        let is_permutation = (0..7).all(|place| sequence.contains(&place));
        if !is_permutation {
            return;
        }
        orders += 1;
        for copy in 0..6 {
            let fragment = |place: &usize| small_step(if *place == 6 { copy } else { *place });
            let mut steps: Vec<_> = sequence.iter().map(fragment).collect();
            let mut builder = EventBuilder::new(plan(3));
            for (_, step) in steps.drain(..) {
                let Step::Fragment { event, source, bytes } = step else { panic!("only fragments") };
                let (event, source) = (EventNumber(event), SourceId(source));
                let payload = Length(bytes);
                builder.handle_fragment(Time::ZERO, Fragment { run: RUN, event, events: 1, source, payload });
            }
            let mut built: Vec<_> =
                std::iter::from_fn(|| builder.poll_built()).map(|built| shipped(&built)).collect();
            built.sort();
            assert_eq!(built, [(0, vec![0, 1, 2], None), (1, vec![0, 1, 2], None)], "{sequence:?}, {copy}");
            let twice: u64 = builder.by_source().map(|(_, counts)| counts.duplicate + counts.late).sum();
            assert_eq!((twice, builder.open_events()), (1, 0));
        }
    });
    assert_eq!(orders, 5_040);
}

/// Mostly fragments of a few events around a rising number, and everything else now and then.
fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let fragment = (0..6_u64, 0..5_u16, prop_oneof![9 => 0..200_u32, 1 => 0..1_200_u32])
        .prop_map(|(event, source, bytes)| Step::Fragment { event, source, bytes });
    let step = prop_oneof![
        24 => fragment,
        2 => (0..6_u64).prop_map(Step::Assignment),
        2 => Just(Step::Timeout),
        6 => Just(Step::Fetch),
        1 => Just(Step::End),
    ];
    let later = prop_oneof![8 => Just(0_u64), 2 => 1..4_u64, 1 => 5..15_u64];
    prop::collection::vec((later, step), 0..400).prop_map(|mut steps| {
        for (index, (_, step)) in steps.iter_mut().enumerate() {
            // About as many events as four fragments each would make.
            if let Step::Fragment { event, .. } | Step::Assignment(event) = step {
                *event += index as u64 / 5;
            }
        }
        steps
    })
}

fn tight_plan() -> impl Strategy<Value = BuilderPlan> {
    (1..5_u16, 1..6_u32, 1..6_u32, 1..40_u32, 100..2_000_u64, 100..2_000_u64).prop_map(
        |(sources, open_events_max, built_events_max, closed_events, open_bytes_max, built_bytes_max)| {
            BuilderPlan {
                open_events_max,
                built_events_max,
                closed_events,
                open_bytes_max,
                built_bytes_max,
                fragment_bytes_max: 1_000,
                ..plan(sources)
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_runs_against_tight_bounds_agree_with_the_model(plan in tight_plan(), steps in steps()) {
        compare(&plan, &steps);
    }

    #[test]
    fn with_order_every_event_comes_out_once_and_only_the_named_ones_late(
        plan in tight_plan(), steps in steps(), held in 0..8_u32,
    ) {
        let unordered = BuilderPlan { closed_events: 10_000, built_bytes_max: u64::MAX, ..plan };
        let plan = BuilderPlan { ordered_events_max: Some(held), ..unordered };
        let mut builder = EventBuilder::new(plan);
        let (mut now, mut out) = (Time::ZERO, vec![]);
        for (later, step) in steps {
            now += Span::from_ms(later);
            match step {
                Step::Fragment { event, source, bytes } => {
                    let (event, source, payload) = (EventNumber(event), SourceId(source), Length(bytes));
                    builder.handle_fragment(now, Fragment { run: RUN, event, events: 1, source, payload });
                }
                Step::Timeout => builder.handle_timeout(now),
                _ => out.extend(builder.poll_built().map(|built| built.event().number.0)),
            }
        }
        while builder.open_events() > 0 || builder.gauges()[2].filled() > 0 {
            builder.handle_end(now);
            out.extend(builder.poll_built().map(|built| built.event().number.0));
        }
        let counts = builder.counts();
        prop_assert_eq!(out.len() as u64, counts.opened);
        let mut highest = None;
        let mut late = 0;
        for number in &out {
            late += u64::from(Some(number) < highest);
            highest = highest.max(Some(number));
        }
        prop_assert_eq!(late, counts.out_of_order);
        out.sort_unstable();
        out.dedup();
        prop_assert_eq!(out.len() as u64, counts.opened, "none twice");
    }
}

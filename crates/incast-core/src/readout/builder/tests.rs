//! Small exact cases of the builder; all orders and random ones are in `tests/readout_builder.rs`.

use super::*;
use crate::readout::fragment::Length;
use crate::time::Span;

const RUN: RunNumber = RunNumber(7);

fn plan(sources: u16) -> BuilderPlan {
    BuilderPlan { timeout: Span::from_ms(100), ..BuilderPlan::new(RUN, SourceSet::first(sources)) }
}

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_ms(ms)
}

fn fragment(event: u64, source: u16) -> Fragment<Length> {
    Fragment {
        run: RUN,
        event: EventNumber(event),
        events: 1,
        source: SourceId(source),
        payload: Length(100),
    }
}

/// Hands in fragments of (event, source) at the same time.
fn hand_in(builder: &mut EventBuilder<Length>, now: Time, fragments: &[(u64, u16)]) -> Vec<Arrival> {
    fragments.iter().map(|(event, source)| builder.handle_fragment(now, fragment(*event, *source))).collect()
}

/// Number, missing sources as text, cause, of all that is built.
fn built(builder: &mut EventBuilder<Length>) -> Vec<(u64, String, Option<Cause>)> {
    let all: Vec<_> = std::iter::from_fn(|| builder.poll_built()).collect();
    let story = |built: Built<Length>| {
        let cause = if let Built::Incomplete { cause, .. } = &built { Some(*cause) } else { None };
        let missing = built.missing().map(ToString::to_string).unwrap_or_default();
        let event = built.into_event();
        let story = (event.number.0, missing, cause);
        builder.recycle(event);
        story
    };
    all.into_iter().map(story).collect()
}

fn whole(number: u64) -> (u64, String, Option<Cause>) {
    (number, String::new(), None)
}

fn part(number: u64, missing: &str, cause: Cause) -> (u64, String, Option<Cause>) {
    (number, missing.into(), Some(cause))
}

#[test]
fn an_event_is_complete_with_its_last_source() {
    let mut builder = EventBuilder::new(plan(3));
    hand_in(&mut builder, at(1), &[(5, 2), (5, 0)]);
    assert_eq!(builder.poll_built(), None);
    builder.handle_fragment(at(4), fragment(5, 1));
    let Some(Built::Complete(event)) = builder.poll_built() else { panic!("complete") };
    let parts: Vec<_> = event.parts().map(|(source, part)| (source.0, part.0)).collect();
    assert_eq!(parts, [(0, 100), (1, 100), (2, 100)], "by rising source");
    assert_eq!((event.opened, event.closed, event.bytes, event.end()), (at(1), at(4), 300, EventNumber(6)));
    assert_eq!((event.part(SourceId(2)), event.part(SourceId(3))), (Some(&Length(100)), None));
    assert_eq!(builder.counts().completion_ns.max(), Some(3_000_000));
    assert_eq!((builder.open_events(), builder.next_timeout()), (0, None));
}

#[test]
fn a_duplicate_does_not_complete_an_event() {
    let mut builder = EventBuilder::new(plan(2));
    let arrivals = hand_in(&mut builder, at(0), &[(1, 0), (1, 0), (1, 0)]);
    assert_eq!(arrivals, [Arrival::Taken, Arrival::Duplicate, Arrival::Duplicate]);
    assert_eq!(built(&mut builder), []);
    assert_eq!(builder.by_source().next().unwrap().1.duplicate, 2);
}

#[test]
fn a_timed_out_event_names_what_is_missing_and_a_late_fragment_does_not_open_it_again() {
    let mut builder = EventBuilder::new(plan(5));
    hand_in(&mut builder, at(0), &[(1, 1), (1, 3)]);
    assert_eq!(builder.next_timeout(), Some(at(100)));
    builder.handle_timeout(at(99));
    assert_eq!(built(&mut builder), []);
    builder.handle_timeout(at(100));
    assert_eq!(built(&mut builder), [part(1, "0, 2, 4", Cause::TimedOut)]);
    assert_eq!(hand_in(&mut builder, at(101), &[(1, 0), (1, 1)]), [Arrival::Late, Arrival::Late]);
    assert_eq!((builder.open_events(), builder.next_timeout()), (0, None));
    let missing: Vec<u64> = builder.by_source().map(|(_, counts)| counts.missing).collect();
    assert_eq!(missing, [1, 0, 1, 0, 1]);
}

#[test]
fn what_does_not_belong_is_counted_and_opens_no_event() {
    let plan =
        BuilderPlan { fragment_bytes_max: 1_000, first: EventNumber(10), packing_events: 4, ..plan(2) };
    let mut builder = EventBuilder::new(plan);
    let good = Fragment { events: 4, ..fragment(14, 0) };
    let cases = [
        (Fragment { source: SourceId(2), ..good }, Arrival::UnknownSource),
        (Fragment { source: SourceId(65_535), ..good }, Arrival::UnknownSource),
        (Fragment { run: RunNumber(6), ..good }, Arrival::WrongRun),
        (Fragment { payload: Length(1_001), ..good }, Arrival::Oversize),
        (Fragment { events: 0, ..good }, Arrival::WrongPacking),
        (Fragment { events: 5, ..good }, Arrival::WrongPacking),
        (Fragment { event: EventNumber(15), ..good }, Arrival::WrongPacking),
        (Fragment { event: EventNumber(6), ..good }, Arrival::Stale),
        (Fragment { event: EventNumber(u64::MAX), ..good }, Arrival::WrongPacking),
    ];
    for (fragment, expected) in cases {
        assert_eq!(builder.handle_fragment(at(0), fragment), expected, "{fragment:?}");
    }
    assert_eq!((builder.open_events(), builder.counts().opened), (0, 0));
    let (_, counts) = builder.by_source().next().unwrap();
    assert_eq!((counts.wrong_run, counts.oversize, counts.wrong_packing, counts.stale), (1, 1, 4, 1));
    // The packing of an open event is that of its first fragment.
    assert_eq!(builder.handle_fragment(at(0), Fragment { events: 2, ..good }), Arrival::Taken);
    let other = Fragment { source: SourceId(1), ..good };
    assert_eq!(builder.handle_fragment(at(0), other), Arrival::WrongPacking);
    assert_eq!(builder.handle_fragment(at(0), Fragment { events: 2, ..other }), Arrival::Taken);
    assert_eq!(built(&mut builder), [whole(14)]);
}

#[test]
fn strangers_are_told_apart_up_to_a_bound() {
    let mut builder = EventBuilder::new(plan(1));
    for source in 1..100 {
        hand_in(&mut builder, at(0), &[(1, source), (2, source)]);
    }
    let strangers = builder.strangers();
    assert_eq!(strangers.fragments.len(), Strangers::SOURCES_MAX);
    assert!(strangers.fragments.values().all(|count| *count == 2));
    assert_eq!(strangers.fragments_of_others, 2 * (99 - 64));
}

#[test]
fn a_complete_event_does_not_wait_for_an_incomplete_one() {
    let mut builder = EventBuilder::new(plan(2));
    hand_in(&mut builder, at(0), &[(1, 0), (2, 0), (2, 1)]);
    assert_eq!(built(&mut builder), [whole(2)]);
}

#[test]
fn with_order_it_waits_until_the_lower_one_is_shipped() {
    let mut builder = EventBuilder::new(BuilderPlan { ordered_events_max: Some(2), ..plan(2) });
    hand_in(&mut builder, at(0), &[(1, 0), (3, 0), (2, 0), (2, 1), (3, 1)]);
    assert_eq!(built(&mut builder), []);
    builder.handle_fragment(at(1), fragment(1, 1));
    assert_eq!(built(&mut builder), [whole(1), whole(2), whole(3)]);
    // Three wait for the fourth: that is one too many.
    hand_in(&mut builder, at(2), &[(4, 0), (5, 0), (5, 1), (7, 0), (7, 1), (6, 0), (6, 1)]);
    assert_eq!(built(&mut builder), [whole(5)]);
    builder.handle_timeout(at(102));
    assert_eq!(built(&mut builder), [part(4, "1", Cause::TimedOut), whole(6), whole(7)]);
    assert_eq!(builder.counts().out_of_order, 1);
}

#[test]
fn order_never_stops_a_builder_that_is_full() {
    let plan = BuilderPlan { ordered_events_max: Some(100), built_events_max: 2, ..plan(2) };
    let mut builder = EventBuilder::new(plan);
    hand_in(&mut builder, at(0), &[(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)]);
    assert_eq!(built(&mut builder), [whole(2)], "what is full gives out its lowest");
    assert_eq!(hand_in(&mut builder, at(0), &[(1, 1)]), [Arrival::Taken]);
    assert_eq!(built(&mut builder), [whole(1), whole(3)]);
}

#[test]
fn at_the_bound_of_events_the_oldest_is_shipped_with_its_own_cause() {
    let mut builder = EventBuilder::new(BuilderPlan { open_events_max: 2, ..plan(2) });
    hand_in(&mut builder, at(0), &[(8, 0), (2, 1)]);
    assert!(builder.is_throttling());
    assert_eq!(hand_in(&mut builder, at(1), &[(3, 0)]), [Arrival::Taken]);
    assert_eq!(built(&mut builder), [part(8, "1", Cause::Crowded)]);
    assert_eq!(hand_in(&mut builder, at(1), &[(8, 1), (2, 0)]), [Arrival::Late, Arrival::Taken]);
    assert_eq!(built(&mut builder), [whole(2)]);
    assert!(!builder.is_throttling());
}

#[test]
fn at_the_bound_of_bytes_the_oldest_is_shipped_but_not_for_a_fragment_that_completes() {
    let mut builder = EventBuilder::new(BuilderPlan { open_bytes_max: 250, ..plan(3) });
    hand_in(&mut builder, at(0), &[(1, 0), (1, 1), (1, 2)]);
    assert_eq!(built(&mut builder), [whole(1)]);
    hand_in(&mut builder, at(0), &[(2, 0), (3, 0), (3, 1)]);
    assert_eq!(built(&mut builder), [part(2, "1, 2", Cause::Crowded)]);
    // Larger than the bound on its own: itself the oldest.
    let large = Fragment { payload: Length(300), ..fragment(4, 0) };
    assert_eq!(builder.handle_fragment(at(0), large), Arrival::NoRoom);
    assert_eq!(built(&mut builder), [part(3, "2", Cause::Crowded), part(4, "0-2", Cause::Crowded)]);
}

#[test]
fn a_builder_that_nobody_empties_refuses_and_goes_on_when_emptied() {
    let mut builder = EventBuilder::new(BuilderPlan { built_events_max: 2, ..plan(1) });
    let arrivals = hand_in(&mut builder, at(0), &[(1, 0), (2, 0), (3, 0)]);
    assert_eq!(arrivals, [Arrival::Taken, Arrival::Taken, Arrival::NoRoom]);
    assert!(builder.is_throttling());
    assert_eq!(builder.handle_assignment(at(0), RUN, EventNumber(9), 1), Arrival::NoRoom);
    assert_eq!(built(&mut builder), [whole(1), whole(2)]);
    assert!(!builder.is_throttling());
    assert_eq!(hand_in(&mut builder, at(0), &[(3, 0)]), [Arrival::Taken]);
}

#[test]
fn an_announced_event_is_missed_even_if_nothing_comes() {
    let mut builder = EventBuilder::new(plan(2));
    let announce = |builder: &mut EventBuilder<_>, run, event| {
        builder.handle_assignment(at(0), run, EventNumber(event), 1)
    };
    assert_eq!(announce(&mut builder, RUN, 4), Arrival::Taken);
    assert_eq!(announce(&mut builder, RUN, 4), Arrival::Duplicate);
    assert_eq!(announce(&mut builder, RunNumber(1), 5), Arrival::WrongRun);
    builder.handle_timeout(at(100));
    assert_eq!(built(&mut builder), [part(4, "0, 1", Cause::TimedOut)]);
    assert_eq!(announce(&mut builder, RUN, 4), Arrival::Late);
    let expected = AssignmentCounts { opened: 1, known: 2, wrong: 1, no_room: 0 };
    assert_eq!(builder.counts().assignments, expected);
}

#[test]
fn the_end_of_the_run_ships_everything() {
    let mut builder = EventBuilder::new(BuilderPlan { built_events_max: 2, ..plan(2) });
    hand_in(&mut builder, at(0), &[(1, 0), (2, 0), (3, 1)]);
    builder.handle_end(at(1));
    assert_eq!(built(&mut builder), [part(1, "1", Cause::Ended), part(2, "1", Cause::Ended)]);
    builder.handle_end(at(1));
    assert_eq!(built(&mut builder), [part(3, "0", Cause::Ended)]);
    assert_eq!(builder.open_events(), 0);
}

#[test]
fn one_corrupt_number_does_not_shut_out_the_run() {
    let mut builder = EventBuilder::new(BuilderPlan { closed_events: 1, ..plan(3) });
    hand_in(&mut builder, at(0), &[(1 << 60, 0)]);
    builder.handle_timeout(at(200));
    for event in 0..5 {
        let arrivals = hand_in(&mut builder, at(200), &[(event, 0), (event, 1), (event, 2)]);
        assert_eq!(arrivals, [Arrival::Taken; 3], "event {event}");
    }
    assert_eq!(hand_in(&mut builder, at(200), &[(4, 0), (3, 0)]), [Arrival::Late, Arrival::Stale]);
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let mut builder = EventBuilder::new(plan(2));
    builder.handle_fragment(at(50), fragment(1, 0));
    builder.handle_fragment(at(10), fragment(2, 0));
    builder.handle_timeout(at(149));
    assert_eq!(built(&mut builder), []);
    builder.handle_timeout(at(150));
    assert_eq!(built(&mut builder).len(), 2);
}

#[test]
fn memory_of_used_events_is_used_again() {
    let mut builder = EventBuilder::new(plan(2));
    hand_in(&mut builder, at(0), &[(1, 0), (1, 1)]);
    let event = builder.poll_built().unwrap().into_event();
    let before = event.parts.as_ptr();
    builder.recycle(event);
    hand_in(&mut builder, at(0), &[(2, 1)]);
    builder.handle_timeout(at(500));
    let event = builder.poll_built().unwrap().into_event();
    assert_eq!(event.parts.as_ptr(), before);
    assert_eq!(event.parts().count(), 1, "nothing of the last one is left in it");
}

/// Found by the swarm: what was held back for order filled the builder alone once the rest was fetched, and
/// nothing could be shipped that would have let it go.
#[test]
fn order_does_not_stop_a_builder_that_is_full_of_what_it_holds_back() {
    let plan = BuilderPlan { ordered_events_max: Some(100), built_bytes_max: 600, ..plan(2) };
    let mut builder = EventBuilder::new(plan);
    let large = |event, source| Fragment { payload: Length(150), ..fragment(event, source) };
    // The first is in its turn and is not fetched; the next stays open; two that follow are held back.
    hand_in(&mut builder, at(1), &[(1, 0), (1, 1), (2, 0)]);
    for event in [3, 4] {
        assert_eq!(builder.handle_fragment(at(2), large(event, 0)), Arrival::Taken);
        assert_eq!(builder.handle_fragment(at(2), large(event, 1)), Arrival::Taken);
    }
    assert_eq!(builder.next_timeout(), None, "it is full");
    assert_eq!(built(&mut builder), [whole(1), whole(3)], "and lets go of the lowest");
    builder.handle_timeout(at(101));
    assert_eq!(built(&mut builder), [part(2, "1", Cause::TimedOut), whole(4)]);
    assert_eq!(builder.counts().out_of_order, 1);
}

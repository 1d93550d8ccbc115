//! Small exact cases of the dispatcher. Events come from a real builder, the only one who makes them.

use super::*;
use crate::readout::assign::{Calendar, LeastLoaded, LinearShift, RoundRobin, TokenPlan, Tokens};
use crate::readout::builder::{BuilderPlan, EventBuilder};
use crate::readout::fragment::{Fragment, Length};
use crate::readout::ids::{RunNumber, SourceId};
use crate::readout::sources::SourceSet;
use crate::time::Span;

const PLAN: DispatcherPlan = DispatcherPlan {
    events_max: 4,
    bytes_max: 1_000,
    in_flight_max: 3,
    lease: Span::from_ms(10),
    attempts_max: 2,
    closed_events: 100,
};

const fn at(ms: u64) -> Time {
    Time(ms * 1_000_000_000)
}

fn built(number: u64, bytes: u32) -> Built<Length> {
    let mut builder = EventBuilder::new(BuilderPlan::new(RunNumber(0), SourceSet::first(1)));
    let (event, source, payload) = (EventNumber(number), SourceId(0), Length(bytes));
    builder.handle_fragment(at(0), Fragment { run: RunNumber(0), event, events: 1, source, payload });
    builder.poll_built().unwrap()
}

/// Round-robin over so many nodes, each in the life of its own number.
fn dispatcher(plan: DispatcherPlan, nodes: u16) -> Dispatcher<Length, char> {
    let mut dispatcher = Dispatcher::new(plan, Policy::RoundRobin(RoundRobin::new()));
    for id in 0..nodes {
        dispatcher.handle_joined(at(0), NodeId(id), Incarnation(id.into()));
    }
    dispatcher
}

fn hand_in(dispatcher: &mut Dispatcher<Length, char>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(dispatcher.handle_event(at(0), built(number, 100)), None);
    }
}

/// Event, node, attempt of all that is given.
fn given(dispatcher: &mut Dispatcher<Length, char>, now: Time) -> Vec<(u64, u16, u8)> {
    std::iter::from_fn(|| dispatcher.poll_transmit(now))
        .map(|given| (given.event.0, given.node.0, given.attempt))
        .collect()
}

fn answer(event: u64, node: u16, attempt: u8) -> Answer<char> {
    let (event, incarnation) = (EventNumber(event), Incarnation(node.into()));
    Answer { node: NodeId(node), incarnation, event, attempt, decision: 'y' }
}

/// Event and who decided, of all that is over.
fn decided(dispatcher: &mut Dispatcher<Length, char>) -> Vec<(u64, Option<u16>)> {
    let story = |decided: Decided<Length, char>| {
        let by = if let Outcome::Decided { by, .. } = decided.outcome { Some(by.0) } else { None };
        (decided.built.event().number.0, by)
    };
    std::iter::from_fn(|| dispatcher.poll_decided()).map(story).collect()
}

#[test]
fn an_event_is_given_once_and_decided_once() {
    let mut dispatcher = dispatcher(PLAN, 2);
    hand_in(&mut dispatcher, 5..7);
    assert_eq!(given(&mut dispatcher, at(0)), [(5, 0, 1), (6, 1, 1)]);
    assert_eq!(dispatcher.event(EventNumber(6)).unwrap().event().bytes, 100);
    assert_eq!(dispatcher.handle_answer(at(2), answer(6, 1, 1)), AnswerKind::Taken);
    assert_eq!(dispatcher.handle_answer(at(2), answer(6, 1, 1)), AnswerKind::AfterDecision);
    assert_eq!(decided(&mut dispatcher), [(6, Some(1))]);
    assert_eq!((dispatcher.event(EventNumber(6)), dispatcher.in_flight()), (None, 1));
    assert_eq!(dispatcher.counts().decision_ns.max(), Some(2_000_000));
}

#[test]
fn a_builder_that_has_every_other_event_gives_to_all_its_nodes_by_any_table() {
    let calendar = Policy::Calendar(Calendar::new(1, 64));
    for policy in [calendar, Policy::LinearShift(LinearShift::new(1, 64))] {
        let plan = DispatcherPlan { events_max: 100, bytes_max: 100_000, in_flight_max: 100, ..PLAN };
        let mut dispatcher = Dispatcher::new(plan, policy);
        for id in 0..4 {
            dispatcher.handle_joined(at(0), NodeId(id), Incarnation(id.into()));
        }
        for number in (1..81).step_by(2) {
            assert_eq!(dispatcher.handle_event(at(0), built(number, 100)), None);
        }
        let given = given(&mut dispatcher, at(0));
        for node in 0..4 {
            assert_eq!(given.iter().filter(|(_, to, _)| *to == node).count(), 10, "node {node}: {given:?}");
        }
    }
}

#[test]
fn what_a_dead_node_had_goes_to_another_and_its_late_answer_is_not_taken() {
    let mut dispatcher = dispatcher(PLAN, 2);
    hand_in(&mut dispatcher, 0..3);
    assert_eq!(given(&mut dispatcher, at(0)), [(0, 0, 1), (1, 1, 1), (2, 0, 1)]);
    dispatcher.handle_left(at(1), NodeId(0));
    assert_eq!(dispatcher.handle_answer(at(1), answer(0, 0, 1)), AnswerKind::Late, "while it waits");
    assert_eq!(given(&mut dispatcher, at(1)), [(0, 1, 2), (2, 1, 2)], "oldest first");
    assert_eq!(dispatcher.handle_answer(at(1), answer(0, 0, 1)), AnswerKind::Late, "while another has it");
    assert_eq!(dispatcher.handle_answer(at(2), answer(0, 1, 2)), AnswerKind::Taken);
    assert_eq!(dispatcher.handle_answer(at(2), answer(0, 0, 1)), AnswerKind::AfterDecision);
    assert_eq!(decided(&mut dispatcher), [(0, Some(1))]);
    assert_eq!(dispatcher.counts().left, 2);
}

#[test]
fn a_node_that_takes_too_long_loses_its_event() {
    let mut dispatcher = dispatcher(PLAN, 2);
    hand_in(&mut dispatcher, 0..1);
    assert_eq!((given(&mut dispatcher, at(0)).len(), dispatcher.next_timeout()), (1, Some(at(10))));
    dispatcher.handle_timeout(at(10));
    assert_eq!(given(&mut dispatcher, at(10)), [(0, 1, 2)]);
    dispatcher.handle_timeout(at(20));
    assert_eq!(decided(&mut dispatcher), [(0, None)], "no node survives it: undecided, not gone");
    assert_eq!((dispatcher.counts().expired, dispatcher.counts().undecided), (2, 1));
}

#[test]
fn a_node_in_a_new_life_has_nothing_of_its_last_one() {
    let mut dispatcher = dispatcher(PLAN, 1);
    hand_in(&mut dispatcher, 0..1);
    assert_eq!(given(&mut dispatcher, at(0)), [(0, 0, 1)]);
    dispatcher.handle_joined(at(1), NodeId(0), Incarnation(0));
    assert_eq!(dispatcher.in_flight(), 1, "the same life: nothing changes");
    dispatcher.handle_joined(at(1), NodeId(0), Incarnation(8));
    assert_eq!(given(&mut dispatcher, at(1)), [(0, 0, 2)]);
    assert_eq!(dispatcher.handle_answer(at(2), answer(0, 0, 1)), AnswerKind::Late, "of its last life");
    assert_eq!(dispatcher.handle_answer(at(2), answer(0, 0, 2)), AnswerKind::Unknown, "of neither");
    let good = Answer { incarnation: Incarnation(8), ..answer(0, 0, 2) };
    assert_eq!(dispatcher.handle_answer(at(2), good), AnswerKind::Taken);
}

#[test]
fn an_invented_answer_is_counted() {
    let mut dispatcher = dispatcher(PLAN, 1);
    hand_in(&mut dispatcher, 0..1);
    for (event, attempt) in [(0, 1), (9, 1)] {
        assert_eq!(dispatcher.handle_answer(at(0), answer(event, 0, attempt)), AnswerKind::Unknown);
    }
    given(&mut dispatcher, at(0));
    assert_eq!(dispatcher.handle_answer(at(0), answer(0, 0, 2)), AnswerKind::Unknown, "never given so often");
    assert_eq!(dispatcher.counts().answers_unknown, 3);
}

#[test]
fn what_finds_no_room_and_what_comes_twice_is_given_back() {
    let mut dispatcher = dispatcher(PLAN, 0);
    hand_in(&mut dispatcher, 0..3);
    assert!(dispatcher.is_throttling());
    let refusal = |dispatcher: &mut Dispatcher<_, _>, number, bytes| {
        dispatcher.handle_event(at(0), built(number, bytes)).map(|refused| refused.why)
    };
    assert_eq!(refusal(&mut dispatcher, 1, 100), Some(WhyRefused::Twice));
    assert_eq!(refusal(&mut dispatcher, 3, 701), Some(WhyRefused::NoRoom));
    assert_eq!(refusal(&mut dispatcher, 3, 700), None);
    assert_eq!(refusal(&mut dispatcher, 4, 0), Some(WhyRefused::NoRoom));
    dispatcher.handle_end();
    assert_eq!(decided(&mut dispatcher), [(0, None), (1, None), (2, None), (3, None)]);
    assert!(!dispatcher.is_throttling());
    assert_eq!(refusal(&mut dispatcher, 2, 0), Some(WhyRefused::Twice), "when it is over as well");
    assert_eq!(refusal(&mut dispatcher, 5, 5_000), None, "larger than the bound, but alone");
}

#[test]
fn no_more_are_in_flight_than_the_bound_allows() {
    let mut dispatcher = dispatcher(PLAN, 1);
    hand_in(&mut dispatcher, 0..4);
    assert_eq!(given(&mut dispatcher, at(0)).len(), 3);
    dispatcher.handle_answer(at(0), answer(1, 0, 1));
    assert_eq!(given(&mut dispatcher, at(0)), [(3, 0, 1)]);
}

#[test]
fn with_tokens_an_event_waits_for_a_node_that_is_ready() {
    let mut dispatcher: Dispatcher<_, char> =
        Dispatcher::new(PLAN, Policy::Tokens(Tokens::new(TokenPlan::default())));
    dispatcher.handle_joined(at(0), NodeId(4), Incarnation(4));
    hand_in(&mut dispatcher, 0..2);
    assert_eq!(given(&mut dispatcher, at(0)), []);
    let token = Token { from: Destination(4), incarnation: Incarnation(4), number: 1, void_below: 1 };
    dispatcher.handle_token(at(1), token);
    assert_eq!(given(&mut dispatcher, at(1)), [(0, 4, 1)]);
    assert_eq!(dispatcher.policy().credits().spent, 1);
}

#[test]
fn an_ended_lease_and_an_answer_free_the_node_in_the_policy() {
    let mut dispatcher: Dispatcher<_, char> = Dispatcher::new(PLAN, Policy::LeastLoaded(LeastLoaded::new(1)));
    dispatcher.handle_joined(at(0), NodeId(0), Incarnation(0));
    hand_in(&mut dispatcher, 0..2);
    assert_eq!(given(&mut dispatcher, at(0)), [(0, 0, 1)]);
    dispatcher.handle_timeout(at(10));
    assert_eq!(given(&mut dispatcher, at(10)), [(0, 0, 2)], "there is no other node");
    assert_eq!(dispatcher.handle_answer(at(11), answer(0, 0, 2)), AnswerKind::Taken);
    assert_eq!(given(&mut dispatcher, at(11)), [(1, 0, 1)]);
}

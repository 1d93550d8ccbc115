//! Single moments in the life of a builder; whole lives are in `tests/readout_roles.rs`.

use super::*;
use crate::readout::fragment::{Fragment, Length};
use crate::readout::ids::{BuilderId, RunNumber, SourceId};
use crate::readout::role::plan::{PolicyPlan, Protocol, RunPlan};
use crate::readout::trigger::Assigned;
use crate::time::Span;

const BUILDER: BuilderId = BuilderId(3);
const NOTHING: [bool; 0] = [];

/// A builder that throttles from the third open event on.
fn builder() -> BuilderRole<Length> {
    let run = RunPlan {
        run: RunNumber(1),
        seed: 1,
        first: EventNumber(0),
        packing_events: 1,
        has_two_levels: false,
        protocol: Protocol::Push,
        sources: vec![SourceId(0)],
        without: Default::default(),
        builders: vec![BUILDER],
        nodes: Vec::new(),
        sinks: Vec::new(),
    };
    BuilderRole::new(BuilderRolePlan {
        run,
        builder: BUILDER,
        incarnation: Incarnation(1),
        gives_tokens: false,
        slots: 1,
        token_lease: Span::from_s(1),
        event_timeout: Span::from_s(1),
        fragment_bytes_max: 1_000,
        open_events_max: 4,
        open_bytes_max: 10_000,
        is_ordered: false,
        policy: PolicyPlan::RoundRobin,
        lease: Span::from_s(1),
        attempts_max: 3,
        held_events_max: 100,
        held_bytes_max: 100_000,
        undecided_streams: 0,
    })
}

fn assign(role: &mut BuilderRole<Length>, event: u64) {
    let (run, event) = (RunNumber(1), EventNumber(event));
    let assigned = Assigned { run, event, events: 1, destination: BUILDER, triggered: Time::ZERO };
    role.handle_message(Time::ZERO, Peer::Trigger, Message::Assigned { level: Level::First, assigned });
}

fn complete(role: &mut BuilderRole<Length>, event: u64) {
    let (run, event, source) = (RunNumber(1), EventNumber(event), SourceId(0));
    let fragment = Fragment { run, event, events: 1, source, payload: Length(10) };
    let message = Message::Fragment { level: Level::First, fragment };
    role.handle_message(Time::ZERO, Peer::Source(source), message);
}

/// What it tells the trigger of throttling.
fn throttles(role: &mut BuilderRole<Length>) -> Vec<bool> {
    let messages = std::iter::from_fn(|| role.poll_transmit(Time::ZERO));
    let throttle = |(_, message)| match message {
        Message::Throttle { is_throttling } => Some(is_throttling),
        _ => None,
    };
    messages.filter_map(throttle).collect()
}

/// Found by the swarm: a trigger and a builder had hung. What the builder had said reached the trigger after that
/// had forgotten it, and nobody took it back: the trigger was throttled for good.
#[test]
fn a_trigger_that_returns_is_told_that_a_throttle_is_over() {
    let mut role = builder();
    role.handle_peer(Time::ZERO, Peer::Trigger, Some(Incarnation(9)));
    role.handle_message(
        Time::ZERO,
        Peer::Trigger,
        Message::Welcome { level: Level::First, next: EventNumber(0) },
    );
    assert_eq!(throttles(&mut role), NOTHING, "what never was is not said");
    (0..3).for_each(|event| assign(&mut role, event));
    assert_eq!(throttles(&mut role), [true]);
    role.handle_peer(Time::ZERO, Peer::Trigger, None);
    (0..3).for_each(|event| complete(&mut role, event));
    assert_eq!(throttles(&mut role), NOTHING, "nobody is there");
    role.handle_peer(Time::ZERO, Peer::Trigger, Some(Incarnation(9)));
    assert_eq!(throttles(&mut role), [false]);
    role.handle_peer(Time::ZERO, Peer::Trigger, None);
    role.handle_peer(Time::ZERO, Peer::Trigger, Some(Incarnation(9)));
    assert_eq!(throttles(&mut role), NOTHING, "once is enough");
}

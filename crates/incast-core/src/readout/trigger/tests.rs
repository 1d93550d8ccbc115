//! Small exact cases of the trigger.

use super::*;
use crate::readout::assign::{LeastLoaded, RoundRobin, TokenPlan, Tokens};
use crate::readout::ids::Destination;
use crate::time::Span;

const fn at(ms: u64) -> Time {
    Time(ms * 1_000_000_000)
}

/// A trigger each millisecond.
fn plan() -> TriggerPlan {
    TriggerPlan {
        run: RunNumber(1),
        first: EventNumber(100),
        load: "1ms".parse().unwrap(),
        spacing: Spacing::Fixed,
        packing_events: 1,
        events_max: None,
    }
}

fn trigger(plan: TriggerPlan) -> Trigger {
    let mut trigger =
        Trigger::new(plan, Policy::RoundRobin(RoundRobin::new()), at(0), Random::named(1, "trigger"));
    for id in 0..2 {
        trigger.handle_joined(at(0), BuilderId(id), Incarnation(0));
    }
    trigger
}

/// First event, events and destination of all that is assigned by `until`, waking when told.
fn assigned(trigger: &mut Trigger, until: Time) -> Vec<(u64, u16, u16)> {
    let mut all = vec![];
    while let Some(next) = trigger.next_timeout().filter(|next| *next <= until) {
        while let Some(packet) = trigger.poll_assigned(next) {
            all.push((packet.event.0, packet.events, packet.destination.0));
        }
    }
    all
}

#[test]
fn events_are_numbered_and_assigned_at_their_rate() {
    let mut trigger = trigger(plan());
    assert_eq!(assigned(&mut trigger, at(3)), [(100, 1, 0), (101, 1, 1), (102, 1, 0), (103, 1, 1)]);
    assert_eq!(trigger.next_timeout(), Some(at(4)));
    let late = trigger.poll_assigned(at(6)).unwrap();
    assert_eq!((late.triggered, late.run), (at(4), RunNumber(1)), "the moment it was due");
}

#[test]
fn a_packet_goes_when_it_is_full_and_the_last_one_may_be_shorter() {
    let mut trigger = trigger(TriggerPlan { packing_events: 4, events_max: Some(10), ..plan() });
    assert_eq!(assigned(&mut trigger, at(1_000)), [(100, 4, 0), (104, 4, 1), (108, 2, 0)]);
    assert!(trigger.is_over());
    assert_eq!(
        (trigger.counts().triggered, trigger.counts().assigned, trigger.counts().packets),
        (10, 10, 3)
    );
}

#[test]
fn a_stop_sends_what_is_in_the_packet() {
    let mut trigger = trigger(TriggerPlan { packing_events: 4, ..plan() });
    assert_eq!(assigned(&mut trigger, at(5)), [(100, 4, 0)]);
    trigger.handle_stop(at(5));
    assert!(!trigger.is_over());
    assert_eq!(trigger.poll_assigned(at(5)).map(|packet| (packet.event.0, packet.events)), Some((104, 2)));
    assert!(trigger.is_over() && trigger.poll_assigned(at(9)).is_none());
}

#[test]
fn a_throttle_refuses_triggers_and_its_dead_time_is_known() {
    let mut trigger = trigger(plan());
    assigned(&mut trigger, at(3));
    trigger.handle_throttle(at(3), BuilderId(1), true);
    trigger.handle_throttle(at(4), BuilderId(0), true);
    trigger.handle_throttle(at(5), BuilderId(1), false);
    assert_eq!((trigger.next_timeout(), trigger.poll_assigned(at(9))), (None, None));
    // Much longer than the pacer would catch up.
    trigger.handle_throttle(at(503), BuilderId(0), false);
    assert_eq!(assigned(&mut trigger, at(504)), [(104, 1, 0)]);
    let dead = trigger.throttle();
    assert_eq!((dead.refused(), dead.stopped(at(600)), dead.spells()), (500, Span::from_ms(500), 1));
    assert_eq!(trigger.counts().skipped, 0);
}

#[test]
fn a_builder_that_leaves_throttles_no_longer() {
    let mut trigger = trigger(plan());
    trigger.handle_throttle(at(0), BuilderId(1), true);
    trigger.handle_left(at(5), BuilderId(1));
    assert_eq!(assigned(&mut trigger, at(7)), [(100, 1, 0), (101, 1, 0)]);
}

#[test]
fn without_credit_the_packet_waits_and_later_triggers_are_refused() {
    let tokens = Policy::Tokens(Tokens::new(TokenPlan::default()));
    let mut trigger = Trigger::new(plan(), tokens, at(0), Random::named(1, "trigger"));
    trigger.handle_joined(at(0), BuilderId(5), Incarnation(3));
    assert_eq!(trigger.poll_assigned(at(0)), None);
    let token = Token { from: Destination(5), incarnation: Incarnation(3), number: 1, void_below: 1 };
    trigger.handle_token(at(4), token);
    let packet = trigger.poll_assigned(at(4)).unwrap();
    assert_eq!((packet.event, packet.triggered, packet.destination), (EventNumber(100), at(0), BuilderId(5)));
    let dead = trigger.nobody();
    assert_eq!((dead.refused(), dead.stopped(at(4)), dead.is_stopped()), (4, Span::from_ms(4), false));
    // One event was triggered, and none waits with a number while nobody can have it but that one.
    assert_eq!(trigger.poll_assigned(at(6)), None);
    assert_eq!((trigger.counts().triggered, trigger.counts().assigned), (2, 1));
}

#[test]
fn a_pause_is_dead_time_of_its_own() {
    let mut trigger = trigger(plan());
    assert_eq!(assigned(&mut trigger, at(1)).len(), 2);
    trigger.handle_pause(at(1), true);
    trigger.handle_throttle(at(3), BuilderId(0), true);
    trigger.handle_pause(at(11), false);
    trigger.handle_throttle(at(13), BuilderId(0), false);
    assert_eq!((trigger.pause().refused(), trigger.throttle().refused()), (10, 2));
    assert_eq!(assigned(&mut trigger, at(14)).len(), 1);
}

#[test]
fn an_unlimited_trigger_is_stopped_by_its_policy_alone() {
    let plan = TriggerPlan { load: Load::Unlimited, ..plan() };
    let mut trigger =
        Trigger::new(plan, Policy::LeastLoaded(LeastLoaded::new(3)), at(0), Random::named(1, "trigger"));
    trigger.handle_joined(at(0), BuilderId(0), Incarnation(0));
    let got = std::iter::from_fn(|| trigger.poll_assigned(at(1))).count();
    assert_eq!((got, trigger.next_timeout(), trigger.nobody().refused()), (3, None, 0));
    trigger.handle_done(BuilderId(0));
    assert!(trigger.poll_assigned(at(2)).is_some());
}

#[test]
fn every_trigger_is_numbered_refused_or_skipped() {
    for (spacing, load) in [("fixed", "10us"), ("poisson", "10us"), ("burst:16", "10us")] {
        let spacing = spacing.parse().unwrap();
        let mut trigger = trigger(TriggerPlan { load: load.parse().unwrap(), spacing, ..plan() });
        let mut random = Random::named(4, "every trigger");
        let mut now = at(0);
        for step in 0..200 {
            now += Span::from_us(random.next_u64() % 3_000 + if step % 50 == 0 { 30_000 } else { 0 });
            while trigger.poll_assigned(now).is_some() {}
            trigger.handle_throttle(now, BuilderId(0), random.next_u64().is_multiple_of(3));
        }
        let (counts, refused) = (trigger.counts(), trigger.throttle().refused());
        let expected = now.as_ns() / 10_000;
        let sum = counts.triggered + refused + counts.skipped;
        // Five standard deviations of a Poisson process, and its estimate of what was skipped.
        assert!(sum.abs_diff(expected) < 5 * expected.isqrt() + 16, "{spacing}: {sum} of {expected}");
        assert!(refused > 0 && counts.skipped > 0);
    }
}

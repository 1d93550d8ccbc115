//! Small exact cases of the policies.

use super::*;
use crate::random::Random;
use crate::time::Span;

const fn at(ms: u64) -> Time {
    Time(ms * 1_000_000_000)
}

const fn life(incarnation: u64) -> Incarnation {
    Incarnation(incarnation)
}

fn token(from: u16, number: u64) -> Token {
    Token { from: Destination(from), incarnation: life(from.into()), number, void_below: 1 }
}

/// Joins members 0 to below `count`, each in the life of its own number.
fn join(policy: &mut impl Assign, count: u16) {
    for id in 0..count {
        policy.handle_joined(at(0), Destination(id), life(id.into()));
    }
}

/// Assigns the events of a range at the same time.
fn assign(policy: &mut impl Assign, events: std::ops::Range<u64>) -> Vec<Option<u16>> {
    events.map(|event| policy.poll_assign(at(1), EventNumber(event)).map(|to| to.0)).collect()
}

fn all(to: &[u16]) -> Vec<Option<u16>> {
    to.iter().copied().map(Some).collect()
}

fn every_policy() -> Vec<Policy> {
    vec![
        Policy::RoundRobin(RoundRobin::new()),
        Policy::Tokens(Tokens::new(TokenPlan { held_max: 200, ..TokenPlan::default() })),
        Policy::LeastLoaded(LeastLoaded::new(100)),
        Policy::Calendar(Calendar::new(1, 1)),
        Policy::LinearShift(LinearShift::new(1, 1)),
    ]
}

#[test]
fn nobody_gets_anything_before_joining_or_after_leaving() {
    for mut policy in every_policy() {
        assert_eq!(policy.poll_assign(at(0), EventNumber(0)), None, "{policy:?}");
        join(&mut policy, 3);
        for number in 1..=100 {
            (0..3).for_each(|from| policy.handle_token(at(0), token(from, number)));
        }
        let first = assign(&mut policy, 1..100);
        for id in 0..3 {
            assert!(first.contains(&Some(id)), "{id} {policy:?}");
        }
        policy.handle_left(at(1), Destination(1));
        let without = assign(&mut policy, 100..200);
        assert!(without.iter().all(|to| to.is_some_and(|to| to != 1)), "{policy:?}");
        // Back in a new life.
        policy.handle_joined(at(2), Destination(1), life(77));
        for number in 1..=100 {
            policy.handle_token(at(2), Token { incarnation: life(77), ..token(1, number) });
        }
        assert!(assign(&mut policy, 200..210).contains(&Some(1)), "{policy:?}");
        (0..3).for_each(|id| policy.handle_left(at(3), Destination(id)));
        assert_eq!(policy.poll_assign(at(3), EventNumber(300)), None, "{policy:?}");
        assert_eq!(policy.credits().residual(), 0);
        assert_eq!(policy.credits().held, 0);
    }
}

#[test]
fn members_have_a_bound_and_the_rest_is_counted() {
    for mut policy in every_policy() {
        let bound = if matches!(policy, Policy::Calendar(_)) { CALENDAR_SLOTS } else { MEMBERS_MAX };
        let bound = u16::try_from(bound).unwrap();
        // A new table for each would take long: what counts is who is accepted.
        join(&mut policy, bound + 3);
        assert_eq!(policy.counts().members_refused, 3);
        join(&mut policy, bound);
        assert_eq!(policy.counts().members_refused, 3, "who is there is not refused");
    }
}

#[test]
fn round_robin_takes_turns_and_asks_nobody() {
    let mut policy = RoundRobin::new();
    join(&mut policy, 3);
    assert_eq!(assign(&mut policy, 0..4), all(&[0, 1, 2, 0]));
    policy.handle_left(at(0), Destination(1));
    assert_eq!(assign(&mut policy, 4..7), all(&[2, 0, 2]));
    policy.handle_joined(at(0), Destination(1), life(9));
    assert_eq!(assign(&mut policy, 7..10), all(&[0, 1, 2]));
}

#[test]
fn the_least_loaded_is_served_first_up_to_its_bound() {
    let mut policy = LeastLoaded::new(2);
    join(&mut policy, 3);
    assert_eq!(assign(&mut policy, 0..3), all(&[0, 1, 2]));
    policy.handle_done(Destination(2));
    policy.handle_done(Destination(1));
    assert_eq!(assign(&mut policy, 3..7), all(&[1, 2, 0, 1]));
    assert_eq!(assign(&mut policy, 7..9), [Some(2), None]);
    assert_eq!(policy.counts().nobody, 1);
    // More is done than was given: a mistake of the owner leaks nothing.
    (0..9).for_each(|_| policy.handle_done(Destination(0)));
    assert_eq!(assign(&mut policy, 9..12), [Some(0), Some(0), None]);
}

#[test]
fn a_token_is_spent_once_and_first_tokens_go_before_second_ones() {
    let mut policy = Tokens::new(TokenPlan::default());
    join(&mut policy, 2);
    for (from, number) in [(0, 1), (0, 2), (1, 1)] {
        policy.handle_token(at(0), token(from, number));
    }
    // Member 0 spoke first, and has the second oldest token too: but it is at work then.
    assert_eq!(assign(&mut policy, 0..4), [Some(0), Some(1), Some(0), None]);
    let credits = policy.credits();
    assert_eq!((credits.granted, credits.spent, credits.held, credits.expired), (3, 3, 0, 0));
}

#[test]
fn a_token_that_is_no_credit_is_counted_by_kind() {
    let mut policy = Tokens::new(TokenPlan { held_max: 3, ..TokenPlan::default() });
    join(&mut policy, 2);
    let good = token(1, 5);
    let steps = [
        good,
        good,
        Token { from: Destination(7), ..good },
        Token { incarnation: life(99), number: 6, ..good },
        Token { number: 0, void_below: 0, ..good },
        Token { number: 6, void_below: 7, ..good },
        Token { number: u64::MAX, ..good },
        // Later ones in any order are as good.
        Token { number: 200, ..good },
        Token { number: 199, ..good },
        Token { number: 198, ..good },
        Token { number: 72, ..good },
    ];
    steps.into_iter().for_each(|token| policy.handle_token(at(0), token));
    let expected = PolicyCounts {
        tokens_duplicate: 1,
        tokens_forged: 4,
        tokens_of_another_life: 1,
        tokens_beyond: 1,
        tokens_late: 1,
        ..PolicyCounts::default()
    };
    assert_eq!(*policy.counts(), expected);
    assert_eq!(policy.credits().held, 3);
    // What the node takes for lost expires, and does not come back.
    policy.handle_token(at(0), Token { number: 201, void_below: 200, ..good });
    policy.handle_token(at(0), Token { number: 197, ..good });
    let credits = policy.credits();
    assert_eq!((credits.granted, credits.held, credits.expired), (4, 2, 2));
    assert_eq!(policy.counts().tokens_late, 2);
}

#[test]
fn a_token_expires_with_its_lease_and_with_its_member() {
    let mut policy = Tokens::new(TokenPlan { lease: Span::from_ms(10), held_max: 9 });
    join(&mut policy, 2);
    policy.handle_token(at(0), token(0, 1));
    policy.handle_token(at(4), token(0, 2));
    policy.handle_token(at(5), token(1, 1));
    assert_eq!(policy.next_timeout(), Some(at(10)));
    policy.handle_timeout(at(10));
    assert_eq!((policy.credits().held, policy.next_timeout()), (2, Some(at(14))));
    policy.handle_left(at(11), Destination(1));
    assert_eq!(policy.poll_assign(at(14), EventNumber(0)), None, "an expired one is not spent");
    let credits = policy.credits();
    assert_eq!((credits.granted, credits.spent, credits.held, credits.expired), (3, 0, 0, 3));
}

#[test]
fn any_tokens_keep_the_law_of_credits() {
    for seed in 0..300 {
        let mut random = Random::named(seed, "tokens");
        let mut below = |bound: u64| random.next_u64() % bound;
        let mut policy = Tokens::new(TokenPlan { lease: Span::from_ms(1 + below(20)), held_max: 5 });
        let mut assigned = 0;
        for step in 0..300 {
            let (now, id) = (at(step), Destination(u16::try_from(below(4)).unwrap()));
            match below(8) {
                0 => policy.handle_joined(now, id, life(below(2))),
                1 if below(3) == 0 => policy.handle_left(now, id),
                1 | 2 => policy.handle_done(id),
                3 => policy.handle_timeout(now),
                4 => assigned += u64::from(policy.poll_assign(now, EventNumber(step)).is_some()),
                _ => {
                    let number = step / 4 + below(6);
                    let void_below = (number + 1).saturating_sub(below(200));
                    policy.handle_token(
                        now,
                        Token { from: id, incarnation: life(below(2)), number, void_below },
                    );
                }
            }
            let credits = policy.credits();
            assert_eq!(credits.residual(), 0, "seed {seed}, step {step}: {credits}");
        }
        assert_eq!(policy.credits().spent, assigned, "seed {seed}");
    }
}

#[test]
fn a_calendar_gives_each_its_weight_evenly() {
    let mut calendar = Calendar::new(1, 1);
    join(&mut calendar, 3);
    calendar
        .set_weights(EventNumber(0), &[(Destination(0), 4), (Destination(1), 2), (Destination(2), 2)])
        .unwrap();
    let slots = assign(&mut calendar, 0..512);
    for (id, weight) in [(0, 4), (1, 2), (2, 2)] {
        let places: Vec<usize> = (0..512).filter(|slot| slots[*slot] == Some(id)).collect();
        assert_eq!(places.len(), 512 * weight / 8);
        let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest <= 8 / weight + 1, "{id}: {widest}");
    }
    assert_eq!(calendar.slot_of(EventNumber(512)).map(|to| to.0), slots[0]);
}

#[test]
fn weights_that_were_known_before_anybody_came_hold_when_they_come() {
    let mut calendar = Calendar::new(1, 1).with_weights(&[(Destination(0), 3), (Destination(1), 1)]);
    join(&mut calendar, 2);
    let slots = assign(&mut calendar, 0..512);
    assert_eq!(slots.iter().filter(|slot| **slot == Some(0)).count(), 384);
}

#[test]
fn a_calendar_changes_only_in_the_future() {
    let mut calendar = Calendar::new(1, 10);
    join(&mut calendar, 2);
    assert_eq!(assign(&mut calendar, 0..4), all(&[0, 1, 0, 1]));
    let only = |id: u16| [(Destination(id), 1), (Destination(1 - id), 0)];
    let early = calendar.set_weights(EventNumber(3), &only(1));
    assert_eq!(early, Err(CalendarRefused::TooEarly(EventNumber(4))));
    calendar.set_weights(EventNumber(6), &only(1)).unwrap();
    assert_eq!(assign(&mut calendar, 4..8), all(&[0, 1, 1, 1]));
    assert_eq!(calendar.slot_of(EventNumber(4)), Some(Destination(0)), "what has begun keeps its table");
    let none = [(Destination(0), 0), (Destination(1), 0)];
    assert_eq!(calendar.set_weights(EventNumber(9), &none), Err(CalendarRefused::NoWeight));
    assert_eq!(assign(&mut calendar, 8..10), all(&[1, 1]));
}

#[test]
fn a_dead_member_of_a_table_is_passed_over_at_once() {
    let mut calendar = Calendar::new(1, 10);
    join(&mut calendar, 3);
    assert_eq!(assign(&mut calendar, 0..3), all(&[0, 1, 2]));
    calendar.handle_left(at(1), Destination(1));
    assert_eq!(assign(&mut calendar, 3..6), all(&[0, 2, 2]));
    assert_eq!(calendar.counts().diverted, 1);
    // From the tenth event after the newest on, the table itself is without it.
    assert_eq!(assign(&mut calendar, 12..16), all(&[0, 2, 0, 2]));
    assert_eq!(calendar.counts().diverted, 1);
}

#[test]
fn in_every_phase_of_a_linear_shift_no_two_sources_meet() {
    let mut shift = LinearShift::new(10, 1);
    join(&mut shift, 5);
    for phase in 0..12 {
        let mut to: Vec<_> = (0..5).map(|place| shift.destination_in_phase(place, phase)).collect();
        to.sort_unstable();
        assert!(to.iter().zip(0..).all(|(to, id)| *to == Some(Destination(id))), "{phase}");
    }
    // Packets of ten events take turns.
    let packets: Vec<_> = (0..6).map(|packet| shift.poll_assign(at(0), EventNumber(10 * packet))).collect();
    assert_eq!(packets, [0, 1, 2, 3, 4, 0].map(|id| Some(Destination(id))));
}

#[test]
fn a_table_of_the_dead_does_not_wait_for_numbers_that_stand_still() {
    for mut policy in [Policy::Calendar(Calendar::new(1, 10)), Policy::LinearShift(LinearShift::new(1, 10))] {
        join(&mut policy, 2);
        assert_eq!(assign(&mut policy, 0..2), all(&[0, 1]));
        (0..2).for_each(|id| policy.handle_left(at(1), Destination(id)));
        assert_eq!(assign(&mut policy, 2..3), [None]);
        policy.handle_joined(at(2), Destination(7), life(7));
        assert_eq!(assign(&mut policy, 2..4), all(&[7, 7]), "{policy:?}");
    }
}

//! Dispatcher, sorter and event account against naive models, for any calls in any order.

use std::collections::BTreeMap;

use incast_core::readout::{
    Answer, AnswerKind, BuilderPlan, Built, Dispatcher, DispatcherPlan, EventAccount, EventBuilder,
    EventNumber, Fragment, Incarnation, LeastLoaded, Length, Loss, NodeId, Outcome, Place, Policy,
    RoundRobin, RunNumber, Sorted, Sorter, SorterPlan, SourceId, SourceSet, WhyRefused,
};
use incast_core::time::{Span, Time};
use proptest::prelude::*;

const LEASE: Span = Span::from_ms(10);

fn built(number: u64) -> Built<Length> {
    let mut builder = EventBuilder::new(BuilderPlan::new(RunNumber(0), SourceSet::first(1)));
    let (event, source, payload) = (EventNumber(number), SourceId(0), Length(100));
    builder.handle_fragment(Time::ZERO, Fragment { run: RunNumber(0), event, events: 1, source, payload });
    builder.poll_built().expect("one source makes an event")
}

#[derive(Clone, Debug)]
enum Step {
    Event(u64),
    Joined(u16, u64),
    Left(u16),
    Give,
    Answer { node: u16, incarnation: u64, event: u64, attempt: u8 },
    Timeout,
    Fetch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u64).prop_map(Step::Event),
        2 => (0..3_u16, 0..2_u64).prop_map(|(node, life)| Step::Joined(node, life)),
        1 => (0..3_u16).prop_map(Step::Left),
        5 => Just(Step::Give),
        6 => (0..3_u16, 0..2_u64, 0..12_u64, 1..4_u8)
            .prop_map(|(node, incarnation, event, attempt)| Step::Answer { node, incarnation, event, attempt }),
        2 => Just(Step::Timeout),
        2 => Just(Step::Fetch),
    ]
}

/// What is known of an event that entered.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Node, its incarnation, until when.
    holder: Option<(u16, u64, Time)>,
    attempts: u8,
    /// It was decided, or given up.
    is_over: bool,
}

#[derive(Default)]
struct Model {
    nodes: BTreeMap<u16, u64>,
    known: BTreeMap<u64, Known>,
}

impl Model {
    fn take_back(&mut self, is_lost: impl Fn((u16, u64, Time)) -> bool, attempts_max: u8) {
        for event in self.known.values_mut().filter(|event| event.holder.is_some_and(&is_lost)) {
            event.holder = None;
            event.is_over = event.attempts >= attempts_max;
        }
    }

    fn answer(&mut self, node: u16, incarnation: u64, event: u64, attempt: u8) -> AnswerKind {
        let Some(known) = self.known.get_mut(&event) else { return AnswerKind::Unknown };
        if known.is_over {
            return AnswerKind::AfterDecision;
        }
        let holds = known.holder.is_some_and(|(at, life, _)| (at, life) == (node, incarnation));
        if holds && attempt == known.attempts {
            (known.holder, known.is_over) = (None, true);
            return AnswerKind::Taken;
        }
        let over = known.attempts - u8::from(known.holder.is_some());
        if attempt <= over { AnswerKind::Late } else { AnswerKind::Unknown }
    }
}

#[expect(clippy::too_many_lines, reason = "a case for each step, read in one go")]
fn compare_dispatchers(policy: Policy, steps: &[(u64, Step)]) -> Result<(), TestCaseError> {
    let plan = DispatcherPlan {
        events_max: 8,
        in_flight_max: 5,
        lease: LEASE,
        attempts_max: 2,
        ..Default::default()
    };
    let (mut dispatcher, mut model) = (Dispatcher::new(plan, policy), Model::default());
    let (mut now, mut out) = (Time::ZERO, BTreeMap::new());
    let fetch = |dispatcher: &mut Dispatcher<Length, u64>, out: &mut BTreeMap<u64, Outcome<u64>>| {
        while let Some(decided) = dispatcher.poll_decided() {
            let again = out.insert(decided.built.event().number.0, decided.outcome);
            assert_eq!(again, None, "an event comes out once");
        }
    };
    for (later, step) in steps {
        now += Span::from_ms(*later);
        match *step {
            Step::Event(number) => {
                let why = dispatcher.handle_event(now, built(number)).map(|refused| refused.why);
                let is_known = model.known.contains_key(&number);
                prop_assert_eq!(why == Some(WhyRefused::Twice), is_known);
                if why.is_none() {
                    model.known.insert(number, Known::default());
                }
            }
            Step::Joined(node, life) => {
                if model.nodes.insert(node, life).is_some_and(|before| before != life) {
                    model.take_back(|(at, _, _)| at == node, 2);
                }
                dispatcher.handle_joined(now, NodeId(node), Incarnation(life));
            }
            Step::Left(node) => {
                model.nodes.remove(&node);
                model.take_back(|(at, _, _)| at == node, 2);
                dispatcher.handle_left(now, NodeId(node));
            }
            Step::Give => {
                if let Some(given) = dispatcher.poll_transmit(now) {
                    let (node, incarnation) = (given.node.0, given.incarnation.0);
                    prop_assert_eq!(model.nodes.get(&node), Some(&incarnation), "only to who is there");
                    let known = model.known.get_mut(&given.event.0).expect("only what entered");
                    prop_assert!(known.holder.is_none() && !known.is_over, "one node at a time");
                    known.attempts += 1;
                    known.holder = Some((node, incarnation, now + LEASE));
                    prop_assert_eq!(given.attempt, known.attempts);
                }
            }
            Step::Answer { node, incarnation, event, attempt } => {
                let (event_number, decision) = (EventNumber(event), u64::from(node));
                let (node_id, life) = (NodeId(node), Incarnation(incarnation));
                let answer =
                    Answer { node: node_id, incarnation: life, event: event_number, attempt, decision };
                let expected = model.answer(node, incarnation, event, attempt);
                prop_assert_eq!(dispatcher.handle_answer(now, answer), expected);
            }
            Step::Timeout => {
                model.take_back(|(_, _, until)| until <= now, 2);
                dispatcher.handle_timeout(now);
            }
            Step::Fetch => fetch(&mut dispatcher, &mut out),
        }
        let held = model.known.values().filter_map(|known| known.holder);
        prop_assert_eq!(dispatcher.next_timeout(), held.clone().map(|(_, _, until)| until).min());
        prop_assert_eq!(dispatcher.in_flight(), held.count());
    }
    dispatcher.handle_end();
    fetch(&mut dispatcher, &mut out);
    prop_assert!(out.keys().eq(model.known.keys()), "all that entered comes out: {:?}", out);
    let counts = dispatcher.counts();
    let decided = out.values().filter(|outcome| matches!(outcome, Outcome::Decided { .. })).count();
    prop_assert_eq!((counts.entered, counts.decided), (out.len() as u64, decided as u64));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_of_a_dispatcher_agree_with_the_model(
        steps in prop::collection::vec((0..5_u64, step()), 0..200),
        least_loaded in any::<bool>(),
    ) {
        let policy = if least_loaded {
            Policy::LeastLoaded(LeastLoaded::new(2))
        } else {
            Policy::RoundRobin(RoundRobin::new())
        };
        compare_dispatchers(policy, &steps)?;
    }

    #[test]
    fn a_sorter_gives_out_every_event_once_in_order_with_its_first_decision(
        // Milliseconds, events triggered, and decisions as (how far behind the newest, what).
        steps in prop::collection::vec((0..4_u64, 0..4_u16, prop::option::of((0..12_u64, 0..100_u8))), 0..150),
        window_events in 1..12_u32,
    ) {
        let mut sorter = Sorter::new(SorterPlan { first: EventNumber(50), timeout: Span::from_ms(9), window_events });
        let (mut now, mut end) = (Time::ZERO, 50_u64);
        // First decision of every event that has not been given out; what came out.
        let (mut decisions, mut out) = (BTreeMap::new(), vec![]);
        let take = |sorter: &mut Sorter<u8>, now, out: &mut Vec<Option<u8>>| {
            while let Some(sorted) = sorter.poll_sorted(now) {
                let next = EventNumber(50 + out.len() as u64);
                match sorted {
                    Sorted::Decision(event, decision) => {
                        assert_eq!(event, next);
                        out.push(Some(decision));
                    }
                    Sorted::Hole { first, events } => {
                        assert_eq!(first, next);
                        out.extend((0..events).map(|_| None));
                    }
                }
            }
        };
        for (later, triggered, decision) in steps {
            now += Span::from_ms(later);
            sorter.handle_triggered(now, triggered);
            end += u64::from(triggered);
            if let Some((behind, decision)) = decision {
                let event = (end + 1).saturating_sub(behind);
                sorter.handle_decision(now, EventNumber(event), decision);
                if (50 + out.len() as u64..end).contains(&event) {
                    decisions.entry(event).or_insert(decision);
                }
            }
            take(&mut sorter, now, &mut out);
            prop_assert!(sorter.fill().filled() <= u64::from(window_events), "the window has a bound");
            prop_assert!(sorter.next_timeout().is_none_or(|next| next > now), "nothing is due any more");
        }
        sorter.handle_end();
        take(&mut sorter, now, &mut out);
        let expected: Vec<Option<u8>> = (50..end).map(|event| decisions.get(&event).copied()).collect();
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn any_ends_of_events_agree_with_a_list(
        steps in prop::collection::vec((0..4_u64, 0..40_u64, 0..4_u8), 0..200), window in 1..20_usize,
    ) {
        let mut account = EventAccount::with_window(EventNumber(0), window);
        // For each event, where it ended.
        let mut list: Vec<Option<u8>> = vec![];
        let missing: SourceSet = [SourceId(4)].into_iter().collect();
        for (triggered, behind, place) in steps {
            for _ in 0..triggered {
                account.handle_triggered(1);
                list.push(None);
                // What reaches back further than the window is forgotten, oldest first.
                if let Some(oldest) = list.iter().position(Option::is_none) && list.len() - oldest > window {
                    list[oldest] = Some(4);
                }
            }
            let event = (list.len() as u64 + 2).saturating_sub(behind);
            let index = usize::try_from(event).expect("a small number");
            let is_news = account.handle_end(EventNumber(event), match place {
                0 => Place::Stored,
                1 => Place::Rejected,
                2 => Place::Incomplete(&missing),
                _ => Place::Lost(Loss::BuilderDied),
            });
            prop_assert_eq!(is_news, list.get(index) == Some(&None));
            if is_news {
                list[index] = Some(place);
            }
            account.check_laws_one_by_one();
        }
        let totals = account.totals();
        let ended = |place| list.iter().filter(|end| **end == Some(place)).count() as u64;
        prop_assert_eq!([totals.stored, totals.rejected, totals.incomplete], [0, 1, 2].map(ended));
        prop_assert_eq!(totals.lost_events(), ended(3) + ended(4));
        prop_assert_eq!(totals.in_flight, list.iter().filter(|end| end.is_none()).count() as u64);
    }
}

//! Policies against each other on a farm with a virtual clock: events come as a Poisson process, nodes
//! work on one at a time, and one of them may be slow.
//!
//! With tokens and exponential work the farm is the queue M/M/n, whose mean is known (Erlang, 1917), so
//! the comparison stands on something. Round-robin does not ask whether a node is ready, and shows it.

#![expect(clippy::unwrap_used, reason = "a failure of the test itself")]

use std::collections::{BTreeMap, VecDeque};

use incast_core::random::Random;
use incast_core::readout::{
    Answer, BuilderPlan, Built, Destination, Dispatcher, DispatcherPlan, EventBuilder, EventNumber, Fragment,
    Given, Incarnation, LeastLoaded, Length, NodeId, NodeTokens, NodeTokensPlan, Outcome, Policy, RoundRobin,
    RunNumber, SourceId, SourceSet, TokenPlan, Tokens,
};
use incast_core::stats::LogHistogram;
use incast_core::time::{Span, Time};

/// Mean work of an event at a node that is not slow.
const WORK: Span = Span::from_ms(1);
/// Longer than any run: nobody dies here.
const FOREVER: Span = Span::from_s(100_000);

struct Farm {
    nodes: u16,
    /// Node 0 takes so many times as long.
    slow: f64,
    /// Part of the farm's capacity that is asked for.
    load: f64,
    events: u64,
    /// Tokens of a node out or used at once.
    slots: u32,
    /// Of a token's and an event's way to the other end.
    way: Span,
    work: fn(&mut Random) -> f64,
}

enum Entry {
    Event(u64),
    Ready(u16),
    Arrives(Given),
    Ends(Given),
}

#[derive(Debug)]
struct Story {
    latency_ns: LogHistogram,
    mean: f64,
    /// Most events that were neither finished nor refused.
    queued_max: usize,
    by_node: Vec<u64>,
}

impl Story {
    fn p99(&self) -> u64 {
        self.latency_ns.quantile(0.99).unwrap()
    }
}

fn exponential(random: &mut Random) -> f64 {
    random.exponential()
}

/// Pareto of shape 2.2 and mean 1: heavy, with a finite variance.
fn pareto(random: &mut Random) -> f64 {
    const SHAPE: f64 = 2.2;
    (SHAPE - 1.0) / SHAPE * random.unit().powf(-1.0 / SHAPE)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "far below 2^53"
)]
fn scaled(span: Span, factor: f64) -> Span {
    Span((span.0 as f64 * factor) as u64)
}

fn built(builder: &mut EventBuilder<Length>, now: Time, number: u64) -> Built<Length> {
    let (event, source, payload) = (EventNumber(number), SourceId(0), Length(1));
    builder.handle_fragment(now, Fragment { run: RunNumber(0), event, events: 1, source, payload });
    builder.poll_built().unwrap()
}

struct World<'a> {
    farm: &'a Farm,
    now: Time,
    agenda: BTreeMap<(Time, u64), Entry>,
    serial: u64,
    builder: EventBuilder<Length>,
    dispatcher: Dispatcher<Length, ()>,
    nodes: Vec<(NodeTokens, VecDeque<Given>)>,
    /// Work is drawn by event and not by node: every policy has the same events to do.
    works: Vec<f64>,
    arrivals: Vec<Time>,
}

impl World<'_> {
    fn later(&mut self, delay: Span, entry: Entry) {
        self.serial += 1;
        self.agenda.insert((self.now + delay, self.serial), entry);
    }

    fn begin(&mut self, node: u16) {
        let Some(given) = self.nodes[usize::from(node)].1.front().copied() else { return };
        let factor = if node == 0 { self.farm.slow } else { 1.0 };
        let work = scaled(WORK, self.works[usize::try_from(given.event.0).unwrap()] * factor);
        self.later(work, Entry::Ends(given));
    }

    fn handle(&mut self, entry: Entry) {
        match entry {
            Entry::Event(number) => {
                let event = built(&mut self.builder, self.now, number);
                assert_eq!(self.dispatcher.handle_event(self.now, event), None);
                if let Some(at) = self.arrivals.get(usize::try_from(number + 1).unwrap()) {
                    self.later(at.since(self.now), Entry::Event(number + 1));
                }
            }
            Entry::Ready(node) => {
                while let Some(token) = self.nodes[usize::from(node)].0.poll_token(self.now) {
                    self.dispatcher.handle_token(self.now, token);
                }
            }
            Entry::Arrives(given) => {
                let node = &mut self.nodes[usize::from(given.node.0)];
                node.0.handle_event();
                node.1.push_back(given);
                if node.1.len() == 1 {
                    self.begin(given.node.0);
                }
            }
            Entry::Ends(Given { node, incarnation, event, attempt }) => {
                let at = &mut self.nodes[usize::from(node.0)];
                at.1.pop_front();
                at.0.handle_done();
                let answer = Answer { node, incarnation, event, attempt, decision: () };
                self.dispatcher.handle_answer(self.now, answer);
                self.begin(node.0);
                self.later(self.farm.way, Entry::Ready(node.0));
            }
        }
        while let Some(given) = self.dispatcher.poll_transmit(self.now) {
            self.later(self.farm.way, Entry::Arrives(given));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and times far below 2^53")]
fn run(farm: &Farm, policy: Policy) -> Story {
    let mut random = Random::named(1, "farm");
    let capacity = f64::from(farm.nodes - 1) + 1.0 / farm.slow;
    let mut at = Time::ZERO;
    let mut draw = |_| {
        at += scaled(WORK, random.exponential() / (capacity * farm.load));
        (at, (farm.work)(&mut random))
    };
    let (arrivals, works): (Vec<Time>, Vec<f64>) = (0..farm.events).map(&mut draw).unzip();
    let plan = DispatcherPlan {
        events_max: u32::try_from(farm.events).unwrap(),
        in_flight_max: u32::MAX,
        lease: FOREVER,
        ..DispatcherPlan::default()
    };
    let tokens = |id| {
        let (node, incarnation, slots) = (Destination(id), Incarnation(1), farm.slots);
        NodeTokens::new(NodeTokensPlan { node, incarnation, slots, lease: FOREVER })
    };
    let mut world = World {
        farm,
        now: Time::ZERO,
        agenda: BTreeMap::new(),
        serial: 0,
        builder: EventBuilder::new(BuilderPlan::new(RunNumber(0), SourceSet::first(1))),
        dispatcher: Dispatcher::new(plan, policy),
        nodes: (0..farm.nodes).map(|id| (tokens(id), VecDeque::new())).collect(),
        works,
        arrivals,
    };
    for id in 0..farm.nodes {
        world.dispatcher.handle_joined(Time::ZERO, NodeId(id), Incarnation(1));
        world.later(Span::ZERO, Entry::Ready(id));
    }
    world.later(world.arrivals[0].since(Time::ZERO), Entry::Event(0));
    let mut story = Story {
        latency_ns: LogHistogram::new(),
        mean: 0.0,
        queued_max: 0,
        by_node: vec![0; world.nodes.len()],
    };
    while let Some(((at, _), entry)) = world.agenda.pop_first() {
        world.now = at;
        world.handle(entry);
        story.queued_max = story.queued_max.max(world.dispatcher.waiting() + world.dispatcher.in_flight());
        while let Some(decided) = world.dispatcher.poll_decided() {
            let latency = world.now.since(decided.entered);
            story.latency_ns.record(latency.as_ns());
            story.mean += latency.0 as f64 / WORK.0 as f64 / farm.events as f64;
            let Outcome::Decided { by, .. } = decided.outcome else { panic!("nobody dies") };
            story.by_node[usize::from(by.0)] += 1;
        }
    }
    assert_eq!(story.latency_ns.count(), farm.events, "every event is decided once");
    story
}

fn round_robin() -> Policy {
    Policy::RoundRobin(RoundRobin::new())
}

fn tokens() -> Policy {
    Policy::Tokens(Tokens::new(TokenPlan { lease: FOREVER, held_max: 64 }))
}

fn least_loaded() -> Policy {
    Policy::LeastLoaded(LeastLoaded::new(u32::MAX))
}

/// Mean time in an M/M/n queue, in units of the mean work (Erlang C).
fn erlang_c(n: u16, load: f64) -> f64 {
    let (servers, offered) = (f64::from(n), f64::from(n) * load);
    let (mut term, mut sum) = (1.0, 0.0);
    for k in 0..n {
        sum += term;
        term *= offered / f64::from(k + 1);
    }
    let waits = term / (1.0 - load) / (sum + term / (1.0 - load));
    1.0 + waits / (servers * (1.0 - load))
}

#[test]
fn tokens_without_a_way_are_the_queue_of_erlang() {
    for (nodes, load) in [(4, 0.7), (16, 0.8)] {
        let farm =
            Farm { nodes, slow: 1.0, load, events: 100_000, slots: 1, way: Span::ZERO, work: exponential };
        let (story, theory) = (run(&farm, tokens()), erlang_c(nodes, load));
        // Means of 100 000 correlated times: a few times 0.5 %.
        assert!((story.mean / theory - 1.0).abs() < 0.02, "{nodes}, {load}: {} not {theory}", story.mean);
    }
}

#[test]
fn round_robin_loses_to_tokens_when_one_node_is_slow() {
    let farm = Farm {
        nodes: 8,
        slow: 10.0,
        load: 0.7,
        events: 20_000,
        slots: 2,
        way: Span::from_us(50),
        work: exponential,
    };
    let (blind, ready, least) = (run(&farm, round_robin()), run(&farm, tokens()), run(&farm, least_loaded()));
    let said = || {
        let line = |name, story: &Story| {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| story.latency_ns.quantile(q).unwrap() / 1_000);
            format!(
                "{name}: p50 {p50} p99 {p99} p99.9 {p999} us, queued {}, {:?}\n",
                story.queued_max, story.by_node
            )
        };
        line("round-robin", &blind) + &line("tokens", &ready) + &line("least loaded", &least)
    };
    // An eighth of all events goes to a node that can do an eightieth: its queue grows for as long as the
    // run lasts. The margin is far below what is seen, and far above what a seed changes.
    assert!(blind.p99() > 50 * ready.p99(), "{}", said());
    assert!(blind.queued_max > 10 * ready.queued_max, "{}", said());
    assert!(blind.p99() > 50 * least.p99(), "{}", said());
    // The slow node does what it can, and no more is asked of it.
    assert!(ready.by_node[0] < blind.by_node[0] / 4, "{}", said());
}

#[test]
fn round_robin_loses_to_tokens_when_work_is_uneven() {
    let farm =
        Farm { nodes: 16, slow: 1.0, load: 0.9, events: 50_000, slots: 1, way: Span::ZERO, work: pareto };
    let (blind, ready) = (run(&farm, round_robin()), run(&farm, tokens()));
    assert!(blind.mean > 2.0 * ready.mean, "{} and {}", blind.mean, ready.mean);
    assert!(blind.p99() > 2 * ready.p99(), "{} and {}", blind.p99(), ready.p99());
}

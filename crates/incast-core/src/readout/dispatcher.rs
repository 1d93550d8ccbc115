//! The dispatcher: gives each built event to a node by a policy, and takes one decision for it.
//!
//! ```text
//!  handle_event --> waiting --poll_transmit--> in flight --handle_answer--> decided --poll_decided-->
//!                      ^                           |
//!                      +--- node left, lease ended-+   (too often: given out undecided)
//! ```
//! What a node is given stays here until it is decided: when the node dies or takes too long, another
//! one gets it, and an answer of the first is counted and not taken. What is held has a bound, and near
//! it `is_throttling` asks the trigger to stop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::assign::{Assign, MEMBERS_MAX, Policy};
use super::builder::Built;
use super::gauge::Gauge;
use super::ids::{Destination, EventNumber, Incarnation, NodeId};
use super::numbers::{ClosedEvents, NumberTable, Past};
use super::tokens::Token;
use crate::time::Time;

mod counts;
#[cfg(test)]
mod tests;

pub use counts::{Answer, AnswerKind, Decision, DispatcherCounts, DispatcherPlan, Given};

/// Gives events to nodes. `D` is what a node decides: carried, never looked at.
#[derive(Clone, Debug)]
pub struct Dispatcher<P, D = Decision> {
    plan: DispatcherPlan,
    policy: Policy,
    nodes: BTreeMap<NodeId, Incarnation>,
    waiting: VecDeque<Held<P>>,
    in_flight: BTreeMap<EventNumber, InFlight<P>>,
    leases: BTreeSet<(Time, EventNumber)>,
    decided: VecDeque<Decided<P, D>>,
    /// Numbers that wait or are in flight, with the attempts that are over.
    undecided: NumberTable,
    closed: ClosedEvents,
    events: Gauge,
    bytes: Gauge,
    counts: DispatcherCounts,
}

/// An event that is held.
#[derive(Clone, Debug)]
struct Held<P> {
    built: Built<P>,
    entered: Time,
    attempts: u8,
}

#[derive(Clone, Debug)]
struct InFlight<P> {
    held: Held<P>,
    node: NodeId,
    incarnation: Incarnation,
    until: Time,
}

/// How an event left the dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<D> {
    /// A node decided.
    Decided {
        /// Which one.
        by: NodeId,
        /// What.
        decision: D,
    },
    /// No node did.
    Undecided,
}

/// An event with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided<P, D> {
    /// The event.
    pub built: Built<P>,
    /// Its outcome.
    pub outcome: Outcome<D>,
    /// To how many nodes it was given.
    pub attempts: u8,
    /// When it was taken in.
    pub entered: Time,
}

/// An event that was not taken in; given back whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<P> {
    /// The event.
    pub built: Built<P>,
    /// Why.
    pub why: WhyRefused,
}

/// Why an event is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyRefused {
    /// As many events or bytes are held as may be. To be tried again.
    NoRoom,
    /// It was taken in before.
    Twice,
}

impl<P, D> Dispatcher<P, D> {
    /// Nothing is held and nobody is there.
    #[must_use]
    pub fn new(plan: DispatcherPlan, policy: Policy) -> Self {
        Self {
            policy,
            nodes: BTreeMap::new(),
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            leases: BTreeSet::new(),
            decided: VecDeque::new(),
            undecided: NumberTable::new(plan.events_max as usize),
            closed: ClosedEvents::new(plan.closed_events),
            events: Gauge::new(plan.events_max.into()),
            bytes: Gauge::new(plan.bytes_max),
            counts: DispatcherCounts::default(),
            plan,
        }
    }

    /// Takes in a built event, or gives it back.
    pub fn handle_event(&mut self, now: Time, built: Built<P>) -> Option<Refused<P>> {
        let (number, bytes) = (built.event().number, built.event().bytes);
        if self.undecided.get(number).is_some() || self.closed.past(number) == Past::Closed {
            self.counts.twice += 1;
            return Some(Refused { built, why: WhyRefused::Twice });
        }
        // An event larger than the bound finds room when there is no other.
        if self.events.is_full() || !self.bytes.has_room(bytes) && self.events.filled() > 0 {
            self.counts.no_room += 1;
            return Some(Refused { built, why: WhyRefused::NoRoom });
        }
        self.undecided.insert(number, 0);
        self.waiting.push_back(Held { built, entered: now, attempts: 0 });
        self.events.add(1);
        self.bytes.add(bytes);
        self.counts.entered += 1;
        self.check_laws();
        None
    }

    /// A node is there, or is back in a new life: what its last one had goes to others.
    pub fn handle_joined(&mut self, now: Time, node: NodeId, incarnation: Incarnation) {
        if self.nodes.get(&node) == Some(&incarnation) {
            return;
        }
        self.handle_left(now, node);
        if self.nodes.len() < MEMBERS_MAX {
            self.nodes.insert(node, incarnation);
        }
        // Counts it if it is beyond the bound.
        self.policy.handle_joined(now, node.into(), incarnation);
    }

    /// A node stopped or died: what it had goes to others.
    pub fn handle_left(&mut self, now: Time, node: NodeId) {
        if self.nodes.remove(&node).is_none() {
            return;
        }
        self.policy.handle_left(now, node.into());
        let is_there =
            |(number, given): (&EventNumber, &InFlight<P>)| (given.node == node).then_some(*number);
        let left: Vec<EventNumber> = self.in_flight.iter().filter_map(is_there).collect();
        // The oldest is put in front last.
        for number in left.into_iter().rev() {
            self.counts.left += 1;
            self.take_back(number);
        }
        self.check_laws();
    }

    /// A node says that it is ready.
    pub fn handle_token(&mut self, now: Time, token: Token) {
        self.policy.handle_token(now, token);
    }

    /// Takes in what a node says of an event: the first answer of whoever has it decides.
    pub fn handle_answer(&mut self, now: Time, answer: Answer<D>) -> AnswerKind {
        let kind = self.kind_of(&answer);
        match kind {
            AnswerKind::Taken => self.decide(now, answer),
            AnswerKind::Late => self.counts.answers_late += 1,
            AnswerKind::AfterDecision => self.counts.answers_after_decision += 1,
            AnswerKind::Unknown => self.counts.answers_unknown += 1,
        }
        self.check_laws();
        kind
    }

    /// Takes events back whose lease has ended, and lets credits expire.
    pub fn handle_timeout(&mut self, now: Time) {
        self.policy.handle_timeout(now);
        while let Some((_, number)) = self.leases.first().copied().filter(|(until, _)| *until <= now) {
            self.counts.expired += 1;
            let node = self.take_back(number);
            self.policy.handle_done(node);
            self.check_laws();
        }
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let lease = self.leases.first().map(|(until, _)| *until);
        [lease, self.policy.next_timeout()].into_iter().flatten().min()
    }

    /// The next event to send, and to whom; `None` when none waits or nobody may have it.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Given> {
        if self.in_flight.len() >= self.plan.in_flight_max as usize {
            return None;
        }
        let event = self.waiting.front()?.built.event().number;
        // By its turn here, not by its number: where several builders share the events evenly, a table by
        // number would pass over the same nodes for good.
        let turn = EventNumber(self.counts.given);
        let node = NodeId::from(self.policy.poll_assign(now, turn)?);
        let incarnation = *self.nodes.get(&node)?;
        let mut held = self.waiting.pop_front()?;
        held.attempts += 1;
        let (attempt, until) = (held.attempts, now + self.plan.lease);
        self.leases.insert((until, event));
        self.in_flight.insert(event, InFlight { held, node, incarnation, until });
        self.counts.given += 1;
        self.check_laws();
        Some(Given { node, incarnation, event, attempt })
    }

    /// The data of an event in flight.
    #[must_use]
    pub fn event(&self, number: EventNumber) -> Option<&Built<P>> {
        Some(&self.in_flight.get(&number)?.held.built)
    }

    /// The next event that is over, in the order of decisions.
    pub fn poll_decided(&mut self) -> Option<Decided<P, D>> {
        let decided = self.decided.pop_front()?;
        self.events.sub(1);
        self.bytes.sub(decided.built.event().bytes);
        Some(decided)
    }

    /// The run is over: all that is not decided is given out undecided.
    pub fn handle_end(&mut self) {
        let in_flight: Vec<EventNumber> = self.in_flight.keys().copied().collect();
        for number in in_flight.into_iter().rev() {
            self.counts.left += 1;
            self.take_back(number);
        }
        while let Some(held) = self.waiting.pop_front() {
            self.give_up(held);
        }
        self.check_laws();
    }

    /// Whether a bound is near, so that the trigger should stop.
    #[must_use]
    pub const fn is_throttling(&self) -> bool {
        self.events.is_near() || self.bytes.is_near()
    }

    /// Fill of events held and their bytes.
    #[must_use]
    pub const fn gauges(&self) -> [&Gauge; 2] {
        [&self.events, &self.bytes]
    }

    /// Events that wait for a node.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Events that are at nodes.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The account.
    #[must_use]
    pub const fn counts(&self) -> &DispatcherCounts {
        &self.counts
    }

    /// The policy, for its counts and credits.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy, to change its weights.
    pub const fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }

    fn kind_of(&self, answer: &Answer<D>) -> AnswerKind {
        if let Some(given) = self.in_flight.get(&answer.event)
            && (given.node, given.incarnation, given.held.attempts)
                == (answer.node, answer.incarnation, answer.attempt)
        {
            return AnswerKind::Taken;
        }
        match self.undecided.get(answer.event) {
            Some(attempts) if (1..=attempts).contains(&answer.attempt.into()) => AnswerKind::Late,
            None if self.closed.past(answer.event) == Past::Closed => AnswerKind::AfterDecision,
            _ => AnswerKind::Unknown,
        }
    }

    fn decide(&mut self, now: Time, answer: Answer<D>) {
        let Some(given) = self.in_flight.remove(&answer.event) else { return };
        self.leases.remove(&(given.until, answer.event));
        self.policy.handle_done(given.node.into());
        self.counts.answered += 1;
        self.counts.decided += 1;
        self.counts.decision_ns.record(now.since(given.held.entered).as_ns());
        self.close(given.held, Outcome::Decided { by: answer.node, decision: answer.decision });
    }

    /// Takes an event away from its node, to wait in front of all others; says whose it was.
    fn take_back(&mut self, number: EventNumber) -> Destination {
        let Some(given) = self.in_flight.remove(&number) else { unreachable!("event {number} is in flight") };
        self.leases.remove(&(given.until, number));
        if given.held.attempts >= self.plan.attempts_max {
            self.give_up(given.held);
        } else {
            self.undecided.remove(number);
            self.undecided.insert(number, given.held.attempts.into());
            self.waiting.push_front(given.held);
        }
        given.node.into()
    }

    fn give_up(&mut self, held: Held<P>) {
        self.counts.undecided += 1;
        self.close(held, Outcome::Undecided);
    }

    fn close(&mut self, held: Held<P>, outcome: Outcome<D>) {
        let Held { built, entered, attempts } = held;
        let number = built.event().number;
        self.undecided.remove(number);
        self.closed.record(number, true);
        self.decided.push_back(Decided { built, outcome, attempts, entered });
    }

    /// Every event is in one place, and every time that one was given has one end.
    fn check_laws(&self) {
        let counts = &self.counts;
        // Lengths are far below 2^64.
        let (waiting, in_flight) = (self.waiting.len() as u64, self.in_flight.len() as u64);
        assert_eq!(
            counts.entered,
            counts.decided + counts.undecided + waiting + in_flight,
            "entered = decided + undecided + held: {counts:?}"
        );
        assert_eq!(
            counts.given,
            counts.answered + counts.expired + counts.left + in_flight,
            "given = answered + expired + left + in flight: {counts:?}"
        );
        assert_eq!(self.events.filled(), waiting + in_flight + self.decided.len() as u64, "held once");
    }
}

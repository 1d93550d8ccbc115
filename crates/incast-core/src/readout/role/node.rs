//! The node: takes events of its builder, has its algorithm decide, and answers.
//!
//! ```text
//!  Event --> queue --poll_work--> at work --handle_verdicts--> Answer
//!                                             pull: awaiting --Confirm--> Storing --> Kept
//! ```
//! In pull mode it also stores what it accepted, once the builder has confirmed that its answer decided.
//! When its builder is gone, what is not confirmed is nobody's any more, and is dropped; what is confirmed
//! is still stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::counts::TokenCounts;
use super::nonsense::{Nonsense, NonsenseCounts};
use super::plan::{NodeRolePlan, Protocol};
use super::storing::{Storing, StoringCounts, StoringPlan};
use super::{Order, Role, RoleCounts};
use crate::readout::builder::Built;
use crate::readout::fragment::Payload;
use crate::readout::ids::{EventNumber, Incarnation, Level, Peer};
use crate::readout::message::Message;
use crate::readout::tokens::{NodeTokens, NodeTokensPlan};
use crate::readout::verdict::Verdict;
use crate::stats::LogHistogram;
use crate::time::{Span, Time};

/// An event for the algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work<P> {
    /// Which fragments.
    pub level: Level,
    /// The event; of a packet, the first.
    pub event: EventNumber,
    /// To be said with the verdicts.
    pub attempt: u8,
    /// The data.
    pub built: Built<P>,
}

/// The account of a node. At any moment `events = answered + dropped + waiting`, where what waits is in the
/// queue or at the algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRoleCounts {
    /// Events, or packets, that came.
    pub events: u64,
    /// Answered.
    pub answered: u64,
    /// Left in the queue or at the algorithm when their builder went away, or at the end.
    pub dropped: u64,
    /// Not taken in: the queue was full.
    pub no_room: u64,
    /// In the queue.
    pub queued: u64,
    /// At the algorithm.
    pub working: u64,
    /// Single events accepted.
    pub accepted: u64,
    /// Single events rejected.
    pub rejected: u64,
    /// Single events that the algorithm failed on.
    pub unjudged: u64,
    /// Time at the algorithm, in nanoseconds, all workers together.
    pub busy_ns: u64,
    /// Pull: answered, and waiting for the builder's word.
    pub awaiting: u64,
    /// Pull: accepted, and not to be stored, since another node decided, or the builder went away.
    pub not_confirmed: u64,
    /// Tokens.
    pub tokens: TokenCounts,
    /// From a request to its event, in nanoseconds: the first after the start or a builder's return.
    pub first_request_ns: LogHistogram,
    /// The same, all others.
    pub request_ns: LogHistogram,
    /// Pull: what is stored.
    pub storing: StoringCounts,
    /// What nobody may say.
    pub nonsense: NonsenseCounts,
}

/// Events that wait for a worker, beyond what tokens bound: a second's worth at 1 kHz.
const QUEUE_EVENTS_MAX: usize = 1_024;

type Key = (Level, EventNumber, u8);

/// A node.
#[derive(Clone, Debug)]
pub struct NodeRole<P> {
    plan: NodeRolePlan,
    builder: Option<Incarnation>,
    tokens: NodeTokens,
    has_received: bool,
    queue: VecDeque<Work<P>>,
    /// At the algorithm; in pull mode with the data.
    working: BTreeMap<Key, Option<Built<P>>>,
    /// At the algorithm, and nobody's.
    abandoned: BTreeSet<Key>,
    awaiting: BTreeMap<Key, (Built<P>, Vec<Verdict>)>,
    storing: Storing<P>,
    outbox: VecDeque<Message<P>>,
    is_stopped: bool,
    is_ended: bool,
    counts: NodeRoleCounts,
}

impl<P: Payload + Clone> NodeRole<P> {
    /// A node without work.
    #[must_use]
    pub fn new(plan: NodeRolePlan) -> Self {
        let tokens = NodeTokensPlan {
            node: plan.node.into(),
            incarnation: plan.incarnation,
            slots: plan.slots,
            lease: plan.lease,
        };
        Self {
            builder: None,
            tokens: NodeTokens::new(tokens),
            has_received: false,
            queue: VecDeque::new(),
            working: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            awaiting: BTreeMap::new(),
            storing: Storing::new(&plan.run, StoringPlan::default()),
            outbox: VecDeque::new(),
            is_stopped: false,
            is_ended: false,
            counts: NodeRoleCounts::default(),
            plan,
        }
    }

    /// The next event for a free worker.
    pub fn poll_work(&mut self, _now: Time) -> Option<Work<P>> {
        if self.working.len() + self.abandoned.len() >= self.plan.workers.max(1) as usize {
            return None;
        }
        let work = self.queue.pop_front()?;
        let kept = (self.plan.run.protocol == Protocol::Pull).then(|| work.built.clone());
        self.working.insert((work.level, work.event, work.attempt), kept);
        Some(work)
    }

    /// What the algorithm said of an event that was given to it, and how long it was busy with it.
    pub fn handle_verdicts(
        &mut self,
        now: Time,
        event: EventNumber,
        level: Level,
        attempt: u8,
        busy: Span,
        verdicts: Vec<Verdict>,
    ) {
        let key = (level, event, attempt);
        self.counts.busy_ns += busy.as_ns();
        if self.abandoned.remove(&key) {
            return;
        }
        let Some(built) = self.working.remove(&key) else {
            self.counts.nonsense.record(Nonsense::Unknown);
            return;
        };
        for verdict in &verdicts {
            *match verdict {
                Verdict::Reject => &mut self.counts.rejected,
                Verdict::Accept { .. } => &mut self.counts.accepted,
                Verdict::Unjudged { .. } => &mut self.counts.unjudged,
            } += 1;
        }
        self.counts.answered += 1;
        let is_kept = verdicts.iter().any(|verdict| verdict.streams() != 0);
        match built {
            Some(built) if is_kept && self.plan.run.is_stored_at(level) => {
                self.awaiting.insert(key, (built, verdicts.clone()));
            }
            _ => self.tokens.handle_done(),
        }
        self.outbox.push_back(Message::Answer { level, event, attempt, busy, verdicts });
        self.poll_stored(now);
    }

    fn handle_event(&mut self, now: Time, level: Level, attempt: u8, built: Built<P>) {
        if built.event().run != self.plan.run.run {
            return self.counts.nonsense.record(Nonsense::WrongRun);
        }
        let event = built.event().number;
        let key = (level, event, attempt);
        let is_known = self.working.contains_key(&key)
            || self.abandoned.contains(&key)
            || self.awaiting.contains_key(&key)
            || self.queue.iter().any(|work| (work.level, work.event, work.attempt) == key);
        if is_known {
            return self.counts.nonsense.record(Nonsense::Unknown);
        }
        self.counts.events += 1;
        if self.is_ended || self.queue.len() >= QUEUE_EVENTS_MAX.max(self.plan.slots as usize) {
            self.counts.no_room += 1;
            return;
        }
        if self.plan.gives_tokens && level == Level::Second {
            // Tokens ask for events of the first level: those that are out are still with the builder.
            self.tokens.handle_given();
        } else if self.plan.gives_tokens {
            if let Some(issued) = self.tokens.oldest_issued() {
                let is_first = !std::mem::replace(&mut self.has_received, true);
                let histogram =
                    if is_first { &mut self.counts.first_request_ns } else { &mut self.counts.request_ns };
                histogram.record(now.since(issued).as_ns());
            }
            self.tokens.handle_event();
        }
        self.queue.push_back(Work { level, event, attempt, built });
    }

    fn handle_confirm(&mut self, now: Time, key: Key, is_taken: bool) {
        // Of what it rejected, nothing waits for the word.
        let Some((built, verdicts)) = self.awaiting.remove(&key) else { return };
        if is_taken && self.storing.handle_event(now, built, verdicts) {
            return;
        }
        self.tokens.handle_done();
        self.counts.not_confirmed += u64::from(!is_taken);
    }

    /// Nobody waits for what is here, but for what is being stored.
    fn drop_all(&mut self) {
        let dropped = self.queue.len() + self.working.len();
        let awaiting = self.awaiting.len();
        self.queue.clear();
        self.awaiting.clear();
        self.abandoned.extend(std::mem::take(&mut self.working).into_keys());
        for _ in 0..dropped + awaiting {
            self.tokens.handle_done();
        }
        self.outbox.clear();
        // Lengths are far below 2^64.
        self.counts.dropped += dropped as u64;
        self.counts.not_confirmed += awaiting as u64;
    }

    /// Tells the builder what is on disk.
    fn poll_stored(&mut self, _now: Time) {
        while let Some(stored) = self.storing.poll_stored() {
            self.tokens.handle_done();
            if self.builder.is_some() {
                self.outbox.push_back(Message::Kept { event: stored.built.event().number });
            }
        }
    }
}

impl<P: Payload + Clone> Role<P> for NodeRole<P> {
    fn handle_message(&mut self, now: Time, from: Peer, message: Message<P>) {
        match (from, message) {
            (Peer::Builder(builder), _) if builder != self.plan.builder => {
                self.counts.nonsense.record(Nonsense::WrongSender);
            }
            (Peer::Builder(_), _) if self.builder.is_none() => {
                self.counts.nonsense.record(Nonsense::NotThere);
            }
            (Peer::Builder(_), Message::Event { level, attempt, built }) => {
                self.handle_event(now, level, attempt, built);
            }
            (Peer::Builder(_), Message::Confirm { level, event, attempt, is_taken }) => {
                self.handle_confirm(now, (level, event, attempt), is_taken);
            }
            (Peer::Sink(sink), message) => {
                self.storing.handle_message(now, sink, &message, &mut self.counts.nonsense);
                self.poll_stored(now);
            }
            _ => self.counts.nonsense.record(Nonsense::WrongSender),
        }
    }

    fn handle_peer(&mut self, now: Time, peer: Peer, life: Option<Incarnation>) {
        match peer {
            Peer::Sink(sink) => self.storing.handle_sink(now, sink, life.is_some()),
            Peer::Builder(builder) if builder == self.plan.builder && self.builder != life => {
                if self.builder.is_some() {
                    self.drop_all();
                }
                self.builder = life;
                self.has_received = false;
                self.tokens.handle_forgotten();
            }
            _ => {}
        }
    }

    fn handle_order(&mut self, _now: Time, order: Order) {
        match order {
            Order::Stop => self.is_stopped = true,
            Order::End => {
                self.is_ended = true;
                self.drop_all();
            }
            Order::Start | Order::Pause | Order::Resume => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.tokens.handle_timeout(now);
        self.storing.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<(Peer, Message<P>)> {
        let builder = Peer::Builder(self.plan.builder);
        if self.builder.is_some() {
            if let Some(message) = self.outbox.pop_front() {
                return Some((builder, message));
            }
            if self.plan.gives_tokens
                && !self.is_ended
                && let Some(token) = self.tokens.poll_token(now)
            {
                return Some((builder, Message::Token(token)));
            }
        }
        self.storing.poll_transmit()
    }

    fn next_timeout(&self) -> Option<Time> {
        [self.tokens.next_timeout(), self.storing.next_timeout()].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        let has_work = !self.queue.is_empty() || !self.working.is_empty() || !self.awaiting.is_empty();
        let is_stored = self.storing.is_empty() || self.is_ended && self.storing.is_stuck();
        (self.is_stopped || self.is_ended) && !has_work && is_stored && self.outbox.is_empty()
    }

    fn counts(&self) -> RoleCounts {
        // Lengths are far below 2^64.
        RoleCounts::Node(Box::new(NodeRoleCounts {
            queued: self.queue.len() as u64,
            working: self.working.len() as u64,
            awaiting: self.awaiting.len() as u64,
            tokens: TokenCounts::from(&self.tokens),
            storing: self.storing.counts().clone(),
            ..self.counts.clone()
        }))
    }
}

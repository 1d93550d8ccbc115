//! The builder as a role: builds events, has nodes decide, and sees to it that what they accept is stored.
//!
//! ```text
//!  Assigned, Fragment --> EventBuilder --> Dispatcher --Event--> node
//!                                              |  <--Answer-----
//!                     Ends: rejected, accepted +--> push: Storing; pull: held until the node's Kept
//! ```
//! There is one [`EventBuilder`] and one [`Dispatcher`] for each level. What is near its bound asks the
//! trigger to stop, and passes nothing on: so the data stays where it is, back to the sources.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::counts::{GaugeCounts, TokenCounts};
use super::ends::Ends;
use super::nonsense::{Nonsense, NonsenseCounts};
use super::plan::BuilderRolePlan;
use super::storing::{Storing, StoringCounts, StoringPlan};
use super::{Order, Role, RoleCounts};
use crate::readout::fragment::Payload;
use crate::readout::gauge::Gauge;
use crate::readout::ids::{Destination, EventNumber, Incarnation, Level, NodeId, Peer};
use crate::readout::message::Message;
use crate::readout::tokens::{NodeTokens, NodeTokensPlan, Token};
use crate::readout::verdict::Verdict;
use crate::time::Time;

mod level;
#[cfg(test)]
mod tests;
mod verdicts;

use level::BuilderLevel;
pub use level::BuilderLevelCounts;
use verdicts::{Answered, Kept};

#[cfg(doc)]
use crate::readout::{builder::EventBuilder, dispatcher::Dispatcher};

/// The account of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderRoleCounts {
    /// Each level, the first one first.
    pub levels: Vec<BuilderLevelCounts>,
    /// Push: what is stored. Pull: what it took over from nodes that are gone.
    pub storing: StoringCounts,
    /// Pull: packets that wait for their node's word that they are on disk.
    pub kept: u64,
    /// Pull: packets of which a node said that they are on disk.
    pub kept_by_nodes: u64,
    /// Pull: packets taken over for storing from nodes that were gone, or silent for too long.
    pub taken_over: u64,
    /// Packets that are held for storing.
    pub held_events: GaugeCounts,
    /// Their bytes.
    pub held_bytes: GaugeCounts,
    /// Single events rejected.
    pub rejected: u64,
    /// Single events accepted.
    pub accepted: u64,
    /// Single events that no node decided, or whose algorithm failed.
    pub unjudged: u64,
    /// Whether it asks the trigger to stop.
    pub is_throttling: bool,
    /// How often it asked to stop.
    pub throttles: u64,
    /// Tokens for the trigger.
    pub tokens: TokenCounts,
    /// Events whose end could not be told: the trigger took nothing.
    pub ends_dropped: u64,
    /// What nobody may say.
    pub nonsense: NonsenseCounts,
}

/// A builder.
#[derive(Clone, Debug)]
pub struct BuilderRole<P> {
    plan: BuilderRolePlan,
    now: Time,
    /// The second is there when the run has two levels.
    levels: Vec<BuilderLevel<P>>,
    nodes: BTreeMap<NodeId, Incarnation>,
    storing: Storing<P>,
    kept: BTreeMap<EventNumber, Kept<P>>,
    held_events: Gauge,
    held_bytes: Gauge,
    tokens: NodeTokens,
    is_trigger_there: bool,
    has_told_throttling: bool,
    /// The trigger may have heard of a throttle after it forgot all: it is told how it is, whatever that is.
    is_throttle_in_doubt: bool,
    has_last: bool,
    is_ended: bool,
    ends: Ends,
    outbox: VecDeque<(Peer, Message<P>)>,
    counts: BuilderRoleCounts,
}

impl<P: Payload + Clone> BuilderRole<P> {
    /// A builder that waits for its welcome.
    #[must_use]
    pub fn new(plan: BuilderRolePlan) -> Self {
        let tokens = NodeTokensPlan {
            node: plan.builder.into(),
            incarnation: plan.incarnation,
            slots: plan.slots,
            lease: plan.token_lease,
        };
        let levels: &[Level] =
            if plan.run.has_two_levels { &[Level::First, Level::Second] } else { &[Level::First] };
        Self {
            now: Time::ZERO,
            levels: levels.iter().map(|level| BuilderLevel::new(&plan, *level)).collect(),
            nodes: BTreeMap::new(),
            storing: Storing::new(&plan.run, StoringPlan::default()),
            kept: BTreeMap::new(),
            held_events: Gauge::new(plan.held_events_max.into()),
            held_bytes: Gauge::new(plan.held_bytes_max),
            tokens: NodeTokens::new(tokens),
            is_trigger_there: false,
            has_told_throttling: false,
            is_throttle_in_doubt: false,
            has_last: false,
            is_ended: false,
            ends: Ends::default(),
            outbox: VecDeque::new(),
            counts: BuilderRoleCounts::default(),
            plan,
        }
    }

    /// Whether this run has the level; a message of another one is nonsense.
    fn is_level(&mut self, level: Level) -> bool {
        let is_level = self.levels.len() > level as usize;
        if !is_level {
            self.counts.nonsense.record(Nonsense::WrongLevel);
        }
        is_level
    }

    fn handle_trigger(&mut self, now: Time, message: Message<P>) {
        match message {
            Message::Welcome { level, next } if self.is_level(level) => {
                self.levels[level as usize].handle_welcome(now, &self.plan, next);
            }
            Message::Assigned { level, assigned } if self.is_level(level) => {
                if assigned.destination != self.plan.builder || assigned.run != self.plan.run.run {
                    return self.counts.nonsense.record(Nonsense::WrongSender);
                }
                if level == Level::First && self.plan.gives_tokens {
                    self.tokens.handle_event();
                }
                self.levels[level as usize].handle_assigned(now, assigned.event, assigned.events);
            }
            Message::Last { .. } => self.has_last = true,
            Message::Welcome { .. } | Message::Assigned { .. } => {}
            _ => self.counts.nonsense.record(Nonsense::WrongSender),
        }
    }

    fn handle_node(&mut self, now: Time, node: NodeId, message: Message<P>) {
        let Some(life) = self.nodes.get(&node).copied() else {
            return self.counts.nonsense.record(Nonsense::NotThere);
        };
        match message {
            Message::Token(token) => self.handle_token(now, node, life, token),
            Message::Answer { level, event, attempt, verdicts, .. } if self.is_level(level) => {
                self.handle_answer(now, Answered { node, life, level, event, attempt }, verdicts);
            }
            Message::Kept { event } => self.handle_kept(node, life, event),
            Message::Answer { .. } => {}
            _ => self.counts.nonsense.record(Nonsense::WrongSender),
        }
    }

    fn handle_token(&mut self, now: Time, node: NodeId, life: Incarnation, token: Token) {
        if (token.from, token.incarnation) != (Destination::from(node), life) {
            return self.counts.nonsense.record(Nonsense::ForgedToken);
        }
        // Tokens ask for events of the first level. What it accepted does not wait for another one.
        self.levels[0].dispatcher.handle_token(now, token);
    }

    fn handle_nodes(&mut self, now: Time, node: NodeId, life: Option<Incarnation>) {
        let is_ours = self.plan.run.nodes.contains(&(node, self.plan.builder));
        if !is_ours || self.nodes.get(&node).copied() == life {
            return;
        }
        if self.nodes.remove(&node).is_some() {
            self.outbox.retain(|(to, _)| *to != Peer::Node(node));
            for level in &mut self.levels {
                level.dispatcher.handle_left(now, node);
            }
            self.take_over(now, |kept| kept.node == node);
        }
        if let Some(life) = life {
            self.nodes.insert(node, life);
            for level in &mut self.levels {
                level.dispatcher.handle_joined(now, node, life);
            }
        }
    }

    /// Moves events on, as far as there is room for them.
    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.poll_stored();
        for level in 0..self.levels.len() {
            loop {
                let is_built = self.dispatch(level);
                let is_decided = self.decide(level);
                if !is_built && !is_decided {
                    break;
                }
            }
            self.tell_unbuilt(level);
        }
        let is_near = self.held_events.is_near() || self.held_bytes.is_near();
        let is_throttling = is_near || self.levels.iter().any(BuilderLevel::is_throttling);
        let is_news = is_throttling != self.has_told_throttling || self.is_throttle_in_doubt;
        if is_news && self.is_trigger_there {
            self.has_told_throttling = is_throttling;
            self.is_throttle_in_doubt = false;
            self.counts.throttles += u64::from(is_throttling);
            self.outbox.push_back((Peer::Trigger, Message::Throttle { is_throttling }));
        }
    }

    /// A packet of the trigger has left this builder.
    fn handle_finished(&mut self, level: Level) {
        if level == Level::First && self.plan.gives_tokens {
            self.tokens.handle_done();
        }
    }

    fn handle_end(&mut self, now: Time) {
        self.is_ended = true;
        self.take_over(now, |_| true);
        for level in 0..self.levels.len() {
            loop {
                self.levels[level].handle_end(now);
                let is_built = self.dispatch(level);
                self.levels[level].dispatcher.handle_end();
                let is_decided = self.decide(level);
                if !is_built && !is_decided && self.levels[level].is_idle() {
                    break;
                }
            }
        }
        self.take_over(now, |_| true);
    }
}

impl<P: Payload + Clone> Role<P> for BuilderRole<P> {
    fn handle_message(&mut self, now: Time, from: Peer, message: Message<P>) {
        // By the sender first: a tuple of both would be one more copy of every fragment.
        match from {
            Peer::Source(source) => match message {
                Message::Fragment { level, fragment } if fragment.source == source => {
                    if self.is_level(level) {
                        self.levels[level as usize].handle_fragment(now, fragment);
                    }
                }
                _ => self.counts.nonsense.record(Nonsense::WrongSender),
            },
            Peer::Trigger => self.handle_trigger(now, message),
            Peer::Node(node) => self.handle_node(now, node, message),
            Peer::Sink(sink) => {
                self.storing.handle_message(now, sink, &message, &mut self.counts.nonsense);
            }
            Peer::Builder(_) => self.counts.nonsense.record(Nonsense::WrongSender),
        }
        self.advance(now);
    }

    fn handle_peer(&mut self, now: Time, peer: Peer, life: Option<Incarnation>) {
        match peer {
            Peer::Trigger => {
                self.is_trigger_there = life.is_some();
                self.is_throttle_in_doubt |= std::mem::take(&mut self.has_told_throttling);
                self.tokens.handle_forgotten();
            }
            Peer::Node(node) => self.handle_nodes(now, node, life),
            Peer::Sink(sink) => self.storing.handle_sink(now, sink, life.is_some()),
            Peer::Source(_) | Peer::Builder(_) => {}
        }
        self.advance(now);
    }

    fn handle_order(&mut self, now: Time, order: Order) {
        if order == Order::End {
            self.handle_end(now);
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        for level in &mut self.levels {
            level.handle_timeout(now);
        }
        self.take_over(now, |kept| kept.until <= now);
        self.storing.handle_timeout(now);
        self.tokens.handle_timeout(now);
        self.advance(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<(Peer, Message<P>)> {
        if self.is_trigger_there
            && self.ends.is_full()
            && let Some(ends) = self.ends.poll()
        {
            return Some((Peer::Trigger, Message::Ends(ends)));
        }
        if let Some(message) = self.outbox.pop_front() {
            return Some(message);
        }
        if let Some(message) = self.storing.poll_transmit() {
            return Some(message);
        }
        // The rest of an event that was accepted before a new event.
        for level in [Level::Second, Level::First] {
            if let Some(given) = self.levels.get_mut(level as usize).and_then(|level| level.poll_given(now)) {
                return Some(given);
            }
        }
        if !self.is_trigger_there {
            return None;
        }
        let is_welcome = self.levels.iter().all(BuilderLevel::is_welcome);
        let gives_tokens = self.plan.gives_tokens && is_welcome && !self.has_last && !self.is_ended;
        if gives_tokens && let Some(token) = self.tokens.poll_token(now) {
            return Some((Peer::Trigger, Message::Token(token)));
        }
        self.ends.poll().map(|ends| (Peer::Trigger, Message::Ends(ends)))
    }

    fn next_timeout(&self) -> Option<Time> {
        let levels = self.levels.iter().filter_map(BuilderLevel::next_timeout);
        let kept = self.kept.values().map(|kept| kept.until);
        let others = [self.storing.next_timeout(), self.tokens.next_timeout()];
        levels.chain(kept).chain(others.into_iter().flatten()).min()
    }

    fn is_done(&self) -> bool {
        let is_idle = self.levels.iter().all(BuilderLevel::is_idle) && self.kept.is_empty();
        let is_stored = self.storing.is_empty() || self.is_ended && self.storing.is_stuck();
        let is_told = self.ends.is_empty() && self.outbox.is_empty();
        (self.has_last || self.is_ended) && is_idle && is_stored && is_told
    }

    fn counts(&self) -> RoleCounts {
        RoleCounts::Builder(Box::new(BuilderRoleCounts {
            levels: self.levels.iter().map(BuilderLevel::counts).collect(),
            storing: self.storing.counts().clone(),
            // A length is far below 2^64.
            kept: self.kept.len() as u64,
            held_events: GaugeCounts::from(&self.held_events),
            held_bytes: GaugeCounts::from(&self.held_bytes),
            is_throttling: self.has_told_throttling,
            tokens: TokenCounts::from(&self.tokens),
            ends_dropped: self.ends.dropped(),
            ..self.counts.clone()
        }))
    }
}

/// All rejected, or flagged: what becomes of an event that no node decided.
fn undecided(streams: u32, events: u16) -> Vec<Verdict> {
    vec![Verdict::Unjudged { streams, failure: crate::readout::verdict::Failure::Crash }; events.into()]
}

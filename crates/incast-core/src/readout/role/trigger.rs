//! The trigger as a role: triggers, tells where fragments go, and keeps the account of events (law 2).
//!
//! With two levels it also sorts the decisions of the first, and has the rest of the accepted events built
//! in the order of their numbers. A builder that died takes what it had with it, but only after a grace:
//! until then, and for some time after, a sink may tell that it has an event of it on disk.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::nonsense::{Nonsense, NonsenseCounts};
use super::plan::TriggerRolePlan;
use super::{Order, Role, RoleCounts};
use crate::random::Random;
use crate::readout::assign::{Assign, Policy, PolicyCounts};
use crate::readout::credit_account::CreditTotals;
use crate::readout::dead_time::DeadTimeTotals;
use crate::readout::event_account::{EventAccount, EventTotals};
use crate::readout::ids::{BuilderId, Destination, EventNumber, Incarnation, Level, Peer, SinkId};
use crate::readout::message::Message;
use crate::readout::sorter::{Sorted, Sorter, SorterCounts, SorterPlan};
use crate::readout::tokens::Token;
use crate::readout::trigger::{Assigned, Trigger, TriggerCounts, TriggerPlan};
use crate::stats::LogHistogram;
use crate::time::Time;

mod accounting;
mod outbox;
mod under_way;

use outbox::Outbox;
use under_way::UnderWay;

/// The account of the trigger, and of the whole run's events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRoleCounts {
    /// What it triggered and assigned.
    pub trigger: TriggerCounts,
    /// Law 2.
    pub events: EventTotals,
    /// Law 3: the credits of builders.
    pub credits: CreditTotals,
    /// The policy that names builders.
    pub policy: PolicyCounts,
    /// The same for the second level, when there is one.
    pub second_policy: Option<PolicyCounts>,
    /// The sorter, when there are two levels.
    pub sorter: Option<SorterCounts>,
    /// Single events accepted by the first of two levels.
    pub accepted: u64,
    /// Of these, assigned for the second.
    pub second_assigned: u64,
    /// Dead time because builders throttle, or because too much is in flight.
    pub throttle: DeadTimeTotals,
    /// Dead time because nobody may have the next packet.
    pub nobody: DeadTimeTotals,
    /// Dead time because the run is paused.
    pub pause: DeadTimeTotals,
    /// Packets at builders, of both levels.
    pub packets_under_way: u64,
    /// Builders that died with events.
    pub builders_died: u64,
    /// From the trigger to the end of what was stored, rejected or incomplete, by this one clock, in
    /// nanoseconds.
    pub latency_ns: LogHistogram,
    /// What nobody may say.
    pub nonsense: NonsenseCounts,
}

/// The trigger.
#[derive(Clone, Debug)]
pub struct TriggerRole<P> {
    plan: TriggerRolePlan,
    now: Time,
    engine: Engine,
    account: EventAccount,
    under_way: [UnderWay; 2],
    second: Option<SecondLevel>,
    builders: BTreeMap<BuilderId, Incarnation>,
    /// Lives that ended, and when what they had is lost.
    dead: BTreeMap<(BuilderId, Incarnation), Time>,
    sinks: BTreeMap<SinkId, Incarnation>,
    outbox: Outbox<P>,
    is_last_told: bool,
    is_ended: bool,
    counts: TriggerRoleCounts,
}

/// Before the start there are builders, and their tokens, but no triggers.
#[derive(Clone, Debug)]
enum Engine {
    Idle(Box<Policy>),
    Running(Box<Trigger>),
}

/// What two levels need beyond one.
#[derive(Clone, Debug)]
struct SecondLevel {
    /// When the event was triggered, if it was accepted.
    sorter: Sorter<Option<Time>>,
    /// In the order of events, without a builder yet.
    accepted: VecDeque<(EventNumber, Time)>,
    policy: Policy,
    /// The first event that was not assigned: all before it belong to somebody.
    next: EventNumber,
}

/// Events that wait for their first level's decision: a second at 1 MHz, as in the account.
const SORTER_EVENTS: u32 = 1 << 20;
/// Events in flight at which triggers stop: a quarter of the account's window is left for what is under
/// way, so that nothing is ever forgotten.
const IN_FLIGHT_NEAR: u64 = (EventAccount::WINDOW_EVENTS as u64) / 4 * 3;

impl<P: Clone> TriggerRole<P> {
    /// A trigger that waits for its start.
    #[must_use]
    pub fn new(plan: TriggerRolePlan) -> Self {
        let run = &plan.run;
        let members: Vec<Destination> = run.builders.iter().map(|builder| (*builder).into()).collect();
        let policy = plan.policy.policy(run.packing_events.max(1), &members);
        let sorter =
            SorterPlan { first: run.first, timeout: plan.decision_timeout, window_events: SORTER_EVENTS };
        let second = run.has_two_levels.then(|| SecondLevel {
            sorter: Sorter::new(sorter),
            accepted: VecDeque::new(),
            policy: plan.policy.second_policy(&members),
            next: run.first,
        });
        Self {
            now: Time::ZERO,
            engine: Engine::Idle(Box::new(policy)),
            account: EventAccount::new(run.first),
            under_way: [UnderWay::default(), UnderWay::default()],
            second,
            builders: BTreeMap::new(),
            dead: BTreeMap::new(),
            sinks: BTreeMap::new(),
            outbox: Outbox::new(),
            is_last_told: false,
            is_ended: false,
            counts: TriggerRoleCounts::default(),
            plan,
        }
    }

    /// The account of events, to be checked at any moment.
    #[must_use]
    pub const fn account(&self) -> &EventAccount {
        &self.account
    }

    fn policy(&mut self) -> &mut Policy {
        match &mut self.engine {
            Engine::Idle(policy) => policy,
            Engine::Running(trigger) => trigger.policy_mut(),
        }
    }

    fn next_event(&self) -> EventNumber {
        match &self.engine {
            Engine::Idle(_) => self.plan.run.first,
            Engine::Running(trigger) => trigger.next_event(),
        }
    }

    fn handle_start(&mut self, now: Time) {
        let Engine::Idle(policy) = &self.engine else { return };
        let plan = TriggerPlan {
            run: self.plan.run.run,
            first: self.plan.run.first,
            load: self.plan.load,
            spacing: self.plan.spacing,
            packing_events: self.plan.run.packing_events,
            events_max: self.plan.events_max,
        };
        let random = Random::named(self.plan.run.seed, "trigger");
        let trigger = Trigger::new(plan, (**policy).clone(), now, random);
        self.engine = Engine::Running(Box::new(trigger));
    }

    fn handle_builder(&mut self, now: Time, builder: BuilderId, life: Option<Incarnation>) {
        let before = self.builders.get(&builder).copied();
        if before == life {
            return;
        }
        if let Some(before) = before {
            self.builders.remove(&builder);
            self.dead.insert((builder, before), now + self.plan.grace);
            self.outbox.forget(Peer::Builder(builder));
            match &mut self.engine {
                Engine::Idle(policy) => policy.handle_left(now, builder.into()),
                Engine::Running(trigger) => trigger.handle_left(now, builder),
            }
            if let Some(second) = &mut self.second {
                second.policy.handle_left(now, builder.into());
            }
        }
        let Some(life) = life else { return };
        // The link was gone, not the builder: it still has what it had.
        self.dead.remove(&(builder, life));
        self.builders.insert(builder, life);
        let next = self.next_event();
        self.outbox.push(Peer::Builder(builder), Message::Welcome { level: Level::First, next });
        match &mut self.engine {
            Engine::Idle(policy) => policy.handle_joined(now, builder.into(), life),
            Engine::Running(trigger) => trigger.handle_joined(now, builder, life),
        }
        if let Some(second) = &mut self.second {
            second.policy.handle_joined(now, builder.into(), life);
            let welcome = Message::Welcome { level: Level::Second, next: second.next };
            self.outbox.push(Peer::Builder(builder), welcome);
        }
        self.tell_last_to(Peer::Builder(builder));
    }

    fn handle_token(&mut self, now: Time, builder: BuilderId, token: Token) {
        // Forged ones are the policy's to count, but for one in the name of another.
        if token.from != builder.into() {
            return self.counts.nonsense.record(Nonsense::ForgedToken);
        }
        self.policy().handle_token(now, token);
    }

    fn handle_end(&mut self, now: Time) {
        if let Engine::Running(trigger) = &mut self.engine {
            trigger.handle_stop(now);
        }
        self.account_triggered(now);
        self.is_ended = true;
        self.lose_all();
    }

    /// The next packet of the first level, or accepted event for the second, that has a builder.
    fn poll_assigned(&mut self, now: Time) -> Option<(Level, Assigned)> {
        if self.is_ended {
            return None;
        }
        self.poll_sorted(now);
        if let Some(assigned) = self.poll_second(now) {
            return Some((Level::Second, assigned));
        }
        let Engine::Running(trigger) = &mut self.engine else { return None };
        let assigned = trigger.poll_assigned(now);
        self.account_triggered(now);
        let assigned = assigned?;
        if let Some(second) = &mut self.second {
            second.sorter.handle_triggered(now, assigned.events);
        }
        Some((Level::First, assigned))
    }

    /// Not while a builder throttles. What is under way ends without it, so that goes by; what else stops
    /// triggers may wait for just this.
    fn poll_second(&mut self, now: Time) -> Option<Assigned> {
        if matches!(&self.engine, Engine::Running(trigger) if trigger.is_throttled()) {
            return None;
        }
        let second = self.second.as_mut()?;
        let (event, triggered) = *second.accepted.front()?;
        let destination = second.policy.poll_assign(now, event)?.into();
        second.accepted.pop_front();
        second.next = event.after(1);
        self.counts.second_assigned += 1;
        Some(Assigned { run: self.plan.run.run, event, events: 1, destination, triggered })
    }

    /// Puts an assignment in the outbox: for every source, and for its builder.
    fn tell_assigned(&mut self, level: Level, assigned: Assigned) {
        let Assigned { event, events, destination, triggered, .. } = assigned;
        let Some(life) = self.builders.get(&destination).copied() else {
            unreachable!("a policy names only those who joined")
        };
        self.under_way[level as usize].insert(event, events, destination, life, triggered);
        // The builder first: it knows of the event before its fragments come.
        self.outbox.push(Peer::Builder(destination), Message::Assigned { level, assigned });
        self.outbox.push_to_sources(level, assigned);
    }

    /// Whether no event will be assigned any more.
    fn is_over(&self) -> bool {
        let is_triggered = match &self.engine {
            Engine::Idle(_) => false,
            Engine::Running(trigger) => trigger.is_over(),
        };
        let is_sorted = self.second.as_ref().is_none_or(SecondLevel::is_over);
        is_triggered && is_sorted
    }

    fn tell_last(&mut self) {
        self.is_last_told = true;
        let builders = self.builders.keys().map(|builder| Peer::Builder(*builder));
        let sources = self.outbox.sources().map(Peer::Source);
        for peer in builders.chain(sources).collect::<Vec<_>>() {
            self.tell_last_to(peer);
        }
    }

    fn tell_last_to(&mut self, peer: Peer) {
        if self.is_last_told {
            self.outbox.push(peer, Message::Last { next: self.next_event() });
        }
    }
}

impl SecondLevel {
    fn is_over(&self) -> bool {
        self.accepted.is_empty() && self.sorter.fill().filled() == 0
    }
}

impl<P: Clone> Role<P> for TriggerRole<P> {
    fn handle_message(&mut self, now: Time, from: Peer, message: Message<P>) {
        self.now = self.now.max(now);
        match (from, message) {
            (Peer::Builder(builder), Message::Throttle { .. } | Message::Token(_))
                if !self.builders.contains_key(&builder) =>
            {
                self.counts.nonsense.record(Nonsense::NotThere);
            }
            (Peer::Builder(builder), Message::Throttle { is_throttling }) => {
                if let Engine::Running(trigger) = &mut self.engine {
                    trigger.handle_throttle(now, builder, is_throttling);
                }
            }
            (Peer::Builder(builder), Message::Token(token)) => self.handle_token(now, builder, token),
            (Peer::Builder(_) | Peer::Sink(_), Message::Ends(ends)) => self.handle_ends(now, from, &ends),
            _ => self.counts.nonsense.record(Nonsense::WrongSender),
        }
    }

    fn handle_peer(&mut self, now: Time, peer: Peer, life: Option<Incarnation>) {
        self.now = self.now.max(now);
        match (peer, life) {
            (Peer::Builder(builder), life) => self.handle_builder(now, builder, life),
            (Peer::Source(source), Some(life)) => {
                let has = [Level::First, Level::Second].map(|level| self.plan.run.has_level(source, level));
                if self.outbox.handle_source(source, life, has) {
                    self.tell_last_to(peer);
                }
            }
            (Peer::Source(source), None) => {
                self.outbox.forget_source(source);
            }
            (Peer::Sink(sink), Some(life)) => {
                self.sinks.insert(sink, life);
            }
            (Peer::Sink(sink), None) => {
                self.sinks.remove(&sink);
            }
            (Peer::Trigger | Peer::Node(_), _) => {}
        }
    }

    fn handle_order(&mut self, now: Time, order: Order) {
        self.now = self.now.max(now);
        match (order, &mut self.engine) {
            (Order::Start, _) => self.handle_start(now),
            (Order::End, _) => self.handle_end(now),
            (Order::Stop, Engine::Idle(_)) => {
                // Stopped before it began: a run without events.
                self.handle_start(now);
                self.handle_order(now, Order::Stop);
            }
            (Order::Stop, Engine::Running(trigger)) => trigger.handle_stop(now),
            (Order::Pause, Engine::Running(trigger)) => trigger.handle_pause(now, true),
            (Order::Resume, Engine::Running(trigger)) => trigger.handle_pause(now, false),
            (Order::Pause | Order::Resume, Engine::Idle(_)) => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        match &mut self.engine {
            Engine::Idle(policy) => policy.handle_timeout(now),
            Engine::Running(trigger) => trigger.handle_timeout(now),
        }
        if let Some(second) = &mut self.second {
            second.policy.handle_timeout(now);
        }
        self.bury_dead(now);
        self.poll_sorted(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<(Peer, Message<P>)> {
        self.now = self.now.max(now);
        while self.outbox.is_empty() {
            self.handle_backlog(now);
            if let Some((level, assigned)) = self.poll_assigned(now) {
                self.tell_assigned(level, assigned);
            } else if self.is_over() && !self.is_last_told {
                self.tell_last();
            } else {
                break;
            }
        }
        self.outbox.poll()
    }

    fn next_timeout(&self) -> Option<Time> {
        let engine = match &self.engine {
            Engine::Idle(policy) => policy.next_timeout(),
            Engine::Running(trigger) => trigger.next_timeout(),
        };
        let sorter = self.second.as_ref().and_then(|second| second.sorter.next_timeout());
        let dead = self.dead.values().min().copied();
        [engine, sorter, dead].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        let is_told = self.is_ended || self.is_over() && self.is_last_told;
        is_told && self.outbox.is_empty() && self.account.totals().in_flight == 0
    }

    fn counts(&self) -> RoleCounts {
        let mut counts = self.counts.clone();
        counts.events = self.account.totals().clone();
        match &self.engine {
            Engine::Idle(policy) => {
                (counts.policy, counts.credits) = (*policy.counts(), policy.credits());
            }
            Engine::Running(trigger) => {
                counts.trigger = *trigger.counts();
                (counts.policy, counts.credits) = (*trigger.policy().counts(), trigger.policy().credits());
                counts.throttle = trigger.throttle().totals(self.now);
                counts.nobody = trigger.nobody().totals(self.now);
                counts.pause = trigger.pause().totals(self.now);
            }
        }
        if let Some(second) = &self.second {
            counts.sorter = Some(*second.sorter.counts());
            counts.second_policy = Some(*second.policy.counts());
        }
        // Lengths are far below 2^64.
        counts.packets_under_way = self.under_way.iter().map(|packets| packets.len() as u64).sum();
        RoleCounts::Trigger(Box::new(counts))
    }
}

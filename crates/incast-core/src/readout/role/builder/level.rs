//! One level of a builder: what joins its fragments, and what gives its events to nodes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Answered;
use crate::readout::assign::{Assign, PolicyCounts};
use crate::readout::builder::{
    Arrival, BuilderCounts, BuilderPlan, Built, EventBuilder, SourceCounts, Strangers,
};
use crate::readout::credit_account::CreditTotals;
use crate::readout::dispatcher::{
    Answer, AnswerKind, Decided, Dispatcher, DispatcherCounts, DispatcherPlan, WhyRefused,
};
use crate::readout::fragment::{Fragment, Payload};
use crate::readout::ids::{Destination, EventNumber, Incarnation, Level, Peer, SourceId};
use crate::readout::message::Message;
use crate::readout::role::counts::GaugeCounts;
use crate::readout::role::plan::BuilderRolePlan;
use crate::readout::verdict::Verdict;
use crate::time::Time;

/// The account of one level of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderLevelCounts {
    /// Events.
    pub builder: BuilderCounts,
    /// Fragments, by source.
    pub by_source: Vec<(SourceId, SourceCounts)>,
    /// Fragments of sources that nobody expects.
    pub strangers: Strangers,
    /// Fragments before the trigger's welcome that did not fit.
    pub early_dropped: u64,
    /// Open events.
    pub open_events: GaugeCounts,
    /// Their bytes.
    pub open_bytes: GaugeCounts,
    /// Events and answers at nodes.
    pub dispatcher: DispatcherCounts,
    /// The policy that names nodes.
    pub policy: PolicyCounts,
    /// Law 3: the credits of nodes.
    pub credits: CreditTotals,
    /// Events that wait for a node, are at one, or are decided and wait for room.
    pub dispatcher_events: GaugeCounts,
    /// Their bytes.
    pub dispatcher_bytes: GaugeCounts,
}

/// What a node decided, in which of its lives.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) life: Incarnation,
    pub(super) attempt: u8,
    pub(super) verdicts: Vec<Verdict>,
}

/// One level.
#[derive(Clone, Debug)]
pub(super) struct BuilderLevel<P> {
    level: Level,
    /// There since the welcome.
    builder: Option<EventBuilder<P>>,
    /// Fragments that overtook the welcome.
    early: VecDeque<Fragment<P>>,
    early_bytes: u64,
    early_bytes_max: u64,
    early_dropped: u64,
    /// The first event that can be assigned to this life.
    first: EventNumber,
    /// Assignments for which there was no room yet.
    unopened: VecDeque<(EventNumber, u16)>,
    /// Assigned, and neither open nor remembered: nobody will build them.
    unbuilt: VecDeque<(EventNumber, u16)>,
    /// Built, and without room at the dispatcher.
    refused: Option<Built<P>>,
    pub(super) dispatcher: Dispatcher<P, Judged>,
}

/// Fragments before the welcome: some packets of as many sources as there may be.
const EARLY_FRAGMENTS_MAX: usize = 16_384;
/// Assignments that wait for room; the trigger is told to stop long before.
const UNOPENED_MAX: usize = 65_536;

impl<P: Payload + Clone> BuilderLevel<P> {
    pub(super) fn new(plan: &BuilderRolePlan, level: Level) -> Self {
        let run = &plan.run;
        let ours = run.nodes.iter().filter(|(_, builder)| *builder == plan.builder);
        let members: Vec<Destination> = ours.map(|(node, _)| (*node).into()).collect();
        let policy = match level {
            // What is given is counted by turns, each a packet.
            Level::First => plan.policy.policy(1, &members),
            Level::Second => plan.policy.second_policy(&members),
        };
        let bounds = DispatcherPlan {
            events_max: plan.held_events_max,
            bytes_max: plan.held_bytes_max,
            in_flight_max: plan.held_events_max,
            lease: plan.lease,
            attempts_max: plan.attempts_max,
            closed_events: plan.held_events_max.saturating_mul(REMEMBERED).max(REMEMBERED_MIN),
        };
        Self {
            level,
            builder: None,
            early: VecDeque::new(),
            early_bytes: 0,
            early_bytes_max: plan.open_bytes_max,
            early_dropped: 0,
            first: run.first,
            unopened: VecDeque::new(),
            unbuilt: VecDeque::new(),
            refused: None,
            dispatcher: Dispatcher::new(bounds, policy),
        }
    }

    /// Begins to build; another welcome of the same life changes nothing.
    pub(super) fn handle_welcome(&mut self, now: Time, plan: &BuilderRolePlan, next: EventNumber) {
        if self.builder.is_some() {
            return;
        }
        let bounds = BuilderPlan {
            run: plan.run.run,
            sources: plan.run.sources_of(self.level).collect(),
            first: next,
            packing_events: plan.run.packing_of(self.level),
            timeout: plan.event_timeout,
            fragment_bytes_max: plan.fragment_bytes_max,
            open_events_max: plan.open_events_max,
            open_bytes_max: plan.open_bytes_max,
            built_events_max: plan.open_events_max,
            built_bytes_max: plan.open_bytes_max,
            closed_events: plan.open_events_max.saturating_mul(REMEMBERED),
            ordered_events_max: plan.is_ordered.then_some(plan.open_events_max),
        };
        self.builder = Some(EventBuilder::new(bounds));
        self.first = next;
        self.early_bytes = 0;
        for fragment in std::mem::take(&mut self.early) {
            self.handle_fragment(now, fragment);
        }
    }

    pub(super) fn handle_fragment(&mut self, now: Time, fragment: Fragment<P>) {
        if let Some(builder) = &mut self.builder {
            builder.handle_fragment(now, fragment);
            return;
        }
        let bytes = self.early_bytes.saturating_add(fragment.payload.len_bytes().into());
        if self.early.len() < EARLY_FRAGMENTS_MAX && bytes <= self.early_bytes_max {
            self.early_bytes = bytes;
            self.early.push_back(fragment);
        } else {
            self.early_dropped += 1;
        }
    }

    /// Takes in what is assigned to this builder.
    pub(super) fn handle_assigned(&mut self, now: Time, event: EventNumber, events: u16) {
        if self.unopened.len() < UNOPENED_MAX {
            self.unopened.push_back((event, events));
        } else {
            self.unbuilt.push_back((event, events));
        }
        self.open(now);
    }

    /// The next packet that was assigned and cannot be built.
    pub(super) fn poll_unbuilt(&mut self) -> Option<(EventNumber, u16)> {
        self.unbuilt.pop_front()
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if let Some(builder) = &mut self.builder {
            builder.handle_timeout(now);
        }
        self.dispatcher.handle_timeout(now);
    }

    /// Ships what is open, as far as there is room.
    pub(super) fn handle_end(&mut self, now: Time) {
        self.open(now);
        if let Some(builder) = &mut self.builder {
            builder.handle_end(now);
        }
    }

    /// What a node says of an event.
    pub(super) fn handle_answer(&mut self, now: Time, of: Answered, verdicts: Vec<Verdict>) -> AnswerKind {
        let Answered { node, life, event, attempt, .. } = of;
        let decision = Judged { life, attempt, verdicts };
        self.dispatcher.handle_answer(now, Answer { node, incarnation: life, event, attempt, decision })
    }

    /// The next built event; what was refused before goes to the dispatcher first.
    pub(super) fn poll_built(&mut self, now: Time) -> Option<Built<P>> {
        let [events, bytes] = self.dispatcher.gauges();
        if let Some(refused) = &self.refused {
            let has_room = bytes.has_room(refused.event().bytes) || events.filled() == 0;
            if events.is_full() || !has_room {
                return None;
            }
            let refused = self.refused.take()?;
            self.dispatch(now, refused);
            return self.poll_built(now);
        }
        if events.is_full() || bytes.is_full() {
            return None;
        }
        self.open(now);
        let builder = self.builder.as_mut()?;
        let built = builder.poll_built();
        // What had no room to be shipped when its time was over may have some now.
        builder.handle_timeout(now);
        built.or_else(|| builder.poll_built())
    }

    /// To the dispatcher; what does not fit waits here.
    pub(super) fn dispatch(&mut self, now: Time, built: Built<P>) {
        if let Some(refused) = self.dispatcher.handle_event(now, built)
            && refused.why == WhyRefused::NoRoom
        {
            self.refused = Some(refused.built);
        }
    }

    pub(super) fn poll_decided(&mut self) -> Option<Decided<P, Judged>> {
        self.dispatcher.poll_decided()
    }

    /// The next event for a node.
    pub(super) fn poll_given(&mut self, now: Time) -> Option<(Peer, Message<P>)> {
        let given = self.dispatcher.poll_transmit(now)?;
        let built = self.dispatcher.event(given.event)?.clone();
        let message = Message::Event { level: self.level, attempt: given.attempt, built };
        Some((Peer::Node(given.node), message))
    }

    pub(super) fn is_welcome(&self) -> bool {
        self.builder.is_some()
    }

    pub(super) fn is_throttling(&self) -> bool {
        let is_building = self.builder.as_ref().is_some_and(EventBuilder::is_throttling);
        is_building || self.dispatcher.is_throttling() || !self.unopened.is_empty()
    }

    /// Whether no event is here.
    pub(super) fn is_idle(&self) -> bool {
        let is_built = self.builder.as_ref().is_none_or(|builder| {
            let [open, _, built, _] = builder.gauges();
            open.filled() == 0 && built.filled() == 0
        });
        let is_opened = self.unopened.is_empty() || self.builder.is_none();
        is_built && is_opened && self.refused.is_none() && self.dispatcher.gauges()[0].filled() == 0
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let built = self.builder.as_ref().and_then(EventBuilder::next_timeout);
        [built, self.dispatcher.next_timeout()].into_iter().flatten().min()
    }

    pub(super) fn counts(&self) -> BuilderLevelCounts {
        let [events, bytes] = self.dispatcher.gauges();
        let mut counts = BuilderLevelCounts {
            early_dropped: self.early_dropped,
            dispatcher: self.dispatcher.counts().clone(),
            policy: *self.dispatcher.policy().counts(),
            credits: self.dispatcher.policy().credits(),
            dispatcher_events: GaugeCounts::from(events),
            dispatcher_bytes: GaugeCounts::from(bytes),
            ..BuilderLevelCounts::default()
        };
        if let Some(builder) = &self.builder {
            let [open_events, open_bytes, _, _] = builder.gauges();
            counts.builder = builder.counts().clone();
            counts.by_source = builder.by_source().map(|(source, counts)| (source, *counts)).collect();
            counts.strangers = builder.strangers().clone();
            counts.open_events = GaugeCounts::from(open_events);
            counts.open_bytes = GaugeCounts::from(open_bytes);
        }
        counts
    }

    /// Opens what was assigned, as far as there is room.
    fn open(&mut self, now: Time) {
        let Some(builder) = &mut self.builder else { return };
        let run = builder.run();
        while let Some((event, events)) = self.unopened.front().copied() {
            match builder.handle_assignment(now, run, event, events) {
                Arrival::NoRoom => return,
                // So late that the builder cannot tell whether it was built. If it was, this is no news.
                Arrival::Stale if event >= self.first => self.unbuilt.push_back((event, events)),
                _ => {}
            }
            self.unopened.pop_front();
        }
    }
}

/// Closed events are remembered so many times as long as open ones may be many: longer than any fragment,
/// or answer, can be late.
const REMEMBERED: u32 = 16;
/// And at least so many decided ones, for a node that hung for seconds: eight seconds at 2 kHz.
const REMEMBERED_MIN: u32 = 16_384;

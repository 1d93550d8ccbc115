//! Storing: events that were accepted, on their way from a builder (push) or a node (pull) to a sink.
//!
//! ```text
//!  handle_event --> waiting --Ask--> asked --Granted--> Result sent --Stored--> poll_stored
//!                                      ^                     |
//!                                      +-- the sink returned, or said nothing for a while
//! ```
//! The data stays here until the sink says that it is on disk. To ask again does no harm: a sink knows
//! each event, and stores it once. A sink that is full does not answer, and is asked again now and then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::nonsense::{Nonsense, NonsenseCounts};
use super::plan::{RunPlan, sink_of};
use crate::readout::builder::Built;
use crate::readout::ids::{EventNumber, Peer, SinkId};
use crate::readout::message::Message;
use crate::readout::verdict::Verdict;
use crate::stats::LogHistogram;
use crate::time::{Span, Time};

/// Bounds of storing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoringPlan {
    /// Events asked for at one sink and not stored yet; the rest waits its turn.
    pub asks_max: usize,
    /// A sink that said nothing for so long is asked again.
    pub repeat: Span,
}

impl Default for StoringPlan {
    /// Asks that hide a path of 140 ms at 1 kHz, and a repeat that is rarer than any answer.
    fn default() -> Self {
        Self { asks_max: 256, repeat: Span::from_s(2) }
    }
}

/// The account of storing. At any moment `entered = stored + held`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoringCounts {
    /// Events, or packets, to be stored.
    pub entered: u64,
    /// Of these, on disk.
    pub stored: u64,
    /// Asks sent, repeats included.
    pub asks: u64,
    /// Of these, repeats.
    pub asks_repeated: u64,
    /// Results sent, repeats included.
    pub results: u64,
    /// From the first ask to what was granted, in nanoseconds.
    pub granted_ns: LogHistogram,
    /// From the result to its being on disk, in nanoseconds.
    pub stored_ns: LogHistogram,
}

/// Events that shall be stored.
#[derive(Clone, Debug)]
pub struct Storing<P> {
    plan: StoringPlan,
    first: EventNumber,
    packing_events: u16,
    /// In the order in which packets go to them.
    order: Vec<SinkId>,
    sinks: BTreeMap<SinkId, SinkLink>,
    items: BTreeMap<EventNumber, Item<P>>,
    /// By number of the ask.
    asks: BTreeMap<u64, EventNumber>,
    next_ask: u64,
    /// When to ask again.
    repeats: BTreeSet<(Time, EventNumber)>,
    outbox: VecDeque<(SinkId, Outgoing)>,
    stored: VecDeque<Stored<P>>,
    counts: StoringCounts,
}

/// An event that is on disk.
#[derive(Clone, Debug)]
pub(super) struct Stored<P> {
    pub(super) built: Built<P>,
}

#[derive(Clone, Debug, Default)]
struct SinkLink {
    is_there: bool,
    asked: usize,
    /// Not asked for yet.
    waiting: VecDeque<EventNumber>,
}

#[derive(Clone, Debug)]
struct Item<P> {
    built: Built<P>,
    verdicts: Vec<Verdict>,
    sink: SinkId,
    ask: Option<u64>,
    asked: Time,
    repeat: Time,
    sent: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
enum Outgoing {
    Ask(EventNumber),
    Result(EventNumber, u64),
}

impl<P: Clone> Storing<P> {
    /// Nothing to store, and no sink there.
    #[must_use]
    pub fn new(run: &RunPlan, plan: StoringPlan) -> Self {
        Self {
            plan,
            sinks: run.sinks.iter().map(|sink| (*sink, SinkLink::default())).collect(),
            first: run.first,
            packing_events: run.packing_events,
            order: run.sinks.clone(),
            items: BTreeMap::new(),
            asks: BTreeMap::new(),
            next_ask: 1,
            repeats: BTreeSet::new(),
            outbox: VecDeque::new(),
            stored: VecDeque::new(),
            counts: StoringCounts::default(),
        }
    }

    /// Takes an event in, to be stored as the verdicts say. In a run without sinks nothing can be, and it
    /// stays here. Says whether it is new.
    pub fn handle_event(&mut self, now: Time, built: Built<P>, verdicts: Vec<Verdict>) -> bool {
        let event = built.event().number;
        let sink = sink_of(event, self.first, self.packing_events, &self.order);
        let Some(sink) = sink else { return false };
        if self.items.contains_key(&event) {
            return false;
        }
        let item = Item { built, verdicts, sink, ask: None, asked: now, repeat: now, sent: None };
        self.items.insert(event, item);
        self.counts.entered += 1;
        if let Some(link) = self.sinks.get_mut(&sink) {
            link.waiting.push_back(event);
        }
        self.ask_waiting(now, sink);
        true
    }

    /// A sink is there, or it is not: what is not on disk yet is asked for again when it returns.
    pub fn handle_sink(&mut self, now: Time, sink: SinkId, is_there: bool) {
        let Some(link) = self.sinks.get_mut(&sink) else { return };
        if link.is_there == is_there {
            return;
        }
        link.is_there = is_there;
        self.outbox.retain(|(to, _)| *to != sink);
        let of_sink = self.items.iter().filter(|(_, item)| item.sink == sink && item.ask.is_some());
        let asked: Vec<EventNumber> = of_sink.map(|(event, _)| *event).collect();
        for event in asked {
            if let Some(item) = self.items.get_mut(&event) {
                item.sent = None;
                self.repeats.remove(&(item.repeat, event));
            }
            if is_there {
                self.ask_again(now, event);
            }
        }
        self.ask_waiting(now, sink);
    }

    /// Takes in an answer of a sink: `Granted` or `Stored`.
    pub fn handle_message(
        &mut self,
        now: Time,
        from: SinkId,
        message: &Message<P>,
        nonsense: &mut NonsenseCounts,
    ) {
        match *message {
            Message::Granted { ask, lease, lifetime } => {
                if let Some(event) = self.event_of(from, ask) {
                    self.handle_granted(now, event, lease, lifetime);
                } else if ask >= self.next_ask {
                    nonsense.record(Nonsense::Unknown);
                }
            }
            Message::Stored { ask, event } => {
                // Of an ask that is over it is a repeat, and no news.
                let of_ask = self.event_of(from, ask);
                if of_ask == Some(event) {
                    self.handle_stored(now, event);
                } else if of_ask.is_some() || ask >= self.next_ask {
                    nonsense.record(Nonsense::Unknown);
                }
            }
            _ => nonsense.record(Nonsense::WrongSender),
        }
    }

    /// Asks again where nothing was heard for too long.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((_, event)) = self.repeats.first().copied().filter(|(at, _)| *at <= now) {
            self.ask_again(now, event);
        }
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.repeats.first().map(|(at, _)| *at)
    }

    /// The next message to a sink.
    pub fn poll_transmit(&mut self) -> Option<(Peer, Message<P>)> {
        while let Some((sink, outgoing)) = self.outbox.pop_front() {
            if let Some(message) = self.message(outgoing) {
                return Some((Peer::Sink(sink), message));
            }
        }
        None
    }

    /// Events that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether all that is held waits for sinks that are gone.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.items.values().all(|item| self.sinks.get(&item.sink).is_none_or(|link| !link.is_there))
    }

    /// The account.
    #[must_use]
    pub const fn counts(&self) -> &StoringCounts {
        &self.counts
    }

    /// The next event that is on disk.
    pub(super) fn poll_stored(&mut self) -> Option<Stored<P>> {
        self.stored.pop_front()
    }

    fn message(&mut self, outgoing: Outgoing) -> Option<Message<P>> {
        let (Outgoing::Ask(event) | Outgoing::Result(event, _)) = outgoing;
        let item = self.items.get(&event)?;
        let ask = item.ask?;
        let bytes = item.built.event().bytes;
        Some(match outgoing {
            Outgoing::Ask(_) => {
                self.counts.asks += 1;
                Message::Ask { ask, event, bytes }
            }
            Outgoing::Result(_, lease) => {
                self.counts.results += 1;
                Message::Result { ask, lease, verdicts: item.verdicts.clone(), built: item.built.clone() }
            }
        })
    }

    /// The event of an ask at that sink.
    fn event_of(&self, from: SinkId, ask: u64) -> Option<EventNumber> {
        let event = *self.asks.get(&ask)?;
        (self.items.get(&event)?.sink == from).then_some(event)
    }

    fn handle_granted(&mut self, now: Time, event: EventNumber, lease: u64, lifetime: Span) {
        let repeat = now + self.plan.repeat.max(lifetime);
        let Some(item) = self.items.get_mut(&event) else { return };
        if item.sent.is_none() {
            self.counts.granted_ns.record(now.since(item.asked).as_ns());
        }
        item.sent = Some(now);
        self.repeats.remove(&(item.repeat, event));
        item.repeat = repeat;
        self.repeats.insert((repeat, event));
        self.outbox.push_back((item.sink, Outgoing::Result(event, lease)));
    }

    fn handle_stored(&mut self, now: Time, event: EventNumber) {
        let Some(item) = self.items.remove(&event) else { return };
        self.repeats.remove(&(item.repeat, event));
        if let Some(ask) = item.ask {
            self.asks.remove(&ask);
        }
        // Without a result of this life, it was on disk before.
        if let Some(sent) = item.sent {
            self.counts.stored_ns.record(now.since(sent).as_ns());
        }
        self.counts.stored += 1;
        self.stored.push_back(Stored { built: item.built });
        if let Some(link) = self.sinks.get_mut(&item.sink) {
            link.asked -= 1;
        }
        self.ask_waiting(now, item.sink);
        debug_assert_eq!(self.counts.entered, self.counts.stored + self.items.len() as u64);
    }

    /// Asks for what waits, as far as the bound allows.
    fn ask_waiting(&mut self, now: Time, sink: SinkId) {
        let Some(link) = self.sinks.get_mut(&sink) else { return };
        while link.is_there
            && link.asked < self.plan.asks_max
            && let Some(event) = link.waiting.pop_front()
        {
            let Some(item) = self.items.get_mut(&event) else { continue };
            link.asked += 1;
            item.ask = Some(self.next_ask);
            item.asked = now;
            item.repeat = now + self.plan.repeat;
            self.asks.insert(self.next_ask, event);
            self.next_ask += 1;
            self.repeats.insert((item.repeat, event));
            self.outbox.push_back((sink, Outgoing::Ask(event)));
        }
    }

    fn ask_again(&mut self, now: Time, event: EventNumber) {
        let Some(item) = self.items.get_mut(&event) else { return };
        self.repeats.remove(&(item.repeat, event));
        item.repeat = now + self.plan.repeat;
        self.repeats.insert((item.repeat, event));
        self.counts.asks_repeated += 1;
        self.outbox.push_back((item.sink, Outgoing::Ask(event)));
    }
}

//! The sink: grants room, takes what is to be stored, and says when it is on disk.
//!
//! ```text
//!  Ask --> waiting --room--> granted --Result--> to be written --handle_written--> Stored, Ends
//! ```
//! The same event may be asked for again, by the same peer or by another that took over, at any moment:
//! it is written once. What was found on disk at the start (`handle_known`) is acknowledged and not written
//! again. Writing is the owner's; a write that fails is the owner's to repeat.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::counts::GaugeCounts;
use super::ends::Ends;
use super::nonsense::{Nonsense, NonsenseCounts};
use super::plan::SinkRolePlan;
use super::{Order, Role, RoleCounts};
use crate::readout::builder::Built;
use crate::readout::event_account::EventAccount;
use crate::readout::fragment::Payload;
use crate::readout::gauge::Gauge;
use crate::readout::ids::{EventNumber, Incarnation, Peer};
use crate::readout::message::{Ended, Message};
use crate::readout::sources::SourceSet;
use crate::readout::verdict::Verdict;
use crate::time::Time;

mod known;

use known::KnownEvents;

/// What the owner writes to disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write<P> {
    /// To be said when it is on disk.
    pub number: u64,
    /// Who sent it.
    pub from: Peer,
    /// One for each event of the packet. Those that are on disk already are rejected here.
    pub verdicts: Vec<Verdict>,
    /// The data.
    pub built: Built<P>,
}

/// The account of a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRoleCounts {
    /// Asks that came, repeats included.
    pub asks: u64,
    /// Of these, repeats.
    pub asks_repeated: u64,
    /// Of what is on disk: acknowledged at once.
    pub asks_known: u64,
    /// Not taken in, since too many wait.
    pub asks_refused: u64,
    /// Room granted.
    pub granted: u64,
    /// Granted room that nothing came for in time.
    pub expired: u64,
    /// Results taken.
    pub results: u64,
    /// Results without granted room: not taken.
    pub results_without_lease: u64,
    /// Packets written.
    pub written: u64,
    /// Single events written, without those known at the start.
    pub stored: u64,
    /// Of these, flagged as incomplete.
    pub stored_incomplete: u64,
    /// Bytes of payloads written.
    pub stored_bytes: u64,
    /// Single events that were on disk at the start.
    pub known: u64,
    /// Asks that wait for room.
    pub waiting: u64,
    /// Given to the owner, or about to be, and not on disk yet.
    pub writing: u64,
    /// Room granted or filled, in bytes.
    pub buffer_bytes: GaugeCounts,
    /// Whether the disk is full.
    pub is_disk_full: bool,
    /// How often it became so.
    pub disk_full_spells: u64,
    /// What nobody may say.
    pub nonsense: NonsenseCounts,
}

/// Events asked for and not on disk yet. With 256 asks of each, 256 builders or nodes.
const ENTRIES_MAX: usize = 65_536;
/// Peers that ask for the same event: its builder, and the nodes that had it.
const ASKERS_MAX: usize = 8;

/// A sink.
#[derive(Clone, Debug)]
pub struct SinkRole<P> {
    plan: SinkRolePlan,
    entries: BTreeMap<EventNumber, Entry>,
    /// Oldest ask first; what is not waiting any more is skipped.
    waiting: VecDeque<EventNumber>,
    expiries: BTreeSet<(Time, EventNumber)>,
    buffer: Gauge,
    next_lease: u64,
    writes: VecDeque<Write<P>>,
    writing: BTreeMap<u64, Writing>,
    next_write: u64,
    known: KnownEvents,
    /// The next event to tell again to a trigger that came back.
    retell: Option<EventNumber>,
    is_trigger_there: bool,
    is_disk_full: bool,
    ends: Ends,
    outbox: VecDeque<(Peer, Message<P>)>,
    is_stopped: bool,
    is_ended: bool,
    counts: SinkRoleCounts,
}

#[derive(Clone, Debug)]
struct Entry {
    bytes: u64,
    /// With the number of their latest ask; first come first.
    askers: Vec<(Peer, u64)>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Waiting,
    Granted { to: Peer, lease: u64, until: Time },
    Writing,
}

#[derive(Clone, Debug)]
struct Writing {
    event: EventNumber,
    /// What is written, as runs.
    kept: Vec<(EventNumber, u16)>,
    missing: Option<SourceSet>,
    bytes: u64,
}

impl<P: Payload + Clone> SinkRole<P> {
    /// A sink with nothing on disk.
    #[must_use]
    pub fn new(plan: SinkRolePlan) -> Self {
        Self {
            entries: BTreeMap::new(),
            waiting: VecDeque::new(),
            expiries: BTreeSet::new(),
            buffer: Gauge::new(plan.buffer_bytes_max),
            next_lease: 1,
            writes: VecDeque::new(),
            writing: BTreeMap::new(),
            next_write: 1,
            known: KnownEvents::new(),
            retell: None,
            is_trigger_there: false,
            is_disk_full: false,
            ends: Ends::default(),
            outbox: VecDeque::new(),
            is_stopped: false,
            is_ended: false,
            counts: SinkRoleCounts::default(),
            plan,
        }
    }

    /// Events that an earlier life put on disk, with the sources that they miss. To be said before anything
    /// else.
    pub fn handle_known(&mut self, first: EventNumber, events: u32, missing: Option<&SourceSet>) {
        for index in 0..events {
            self.counts.known += u64::from(self.known.insert(first.after(index.into()), missing));
        }
    }

    /// The next packet to write.
    pub fn poll_write(&mut self) -> Option<Write<P>> {
        self.writes.pop_front()
    }

    /// A write is on disk, and stays there.
    pub fn handle_written(&mut self, now: Time, number: u64) {
        let Some(writing) = self.writing.remove(&number) else {
            self.counts.nonsense.record(Nonsense::Unknown);
            return;
        };
        let Writing { event, kept, missing, bytes } = writing;
        self.counts.written += 1;
        self.counts.stored_bytes += bytes;
        for (first, events) in kept {
            for index in 0..events {
                self.known.insert(first.after(index.into()), missing.as_ref());
            }
            self.counts.stored += u64::from(events);
            self.counts.stored_incomplete += u64::from(if missing.is_some() { events } else { 0 });
            self.tell(first, events.into(), missing.as_ref());
        }
        self.known.insert_packet(event);
        self.acknowledge(event);
        self.grant(now);
    }

    /// The disk is full, or no longer.
    pub fn handle_disk(&mut self, now: Time, is_full: bool) {
        self.counts.disk_full_spells += u64::from(is_full && !self.is_disk_full);
        self.is_disk_full = is_full;
        self.grant(now);
    }

    fn handle_ask(&mut self, now: Time, from: Peer, ask: u64, event: EventNumber, bytes: u64) {
        self.counts.asks += 1;
        if self.plan.run.sink_of(event) != Some(self.plan.sink) {
            return self.counts.nonsense.record(Nonsense::Unknown);
        }
        // A packet of one event is known by that event; of a larger one, only this life knows all of it.
        let is_alone = self.plan.run.has_two_levels || self.plan.run.packing_events <= 1;
        if self.known.contains_packet(event) || is_alone && self.known.contains(event) {
            self.counts.asks_known += 1;
            self.outbox.push_back((from, Message::Stored { ask, event }));
            return;
        }
        let Some(entry) = self.entries.get_mut(&event) else {
            if self.entries.len() >= ENTRIES_MAX {
                self.counts.asks_refused += 1;
                return;
            }
            self.entries.insert(event, Entry { bytes, askers: vec![(from, ask)], stage: Stage::Waiting });
            self.waiting.push_back(event);
            return self.grant(now);
        };
        if let Some(asker) = entry.askers.iter_mut().find(|(asker, _)| *asker == from) {
            asker.1 = ask;
            self.counts.asks_repeated += 1;
        } else if entry.askers.len() < ASKERS_MAX {
            entry.askers.push((from, ask));
        } else {
            self.counts.asks_refused += 1;
        }
        if let Stage::Granted { to, lease, until } = &mut entry.stage
            && *to == from
        {
            self.expiries.remove(&(*until, event));
            *until = now + self.plan.lifetime;
            self.expiries.insert((*until, event));
            let granted = Message::Granted { ask, lease: *lease, lifetime: self.plan.lifetime };
            self.outbox.push_back((from, granted));
        }
    }

    fn handle_result(&mut self, from: Peer, lease: u64, verdicts: Vec<Verdict>, built: Built<P>) {
        let event = built.event();
        if event.run != self.plan.run.run {
            return self.counts.nonsense.record(Nonsense::WrongRun);
        }
        if verdicts.len() != usize::from(event.events)
            || verdicts.iter().all(|verdict| verdict.streams() == 0)
        {
            return self.counts.nonsense.record(Nonsense::WrongVerdicts);
        }
        let (number, bytes) = (event.number, event.bytes);
        let Some(entry) = self.entries.get_mut(&number) else {
            self.counts.results_without_lease += 1;
            return;
        };
        let Stage::Granted { to, lease: granted, until } = entry.stage else {
            self.counts.results_without_lease += 1;
            return;
        };
        if (to, granted) != (from, lease) {
            self.counts.results_without_lease += 1;
            return;
        }
        if bytes > entry.bytes {
            return self.counts.nonsense.record(Nonsense::TooLarge);
        }
        entry.stage = Stage::Writing;
        self.expiries.remove(&(until, number));
        self.counts.results += 1;
        self.write(from, verdicts, built);
    }

    /// Gives the owner what is not on disk yet.
    fn write(&mut self, from: Peer, mut verdicts: Vec<Verdict>, built: Built<P>) {
        let event = built.event();
        let mut kept: Vec<(EventNumber, u16)> = Vec::new();
        for (index, verdict) in (0_u64..).zip(verdicts.iter_mut()) {
            let number = event.number.after(index);
            if verdict.streams() == 0 || self.known.contains(number) {
                *verdict = Verdict::Reject;
                continue;
            }
            match kept.last_mut() {
                Some((first, events)) if first.after(u64::from(*events)) == number => *events += 1,
                _ => kept.push((number, 1)),
            }
        }
        let (first, bytes) = (event.number, event.bytes);
        if kept.is_empty() {
            self.known.insert_packet(first);
            return self.acknowledge(first);
        }
        let number = self.next_write;
        self.next_write += 1;
        self.writing.insert(number, Writing { event: first, kept, missing: built.missing().cloned(), bytes });
        self.writes.push_back(Write { number, from, verdicts, built });
    }

    /// Tells all who asked that a packet is on disk, and frees its room.
    fn acknowledge(&mut self, event: EventNumber) {
        let Some(entry) = self.entries.remove(&event) else { return };
        self.buffer.sub(entry.bytes);
        for (asker, ask) in entry.askers {
            self.outbox.push_back((asker, Message::Stored { ask, event }));
        }
    }

    fn tell(&mut self, first: EventNumber, events: u32, missing: Option<&SourceSet>) {
        // Without a trigger, all is told when it comes.
        if self.is_trigger_there {
            let how = missing.map_or(Ended::Stored, |missing| Ended::Incomplete(missing.clone()));
            self.ends.push(first, events, how);
        }
    }

    /// Grants room to those who wait, in turn; an event that is larger than the buffer gets all of it.
    fn grant(&mut self, now: Time) {
        while !self.is_disk_full
            && let Some(event) = self.waiting.front().copied()
        {
            let Some(entry) = self.entries.get_mut(&event) else {
                self.waiting.pop_front();
                continue;
            };
            if !self.buffer.has_room(entry.bytes) && self.buffer.filled() > 0 {
                return;
            }
            self.waiting.pop_front();
            // An entry that waits has an asker.
            let Some((to, ask)) = entry.askers.first().copied() else { continue };
            let (lease, until) = (self.next_lease, now + self.plan.lifetime);
            self.next_lease += 1;
            entry.stage = Stage::Granted { to, lease, until };
            self.buffer.add(entry.bytes);
            self.expiries.insert((until, event));
            self.counts.granted += 1;
            self.outbox.push_back((to, Message::Granted { ask, lease, lifetime: self.plan.lifetime }));
        }
    }

    /// Takes granted room back; the next who asked for the event is in turn again.
    fn take_back(&mut self, event: EventNumber) {
        let Some(entry) = self.entries.get_mut(&event) else { return };
        let Stage::Granted { to, until, .. } = entry.stage else { return };
        self.expiries.remove(&(until, event));
        self.buffer.sub(entry.bytes);
        entry.askers.retain(|(asker, _)| *asker != to);
        entry.stage = Stage::Waiting;
        if entry.askers.is_empty() {
            self.entries.remove(&event);
        } else {
            self.waiting.push_front(event);
        }
    }

    /// What a peer that is gone asked for, and has not sent, is asked for no longer.
    fn forget(&mut self, now: Time, peer: Peer) {
        let asked =
            self.entries.iter().filter(|(_, entry)| entry.askers.iter().any(|(asker, _)| *asker == peer));
        let asked: Vec<EventNumber> = asked.map(|(event, _)| *event).collect();
        for event in asked {
            let Some(entry) = self.entries.get_mut(&event) else { continue };
            match entry.stage {
                Stage::Granted { to, .. } if to == peer => self.take_back(event),
                Stage::Waiting if entry.askers.len() == 1 => {
                    self.entries.remove(&event);
                    self.waiting.retain(|waiting| *waiting != event);
                }
                _ => entry.askers.retain(|(asker, _)| *asker != peer),
            }
        }
        self.outbox.retain(|(to, _)| *to != peer);
        self.grant(now);
    }

    /// Tells a trigger that came back what is on disk, as far back as it can still matter to it.
    fn poll_retell(&mut self) {
        while !self.ends.is_full()
            && let Some(from) = self.retell
        {
            let Some((first, events, missing)) = self.known.run_from(from) else {
                self.retell = None;
                return;
            };
            self.retell = Some(first.after(events.into()));
            let missing = missing.cloned();
            self.tell(first, events, missing.as_ref());
        }
    }
}

impl<P: Payload + Clone> Role<P> for SinkRole<P> {
    fn handle_message(&mut self, now: Time, from: Peer, message: Message<P>) {
        match (from, message) {
            (Peer::Builder(_) | Peer::Node(_), Message::Ask { ask, event, bytes }) => {
                self.handle_ask(now, from, ask, event, bytes);
            }
            (Peer::Builder(_) | Peer::Node(_), Message::Result { lease, verdicts, built, .. }) => {
                self.handle_result(from, lease, verdicts, built);
                self.grant(now);
            }
            _ => self.counts.nonsense.record(Nonsense::WrongSender),
        }
    }

    fn handle_peer(&mut self, now: Time, peer: Peer, life: Option<Incarnation>) {
        match peer {
            Peer::Trigger => {
                let was_there = std::mem::replace(&mut self.is_trigger_there, life.is_some());
                if !was_there && life.is_some() {
                    // No trigger knows of events before its window.
                    let window = EventAccount::WINDOW_EVENTS as u64;
                    self.retell = self.known.highest().map(|last| EventNumber(last.0.saturating_sub(window)));
                }
            }
            Peer::Builder(_) | Peer::Node(_) if life.is_none() => self.forget(now, peer),
            _ => {}
        }
    }

    fn handle_order(&mut self, _now: Time, order: Order) {
        match order {
            Order::Stop => self.is_stopped = true,
            Order::End => self.is_ended = true,
            Order::Start | Order::Pause | Order::Resume => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        while let Some((_, event)) = self.expiries.first().copied().filter(|(until, _)| *until <= now) {
            self.counts.expired += 1;
            self.take_back(event);
        }
        self.grant(now);
    }

    fn poll_transmit(&mut self, _now: Time) -> Option<(Peer, Message<P>)> {
        self.poll_retell();
        let is_turn_of_ends = self.ends.is_full() || self.outbox.is_empty();
        if is_turn_of_ends && let Some(ends) = self.ends.poll() {
            return Some((Peer::Trigger, Message::Ends(ends)));
        }
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Time> {
        self.expiries.first().map(|(until, _)| *until)
    }

    fn is_done(&self) -> bool {
        let is_idle = self.entries.is_empty() || self.is_ended && self.writing.is_empty();
        let is_told = self.outbox.is_empty() && self.ends.is_empty() && self.retell.is_none();
        (self.is_stopped || self.is_ended) && is_idle && is_told
    }

    fn counts(&self) -> RoleCounts {
        // Lengths are far below 2^64.
        RoleCounts::Sink(Box::new(SinkRoleCounts {
            waiting: self.waiting.len() as u64,
            writing: self.writing.len() as u64,
            buffer_bytes: GaugeCounts::from(&self.buffer),
            is_disk_full: self.is_disk_full,
            ..self.counts.clone()
        }))
    }
}

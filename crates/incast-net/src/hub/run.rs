//! The hub's thread: takes orders, takes datagrams, counts.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use incast_core::flood::FloodReceiver;
use incast_core::record::{Batching, Cpu, RawSide};
use incast_core::sequence::Arrival as Order;
use incast_core::time::Time;
use incast_core::wire::{probe, two_way};

use super::timing::Timing;
use super::{Command, Drops, HubPlan, Inlet, PLAIN_SOURCES_MAX, PlainPlan, Slot, SlotKind};
use crate::faults::{FaultCounters, count};
use crate::live::Live;
use crate::socket::{self, Granted};
use crate::traffic::{DataEvent, ReceivedStream};
use crate::udp::Arrival;
use crate::wait::Wait;

/// Datagrams that an ending stream is given while the socket is never empty: twice as many as the
/// largest buffer asked for by default can hold of one each.
const ENDING_DATAGRAMS_MAX: u64 = 32_768;
/// Datagrams of a full batch, unless fewer were asked for.
const BATCH_DATAGRAMS: u32 = 32;

pub(super) struct Run {
    plan: HubPlan,
    orders: Receiver<Command>,
    /// Orders met in the middle of a batch that could wait.
    postponed: VecDeque<Command>,
    faults: Arc<FaultCounters>,
    /// What the inlet's socket or ring dropped.
    drops: Arc<Drops>,
    granted: Granted,
    streams: HashMap<u64, Slot>,
    /// Plain streams by their source address.
    sources: HashMap<SocketAddr, u64>,
    sources_heard: u64,
    /// Streams that are to end as soon as the socket is empty, and since which batch.
    ending: Vec<(u64, u64)>,
    /// Streams whose total is known.
    draining: Vec<u64>,
    batch: u64,
    /// CPU of the thread that no account has yet, counted from here; while it has served one flow only.
    alone_since: Option<Cpu>,
    /// Streams that the current batch brought something for.
    touched: Vec<u64>,
    /// While somebody probes.
    timing: Option<Timing>,
    /// Sends the answers to two-way messages.
    answers: Option<UdpSocket>,
}

impl Run {
    pub(super) fn new(
        plan: HubPlan,
        orders: Receiver<Command>,
        faults: Arc<FaultCounters>,
        drops: Arc<Drops>,
        granted: Granted,
    ) -> Self {
        Self {
            plan,
            orders,
            postponed: VecDeque::new(),
            faults,
            drops,
            granted,
            streams: HashMap::new(),
            sources: HashMap::new(),
            sources_heard: 0,
            ending: Vec::new(),
            draining: Vec::new(),
            batch: 0,
            alone_since: None,
            touched: Vec::new(),
            timing: None,
            answers: None,
        }
    }

    pub(super) fn run(mut self, inlet: &mut impl Inlet) {
        self.granted.caveats.extend(self.plan.core.and_then(socket::pin_to_core));
        self.granted.caveats.extend(inlet.caveats().iter().cloned());
        self.answers = inlet.answers();
        self.plan.batch.into_iter().for_each(|datagrams| inlet.set_batch(datagrams));
        if self.plan.held {
            self.wait_for_begin();
        }
        while self.handle_commands(inlet) {
            self.batch += 1;
            inlet.set_timed(self.timing.is_some());
            // Without a stream there is nothing to be quick for, and others may need the core.
            let wait = if self.plan.spin && !self.streams.is_empty() { Wait::Poll } else { Wait::Block };
            let (clock, mut now) = (self.plan.clock, None);
            let taken = inlet.receive(wait, |arrival| {
                let now = *now.get_or_insert_with(|| {
                    self.timing.iter_mut().for_each(Timing::handle_batch);
                    clock.now()
                });
                match self.plan.plain.is_some() {
                    false => self.handle_native(now, &arrival),
                    true => self.handle_plain(now, &arrival),
                }
            });
            self.end_batch();
            self.end_streams(taken.as_ref().is_ok_and(|came| inlet.is_emptied_by(*came)), inlet);
            if taken.is_err() {
                // Nothing that a peer does brings us here: the socket itself is gone.
                break;
            }
        }
        let all: Vec<u64> = self.streams.keys().copied().collect();
        all.into_iter().for_each(|stream| self.finish(stream, inlet));
    }

    /// Keeps what is ordered until the hub is to begin, or to end.
    fn wait_for_begin(&mut self) {
        while let Ok(command) = self.orders.recv() {
            let over = matches!(command, Command::Begin | Command::Stop);
            self.postponed.push_back(command);
            if over {
                return;
            }
        }
    }

    /// Carries out what was ordered; false is the end.
    fn handle_commands(&mut self, inlet: &impl Inlet) -> bool {
        while let Some(command) = self.postponed.pop_front().or_else(|| self.orders.try_recv().ok()) {
            match command {
                Command::Begin => {}
                Command::Open { stream, slot } => self.open(stream, *slot),
                Command::Total { stream, messages } => {
                    let now = self.plan.clock.now();
                    if let Some(SlotKind::Receive { receiver, .. }) =
                        self.streams.get_mut(&stream).map(|slot| &mut slot.kind)
                    {
                        receiver.handle_total(now, messages);
                        self.draining.push(stream);
                    }
                }
                // What has arrived already is still taken: it is part of the account.
                Command::End { stream } => self.ending.push((stream, self.batch)),
                Command::Stop => return false,
            }
        }
        if !self.draining.is_empty() {
            let now = self.plan.clock.now();
            let streams = &self.streams;
            let drained = |stream: &u64| match streams.get(stream).map(|slot| &slot.kind) {
                Some(SlotKind::Receive { receiver, .. }) => receiver.is_drained(now),
                _ => true,
            };
            let (over, still): (Vec<u64>, Vec<u64>) =
                self.draining.iter().partition(|stream| drained(stream));
            self.draining = still;
            over.into_iter().for_each(|stream| self.finish(stream, inlet));
        }
        true
    }

    /// Ends the streams that are to end, if the socket is empty or other streams keep it full.
    fn end_streams(&mut self, empty: bool, inlet: &impl Inlet) {
        let batch = self.batch;
        let datagrams = u64::from(self.plan.batch.unwrap_or(BATCH_DATAGRAMS).clamp(1, BATCH_DATAGRAMS));
        let most = ENDING_DATAGRAMS_MAX / datagrams;
        let over = |since: u64| empty || batch.saturating_sub(since) > most;
        let (now, later): (Vec<_>, Vec<_>) = self.ending.drain(..).partition(|(_, since)| over(*since));
        self.ending = later;
        now.into_iter().for_each(|(stream, _)| self.finish(stream, inlet));
    }

    /// Times packets while one of the streams is a probe, and no longer.
    fn time_if_probed(&mut self) {
        let is_probe = |slot: &Slot| matches!(&slot.kind, SlotKind::Receive { probe: Some(_), .. });
        let is_probed = self.streams.values().any(is_probe);
        if is_probed != self.timing.is_some() {
            self.timing = is_probed.then(Timing::start);
        }
    }

    fn open(&mut self, stream: u64, mut slot: Slot) {
        slot.steps_before = self.timing.map_or(0, |timing| timing.steps());
        // It was greeted before it began.
        if let Some(greeter) = self.streams.remove(&stream) {
            slot.greetings += greeter.greetings;
        }
        // CPU belongs to a flow only while the thread serves no other. Plain flows share their channel.
        let is_company = |other: &Slot| self.plan.plain.is_some() || !other.events.same_channel(&slot.events);
        if self.streams.values().any(is_company) {
            self.alone_since = None;
        } else if !self.streams.values().any(|other| matches!(other.kind, SlotKind::Receive { .. })) {
            self.alone_since = (self.plan.thread_cpu)();
        }
        self.streams.insert(stream, slot);
        self.time_if_probed();
    }

    /// Gives the receiver of `stream` back to its flow.
    fn finish(&mut self, stream: u64, inlet: &impl Inlet) {
        let Some(slot) = self.streams.remove(&stream) else { return };
        // A plain source that speaks again after its end is a new stream.
        self.sources.retain(|_, known| *known != stream);
        let SlotKind::Receive { receiver, probe, .. } = slot.kind else { return };
        let wall_clock_steps =
            self.timing.map_or(0, |timing| timing.steps().saturating_sub(slot.steps_before));
        self.time_if_probed();
        // Of several streams of a flow, each has what was spent since the one before ended.
        let spent = self.alone_since.take().zip((self.plan.thread_cpu)());
        self.alone_since = spent.as_ref().map(|(_, now)| now.clone());
        let cpu = spent.map(|(before, after)| after.since(&before));
        let drops = self.drops.read();
        let received = ReceivedStream {
            receiver: *receiver,
            uncounted: slot.uncounted,
            partial_bytes: 0,
            socket_drops: drops.map(|drops| drops.saturating_sub(slot.drops_before)),
            raw: inlet.raw().map(|side| RawSide { greetings: slot.greetings, ..side }),
            cpu,
            buffer: Some(self.granted.buffer.clone()),
            batching: Batching { receive_calls: Some(inlet.receive_calls()), ..Batching::default() },
            caveats: self.granted.caveats.clone(),
            probe: probe.map(|probe| (Box::new(probe.receiver), wall_clock_steps)),
        };
        let _ =
            slot.events.send(DataEvent::Received { stream, index: slot.index, account: Box::new(received) });
    }

    fn handle_native(&mut self, now: Time, arrival: &Arrival<'_>) {
        if arrival.bytes.is_empty() {
            return count(&self.faults.strangers);
        }
        let mut messages = arrival.datagrams().peekable();
        while let Some(message) = messages.peek() {
            let stream = probe::stream_id(message);
            let slot = stream.filter(|stream| self.is_known(*stream, message));
            let Some(slot) = slot.and_then(|stream| self.streams.get_mut(&stream)) else {
                count(&self.faults.strangers);
                messages.next();
                continue;
            };
            let SlotKind::Receive { receiver, message_bytes, probe } = &mut slot.kind else {
                slot.greetings += 1;
                if let Some(from) = arrival.from.origin().filter(|from| slot.greeted_from != Some(*from)) {
                    slot.greeted_from = Some(from);
                    let _ = slot.events.send(DataEvent::Greeted { index: slot.index, from });
                }
                messages.next();
                continue;
            };
            if slot.batch != self.batch {
                slot.batch = self.batch;
                receiver.handle_batch(now);
                self.touched.extend(stream);
            }
            // A probe has one datagram in each buffer, and a stamp for it.
            let mut timed = probe.as_deref_mut().zip(self.timing.map(|timing| timing.arrival_ns(arrival)));
            // All that follow of the same stream, without looking the stream up again.
            while let Some(message) = messages.next_if(|message| probe::stream_id(message) == stream) {
                let counter = probe::counter(message)
                    .filter(|_| message_bytes.contains(&message.len()) && !arrival.truncated);
                if let Some((probe, (arrived_ns, source))) = &mut timed {
                    if let Some(times) = two_way::parse(message) {
                        let (stream, answers) = (stream.unwrap_or_default(), self.answers.as_ref());
                        if !probe.answer(answers, arrival, stream, times, *arrived_ns) {
                            count(&self.faults.strangers);
                        }
                        continue;
                    }
                    if let Some((counter, left_ns)) = counter.zip(probe::departure_ns(message)) {
                        probe.receiver.handle_message(counter, left_ns, *arrived_ns, *source);
                    }
                }
                // One that was on its way when the stream began.
                if probe::is_greeting(message) {
                    slot.greetings += 1;
                    continue;
                }
                match counter.map(|counter| receiver.handle_message(counter)) {
                    None => count(&self.faults.wrong_sizes),
                    Some(Order::Implausible) => count(&self.faults.implausible_counters),
                    Some(_) => slot.counted = true,
                }
            }
        }
    }

    fn handle_plain(&mut self, now: Time, arrival: &Arrival<'_>) {
        let from = arrival.from.decode();
        let known =
            from.and_then(|from| self.sources.get(&from).copied().or_else(|| self.open_source(now, from)));
        let Some((stream, slot)) = known.and_then(|stream| Some((stream, self.streams.get_mut(&stream)?)))
        else {
            count(&self.faults.strangers);
            return;
        };
        let SlotKind::Receive { receiver, message_bytes, .. } = &mut slot.kind else { return };
        if slot.batch != self.batch {
            slot.batch = self.batch;
            receiver.handle_batch(now);
            self.touched.push(stream);
        }
        if arrival.bytes.is_empty() {
            count(&self.faults.wrong_sizes);
        }
        for message in arrival.datagrams() {
            match probe::counter(message)
                .filter(|_| message_bytes.contains(&message.len()) && !arrival.truncated)
            {
                None => count(&self.faults.wrong_sizes),
                Some(counter) => {
                    slot.uncounted += u64::from(receiver.handle_message(counter) == Order::Implausible);
                    slot.counted = true;
                }
            }
        }
    }

    /// A plain source heard for the first time becomes a stream.
    fn open_source(&mut self, now: Time, from: SocketAddr) -> Option<u64> {
        let PlainPlan { message_bytes, interval, events } = self.plan.plain.clone()?;
        if self.sources.len() >= PLAIN_SOURCES_MAX {
            return None;
        }
        let stream = self.sources_heard;
        self.sources_heard += 1;
        let live = Arc::<Live>::default();
        let receiver = Box::new(FloodReceiver::new(now, interval));
        let message_bytes = usize::try_from(message_bytes).ok()?;
        let kind = SlotKind::Receive { receiver, message_bytes: message_bytes..=message_bytes, probe: None };
        let _ = events.send(DataEvent::Heard { stream, from, live: Arc::clone(&live) });
        let drops_before = self.drops.read();
        self.open(stream, Slot::new(kind, 0, events, live, drops_before));
        self.sources.insert(from, stream);
        Some(stream)
    }

    /// Whether `stream` is one of ours, and open for what `message` is: what is no greeting is the first message of
    /// a stream whose order to receive is on its way.
    fn is_known(&mut self, stream: u64, message: &[u8]) -> bool {
        let waits = match self.streams.get(&stream).map(|slot| &slot.kind) {
            Some(SlotKind::Receive { .. }) => false,
            Some(SlotKind::Greeting) => !probe::is_greeting(message),
            None => true,
        };
        !waits || self.take_late_orders(stream)
    }

    /// The order to receive `stream` may have come after we last looked, and before its first
    /// datagram. Everything else waits until the batch is over.
    fn take_late_orders(&mut self, stream: u64) -> bool {
        while let Ok(command) = self.orders.try_recv() {
            match command {
                Command::Open { stream, slot } => self.open(stream, *slot),
                other => self.postponed.push_back(other),
            }
        }
        self.streams.contains_key(&stream)
    }

    fn end_batch(&mut self) {
        for stream in self.touched.drain(..) {
            if let Some(Slot { kind: SlotKind::Receive { receiver, .. }, live, counted, .. }) =
                self.streams.get_mut(&stream)
            {
                // What was not a message of this stream's does not belong to its time either.
                if std::mem::take(counted) {
                    receiver.handle_batch_end();
                }
                live.store_counts(&receiver.counts());
                live.store_heard(self.batch);
            }
        }
    }
}

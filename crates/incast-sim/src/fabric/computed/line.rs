//! One queue and the link behind it, with departures computed on arrival.
//!
//! The ring holds packets in the order of sending: what is on the wire, what is being sent, what waits. It is carried
//! on lazily: what began and left since somebody last looked is worked off before anything else, so the meter
//! hears everything in the order of time. A link with a path, bit errors or a fault has a [`Wire`] for what has
//! left, and gets an entry for the end of every sending: slower, and only for these.

use std::collections::VecDeque;

use incast_core::time::{Span, Time};

use super::super::digest::Chain;
use super::super::meter::Meter;
use super::super::wire::{Told, Wire};
use super::super::{ByteTime, End, FabricPlan, LinkFault, LinkId, LinkSpec, News, Why};
use super::latency_of;
use crate::packet::{NicId, Packet};

/// A queue and the link behind it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// In the order of sending. The first `begun` have begun to be sent.
    ring: VecDeque<Held>,
    begun: usize,
    /// Bytes of the packet that is being sent, if one is.
    sending: Option<u32>,
    /// When the packet that is being sent has left, or the last one left.
    sent: Time,
    /// When the last packet of all will have left.
    free: Time,
    byte_time: ByteTime,
    /// From the last bit sent to the next queue: travel and the latency of the switch there.
    onward: Span,
    queue_bytes: u64,
    arrived: Time,
    arrived_from: u32,
    pub(super) to: End,
    pub(super) chain: Chain,
    pub(super) meter: Meter,
    wire: Option<Box<Wire>>,
    pub(super) name: u64,
    spec: Box<LinkSpec>,
}

/// A packet in the ring.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// While it waits: when it came. From its first bit on: when it is due at the far end.
    at: Time,
    cargo: u64,
    to: NicId,
    bytes: u32,
}

/// What became of a packet that came.
pub(super) enum Offered {
    /// It has left at `leaves`, and is the next that comes out, at `due`.
    First {
        /// Its last bit.
        leaves: Time,
        /// When there is something to do.
        due: Time,
    },
    /// It is in the queue.
    Behind {
        /// Its last bit.
        leaves: Time,
    },
    /// There was no room.
    Dropped,
}

impl Line {
    /// An empty one.
    pub(super) fn new(plan: &FabricPlan, spec: &LinkSpec, name: u64) -> Self {
        let latency = latency_of(plan, spec.to);
        let wire = Wire::is_needed(spec).then(|| Box::new(Wire::new(spec, name, latency)));
        Self {
            ring: VecDeque::new(),
            begun: 0,
            sending: None,
            sent: Time::ZERO,
            free: Time::ZERO,
            byte_time: spec.byte_time,
            onward: Span(spec.travel.0.saturating_add(latency.0)),
            queue_bytes: spec.queue_bytes,
            // No arrival is so late.
            arrived: Time(u64::MAX),
            arrived_from: super::NOWHERE,
            to: spec.to,
            chain: Chain::default(),
            meter: Meter::new(plan.interval),
            wire,
            name,
            spec: Box::new(spec.clone()),
        }
    }

    /// Whether a packet comes in the same picosecond as one from another link: then their order was drawn.
    #[inline]
    pub(super) fn is_tie(&mut self, now: Time, from: u32) -> bool {
        let is_tie = now == self.arrived && from != self.arrived_from;
        self.arrived = now;
        self.arrived_from = from;
        is_tie
    }

    /// A packet comes.
    #[inline]
    pub(super) fn handle_packet(
        &mut self,
        now: Time,
        packet: Packet,
        link: LinkId,
        news: &mut VecDeque<News>,
    ) -> Offered {
        self.carry_on(now, link, news);
        let Packet { to, wire_bytes: bytes, cargo } = packet;
        if self.sending.is_some() {
            if self.meter.waiting_bytes() + u64::from(bytes) > self.queue_bytes {
                self.meter.record_drop(now, bytes, Why::Full);
                self.chain.record_arrival(now, cargo, Some(Why::Full));
                return Offered::Dropped;
            }
            self.chain.record_arrival(now, cargo, None);
            self.meter.record_enter(now, bytes);
            self.ring.push_back(Held { at: now, cargo, to, bytes });
            self.free += self.byte_time.span(u64::from(bytes));
            return Offered::Behind { leaves: self.free };
        }
        self.chain.record_arrival(now, cargo, None);
        self.meter.record_pass(now, bytes);
        self.sending = Some(bytes);
        self.sent = now + self.byte_time.span(u64::from(bytes));
        self.free = self.sent;
        self.ring.push_back(Held { at: self.sent + self.onward, cargo, to, bytes });
        self.begun += 1;
        if let Some(wire) = &mut self.wire {
            wire.handle_start();
            let due = wire.next_timeout().map_or(self.sent, |due| due.min(self.sent));
            return Offered::First { leaves: self.sent, due };
        }
        if self.ring.len() == 1 {
            return Offered::First { leaves: self.sent, due: self.sent + self.onward };
        }
        Offered::Behind { leaves: self.sent }
    }

    /// The packet that comes out at `at`, and when to ask again.
    #[inline]
    pub(super) fn poll_arrived(
        &mut self,
        at: Time,
        link: LinkId,
        news: &mut VecDeque<News>,
    ) -> (Option<Packet>, Option<Time>) {
        self.carry_on(at, link, news);
        if let Some(wire) = &mut self.wire {
            let packet = wire.poll_arrived(at);
            return (packet, self.next_of_wire());
        }
        // The agenda held the time of the first in the ring, which by then has begun to be sent, and left.
        let packet = self.ring.pop_front().map(Held::packet);
        self.begun -= usize::from(packet.is_some());
        (packet, self.ring.front().map(|held| held.at))
    }

    /// A fault begins, or is over. When to ask next.
    pub(super) fn handle_fault(
        &mut self,
        now: Time,
        fault: Option<LinkFault>,
        link: LinkId,
        news: &mut VecDeque<News>,
    ) -> Option<Time> {
        self.carry_on(now, link, news);
        self.need_wire();
        let Self { wire, meter, chain, .. } = self;
        if let Some(wire) = wire {
            wire.handle_fault(now, fault, &mut Told { link, meter, chain, news });
        }
        self.next_of_wire()
    }

    /// A packet that came out of the link at a switch that knows no way for it.
    pub(super) fn record_stray(&mut self, at: Time, packet: Packet, link: LinkId) -> News {
        let why = Why::LinkDown;
        self.meter.record_lost(at, packet.wire_bytes, why);
        self.chain.record_lost(at, packet.cargo, why);
        News::Dropped { packet, link, why }
    }

    /// Bytes in it at `now`, the packet that is being sent included.
    pub(super) fn queued_bytes(&self, now: Time) -> u64 {
        self.meter.queued_bytes() - self.left_by(now).1
    }

    /// Packets whose last bit has left by `now`.
    pub(super) fn forwarded_packets(&self, now: Time) -> u64 {
        self.meter.forwarded_packets() + self.left_by(now).0
    }

    /// Packets and bytes that have left by `now`, of which the meter has not been told.
    fn left_by(&self, now: Time) -> (u64, u64) {
        let Some(bytes) = self.sending.filter(|_| self.sent <= now) else { return (0, 0) };
        let (mut packets, mut left, mut sent) = (1, u64::from(bytes), self.sent);
        for held in self.ring.range(self.begun..) {
            sent += self.byte_time.span(u64::from(held.bytes));
            if sent > now {
                break;
            }
            packets += 1;
            left += u64::from(held.bytes);
        }
        (packets, left)
    }

    /// A copy that was carried on to `now`.
    pub(super) fn until(&self, now: Time) -> Self {
        let mut copy = self.clone();
        copy.carry_on(now, LinkId::default(), &mut VecDeque::new());
        copy
    }

    /// Tells the meter who left and who began since, in the order of time. Most often nobody did, and a call would cost
    /// more than the look.
    #[inline(always)]
    fn carry_on(&mut self, now: Time, link: LinkId, news: &mut VecDeque<News>) {
        while let Some(bytes) = self.sending.filter(|_| self.sent <= now) {
            self.meter.record_leave(self.sent, bytes);
            self.sending = None;
            if self.wire.is_some() {
                self.hand_to_wire(link, news);
            }
            if self.begun < self.ring.len() {
                self.begin_next();
            }
        }
    }

    /// The first bit leaves of the packet that waited longest, as the last of the one before it has left.
    #[inline]
    fn begin_next(&mut self) {
        let held = &mut self.ring[self.begun];
        self.meter.record_start(self.sent, held.bytes, self.sent.since(held.at));
        self.sent += self.byte_time.span(u64::from(held.bytes));
        held.at = self.sent + self.onward;
        self.sending = Some(held.bytes);
        self.begun += 1;
        if let Some(wire) = &mut self.wire {
            wire.handle_start();
        }
    }

    #[cold]
    fn hand_to_wire(&mut self, link: LinkId, news: &mut VecDeque<News>) {
        let Self { wire, meter, chain, .. } = self;
        // On a link with a wire the ring holds what has not left.
        if let (Some(wire), Some(held)) = (wire, self.ring.pop_front()) {
            self.begun -= 1;
            wire.handle_sent(self.sent, held.packet(), &mut Told { link, meter, chain, news });
        }
    }

    /// From now on what has left is in the wire.
    #[cold]
    fn need_wire(&mut self) {
        if self.wire.is_some() {
            return;
        }
        let latency = Span(self.onward.0.saturating_sub(self.spec.travel.0));
        let mut wire = Box::new(Wire::new(&self.spec, self.name, latency));
        let is_sending = usize::from(self.sending.is_some());
        for held in self.ring.drain(..self.begun - is_sending) {
            wire.handle_under_way(held.at, held.packet());
        }
        self.begun = is_sending;
        self.wire = Some(wire);
    }

    /// When the packet that is being sent has left, or one in the air is through.
    #[cold]
    fn next_of_wire(&self) -> Option<Time> {
        let through = self.wire.as_ref().and_then(|wire| wire.next_timeout());
        let sent = self.sending.map(|_| self.sent);
        through.into_iter().chain(sent).min()
    }
}

impl Held {
    const fn packet(self) -> Packet {
        Packet { to: self.to, wire_bytes: self.bytes, cargo: self.cargo }
    }
}

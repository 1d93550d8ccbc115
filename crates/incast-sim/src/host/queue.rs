//! A bounded queue of packets of which the CPU takes a batch at a time.
//!
//! One piece of work stands for the whole batch. Which of its packets have been started, and so no longer take
//! up room, follows from how much of that work is done, and is only worked out when somebody asks: a packet
//! costs no entry in an agenda. Ring and backlog are such queues; they differ in whom they refuse.

use std::collections::VecDeque;

use incast_core::time::{Span, Time};

use super::DropCause;
use super::counts::StageCounts;
use crate::packet::Packet;

/// A packet in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) packet: Packet,
    /// Bytes of the IP packet: what protocol input pays for.
    pub(super) ip_bytes: u32,
    /// Since when.
    since: Time,
}

/// CPU time of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) packet: Span,
    pub(super) byte_ps: u64,
}

impl Cost {
    fn of(self, held: &Held) -> u64 {
        self.packet.0.saturating_add(self.byte_ps.saturating_mul(u64::from(held.ip_bytes)))
    }
}

/// The queue.
#[derive(Clone, Debug)]
pub(super) struct PacketQueue {
    waiting: VecDeque<Held>,
    bytes: u64,
    /// Those at the front that are of the batch.
    of_batch: usize,
    /// Those of the batch that were started.
    started: Vec<Held>,
    /// How much of the batch's work is done when its next packet is started.
    next_start: u64,
    /// All of the batch's work.
    work: u64,
    cost: Cost,
    interval: Option<Span>,
    counts: StageCounts,
}

impl PacketQueue {
    pub(super) fn new(cost: Cost) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            of_batch: 0,
            started: Vec::new(),
            next_start: 0,
            work: 0,
            cost,
            interval: None,
            counts: StageCounts::default(),
        }
    }

    /// Records over time, in slices of `interval`.
    pub(super) fn record_over_time(&mut self, interval: Span) {
        self.interval = (interval > Span::ZERO).then_some(interval);
    }

    /// Packets that wait: those that were started do not.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether more of the batch may have been started than is known.
    pub(super) fn has_unstarted(&self) -> bool {
        self.of_batch > 0
    }

    /// Takes a packet that its owner let in.
    pub(super) fn push(&mut self, now: Time, packet: Packet, ip_bytes: u32) {
        self.waiting.push_back(Held { packet, ip_bytes, since: now });
        self.bytes += u64::from(packet.wire_bytes);
        self.counts.record_in(packet, self.waiting.len(), self.bytes);
        if let Some(interval) = self.interval {
            self.counts.record_over_time(now, interval, self.bytes);
        }
    }

    /// Counts a packet that its owner refused.
    pub(super) fn refuse(&mut self, now: Time, packet: Packet, cause: DropCause) {
        self.counts.record_offered(packet);
        self.counts.record_drop(now, packet, cause);
    }

    /// Throws away what waits, and says how much work that saves. `gone` is told of each packet.
    pub(super) fn purge(&mut self, now: Time, mut gone: impl FnMut(Packet)) -> u64 {
        for held in self.waiting.drain(..) {
            self.counts.record_drop(now, held.packet, DropCause::Purged);
            gone(held.packet);
        }
        self.bytes = 0;
        let saved = if self.of_batch > 0 { self.work - self.next_start } else { 0 };
        self.of_batch = 0;
        self.work -= saved;
        saved
    }

    /// Begins a batch of the first `packets`, after `before` of other work, and says how much work it all is.
    pub(super) fn begin(&mut self, now: Time, packets: usize, before: u64) -> u64 {
        assert!(self.of_batch == 0 && self.started.is_empty(), "one batch at a time");
        self.of_batch = packets.min(self.waiting.len());
        let cost = self.cost;
        let work: u64 = self.waiting.iter().take(self.of_batch).map(|held| cost.of(held)).sum();
        self.work = before + work;
        self.next_start = before;
        self.start(now, 0);
        self.work
    }

    /// Work of the batch, all of it.
    pub(super) fn batch_work(&self) -> u64 {
        self.work
    }

    /// Starts the packets whose turn has come now that so much of the batch's work is done.
    pub(super) fn start(&mut self, now: Time, done: u64) {
        while self.of_batch > 0 && self.next_start <= done {
            let Some(held) = self.waiting.pop_front() else { unreachable!("a batch is of what waits") };
            // Exact unless something held the CPU off since.
            let at = now - Span(done - self.next_start);
            self.counts.record_wait(at.since(held.since), held.packet);
            self.bytes -= u64::from(held.packet.wire_bytes);
            self.next_start += self.cost.of(&held);
            self.of_batch -= 1;
            self.started.push(held);
        }
    }

    /// The batch is done: its packets, in order.
    pub(super) fn finish(&mut self, now: Time) -> std::vec::Drain<'_, Held> {
        self.start(now, self.work);
        for held in &self.started {
            self.counts.record_out(held.packet);
        }
        self.started.drain(..)
    }

    /// What it did.
    pub(super) fn counts(&self) -> StageCounts {
        let started: u64 = self.started.iter().map(|held| u64::from(held.packet.wire_bytes)).sum();
        let mut counts = self.counts.clone();
        counts.held_packets = (self.waiting.len() + self.started.len()) as u64;
        counts.held_bytes = self.bytes + started;
        counts
    }
}

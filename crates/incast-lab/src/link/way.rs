//! One direction of a link: a thread that reads one interface, holds, and sends from the other.
//!
//! It sleeps until the next departure. While frames keep coming it does not wake for each of them:
//! the kernel knows when each came, so it is enough to look now and then.

use std::io;

use incast_core::link::{Departure, Fate, Link, LinkBounds};
use incast_core::record::LinkReport;
use incast_core::stats::LogHistogram;
use incast_core::time::{Span, Time};

use super::clock::{self, Clock};
use super::frame::{Buffers, Frame};
use super::inlet::{Arrival, Inlet};
use super::outlet::Outlet;
use super::watch::LinkWatch;
use super::{LinkPlan, frame_bytes_max};
use crate::sys::packet::FRAMES_MAX;

/// Memory for what is held, each way: 177 000 frames of 1518 bytes (2 s at 1 Gbit/s), 4 000 of 64 KiB.
/// Touched only as far as frames are held.
const HELD_BYTES_MAX: u64 = 256 << 20;

/// Longest sleep: the stop flag is looked at in between, and those who watch learn that it is empty.
const SLEEP_MAX: Span = Span::from_ms(20);

/// Longest time that frames which keep coming wait to be read; a stream of 85 000 packets per second
/// comes in batches of some 40, and the kernel holds a thousand times that.
const READ_LAG_MAX: Span = Span::from_us(500);

/// What is to leave may not wait for reading: the lag is at most this part of the delay.
const READ_LAG_PARTS: u64 = 8;

/// How often the kernel's counters are read: they have 32 bits, which 1 Mpacket/s fills in an hour.
const STATISTICS_EVERY: Span = Span::from_s(60);

/// One direction, ready to run.
#[derive(Debug)]
pub(super) struct Way {
    index: usize,
    name: String,
    inlet: Inlet,
    outlet: Outlet,
    link: Link<Frame>,
    buffers: Buffers,
    clock: Clock,
    watch: LinkWatch,
    read_lag: Span,
    statistics_at: Time,
    leaving: Vec<Frame>,
    dues: Vec<Time>,
    /// Frames longer than any of this cable: read, and dropped.
    oversized: u64,
    refused: u64,
    late_ns: LogHistogram,
}

impl Way {
    /// Listens on interface `from`, to send on `to`.
    pub(super) fn open(
        plan: &LinkPlan,
        index: usize,
        [from, to]: [&str; 2],
        clock: Clock,
        watch: &LinkWatch,
    ) -> io::Result<Self> {
        let bytes = frame_bytes_max(plan.mtu);
        let mut buffers = Buffers::new(bytes);
        // Below 2^64: an MTU has 32 bits.
        let bounds = LinkBounds { packets: HELD_BYTES_MAX / bytes as u64, bytes: HELD_BYTES_MAX };
        let outlet = Outlet::open(to)?;
        let inlet = Inlet::open(from, &mut buffers)?;
        let lag = if plan.path.reorder > 0.0 { Span::ZERO } else { Span(plan.path.delay.0 / READ_LAG_PARTS) };
        Ok(Self {
            index,
            name: plan.ways[index].clone(),
            inlet,
            outlet,
            link: Link::new(plan.path, plan.random(index), bounds),
            buffers,
            clock,
            watch: watch.clone(),
            read_lag: lag.min(READ_LAG_MAX),
            statistics_at: Time::ZERO + STATISTICS_EVERY,
            leaving: Vec::with_capacity(FRAMES_MAX),
            dues: Vec::with_capacity(FRAMES_MAX),
            oversized: 0,
            refused: 0,
            late_ns: LogHistogram::new(),
        })
    }

    /// Works until it is `stopped`, and tells what it did. What is held then stays held.
    pub(super) fn run(mut self, stopped: impl Fn() -> bool) -> io::Result<LinkReport> {
        clock::make_punctual();
        while !stopped() {
            let was_empty = self.link.held_packets() == 0;
            let came = self.read()?;
            let now = self.clock.now();
            self.send_due(now);
            let (read, held) = (self.link.counts().packets + self.oversized, self.link.held_packets());
            self.watch.tell(self.index, read, held, was_empty && came == 0);
            if came < FRAMES_MAX {
                self.wait(came > 0);
            }
            if now >= self.statistics_at {
                self.inlet.statistics()?;
                self.statistics_at = now + STATISTICS_EVERY;
            }
        }
        self.report()
    }

    /// One batch of what has come in.
    fn read(&mut self) -> io::Result<usize> {
        let Self { inlet, link, buffers, clock, oversized, .. } = self;
        inlet.receive(
            buffers,
            || clock.moment(),
            |buffers, Arrival { frame, at }| {
                let Some(frame) = frame else {
                    *oversized += 1;
                    return;
                };
                let bytes = frame.bytes as u64;
                match link.handle_packet(at, frame, bytes, |frame| buffers.copy(frame)) {
                    Fate::Held { .. } => {}
                    Fate::Lost(frame) | Fate::Dropped(frame) => buffers.give_back(frame),
                }
            },
        )
    }

    /// Sends what is due: one batch, and more only while whole batches are.
    fn send_due(&mut self, now: Time) {
        for _ in 0..BATCHES_MAX {
            while self.leaving.len() < FRAMES_MAX {
                let Some(Departure { packet, due }) = self.link.poll_transmit(now) else { break };
                self.leaving.push(packet);
                self.dues.push(due);
            }
            let sent = self.leaving.len();
            if sent == 0 {
                return;
            }
            let before = self.clock.now();
            self.refused += self.outlet.send(&self.leaving);
            let took = self.clock.now().since(before);
            // They left one after the other while the call lasted.
            for (place, due) in (1..).zip(self.dues.drain(..)) {
                let left = before + Span(took.0 / sent as u64 * place);
                self.late_ns.record(left.since(due).as_ns());
            }
            for frame in self.leaving.drain(..) {
                self.buffers.give_back(frame);
            }
            if sent < FRAMES_MAX {
                return;
            }
        }
    }

    /// Sleeps until something is to be done. `busy`: frames have just come, and more are likely.
    fn wait(&self, busy: bool) {
        let now = self.clock.now();
        let next = self.link.next_timeout().unwrap_or(now + SLEEP_MAX).min(now + SLEEP_MAX);
        if next <= now {
            return;
        }
        if busy && self.read_lag > Span::ZERO {
            self.clock.sleep_until(next.min(now + self.read_lag));
        } else {
            self.inlet.wait(next.since(now));
        }
    }

    /// The account: `packets + duplicated = forwarded + lost + dropped + held`.
    fn report(mut self) -> io::Result<LinkReport> {
        let came = self.inlet.statistics()?;
        let counts = self.link.counts();
        // What waits at the interface is on the path as well.
        let unread = came.packets.saturating_sub(came.dropped + counts.packets + self.oversized);
        let late_us = |quantile| self.late_ns.quantile(quantile).map(microseconds);
        Ok(LinkReport {
            way: self.name,
            packets: came.packets,
            forwarded_packets: counts.forwarded - self.refused,
            lost_packets: counts.lost,
            duplicated_packets: counts.copies,
            reordered_packets: counts.overtaking,
            dropped_packets: came.dropped + self.oversized + counts.dropped + self.refused,
            held_packets_max: counts.held_packets_max,
            held_bytes_max: counts.held_bytes_max,
            held_packets: self.link.held_packets() + unread,
            late_us_p50: late_us(0.5),
            late_us_p99: late_us(0.99),
            late_us_max: self.late_ns.max().map(microseconds),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "for printing: 53 bits are enough")]
fn microseconds(ns: u64) -> f64 {
    ns as f64 / 1e3
}

/// Batches sent before the interface is read again: a long queue must not keep the thread from
/// reading, nor reading it from sending.
const BATCHES_MAX: u32 = 4;

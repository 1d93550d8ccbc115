//! One host's receiving side, from the last bit on the wire to protocol input, and the CPU that all of it shares.
//!
//! ```text
//!  wire -> ring -> interrupt ------------> poll -> protocol input      NAPI (Linux from 2.4.20)
//!               -> interrupt -> backlog -> softirq -> protocol input   softnet (Linux 2.4)
//!               -> interrupt -> queue   -> softirq -> protocol input   interrupt-driven (4.2BSD)
//! ```
//! What does not fit into the ring is lost and costs nothing; what is lost later has cost what was done with it
//! until then: that is the whole of receive livelock (J. Mogul, K. Ramakrishnan: "Eliminating Receive Livelock in an
//! Interrupt-driven Kernel", ACM Trans. Comput. Syst. 15(3), 1997, doi:10.1145/263326.263335).
//!
//! Not here: what protocol input does with packets, sockets (but [`SocketBuffer`]), sending. A host has one CPU and
//! one ring, whatever the number of its interfaces. Packets of one batch arrive together when the last of them is
//! worked off: late by at most the work of a poll's weight, and for it a packet costs no entry.

mod backlog;
mod clock;
mod coalesce;
mod counts;
mod cpu;
mod jobs;
mod queue;
mod socket_buffer;
mod softirq;
mod stall;

use std::collections::VecDeque;

use incast_core::scenario::{HostModel, ReceivePath};
use incast_core::time::{Span, Time};

use crate::packet::Packet;
use backlog::{Admission, Gate};
use coalesce::Coalescence;
use cpu::{Class, Cpu};
use jobs::Jobs;
use queue::{Cost, PacketQueue};
use softirq::{Next, Softirq};
use stall::Stalls;

pub use clock::Clock;
pub use counts::{HostCounts, StageCounts};
pub use cpu::CpuTime;
pub use socket_buffer::{SocketBuffer, true_size};

/// What happened in a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNews {
    /// A packet is through: protocol input has it.
    Arrived(Packet),
    /// A packet died.
    Dropped {
        /// The packet.
        packet: Packet,
        /// Where.
        stage: HostStage,
        /// Why.
        why: DropCause,
    },
    /// A piece of work is done.
    JobDone(u64),
}

/// Where in a host a packet dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostStage {
    /// The card's receive ring.
    Ring,
    /// The softnet backlog, or the queue of an interrupt-driven kernel.
    Backlog,
}

impl HostStage {
    /// As the ledger calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "receiver_ring",
            Self::Backlog => "receiver_backlog",
        }
    }
}

/// Why a packet dies in a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropCause {
    /// There was no room.
    Full,
    /// There was room, but the backlog had been full and was not empty yet.
    UntilEmpty,
    /// It waited in a backlog that was thrown away whole.
    Purged,
}

impl DropCause {
    /// As the record calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::UntilEmpty => "until_empty",
            Self::Purged => "purged",
        }
    }
}

/// A host. The same rules of time hold as for [`crate::fabric::Fabric`]: `now` never goes back, and nothing is
/// handed in later than a time that `next_timeout` named and that was not polled.
#[derive(Clone, Debug)]
pub struct Host {
    model: HostModel,
    ring_packets: usize,
    ring: PacketQueue,
    card: Coalescence,
    gate: Gate,
    backlog: PacketQueue,
    softirq: Softirq,
    jobs: Jobs,
    cpu: Cpu,
    interrupts: u64,
    arrived: u64,
    /// Packets between ring and backlog; empty outside of an interrupt's end.
    handled: Vec<queue::Held>,
    news: VecDeque<HostNews>,
    /// When `news` was.
    told: Time,
    /// When something happens next of which nothing is told yet.
    next: Option<Time>,
}

impl Host {
    /// A host at rest. Its stalls are drawn from `seed` and `name` alone.
    #[must_use]
    pub fn new(model: &HostModel, seed: u64, name: &str) -> Self {
        let path = model.receive;
        let input = Cost { packet: model.packet_cost, byte_ps: model.byte_cost_ps };
        let handler = Cost { packet: model.interrupt_packet_cost, byte_ps: 0 };
        let is_polled = path == ReceivePath::Napi;
        let budget = (path != ReceivePath::Interrupt).then_some(model.budget_packets);
        Self {
            model: *model,
            ring_packets: model.ring_packets as usize,
            ring: PacketQueue::new(if is_polled { input } else { handler }),
            card: Coalescence::new(model.coalesce_time, model.coalesce_packets),
            gate: Gate::new(path, model.backlog_packets, model.when_backlog_full),
            backlog: PacketQueue::new(input),
            softirq: Softirq::new(model.weight_packets, budget),
            jobs: Jobs::new(model.read_cost, model.read_every),
            cpu: Cpu::new(model.softirq_share_milli, Stalls::new(model, seed, name)),
            interrupts: 0,
            arrived: 0,
            handled: Vec::new(),
            news: VecDeque::new(),
            told: Time::ZERO,
            next: None,
        }
    }

    /// Records what ring and backlog held over time, in slices of `interval`.
    pub fn record_over_time(&mut self, interval: Span) {
        self.ring.record_over_time(interval);
        self.backlog.record_over_time(interval);
    }

    /// The last bit of a packet came off the wire; `ip_bytes` is its length from the IP header on.
    pub fn handle_packet(&mut self, now: Time, packet: Packet, ip_bytes: u32) {
        if self.model.receive == ReceivePath::Ideal {
            self.arrived += 1;
            self.tell(now, HostNews::Arrived(packet));
            return;
        }
        if !self.ring_has_room(now) {
            self.ring.refuse(now, packet, DropCause::Full);
            self.tell(now, HostNews::Dropped { packet, stage: HostStage::Ring, why: DropCause::Full });
            return;
        }
        self.ring.push(now, packet, ip_bytes);
        if self.card.handle_packet(now) {
            self.cpu.advance(now);
            self.interrupt(now);
            self.refresh();
        } else if let Some(due) = self.card.next_timeout() {
            self.next = sooner(self.next, Some(due));
        }
    }

    /// Whether the ring takes another packet: a card with flow control stops its link while it does not (IEEE
    /// 802.3 annex 31B), and then nothing is dropped here.
    #[must_use]
    pub fn ring_has_room(&mut self, now: Time) -> bool {
        if self.ring.has_unstarted() {
            self.ring.start(now, self.done_at(now, &self.ring, self.ring_class()));
        }
        self.ring.len() < self.ring_packets
    }

    /// A process wants the CPU for `cost`, behind all that wanted it before.
    pub fn handle_job(&mut self, now: Time, job: u64, cost: Span) {
        self.jobs.push(job, cost);
        self.begin_job(now);
    }

    /// The application wants to read a message: at the model's cost, when the model schedules it.
    pub fn handle_read(&mut self, now: Time, job: u64) {
        self.jobs.push_read(now, job);
        self.begin_job(now);
    }

    /// The application sends a message, at the model's cost.
    pub fn handle_send(&mut self, now: Time, job: u64) {
        self.handle_job(now, job, self.model.send_cost);
    }

    /// When something happens next; `None`: nothing, unless something is handed in.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        if self.news.is_empty() { self.next } else { Some(self.told) }
    }

    /// Carries on to `now`, and says the next thing that happened; `None`: nothing more until `next_timeout`.
    pub fn poll(&mut self, now: Time) -> Option<HostNews> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Some(news);
            }
            let at = self.next.filter(|next| *next <= now)?;
            self.step(at);
        }
    }

    /// What it counted until `now`.
    #[must_use]
    pub fn counts(&self, now: Time) -> HostCounts {
        HostCounts {
            ring: self.ring.counts(),
            backlog: self.backlog.counts(),
            arrived_packets: self.arrived,
            interrupts: self.interrupts,
            softirqs: self.softirq.count,
            time_squeeze: self.softirq.time_squeeze,
            overflows: self.gate.overflows,
            stalls: self.cpu.stalls(),
            jobs: self.jobs.done,
            cpu: self.cpu.time(now),
        }
    }

    /// Pieces of work that were handed in and are not done.
    #[must_use]
    pub fn jobs_waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock { offset_ns: self.model.clock_offset_ns, drift_ppb: self.model.clock_drift_ppb }
    }

    fn tell(&mut self, now: Time, news: HostNews) {
        self.told = now;
        self.news.push_back(news);
    }

    fn refresh(&mut self) {
        let next = sooner(self.cpu.next_timeout(), self.card.next_timeout());
        self.next = sooner(next, self.jobs.next_timeout());
    }

    fn step(&mut self, now: Time) {
        self.cpu.advance(now);
        if self.card.next_timeout().is_some_and(|due| due <= now) {
            self.interrupt(now);
        }
        self.jobs.handle_timeout(now);
        self.begin_job(now);
        while let Some(class) = self.cpu.poll_done() {
            match class {
                Class::Interrupt => self.interrupt_done(now),
                Class::Softirq => self.softirq_done(now),
                Class::Process => {
                    if let Some(job) = self.jobs.finish() {
                        self.tell(now, HostNews::JobDone(job));
                    }
                    self.begin_job(now);
                }
            }
        }
        self.refresh();
    }

    /// Who works through the ring.
    fn ring_class(&self) -> Class {
        if self.model.receive == ReceivePath::Napi { Class::Softirq } else { Class::Interrupt }
    }

    /// How much of a queue's batch is done.
    fn done_at(&self, now: Time, queue: &PacketQueue, class: Class) -> u64 {
        queue.batch_work().saturating_sub(self.cpu.left_at(now, class))
    }

    fn begin_job(&mut self, now: Time) {
        if !self.cpu.has(Class::Process)
            && let Some(cost) = self.jobs.begin()
        {
            self.cpu.advance(now);
            self.cpu.add(Class::Process, cost.0);
        }
        self.refresh();
    }

    /// The card interrupts. The CPU is up to date.
    fn interrupt(&mut self, now: Time) {
        self.card.mask();
        self.interrupts += 1;
        let cost = self.model.interrupt_cost.0;
        let work = match self.model.receive {
            // It only asks to be polled.
            ReceivePath::Napi | ReceivePath::Ideal => cost,
            ReceivePath::Softnet => self.ring.begin(now, usize::MAX, cost),
            ReceivePath::Interrupt => self.ring.begin(now, 1, cost),
        };
        self.cpu.add(Class::Interrupt, work);
    }

    fn interrupt_done(&mut self, now: Time) {
        if self.model.receive == ReceivePath::Napi {
            self.softirq.begin(now);
            self.poll_queue(now);
            return;
        }
        let mut handled = std::mem::take(&mut self.handled);
        handled.extend(self.ring.finish(now));
        for held in handled.drain(..) {
            self.offer_to_backlog(now, held);
        }
        self.handled = handled;
        // The end of an interrupt runs softirqs that wait for ksoftirqd (Linux 2.4, `do_IRQ`).
        self.cpu.demote(false);
        if self.ring.is_empty() {
            self.card.unmask();
        } else if self.model.receive == ReceivePath::Softnet {
            // The driver looks once more before it returns.
            let work = self.ring.begin(now, usize::MAX, 0);
            self.cpu.add(Class::Interrupt, work);
        } else {
            self.interrupt(now);
        }
        if !self.softirq.is_active && !self.backlog.is_empty() {
            self.softirq.begin(now);
            self.poll_queue(now);
        }
    }

    fn offer_to_backlog(&mut self, now: Time, held: queue::Held) {
        if self.backlog.has_unstarted() {
            self.backlog.start(now, self.done_at(now, &self.backlog, Class::Softirq));
        }
        let packet = held.packet;
        let why = match self.gate.handle_packet(self.backlog.len()) {
            Admission::Accept => return self.backlog.push(now, packet, held.ip_bytes),
            Admission::Drop(why) => why,
            Admission::Purge => {
                let news = &mut self.news;
                let (stage, why) = (HostStage::Backlog, DropCause::Purged);
                let saved = self.backlog.purge(now, |packet| {
                    news.push_back(HostNews::Dropped { packet, stage, why });
                });
                self.cpu.remove(Class::Softirq, saved);
                DropCause::Full
            }
        };
        self.backlog.refuse(now, packet, why);
        self.tell(now, HostNews::Dropped { packet, stage: HostStage::Backlog, why });
    }

    /// Takes the next batch of what softirqs work through.
    fn poll_queue(&mut self, now: Time) {
        let quota = self.softirq.quota();
        let queue = if self.model.receive == ReceivePath::Napi { &mut self.ring } else { &mut self.backlog };
        let work = queue.begin(now, quota, 0);
        self.cpu.add(Class::Softirq, work);
    }

    fn softirq_done(&mut self, now: Time) {
        let is_polled = self.model.receive == ReceivePath::Napi;
        let queue = if is_polled { &mut self.ring } else { &mut self.backlog };
        let before = self.news.len();
        self.news.extend(queue.finish(now).map(|held| HostNews::Arrived(held.packet)));
        let packets = self.news.len() - before;
        let is_empty = queue.is_empty();
        self.told = now;
        self.arrived += packets as u64;
        match self.softirq.handle_batch(now, packets, is_empty) {
            Next::Poll => self.poll_queue(now),
            Next::Demoted => {
                self.cpu.demote(self.model.receive != ReceivePath::Interrupt);
                self.poll_queue(now);
            }
            Next::Complete => {
                self.cpu.demote(false);
                self.gate.handle_empty();
                if is_polled {
                    self.card.unmask();
                }
            }
        }
    }
}

/// The earlier of two times, if there is one. (An iterator over three of them is a third of a packet's cost.)
fn sooner(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

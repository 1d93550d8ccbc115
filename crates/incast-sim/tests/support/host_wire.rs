//! A wire in front of one host: packets arrive at given times, and what becomes of them is tallied.

use incast_core::scenario::{HostModel, ReceivePath};
use incast_core::time::{Span, Time};
use incast_sim::host::{DropCause, Host, HostCounts, HostNews, HostStage};
use incast_sim::packet::{NicId, Packet};

/// Picoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000_000;

/// A host and what became of its packets.
pub(crate) struct Wire {
    /// The host.
    pub(crate) host: Host,
    /// Time of the last arrival.
    pub(crate) now: Time,
    /// Packets sent into it.
    pub(crate) sent: u64,
    /// Cargo of the packets that arrived, if wanted; else only their number.
    pub(crate) arrived: u64,
    /// Cargo of dropped packets, where and why.
    pub(crate) dropped: Vec<(u64, HostStage, DropCause)>,
    /// Jobs that are done, and when.
    pub(crate) done: Vec<(u64, Time)>,
}

impl Wire {
    /// In front of a host at rest.
    pub(crate) fn new(model: &HostModel) -> Self {
        Self::seeded(model, 1)
    }

    /// The same, its stalls drawn from `seed`.
    pub(crate) fn seeded(model: &HostModel, seed: u64) -> Self {
        let host = Host::new(model, seed, "x");
        Self { host, now: Time::ZERO, sent: 0, arrived: 0, dropped: Vec::new(), done: Vec::new() }
    }

    /// A packet of `wire_bytes` arrives at `at`.
    pub(crate) fn send(&mut self, at: Time, cargo: u64, wire_bytes: u32) {
        self.run_to(at);
        self.host.handle_packet(at, Packet { to: NicId(0), wire_bytes, cargo }, wire_bytes - 38);
        self.sent += 1;
    }

    /// `packets` arrive from now on, `per_second`, exactly spaced.
    pub(crate) fn send_evenly(&mut self, packets: u64, per_second: u64) {
        let start = self.now;
        for index in 1..=packets {
            let passed = u128::from(index) * u128::from(SECOND) / u128::from(per_second);
            self.send(start + Span(u64::try_from(passed).expect("a short run")), self.sent, 1_538);
        }
    }

    /// Whatever happens until `at`, happens.
    pub(crate) fn run_to(&mut self, at: Time) {
        while let Some(due) = self.host.next_timeout().filter(|due| *due <= at) {
            while let Some(news) = self.host.poll(due) {
                self.take(due, news);
            }
        }
        self.now = at;
    }

    /// Until nothing is left to do.
    pub(crate) fn run_dry(&mut self) {
        while let Some(due) = self.host.next_timeout() {
            self.run_to(due);
        }
    }

    fn take(&mut self, at: Time, news: HostNews) {
        match news {
            HostNews::Arrived(_) => self.arrived += 1,
            HostNews::Dropped { packet, stage, why } => self.dropped.push((packet.cargo, stage, why)),
            HostNews::JobDone(job) => self.done.push((job, at)),
        }
    }

    /// What the host counted until now, after holding it against the laws.
    pub(crate) fn counts(&mut self) -> HostCounts {
        self.run_to(self.now);
        let counts = self.host.counts(self.now);
        for (name, stage) in [("ring", &counts.ring), ("backlog", &counts.backlog)] {
            let packets = stage.passed_packets + stage.dropped_packets() + stage.held_packets;
            assert_eq!(stage.offered_packets, packets, "packets of the {name}: {stage:?}");
            let bytes = stage.passed_bytes + stage.dropped_bytes() + stage.held_bytes;
            assert_eq!(stage.offered_bytes, bytes, "bytes of the {name}: {stage:?}");
        }
        assert_eq!(counts.cpu.sum(), self.now.since(Time::ZERO), "the CPU's time: {counts:?}");
        let held = counts.ring.held_packets + counts.backlog.held_packets;
        assert_eq!(self.sent, self.arrived + self.dropped.len() as u64 + held, "packets of the host");
        let died = counts.ring.dropped_packets() + counts.backlog.dropped_packets();
        assert_eq!(
            (self.dropped.len() as u64, self.arrived),
            (died, counts.arrived_packets),
            "news and counts"
        );
        counts
    }
}

/// A host that receives so, at no cost but what the test says.
pub(crate) fn free(receive: ReceivePath) -> HostModel {
    HostModel {
        receive,
        interrupt_cost: Span::ZERO,
        packet_cost: Span::ZERO,
        send_cost: Span::ZERO,
        ..HostModel::default()
    }
}

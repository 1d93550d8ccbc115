//! What a host counts: packets at every stage, interrupts, softirqs, the time of its CPU.
//!
//! At every stage `offered = passed + dropped + held`, in packets and in bytes (law 4).

use incast_core::stats::LogHistogram;
use incast_core::time::{Span, Time};

use super::{CpuTime, DropCause};
use crate::fabric::Died;
use crate::packet::Packet;

/// What one stage did. Bytes are those on the wire, as everywhere in the simulator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageCounts {
    /// Packets that came to it.
    pub offered_packets: u64,
    /// Bytes of these.
    pub offered_bytes: u64,
    /// Packets that it handed on.
    pub passed_packets: u64,
    /// Bytes of these.
    pub passed_bytes: u64,
    /// Packets that died in it, by the reason.
    pub dropped: Vec<(DropCause, Died)>,
    /// Packets in it, those that the CPU is at included.
    pub held_packets: u64,
    /// Bytes of these.
    pub held_bytes: u64,
    /// Most packets that waited at once, those that the CPU was at not counted.
    pub packets_max: u64,
    /// Most bytes, likewise.
    pub bytes_max: u64,
    /// From coming in to being started, nanoseconds; `None`: nothing was started.
    pub wait_ns: Option<Box<LogHistogram>>,
    /// The same, summed exactly, picoseconds.
    pub wait_sum_ps: u128,
    /// Bytes that waited, times the picoseconds that they did, of all that were started: over the time of the
    /// run it is the mean (Little's law).
    pub byte_ps: u128,
    /// Most bytes that waited in each slice, as arriving packets saw it; empty unless
    /// [`super::Host::record_over_time`].
    pub bytes_over_time: Vec<u64>,
}

impl StageCounts {
    /// Packets that died in it.
    #[must_use]
    pub fn dropped_packets(&self) -> u64 {
        self.dropped.iter().map(|(_, died)| died.packets).sum()
    }

    /// Bytes of these.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped.iter().map(|(_, died)| died.bytes).sum()
    }

    pub(super) fn record_offered(&mut self, packet: Packet) {
        self.offered_packets += 1;
        self.offered_bytes += u64::from(packet.wire_bytes);
    }

    pub(super) fn record_in(&mut self, packet: Packet, packets: usize, bytes: u64) {
        self.record_offered(packet);
        self.packets_max = self.packets_max.max(packets as u64);
        self.bytes_max = self.bytes_max.max(bytes);
    }

    pub(super) fn record_out(&mut self, packet: Packet) {
        self.passed_packets += 1;
        self.passed_bytes += u64::from(packet.wire_bytes);
    }

    pub(super) fn record_drop(&mut self, now: Time, packet: Packet, cause: DropCause) {
        let place = self.dropped.iter().position(|(known, _)| *known == cause).unwrap_or_else(|| {
            self.dropped.push((cause, Died { first: now, ..Died::default() }));
            self.dropped.len() - 1
        });
        let died = &mut self.dropped[place].1;
        died.packets += 1;
        died.bytes += u64::from(packet.wire_bytes);
        died.last = now;
    }

    pub(super) fn record_wait(&mut self, wait: Span, packet: Packet) {
        // Most hosts of a large network never make a packet wait in a ring, and need no histogram.
        self.wait_ns.get_or_insert_default().record(wait.as_ns());
        self.wait_sum_ps += u128::from(wait.0);
        self.byte_ps += u128::from(wait.0) * u128::from(packet.wire_bytes);
    }

    pub(super) fn record_over_time(&mut self, now: Time, interval: Span, bytes: u64) {
        let slice = usize::try_from(now.0 / interval.0).unwrap_or(usize::MAX).min(SLICES_MAX - 1);
        if slice >= self.bytes_over_time.len() {
            self.bytes_over_time.resize(slice + 1, 0);
        }
        let most = &mut self.bytes_over_time[slice];
        *most = (*most).max(bytes);
    }
}

/// Slices over time: a day of seconds. What comes later is in the last.
const SLICES_MAX: usize = 86_400;

/// What a host counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostCounts {
    /// The card's receive ring.
    pub ring: StageCounts,
    /// The softnet backlog, or the queue of an interrupt-driven kernel; nothing with NAPI.
    pub backlog: StageCounts,
    /// Packets that protocol input has had.
    pub arrived_packets: u64,
    /// Interrupts of the card.
    pub interrupts: u64,
    /// Softirqs, each a run of `net_rx_action`.
    pub softirqs: u64,
    /// Softirqs that ended for want of budget or time with work left (`/proc/net/softnet_stat`, third column).
    pub time_squeeze: u64,
    /// Times that the backlog became full: each may have dropped many packets, and they are what intervals of
    /// confidence should count. A queue that drops its tail counts every packet.
    pub overflows: u64,
    /// Stalls of the CPU that have begun.
    pub stalls: u64,
    /// Pieces of work of processes that are done.
    pub jobs: u64,
    /// What the CPU did.
    pub cpu: CpuTime,
}

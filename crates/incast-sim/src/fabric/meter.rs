//! Counts what one queue does: occupancy over time, waits, drops, and the integral of the bytes that wait.
//!
//! Told the steps of its queue in the order of time, and within one moment departures before arrivals. Between
//! two steps nothing changes, so the integral is a product per step, and needs no entry of its own. Memory
//! is allocated only when a slice of time begins. It decides nothing.
//!
//! ```text
//!  record_enter --- waits ---> record_start --- is sent ---> record_leave ---> record_lost, record_copy
//!  record_pass  --------------------------- (both at once)
//!  record_drop  (never got in)
//! ```

use incast_core::stats::LogHistogram;
use incast_core::time::{Span, Time};

use super::{Died, QueueCounts, Why};

/// The account of one queue.
#[derive(Clone, Debug)]
pub struct Meter {
    waiting_bytes: u64,
    waiting_packets: u64,
    /// Up to when `byte_ps` was summed.
    changed: Time,
    byte_ps: u128,
    bytes_max: u64,
    packets_max: u64,
    offered_packets: u64,
    offered_bytes: u64,
    forwarded_packets: u64,
    forwarded_bytes: u64,
    sending_packets: u64,
    sending_bytes: u64,
    sending_since: Time,
    busy_ps: u64,
    wait_sum_ps: u128,
    /// Of those that did wait; the others are in `passed_packets`.
    wait_ns: LogHistogram,
    passed_packets: u64,
    interval: Span,
    slice_end: Time,
    slice_bytes_max: u64,
    slices: Vec<u64>,
    dropped: [Died; Why::COUNT],
    lost: [Died; Why::COUNT],
    copied_packets: u64,
}

/// Slices that are kept for a queue: half a MiB. The last one lasts for the rest of the run, however long; that there
/// are so many says it.
pub const SLICES_MAX: usize = 65_536;

impl Meter {
    /// Of an empty queue. `interval` is the length of a slice; zero: one slice for all.
    #[must_use]
    pub fn new(interval: Span) -> Self {
        let interval = if interval == Span::ZERO { Span(u64::MAX) } else { interval };
        Self {
            waiting_bytes: 0,
            waiting_packets: 0,
            changed: Time::ZERO,
            byte_ps: 0,
            bytes_max: 0,
            packets_max: 0,
            offered_packets: 0,
            offered_bytes: 0,
            forwarded_packets: 0,
            forwarded_bytes: 0,
            sending_packets: 0,
            sending_bytes: 0,
            sending_since: Time::ZERO,
            busy_ps: 0,
            wait_sum_ps: 0,
            wait_ns: LogHistogram::new(),
            passed_packets: 0,
            interval,
            slice_end: Time::ZERO + interval,
            slice_bytes_max: 0,
            slices: Vec::new(),
            dropped: [Died::default(); Why::COUNT],
            lost: [Died::default(); Why::COUNT],
            copied_packets: 0,
        }
    }

    /// Bytes that wait, the packet that is being sent not counted.
    #[inline]
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// Packets that wait, likewise.
    #[inline]
    #[must_use]
    pub fn waiting_packets(&self) -> u64 {
        self.waiting_packets
    }

    /// Bytes in the queue, the packet that is being sent included.
    #[inline]
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.waiting_bytes + self.sending_bytes
    }

    /// A packet came, and has to wait.
    #[inline]
    pub fn record_enter(&mut self, now: Time, bytes: u32) {
        self.integrate(now);
        if now >= self.slice_end {
            self.close_slices(now);
        }
        self.offered_packets += 1;
        self.offered_bytes += u64::from(bytes);
        self.waiting_packets += 1;
        self.waiting_bytes += u64::from(bytes);
        self.bytes_max = self.bytes_max.max(self.waiting_bytes);
        self.packets_max = self.packets_max.max(self.waiting_packets);
        self.slice_bytes_max = self.slice_bytes_max.max(self.waiting_bytes);
    }

    /// A packet came, and its first bit leaves at once.
    #[inline]
    pub fn record_pass(&mut self, now: Time, bytes: u32) {
        self.offered_packets += 1;
        self.offered_bytes += u64::from(bytes);
        self.passed_packets += 1;
        self.send(now, bytes);
    }

    /// The first bit leaves of a packet that has waited for `wait`.
    #[inline]
    pub fn record_start(&mut self, now: Time, bytes: u32, wait: Span) {
        self.integrate(now);
        // At the very end of a slice it is gone before the next one begins.
        if now > self.slice_end {
            self.close_slices(now);
        }
        debug_assert!(self.waiting_packets > 0 && self.waiting_bytes >= u64::from(bytes), "it waited");
        self.waiting_packets -= 1;
        self.waiting_bytes -= u64::from(bytes);
        self.wait_ns.record(wait.as_ns());
        self.wait_sum_ps += u128::from(wait.0);
        self.send(now, bytes);
    }

    /// The last bit has left of the packet that was being sent.
    #[inline]
    pub fn record_leave(&mut self, now: Time, bytes: u32) {
        debug_assert_eq!(self.sending_bytes, u64::from(bytes), "it was being sent");
        self.busy_ps += now.since(self.sending_since).0;
        self.forwarded_packets += 1;
        self.forwarded_bytes += u64::from(bytes);
        self.sending_packets = 0;
        self.sending_bytes = 0;
    }

    /// A packet came, and found no room.
    #[inline]
    pub fn record_drop(&mut self, now: Time, bytes: u32, why: Why) {
        self.offered_packets += 1;
        self.offered_bytes += u64::from(bytes);
        self.dropped[why.index()].record(now, bytes);
    }

    /// A packet that had left died on the link behind.
    pub fn record_lost(&mut self, now: Time, bytes: u32, why: Why) {
        self.lost[why.index()].record(now, bytes);
    }

    /// A packet became two on the link behind.
    pub fn record_copy(&mut self) {
        self.copied_packets += 1;
    }

    /// Packets whose last bit has left.
    #[must_use]
    pub fn forwarded_packets(&self) -> u64 {
        self.forwarded_packets
    }

    /// All of it, until `now`, which no step may be later than.
    ///
    /// # Panics
    ///
    /// If the account is not closed: our mistake.
    #[must_use]
    pub fn counts(&self, now: Time) -> QueueCounts {
        let mut until = self.clone();
        until.integrate(now);
        until.close_slices(now);
        until.keep_slice(until.slice_bytes_max, 1);
        until.wait_ns.record_many(0, until.passed_packets);
        let counts = QueueCounts {
            offered_packets: until.offered_packets,
            offered_bytes: until.offered_bytes,
            forwarded_packets: until.forwarded_packets,
            forwarded_bytes: until.forwarded_bytes,
            dropped: by_reason(&until.dropped),
            queued_packets: until.waiting_packets + until.sending_packets,
            queued_bytes: until.queued_bytes(),
            lost: by_reason(&until.lost),
            copied_packets: until.copied_packets,
            bytes_max: until.bytes_max,
            packets_max: until.packets_max,
            byte_ps: until.byte_ps,
            busy_ps: until.busy_ps + until.sending_packets * now.since(until.sending_since).0,
            wait_ns: until.wait_ns,
            wait_sum_ps: until.wait_sum_ps,
            bytes_over_time: until.slices,
        };
        check_laws(&counts);
        counts
    }

    #[inline]
    fn send(&mut self, now: Time, bytes: u32) {
        debug_assert_eq!(self.sending_packets, 0, "one after the other");
        self.sending_packets = 1;
        self.sending_bytes = u64::from(bytes);
        self.sending_since = now;
    }

    #[inline]
    fn integrate(&mut self, now: Time) {
        debug_assert!(now >= self.changed, "in the order of time");
        self.byte_ps += u128::from(self.waiting_bytes) * u128::from(now.since(self.changed).0);
        self.changed = now;
    }

    /// Ends the slice that was going on, and all between it and that of `now`, in which nothing changed.
    #[cold]
    fn close_slices(&mut self, now: Time) {
        if now < self.slice_end {
            return;
        }
        self.keep_slice(self.slice_bytes_max, 1);
        let between = now.since(self.slice_end).0 / self.interval.0;
        self.keep_slice(self.waiting_bytes, between);
        self.slice_end = self.slice_end + Span(between.saturating_mul(self.interval.0)) + self.interval;
        self.slice_bytes_max = self.waiting_bytes;
    }

    /// Keeps so many slices of the same maximum; what finds no room goes into the last.
    fn keep_slice(&mut self, bytes_max: u64, slices: u64) {
        let room = SLICES_MAX - self.slices.len();
        let kept = usize::try_from(slices).unwrap_or(usize::MAX).min(room);
        self.slices.extend(std::iter::repeat_n(bytes_max, kept));
        if slices > kept as u64
            && let Some(last) = self.slices.last_mut()
        {
            *last = (*last).max(bytes_max);
        }
    }
}

impl Why {
    /// How many reasons there are.
    const COUNT: usize = 6;

    /// Its place among them.
    const fn index(self) -> usize {
        match self {
            Self::Full => 0,
            Self::Memory => 1,
            Self::Loss => 2,
            Self::BitError => 3,
            Self::LinkDown => 4,
            Self::Fault => 5,
        }
    }

    /// All, in their order.
    const ALL: [Self; Self::COUNT] =
        [Self::Full, Self::Memory, Self::Loss, Self::BitError, Self::LinkDown, Self::Fault];
}

impl Died {
    /// One more packet.
    #[inline]
    pub fn record(&mut self, now: Time, bytes: u32) {
        if self.packets == 0 {
            self.first = now;
        }
        self.packets += 1;
        self.bytes += u64::from(bytes);
        self.last = now;
    }
}

/// Those that there were, in the order of the reasons.
fn by_reason(died: &[Died; Why::COUNT]) -> Vec<(Why, Died)> {
    Why::ALL.iter().zip(died).filter(|(_, died)| died.packets > 0).map(|(why, died)| (*why, *died)).collect()
}

/// `offered = forwarded + dropped + queued`, in packets and in bytes.
fn check_laws(counts: &QueueCounts) {
    let (packets, bytes) = counts
        .dropped
        .iter()
        .fold((0, 0), |(packets, bytes), (_, died)| (packets + died.packets, bytes + died.bytes));
    assert_eq!(counts.offered_packets, counts.forwarded_packets + packets + counts.queued_packets, "packets");
    assert_eq!(counts.offered_bytes, counts.forwarded_bytes + bytes + counts.queued_bytes, "bytes");
}

#[cfg(test)]
mod tests;

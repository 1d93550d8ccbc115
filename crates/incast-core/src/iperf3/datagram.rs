//! The head of iperf3's UDP datagrams, and the hello of each stream.
//!
//! ```text
//!  0       4              8          12         16
//!  | s u32 | us u32       | counter u32 | payload ...        by default
//!  | s u32 | us u32       | counter u64            | payload  with udp_counters_64bit
//! ```
//! All big endian (iperf 3.12 `iperf_udp.c`). The time is the sender's monotonic clock: only
//! differences of it mean anything. Counters run from 1 in each stream.

use crate::time::{Span, Time};

/// What a client sends first on each UDP socket.
pub const HELLO: [u8; 4] = *b"9876";
/// What the server answers.
pub const REPLY: [u8; 4] = *b"6789";
/// What older servers may answer.
pub const REPLY_OLD: [u8; 4] = [0xb1, 0x68, 0xde, 0x3a];
/// Smallest datagram that holds time and a 64-bit counter; also iperf3's own least.
pub const DATAGRAM_BYTES_MIN: u32 = 16;

/// Whether counters have 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// 32 bits: it wraps after 2^32 datagrams.
    #[default]
    Narrow,
    /// 64 bits.
    Wide,
}

/// The counter of a datagram; `None` if it is too short to have one.
#[inline]
#[must_use]
pub fn counter(datagram: &[u8], width: Width) -> Option<u64> {
    let counter = datagram.get(8..)?;
    match width {
        Width::Narrow => counter.first_chunk().map(|bytes| u32::from_be_bytes(*bytes).into()),
        Width::Wide => counter.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
    }
}

/// When a datagram left, by its sender's clock; `None` if it is too short to say.
#[inline]
#[must_use]
pub fn departure(datagram: &[u8]) -> Option<Span> {
    let seconds = u32::from_be_bytes(*datagram.first_chunk()?);
    let microseconds = u32::from_be_bytes(*datagram.get(4..)?.first_chunk()?);
    Some(Span::from_us(u64::from(seconds).saturating_mul(1_000_000).saturating_add(microseconds.into())))
}

/// Writes the head of `datagram`, which must hold at least 16 bytes.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a counter of 32 bits wraps, as iperf3's does")]
pub fn emit(datagram: &mut [u8], now: Time, counter: u64, width: Width) {
    let us = now.as_ns() / 1_000;
    datagram[..4].copy_from_slice(&u32::try_from(us / 1_000_000).unwrap_or(u32::MAX).to_be_bytes());
    datagram[4..8].copy_from_slice(&u32::try_from(us % 1_000_000).unwrap_or(0).to_be_bytes());
    match width {
        Width::Narrow => datagram[8..12].copy_from_slice(&(counter as u32).to_be_bytes()),
        Width::Wide => datagram[8..16].copy_from_slice(&counter.to_be_bytes()),
    }
}

/// Counters of 32 bits made whole again: the value nearest to the highest one so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrap {
    highest: u64,
}

impl Unwrap {
    /// The counter in full; one that is as far ahead as behind counts as ahead.
    #[inline]
    pub fn counter(&mut self, narrow: u64) -> u64 {
        const TURN: u64 = 1 << 32;
        let base = self.highest & !(TURN - 1);
        let here = base + (narrow & (TURN - 1));
        let full = if here + TURN / 2 < self.highest {
            here + TURN
        } else if here > self.highest + TURN / 2 && here >= TURN {
            here - TURN
        } else {
            here
        };
        self.highest = self.highest.max(full);
        full
    }
}

/// Jitter as iperf3 and RFC 1889 §6.3.1 smooth it, over the heads of batches.
///
/// One clock reading serves a whole batch, so only the first datagram of each has an arrival time
/// of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    transit_ns: Option<i64>,
    sixteenths_ns: u64,
}

impl Jitter {
    /// A datagram that left at `departure` opened a batch at `now`.
    #[inline]
    pub fn handle_batch(&mut self, now: Time, departure: Span) {
        // Both clocks are monotonic and far below 2^63 ns; a peer that lies makes its own jitter.
        let ns = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let transit = ns(now.as_ns()).saturating_sub(ns(departure.as_ns()));
        if let Some(before) = self.transit_ns.replace(transit) {
            let change = transit.saturating_sub(before).unsigned_abs();
            let smooth = self.sixteenths_ns - self.sixteenths_ns / 16;
            self.sixteenths_ns = smooth.saturating_add(change);
        }
    }

    /// The smoothed value.
    #[must_use]
    pub fn ns(&self) -> u64 {
        self.sixteenths_ns / 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_reads_back_in_both_widths() {
        let mut datagram = [0xaa; 20];
        let now = Time::from_ns(7_000_042_999);
        emit(&mut datagram, now, 0x1_0203_0405, Width::Narrow);
        assert_eq!(datagram[..13], [0, 0, 0, 7, 0, 0, 0, 42, 2, 3, 4, 5, 0xaa]);
        assert_eq!(counter(&datagram, Width::Narrow), Some(0x0203_0405));
        emit(&mut datagram, now, 0x1_0203_0405, Width::Wide);
        assert_eq!(counter(&datagram, Width::Wide), Some(0x1_0203_0405));
        assert_eq!(departure(&datagram), Some(Span::from_us(7_000_042)));
        assert_eq!((counter(&datagram[..11], Width::Narrow), departure(&datagram[..7])), (None, None));
    }

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut unwrap = Unwrap { highest: 0xffff_fffe };
        assert_eq!(unwrap.counter(0xffff_ffff), 0xffff_ffff);
        assert_eq!(unwrap.counter(1), 0x1_0000_0001);
        assert_eq!(unwrap.counter(0xffff_fff0), 0xffff_fff0, "a late one belongs to the turn before");
        assert_eq!(unwrap.counter(2), 0x1_0000_0002);
        assert_eq!(Unwrap::default().counter(0xffff_ffff), 0xffff_ffff, "nothing is before the first turn");
    }

    #[test]
    fn a_steady_stream_has_no_jitter_and_a_late_batch_has() {
        let mut jitter = Jitter::default();
        for n in 0..10 {
            jitter.handle_batch(Time::from_ns(5_000 + n * 1_000_000), Span::from_ms(n));
        }
        assert_eq!(jitter.ns(), 0);
        jitter.handle_batch(Time::from_ns(5_000 + 11_600_000), Span::from_ms(10));
        assert_eq!(jitter.ns(), 100_000, "1.6 ms later than expected, a sixteenth of it");
    }
}

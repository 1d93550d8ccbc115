//! PAUSE: what a switch keeps free so that nothing is lost while its partner stops.
//!
//! IEEE 802.3 annex 31B. A switch that pauses keeps what came in by a port in the memory of that port, whatever
//! port it leaves by, until it begins to be sent. That memory is the `queue_bytes` of the port's outgoing link: when
//! more than the high mark is in it the switch sends a PAUSE frame to the port's partner, host or switch, and when no
//! more than the low mark is left, one that lets it go on. So no port can fill the memory of another, and one rule
//! holds for any number of ports (a bound for each outgoing queue would need the headroom of all its senders
//! together). The price is the head of the line: who sends to a full port waits with all that he has.
//!
//! ```text
//!  memory of the port = low mark | low mark | headroom
//!                                ^ high mark
//! ```
//! Headroom as computed for 802.3x and 802.1Qbb (Linux `drivers/net/ethernet/intel/ixgbe/ixgbe_type.h`, `IXGBE_DV`;
//! the tables for Cisco's Nexus), all in bytes that the partner sends meanwhile:
//! the frame that passes the mark; the switch's own latency; its own frame that has just begun and that the
//! PAUSE frame cannot interrupt; the PAUSE frame; the cable, there and back; the partner's reaction; the
//! partner's frame that has just begun.
//!
//! A pause ends after the longest time that a frame can ask for (65535 quanta, 33 ms at 1 Gb/s), and is asked for again
//! halfway. Switches that wait for each other in a ring would do so for ever; trees, whose hosts take everything,
//! have no such ring. Still there is a guard, as switches have one ("PFC watchdog"): who could let nothing go
//! for [`WATCHDOG`] asks no more, and drops.

use incast_core::time::Span;

use crate::fabric::ByteTime;

/// A PAUSE frame on the wire: 64 B, preamble and gap (672 bit times).
pub(super) const PAUSE_FRAME_BYTES: u64 = 84;

/// The largest frame that headroom is kept for until a larger one is sent: 1518 B, preamble and gap.
pub const LARGEST_FRAME_BYTES: u32 = 1_538;

/// Bytes in a quantum, 512 bit times.
const QUANTUM_BYTES: u64 = 64;

/// Most quanta that one PAUSE frame can ask for: its field has 16 bits.
const LONGEST_PAUSE_QUANTA: u64 = 65_535;

/// How long a switch keeps its partner waiting without letting a single packet go (SONiC, `pfcwd`: detection time).
pub(super) const WATCHDOG: Span = Span::from_ms(200);

/// A way into a switch, as far as its headroom goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PausedWay {
    /// Of the link by which packets come in.
    pub byte_time: ByteTime,
    /// Of the link back, on which the PAUSE frame goes.
    pub back_byte_time: ByteTime,
    /// Along the cable, both ways together.
    pub travel: Span,
    /// The switch's own latency.
    pub latency: Span,
    /// The largest frame of the network on the wire, bytes.
    pub frame_bytes: u32,
}

/// Bytes that can still come in once the high mark is passed.
#[must_use]
pub fn headroom(way: PausedWay) -> u64 {
    let frame = u64::from(way.frame_bytes);
    let stopping = way.latency
        + way.back_byte_time.span(frame)
        + way.back_byte_time.span(PAUSE_FRAME_BYTES)
        + way.travel
        + reaction(way.byte_time);
    frame + bytes_in(way.byte_time, stopping) + frame
}

/// How long after it has heard a PAUSE frame a partner may still begin frames.
#[must_use]
pub fn reaction(byte_time: ByteTime) -> Span {
    byte_time.span(reaction_quanta(byte_time) * QUANTUM_BYTES)
}

/// The longest time that a PAUSE frame can ask for.
pub(super) fn longest(byte_time: ByteTime) -> Span {
    byte_time.span(LONGEST_PAUSE_QUANTA * QUANTUM_BYTES)
}

/// Annex 31B.3.7, by rate: 100 Mb/s, 1, 10, 25, 40, 100 and 400 Gb/s; rates between count as the next faster one.
fn reaction_quanta(byte_time: ByteTime) -> u64 {
    const BY_BYTE_PS: [(u64, u64); 6] =
        [(80_000, 1), (8_000, 2), (800, 60), (320, 80), (200, 118), (80, 394)];
    let byte = byte_time.span(1);
    BY_BYTE_PS.iter().find(|(ps, _)| byte >= Span(*ps)).map_or(905, |(_, quanta)| *quanta)
}

/// Bytes that a link sends in a time, rounded up; none if they take no time: such a link is never too late.
fn bytes_in(byte_time: ByteTime, span: Span) -> u64 {
    // A thousand bytes at a time: a byte of a fast link is not a whole number of picoseconds.
    let thousand = byte_time.span(1_000).0;
    if thousand == 0 {
        0
    } else {
        (u128::from(span.0) * 1_000).div_ceil(u128::from(thousand)).try_into().unwrap_or(u64::MAX)
    }
}

/// Where a port begins to pause its partner, and where it lets it go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// More bytes than this: stop.
    pub(super) high: u64,
    /// No more than this: go on.
    pub(super) low: u64,
}

impl Marks {
    /// Of a memory; without enough of it for the headroom everything that waits is too much.
    pub(super) fn of(memory: u64, way: PausedWay) -> Self {
        let high = memory.saturating_sub(headroom(way));
        Self { high, low: high / 2 }
    }
}

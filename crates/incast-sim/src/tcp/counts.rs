//! What a connection did, in numbers for the record.

use incast_core::time::Span;

/// What a sender did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderCounts {
    /// Segments sent, in units of the full segment: a merged one counts as what it is made of.
    pub segments: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Of the segments, those sent again.
    pub retransmits: u64,
    /// Bytes of these.
    pub retransmitted_bytes: u64,
    /// Retransmission timeouts.
    pub timeouts: u64,
    /// Fast recoveries.
    pub fast_retransmits: u64,
    /// Tail loss probes (RFC 8985 section 7).
    pub tail_probes: u64,
    /// Probes of a closed window.
    pub window_probes: u64,
    /// Restarts after silence (RFC 2861).
    pub idle_restarts: u64,
    /// Segments that the own interface had no room for.
    pub local_drops: u64,
    /// Acknowledgements that came.
    pub acks: u64,
    /// Of these, duplicates: nothing new, and data under way.
    pub duplicate_acks: u64,
    /// Of these, some that acknowledge what was never sent: ignored.
    pub nonsense_acks: u64,
    /// Congestion window, bytes.
    pub cwnd_bytes: Seen,
    /// Slow start threshold, bytes, once there is one.
    pub ssthresh_bytes: Seen,
    /// Smoothed round trip time, picoseconds, once it was measured.
    pub srtt_ps: Seen,
    /// Timeout as it is now, backed off.
    pub rto: Span,
}

/// A value now, and its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The latest; 0 before the first.
    pub now: u64,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Seen {
    pub(super) fn record(&mut self, value: u64) {
        let is_first = *self == Self::default();
        self.now = value;
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = self.max.max(value);
    }
}

/// What a receiver did. `bytes = delivered + duplicate + beyond the window + out of order`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// Segments that came.
    pub segments: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Segments of which nothing was new.
    pub duplicates: u64,
    /// Bytes that had come before.
    pub duplicate_bytes: u64,
    /// Segments that left a hole before them.
    pub out_of_order: u64,
    /// Bytes that no window allowed: thrown away.
    pub beyond_window_bytes: u64,
    /// Probes of a closed window.
    pub window_probes: u64,
    /// Acknowledgements sent.
    pub acks: u64,
    /// Of these, those that the timer sent.
    pub delayed_acks: u64,
    /// Of these, those that only opened the window.
    pub window_updates: u64,
}

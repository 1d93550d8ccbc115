//! What a probe found: its points, and the clocks by which delays were told.

use serde::{Deserialize, Serialize};

use super::{DepartureError, LossRuns, Reordering};

plain_data! {
    /// A probe: paced messages at many sizes and gaps.
    pub struct Probe {
        /// Name of the flow that was probed.
        pub flow: String,
        /// Messages at the start of each point that are in none of its numbers.
        pub warm_up_messages: u64,
        /// How often each point was played.
        pub repetitions: u32,
        /// What told the time of arrivals: `nic`, `kernel`, `reader`, or `mixed`; null when nothing arrived.
        pub stamps: Option<String>,
        /// How the clocks of the two ends compare.
        pub clocks: ProbeClocks,
        /// Every point, in the order in which they were played.
        pub points: Vec<ProbePoint>,
        /// The point, counted from 0, of which the record's flows, totals and ledger are; null when none was played.
        pub shown_point: Option<u32>,
    }

    /// The receiver's clock against the sender's.
    pub struct ProbeClocks {
        /// `shared` (both ends read the same clock), `estimated` (from two-way exchanges) or `unknown`.
        pub relation: String,
        /// Receiver's clock minus sender's at the end, in nanoseconds; each counts from its own start of time.
        pub offset_ns: Option<i64>,
        /// The offset is within so many nanoseconds of that; about half of the smallest round trip.
        pub error_ns: Option<u64>,
        /// How much faster the receiver's clock runs, in parts of 10^9.
        pub drift_ppb: Option<i64>,
        /// The drift is within so many parts of 10^9 of that.
        pub drift_error_ppb: Option<u64>,
        /// Two-way exchanges sent, and those that came back.
        pub requests: u64,
        /// Of these, answered.
        pub answers: u64,
        /// Smallest round trip in nanoseconds, without the time at the receiver.
        pub round_trip_ns_min: Option<u64>,
        /// How often a clock was stepped while the probe lasted.
        pub steps: u64,
        /// Answers with stamps that no honest clocks can have given.
        pub refused: u64,
    }

    /// One point: messages of one size with one gap.
    pub struct ProbePoint {
        /// Size of every message in bytes.
        pub message_bytes: u32,
        /// Intended time between two departures in nanoseconds; null: as fast as they can leave.
        pub gap_ns: Option<f64>,
        /// Which repetition, from 1.
        pub repetition: u32,
        /// Intended load, payload bits per second; null without a gap.
        pub intended_load_bits_per_s: Option<f64>,
        /// What really left, payload bits per second, by the sender's clock, warm-up included.
        pub offered_load_bits_per_s: Option<f64>,
        /// Payload received once, bits per second, by the receiver's clock.
        pub received_bits_per_s: Option<f64>,
        /// Messages received once, per second.
        pub received_messages_per_s: Option<f64>,
        /// Messages sent after the warm-up.
        pub sent: Option<u64>,
        /// Of these, received.
        pub unique: u64,
        /// Received again.
        pub duplicate: u64,
        /// Received after a later one (RFC 4737).
        pub reordered: u64,
        /// Never received.
        pub lost: u64,
        /// Lost over sent.
        pub lost_fraction: Option<f64>,
        /// Lengths of runs of consecutive lost messages.
        pub loss_runs: LossRuns,
        /// Reordering after RFC 4737.
        pub reordering: Reordering,
        /// How late messages left, against the intended departure: the pacing of the sender itself.
        pub departure_error: Option<DepartureError>,
        /// One-way delay (RFC 7679); null when the clocks could not be compared.
        pub delay: Option<NanosecondDistribution>,
        /// Each delay is within so many nanoseconds of what is said, as far as clocks go; null as `delay`.
        pub delay_error_ns: Option<u64>,
        /// PDV: one-way delay above the smallest (RFC 5481 §4.2), which needs no comparison of clocks.
        pub delay_above_min: Option<NanosecondDistribution>,
        /// IPDV: delay minus that of the message sent before it (RFC 3393, RFC 5481 §4.1).
        pub delay_variation: Option<NanosecondDistribution>,
        /// Time between two arrivals that follow one another.
        pub inter_arrival: Option<NanosecondDistribution>,
        /// Arrivals by what told their time.
        pub stamped: ProbeStamps,
        /// What the sending end cost.
        pub sender: ProbeEnd,
        /// What the receiving end cost.
        pub receiver: ProbeEnd,
    }

    /// Arrivals by what told their time.
    pub struct ProbeStamps {
        /// The network card.
        pub nic: u64,
        /// The kernel, when the driver handed it the packet.
        pub kernel: u64,
        /// The reader's clock, when it took a batch from the socket.
        pub reader: u64,
    }

    /// How values in nanoseconds are distributed; they may be negative.
    pub struct NanosecondDistribution {
        /// How many.
        pub count: u64,
        /// How many were below zero.
        pub negative: u64,
        /// Smallest.
        pub ns_min: i64,
        /// Median.
        pub ns_p50: i64,
        /// 90th percentile.
        pub ns_p90: i64,
        /// 99th percentile.
        pub ns_p99: i64,
        /// 99.9th percentile.
        pub ns_p999: i64,
        /// Largest.
        pub ns_max: i64,
        /// The histogram: buckets that hold something, by rising values.
        pub buckets: Vec<NanosecondBucket>,
    }

    /// One bucket of a histogram.
    pub struct NanosecondBucket {
        /// Smallest value that is counted here.
        pub from_ns: i64,
        /// Largest value that is counted here.
        pub to_ns: i64,
        /// How many.
        pub count: u64,
    }

    /// What one end of a point cost, per message of that end, warm-up included. All of a host's work is counted, so
    /// other work there counts as well; two ends on one host have the same figures.
    pub struct ProbeEnd {
        /// CPU of the threads that carried the messages, nanoseconds.
        pub cpu_ns_per_message: Option<f64>,
        /// Interrupts of the host.
        pub interrupts_per_message: Option<f64>,
        /// Soft interrupts in which the host received packets (`NET_RX`).
        pub receive_softirqs_per_message: Option<f64>,
        /// Time of the host's cores in soft interrupts, nanoseconds; the kernel counts in ticks of 10 ms.
        pub softirq_ns_per_message: Option<f64>,
        /// Cores of the host that were busy, on average.
        pub busy_cores: Option<f64>,
    }
}

impl ProbePoint {
    /// Whether half of its messages left later than their moment by more than the gap: what left were bursts.
    #[must_use]
    pub fn is_late(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "for comparing: 53 bits are enough")]
        let by = self.departure_error.as_ref().map(|error| error.ns_p50 as f64);
        by.zip(self.gap_ns).is_some_and(|(by, gap)| by > gap)
    }
}

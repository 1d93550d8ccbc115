//! What a path showed that was watched with STAMP (RFC 8762): losses by direction, delays both ways, the clocks.

use serde::{Deserialize, Serialize};

plain_data! {
    /// A path that was watched: `sent = answered + late + lost + in_flight`.
    pub struct StampReport {
        /// Address and port of the reflector.
        pub reflector: String,
        /// Session id (RFC 8972); 0 for none.
        pub session_id: u16,
        /// Whether packets carried a proof of their sender.
        pub authenticated: bool,
        /// Format of the timestamps: `ntp` or `ptp`.
        pub timestamps: String,
        /// Size of a test and of its reply in bytes, without UDP and IP.
        pub packet_bytes: u64,
        /// Time from one test to the next.
        pub gap_ns: u64,
        /// A reply after this is late.
        pub timeout_ns: u64,
        /// How the reflector's count is known: `counters` (RFC 8972), `sequence` (its own numbers); null when it
        /// is not.
        pub reflector_counts: Option<String>,
        /// Tests sent.
        pub sent: u64,
        /// With a reply in time.
        pub answered: u64,
        /// With a reply after the time-out.
        pub late: u64,
        /// Without a reply.
        pub lost: u64,
        /// Neither, when the run was ended.
        pub in_flight: u64,
        /// Lost over those that are no longer in flight, 0 to 1.
        pub lost_fraction: Option<f64>,
        /// Tests that did not reach the reflector; null when it does not count.
        pub lost_forward: Option<u64>,
        /// Replies that did not come back.
        pub lost_backward: Option<u64>,
        /// Lost on a way that nobody knows: after the last reply, or around a restart of the reflector.
        pub lost_way_unknown: Option<u64>,
        /// Replies to a test that had one.
        pub duplicate: u64,
        /// Replies to a test that was sent before one that had a reply.
        pub reordered: u64,
        /// Departures that were given up because the sender was held up.
        pub skipped: u64,
        /// Time to live, or hop limit, of the last test as it reached the reflector.
        pub time_to_live: Option<u8>,
        /// Replies whose arrival was stamped by the kernel; of the others, by this program.
        pub kernel_stamps: u64,
        /// Round trips without the time at the reflector.
        pub round_trip: Option<StampSpread>,
        /// Delays to the reflector (RFC 7679), by clocks that agree or by the estimate; negative ones as they are.
        pub forward: Option<StampSpread>,
        /// Delays back.
        pub backward: Option<StampSpread>,
        /// Time at the reflector.
        pub held: Option<StampSpread>,
        /// The reflector's clock.
        pub clock: StampClock,
        /// What replies had that they should not have; only what occurred.
        pub faults: Vec<StampFault>,
        /// The path over time.
        pub windows: Vec<StampWindow>,
        /// Windows before these, which there was no room for.
        pub windows_left_out: u64,
    }

    /// How times spread, in nanoseconds. Of a whole run quantiles are above the true ones by less than 1/16.
    pub struct StampSpread {
        /// How many.
        pub samples: u64,
        /// Smallest.
        pub ns_min: i64,
        /// Median.
        pub ns_p50: i64,
        /// 90th percentile.
        pub ns_p90: i64,
        /// 99th percentile.
        pub ns_p99: i64,
        /// Largest.
        pub ns_max: i64,
        /// Packet delay variation (PDV, RFC 5481): 99th percentile less the smallest.
        pub pdv_ns_p99: i64,
        /// Variation from one test to the next (IPDV, RFC 3393), without sign, 99th percentile; null where it was not
        /// looked at.
        pub ipdv_ns_p99: Option<u64>,
    }

    /// The reflector's clock against ours.
    pub struct StampClock {
        /// `estimated` from the exchanges, or `agreed`: both clocks were said to agree.
        pub source: String,
        /// Reflector's clock less ours, at the end.
        pub offset_ns: Option<i64>,
        /// The offset, and so every one-way delay, is known to this much.
        pub error_ns: Option<u64>,
        /// How much faster the reflector's clock runs, in parts of 10^9.
        pub drift_ppb: Option<i64>,
        /// The drift is known to this much.
        pub drift_error_ppb: Option<u64>,
        /// How often a clock was stepped.
        pub steps: u64,
        /// Whether the reflector says that its clock is synchronised from outside.
        pub reflector_synchronised: Option<bool>,
        /// The error of its clock that the reflector claims.
        pub reflector_error_ns: Option<u64>,
    }

    /// Replies with one fault.
    pub struct StampFault {
        /// What they had, in words.
        pub what: String,
        /// How many.
        pub replies: u64,
    }

    /// One window.
    pub struct StampWindow {
        /// Start, seconds after the start of the run.
        pub start_s: f64,
        /// End, seconds after the start of the run.
        pub end_s: f64,
        /// Tests that left in it.
        pub sent: u64,
        /// With a reply in time.
        pub answered: u64,
        /// Without one.
        pub lost: u64,
        /// Lost over sent, 0 to 1.
        pub lost_fraction: Option<f64>,
        /// Round trips.
        pub round_trip: Option<StampSpread>,
        /// Delays to the reflector.
        pub forward: Option<StampSpread>,
        /// Delays back.
        pub backward: Option<StampSpread>,
        /// Reflector's clock less ours.
        pub offset_ns: Option<i64>,
        /// The offset is known to this much.
        pub error_ns: Option<u64>,
        /// The limits that it misses, by name; empty when it keeps them.
        pub missed: Vec<String>,
    }
}

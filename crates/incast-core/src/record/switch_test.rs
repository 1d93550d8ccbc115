//! What a switch test found: its trials, the throughput, and round trips at it.

use serde::{Deserialize, Serialize};

plain_data! {
    /// A switch test (RFC 2544; with many senders to one receiver, RFC 2889).
    pub struct SwitchTest {
        /// Highest load that passed, as a fraction of the senders' full load; null when none did.
        pub throughput_fraction: Option<f64>,
        /// The same in payload bits per second of all flows.
        pub throughput_bits_per_s: Option<f64>,
        /// Largest lost fraction of a trial that passes.
        pub loss_tolerance: f64,
        /// How closely the throughput is known, as a fraction of the full load.
        pub resolution: f64,
        /// Seconds that a trial sends; RFC 2544 asks for 60.
        pub trial_s: f64,
        /// Every trial, in the order in which they were made.
        pub trials: Vec<SwitchTrial>,
    }

    /// One trial.
    pub struct SwitchTrial {
        /// `throughput`, `latency` or `loss_rate`.
        pub purpose: String,
        /// Load as a fraction of the senders' full load.
        pub load_fraction: f64,
        /// Payload bits per second that really left.
        pub offered_load_bits_per_s: Option<f64>,
        /// Messages sent.
        pub sent: u64,
        /// Of these, lost.
        pub lost: u64,
        /// Lost over sent; null when nothing was sent.
        pub lost_fraction: Option<f64>,
        /// Whether the load was offered and no more was lost than is tolerated.
        pub passed: bool,
        /// Round trips, where they were measured.
        pub round_trip: Option<RoundTrip>,
    }

    /// Round trips (RFC 2681) of tagged messages: there through what is measured, and back.
    pub struct RoundTrip {
        /// Tagged messages sent.
        pub sent: u64,
        /// Answers that came back.
        pub answered: u64,
        /// Median in microseconds.
        pub us_p50: Option<f64>,
        /// 99th percentile in microseconds.
        pub us_p99: Option<f64>,
        /// Largest in microseconds.
        pub us_max: Option<f64>,
    }
}

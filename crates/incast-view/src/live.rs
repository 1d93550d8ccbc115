//! A run of a readout while it lasts.

/// What is seen of it.
#[derive(Clone, Debug, Default)]
pub struct ReadoutLive {
    /// Seconds.
    pub elapsed_s: f64,
    /// Seconds.
    pub expected_s: Option<f64>,
    /// State.
    pub state: &'static str,
    /// Count.
    pub triggered: u64,
    /// Count.
    pub built: u64,
    /// Count.
    pub decided: u64,
    /// Count.
    pub stored: u64,
    /// Count.
    pub in_flight: u64,
    /// Count.
    pub lost: u64,
    /// Per second.
    pub trigger_rate: f64,
    /// Per second.
    pub built_bytes_per_s: f64,
    /// Count.
    pub held_events: u64,
    /// Bytes.
    pub held_bytes: u64,
    /// Count.
    pub open_events: u64,
    /// Count.
    pub credits: u64,
    /// Why.
    pub dead: Option<&'static str>,
    /// Microseconds.
    pub latency_us_p50: Option<f64>,
    /// Microseconds.
    pub latency_us_p99: Option<f64>,
    /// Count.
    pub roles_alive: usize,
    /// Count.
    pub roles: usize,
    /// Words.
    pub last: Option<String>,
}

/// A line.
#[must_use]
pub fn line(live: &ReadoutLive) -> String {
    format!("{live:?}")
}

/// Lines.
#[must_use]
pub fn block(live: &ReadoutLive) -> String {
    format!("{live:?}")
}

//! What each end of a probe learned, as it travels over the control connection beside the account of its flow.
//!
//! Times are i64 nanoseconds of `CLOCK_MONOTONIC` of whoever took them: differences of two clocks mean nothing until
//! the clocks have been compared.

use serde::{Deserialize, Serialize};

use crate::record::{LossRuns, Reordering};
use crate::sequence::Counts;
use crate::stats::signed::SignedHistogram;

/// Most two-way exchanges of one point: a minute of a hundred each second, and as many around it as are useful.
pub const TWO_WAY_MAX: usize = 8_192;
/// Longest name of a clock, in bytes: two numbers of the kernel.
const CLOCK_BYTES_MAX: usize = 128;

/// What the sender of a probe knows beside its account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeSent {
    /// Two-way requests sent.
    pub requests: u64,
    /// Answers that were read, copies and those out of order among them.
    pub answers_read: u64,
    /// Answers: t1, t2, t3 and t4 of each, in the order in which they came.
    pub two_way: Vec<[i64; 4]>,
    /// What its clock is called: two ends with the same name read the same clock.
    pub clock: Option<String>,
    /// What its host did while the point lasted.
    pub host: Option<HostWork>,
}

/// What the receiver of a probe knows beside its account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeSeen {
    /// Messages at the start that are in no number here.
    pub warm_up_messages: u64,
    /// The account of the others.
    pub counts: Counts,
    /// Runs of lost messages among them.
    pub loss_runs: LossRuns,
    /// Their reordering.
    pub reordering: Reordering,
    /// Smallest arrival minus departure of the warm-up and of the first message after it, each by its own clock.
    pub base_delay_ns: i64,
    /// When the first of them arrived, by the receiver's clock.
    pub first_ns: i64,
    /// When the last of them arrived.
    pub last_ns: i64,
    /// Drift of the clocks that was taken out of the delays, in parts of 10^9.
    pub drift_ppb: i64,
    /// Arrival minus departure, above `base_delay_ns`; below it where it is negative.
    pub delay: SignedHistogram,
    /// Delay minus that of the message sent before it (RFC 3393, RFC 5481 §4.1: IPDV).
    pub delay_variation: SignedHistogram,
    /// Time between two arrivals that follow one another.
    pub inter_arrival: SignedHistogram,
    /// Arrivals with a stamp of the network card.
    pub nic_stamps: u64,
    /// Arrivals with a stamp of the kernel.
    pub kernel_stamps: u64,
    /// Arrivals for which only the reader's clock told the time.
    pub reader_stamps: u64,
    /// Two-way requests that were answered.
    pub answered: u64,
    /// How often the receiver's wall clock, in which the kernel stamps, was stepped.
    pub wall_clock_steps: u64,
    /// What the receiver's clock is called.
    pub clock: Option<String>,
    /// What its host did while the point lasted.
    pub host: Option<HostWork>,
}

/// What a host did in a while, all of its cores and all of its work together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostWork {
    /// Interrupts served.
    pub interrupts: Option<u64>,
    /// Soft interrupts in which packets were received (`NET_RX`).
    pub receive_softirqs: Option<u64>,
    /// Core seconds in soft interrupts.
    pub softirq_s: f64,
    /// Core seconds not idle, those in soft interrupts included.
    pub busy_s: f64,
    /// How long it was, in seconds; the kernel counts in ticks of 10 ms.
    pub elapsed_s: f64,
}

impl HostWork {
    /// What was done since `earlier`; unknown where a counter went back.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        Self {
            interrupts: grown(self.interrupts, earlier.interrupts),
            receive_softirqs: grown(self.receive_softirqs, earlier.receive_softirqs),
            softirq_s: (self.softirq_s - earlier.softirq_s).max(0.0),
            busy_s: (self.busy_s - earlier.busy_s).max(0.0),
            elapsed_s: (self.elapsed_s - earlier.elapsed_s).max(0.0),
        }
    }

    fn is_plausible(&self) -> bool {
        self.softirq_s.is_finite() && self.busy_s.is_finite() && self.elapsed_s.is_finite()
    }
}

impl ProbeSent {
    /// Whether a peer may have meant this.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        self.two_way.len() <= TWO_WAY_MAX
            && is_name(self.clock.as_deref())
            && self.host.as_ref().is_none_or(HostWork::is_plausible)
    }
}

impl ProbeSeen {
    /// Whether a peer may have meant this.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let Counts { received, unique, duplicate, stale, .. } = self.counts;
        let sum = unique.checked_add(duplicate).and_then(|sum| sum.checked_add(stale));
        // Of every message received once there is one delay, and between two of them one time.
        let delays = self.delay.count() == unique;
        let gaps = self.inter_arrival.count() == unique.saturating_sub(1);
        sum == Some(received)
            && delays
            && gaps
            && self.delay_variation.count() <= unique
            && is_name(self.clock.as_deref())
            && self.host.as_ref().is_none_or(HostWork::is_plausible)
    }
}

fn is_name(clock: Option<&str>) -> bool {
    clock.is_none_or(|name| name.len() <= CLOCK_BYTES_MAX && name.chars().all(|c| c.is_ascii_graphic()))
}

//! What is counted of an algorithm: one account for each worker, which can be added up.

use serde::{Deserialize, Serialize};

use crate::readout::ids::EventNumber;
use crate::readout::verdict::{Failure, Verdict};

/// Verdicts, failures and restarts. Every event that was given to the algorithm is accepted, rejected
/// or unjudged, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlgorithmCounts {
    /// Events that it accepted.
    pub accepted: u64,
    /// Events that it rejected.
    pub rejected: u64,
    /// Events about which it said nothing that could be used.
    pub unjudged: u64,
    /// Of those, events that came while it was not to be restarted yet.
    pub held_back: u64,
    /// How often it failed: once for an event or a packet, and also between events.
    pub failures: FailureCounts,
    /// How often it was started again.
    pub restarts: u64,
    /// What became of it the last time that it failed.
    pub last_failure: Option<LastFailure>,
}

/// How often an algorithm failed in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCounts {
    /// It ended.
    pub crash: u64,
    /// It did not answer in time.
    pub timeout: u64,
    /// It wanted more memory than it may have.
    pub memory: u64,
    /// It answered what makes no sense.
    pub nonsense: u64,
}

/// One failure in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// How it failed.
    pub failure: Failure,
    /// At which event; of a packet, the first. None when it failed between events.
    pub event: Option<EventNumber>,
    /// What is known of it: exit status or signal, and what the program said of it.
    pub text: String,
}

impl AlgorithmCounts {
    /// Counts what became of one event.
    pub const fn record(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Reject => self.rejected += 1,
            Verdict::Accept { .. } => self.accepted += 1,
            Verdict::Unjudged { .. } => self.unjudged += 1,
        }
    }

    /// Counts one failure.
    pub fn record_failure(&mut self, last: LastFailure) {
        self.failures.record(last.failure);
        self.last_failure = Some(last);
    }

    /// Events that have a verdict, or none because it failed.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.accepted + self.rejected + self.unjudged
    }

    /// Takes the counts of another worker to its own. The last failure is the other's, if it has one.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.unjudged += other.unjudged;
        self.held_back += other.held_back;
        self.failures.add(&other.failures);
        self.restarts += other.restarts;
        if other.last_failure.is_some() {
            self.last_failure.clone_from(&other.last_failure);
        }
    }
}

impl FailureCounts {
    /// Counts one failure.
    pub const fn record(&mut self, failure: Failure) {
        match failure {
            Failure::Crash => self.crash += 1,
            Failure::Timeout => self.timeout += 1,
            Failure::Memory => self.memory += 1,
            Failure::Nonsense => self.nonsense += 1,
        }
    }

    /// All failures.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.crash + self.timeout + self.memory + self.nonsense
    }

    /// Takes the counts of `other` to its own.
    pub const fn add(&mut self, other: &Self) {
        self.crash += other.crash;
        self.timeout += other.timeout;
        self.memory += other.memory;
        self.nonsense += other.nonsense;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_added_once() {
        let mut one = AlgorithmCounts { held_back: 3, restarts: 5, ..AlgorithmCounts::default() };
        one.record(Verdict::Accept { streams: 1 });
        one.record(Verdict::Reject);
        one.record(Verdict::Reject);
        for (times, failure) in Failure::ALL.into_iter().enumerate() {
            for _ in 0..=times {
                one.record(Verdict::Unjudged { streams: 0, failure });
                one.record_failure(LastFailure { failure, event: None, text: times.to_string() });
            }
        }
        let mut sum = AlgorithmCounts::default();
        sum.add(&one);
        assert_eq!(sum, one);
        sum.add(&one);
        assert_eq!((sum.accepted, sum.rejected, sum.unjudged, sum.events()), (2, 4, 20, 26));
        assert_eq!((sum.held_back, sum.restarts, sum.failures.total()), (6, 10, 20));
        assert_eq!(sum.failures, FailureCounts { crash: 2, timeout: 4, memory: 6, nonsense: 8 });
        assert_eq!(sum.last_failure.as_ref().map(|last| last.text.as_str()), Some("3"));
        sum.add(&AlgorithmCounts::default());
        assert!(sum.last_failure.is_some());
    }
}

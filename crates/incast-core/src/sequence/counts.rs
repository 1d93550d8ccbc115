//! The account of a stream's messages: eight counters, and their sum over streams.
//!
//! It travels from the receiver to the sender as it is, so a sum of accounts must not overflow.

use serde::{Deserialize, Serialize};

/// How many messages arrived, and how; see [`Arrival`](super::Arrival) for each kind.
///
/// `received = unique + duplicate + stale`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Taken from the receiver's kernel with a plausible counter.
    pub received: u64,
    /// Received for the first time.
    pub unique: u64,
    /// Received again.
    pub duplicate: u64,
    /// Received first after a later message: below the next expected counter (RFC 4737 §3.3).
    pub reordered: u64,
    /// First arrivals that gave back a loss already counted; by the same definition equal to `reordered`.
    pub late: u64,
    /// Arrived too far behind to be told from a duplicate: neither unique nor duplicate.
    pub stale: u64,
    /// Missing so far; goes down when a message arrives late. Final after `finish`.
    pub lost: u64,
    /// Counters that no honest sender can have reached. Not in `received`.
    pub implausible: u64,
}

impl Counts {
    /// Adds the account of another stream to this one; sums saturate.
    pub fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.received, other.received);
        add(&mut self.unique, other.unique);
        add(&mut self.duplicate, other.duplicate);
        add(&mut self.reordered, other.reordered);
        add(&mut self.late, other.late);
        add(&mut self.stale, other.stale);
        add(&mut self.lost, other.lost);
        add(&mut self.implausible, other.implausible);
    }
}

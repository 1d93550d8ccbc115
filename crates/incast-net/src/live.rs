//! What a running flow has done so far, for people who watch: a few relaxed counters per stream.
//!
//! Data threads store into them once per batch; nobody waits for anybody. They are for the eye and
//! for the partial record only: the account of the flow comes from the machines themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use incast_core::sequence::Counts;

use crate::udp::Control;

/// Live counters of one stream.
#[derive(Debug, Default)]
pub struct Live {
    received: AtomicU64,
    unique: AtomicU64,
    duplicate: AtomicU64,
    lost: AtomicU64,
    /// The last batch that brought something, counted or not.
    heard: AtomicU64,
}

/// A reading of the live counters of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Messages sent so far, where this process sends.
    pub sent: u64,
    /// Messages received so far, where this process receives.
    pub received: u64,
    /// Of these, for the first time.
    pub unique: u64,
    /// Of these, again.
    pub duplicate: u64,
    /// Missing so far.
    pub lost: u64,
}

impl Live {
    /// Changes whenever something comes, be it a message without a counter or of a wrong size.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Relaxed)
    }

    /// Something came, in this batch.
    pub(crate) fn store_heard(&self, batch: u64) {
        self.heard.store(batch, Relaxed);
    }

    /// Publishes the receiver's counts.
    pub fn store_counts(&self, counts: &Counts) {
        self.received.store(counts.received, Relaxed);
        self.unique.store(counts.unique, Relaxed);
        self.duplicate.store(counts.duplicate, Relaxed);
        self.lost.store(counts.lost, Relaxed);
    }
}

/// The live counters of a flow: those of all its streams.
#[derive(Clone, Debug, Default)]
pub struct LiveFlow {
    receivers: Vec<Arc<Live>>,
    senders: Vec<Arc<Control>>,
}

impl LiveFlow {
    /// Counters for a flow of `streams` streams that is received here.
    pub(crate) fn receiving(streams: usize) -> Self {
        Self { receivers: (0..streams).map(|_| Arc::default()).collect(), senders: Vec::new() }
    }

    /// The counters of a flow of one stream that is received here.
    pub(crate) fn of(stream: Arc<Live>) -> Self {
        Self { receivers: vec![stream], senders: Vec::new() }
    }

    /// The counters of a flow that is sent here.
    pub(crate) fn sending(senders: Vec<Arc<Control>>) -> Self {
        Self { receivers: Vec::new(), senders }
    }

    /// The counters of one received stream.
    pub(crate) fn stream(&self, index: usize) -> Arc<Live> {
        self.receivers.get(index).cloned().unwrap_or_default()
    }

    /// All streams together, now.
    #[must_use]
    pub fn read(&self) -> LiveCounts {
        let sum =
            |read: fn(&Live) -> &AtomicU64| self.receivers.iter().map(|live| read(live).load(Relaxed)).sum();
        LiveCounts {
            sent: self.senders.iter().map(|control| control.messages()).sum(),
            received: sum(|live| &live.received),
            unique: sum(|live| &live.unique),
            duplicate: sum(|live| &live.duplicate),
            lost: sum(|live| &live.lost),
        }
    }
}

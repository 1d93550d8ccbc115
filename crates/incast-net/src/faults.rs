//! What peers do wrong, counted by kind as it happens on any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use incast_core::record::Faults;

use crate::channel::ChannelError;

/// One counter per kind of fault.
#[derive(Debug, Default)]
pub struct FaultCounters {
    pub(crate) rubbish_connections: AtomicU64,
    pub(crate) silent_connections: AtomicU64,
    pub(crate) truncated_connections: AtomicU64,
    pub(crate) wrong_keys: AtomicU64,
    pub(crate) bad_lengths: AtomicU64,
    pub(crate) bad_messages: AtomicU64,
    pub(crate) strangers: AtomicU64,
    pub(crate) wrong_sizes: AtomicU64,
    pub(crate) implausible_counters: AtomicU64,
    pub(crate) turned_away: AtomicU64,
}

/// Counts one more of a fault.
pub(crate) fn count(fault: &AtomicU64) {
    fault.fetch_add(1, Relaxed);
}

impl FaultCounters {
    /// Counts what a control connection failed by. A peer that closes before its key was proven
    /// broke off in a message; later it is a matter of the session.
    pub(crate) fn count_channel(&self, error: &ChannelError) {
        match error {
            ChannelError::WrongKey => count(&self.wrong_keys),
            ChannelError::Silent => count(&self.silent_connections),
            ChannelError::BadLength(_) => count(&self.bad_lengths),
            ChannelError::BadMessage(_) => count(&self.bad_messages),
            ChannelError::Closed => count(&self.truncated_connections),
            ChannelError::Io(_) => {}
        }
    }

    /// The account so far.
    #[must_use]
    pub fn read(&self) -> Faults {
        Faults {
            rubbish_connections: self.rubbish_connections.load(Relaxed),
            silent_connections: self.silent_connections.load(Relaxed),
            truncated_connections: self.truncated_connections.load(Relaxed),
            wrong_keys: self.wrong_keys.load(Relaxed),
            bad_lengths: self.bad_lengths.load(Relaxed),
            bad_messages: self.bad_messages.load(Relaxed),
            strangers: self.strangers.load(Relaxed),
            wrong_sizes: self.wrong_sizes.load(Relaxed),
            implausible_counters: self.implausible_counters.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
        }
    }
}

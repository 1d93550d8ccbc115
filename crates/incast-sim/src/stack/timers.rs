//! Timers of connections: each has one, and the earliest is known.

use std::collections::{BTreeMap, BTreeSet};

use incast_core::time::Time;

/// Timers by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Time, u64)>,
    by_name: BTreeMap<u64, Time>,
}

impl Timers {
    /// Sets the timer of that name, or takes it away.
    pub(crate) fn set(&mut self, name: u64, at: Option<Time>) {
        let before = match at {
            Some(at) => self.by_name.insert(name, at),
            None => self.by_name.remove(&name),
        };
        if let Some(before) = before {
            self.due.remove(&(before, name));
        }
        if let Some(at) = at {
            self.due.insert((at, name));
        }
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the first that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<u64> {
        let (at, name) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, name));
        self.by_name.remove(&name);
        Some(name)
    }
}

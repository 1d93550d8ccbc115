//! Ends of events on their way to the trigger: neighbours that ended alike as one, many in one message.

use std::collections::VecDeque;

use crate::readout::ids::EventNumber;
use crate::readout::message::{End, Ended};

/// Ends that were not told yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    waiting: VecDeque<End>,
    dropped: u64,
}

/// Ends in one message: some tens of kilobytes with all sources missing, usually below one packet's.
const PER_MESSAGE: usize = 256;
/// Most events in one end: what the trigger believes at once.
pub(super) const EVENTS_PER_END_MAX: u32 = 65_536;
/// Ends that wait while the trigger takes nothing; it is gone, and so is the run.
const WAITING_MAX: usize = 65_536;

impl Ends {
    pub(super) fn push(&mut self, first: EventNumber, events: u32, how: Ended) {
        if let Some(last) = self.waiting.back_mut()
            && last.first.after(last.events.into()) == first
            && last.how == how
            && last.events.saturating_add(events) <= EVENTS_PER_END_MAX
        {
            last.events += events;
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(End { first, events, how });
        } else {
            self.dropped += u64::from(events);
        }
    }

    /// Whether a message is full: it need not wait for more.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= PER_MESSAGE
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn poll(&mut self) -> Option<Vec<End>> {
        let taken = self.waiting.len().min(PER_MESSAGE);
        (taken > 0).then(|| self.waiting.drain(..taken).collect())
    }

    /// Events whose end was never told.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_ended_alike_are_one_end() {
        let mut ends = Ends::default();
        for (event, how) in
            [(1, Ended::Stored), (2, Ended::Stored), (3, Ended::Rejected), (5, Ended::Rejected)]
        {
            ends.push(EventNumber(event), 1, how);
        }
        let told: Vec<_> = ends.poll().unwrap().iter().map(|end| (end.first.0, end.events)).collect();
        assert_eq!(told, [(1, 2), (3, 1), (5, 1)]);
        assert!(ends.is_empty() && ends.poll().is_none());
    }
}

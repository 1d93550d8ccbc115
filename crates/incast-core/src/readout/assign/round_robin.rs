//! Round-robin: each member in turn, whether it is ready or not.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use super::{Assign, MEMBERS_MAX, PolicyCounts};
use crate::readout::ids::{Destination, EventNumber, Incarnation};
use crate::time::Time;

/// Each member in turn, by rising id.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    members: BTreeSet<Destination>,
    last: Option<Destination>,
    counts: PolicyCounts,
}

impl RoundRobin {
    /// Nobody is there yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Assign for RoundRobin {
    fn handle_joined(&mut self, _now: Time, destination: Destination, _incarnation: Incarnation) {
        if self.members.len() < MEMBERS_MAX || self.members.contains(&destination) {
            self.members.insert(destination);
        } else {
            self.counts.members_refused += 1;
        }
    }

    fn handle_left(&mut self, _now: Time, destination: Destination) {
        self.members.remove(&destination);
    }

    fn poll_assign(&mut self, _now: Time, _event: EventNumber) -> Option<Destination> {
        let after = self.last.map_or(Unbounded, Excluded);
        let next = self.members.range((after, Unbounded)).next().or_else(|| self.members.first()).copied();
        match next {
            Some(_) => (self.last, self.counts.assigned) = (next, self.counts.assigned + 1),
            None => self.counts.nobody += 1,
        }
        next
    }

    fn counts(&self) -> &PolicyCounts {
        &self.counts
    }
}

//! Least loaded: whoever has the fewest events that are not finished, up to a bound for each.

use std::collections::{BTreeMap, BTreeSet};

use super::{Assign, MEMBERS_MAX, PolicyCounts};
use crate::readout::ids::{Destination, EventNumber, Incarnation};
use crate::time::Time;

/// The member with the fewest unfinished events; among equals, the one whose turn was longest ago.
#[derive(Clone, Debug)]
pub struct LeastLoaded {
    unfinished_max: u32,
    members: BTreeMap<Destination, Member>,
    /// Members with room: unfinished events, last turn, who.
    order: BTreeSet<(u32, u64, Destination)>,
    turn: u64,
    counts: PolicyCounts,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    incarnation: Incarnation,
    unfinished: u32,
    turn: u64,
}

impl LeastLoaded {
    /// Nobody is there yet. A member has at most `unfinished_max` events.
    #[must_use]
    pub fn new(unfinished_max: u32) -> Self {
        let (members, order) = (BTreeMap::new(), BTreeSet::new());
        Self { unfinished_max, members, order, turn: 0, counts: PolicyCounts::default() }
    }

    /// Changes a member and its place in the order.
    fn change(&mut self, destination: Destination, change: impl FnOnce(&mut Member)) {
        let Some(member) = self.members.get_mut(&destination) else { return };
        self.order.remove(&(member.unfinished, member.turn, destination));
        change(member);
        if member.unfinished < self.unfinished_max {
            self.order.insert((member.unfinished, member.turn, destination));
        }
    }
}

impl Assign for LeastLoaded {
    fn handle_joined(&mut self, now: Time, destination: Destination, incarnation: Incarnation) {
        match self.members.get(&destination) {
            Some(member) if member.incarnation == incarnation => return,
            Some(_) => self.handle_left(now, destination),
            None if self.members.len() == MEMBERS_MAX => {
                self.counts.members_refused += 1;
                return;
            }
            None => {}
        }
        self.members.insert(destination, Member { incarnation, unfinished: 0, turn: 0 });
        self.change(destination, |_| {});
    }

    fn handle_left(&mut self, _now: Time, destination: Destination) {
        if let Some(member) = self.members.remove(&destination) {
            self.order.remove(&(member.unfinished, member.turn, destination));
        }
    }

    fn handle_done(&mut self, destination: Destination) {
        self.change(destination, |member| member.unfinished = member.unfinished.saturating_sub(1));
    }

    fn poll_assign(&mut self, _now: Time, _event: EventNumber) -> Option<Destination> {
        let Some((_, _, destination)) = self.order.first().copied() else {
            self.counts.nobody += 1;
            return None;
        };
        self.turn += 1;
        let turn = self.turn;
        self.change(destination, |member| {
            member.unfinished += 1;
            member.turn = turn;
        });
        self.counts.assigned += 1;
        Some(destination)
    }

    fn counts(&self) -> &PolicyCounts {
        &self.counts
    }
}

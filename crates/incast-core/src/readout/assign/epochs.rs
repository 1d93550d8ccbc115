//! Tables of destinations by event number, changed only at a future event number.
//!
//! All fragments of an event meet the same place because everybody finds it in the same table, and a new
//! table holds from an event on that nobody has begun with (EJFAT calls the time of a table an epoch).
//! Only a member that is gone is passed over at once: for the next one in the table.

use std::collections::{BTreeSet, VecDeque};

use super::{MEMBERS_MAX, PolicyCounts};
use crate::readout::ids::{Destination, EventNumber};

/// The tables, the one in force and those around it.
#[derive(Clone, Debug)]
pub(super) struct Epochs {
    packing_events: u64,
    /// How many packets after the newest a change comes into force.
    ahead_packets: u64,
    tables: VecDeque<Table>,
    present: BTreeSet<Destination>,
    newest: Option<EventNumber>,
    pub(super) counts: PolicyCounts,
}

#[derive(Clone, Debug)]
struct Table {
    from: EventNumber,
    slots: Box<[Destination]>,
}

/// Older tables are forgotten: an event that is assigned again finds the oldest there is.
const TABLES_MAX: usize = 8;

impl Epochs {
    pub(super) fn new(packing_events: u16, ahead_packets: u64) -> Self {
        Self {
            packing_events: packing_events.max(1).into(),
            ahead_packets: ahead_packets.max(1),
            tables: VecDeque::new(),
            present: BTreeSet::new(),
            newest: None,
            counts: PolicyCounts::default(),
        }
    }

    /// Says whether the member is new.
    pub(super) fn handle_joined(&mut self, destination: Destination) -> bool {
        let has_room = self.present.len() < MEMBERS_MAX || self.present.contains(&destination);
        self.counts.members_refused += u64::from(!has_room);
        has_room && self.present.insert(destination)
    }

    /// Says whether the member was there.
    pub(super) fn handle_left(&mut self, destination: Destination) -> bool {
        self.present.remove(&destination)
    }

    pub(super) const fn present(&self) -> &BTreeSet<Destination> {
        &self.present
    }

    /// The event with the highest number that was assigned.
    pub(super) const fn newest(&self) -> Option<EventNumber> {
        self.newest
    }

    /// The first event that a change of now can be for.
    pub(super) fn earliest_change(&self) -> EventNumber {
        let ahead = self.ahead_packets.saturating_mul(self.packing_events);
        self.newest.map_or(EventNumber(0), |newest| newest.after(ahead))
    }

    /// A new table from `from` on, which is in the future; later ones are replaced by it.
    pub(super) fn change(&mut self, from: EventNumber, slots: Box<[Destination]>) {
        debug_assert!(self.newest.is_none_or(|newest| from > newest), "a change is in the future");
        while self.tables.pop_back_if(|table| table.from >= from).is_some() {}
        self.tables.push_back(Table { from, slots });
        if self.tables.len() > TABLES_MAX {
            self.tables.pop_front();
        }
    }

    /// Where `event` belongs by the table, whether that member is there or not.
    pub(super) fn belongs(&self, event: EventNumber) -> Option<Destination> {
        self.in_force(event).and_then(|table| table.slots_from(event, self.packing_events).next())
    }

    pub(super) fn poll_assign(&mut self, event: EventNumber) -> Option<Destination> {
        // When all of the table are gone, the next table would never come into force: numbers stand still
        // while nobody gets them. Whoever is in the newest one takes over at once.
        let tables = self.in_force(event).into_iter().chain(self.tables.back());
        let slots = tables.flat_map(|table| table.slots_from(event, self.packing_events));
        let found = slots.enumerate().find(|(_, slot)| self.present.contains(slot));
        match found {
            Some((passed_over, _)) => {
                self.newest = self.newest.max(Some(event));
                self.counts.assigned += 1;
                self.counts.diverted += u64::from(passed_over > 0);
            }
            None => self.counts.nobody += 1,
        }
        found.map(|(_, destination)| destination)
    }

    fn in_force(&self, event: EventNumber) -> Option<&Table> {
        self.tables.iter().rev().find(|table| table.from <= event).or_else(|| self.tables.front())
    }
}

impl Table {
    /// The slot of `event`, and those after it, once round.
    fn slots_from(&self, event: EventNumber, packing_events: u64) -> impl Iterator<Item = Destination> + '_ {
        let packet = event.0.saturating_sub(self.from.0) / packing_events;
        let first = packet.checked_rem(self.slots.len() as u64).and_then(|at| usize::try_from(at).ok());
        let (before, after) = self.slots.split_at(first.unwrap_or(0));
        after.iter().chain(before).copied()
    }
}

//! A second account of a run, for those who test it: which events the trigger took for rejected or incomplete,
//! and what is on the disks, event by event. It is kept only when it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use incast_core::readout::{Ended, EventNumber, EventTotals, Length, Message, Peer, SourceSet};

use super::ReadoutWorld;
use super::actor::Machine;
use super::conductor::Phase;
use super::roster::Seat;
use crate::courier::Courier;

/// What the trigger made of what it was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    rejected: BTreeSet<EventNumber>,
    incomplete: BTreeSet<EventNumber>,
}

/// What was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The trigger's account.
    pub totals: EventTotals,
    /// Events that ended as rejected.
    pub rejected: BTreeSet<EventNumber>,
    /// Events that ended as incomplete, by a builder's word.
    pub incomplete: BTreeSet<EventNumber>,
    /// Events on disk, with the sources that they miss.
    pub on_disk: BTreeMap<EventNumber, Option<SourceSet>>,
    /// Events that are on two disks, or were written twice.
    pub on_disk_twice: u64,
    /// Roles that died.
    pub deaths: u64,
    /// Roles that are dead or hang.
    pub away: Vec<Peer>,
    /// Roles that have something left to do.
    pub undone: Vec<Peer>,
    /// Whether what was under way had to be given up.
    pub was_given_up: bool,
}

impl<C: Courier> ReadoutWorld<C> {
    /// What was seen so far; of the trigger's words only if the setup asked for a witness.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let mut seen =
            Seen { deaths: self.deaths, was_given_up: self.conductor.was_given_up, ..Seen::default() };
        if let Some(Machine::Trigger(trigger)) = &self.actors[Self::TRIGGER.index()].machine {
            seen.totals = trigger.role.account().totals().clone();
        }
        if let Some(witness) = &self.witness {
            seen.rejected.clone_from(&witness.rejected);
            seen.incomplete.clone_from(&witness.incomplete);
        }
        for seat in self.roster.seats() {
            let stored = match &self.actors[seat.index()].machine {
                Some(Machine::Sink(player)) => Some(&player.work.stored),
                _ => self.disks.get(&seat),
            };
            let Some(stored) = stored else { continue };
            seen.on_disk_twice += stored.twice;
            for event in stored.events.iter() {
                let before = seen.on_disk.insert(event, stored.incomplete.get(&event).cloned());
                seen.on_disk_twice += u64::from(before.is_some());
            }
        }
        let is_undone = |seat: &Seat| {
            let machine = self.actors[seat.index()].machine.as_ref();
            machine.is_some_and(|machine| !machine.is_done())
        };
        let is_away = |seat: &Seat| {
            let actor = &self.actors[seat.index()];
            !actor.is_alive() || actor.is_hanging
        };
        seen.away = self.roster.seats().filter(is_away).map(|seat| self.roster.peer(seat)).collect();
        seen.undone = self.roster.seats().filter(is_undone).map(|seat| self.roster.peer(seat)).collect();
        seen
    }

    /// Hands a message to a machine; of the trigger's, notes what it makes of them.
    #[inline]
    pub(super) fn hand_message(&mut self, to: Seat, from: Peer, message: Message<Length>) {
        if to == Self::TRIGGER && self.witness.is_some() {
            return self.hand_witnessed(from, message);
        }
        let now = self.now;
        if let Some(machine) = &mut self.actors[to.index()].machine {
            machine.handle_message(now, from, message);
        }
    }

    fn hand_witnessed(&mut self, from: Peer, message: Message<Length>) {
        let now = self.now;
        let Some(Machine::Trigger(trigger)) = &mut self.actors[Self::TRIGGER.index()].machine else { return };
        let mut told = Vec::new();
        if let Message::Ends(ends) = &message {
            for end in ends {
                let events = (0..end.events).map(|index| end.first.after(index.into()));
                let in_flight = events.filter(|event| trigger.role.account().is_in_flight(*event));
                told.push((in_flight.collect::<Vec<_>>(), end.how.clone()));
            }
        }
        incast_core::readout::role::Role::handle_message(&mut trigger.role, now, from, message);
        let Some(witness) = &mut self.witness else { return };
        let mut noted = BTreeSet::new();
        for (events, how) in told {
            // The first that one message says of an event is what counts.
            for event in events.into_iter().filter(|event| !trigger.role.account().is_in_flight(*event)) {
                match how {
                    _ if !noted.insert(event) => {}
                    Ended::Rejected => _ = witness.rejected.insert(event),
                    Ended::Incomplete(_) => _ = witness.incomplete.insert(event),
                    Ended::Stored | Ended::Accepted | Ended::NoRoom => {}
                }
            }
        }
    }

    /// Whether all that was under way had to be given up.
    pub(super) fn note_given_up(&mut self) {
        self.conductor.was_given_up |= self.conductor.phase == Phase::GivenUp;
    }
}

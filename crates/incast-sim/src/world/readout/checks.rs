//! The laws of events and credits, held against every role while it runs.

use super::ReadoutWorld;
use super::actor::Machine;
use super::roster::Seat;
use crate::courier::Courier;

/// Messages between two looks at what every role counted, where they are looked at.
const EVERY: u64 = 512;

impl<C: Courier> ReadoutWorld<C> {
    /// Notes that a message was handed over.
    #[inline]
    pub(super) fn note_step(&mut self, from: Seat, to: Seat) {
        self.steps += 1;
        let word = self.now.0 ^ u64::from(from.0) << 48 ^ u64::from(to.0) << 24;
        self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// Law 2 after every step, and now and then the laws of all roles. Not in a release build: there the
    /// machines' own assertions hold, and [`Self::check_laws`] at the end.
    #[inline]
    pub(super) fn check(&mut self) {
        let is_watched = self.witness.is_some();
        if !cfg!(debug_assertions) && !is_watched {
            return;
        }
        if let Some(Machine::Trigger(trigger)) = &self.actors[Self::TRIGGER.index()].machine {
            if is_watched {
                trigger.role.account().check_laws_one_by_one();
            } else {
                trigger.role.account().check_laws();
            }
        }
        if self.steps >= self.checked + EVERY {
            self.checked = self.steps;
            self.check_laws();
        }
    }

    /// Asserts the laws of every role that is there.
    ///
    /// # Panics
    ///
    /// When one is broken: our mistake.
    pub fn check_laws(&self) {
        for machine in self.actors.iter().filter_map(|actor| actor.machine.as_ref()) {
            if let Machine::Trigger(trigger) = machine {
                trigger.role.account().check_laws_one_by_one();
            }
            machine.counts().check_laws();
        }
        let under_way: u64 = self.parcels.iter().map(|parcel| u64::from(parcel.pieces)).sum();
        let under_way = under_way + self.letters.iter().count() as u64;
        assert_eq!(
            self.pieces_sent,
            self.pieces_over + under_way,
            "law 1: sent = arrived + lost + cut + under way"
        );
    }
}

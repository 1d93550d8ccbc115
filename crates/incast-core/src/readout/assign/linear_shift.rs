//! Linear shift (barrel shifter): in phase p, the source in place i sends to the destination in place
//! (i + p) modulo N, so that no two sources meet at one port.
//!
//! Seen from an event: packet k belongs to place k modulo N. Seen from a source: while N packets are under
//! way, it begins with its own place and goes round. Members change at a future event number, where a
//! round begins; until then what belongs to one that is gone goes to the next.

use super::epochs::Epochs;
use super::{Assign, PolicyCounts};
use crate::readout::ids::{Destination, EventNumber, Incarnation};
use crate::time::Time;

/// The barrel shifter.
#[derive(Clone, Debug)]
pub struct LinearShift {
    epochs: Epochs,
}

impl LinearShift {
    /// Nobody is there yet. Changes come into force `ahead_packets` packets after the newest one.
    #[must_use]
    pub fn new(packing_events: u16, ahead_packets: u64) -> Self {
        Self { epochs: Epochs::new(packing_events, ahead_packets) }
    }

    /// To whom the source in `place` sends in phase `phase`, both from 0: a permutation for each phase.
    #[must_use]
    pub fn destination_in_phase(&self, place: u64, phase: u64) -> Option<Destination> {
        let members = self.epochs.present();
        let at = place.wrapping_add(phase).checked_rem(members.len() as u64)?;
        members.iter().nth(usize::try_from(at).ok()?).copied()
    }

    fn change_of_members(&mut self) {
        let slots = self.epochs.present().iter().copied().collect();
        self.epochs.change(self.epochs.earliest_change(), slots);
    }
}

impl Assign for LinearShift {
    fn handle_joined(&mut self, _now: Time, destination: Destination, _incarnation: Incarnation) {
        if self.epochs.handle_joined(destination) {
            self.change_of_members();
        }
    }

    fn handle_left(&mut self, _now: Time, destination: Destination) {
        if self.epochs.handle_left(destination) {
            self.change_of_members();
        }
    }

    fn poll_assign(&mut self, _now: Time, event: EventNumber) -> Option<Destination> {
        self.epochs.poll_assign(event)
    }

    fn counts(&self) -> &PolicyCounts {
        &self.epochs.counts
    }
}

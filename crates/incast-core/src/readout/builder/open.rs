//! Open events: places that are used again and again, and their order of age.

use crate::readout::bits::Bits;
use crate::readout::ids::EventNumber;
use crate::time::Time;

/// An event that is not shipped yet.
#[derive(Clone, Debug)]
pub(super) struct Open<P> {
    pub(super) number: EventNumber,
    pub(super) events: u16,
    pub(super) opened: Time,
    pub(super) bytes: u64,
    /// Places of the sources that contributed: completeness is this set, so that nothing counts twice.
    pub(super) present: Bits,
    /// One for each source.
    pub(super) parts: Vec<Option<P>>,
    older: u32,
    newer: u32,
}

/// All of them, linked from the oldest to the newest.
#[derive(Clone, Debug)]
pub(super) struct OpenEvents<P> {
    slots: Vec<Open<P>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
}

/// No slot.
const NONE: u32 = u32::MAX;

impl<P> OpenEvents<P> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), oldest: NONE, newest: NONE }
    }

    /// How many are open.
    pub(super) fn len(&self) -> u64 {
        // A length is far below 2^64.
        (self.slots.len() - self.free.len()) as u64
    }

    /// The one that was opened first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    #[inline]
    pub(super) fn at(&mut self, slot: u32) -> &mut Open<P> {
        &mut self.slots[slot as usize]
    }

    /// When the oldest was opened.
    pub(super) fn oldest_opened(&self) -> Option<Time> {
        Some(self.slots[self.oldest()? as usize].opened)
    }

    /// Opens an event, with room for its parts.
    pub(super) fn insert(
        &mut self,
        number: EventNumber,
        events: u16,
        opened: Time,
        parts: Vec<Option<P>>,
    ) -> u32 {
        let older = self.newest;
        let slot = if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.present.clear();
            (place.number, place.events, place.opened, place.bytes) = (number, events, opened, 0);
            (place.parts, place.older, place.newer) = (parts, older, NONE);
            slot
        } else {
            let slot = u32::try_from(self.slots.len()).unwrap_or(NONE);
            assert!(slot != NONE, "the owner keeps to its bound of open events");
            let present = Bits::default();
            self.slots.push(Open { number, events, opened, bytes: 0, present, parts, older, newer: NONE });
            slot
        };
        match older {
            NONE => self.oldest = slot,
            older => self.slots[older as usize].newer = slot,
        }
        self.newest = slot;
        slot
    }

    /// Takes an event out. What is left in the slot is its `present`, until the slot is used again.
    pub(super) fn remove(&mut self, slot: u32) -> (&Open<P>, Vec<Option<P>>) {
        let Open { older, newer, .. } = self.slots[slot as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        self.free.push(slot);
        let place = &mut self.slots[slot as usize];
        let parts = std::mem::take(&mut place.parts);
        (place, parts)
    }
}

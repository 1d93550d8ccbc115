//! What is due in the explicit engine, and in which order: a binary heap with one entry for every step.
//!
//! Entries are ordered by (time, class, draw, number). At one moment pauses take hold first, then last bits
//! leave, then packets arrive, and a crossbar is matched when all that is known: a packet that arrives as
//! another one's last bit leaves finds the way free. Among arrivals of one moment a draw decides, which is a mix
//! of the name of the link that they came by and the time, so that neither the order of declaration nor that of
//! handing in favours a link; what came by one link keeps its order by its number.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use incast_core::time::Time;

use crate::agenda::mixed;
use crate::fabric::{LinkId, SwitchId};
use crate::packet::Packet;

/// Something that happens at its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A PAUSE frame takes hold of the near end of a link (`on`), or lets it go.
    Pause {
        /// The link that stops, or goes on.
        link: LinkId,
        /// Whether it stops.
        on: bool,
    },
    /// A pause that was not renewed is over.
    PauseEnds {
        /// The link.
        link: LinkId,
        /// Of which pause of this link, counted.
        pause: u64,
    },
    /// A switch looks whether it still wants a link to stop.
    PauseAgain {
        /// The link.
        link: LinkId,
        /// Since when it has wanted it.
        asked: Time,
    },
    /// The last bit of what a link sends leaves.
    Sent(LinkId),
    /// As much of a packet has left as a switch that cuts through must know of it.
    Known {
        /// The link that sends it.
        link: LinkId,
        /// The packet.
        packet: Packet,
    },
    /// Something is through a link, and through the switch at its far end: at its next queue, or at its host.
    Through(LinkId),
    /// Everything that arrives at this moment has: a crossbar is matched.
    Matched(SwitchId),
}

impl Step {
    /// Which steps of one moment come first.
    const fn class(self) -> u8 {
        match self {
            Self::Pause { .. } | Self::PauseEnds { .. } => 0,
            Self::Sent(_) => 1,
            Self::Known { .. } | Self::Through(_) | Self::PauseAgain { .. } => 2,
            Self::Matched(_) => 3,
        }
    }

    /// The link whose turn is drawn; `None` where no two meet.
    const fn link(self) -> Option<LinkId> {
        match self {
            Self::Pause { link, .. }
            | Self::PauseEnds { link, .. }
            | Self::PauseAgain { link, .. }
            | Self::Sent(link)
            | Self::Known { link, .. }
            | Self::Through(link) => Some(link),
            Self::Matched(_) => None,
        }
    }
}

/// All that is due.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    names: Vec<u64>,
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Steps {
    /// None yet. Draws follow from the names of links.
    pub(super) const fn new(names: Vec<u64>) -> Self {
        Self { names, heap: BinaryHeap::new(), number: 0 }
    }

    /// Puts a step on the agenda.
    pub(super) fn push(&mut self, at: Time, step: Step) {
        let draw = step.link().map_or(0, |link| mixed(self.names[link.0 as usize], at.0));
        self.heap.push(Entry { key: (at, step.class(), draw, self.number), step });
        self.number += 1;
    }

    /// When the next step is due.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.key.0)
    }

    /// The next step that is due by `now`, and its time.
    pub(super) fn poll(&mut self, now: Time) -> Option<(Time, Step)> {
        self.pop_if(|key| key.0 <= now)
    }

    /// Likewise, as long as it makes room: arrivals of `now` itself stay.
    pub(super) fn poll_departure(&mut self, now: Time) -> Option<(Time, Step)> {
        self.pop_if(|key| key.0 < now || (key.0 == now && key.1 <= DEPARTURES))
    }

    fn pop_if(&mut self, is_due: impl Fn(&Key) -> bool) -> Option<(Time, Step)> {
        let due = self.heap.peek().is_some_and(|entry| is_due(&entry.key));
        let entry = if due { self.heap.pop() } else { None }?;
        Some((entry.key.0, entry.step))
    }
}

/// The class of the last steps that make room in a queue.
const DEPARTURES: u8 = 1;

/// Time, class, draw, number.
type Key = (Time, u8, u64, u64);

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    step: Step,
}

impl Ord for Entry {
    /// The other way round: the heap gives out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

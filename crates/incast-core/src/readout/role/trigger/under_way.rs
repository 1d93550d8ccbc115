//! Packets that were assigned and have not ended: whose they are, and which of their events are open.

use std::collections::BTreeMap;

use crate::readout::bits::Bits;
use crate::readout::ids::{BuilderId, EventNumber, Incarnation};
use crate::time::Time;

/// The packets of one level that are under way. As many as the account's window has room for: what is
/// forgotten there is forgotten here.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    packets: BTreeMap<EventNumber, Packet>,
}

/// A packet at its builder.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) events: u16,
    pub(super) builder: BuilderId,
    pub(super) life: Incarnation,
    pub(super) triggered: Time,
    /// Events that are over at this level, by their place in the packet.
    over: Bits,
}

/// An event that is over at its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) builder: BuilderId,
    pub(super) life: Incarnation,
    pub(super) triggered: Time,
    /// Whether it was the last one of its packet.
    pub(super) is_last: bool,
}

impl UnderWay {
    pub(super) fn insert(
        &mut self,
        first: EventNumber,
        events: u16,
        builder: BuilderId,
        life: Incarnation,
        triggered: Time,
    ) {
        self.packets.insert(first, Packet { events, builder, life, triggered, over: Bits::default() });
    }

    /// The packet of an event, if the event is open.
    pub(super) fn packet_of(&self, event: EventNumber) -> Option<&Packet> {
        let (first, packet) = self.packets.range(..=event).next_back()?;
        let place = u16::try_from(event.0 - first.0).ok()?;
        (place < packet.events && !packet.over.contains(place)).then_some(packet)
    }

    /// An event is over at this level; none if it was before, or is not under way.
    pub(super) fn handle_over(&mut self, event: EventNumber) -> Option<Over> {
        let (first, packet) = self.packets.range_mut(..=event).next_back()?;
        let (first, place) = (*first, u16::try_from(event.0 - first.0).ok()?);
        if place >= packet.events || !packet.over.insert(place) {
            return None;
        }
        let is_last = packet.over.len() == u32::from(packet.events);
        let over = Over { builder: packet.builder, life: packet.life, triggered: packet.triggered, is_last };
        if is_last {
            self.packets.remove(&first);
        }
        Some(over)
    }

    /// Open events of a builder's life.
    pub(super) fn open_of(&self, builder: BuilderId, life: Incarnation) -> Vec<EventNumber> {
        let of_life =
            self.packets.iter().filter(|(_, packet)| (packet.builder, packet.life) == (builder, life));
        of_life.flat_map(|(first, packet)| packet.open(*first)).collect()
    }

    /// Forgets the next packet of which all events are before `oldest`.
    pub(super) fn poll_forgotten(&mut self, oldest: EventNumber) -> Option<Packet> {
        let first = self.packets.first_entry()?;
        let is_old = first.key().after(first.get().events.into()) <= oldest;
        is_old.then(|| first.remove())
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}

impl Packet {
    fn open(&self, first: EventNumber) -> impl Iterator<Item = EventNumber> + '_ {
        let open = (0..self.events).filter(|place| !self.over.contains(*place));
        open.map(move |place| first.after(place.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_over_with_its_last_event_and_no_event_is_over_twice() {
        let mut under_way = UnderWay::default();
        let (builder, life) = (BuilderId(4), Incarnation(9));
        under_way.insert(EventNumber(10), 3, builder, life, Time::ZERO);
        under_way.insert(EventNumber(16), 1, builder, Incarnation(1), Time::ZERO);
        let mut is_last = |event| under_way.handle_over(EventNumber(event)).map(|over| over.is_last);
        assert_eq!(
            [9, 13, 15, 17, 11, 11, 12].map(&mut is_last),
            [None, None, None, None, Some(false), None, Some(false)]
        );
        assert_eq!(under_way.open_of(builder, life), [EventNumber(10)]);
        assert!(under_way.packet_of(EventNumber(11)).is_none());
        assert_eq!(under_way.handle_over(EventNumber(10)).map(|over| over.is_last), Some(true));
        assert_eq!(under_way.len(), 1);
        assert!(under_way.poll_forgotten(EventNumber(16)).is_none());
        assert!(under_way.poll_forgotten(EventNumber(17)).is_some());
        assert_eq!(under_way.len(), 0);
    }
}

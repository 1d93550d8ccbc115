//! Packets that were assigned and have not ended: whose they are, and which of their events are open.

use std::collections::VecDeque;

use crate::readout::bits::Bits;
use crate::readout::ids::{BuilderId, EventNumber, Incarnation};
use crate::time::Time;

/// The packets of one level that are under way. As many as the account's window has room for: what is
/// forgotten there is forgotten here.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    /// By rising number, as they were assigned. What is over stays while one before it is not.
    packets: VecDeque<Packet>,
    /// How many of them are not over.
    open: usize,
}

/// A packet at its builder.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    first: EventNumber,
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
        let packet = Packet { first, events, builder, life, triggered, over: Bits::default() };
        // Numbers rise, so this is behind the last one.
        let place = self.packets.partition_point(|packet| packet.first <= first);
        self.packets.insert(place, packet);
        self.open += 1;
    }

    /// The packet of an event, if the event is open.
    pub(super) fn packet_of(&self, event: EventNumber) -> Option<&Packet> {
        let packet = &self.packets[self.place_of(event)?];
        packet.is_open(event).then_some(packet)
    }

    /// An event is over at this level; none if it was before, or is not under way.
    pub(super) fn handle_over(&mut self, event: EventNumber) -> Option<Over> {
        let place = self.place_of(event)?;
        let packet = &mut self.packets[place];
        if !packet.is_open(event) {
            return None;
        }
        packet.over.insert(u16::try_from(event.0 - packet.first.0).ok()?);
        let is_last = packet.is_over();
        let over = Over { builder: packet.builder, life: packet.life, triggered: packet.triggered, is_last };
        self.open -= usize::from(is_last);
        while self.packets.pop_front_if(|packet| packet.is_over()).is_some() {}
        Some(over)
    }

    /// Open events of a builder's life.
    pub(super) fn open_of(&self, builder: BuilderId, life: Incarnation) -> Vec<EventNumber> {
        let of_life = self.packets.iter().filter(|packet| (packet.builder, packet.life) == (builder, life));
        of_life.flat_map(Packet::open).collect()
    }

    /// Forgets the next packet of which all events are before `oldest`.
    pub(super) fn poll_forgotten(&mut self, oldest: EventNumber) -> Option<Packet> {
        let forgotten = self.packets.pop_front_if(|packet| packet.end() <= oldest)?;
        self.open -= 1;
        // The first one is never over.
        while self.packets.pop_front_if(|packet| packet.is_over()).is_some() {}
        Some(forgotten)
    }

    pub(super) const fn len(&self) -> usize {
        self.open
    }

    /// The place of the packet that an event is of. Where all packets are as long as the first one, and none is
    /// missing, it is found at once.
    #[inline]
    fn place_of(&self, event: EventNumber) -> Option<usize> {
        let first = self.packets.front()?;
        let after = event.0.checked_sub(first.first.0)?;
        let is_of = |packet: &Packet| packet.first <= event && event < packet.end();
        let guess = usize::try_from(after / u64::from(first.events.max(1))).ok()?;
        if self.packets.get(guess).is_some_and(is_of) {
            return Some(guess);
        }
        let place = self.packets.partition_point(|packet| packet.first <= event).checked_sub(1)?;
        is_of(&self.packets[place]).then_some(place)
    }
}

impl Packet {
    fn open(&self) -> impl Iterator<Item = EventNumber> + '_ {
        let open = (0..self.events).filter(|place| !self.over.contains(*place));
        open.map(move |place| self.first.after(place.into()))
    }

    /// Whether an event of this packet is not over.
    #[inline]
    fn is_open(&self, event: EventNumber) -> bool {
        u16::try_from(event.0 - self.first.0).is_ok_and(|place| !self.over.contains(place))
    }

    fn is_over(&self) -> bool {
        self.over.len() == u32::from(self.events)
    }

    fn end(&self) -> EventNumber {
        self.first.after(self.events.into())
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

//! What the kernel counted at every queue of a lab.
//!
//! A packet that dies between two interfaces of a pair (the receiving core's backlog is full) is
//! counted three times by the kernel: as dropped on its way out here, on its way in there, and for
//! the core. The first is read, which has both receive modes of the driver (drivers/net/veth.c,
//! `veth_xmit`), and the second, which has only one of them, to tell the modes apart.

use std::collections::BTreeMap;
use std::io;

use incast_core::ledger::reading::{grown, grown_32};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcStats2};

use crate::layout::{CONTROL, Port, Wiring};
use crate::namespace::Namespace;

/// Counters of the queue on the way out of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Packets that left.
    pub packets: u64,
    /// Bytes that left, with their Ethernet headers.
    pub bytes: u64,
    /// Packets that the queue dropped. The kernel counts in 32 bits.
    pub dropped: u32,
    /// Packets that wait now.
    pub backlog: u32,
    /// Packets dropped behind the queue, on their way into the next interface.
    pub backlog_dropped: u64,
    /// Packets dropped on their way in: those of the above, of the other end, that a core's backlog had no
    /// room for; what died in the ring between them the other end counts alone.
    pub in_dropped: u64,
    /// Whether the interface is there at all.
    pub is_there: bool,
}

impl QueueCounters {
    /// What was counted since `earlier`; what waits now stays. Unknown when a counter went back, or when the
    /// interface is not there any more.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        (self.is_there && earlier.is_there).then_some(())?;
        Some(Self {
            packets: grown(self.packets, earlier.packets)?,
            bytes: grown(self.bytes, earlier.bytes)?,
            dropped: grown_32(self.dropped, earlier.dropped)?,
            backlog: self.backlog,
            backlog_dropped: grown(self.backlog_dropped, earlier.backlog_dropped)?,
            in_dropped: grown(self.in_dropped, earlier.in_dropped)?,
            is_there: true,
        })
    }
}

/// Counters of a cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CableCounters {
    /// Out of the near end, the host's.
    pub near: QueueCounters,
    /// Out of the switch's port.
    pub far: QueueCounters,
    /// The interfaces of the link in the middle: towards the near end, and towards the switch.
    pub middle: Option<[QueueCounters; 2]>,
}

/// Packets that died between the queues of a cable, one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// In the ring of a virtual pair (NAPI mode).
    pub ring: u64,
    /// In a core's backlog.
    pub backlog: u64,
}

impl CableCounters {
    /// What was counted since `earlier`; unknown when a counter went back, or an interface went away.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        let middle = match (&self.middle, &earlier.middle) {
            (Some([near, far]), Some(then)) => Some([near.since(&then[0])?, far.since(&then[1])?]),
            (None, None) => None,
            _ => return None,
        };
        Some(Self { near: self.near.since(&earlier.near)?, far: self.far.since(&earlier.far)?, middle })
    }

    /// What died on its way into the switch, and into the near end.
    #[must_use]
    pub fn between(&self) -> [Between; 2] {
        // The peers of the ends are each other, or the link's interfaces.
        let [near_peer, far_peer] = self.middle.unwrap_or([self.far, self.near]);
        let way = |sent: QueueCounters, came: QueueCounters| {
            let backlog = came.in_dropped.min(sent.backlog_dropped);
            Between { ring: sent.backlog_dropped - backlog, backlog }
        };
        let sum = |one: Between, other: Between| Between {
            ring: one.ring + other.ring,
            backlog: one.backlog + other.backlog,
        };
        let [into_switch, into_near] = [way(self.near, near_peer), way(self.far, far_peer)];
        match self.middle {
            None => [into_switch, into_near],
            Some([near, far]) => [sum(into_switch, way(far, self.far)), sum(into_near, way(near, self.near))],
        }
    }
}

/// Reads the counters of every cable.
///
/// Beside them: packets that died on the way from and to the hosts on the lab's own network, `control`.
pub(crate) fn read(
    places: &mut [Namespace],
    wirings: &[Wiring],
    control: usize,
) -> io::Result<(Vec<CableCounters>, u64)> {
    let mut of_place = Vec::with_capacity(places.len());
    for place in places.iter_mut() {
        of_place.push(read_place(place)?);
    }
    let of = |port: &Port| of_place[port.place].get(&port.index).copied().unwrap_or_default();
    let of_hosts = of_place[..control].iter().filter_map(|ports| ports.get(&CONTROL));
    let control_dropped = of_hosts.chain(of_place[control].values()).map(|port| port.backlog_dropped).sum();
    let cables = wirings
        .iter()
        .map(|wiring| CableCounters {
            near: of(&wiring.near),
            far: of(&wiring.far),
            middle: wiring.middle.as_ref().map(|ports| ports.each_ref().map(of)),
        })
        .collect();
    Ok((cables, control_dropped))
}

/// The counters of one namespace, by the index of the interface.
fn read_place(place: &mut Namespace) -> io::Result<BTreeMap<u32, QueueCounters>> {
    let mut all: BTreeMap<u32, QueueCounters> = BTreeMap::new();
    for answer in place.netlink.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))? {
        let RouteNetlinkMessage::NewLink(link) = answer else { continue };
        let counters = all.entry(link.header.index).or_default();
        counters.is_there = true;
        for attribute in link.attributes {
            if let LinkAttribute::Stats64(stats) = attribute {
                counters.packets = stats.tx_packets;
                counters.bytes = stats.tx_bytes;
                counters.backlog_dropped = stats.tx_dropped;
                counters.in_dropped = stats.rx_dropped;
            }
        }
    }
    for answer in place.netlink.dump(RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()))? {
        let RouteNetlinkMessage::NewQueueDiscipline(queue) = answer else { continue };
        if queue.header.parent != TcHandle::ROOT || queue.header.handle.major == 0 {
            continue;
        }
        let counters = all.entry(queue.header.index.cast_unsigned()).or_default();
        let statistics = queue.attributes.into_iter().filter_map(|attribute| match attribute {
            TcAttribute::Stats2(statistics) => Some(statistics),
            _ => None,
        });
        for statistic in statistics.flatten() {
            if let TcStats2::Queue(queue) = statistic {
                counters.dropped = queue.drops;
                counters.backlog = queue.qlen;
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(backlog_dropped: u64, in_dropped: u64) -> QueueCounters {
        QueueCounters { backlog_dropped, in_dropped, is_there: true, ..QueueCounters::default() }
    }

    #[test]
    fn what_both_ends_counted_died_in_the_backlog_and_the_rest_in_the_ring() {
        let plain = CableCounters { near: there(10, 3), far: there(3, 4), middle: None };
        let [into_switch, into_near] = plain.between();
        assert_eq!(into_switch, Between { ring: 6, backlog: 4 });
        assert_eq!(into_near, Between { ring: 0, backlog: 3 });
        let middle = Some([there(2, 10), there(5, 1)]);
        let linked = CableCounters { near: there(10, 0), far: there(1, 5), middle };
        assert_eq!(linked.between(), [Between { ring: 0, backlog: 15 }, Between { ring: 2, backlog: 1 }]);
    }

    #[test]
    fn an_interface_that_went_away_or_began_again_has_no_growth() {
        let (now, then) = (there(5, 0), there(2, 0));
        assert_eq!(now.since(&then).map(|grown| grown.backlog_dropped), Some(3));
        assert_eq!(then.since(&now), None, "it began again");
        assert_eq!(QueueCounters::default().since(&QueueCounters::default()), None, "it is not there");
        let around = |dropped| QueueCounters { dropped, ..there(0, 0) };
        assert_eq!(around(3).since(&around(u32::MAX)).map(|grown| grown.dropped), Some(4));
        assert_eq!(around(0).since(&around(7)), None, "the queue was replaced");
    }
}

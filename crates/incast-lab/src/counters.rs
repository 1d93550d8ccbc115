//! What the kernel counted at every queue of a lab.
//!
//! A packet that dies between two interfaces of a pair (the receiving core's backlog is full) is
//! counted three times by the kernel: as dropped on its way out here, on its way in there, and for
//! the core. Only the first is read, which has both receive modes of the driver
//! (drivers/net/veth.c, `veth_xmit`).

use std::collections::BTreeMap;
use std::io;

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
}

impl QueueCounters {
    /// What was counted since `earlier`; what waits now stays.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            // A counter that has come around has still counted.
            dropped: self.dropped.wrapping_sub(earlier.dropped),
            backlog: self.backlog,
            backlog_dropped: self.backlog_dropped.saturating_sub(earlier.backlog_dropped),
        }
    }
}

/// Counters of a cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CableCounters {
    /// Out of the near end, the host's.
    pub near: QueueCounters,
    /// Out of the switch's port.
    pub far: QueueCounters,
    /// Packets that the link in the middle sent and that died on their way into the near end and into the switch.
    pub link_dropped: [u64; 2],
}

impl CableCounters {
    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let link = |way: usize| self.link_dropped[way].saturating_sub(earlier.link_dropped[way]);
        Self {
            near: self.near.since(&earlier.near),
            far: self.far.since(&earlier.far),
            link_dropped: [link(0), link(1)],
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
            link_dropped: wiring
                .middle
                .as_ref()
                .map_or([0; 2], |ports| ports.each_ref().map(|port| of(port).backlog_dropped)),
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
        for attribute in link.attributes {
            if let LinkAttribute::Stats64(stats) = attribute {
                counters.packets = stats.tx_packets;
                counters.bytes = stats.tx_bytes;
                counters.backlog_dropped = stats.tx_dropped;
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

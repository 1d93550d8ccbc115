//! What a host's counters said at one moment, and how far they have come since another.
//!
//! Pure: whoever reads the kernel fills a [`HostReading`]; two of them make a [`HostBook`]. A counter
//! that went back, or whose device is not the one it was, has no growth: it is named as a doubt, and
//! its stage is uncertain. 32-bit counters may come around once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::LedgerSource;

/// Counters of one network namespace of one host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostReading {
    /// Name of the host, for people.
    pub host: String,
    /// Which namespace of which boot of which machine: readings with the same one count the same packets.
    pub identity: String,
    /// When, by a clock of that host that never steps, nanoseconds.
    pub at_ns: u64,
    /// The network layers' own counters: `Udp.RcvbufErrors`.
    pub counters: BTreeMap<String, u64>,
    /// Devices by their index.
    pub devices: BTreeMap<u32, Device>,
    /// Packets dropped because a core's backlog was full, all cores and namespaces (`softnet_stat`).
    pub softnet_dropped: Option<u64>,
    /// Packets that a neighbour's full queue or a full table of neighbours threw away, all namespaces (`arp_cache`).
    pub neighbours_discarded: Option<u64>,
    /// What the drop trace has seen in this namespace.
    pub traced: Option<Vec<Traced>>,
    /// Drops that the trace saw and could not name, of the whole machine.
    pub traced_missed: u64,
    /// What was read, and what could not be.
    pub sources: Vec<LedgerSource>,
}

/// Counters of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its driver; empty when it does not say.
    pub driver: String,
    /// Its number in its namespace.
    pub index: u32,
    /// Of a virtual pair, the number of the other end in its namespace; 0 when there is none.
    pub peer: u32,
    /// Dropped by the queue on the way out; 32 bits in the kernel.
    pub queue_dropped: Option<u32>,
    /// Dropped behind the queue on the way out; of a virtual pair, at its other end.
    pub out_dropped: u64,
    /// Could not be sent.
    pub out_errors: u64,
    /// Dropped on the way in by the kernel, and by some drivers.
    pub in_dropped: u64,
    /// No room in the card.
    pub in_missed: u64,
    /// Came damaged.
    pub in_damaged: u64,
    /// Dropped on the way in, by the driver's own names.
    pub driver_dropped: BTreeMap<String, u64>,
}

/// Packets that died at one place for one reason, as the drop trace saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traced {
    /// Index of the device; 0 when it is not known.
    pub device: u32,
    /// The kernel's reason: `NEIGH_FAILED`.
    pub reason: String,
    /// The function that dropped it.
    pub function: String,
    /// Protocol of the IPv4 header; 0 for others.
    pub protocol: u8,
    /// Whether it was a piece of a datagram.
    pub fragment: bool,
    /// How many.
    pub packets: u64,
}

/// What the counters of one host grew by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostBook {
    /// Name of the host.
    pub host: String,
    /// As of the readings.
    pub identity: String,
    /// Between the readings.
    pub duration_ns: u64,
    /// As of the readings; a counter whose growth is not known is missing.
    pub counters: BTreeMap<String, u64>,
    /// Devices that were there all the time.
    pub devices: Vec<Device>,
    /// As of the readings.
    pub softnet_dropped: Option<u64>,
    /// As of the readings.
    pub neighbours_discarded: Option<u64>,
    /// As of the readings.
    pub traced: Option<Vec<Traced>>,
    /// What was read.
    pub sources: Vec<LedgerSource>,
    /// Counters that went back, devices that went away: a sentence each.
    pub doubts: Vec<String>,
}

/// The counters of which the books are made; they only grow.
pub const COUNTERS: [(&str, &str); 32] = [
    ("Udp", "OutDatagrams"),
    ("Udp", "SndbufErrors"),
    ("Udp", "InDatagrams"),
    ("Udp", "InErrors"),
    ("Udp", "RcvbufErrors"),
    ("Udp", "InCsumErrors"),
    ("Udp", "MemErrors"),
    ("Udp", "NoPorts"),
    ("Udp6", "OutDatagrams"),
    ("Udp6", "InDatagrams"),
    ("Udp6", "InErrors"),
    ("Udp6", "RcvbufErrors"),
    ("Udp6", "InCsumErrors"),
    ("Udp6", "MemErrors"),
    ("Udp6", "NoPorts"),
    ("Ip", "InReceives"),
    ("Ip", "InDelivers"),
    ("Ip", "ForwDatagrams"),
    ("Ip", "InHdrErrors"),
    ("Ip", "InAddrErrors"),
    ("Ip", "InUnknownProtos"),
    ("Ip", "InDiscards"),
    ("IpExt", "InTruncatedPkts"),
    ("Ip", "FragOKs"),
    ("Ip", "FragCreates"),
    ("Ip", "ReasmReqds"),
    ("Ip", "ReasmOKs"),
    ("Tcp", "OutSegs"),
    ("Tcp", "RetransSegs"),
    ("Tcp", "InSegs"),
    ("Icmp", "OutMsgs"),
    ("Icmp", "InMsgs"),
];

/// Growth of a counter of 64 bits; unknown when it went back.
#[must_use]
pub const fn grown(now: u64, then: u64) -> Option<u64> {
    now.checked_sub(then)
}

/// Growth of a counter of 32 bits, which may have come around; unknown when it went back.
///
/// Half of its range cannot be dropped between two readings that are days apart at most, and a
/// counter that begins again looks as if it had.
#[must_use]
pub const fn grown_32(now: u32, then: u32) -> Option<u32> {
    let growth = now.wrapping_sub(then);
    if growth < 1 << 31 { Some(growth) } else { None }
}

impl HostReading {
    /// The same, as of the host of that name.
    #[must_use]
    pub fn of(mut self, host: &str) -> Self {
        self.host = host.into();
        for source in &mut self.sources {
            source.host = host.into();
        }
        self
    }

    /// What happened since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> HostBook {
        let mut doubts = Vec::new();
        let mut counters = BTreeMap::new();
        for (name, then) in &earlier.counters {
            match self.counters.get(name).and_then(|now| grown(*now, *then)) {
                Some(growth) => drop(counters.insert(name.clone(), growth)),
                None => doubts.push(format!("the counter {name} of {} went back", self.host)),
            }
        }
        let mut devices = Vec::new();
        for (index, then) in &earlier.devices {
            let now =
                self.devices.get(index).filter(|now| now.name == then.name && now.driver == then.driver);
            match now.map(|now| now.since(then)) {
                Some(Some(growth)) => devices.push(growth),
                Some(None) => doubts.push(format!(
                    "a counter of {} of {} went back: it was reset, or is another device or queue",
                    then.name, self.host
                )),
                None => doubts.push(format!("the device {} of {} went away", then.name, self.host)),
            }
        }
        for device in self.devices.iter().filter(|(index, _)| !earlier.devices.contains_key(*index)) {
            doubts.push(format!("the device {} of {} is new", device.1.name, self.host));
        }
        let traced = self.traced.as_ref().zip(earlier.traced.as_ref());
        let traced = traced.map(|(now, then)| traced_since(now, then));
        let missed = self.traced_missed.saturating_sub(earlier.traced_missed);
        if missed > 0 {
            doubts.push(format!("the drop trace of {} could not name {missed} packets", self.host));
        }
        let both =
            |now: Option<u64>, then: Option<u64>| now.zip(then).and_then(|(now, then)| grown(now, then));
        HostBook {
            host: self.host.clone(),
            identity: self.identity.clone(),
            duration_ns: self.at_ns.saturating_sub(earlier.at_ns),
            counters,
            devices,
            softnet_dropped: both(self.softnet_dropped, earlier.softnet_dropped),
            neighbours_discarded: both(self.neighbours_discarded, earlier.neighbours_discarded),
            traced,
            sources: self.sources.clone(),
            doubts,
        }
    }
}

impl HostBook {
    /// The same, as of the host of that name.
    #[must_use]
    pub fn of(mut self, host: &str) -> Self {
        self.host = host.into();
        for source in &mut self.sources {
            source.host = host.into();
        }
        self
    }

    /// Whether it can be a book at all: a peer may tell anything.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let traced = self.traced.as_ref().map_or(0, Vec::len);
        let lists = [self.devices.len(), self.counters.len(), self.sources.len(), self.doubts.len(), traced];
        let of_drivers = self.devices.iter().map(|device| device.driver_dropped.len()).max().unwrap_or(0);
        let names = self.devices.iter().map(|device| device.name.len().max(device.driver.len()));
        let words = self.sources.iter().map(|source| source.why.as_ref().map_or(0, String::len));
        let longest = names.chain(words).chain(self.doubts.iter().map(String::len)).max().unwrap_or(0);
        let counts = self.counters.values().copied().chain(self.devices.iter().flat_map(Device::counts));
        let traced = self.traced.iter().flatten().map(|traced| traced.packets);
        lists.into_iter().chain([of_drivers]).all(|entries| entries <= ENTRIES_MAX)
            && longest <= WORDS_BYTES_MAX
            && counts
                .chain(self.softnet_dropped)
                .chain(self.neighbours_discarded)
                .chain(traced)
                .all(|count| count <= COUNT_MAX)
    }
}

/// Most devices, counters, sources or doubts of a host that are believed.
const ENTRIES_MAX: usize = 4_096;
/// Longest words of a host about itself that are believed.
const WORDS_BYTES_MAX: usize = 1_024;
/// Most packets that are believed: 10^15 are 30 years of a full 1 Mpacket/s.
const COUNT_MAX: u64 = 1_000_000_000_000_000;

impl Device {
    fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        let own = [self.out_dropped, self.out_errors, self.in_dropped, self.in_missed, self.in_damaged];
        own.into_iter().chain(self.driver_dropped.values().copied())
    }

    /// What was counted since `earlier`; unknown when anything went back.
    fn since(&self, earlier: &Self) -> Option<Self> {
        let queue_dropped = match (self.queue_dropped, earlier.queue_dropped) {
            (Some(now), Some(then)) => Some(grown_32(now, then)?),
            _ => None,
        };
        // A name that is new to the driver began at 0.
        let driver = self.driver_dropped.iter().map(|(name, now)| {
            let then = earlier.driver_dropped.get(name).copied().unwrap_or(0);
            Some((name.clone(), grown(*now, then)?))
        });
        Some(Self {
            name: self.name.clone(),
            driver: self.driver.clone(),
            index: self.index,
            peer: self.peer,
            queue_dropped,
            out_dropped: grown(self.out_dropped, earlier.out_dropped)?,
            out_errors: grown(self.out_errors, earlier.out_errors)?,
            in_dropped: grown(self.in_dropped, earlier.in_dropped)?,
            in_missed: grown(self.in_missed, earlier.in_missed)?,
            in_damaged: grown(self.in_damaged, earlier.in_damaged)?,
            driver_dropped: driver.collect::<Option<_>>()?,
        })
    }

    /// Packets that the driver dropped on the way in. A driver tells the same loss of each queue and
    /// of all together: the larger of both sums is the loss.
    #[must_use]
    pub fn driver_losses(&self) -> u64 {
        let sum = |of_queues: bool| {
            let all = self.driver_dropped.iter();
            let some =
                all.filter(move |(name, _)| name.bytes().any(|byte| byte.is_ascii_digit()) == of_queues);
            some.map(|(_, packets)| *packets)
        };
        sum(true).fold(0, u64::saturating_add).max(sum(false).max().unwrap_or(0))
    }
}

fn traced_since(now: &[Traced], then: &[Traced]) -> Vec<Traced> {
    let before = |place: &Traced| {
        let same = then.iter().find(|other| Traced { packets: place.packets, ..(*other).clone() } == *place);
        same.map_or(0, |other| other.packets)
    };
    let growth = now
        .iter()
        .map(|place| Traced { packets: place.packets.saturating_sub(before(place)), ..place.clone() });
    growth.filter(|place| place.packets > 0).collect()
}

/// Packets that came to the IP layer and were given to nobody there: a packet filter took them, or
/// there was no way on for them.
///
/// `InReceives` counts before the first hook of the packet filter, `InDelivers` behind the last (Linux
/// v6.8 net/ipv4/ip_input.c); all others that do not come so far have a counter of their own. `of`
/// tells the growth of a counter of a protocol, 0 where there is none.
#[must_use]
pub fn firewall_drops(of: impl Fn(&str, &str) -> u64) -> u64 {
    let named = [
        of("Ip", "InDelivers"),
        of("Ip", "ForwDatagrams"),
        of("Ip", "InHdrErrors"),
        of("Ip", "InAddrErrors"),
        of("Ip", "InUnknownProtos"),
        of("Ip", "InDiscards"),
        of("IpExt", "InTruncatedPkts"),
        // Pieces that became no datagram, or one for several.
        of("Ip", "ReasmReqds").saturating_sub(of("Ip", "ReasmOKs")),
    ];
    named.into_iter().fold(of("Ip", "InReceives"), u64::saturating_sub)
}

/// What the drop trace knows: whole datagrams of UDP that died waiting for a neighbour, and all packets.
#[must_use]
pub fn neighbour_drops(traced: &[Traced]) -> (u64, u64) {
    let here = || traced.iter().filter(|place| place.reason.starts_with("NEIGH_"));
    let datagrams =
        here().filter(|place| place.protocol == UDP && !place.fragment).map(|place| place.packets).sum();
    let all = here().filter(|place| place.protocol != 0).map(|place| place.packets).sum();
    (datagrams, all)
}

/// Those of them that a neighbour's full queue threw away, which the kernel counts as well: of all namespaces.
#[must_use]
pub fn neighbour_discards(traced: &[Traced]) -> u64 {
    let here = traced.iter().filter(|place| DISCARDED.contains(&place.reason.as_str()));
    here.map(|place| place.packets).sum()
}

/// Reasons of drops that are in `unresolved_discards` and `table_fulls` of `arp_cache` (Linux v6.8
/// `net/core/neighbour.c`, `__neigh_event_send`; `net/ipv4/ip_output.c`, `ip_finish_output2`).
const DISCARDED: [&str; 2] = ["NEIGH_QUEUEFULL", "NEIGH_CREATEFAIL"];

/// Protocol number of UDP.
pub(super) const UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(counters: &[(&str, u64)], devices: &[(u32, Device)]) -> HostReading {
        HostReading {
            host: "x".into(),
            counters: counters.iter().map(|(name, value)| ((*name).into(), *value)).collect(),
            devices: devices.iter().cloned().collect(),
            ..HostReading::default()
        }
    }

    fn eth0(in_dropped: u64, queue_dropped: u32) -> Device {
        Device { name: "eth0".into(), in_dropped, queue_dropped: Some(queue_dropped), ..Device::default() }
    }

    #[test]
    fn a_counter_that_went_back_has_no_growth_and_is_named() {
        let then = reading(&[("Udp.InErrors", 10), ("Udp.NoPorts", 1)], &[]);
        let book = reading(&[("Udp.InErrors", 4), ("Udp.NoPorts", 3)], &[]).since(&then);
        assert_eq!(book.counters.into_iter().collect::<Vec<_>>(), [("Udp.NoPorts".to_owned(), 2)]);
        assert_eq!(book.doubts, ["the counter Udp.InErrors of x went back"]);
    }

    #[test]
    fn a_narrow_counter_may_come_around_and_one_that_begins_again_is_unknown() {
        assert_eq!(grown_32(5, u32::MAX - 4), Some(10));
        assert_eq!(grown_32(0, 5), None, "a queue was replaced");
        assert_eq!(grown_32(7, 7), Some(0));
        let then = reading(&[], &[(2, eth0(0, u32::MAX))]);
        assert_eq!(reading(&[], &[(2, eth0(0, 1))]).since(&then).devices[0].queue_dropped, Some(2));
        let book = reading(&[], &[(2, eth0(0, 1))]).since(&reading(&[], &[(2, eth0(0, 9))]));
        assert!(book.devices.is_empty() && book.doubts[0].contains("eth0 of x went back"), "{book:?}");
    }

    #[test]
    fn a_device_that_vanished_or_was_replaced_has_no_growth() {
        let then = reading(&[], &[(2, eth0(100, 0))]);
        let gone = reading(&[], &[]).since(&then);
        assert_eq!((gone.devices, gone.doubts), (vec![], vec!["the device eth0 of x went away".into()]));
        let other = reading(&[], &[(3, eth0(5, 0))]).since(&then);
        assert!(other.devices.is_empty() && other.doubts.len() == 2, "{other:?}");
        let reset = reading(&[], &[(2, eth0(5, 0))]).since(&then);
        assert!(reset.devices.is_empty() && reset.doubts.len() == 1, "{reset:?}");
    }

    #[test]
    fn a_driver_that_tells_a_loss_twice_lost_it_once() {
        let named = |names: &[(&str, u64)]| Device {
            driver_dropped: names.iter().map(|(name, count)| ((*name).into(), *count)).collect(),
            ..Device::default()
        };
        let twice =
            named(&[("rx_queue_0_drops", 3), ("rx_queue_1_drops", 4), ("rx_dropped", 7), ("rx_missed", 2)]);
        assert_eq!(twice.driver_losses(), 7);
        assert_eq!(named(&[]).driver_losses(), 0);
    }

    #[test]
    fn what_the_ip_layer_gave_to_nobody_died_in_the_packet_filter() {
        // 1000 packets came: 600 in pieces of which 90 datagrams became whole, 30 wrong, 20 dropped.
        let of = |protocol: &str, name: &str| match (protocol, name) {
            ("Ip", "InReceives") => 1000,
            ("Ip", "InHdrErrors") => 30,
            ("Ip", "ReasmReqds") => 600,
            ("Ip", "ReasmOKs") => 90,
            ("Ip", "InDelivers") => 440,
            _ => 0,
        };
        assert_eq!(firewall_drops(of), 20);
        assert_eq!(firewall_drops(|_, _| 0), 0);
    }

    #[test]
    fn what_the_trace_saw_before_is_taken_off() {
        let at = |reason: &str, protocol, packets| Traced {
            reason: reason.into(),
            protocol,
            packets,
            ..Traced::default()
        };
        let traced = |places: Vec<Traced>| HostReading { traced: Some(places), ..HostReading::default() };
        let then = traced(vec![at("NEIGH_FAILED", 17, 4), at("OTHER", 17, 1)]);
        let now = traced(vec![at("NEIGH_FAILED", 17, 10), at("NEIGH_QUEUEFULL", 6, 3), at("OTHER", 17, 1)]);
        let book = now.since(&then);
        let places = book.traced.unwrap();
        assert_eq!(places, [at("NEIGH_FAILED", 17, 6), at("NEIGH_QUEUEFULL", 6, 3)]);
        assert_eq!(neighbour_drops(&places), (6, 9));
    }
}

//! What the drop trace saw in a lab: which of the packets that a queue dropped were datagrams, and what
//! died where no counter is.
//!
//! The trace corroborates the counters and fills the stages that have none. Where it and a counter of the
//! same place differ, the counter stands.

use incast_core::ledger::reading::{Traced, neighbour_drops};
use incast_core::ledger::stage;
use incast_core::record::LedgerSource;
use incast_core::scenario::Scenario;
use incast_host::drops::Counted;
use incast_lab::Lab;

use super::books::Places;
use crate::drop_trace::{Tracer, in_namespace};

/// What was seen while a run lasted.
pub(super) struct Witness {
    /// Of each host of the scenario, by its name.
    hosts: Vec<(String, Vec<Traced>)>,
    /// Of each switch.
    switches: Vec<(String, Vec<Traced>)>,
    /// Of each cable's ends: packets dropped by the queue, and datagrams among them.
    queues: Vec<[Option<(u64, u64)>; 2]>,
    missed: u64,
    source: LedgerSource,
}

impl Witness {
    /// What the trace saw of this lab since `before`; nothing without a trace.
    pub(super) fn hear(
        tracer: &mut Tracer,
        before: Option<&Counted>,
        lab: &Lab,
        scenario: &Scenario,
    ) -> anyhow::Result<Self> {
        let seen = tracer.read().zip(before).map(|(now, before)| now.since(before));
        let mut all = Self {
            hosts: Vec::new(),
            switches: Vec::new(),
            queues: Vec::new(),
            missed: 0,
            source: tracer.source(""),
        };
        let Some(seen) = seen else { return Ok(all) };
        all.missed = seen.missed;
        for (index, host) in scenario.hosts.iter().enumerate() {
            let here = in_namespace(&seen, lab.host_namespace(index).number()?);
            all.hosts.push((host.name.clone(), here));
        }
        let plan = scenario.network.as_ref();
        let names = plan.iter().flat_map(|plan| &plan.switches).map(|switch| switch.name.clone());
        for (name, namespace) in names.zip(lab.switch_namespaces()) {
            all.switches.push((name, in_namespace(&seen, namespace.number()?)));
        }
        for cable in 0..plan.map_or(0, |plan| plan.cables.len()) {
            let ends = lab.cable_ends(cable)?;
            all.queues.push(ends.map(|(namespace, device)| Some(queue_drops(&seen, namespace, device))));
        }
        Ok(all)
    }

    /// What the queue at an end of a cable dropped: packets, and datagrams among them.
    pub(super) fn datagrams(&self, cable: usize, end: usize) -> Option<(u64, u64)> {
        self.queues.get(cable).and_then(|ends| *ends.get(end)?)
    }

    /// Adds the places that only the trace knows.
    pub(super) fn add(&self, places: &mut Places) {
        for (host, seen) in &self.hosts {
            let (datagrams, all) = neighbour_drops(seen);
            places.add_told(stage::NEIGHBOUR, &format!("neighbours of {host}"), all, Some(datagrams));
        }
        for (switch, seen) in &self.switches {
            let filtered = |place: &&Traced| FILTERS.contains(&place.reason.as_str()) && place.protocol != 0;
            let packets = |of: fn(&Traced) -> bool| {
                seen.iter().filter(filtered).filter(|place| of(place)).map(|place| place.packets).sum::<u64>()
            };
            let (all, datagrams) =
                (packets(|_| true), packets(|place| place.protocol == UDP && !place.fragment));
            if all > 0 {
                let place = format!("packet filter of {switch}");
                places.add_told(stage::FIREWALL, &place, all, Some(datagrams));
            }
        }
        if self.missed > 0 {
            places.doubts.push(format!("the drop trace could not name {} packets", self.missed));
        }
    }

    /// Which counters of a lab are read.
    pub(super) fn sources(&self) -> Vec<LedgerSource> {
        let read = |name: &str| LedgerSource { name: name.into(), read: true, ..LedgerSource::default() };
        let softnet = LedgerSource {
            name: "softnet".into(),
            read: false,
            why: Some(
                "cores are shared by all namespaces; both ends of each cable count the same drops".into(),
            ),
            ..LedgerSource::default()
        };
        vec![read("snmp"), read("devices"), softnet, self.source.clone()]
    }
}

/// What the trace saw at the queue of a device: packets, and whole datagrams among them.
fn queue_drops(seen: &Counted, namespace: u64, device: u32) -> (u64, u64) {
    let here = seen.packets.iter().filter(|(place, _)| {
        u64::from(place.namespace) == namespace && place.device == device && place.reason.starts_with("QDISC")
    });
    here.fold((0, 0), |(all, datagrams), (place, packets)| {
        (all + packets, datagrams + if place.protocol == UDP && !place.fragment { *packets } else { 0 })
    })
}

/// Reasons of packet filters: netfilter, and programs at the traffic control hooks.
const FILTERS: [&str; 3] = ["NETFILTER_DROP", "TC_INGRESS", "TC_EGRESS"];
/// Protocol number of UDP.
const UDP: u8 = 17;

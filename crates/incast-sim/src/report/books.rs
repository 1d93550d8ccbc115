//! The ledger of losses, and the network with its queues: as in a lab, but nothing has to be inferred here.

use std::collections::BTreeMap;

use incast_core::record::{Ledger, LinkReport, LossStage, Network, PacketAccount, QueueReport};
use incast_core::scenario::Scenario;

use crate::fabric::{Died, FabricPlan, LinkSpec, QueueCounts, Why};
use crate::host::HostStage;
use crate::stack::grave::{Grave, HostGrave};
use crate::stack::topology::Topology;
use crate::stack::{HostReport, StackCounts};
use crate::world::flows::FlowResult;

/// Stages along the path.
const STAGES: [&str; 7] =
    ["host_queue", "link", "switch_port", "receiver_ring", "receiver_backlog", "reassembly", "socket_buffer"];

/// The second book of the losses: every message by the place where it died.
///
/// `deaths` is every packet that died, by its grave.
#[must_use]
pub fn ledger(
    flows: &[FlowResult],
    deaths: &BTreeMap<Grave, Died>,
    counts: &StackCounts,
    copies: u64,
    plan: &FabricPlan,
    hosts: &[String],
) -> Ledger {
    let datagrams =
        || flows.iter().filter(|flow| flow.identity.transport == incast_core::load::Transport::Udp);
    let has_datagrams = datagrams().next().is_some();
    let sent = datagrams().map(|flow| flow.sent.messages()).sum::<u64>();
    let delivered = datagrams().map(|flow| flow.measured.counts.unique).sum::<u64>();
    let mut messages: BTreeMap<Grave, u64> = BTreeMap::new();
    for (grave, count) in datagrams().flat_map(|flow| &flow.graves) {
        *messages.entry(*grave).or_default() += count;
    }
    let mut stages = Vec::new();
    for stage in STAGES {
        let mut places: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (grave, died) in deaths.iter().filter(|(grave, _)| grave.stage(plan) == stage) {
            places.entry(grave.place(plan, hosts)).or_default().0 += died.packets;
        }
        for (grave, count) in messages.iter().filter(|(grave, _)| grave.stage(plan) == stage) {
            places.entry(grave.place(plan, hosts)).or_default().1 += count;
        }
        if places.is_empty() {
            stages.push(LossStage { stage: stage.into(), place: "all".into(), packets: 0, messages: 0 });
        }
        for (place, (packets, messages)) in places {
            stages.push(LossStage { stage: stage.into(), place, packets, messages });
        }
    }
    let kinds = [("udp", counts.whole), ("udp fragments", counts.fragments), ("tcp", counts.connections)];
    let packets: Vec<PacketAccount> = kinds
        .into_iter()
        .filter(|(_, (sent, received))| sent + received > 0)
        .map(|(kind, (sent, received))| PacketAccount { kind: kind.into(), sent, received })
        .collect();
    let missing: i64 = packets.iter().map(|account| signed(account.sent) - signed(account.received)).sum();
    let died: u64 = deaths.values().map(|died| died.packets).sum();
    let at_stages: u64 = stages.iter().map(|stage| stage.messages).sum();
    Ledger {
        sent: has_datagrams.then_some(sent),
        delivered: has_datagrams.then_some(delivered),
        stages,
        unexplained: has_datagrams.then_some(signed(sent) - signed(delivered) - signed(at_stages)),
        packets,
        unexplained_packets: Some(missing + signed(copies) - signed(died)),
        // Nothing has to be read: every death was seen.
        sources: Vec::new(),
    }
}

/// The network as it is described, with what its queues and links counted.
#[must_use]
pub fn network(scenario: &Scenario, topology: &Topology, counts: &[QueueCounts]) -> Option<Network> {
    let mut network = scenario.describe_network()?;
    for (cable, links) in network.cables.iter_mut().zip(&topology.cables) {
        for link in links {
            let (spec, counts) = (&topology.fabric.links[link.0 as usize], &counts[link.0 as usize]);
            cable.queues.push(queue(spec, counts));
            if spec.path.is_some() || spec.bit_errors > 0.0 || !counts.lost.is_empty() {
                cable.links.push(way(spec, counts));
            }
        }
    }
    Some(network)
}

fn queue(spec: &LinkSpec, counts: &QueueCounts) -> QueueReport {
    QueueReport {
        place: spec.place.clone(),
        packets: counts.forwarded_packets,
        bytes: counts.forwarded_bytes,
        dropped_packets: counts.dropped.iter().map(|(_, died)| died.packets).sum(),
        backlog_packets: counts.queued_packets,
        backlog_dropped_packets: 0,
    }
}

fn way(spec: &LinkSpec, counts: &QueueCounts) -> LinkReport {
    let lost = |of: fn(Why) -> bool| {
        counts.lost.iter().filter(|(why, _)| of(*why)).map(|(_, died)| died.packets).sum::<u64>()
    };
    let (on_purpose, otherwise) = (lost(|why| why == Why::Loss), lost(|why| why != Why::Loss));
    LinkReport {
        way: spec.way.clone(),
        packets: counts.forwarded_packets,
        forwarded_packets: counts.forwarded_packets + counts.copied_packets - on_purpose - otherwise,
        lost_packets: on_purpose,
        duplicated_packets: counts.copied_packets,
        dropped_packets: otherwise,
        ..LinkReport::default()
    }
}

/// Where packets died in the fabric, from its counts.
#[must_use]
pub fn deaths(counts: &[QueueCounts]) -> BTreeMap<Grave, Died> {
    let mut deaths = BTreeMap::new();
    for (number, counts) in (0..).zip(counts) {
        for (why, died) in counts.dropped.iter().chain(&counts.lost) {
            deaths.insert(Grave::Link(crate::fabric::LinkId(number), *why), *died);
        }
    }
    deaths
}

/// Adds where packets died in hosts.
pub fn add_deaths_in_hosts(deaths: &mut BTreeMap<Grave, Died>, hosts: &[HostReport]) {
    for report in hosts {
        let stages = [(&report.counts.ring, HostStage::Ring), (&report.counts.backlog, HostStage::Backlog)];
        for (counts, stage) in stages {
            for (why, died) in &counts.dropped {
                deaths.insert(Grave::Host(report.host, HostGrave::of(stage, *why)), *died);
            }
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

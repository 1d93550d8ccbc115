//! What formulas say of the same scenario, to be held beside the simulation: a fluid that meets at the ports of
//! receivers, and the mean wait of Poisson arrivals.
//!
//! Only for datagrams, which do not answer to congestion. A disagreement is a question, not a fault: the formulas
//! know no packets, no phases and no buffers.

use std::collections::BTreeMap;

use incast_core::flood::assemble::frames;
use incast_core::load::{Spacing, Transport};
use incast_core::record::Estimate;
use incast_core::scenario::{FlowPlan, Scenario};

use crate::courier::HostIndex;
use crate::fabric::{LinkId, QueueCounts};
use crate::stack::topology::Topology;
use crate::world::flows::FlowResult;

/// What meets at one port.
#[derive(Clone, Debug, Default)]
struct Meeting {
    /// Bytes a second on the wire.
    offered: f64,
    /// Bytes on the wire of each flow's message.
    message_bytes: Vec<f64>,
    all_poisson: bool,
    has_streams: bool,
    flows: Vec<usize>,
}

/// The figures by formula, beside those of the simulation.
#[must_use]
pub fn estimates(
    scenario: &Scenario,
    topology: &Topology,
    results: &[FlowResult],
    queues: &[QueueCounts],
) -> Vec<Estimate> {
    let mut meetings: BTreeMap<LinkId, Meeting> = BTreeMap::new();
    for (index, flow) in scenario.flows.iter().enumerate() {
        let Some((port, offered)) = last_port(scenario, topology, flow) else { continue };
        let meeting =
            meetings.entry(port).or_insert_with(|| Meeting { all_poisson: true, ..Meeting::default() });
        let mtu = scenario.mtu_of(flow);
        meeting.offered += offered;
        meeting.message_bytes.push(frames(flow.transport, &flow.raw, flow.message_bytes, mtu).1);
        meeting.all_poisson &= flow.spacing == Spacing::Poisson && flow.load.bits_per_s(1).is_some();
        meeting.has_streams |= flow.transport == Transport::Tcp;
        meeting.flows.push(index);
    }
    let mut found = Vec::new();
    for (port, meeting) in meetings.iter().filter(|(_, meeting)| !meeting.has_streams) {
        let spec = &topology.fabric.links[port.0 as usize];
        let megabyte = spec.byte_time.span(1_000_000).as_s_f64();
        if megabyte <= 0.0 {
            continue;
        }
        let utilisation = meeting.offered * megabyte / 1e6;
        let lost = || {
            let sum = |of: fn(&FlowResult) -> u64| {
                meeting.flows.iter().map(|index| of(&results[*index])).sum::<u64>()
            };
            let sent = sum(|flow| flow.sent.messages());
            incast_core::stats::ratio(sum(|flow| flow.measured.counts.lost), sent)
        };
        if utilisation > 1.0 {
            found.push(estimate(
                format!("lost fraction at the {}", spec.place),
                "a fluid: 1 - rate of the port / what is offered to it",
                1.0 - 1.0 / utilisation,
                lost(),
            ));
        } else if meeting.all_poisson && alike(&meeting.message_bytes) {
            let service_us = meeting.message_bytes[0] * megabyte;
            let counts = &queues[port.0 as usize];
            #[expect(clippy::cast_precision_loss, reason = "for people: 53 bits are enough")]
            let mean_us = counts.wait_sum_ps as f64 / counts.forwarded_packets.max(1) as f64 / 1e6;
            found.push(estimate(
                format!("mean wait at the {}, us", spec.place),
                "M/D/1: rho / (2 (1 - rho)) of the time that a message takes",
                utilisation / (2.0 * (1.0 - utilisation)) * service_us,
                Some(mean_us),
            ));
        }
    }
    found
}

/// The port towards the receiver of a flow, and the bytes a second on the wire that the flow brings there.
fn last_port(scenario: &Scenario, topology: &Topology, flow: &FlowPlan) -> Option<(LinkId, f64)> {
    let host = |name: &str| {
        let index = scenario.hosts.iter().position(|host| host.name == name)?;
        Some(HostIndex(u32::try_from(index).ok()?))
    };
    let (from, to) = (host(&flow.from)?, host(&flow.to)?);
    let (near, far) = (topology.nic_of(from, flow.network)?, topology.nic_of(to, flow.network)?);
    if from == to || topology.is_assumed {
        return None;
    }
    let way = |link: &crate::fabric::LinkSpec| link.to == crate::fabric::End::Nic(far);
    let port = topology.fabric.links.iter().position(way)?;
    let (_, wire_bytes) = frames(flow.transport, &flow.raw, flow.message_bytes, scenario.mtu_of(flow));
    let own = flow.load.interval(flow.message_bytes).map(|interval| {
        #[expect(clippy::cast_precision_loss, reason = "for people: 53 bits are enough")]
        let messages_per_s = interval.messages as f64 / (interval.picoseconds as f64 / 1e12);
        messages_per_s * wire_bytes
    });
    // As much as its cable carries, shared with the host's other flows.
    let cable = &topology.fabric.links[topology.fabric.nics[near.0 as usize].0 as usize];
    let megabyte = cable.byte_time.span(1_000_000).as_s_f64();
    let sharing =
        scenario.flows.iter().filter(|other| other.from == flow.from && other.network == flow.network);
    #[expect(clippy::cast_precision_loss, reason = "a number of flows")]
    let share = (megabyte > 0.0).then(|| 1e6 / megabyte / sharing.count().max(1) as f64);
    let offered = match (own, share) {
        (Some(own), Some(share)) => own.min(share),
        (own, share) => own.or(share)?,
    };
    Some((LinkId(u32::try_from(port).ok()?), offered))
}

fn alike(sizes: &[f64]) -> bool {
    sizes.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.5)
}

fn estimate(name: String, source: &str, estimated: f64, simulated: Option<f64>) -> Estimate {
    let disagreement = simulated.filter(|_| estimated > 0.0).map(|simulated| simulated / estimated - 1.0);
    Estimate { name, source: source.into(), estimated, simulated, disagreement }
}

//! The network of a scenario as the record shows it, and what its flows ask of whoever carries it.

use super::model::{FlowPlan, Scenario};
use super::model_network::{CableEnd, CablePlan, NetworkPlan, WhenFull};
use crate::flood::assemble::{ETHERNET_MTU, frames};
use crate::load::Transport;
use crate::record::{Impairment, Network, NetworkCable, NetworkHost, NetworkSwitch};
use crate::time::Span;
use crate::units::BitRate;

impl Scenario {
    /// The network as planned, for the record; `None` when the file describes none.
    #[must_use]
    pub fn describe_network(&self) -> Option<Network> {
        let network = self.network.as_ref()?;
        let mut hosts: Vec<NetworkHost> = self
            .hosts
            .iter()
            .map(|host| NetworkHost { name: host.name.clone(), addresses: Vec::new() })
            .collect();
        for cable in &network.cables {
            if let (CableEnd::Host(host), Some(address)) = (cable.from, cable.address) {
                hosts[host].addresses.push(address.to_string());
            }
        }
        let switches = network.switches.iter().map(|switch| NetworkSwitch {
            name: switch.name.clone(),
            network: network.switches[switch.network].name.clone(),
            forwarding: switch.forwarding.name().into(),
            when_full: switch.when_full.name().into(),
        });
        Some(Network {
            hosts,
            switches: switches.collect(),
            cables: network.cables.iter().map(|cable| self.describe_cable(network, cable)).collect(),
            ..Network::default()
        })
    }

    /// The name of what a cable begins at.
    #[must_use]
    pub fn end_name(&self, end: CableEnd) -> &str {
        match (end, &self.network) {
            (CableEnd::Host(host), _) => &self.hosts[host].name,
            (CableEnd::Switch(switch), Some(network)) => &network.switches[switch].name,
            (CableEnd::Switch(_), None) => "",
        }
    }

    fn describe_cable(&self, network: &NetworkPlan, cable: &CablePlan) -> NetworkCable {
        #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^53 bit/s")]
        let rate = |rate: Option<BitRate>| rate.map(|rate| rate.0 as f64);
        let ms = |span: Span| span.as_s_f64() * 1e3;
        // Such a port holds what its senders' sockets hold, however much that is.
        let pauses = network.switches[cable.to].when_full == WhenFull::Pause;
        NetworkCable {
            from: self.end_name(cable.from).into(),
            to: network.switches[cable.to].name.clone(),
            mtu_bytes: cable.mtu_bytes,
            rate_bits_per_s: rate(cable.rate),
            port_rate_bits_per_s: rate(cable.port_rate),
            queue_bytes: cable.rate.map(|_| cable.queue.0),
            port_queue_bytes: cable.port_rate.filter(|_| !pauses).map(|_| cable.port_queue.0),
            offloads: cable.offloads,
            impairment: cable.path.map(|path| Impairment {
                delay_ms: ms(path.delay),
                jitter_ms: ms(path.jitter),
                loss: path.loss,
                duplicate: path.duplicate,
                reorder: path.reorder,
            }),
            ..NetworkCable::default()
        }
    }

    /// Packets per second that the flows put on the network, at most: what a machine must be able
    /// to carry that plays it. `None` when a flow is limited by nothing but the machine, and without flows.
    ///
    /// A datagram costs whatever becomes of it, so UDP counts with what its sender's cable lets
    /// through. TCP slows down: it counts with its share of the receiver's port, and half a packet of
    /// acknowledgement for each of data.
    #[must_use]
    pub fn packets_per_s(&self) -> Option<f64> {
        let network = self.network.as_ref().filter(|_| !self.flows.is_empty())?;
        let mut sum = 0.0;
        for flow in &self.flows {
            let cable = |host: &str| {
                let index = self.hosts.iter().position(|plan| plan.name == host)?;
                network.cable_of(index, flow.network?)
            };
            let (near, far) = (cable(&flow.from)?, cable(&flow.to)?);
            let alike = |shares: &dyn Fn(&FlowPlan) -> bool| {
                self.flows.iter().filter(|other| other.network == flow.network && shares(other)).count()
            };
            let (packets, wire_bits) = packets(flow, near.mtu_bytes);
            let own = flow.load.interval(flow.message_bytes).map(|interval| {
                // Messages per second of the load, as bits on the wire.
                #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                let messages = interval.messages as f64 * 1e12 / interval.picoseconds as f64;
                messages * wire_bits
            });
            let near_share = share(near.rate, alike(&|other| other.from == flow.from));
            let far_share = share(far.port_rate, alike(&|other| other.to == flow.to));
            let limits = match flow.transport {
                Transport::Tcp => [own, near_share, far_share],
                _ => [own, near_share, None],
            };
            let bits_per_s = limits.into_iter().flatten().reduce(f64::min)?;
            let answers = if flow.transport == Transport::Tcp { 1.5 } else { 1.0 };
            sum += bits_per_s / wire_bits * packets * answers;
        }
        Some(sum)
    }

    /// Largest packet on the way of a flow, in bytes.
    #[must_use]
    pub fn mtu_of(&self, flow: &FlowPlan) -> u32 {
        let sender = self.hosts.iter().position(|host| host.name == flow.from);
        let cable = sender
            .zip(flow.network)
            .and_then(|(host, network)| self.network.as_ref().and_then(|plan| plan.cable_of(host, network)));
        cable.map_or(ETHERNET_MTU, |cable| cable.mtu_bytes)
    }

    /// The congestion control that a flow or its sending host names; `None` leaves the kernel's default.
    #[must_use]
    pub fn congestion_of<'a>(&'a self, flow: &'a FlowPlan) -> Option<&'a str> {
        let sender = || self.hosts.iter().find(|host| host.name == flow.from);
        let of_host = || sender()?.sysctls.get("net.ipv4.tcp_congestion_control").map(String::as_str);
        let is_tcp = flow.transport == Transport::Tcp;
        flow.sockets.congestion.as_deref().or_else(of_host).filter(|_| is_tcp)
    }

    /// Payload of the smallest packets that the flows send, in bytes.
    #[must_use]
    pub fn smallest_packet_bytes(&self) -> Option<u32> {
        let network = self.network.as_ref()?;
        let mtu = network.cables.iter().map(|cable| cable.mtu_bytes).min()?;
        let whole = mtu - HEADER_BYTES;
        let sizes = self.flows.iter().map(|flow| match flow.transport {
            Transport::Tcp => whole,
            _ => flow.message_bytes.min(whole),
        });
        sizes.min()
    }
}

fn share(rate: Option<BitRate>, flows: usize) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    rate.map(|rate| rate.0 as f64 / flows.max(1) as f64)
}

/// Packets of one message of the flow, and the bits that they take on the wire.
pub(super) fn packets(flow: &FlowPlan, mtu_bytes: u32) -> (f64, f64) {
    let (packets, wire_bytes) = frames(flow.transport, &flow.raw, flow.message_bytes, mtu_bytes);
    (packets, wire_bytes * 8.0)
}

/// IPv4 and UDP.
const HEADER_BYTES: u32 = 28;

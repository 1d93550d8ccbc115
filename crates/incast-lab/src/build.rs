//! Builds a network from its layout, step by step; what was made until a step failed is taken away
//! with the namespaces.

use incast_core::scenario::{CableEnd, CablePlan, Forwarding, HostPlan, NetworkPlan, WhenFull};
use incast_core::units::{BitRate, Bytes};

use crate::error::LabError;
use crate::layout::{CONTROL, Layout, Port, Wiring, control_mac};
use crate::namespace::Namespace;
use crate::wire::{self, Shape};

/// Makes everything; the namespaces in the order of the layout.
pub(crate) fn build(
    layout: &Layout,
    hosts: &[HostPlan],
    network: &NetworkPlan,
) -> Result<Vec<Namespace>, LabError> {
    let mut places = Vec::with_capacity(layout.namespaces.len());
    for name in &layout.namespaces {
        let mut place = Namespace::create(name)?;
        // Silent neighbours: no router solicitations among what is measured.
        for of in ["all", "default"] {
            // A kernel without IPv6 has no such setting, and is silent.
            let _ = wire::sysctl(&place, &format!("net.ipv6.conf.{of}.disable_ipv6"), "1");
        }
        wire::up(&mut place, LOOPBACK)?;
        places.push(place);
    }
    control(layout, &mut places)?;
    switches(layout, network, &mut places)?;
    for wiring in &layout.wirings {
        connect(wiring, network, &mut places)?;
    }
    neighbours(layout, network, &mut places)?;
    for (host, place) in hosts.iter().zip(&places) {
        for (name, value) in &host.sysctls {
            wire::sysctl(place, name, value)?;
        }
    }
    Ok(places)
}

/// The lab's own network: every host has an interface `c0` in it.
fn control(layout: &Layout, places: &mut [Namespace]) -> Result<(), LabError> {
    let center = layout.control();
    wire::bridge(&mut places[center], "control", BRIDGE, 1500, false)?;
    wire::up(&mut places[center], BRIDGE)?;
    for (number, host) in layout.hosts.iter().enumerate() {
        let index = u32::try_from(number).unwrap_or(u32::MAX);
        let near = Port { place: number, interface: "c0".into(), index: CONTROL, mac: control_mac(number) };
        let mut far_mac = near.mac;
        far_mac[3] += 1;
        let far = Port { place: center, interface: format!("p{number}"), index: 100 + index, mac: far_mac };
        wire::cable(places, &near, &far, 1500)?;
        // The kernel counts a train of TCP as many segments when it is sent and as one when it is
        // received: without trains the accounts of a host close.
        wire::offloads(&places[number], &near, false, true)?;
        wire::plug(&mut places[center], &far, BRIDGE)?;
        wire::up(&mut places[center], far.index)?;
        wire::address(&mut places[number], near.index, host.control, 16)?;
        wire::up(&mut places[number], near.index)?;
    }
    // Who asks costs the kernel an entry of a table that all namespaces share, and it is small.
    for (number, place) in places.iter_mut().take(layout.hosts.len()).enumerate() {
        for (other, host) in layout.hosts.iter().enumerate().filter(|(other, _)| *other != number) {
            wire::neighbour(place, CONTROL, host.control, control_mac(other))?;
        }
    }
    Ok(())
}

fn switches(layout: &Layout, network: &NetworkPlan, places: &mut [Namespace]) -> Result<(), LabError> {
    for (number, switch) in network.switches.iter().enumerate() {
        let place = &mut places[layout.switch(number)];
        match switch.forwarding {
            Forwarding::Bridge => {
                let mtus = network
                    .cables
                    .iter()
                    .filter(|cable| cable.to == number || cable.from == CableEnd::Switch(number));
                let mtu = mtus.map(|cable| cable.mtu_bytes).max().unwrap_or(1500);
                wire::bridge(place, "bridge", BRIDGE, mtu, switch.when_full == WhenFull::Drop)?;
                wire::up(place, BRIDGE)?;
            }
            Forwarding::Routed => {
                let settings = [
                    ("net.ipv4.ip_forward", "1"),
                    ("net.ipv4.conf.all.send_redirects", "0"),
                    ("net.ipv4.conf.default.send_redirects", "0"),
                    ("net.ipv4.conf.all.rp_filter", "0"),
                    ("net.ipv4.conf.default.rp_filter", "0"),
                ];
                for (name, value) in settings {
                    wire::sysctl(place, name, value)?;
                }
                wire::address(place, LOOPBACK, network.subnets[switch.network].gateway(), 32)?;
            }
        }
    }
    Ok(())
}

/// One cable: its interfaces, their queues, and the host's address.
fn connect(wiring: &Wiring, network: &NetworkPlan, places: &mut [Namespace]) -> Result<(), LabError> {
    let plan = &wiring.plan;
    let ends = [&wiring.near, &wiring.far];
    match &wiring.middle {
        None => wire::cable(places, &wiring.near, &wiring.far, plan.mtu_bytes)?,
        Some([near, far]) => {
            wire::cable(places, &wiring.near, near, plan.mtu_bytes)?;
            wire::cable(places, &wiring.far, far, plan.mtu_bytes)?;
            for port in [near, far] {
                wire::offloads(&places[port.place], port, false, true)?;
                wire::up(&mut places[port.place], port.index)?;
            }
        }
    }
    // Where senders wait for a port, it holds what their sockets let through, and never drops.
    let pauses = network.switches[plan.to].when_full == WhenFull::Pause;
    let port_queue = if pauses { plan.port_queue.max(PAUSED_QUEUE) } else { plan.port_queue };
    for (port, rate, queue) in [(ends[0], plan.rate, plan.queue), (ends[1], plan.port_rate, port_queue)] {
        // A link in user space reads frames as they are: their checksums must be in them.
        wire::offloads(&places[port.place], port, plan.offloads, wiring.middle.is_none())?;
        if let Some(rate) = rate {
            wire::shape(&mut places[port.place], port, &shape(plan, rate, queue))?;
        }
    }
    for (end, port) in [(plan.from, &wiring.near), (CableEnd::Switch(plan.to), &wiring.far)] {
        let is_bridge = |switch: usize| network.switches[switch].forwarding == Forwarding::Bridge;
        if let CableEnd::Switch(switch) = end
            && is_bridge(switch)
        {
            wire::plug(&mut places[port.place], port, BRIDGE)?;
        }
        if let (CableEnd::Host(_), Some(address)) = (end, plan.address) {
            let prefix = network.subnets[network.switches[plan.to].network].prefix;
            wire::address(&mut places[port.place], port.index, address, prefix)?;
        }
        wire::up(&mut places[port.place], port.index)?;
    }
    Ok(())
}

fn shape(plan: &CablePlan, rate: BitRate, queue: Bytes) -> Shape {
    let frame = u64::from(plan.mtu_bytes) + FRAME_BYTES;
    // A train waits as one packet, and must fit.
    let least = if plan.offloads { TRAIN_BYTES } else { 2 * frame };
    let burst = plan.burst.map_or_else(|| (rate.0 / 8 / BURSTS_PER_S).max(least), |burst| burst.0);
    let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    Shape {
        bits_per_s: rate.0,
        queue_bytes: narrow(queue.0.max(if plan.offloads { TRAIN_BYTES } else { 0 })),
        burst_bytes: narrow(burst),
    }
}

/// Everybody's Ethernet address, written down everywhere: nothing is lost while somebody asks, and
/// nothing is sent to everybody for want of knowing.
fn neighbours(layout: &Layout, network: &NetworkPlan, places: &mut [Namespace]) -> Result<(), LabError> {
    for (number, to) in layout.wirings.iter().enumerate() {
        let (CableEnd::Host(host), Some(address)) = (to.plan.from, to.plan.address) else { continue };
        let home = network.switches[to.plan.to].network;
        for (other, from) in layout.wirings.iter().enumerate() {
            let is_there = network.switches[from.plan.to].network == home && other != number;
            if is_there && matches!(from.plan.from, CableEnd::Host(_)) {
                let mac = layout.neighbour(network, from, to);
                wire::neighbour(&mut places[from.near.place], from.near.index, address, mac)?;
            }
        }
        for (switch, plan) in network.switches.iter().enumerate() {
            let Some((port, mac)) = layout.next_hop(switch, host).filter(|_| plan.network == home) else {
                continue;
            };
            let place = &mut places[layout.switch(switch)];
            match plan.forwarding {
                Forwarding::Bridge => wire::behind(place, port.index, to.near.mac)?,
                Forwarding::Routed => {
                    wire::route(place, address, port.index)?;
                    wire::neighbour(place, port.index, address, mac)?;
                }
            }
        }
    }
    Ok(())
}

/// The loopback interface of every namespace.
const LOOPBACK: u32 = 1;
/// Index of a switch's bridge.
const BRIDGE: u32 = 9;
/// Header, check, preamble and gap of a frame.
const FRAME_BYTES: u64 = 38;
/// A shaped port makes up for at most this part of a second that the machine slept: 0.5 ms.
const BURSTS_PER_S: u64 = 2_000;
/// More than the sockets of all senders that a lab has: a quarter of a megabyte each, by default.
const PAUSED_QUEUE: Bytes = Bytes(1 << 29);
/// More than the longest train of packets, 64 KiB.
const TRAIN_BYTES: u64 = 128 << 10;

//! A network drawn as text: each switch with its cables below it.

use std::fmt::Write as _;

use incast_core::record::{Network, NetworkCable};

use crate::text::clean;
use crate::units;

/// The network in lines.
#[must_use]
pub fn text(network: &Network) -> String {
    let mut drawn = String::new();
    for switch in &network.switches {
        let full =
            if switch.when_full == "drop" { "drops when full" } else { "makes senders wait when full" };
        let part = if switch.network == switch.name {
            String::new()
        } else {
            format!(", part of {}", clean(&switch.network))
        };
        let _ =
            writeln!(drawn, "switch {} ({}, {full}{part})", clean(&switch.name), clean(&switch.forwarding));
        let cables: Vec<&NetworkCable> =
            network.cables.iter().filter(|cable| cable.to == switch.name).collect();
        for (index, cable) in cables.iter().enumerate() {
            let branch = if index + 1 == cables.len() { "└──" } else { "├──" };
            let _ = writeln!(drawn, "  {branch} {}", line(network, cable));
        }
    }
    drawn
}

fn line(network: &Network, cable: &NetworkCable) -> String {
    let host = network.hosts.iter().find(|host| host.name == cable.from);
    let kind = if host.is_some() { "" } else { "switch " };
    let address = host.and_then(|host| {
        let nth = network.cables.iter().filter(|other| other.from == cable.from);
        let nth = nth.take_while(|other| !std::ptr::eq(*other, cable)).count();
        host.addresses.get(nth)
    });
    let mut said = format!("{kind}{}", clean(&cable.from));
    if let Some(address) = address {
        let _ = write!(said, "  {}", clean(address));
    }
    let end = |rate: Option<f64>, queue: Option<u64>| match (rate, queue) {
        (Some(rate), Some(queue)) => {
            format!("{}, queue {}", units::rate(Some(rate)), units::bytes(Some(queue)))
        }
        _ => "unlimited".into(),
    };
    let _ = write!(
        said,
        "  out {} / in {}, MTU {}",
        end(cable.rate_bits_per_s, cable.queue_bytes),
        end(cable.port_rate_bits_per_s, cable.port_queue_bytes),
        cable.mtu_bytes
    );
    if cable.offloads {
        said.push_str(", offloads on");
    }
    if let Some(path) = &cable.impairment {
        let parts = [
            ("delay", path.delay_ms, " ms"),
            ("jitter", path.jitter_ms, " ms"),
            ("loss", path.loss, ""),
            ("duplicate", path.duplicate, ""),
            ("reorder", path.reorder, ""),
        ];
        for (name, value, unit) in parts.into_iter().filter(|(_, value, _)| *value > 0.0) {
            let _ = write!(said, ", {name} {value}{unit}");
        }
        said.push_str(" each way");
    }
    said
}

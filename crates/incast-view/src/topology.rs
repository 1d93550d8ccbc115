//! A network drawn as text: each switch with its cables below it. In a large network what is alike has one line.

use std::fmt::Write as _;

use incast_core::record::{Network, NetworkCable};

use crate::fold::{Folded, fold};
use crate::text::{clean, counted};
use crate::units;

/// The network in lines.
#[must_use]
pub fn text(network: &Network) -> String {
    let folded = fold(network, |_| false);
    let network = folded.network.as_ref();
    let mut drawn = String::new();
    for switch in &network.switches {
        let full =
            if switch.when_full == "drop" { "drops when full" } else { "makes senders wait when full" };
        let part = if switch.network == switch.name {
            String::new()
        } else {
            format!(", part of {}", clean(&switch.network))
        };
        let many = match folded.count(&switch.name) {
            1 => String::new(),
            count => format!("{count} switches, "),
        };
        let (name, forwarding) = (clean(&switch.name), clean(&switch.forwarding));
        let _ = writeln!(drawn, "switch {name} ({many}{forwarding}, {full}{part})");
        let cables: Vec<&NetworkCable> =
            network.cables.iter().filter(|cable| cable.to == switch.name).collect();
        for (index, cable) in cables.iter().enumerate() {
            let branch = if index + 1 == cables.len() { "└──" } else { "├──" };
            let _ = writeln!(drawn, "  {branch} {}", line(&folded, cable));
        }
    }
    drawn
}

/// `126 hosts, 2 at each`: how many things a cable that was folded is from; nothing where it is from one.
pub(crate) fn many(folded: &Folded<'_>, cable: &NetworkCable) -> Option<String> {
    let count = folded.count(&cable.from);
    let is_host = folded.network.hosts.iter().any(|host| host.name == cable.from);
    let (one, several) = if is_host { ("host", "hosts") } else { ("switch", "switches") };
    let at = folded.count(&cable.to);
    let each =
        if at > 1 && count.is_multiple_of(at) { format!(", {} at each", count / at) } else { String::new() };
    (count > 1).then(|| format!("{}{each}", counted(count, one, several)))
}

fn line(folded: &Folded<'_>, cable: &NetworkCable) -> String {
    let network = folded.network.as_ref();
    let host = network.hosts.iter().find(|host| host.name == cable.from);
    let kind = if host.is_some() { "" } else { "switch " };
    let address = host.and_then(|host| {
        let nth = network.cables.iter().filter(|other| other.from == cable.from);
        let nth = nth.take_while(|other| !std::ptr::eq(*other, cable)).count();
        host.addresses.get(nth)
    });
    let mut said = format!("{kind}{}", clean(&cable.from));
    if let Some(many) = many(folded, cable) {
        let _ = write!(said, " ({many})");
    }
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

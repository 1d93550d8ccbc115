//! What is between the device and the sockets: the backlog of each core, and how long a round may last.

use super::{AtLeast, mtu, number, rate, round, rounded, sysctl, without_rate};
use crate::tune::asked::Asked;
use crate::tune::judgement::{Finding, Judgement};
use crate::tune::settings::{HostSettings, InterfaceSettings};

pub(super) fn judge(settings: &HostSettings, asked: &Asked) -> Vec<Judgement> {
    vec![
        backlog(settings, asked),
        budget(settings, asked),
        budget_time(settings),
        rfs(settings),
        filter(settings),
    ]
}

/// The queue of each core (softnet). Drivers that are polled (NAPI) go round it, unless their work is shared
/// out (RPS); virtual pairs, loopback and bologna's drivers of 2003 go through it.
fn backlog(settings: &HostSettings, asked: &Asked) -> Judgement {
    let name = "net.core.netdev_max_backlog";
    let users: Vec<&str> =
        settings.interfaces.iter().filter(|one| is_queued(one)).map(|one| one.name.as_str()).collect();
    let value = number(settings, name);
    if users.is_empty() && !settings.interfaces.is_empty() {
        let reason = "not used: these drivers are polled and share no work out (RPS)";
        return Judgement::new(name, value.map(|value| value.to_string()), reason);
    }
    let needed = asked.packets_in(asked.gap, mtu(settings));
    let formula = match needed {
        Some(needed) => format!(
            "backlog >= packet rate x gap: {} in messages of {} B are {} packets/s, for {} {needed}",
            rate(asked),
            asked.message_bytes,
            asked.packets_per_s(mtu(settings)).unwrap_or_default(),
            asked.gap
        ),
        None => without_rate("backlog >= packet rate x gap"),
    };
    let weight = if users.is_empty() { Finding::Advice } else { Finding::Wrong };
    let value = rounded(needed.unwrap_or_default()).to_string();
    AtLeast { setting: name.into(), value: number(settings, name), needed, formula, weight }
        .judge()
        .mended_by(sysctl(name), value)
}

/// Whether what it receives waits in the queue of a core.
fn is_queued(interface: &InterfaceSettings) -> bool {
    let is_shared = |mask: &str| mask.chars().any(|c| !matches!(c, '0' | ','));
    let shares = interface
        .queues
        .iter()
        .any(|queue| queue.name.starts_with("rx") && queue.cpus.as_deref().is_some_and(is_shared));
    shares || interface.name == "lo" || matches!(interface.driver.as_deref(), Some("veth" | "tun"))
}

/// Packets of a round: with fewer than come in its time, rounds end early and `time_squeeze` counts.
fn budget(settings: &HostSettings, asked: &Asked) -> Judgement {
    let name = "net.core.netdev_budget";
    let round = round(settings);
    let needed = asked.packets_in(round, mtu(settings));
    let formula = match needed {
        Some(needed) => {
            format!("packets of a round >= packet rate x netdev_budget_usecs: {needed} in {round}")
        }
        None => without_rate("packets of a round >= packet rate x netdev_budget_usecs"),
    };
    let value = rounded(needed.unwrap_or_default()).to_string();
    AtLeast { setting: name.into(), value: number(settings, name), needed, formula, weight: Finding::Advice }
        .judge()
        .mended_by(sysctl(name), value)
}

fn budget_time(settings: &HostSettings) -> Judgement {
    let name = "net.core.netdev_budget_usecs";
    Judgement::new(name, settings.sysctls.get(name).cloned(), "longest round of receiving, microseconds")
}

fn rfs(settings: &HostSettings) -> Judgement {
    let name = "net.core.rps_sock_flow_entries";
    let reason = "flows that are led to the core of their reader (RFS); 0: none";
    Judgement::new(name, settings.sysctls.get(name).cloned(), reason)
}

/// A bridge that asks the packet filter for every packet.
fn filter(settings: &HostSettings) -> Judgement {
    let name = "net.bridge.bridge-nf-call-iptables";
    let value = settings.sysctls.get(name).cloned();
    let reason =
        "1: what a bridge passes on goes through the packet filter as well; of no matter without a bridge";
    Judgement::new(name, value, reason)
}

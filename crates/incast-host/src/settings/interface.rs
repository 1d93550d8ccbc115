//! The settings of one interface: files below `/sys/class/net`, and what its driver tells.

use std::collections::BTreeMap;

use incast_core::tune::{InterfaceSettings, Irq, Offload, Queue};

use super::{line, names, number};
use crate::ethtool::Driver;

/// Reads the interface of that name; `roots` are the kinds of root queues by index.
pub(super) fn read(name: &str, roots: &BTreeMap<i32, String>) -> InterfaceSettings {
    let mut found = InterfaceSettings { name: name.to_owned(), ..InterfaceSettings::default() };
    if name.contains('/') || name.starts_with('.') {
        return found;
    }
    let file = |attribute: &str| format!("/sys/class/net/{name}/{attribute}");
    found.mtu_bytes = number(&file("mtu"));
    // A link without a rate of its own says -1.
    found.speed_mbit_per_s = number(&file("speed"));
    found.duplex = line(&file("duplex")).filter(|duplex| duplex != "unknown");
    found.tx_queue_packets = number(&file("tx_queue_len"));
    found.qdisc = number(&file("ifindex")).and_then(|index: i32| roots.get(&index).cloned());
    found.numa_node = number(&file("device/numa_node"));
    found.gro_flush_timeout_ns = number(&file("gro_flush_timeout"));
    found.napi_defer_hard_irqs = number(&file("napi_defer_hard_irqs"));
    found.threaded = number(&file("threaded")).map(|threaded: u8| threaded != 0);
    found.queues = queues(&file("queues"));
    found.irqs = irqs(name);
    if let Ok(driver) = Driver::open(name) {
        found.driver = driver.name().ok();
        found.rings = driver.rings().ok();
        found.coalescing = driver.coalescing().ok();
        found.pause = driver.pause().ok();
        found.channels = driver.channels().ok();
        let all =
            [Offload::RxChecksum, Offload::TxChecksum, Offload::Sg, Offload::Tso, Offload::Gso, Offload::Gro];
        let told = |offload| Some((offload, driver.offload(offload).ok()?));
        found.offloads = all.into_iter().filter_map(told).collect();
    }
    found
}

fn queues(dir: &str) -> Vec<Queue> {
    let one = |name: String| {
        let file = |attribute: &str| format!("{dir}/{name}/{attribute}");
        let is_rx = name.starts_with("rx-");
        let cpus = line(&file(if is_rx { "rps_cpus" } else { "xps_cpus" }));
        let flows = if is_rx { number(&file("rps_flow_cnt")) } else { None };
        Queue { cpus, flows, name }
    };
    names(dir, QUEUES_MAX).into_iter().map(one).collect()
}

/// Message-signalled interrupts of the device, or of the bus device behind it (virtio).
fn irqs(name: &str) -> Vec<Irq> {
    let dirs = ["device/msi_irqs", "device/../msi_irqs"];
    let of = |dir: &str| names(&format!("/sys/class/net/{name}/{dir}"), QUEUES_MAX);
    let found = dirs.into_iter().map(of).find(|found| !found.is_empty()).unwrap_or_default();
    let one = |number: u32| Irq { number, cores: line(&format!("/proc/irq/{number}/smp_affinity_list")) };
    let mut numbers: Vec<u32> = found.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(one).collect()
}

/// Most queues and interrupts of an interface that are looked at.
const QUEUES_MAX: usize = 4_096;

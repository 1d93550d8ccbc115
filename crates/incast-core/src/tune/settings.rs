//! What was read of a host: plain data, and what nobody tells is `None` or left out, never 0.
//!
//! Nothing is judged here. Numbers are as the kernel and the driver give them, with their unit in the name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::knob::Offload;

/// The settings of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostSettings {
    /// Name of the host.
    pub host: String,
    /// Kernel name and release.
    pub kernel: Option<String>,
    /// Settings of the kernel by their sysctl names.
    pub sysctls: BTreeMap<String, String>,
    /// Cores that this process may use.
    pub cores: Option<u32>,
    /// What the kernel's clock counts.
    pub clocksource: Option<String>,
    /// Which clocks there are, the best first.
    pub clocksources: Vec<String>,
    /// How each core chooses its frequency, by its number; empty where there is no choice.
    pub governors: BTreeMap<u32, String>,
    /// Sleeping states of the first core that are switched on; `None` where the kernel manages none.
    pub idle_states: Option<Vec<IdleState>>,
    /// Part of the time since boot that the hypervisor took, 0 to 1.
    pub steal_fraction: Option<f64>,
    /// Whether `irqbalance` runs.
    pub irqbalance: Option<bool>,
    /// Tables of the packet filter that exist (`iptables`); `None` when that cannot be read.
    pub firewall_tables: Option<Vec<String>>,
    /// Its interfaces, those that were asked for.
    pub interfaces: Vec<InterfaceSettings>,
}

/// A sleeping state of a core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdleState {
    /// As the driver calls it: `C1`, `C6`.
    pub name: String,
    /// Microseconds to wake up from it.
    pub exit_us: u64,
}

/// The settings of an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceSettings {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: Option<String>,
    /// Largest packet in bytes.
    pub mtu_bytes: Option<u32>,
    /// Rate of the link in Mbit/s.
    pub speed_mbit_per_s: Option<u64>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// Packets that the queue of the interface holds.
    pub tx_queue_packets: Option<u64>,
    /// Kind of its root queue: `fq_codel`, `pfifo_fast`, `mq`, `noqueue`.
    pub qdisc: Option<String>,
    /// NUMA node of the device.
    pub numa_node: Option<i64>,
    /// Descriptors of its rings.
    pub rings: Option<Rings>,
    /// When it interrupts.
    pub coalescing: Option<Coalescing>,
    /// Flow control.
    pub pause: Option<Pause>,
    /// How many queues it has and could have.
    pub channels: Option<Channels>,
    /// Whether each offload is on.
    pub offloads: BTreeMap<Offload, bool>,
    /// How long joined packets may wait for more, ns.
    pub gro_flush_timeout_ns: Option<u64>,
    /// Rounds of polling without packets before interrupts are switched on again.
    pub napi_defer_hard_irqs: Option<u64>,
    /// Whether packets are taken in by a thread of the kernel.
    pub threaded: Option<bool>,
    /// Its queues.
    pub queues: Vec<Queue>,
    /// Its interrupts.
    pub irqs: Vec<Irq>,
}

/// Descriptors of the rings of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rings {
    /// For receiving.
    pub rx: u32,
    /// The most for receiving.
    pub rx_max: u32,
    /// For sending.
    pub tx: u32,
    /// The most for sending.
    pub tx_max: u32,
}

/// When an interface interrupts after a packet has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coalescing {
    /// After so many microseconds.
    pub rx_usecs: u32,
    /// Or so many packets.
    pub rx_frames: u32,
    /// Whether the driver chooses these itself.
    pub adaptive_rx: bool,
}

/// IEEE 802.3 flow control of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pause {
    /// Whether it heeds pause frames.
    pub rx: bool,
    /// Whether it sends them.
    pub tx: bool,
}

/// How many queues an interface has, and could have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Channels {
    /// Receiving queues, those that also send included.
    pub rx: u32,
    /// The most of these.
    pub rx_max: u32,
}

/// A queue of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// `rx-0`, `tx-3`.
    pub name: String,
    /// Cores that share its work (RPS of a receiving queue) or send through it (XPS), as a mask.
    pub cpus: Option<String>,
    /// Flows that are remembered (RFS); of receiving queues.
    pub flows: Option<u64>,
}

/// An interrupt of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Irq {
    /// Its number.
    pub number: u32,
    /// Cores that may serve it, as a list.
    pub cores: Option<String>,
}

//! One setting that can be changed: where it is, what it is called, and the command that sets it.
//!
//! Values are texts as the kernel writes them (`on`, `4096`, `4096 131072 6291456`). A knob may come from a
//! journal or a scenario, so that its names are checked before they become part of a path.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::interface;

/// A setting that can be read and changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Knob {
    /// Name of the network namespace in which it is; without one, the one of whoever asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Which setting.
    #[serde(flatten)]
    pub kind: KnobKind,
}

/// Which setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum KnobKind {
    /// A file below `/proc/sys`.
    Sysctl {
        /// With dots: `net.core.rmem_max`.
        name: String,
    },
    /// An attribute of an interface, a file below `/sys/class/net`.
    Link {
        /// Name of the interface.
        interface: String,
        /// Which.
        attribute: LinkAttribute,
    },
    /// An attribute of one queue of an interface.
    Queue {
        /// Name of the interface.
        interface: String,
        /// `rx-0`, `tx-3`.
        queue: String,
        /// Which.
        attribute: QueueAttribute,
    },
    /// Work that the interface takes off the host.
    Offload {
        /// Name of the interface.
        interface: String,
        /// Which.
        offload: Offload,
    },
    /// Descriptors of a ring.
    Ring {
        /// Name of the interface.
        interface: String,
        /// Receiving or sending.
        side: Side,
    },
    /// When the device interrupts.
    Coalescing {
        /// Name of the interface.
        interface: String,
        /// Which of its parts.
        what: CoalescingSetting,
    },
    /// IEEE 802.3 flow control.
    Pause {
        /// Name of the interface.
        interface: String,
        /// Heeding pause frames (`rx`) or sending them (`tx`).
        side: Side,
    },
    /// Which cores serve an interrupt, as a list: `0-3`.
    IrqAffinity {
        /// Number of the interrupt.
        irq: u32,
    },
    /// How a core chooses its frequency.
    Governor {
        /// Number of the core.
        core: u32,
    },
    /// What the kernel's clock counts.
    Clocksource,
}

/// Receiving or sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Receiving.
    Rx,
    /// Sending.
    Tx,
}

/// A file of an interface in `/sys/class/net`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkAttribute {
    /// Largest packet in bytes.
    Mtu,
    /// Packets that wait in the queue of the interface.
    TxQueueLen,
    /// How long joined packets may wait for more, ns.
    GroFlushTimeout,
    /// Rounds of polling without packets before interrupts are switched on again.
    NapiDeferHardIrqs,
    /// Whether packets are taken in by a thread of the kernel: 0 or 1.
    Threaded,
}

/// A file of a queue in `/sys/class/net/*/queues`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueAttribute {
    /// Cores that share the work of a receiving queue, as a mask.
    RpsCpus,
    /// Flows that are remembered per receiving queue.
    RpsFlowCnt,
    /// Cores that send through a sending queue, as a mask.
    XpsCpus,
}

/// Work that an interface takes off the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offload {
    /// Check sums of what is received.
    RxChecksum,
    /// Check sums of what is sent.
    TxChecksum,
    /// Sending from several places of memory.
    Sg,
    /// Segmentation of TCP by the device.
    Tso,
    /// Segmentation after the queue, by the kernel.
    Gso,
    /// Joining of what is received.
    Gro,
}

/// A part of interrupt coalescence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoalescingSetting {
    /// Microseconds after a packet came before the device interrupts.
    RxUsecs,
    /// Packets that come before it does.
    RxFrames,
    /// Whether the driver chooses these itself.
    AdaptiveRx,
}

/// Why something is no knob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnobError(String);

impl fmt::Display for KnobError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for KnobError {}

impl Knob {
    /// A knob where whoever asks is.
    #[must_use]
    pub const fn here(kind: KnobKind) -> Self {
        Self { namespace: None, kind }
    }

    /// Whether all its names are names, and not ways out of a directory.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check(&self) -> Result<(), KnobError> {
        if let Some(namespace) = &self.namespace {
            named("network namespace", namespace, NAME_BYTES_MAX)?;
        }
        match &self.kind {
            KnobKind::Sysctl { name } => {
                name.split('.').try_for_each(|part| named("setting of the kernel", part, NAME_BYTES_MAX))
            }
            KnobKind::Link { interface, .. }
            | KnobKind::Offload { interface, .. }
            | KnobKind::Ring { interface, .. }
            | KnobKind::Coalescing { interface, .. }
            | KnobKind::Pause { interface, .. } => named("interface", interface, INTERFACE_BYTES_MAX),
            KnobKind::Queue { interface, queue, .. } => {
                named("interface", interface, INTERFACE_BYTES_MAX)?;
                named("queue", queue, INTERFACE_BYTES_MAX)
            }
            KnobKind::IrqAffinity { .. } | KnobKind::Governor { .. } | KnobKind::Clocksource => Ok(()),
        }
    }
}

impl KnobKind {
    /// The file in which it is; the others are asked for through the driver (`ethtool`).
    #[must_use]
    pub fn file(&self) -> Option<String> {
        Some(match self {
            Self::Sysctl { name } => format!("/proc/sys/{}", name.replace('.', "/")),
            Self::Link { interface, attribute } => format!("/sys/class/net/{interface}/{}", attribute.file()),
            Self::Queue { interface, queue, attribute } => {
                format!("/sys/class/net/{interface}/queues/{queue}/{}", attribute.file())
            }
            Self::IrqAffinity { irq } => format!("/proc/irq/{irq}/smp_affinity_list"),
            Self::Governor { core } => format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"),
            Self::Clocksource => "/sys/devices/system/clocksource/clocksource0/current_clocksource".into(),
            Self::Offload { .. } | Self::Ring { .. } | Self::Coalescing { .. } | Self::Pause { .. } => {
                return None;
            }
        })
    }

    /// What a person types to set it.
    #[must_use]
    pub fn command(&self, value: &str) -> String {
        match self {
            Self::Sysctl { name } if value.contains(' ') => format!("sysctl -w {name}=\"{value}\""),
            Self::Sysctl { name } => format!("sysctl -w {name}={value}"),
            Self::Link { interface, attribute: LinkAttribute::Mtu } => {
                format!("ip link set dev {interface} mtu {value}")
            }
            Self::Link { interface, attribute: LinkAttribute::TxQueueLen } => {
                format!("ip link set dev {interface} txqueuelen {value}")
            }
            Self::Offload { interface, offload } => {
                format!("ethtool -K {interface} {} {value}", offload.key())
            }
            Self::Ring { interface, side } => format!("ethtool -G {interface} {} {value}", side.key()),
            Self::Coalescing { interface, what } => format!("ethtool -C {interface} {} {value}", what.word()),
            Self::Pause { interface, side } => format!("ethtool -A {interface} {} {value}", side.key()),
            _ => format!("echo {value} > {}", self.file().unwrap_or_default()),
        }
    }

    /// The setting of an interface that a scenario calls by `key`; see [`LINK_KEYS`].
    #[must_use]
    pub fn of_interface(interface: &str, key: &str) -> Option<Self> {
        interface::kind(interface.to_owned(), key)
    }
}

impl fmt::Display for KnobKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sysctl { name } => out.write_str(name),
            Self::Link { interface, attribute } => write!(out, "{interface} {}", attribute.file()),
            Self::Queue { interface, queue, attribute } => {
                write!(out, "{interface} {queue} {}", attribute.file())
            }
            Self::Offload { interface, offload } => write!(out, "{interface} {}", offload.said()),
            Self::Ring { interface, side } => write!(out, "{interface} {} ring", side.key()),
            Self::Coalescing { interface, what } => write!(out, "{interface} {}", what.word()),
            Self::Pause { interface, side } => write!(out, "{interface} {} pause", side.key()),
            Self::IrqAffinity { irq } => write!(out, "interrupt {irq} cores"),
            Self::Governor { core } => write!(out, "core {core} governor"),
            Self::Clocksource => out.write_str("clocksource"),
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(out)?;
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(out, " in {namespace}"))
    }
}

impl LinkAttribute {
    const fn file(self) -> &'static str {
        match self {
            Self::Mtu => "mtu",
            Self::TxQueueLen => "tx_queue_len",
            Self::GroFlushTimeout => "gro_flush_timeout",
            Self::NapiDeferHardIrqs => "napi_defer_hard_irqs",
            Self::Threaded => "threaded",
        }
    }
}

impl QueueAttribute {
    const fn file(self) -> &'static str {
        match self {
            Self::RpsCpus => "rps_cpus",
            Self::RpsFlowCnt => "rps_flow_cnt",
            Self::XpsCpus => "xps_cpus",
        }
    }
}

impl Offload {
    /// What `ethtool -K` calls it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::RxChecksum => "rx",
            Self::TxChecksum => "tx",
            Self::Sg => "sg",
            Self::Tso => "tso",
            Self::Gso => "gso",
            Self::Gro => "gro",
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::RxChecksum => "rx check sums",
            Self::TxChecksum => "tx check sums",
            other => other.key(),
        }
    }
}

impl Side {
    /// `rx` or `tx`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Rx => "rx",
            Self::Tx => "tx",
        }
    }
}

impl CoalescingSetting {
    const fn word(self) -> &'static str {
        match self {
            Self::RxUsecs => "rx-usecs",
            Self::RxFrames => "rx-frames",
            Self::AdaptiveRx => "adaptive-rx",
        }
    }
}

/// Names become parts of paths: no separator, no way up, nothing that does not print.
fn named(what: &str, name: &str, most: usize) -> Result<(), KnobError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@');
    let is_name = !name.is_empty() && name.len() <= most && !name.starts_with('.') && name.chars().all(fits);
    if is_name {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    Err(KnobError(format!("\"{}\" is no name of a {what}", shown.escape_debug())))
}

/// What a scenario calls the settings of an interface.
pub const LINK_KEYS: &[&str] = interface::KEYS;
/// `IFNAMSIZ` of Linux is 16 with its final zero.
const INTERFACE_BYTES_MAX: usize = 15;
/// Longest name of a file on Linux.
const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_way_out_of_its_directory() {
        let sysctl = |name: &str| Knob::here(KnobKind::Sysctl { name: name.into() }).check();
        assert_eq!(sysctl("net.core.rmem_max"), Ok(()));
        for name in ["", "net..core", "net.core/../../etc", "..", "net. .x", "net.\n"] {
            assert!(sysctl(name).is_err(), "{name:?}");
        }
        for name in ["e0/../x", "", "..", "an-interface-with-a-long-name", "e 0"] {
            let kind = KnobKind::Ring { interface: name.into(), side: Side::Rx };
            assert!(Knob::here(kind).check().is_err(), "{name:?}");
        }
        let knob = Knob { namespace: Some("../x".into()), kind: KnobKind::Clocksource };
        assert_eq!(knob.check().unwrap_err().to_string(), "\"../x\" is no name of a network namespace");
    }

    #[test]
    fn every_knob_has_its_command() {
        let cases = [
            ("rx_ring", "4096", "ethtool -G e0 rx 4096"),
            ("tx_queue_len", "1600", "ip link set dev e0 txqueuelen 1600"),
            ("gro", "on", "ethtool -K e0 gro on"),
            ("rx_usecs", "30", "ethtool -C e0 rx-usecs 30"),
            ("rps_cpus", "3", "echo 3 > /sys/class/net/e0/queues/rx-0/rps_cpus"),
            ("napi_defer_hard_irqs", "2", "echo 2 > /sys/class/net/e0/napi_defer_hard_irqs"),
        ];
        for (key, value, command) in cases {
            assert_eq!(KnobKind::of_interface("e0", key).unwrap().command(value), command);
        }
        assert!(LINK_KEYS.iter().all(|key| KnobKind::of_interface("e0", key).is_some()));
        let sysctl = KnobKind::Sysctl { name: "net.ipv4.tcp_rmem".into() };
        assert_eq!(sysctl.command("1 2 3"), "sysctl -w net.ipv4.tcp_rmem=\"1 2 3\"");
    }

    #[test]
    fn a_knob_is_read_back_as_it_was_written() {
        for key in LINK_KEYS {
            let kind = KnobKind::of_interface("e0", key).unwrap();
            let knob = Knob { namespace: Some("lab-x".into()), kind };
            let text = serde_json::to_string(&knob).unwrap();
            assert_eq!(serde_json::from_str::<Knob>(&text).unwrap(), knob, "{text}");
        }
    }
}

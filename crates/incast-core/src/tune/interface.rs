//! What a scenario calls the settings of an interface: `interface = { gro = "on", rx_ring = "4096" }`.
//!
//! The words are those of ethtool and of the files in `/sys/class/net`. A receiving or sending queue is the
//! first one: the interfaces of a lab have one of each.

use super::knob::{CoalescingSetting, KnobKind, LinkAttribute, Offload, QueueAttribute, Side};

/// The setting of `interface` that is called `key`.
pub(super) fn kind(interface: String, key: &str) -> Option<KnobKind> {
    let queue = |queue: &str, attribute| (queue.to_owned(), attribute);
    Some(match key {
        "mtu" => KnobKind::Link { interface, attribute: LinkAttribute::Mtu },
        "tx_queue_len" => KnobKind::Link { interface, attribute: LinkAttribute::TxQueueLen },
        "gro_flush_timeout" => KnobKind::Link { interface, attribute: LinkAttribute::GroFlushTimeout },
        "napi_defer_hard_irqs" => KnobKind::Link { interface, attribute: LinkAttribute::NapiDeferHardIrqs },
        "threaded" => KnobKind::Link { interface, attribute: LinkAttribute::Threaded },
        "rps_cpus" | "rps_flow_cnt" | "xps_cpus" => {
            let (queue, attribute) = match key {
                "rps_cpus" => queue("rx-0", QueueAttribute::RpsCpus),
                "rps_flow_cnt" => queue("rx-0", QueueAttribute::RpsFlowCnt),
                _ => queue("tx-0", QueueAttribute::XpsCpus),
            };
            KnobKind::Queue { interface, queue, attribute }
        }
        "rx_checksum" => KnobKind::Offload { interface, offload: Offload::RxChecksum },
        "tx_checksum" => KnobKind::Offload { interface, offload: Offload::TxChecksum },
        "sg" => KnobKind::Offload { interface, offload: Offload::Sg },
        "tso" => KnobKind::Offload { interface, offload: Offload::Tso },
        "gso" => KnobKind::Offload { interface, offload: Offload::Gso },
        "gro" => KnobKind::Offload { interface, offload: Offload::Gro },
        "rx_ring" => KnobKind::Ring { interface, side: Side::Rx },
        "tx_ring" => KnobKind::Ring { interface, side: Side::Tx },
        "rx_usecs" => KnobKind::Coalescing { interface, what: CoalescingSetting::RxUsecs },
        "rx_frames" => KnobKind::Coalescing { interface, what: CoalescingSetting::RxFrames },
        "adaptive_rx" => KnobKind::Coalescing { interface, what: CoalescingSetting::AdaptiveRx },
        "rx_pause" => KnobKind::Pause { interface, side: Side::Rx },
        "tx_pause" => KnobKind::Pause { interface, side: Side::Tx },
        _ => return None,
    })
}

/// Every key, in the order of the alphabet.
pub(super) const KEYS: &[&str] = &[
    "adaptive_rx",
    "gro",
    "gro_flush_timeout",
    "gso",
    "mtu",
    "napi_defer_hard_irqs",
    "rps_cpus",
    "rps_flow_cnt",
    "rx_checksum",
    "rx_frames",
    "rx_pause",
    "rx_ring",
    "rx_usecs",
    "sg",
    "threaded",
    "tso",
    "tx_checksum",
    "tx_pause",
    "tx_queue_len",
    "tx_ring",
    "xps_cpus",
];

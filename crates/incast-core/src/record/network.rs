//! The network of a run, and the ledger of what it dropped: plain data, part of the record.
//!
//! Units: messages are the flows' own; packets are frames as a queue counts them (fragments of a
//! large datagram, segments of TCP). `docs/method.md` says which kernel counter each number is.

use serde::{Deserialize, Serialize};

plain_data! {
    /// The network that was built for a run: hosts, switches and the cables between them.
    pub struct Network {
        /// Every host with its addresses, in the order of the scenario.
        pub hosts: Vec<NetworkHost>,
        /// Every switch.
        pub switches: Vec<NetworkSwitch>,
        /// Every cable, with the queues at its ends.
        pub cables: Vec<NetworkCable>,
        /// What this machine can carry beside what the scenario asks of it.
        pub calibration: Option<Calibration>,
        /// Seconds it took to build.
        pub build_s: Option<f64>,
    }

    /// A host of the network.
    pub struct NetworkHost {
        /// Its name.
        pub name: String,
        /// Its addresses, one for each cable.
        pub addresses: Vec<String>,
    }

    /// A switch of the network.
    pub struct NetworkSwitch {
        /// Its name.
        pub name: String,
        /// The network that it belongs to.
        pub network: String,
        /// `bridge` or `routed`.
        pub forwarding: String,
        /// What a full port does: `drop` or `pause`.
        pub when_full: String,
    }

    /// A cable from a host, or from a switch, to a switch.
    pub struct NetworkCable {
        /// The host, or the switch, at its near end.
        pub from: String,
        /// The switch at its far end.
        pub to: String,
        /// Largest IP packet in bytes.
        pub mtu_bytes: u32,
        /// Rate out of `from`, bits per second on the wire; null when unlimited.
        pub rate_bits_per_s: Option<f64>,
        /// Rate out of the switch's port, bits per second on the wire; null when unlimited.
        pub port_rate_bits_per_s: Option<f64>,
        /// Bytes that the queue at `from` holds.
        pub queue_bytes: Option<u64>,
        /// Bytes that the queue at the switch's port holds.
        pub port_queue_bytes: Option<u64>,
        /// Whether packets may travel in trains (segmentation offload).
        pub offloads: bool,
        /// What happens on the way, each way; null for a plain cable.
        pub impairment: Option<Impairment>,
        /// What the queues at its ends counted while the run lasted.
        pub queues: Vec<QueueReport>,
        /// What the link in its middle counted, one entry for each way; empty for a plain cable.
        pub links: Vec<LinkReport>,
    }

    /// What a cable does to packets, each way.
    pub struct Impairment {
        /// Delay in milliseconds.
        pub delay_ms: f64,
        /// Delay added at random, uniform from 0 to this, in milliseconds; order is kept.
        pub jitter_ms: f64,
        /// Probability of losing a packet, 0 to 1.
        pub loss: f64,
        /// Probability of delivering a packet twice, 0 to 1.
        pub duplicate: f64,
        /// Probability of letting a packet overtake those before it, 0 to 1.
        pub reorder: f64,
    }

    /// What one queue counted while the run lasted.
    pub struct QueueReport {
        /// Where it is: `nic of y` or `port of main to x`.
        pub place: String,
        /// Packets that left it.
        pub packets: u64,
        /// Bytes that left it, with their share of the wire (preamble, frame check, gap).
        pub bytes: u64,
        /// Packets that it dropped.
        pub dropped_packets: u64,
        /// Packets still in it at the end.
        pub backlog_packets: u64,
        /// Packets dropped behind it, on their way into the next host or switch (receive backlog).
        pub backlog_dropped_packets: u64,
    }

    /// What the link in the middle of a cable did, one way.
    pub struct LinkReport {
        /// Which way: `y -> main`.
        pub way: String,
        /// Packets that came in.
        pub packets: u64,
        /// Packets sent on, duplicates included.
        pub forwarded_packets: u64,
        /// Packets lost on purpose.
        pub lost_packets: u64,
        /// Copies made on purpose.
        pub duplicated_packets: u64,
        /// Packets let overtake others on purpose.
        pub reordered_packets: u64,
        /// Packets dropped against its will: before it read them, for want of room, or refused by the kernel.
        pub dropped_packets: u64,
        /// Most packets held at once.
        pub held_packets_max: u64,
        /// Most bytes held at once.
        pub held_bytes_max: u64,
        /// Packets still held at the end.
        pub held_packets: u64,
        /// How much later than asked packets left: median, microseconds.
        pub late_us_p50: Option<f64>,
        /// 99th percentile, microseconds.
        pub late_us_p99: Option<f64>,
        /// Largest, microseconds.
        pub late_us_max: Option<f64>,
    }

    /// What this machine can carry, measured just before the run, beside what the scenario asks.
    pub struct Calibration {
        /// Packets per second that crossed an unshaped switch, smallest frames of the scenario.
        pub packets_per_s: f64,
        /// Packets per second that the scenario's flows and port rates come to.
        pub needed_packets_per_s: f64,
        /// Needed over possible; above 1 the machine, not the network, sets the result.
        pub load: f64,
    }

    /// The second book of the losses: what the kernel's own counters say, stage by stage.
    ///
    /// Over datagrams: `sent = delivered + every stage + unexplained`.
    pub struct Ledger {
        /// Messages that were sent over anything but TCP.
        pub sent: Option<u64>,
        /// Of these, received for the first time.
        pub delivered: Option<u64>,
        /// Stages at which messages died, along the path; stages without a loss are listed too.
        pub stages: Vec<LossStage>,
        /// What is left: `sent - delivered - stages`. Not 0 is a fault or a doubt.
        pub unexplained: Option<i64>,
        /// The same account in packets, one entry for each kind of packet.
        pub packets: Vec<PacketAccount>,
        /// Packets that queues and links dropped, less those that the accounts miss.
        pub unexplained_packets: Option<i64>,
        /// Which counters were read, and which stages are uncertain where they were not.
        pub sources: Vec<LedgerSource>,
    }

    /// A source of the ledger: counters that tell of some stages.
    pub struct LedgerSource {
        /// `snmp`, `devices`, `softnet`, `drop trace`, `switches`, or `counters` of a host that told none.
        pub name: String,
        /// Whose; empty for the whole machine or network.
        pub host: String,
        /// Whether it was read.
        pub read: bool,
        /// Why not.
        pub why: Option<String>,
        /// Stages that are uncertain because it was not.
        pub uncertain: Vec<String>,
    }

    /// One stage of the path, and what died there.
    pub struct LossStage {
        /// In the order of the path: `sender_socket`, `host_queue`, `neighbour`, `sender_nic`, `link`,
        /// `switch_port`, `receiver_ring`, `receiver_backlog`, `firewall`, `reassembly`, `checksum`,
        /// `no_listener`, `socket_buffer`, `socket`, `packet_ring` or `application`.
        pub stage: String,
        /// Where that is, with the counter: `port of main to x`.
        pub place: String,
        /// Packets dropped there, of every kind.
        pub packets: u64,
        /// Messages that died there: of all flows but TCP's.
        pub messages: u64,
    }

    /// Packets of one kind over the whole network.
    pub struct PacketAccount {
        /// `udp`, `udp fragments`, `tcp`, `icmp`; of flows over raw transports `ip`, `ethernet` and `xdp`.
        pub kind: String,
        /// Packets that the hosts' network layers sent.
        pub sent: u64,
        /// Packets that the hosts' network layers received.
        pub received: u64,
    }
}

//! What only a simulator sees: every queue over time, every drop, every part of a delay. Plain data, part of
//! the record. No wall-clock time is in it: the same scenario, seed and build give the same bytes.

use serde::{Deserialize, Serialize};

use super::TimeDistribution;

plain_data! {
    /// What the simulator saw.
    pub struct Simulation {
        /// Virtual time that passed, seconds.
        pub virtual_s: f64,
        /// Packets sent over a link, each link counted.
        pub packet_hops: u64,
        /// Arrivals at a queue in one picosecond, whose order was drawn.
        pub ties: u64,
        /// Of everything that happened, in its order: equal digests, equal runs.
        pub digest: String,
        /// The account of bytes (law 4), over all queues: `in = out + dropped + queued`.
        pub bytes: ByteBook,
        /// Every queue that held something, the fullest first; of those beyond a bound only the sums are in the account.
        pub queues: Vec<QueueHistory>,
        /// Where packets died, and why; most first.
        pub drops: Vec<DropPlace>,
        /// The delay of messages, split into its parts.
        pub delays: Vec<DelayPart>,
        /// What the models were told: assumed, stated, with their values.
        pub models: Vec<ModelUsed>,
        /// What formulas say of the same scenario, beside what was simulated.
        pub estimates: Vec<Estimate>,
        /// The same scenario under other seeds; empty for a single run.
        pub replicas: Vec<ReplicaFigure>,
    }

    /// The account of bytes (law 4).
    pub struct ByteBook {
        /// Bytes offered to queues.
        pub offered: u64,
        /// Bytes that left them.
        pub forwarded: u64,
        /// Bytes dropped at them.
        pub dropped: u64,
        /// Bytes in them at the end.
        pub queued: u64,
        /// `offered - forwarded - dropped - queued`.
        pub residual: i64,
    }

    /// One queue over time.
    pub struct QueueHistory {
        /// Where it is: `nic of y`, `port of main to x`, `ring of x`.
        pub place: String,
        /// Packets offered to it.
        pub packets: u64,
        /// Packets dropped at it.
        pub dropped_packets: u64,
        /// Bytes that it can hold; null without a bound.
        pub capacity_bytes: Option<u64>,
        /// Most bytes held at once.
        pub bytes_max: u64,
        /// Most packets held at once.
        pub packets_max: u64,
        /// Bytes held, averaged over the time of the run.
        pub bytes_mean: f64,
        /// Fraction of the time in which its link sent, 0 to 1; null for a queue without a link.
        pub busy: Option<f64>,
        /// Time from entering the queue to the start of sending, microseconds.
        pub wait_us: Option<TimeDistribution>,
        /// Its mean, exactly summed; null when nothing was sent.
        pub wait_us_mean: Option<f64>,
        /// Most bytes held in each slice of `interval_s`.
        pub bytes_over_time: Vec<u64>,
        /// Length of a slice, seconds.
        pub interval_s: f64,
    }

    /// Packets that died in one place for one reason.
    pub struct DropPlace {
        /// The stage of the ledger: `host_queue`, `link`, `switch_port`, `receiver_ring`, `receiver_backlog`,
        /// `reassembly`, `socket_buffer`, `application`.
        pub stage: String,
        /// Which one: `port of main to x`.
        pub place: String,
        /// Why: `full`, `loss`, `bit_error`, `link_down`, `fault`, `memory`, `until_empty`.
        pub cause: String,
        /// Packets.
        pub packets: u64,
        /// Bytes of these.
        pub bytes: u64,
        /// Virtual seconds of the first.
        pub first_s: f64,
        /// Virtual seconds of the last.
        pub last_s: f64,
    }

    /// One part of the delay of the messages of a flow, or of all.
    pub struct DelayPart {
        /// Whose: the flow's name, or `fragments`, or `all`.
        pub of: String,
        /// `whole`, `sending` (onto wires), `travelling` (along them), `queueing`, `receiving` (in the host).
        pub part: String,
        /// Microseconds.
        pub us: TimeDistribution,
    }

    /// A model and one of its values.
    pub struct ModelUsed {
        /// Of which hosts or switches; `all`.
        pub of: String,
        /// `receive`, `packet_cost` and so on.
        pub name: String,
        /// As text with its unit.
        pub value: String,
        /// `stated` in the scenario, or `assumed`.
        pub origin: String,
    }

    /// A figure by formula beside the simulated one.
    pub struct Estimate {
        /// What.
        pub name: String,
        /// The formula, and where it is from.
        pub source: String,
        /// By the formula.
        pub estimated: f64,
        /// By the simulation; null when it gave none.
        pub simulated: Option<f64>,
        /// `simulated / estimated - 1`; null when one is missing.
        pub disagreement: Option<f64>,
    }

    /// One figure over all replicas.
    pub struct ReplicaFigure {
        /// Which figure: the name of a metric, or of an expectation.
        pub name: String,
        /// How many replicas gave it.
        pub replicas: u32,
        /// Mean.
        pub mean: f64,
        /// Half of the width of its 95 % confidence interval (Student's t); null for one replica.
        pub half_width: Option<f64>,
        /// Smallest.
        pub least: f64,
        /// Largest.
        pub most: f64,
        /// The value of each replica in the order of their seeds; empty where all have the same, bounded at 10 000.
        pub values: Vec<f64>,
    }
}

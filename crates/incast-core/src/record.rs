//! The record of a run, schema `incast.record/1`: plain data that every world writes.
//!
//! Unknown is `null`, never 0. Every number carries its unit at the end of its name. The records
//! are computed elsewhere; this file only says what they look like. `docs/record.md` explains them.

use serde::{Deserialize, Serialize};

use crate::caveat::Caveat;
use crate::load::Transport;

/// The schema that this build writes.
pub const SCHEMA: &str = "incast.record/1";

/// Derives what every part of a record derives. What an older record does not have reads as unknown.
macro_rules! plain_data {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })*) => { $(
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(default)]
        $(#[$meta])*
        pub struct $name { $($body)* }
    )* };
}

mod campaign;
pub use campaign::{
    CAMPAIGN_SCHEMA, Campaign, CampaignAsked, CampaignBin, CampaignComb, CampaignComparison,
    CampaignDispersion, CampaignDistribution, CampaignDrift, CampaignInterval, CampaignPeak, CampaignStage,
    CampaignVariant,
};
mod exchange;
pub use exchange::{Exchange, ExchangePeer, ExchangePoint, ExchangeTimes, TcpHistory, TcpSample, TimeBucket};
mod ladder;
pub use ladder::{Ladder, LadderFigure, LadderRung};
mod network;
pub use network::{
    Calibration, Impairment, Ledger, LedgerSource, LinkReport, LossStage, Network, NetworkCable, NetworkHost,
    NetworkSwitch, PacketAccount, QueueReport,
};
mod raw;
pub use raw::{RawSide, RawSummary};
mod probe;
pub use probe::{
    NanosecondBucket, NanosecondDistribution, Probe, ProbeClocks, ProbeEnd, ProbePoint, ProbeStamps,
};
mod readout;
pub use readout::{
    CreditBook, DeadTimes, EventBook, NamedCount, Readout, ReadoutInterval, ReadoutRole, StateEntered,
    StoredFile, TimeDistribution,
};
mod simulation;
pub use simulation::{
    ByteBook, DelayPart, DropPlace, Estimate, ModelUsed, QueueHistory, ReplicaFigure, Simulation,
};
mod stamp;
pub use stamp::{StampClock, StampFault, StampReport, StampSpread, StampWindow};
mod switch_test;
pub use switch_test::{RoundTrip, SwitchTest, SwitchTrial};

plain_data! {
    /// One run: what was asked, what was measured, and how far to trust it.
    pub struct Record {
        /// Always `incast.record/1`.
        pub schema: String,
        /// The program that wrote this record.
        pub incast: Build,
        /// Where the run took place: `serve`, `flood`, `stamp`, `run`, `lab`, `sim` or `launch`.
        pub world: String,
        /// When the run began, UTC, RFC 3339; null in the simulator.
        pub started_at: Option<String>,
        /// What was asked for.
        pub scenario: ScenarioSummary,
        /// The host that wrote this record, and its load while the run lasted.
        pub host: Host,
        /// Hosts that took part through `incast agent`.
        pub agents: Vec<Host>,
        /// One entry for each sender-receiver pair and direction.
        pub flows: Vec<Flow>,
        /// Sums over all flows.
        pub totals: Totals,
        /// The network that was built for the run; null when it ran over one that was there.
        pub network: Option<Network>,
        /// The second book: what the kernel's counters say of every lost message; null where they were not read.
        pub ledger: Option<Ledger>,
        /// Requests and their responses; one entry for each asker. Empty when nobody asked.
        pub exchanges: Vec<Exchange>,
        /// One optimisation after the other, and what each is worth; null for any other run. What else is in
        /// the record is of the last trial of its first rung.
        pub ladder: Option<Ladder>,
        /// The trials of a switch test and what they show; null for any other run.
        pub switch_test: Option<SwitchTest>,
        /// What a path showed that was watched with STAMP; null when none was.
        pub stamp: Option<StampReport>,
        /// The points of a probe; null for any other run.
        pub probe: Option<Probe>,
        /// What an event-building system did; null when there was none.
        pub readout: Option<Readout>,
        /// What only a simulator sees; null in every other world.
        pub simulation: Option<Simulation>,
        /// The scenario's questions, answered with what was measured.
        pub answers: Vec<Answer>,
        /// What peers did that the protocol does not allow: counted, named, ignored.
        pub faults: Faults,
        /// Doubts, the gravest first.
        pub caveats: Vec<Caveat>,
        /// What was expected, with its source, beside what was measured.
        pub expectations: Vec<Expectation>,
        /// `good`, `missed` (an expectation), `tainted` (a doubt voids the numbers), `incomplete` (a
        /// role died or a peer vanished) or `interrupted`.
        pub verdict: Verdict,
    }

    /// The program that wrote a record.
    pub struct Build {
        /// Version of incast.
        pub version: String,
        /// Commit it was built from; null when it was not built from a checkout.
        pub commit: Option<String>,
    }

    /// What was asked for.
    pub struct ScenarioSummary {
        /// Name of the scenario, or of the command.
        pub name: String,
        /// What it shows, in a sentence.
        pub title: Option<String>,
        /// Which variant of the scenario ran; null for the scenario as it stands.
        pub variant: Option<String>,
        /// Seed of every random choice.
        pub seed: u64,
        /// The scenario file as it was read; null for a command without one.
        pub text: Option<String>,
        /// The effective settings of a command, as it prints them.
        pub command: Option<String>,
    }

    /// A host: its kernel, its settings, and what its CPU did while the run lasted.
    pub struct Host {
        /// Its name.
        pub name: String,
        /// Kernel name and release.
        pub kernel: Option<String>,
        /// Processor model.
        pub processor: Option<String>,
        /// Processors this process may use.
        pub cores_usable: Option<u32>,
        /// Total memory in bytes.
        pub memory_bytes: Option<u64>,
        /// Settings of the kernel that bear on the measurement, by their sysctl names.
        pub settings: std::collections::BTreeMap<String, String>,
        /// What each core did during the run; empty when it could not be read.
        pub cores: Vec<CoreLoad>,
        /// How busy each core was over time; empty when nobody looked while the run lasted.
        pub core_intervals: Vec<CoreInterval>,
        /// Interrupts served by the host during the run.
        pub interrupts: Option<u64>,
        /// Soft interrupts of the network (NET_TX and NET_RX) on the host during the run.
        pub network_softirqs: Option<u64>,
        /// Context switches of the host during the run.
        pub context_switches: Option<u64>,
        /// Resolution of the clock in nanoseconds.
        pub clock_resolution_ns: Option<u64>,
    }

    /// What one core did during the run, as fractions of the elapsed time (0 to 1).
    pub struct CoreLoad {
        /// Number of the core.
        pub core: u32,
        /// In user code.
        pub user: f64,
        /// In the kernel, on behalf of processes.
        pub system: f64,
        /// In soft interrupts, where the kernel receives packets.
        pub softirq: f64,
        /// In hard interrupts.
        pub irq: f64,
        /// Taken by the hypervisor.
        pub steal: f64,
        /// Doing nothing.
        pub idle: f64,
    }

    /// How busy the cores were in one slice of the run.
    pub struct CoreInterval {
        /// Start, seconds after the start of the run.
        pub start_s: f64,
        /// End, seconds after the start of the run.
        pub end_s: f64,
        /// Fraction of the slice, 0 to 1, that each core was not idle, in the order of `cores`.
        pub busy: Vec<f64>,
    }

    /// A question of the scenario and its answer.
    pub struct Answer {
        /// The question, as the scenario asks it.
        pub question: String,
        /// The answer, a line for each of its parts.
        pub answer: Vec<String>,
    }

    /// One sender to one receiver.
    pub struct Flow {
        /// Name of the flow.
        pub name: String,
        /// Name of the sending host or peer.
        pub from: String,
        /// Name of the receiving host or peer.
        pub to: String,
        /// What carried the messages; null only in a default value.
        pub transport: Option<Transport>,
        /// Size of every message in bytes, counter included.
        pub message_bytes: u32,
        /// Sockets that shared the load.
        pub streams: u32,
        /// Asked for, payload bits per second; null when unlimited or unknown.
        pub intended_load_bits_per_s: Option<f64>,
        /// What really left, payload bits per second, by the sender's clock (RFC 2285 §3.5.2).
        pub offered_load_bits_per_s: Option<f64>,
        /// Payload delivered once, bits per second, by the receiver's clock (RFC 2647 §3.17).
        pub goodput_bits_per_s: Option<f64>,
        /// Goodput with its headers, frame check, preamble and gap on Ethernet, computed; MTU of the
        /// scenario's cable, else 1500 B.
        pub wire_rate_bits_per_s: Option<f64>,
        /// Start of the receiver's measurement, seconds after the start of the run.
        pub start_s: Option<f64>,
        /// Time over which the flow was measured, by the receiver's clock where there is a receiver.
        pub duration_s: Option<f64>,
        /// The account of messages (law 1).
        pub messages: Messages,
        /// Lost over sent, 0 to 1.
        pub lost_fraction: Option<f64>,
        /// Lengths of runs of consecutive lost messages.
        pub loss_runs: Option<LossRuns>,
        /// Round trips of tagged messages beside the flow; null when none were sent.
        pub round_trip: Option<RoundTrip>,
        /// Reordering after RFC 4737.
        pub reordering: Option<Reordering>,
        /// How late messages left, against the intended departure.
        pub departure_error: Option<DepartureError>,
        /// CPU spent.
        pub cpu: FlowCpu,
        /// Socket buffers, asked for and granted.
        pub socket_buffers: SocketBuffers,
        /// TCP at the sender, at the end of the flow.
        pub tcp: Option<TcpSummary>,
        /// How each system call was filled.
        pub batching: Batching,
        /// Dropped by the flow's receiving socket or ring, by its own counter, while the flow lasted: in units
        /// of the kernel (datagrams joined by offload are one), and those of other flows that it served; null
        /// where no such counter was read. Sockets count checksum errors here too.
        pub receiver_drops: Option<u64>,
        /// What is below UDP; null over TCP and UDP.
        pub raw: Option<RawSummary>,
        /// The flow over time; the intervals sum to the whole, exactly.
        pub intervals: Vec<Interval>,
        /// Whether every side told its account to the end; a flow that was stopped early can be complete.
        pub complete: bool,
    }

    /// The account of messages of one flow, or of all (law 1):
    /// `received = unique + duplicate + stale` and `sent = unique + lost + unexplained`.
    pub struct Messages {
        /// Given to the sender's kernel.
        pub sent: Option<u64>,
        /// Taken from the receiver's kernel.
        pub received: Option<u64>,
        /// Received for the first time.
        pub unique: Option<u64>,
        /// Received again.
        pub duplicate: Option<u64>,
        /// Received first after a later message (RFC 4737).
        pub reordered: Option<u64>,
        /// First arrivals that gave back a loss already counted; each is also a reordered one.
        pub late: Option<u64>,
        /// Arrived too far behind to be told from a duplicate.
        pub stale: Option<u64>,
        /// Never received: gaps, and the tail known from the sender's total.
        pub lost: Option<u64>,
        /// What is left of the account: `sent - unique - lost`. Not 0 is a fault or a doubt.
        pub unexplained: Option<i64>,
    }

    /// Runs of consecutive lost messages.
    pub struct LossRuns {
        /// Number of runs.
        pub runs: u64,
        /// Length of the longest, in messages.
        pub longest: u64,
        /// How many runs of each length; lengths of 64 and more are grouped by powers of two.
        pub lengths: Vec<RunLength>,
    }

    /// How many runs of one length, or of a range of lengths.
    pub struct RunLength {
        /// Shortest length counted here, in messages.
        pub from: u64,
        /// Longest length counted here, in messages.
        pub to: u64,
        /// Runs of such a length.
        pub runs: u64,
    }

    /// Reordering after RFC 4737, over first arrivals.
    pub struct Reordering {
        /// Reordered over unique (§4.1.3).
        pub ratio: f64,
        /// Largest extent in messages (§4.2.3).
        pub extent_max: u64,
        /// Mean extent over reordered messages.
        pub extent_mean: Option<f64>,
        /// Reordered messages whose extent could not be told (too many gaps at once).
        pub extent_unknown: u64,
        /// Entry `n - 1` counts the messages that are at least `n`-reordered (§5.3), `n` from 1.
        pub n_reordering: Vec<u64>,
    }

    /// Actual minus intended departure, over the batches that were sent.
    pub struct DepartureError {
        /// Median in nanoseconds.
        pub ns_p50: u64,
        /// 99th percentile in nanoseconds.
        pub ns_p99: u64,
        /// Largest in nanoseconds.
        pub ns_max: u64,
        /// Messages whose turn was given up because the sender had fallen too far behind.
        pub skipped_messages: u64,
    }

    /// CPU spent on one flow; null where several flows shared a process and cannot be told apart.
    pub struct FlowCpu {
        /// By the sender.
        pub sender: Option<Cpu>,
        /// By the receiver.
        pub receiver: Option<Cpu>,
        /// CPU seconds of both ends per 10^9 bytes of goodput.
        pub seconds_per_gigabyte: Option<f64>,
        /// Cores that both ends together would need at 200 Gbit/s, were the cost per byte the same.
        pub cores_at_200_gbit_per_s: Option<f64>,
    }

    /// CPU time and what else the kernel counts per process or thread.
    pub struct Cpu {
        /// In user code, seconds.
        pub user_s: f64,
        /// In the kernel on its behalf, seconds. Soft interrupts are counted at the host's cores.
        pub system_s: f64,
        /// Times it waited for something.
        pub switches_voluntary: u64,
        /// Times it was made to wait.
        pub switches_involuntary: u64,
    }

    /// Socket buffers of a flow.
    pub struct SocketBuffers {
        /// At the sender.
        pub send: Option<Buffer>,
        /// At the receiver.
        pub receive: Option<Buffer>,
    }

    /// One socket buffer. Linux grants twice what is asked, for its own book-keeping, and reports
    /// the doubled value; the two are shown apart and never fed back.
    pub struct Buffer {
        /// Asked for in bytes; null when the kernel's default was taken.
        pub asked_bytes: Option<u64>,
        /// What the kernel reports as granted, in bytes.
        pub granted_bytes: u64,
    }

    /// TCP at the sender when the flow ended.
    pub struct TcpSummary {
        /// Congestion control in force.
        pub congestion: String,
        /// Segments sent again; null when the kernel did not tell.
        pub retransmits: Option<u64>,
        /// Smoothed round trip in microseconds.
        pub round_trip_us: Option<u64>,
        /// Maximum segment size in bytes.
        pub segment_bytes: Option<u64>,
    }

    /// How system calls were filled.
    pub struct Batching {
        /// Send system calls.
        pub send_calls: Option<u64>,
        /// Receive system calls.
        pub receive_calls: Option<u64>,
        /// Largest number of messages in one segmentation-offload datagram that was sent.
        pub segments_max: Option<u32>,
    }

    /// A slice of a flow. Counts are differences, so a loss given back by a late message makes
    /// `lost` negative; each column sums to the whole.
    pub struct Interval {
        /// Start, seconds after the start of the flow.
        pub start_s: f64,
        /// End, seconds after the start of the flow.
        pub end_s: f64,
        /// Messages sent in it, by the sender's clock; null when the sender did not tell.
        pub sent: Option<u64>,
        /// Messages received in it.
        pub received: Option<u64>,
        /// First arrivals in it.
        pub unique: Option<u64>,
        /// Duplicates in it.
        pub duplicate: Option<u64>,
        /// Reordered arrivals in it.
        pub reordered: Option<u64>,
        /// Late arrivals in it.
        pub late: Option<u64>,
        /// Stale arrivals in it.
        pub stale: Option<u64>,
        /// Change in the number of lost messages; the tail is in the last interval.
        pub lost: Option<i64>,
        /// Payload delivered once, bits per second.
        pub goodput_bits_per_s: Option<f64>,
    }

    /// Sums over all flows.
    pub struct Totals {
        /// The account over all flows.
        pub messages: Messages,
        /// Sum of the intended loads; null when one is unlimited.
        pub intended_load_bits_per_s: Option<f64>,
        /// Sum of the offered loads.
        pub offered_load_bits_per_s: Option<f64>,
        /// Payload of all flows delivered once, over the time from the first start to the last end.
        pub goodput_bits_per_s: Option<f64>,
        /// The same with headers, frame check, preamble and gap.
        pub wire_rate_bits_per_s: Option<f64>,
        /// From the first start to the last end.
        pub duration_s: Option<f64>,
        /// Payload bytes delivered once.
        pub delivered_bytes: Option<u64>,
        /// Lost over sent.
        pub lost_fraction: Option<f64>,
        /// Jain's fairness index of the flows' goodput, 1/n to 1; null for one flow.
        pub fairness_jain: Option<f64>,
        /// Time during which all flows were active, over the whole duration; null for one flow.
        pub overlap_fraction: Option<f64>,
        /// CPU of all processes of the run on hosts that were measured.
        pub cpu: Option<Cpu>,
        /// CPU seconds per 10^9 bytes of goodput.
        pub cpu_seconds_per_gigabyte: Option<f64>,
        /// Cores needed at 200 Gbit/s at the same cost per byte.
        pub cores_at_200_gbit_per_s: Option<f64>,
        /// Throughput: the highest load without loss (RFC 1242 §3.17), payload bits per second of all
        /// flows; null when it was not searched for or no load passed.
        pub throughput_bits_per_s: Option<f64>,
        /// The same as a fraction of the senders' full load, 0 to 1.
        pub throughput_fraction: Option<f64>,
        /// Datagrams (kernel units) dropped because the receiving socket's buffer was full.
        pub receiver_socket_drops: Option<u64>,
    }

    /// What peers did that the protocol does not allow.
    #[derive(Eq)]
    pub struct Faults {
        /// Connections that began with something else than an incast greeting.
        pub rubbish_connections: u64,
        /// Connections that said nothing, or too little, until their time was up.
        pub silent_connections: u64,
        /// Connections that ended in the middle of a header or message.
        pub truncated_connections: u64,
        /// Peers whose key is not ours.
        pub wrong_keys: u64,
        /// Frames that announced an impossible length.
        pub bad_lengths: u64,
        /// Control messages that could not be read, or came out of turn.
        pub bad_messages: u64,
        /// Data connections or datagrams with an unknown session id.
        pub strangers: u64,
        /// Datagrams of another size than the session agreed.
        pub wrong_sizes: u64,
        /// Counters beyond what the sender may or did send.
        pub implausible_counters: u64,
        /// Connections turned away because too many were open.
        pub turned_away: u64,
    }

    /// One expectation of the scenario.
    pub struct Expectation {
        /// What is expected, in words.
        pub name: String,
        /// The expected value or range, as the scenario states it.
        pub expected: String,
        /// What was measured; null when it could not be.
        pub measured: Option<f64>,
        /// Whether it was met; null when it could not be measured.
        pub met: Option<bool>,
        /// Where the expected value comes from.
        pub source: Option<String>,
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It ended by itself and every expectation was met.
    Good,
    /// It ended by itself and an expectation was missed.
    Missed,
    /// It ended by itself, but what carried it was overloaded: its numbers are those of this machine.
    Tainted,
    /// A role died or a peer vanished; what was measured until then stands.
    Incomplete,
    /// It was ended early; what was measured until then stands. Also what a record says while its run is going on.
    #[default]
    Interrupted,
}

impl Faults {
    /// Every fault with its name, in the order of the struct.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("connections that spoke no incast", self.rubbish_connections),
            ("silent connections", self.silent_connections),
            ("connections cut off in a message", self.truncated_connections),
            ("wrong keys", self.wrong_keys),
            ("impossible lengths", self.bad_lengths),
            ("unreadable or untimely control messages", self.bad_messages),
            ("strangers' connections or datagrams", self.strangers),
            ("datagrams of a wrong size", self.wrong_sizes),
            ("implausible counters", self.implausible_counters),
            ("connections turned away", self.turned_away),
        ]
    }

    /// How many faults in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named().iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Adds another account of faults to this one.
    pub fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.rubbish_connections, other.rubbish_connections);
        add(&mut self.silent_connections, other.silent_connections);
        add(&mut self.truncated_connections, other.truncated_connections);
        add(&mut self.wrong_keys, other.wrong_keys);
        add(&mut self.bad_lengths, other.bad_lengths);
        add(&mut self.bad_messages, other.bad_messages);
        add(&mut self.strangers, other.strangers);
        add(&mut self.wrong_sizes, other.wrong_sizes);
        add(&mut self.implausible_counters, other.implausible_counters);
        add(&mut self.turned_away, other.turned_away);
    }
}

impl Cpu {
    /// Adds another account of CPU time to this one.
    pub fn add(&mut self, other: &Self) {
        self.user_s += other.user_s;
        self.system_s += other.system_s;
        self.switches_voluntary += other.switches_voluntary;
        self.switches_involuntary += other.switches_involuntary;
    }

    /// What was spent since `earlier`; never negative.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            user_s: (self.user_s - earlier.user_s).max(0.0),
            system_s: (self.system_s - earlier.system_s).max(0.0),
            switches_voluntary: self.switches_voluntary.saturating_sub(earlier.switches_voluntary),
            switches_involuntary: self.switches_involuntary.saturating_sub(earlier.switches_involuntary),
        }
    }

    /// User and system seconds together.
    #[must_use]
    pub fn total_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

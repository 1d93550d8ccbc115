//! What a readout did: where every event ended, what became of every credit, how long things took.

use serde::{Deserialize, Serialize};

plain_data! {
    /// A run of an event-building system.
    pub struct Readout {
        /// Number of the run.
        pub run: u32,
        /// `push` or `pull`: who asks the sinks.
        pub protocol: String,
        /// How fragments travelled: `tcp`, `udp`, `ip`, `mep-udp`, `mep-ip`, `mep-tcp`.
        pub carrier: String,
        /// Events per multi-event packet.
        pub packing_events: u16,
        /// Policy by which builders are assigned.
        pub builder_policy: String,
        /// Policy by which nodes are given events.
        pub node_policy: String,
        /// The MDF file that was replayed; null when the data were generated.
        pub replay: Option<String>,
        /// From the first trigger order to the stop, in seconds.
        pub running_s: Option<f64>,
        /// Where every event ended (law 2).
        pub events: EventBook,
        /// What became of every credit (law 3); null when no role told.
        pub credits: Option<CreditBook>,
        /// When the trigger could not trigger, and why.
        pub dead_time: DeadTimes,
        /// Events per second that ended, over the running time.
        pub event_rate_per_s: Option<f64>,
        /// Payload bytes per second that were built, over the running time.
        pub built_bytes_per_s: Option<f64>,
        /// Bytes that sinks wrote.
        pub stored_bytes: Option<u64>,
        /// Jain's index of events decided per node; null for one node.
        pub fairness_jain: Option<f64>,
        /// Distributions of times.
        pub times: Vec<TimeDistribution>,
        /// The states of run control, in their order.
        pub states: Vec<StateEntered>,
        /// Every role.
        pub roles: Vec<ReadoutRole>,
        /// The run over time.
        pub intervals: Vec<ReadoutInterval>,
        /// What was written.
        pub files: Vec<StoredFile>,
    }

    /// Law 2: `triggered = stored + rejected + incomplete + lost + in_flight + residual`.
    pub struct EventBook {
        /// Events with a number.
        pub triggered: u64,
        /// Complete, accepted, and on disk.
        pub stored: u64,
        /// Complete, and decided against.
        pub rejected: u64,
        /// Shipped without the fragments of some sources.
        pub incomplete: u64,
        /// Gone.
        pub lost: u64,
        /// None of these when the account was closed.
        pub in_flight: u64,
        /// What is left of the account; anything but 0 is a fault.
        pub residual: i64,
        /// Lost events by cause.
        pub lost_by: Vec<NamedCount>,
        /// Incomplete events by missing source; an event counts for every source that it misses.
        pub missing: Vec<NamedCount>,
        /// Events that were taken for lost and were found on disk.
        pub revised: u64,
        /// Ends of events that had ended: ignored.
        pub ended_twice: u64,
        /// Ends of events that were never triggered: ignored.
        pub never_triggered: u64,
    }

    /// Law 3: `granted = spent + held + expired + residual`, over all policies.
    pub struct CreditBook {
        /// Credits that were taken in.
        pub granted: u64,
        /// Used for an event.
        pub spent: u64,
        /// Not used yet.
        pub held: u64,
        /// Void, out of their lease, or of a member that left.
        pub expired: u64,
        /// What is left of the account; anything but 0 is a fault.
        pub residual: i64,
    }

    /// Times in which the trigger was stopped, in seconds, and triggers refused meanwhile.
    pub struct DeadTimes {
        /// A builder asked to stop.
        pub throttle_s: f64,
        /// No builder could have the next packet.
        pub nobody_s: f64,
        /// The run was paused.
        pub pause_s: f64,
        /// Triggers that came meanwhile; null without a rate.
        pub refused_triggers: Option<u64>,
        /// Dead time but pauses, over the running time, 0 to 1.
        pub fraction: Option<f64>,
    }

    /// A state of run control.
    pub struct StateEntered {
        /// `idle`, `configured`, `armed`, `running`, `paused`, `draining`, `stopped` or `error`.
        pub state: String,
        /// When it was entered, in seconds from the first.
        pub at_s: f64,
    }

    /// Something that was counted, by name.
    #[derive(Eq)]
    pub struct NamedCount {
        /// What.
        pub name: String,
        /// How often.
        pub count: u64,
    }

    /// How long something took, in microseconds; quantiles are of buckets one sixteenth wide.
    pub struct TimeDistribution {
        /// `trigger_to_end`, `build`, `decision`, `first_request`, `request`, `ask` or `store`.
        pub name: String,
        /// How many there were.
        pub count: u64,
        /// Median.
        pub us_p50: Option<f64>,
        /// 99th percentile.
        pub us_p99: Option<f64>,
        /// 99.9th percentile.
        pub us_p999: Option<f64>,
        /// Largest.
        pub us_max: Option<f64>,
    }

    /// A role, over all its lives.
    pub struct ReadoutRole {
        /// Its name.
        pub name: String,
        /// `trigger`, `source`, `builder`, `node` or `sink`.
        pub kind: String,
        /// Its host; null is the coordinator's.
        pub host: Option<String>,
        /// Processes that played it.
        pub lives: u32,
        /// How each but the last ended, and the last if it did not end well.
        pub deaths: Vec<String>,
        /// What it counted, by name, the most telling first: a terminal has room for three. Of its last
        /// life. A name that ends in `_bytes` is shown as an amount; `decided` of a node is its share.
        pub counts: Vec<NamedCount>,
        /// Nonsense and doubts that it counted, by name; of its last life.
        pub faults: Vec<NamedCount>,
        /// CPU of its last life.
        pub cpu: Option<super::Cpu>,
    }

    /// A slice of the run.
    pub struct ReadoutInterval {
        /// Start, seconds after the start of the run.
        pub start_s: f64,
        /// End, seconds after the start of the run.
        pub end_s: f64,
        /// Events triggered in it.
        pub triggered: u64,
        /// Events, or packets, built in it.
        pub built: u64,
        /// Decided in it.
        pub decided: u64,
        /// Stored in it.
        pub stored: u64,
        /// Payload bytes per second built in it.
        pub built_bytes_per_s: f64,
        /// Events in flight at its end.
        pub in_flight: u64,
        /// Events that builders held at its end.
        pub held: u64,
        /// Bytes that builders held at its end.
        pub held_bytes: u64,
        /// Credits that policies held at its end.
        pub credits: u64,
        /// Whether the trigger was stopped at its end.
        pub dead: bool,
    }

    /// A file of a sink.
    pub struct StoredFile {
        /// Its path, as seen from the record's directory or whole.
        pub path: String,
        /// The sink.
        pub sink: String,
        /// Its id.
        pub sink_id: u16,
        /// The output stream.
        pub stream: String,
        /// Records in it.
        pub records: u64,
        /// Bytes in it.
        pub bytes: u64,
        /// Lowest event number in it.
        pub first_event: Option<u64>,
        /// Highest event number in it.
        pub last_event: Option<u64>,
        /// CRC-32C of the whole file.
        pub crc32c: u32,
    }
}

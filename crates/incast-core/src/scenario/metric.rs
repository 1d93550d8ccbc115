//! The numbers an expectation may look at: a closed list, named as in the record.
//!
//! Adding a number is adding a line here; the texts, the lookups and the error messages follow. The lookups of
//! what only a simulator sees are in `metric_sim`.

use crate::record::{Flow, Messages, Readout, Record, Totals};

/// A number of the record that can be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Messages given to the sender's kernel.
    Sent,
    /// Messages taken from the receiver's kernel.
    Received,
    /// Messages received for the first time.
    Unique,
    /// Messages received again.
    Duplicate,
    /// Messages received first after a later one.
    Reordered,
    /// First arrivals that gave back a loss already counted.
    Late,
    /// Messages too far behind to be told from duplicates.
    Stale,
    /// Messages never received.
    Lost,
    /// What is left of the account of messages; may be negative.
    Unexplained,
    /// Lost over sent, 0 to 1.
    LostFraction,
    /// Payload delivered once, bits per second.
    Goodput,
    /// Payload that left, bits per second.
    OfferedLoad,
    /// Goodput with its headers, frame check, preamble and gap, bits per second.
    WireRate,
    /// Time over which it was measured, seconds.
    Duration,
    /// CPU seconds per 10^9 bytes of goodput.
    CpuSecondsPerGigabyte,
    /// Jain's index of the flows' goodput; totals only.
    Fairness,
    /// Time during which all flows were active over the whole; totals only.
    Overlap,
    /// Highest load without loss, bits per second; totals only.
    Throughput,
    /// Highest load without loss, as a fraction of the full load; totals only.
    ThroughputFraction,
    /// Median round trip of tagged messages, microseconds; flows only.
    RoundTripMedian,
    /// Events with a number; readout only.
    Triggered,
    /// Events complete, accepted and on disk; readout only.
    Stored,
    /// Events complete and decided against; readout only.
    Rejected,
    /// Events without the fragments of some sources; readout only.
    Incomplete,
    /// Events gone; readout only.
    EventsLost,
    /// Events without an end when the account was closed; readout only.
    InFlight,
    /// What is left of the account of events; readout only.
    EventResidual,
    /// What is left of the account of credits; readout only.
    CreditResidual,
    /// Events that ended, per second; readout only.
    EventRate,
    /// Payload built, bytes per second; readout only.
    BuiltRate,
    /// Time in which the trigger was stopped, as a fraction; readout only.
    DeadTime,
    /// Median time from trigger to end, microseconds; readout only.
    LatencyP50,
    /// Its 99th percentile, microseconds; readout only.
    LatencyP99,
    /// Its 99.9th percentile, microseconds; readout only.
    LatencyP999,
    /// Median time from a node's request to its event, the first apart, microseconds; readout only.
    RequestP50,
    /// Median of the first requests of nodes, microseconds; readout only.
    FirstRequestP50,
    /// Jain's index of events decided per node; readout only.
    NodeFairness,
    /// Most bytes that waited in a queue; simulator only.
    QueueBytesMax,
    /// Bytes that waited in a queue, over the time of the run; simulator only.
    QueueBytesMean,
    /// Mean time from entering a queue to the start of sending, microseconds; simulator only.
    QueueWaitMean,
    /// Its 99th percentile, microseconds; simulator only.
    QueueWaitP99,
    /// Fraction of the time in which a queue's link sent; simulator only.
    QueueBusy,
    /// Packets that found no room in a queue; simulator only.
    QueueDropped,
    /// Packets that died, wherever; simulator only.
    PacketsDropped,
    /// What is left of the account of bytes; simulator only.
    ByteResidual,
    /// Smallest one-way delay of all points, microseconds; probe only.
    ProbeDelayMin,
    /// Median one-way delay of the point where it is largest, microseconds; probe only.
    ProbeDelayP50,
    /// Largest error bar of a point's delays, microseconds; probe only.
    ProbeDelayError,
    /// 99th percentile of the delay above the smallest, of the point where it is largest, microseconds; probe only.
    ProbeVariationP99,
    /// Messages that all points lost; probe only.
    ProbeLost,
    /// Messages that came after a later one in all points; probe only.
    ProbeReordered,
    /// Messages received again in all points; probe only.
    ProbeDuplicate,
    /// Points that were played; probe only.
    ProbePoints,
    /// Median delay of whole messages, microseconds; simulator only.
    DelayP50,
    /// Its 99th percentile, microseconds; simulator only.
    DelayP99,
    /// Requests answered in time; exchanges only.
    Answered,
    /// Requests that timed out, failed or stayed open; exchanges only.
    NotAnswered,
    /// What is left of the account of requests; exchanges only.
    ExchangeResidual,
    /// Rounds answered per second; exchanges only.
    RoundRate,
    /// First round, microseconds; exchanges only.
    FirstRound,
    /// Median from a request to its response, microseconds; exchanges only.
    ResponseP50,
    /// Its 99th percentile, microseconds; exchanges only.
    ResponseP99,
    /// The same from when the request was meant to leave, microseconds; exchanges only.
    IntendedP99,
    /// Median of whole rounds, microseconds; exchanges only.
    RoundP50,
    /// Its 99th percentile, microseconds; exchanges only.
    RoundP99,
    /// Answers that took over twice the median of their round, as a fraction; exchanges only.
    StragglerFraction,
    /// Segments with data for one response; exchanges only.
    PacketsPerResponse,
    /// Segments without data for one response; exchanges only.
    AcknowledgementsPerResponse,
    /// Segments of responses that were sent again; exchanges only.
    ResponseRetransmits,
}

/// What kind of number a metric is: says which texts and which values make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A whole number, not negative.
    Count,
    /// A whole number of either sign.
    Difference,
    /// 0 to 1.
    Fraction,
    /// Bits per second; texts as `1Gbit/s`.
    BitRate,
    /// Seconds; texts as `3s`.
    Seconds,
    /// Bytes; texts as `64KiB`.
    Bytes,
    /// Any number that is not negative, without texts.
    Number,
    /// Any number, without texts.
    Signed,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 69] = [
        Self::Sent,
        Self::Received,
        Self::Unique,
        Self::Duplicate,
        Self::Reordered,
        Self::Late,
        Self::Stale,
        Self::Lost,
        Self::Unexplained,
        Self::LostFraction,
        Self::Goodput,
        Self::OfferedLoad,
        Self::WireRate,
        Self::Duration,
        Self::CpuSecondsPerGigabyte,
        Self::Fairness,
        Self::Overlap,
        Self::Throughput,
        Self::ThroughputFraction,
        Self::RoundTripMedian,
        Self::Triggered,
        Self::Stored,
        Self::Rejected,
        Self::Incomplete,
        Self::EventsLost,
        Self::InFlight,
        Self::EventResidual,
        Self::CreditResidual,
        Self::EventRate,
        Self::BuiltRate,
        Self::DeadTime,
        Self::LatencyP50,
        Self::LatencyP99,
        Self::LatencyP999,
        Self::RequestP50,
        Self::FirstRequestP50,
        Self::NodeFairness,
        Self::QueueBytesMax,
        Self::QueueBytesMean,
        Self::QueueWaitMean,
        Self::QueueWaitP99,
        Self::QueueBusy,
        Self::QueueDropped,
        Self::PacketsDropped,
        Self::ByteResidual,
        Self::DelayP50,
        Self::DelayP99,
        Self::ProbeDelayMin,
        Self::ProbeDelayP50,
        Self::ProbeDelayError,
        Self::ProbeVariationP99,
        Self::ProbeLost,
        Self::ProbeReordered,
        Self::ProbeDuplicate,
        Self::ProbePoints,
        Self::Answered,
        Self::NotAnswered,
        Self::ExchangeResidual,
        Self::RoundRate,
        Self::FirstRound,
        Self::ResponseP50,
        Self::ResponseP99,
        Self::IntendedP99,
        Self::RoundP50,
        Self::RoundP99,
        Self::StragglerFraction,
        Self::PacketsPerResponse,
        Self::AcknowledgementsPerResponse,
        Self::ResponseRetransmits,
    ];

    /// Its name in scenario files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Unique => "unique",
            Self::Duplicate => "duplicate",
            Self::Reordered => "reordered",
            Self::Late => "late",
            Self::Stale => "stale",
            Self::Lost => "lost",
            Self::Unexplained => "unexplained",
            Self::LostFraction => "lost_fraction",
            Self::Goodput => "goodput_bits_per_s",
            Self::OfferedLoad => "offered_load_bits_per_s",
            Self::WireRate => "wire_rate_bits_per_s",
            Self::Duration => "duration_s",
            Self::CpuSecondsPerGigabyte => "cpu_seconds_per_gigabyte",
            Self::Fairness => "fairness_jain",
            Self::Overlap => "overlap_fraction",
            Self::Throughput => "throughput_bits_per_s",
            Self::ThroughputFraction => "throughput_fraction",
            Self::RoundTripMedian => "round_trip_us_p50",
            Self::Triggered => "triggered",
            Self::Stored => "stored",
            Self::Rejected => "rejected",
            Self::Incomplete => "incomplete",
            Self::EventsLost => "events_lost",
            Self::InFlight => "events_in_flight",
            Self::EventResidual => "event_residual",
            Self::CreditResidual => "credit_residual",
            Self::EventRate => "event_rate_per_s",
            Self::BuiltRate => "built_bytes_per_s",
            Self::DeadTime => "dead_time_fraction",
            Self::LatencyP50 => "latency_us_p50",
            Self::LatencyP99 => "latency_us_p99",
            Self::LatencyP999 => "latency_us_p999",
            Self::RequestP50 => "request_us_p50",
            Self::FirstRequestP50 => "first_request_us_p50",
            Self::NodeFairness => "node_fairness_jain",
            Self::QueueBytesMax => "queue_bytes_max",
            Self::QueueBytesMean => "queue_bytes_mean",
            Self::QueueWaitMean => "queue_wait_us_mean",
            Self::QueueWaitP99 => "queue_wait_us_p99",
            Self::QueueBusy => "queue_busy",
            Self::QueueDropped => "queue_dropped_packets",
            Self::PacketsDropped => "packets_dropped",
            Self::ByteResidual => "byte_residual",
            Self::DelayP50 => "delay_us_p50",
            Self::DelayP99 => "delay_us_p99",
            // Those of exchanges and probes: the test of all names holds that nothing else is left.
            _ if self.is_of_exchange() => self.name_of_exchange(),
            _ => self.probe_name(),
        }
    }

    /// Whether one flow alone has none: it compares flows, or is of something else.
    #[must_use]
    pub const fn totals_only(self) -> bool {
        self.is_of_readout()
            || self.is_of_probe()
            || self.is_of_exchange()
            || (self.is_of_simulation() && !matches!(self, Self::DelayP50 | Self::DelayP99))
            || matches!(self, Self::Fairness | Self::Overlap | Self::Throughput | Self::ThroughputFraction)
    }

    /// Whether only a readout has it.
    #[must_use]
    pub const fn is_of_readout(self) -> bool {
        matches!(
            self,
            Self::Triggered
                | Self::Stored
                | Self::Rejected
                | Self::Incomplete
                | Self::EventsLost
                | Self::InFlight
                | Self::EventResidual
                | Self::CreditResidual
                | Self::EventRate
                | Self::BuiltRate
                | Self::DeadTime
                | Self::LatencyP50
                | Self::LatencyP99
                | Self::LatencyP999
                | Self::RequestP50
                | Self::FirstRequestP50
                | Self::NodeFairness
        )
    }

    /// Whether only exchanges have it.
    #[must_use]
    pub const fn is_of_exchange(self) -> bool {
        matches!(
            self,
            Self::Answered
                | Self::NotAnswered
                | Self::ExchangeResidual
                | Self::RoundRate
                | Self::FirstRound
                | Self::ResponseP50
                | Self::ResponseP99
                | Self::IntendedP99
                | Self::RoundP50
                | Self::RoundP99
                | Self::StragglerFraction
                | Self::PacketsPerResponse
                | Self::AcknowledgementsPerResponse
                | Self::ResponseRetransmits
        )
    }

    /// Whether only a simulator sees it.
    #[must_use]
    pub const fn is_of_simulation(self) -> bool {
        self.is_of_queue()
            || matches!(self, Self::PacketsDropped | Self::ByteResidual | Self::DelayP50 | Self::DelayP99)
    }

    /// Whether each queue has it.
    #[must_use]
    pub const fn is_of_queue(self) -> bool {
        matches!(
            self,
            Self::QueueBytesMax
                | Self::QueueBytesMean
                | Self::QueueWaitMean
                | Self::QueueWaitP99
                | Self::QueueBusy
                | Self::QueueDropped
        )
    }

    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Unexplained | Self::EventResidual | Self::CreditResidual | Self::ByteResidual => {
                Unit::Difference
            }
            Self::ExchangeResidual => Unit::Difference,
            Self::Answered | Self::NotAnswered | Self::ResponseRetransmits => Unit::Count,
            Self::StragglerFraction => Unit::Fraction,
            _ if self.is_of_exchange() => Unit::Number,
            Self::DeadTime | Self::NodeFairness | Self::QueueBusy => Unit::Fraction,
            Self::QueueBytesMax | Self::QueueBytesMean => Unit::Bytes,
            Self::QueueWaitMean | Self::QueueWaitP99 | Self::DelayP50 | Self::DelayP99 => Unit::Number,
            Self::EventRate
            | Self::BuiltRate
            | Self::LatencyP50
            | Self::LatencyP99
            | Self::LatencyP999
            | Self::RequestP50
            | Self::FirstRequestP50 => Unit::Number,
            Self::LostFraction | Self::Fairness | Self::Overlap | Self::ThroughputFraction => Unit::Fraction,
            Self::Goodput | Self::OfferedLoad | Self::WireRate | Self::Throughput => Unit::BitRate,
            Self::Duration => Unit::Seconds,
            Self::CpuSecondsPerGigabyte | Self::RoundTripMedian => Unit::Number,
            Self::ProbeDelayMin | Self::ProbeDelayP50 => Unit::Signed,
            Self::ProbeDelayError | Self::ProbeVariationP99 => Unit::Number,
            _ => Unit::Count,
        }
    }

    /// Its value for one flow; `None` when the record does not know it.
    #[must_use]
    pub fn of_flow(self, flow: &Flow) -> Option<f64> {
        let value = match self {
            Self::LostFraction => flow.lost_fraction,
            Self::Goodput => flow.goodput_bits_per_s,
            Self::OfferedLoad => flow.offered_load_bits_per_s,
            Self::WireRate => flow.wire_rate_bits_per_s,
            Self::Duration => flow.duration_s,
            Self::CpuSecondsPerGigabyte => flow.cpu.seconds_per_gigabyte,
            Self::RoundTripMedian => flow.round_trip.as_ref().and_then(|round_trip| round_trip.us_p50),
            _ if self.totals_only() => None,
            _ => self.of_messages(&flow.messages),
        };
        value.filter(|value| value.is_finite())
    }

    /// Its value for the whole run; `None` when the record does not know it.
    #[must_use]
    pub fn of_record(self, record: &Record) -> Option<f64> {
        if self.is_of_simulation() {
            return self.of_simulation(record, None);
        } else if self.is_of_probe() {
            return record.probe.as_ref().and_then(|probe| self.of_probe(probe));
        } else if self.is_of_exchange() {
            return self.of_exchanges(&record.exchanges);
        } else if !self.is_of_readout() {
            return self.of_totals(&record.totals);
        }
        record.readout.as_ref().and_then(|readout| self.of_readout(readout)).filter(|value| value.is_finite())
    }

    #[expect(clippy::cast_precision_loss, reason = "for judging: counts beyond 2^53 are not reached")]
    fn of_readout(self, readout: &Readout) -> Option<f64> {
        let time = |name: &str, of: fn(&crate::record::TimeDistribution) -> Option<f64>| {
            readout.times.iter().find(|time| time.name == name).and_then(of)
        };
        let events = &readout.events;
        Some(match self {
            Self::Triggered => events.triggered as f64,
            Self::Stored => events.stored as f64,
            Self::Rejected => events.rejected as f64,
            Self::Incomplete => events.incomplete as f64,
            Self::EventsLost => events.lost as f64,
            Self::InFlight => events.in_flight as f64,
            Self::EventResidual => events.residual as f64,
            Self::CreditResidual => readout.credits.as_ref()?.residual as f64,
            Self::EventRate => readout.event_rate_per_s?,
            Self::BuiltRate => readout.built_bytes_per_s?,
            Self::DeadTime => readout.dead_time.fraction?,
            Self::LatencyP50 => time("trigger_to_end", |time| time.us_p50)?,
            Self::LatencyP99 => time("trigger_to_end", |time| time.us_p99)?,
            Self::LatencyP999 => time("trigger_to_end", |time| time.us_p999)?,
            Self::RequestP50 => time("request", |time| time.us_p50)?,
            Self::FirstRequestP50 => time("first_request", |time| time.us_p50)?,
            Self::NodeFairness => readout.fairness_jain?,
            _ => return None,
        })
    }

    /// Its value over all flows; `None` when the record does not know it.
    #[must_use]
    pub fn of_totals(self, totals: &Totals) -> Option<f64> {
        let value = match self {
            Self::LostFraction => totals.lost_fraction,
            Self::Goodput => totals.goodput_bits_per_s,
            Self::OfferedLoad => totals.offered_load_bits_per_s,
            Self::WireRate => totals.wire_rate_bits_per_s,
            Self::Duration => totals.duration_s,
            Self::CpuSecondsPerGigabyte => totals.cpu_seconds_per_gigabyte,
            Self::Fairness => totals.fairness_jain,
            Self::Overlap => totals.overlap_fraction,
            Self::Throughput => totals.throughput_bits_per_s,
            Self::ThroughputFraction => totals.throughput_fraction,
            Self::RoundTripMedian => None,
            _ => self.of_messages(&totals.messages),
        };
        value.filter(|value| value.is_finite())
    }

    #[expect(clippy::cast_precision_loss, reason = "for judging: counts beyond 2^53 are not reached")]
    fn of_messages(self, messages: &Messages) -> Option<f64> {
        let count = match self {
            Self::Sent => messages.sent,
            Self::Received => messages.received,
            Self::Unique => messages.unique,
            Self::Duplicate => messages.duplicate,
            Self::Reordered => messages.reordered,
            Self::Late => messages.late,
            Self::Stale => messages.stale,
            Self::Lost => messages.lost,
            Self::Unexplained => return messages.unexplained.map(|count| count as f64),
            _ => None,
        };
        count.map(|count| count as f64)
    }
}

impl Unit {
    /// The smallest and largest value that a number of this kind can have.
    pub(super) const fn range(self) -> (f64, f64) {
        match self {
            Self::Difference | Self::Signed => (f64::NEG_INFINITY, f64::INFINITY),
            Self::Fraction => (0.0, 1.0),
            _ => (0.0, f64::INFINITY),
        }
    }
}

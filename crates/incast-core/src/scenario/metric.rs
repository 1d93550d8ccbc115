//! The numbers an expectation may look at: a closed list, named as in the record.
//!
//! Adding a number is adding a line here; the texts, the lookups and the error messages follow.

use crate::record::{Flow, Messages, Totals};

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
    /// Any number that is not negative, without texts.
    Number,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 20] = [
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
        }
    }

    /// Whether it compares flows, so that one flow alone has none.
    #[must_use]
    pub const fn totals_only(self) -> bool {
        matches!(self, Self::Fairness | Self::Overlap | Self::Throughput | Self::ThroughputFraction)
    }

    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Unexplained => Unit::Difference,
            Self::LostFraction | Self::Fairness | Self::Overlap | Self::ThroughputFraction => Unit::Fraction,
            Self::Goodput | Self::OfferedLoad | Self::WireRate | Self::Throughput => Unit::BitRate,
            Self::Duration => Unit::Seconds,
            Self::CpuSecondsPerGigabyte | Self::RoundTripMedian => Unit::Number,
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
            Self::Fairness | Self::Overlap | Self::Throughput | Self::ThroughputFraction => None,
            _ => self.of_messages(&flow.messages),
        };
        value.filter(|value| value.is_finite())
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
            Self::Difference => (f64::NEG_INFINITY, f64::INFINITY),
            Self::Fraction => (0.0, 1.0),
            _ => (0.0, f64::INFINITY),
        }
    }
}

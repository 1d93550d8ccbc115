//! What each side of a flow learned, as it travels over the control connection.
//!
//! Counts over time are cumulative, taken at the end of each interval, so that their differences
//! sum to the whole by construction.

use serde::{Deserialize, Serialize};

use crate::caveat::Caveat;
use crate::ledger::reading::HostBook;
use crate::probe::{ProbeSeen, ProbeSent};
use crate::record::{Batching, Buffer, Cpu, DepartureError, LossRuns, RawSide, Reordering, TcpSummary};
use crate::sequence::Counts;

/// Most intervals that are kept of one flow; the last one then grows. A day at 1 s fits.
pub const INTERVALS_MAX: usize = 100_000;

/// What the sender of a flow knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// Messages given to the kernel, per stream; counters ran from 1.
    pub stream_messages: Vec<u64>,
    /// From the start to the end of sending, by the sender's clock.
    pub duration_ns: u64,
    /// Messages sent by the end of each interval, all streams together.
    pub intervals: Vec<u64>,
    /// How late messages left.
    pub departure_error: Option<DepartureError>,
    /// CPU of the sending threads.
    pub cpu: Option<Cpu>,
    /// Send buffer.
    pub buffer: Option<Buffer>,
    /// TCP at the end.
    pub tcp: Option<TcpSummary>,
    /// How system calls were filled.
    pub batching: Batching,
    /// Raw transports: how it met the link.
    pub raw: Option<RawSide>,
    /// What the carrier could not do as asked.
    pub caveats: Vec<Caveat>,
    /// Whether this is the whole account: no stream broke.
    pub complete: bool,
    /// Whether someone ended it before its time; the account is whole all the same.
    pub stopped: bool,
    /// Told by a program that is not incast: totals, and nothing over time.
    pub foreign: bool,
    /// What the sender's host counted meanwhile.
    pub host_book: Option<Box<HostBook>>,
    /// What the sender of a probe knows beside this.
    pub probe: Option<Box<ProbeSent>>,
}

/// What the receiver of a flow knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// Counts over all streams.
    pub counts: Counts,
    /// Messages that carried no usable counter (plain protocol only).
    pub uncounted: u64,
    /// The receiver's start by its host's wall clock, nanoseconds since 1970.
    pub start_unix_ns: Option<u64>,
    /// From the receiver's start to the first message.
    pub first_ns: Option<u64>,
    /// From the receiver's start to the last message received for the first time.
    pub last_ns: Option<u64>,
    /// Counts by the end of each interval, all streams together.
    pub intervals: Vec<Counts>,
    /// Runs of lost messages.
    pub loss_runs: LossRuns,
    /// Reordering.
    pub reordering: Reordering,
    /// CPU of the receiving threads; null when they served other flows too.
    pub cpu: Option<Cpu>,
    /// Receive buffer.
    pub buffer: Option<Buffer>,
    /// How system calls were filled.
    pub batching: Batching,
    /// Datagrams (kernel units) that the receiving socket dropped while this flow lasted; the
    /// socket may have served other flows too.
    pub socket_drops: Option<u64>,
    /// Raw transports: how it met the link.
    pub raw: Option<RawSide>,
    /// What the carrier could not do as asked.
    pub caveats: Vec<Caveat>,
    /// Bytes of messages that began and never became whole (TCP).
    pub partial_bytes: u64,
    /// Whether the sender's total was known and waited for.
    pub complete: bool,
    /// Told by a program that is not incast: messages are in `uncounted`, their order is not known.
    pub foreign: bool,
    /// What the receiver's host counted meanwhile.
    pub host_book: Option<Box<HostBook>>,
    /// What the receiver of a probe knows beside this.
    pub probe: Option<Box<ProbeSeen>>,
}

impl Sent {
    /// Messages of all streams.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.stream_messages.iter().fold(0, |sum, messages| sum.saturating_add(*messages))
    }
}

impl Measured {
    /// Whether the numbers can be a measurement at all: a peer may send anything.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let law = |counts: &Counts| {
            let sum =
                counts.unique.checked_add(counts.duplicate).and_then(|sum| sum.checked_add(counts.stale));
            sum == Some(counts.received)
        };
        // The intervals of the record are differences of these: each must sum to its whole.
        let grows =
            |column: fn(&Counts) -> u64| self.intervals.iter().chain([&self.counts]).map(column).is_sorted();
        let columns: [fn(&Counts) -> u64; 6] = [
            |counts| counts.received,
            |counts| counts.unique,
            |counts| counts.duplicate,
            |counts| counts.reordered,
            |counts| counts.late,
            |counts| counts.stale,
        ];
        let ordered = self.first_ns.zip(self.last_ns).is_none_or(|(first, last)| first <= last);
        law(&self.counts)
            && ordered
            && self.intervals.len() <= INTERVALS_MAX
            && self.intervals.iter().all(law)
            && columns.into_iter().all(grows)
            && self.probe.as_ref().is_none_or(|probe| probe.is_plausible())
    }
}

impl Sent {
    /// Whether the numbers can belong to a flow of `streams` streams: a peer may send anything.
    #[must_use]
    pub fn is_plausible(&self, streams: usize) -> bool {
        let grows =
            self.intervals.is_sorted() && self.intervals.last().is_none_or(|last| *last <= self.messages());
        let probe = self.probe.as_ref().is_none_or(|probe| probe.is_plausible());
        self.stream_messages.len() == streams && self.intervals.len() <= INTERVALS_MAX && grows && probe
    }
}

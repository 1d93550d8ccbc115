//! The account of a dispatcher.

use serde::{Deserialize, Serialize};

use crate::readout::ids::{EventNumber, Incarnation, NodeId};
use crate::stats::LogHistogram;
use crate::time::Span;

/// Bounds of a dispatcher. Memory: the payloads of `bytes_max` and one event more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatcherPlan {
    /// Events held: waiting for a node, at a node, or decided and not fetched.
    pub events_max: u32,
    /// Their bytes.
    pub bytes_max: u64,
    /// Events at nodes at once.
    pub in_flight_max: u32,
    /// How long a node may take over an event. Then it goes to another.
    pub lease: Span,
    /// So many nodes get it. An event that no node survives is given out undecided.
    pub attempts_max: u8,
    /// Decided events that are remembered, to tell a second decision from an invented one.
    pub closed_events: u32,
}

impl Default for DispatcherPlan {
    /// A second at 1 kHz; 256 KiB for each event; three attempts, since a third node that dies of the
    /// same event is no accident.
    fn default() -> Self {
        Self {
            events_max: 1_024,
            bytes_max: 256 << 20,
            in_flight_max: 1_024,
            lease: Span::from_s(10),
            attempts_max: 3,
            closed_events: 16_384,
        }
    }
}

/// What a node decides about a single event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It shall be stored, in the output streams whose bits are set.
    Accept {
        /// Bit n is stream n.
        streams: u32,
    },
    /// It shall not be stored.
    Reject,
}

/// An event that shall be sent to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// To whom.
    pub node: NodeId,
    /// To which of its lives.
    pub incarnation: Incarnation,
    /// Which one; `Dispatcher::event` has its data.
    pub event: EventNumber,
    /// From 1 on: the answer has to say it.
    pub attempt: u8,
}

/// What a node says of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<D> {
    /// Who.
    pub node: NodeId,
    /// In which of its lives.
    pub incarnation: Incarnation,
    /// Of which event.
    pub event: EventNumber,
    /// Of which attempt.
    pub attempt: u8,
    /// What it decided.
    pub decision: D,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// It decided the event.
    Taken,
    /// The event had been taken away from that node and is not decided yet.
    Late,
    /// The event had been decided.
    AfterDecision,
    /// Nothing is known of such an event, or it was decided too long ago.
    Unknown,
}

/// The account of events and answers. At any moment `entered = decided + undecided + held`, and `given =
/// answered + expired + left + in flight`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatcherCounts {
    /// Events taken in.
    pub entered: u64,
    /// Events for which there was no room: given back.
    pub no_room: u64,
    /// Events that had been taken in before: given back.
    pub twice: u64,
    /// Decided by a node, once.
    pub decided: u64,
    /// Given out without a decision: too many nodes were lost over them, or the run ended.
    pub undecided: u64,
    /// Times that an event was given to a node.
    pub given: u64,
    /// Answers that decided.
    pub answered: u64,
    /// Leases that ended without an answer.
    pub expired: u64,
    /// Given events that their node left behind, or that the end of the run took back.
    pub left: u64,
    /// See [`AnswerKind::Late`].
    pub answers_late: u64,
    /// See [`AnswerKind::AfterDecision`].
    pub answers_after_decision: u64,
    /// See [`AnswerKind::Unknown`].
    pub answers_unknown: u64,
    /// From entering to the decision, in nanoseconds.
    pub decision_ns: LogHistogram,
}

//! What the roles of a readout say to each other, already decoded. `P` is a payload: a buffer on real
//! sockets, a bare length in a simulation.
//!
//! ```text
//!            Assigned              Fragment             Event               Ask, Result
//!  trigger ------------> sources ------------> builder ---------> node    ----------------> sink
//!     ^  \--- Assigned, Welcome, Last ----------^ | ^  <-- Token, Answer, Kept; Confirm -->    |
//!     |                                          | |                                         |
//!     +--------- Throttle, Token, Ends ----------+ +<----------- Granted, Stored ------------+
//!     +<------------------------------------ Ends -------------------------------------------+
//! ```
//! In push mode the builder asks the sink; in pull mode the node does (ATLAS: EFD and SFO). Either way
//! the builder holds an event until it is on disk or rejected, and one node's answer decides.

use super::builder::Built;
use super::fragment::Fragment;
use super::ids::{EventNumber, Level};
use super::sources::SourceSet;
use super::tokens::Token;
use super::trigger::Assigned;
use super::verdict::Verdict;
use crate::time::Span;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<P> {
    /// Trigger to a builder that has come, or come back, once for each level: the first packet that it can
    /// be assigned. What is before it belongs to an earlier life, or to others.
    Welcome {
        /// Which fragments.
        level: Level,
        /// The first event of that packet.
        next: EventNumber,
    },
    /// Trigger to every source, and to the builder that it names: where the fragments of a packet go.
    Assigned {
        /// Which fragments.
        level: Level,
        /// The packet and its builder.
        assigned: Assigned,
    },
    /// Trigger to sources and builders: no event follows.
    Last {
        /// The number that the next event would have had.
        next: EventNumber,
    },
    /// Source to builder. Nobody acknowledges it, and nobody sends it again.
    Fragment {
        /// Which fragments.
        level: Level,
        /// The data.
        fragment: Fragment<P>,
    },
    /// Builder to trigger: stop, or go on. Needs a reliable carrier, as it has no lease.
    Throttle {
        /// Whether to stop.
        is_throttling: bool,
    },
    /// Node to builder, or builder to trigger: ready for one more (ATLAS: request; LHCb: MEP request).
    Token(Token),
    /// Builder to node: decide about this.
    Event {
        /// Which fragments.
        level: Level,
        /// From 1 on; the answer has to say it.
        attempt: u8,
        /// The event, or the events of a packet.
        built: Built<P>,
    },
    /// Node to builder: what it decides. The first answer of whoever has the event holds.
    Answer {
        /// Which fragments it saw.
        level: Level,
        /// The event; of a packet, the first.
        event: EventNumber,
        /// The attempt that came with it.
        attempt: u8,
        /// How long the node was busy with it.
        busy: Span,
        /// One for each event of the packet.
        verdicts: Vec<Verdict>,
    },
    /// Builder to node, in pull mode: whether that answer decided. The node stores what it accepted only
    /// if it did, since another node may have decided otherwise.
    Confirm {
        /// Which fragments it saw.
        level: Level,
        /// The event; of a packet, the first.
        event: EventNumber,
        /// The attempt that was answered.
        attempt: u8,
        /// Whether it decided.
        is_taken: bool,
    },
    /// Node to builder, in pull mode: what it accepted is on disk.
    Kept {
        /// The event; of a packet, the first.
        event: EventNumber,
    },
    /// Builder or node to sink: is there room for this?
    Ask {
        /// A number of the one who asks; the same when it asks again.
        ask: u64,
        /// The event; of a packet, the first.
        event: EventNumber,
        /// Bytes of its payloads.
        bytes: u64,
    },
    /// Sink to whoever asked: there is. A sink without room does not answer yet.
    Granted {
        /// The number of the ask.
        ask: u64,
        /// The room, named by the sink.
        lease: u64,
        /// How long it is kept.
        lifetime: Span,
    },
    /// Builder or node to sink: store this.
    Result {
        /// The number of the ask.
        ask: u64,
        /// The room that was granted.
        lease: u64,
        /// One for each event of the packet: which to keep, and for which streams.
        verdicts: Vec<Verdict>,
        /// The data.
        built: Built<P>,
    },
    /// Sink to whoever asked: it is on disk, and stays there.
    Stored {
        /// The number of the ask.
        ask: u64,
        /// The event; of a packet, the first.
        event: EventNumber,
    },
    /// Builder or sink to trigger: where events ended. Sinks tell what is stored, builders the rest.
    Ends(Vec<End>),
}

/// Where consecutive events ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The first of them.
    pub first: EventNumber,
    /// How many.
    pub events: u32,
    /// Where.
    pub how: Ended,
}

/// Where an event ended, as the role says that saw it end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Sink: complete, and on disk.
    Stored,
    /// Sink or builder: shipped without the fragments of these sources, stored or not.
    Incomplete(SourceSet),
    /// Builder: complete, and decided against.
    Rejected,
    /// Builder, with two levels: the first level accepted it. It has not ended; its rest is to be built.
    Accepted,
    /// Builder: a bound was reached, and it could not be kept.
    NoRoom,
}

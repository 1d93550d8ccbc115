//! What a builder expects, and how much it may hold.

use crate::readout::ids::{EventNumber, RunNumber};
use crate::readout::sources::SourceSet;
use crate::time::Span;

/// Expectations and bounds of a builder.
///
/// Memory: the payloads of at most `open_bytes_max` and `built_bytes_max` plus one event each; for each
/// open event an entry per source; 40 bytes for each of `closed_events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderPlan {
    /// The run: fragments of another one are refused.
    pub run: RunNumber,
    /// Who contributes to every event.
    pub sources: SourceSet,
    /// The first event that it can be assigned: of the run, or, when it returns in a new life, the first
    /// that was not assigned before. Fragments of earlier ones are stale. Multi-event packets begin at
    /// whole multiples of the packing after it.
    pub first: EventNumber,
    /// Events per multi-event packet, 1 without packing. Only the last packet of a run may be shorter.
    pub packing_events: u16,
    /// How long after its first fragment an event is waited for.
    pub timeout: Span,
    /// Fragments larger than this are refused.
    pub fragment_bytes_max: u32,
    /// Open events; at the bound, the oldest is shipped incomplete.
    pub open_events_max: u32,
    /// Bytes of open events; likewise.
    pub open_bytes_max: u64,
    /// Built events that nobody has fetched; at the bound, fragments are refused.
    pub built_events_max: u32,
    /// Their bytes; likewise.
    pub built_bytes_max: u64,
    /// Closed events that are remembered, so that a late fragment does not open them again.
    pub closed_events: u32,
    /// In order of their numbers, holding back at most so many; `None`: as they are built.
    pub ordered_events_max: Option<u32>,
}

impl BuilderPlan {
    /// A plan with usual bounds, without packing, and with events given out as they are built.
    #[must_use]
    pub fn new(run: RunNumber, sources: SourceSet) -> Self {
        Self {
            run,
            sources,
            first: EventNumber(0),
            packing_events: 1,
            timeout: TIMEOUT,
            fragment_bytes_max: FRAGMENT_BYTES_MAX,
            open_events_max: EVENTS_MAX,
            open_bytes_max: BYTES_MAX,
            built_events_max: EVENTS_MAX,
            built_bytes_max: BYTES_MAX,
            closed_events: CLOSED_EVENTS,
            ordered_events_max: None,
        }
    }
}

/// Two of TCP's shortest retransmission time-outs (200 ms on Linux) and some more.
const TIMEOUT: Span = Span::from_s(1);
/// The largest message over TCP.
const FRAGMENT_BYTES_MAX: u32 = 16 << 20;
/// At 1 kHz per builder a second's worth: as long as the time-out.
const EVENTS_MAX: u32 = 1_024;
/// A thousand events of 256 KiB.
const BYTES_MAX: u64 = 256 << 20;
/// Sixteen tables of open events: a fragment that comes later than that is later than any time-out.
const CLOSED_EVENTS: u32 = 16 * EVENTS_MAX;

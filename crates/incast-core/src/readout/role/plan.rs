//! What each role of a readout is to do. Plain data: a coordinator makes it from a scenario and tells it
//! to the role's process; a simulation makes the role of it directly.

use serde::{Deserialize, Serialize};

use crate::load::{Load, Spacing};
use crate::readout::ids::{BuilderId, EventNumber, Incarnation, Level, NodeId, RunNumber, SinkId, SourceId};
use crate::time::Span;

/// What all roles of a run know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The run.
    pub run: RunNumber,
    /// What random numbers are drawn from.
    pub seed: u64,
    /// Number of the first event.
    pub first: EventNumber,
    /// Events per multi-event packet of the first level, 1 without packing. The second level has none.
    pub packing_events: u16,
    /// Whether a first level decides for which events the rest is built.
    pub has_two_levels: bool,
    /// Who asks the sinks.
    pub protocol: Protocol,
    /// Every source.
    pub sources: Vec<SourceId>,
    /// Those of them that have nothing of the first level, and those that have nothing of the second (LHCb:
    /// 126 links carried what the first level needs, 323 the rest). Each in the order of their ids.
    #[serde(default)]
    pub without: [Vec<SourceId>; 2],
    /// Every builder.
    pub builders: Vec<BuilderId>,
    /// Every node, with the builder that it serves.
    pub nodes: Vec<(NodeId, BuilderId)>,
    /// Every sink. The one of an event follows from its number.
    pub sinks: Vec<SinkId>,
}

impl RunPlan {
    /// The sink of an event, or of the packet that begins with it; none when the run has none.
    #[must_use]
    pub fn sink_of(&self, event: EventNumber) -> Option<SinkId> {
        sink_of(event, self.first, self.packing_events, &self.sinks)
    }

    /// Whether the source has fragments of this level.
    #[must_use]
    pub fn has_level(&self, source: SourceId, level: Level) -> bool {
        self.without[level as usize].binary_search(&source).is_err()
    }

    /// The sources that have fragments of this level: those that make an event complete there.
    pub fn sources_of(&self, level: Level) -> impl Iterator<Item = SourceId> + '_ {
        self.sources.iter().copied().filter(move |source| self.has_level(*source, level))
    }

    /// Whether what was accepted at this level is stored, and not only built further.
    #[must_use]
    pub fn is_stored_at(&self, level: Level) -> bool {
        !self.has_two_levels || level == Level::Second
    }

    /// Events in a packet of this level, at most.
    #[must_use]
    pub fn packing_of(&self, level: Level) -> u16 {
        if level == Level::Second { 1 } else { self.packing_events.max(1) }
    }
}

/// The packets of a run go to its sinks in turn.
pub(super) fn sink_of(
    event: EventNumber,
    first: EventNumber,
    packing_events: u16,
    sinks: &[SinkId],
) -> Option<SinkId> {
    let packet = event.0.saturating_sub(first.0) / u64::from(packing_events.max(1));
    // A number of sinks, and so an index of one, fits any `usize`.
    let index = packet.checked_rem(sinks.len() as u64)?;
    sinks.get(usize::try_from(index).ok()?).copied()
}

/// Who asks the sinks for room, and sends them what is to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// The builder (LHCb: the sub-farm controller).
    #[default]
    Push,
    /// The node (ATLAS: the event filter's data flow, EFD). Nodes ask for events as well.
    Pull,
}

/// How events are given to builders, or to nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyPlan {
    /// One after the other.
    #[default]
    RoundRobin,
    /// To whom says that it is ready.
    Tokens {
        /// How long a token is good for.
        lease: Span,
    },
    /// To whom has least.
    LeastLoaded {
        /// Most at one of them.
        limit: u32,
    },
    /// By a table of weights, one for each in the order of their ids.
    Calendar {
        /// Weights, at least one above zero.
        weights: Vec<u16>,
    },
    /// By event number, every one in turn (barrel shifter).
    LinearShift,
}

impl PolicyPlan {
    /// Its name in scenario files and records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Tokens { .. } => "tokens",
            Self::LeastLoaded { .. } => "least-loaded",
            Self::Calendar { .. } => "calendar",
            Self::LinearShift => "linear-shift",
        }
    }
}

/// The trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRolePlan {
    /// The run.
    pub run: RunPlan,
    /// Triggers per second.
    pub load: Load,
    /// How they are spread.
    pub spacing: Spacing,
    /// The run ends after so many events.
    pub events_max: Option<u64>,
    /// Who builds what.
    pub policy: PolicyPlan,
    /// How long the decision of the first level is waited for.
    pub decision_timeout: Span,
    /// How long after a builder's death what it had may still be told to be stored.
    pub grace: Span,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRolePlan {
    /// The run.
    pub run: RunPlan,
    /// Which source.
    pub source: SourceId,
    /// Sizes of its fragments of the first level, and of the second.
    pub sizes: [SizePlan; 2],
    /// Waits so long after it heard of a packet, so that not all sources send at once.
    pub send_offset: Span,
    /// Bytes that may wait to be sent; beyond it, fragments are dropped and counted.
    pub queue_bytes_max: u64,
}

/// Sizes of fragments, in bytes. Of the content only: headers come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizePlan {
    /// All the same.
    Fixed {
        /// In bytes.
        bytes: u32,
    },
    /// Any size between two is as likely as any other.
    Uniform {
        /// Smallest.
        least: u32,
        /// Largest.
        most: u32,
    },
    /// The logarithm is normally distributed.
    LogNormal {
        /// Half are smaller.
        median: u32,
        /// Standard deviation of the natural logarithm, in thousandths.
        sigma_milli: u32,
        /// None is larger: what would be, is of this size.
        most: u32,
    },
}

/// A builder, with the dispatch to its nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderRolePlan {
    /// The run.
    pub run: RunPlan,
    /// Which builder.
    pub builder: BuilderId,
    /// Which of its lives.
    pub incarnation: Incarnation,
    /// Whether it tells the trigger when it is ready: when the trigger gives by tokens.
    pub gives_tokens: bool,
    /// Packets that it has, or has asked for, at once.
    pub slots: u32,
    /// How long it waits for the packet that it asked for, before it asks again: longer than the lease of
    /// the trigger's policy.
    pub token_lease: Span,
    /// How long after its first fragment an event is waited for.
    pub event_timeout: Span,
    /// Fragments larger than this are refused.
    pub fragment_bytes_max: u32,
    /// Most open events, of each level.
    pub open_events_max: u32,
    /// Most bytes of open events, of each level.
    pub open_bytes_max: u64,
    /// Whether events go to nodes in the order of their numbers.
    pub is_ordered: bool,
    /// Who of its nodes gets what.
    pub policy: PolicyPlan,
    /// How long a node may take over an event.
    pub lease: Span,
    /// So many nodes get it. An event that no node survives is undecided.
    pub attempts_max: u8,
    /// Events that wait for a node, are at one, or wait to be stored.
    pub held_events_max: u32,
    /// Their bytes.
    pub held_bytes_max: u64,
    /// Streams for what no node decided; none: it is rejected.
    pub undecided_streams: u32,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRolePlan {
    /// The run.
    pub run: RunPlan,
    /// Which node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
    /// Whose events it gets.
    pub builder: BuilderId,
    /// Whether it says when it is ready.
    pub gives_tokens: bool,
    /// Events that it has, or has asked for, at once.
    pub slots: u32,
    /// How long it waits for the event that it asked for, before it asks again.
    pub lease: Span,
    /// Events at its algorithm at once.
    pub workers: u32,
}

/// A sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRolePlan {
    /// The run.
    pub run: RunPlan,
    /// Which sink.
    pub sink: SinkId,
    /// Room for what was granted and is not on disk yet. One event always fits.
    pub buffer_bytes_max: u64,
    /// How long granted room is kept.
    pub lifetime: Span,
}

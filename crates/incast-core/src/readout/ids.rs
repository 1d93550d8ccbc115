//! Names of the things of a readout. Numbers only: what they stand for is the run's configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of an event within its run: rises by one with every trigger that was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventNumber(pub u64);

/// A source of fragments. Experiments number them with gaps (sub-detector and part), so an id is no index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u16);

/// A builder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BuilderId(pub u16);

/// A node of the farm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u16);

/// A sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SinkId(pub u16);

/// A role of a readout, by kind and id: whom messages come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// The trigger: there is one.
    Trigger,
    /// A source.
    Source(SourceId),
    /// A builder.
    Builder(BuilderId),
    /// A node.
    Node(NodeId),
    /// A sink.
    Sink(SinkId),
}

/// Which fragments of an event: those that decide about it, or, with two levels, the rest of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Of every event. Without a second level, all there is.
    #[default]
    First,
    /// Of the events that the first level accepted.
    Second,
}

/// Whom a policy can name: a builder when a trigger asks, a node when a dispatcher does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination(pub u16);

/// Number of a run. Data of another run is a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunNumber(pub u32);

/// One life of a node or builder: drawn at random when it starts, so that what its predecessor of the
/// same name still had on the way is told from its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

impl EventNumber {
    /// The event `events` later; the last number there is if that is beyond it.
    #[must_use]
    pub const fn after(self, events: u64) -> Self {
        Self(self.0.saturating_add(events))
    }
}

impl From<BuilderId> for Destination {
    fn from(BuilderId(id): BuilderId) -> Self {
        Self(id)
    }
}

impl From<NodeId> for Destination {
    fn from(NodeId(id): NodeId) -> Self {
        Self(id)
    }
}

impl From<Destination> for BuilderId {
    fn from(Destination(id): Destination) -> Self {
        Self(id)
    }
}

impl From<Destination> for NodeId {
    fn from(Destination(id): Destination) -> Self {
        Self(id)
    }
}

impl fmt::Display for EventNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trigger => out.write_str("trigger"),
            Self::Source(SourceId(id)) => write!(out, "source {id}"),
            Self::Builder(BuilderId(id)) => write!(out, "builder {id}"),
            Self::Node(NodeId(id)) => write!(out, "node {id}"),
            Self::Sink(SinkId(id)) => write!(out, "sink {id}"),
        }
    }
}

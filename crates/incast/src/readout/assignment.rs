//! What a role of a readout is told, and what it tells: parts of the lines between it and its conductor.

use std::net::SocketAddr;
use std::path::PathBuf;

use incast_core::readout::algorithm::AlgorithmPlan;
use incast_core::readout::role::{
    BuilderRolePlan, NodeRolePlan, RoleCounts, SinkRolePlan, SourceRolePlan, TriggerRolePlan,
};
use incast_core::readout::{Incarnation, Peer};
use incast_core::record::{NamedCount, StoredFile};
use incast_core::scenario::{FilesPlan, FragmentCarrier};
use serde::{Deserialize, Serialize};

/// One life of a role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReadoutAssignment {
    pub(crate) me: Peer,
    pub(crate) name: String,
    pub(crate) life: Incarnation,
    pub(crate) key: String,
    /// Where it listens; peers reach it at this address.
    pub(crate) bind: SocketAddr,
    pub(crate) carrier: FragmentCarrier,
    pub(crate) part: ReadoutPart,
}

/// What it is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReadoutPart {
    Trigger(TriggerRolePlan),
    Source { plan: SourceRolePlan, replay: Option<PathBuf> },
    Builder(BuilderRolePlan),
    Node { plan: NodeRolePlan, algorithm: AlgorithmPlan },
    Sink { plan: SinkRolePlan, files: FilesPlan, directory: PathBuf, streams: Vec<String> },
}

/// What a role tells of itself, several times a second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Its machine.
    pub(crate) counts: RoleCounts,
    /// What it counted beside, by name.
    pub(crate) more: Vec<NamedCount>,
    /// Nonsense of peers and other doubts, by name.
    pub(crate) faults: Vec<NamedCount>,
    /// What a sink wrote.
    pub(crate) files: Vec<StoredFile>,
    /// Something that a person should know, as it is now: a disk that is full.
    pub(crate) trouble: Option<String>,
    pub(crate) is_done: bool,
    /// Every peer that it was told of is connected.
    pub(crate) is_armed: bool,
    /// Nothing follows.
    pub(crate) is_final: bool,
}

/// Where a peer of a role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    pub(crate) peer: Peer,
    pub(crate) life: Incarnation,
    /// Where it listens; `None` if it does not.
    pub(crate) address: Option<SocketAddr>,
    /// Where it takes fragments that come as datagrams.
    pub(crate) fragments: Option<SocketAddr>,
}

//! The readout of a scenario once it has been understood: plain data that cannot be wrong.

use serde::{Deserialize, Serialize};

use super::model_fault::FaultPlan;
use crate::readout::algorithm::AlgorithmPlan;
use crate::readout::role::{
    BuilderRolePlan, NodeRolePlan, RunPlan, SinkRolePlan, SourceRolePlan, TriggerRolePlan,
};
use crate::time::Span;
use crate::units::Bytes;

/// Every role of a readout. Run number and incarnations are 0: whoever plays it fills them in.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadoutPlan {
    /// What all roles know.
    pub run: RunPlan,
    /// How fragments travel from sources to builders.
    pub carrier: FragmentCarrier,
    /// The MDF file whose events the sources send, instead of made ones.
    pub replay: Option<String>,
    /// Names of the output streams: bit n of a verdict is the n-th.
    pub streams: Vec<String>,
    /// When the trigger stops, if it has not made all its events before.
    pub duration: Span,
    /// How long after that events are waited for that have not ended.
    pub drain: Span,
    /// How often a role that died is started again.
    pub restarts: u32,
    /// The trigger.
    pub trigger: Placed<TriggerRolePlan>,
    /// Every source.
    pub sources: Vec<Placed<SourceRolePlan>>,
    /// Every builder.
    pub builders: Vec<Placed<BuilderRolePlan>>,
    /// Every node.
    pub nodes: Vec<Placed<NodeShare>>,
    /// Every sink.
    pub sinks: Vec<Placed<SinkShare>>,
    /// What is done to roles while the run lasts.
    pub faults: Vec<FaultPlan>,
}

/// What a role is called, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// Its name, unique among roles.
    pub name: String,
    /// The host that it is on; `None` is this machine.
    pub host: Option<String>,
    /// What it is to do.
    pub plan: T,
}

/// A node and what it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeShare {
    /// The node.
    pub role: NodeRolePlan,
    /// Its algorithm.
    pub algorithm: AlgorithmPlan,
}

/// A sink and its files.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkShare {
    /// The sink.
    pub role: SinkRolePlan,
    /// Its files.
    pub files: FilesPlan,
}

/// The files of a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesPlan {
    /// Where they are; beside the record when not said. Each sink has a directory of its own in it.
    pub directory: Option<String>,
    /// A new file after so many bytes.
    pub roll_bytes: Bytes,
    /// A new file after so long; never when `None`.
    pub roll_after: Option<Span>,
    /// Whether records have MDF's check sum.
    pub has_checksum: bool,
}

/// How fragments travel from sources to builders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FragmentCarrier {
    /// On the connection between them.
    #[default]
    Tcp,
    /// In UDP datagrams, which nobody acknowledges.
    Udp,
    /// In IP datagrams of protocol 0xF2; as root only.
    Ip,
    /// As LHCb's multi-event packets, in UDP datagrams.
    MepUdp,
    /// As LHCb's multi-event packets, in IP datagrams; as root only.
    MepIp,
    /// As LHCb's multi-event packets, on the connection between them.
    MepTcp,
}

impl FragmentCarrier {
    /// Every carrier with its name in scenario files.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("tcp", Self::Tcp),
        ("udp", Self::Udp),
        ("ip", Self::Ip),
        ("mep-udp", Self::MepUdp),
        ("mep-ip", Self::MepIp),
        ("mep-tcp", Self::MepTcp),
    ];

    /// Its name in scenario files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Ip => "ip",
            Self::MepUdp => "mep-udp",
            Self::MepIp => "mep-ip",
            Self::MepTcp => "mep-tcp",
        }
    }

    /// Whether fragments travel as LHCb's packets, and builders' tokens to the trigger as its requests.
    #[must_use]
    pub const fn is_mep(self) -> bool {
        matches!(self, Self::MepUdp | Self::MepIp | Self::MepTcp)
    }
}

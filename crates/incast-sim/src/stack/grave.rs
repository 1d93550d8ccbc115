//! Where a packet died, by the names of the ledger's stages.

use crate::courier::HostIndex;
use crate::fabric::{End, FabricPlan, LinkId, Why};
use crate::host::{DropCause, HostStage};

/// Where, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grave {
    /// In front of a link, or on it.
    Link(LinkId, Why),
    /// In a host, at this stage of its receiving side.
    Host(HostIndex, HostGrave),
}

/// Stages of a host's receiving side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostGrave {
    /// The receive ring of its card.
    Ring,
    /// The backlog, which was full.
    Backlog,
    /// The backlog, which had been full and was not empty yet.
    BacklogUntilEmpty,
    /// The backlog, which was thrown away whole.
    BacklogPurged,
    /// Where datagrams are put together: another of its packets was lost.
    Reassembly,
    /// The socket's buffer.
    Socket,
}

impl HostGrave {
    /// Of a packet that died in a host's model.
    #[must_use]
    pub const fn of(stage: HostStage, why: DropCause) -> Self {
        match (stage, why) {
            (HostStage::Ring, _) => Self::Ring,
            (HostStage::Backlog, DropCause::Full) => Self::Backlog,
            (HostStage::Backlog, DropCause::UntilEmpty) => Self::BacklogUntilEmpty,
            (HostStage::Backlog, DropCause::Purged) => Self::BacklogPurged,
        }
    }
}

impl Grave {
    /// The stage, as the ledger calls it.
    #[must_use]
    pub fn stage(self, plan: &FabricPlan) -> &'static str {
        match self {
            Self::Link(link, Why::Full | Why::Memory) => match plan.links[link.0 as usize].from {
                End::Nic(_) => "host_queue",
                End::Switch(_) => "switch_port",
            },
            Self::Link(..) => "link",
            Self::Host(_, HostGrave::Ring) => "receiver_ring",
            Self::Host(_, HostGrave::Backlog | HostGrave::BacklogUntilEmpty | HostGrave::BacklogPurged) => {
                "receiver_backlog"
            }
            Self::Host(_, HostGrave::Reassembly) => "reassembly",
            Self::Host(_, HostGrave::Socket) => "socket_buffer",
        }
    }

    /// The place, for people.
    #[must_use]
    pub fn place(self, plan: &FabricPlan, hosts: &[String]) -> String {
        match self {
            Self::Link(link, Why::Full | Why::Memory) => plan.links[link.0 as usize].place.clone(),
            Self::Link(link, _) => format!("link {}", plan.links[link.0 as usize].way),
            Self::Host(host, stage) => {
                let name = hosts.get(host.0 as usize).map_or("", String::as_str);
                let what = match stage {
                    HostGrave::Ring => "ring",
                    HostGrave::Backlog | HostGrave::BacklogUntilEmpty | HostGrave::BacklogPurged => "backlog",
                    HostGrave::Reassembly => "reassembly",
                    HostGrave::Socket => "socket",
                };
                format!("{what} of {name}")
            }
        }
    }

    /// Why, as the record calls it.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Link(_, why) => why.name(),
            Self::Host(_, HostGrave::BacklogUntilEmpty) => "until_empty",
            Self::Host(_, HostGrave::BacklogPurged) => "purged",
            Self::Host(..) => "full",
        }
    }
}

impl Why {
    /// Its name in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Memory => "memory",
            Self::Loss => "loss",
            Self::BitError => "bit_error",
            Self::LinkDown => "link_down",
            Self::Fault => "fault",
        }
    }
}

//! What a coordinator and its roles say to each other: one JSON document per line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use incast_core::control::SendPlan;
use incast_core::exchange::{AnswererAccount, AskerAccount};
use incast_core::flood::report::{Measured, Sent};
use incast_core::link::PathPlan;
use incast_core::readout::{Incarnation, Peer};
use incast_core::record::{Cpu, Faults, Host, LinkReport, RoundTrip};
use incast_core::scenario::ExchangePlan;
use incast_core::tune::{AskedFor, HostCheck};
use incast_core::units::Bytes;
use incast_net::live::LiveCounts;
use serde::{Deserialize, Serialize};

use crate::readout::assignment::{ReadoutAssignment, Told, Whereabouts};

/// Longest line that is read from a role: the intervals of a long flow are the bulk of it.
pub(crate) const LINE_BYTES_MAX: u64 = 64 << 20;

/// What a role is to do, and where; the first line it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    /// The network namespace in which it plays; the coordinator's own when there is none.
    pub(crate) namespace: Option<PathBuf>,
    pub(crate) part: Part,
}

/// What a role is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Receive(ReceiveAssignment),
    Send(Box<SendAssignment>),
    Link(LinkAssignment),
    Echo(EchoAssignment),
    Tag(TagAssignment),
    Readout(Box<ReadoutAssignment>),
    Answer(AnswerAssignment),
    Ask(Box<AskAssignment>),
    /// Reads the settings of its host and judges them.
    Check(CheckAssignment),
}

/// Which settings of a host are to be judged, and by what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CheckAssignment {
    /// Those of these interfaces; of all when there is none.
    pub(crate) interfaces: Vec<String>,
    pub(crate) asked: AskedFor,
}

/// Answers tagged messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EchoAssignment {
    pub(crate) bind: SocketAddr,
    /// What its messages begin with; nothing else is answered.
    pub(crate) tag: u64,
}

/// Sends tagged messages beside a flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TagAssignment {
    pub(crate) flow: String,
    pub(crate) to: SocketAddr,
    pub(crate) tag: u64,
}

/// The link in the middle of a cable of a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LinkAssignment {
    pub(crate) near: String,
    pub(crate) far: String,
    pub(crate) ways: [String; 2],
    pub(crate) path: PathPlan,
    pub(crate) mtu_bytes: u32,
    pub(crate) seed: u64,
}

/// A receiver of any number of flows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReceiveAssignment {
    pub(crate) host: String,
    pub(crate) bind: SocketAddr,
    pub(crate) key: String,
    pub(crate) receive_buffer: Option<Bytes>,
    pub(crate) receive_batch: Option<u32>,
    pub(crate) spin: bool,
    pub(crate) core: Option<u32>,
    pub(crate) run_start_unix_ns: u64,
}

/// The sender of one flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SendAssignment {
    pub(crate) host: String,
    pub(crate) flow: String,
    pub(crate) server: SocketAddr,
    /// Where the messages go, if not there.
    pub(crate) data: Option<SocketAddr>,
    pub(crate) key: String,
    pub(crate) send: SendPlan,
    /// Wait for `start`.
    pub(crate) hold: bool,
    pub(crate) core: Option<u32>,
    pub(crate) run_start_unix_ns: u64,
}

/// Answers any number of askers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AnswerAssignment {
    pub(crate) host: String,
    pub(crate) bind: SocketAddr,
    pub(crate) key: String,
    pub(crate) congestion: Option<String>,
    pub(crate) core: Option<u32>,
}

/// Asks in rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AskAssignment {
    pub(crate) plan: ExchangePlan,
    /// Every answerer's server, and where requests go if not there.
    pub(crate) targets: Vec<(SocketAddr, Option<IpAddr>)>,
    pub(crate) key: String,
    /// Wait for `start`.
    pub(crate) hold: bool,
}

/// What a role is told later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleOrder {
    /// The sender's common start; of a readout, the start of the trigger.
    Start,
    /// End in good order.
    Stop,
    /// A role of a readout: a peer is there, and this is where.
    Joined(Whereabouts),
    /// Every peer that is there has been told of.
    AllTold,
    /// It is gone.
    Left(Peer),
    /// It says nothing: it is treated as gone until it does.
    Silent(Peer),
    /// It speaks again, in this life.
    Back(Peer, Incarnation),
    /// The trigger pauses.
    Pause,
    /// It goes on.
    Resume,
    /// No more triggers; what is under way is finished.
    Drain,
    /// What is still under way is given up, and told.
    End,
    /// The last account: what happens after it is not counted, since all end at once.
    Finish,
}

/// What a role says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleLine {
    /// A receiver: its port is open.
    Listening { address: SocketAddr },
    /// A sender: its sockets are open, and it waits for `start`.
    Armed,
    /// Data flows.
    Started { flow: String },
    /// How far each flow is; also a sign of life.
    Progress { flows: Vec<(String, Counts)> },
    /// A flow is over: what this side and, through it, the other knows.
    Done { flow: String, sent: Option<Box<Sent>>, measured: Option<Box<Measured>>, failure: Option<String> },
    /// A receiver: a session is over.
    SessionOver { peer: String, failure: Option<String> },
    /// A sender of tagged messages: their round trips.
    Tagged { flow: String, round_trip: RoundTrip },
    /// An asker is done: what it and its answerers know, and why they ended early, if they did.
    Asked {
        exchange: String,
        asked: Box<AskerAccount>,
        told: Vec<Option<AnswererAccount>>,
        failures: Vec<String>,
    },
    /// A link: it carries packets, and holds so many.
    Carrying { held_packets: u64 },
    /// A link: what it did.
    Carried { links: Vec<LinkReport> },
    /// A role of a readout: its ports, if it has any.
    ReadoutListening { address: Option<SocketAddr>, fragments: Option<SocketAddr> },
    /// A role of a readout: what it has counted.
    ReadoutTold(Box<Told>),
    /// The settings of its host, judged.
    Checked(Box<HostCheck>),
    /// The role has done its work.
    Ended { cpu: Option<Cpu>, host: Box<Host>, faults: Faults, socket_drops: Option<u64> },
    /// The role cannot do its work.
    Failed { reason: String },
}

/// Live counts of a flow, on the line.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) unique: u64,
    pub(crate) duplicate: u64,
    pub(crate) lost: u64,
}

impl From<LiveCounts> for Counts {
    fn from(live: LiveCounts) -> Self {
        Self {
            sent: live.sent,
            received: live.received,
            unique: live.unique,
            duplicate: live.duplicate,
            lost: live.lost,
        }
    }
}

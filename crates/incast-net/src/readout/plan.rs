//! What a mesh is told when it is opened.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use incast_core::readout::{Incarnation, Peer, RunNumber};

use crate::key::Key;

/// What a mesh is told when it is opened.
#[derive(Clone, Debug)]
pub struct MeshPlan {
    /// The role that it serves.
    pub me: Peer,
    /// Which of its lives.
    pub life: Incarnation,
    /// The run. Peers of another run are refused.
    pub run: RunNumber,
    /// The key of the run.
    pub key: Key,
    /// Where peers connect to, if any do; with port 0 the kernel chooses one.
    pub listen: Option<SocketAddr>,
    /// Who may connect; each has one connection at most. Those that are dialled need not be here.
    pub peers: BTreeSet<Peer>,
    /// How fragments travel from sources to builders.
    pub fragments: FragmentCarrier,
    /// A message is not taken when so many bytes wait for the same peer. One that is taken may go beyond.
    pub queue_bytes_max: u64,
    /// Fragments in several segments are not put together beyond this.
    pub fragment_bytes_max: u32,
}

/// How fragments travel. Everything else is on the TCP connections of the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FragmentCarrier {
    /// On the connection from source to builder, in our own frames.
    #[default]
    Tcp,
    /// On the connection from source to builder, as LHCb's multi-event packets.
    MepTcp {
        /// Where requests for packets are sent from and received at, over UDP.
        requests: SocketAddr,
    },
    /// In UDP datagrams. Nothing is acknowledged or sent again.
    Udp(DatagramPlan),
    /// In IPv4 datagrams of protocol 0xF2, which needs `CAP_NET_RAW`. All sockets of a host that are bound to
    /// the same address get all of them: builders on one host need an address each.
    Ip(DatagramPlan),
}

impl FragmentCarrier {
    /// What fragments look like on a connection, if they are there.
    pub(super) const fn stream_layout(&self) -> FragmentLayout {
        match self {
            Self::MepTcp { .. } => FragmentLayout::Mep,
            Self::Tcp | Self::Udp(_) | Self::Ip(_) => FragmentLayout::Frames,
        }
    }
}

/// Fragments in datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramPlan {
    /// Where datagrams are sent from and received at. The port has no meaning over IP.
    pub bind: SocketAddr,
    /// What is in them.
    pub layout: FragmentLayout,
    /// Largest datagram: 100 to 65 507. Larger fragments are cut, where the layout can say so.
    pub datagram_bytes_max: u32,
}

/// The layout of a fragment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FragmentLayout {
    /// Our own frames (`incast_core::wire::fragment`).
    #[default]
    Frames,
    /// LHCb's multi-event packets (`incast_core::wire::mep`). Which source it is, the address says: over IP,
    /// where sources may share one, the partition, which is the source's id. There is no second level, no
    /// check sum and no larger packet than a datagram. Only the low 32 bits of event numbers are told.
    Mep,
}

impl DatagramPlan {
    /// The default of [`datagram_bytes_max`](Self::datagram_bytes_max): a fragment of 8 KiB less its head fits
    /// an Ethernet jumbo frame.
    pub const DATAGRAM_BYTES: u32 = 8_192;
}

/// The kind of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PeerKind {
    /// [`Peer::Trigger`]
    Trigger = 1,
    /// [`Peer::Source`]
    Source = 2,
    /// [`Peer::Builder`]
    Builder = 3,
    /// [`Peer::Node`]
    Node = 4,
    /// [`Peer::Sink`]
    Sink = 5,
}

impl PeerKind {
    /// The kind of `peer`.
    #[must_use]
    pub const fn of(peer: Peer) -> Self {
        match peer {
            Peer::Trigger => Self::Trigger,
            Peer::Source(_) => Self::Source,
            Peer::Builder(_) => Self::Builder,
            Peer::Node(_) => Self::Node,
            Peer::Sink(_) => Self::Sink,
        }
    }
}

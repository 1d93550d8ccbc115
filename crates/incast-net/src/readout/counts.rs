//! What crossed the sockets of a mesh, and what was refused, by kind. Plain data for the record.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use incast_core::readout::{MepRequestCounts, Message};
use incast_core::wire::readout::Kind;
use incast_core::wire::refusal::Refusals;
use serde::{Deserialize, Serialize};

use super::data::Data;
use super::greeting::GreetError;
use crate::channel::ChannelError;

/// What crossed the sockets of a mesh since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshCounts {
    /// Messages that were queued for peers, by the name of their kind; fragments are `fragment`.
    pub sent: BTreeMap<String, u64>,
    /// Messages that came from peers.
    pub received: BTreeMap<String, u64>,
    /// Bytes on TCP connections, without the greetings.
    pub stream_bytes: Crossed,
    /// Datagrams with fragments or requests; of those received, of known peers.
    pub datagrams: Crossed,
    /// Their bytes.
    pub datagram_bytes: Crossed,
    /// Messages that were not taken because the peer's queue was full.
    pub queue_full: u64,
    /// Messages that were not taken because the peer was not connected.
    pub peer_down: u64,
    /// Messages, fragments and datagrams of peers that were refused, by the name of the reason. A message ends
    /// its connection, a fragment does not.
    pub refused: BTreeMap<String, u64>,
    /// Messages of our own that no layout can say, by the name of the reason.
    pub unsendable: BTreeMap<String, u64>,
    /// Datagrams from addresses that no connected source, or builder that asks, told.
    pub stranger_datagrams: u64,
    /// An address of these.
    pub stranger_example: Option<SocketAddr>,
    /// Datagrams that the kernel dropped because our socket's buffer was full.
    pub socket_drops: u64,
    /// Datagrams that the network or the kernel did not take from us.
    pub datagrams_unsent: u64,
    /// LHCb's requests for packets that a builder sent, or that came to the trigger.
    #[serde(default)]
    pub mep_requests: MepRequestCounts,
    /// Segments of fragments.
    pub segments: Segments,
    /// Connections to peers that came about.
    pub connections: u64,
    /// Of these, to peers that had one before.
    pub reconnections: u64,
    /// Connections that ended, other than by us.
    pub ended: u64,
    /// Connections that ended because a newer one of the same peer took their place.
    pub replaced: u64,
    /// Connections that came to nothing.
    pub refused_connections: RefusedConnections,
}

/// Both directions of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossed {
    /// To peers.
    pub sent: u64,
    /// From peers.
    pub received: u64,
}

/// Segments that are not whole fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    /// Used.
    pub joined: u64,
    /// Duplicate, late, or in contradiction to others.
    pub not_needed: u64,
    /// Fragments that were not completed in time, or for which there was no room.
    pub given_up_fragments: u64,
    /// Segments, whole fragments included, which their source says are damaged. They are not used.
    pub damaged: u64,
}

impl Segments {
    pub(super) const fn add(&mut self, other: Self) {
        self.joined += other.joined;
        self.not_needed += other.not_needed;
        self.given_up_fragments += other.given_up_fragments;
        self.damaged += other.damaged;
    }
}

/// Connections that came to nothing, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedConnections {
    /// The key was not ours, or it was no key at all.
    pub wrong_keys: u64,
    /// It began with something else than a greeting.
    pub rubbish: u64,
    /// Nothing came for too long.
    pub silent: u64,
    /// It ended in the greeting.
    pub truncated: u64,
    /// The right key, and a greeting that is not understood: another version.
    pub other_versions: u64,
    /// A peer of another run.
    pub other_runs: u64,
    /// A peer that is not expected here, or not the one that was dialled.
    pub strangers: u64,
    /// The peer that was dialled, in another of its lives.
    pub other_lives: u64,
    /// Nobody was there.
    pub unreachable: u64,
    /// Our own kernel refused: no descriptors, threads or memory.
    pub failed: u64,
}

impl RefusedConnections {
    pub(super) const fn record(&mut self, error: &GreetError) {
        let counter = match error {
            GreetError::Channel(ChannelError::WrongKey | ChannelError::BadMessage(_)) => &mut self.wrong_keys,
            GreetError::Channel(ChannelError::BadLength(_)) => &mut self.rubbish,
            GreetError::Channel(ChannelError::Silent) => &mut self.silent,
            GreetError::Channel(ChannelError::Closed) => &mut self.truncated,
            GreetError::Channel(ChannelError::Io(_)) => &mut self.failed,
            GreetError::OtherVersion => &mut self.other_versions,
            GreetError::OtherRun => &mut self.other_runs,
            GreetError::Stranger => &mut self.strangers,
            GreetError::OtherLife => &mut self.other_lives,
            GreetError::Unreachable => &mut self.unreachable,
        };
        *counter += 1;
    }
}

/// The counters while the mesh runs: what has a name in the record has a place here.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) plain: MeshCounts,
    pub(super) sent: Kinds,
    pub(super) received: Kinds,
    pub(super) refused: Refusals,
    pub(super) unsendable: Refusals,
}

impl Counters {
    /// The account so far.
    pub(super) fn read(&self) -> MeshCounts {
        let named = |refusals: &Refusals| {
            refusals.named().map(|(name, count)| (name.to_owned(), count)).collect::<BTreeMap<_, _>>()
        };
        MeshCounts {
            sent: self.sent.named(),
            received: self.received.named(),
            refused: named(&self.refused),
            unsendable: named(&self.unsendable),
            ..self.plain.clone()
        }
    }
}

/// A counter for each kind of message; the first is that of fragments.
#[derive(Debug, Default)]
pub(super) struct Kinds([u64; Kind::ALL.len() + 1]);

impl Kinds {
    #[inline]
    pub(super) fn record(&mut self, message: &Message<Data>) {
        self.0[Kind::of(message).map_or(0, |kind| usize::from(kind as u8))] += 1;
    }

    fn named(&self) -> BTreeMap<String, u64> {
        let names = std::iter::once("fragment").chain(Kind::ALL.iter().map(|kind| kind.name()));
        let counts = names.zip(self.0).filter(|(_, count)| *count > 0);
        counts.map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

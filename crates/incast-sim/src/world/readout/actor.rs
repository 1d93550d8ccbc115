//! A role's place in the world: the machine of its present life, whom it knows, and what waits at it. What a
//! process is in the real program (`incast/src/readout/process.rs`).

use std::collections::{BTreeMap, VecDeque};

use incast_core::readout::role::{
    BuilderRole, NodeRole, Order, Role, RoleCounts, SinkRole, SourceRole, TriggerRole,
};
use incast_core::readout::{Incarnation, Length, Message, Peer};
use incast_core::time::Time;

use super::algorithm::Workers;
use super::disk::Disk;
use super::roster::Seat;
use super::work::{Player, Supply, Talks};
use crate::courier::HostIndex;

/// The machine of a role, with its work.
#[derive(Debug)]
pub(super) enum Machine {
    Trigger(Box<Player<TriggerRole<Length>, Talks>>),
    Source(Box<Player<SourceRole<Length>, Supply>>),
    Builder(Box<Player<BuilderRole<Length>, Talks>>),
    Node(Box<Player<NodeRole<Length>, Workers>>),
    Sink(Box<Player<SinkRole<Length>, Disk>>),
}

/// Calls the same of whichever role it is, without a table of functions.
macro_rules! each {
    ($machine:expr, $player:ident => $call:expr) => {
        match $machine {
            $crate::world::readout::actor::Machine::Trigger($player) => $call,
            $crate::world::readout::actor::Machine::Source($player) => $call,
            $crate::world::readout::actor::Machine::Builder($player) => $call,
            $crate::world::readout::actor::Machine::Node($player) => $call,
            $crate::world::readout::actor::Machine::Sink($player) => $call,
        }
    };
}
pub(super) use each;

impl Machine {
    #[inline]
    pub(super) fn handle_message(&mut self, now: Time, from: Peer, message: Message<Length>) {
        each!(self, player => player.role.handle_message(now, from, message));
    }

    pub(super) fn handle_peer(&mut self, now: Time, peer: Peer, life: Option<Incarnation>) {
        each!(self, player => player.role.handle_peer(now, peer, life));
    }

    pub(super) fn handle_order(&mut self, now: Time, order: Order) {
        each!(self, player => player.role.handle_order(now, order));
    }

    pub(super) fn is_done(&self) -> bool {
        each!(self, player => player.role.is_done())
    }

    pub(super) fn counts(&self) -> RoleCounts {
        each!(self, player => player.role.counts())
    }
}

/// A role over all its lives.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) host: HostIndex,
    /// A message is held back while so many bytes wait for the same peer (`incast-net`, `MeshPlan`).
    pub(super) queue_bytes_max: u64,
    /// None while nobody plays it, and while it is served.
    pub(super) machine: Option<Machine>,
    pub(super) life: Incarnation,
    /// Which of its lives: messages to an earlier one reach nobody.
    pub(super) lives: u32,
    pub(super) is_hanging: bool,
    pub(super) is_touched: bool,
    /// Whom it is connected with, by seat: what it says to others is not sent.
    pub(super) connected: SeatSet,
    /// Whom the machine was told of, by seat.
    pub(super) there: SeatSet,
    pub(super) known: BTreeMap<Seat, Known>,
    /// Of peers that the machine was not told of yet.
    pub(super) early: VecDeque<(Seat, Message<Length>)>,
    /// To peers whose queue is full, in their order.
    pub(super) held_back: BTreeMap<Seat, VecDeque<Message<Length>>>,
    /// What came while it hangs.
    pub(super) inbox: Inbox,
    pub(super) counts: Counts,
    /// How each life but the last ended, and the last if not well.
    pub(super) deaths: Vec<String>,
    /// What the last life that ended had counted.
    pub(super) last_counts: Option<RoleCounts>,
    /// An algorithm takes so many thousandths of its time.
    pub(super) factor_milli: u32,
}

/// A peer as run control has told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) life: Incarnation,
    pub(super) is_silent: bool,
}

/// What reached the host of a role that hangs. Nobody reads it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// With the life of the sender, if it came on a connection: that ends with either.
    pub(super) messages: VecDeque<(Seat, Option<Incarnation>, Message<Length>)>,
    /// Bytes of connections, by sender: its queue is full at its own bound.
    pub(super) stream_bytes: BTreeMap<Seat, u64>,
    /// Bytes of datagrams, in the one socket.
    pub(super) datagram_bytes: u64,
}

/// What crossed, in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) stream_sent_bytes: u64,
    pub(super) datagrams_sent: u64,
    pub(super) datagrams_received: u64,
    pub(super) unsent: u64,
    pub(super) queue_full: u64,
    pub(super) socket_drops: u64,
    pub(super) unsayable: u64,
    /// Fragments of several datagrams of which one was lost.
    pub(super) given_up_fragments: u64,
}

/// A set of seats.
#[derive(Clone, Debug, Default)]
pub(super) struct SeatSet(Vec<u64>);

impl SeatSet {
    pub(super) fn new(seats: usize) -> Self {
        Self(vec![0; seats.div_ceil(64)])
    }

    #[inline]
    pub(super) fn contains(&self, seat: Seat) -> bool {
        let index = seat.index();
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, seat: Seat, is_in: bool) {
        let index = seat.index();
        if let Some(word) = self.0.get_mut(index / 64) {
            *word = *word & !(1 << (index % 64)) | u64::from(is_in) << (index % 64);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }
}

impl Actor {
    pub(super) fn new(host: HostIndex, seats: usize, queue_bytes_max: u64) -> Self {
        Self {
            host,
            queue_bytes_max,
            machine: None,
            life: Incarnation(0),
            lives: 0,
            is_hanging: false,
            is_touched: false,
            connected: SeatSet::new(seats),
            there: SeatSet::new(seats),
            known: BTreeMap::new(),
            early: VecDeque::new(),
            held_back: BTreeMap::new(),
            inbox: Inbox::default(),
            counts: Counts::default(),
            deaths: Vec::new(),
            last_counts: None,
            factor_milli: 1_000,
        }
    }

    pub(super) const fn is_alive(&self) -> bool {
        self.machine.is_some()
    }

    /// Forgets everything that belonged to a life.
    pub(super) fn forget(&mut self) {
        self.is_hanging = false;
        self.connected.clear();
        self.there.clear();
        self.known.clear();
        self.early.clear();
        self.held_back.clear();
        self.inbox = Inbox::default();
        self.counts = Counts::default();
    }
}

//! The mesh: all connections of one role, owned by the one thread that sends, polls and gets messages.
//!
//! ```text
//!  loop { mesh.poll(until, &mut events);  for each event: the role's machine;  mesh.send(to, message) }
//! ```
//! Nothing here waits but [`Mesh::poll`], and nothing is shared with other threads but the [`Waker`]. What is
//! sent is queued, and written at the next poll or when much of it waits. A peer that does not read fills its
//! own queue and nobody else's; a peer that sends much is read in turn with the others.
//!
//! Two connections of the same peer: the newer one stays. Only one of two peers should dial the other.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Instant;

use incast_core::caveat::Caveat;
use incast_core::readout::{Incarnation, Message, Peer, RunNumber, SourceId};
use incast_core::wire::refusal::Refusal;
use rustix::event::epoll;

use super::chunks::Chunks;
use super::connection::Connection;
use super::counts::{Counters, MeshCounts};
use super::data::Data;
use super::datagrams::Datagrams;
use super::dial::Greetings;
use super::greeting::{Greeter, Hello};
use super::plan::{FragmentLayout, MeshPlan, PeerKind};
use super::waker::Waker;
use crate::socket;
use requests::Requests;

mod datagrams;
mod poll;
mod requests;

/// Connections that the kernel makes before they are greeted: a farm that starts at once.
const BACKLOG: u32 = 1024;
/// When so much waits for a peer, it is written without waiting for the next poll.
const WRITE_BYTES: u64 = 256 << 10;

/// The connections of one role.
pub struct Mesh {
    queue_bytes_max: u64,
    fragment_bytes_max: u32,
    /// How fragments look on connections that we send them on.
    stream_layout: FragmentLayout,
    run: RunNumber,
    started: Instant,
    epoll: OwnedFd,
    listener: Option<TcpListener>,
    address: Option<SocketAddr>,
    /// Whether the kernel tells of connections that wait.
    is_accepting: bool,
    /// After a failure of our own kernel: when accepting is tried again.
    accept_again: Option<Instant>,
    waker: Waker,
    greetings: Greetings,
    connections: BTreeMap<Peer, Connection>,
    /// Whose connection it is, by its serial number.
    serials: BTreeMap<u64, Peer>,
    next_serial: u64,
    /// Those to be written to at the next poll.
    listed: Vec<Peer>,
    paused: BTreeSet<PeerKind>,
    datagrams: Option<Datagrams>,
    /// How tokens of builders travel as LHCb's requests, if they do.
    requests: Option<Requests>,
    /// Which sources send datagrams from an address.
    senders: BTreeMap<SocketAddr, Vec<SourceId>>,
    chunks: Chunks,
    counters: Counters,
    /// Who has been connected before.
    known: BTreeSet<Peer>,
    /// What happened outside of a poll.
    waiting: Vec<MeshEvent>,
    /// What the kernel told last: of which, and what.
    ready: Vec<(u64, epoll::EventFlags)>,
}

/// What a mesh tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshEvent {
    /// The peer is connected, in this life: it can be sent to.
    Up(Peer, Incarnation),
    /// The peer's connection has ended: what was queued for it is lost. An [`Up`](Self::Up) came before.
    Down(Peer),
    /// The peer says something.
    Message(Peer, Message<Data>),
}

/// A message that was not taken, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The peer is not connected.
    Down(Message<Data>),
    /// Too much waits for it.
    Full(Message<Data>),
    /// No layout can say it: our own mistake.
    Unsendable(Message<Data>, Refusal),
}

impl Mesh {
    /// Opens the sockets that the plan asks for.
    ///
    /// # Errors
    /// When an address cannot be bound, or the kernel refuses a socket.
    pub fn open(plan: MeshPlan) -> io::Result<Self> {
        let MeshPlan { me, life, run, key, listen, peers, fragments, queue_bytes_max, fragment_bytes_max } =
            plan;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let waker = Waker::open()?;
        epoll::add(&epoll, &waker, epoll::EventData::new_u64(poll::WAKER), epoll::EventFlags::IN)?;
        let listener = listen.map(self::listen).transpose()?;
        if let Some(listener) = &listener {
            let token = epoll::EventData::new_u64(poll::LISTENER);
            epoll::add(&epoll, listener, token, epoll::EventFlags::IN)?;
        }
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let stream_layout = fragments.stream_layout();
        let mut requests = Requests::open(me, run, &fragments)?;
        let datagrams = datagrams::open(me, fragments)?;
        if let Some(datagrams) = &datagrams {
            let token = epoll::EventData::new_u64(poll::DATAGRAMS);
            epoll::add(&epoll, datagrams, token, epoll::EventFlags::empty())?;
        }
        if let Some(socket) = requests.as_mut().and_then(Requests::socket) {
            let token = epoll::EventData::new_u64(poll::REQUESTS);
            epoll::add(&epoll, &*socket, token, epoll::EventFlags::empty())?;
        }
        let sockets = datagrams.as_ref().or_else(|| requests.as_mut()?.socket().map(|socket| &*socket));
        let fragments = sockets.map(Datagrams::address);
        let me = Hello { run, peer: me, life, fragments };
        let mut mesh = Self {
            queue_bytes_max,
            fragment_bytes_max,
            stream_layout,
            run,
            started: Instant::now(),
            epoll,
            is_accepting: listener.is_some(),
            listener,
            address,
            accept_again: None,
            greetings: Greetings::new(Greeter { key, me, peers }, waker.clone()),
            waker,
            connections: BTreeMap::new(),
            serials: BTreeMap::new(),
            next_serial: poll::SERIALS,
            listed: Vec::new(),
            paused: BTreeSet::new(),
            datagrams,
            requests,
            senders: BTreeMap::new(),
            chunks: Chunks::default(),
            counters: Counters::default(),
            known: BTreeSet::new(),
            waiting: Vec::new(),
            ready: Vec::with_capacity(poll::READY_MAX),
        };
        mesh.ask_datagrams();
        mesh.ask_requests();
        Ok(mesh)
    }

    /// Where peers connect to.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where fragments in datagrams come from or go to.
    #[must_use]
    pub fn fragment_address(&self) -> Option<SocketAddr> {
        self.datagrams.as_ref().map(Datagrams::address)
    }

    /// Where LHCb's requests for packets come from or go to, when they have a socket of their own.
    #[must_use]
    pub fn request_address(&self) -> Option<SocketAddr> {
        self.requests.as_ref().and_then(Requests::own_socket).map(Datagrams::address)
    }

    /// What the kernel refused to the socket of fragments, or to that of requests.
    #[must_use]
    pub fn caveats(&self) -> &[Caveat] {
        let own = self.requests.as_ref().and_then(Requests::own_socket);
        self.datagrams.as_ref().or(own).map_or(&[], Datagrams::caveats)
    }

    /// Wakes the thread that polls this mesh.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Dials `peer`, again and again, until it is there in this life; and again when it is gone. `fragments` is
    /// where its fragments in datagrams go to, if not where it says itself.
    ///
    /// A connection that there is with another life ends: the owner of the mesh knows better.
    pub fn connect(
        &mut self,
        peer: Peer,
        life: Incarnation,
        address: SocketAddr,
        fragments: Option<SocketAddr>,
    ) {
        let there = self.connections.get(&peer).map(|connection| connection.life);
        let is_connected = there == Some(life);
        let is_news = self.greetings.add(peer, life, address, fragments, is_connected);
        if is_news && there.is_some() && !is_connected {
            self.end(peer);
            self.waiting.push(MeshEvent::Down(peer));
        }
    }

    /// Dials `peer` no more, and ends its connection. No [`MeshEvent::Down`] tells of it.
    pub fn forget(&mut self, peer: Peer) {
        self.greetings.remove(peer);
        self.end(peer);
    }

    /// Whether `peer` is connected.
    #[must_use]
    pub fn is_up(&self, peer: Peer) -> bool {
        self.connections.get(&peer).is_some_and(|connection| !connection.is_broken)
    }

    /// Whether a message to `peer` would be taken.
    #[must_use]
    pub fn has_room(&self, to: Peer) -> bool {
        self.is_up(to) && self.queued_bytes(to) < self.queue_bytes_max
    }

    /// Bytes that wait for `peer`, beyond those that the kernel has. Of the datagrams of fragments, those for
    /// all peers, which wait for the same socket.
    #[must_use]
    pub fn queued_bytes(&self, to: Peer) -> u64 {
        let datagrams = self.datagrams.as_ref().map_or(0, Datagrams::waiting_bytes);
        self.connections.get(&to).map_or(0, |connection| connection.outbox.queued_bytes().max(datagrams))
    }

    /// Queues a message for a peer. What is taken is sent in order, and arrives unless the connection ends.
    ///
    /// # Errors
    /// When it is not taken; it is counted by reason, and comes back.
    #[expect(clippy::result_large_err, reason = "the message goes back to its owner without an allocation")]
    pub fn send(&mut self, to: Peer, message: Message<Data>) -> Result<(), Unsent> {
        let Some(connection) = self.connections.get_mut(&to).filter(|connection| !connection.is_broken)
        else {
            self.counters.plain.peer_down += 1;
            return Err(Unsent::Down(message));
        };
        if self.datagrams.is_some() && matches!(message, Message::Fragment { .. }) {
            let address = connection.fragments;
            return self.send_datagrams(address, message);
        }
        if let (Peer::Trigger, Message::Token(token), Some(Requests::Asked(asked))) =
            (to, &message, &mut self.requests)
        {
            asked.send(*token, connection.fragments, self.datagrams.as_mut());
            self.counters.sent.record(&message);
            self.ask_datagrams();
            self.ask_requests();
            return Ok(());
        }
        let sent = &mut self.counters.plain.stream_bytes.sent;
        if connection.outbox.queued_bytes() >= self.queue_bytes_max {
            if !connection.is_blocked {
                *sent += connection.write();
            }
            if connection.outbox.queued_bytes() >= self.queue_bytes_max {
                self.counters.plain.queue_full += 1;
                return Err(Unsent::Full(message));
            }
        }
        if let Err(refusal) = connection.outbox.push(&message) {
            self.counters.unsendable.record(refusal);
            return Err(Unsent::Unsendable(message, refusal));
        }
        self.counters.sent.record(&message);
        if !connection.is_listed {
            connection.is_listed = true;
            self.listed.push(to);
        }
        if connection.outbox.queued_bytes() >= WRITE_BYTES && !connection.is_blocked {
            *sent += connection.write();
        }
        Ok(())
    }

    /// Reads peers of a kind no more, or again: what they send meanwhile waits in the kernel, and then with
    /// them. Over UDP and IP it is lost, and counted as dropped by the socket.
    pub fn pause_reading(&mut self, kind: PeerKind, is_paused: bool) {
        let is_news = if is_paused { self.paused.insert(kind) } else { self.paused.remove(&kind) };
        if is_news {
            let of_kind = self.connections.keys().filter(|peer| PeerKind::of(**peer) == kind);
            of_kind.copied().collect::<Vec<_>>().into_iter().for_each(|peer| self.ask(peer));
            self.ask_datagrams();
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> MeshCounts {
        let mut counts = self.counters.read();
        self.connections.values().for_each(|connection| counts.segments.add(connection.inbox.segments()));
        let of_requests = self.requests.as_ref();
        let sockets = [self.datagrams.as_ref(), of_requests.and_then(Requests::own_socket)];
        for socket in sockets.into_iter().flatten() {
            let sent = socket.sent();
            counts.datagrams.sent += sent.datagrams;
            counts.datagram_bytes.sent += sent.bytes;
            counts.datagrams_unsent += sent.unsent;
            counts.socket_drops += socket.drops();
        }
        counts.mep_requests = of_requests.map(|requests| *requests.counts()).unwrap_or_default();
        counts
    }

    /// Ends all connections in good order: what is queued is sent, as far as peers take it until `until`, and
    /// arrives before the end does. What peers still send is not heard.
    ///
    /// # Errors
    /// When the kernel fails.
    pub fn close(mut self, until: Instant) -> io::Result<()> {
        self.listener = None;
        self.accept_again = None;
        self.greetings.remove_all();
        let mut unheard = Vec::new();
        // A peer that is not read may never read either.
        self.paused.clear();
        let peers: Vec<Peer> = self.connections.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.ask(peer));
        while self.connections.keys().any(|peer| self.queued_bytes(*peer) > 0) && Instant::now() < until {
            self.poll(Some(until), &mut unheard)?;
            unheard.clear();
        }
        for connection in self.connections.values() {
            // Fails if the peer is gone, which is just as well.
            let _ = connection.stream.shutdown(std::net::Shutdown::Write);
        }
        while !self.connections.is_empty() && Instant::now() < until {
            self.poll(Some(until), &mut unheard)?;
            unheard.clear();
        }
        Ok(())
    }
}

/// Opens the socket that peers connect to.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let (listener, _) = socket::tcp_listen(address, None, BACKLOG).map_err(io::Error::other)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

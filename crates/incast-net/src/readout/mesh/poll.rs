//! Polling a mesh: what the kernel has, peer by peer.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use incast_core::readout::Peer;
use incast_core::time::Time;
use incast_core::wire::refusal::Refusal;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Mesh, MeshEvent};
use crate::readout::connection::Connection;
use crate::readout::counts::Counters;
use crate::readout::greeting::{GreetError, Hello};
use crate::readout::inbox::{Inbox, TURN_BYTES};
use crate::readout::outbox::Outbox;
use crate::readout::plan::PeerKind;

/// What the kernel's events are of: these, or a connection.
pub(super) const WAKER: u64 = 0;
pub(super) const LISTENER: u64 = 1;
pub(super) const DATAGRAMS: u64 = 2;
pub(super) const REQUESTS: u64 = 3;
/// The first connection.
pub(super) const SERIALS: u64 = 16;
/// Events that are taken at once. The kernel gives those that were left out first the next time.
pub(super) const READY_MAX: usize = 64;
/// How long accepting rests after our kernel refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Mesh {
    /// Writes what is queued; then waits until something happens, another thread [wakes](super::Waker) this
    /// one, or `until` has come, and adds what happened to `into`. Without `until` it waits for ever. It may
    /// return with nothing.
    ///
    /// # Errors
    /// When the kernel fails; peers cannot bring that about.
    pub fn poll(&mut self, until: Option<Instant>, into: &mut Vec<MeshEvent>) -> io::Result<()> {
        into.append(&mut self.waiting);
        self.write_listed();
        self.handle_timeouts();
        let timeouts = [until, self.greetings.next_timeout(), self.accept_again];
        let until = if into.is_empty() { timeouts.into_iter().flatten().min() } else { Some(self.started) };
        self.wait(until)?;
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let now = Time::from_ns(elapsed);
        for index in 0..self.ready.len() {
            let (token, flags) = self.ready[index];
            match token {
                WAKER => self.greeted(into),
                LISTENER => self.accept(),
                DATAGRAMS => self.serve_datagrams(flags, now, into),
                REQUESTS => self.serve_requests(flags, into),
                serial => {
                    if let Some(peer) = self.serials.get(&serial) {
                        self.serve(*peer, flags, now, into);
                    }
                }
            }
        }
        Ok(())
    }

    /// Fills `ready`: at once if something is, or else as soon as something is, or `until` has come.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.ready.clear();
        self.take_ready()?;
        // `epoll_wait` knows milliseconds only; `poll` knows nanoseconds.
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if !self.ready.is_empty() || left == Some(Duration::ZERO) {
            return Ok(());
        }
        // What is beyond a `timespec` is for ever.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], left.as_ref()) {
            // A signal: the owner looks at its flags.
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(()),
            Ok(_) => self.take_ready(),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what is ready, without waiting.
    fn take_ready(&mut self) -> io::Result<()> {
        const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut events =
            [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; READY_MAX];
        let count = epoll::wait(&self.epoll, &mut events[..], Some(&AT_ONCE))?;
        self.ready.extend(events[..count].iter().map(|event| (event.data.u64(), event.flags)));
        Ok(())
    }

    fn handle_timeouts(&mut self) {
        if self.greetings.next_timeout().is_none() && self.accept_again.is_none() {
            return;
        }
        let now = Instant::now();
        self.counters.plain.refused_connections.failed += self.greetings.handle_timeout(now);
        if self.accept_again.is_some_and(|at| at <= now) {
            self.accept_again = None;
            self.listen_again();
        }
    }

    fn write_listed(&mut self) {
        while let Some(peer) = self.listed.pop() {
            if let Some(connection) = self.connections.get_mut(&peer) {
                connection.is_listed = false;
                if !connection.is_blocked {
                    self.counters.plain.stream_bytes.sent += connection.write();
                }
                self.ask(peer);
            }
        }
    }

    /// Asks the kernel to tell what we now want to know of a connection.
    pub(super) fn ask(&mut self, peer: Peer) {
        let is_paused = self.paused.contains(&PeerKind::of(peer));
        let Some(connection) = self.connections.get_mut(&peer) else { return };
        let wanted = connection.wanted(is_paused);
        if wanted != connection.interest {
            connection.interest = wanted;
            let token = EventData::new_u64(connection.serial);
            if epoll::modify(&self.epoll, &connection.stream, token, wanted).is_err() {
                // Not asked, it would never be heard again.
                connection.is_broken = true;
            }
        }
    }

    /// A connection has something to read, or room for more.
    fn serve(&mut self, peer: Peer, flags: EventFlags, now: Time, into: &mut Vec<MeshEvent>) {
        if flags.contains(EventFlags::OUT)
            && let Some(connection) = self.connections.get_mut(&peer)
        {
            self.counters.plain.stream_bytes.sent += connection.write();
            self.ask(peer);
        }
        // An end is told even when nothing is read; then the rest is read, and it is found.
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) && !self.read(peer, now, into)
        {
            self.counters.plain.ended += 1;
            self.end(peer);
            into.push(MeshEvent::Down(peer));
        }
    }

    /// Reads a connection, one turn of it, and gives what is whole. Says whether it goes on.
    fn read(&mut self, peer: Peer, now: Time, into: &mut Vec<MeshEvent>) -> bool {
        let Some(connection) = self.connections.get_mut(&peer) else { return true };
        let Connection { inbox, stream, .. } = connection;
        let (mut turn, mut has_more) = (TURN_BYTES, true);
        while has_more && turn > 0 {
            match inbox.receive(stream.as_fd(), &mut self.chunks, turn) {
                Ok((0, _)) => return false,
                Ok((bytes, more)) => {
                    self.counters.plain.stream_bytes.received += bytes as u64;
                    (turn, has_more) = (turn - bytes, more);
                }
                Err(error) => {
                    return matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
                }
            }
            if let Err(refusal) = take(inbox, peer, now, &mut self.counters, into) {
                self.counters.refused.record(refusal);
                return false;
            }
        }
        true
    }

    /// Ends a connection, if there is one.
    pub(super) fn end(&mut self, peer: Peer) {
        // Closing it ends what the kernel tells of it as well.
        if let Some(connection) = self.connections.remove(&peer) {
            self.serials.remove(&connection.serial);
            self.counters.plain.segments.add(connection.inbox.segments());
            self.know_sender(peer, connection.fragments, false);
            self.know_builder(peer, connection.life, connection.fragments, false);
            self.greetings.handle_down(peer);
        }
    }

    /// Takes all connections that wait, as long as they can be greeted.
    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        while self.greetings.has_room() {
            let accepted = listener.accept().and_then(|(stream, _)| self.greetings.accept(stream));
            match accepted.as_ref().map_err(io::Error::kind) {
                Ok(()) | Err(io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
                Err(io::ErrorKind::WouldBlock) => return,
                Err(_) => {
                    self.counters.plain.refused_connections.failed += 1;
                    self.accept_again = Some(Instant::now() + ACCEPT_PAUSE);
                    break;
                }
            }
        }
        self.is_accepting = false;
        let _ = epoll::modify(&self.epoll, listener, EventData::new_u64(LISTENER), EventFlags::empty());
    }

    fn listen_again(&mut self) {
        let can_accept = self.greetings.has_room() && self.accept_again.is_none();
        if let Some(listener) = &self.listener
            && !self.is_accepting
            && can_accept
        {
            let token = EventData::new_u64(LISTENER);
            self.is_accepting = epoll::modify(&self.epoll, listener, token, EventFlags::IN).is_ok();
        }
    }

    /// Takes the greetings that have ended.
    fn greeted(&mut self, into: &mut Vec<MeshEvent>) {
        self.waker.clear();
        while let Some(result) = self.greetings.poll_outcome() {
            let begun = result.and_then(|(stream, hello)| self.begin(stream, hello, into));
            if let Err(error) = begun {
                self.counters.plain.refused_connections.record(&error);
            }
        }
        self.listen_again();
    }

    /// A connection that was greeted takes its place, or that of an older one.
    fn begin(
        &mut self,
        stream: TcpStream,
        hello: Hello,
        into: &mut Vec<MeshEvent>,
    ) -> Result<(), GreetError> {
        let Hello { peer, life, .. } = hello;
        let serial = self.next_serial;
        epoll::add(&self.epoll, &stream, EventData::new_u64(serial), EventFlags::empty())
            .map_err(io::Error::from)?;
        self.next_serial += 1;
        if self.connections.contains_key(&peer) {
            self.counters.plain.replaced += 1;
            self.end(peer);
            into.push(MeshEvent::Down(peer));
        }
        let target = self.greetings.target(peer).and_then(|target| target.fragments);
        let connection = Connection {
            stream,
            serial,
            life,
            inbox: Inbox::new(peer, self.run, self.fragment_bytes_max),
            outbox: Outbox::new(self.stream_layout),
            fragments: target.or(hello.fragments),
            interest: EventFlags::empty(),
            is_blocked: false,
            is_listed: false,
            is_broken: false,
        };
        self.connections.insert(peer, connection);
        self.serials.insert(serial, peer);
        self.know_sender(peer, target.or(hello.fragments), true);
        self.know_builder(peer, life, target.or(hello.fragments), true);
        self.greetings.handle_up(peer, life);
        self.counters.plain.connections += 1;
        self.counters.plain.reconnections += u64::from(!self.known.insert(peer));
        self.ask(peer);
        into.push(MeshEvent::Up(peer, life));
        Ok(())
    }
}

/// Takes what has come whole.
fn take(
    inbox: &mut Inbox,
    peer: Peer,
    now: Time,
    counters: &mut Counters,
    into: &mut Vec<MeshEvent>,
) -> Result<(), Refusal> {
    while let Some(message) = inbox.poll_message(now, &mut counters.refused)? {
        counters.received.record(&message);
        into.push(MeshEvent::Message(peer, message));
    }
    Ok(())
}

//! One session at the server: grants the client's wish, opens what it needs, carries it out.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use incast_core::control::{Hello, SendPlan};
use incast_core::flood::assemble::{ETHERNET_MTU, FlowIdentity};
use incast_core::load::{Direction, Transport};
use incast_core::session::{Failure, Notice, Session};
use incast_core::time::{Span, Time};

use super::Shared;
use crate::channel::{Channel, ChannelError};
use crate::conversation::{Accounts, Conversation, FlowNotice, FlowOutcome, Happening};
use crate::faults::count;
use crate::live::LiveFlow;
use crate::lock::lock;
use crate::raw::{self, RawHub, RawOutlet};
use crate::socket::{self, SocketError};
use crate::tcp::TcpOutlet;
use crate::traffic::{DataEvent, Inlet, Outlet, Traffic};
use crate::udp::{Origin, UdpOutlet};

/// How long a raw transport waits for a greeting, of which some twenty are sent in a second.
const GREETING_WAIT: Span = Span::from_s(4);

/// A session under way at the server.
struct Serving<'a> {
    shared: &'a Arc<Shared>,
    peer: SocketAddr,
    /// Whether the peer is on this host.
    local: bool,
    conversation: Conversation,
    id: u64,
    granted: Option<Granted>,
    /// The rules say that the client is ready, and the session is at the barrier.
    at_barrier: bool,
    stopped: bool,
}

/// What was granted, and how much of it is in place.
struct Granted {
    hello: Hello,
    /// Stream ids from client to server, and from server to client.
    forward: Vec<u64>,
    reverse: Vec<u64>,
    connections: HashMap<u64, TcpStream>,
    /// Where the streams were greeted from: those to the client, and over a raw transport then those from it.
    addresses: Vec<Option<Origin>>,
    /// A probe: another address of the client's, from which a TCP connection has shown the id of its stream.
    shown: Option<IpAddr>,
    /// The hub of a raw transport.
    raw: Option<Arc<RawHub>>,
    /// Since when the client is ready.
    peer_ready: Option<Time>,
    flows: Vec<(Direction, u64, FlowIdentity)>,
}

/// Serves one client until its session is over.
pub(super) fn serve(shared: &Arc<Shared>, channel: Channel, peer: SocketAddr, local: bool) {
    shared.acceptor.sessions.fetch_add(1, Relaxed);
    let clock = shared.plan.clock;
    let id = shared.flow_ids.fetch_add(2, Relaxed);
    let conversation = Conversation::new(Session::server(clock.now()), channel, clock, shared.plan.read_host);
    let mut serving =
        Serving { shared, peer, local, conversation, id, granted: None, at_barrier: false, stopped: false };
    let failure = serving.run();
    serving.finish(failure);
    shared.acceptor.sessions.fetch_sub(1, Relaxed);
}

impl Serving<'_> {
    /// Carries the session to its end; says why it failed, if it did.
    fn run(&mut self) -> Option<String> {
        // A server is stopped as a whole: its sessions look at its flag.
        let orders = crossbeam_channel::never();
        loop {
            match self.conversation.wait(&orders) {
                Happening::Over(failure) => return failure,
                Happening::Notice(Notice::Wanted(hello)) => self.handle_wish(*hello),
                Happening::Notice(Notice::PeerReady) => {
                    let now = self.conversation.now();
                    self.granted.iter_mut().for_each(|granted| granted.peer_ready = Some(now));
                    self.arrive_if_armed();
                }
                Happening::Notice(Notice::Start) => {
                    if let Err(error) = self.start() {
                        let now = self.conversation.now();
                        self.conversation.session.abort(now, error.to_string());
                        let _ = self.conversation.pump();
                        return Some(error.to_string());
                    }
                }
                Happening::Notice(_) | Happening::Ordered(_) => {}
                Happening::Data(event) => self.handle_data(event),
                Happening::Tick => self.handle_tick(),
            }
        }
    }

    fn handle_tick(&mut self) {
        let now = self.conversation.now();
        if let Some(why) =
            self.granted.as_ref().filter(|_| !self.at_barrier).and_then(|granted| granted.unheard(now))
        {
            self.conversation.session.abort(now, why);
        }
        if self.shared.acceptor.is_stopping() && !self.stopped {
            self.stopped = true;
            if self.conversation.session.is_running() {
                self.conversation.stop();
            } else {
                let now = self.conversation.now();
                self.conversation.session.abort(now, "the server was stopped".into());
            }
        }
    }

    fn handle_wish(&mut self, hello: Hello) {
        let now = self.conversation.now();
        let plan = &self.shared.plan;
        if !plan.key.is_shared() && !plan.open && !self.local {
            let reason = "this server has no key and serves its own host only; give both ends the same --key-file, or start it with --open";
            return self.conversation.session.refuse(now, reason.into());
        }
        if let Err(error) = hello.check() {
            return self.conversation.session.refuse(now, error.to_string());
        }
        let streams = usize::try_from(hello.plan.streams).unwrap_or(0);
        let of = |wanted: bool| if wanted { streams } else { 0 };
        let forward = random_ids(of(hello.direction != Direction::Reverse));
        let reverse = random_ids(of(hello.direction != Direction::Forward));
        let (Some(forward), Some(reverse)) = (forward, reverse) else {
            return self.conversation.session.refuse(now, "the kernel has no random numbers to give".into());
        };
        let mut raw_hub = None;
        match hello.plan.transport {
            Transport::Tcp => {
                let mut expected = lock(&self.shared.expected);
                for stream in forward.iter().chain(&reverse) {
                    expected.insert(*stream, self.conversation.events.clone());
                }
            }
            Transport::Udp => {
                for (index, stream) in reverse.iter().enumerate() {
                    self.shared.hub.handle().greet(*stream, index, self.conversation.events.clone());
                }
                // A prober shows the address of its data, where that may be another than this connection's.
                for stream in forward.iter().filter(|_| hello.plan.probe.is_some()) {
                    lock(&self.shared.expected).insert(*stream, self.conversation.events.clone());
                }
            }
            Transport::Ip | Transport::Ethernet | Transport::Xdp => {
                let opened = self.shared.raw_hub(&hello).and_then(|hub| {
                    hub.interface()
                        .map_or(Ok(()), |interface| raw::fits(&hello.plan, interface))
                        .map(|()| hub)
                });
                let hub = match opened {
                    Ok(hub) => hub,
                    Err(error) => return self.conversation.session.refuse(now, error.to_string()),
                };
                // Every stream is greeted: without ports, nothing else shows that the way is open.
                for (index, stream) in reverse.iter().chain(&forward).enumerate() {
                    hub.handle().greet(*stream, index, self.conversation.events.clone());
                }
                raw_hub = Some(hub);
            }
        }
        let greeted = reverse.len() + if raw_hub.is_some() { forward.len() } else { 0 };
        let end = raw_hub.as_ref().and_then(|hub| hub.end());
        self.conversation.session.accept(now, plan.host.clone(), forward.clone(), reverse.clone(), end);
        self.granted = Some(Granted {
            hello,
            forward,
            reverse,
            connections: HashMap::new(),
            addresses: vec![None; greeted],
            shown: None,
            raw: raw_hub,
            peer_ready: None,
            flows: Vec::new(),
        });
    }

    fn handle_data(&mut self, event: DataEvent) {
        match (event, &mut self.granted) {
            // Its end tells the prober that two-way messages may come.
            (DataEvent::Attached { connection, .. }, Some(granted)) if granted.hello.plan.probe.is_some() => {
                granted.shown = connection.peer_addr().ok().map(|shown| shown.ip());
            }
            (DataEvent::Attached { stream, connection }, Some(granted)) => {
                granted.connections.insert(stream, connection);
                self.arrive_if_armed();
            }
            (DataEvent::Greeted { index, from }, Some(granted)) => {
                // Only the host that holds the control connection may say where messages go. Greetings of streams
                // that come to us only show that the way is open, and may have another of its addresses.
                let is_ours_to_send = index < granted.reverse.len();
                let may_go_to = match from {
                    Origin::Address(address) => address.ip() == self.peer.ip(),
                    // A card is one receiver: what goes to a group goes to everybody.
                    Origin::Card(card) => !card.is_group(),
                };
                if is_ours_to_send && !may_go_to {
                    return;
                }
                if let Some(address) = granted.addresses.get_mut(index) {
                    *address = Some(from);
                }
                self.arrive_if_armed();
            }
            (DataEvent::BarrierOpen, _) => {
                let now = self.conversation.now();
                self.conversation.session.go(now);
            }
            _ => {}
        }
    }

    /// To the barrier, once: when the client is ready and every stream of its is in place.
    fn arrive_if_armed(&mut self) {
        let Some(granted) =
            self.granted.as_ref().filter(|granted| granted.peer_ready.is_some() && !self.at_barrier)
        else {
            return;
        };
        let armed = match granted.hello.plan.transport {
            Transport::Tcp => granted.connections.len() == granted.forward.len() + granted.reverse.len(),
            _ => granted.addresses.iter().all(Option::is_some),
        };
        if armed {
            self.at_barrier = true;
            lock(&self.shared.barrier).arrive(self.id, self.conversation.events.clone());
        }
    }

    /// Starts the data, before the client is told to go: its first message must find us ready.
    fn start(&mut self) -> Result<(), SocketError> {
        let Some(granted) = &mut self.granted else { return Ok(()) };
        let plan = granted.hello.plan.clone();
        let probers = granted.shown.into_iter().chain([self.peer.ip()]).collect();
        let mut traffic = Traffic::new(plan.clone(), self.shared.settings()).probed_from(probers);
        let events = &self.conversation.events;
        if !granted.forward.is_empty() {
            let live = traffic.start_receiving(inlets(self.shared, granted, &plan), events);
            granted.announce(self.shared, Direction::Forward, self.id, live);
        }
        if !granted.reverse.is_empty() {
            let live = traffic.start_sending(outlets(granted, &plan)?, events);
            granted.announce(self.shared, Direction::Reverse, self.id + 1, live);
        }
        self.conversation.traffic = Some(traffic);
        Ok(())
    }

    /// Closes every account and tells what became of the flows.
    fn finish(mut self, failure: Option<String>) {
        let shared = self.shared;
        lock(&shared.barrier).leave(self.id);
        if failure.is_some() {
            self.conversation.end_data();
            self.count_fault();
        }
        let failure = failure.or_else(|| self.conversation.failure.take());
        if let Some(granted) = &self.granted {
            let mut expected = lock(&shared.expected);
            granted.forward.iter().chain(&granted.reverse).for_each(|stream| {
                expected.remove(stream);
                // A stream that still waits for its client's address would wait for ever.
                shared.hub.handle().end(*stream);
                granted.raw.iter().for_each(|hub| hub.handle().end(*stream));
            });
        }
        let accounts = self.conversation.close();
        if let Some(measured) = &accounts.our_measured {
            // The hub has counted those of datagrams already.
            shared.acceptor.faults.implausible_counters.fetch_add(measured.uncounted, Relaxed);
            if measured.partial_bytes > 0 {
                count(&shared.acceptor.faults.truncated_connections);
            }
        }
        let peer =
            self.granted.as_ref().map_or_else(|| self.peer.to_string(), |granted| granted.hello.host.clone());
        let flows = self.granted.map(|granted| granted.flows).unwrap_or_default();
        let count = flows.len();
        for (direction, id, identity) in flows {
            let outcome = Box::new(outcome(&accounts, direction, identity, failure.clone(), self.local));
            shared.tell(FlowNotice::Done { id, outcome });
        }
        shared.tell(FlowNotice::SessionOver { peer, flows: count, failure });
    }
}

impl Serving<'_> {
    /// Counts what the peer did wrong, if that is why the session ended. One that leaves or falls
    /// silent after it was let in is a matter of the session alone.
    fn count_fault(&self) {
        let (faults, let_in) = (&self.shared.acceptor.faults, self.granted.is_some());
        match (&self.conversation.broken, &self.conversation.failed) {
            (Some(error @ (ChannelError::BadMessage(_) | ChannelError::BadLength(_))), _) => {
                faults.count_channel(error);
            }
            (Some(error), _) if !let_in => faults.count_channel(error),
            (_, Some(Failure::OutOfTurn(_))) => count(&faults.bad_messages),
            (_, Some(Failure::Silent)) if !let_in => count(&faults.silent_connections),
            _ => {}
        }
    }
}

impl Granted {
    /// Why a raw transport cannot start: none of a stream's greetings has come for a while.
    fn unheard(&self, now: Time) -> Option<String> {
        let (hub, since) = (self.raw.as_ref()?, self.peer_ready?);
        if now.since(since) < GREETING_WAIT || self.addresses.iter().all(Option::is_some) {
            return None;
        }
        let plan = &self.hello.plan.raw;
        Some(match hub.end() {
            Some(end) => format!(
                "no frame of EtherType 0x{:04X} came to {} ({}) within {GREETING_WAIT}: raw Ethernet crosses no \
                 router; put both interfaces on one segment{}",
                plan.ethertype,
                end.interface,
                end.mac,
                if plan.vlan.is_some() { ", and its VLAN on every switch between" } else { "" }
            ),
            None => format!(
                "no packet of IP protocol {} came within {GREETING_WAIT}: see that no firewall or address \
                 translation stands between",
                plan.protocol
            ),
        })
    }

    fn announce(&mut self, shared: &Shared, direction: Direction, id: u64, live: LiveFlow) {
        let plan = &self.hello.plan;
        let (client, server) = (self.hello.host.clone(), shared.plan.host.clone());
        let (from, to) = if direction == Direction::Forward { (client, server) } else { (server, client) };
        // Both ways are two flows: the second is told apart by its name.
        let both = self.hello.direction == Direction::Both && direction == Direction::Reverse;
        let name = if both { format!("{} (reverse)", self.hello.flow) } else { self.hello.flow.clone() };
        let identity = FlowIdentity {
            mtu_bytes: ETHERNET_MTU,
            name,
            from,
            to,
            transport: plan.transport,
            message_bytes: plan.message_bytes,
            streams: plan.streams,
            load: Some(plan.load),
            interval: plan.interval,
            raw: plan.raw.clone(),
            run_start_unix_ns: Some(shared.plan.run_start_unix_ns),
        };
        self.flows.push((direction, id, identity.clone()));
        shared.tell(FlowNotice::Started { id, identity, live });
    }
}

fn inlets(shared: &Shared, granted: &mut Granted, plan: &SendPlan) -> Vec<Inlet> {
    let inlet = |stream: &u64| match plan.transport {
        Transport::Udp => Some(Inlet::Udp(shared.hub.handle(), *stream)),
        Transport::Ip => granted.raw.as_ref().map(|hub| Inlet::Udp(hub.handle(), *stream)),
        Transport::Ethernet | Transport::Xdp => {
            granted.raw.as_ref().map(|hub| Inlet::Frames(hub.handle(), *stream))
        }
        Transport::Tcp => granted.connections.remove(stream).map(|connection| {
            let here = socket::receiving(&connection, &shared.tcp_granted);
            Inlet::Tcp(connection, here)
        }),
    };
    granted.forward.iter().filter_map(inlet).collect()
}

fn outlets(granted: &mut Granted, plan: &SendPlan) -> Result<Vec<Outlet>, SocketError> {
    let mut outlets = Vec::new();
    for (index, stream) in granted.reverse.iter().enumerate() {
        match plan.transport {
            Transport::Tcp => {
                let Some(connection) = granted.connections.remove(stream) else { continue };
                let ipv6 = connection.peer_addr().is_ok_and(|peer| peer.is_ipv6());
                let given = socket::prepare_tcp_sender(&connection, ipv6, plan);
                outlets.push(Outlet::Tcp(
                    Box::new(TcpOutlet::open(connection, plan.message_bytes, Some(*stream))?),
                    given,
                ));
            }
            Transport::Ip | Transport::Ethernet | Transport::Xdp => {
                let Some(to) = granted.addresses.get(index).copied().flatten() else { continue };
                let interface = granted.raw.as_ref().and_then(|hub| hub.interface());
                let (outlet, given) = RawOutlet::open(plan, *stream, to, interface)?;
                outlets.push(Outlet::Raw(Box::new(outlet), given));
            }
            Transport::Udp => {
                // A socket and a port of its own: segmentation is set per socket, and flows differ.
                let Some(Origin::Address(to)) = granted.addresses.get(index).copied().flatten() else {
                    continue;
                };
                let (socket, given) = socket::udp_connect(to, plan)?;
                let outlet = UdpOutlet::open(socket, plan.message_bytes, Some(*stream), plan.segments_max)?;
                outlets.push(Outlet::Udp(Box::new(outlet), given));
            }
        }
    }
    Ok(outlets)
}

/// What became of one direction, seen from the server.
fn outcome(
    accounts: &Accounts,
    direction: Direction,
    identity: FlowIdentity,
    failure: Option<String>,
    local: bool,
) -> FlowOutcome {
    let (sent, measured, theirs) = match direction {
        Direction::Forward => {
            let sent = accounts.their_sent.as_ref();
            (sent, accounts.our_measured.as_ref(), sent.and_then(|sent| sent.cpu.clone()))
        }
        Direction::Reverse | Direction::Both => {
            let measured = accounts.their_measured.as_ref();
            (accounts.our_sent.as_ref(), measured, measured.and_then(|measured| measured.cpu.clone()))
        }
    };
    let cpu_of_local_peer = theirs.filter(|_| local);
    FlowOutcome { identity, sent: sent.cloned(), measured: measured.cloned(), failure, cpu_of_local_peer }
}

fn random_ids(count: usize) -> Option<Vec<u64>> {
    (0..count).map(|_| getrandom::u64().ok()).collect()
}

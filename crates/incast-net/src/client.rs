//! The native client: one session with a server, carried out on the calling thread.
//!
//! It opens the control connection, is granted its streams, opens their sockets, waits to be
//! started (by its owner first, if it is held, then by the server's barrier) and exchanges the
//! accounts at the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use incast_core::control::{Hello, SendPlan, VERSION};
use incast_core::flood::assemble::{ETHERNET_MTU, FlowIdentity};
use incast_core::load::{Direction, Transport};
use incast_core::raw::RawEnd;
use incast_core::session::{Notice, Session};
use incast_core::units::Bytes;
use incast_core::wire::{preface, probe};

use crate::channel::{CONNECT_MAX, Channel, DialError, show_address};
use crate::clock::Clock;
use crate::conversation::{Conversation, FlowNotice, FlowOutcome, Happening, Order, ReadHost};
use crate::faults::FaultCounters;
use crate::hub::{Hub, HubPlan};
use crate::key::Key;
use crate::live::LiveFlow;
use crate::raw::{self, Interface, RawHub, RawOutlet};
use crate::socket::{self, Granted, SocketError};
use crate::tcp::TcpOutlet;
use crate::traffic::{HostGauge, Inlet, Outlet, Settings, ThreadCpu, Traffic};
use crate::udp::{Origin, UdpOutlet};

/// What a client is to do.
#[derive(Clone)]
pub struct ClientPlan {
    /// The server's port.
    pub server: SocketAddr,
    /// Where its data goes, when that is another of its addresses: the control connection then keeps
    /// out of the network that is measured.
    pub data: Option<SocketAddr>,
    /// Name of this host.
    pub host: String,
    /// Name of the flow.
    pub flow: String,
    /// Which way messages travel.
    pub direction: Direction,
    /// What is sent, by either side.
    pub send: SendPlan,
    /// Key that the server must have.
    pub key: Key,
    /// Wait for [`Order::Start`] before being ready.
    pub hold: bool,
    /// Receive buffer to ask for, in reverse.
    pub receive_buffer: Option<Bytes>,
    /// Receivers poll without sleeping.
    pub spin: bool,
    /// Pins data threads to this core.
    pub core: Option<u32>,
    /// Clock of the run.
    pub clock: Clock,
    /// Start of the run by the wall clock.
    pub run_start_unix_ns: u64,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
    /// The counters of this host.
    pub read_host: ReadHost,
    /// What this host has done.
    pub host_gauge: HostGauge,
}

impl ClientPlan {
    /// Where the messages go.
    fn data(&self) -> SocketAddr {
        self.data.unwrap_or(self.server)
    }
}

/// Why a client could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A socket could not be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The control connection could not be made.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The session ended before any data flowed.
    #[error("{server}: {reason}")]
    Session {
        /// The server.
        server: SocketAddr,
        /// Why.
        reason: String,
    },
}

/// A client under way.
struct Client<'a> {
    plan: &'a ClientPlan,
    conversation: Conversation,
    notices: &'a Sender<FlowNotice>,
    server_name: String,
    outlets: Vec<Outlet>,
    inlets: Vec<Inlet>,
    /// Sockets that receive over UDP, and the ids to greet the server with.
    hubs: Vec<(Hub, u64)>,
    /// Raw transports: the server's interface, what greets it, and what receives from it.
    server_end: Option<RawEnd>,
    greeters: Vec<RawOutlet>,
    raw_hub: Option<RawHub>,
    held: bool,
    armed: bool,
    started: bool,
    flows: Vec<(Direction, FlowIdentity)>,
}

/// Runs one session; its flows are told through `notices` and returned.
///
/// # Errors
/// When no data could flow. A session that fails later returns what its flows came to.
pub fn run(
    plan: &ClientPlan,
    notices: &Sender<FlowNotice>,
    orders: &Receiver<Order>,
) -> Result<Vec<FlowOutcome>, ClientError> {
    let channel = Channel::dial(plan.server, &plan.key)?;
    let hello = Hello {
        version: VERSION,
        host: plan.host.clone(),
        flow: plan.flow.clone(),
        direction: plan.direction,
        plan: plan.send.clone(),
        data: plan.send.transport.is_raw().then(|| plan.data().ip()),
    };
    let conversation =
        Conversation::new(Session::client(plan.clock.now(), hello), channel, plan.clock, plan.read_host);
    let client = Client {
        plan,
        conversation,
        notices,
        server_name: plan.server.to_string(),
        outlets: Vec::new(),
        inlets: Vec::new(),
        hubs: Vec::new(),
        server_end: None,
        greeters: Vec::new(),
        raw_hub: None,
        held: plan.hold,
        armed: false,
        started: false,
        flows: Vec::new(),
    };
    client.run(orders)
}

impl Client<'_> {
    fn run(mut self, orders: &Receiver<Order>) -> Result<Vec<FlowOutcome>, ClientError> {
        // An owner that is gone is noticed once, and then listened to no more.
        let nobody = crossbeam_channel::never();
        let mut orders = orders;
        let failure = loop {
            match self.conversation.wait(orders) {
                Happening::Over(failure) => break failure,
                Happening::Ordered(Some(Order::Start)) => {
                    self.held = false;
                    self.ready_if_armed();
                }
                Happening::Ordered(order) => {
                    orders = if order.is_none() { &nobody } else { orders };
                    if !self.started {
                        self.abort("stopped before it began");
                        break Some("stopped before it began".into());
                    }
                    self.conversation.stop();
                }
                Happening::Notice(Notice::Granted { host, forward, reverse, raw }) => {
                    self.server_name = host;
                    self.server_end = raw;
                    self.open(&forward, &reverse)?;
                    self.armed = true;
                    let _ = self.notices.send(FlowNotice::Armed);
                    self.ready_if_armed();
                }
                Happening::Notice(Notice::Start) => self.start(),
                Happening::Notice(_) | Happening::Data(_) => {}
                Happening::Tick => self.greet(),
            }
        };
        self.finish(failure)
    }

    fn abort(&mut self, reason: &str) {
        let now = self.conversation.now();
        self.conversation.session.abort(now, reason.into());
    }

    fn ready_if_armed(&mut self) {
        if self.armed && !self.held && !self.started {
            self.greet();
            let now = self.conversation.now();
            self.conversation.session.ready(now);
        }
    }

    /// Tells the server where our sockets are, until the data starts: a greeting may be lost.
    fn greet(&mut self) {
        for (hub, stream) in self.hubs.iter().filter(|_| !self.started) {
            let mut greeting = [0; probe::HEAD_BYTES];
            probe::emit_stream_id(&mut greeting, *stream);
            let _ = hub.socket().send_to(&greeting, self.plan.data());
        }
        if !self.started {
            self.greeters.iter_mut().for_each(RawOutlet::greet);
        }
    }

    /// Opens the sockets of every stream.
    fn open(&mut self, forward: &[u64], reverse: &[u64]) -> Result<(), SocketError> {
        let plan = self.plan;
        for stream in forward {
            let outlet = match plan.send.transport {
                Transport::Tcp => {
                    let (connection, granted) = connect_data(plan, *stream)?;
                    Outlet::Tcp(
                        Box::new(TcpOutlet::open(connection, plan.send.message_bytes, Some(*stream))?),
                        granted,
                    )
                }
                Transport::Udp => {
                    if plan.send.probe.is_some() && plan.data.is_some() {
                        show_address(plan.data(), *stream)?;
                    }
                    let (socket, granted) = socket::udp_connect(plan.data(), &plan.send)?;
                    let (bytes, segments_max) = (plan.send.message_bytes, plan.send.segments_max);
                    let outlet = match plan.send.probe {
                        Some(_) => UdpOutlet::open_probe(socket, bytes, *stream)?,
                        None => UdpOutlet::open(socket, bytes, Some(*stream), segments_max)?,
                    };
                    Outlet::Udp(Box::new(outlet), granted)
                }
                Transport::Ip | Transport::Ethernet | Transport::Xdp => {
                    let (outlet, granted) = self.open_raw(*stream)?;
                    Outlet::Raw(Box::new(outlet), granted)
                }
            };
            self.outlets.push(outlet);
        }
        for stream in reverse {
            match plan.send.transport {
                Transport::Tcp => {
                    let (connection, granted) = connect_data(plan, *stream)?;
                    let granted = socket::receiving(&connection, &granted);
                    self.inlets.push(Inlet::Tcp(connection, granted));
                }
                Transport::Udp => {
                    let hub = self.open_hub()?;
                    self.inlets.push(Inlet::Udp(hub.handle(), *stream));
                    self.hubs.push((hub, *stream));
                }
                Transport::Ip | Transport::Ethernet | Transport::Xdp => {
                    let hub = self.open_raw_hub(*stream)?.handle();
                    let is_frames = plan.send.transport.is_frames();
                    let inlet = if is_frames { Inlet::Frames } else { Inlet::Udp };
                    self.inlets.push(inlet(hub, *stream));
                }
            }
        }
        Ok(())
    }

    /// Where a raw transport goes: the card that the server told, or its address.
    fn raw_peer(&self) -> Result<(Origin, Option<Interface>), SocketError> {
        let plan = self.plan;
        let Some(end) = &self.server_end else {
            return Ok((Origin::Address(SocketAddr::new(plan.data().ip(), 0)), None));
        };
        if end.mac.is_group() {
            let cause = std::io::Error::other("it is a group's, which is many receivers");
            return Err(SocketError::new(format!("send frames to {}, as the server says", end.mac), cause));
        }
        let interface = Interface::toward(plan.data().ip(), plan.send.raw.interface.as_deref())?;
        raw::fits(&plan.send, &interface)?;
        Ok((Origin::Card(end.mac), Some(interface)))
    }

    /// The way out of a stream, and its greeter.
    fn open_raw(&mut self, stream: u64) -> Result<(RawOutlet, Granted), SocketError> {
        let (peer, interface) = self.raw_peer()?;
        let opened = RawOutlet::open(&self.plan.send, stream, peer, interface.as_ref())?;
        self.greeters.push(RawOutlet::greeter(&self.plan.send, stream, peer, interface.as_ref())?);
        Ok(opened)
    }

    /// The hub of streams that come to us, the same for all, and the greeter of this one.
    fn open_raw_hub(&mut self, stream: u64) -> Result<&RawHub, SocketError> {
        let plan = self.plan;
        let (peer, interface) = self.raw_peer()?;
        self.greeters.push(RawOutlet::greeter(&plan.send, stream, peer, interface.as_ref())?);
        let hub = match self.raw_hub.take() {
            Some(hub) => hub,
            None => {
                let faults = Arc::<FaultCounters>::default();
                let (raw, transport) = (&plan.send.raw, plan.send.transport);
                match interface {
                    Some(interface) => RawHub::of_interface(
                        transport,
                        interface,
                        raw,
                        plan.receive_buffer,
                        self.hub_plan(),
                        faults,
                    )?,
                    None => {
                        let any: IpAddr = if plan.data().is_ipv4() {
                            Ipv4Addr::UNSPECIFIED.into()
                        } else {
                            Ipv6Addr::UNSPECIFIED.into()
                        };
                        RawHub::open(transport, any, raw, plan.receive_buffer, self.hub_plan(), faults)?
                    }
                }
            }
        };
        Ok(self.raw_hub.insert(hub))
    }

    /// How our own hubs work.
    fn hub_plan(&self) -> HubPlan {
        let plan = self.plan;
        HubPlan {
            clock: plan.clock,
            spin: plan.spin,
            core: plan.core,
            batch: None,
            plain: None,
            // The server sends as soon as it lets us go, and its first messages may overtake that word.
            held: true,
            thread_cpu: plan.thread_cpu,
        }
    }

    /// A socket of our own for a stream that comes to us.
    fn open_hub(&self) -> Result<Hub, SocketError> {
        let plan = self.plan;
        let any: IpAddr =
            if plan.server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let (socket, granted): (UdpSocket, Granted) =
            socket::udp_bind(SocketAddr::new(any, 0), plan.receive_buffer)?;
        Hub::start(socket, granted, self.hub_plan(), Arc::<FaultCounters>::default())
            .map_err(|error| SocketError::new("start a receiving thread", error))
    }

    fn start(&mut self) {
        let plan = self.plan;
        self.started = true;
        let greetings: Vec<u64> = self.greeters.drain(..).map(|greeter| greeter.greetings()).collect();
        for (outlet, greetings) in self.outlets.iter_mut().zip(greetings) {
            if let Outlet::Raw(outlet, _) = outlet {
                outlet.note_greetings(greetings);
            }
        }
        let settings = Settings {
            clock: plan.clock,
            thread_cpu: plan.thread_cpu,
            host_gauge: plan.host_gauge,
            spin: plan.spin,
            sender_core: plan.core,
            receiver_core: plan.core,
            receive_batch: None,
        };
        let mut traffic = Traffic::new(plan.send.clone(), settings);
        let events = self.conversation.events.clone();
        if !self.inlets.is_empty() {
            let live = traffic.start_receiving(std::mem::take(&mut self.inlets), &events);
            self.hubs.iter().for_each(|(hub, _)| hub.handle().begin());
            self.raw_hub.iter().for_each(|hub| hub.handle().begin());
            self.announce(Direction::Reverse, live);
        }
        if !self.outlets.is_empty() {
            let live = traffic.start_sending(std::mem::take(&mut self.outlets), &events);
            self.announce(Direction::Forward, live);
        }
        self.conversation.traffic = Some(traffic);
    }

    fn announce(&mut self, direction: Direction, live: LiveFlow) {
        let plan = self.plan;
        let (us, server) = (plan.host.clone(), self.server_name.clone());
        let (from, to) = if direction == Direction::Forward { (us, server) } else { (server, us) };
        let both = plan.direction == Direction::Both && direction == Direction::Reverse;
        let identity = FlowIdentity {
            mtu_bytes: ETHERNET_MTU,
            name: if both { format!("{} (reverse)", plan.flow) } else { plan.flow.clone() },
            from,
            to,
            transport: plan.send.transport,
            message_bytes: plan.send.message_bytes,
            streams: plan.send.streams,
            load: Some(plan.send.load),
            interval: plan.send.interval,
            raw: plan.send.raw.clone(),
            run_start_unix_ns: Some(plan.run_start_unix_ns),
        };
        let id = u64::from(direction == Direction::Reverse);
        self.flows.push((direction, identity.clone()));
        let _ = self.notices.send(FlowNotice::Started { id, identity, live });
    }

    fn finish(mut self, failure: Option<String>) -> Result<Vec<FlowOutcome>, ClientError> {
        if failure.is_some() {
            self.conversation.end_data();
        }
        let failure = failure.or_else(|| self.conversation.failure.take());
        let server = self.plan.server;
        let accounts = self.conversation.close();
        if !self.started {
            let reason = failure.unwrap_or_else(|| "the session ended before any data flowed".into());
            return Err(ClientError::Session { server, reason });
        }
        let outcomes: Vec<FlowOutcome> = self
            .flows
            .into_iter()
            .map(|(direction, identity)| {
                let (sent, measured, theirs) = match direction {
                    Direction::Reverse => {
                        let sent = accounts.their_sent.clone();
                        let cpu = sent.as_ref().and_then(|sent| sent.cpu.clone());
                        (sent, accounts.our_measured.clone(), cpu)
                    }
                    Direction::Forward | Direction::Both => {
                        let measured = accounts.their_measured.clone();
                        let cpu = measured.as_ref().and_then(|measured| measured.cpu.clone());
                        (accounts.our_sent.clone(), measured, cpu)
                    }
                };
                let cpu_of_local_peer = theirs.filter(|_| server.ip().to_canonical().is_loopback());
                FlowOutcome { identity, sent, measured, failure: failure.clone(), cpu_of_local_peer }
            })
            .collect();
        Ok(outcomes)
    }
}

/// A data connection for one stream, greeted.
fn connect_data(plan: &ClientPlan, stream: u64) -> Result<(TcpStream, Granted), SocketError> {
    let (mut connection, granted) = socket::tcp_connect(plan.data(), &plan.send, CONNECT_MAX)?;
    std::io::Write::write_all(&mut connection, &preface::Preface::emit_data(stream))
        .map_err(|error| SocketError::new(format!("greet {}", plan.data()), error))?;
    Ok((connection, granted))
}

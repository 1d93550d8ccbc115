//! The plain protocol: exactly the stream or the datagrams of the lab sheet, and nothing else.
//!
//! No control connection, no totals: the receiver knows what came, the sender what left, and each
//! says null for the rest. The counter in the first 8 bytes runs from 1. A TCP flow ends when its
//! client leaves; a UDP source has ended when it has been quiet for [`QUIET`].

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use incast_core::control::SendPlan;
use incast_core::flood::assemble::{ETHERNET_MTU, FlowIdentity};
use incast_core::load::Transport;
use incast_core::raw::RawPlan;
use incast_core::record::Faults;
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;

use crate::accept::accept_within;
use crate::channel::CONNECT_MAX;
use crate::clock::Clock;
use crate::conversation::{FlowNotice, FlowOutcome, Order};
use crate::faults::FaultCounters;
use crate::hub::{Hub, HubPlan, PlainPlan};
use crate::live::{Live, LiveFlow};
use crate::socket::{self, Granted, SocketError};
use crate::tcp::TcpOutlet;
use crate::traffic::{DataEvent, Inlet, Outlet, Settings, ThreadCpu, Traffic};
use crate::udp::UdpOutlet;

/// A UDP source that has sent nothing for so long has ended.
pub const QUIET: Span = Span::from_s(2);
/// Connections that the kernel keeps until we accept them.
const BACKLOG: u32 = 1_024;
const TICK: Duration = Duration::from_millis(50);

/// How a plain server works.
#[derive(Clone)]
pub struct PlainServerPlan {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Name of this host.
    pub host: String,
    /// What it receives, and in which pieces: a plain stream does not tell. Only the message size,
    /// transport and interval count.
    pub send: SendPlan,
    /// Receive buffer to ask for.
    pub receive_buffer: Option<Bytes>,
    /// Receivers poll without sleeping.
    pub spin: bool,
    /// Pins receiving threads to this core.
    pub core: Option<u32>,
    /// End after the first TCP client, or when UDP is quiet.
    pub once: bool,
    /// Clock of the run.
    pub clock: Clock,
    /// Start of the run by the wall clock.
    pub run_start_unix_ns: u64,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
}

/// What a plain sender is to do.
#[derive(Clone)]
pub struct PlainClientPlan {
    /// The server's port.
    pub server: SocketAddr,
    /// Name of this host.
    pub host: String,
    /// Name of the flow.
    pub flow: String,
    /// What is sent.
    pub send: SendPlan,
    /// Pins sending threads to this core.
    pub core: Option<u32>,
    /// Clock of the run.
    pub clock: Clock,
    /// Start of the run by the wall clock.
    pub run_start_unix_ns: u64,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
}

/// What a plain server leaves besides its flows.
#[derive(Clone, Debug, Default)]
pub struct PlainSummary {
    /// What peers did wrong.
    pub faults: Faults,
    /// Datagrams that the kernel dropped because the socket's buffer was full.
    pub socket_drops: Option<u64>,
}

impl PlainServerPlan {
    fn settings(&self) -> Settings {
        Settings {
            host_gauge: || None,
            clock: self.clock,
            thread_cpu: self.thread_cpu,
            spin: self.spin,
            sender_core: None,
            receiver_core: self.core,
            receive_batch: None,
        }
    }

    fn identity(&self, peer: SocketAddr) -> FlowIdentity {
        FlowIdentity {
            mtu_bytes: ETHERNET_MTU,
            name: format!("plain {peer}"),
            from: peer.to_string(),
            to: self.host.clone(),
            transport: self.send.transport,
            message_bytes: self.send.message_bytes,
            streams: 1,
            load: None,
            interval: self.send.interval,
            raw: RawPlan::default(),
            run_start_unix_ns: Some(self.run_start_unix_ns),
        }
    }
}

/// Serves plain clients until stopped (or once); flows are told through `notices`.
///
/// `listening` is called with the address when the port is open.
///
/// # Errors
/// When the port cannot be had.
pub fn serve(
    plan: &PlainServerPlan,
    notices: &Sender<FlowNotice>,
    orders: &Receiver<Order>,
    listening: impl FnOnce(SocketAddr),
) -> Result<PlainSummary, SocketError> {
    match plan.send.transport {
        Transport::Tcp => serve_tcp(plan, notices, orders, listening),
        // The plain protocol is spoken over TCP and UDP.
        _ => serve_udp(plan, notices, orders, listening),
    }
}

fn address_of(result: std::io::Result<SocketAddr>) -> Result<SocketAddr, SocketError> {
    result.map_err(|error| SocketError::new("read the address of the socket", error))
}

/// A TCP client being served.
struct Served {
    id: u64,
    identity: FlowIdentity,
    traffic: Traffic,
    inbox: Receiver<DataEvent>,
}

fn serve_tcp(
    plan: &PlainServerPlan,
    notices: &Sender<FlowNotice>,
    orders: &Receiver<Order>,
    listening: impl FnOnce(SocketAddr),
) -> Result<PlainSummary, SocketError> {
    let (listener, granted) = socket::tcp_listen(plan.bind, plan.receive_buffer, BACKLOG)?;
    listening(address_of(listener.local_addr())?);
    let (mut served, mut faults): (Vec<Served>, _) = (Vec::new(), Faults::default());
    let (mut next_id, mut stopping) = (0, false);
    loop {
        stopping |= orders.try_recv().is_ok_and(|order| order == Order::Stop);
        if stopping {
            served.iter().for_each(|one| one.traffic.stop_receiving());
        } else if !(plan.once && next_id > 0)
            && let Ok(Some(accepted)) = accept_within(&listener, Span::from_ms(20))
        {
            served.push(serve_client(plan, accepted, &granted, next_id, notices));
            next_id += 1;
        }
        if stopping || plan.once && next_id > 0 {
            // Nothing to accept: wait for the streams instead of spinning.
            std::thread::sleep(TICK.min(Duration::from_millis(5)));
        }
        served.retain_mut(|one| !finish_if_over(one, &mut faults, notices));
        if served.is_empty() && (stopping || plan.once && next_id > 0) {
            return Ok(PlainSummary { faults, socket_drops: None });
        }
    }
}

fn serve_client(
    plan: &PlainServerPlan,
    (connection, peer): (TcpStream, SocketAddr),
    granted: &Granted,
    id: u64,
    notices: &Sender<FlowNotice>,
) -> Served {
    let (events, inbox) = unbounded();
    let identity = plan.identity(peer);
    let mut traffic = Traffic::new(plan.send.clone(), plan.settings());
    let granted = socket::receiving(&connection, granted);
    let live = traffic.start_receiving(vec![Inlet::Tcp(connection, granted)], &events);
    let _ = notices.send(FlowNotice::Started { id, identity: identity.clone(), live });
    Served { id, identity, traffic, inbox }
}

/// Takes the account of a client that has left.
fn finish_if_over(one: &mut Served, faults: &mut Faults, notices: &Sender<FlowNotice>) -> bool {
    let Ok(DataEvent::Received { index, account, .. }) = one.inbox.try_recv() else { return false };
    faults.truncated_connections += u64::from(account.partial_bytes > 0);
    one.traffic.handle_received(index, *account);
    tell_end(one.id, &one.identity, &mut one.traffic, notices);
    true
}

fn tell_end(id: u64, identity: &FlowIdentity, traffic: &mut Traffic, notices: &Sender<FlowNotice>) {
    let measured = traffic.measured_without_totals().map(complete);
    let outcome = FlowOutcome {
        identity: identity.clone(),
        sent: None,
        measured,
        failure: None,
        cpu_of_local_peer: None,
    };
    let _ = notices.send(FlowNotice::Done { id, outcome: Box::new(outcome) });
    let _ = notices.send(FlowNotice::SessionOver { peer: identity.from.clone(), flows: 1, failure: None });
}

/// A UDP source being served.
struct Source {
    identity: FlowIdentity,
    traffic: Traffic,
    live: Arc<Live>,
    /// What had come when it was last looked at, and since when nothing new has.
    seen: u64,
    quiet_since: Time,
}

fn serve_udp(
    plan: &PlainServerPlan,
    notices: &Sender<FlowNotice>,
    orders: &Receiver<Order>,
    listening: impl FnOnce(SocketAddr),
) -> Result<PlainSummary, SocketError> {
    let (socket, granted) = socket::udp_bind(plan.bind, plan.receive_buffer)?;
    listening(address_of(socket.local_addr())?);
    let (events, inbox) = unbounded();
    let plain = PlainPlan { message_bytes: plan.send.message_bytes, interval: plan.send.interval, events };
    let hub_plan = HubPlan {
        clock: plan.clock,
        spin: plan.spin,
        core: plan.core,
        batch: None,
        plain: Some(plain),
        held: false,
        thread_cpu: plan.thread_cpu,
    };
    let faults = Arc::<FaultCounters>::default();
    let hub = Hub::start(socket, granted, hub_plan, Arc::clone(&faults))
        .map_err(|error| SocketError::new("start a receiving thread", error))?;
    let mut sources: BTreeMap<u64, Source> = BTreeMap::new();
    let (mut heard, mut stopping) = (false, false);
    loop {
        if let Ok(event) = inbox.recv_timeout(TICK) {
            handle_udp_event(plan, event, &hub, &mut sources, notices);
            heard = true;
        }
        let now = plan.clock.now();
        if !stopping && orders.try_recv().is_ok_and(|order| order == Order::Stop) {
            stopping = true;
            sources.values().for_each(|source| source.traffic.stop_receiving());
        }
        for source in sources.values_mut() {
            let heard = source.live.heard();
            if heard != source.seen {
                (source.seen, source.quiet_since) = (heard, now);
            } else if now.since(source.quiet_since) >= QUIET {
                source.quiet_since = now;
                source.traffic.stop_receiving();
            }
        }
        if sources.is_empty() && inbox.is_empty() && (stopping || plan.once && heard) {
            return Ok(PlainSummary {
                faults: faults.read(),
                socket_drops: socket::socket_drops(hub.socket().as_fd()),
            });
        }
    }
}

fn handle_udp_event(
    plan: &PlainServerPlan,
    event: DataEvent,
    hub: &Hub,
    sources: &mut BTreeMap<u64, Source>,
    notices: &Sender<FlowNotice>,
) {
    match event {
        DataEvent::Heard { stream, from, live } => {
            let identity = plan.identity(from);
            let mut traffic = Traffic::new(plan.send.clone(), plan.settings());
            traffic.expect_from_hub(hub.handle(), stream);
            let watched = LiveFlow::of(Arc::clone(&live));
            let _ =
                notices.send(FlowNotice::Started { id: stream, identity: identity.clone(), live: watched });
            sources
                .insert(stream, Source { identity, traffic, live, seen: 0, quiet_since: plan.clock.now() });
        }
        DataEvent::Received { stream, index, account } => {
            if let Some(mut source) = sources.remove(&stream) {
                source.traffic.handle_received(index, *account);
                tell_end(stream, &source.identity, &mut source.traffic, notices);
            }
        }
        _ => {}
    }
}

/// Without a control connection there is no total to wait for: the account is as complete as it gets.
fn complete(measured: incast_core::flood::report::Measured) -> incast_core::flood::report::Measured {
    incast_core::flood::report::Measured { complete: true, ..measured }
}

/// Sends to a plain server until done or stopped.
///
/// # Errors
/// When a socket cannot be had.
pub fn flood(
    plan: &PlainClientPlan,
    notices: &Sender<FlowNotice>,
    orders: &Receiver<Order>,
) -> Result<FlowOutcome, SocketError> {
    let mut outlets = Vec::new();
    for _ in 0..plan.send.streams {
        outlets.push(match plan.send.transport {
            Transport::Tcp => {
                let (connection, granted) = socket::tcp_connect(plan.server, &plan.send, CONNECT_MAX)?;
                Outlet::Tcp(Box::new(TcpOutlet::open(connection, plan.send.message_bytes, None)?), granted)
            }
            _ => {
                let (socket, granted) = socket::udp_connect(plan.server, &plan.send)?;
                let outlet = UdpOutlet::open(socket, plan.send.message_bytes, None, plan.send.segments_max)?;
                Outlet::Udp(Box::new(outlet), granted)
            }
        });
    }
    let identity = FlowIdentity {
        mtu_bytes: ETHERNET_MTU,
        name: plan.flow.clone(),
        from: plan.host.clone(),
        to: plan.server.to_string(),
        transport: plan.send.transport,
        message_bytes: plan.send.message_bytes,
        streams: plan.send.streams,
        load: Some(plan.send.load),
        interval: plan.send.interval,
        raw: RawPlan::default(),
        run_start_unix_ns: Some(plan.run_start_unix_ns),
    };
    let settings = Settings {
        host_gauge: || None,
        clock: plan.clock,
        thread_cpu: plan.thread_cpu,
        spin: false,
        sender_core: plan.core,
        receiver_core: None,
        receive_batch: None,
    };
    let (events, inbox) = unbounded();
    let mut traffic = Traffic::new(plan.send.clone(), settings);
    let live = traffic.start_sending(outlets, &events);
    let _ = notices.send(FlowNotice::Started { id: 0, identity: identity.clone(), live });
    let (mut sent, mut failure) = (None, None);
    while sent.is_none() {
        if orders.try_recv().is_ok_and(|order| order == Order::Stop) {
            traffic.stop_sending();
        }
        if let Ok(DataEvent::Sent { index, account }) = inbox.recv_timeout(TICK) {
            if let Some(reason) = account.failure.clone() {
                failure = Some(reason);
                traffic.stop_sending();
            }
            sent = traffic.handle_sent(index, *account);
        }
    }
    Ok(FlowOutcome { identity, sent, measured: None, failure, cpu_of_local_peer: None })
}

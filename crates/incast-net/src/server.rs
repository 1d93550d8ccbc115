//! The native server: any number of senders into one receiver, on one port.
//!
//! TCP and UDP share the port number. A TCP connection says in its first bytes whether it is a
//! control or a data connection (`wire::preface`); a datagram belongs to the stream whose random id
//! it carries. A thread greets each connection, so that one which says nothing holds up nobody.
//! Faults of peers are counted and the others go on.

mod barrier;
mod session;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::Sender;
use incast_core::control::Hello;
use incast_core::load::{Direction, Transport};
use incast_core::record::Faults;
use incast_core::time::Span;
use incast_core::units::Bytes;
use incast_core::wire::preface::{MAGIC_BYTES, Preface};

use crate::accept::{accept_within, is_from_this_host};
use crate::channel::{self, Channel, ChannelError, GREETING_MAX};
use crate::clock::Clock;
use crate::conversation::{FlowNotice, ReadHost};
use crate::faults::{FaultCounters, count};
use crate::hub::{Hub, HubPlan};
use crate::key::Key;
use crate::raw::{RawHub, RawHubs};
use crate::socket::{self, Granted, SocketError};
use crate::traffic::{DataEvent, HostGauge, Settings, ThreadCpu};
use barrier::Barrier;

/// Most connections that are served at once; further ones are turned away and counted.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections that the kernel keeps until we accept them.
const BACKLOG: u32 = 4_096;
/// How often the accepting thread looks at its stop flag.
const ACCEPT_TICK: Span = Span::from_ms(50);

/// How a server works.
#[derive(Clone)]
pub struct ServerPlan {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Name of this host, as the flows of the record call it.
    pub host: String,
    /// Key that clients must have.
    pub key: Key,
    /// Serve clients from other hosts though there is no key.
    pub open: bool,
    /// Sessions that must be ready before any of them starts.
    pub barrier: u32,
    /// Receive buffer to ask for.
    pub receive_buffer: Option<Bytes>,
    /// Most datagrams of one receive call, over TCP the bytes of so many messages; as many as fit when absent.
    pub receive_batch: Option<u32>,
    /// Receivers poll without sleeping.
    pub spin: bool,
    /// Pins receiving threads to this core.
    pub core: Option<u32>,
    /// Clock of the run.
    pub clock: Clock,
    /// Start of the run by the wall clock; what flows' start times count from.
    pub run_start_unix_ns: u64,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
    /// The counters of this host.
    pub read_host: ReadHost,
    /// What this host has done.
    pub host_gauge: HostGauge,
}

/// A running server. Dropping it ends every session.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

/// What all threads of a server share; locks are taken when sessions begin and end only.
struct Shared {
    plan: ServerPlan,
    hub: Hub,
    raw: RawHubs,
    tcp_granted: Granted,
    stop: AtomicBool,
    faults: Arc<FaultCounters>,
    /// Data connections that are expected, by stream id: who waits for them.
    expected: Mutex<HashMap<u64, Sender<DataEvent>>>,
    barrier: Mutex<Barrier>,
    connections: AtomicUsize,
    sessions: AtomicUsize,
    flow_ids: AtomicU64,
    notices: Sender<FlowNotice>,
}

impl Server {
    /// Binds both ports and serves until stopped; what happens is told through `notices`.
    ///
    /// # Errors
    /// When a port cannot be bound, or a thread cannot be started.
    pub fn start(plan: ServerPlan, notices: Sender<FlowNotice>) -> Result<Self, SocketError> {
        let (listener, tcp_granted) = socket::tcp_listen(plan.bind, plan.receive_buffer, BACKLOG)?;
        let address = listener
            .local_addr()
            .map_err(|error| SocketError::new("read the address of the listener", error))?;
        // The UDP port is the TCP port, which the kernel may have chosen.
        let (udp, udp_granted) = socket::udp_bind(address, plan.receive_buffer)?;
        let faults = Arc::<FaultCounters>::default();
        let hub_plan = HubPlan {
            clock: plan.clock,
            spin: plan.spin,
            core: plan.core,
            batch: plan.receive_batch,
            plain: None,
            held: false,
            thread_cpu: plan.thread_cpu,
        };
        let started = |error| SocketError::new("start a thread", error);
        let hub = Hub::start(udp, udp_granted, hub_plan, Arc::clone(&faults)).map_err(started)?;
        let shared = Arc::new(Shared {
            barrier: Mutex::new(Barrier::new(plan.barrier)),
            plan,
            hub,
            raw: RawHubs::default(),
            tcp_granted,
            stop: AtomicBool::new(false),
            faults,
            expected: Mutex::default(),
            connections: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            flow_ids: AtomicU64::new(0),
            notices,
        });
        let serving = Arc::clone(&shared);
        let acceptor =
            std::thread::Builder::new().name("accept".into()).spawn(move || accept(&serving, &listener));
        Ok(Self { shared, address, acceptor: Some(acceptor.map_err(started)?) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What peers did wrong so far.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.shared.faults.read()
    }

    /// Dropped by the kernel because our socket or a ring of ours was full, in its own units.
    #[must_use]
    pub fn socket_drops(&self) -> Option<u64> {
        let of_udp = socket::socket_drops(self.shared.hub.socket().as_fd())?;
        Some(of_udp + self.shared.raw.dropped().unwrap_or(0))
    }

    /// Lets running sessions end in good order: their senders stop and the accounts are exchanged.
    pub fn stop(&self) {
        self.shared.stop.store(true, Relaxed);
    }

    /// Sessions that are not over.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn settings(&self) -> Settings {
        Settings {
            clock: self.plan.clock,
            thread_cpu: self.plan.thread_cpu,
            host_gauge: self.plan.host_gauge,
            spin: self.plan.spin,
            sender_core: None,
            receiver_core: self.plan.core,
            receive_batch: self.plan.receive_batch,
        }
    }

    /// The hub for what `hello` wants below UDP.
    fn raw_hub(&self, hello: &Hello) -> Result<Arc<RawHub>, SocketError> {
        let (transport, plan) = (hello.plan.transport, &hello.plan.raw);
        if transport == Transport::Xdp && (hello.plan.streams > 1 || hello.direction != Direction::Forward) {
            let cause = "a queue of an interface has one AF_XDP socket; use one stream, from the client to the server";
            return Err(SocketError::new("serve xdp", io::Error::other(cause)));
        }
        let Some(address) = hello.data else {
            let cause = io::Error::other("the client does not say to which address its data goes");
            return Err(SocketError::new(format!("serve {}", transport.name()), cause));
        };
        let hub_plan = HubPlan {
            clock: self.plan.clock,
            spin: self.plan.spin,
            core: self.plan.core,
            batch: self.plan.receive_batch,
            plain: None,
            held: false,
            thread_cpu: self.plan.thread_cpu,
        };
        let (buffer, faults) = (self.plan.receive_buffer, Arc::clone(&self.faults));
        self.raw.want(transport, address, plan, || {
            RawHub::open(transport, address, plan, buffer, hub_plan, faults)
        })
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn tell(&self, notice: FlowNotice) {
        // Whoever listened may be gone; the flow goes on.
        let _ = self.notices.send(notice);
    }
}

/// Locks, whatever a panicking thread left: the tables hold no half-made entry.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The accepting thread.
fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    while !shared.is_stopping() {
        let (connection, peer) = match accept_within(listener, ACCEPT_TICK) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => continue,
            Err(_) => {
                // Out of descriptors, most likely: those that are open go on, and this one waits.
                std::thread::sleep(ACCEPT_TICK.to_std());
                continue;
            }
        };
        if shared.connections.fetch_add(1, Relaxed) >= CONNECTIONS_MAX {
            shared.connections.fetch_sub(1, Relaxed);
            count(&shared.faults.turned_away);
            continue;
        }
        let serving = Arc::clone(shared);
        let greeter =
            std::thread::Builder::new().name("session".into()).stack_size(512 << 10).spawn(move || {
                greet(&serving, connection, peer);
                serving.connections.fetch_sub(1, Relaxed);
            });
        if greeter.is_err() {
            shared.connections.fetch_sub(1, Relaxed);
            count(&shared.faults.turned_away);
        }
    }
}

/// Finds out what a connection wants and serves it.
fn greet(shared: &Arc<Shared>, connection: TcpStream, peer: SocketAddr) {
    let local = is_from_this_host(&connection, peer);
    match classify(connection) {
        Ok(Greeted::Control(connection)) => match Channel::accept(connection, &shared.plan.key) {
            Ok(channel) => session::serve(shared, channel, peer, local),
            Err(error) => shared.faults.count_channel(&error),
        },
        Ok(Greeted::Data(connection, stream)) => {
            let waiting = lock(&shared.expected).remove(&stream);
            match waiting {
                Some(events) => {
                    let _ = events.send(DataEvent::Attached { stream, connection });
                }
                None => count(&shared.faults.strangers),
            }
        }
        Ok(Greeted::Rubbish) => count(&shared.faults.rubbish_connections),
        Err(error) => shared.faults.count_channel(&error),
    }
}

enum Greeted {
    Control(TcpStream),
    Data(TcpStream, u64),
    Rubbish,
}

fn classify(mut connection: TcpStream) -> Result<Greeted, ChannelError> {
    let deadline = Instant::now() + GREETING_MAX;
    let mut magic = [0; MAGIC_BYTES];
    channel::read_exact_by(&mut connection, &mut magic, deadline)?;
    match Preface::parse(&magic) {
        None => Ok(Greeted::Rubbish),
        Some(Preface::Control) => Ok(Greeted::Control(connection)),
        Some(Preface::Data) => {
            let mut stream = [0; 8];
            channel::read_exact_by(&mut connection, &mut stream, deadline)?;
            connection.set_read_timeout(None)?;
            Ok(Greeted::Data(connection, u64::from_le_bytes(stream)))
        }
    }
}

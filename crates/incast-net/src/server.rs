//! The native server: any number of senders into one receiver, on one port.
//!
//! TCP and UDP share the port number. A TCP connection says in its first bytes whether it is a
//! control or a data connection (`wire::preface`); a datagram belongs to the stream whose random id
//! it carries. Faults of peers are counted and the others go on.

mod barrier;
mod session;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use incast_core::control::Hello;
use incast_core::load::{Direction, Transport};
use incast_core::units::Bytes;

use crate::accept::is_from_this_host;
use crate::acceptor::{Acceptor, Greeted, Listening, address_of};
use crate::clock::Clock;
use crate::conversation::{FlowNotice, ReadHost};
use crate::faults::count;
use crate::hub::{Hub, HubPlan};
use crate::key::Key;
use crate::lock::lock;
use crate::raw::{RawHub, RawHubs};
use crate::socket::{self, Granted, SocketError};
use crate::traffic::{DataEvent, HostGauge, Settings, ThreadCpu};
use barrier::Barrier;

/// Connections that the kernel keeps until we accept them.
const BACKLOG: u32 = 4_096;

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
    listening: Listening,
    shared: Arc<Shared>,
}

/// What all threads of a server share; locks are taken when sessions begin and end only.
struct Shared {
    plan: ServerPlan,
    hub: Hub,
    raw: RawHubs,
    tcp_granted: Granted,
    acceptor: Arc<Acceptor>,
    /// Data connections that are expected, by stream id: who waits for them.
    expected: Mutex<HashMap<u64, Sender<DataEvent>>>,
    barrier: Mutex<Barrier>,
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
        let address = address_of(&listener)?;
        // The UDP port is the TCP port, which the kernel may have chosen.
        let (udp, udp_granted) = socket::udp_bind(address, plan.receive_buffer)?;
        let acceptor = Arc::<Acceptor>::default();
        let hub_plan = HubPlan {
            clock: plan.clock,
            spin: plan.spin,
            core: plan.core,
            batch: plan.receive_batch,
            plain: None,
            held: false,
            thread_cpu: plan.thread_cpu,
        };
        let hub = Hub::start(udp, udp_granted, hub_plan, Arc::clone(&acceptor.faults))
            .map_err(|error| SocketError::new("start a thread", error))?;
        let shared = Arc::new(Shared {
            barrier: Mutex::new(Barrier::new(plan.barrier)),
            plan,
            hub,
            raw: RawHubs::default(),
            tcp_granted,
            acceptor: Arc::clone(&acceptor),
            expected: Mutex::default(),
            flow_ids: AtomicU64::new(0),
            notices,
        });
        let serving = Arc::clone(&shared);
        let greet = move |connection: TcpStream, peer, _| greet(&serving, connection, peer);
        let listening = Listening::start(&acceptor, listener, "session", greet)?;
        Ok(Self { listening, shared })
    }

    /// Its address, its sessions, what peers did wrong; and how it is stopped.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Dropped by the kernel because our socket or a ring of ours was full, in its own units.
    #[must_use]
    pub fn socket_drops(&self) -> Option<u64> {
        let of_udp = socket::socket_drops(self.shared.hub.socket().as_fd())?;
        Some(of_udp + self.shared.raw.dropped().unwrap_or(0))
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
        let (buffer, faults) = (self.plan.receive_buffer, Arc::clone(&self.acceptor.faults));
        self.raw.want(transport, address, plan, || {
            RawHub::open(transport, address, plan, buffer, hub_plan, faults)
        })
    }

    fn tell(&self, notice: FlowNotice) {
        // Whoever listened may be gone; the flow goes on.
        let _ = self.notices.send(notice);
    }
}

/// Finds out what a connection wants and serves it.
fn greet(shared: &Arc<Shared>, connection: TcpStream, peer: SocketAddr) {
    let local = is_from_this_host(&connection, peer);
    match shared.acceptor.greet(connection, &shared.plan.key) {
        Some(Greeted::Control(channel)) => session::serve(shared, channel, peer, local),
        Some(Greeted::Data(connection, stream)) => {
            let waiting = lock(&shared.expected).remove(&stream);
            match waiting {
                Some(events) => {
                    let _ = events.send(DataEvent::Attached { stream, connection });
                }
                None => count(&shared.acceptor.faults.strangers),
            }
        }
        None => {}
    }
}

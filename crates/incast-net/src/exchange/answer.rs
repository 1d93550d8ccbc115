//! The answering server: any number of askers on one port.
//!
//! A connection says in its first bytes whether it is a control or a data connection, as at every server of ours
//! (`wire::preface`). A thread greets each, so that one which says nothing holds up nobody, and
//! then carries it: a control connection its session, a data connection its requests. Over UDP
//! every asker has a socket of its own, told in the grant, so that threads share nothing while they answer.

mod datagram;
mod session;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::Sender;
use incast_core::exchange::{AnswererAccount, Terms};
use incast_core::load::Transport;
use incast_core::record::Faults;
use incast_core::time::Span;
use incast_core::wire::preface::{MAGIC_BYTES, Preface};

use crate::accept::{accept_within, is_from_this_host};
use crate::channel::{self, Channel, ChannelError, GREETING_MAX};
use crate::clock::Clock;
use crate::faults::{FaultCounters, count};
use crate::key::Key;
use crate::socket::{self, SocketError};
use crate::traffic::ThreadCpu;

/// Most connections that are served at once; further ones are turned away and counted.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections that the kernel keeps until we accept them.
const BACKLOG: u32 = 4_096;
/// How often the accepting thread looks at its stop flag.
const ACCEPT_TICK: Span = Span::from_ms(50);

/// How an answering server works.
#[derive(Clone)]
pub struct AnswerPlan {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Name of this host.
    pub host: String,
    /// Key that askers must have.
    pub key: Key,
    /// Answer askers from other hosts though there is no key.
    pub open: bool,
    /// Poll without sleeping, whatever the asker wants.
    pub spin: bool,
    /// TCP: the congestion control of the port. A connection that begins with one and is given another later keeps what
    /// the first one set: BBR's pacing, for one.
    pub congestion: Option<String>,
    /// Pins answering threads to this core.
    pub core: Option<u32>,
    /// Clock of the run.
    pub clock: Clock,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
}

/// What became of an asker, at its answerer.
#[derive(Clone, Debug)]
pub struct AnswerOutcome {
    /// Name of the exchange.
    pub name: String,
    /// The asker's name.
    pub from: String,
    /// What was agreed.
    pub terms: Terms,
    /// What was answered.
    pub account: AnswererAccount,
    /// Why it ended early, if it did.
    pub failure: Option<String>,
}

/// What the owner of the server learns, on any thread.
#[derive(Debug)]
pub enum AnswerNotice {
    /// An asker was granted its wish.
    Began {
        /// Its name.
        from: String,
        /// Name of the exchange.
        name: String,
    },
    /// An asker is done with; none if it was refused, or left before it asked.
    Over(Option<Box<AnswerOutcome>>),
}

/// A running server. Dropping it ends every session.
pub struct AnswerServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

/// What all threads share; locks are taken when connections begin and end only.
struct Shared {
    plan: AnswerPlan,
    stop: AtomicBool,
    faults: FaultCounters,
    /// Who was granted what, by its ticket.
    askers: Mutex<HashMap<u64, Arc<Asker>>>,
    connections: AtomicUsize,
    sessions: AtomicUsize,
    notices: Sender<AnswerNotice>,
}

/// One asker, as its connections see it.
struct Asker {
    ticket: u64,
    terms: Terms,
    /// Where its control connection comes from.
    control: IpAddr,
    /// UDP: another address of its host, from which a TCP connection has shown the ticket; the last one.
    shown: Mutex<Option<IpAddr>>,
    /// Its session is over, or this server is.
    stop: AtomicBool,
    /// Connections that are being answered.
    open: AtomicUsize,
    account: Mutex<AnswererAccount>,
}

impl AnswerServer {
    /// Binds the port and answers until stopped; what happens is told through `notices`.
    ///
    /// # Errors
    /// When the port cannot be bound, or a thread cannot be started.
    pub fn start(plan: AnswerPlan, notices: Sender<AnswerNotice>) -> Result<Self, SocketError> {
        let (listener, _) = socket::tcp_listen(plan.bind, None, BACKLOG)?;
        let address = listener
            .local_addr()
            .map_err(|error| SocketError::new("read the address of the listener", error))?;
        // What is refused here is refused for each connection again, and told there.
        let _ = socket::ask_congestion(listener.as_fd(), plan.congestion.as_deref());
        let shared = Arc::new(Shared {
            plan,
            stop: AtomicBool::new(false),
            faults: FaultCounters::default(),
            askers: Mutex::default(),
            connections: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            notices,
        });
        let serving = Arc::clone(&shared);
        let acceptor = std::thread::Builder::new()
            .name("accept".into())
            .spawn(move || accept(&serving, &listener))
            .map_err(|error| SocketError::new("start a thread", error))?;
        Ok(Self { shared, address, acceptor: Some(acceptor) })
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

    /// Ends every session; their accounts follow.
    pub fn stop(&self) {
        self.shared.stop.store(true, Relaxed);
    }

    /// Sessions that are not over.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Relaxed)
    }
}

impl Drop for AnswerServer {
    fn drop(&mut self) {
        self.stop();
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn tell(&self, notice: AnswerNotice) {
        // Whoever listened may be gone; what goes on goes on.
        let _ = self.notices.send(notice);
    }
}

impl Asker {
    fn is_over(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Whether it is known to be at this address: nobody else's can hold a TCP connection.
    fn is_at(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address == self.control.to_canonical() || *lock(&self.shown) == Some(address)
    }

    /// Adds what one connection did, at its end.
    fn close(&self, done: AnswererAccount) {
        let mut sum = lock(&self.account);
        sum.requests += done.requests;
        sum.refused += done.refused;
        sum.copies += done.copies;
        sum.responses += done.responses;
        sum.datagrams += done.datagrams;
        sum.nonsense += done.nonsense;
        if sum.connections == 0 {
            sum.connection = done.connection;
        }
        sum.connections += 1;
        if let Some(cpu) = done.cpu {
            sum.cpu.get_or_insert_default().add(&cpu);
        }
        if sum.caveats.len() < CAVEATS_MAX {
            sum.caveats.extend(done.caveats);
        }
    }
}

/// Doubts that are kept of one asker's connections: they repeat.
const CAVEATS_MAX: usize = 16;

/// Locks, whatever a panicking thread left: nothing here is half made.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
            std::thread::Builder::new().name("answer".into()).stack_size(512 << 10).spawn(move || {
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
fn greet(shared: &Arc<Shared>, mut connection: TcpStream, peer: SocketAddr) {
    let local = is_from_this_host(&connection, peer);
    match greeting(&mut connection) {
        Ok(Greeting::Control) => match Channel::accept(connection, &shared.plan.key) {
            Ok(channel) => session::serve(shared, channel, peer.ip(), local),
            Err(error) => shared.faults.count_channel(&error),
        },
        Ok(Greeting::Data(ticket)) => {
            let asker = lock(&shared.askers).get(&ticket).map(Arc::clone);
            match asker {
                // Its end tells the asker that datagrams may come.
                Some(asker) if asker.terms.transport == Transport::Udp => {
                    *lock(&asker.shown) = Some(peer.ip().to_canonical());
                }
                Some(asker) => stream::answer(shared, &asker, &connection),
                None => count(&shared.faults.strangers),
            }
        }
        Ok(Greeting::Rubbish) => count(&shared.faults.rubbish_connections),
        Err(error) => shared.faults.count_channel(&error),
    }
}

enum Greeting {
    Control,
    Data(u64),
    Rubbish,
}

fn greeting(connection: &mut TcpStream) -> Result<Greeting, ChannelError> {
    let deadline = Instant::now() + GREETING_MAX;
    let mut magic = [0; MAGIC_BYTES];
    channel::read_exact_by(connection, &mut magic, deadline)?;
    match Preface::parse(&magic) {
        None => Ok(Greeting::Rubbish),
        Some(Preface::Control) => Ok(Greeting::Control),
        Some(Preface::Data) => {
            let mut ticket = [0; 8];
            channel::read_exact_by(connection, &mut ticket, deadline)?;
            connection.set_read_timeout(None)?;
            Ok(Greeting::Data(u64::from_le_bytes(ticket)))
        }
    }
}

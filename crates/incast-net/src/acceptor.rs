//! The accepting side of a server: a thread that takes connections, and one for each of them.
//!
//! A connection to a server of ours says in its first bytes whether it is a control or a data connection
//! (`wire::preface`); iperf3's says so in its own way. A thread greets each, so that one which says nothing
//! holds up nobody. What is said after the greeting is the server's matter.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Instant;

use incast_core::record::Faults;
use incast_core::time::Span;
use incast_core::wire::preface::{MAGIC_BYTES, Preface};

use crate::accept::accept_within;
use crate::channel::{self, Channel, ChannelError, GREETING_MAX};
use crate::faults::{FaultCounters, count};
use crate::key::Key;
use crate::socket::SocketError;

/// Most connections that a server serves at once: 30 clients of 128 streams, and more. Further ones are
/// turned away and counted.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How often a listening thread looks at its stop flag.
pub(crate) const TICK: Span = Span::from_ms(50);

/// A server that listens. Dropping it ends every session.
pub struct Listening {
    acceptor: Arc<Acceptor>,
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

/// What all threads of a server share of its connections.
#[derive(Default)]
pub(crate) struct Acceptor {
    pub(crate) faults: Arc<FaultCounters>,
    /// Sessions that are not over.
    pub(crate) sessions: AtomicUsize,
    connections: AtomicUsize,
    stop: AtomicBool,
}

/// What a connection to a server of ours is.
pub(crate) enum Greeted {
    /// A control connection, whose key is proven.
    Control(Channel),
    /// The connection of a stream, or of an asker's requests, with the number that it was told.
    Data(TcpStream, u64),
}

impl Listening {
    /// Takes connections until stopped; `serve` is called for each on a thread of that name, with its place in
    /// the order in which they came.
    pub(crate) fn start(
        acceptor: &Arc<Acceptor>,
        listener: TcpListener,
        name: &'static str,
        serve: impl Fn(TcpStream, SocketAddr, u64) + Clone + Send + 'static,
    ) -> Result<Self, SocketError> {
        let address = address_of(&listener)?;
        let mut listening = Self { acceptor: Arc::clone(acceptor), address, threads: Vec::new() };
        let accepting = Arc::clone(acceptor);
        listening.spawn("accept", move || accepting.accept(&listener, name, &serve))?;
        Ok(listening)
    }

    /// One more thread of the server, which ends when it is stopped.
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), SocketError> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(|error| SocketError::new("start a thread", error))?);
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What peers did wrong so far.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.acceptor.faults.read()
    }

    /// Lets running sessions end in good order; their accounts follow.
    pub fn stop(&self) {
        self.acceptor.stop.store(true, Relaxed);
    }

    /// Sessions that are not over.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.acceptor.sessions.load(Relaxed)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// The address of a listener, whose port the kernel may have chosen.
pub(crate) fn address_of(listener: &TcpListener) -> Result<SocketAddr, SocketError> {
    listener.local_addr().map_err(|error| SocketError::new("read the address of the listener", error))
}

impl Acceptor {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// The accepting thread.
    fn accept(
        self: &Arc<Self>,
        listener: &TcpListener,
        name: &str,
        serve: &(impl Fn(TcpStream, SocketAddr, u64) + Clone + Send + 'static),
    ) {
        let mut order = 0;
        while !self.is_stopping() {
            let (connection, peer) = match accept_within(listener, TICK) {
                Ok(Some(accepted)) => accepted,
                Ok(None) => continue,
                Err(_) => {
                    // Out of descriptors, most likely: those that are open go on, and this one waits.
                    std::thread::sleep(TICK.to_std());
                    continue;
                }
            };
            order += 1;
            if self.connections.fetch_add(1, Relaxed) >= CONNECTIONS_MAX {
                self.turn_away();
                continue;
            }
            let (serving, serve) = (Arc::clone(self), serve.clone());
            let thread = std::thread::Builder::new().name(name.into()).stack_size(512 << 10);
            let greeter = thread.spawn(move || {
                serve(connection, peer, order);
                serving.connections.fetch_sub(1, Relaxed);
            });
            if greeter.is_err() {
                self.turn_away();
            }
        }
    }

    fn turn_away(&self) {
        self.connections.fetch_sub(1, Relaxed);
        count(&self.faults.turned_away);
    }

    /// Finds out what a connection wants; none if it is not to be served, which is counted.
    pub(crate) fn greet(&self, connection: TcpStream, key: &Key) -> Option<Greeted> {
        match read_greeting(connection, key) {
            Ok(Some(greeted)) => return Some(greeted),
            Ok(None) => count(&self.faults.rubbish_connections),
            Err(error) => self.faults.count_channel(&error),
        }
        None
    }
}

/// None: rubbish.
fn read_greeting(mut connection: TcpStream, key: &Key) -> Result<Option<Greeted>, ChannelError> {
    let deadline = Instant::now() + GREETING_MAX;
    let mut magic = [0; MAGIC_BYTES];
    channel::read_exact_by(&mut connection, &mut magic, deadline)?;
    match Preface::parse(&magic) {
        None => Ok(None),
        Some(Preface::Control) => Channel::accept(connection, key).map(Greeted::Control).map(Some),
        Some(Preface::Data) => {
            let mut number = [0; 8];
            channel::read_exact_by(&mut connection, &mut number, deadline)?;
            connection.set_read_timeout(None)?;
            Ok(Some(Greeted::Data(connection, u64::from_le_bytes(number))))
        }
    }
}

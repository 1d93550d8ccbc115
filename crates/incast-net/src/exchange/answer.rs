//! The answering server: any number of askers on one port.
//!
//! The thread that greets a connection carries it: a control connection its session, a data connection its
//! requests. Over UDP every asker has a socket of its own, told in the grant, so that threads share nothing
//! while they answer.

mod datagram;
mod session;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use incast_core::exchange::{AnswererAccount, Terms};
use incast_core::load::Transport;

use crate::accept::is_from_this_host;
use crate::acceptor::{Acceptor, Greeted, Listening};
use crate::clock::Clock;
use crate::faults::count;
use crate::key::Key;
use crate::lock::lock;
use crate::socket::{self, SocketError};
use crate::traffic::ThreadCpu;

/// Connections that the kernel keeps until we accept them.
const BACKLOG: u32 = 4_096;

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

/// What all threads share; locks are taken when connections begin and end only.
struct Shared {
    plan: AnswerPlan,
    acceptor: Arc<Acceptor>,
    /// Who was granted what, by its ticket.
    askers: Mutex<HashMap<u64, Arc<Asker>>>,
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

/// Binds the port and answers until stopped; what happens is told through `notices`.
///
/// # Errors
/// When the port cannot be bound, or a thread cannot be started.
pub fn listen(plan: AnswerPlan, notices: Sender<AnswerNotice>) -> Result<Listening, SocketError> {
    let (listener, _) = socket::tcp_listen(plan.bind, None, BACKLOG)?;
    // What is refused here is refused for each connection again, and told there.
    let _ = socket::ask_congestion(listener.as_fd(), plan.congestion.as_deref());
    let acceptor = Arc::<Acceptor>::default();
    let shared =
        Arc::new(Shared { plan, acceptor: Arc::clone(&acceptor), askers: Mutex::default(), notices });
    let greet = move |connection: TcpStream, peer, _| greet(&shared, connection, peer);
    Listening::start(&acceptor, listener, "answer", greet)
}

impl Shared {
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

/// Finds out what a connection wants and serves it.
fn greet(shared: &Arc<Shared>, connection: TcpStream, peer: SocketAddr) {
    let (local, here) = (is_from_this_host(&connection, peer), connection.local_addr().ok());
    match shared.acceptor.greet(connection, &shared.plan.key) {
        Some(Greeted::Control(channel)) => session::serve(shared, channel, peer.ip(), here, local),
        Some(Greeted::Data(connection, ticket)) => {
            let asker = lock(&shared.askers).get(&ticket).map(Arc::clone);
            match asker {
                // Its end tells the asker that datagrams may come.
                Some(asker) if asker.terms.transport == Transport::Udp => {
                    *lock(&asker.shown) = Some(peer.ip().to_canonical());
                }
                Some(asker) => stream::answer(shared, &asker, &connection),
                None => count(&shared.acceptor.faults.strangers),
            }
        }
        None => {}
    }
}

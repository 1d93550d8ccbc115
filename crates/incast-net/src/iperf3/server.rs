//! A server for stock `iperf3 -c`: any number of clients at once, on the one port that they all know.
//!
//! Every TCP connection begins with a cookie: one that is new opens a test, one that is known brings a
//! stream of it. Datagrams have no cookie, so a hello belongs to the test of its address that is
//! opening streams, and tests of one address open theirs one after the other (`Turn`). Each
//! stream over UDP gets a socket of its own on the same port, connected to its peer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use incast_core::iperf3::datagram::HELLO;
use incast_core::iperf3::{COOKIE_BYTES, CookieBytes, State, is_cookie};
use incast_core::time::{Span, Time};
use incast_core::units::Bytes;

use super::receive::answer;
use super::{Socket, session};
use crate::accept::is_from_this_host;
use crate::acceptor::{Acceptor, Listening, TICK, address_of};
use crate::channel::{GREETING_MAX, read_exact_by};
use crate::clock::Clock;
use crate::conversation::FlowNotice;
use crate::faults::count;
use crate::lock::lock;
use crate::socket::{self, Granted, SocketError};
use crate::traffic::{Settings, ThreadCpu};

/// How a server for iperf3 works.
#[derive(Clone)]
pub struct ServerPlan {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Name of this host.
    pub host: String,
    /// Serve clients of other hosts: nothing proves who they are.
    pub open: bool,
    /// Receive buffer to ask for.
    pub receive_buffer: Option<Bytes>,
    /// Receivers poll without sleeping.
    pub spin: bool,
    /// Pins receiving threads to this core.
    pub core: Option<u32>,
    /// Length of a reported interval.
    pub interval: Span,
    /// Clock of the run.
    pub clock: Clock,
    /// Start of the run by the wall clock.
    pub run_start_unix_ns: u64,
    /// CPU of the calling thread.
    pub thread_cpu: ThreadCpu,
}

/// What all threads of a server share; locked only when tests begin and end.
pub(super) struct Shared {
    pub(super) plan: ServerPlan,
    address: SocketAddr,
    pub(super) acceptor: Arc<Acceptor>,
    pub(super) tcp_granted: Granted,
    tests: Mutex<BTreeMap<CookieBytes, Expected>>,
    turns: Mutex<BTreeMap<IpAddr, Turn>>,
    pub(super) flow_ids: AtomicU64,
    notices: Sender<FlowNotice>,
}

/// Connections that a test still waits for.
struct Expected {
    peer: IpAddr,
    wanted: u32,
    joined: Sender<Joined>,
}

/// A stream's socket has come.
pub(super) struct Joined {
    /// Streams are numbered in the order in which they came.
    pub(super) order: u64,
    pub(super) socket: Socket,
    pub(super) granted: Granted,
}

/// Which test of an address opens its UDP streams.
#[derive(Default)]
struct Turn {
    holder: Option<(u32, Sender<Joined>)>,
    /// When one was given up in the middle: a hello of its client may still come.
    abandoned: Option<Time>,
}

const BACKLOG: u32 = 1_024;
/// A stock client waits so long for the answer to its hello.
const HELLO_LIFE: Span = Span::from_s(30);
/// What older clients send as their hello.
const HELLO_OLD: [u8; 4] = [0x15, 0xcd, 0x5b, 0x07];

/// Listens, and serves until dropped. A server that is stopped tells its clients, which print what they have.
///
/// # Errors
/// When the port cannot be had.
pub fn listen(plan: ServerPlan, notices: Sender<FlowNotice>) -> Result<Listening, SocketError> {
    let (listener, tcp_granted) = socket::tcp_listen(plan.bind, plan.receive_buffer, BACKLOG)?;
    let address = address_of(&listener)?;
    let hellos = socket::udp_bind_shared(address)?;
    hellos
        .set_read_timeout(Some(TICK.to_std()))
        .map_err(|error| SocketError::new("start a thread", error))?;
    let acceptor = Arc::<Acceptor>::default();
    let shared = Arc::new(Shared {
        plan,
        address,
        acceptor: Arc::clone(&acceptor),
        tcp_granted,
        tests: Mutex::default(),
        turns: Mutex::default(),
        flow_ids: AtomicU64::new(0),
        notices,
    });
    let serving = Arc::clone(&shared);
    let greet = move |connection: TcpStream, peer, order| greet(&serving, connection, peer, order);
    let mut listening = Listening::start(&acceptor, listener, "iperf3 test", greet)?;
    listening.spawn("hello", move || greet_datagrams(&shared, &hellos))?;
    Ok(listening)
}

impl Shared {
    pub(super) fn tell(&self, notice: FlowNotice) {
        // Whoever listened may be gone; the test goes on.
        let _ = self.notices.send(notice);
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            host_gauge: || None,
            clock: self.plan.clock,
            thread_cpu: self.plan.thread_cpu,
            spin: self.plan.spin,
            sender_core: self.plan.core,
            receiver_core: self.plan.core,
            receive_batch: None,
        }
    }

    /// From now on `wanted` connections with this cookie are streams.
    pub(super) fn expect_tcp(&self, cookie: &CookieBytes, wanted: u32) {
        if let Some(expected) = lock(&self.tests).get_mut(cookie) {
            expected.wanted = wanted;
        }
    }

    /// From now on `wanted` hellos of `peer` are streams; false if another test of that address opens
    /// its own. With it, whether a hello of one that was given up may still come.
    pub(super) fn take_turn(&self, peer: IpAddr, wanted: u32, joined: &Sender<Joined>) -> Option<bool> {
        let now = self.plan.clock.now();
        let mut turns = lock(&self.turns);
        turns.retain(|_, turn| {
            turn.holder.is_some() || turn.abandoned.is_some_and(|at| now.since(at) < HELLO_LIFE)
        });
        let turn = turns.entry(peer).or_default();
        if turn.holder.is_some() {
            return None;
        }
        turn.holder = Some((wanted, joined.clone()));
        Some(turn.abandoned.is_some())
    }

    /// The turn of this address is over, because all streams are there or because it was given up.
    pub(super) fn end_turn(&self, peer: IpAddr, complete: bool) {
        if let Some(turn) = lock(&self.turns).get_mut(&peer) {
            turn.holder = None;
            if !complete {
                turn.abandoned = Some(self.plan.clock.now());
            }
        }
    }

    /// A test is over: its cookie means nothing any more.
    pub(super) fn forget(&self, cookie: &CookieBytes) {
        lock(&self.tests).remove(cookie);
    }
}

/// What a connection is, by its cookie.
enum Greeted {
    Test(crossbeam_channel::Receiver<Joined>, Sender<Joined>),
    Stream(Sender<Joined>),
    Stranger,
}

fn greet(shared: &Arc<Shared>, mut connection: TcpStream, peer: SocketAddr, order: u64) {
    let mut cookie = [0; COOKIE_BYTES];
    if let Err(error) = read_exact_by(&mut connection, &mut cookie, Instant::now() + GREETING_MAX) {
        return shared.acceptor.faults.count_channel(&error);
    }
    if !is_cookie(&cookie) {
        return count(&shared.acceptor.faults.rubbish_connections);
    }
    let local = is_from_this_host(&connection, peer);
    match whose(shared, &cookie, peer.ip(), local) {
        Greeted::Test(inbox, joined) => {
            session::serve(shared, connection, peer, cookie, inbox, joined);
        }
        Greeted::Stream(joined) => {
            let granted = socket::receiving(&connection, &shared.tcp_granted);
            let _ = joined.send(Joined { order, socket: Socket::Tcp(connection), granted });
        }
        Greeted::Stranger => {
            count(&shared.acceptor.faults.strangers);
            let _ = connection.set_write_timeout(Some(Duration::from_secs(1)));
            let _ = std::io::Write::write_all(&mut connection, &[State::AccessDenied.emit()]);
        }
    }
}

fn whose(shared: &Shared, cookie: &CookieBytes, peer: IpAddr, local: bool) -> Greeted {
    let mut tests = lock(&shared.tests);
    match tests.get_mut(cookie) {
        Some(expected) if expected.wanted > 0 && expected.peer == peer => {
            expected.wanted -= 1;
            Greeted::Stream(expected.joined.clone())
        }
        Some(_) => Greeted::Stranger,
        None if !local && !shared.plan.open => Greeted::Stranger,
        None => {
            let (joined, inbox) = crossbeam_channel::unbounded();
            tests.insert(*cookie, Expected { peer, wanted: 0, joined: joined.clone() });
            Greeted::Test(inbox, joined)
        }
    }
}

/// The thread that takes the hellos of all UDP streams.
fn greet_datagrams(shared: &Shared, hellos: &UdpSocket) {
    let mut order = 0;
    while !shared.acceptor.is_stopping() {
        let mut buffer = [0; 64];
        let Ok((bytes, peer)) = hellos.recv_from(&mut buffer) else { continue };
        let mut waiting = vec![(peer, is_hello(&buffer[..bytes]))];
        while let Some((peer, hello)) = waiting.pop() {
            if !hello {
                count(&shared.acceptor.faults.strangers);
                continue;
            }
            order += 1;
            waiting.extend(open_stream(shared, peer, order));
        }
    }
}

fn is_hello(datagram: &[u8]) -> bool {
    datagram == HELLO || datagram == HELLO_OLD
}

/// A hello of `peer`: opens its stream, if a test of that address waits for one. Returns who else
/// was heard on the new socket before it was connected.
fn open_stream(shared: &Shared, peer: SocketAddr, order: u64) -> Vec<(SocketAddr, bool)> {
    let joined = {
        let mut turns = lock(&shared.turns);
        let holder = turns.get_mut(&peer.ip()).and_then(|turn| turn.holder.as_mut());
        match holder.filter(|(wanted, _)| *wanted > 0) {
            Some((wanted, joined)) => {
                *wanted -= 1;
                joined.clone()
            }
            None => {
                count(&shared.acceptor.faults.strangers);
                return Vec::new();
            }
        }
    };
    // Without a socket the client gives up after its own patience, and so does the test.
    let Ok((socket, granted)) = socket::udp_answer(shared.address, peer, shared.plan.receive_buffer) else {
        return Vec::new();
    };
    let others = heard_before(&socket, peer);
    answer(&socket);
    let _ = joined.send(Joined { order, socket: Socket::Udp(socket), granted });
    others
}

/// What a socket took from others between its binding and its connecting. Bounded: each is one
/// datagram that came within microseconds.
fn heard_before(socket: &UdpSocket, peer: SocketAddr) -> Vec<(SocketAddr, bool)> {
    const MAX: usize = 64;
    let mut others = Vec::new();
    let mut buffer = [0; 64];
    if socket.set_nonblocking(true).is_ok() {
        while others.len() < MAX
            && let Ok((bytes, from)) = socket.recv_from(&mut buffer)
        {
            if from != peer {
                others.push((from, is_hello(&buffer[..bytes])));
            }
        }
    }
    others
}

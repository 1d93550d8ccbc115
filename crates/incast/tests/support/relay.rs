//! A path between a client and a server on this machine that loses, copies and reorders datagrams
//! exactly as a test says, and keeps the account of it.
//!
//! ```text
//!   client --- TCP, UDP port P ---> relay --- TCP, one UDP socket per client address ---> server
//! ```
//! TCP, and datagrams from server to client, go through untouched. A datagram from client to
//! server is shown to the rule of the test. The relay delays nothing unless told so, and shapes
//! no rate. What its own sockets could not hold is counted as `kernel_drops`: a test whose
//! numbers must be exact asserts that there are none.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// The relay at work; it ends when it is stopped or dropped, and so do all its threads.
pub(crate) struct Relay {
    addr: SocketAddr,
    stopping: Arc<AtomicBool>,
    tcp: Option<JoinHandle<()>>,
    udp: Option<JoinHandle<Tally>>,
}

/// What the rule is told about a datagram from client to server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// How many came before it, all streams and clients together.
    pub(crate) index: u64,
    /// Its first 8 bytes.
    pub(crate) counter: u64,
    /// The 8 bytes after that; 0 if it is too short to have them.
    pub(crate) stream: u64,
    /// Its length in bytes.
    pub(crate) bytes: usize,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on at once.
    Pass,
    /// It does not go on.
    Drop,
    /// It goes on twice.
    Duplicate,
    /// It goes on behind so many later datagrams of its stream, or when no more come.
    Hold(u32),
}

/// What the relay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Of each stream from client to server, by its id.
    pub(crate) streams: BTreeMap<u64, StreamTally>,
    /// Datagrams from client to server too short to have a counter; they went on.
    pub(crate) short: u64,
    /// Datagrams from server to client.
    pub(crate) returned: u64,
    /// Datagrams that the kernel would not send on, to the server or to the client.
    pub(crate) unsent: u64,
    /// Datagrams lost in the receive buffers of the relay itself.
    pub(crate) kernel_drops: u64,
}

/// What the relay did to one stream: `received + duplicated = sent + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamTally {
    /// Came from the client.
    pub(crate) received: u64,
    /// Went on to the server (or are among `unsent`), second copies included.
    pub(crate) sent: u64,
    /// Did not go on.
    pub(crate) dropped: u64,
    /// Went on twice.
    pub(crate) duplicated: u64,
    /// Were held, and overtaken by a datagram with a larger counter: reordered after RFC 4737 §3.3.
    pub(crate) reordered: u64,
}

impl Relay {
    /// Stands between a port of its own and `server`, and asks `rule` about each datagram.
    ///
    /// # Panics
    /// When it cannot open its sockets.
    pub(crate) fn start(server: SocketAddr, rule: impl FnMut(Datagram) -> Fate + Send + 'static) -> Self {
        let (listener, front) = bind_both(server).expect("bind one port for TCP and UDP");
        let addr = front.local_addr().expect("a bound socket has an address");
        let stopping = Arc::new(AtomicBool::new(false));
        let (for_tcp, for_udp) = (Arc::clone(&stopping), Arc::clone(&stopping));
        let tcp = std::thread::spawn(move || relay_tcp(&listener, server, &for_tcp));
        let udp = std::thread::spawn(move || UdpRelay::new(front, server, for_udp).run(rule));
        Self { addr, stopping, tcp: Some(tcp), udp: Some(udp) }
    }

    /// Where clients find it, by TCP and by UDP.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets go what is held, cuts all connections, and tells what was done.
    ///
    /// # Panics
    /// When the rule has panicked.
    pub(crate) fn stop(mut self) -> Tally {
        self.join()
            .expect("the relay was not stopped before")
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn join(&mut self) -> Option<std::thread::Result<Tally>> {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(tcp) = self.tcp.take() {
            // A connection wakes the thread that waits for one.
            drop(TcpStream::connect(self.addr));
            drop(tcp.join());
        }
        self.udp.take().map(JoinHandle::join)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.join());
    }
}

impl Tally {
    /// All streams together.
    pub(crate) fn total(&self) -> StreamTally {
        self.streams.values().fold(StreamTally::default(), |sum, stream| StreamTally {
            received: sum.received + stream.received,
            sent: sum.sent + stream.sent,
            dropped: sum.dropped + stream.dropped,
            duplicated: sum.duplicated + stream.duplicated,
            reordered: sum.reordered + stream.reordered,
        })
    }
}

/// The datagrams of all clients.
struct UdpRelay {
    front: Arc<UdpSocket>,
    server: SocketAddr,
    stopping: Arc<AtomicBool>,
    clients: BTreeMap<SocketAddr, Client>,
    /// In the order in which they came.
    held: VecDeque<Held>,
    /// Of each stream, the largest counter that went on.
    highest: BTreeMap<u64, u64>,
    tally: Tally,
}

/// The way to the server for one address of a client, and back.
struct Client {
    upstream: Arc<UdpSocket>,
    returning: JoinHandle<(u64, u64)>,
}

struct Held {
    datagram: Datagram,
    client: SocketAddr,
    payload: Vec<u8>,
    /// So many datagrams of its stream still go before it.
    waits_for: u32,
}

impl UdpRelay {
    fn new(front: UdpSocket, server: SocketAddr, stopping: Arc<AtomicBool>) -> Self {
        let (clients, held, highest) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
        Self { front: Arc::new(front), server, stopping, clients, held, highest, tally: Tally::default() }
    }

    fn run(mut self, mut rule: impl FnMut(Datagram) -> Fate) -> Tally {
        let (mut buffer, mut index, mut last) = (vec![0; DATAGRAM_BYTES_MAX], 0, Instant::now());
        let mut inlet = Inlet::new(&self.front, &self.stopping);
        loop {
            match inlet.receive(&mut buffer) {
                Came::Datagram(length, client) => {
                    self.handle(&buffer[..length], client, index, &mut rule);
                    (index, last) = (index + 1, Instant::now());
                }
                Came::Silence if last.elapsed() >= SILENCE => self.release(|_| true),
                Came::Silence => {}
                Came::End => break,
            }
        }
        self.release(|_| true);
        self.finish()
    }

    fn handle(
        &mut self,
        payload: &[u8],
        client: SocketAddr,
        index: u64,
        rule: &mut impl FnMut(Datagram) -> Fate,
    ) {
        let Some(counter) = u64_at(payload, 0) else {
            self.tally.short += 1;
            self.send(payload, client);
            return;
        };
        let stream = u64_at(payload, 8).unwrap_or(0);
        let datagram = Datagram { index, counter, stream, bytes: payload.len() };
        let fate = rule(datagram);
        let tally = self.tally.streams.entry(stream).or_default();
        tally.received += 1;
        match fate {
            Fate::Drop => tally.dropped += 1,
            Fate::Hold(waits_for @ 1..) => {
                self.pass_by(stream);
                self.held.push_back(Held { datagram, client, payload: payload.to_vec(), waits_for });
                return;
            }
            Fate::Duplicate => {
                tally.duplicated += 1;
                self.forward(datagram, payload, client);
                self.forward(datagram, payload, client);
            }
            Fate::Pass | Fate::Hold(0) => self.forward(datagram, payload, client),
        }
        self.pass_by(stream);
    }

    /// A datagram of `stream` has gone by: lets go those that waited for no more than this one.
    fn pass_by(&mut self, stream: u64) {
        for held in self.held.iter_mut().filter(|held| held.datagram.stream == stream) {
            held.waits_for -= 1;
        }
        self.release(|held| held.waits_for == 0);
    }

    fn release(&mut self, is_due: impl Fn(&Held) -> bool) {
        let (due, held): (VecDeque<Held>, _) = std::mem::take(&mut self.held).into_iter().partition(is_due);
        self.held = held;
        for Held { datagram, client, payload, .. } in due {
            let overtaken =
                self.highest.get(&datagram.stream).is_some_and(|highest| *highest > datagram.counter);
            self.tally.streams.entry(datagram.stream).or_default().reordered += u64::from(overtaken);
            self.forward(datagram, &payload, client);
        }
    }

    fn forward(&mut self, datagram: Datagram, payload: &[u8], client: SocketAddr) {
        self.send(payload, client);
        self.tally.streams.entry(datagram.stream).or_default().sent += 1;
        let highest = self.highest.entry(datagram.stream).or_insert(datagram.counter);
        *highest = datagram.counter.max(*highest);
    }

    fn send(&mut self, payload: &[u8], client: SocketAddr) {
        let (front, server, stopping) = (&self.front, self.server, &self.stopping);
        let client = self.clients.entry(client).or_insert_with(|| {
            Client::open(front, client, server, stopping).expect("open a UDP socket towards the server")
        });
        // The first attempt may only report that an earlier datagram found no listener.
        if client.upstream.send(payload).or_else(|_| client.upstream.send(payload)).is_err() {
            self.tally.unsent += 1;
        }
    }

    fn finish(mut self) -> Tally {
        self.tally.kernel_drops += kernel_drops(&self.front);
        for Client { upstream, returning } in self.clients.into_values() {
            let (returned, unsent) = returning.join().expect("the way back does not panic");
            self.tally.returned += returned;
            self.tally.unsent += unsent;
            self.tally.kernel_drops += kernel_drops(&upstream);
        }
        self.tally
    }
}

impl Client {
    fn open(
        front: &Arc<UdpSocket>,
        client: SocketAddr,
        server: SocketAddr,
        stopping: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let upstream = Arc::new(bind_udp(SocketAddr::new(loopback(server), 0))?);
        upstream.connect(server)?;
        let (front, mut inlet) = (Arc::clone(front), Inlet::new(&upstream, stopping));
        let returning = std::thread::spawn(move || {
            let (mut buffer, mut returned, mut unsent) = (vec![0; DATAGRAM_BYTES_MAX], 0, 0);
            loop {
                match inlet.receive(&mut buffer) {
                    Came::Datagram(length, _) => match front.send_to(&buffer[..length], client) {
                        Ok(_) => returned += 1,
                        Err(_) => unsent += 1,
                    },
                    Came::Silence => {}
                    Came::End => break,
                }
            }
            (returned, unsent)
        });
        Ok(Self { upstream, returning })
    }
}

/// A socket that is read until it is time to stop.
struct Inlet {
    socket: Arc<UdpSocket>,
    stopping: Arc<AtomicBool>,
    /// When it was first seen that it is time to stop.
    stop_seen: Option<Instant>,
}

/// What there is to read.
enum Came {
    Datagram(usize, SocketAddr),
    /// Nothing for a while.
    Silence,
    /// Nothing, and nothing more will be read.
    End,
}

impl Inlet {
    fn new(socket: &Arc<UdpSocket>, stopping: &Arc<AtomicBool>) -> Self {
        Self { socket: Arc::clone(socket), stopping: Arc::clone(stopping), stop_seen: None }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Came {
        // Looked at before reading: what was sent before the stop is received before the end.
        if self.stopping.load(Ordering::Relaxed) {
            self.stop_seen.get_or_insert_with(Instant::now);
        }
        match (self.socket.recv_from(buffer), self.stop_seen) {
            (Ok(_), Some(seen)) if seen.elapsed() > DRAIN_MAX => Came::End,
            (Ok((length, from)), _) => Came::Datagram(length, from),
            (Err(_), Some(_)) => Came::End,
            // A timeout; or the kernel's word that the other end had no listener a moment ago.
            (Err(_), None) => Came::Silence,
        }
    }
}

/// Takes connections until it is time to stop, and then cuts them.
fn relay_tcp(listener: &TcpListener, server: SocketAddr, stopping: &AtomicBool) {
    let mut connections: Vec<(TcpStream, TcpStream)> = Vec::new();
    let mut copying: Vec<JoinHandle<()>> = Vec::new();
    while let Ok((client, _)) = listener.accept() {
        if stopping.load(Ordering::Relaxed) {
            break;
        }
        // Without a server, the client finds its connection closed.
        let Ok(upstream) = TcpStream::connect(server) else { continue };
        let ends = [&client, &upstream, &upstream, &client].map(TcpStream::try_clone);
        let [Ok(from), Ok(to), Ok(back_from), Ok(back_to)] = ends else { continue };
        copying.push(std::thread::spawn(move || copy(&from, &to)));
        copying.push(std::thread::spawn(move || copy(&back_from, &back_to)));
        connections.push((client, upstream));
    }
    for end in connections.iter().flat_map(|(client, upstream)| [client, upstream]) {
        drop(end.shutdown(Shutdown::Both));
    }
    copying.into_iter().for_each(|thread| drop(thread.join()));
}

/// Copies one direction to its end; the end of one side becomes the end of the other.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    drop(to.set_nodelay(true));
    match io::copy(&mut from, &mut to) {
        Ok(_) => drop(to.shutdown(Shutdown::Write)),
        // One side is gone: so is the connection.
        Err(_) => [from, to].iter().for_each(|end| drop(end.shutdown(Shutdown::Both))),
    }
}

/// One port for TCP and for UDP.
fn bind_both(server: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut attempts = 0;
    loop {
        let listener = TcpListener::bind((loopback(server), 0))?;
        match bind_udp(listener.local_addr()?) {
            Ok(front) => return Ok((listener, front)),
            // Another program has this port by UDP: the next one may be free.
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts < 100 => attempts += 1,
            Err(error) => return Err(error),
        }
    }
}

fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    socket.set_send_buffer_size(BUFFER_BYTES)?;
    socket.set_read_timeout(Some(TICK))?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// This machine, in the family of `server`.
fn loopback(server: SocketAddr) -> IpAddr {
    if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

/// Datagrams that the kernel had no room for in the receive buffer of `socket`.
fn kernel_drops(socket: &UdpSocket) -> u64 {
    let port = socket.local_addr().expect("a bound socket has an address").port();
    let files =
        ["/proc/net/udp", "/proc/net/udp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    files.iter().filter_map(|text| drops_of_port(text, port)).sum()
}

/// The last column of the line of `port` in `/proc/net/udp`.
fn drops_of_port(text: &str, port: u16) -> Option<u64> {
    let port = format!(":{port:04X}");
    let line = text
        .lines()
        .find(|line| line.split_ascii_whitespace().nth(1).is_some_and(|addr| addr.ends_with(&port)))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

fn u64_at(payload: &[u8], offset: usize) -> Option<u64> {
    payload.get(offset..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The largest payload of a UDP datagram, rounded up.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// What is asked of the kernel for each buffer; it may grant less, hence `kernel_drops`.
const BUFFER_BYTES: usize = 4 << 20;
/// How often a waiting thread looks whether it is time to stop.
const TICK: Duration = Duration::from_millis(10);
/// What is still read after the stop, from a sender that does not end.
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// When no datagram came for so long, those held wait for nothing.
const SILENCE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// A server that only listens, a client, and between them a relay with `rule`.
    fn lay(rule: impl FnMut(Datagram) -> Fate + Send + 'static) -> (UdpSocket, UdpSocket, Relay) {
        let server = bind_udp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let relay = Relay::start(server.local_addr().unwrap(), rule);
        let client = bind_udp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client.connect(relay.addr()).unwrap();
        (client, server, relay)
    }

    fn message(counter: u64, stream: u64) -> Vec<u8> {
        [counter.to_le_bytes(), stream.to_le_bytes(), [7; 8]].concat()
    }

    fn counters(server: &UdpSocket, count: usize) -> Vec<u64> {
        let mut buffer = [0; 100];
        let receive = |_| {
            let length = server.recv(&mut buffer).expect("as many datagrams as were sent on");
            u64_at(&buffer[..length], 0).unwrap()
        };
        (0..count).map(receive).collect()
    }

    #[test]
    fn each_fate_is_carried_out_and_counted() {
        let (client, server, relay) = lay(|datagram| match datagram.counter {
            2 => Fate::Drop,
            3 => Fate::Duplicate,
            4 => Fate::Hold(2),
            _ => Fate::Pass,
        });
        for counter in 1..=7 {
            client.send(&message(counter, 9)).unwrap();
        }
        assert_eq!(counters(&server, 7), [1, 3, 3, 5, 6, 4, 7]);
        let tally = relay.stop();
        let stream = StreamTally { received: 7, sent: 7, dropped: 1, duplicated: 1, reordered: 1 };
        assert_eq!(tally, Tally { streams: BTreeMap::from([(9, stream)]), ..Tally::default() });
        assert_eq!(tally.total(), stream);
    }

    #[test]
    fn what_is_held_waits_for_its_own_stream_only_and_not_for_ever() {
        let (client, server, relay) =
            lay(
                |datagram| {
                    if datagram.index == 0 || datagram.counter == 9 { Fate::Hold(1) } else { Fate::Pass }
                },
            );
        for (counter, stream) in [(1, 1), (1, 2), (2, 1), (9, 2)] {
            client.send(&message(counter, stream)).unwrap();
        }
        // The last one is overtaken by nothing: it goes on after a silence, in order.
        assert_eq!(counters(&server, 4), [1, 2, 1, 9]);
        let tally = relay.stop();
        assert_eq!((tally.streams[&1].reordered, tally.streams[&2].reordered), (1, 0));
    }

    #[test]
    fn what_is_held_goes_on_at_the_stop() {
        let (client, server, relay) = lay(|_| Fate::Hold(9));
        client.send(&message(1, 1)).unwrap();
        client.send(&message(2, 1)).unwrap();
        client.send(b"short").unwrap();
        assert_eq!(server.recv(&mut [0; 9]).unwrap(), 5);
        let tally = relay.stop();
        assert_eq!((tally.short, tally.total().sent, tally.total().reordered), (1, 2, 0));
        assert_eq!(counters(&server, 2), [1, 2]);
    }

    #[test]
    fn datagrams_come_back_to_the_client_that_they_are_for() {
        let (client, server, relay) = lay(|datagram| {
            assert_eq!((datagram.stream, datagram.bytes), (datagram.counter, 24));
            Fate::Pass
        });
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        other.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        other.connect(relay.addr()).unwrap();
        for (socket, name) in [(&client, 1), (&other, 2)] {
            socket.send(&message(name, name)).unwrap();
            let mut buffer = [0; 100];
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            server.send_to(&buffer[..length], from).unwrap();
            assert_eq!(socket.recv(&mut buffer).unwrap(), 24);
            assert_eq!(u64_at(&buffer, 0), Some(name));
        }
        let tally = relay.stop();
        assert_eq!((tally.returned, tally.unsent, tally.total().sent), (2, 0, 2));
    }

    #[test]
    fn connections_pass_both_ways_to_their_ends() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::start(server.local_addr().unwrap(), |_| Fate::Drop);
        let mut client = TcpStream::connect(relay.addr()).unwrap();
        let (mut served, _) = server.accept().unwrap();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        served.read_to_string(&mut text).unwrap();
        served.write_all(b"answer to ").unwrap();
        served.write_all(text.as_bytes()).unwrap();
        drop(served);
        text.clear();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "answer to question");
        // A connection still open does not keep the relay from stopping.
        let mut idle = TcpStream::connect(relay.addr()).unwrap();
        let _served = server.accept().unwrap();
        assert_eq!(relay.stop(), Tally::default());
        assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0);
    }

    #[test]
    fn a_client_that_does_not_end_does_not_keep_it_from_stopping() {
        let (client, _server, relay) = lay(|_| Fate::Drop);
        let flooding = Arc::new(AtomicBool::new(true));
        let until = Arc::clone(&flooding);
        let flood = std::thread::spawn(move || {
            while until.load(Ordering::Relaxed) {
                drop(client.send(&message(1, 1)));
            }
        });
        assert!(relay.stop().total().dropped > 0);
        flooding.store(false, Ordering::Relaxed);
        flood.join().unwrap();
    }

    #[test]
    fn thousands_of_datagrams_are_accounted_for_exactly() {
        let (client, server, relay) = lay(|datagram| match datagram.counter % 10 {
            3 => Fate::Drop,
            6 => Fate::Duplicate,
            8 => Fate::Hold(3),
            _ => Fate::Pass,
        });
        let mut came = 0;
        for batch in 0..200_u64 {
            for counter in 100 * batch..100 * (batch + 1) {
                client.send(&message(counter, counter % 2)).unwrap();
            }
            // As many are dropped as duplicated, and one is still held: no buffer is ever full.
            came += counters(&server, if batch == 0 { 99 } else { 100 }).len();
        }
        came += counters(&server, 1).len();
        assert_eq!(came, 20_000);
        let tally = relay.stop();
        assert_eq!(tally.kernel_drops, 0);
        let even =
            StreamTally { received: 10_000, sent: 12_000, dropped: 0, duplicated: 2_000, reordered: 1_999 };
        let odd = StreamTally { received: 10_000, sent: 8_000, dropped: 2_000, ..StreamTally::default() };
        assert_eq!(tally.streams, BTreeMap::from([(0, even), (1, odd)]));
    }

    #[test]
    fn drops_are_read_from_the_line_of_the_port() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            9: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 0\n\
            9: 0100007F:1B58 0100007F:1F90 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 42\n";
        assert_eq!(
            (drops_of_port(text, 7000), drops_of_port(text, 8080), drops_of_port(text, 1)),
            (Some(42), Some(0), None)
        );
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let small = Socket::from(socket.try_clone().unwrap());
        small.set_recv_buffer_size(1).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        }
        assert!(kernel_drops(&socket) > 0);
    }
}

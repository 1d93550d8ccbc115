//! The thread that receives one stream of iperf3's, TCP or UDP.
//!
//! TCP delivers every byte once and in order, so block `n` is counted as message `n` when its last
//! byte is here. Datagrams carry counters, of 32 or 64 bits. Both feed the receiver of the native
//! protocol, so duplicates, order and the tail are counted as everywhere, not by gaps.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use incast_core::flood::FloodReceiver;
use incast_core::iperf3::datagram::{self, Jitter, Unwrap, Width};
use incast_core::record::Batching;
use incast_core::sequence::Arrival as Order;
use incast_core::time::{Span, Time};

use super::Socket;
use crate::clock::Clock;
use crate::faults::{FaultCounters, count};
use crate::hub::Report;
use crate::socket::{self, Granted};
use crate::tcp::TcpInlet;
use crate::traffic::{DataEvent, ReceiveOrders, ReceivedStream, Settings};
use crate::udp::{Arrival, UdpInlet};
use crate::wait::Wait;

/// Longest time for taking what has arrived, once told to stop.
const TAKE_MAX: Span = Span::from_ms(500);

/// A stream that is to be received.
pub(crate) struct Source {
    pub(super) socket: Socket,
    pub(super) granted: Granted,
    pub(super) message_bytes: u32,
    pub(super) width: Width,
    pub(super) told: Arc<Told>,
    pub(super) faults: Arc<FaultCounters>,
}

impl Source {
    /// Whether the kernel repeats what is lost.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self.socket, Socket::Tcp(_))
    }
}

/// What a stream has brought so far, stored once per batch: for the results, which iperf3 wants while
/// data may still be on its way.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) bytes: AtomicU64,
    pub(super) highest: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) jitter_ns: AtomicU64,
}

/// Starts the thread; what it counted comes back as an event, whatever happens.
pub(crate) fn start(
    receiver: FloodReceiver,
    source: Source,
    settings: Settings,
    orders: Arc<ReceiveOrders>,
    report: Report,
) {
    let (events, index) = (report.events.clone(), report.index);
    let account = |receiver, granted: Granted| ReceivedStream {
        receiver,
        uncounted: 0,
        partial_bytes: 0,
        socket_drops: None,
        raw: None,
        cpu: None,
        buffer: Some(granted.buffer),
        batching: Batching::default(),
        caveats: granted.caveats,
        probe: None,
    };
    let spare = account(receiver.clone(), Granted::default());
    let mut received = account(receiver, source.granted.clone());
    let run = move || {
        received.caveats.extend(settings.receiver_core.and_then(socket::pin_to_core));
        let before = (settings.thread_cpu)();
        let mut taker = Taker { settings: &settings, orders: &orders, report: &report, told: &source.told };
        // A connection that breaks ends the stream; the account shows what is missing.
        let _ = match source.socket {
            Socket::Tcp(connection) => TcpInlet::open(connection)
                .map_err(io::Error::other)
                .and_then(|inlet| taker.take_blocks(&mut received, inlet, source.message_bytes)),
            Socket::Udp(socket) => UdpInlet::open(socket).map_err(io::Error::other).and_then(|inlet| {
                taker.take_datagrams(&mut received, inlet, source.message_bytes, source.width, &source.faults)
            }),
        };
        received.cpu = before.zip((settings.thread_cpu)()).map(|(before, after)| after.since(&before));
        let _ = report.events.send(DataEvent::Received { stream: 0, index, account: Box::new(received) });
    };
    if std::thread::Builder::new().name("iperf3 receive".into()).spawn(run).is_err() {
        let _ = events.send(DataEvent::Received { stream: 0, index, account: Box::new(spare) });
    }
}

struct Taker<'a> {
    settings: &'a Settings,
    orders: &'a ReceiveOrders,
    report: &'a Report,
    told: &'a Told,
}

/// What one receive call brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Something,
    Nothing,
    End,
}

impl Taker<'_> {
    fn take_blocks(
        &mut self,
        received: &mut ReceivedStream,
        mut inlet: TcpInlet,
        message_bytes: u32,
    ) -> io::Result<()> {
        let (clock, size) = (self.settings.clock, u64::from(message_bytes));
        let (told, mut bytes, mut blocks) = (self.told, 0_u64, 0_u64);
        let result = self.until_over(&mut received.receiver, |receiver, wait| {
            let taken = inlet.receive(wait, |piece| {
                receiver.handle_batch(clock.now());
                bytes += piece.len() as u64;
                for block in blocks + 1..=bytes / size {
                    receiver.handle_message(block);
                }
                blocks = bytes / size;
                receiver.handle_batch_end();
            })?;
            told.bytes.store(bytes, Relaxed);
            Ok(match taken {
                Some(0) => Came::Nothing,
                Some(_) => Came::Something,
                None => Came::End,
            })
        });
        received.batching.receive_calls = Some(inlet.receive_calls());
        result
    }

    fn take_datagrams(
        &mut self,
        received: &mut ReceivedStream,
        mut inlet: UdpInlet,
        message_bytes: u32,
        width: Width,
        faults: &FaultCounters,
    ) -> io::Result<()> {
        let mut stream = Datagrams {
            clock: self.settings.clock,
            size: usize::try_from(message_bytes).unwrap_or(usize::MAX),
            width,
            unwrap: Unwrap::default(),
            jitter: Jitter::default(),
            greeted_again: false,
        };
        let told = self.told;
        received.caveats.extend(inlet.caveats().iter().cloned());
        let result = self.until_over(&mut received.receiver, |receiver, wait| {
            let mut now = None;
            let clock = stream.clock;
            let taken = inlet.receive(wait, |arrival| {
                stream.handle(receiver, *now.get_or_insert_with(|| clock.now()), &arrival, faults);
            })?;
            if std::mem::take(&mut stream.greeted_again) {
                answer(inlet.socket());
            }
            let counts = receiver.counts();
            told.bytes.store(counts.received * u64::from(message_bytes), Relaxed);
            told.highest.store(counts.unique + counts.lost, Relaxed);
            told.lost.store(counts.lost, Relaxed);
            told.jitter_ns.store(stream.jitter.ns(), Relaxed);
            Ok(if taken == 0 { Came::Nothing } else { Came::Something })
        });
        received.batching.receive_calls = Some(inlet.receive_calls());
        received.socket_drops = socket::socket_drops(std::os::fd::AsFd::as_fd(&inlet));
        result
    }

    /// Takes until the stream has ended, is drained, or nobody wants more.
    fn until_over(
        &self,
        receiver: &mut FloodReceiver,
        mut take: impl FnMut(&mut FloodReceiver, Wait) -> io::Result<Came>,
    ) -> io::Result<()> {
        let clock = self.settings.clock;
        let usual = if self.settings.spin { Wait::Poll } else { Wait::Block };
        let mut stop_seen: Option<Time> = None;
        loop {
            // Once told to stop, what has arrived already is still taken: it is part of the account.
            let stopping = self.orders.stop.load(Relaxed);
            let came = take(receiver, if stopping { Wait::Poll } else { usual })?;
            self.report.live.store_counts(&receiver.counts());
            let total = self.orders.total.load(Relaxed);
            if total != u64::MAX {
                receiver.handle_total(clock.now(), total);
            }
            let over = match came {
                Came::End => true,
                Came::Nothing => stopping || receiver.is_drained(clock.now()),
                // A peer that goes on sending is not waited for.
                Came::Something if stopping => {
                    let now = clock.now();
                    now.since(*stop_seen.get_or_insert(now)) > TAKE_MAX
                }
                Came::Something => receiver.next_timeout().is_some() && receiver.is_drained(clock.now()),
            };
            if over {
                return Ok(());
            }
        }
    }
}

struct Datagrams {
    clock: Clock,
    size: usize,
    width: Width,
    unwrap: Unwrap,
    jitter: Jitter,
    greeted_again: bool,
}

impl Datagrams {
    #[inline]
    fn handle(
        &mut self,
        receiver: &mut FloodReceiver,
        now: Time,
        arrival: &Arrival<'_>,
        faults: &FaultCounters,
    ) {
        receiver.handle_batch(now);
        let mut counted = false;
        for datagram in arrival.datagrams() {
            let counter = datagram::counter(datagram, self.width)
                .filter(|_| datagram.len() == self.size && !arrival.truncated);
            let Some(counter) = counter else {
                // Our answer to the hello was lost, or is late.
                if datagram == datagram::HELLO {
                    self.greeted_again = true;
                } else if datagram != datagram::REPLY {
                    count(&faults.wrong_sizes);
                }
                continue;
            };
            let counter = match self.width {
                Width::Narrow => self.unwrap.counter(counter),
                Width::Wide => counter,
            };
            if receiver.handle_message(counter) == Order::Implausible {
                count(&faults.implausible_counters);
                continue;
            }
            if !std::mem::replace(&mut counted, true)
                && let Some(departure) = datagram::departure(datagram)
            {
                self.jitter.handle_batch(now, departure);
            }
        }
        if counted {
            receiver.handle_batch_end();
        }
    }
}

/// Answers a hello; one that is lost is asked for again, or not.
pub(super) fn answer(socket: &UdpSocket) {
    let _ = socket.send(&datagram::REPLY);
}

//! Two-way messages beside the stream of a probe: sent through its own socket, answered by the receiver, timed.
//!
//! They are few and small, and compare the clocks of the two ends while the stream lasts, a little before and a little
//! after it. What is an answer is decided by the stream id and by the time of the request in it: a copy
//! of an answer is taken once.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use incast_core::probe::report::{ProbeSent, TWO_WAY_MAX};
use incast_core::probe::sweep::LEAD;
use incast_core::wire::{probe, two_way};

use super::arrival::stamps;
use super::receive::STAMPS;
use crate::clock::{self, WallClock};
use crate::sys::datagram::{self, Received};
use crate::sys::option::{self, Settable};

/// Time between two requests while the stream lasts, nanoseconds.
const EVERY_NS: i64 = 10_000_000;
/// The same before and after it, where nothing is disturbed.
const EVERY_AROUND_NS: i64 = 2_000_000;
/// The same once half of what is kept has been sent: a long point needs no more in a second.
const EVERY_LATER_NS: i64 = 100_000_000;
/// How long answers are waited for when no more is sent: longer than any path.
const PATIENCE_NS: i64 = 500_000_000;

/// A thread that sends requests and takes answers.
pub(crate) struct TwoWay {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<ProbeSent>,
}

impl TwoWay {
    /// Begins, beside the `stream` that is sent through `socket`.
    pub(crate) fn start(socket: &UdpSocket, stream: u64) -> io::Result<Self> {
        let socket = socket.try_clone()?;
        // Without stamps of the kernel the reader's clock tells when an answer came.
        let _ = option::set(socket.as_fd(), Settable::Timestamping, STAMPS);
        let stop = Arc::<AtomicBool>::default();
        let told = Arc::clone(&stop);
        let exchanges = Exchanges {
            socket,
            stream,
            wall: WallClock::start(),
            sent: ProbeSent::default(),
            latest_t1: i64::MIN,
        };
        let thread =
            std::thread::Builder::new().name("two-way".into()).spawn(move || exchanges.run(&told))?;
        Ok(Self { stop, thread })
    }

    /// Ends when what was sent after the stream has been answered, or will not be.
    pub(crate) fn finish(self) -> ProbeSent {
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

struct Exchanges {
    socket: UdpSocket,
    stream: u64,
    wall: WallClock,
    sent: ProbeSent,
    /// Of the answers taken so far; answers come in the order of their requests, or are left out.
    latest_t1: i64,
}

impl Exchanges {
    fn run(mut self, stop: &AtomicBool) -> ProbeSent {
        let start = clock::shared_ns();
        let (mut due, mut stopped) = (start, None);
        loop {
            let now = clock::shared_ns();
            if stopped.is_none() && stop.load(Relaxed) {
                stopped = Some(now);
                due = now;
            }
            let is_over = stopped.is_some_and(|since| now - since > lead_ns());
            let answered = u64::try_from(self.sent.two_way.len()).unwrap_or(u64::MAX);
            if is_over && (answered >= self.sent.requests || now - due > PATIENCE_NS) {
                return self.sent;
            }
            if now >= due && !is_over {
                self.ask();
                due = now + self.interval(now - start < lead_ns() || stopped.is_some());
            }
            let until = if is_over { now + EVERY_AROUND_NS } else { due };
            // A stop must be seen soon: the account of the stream waits for it.
            self.listen(now, until.min(now + EVERY_NS));
        }
    }

    fn interval(&self, is_around: bool) -> i64 {
        let half = TWO_WAY_MAX as u64 / 2;
        match (is_around, self.sent.requests > half) {
            (true, _) => EVERY_AROUND_NS,
            (false, false) => EVERY_NS,
            (false, true) => EVERY_LATER_NS,
        }
    }

    fn ask(&mut self) {
        if self.sent.requests >= TWO_WAY_MAX as u64 {
            return;
        }
        let t1 = clock::shared_ns();
        let request = two_way::emit(self.stream, two_way::TwoWayTimes { t1, ..Default::default() });
        // What the kernel does not take now is not asked.
        if datagram::send(self.socket.as_fd(), &request, request.len()).is_ok_and(|sent| sent == 1) {
            self.sent.requests += 1;
        }
    }

    /// Takes answers until `until`.
    fn listen(&mut self, mut now: i64, until: i64) {
        while now < until {
            let left = u64::try_from(until - now).map_or(Duration::ZERO, Duration::from_nanos);
            // The kernel counts in ticks, and takes nothing for ever.
            if self.socket.set_read_timeout(Some(left.max(Duration::from_micros(100)))).is_err() {
                return;
            }
            let mut received = [Received::EMPTY];
            let mut buffer = [0; two_way::TWO_WAY_BYTES + 1];
            let stride = buffer.len();
            let came = datagram::receive(self.socket.as_fd(), &mut buffer, stride, &mut received, true);
            let read_ns = clock::shared_ns();
            match came {
                Ok(1) => self.handle_answer(&buffer[..received[0].bytes], received[0].control(), read_ns),
                // An answer of the network (nobody listens there) must not make this spin.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::thread::sleep(left.min(Duration::from_millis(2)));
                }
                _ => {}
            }
            now = clock::shared_ns();
        }
    }

    fn handle_answer(&mut self, message: &[u8], control: &[u8], read_ns: i64) {
        let stepped = self.wall.check();
        let stamp = stamps(control).kernel_ns.filter(|_| !stepped).map(|wall| self.wall.to_monotonic(wall));
        // A stamp after it was read, or long before, is one of another clock.
        let t4 = stamp.filter(|at| (0..PATIENCE_NS).contains(&(read_ns - at))).unwrap_or(read_ns);
        let times = two_way::parse(message).filter(|_| probe::stream_id(message) == Some(self.stream));
        self.sent.answers_read += u64::from(times.is_some());
        let Some(times) = times.filter(|times| times.t1 > self.latest_t1 && times.t1 <= t4) else { return };
        if self.sent.two_way.len() < TWO_WAY_MAX {
            self.latest_t1 = times.t1;
            self.sent.two_way.push([times.t1, times.t2, times.t3, t4]);
        }
    }
}

fn lead_ns() -> i64 {
    i64::try_from(LEAD.as_ns()).unwrap_or(0)
}

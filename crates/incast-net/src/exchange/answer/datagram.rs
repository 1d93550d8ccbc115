//! One asker over UDP at the answerer: a socket, a port and a thread of its own.
//!
//! It answers nobody before a datagram has shown the ticket, and from then on its sender alone: the socket
//! is connected to it, so that the kernel turns all others away. Who has the ticket could still forge another's address
//! and have it flooded; so that address must have held a TCP connection of this asker: the control connection, or one
//! that showed the ticket. Everybody else is a stranger. The socket is bound to the address that is asked: one of all
//! addresses would answer from the one that the route likes.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use incast_core::exchange::{Answerer, AnswererAccount};
use incast_core::time::Time;
use incast_core::units::Bytes;
use incast_core::wire::exchange::Head;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::{Asker, Shared};
use crate::clock::Clock;
use crate::faults::count;
use crate::socket::{self, Side, SocketError};
use crate::sys::datagram::{self, DATAGRAMS_MAX};
use crate::wait::{BLOCK_MAX, Spinning};

/// Send buffer of the socket: a response of 2 MB leaves without waiting for the queue behind it.
const SEND_BUFFER: Bytes = Bytes(4 << 20);
/// Bytes of one `sendmmsg` at most.
const TRAIN_BYTES: usize = 256 << 10;

/// Opens a port at `here` for one asker and starts its thread; gives the port.
pub(super) fn start(shared: &Arc<Shared>, asker: &Arc<Asker>, here: SocketAddr) -> Result<u16, SocketError> {
    let (socket, _) = socket::udp_bind(here, None)?;
    let granted = socket::ask_buffer(socket.as_fd(), Side::Send, Some(SEND_BUFFER));
    let port = socket
        .local_addr()
        .map_err(|error| SocketError::new("read the address of a UDP socket", error))?
        .port();
    socket
        .set_read_timeout(Some(BLOCK_MAX))
        .map_err(|error| SocketError::new("set the receive timeout of a UDP socket", error))?;
    let (shared, asker) = (Arc::clone(shared), Arc::clone(asker));
    asker.open.fetch_add(1, Relaxed);
    let spawned = std::thread::Builder::new().name("answer".into()).spawn({
        let asker = Arc::clone(&asker);
        move || {
            answer(&shared, &asker, &socket, granted.caveats);
            asker.open.fetch_sub(1, Relaxed);
        }
    });
    spawned.map_err(|error| {
        asker.open.fetch_sub(1, Relaxed);
        SocketError::new("start a thread", error)
    })?;
    Ok(port)
}

fn answer(shared: &Shared, asker: &Asker, socket: &UdpSocket, caveats: Vec<incast_core::caveat::Caveat>) {
    let cpu_before = (shared.plan.thread_cpu)();
    let mut done = AnswererAccount { caveats, ..AnswererAccount::default() };
    if let Some(core) = shared.plan.core {
        done.caveats.extend(socket::pin_to_core(core));
    }
    let mut serving = Serving::new(asker, socket, shared.plan.clock);
    serving.run();
    done = AnswererAccount { caveats: done.caveats, ..serving.answerer.account() };
    done.datagrams = serving.datagrams;
    done.nonsense = serving.nonsense;
    (0..serving.nonsense.min(NONSENSE_COUNTED)).for_each(|_| count(&shared.acceptor.faults.strangers));
    done.cpu = cpu_before.zip((shared.plan.thread_cpu)()).map(|(before, after)| after.since(&before));
    asker.close(done);
}

/// Counted one by one into the faults of the server; the account has all.
const NONSENSE_COUNTED: u64 = 1_000_000;

/// A socket under way.
struct Serving<'a> {
    asker: &'a Asker,
    socket: &'a UdpSocket,
    clock: Clock,
    answerer: Answerer,
    /// A datagram with the ticket has come, and the socket is connected to its sender.
    is_connected: bool,
    spinning: Spinning,
    buffer: Vec<u8>,
    /// The datagrams of one call, one after the other.
    train: Vec<u8>,
    datagrams: u64,
    nonsense: u64,
}

impl<'a> Serving<'a> {
    fn new(asker: &'a Asker, socket: &'a UdpSocket, clock: Clock) -> Self {
        let terms = &asker.terms;
        let [request, datagram] = [terms.request_bytes, terms.datagram_bytes]
            .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let together = (TRAIN_BYTES / datagram).clamp(1, DATAGRAMS_MAX);
        Self {
            asker,
            socket,
            clock,
            answerer: Answerer::new(terms),
            is_connected: false,
            spinning: Spinning::default(),
            // A byte more, so that a longer one is seen to be longer.
            buffer: vec![0; request + 1],
            train: vec![0; together * datagram],
            datagrams: 0,
            nonsense: 0,
        }
    }

    fn run(&mut self) {
        while !self.asker.is_over() {
            let now = self.clock.now();
            while let Some(number) = self.answerer.poll_response(now) {
                self.respond(number);
            }
            self.read(now);
        }
    }

    /// Takes a request, or waits for one for a moment. An error of the network (nobody listens there any
    /// more) is no end: the session says when that is.
    fn read(&mut self, now: Time) {
        let flags = match self.answerer.next_timeout() {
            _ if self.asker.terms.spin => RecvFlags::DONTWAIT,
            None => RecvFlags::empty(),
            Some(due) => {
                let left = due.since(now).to_std().min(BLOCK_MAX);
                if let Ok(timeout) = Timespec::try_from(left) {
                    let _ = poll(&mut [PollFd::new(self.socket, PollFlags::IN)], Some(&timeout));
                }
                RecvFlags::DONTWAIT
            }
        };
        let came = if self.is_connected {
            recv(self.socket, self.buffer.as_mut_slice(), flags)
                .map(|(_, bytes)| (bytes, None))
                .map_err(io::Error::from)
        } else {
            self.socket.recv_from(&mut self.buffer).map(|(bytes, from)| (bytes, Some(from)))
        };
        let Ok((bytes, from)) = came else {
            if self.asker.terms.spin {
                self.spinning.in_vain();
            }
            return;
        };
        let is_request = bytes + 1 == self.buffer.len();
        let head = Head::parse(&self.buffer[..bytes]).filter(|_| is_request);
        let Some(head) = head.filter(|head| head.ticket == self.asker.ticket && head.index == 0) else {
            self.nonsense += 1;
            return;
        };
        if let Some(from) = from {
            if !self.asker.is_at(from.ip()) {
                self.nonsense += 1;
                return;
            }
            self.is_connected = self.socket.connect(from).is_ok();
        }
        self.answerer.handle_request(self.clock.now(), head.number);
    }

    /// Gives a whole response to the kernel, in trains of datagrams.
    fn respond(&mut self, number: u32) {
        let terms = &self.asker.terms;
        let stride = usize::try_from(terms.datagram_bytes).unwrap_or(usize::MAX);
        let together = self.train.len() / stride;
        let count = usize::try_from(terms.datagrams()).unwrap_or(0);
        let mut next = 0;
        while next < count && !self.asker.is_over() {
            let these = together.min(count - next);
            let mut bytes = 0;
            for (place, datagram) in self.train.chunks_mut(stride).take(these).enumerate() {
                let index = u32::try_from(next + place).unwrap_or(u32::MAX);
                Head { ticket: self.asker.ticket, number, index }.emit(datagram);
                bytes += usize::try_from(terms.datagram_bytes_of(index)).unwrap_or(stride);
            }
            match datagram::send(self.socket.as_fd(), &self.train[..bytes], stride) {
                Ok(sent) => {
                    next += sent;
                    self.datagrams += u64::try_from(sent).unwrap_or(0);
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM) => {
                        std::thread::yield_now()
                    }
                    // An answer of the network to an earlier datagram: this one has not been tried.
                    Some(Errno::CONNREFUSED) => {}
                    // It cannot be sent at all: what is missing is lost, and seen to be by the asker.
                    _ => return,
                },
            }
        }
        if next == count {
            self.answerer.handle_responded();
        }
    }
}

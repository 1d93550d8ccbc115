//! A socket of datagrams, UDP or raw IP, for fragments or for requests: it sends without an answer, and takes what comes.
//!
//! ```text
//!  UDP:  | frame or packet |          IP: | IPv4 header | frame or packet |     (as the kernel gives it)
//! ```
//! What the kernel has no room for waits here, within a bound. What the network refuses is counted, and gone.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use bytes::Bytes;
use incast_core::caveat::Caveat;
use incast_core::readout::{Fragment, Level, Message};
use incast_core::wire::fragment::{FragmentHead, HEADER_BYTES, segments};
use incast_core::wire::refusal::Refusal;
use rustix::event::epoll::EventFlags;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg_addr};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::data::Data;
use super::mep;
use super::plan::{DatagramPlan, FragmentLayout};
use crate::socket::{Side, UDP_RECEIVE_BUFFER, ask_buffer, socket_drops};
use crate::sys::datagram::{self, Received};
use crate::sys::option::{self, Settable};
use crate::udp::Arrival;

/// Datagrams, or runs of them that the kernel has joined, per system call.
const DATAGRAMS: usize = 32;
/// The largest datagram, or the most that the kernel joins.
const BUFFER_BYTES: usize = 65_536;
/// Buffers begin in different sets of the first-level cache.
const STRIDE: usize = BUFFER_BYTES + 9 * 64;
/// The sizes that a plan can ask for.
const BYTES_LEAST: u32 = 100;
const BYTES_MOST: u32 = 65_507;

/// The socket, and what waits for it.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: Socket,
    is_raw: bool,
    layout: FragmentLayout,
    bytes_max: u32,
    address: SocketAddr,
    caveats: Vec<Caveat>,
    waiting: VecDeque<Outgoing>,
    waiting_bytes: u64,
    is_blocked: bool,
    /// What the kernel was asked to tell.
    pub(super) interest: EventFlags,
    buffers: Vec<u8>,
    received: Vec<Received>,
    sent: u64,
    sent_bytes: u64,
    unsent: u64,
}

/// A datagram to be sent.
#[derive(Debug)]
struct Outgoing {
    to: SocketAddr,
    /// Of our own frames; empty for packets.
    head: Option<[u8; HEADER_BYTES]>,
    payload: Bytes,
}

/// What became of datagrams that were to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    pub(super) unsent: u64,
}

impl Datagrams {
    /// Opens the socket: UDP, or raw IP of this protocol. One that only sends needs no room for what comes.
    pub(super) fn open(plan: &DatagramPlan, protocol: Option<u8>, receives: bool) -> io::Result<Self> {
        let is_raw = protocol.is_some();
        if !(BYTES_LEAST..=BYTES_MOST).contains(&plan.datagram_bytes_max) {
            let text = format!("datagrams of {} bytes: choose 100 to 65507", plan.datagram_bytes_max);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let failed = |cause: io::Error| {
            let what = if is_raw { "raw IP socket (needs CAP_NET_RAW)" } else { "UDP socket" };
            io::Error::new(cause.kind(), format!("open a {what} on {}: {cause}", plan.bind))
        };
        let (socket, bind) = if let Some(protocol) = protocol {
            if !plan.bind.is_ipv4() {
                return Err(failed(io::ErrorKind::Unsupported.into()));
            }
            let protocol = Protocol::from(i32::from(protocol));
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).map_err(failed)?;
            (socket, SocketAddr::new(plan.bind.ip(), 0))
        } else {
            let domain = Domain::for_address(plan.bind);
            (Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?, plan.bind)
        };
        socket.bind(&SockAddr::from(bind)).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let mut caveats = Vec::new();
        if receives {
            caveats = ask_buffer(socket.as_fd(), Side::Receive, Some(UDP_RECEIVE_BUFFER)).caveats;
            if !is_raw {
                // Without it, datagrams come one by one: slower, and the same.
                let _ = option::set(socket.as_fd(), Settable::UdpGro, 1);
            }
        } else {
            // What comes is not read: the least that the kernel keeps.
            let _ = socket.set_recv_buffer_size(1);
        }
        let bound = socket.local_addr().map_err(failed)?.as_socket().unwrap_or(bind);
        let places = if receives { DATAGRAMS } else { 0 };
        Ok(Self {
            socket,
            is_raw,
            layout: plan.layout,
            bytes_max: plan.datagram_bytes_max,
            address: if is_raw { bind } else { bound },
            caveats,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_blocked: false,
            interest: EventFlags::empty(),
            buffers: vec![0; places * STRIDE],
            received: vec![Received::EMPTY; places],
            sent: 0,
            sent_bytes: 0,
            unsent: 0,
        })
    }

    /// Where its datagrams come from, or go to.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) const fn layout(&self) -> FragmentLayout {
        self.layout
    }

    /// What the kernel refused.
    pub(super) fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }

    /// Datagrams that the kernel dropped, as it says.
    pub(super) fn drops(&self) -> u64 {
        // A socket that is not read drops by design.
        if self.received.is_empty() { 0 } else { socket_drops(self.socket.as_fd()).unwrap_or(0) }
    }

    pub(super) const fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// By what address a peer's datagrams are known, given the one that it told: over IP there are no ports.
    pub(super) fn known_by(&self, told: SocketAddr) -> SocketAddr {
        SocketAddr::new(told.ip().to_canonical(), if self.is_raw { 0 } else { told.port() })
    }

    /// Sends the message of a fragment.
    ///
    /// # Errors
    /// When the layout cannot say it.
    pub(super) fn send(&mut self, to: SocketAddr, message: &Message<Data>) -> Result<(), Refusal> {
        let Message::Fragment { level, fragment } = message else { return Err(Refusal::Kind) };
        let to = self.known_by(to);
        match self.layout {
            FragmentLayout::Frames => self.send_frames(to, *level, fragment),
            FragmentLayout::Mep => {
                // The bound is at most 65507.
                let bytes_max = usize::try_from(self.bytes_max).unwrap_or(usize::MAX);
                let payload = mep::emit(*level, fragment, bytes_max)?.into();
                self.send_one(Outgoing { to, head: None, payload });
                Ok(())
            }
        }
    }

    /// Sends a datagram as it is.
    pub(super) fn send_bytes(&mut self, to: SocketAddr, payload: Bytes) {
        let to = self.known_by(to);
        self.send_one(Outgoing { to, head: None, payload });
    }

    fn send_frames(
        &mut self,
        to: SocketAddr,
        level: Level,
        fragment: &Fragment<Data>,
    ) -> Result<(), Refusal> {
        let head = FragmentHead {
            run: fragment.run.0,
            source: fragment.source.0,
            event: fragment.event.0,
            events: fragment.events,
            total_bytes: 0,
            is_generated: false,
            is_damaged: false,
            level,
        };
        let room = self.bytes_max - HEADER_BYTES_OF_FRAME;
        for segment in segments(head, &fragment.payload, room)? {
            let payload = fragment.payload.0.slice_ref(segment.payload);
            self.send_one(Outgoing { to, head: Some(segment.emit_header()), payload });
        }
        Ok(())
    }

    fn send_one(&mut self, datagram: Outgoing) {
        if self.is_blocked || !self.give(&datagram) {
            self.waiting_bytes += datagram.bytes();
            self.waiting.push_back(datagram);
        }
    }

    /// Gives a datagram to the kernel; says whether it is off our hands.
    fn give(&mut self, datagram: &Outgoing) -> bool {
        let head = datagram.head.as_ref().map_or(&[][..], |head| &head[..]);
        let slices = [IoSlice::new(head), IoSlice::new(&datagram.payload)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let control = &mut SendAncillaryBuffer::default();
        match sendmsg_addr(&self.socket, &datagram.to, &slices, control, flags) {
            Ok(bytes) => {
                self.sent += 1;
                self.sent_bytes += bytes as u64;
            }
            Err(rustix::io::Errno::AGAIN) => {
                self.is_blocked = true;
                return false;
            }
            // No way there, too large for it, or no memory: it is not sent again.
            Err(_) => self.unsent += 1,
        }
        true
    }

    /// The kernel has room again.
    pub(super) fn handle_writable(&mut self) {
        self.is_blocked = false;
        while let Some(datagram) = self.waiting.pop_front() {
            if !self.give(&datagram) {
                self.waiting.push_front(datagram);
                return;
            }
            self.waiting_bytes = self.waiting_bytes.saturating_sub(datagram.bytes());
        }
    }

    /// Counts a datagram that has no address to go to.
    pub(super) const fn count_unsent(&mut self) {
        self.unsent += 1;
    }

    /// What became of datagrams so far.
    pub(super) const fn sent(&self) -> Sent {
        Sent { datagrams: self.sent, bytes: self.sent_bytes, unsent: self.unsent }
    }

    /// What the kernel is to tell, given whether what comes is wanted.
    pub(super) fn wanted(&self, is_paused: bool) -> EventFlags {
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, !is_paused && !self.received.is_empty());
        wanted.set(EventFlags::OUT, self.is_blocked);
        wanted
    }

    /// Takes what is there, once, and calls `on` for each datagram with its sender; gives how many bytes came.
    pub(super) fn receive(&mut self, mut on: impl FnMut(SocketAddr, &[u8])) -> usize {
        let fd = self.socket.as_fd();
        // What is wrong with a datagram that was sent is told here as well: it is counted where it was sent.
        let Ok(came) = datagram::receive(fd, &mut self.buffers, STRIDE, &mut self.received, false) else {
            return 0;
        };
        let mut bytes = 0;
        for (received, buffer) in self.received.iter().zip(self.buffers.chunks_exact(STRIDE)).take(came) {
            let arrival = Arrival::new(received, &buffer[..BUFFER_BYTES]);
            let Some(from) = arrival.from.decode() else { continue };
            let ip: IpAddr = from.ip().to_canonical();
            bytes += arrival.bytes.len();
            if self.is_raw {
                on(SocketAddr::new(ip, 0), behind_ip_header(arrival.bytes));
            } else if arrival.bytes.is_empty() {
                on(SocketAddr::new(ip, from.port()), &[]);
            } else {
                arrival.datagrams().for_each(|datagram| on(SocketAddr::new(ip, from.port()), datagram));
            }
        }
        bytes
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Outgoing {
    fn bytes(&self) -> u64 {
        (self.payload.len() + self.head.map_or(0, |head| head.len())) as u64
    }
}

/// What an IPv4 datagram carries. The kernel has checked its header (RFC 791 §3.1): the low four bits of the
/// first byte are its length in words of 4 bytes.
fn behind_ip_header(datagram: &[u8]) -> &[u8] {
    let header = datagram.first().map_or(0, |first| usize::from(first & 15) * 4);
    datagram.get(header..).unwrap_or_default()
}

const HEADER_BYTES_OF_FRAME: u32 = 40;
const _: () = assert!(HEADER_BYTES == HEADER_BYTES_OF_FRAME as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_header_is_as_long_as_it_says() {
        assert_eq!(behind_ip_header(&[[0x45; 20], [7; 20]].concat()), [7; 20]);
        assert_eq!(behind_ip_header(&[[0x46; 24], [7; 24]].concat()), [7; 24]);
        assert!(behind_ip_header(&[0x4f; 20]).is_empty() && behind_ip_header(&[]).is_empty());
    }
}

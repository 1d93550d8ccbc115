//! Sends one stream below UDP: packets or frames that lie one behind the other, many per call.
//!
//! ```text
//!  buffer:  | head | message | head | message | ...     heads are written once, counters per call
//! ```
//! Over IP the kernel makes the heads. What the kernel took is a prefix of what it was given; the rest was never
//! sent and keeps its counters for the next call. A full queue of the interface makes a frame be refused: it is
//! sent again.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use incast_core::control::SendPlan;
use incast_core::flood::Train;
use incast_core::load::Transport;
use incast_core::raw::MacAddress;
use incast_core::record::RawSide;
use incast_core::wire::ethernet::FrameHead;
use incast_core::wire::probe;

use super::xdp::XdpSender;
use super::{Interface, ip, packet};
use crate::socket::{Granted, SocketError};
use crate::sys::datagram::{self, DATAGRAMS_MAX};
use crate::udp::Origin;
use crate::udp::drive::Outlet;
use crate::udp::send::is_reply;

/// Where packets or frames leave.
pub(crate) struct RawOutlet {
    way: Way,
    refusals: u32,
    side: RawSide,
}

enum Way {
    Socket(Packets),
    Xdp(Box<XdpSender>),
}

/// A socket, and what goes through it.
struct Packets {
    socket: OwnedFd,
    buffer: Vec<u8>,
    /// Bytes before each message that we write.
    head_bytes: usize,
    packet_bytes: usize,
    calls: u64,
}

impl RawOutlet {
    /// Opens the way of `stream` to `to`: by `interface`, which frames need.
    ///
    /// # Errors
    /// When the socket cannot be had, or a message does not fit a frame.
    pub(crate) fn open(
        plan: &SendPlan,
        stream: u64,
        to: Origin,
        interface: Option<&Interface>,
    ) -> Result<(Self, Granted), SocketError> {
        let (way, granted, interface) = match (to, interface) {
            (Origin::Address(peer), _) => {
                let (socket, granted) = ip::connect(peer.ip(), plan.raw.protocol, plan)?;
                (Way::Socket(Packets::new(socket, plan, stream, None)), granted, None)
            }
            (Origin::Card(card), Some(interface)) => {
                fits(plan, interface)?;
                let head = head(plan, card, interface);
                let (way, granted) = if plan.transport == Transport::Xdp {
                    let (sender, granted) = XdpSender::open(interface, plan, stream, &head)?;
                    (Way::Xdp(Box::new(sender)), granted)
                } else {
                    let (socket, granted) = packet::connect(interface, plan)?;
                    (Way::Socket(Packets::new(socket, plan, stream, Some(head))), granted)
                };
                (way, granted, Some(interface.name.clone()))
            }
            (Origin::Card(card), None) => {
                let cause = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(SocketError::new(format!("send frames to {card} by no interface"), cause));
            }
        };
        let carrier = match (&way, &interface) {
            (Way::Xdp(sender), _) => sender.carrier(),
            (Way::Socket(_), Some(_)) => "packet socket",
            (Way::Socket(_), None) => ip::CARRIER,
        };
        let side = RawSide { interface, carrier: carrier.into(), ..RawSide::default() };
        Ok((Self { way, refusals: 0, side }, granted))
    }

    /// One that greets: opened as the stream's own, for a message that is a head alone.
    ///
    /// # Errors
    /// When the socket cannot be had.
    pub(crate) fn greeter(
        plan: &SendPlan,
        stream: u64,
        to: Origin,
        interface: Option<&Interface>,
    ) -> Result<Self, SocketError> {
        // A queue has one socket of AF_XDP, the stream's own; the frames are the same.
        let transport = if plan.transport == Transport::Xdp { Transport::Ethernet } else { plan.transport };
        let plan = SendPlan { message_bytes: probe::MESSAGE_BYTES_MIN, transport, ..plan.clone() };
        Self::open(&plan, stream, to, interface).map(|(outlet, _)| outlet)
    }

    /// Sends a greeting; one that is not sent is followed by others.
    pub(crate) fn greet(&mut self) {
        let sent = self.send(Train { first: 0, messages: 1 });
        self.side.greetings += u64::from(sent.unwrap_or(0));
    }

    /// Greetings sent.
    pub(crate) fn greetings(&self) -> u64 {
        self.side.greetings
    }

    /// Its stream was greeted `greetings` times, by its greeter.
    pub(crate) fn note_greetings(&mut self, greetings: u64) {
        self.side.greetings = greetings;
    }

    /// System calls so far.
    pub(crate) fn send_calls(&self) -> u64 {
        match &self.way {
            Way::Socket(packets) => packets.calls,
            Way::Xdp(sender) => sender.calls,
        }
    }

    /// How it met the link.
    pub(crate) fn side(&self) -> RawSide {
        let dropped = if let Way::Xdp(sender) = &self.way { sender.dropped } else { 0 };
        RawSide { queue_full: self.side.queue_full + dropped, ..self.side.clone() }
    }

    fn handle_refusal(&mut self, error: io::Error) -> io::Result<u32> {
        match error.raw_os_error() {
            Some(libc::ENOBUFS | libc::ENOMEM) => {
                self.side.queue_full += 1;
                // The interface is told to take more in some microseconds; asking at once costs it the time.
                std::thread::sleep(FULL_WAIT);
                Ok(0)
            }
            Some(libc::EAGAIN | libc::EINTR) => Ok(0),
            _ => {
                self.refusals += 1;
                let again = is_reply(&error) && self.refusals < REFUSALS_MAX;
                if again { Ok(0) } else { Err(error) }
            }
        }
    }
}

impl Outlet for RawOutlet {
    fn room(&self) -> u32 {
        match &self.way {
            Way::Socket(packets) => packets.room(),
            Way::Xdp(sender) => sender.room(),
        }
    }

    fn send(&mut self, train: Train) -> io::Result<u32> {
        let messages = train.messages.min(self.room());
        let is_frames = matches!(&self.way, Way::Socket(packets) if packets.head_bytes > 0);
        let sent = match &mut self.way {
            Way::Socket(packets) => packets.send(train.first, messages),
            Way::Xdp(sender) => return sender.send(train.first, messages),
        };
        match sent {
            Ok(taken) => {
                self.refusals = 0;
                // The kernel says how many it took, and not why it took no more; the frame that ended the call found
                // the queue full, and is counted there (net/packet/af_packet.c, `packet_xmit`). IP says nothing of it.
                self.side.queue_full += u64::from(is_frames && taken < messages);
                Ok(taken.min(messages))
            }
            Err(error) => self.handle_refusal(error),
        }
    }

    fn complete(&mut self, _: Train) -> io::Result<u32> {
        Ok(0)
    }
}

impl Packets {
    fn new(socket: OwnedFd, plan: &SendPlan, stream: u64, head: Option<FrameHead>) -> Self {
        let head_bytes = head.map_or(0, |head| head.bytes());
        let packet_bytes = head_bytes + usize::try_from(plan.message_bytes).unwrap_or(usize::MAX);
        let packets = (CALL_BYTES / packet_bytes).clamp(1, DATAGRAMS_MAX);
        let mut buffer = vec![0; packets * packet_bytes];
        for packet in buffer.chunks_exact_mut(packet_bytes) {
            if let Some(head) = head {
                head.emit(packet);
            }
            probe::emit_stream_id(&mut packet[head_bytes..], stream);
        }
        Self { socket, buffer, head_bytes, packet_bytes, calls: 0 }
    }

    fn room(&self) -> u32 {
        u32::try_from(self.buffer.len() / self.packet_bytes).unwrap_or(u32::MAX)
    }

    /// Gives `messages` to the kernel, counted from `first`; returns how many it took.
    fn send(&mut self, first: u64, messages: u32) -> io::Result<u32> {
        let count = usize::try_from(messages).unwrap_or(0);
        let bytes = &mut self.buffer[..count * self.packet_bytes];
        for (counter, packet) in (first..).zip(bytes.chunks_exact_mut(self.packet_bytes)) {
            probe::emit_counter(&mut packet[self.head_bytes..], counter);
        }
        self.calls += 1;
        let taken = datagram::send(self.socket.as_fd(), bytes, self.packet_bytes)?;
        Ok(u32::try_from(taken).unwrap_or(messages))
    }
}

/// What stands before every message.
pub(super) fn head(plan: &SendPlan, card: MacAddress, interface: &Interface) -> FrameHead {
    FrameHead { destination: card, source: interface.mac, vlan: plan.raw.vlan, ethertype: plan.raw.ethertype }
}

/// Refuses messages that do not fit a frame of `interface`: nothing cuts them.
pub(crate) fn fits(plan: &SendPlan, interface: &Interface) -> Result<(), SocketError> {
    if plan.message_bytes <= interface.mtu_bytes {
        return Ok(());
    }
    let (bytes, mtu, name) = (plan.message_bytes, interface.mtu_bytes, &interface.name);
    let cause = format!(
        "its MTU is {mtu} B, and nothing cuts a frame; choose messages of at most {mtu} B, or a larger MTU"
    );
    Err(SocketError::new(format!("send messages of {bytes} B by {name}"), io::Error::other(cause)))
}

/// Bytes given to the kernel in one call: they stay in the second-level cache between the calls.
const CALL_BYTES: usize = 256 << 10;
/// How long a full queue is left alone.
const FULL_WAIT: Duration = Duration::from_micros(50);
/// Answers of the network in a row after which the peer is given up.
const REFUSALS_MAX: u32 = 64;

//! Raw IP: messages as the payload of packets with a protocol number of their own (raw(7), ipv6(7)).
//!
//! The kernel makes the IP header, and cuts what is longer than the MTU into fragments. Over IPv4 it hands out
//! packets with their header, over IPv6 without.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use incast_core::caveat::Caveat;
use incast_core::control::SendPlan;
use incast_core::record::RawSide;
use incast_core::units::Bytes;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::NEEDS_ROOT;
use crate::hub::{DropCounter, Inlet};
use crate::socket::{self, Granted, Side, SocketError, UDP_RECEIVE_BUFFER};
use crate::sys::datagram::{self, Received};
use crate::udp::{Arrival, send::is_reply};
use crate::wait::{BLOCK_MAX, Wait};

/// A socket that sends packets of `protocol` to `peer`.
pub(super) fn connect(
    peer: IpAddr,
    protocol: u8,
    plan: &SendPlan,
) -> Result<(OwnedFd, Granted), SocketError> {
    let peer = SocketAddr::new(peer, 0);
    let socket = open(peer, protocol)?;
    let failed =
        |cause| SocketError::new(format!("connect to {} over IP protocol {protocol}", peer.ip()), cause);
    // It would take in what comes of the same protocol, and on loopback what itself sends.
    socket.set_recv_buffer_size(1).map_err(failed)?;
    socket.set_write_timeout(Some(BLOCK_MAX)).map_err(failed)?;
    let granted = socket::prepare_udp_sender(&socket, peer.is_ipv6(), plan);
    socket.connect(&SockAddr::from(peer)).map_err(failed)?;
    Ok((socket.into(), granted))
}

/// A socket to which packets of one protocol come.
#[derive(Debug)]
pub(super) struct IpInlet {
    socket: OwnedFd,
    is_ipv6: bool,
    buffers: Vec<u8>,
    received: Vec<Received>,
    calls: u64,
}

impl IpInlet {
    /// Opens the socket for what is sent to `address`.
    pub(super) fn open(
        address: IpAddr,
        protocol: u8,
        receive_buffer: Option<Bytes>,
    ) -> Result<(Self, DropCounter, Granted), SocketError> {
        let here = SocketAddr::new(address, 0);
        let socket = open(here, protocol)?;
        let asked = receive_buffer.unwrap_or(UDP_RECEIVE_BUFFER);
        let granted = socket::ask_buffer(socket.as_fd(), Side::Receive, Some(asked));
        let failed = |cause| SocketError::new(format!("bind {address} for IP protocol {protocol}"), cause);
        socket.bind(&SockAddr::from(here)).map_err(failed)?;
        socket.set_read_timeout(Some(BLOCK_MAX)).map_err(failed)?;
        let drops = DropCounter::Socket(socket.try_clone().map_err(failed)?.into());
        let inlet = Self {
            socket: socket.into(),
            is_ipv6: address.is_ipv6(),
            buffers: vec![0; PACKETS * STRIDE],
            received: vec![Received::EMPTY; PACKETS],
            calls: 0,
        };
        Ok((inlet, drops, granted))
    }
}

impl Inlet for IpInlet {
    fn receive(&mut self, wait: Wait, mut on: impl FnMut(Arrival<'_>)) -> io::Result<usize> {
        let (socket, block): (BorrowedFd<'_>, _) = (self.socket.as_fd(), wait == Wait::Block);
        let came = match datagram::receive(socket, &mut self.buffers, STRIDE, &mut self.received, block) {
            Ok(came) => came,
            // Nothing came in time, a signal came first, or the network answered something that we sent.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(error) if is_reply(&error) => 0,
            Err(error) => return Err(error),
        };
        self.calls += u64::from(came > 0);
        for (received, buffer) in self.received.iter().zip(self.buffers.chunks_exact(STRIDE)).take(came) {
            let arrival = Arrival::new(received, buffer);
            let message = if self.is_ipv6 { arrival.bytes } else { payload(arrival.bytes) };
            on(Arrival::single(arrival.from, message, arrival.truncated));
        }
        Ok(came)
    }

    fn is_emptied_by(&self, came: usize) -> bool {
        came < self.received.len()
    }

    fn set_batch(&mut self, datagrams: u32) {
        self.received.truncate(usize::try_from(datagrams.max(1)).unwrap_or(usize::MAX));
    }

    fn receive_calls(&self) -> u64 {
        self.calls
    }

    fn caveats(&self) -> &[Caveat] {
        &[]
    }

    fn raw(&self) -> Option<RawSide> {
        Some(RawSide { carrier: CARRIER.into(), ..RawSide::default() })
    }
}

fn open(address: SocketAddr, protocol: u8) -> Result<Socket, SocketError> {
    let protocol = Protocol::from(i32::from(protocol));
    Socket::new(Domain::for_address(address), Type::RAW, Some(protocol)).map_err(|cause| {
        SocketError::new(
            format!("open a raw socket of IP protocol {} {NEEDS_ROOT}", i32::from(protocol)),
            cause,
        )
    })
}

/// What is behind the IPv4 header, whose length in words is the low half of its first byte (RFC 791 §3.1); nothing
/// if that cannot be.
fn payload(packet: &[u8]) -> &[u8] {
    let words = packet.first().map_or(0, |first| usize::from(first & 0x0F));
    packet.get(words.max(5) * 4..).unwrap_or_default()
}

/// What carries messages at this end.
pub(super) const CARRIER: &str = "raw socket";
/// Packets of one receive call.
const PACKETS: usize = 32;
/// From one buffer to the next: the longest packet, and some lines of cache so that buffers do not share sets.
const STRIDE: usize = 65_536 + 9 * 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_taken_off_with_its_options() {
        let mut packet = vec![0x45; 20];
        packet.extend(b"abc");
        assert_eq!(payload(&packet), b"abc");
        packet[0] = 0x46;
        packet.splice(20..20, [9; 4]);
        assert_eq!(payload(&packet), b"abc");
        for nonsense in [&[][..], &[0x4F; 20], &[0x40; 3]] {
            assert_eq!(payload(nonsense), b"");
        }
    }
}

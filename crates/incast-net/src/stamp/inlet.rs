//! Takes datagrams with what the kernel tells of each: when it came, and how far it could still have gone.
//!
//! ```text
//!  SO_TIMESTAMPNS   seconds i64 | nanoseconds i64, CLOCK_REALTIME   Linux net/core/sock.c, `put_cmsg`
//!  IP_TTL           int                                              net/ipv4/ip_sockglue.c
//!  IPV6_HOPLIMIT    int                                              net/ipv6/datagram.c
//! ```
//! And to which of our addresses it came, so that the answer leaves from there (`udp/reply.rs`).

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;

use crate::clock::unix_ns;
use crate::socket::SocketError;
use crate::sys::datagram::{self, Received};
use crate::sys::option::{self, Settable};
use crate::udp::Arrival;
use crate::udp::reply::{Reply, tell_addresses};

/// One datagram.
#[derive(Debug)]
pub(super) struct Came<'a> {
    /// Who sent it, and its bytes; these may be written over.
    pub(super) from: Option<std::net::SocketAddr>,
    pub(super) bytes: &'a mut [u8],
    /// When it came, nanoseconds since 1970 by the wall clock of this host.
    pub(super) at_ns: i64,
    /// By the kernel; else by this program, later.
    pub(super) is_by_kernel: bool,
    /// Zero when it is not told.
    pub(super) time_to_live: u8,
    /// How to answer it.
    pub(super) reply: Reply,
}

/// A socket from which datagrams are taken with their times.
#[derive(Debug)]
pub(super) struct Inlet {
    socket: UdpSocket,
    buffers: Vec<u8>,
    received: Vec<Received>,
}

/// Datagrams of one call.
const DATAGRAMS: usize = 16;
/// The largest datagram.
const BUFFER_BYTES: usize = 65_536;
/// As in `udp/receive.rs`.
const STRIDE: usize = BUFFER_BYTES + 9 * 64;
/// A time of arrival that is older is not believed: the wall clock was set since.
const AGE_MAX_NS: i64 = 1_000_000_000;

impl Inlet {
    /// Takes over `socket`, which then never waits.
    pub(super) fn open(socket: UdpSocket) -> Result<Self, SocketError> {
        socket
            .set_nonblocking(true)
            .map_err(|cause| SocketError::new("make a UDP socket not wait", cause))?;
        // Each is a courtesy of the kernel: without it, this program looks at its clock, and no distance is known.
        for wish in [Settable::ArrivalTime, Settable::Ipv4TimeToLive, Settable::Ipv6HopLimit] {
            let _ = option::set(socket.as_fd(), wish, 1);
        }
        tell_addresses(socket.as_fd(), true);
        Ok(Self { socket, buffers: vec![0; DATAGRAMS * STRIDE], received: vec![Received::EMPTY; DATAGRAMS] })
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Takes what is there and calls `on` for each whole datagram; returns how many there were.
    pub(super) fn receive(&mut self, mut on: impl FnMut(&UdpSocket, Came<'_>)) -> io::Result<usize> {
        let taken =
            datagram::receive(self.socket.as_fd(), &mut self.buffers, STRIDE, &mut self.received, false)?;
        let now_ns = wall_ns();
        for (received, buffer) in self.received.iter().zip(self.buffers.chunks_exact_mut(STRIDE)).take(taken)
        {
            let arrival = Arrival::new(received, &[]);
            let told = arrival_ns(received.control())
                .filter(|at| (0..=AGE_MAX_NS).contains(&now_ns.saturating_sub(*at)));
            let came = Came {
                from: arrival.from.decode(),
                bytes: &mut buffer[..received.bytes],
                at_ns: told.unwrap_or(now_ns),
                is_by_kernel: told.is_some(),
                time_to_live: time_to_live(received.control()).unwrap_or(0),
                reply: arrival.reply(),
            };
            if !received.truncated {
                on(&self.socket, came);
            }
        }
        Ok(taken)
    }
}

/// The wall clock, nanoseconds since 1970.
pub(super) fn wall_ns() -> i64 {
    i64::try_from(unix_ns()).unwrap_or(0)
}

fn arrival_ns(control: &[u8]) -> Option<i64> {
    let value = find(control, libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)?;
    let seconds = i64::from_ne_bytes(*value.first_chunk()?);
    let below = i64::from_ne_bytes(*value.get(8..)?.first_chunk()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(below)
}

fn time_to_live(control: &[u8]) -> Option<u8> {
    let value = find(control, libc::SOL_IP, libc::IP_TTL)
        .or_else(|| find(control, libc::SOL_IPV6, libc::IPV6_HOPLIMIT))?;
    u8::try_from(i32::from_ne_bytes(*value.first_chunk()?)).ok()
}

/// The value of a control message; layout and search as in `udp/arrival.rs`.
fn find(mut control: &[u8], level: i32, kind: i32) -> Option<&[u8]> {
    const LEVEL_AT: usize = size_of::<usize>();
    const HEADER_BYTES: usize = LEVEL_AT + 8;
    loop {
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let of = i32::from_ne_bytes(*control.get(LEVEL_AT..)?.first_chunk()?);
        let its = i32::from_ne_bytes(*control.get(LEVEL_AT + 4..)?.first_chunk()?);
        let value = control.get(HEADER_BYTES..length)?;
        if (of, its) == (level, kind) {
            return Some(value);
        }
        control = control.get(length.checked_next_multiple_of(size_of::<usize>())?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_when_a_datagram_came_and_its_time_to_live() {
        let mut inlet = Inlet::open(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.set_ttl(33).unwrap();
        let before = wall_ns();
        sender.send_to(b"hello", inlet.socket().local_addr().unwrap()).unwrap();
        let mut seen = 0;
        while seen == 0 {
            let came = inlet.receive(|_, came| {
                assert_eq!((&*came.bytes, came.time_to_live), (&b"hello"[..], 33));
                assert_eq!(came.from, sender.local_addr().ok());
                assert!(came.at_ns >= before && came.at_ns <= wall_ns() && came.is_by_kernel);
                seen += 1;
            });
            assert!(came.is_ok() || came.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        }
    }

    #[test]
    fn broken_control_messages_tell_nothing() {
        let mut control = 32_usize.to_ne_bytes().to_vec();
        control.extend(libc::SOL_SOCKET.to_ne_bytes());
        control.extend(libc::SCM_TIMESTAMPNS.to_ne_bytes());
        control.extend(2_i64.to_ne_bytes());
        control.extend(3_i64.to_ne_bytes());
        assert_eq!((arrival_ns(&control), time_to_live(&control)), (Some(2_000_000_003), None));
        for cut in 0..control.len() {
            assert_eq!(arrival_ns(&control[..cut]), None);
        }
        for length in [0, 15, 16, 23, 33, usize::MAX] {
            control[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(arrival_ns(&control), None, "{length}");
        }
    }
}

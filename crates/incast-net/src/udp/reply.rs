//! An answer to a datagram: it leaves from the address to which that came.
//!
//! A socket that is bound to all addresses of a host leaves the choice to the route, which takes another one than was
//! asked when the host has several; and who asked one address does not hear what another one says. The kernel tells the
//! address with each datagram and takes it with the answer (Linux `ip(7)`, `ipv6(7)`; RFC 3542 §6).
//!
//! ```text
//!  IP_PKTINFO     interface int | local address 4 | address of the header 4
//!  IPV6_PKTINFO   address 16 | interface u32
//! ```
//! Where it was not told, the route chooses.

use std::io;
use std::os::fd::BorrowedFd;

use super::arrival::{CMSG_HEADER_BYTES, PeerAddress, find};
use crate::sys::datagram;
use crate::sys::option::{self, Settable};

/// Where an answer goes, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    to: PeerAddress,
    control: [u8; REPLY_CONTROL_BYTES],
    control_bytes: usize,
}

impl Reply {
    /// To a datagram of `to` with which the kernel told `control`.
    pub(super) fn new(to: PeerAddress, control: &[u8]) -> Self {
        let mut reply = Self { to, control: [0; REPLY_CONTROL_BYTES], control_bytes: 0 };
        let v4 = find(control, libc::SOL_IP, libc::IP_PKTINFO).and_then(|told| told.get(4..8));
        let v6 = find(control, libc::SOL_IPV6, libc::IPV6_PKTINFO).and_then(|told| told.get(..16));
        // The interface stays 0: which one leads to the peer is the route's to say.
        if let Some(local) = v4 {
            reply.tell(libc::SOL_IP, libc::IP_PKTINFO, [&[0; 4], local, &[0; 4]]);
        } else if let Some(local) = v6 {
            reply.tell(libc::SOL_IPV6, libc::IPV6_PKTINFO, [&[], local, &[0; 4]]);
        }
        reply
    }

    fn tell(&mut self, level: i32, kind: i32, data: [&[u8]; 3]) {
        let length = CMSG_HEADER_BYTES + data.iter().map(|part| part.len()).sum::<usize>();
        let head = [&length.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes()];
        for (place, byte) in self.control.iter_mut().zip(head.into_iter().chain(data).flatten()) {
            *place = *byte;
        }
        self.control_bytes = length.next_multiple_of(size_of::<usize>()).min(self.control.len());
    }

    /// Sends it; what the kernel cannot take now is not sent.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
        datagram::send_one(socket, bytes, self.to.written(), &self.control[..self.control_bytes])
    }
}

/// Whether the kernel is to tell to which address each datagram came. One that refuses leaves the choice to the route.
pub(crate) fn tell_addresses(socket: BorrowedFd<'_>, is_wanted: bool) {
    let set = |wish| option::set(socket, wish, i32::from(is_wanted));
    // One of IPv4 refuses the first; one of IPv6 would tell the same twice with both.
    let _ = set(Settable::Ipv6PacketInfo).or_else(|_| set(Settable::Ipv4PacketInfo));
}

/// The longer of the two, padded.
const REPLY_CONTROL_BYTES: usize = (CMSG_HEADER_BYTES + 20).next_multiple_of(size_of::<usize>());

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;
    use std::time::Duration;

    use super::*;
    use crate::sys::datagram::Received;
    use crate::udp::Arrival;

    /// What a socket at `bind` answers to one who asked it at `asked`.
    fn answered(bind: &str, asked: &str) {
        let server = UdpSocket::bind(bind).unwrap();
        tell_addresses(server.as_fd(), true);
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let port = server.local_addr().unwrap().port();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client.connect((asked, port)).unwrap();
        client.send(b"who?").unwrap();
        let (mut buffer, mut received) = ([0; 64], [Received::EMPTY]);
        let came = datagram::receive(server.as_fd(), &mut buffer, 64, &mut received, true).unwrap();
        assert_eq!(came, 1);
        Arrival::new(&received[0], &buffer).reply().send(server.as_fd(), b"I").unwrap();
        // A connected socket hears the address that it asked, and no other.
        let mut heard = [0; 8];
        let bytes = client.recv(&mut heard).unwrap_or_else(|error| panic!("{asked} at {bind}: {error}"));
        assert_eq!(&heard[..bytes], b"I");
    }

    #[test]
    fn an_answer_leaves_from_the_address_that_was_asked() {
        answered("127.0.0.1:0", "127.0.0.1");
        answered("0.0.0.0:0", "127.0.0.2");
        if UdpSocket::bind("[::]:0").is_ok() {
            answered("[::]:0", "127.0.0.3");
        }
    }
}

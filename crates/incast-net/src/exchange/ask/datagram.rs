//! The UDP socket of an asker towards one answerer: a request in a datagram, a response in one or many.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::wire::exchange::Head;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::AskPlan;
use super::work::Hearing;
use crate::socket::{self, SocketError};
use crate::sys::datagram::{self, DATAGRAMS_MAX, Received};

/// Bytes that one call may take: as the read of a connection.
const TRAIN_BYTES: usize = 256 << 10;

/// A socket.
pub(super) struct Datagrams {
    socket: UdpSocket,
    ticket: u64,
    request: Vec<u8>,
    /// Requests that the kernel had no room for, first first.
    delayed: std::collections::VecDeque<u32>,
    /// Room for the datagrams of one call, one after the other.
    buffer: Vec<u8>,
    /// Bytes of each: one more than the largest that is right.
    stride: usize,
    received: Vec<Received>,
    is_single: bool,
    caveats: Vec<Caveat>,
}

impl Datagrams {
    pub(super) fn open(plan: &AskPlan, address: SocketAddr, ticket: u64) -> Result<Self, SocketError> {
        let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let (socket, granted) = socket::udp_bind(SocketAddr::new(any, 0), None)?;
        socket
            .connect(address)
            .map_err(|cause| SocketError::new(format!("connect to {address} over UDP"), cause))?;
        let [request, datagram] = [plan.terms.request_bytes, plan.terms.datagram_bytes]
            .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let stride = datagram + 1;
        let together = (TRAIN_BYTES / stride).clamp(1, DATAGRAMS_MAX);
        Ok(Self {
            socket,
            ticket,
            request: vec![0; request],
            delayed: std::collections::VecDeque::new(),
            buffer: vec![0; together * stride],
            stride,
            received: vec![Received::EMPTY; together],
            is_single: plan.terms.datagrams() == 1,
            caveats: granted.caveats,
        })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn wants_room(&self) -> bool {
        !self.delayed.is_empty()
    }

    /// Sends a request, or keeps it until there is room.
    pub(super) fn ask(&mut self, number: u32, hearing: &mut Hearing<'_>) {
        if !self.delayed.is_empty() || !self.send(number, hearing) {
            self.delayed.push_back(number);
        }
    }

    /// Takes what has come.
    #[inline]
    pub(super) fn serve(&mut self, hearing: &mut Hearing<'_>) {
        while let Some(number) = self.delayed.front().copied()
            && self.send(number, hearing)
        {
            self.delayed.pop_front();
        }
        if self.is_single {
            // One call for one datagram is faster than one that could take many.
            if let Ok((_, bytes)) = recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                hearing.is_busy = true;
                hearing.now = hearing.clock.now();
                self.handle(0, bytes, hearing);
            }
            return;
        }
        let came =
            datagram::receive(self.socket.as_fd(), &mut self.buffer, self.stride, &mut self.received, false);
        let came = came.unwrap_or(0);
        if came > 0 {
            hearing.is_busy = true;
            hearing.now = hearing.clock.now();
        }
        for place in 0..came {
            self.handle(place, self.received[place].bytes, hearing);
        }
    }

    /// What the kernel did not do as asked, and what it dropped.
    pub(super) fn caveats(&mut self) -> Vec<Caveat> {
        let mut caveats = std::mem::take(&mut self.caveats);
        if let Some(drops) = socket::socket_drops(self.socket.as_fd()).filter(|drops| *drops > 0) {
            caveats.push(Caveat::new(
                CaveatKind::ReceiverSocketOverflow,
                format!("{drops} datagrams of responses died in the asker's own socket buffer"),
                "ask for less at once, or raise net.core.rmem_max",
            ));
        }
        caveats
    }

    fn handle(&self, place: usize, bytes: usize, hearing: &mut Hearing<'_>) {
        let from = place * self.stride;
        // Others cannot send to a connected socket; an answerer that errs is not ours to count here.
        let head = Head::parse(&self.buffer[from..from + bytes.min(self.stride)]);
        if let Some(head) = head.filter(|head| head.ticket == self.ticket && bytes < self.stride) {
            hearing.asker.handle_response(hearing.now, hearing.peer, head.number, head.index);
        }
    }

    /// False if there is no room. What cannot be sent at all times out, as what is lost does.
    fn send(&mut self, number: u32, hearing: &mut Hearing<'_>) -> bool {
        Head { ticket: self.ticket, number, index: 0 }.emit(&mut self.request);
        match send(&self.socket, &self.request, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(_) => true,
            // An answer of the network to an earlier datagram: this one has not been tried.
            Err(Errno::CONNREFUSED) => {
                let _ = send(&self.socket, &self.request, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                true
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM) => false,
            Err(_) => {
                hearing.asker.handle_failed(hearing.now, hearing.peer, number);
                true
            }
        }
    }
}

//! Takes datagrams from a socket, many per system call, each with its sender.
//!
//! It counts and interprets nothing: the owner reads the counters. With receive offload one buffer
//! may hold up to 64 KiB of datagrams of one flow.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};

use incast_core::caveat::{Caveat, CaveatKind};

use super::arrival::Arrival;
use super::reply::tell_addresses;
use super::send::is_reply;
use crate::socket::{SocketError, reason};
use crate::sys::datagram::{self, Received};
use crate::sys::option::{self, Settable};
use crate::wait::{BLOCK_MAX, Wait};

/// A socket from which datagrams are taken.
#[derive(Debug)]
pub struct UdpInlet {
    socket: UdpSocket,
    buffers: Vec<u8>,
    received: Vec<Received>,
    caveats: Vec<Caveat>,
    calls: u64,
    refused_replies: u64,
    is_timed: bool,
}

impl UdpInlet {
    /// Takes over `socket`: its receive timeout, and receive offload if the kernel has it.
    ///
    /// # Errors
    /// When the timeout cannot be set.
    pub fn open(socket: UdpSocket) -> Result<Self, SocketError> {
        socket.set_nonblocking(false).map_err(|cause| SocketError::new("make a UDP socket wait", cause))?;
        socket
            .set_read_timeout(Some(BLOCK_MAX))
            .map_err(|cause| SocketError::new("set the receive timeout of a UDP socket", cause))?;
        let refusal = option::set(socket.as_fd(), Settable::UdpGro, 1).err();
        let caveats = refusal.iter().map(gro_refused).collect();
        Ok(Self {
            socket,
            buffers: vec![0; DATAGRAMS * STRIDE],
            received: vec![Received::EMPTY; DATAGRAMS],
            caveats,
            calls: 0,
            refused_replies: 0,
            is_timed: false,
        })
    }

    /// At most `datagrams` in one call, and at least one; with receive offload each of them may be many that were
    /// joined.
    pub fn set_batch(&mut self, datagrams: u32) {
        self.received.truncate(usize::try_from(datagrams.max(1)).unwrap_or(usize::MAX));
    }

    /// Whether packets are to be timed: the kernel then stamps each, joins none, and tells to which of our addresses each
    /// came, so that it can be answered from there.
    ///
    /// A kernel that refuses costs the stamps, which the record shows.
    pub(crate) fn set_timed(&mut self, is_timed: bool) {
        if std::mem::replace(&mut self.is_timed, is_timed) == is_timed {
            return;
        }
        let socket = self.socket.as_fd();
        let _ = option::set(socket, Settable::Timestamping, if is_timed { STAMPS } else { 0 });
        tell_addresses(socket, is_timed);
        // Packets that are joined share the stamp of the first.
        if self.caveats.is_empty() {
            let _ = option::set(socket, Settable::UdpGro, i32::from(!is_timed));
        }
    }

    /// Takes what is there and calls `on` for each buffer; returns how many buffers that were, 0 if
    /// nothing came within the wait.
    ///
    /// # Errors
    /// When the kernel fails for a reason that concerns the socket itself.
    #[inline]
    pub fn receive(&mut self, wait: Wait, mut on: impl FnMut(Arrival<'_>)) -> io::Result<usize> {
        let came = self.take(wait)?;
        for (received, buffer) in self.received.iter().zip(self.buffers.chunks_exact(STRIDE)).take(came) {
            on(Arrival::new(received, &buffer[..BUFFER_BYTES]));
        }
        Ok(came)
    }

    /// Buffers that one call can fill.
    #[must_use]
    pub fn room(&self) -> usize {
        self.received.len()
    }

    /// Receive calls that brought something; a poll in vain is none.
    #[must_use]
    pub fn receive_calls(&self) -> u64 {
        self.calls
    }

    /// Answers of the network to datagrams that this socket itself sent ("nobody listens there").
    #[must_use]
    pub fn refused_replies(&self) -> u64 {
        self.refused_replies
    }

    /// What the kernel refused.
    #[must_use]
    pub fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }

    /// The socket, to ask for its drops or to answer a peer.
    #[must_use]
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn take(&mut self, wait: Wait) -> io::Result<usize> {
        let (socket, block) = (self.socket.as_fd(), wait == Wait::Block);
        match datagram::receive(socket, &mut self.buffers, STRIDE, &mut self.received, block) {
            Ok(came) => {
                self.calls += u64::from(came > 0);
                Ok(came)
            }
            Err(error) if is_nothing(&error) => Ok(0),
            Err(error) if is_reply(&error) => {
                self.refused_replies += 1;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

impl AsFd for UdpInlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Nothing came in time, or a signal came first.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn gro_refused(error: &io::Error) -> Caveat {
    let text = format!("the kernel refused receive offload (UDP_GRO): {}", reason(error));
    Caveat::new(CaveatKind::GroRefused, text, "use Linux 5.0 or newer on the receiver")
}

/// The kernel's own stamps of what is received, and those of the card if somebody has made it stamp.
#[expect(clippy::cast_possible_wrap, reason = "bits 2, 3, 4 and 6")]
pub(crate) const STAMPS: i32 = (libc::SOF_TIMESTAMPING_RX_SOFTWARE
    | libc::SOF_TIMESTAMPING_SOFTWARE
    | libc::SOF_TIMESTAMPING_RX_HARDWARE
    | libc::SOF_TIMESTAMPING_RAW_HARDWARE) as i32;

/// Buffers of one receive call.
const DATAGRAMS: usize = 32;
/// The largest datagram, or the most that receive offload joins.
const BUFFER_BYTES: usize = 65_536;
/// From one buffer to the next. Buffers at a multiple of 64 KiB would share the same few sets of the
/// first-level cache; 9 lines further each begins in sets of its own.
const STRIDE: usize = BUFFER_BYTES + 9 * 64;

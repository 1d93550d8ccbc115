//! One connection of the mesh.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use incast_core::readout::Incarnation;
use rustix::event::epoll::EventFlags;

use super::inbox::Inbox;
use super::outbox::Outbox;

/// One connection of the mesh.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Which one it is, for the kernel's events: never used again.
    pub(super) serial: u64,
    pub(super) life: Incarnation,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    /// Where the peer's fragments in datagrams come from or go to.
    pub(super) fragments: Option<SocketAddr>,
    /// What the kernel was asked to tell.
    pub(super) interest: EventFlags,
    /// The kernel has no room; it says when it has.
    pub(super) is_blocked: bool,
    /// It is among those to be written to.
    pub(super) is_listed: bool,
    /// The peer takes nothing any more; what it sent before is still read.
    pub(super) is_broken: bool,
}

impl Connection {
    /// Writes what waits, as far as the kernel takes it; returns how many bytes that were.
    pub(super) fn write(&mut self) -> u64 {
        if let Ok(written) = self.outbox.write(self.stream.as_fd()) {
            self.is_blocked = !self.outbox.is_empty();
            return written;
        }
        // Why will be said when it is read.
        self.is_broken = true;
        self.is_blocked = false;
        self.outbox.clear();
        0
    }

    /// What the kernel is to tell, given whether it is read at present.
    pub(super) fn wanted(&self, is_paused: bool) -> EventFlags {
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, !is_paused);
        wanted.set(EventFlags::OUT, self.is_blocked);
        wanted
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
